#ifndef STORE_CLUSTER_H
#define STORE_CLUSTER_H

#include "redis/url.h"
#include "store/route.h"

struct ev_loop;

/*
 * The route to a Redis Cluster: a node for each master, so that one that is
 * dead takes no other with it, and the map of slots, which is asked for when
 * it may have changed, and now and then. Source: docs/protocol.md, S20.
 *
 * url       borrowed until the route is freed; its hosts are asked for the map
 *           first, and whenever no server that is known answers.
 *
 * NULL without memory.
 */
struct store_route *store_cluster_new(struct ev_loop *loop,
                                      const struct redis_url *url,
                                      const struct store_config *config);

#endif
