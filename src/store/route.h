#ifndef ROUTE_H
#define ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/node.h"

/*
 * A route knows which server has a key. It makes the nodes of its servers, and
 * replaces them when servers are added, removed or moved.
 */
struct store_route;

/* An operation may be NULL where its comment says so. */
struct store_route_ops {
    /* Sets the owner of all nodes; called once, before anything else. */
    void (*own)(struct store_route *route, const struct store_node_owner *owner,
                void *arg);

    /* The node that has a key now. NULL: none has, and a read of it fails, or
     * waits if the route is_starting. */
    struct store_node *(*node_of)(struct store_route *route, struct bytes key);

    /*
     * Called at the beginning of each turn: the only operation that may remove
     * nodes. May be NULL.
     */
    void (*settle)(struct store_route *route, int64_t now_ms);

    /* When the next turn is due at the latest; INT64_MAX: only if something
     * happens. May be NULL. */
    int64_t (*due_ms)(const struct store_route *route);

    /* As store_role() and store_sentinels(). May be NULL. */
    const char *(*role)(const struct store_route *route);
    size_t (*sentinels)(const struct store_route *route);

    /*
     * A node has answered a read of a key with a redirection. Returns the node
     * to ask now, which this may add, or NULL if there is none. NULL: keys are
     * never redirected, and the store does not split required reads.
     *
     * ret_is_asking   set if a node is returned: whether it wants ASKING.
     */
    struct store_node *(*follow)(struct store_route *route,
                                 struct store_node *from,
                                 struct bytes redirection, bool *ret_is_asking);

    /* A node has refused a read, or lost its connection: the route may look for
     * changes. May be NULL. */
    void (*doubt)(struct store_route *route, struct store_node *node);

    void (*free)(struct store_route *route);
};

/* Each route's struct begins with this. */
struct store_route {
    const struct store_route_ops *ops;
    struct store_node **nodes; /* all of them */
    size_t count;
    bool is_starting; /* the servers are not known yet: reads wait */
};

/* Makes a store that owns the route, and frees it also on failure. Returns NULL
 * if memory runs out. */
struct store *store_new(const struct store_config *config,
                        struct store_route *route);

#endif
