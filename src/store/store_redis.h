#ifndef STORE_REDIS_H
#define STORE_REDIS_H

#include "redis/url.h"
#include "store/store.h"

struct ev_loop;

/*
 * Makes a store that is one Redis, over one connection served by the loop.
 * Connecting begins with the first store_turn(). SIGPIPE must be ignored.
 *
 * redis     borrowed until store_free().
 *
 * Returns NULL without memory, or with TLS asked for and not to be had.
 */
struct store *store_redis_new(struct ev_loop *loop,
                              const struct redis_url *redis,
                              const struct store_config *config);

#endif
