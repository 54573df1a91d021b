/*
 * The store of a URL: the route that belongs to the kind of URL.
 */
#include "store/store_redis.h"
#include "store/cluster.h"
#include "store/sentinel.h"
#include "store/single.h"

static struct store_route *
single(struct ev_loop *loop, const struct redis_url *redis,
       const struct store_config *config)
{
    struct store_link *link = store_link_redis(loop, redis, config);

    return link != NULL ? store_single_new(config, link) : NULL;
}

typedef struct store_route *route_new_fn(struct ev_loop *loop,
                                         const struct redis_url *redis,
                                         const struct store_config *config);

static route_new_fn *const routes[REDIS_URL_KIND__MAX] = {
    [REDIS_URL_SINGLE] = single,
    [REDIS_URL_SENTINEL] = store_sentinel_new,
    [REDIS_URL_CLUSTER] = store_cluster_new,
};

struct store *
store_redis_new(struct ev_loop *loop, const struct redis_url *redis,
                const struct store_config *config)
{
    struct store_route *route = routes[redis->kind](loop, redis, config);

    return route != NULL ? store_new(config, route) : NULL;
}
