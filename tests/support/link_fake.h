#ifndef LINK_FAKE_H
#define LINK_FAKE_H

#include <ev.h>

#include "store/link.h"
#include "store/store.h"

/*
 * Operations of a link that a test has no interest in: writes and checks are
 * taken, and never answered.
 */
bool link_fake_write(struct store_link *link, struct bytes key,
                     struct bytes value, int64_t ttl_s);
bool link_fake_check(struct store_link *link);
void link_fake_do_nothing(struct store_link *link);

/*
 * The turns of a store whose links are real, on the loop of their servers. It
 * wakes up each 20 ms at least, so that whoever runs the loop can look whether
 * it is enough.
 */
struct link_turns {
    struct store *store;
    ev_prepare turn;
    ev_timer due;
};

void link_turns_start(struct link_turns *turns, struct ev_loop *loop,
                      struct store *store);

#endif
