#ifndef SENTINEL_H
#define SENTINEL_H

#include "store/route.h"

struct ev_loop;

/*
 * Makes the route to the master that sentinels name; it has all keys. Source:
 * docs/protocol.md, S21.
 *
 * redis     borrowed until the route is freed.
 *
 * Returns NULL if memory runs out, or if TLS is required but not available.
 */
struct store_route *store_sentinel_new(struct ev_loop *loop,
                                       const struct redis_url *redis,
                                       const struct store_config *config);

#endif
