#ifndef SERVED_H
#define SERVED_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "scoring/api.h"
#include "serve/conn.h"
#include "store/link.h"

#define SERVED_BODY_MAX  4096
#define SERVED_IDS_MAX   100
#define SERVED_READS_MAX 16 /* pending at a time */

/* A fake link: every key has the same value. */
struct served_link {
    struct store_link base; /* must be first */
    struct store_fetch *reads[SERVED_READS_MAX];
    size_t read_count;
    struct bytes value;
    enum store_status status; /* of its answers; STORE_DOWN: no connection */
    bool holds;               /* delays its answers until this is false */
};

/*
 * The connections of a worker, without the worker. They are real; the peer is
 * the test, and the loop takes a turn only in served_turn(). The salts are the
 * published ones.
 */
struct served {
    struct conn_shared shared;
    struct config *settings; /* all defaults */
    struct config config;    /* a copy that tests may change */
    struct api_config api_config;
    struct served_link link;
};

/* value is that of every key in the store; borrowed. */
bool served_start(struct served *served, struct bytes value);
void served_stop(struct served *served);

/* The peer's end of a new connection, non-blocking; -1: it was not accepted. */
int served_connect(struct served *served);

/* Handles all events that are pending, and returns. */
void served_turn(struct served *served);

#endif
