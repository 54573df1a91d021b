/*
 * The route to one server. It implements S20 of docs/protocol.md for
 * redis://, rediss:// and unix://.
 */
#include <stdlib.h>

#include "store/single.h"

struct single {
    struct store_route base; /* must be first */
    struct store_node *node;
};

static void
single_own(struct store_route *route, const struct store_node_owner *owner,
           void *arg)
{
    store_node_set_owner(route->nodes[0], owner, arg);
}

static struct store_node *
single_node_of(struct store_route *route, struct bytes key)
{
    (void)key;
    return route->nodes[0];
}

static const char *
single_role(const struct store_route *route)
{
    const enum redis_role role = store_node_role(route->nodes[0]);

    return role == REDIS_ROLE_MASTER ? NULL : redis_role_text(role);
}

static void
single_free(struct store_route *route)
{
    store_node_free(route->nodes[0]);
    free(route);
}

static const struct store_route_ops single_ops = {
    .own = single_own,
    .node_of = single_node_of,
    .role = single_role,
    .free = single_free,
};

struct store_route *
store_single_new(const struct store_config *config, struct store_link *link)
{
    struct single *single = calloc(1, sizeof(*single));
    struct store_node *node = store_node_new(config, link);

    if (single == NULL || node == NULL) {
        store_node_free(node);
        free(single);
        return NULL;
    }
    single->node = node;
    single->base = (struct store_route){
        .ops = &single_ops, .nodes = &single->node, .count = 1};
    return &single->base;
}
