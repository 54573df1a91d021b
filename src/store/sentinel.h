#ifndef SENTINEL_H
#define SENTINEL_H

#include "store/route.h"

struct ev_loop;

/*
 * The master that sentinels name, which has all keys.
 *
 * redis     borrowed until the route is freed.
 *
 * NULL without memory, or with TLS asked for and not to be had.
 */
struct store_route *store_sentinel_new(struct ev_loop *loop,
                                       const struct redis_url *redis,
                                       const struct store_config *config);

#endif
