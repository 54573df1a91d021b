/*
 * Shared by tests of the store: operations of fake links, and turns.
 */
#include "link_fake.h"
#include "clock.h"

#define WAKE_MS 20

bool
link_fake_write(struct store_link *link, struct bytes key, struct bytes value,
                int64_t ttl_s)
{
    (void)link;
    (void)key;
    (void)value;
    (void)ttl_s;
    return true;
}

bool
link_fake_check(struct store_link *link)
{
    (void)link;
    return true;
}

void
link_fake_do_nothing(struct store_link *link)
{
    (void)link;
}

void
link_fake_own(struct store_route *route, const struct store_node_owner *owner,
              void *arg)
{
    for (size_t i = 0; i < route->count; i++)
        store_node_set_owner(route->nodes[i], owner, arg);
}

void
link_fake_free(struct store_route *route)
{
    for (size_t i = 0; i < route->count; i++)
        store_node_free(route->nodes[i]);
}

static void
on_due(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)timer;
    (void)events;
}

static void
on_turn(struct ev_loop *loop, ev_prepare *watcher, int events)
{
    struct link_turns *turns = watcher->data;
    int64_t due_ms = store_turn(turns->store, clock_ms());

    (void)events;
    if (due_ms < 0 || due_ms > WAKE_MS)
        due_ms = WAKE_MS;
    ev_now_update(loop);
    ev_timer_stop(loop, &turns->due);
    ev_timer_set(&turns->due, (double)due_ms / 1000, 0.);
    ev_timer_start(loop, &turns->due);
}

void
link_turns_start(struct link_turns *turns, struct ev_loop *loop,
                 struct store *store)
{
    turns->store = store;
    ev_prepare_init(&turns->turn, on_turn);
    ev_timer_init(&turns->due, on_due, 0., 0.);
    turns->turn.data = turns;
    ev_prepare_start(loop, &turns->turn);
}
