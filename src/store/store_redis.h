#ifndef STORE_REDIS_H
#define STORE_REDIS_H

#include "redis/url.h"
#include "store/store.h"

struct ev_loop;

/*
 * Makes the store of a URL: one Redis, a master that sentinels name, or a Redis
 * Cluster; the loop serves its connections. Connecting begins with the first
 * store_turn(). SIGPIPE must be ignored.
 *
 * redis     borrowed until store_free().
 *
 * Returns NULL if memory runs out, or if TLS is required but not available.
 */
struct store *store_redis_new(struct ev_loop *loop,
                              const struct redis_url *redis,
                              const struct store_config *config);

#endif
