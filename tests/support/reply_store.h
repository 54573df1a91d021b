#ifndef REPLY_STORE_H
#define REPLY_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "redis/url.h"
#include "store/store.h"

struct ev_loop;

/* A store whose Redis is scripted, on its own loop. */
struct reply_store {
    struct ev_loop *loop;
    struct store *store;
};

/*
 * Opens a store on a new reply server (reply_server.h).
 *
 * kind      REDIS_URL_SINGLE; or REDIS_URL_CLUSTER: the server gives no map, so
 *           it is asked for all keys.
 * bytes     the replies to the commands after the handshake.
 *
 * Returns false if memory runs out; the store is then closed.
 */
bool reply_store_open(struct reply_store *replies,
                      const struct store_config *config,
                      enum redis_url_kind kind, const void *bytes,
                      size_t length);

/* Takes a turn of the store, then waits a few milliseconds for replies. */
void reply_store_turn(struct reply_store *replies);

/* Accepts a closed store. */
void reply_store_close(struct reply_store *replies);

#endif
