/*
 * A store that is Redis: the route that the URL asks for.
 */
#include "store/store_redis.h"
#include "store/sentinel.h"
#include "store/single.h"

static struct store_route *
make_route(struct ev_loop *loop, const struct redis_url *redis,
           const struct store_config *config)
{
    struct store_link *link;

    if (redis->kind == REDIS_URL_SENTINEL)
        return store_sentinel_new(loop, redis, config);
    link = store_link_redis(loop, redis, config);
    return link != NULL ? store_single_new(config, link) : NULL;
}

struct store *
store_redis_new(struct ev_loop *loop, const struct redis_url *redis,
                const struct store_config *config)
{
    struct store_route *route = make_route(loop, redis, config);

    return route != NULL ? store_new(config, route) : NULL;
}
