/*
 * A store that is Redis: the route that the URL asks for.
 */
#include "store/store_redis.h"
#include "store/single.h"

struct store *
store_redis_new(struct ev_loop *loop, const struct redis_url *redis,
                const struct store_config *config)
{
    struct store_link *link = store_link_redis(loop, redis, config);
    struct store_route *route = NULL;

    if (link != NULL)
        route = store_single_new(config, link);
    return route != NULL ? store_new(config, route) : NULL;
}
