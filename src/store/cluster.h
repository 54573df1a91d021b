#ifndef STORE_CLUSTER_H
#define STORE_CLUSTER_H

#include "redis/url.h"
#include "store/route.h"

struct ev_loop;

/*
 * Makes the route to a Redis Cluster: a node for each master, so that a dead
 * master affects no other, and the map of slots, which is requested when it may
 * have changed, and periodically. Source: docs/protocol.md, S22.
 *
 * url       borrowed until the route is freed; its hosts are asked for the map
 *           first, and whenever no known server answers.
 *
 * Returns NULL if memory runs out.
 */
struct store_route *store_cluster_new(struct ev_loop *loop,
                                      const struct redis_url *url,
                                      const struct store_config *config);

#endif
