#ifndef LINK_FAKE_H
#define LINK_FAKE_H

#include <ev.h>

#include "store/link.h"
#include "store/node.h"
#include "store/route.h"
#include "store/store.h"

/*
 * Operations for fake links: writes and checks succeed, and are never answered.
 */
bool link_fake_write(struct store_link *link, struct bytes key,
                     struct bytes value, int64_t ttl_s);
bool link_fake_check(struct store_link *link);
void link_fake_do_nothing(struct store_link *link);

/* Operations for fake routes of several nodes. */
void link_fake_own(struct store_route *route,
                   const struct store_node_owner *owner, void *arg);
void link_fake_free(struct store_route *route);

/*
 * Takes the turns of a store with real links, on the loop of their servers. It
 * wakes up at least every 20 ms, so that a test can check its condition.
 */
struct link_turns {
    struct store *store;
    ev_prepare turn;
    ev_timer due;
};

void link_turns_start(struct link_turns *turns, struct ev_loop *loop,
                      struct store *store);

#endif
