#ifndef REPLY_STORE_H
#define REPLY_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "store/store.h"

struct ev_loop;

/* A store whose Redis is a script, on a loop of its own. */
struct reply_store {
    struct ev_loop *loop;
    struct store *store;
};

/*
 * bytes     what the server says once it has shaken hands, a reply to each
 *           command (reply_server.h).
 *
 * False without memory; the store is closed then.
 */
bool reply_store_open(struct reply_store *replies,
                      const struct store_config *config, const void *bytes,
                      size_t length);

/* A turn of the store, and what has come meanwhile, or comes soon. */
void reply_store_turn(struct reply_store *replies);

/* Accepts one that is closed. */
void reply_store_close(struct reply_store *replies);

#endif
