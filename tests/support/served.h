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
#define SERVED_READS_MAX 16 /* under way at a time */

/* A link that knows one value for every key: at once, or when it is let. */
struct served_link {
    struct store_link base; /* first: a link begins with it */
    struct store_fetch *reads[SERVED_READS_MAX];
    size_t read_count;
    struct bytes value;
    enum store_status status; /* of its answers; STORE_DOWN: no connection */
    bool holds;               /* its answers back */
};

/*
 * The connections of a worker, without the worker: they are real ones, their
 * peer is this program, and the loop only turns when it is told to. The salts
 * are the published ones.
 */
struct served {
    struct conn_shared shared;
    struct config *settings; /* all defaults */
    struct config config;    /* the same, but for what the tests need */
    struct api_config api_config;
    struct served_link link;
};

/* value is what the store holds for every key; borrowed. */
bool served_start(struct served *served, struct bytes value);
void served_stop(struct served *served);

/* The peer's end of a new connection, non-blocking; -1: it was not taken. */
int served_connect(struct served *served);

/* Lets happen what can happen now. */
void served_turn(struct served *served);

#endif
