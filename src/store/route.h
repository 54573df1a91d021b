#ifndef ROUTE_H
#define ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/node.h"

/*
 * What lies between the store and its servers: which of them has a key. A
 * route makes its nodes, and changes them as servers come, go and move.
 */
struct store_route;

struct store_route_ops {
    /* Tells whose the nodes are; once, before anything else. */
    void (*own)(struct store_route *route, const struct store_node_owner *owner,
                void *arg);

    /* The node that has a key now; NULL: none has, and its read fails. */
    struct store_node *(*node_of)(struct store_route *route, struct bytes key);

    /*
     * Called at the beginning of each turn: the only place in which nodes may
     * come and go. NULL: they never do.
     */
    void (*settle)(struct store_route *route, int64_t now_ms);

    /* When that is due at the latest; INT64_MAX: only if something happens.
     * NULL: never. */
    int64_t (*due_ms)(const struct store_route *route);

    /* As store_role() and store_sentinels(); NULL: there is nothing to say. */
    const char *(*role)(const struct store_route *route);
    size_t (*sentinels)(const struct store_route *route);

    /*
     * A key was asked for at a node, and the answer was that it is elsewhere.
     * Returns the node that is to be asked now, NULL: none; of required reads,
     * which such a route has in parts. NULL: no key is ever elsewhere.
     */
    struct store_node *(*follow)(struct store_route *route,
                                 struct store_node *from,
                                 struct bytes redirection, bool *ret_is_asking);

    /* A node has failed a read, or its connection ended. NULL: no matter. */
    void (*doubt)(struct store_route *route, struct store_node *node);

    void (*free)(struct store_route *route);
};

/* Every route's struct begins with this. */
struct store_route {
    const struct store_route_ops *ops;
    struct store_node **nodes; /* all of them */
    size_t count;
    bool is_starting; /* who has the keys will be known soon: reads wait */
};

/* Makes a store on a route, which it then owns; NULL without memory. */
struct store *store_new(const struct store_config *config,
                        struct store_route *route);

#endif
