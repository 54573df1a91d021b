/*
 * The reads of the store: when each is sent, parked, sent again, and answered,
 * exactly once. It implements S20 of docs/protocol.md. Pure: no clock, no loop,
 * no Redis. Replies are passed on as they arrive; everything else that a link
 * reports takes effect in store_turn().
 *
 *      store_read()                                done(status, values)
 *           |                                            ^
 *         FRESH --- the next turn ---+                   | read_finish()
 *           |                        |                   |
 *           | no connection yet,     |    +--------------+--------------+
 *           v or behind (S20.10)     |    |              |              |
 *         PARKED --- may be sent ----+    |          answered        deadline:
 *           ^                        v    |              |         TIMEOUT; no
 *           | lost, and an attempt  route: which node?   |      connection, no
 *           | is left; or another    |    |              |      attempt left,
 *           | read's reply ended     |   node: may it?   |     breaker open:
 *           | the connection         |    |  no: DOWN ---+              DOWN
 *           |                        v    v              |
 *           +--------------------- SENT (fetch: the commands of a read)
 *                                    |                   ^
 *                                  link: one connection, its time limits
 *                                    |                   |
 *                                  redis/conn ------- replies
 *
 *     fault                    noticed by      result
 *     no or lost connection    conn -> node    LOSS_WAITED, LOSS_SENT: the
 *                                              reads are sent again, or DOWN
 *     reply too large, slow    conn -> node    LOSS_AGAIN: its read fails, all
 *                                              others are sent again
 *     error reply              fetch           REFUSED, never tried again
 *     deadline of a request    store           TIMEOUT
 *     failures in a row        node            breaker open: DOWN at once
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/queue.h>

#include "store/reads.h"
#include "store/route.h"
#include "store/store.h"

/*
 * After a reply was too large, or may have been, required reads of several keys
 * read the lengths first for this long: so a caller who repeats the request
 * ends only the first connection (S20.5). The reply to a required read of one
 * key is always bounded.
 */
#define GUARD_MS 5000

/* A guarded read with more bytes of values extends that time. */
#define GUARD_BYTES ((size_t)1 << 20)

enum read_state { READ_FRESH = 0, READ_PARKED, READ_SENT, READ__STATES };

/* A server may refuse each kind and answer the others (S20.3). */
enum read_kind {
    READ_KIND_ONE = 0,
    READ_KIND_MANY,
    READ_KIND_CACHE,
    READ_KINDS
};

static const struct {
    enum store_event refused, good;
} kind_events[READ_KINDS] = {
    [READ_KIND_ONE] = {STORE_EVENT_REFUSED, STORE_EVENT_READ_OK},
    [READ_KIND_MANY] = {STORE_EVENT_MANY_REFUSED, STORE_EVENT_MANY_OK},
    [READ_KIND_CACHE] = {STORE_EVENT_CACHE_REFUSED, STORE_EVENT_CACHE_OK},
};

struct read {
    struct store_fetch fetch; /* must be first: on_answered() casts it */
    TAILQ_ENTRY(read) in_state;
    TAILQ_ENTRY(read) in_deadlines; /* unless abandoned */
    enum read_state state;
    enum store_need need;
    struct store_node *node; /* that has its keys; NULL: not known yet */
    bool is_fixed;  /* the node was given, not found by the first key */
    bool is_part;   /* of a split read, which is counted as one */
    bool is_resent; /* its fetch was sent before: clear it first */
    int losses;     /* of connections that it waited for or was on */
    int64_t deadline_ms;
    store_done_fn *done;
    void *arg;
    struct store_value values[];
};

TAILQ_HEAD(read_queue, read);

struct store {
    struct store_config config;
    struct store_route *route; /* NULL: the store is being freed */

    int64_t now_ms; /* of the last turn */
    int64_t guard_until_ms;

    struct read_queue by_state[READ__STATES];
    struct read_queue deadlines[2]; /* by need; sorted, the earliest first */
    size_t pending;
};

static const char *const status_texts[STORE__MAX] = {
    [STORE_OK] = "ok",
    [STORE_DOWN] = "the store is down",
    [STORE_TIMEOUT] = "the store did not answer in time",
    [STORE_REFUSED] = "the store answered with an error",
    [STORE_LARGE] = "the values are too large for one read",
    [STORE_MEMORY] = "out of memory",
};

const char *
store_status_text(enum store_status status)
{
    assert(status < STORE__MAX);
    return status_texts[status];
}

static void
report(const struct store *store, enum store_event event, const char *detail)
{
    if (store->config.event != NULL)
        store->config.event(store->config.event_arg, event, NULL, detail);
}

static void
doubt(struct store *store, struct store_node *node)
{
    struct store_route *route = store->route;

    if (route != NULL && route->ops->doubt != NULL)
        route->ops->doubt(route, node);
}

/* Reads. */

static void
read_move(struct store *store, struct read *read, enum read_state state)
{
    TAILQ_REMOVE(&store->by_state[read->state], read, in_state);
    read->state = state;
    TAILQ_INSERT_TAIL(&store->by_state[state], read, in_state);
}

static void
read_delete(struct store *store, struct read *read)
{
    TAILQ_REMOVE(&store->by_state[read->state], read, in_state);
    if (read->fetch.is_kept)
        store_fetch_release(&read->fetch);
    free(read);
}

/* The read is not freed yet: its queue may be iterated over just now. */
void
read_abandon(struct store *store, struct read *read)
{
    TAILQ_REMOVE(&store->deadlines[read->need], read, in_deadlines);
    store->pending -= !read->is_part;
    read->fetch.is_abandoned = true;
    read->fetch.sum = NULL; /* it may be freed */
}

/*
 * Answers a read. One that was sent stays, abandoned, until the link answers
 * it; any other is freed.
 */
static void
read_finish(struct store *store, struct read *read, enum store_status status)
{
    read_abandon(store, read);
    read->done(read->arg, status, status == STORE_OK ? read->values : NULL);
    if (read->state != READ_SENT)
        read_delete(store, read);
}

static void
add_deadline(struct store *store, struct read *read)
{
    struct read_queue *deadlines = &store->deadlines[read->need];
    struct read *before = TAILQ_LAST(deadlines, read_queue);

    while (before != NULL && before->deadline_ms > read->deadline_ms)
        before = TAILQ_PREV(before, read_queue, in_deadlines);
    if (before == NULL)
        TAILQ_INSERT_HEAD(deadlines, read, in_deadlines);
    else
        TAILQ_INSERT_AFTER(deadlines, before, read, in_deadlines);
}

struct read *
read_begin(struct store *store, const struct read_plan *plan)
{
    struct read *read;

    if (plan->count > (SIZE_MAX - sizeof(*read)) / sizeof(read->values[0]))
        return NULL;
    read = calloc(1, sizeof(*read) + plan->count * sizeof(read->values[0]));
    if (read == NULL)
        return NULL;
    read->fetch.keys = plan->keys;
    read->fetch.count = plan->count;
    read->fetch.values = read->values;
    read->fetch.bytes_max = store->config.answer_bytes_max;
    read->fetch.is_asking = plan->is_asking;
    read->fetch.is_kept = plan->sum != NULL;
    read->fetch.sum = plan->sum;
    read->need = plan->need;
    read->deadline_ms = plan->deadline_ms;
    read->node = plan->node;
    read->is_fixed = plan->node != NULL;
    read->is_part = plan->sum != NULL;
    read->done = plan->done;
    read->arg = plan->arg;
    TAILQ_INSERT_TAIL(&store->by_state[READ_FRESH], read, in_state);
    add_deadline(store, read);
    store->pending += !read->is_part;
    return read;
}

bool
store_read(struct store *store, const struct bytes *keys, size_t count,
           enum store_need need, int64_t now_ms, int64_t deadline_ms,
           store_done_fn *done, void *arg)
{
    const int64_t limit_ms = now_ms + store->config.command_timeout_ms;
    const struct read_plan plan = {
        .keys = keys,
        .count = count,
        .need = need,
        .deadline_ms =
            need == STORE_CACHE ? MIN(limit_ms, deadline_ms) : deadline_ms,
        .done = done,
        .arg = arg};

    assert(count > 0);
    if (need == STORE_MUST && store->route->ops->follow != NULL)
        return split_begin(store, &plan);
    return read_begin(store, &plan) != NULL;
}

void *
read_take_kept(struct read *read)
{
    void *kept = read->fetch.kept;

    read->fetch.kept = NULL;
    return kept;
}

void
read_free_kept(void *kept)
{
    struct store_fetch fetch = {.kept = kept};

    store_fetch_release(&fetch);
}

struct store_node *
read_node(const struct read *read)
{
    return read->node;
}

void
store_count_pending(struct store *store, int by)
{
    store->pending += (size_t)by;
}

void
store_count_redirections(struct store *store, size_t count)
{
    for (; count > 0; count--)
        report(store, STORE_EVENT_REDIRECTED, NULL);
}

struct store_route *
store_get_route(struct store *store)
{
    return store->route;
}

size_t
store_get_bytes_max(const struct store *store)
{
    return store->config.answer_bytes_max;
}

size_t
store_pending(const struct store *store)
{
    return store->pending;
}

bool
store_is_up(const struct store *store)
{
    const struct store_route *route = store->route;

    if (route->count == 0)
        return false;
    for (size_t i = 0; i < route->count; i++)
        if (!store_node_is_usable(route->nodes[i]) ||
            store_node_is_down(route->nodes[i]))
            return false;
    return true;
}

const char *
store_role(const struct store *store)
{
    const struct store_route *route = store->route;

    return route->ops->role != NULL ? route->ops->role(route) : NULL;
}

size_t
store_sentinels(const struct store *store)
{
    const struct store_route *route = store->route;

    return route->ops->sentinels != NULL ? route->ops->sentinels(route) : 0;
}

int64_t
store_next_try_ms(const struct store *store, int64_t now_ms)
{
    const struct store_route *route = store->route;
    int64_t next_ms = INT64_MAX;

    for (size_t i = 0; i < route->count; i++) {
        const int64_t node_ms = store_node_next_try_ms(route->nodes[i], now_ms);

        next_ms = MIN(next_ms, node_ms);
    }
    return route->count > 0 ? next_ms : 0;
}

/*
 * Whether a server is behind: nobody waits any more for its oldest read. What
 * is sent now would be answered too late as well, and the server would work for
 * nobody for as long as reads keep coming. So nothing more is sent until it has
 * caught up (S20.10).
 */
static bool
is_behind(const struct store *store, const struct store_node *node)
{
    const struct read *read = TAILQ_FIRST(&store->by_state[READ_SENT]);

    while (read != NULL && read->node != node)
        read = TAILQ_NEXT(read, in_state);
    return read != NULL && read->fetch.is_abandoned;
}

void
store_write(struct store *store, struct bytes key, struct bytes value,
            int64_t ttl_s)
{
    struct store_route *route = store->route; /* NULL: it is being freed */
    struct store_node *node =
        route != NULL ? route->ops->node_of(route, key) : NULL;

    if (node == NULL || store_node_is_down(node) || !store_node_is_usable(node))
        report(store, STORE_EVENT_WRITE_FAILED, "no connection");
    else if (is_behind(store, node))
        report(store, STORE_EVENT_WRITE_FAILED, "the store is too slow");
    else if (!store_node_write(node, key, value, ttl_s))
        report(store, STORE_EVENT_WRITE_FAILED,
               store_status_text(STORE_MEMORY));
}

/* Reports of the nodes. */

static void
on_event(void *arg, enum store_event event, const char *server,
         const char *detail)
{
    const struct store *store = arg;

    if (store->config.event != NULL)
        store->config.event(store->config.event_arg, event, server, detail);
}

static void
report_answer(const struct store *store, const struct read *read,
              enum store_status status, const char *refusal)
{
    const size_t kind = read->need == STORE_CACHE ? READ_KIND_CACHE
                        : read->fetch.count > 1   ? READ_KIND_MANY
                                                  : READ_KIND_ONE;

    if (status == STORE_REFUSED)
        report(store, kind_events[kind].refused, refusal);
    else if (status == STORE_OK)
        report(store, kind_events[kind].good, NULL);
}

/* A redirected cache read is a miss (S22.4); the route learns from it. */
static void
take_redirection(struct store *store, struct read *read)
{
    struct store_value *value = &read->values[0];
    bool is_asking;

    (void)store->route->ops->follow(store->route, read->node, value->data,
                                    &is_asking);
    store_count_redirections(store, 1);
    *value = (struct store_value){.kind = STORE_ABSENT};
}

static void
on_answered(void *arg, struct store_fetch *fetch, enum store_status status,
            const char *refusal)
{
    struct store *store = arg;
    struct read *read = (struct read *)fetch;

    assert(read->state == READ_SENT);
    if (read->values[0].kind == STORE_ELSEWHERE && !read->is_part)
        take_redirection(store, read);
    if (status == STORE_REFUSED)
        doubt(store, read->node);
    report_answer(store, read, status, refusal);
    if (fetch->is_guarded && fetch->count > 1 &&
        (status == STORE_LARGE || fetch->has_large_value ||
         fetch->bytes > GUARD_BYTES))
        store->guard_until_ms = store->now_ms + GUARD_MS;
    if (fetch->is_abandoned) {
        read_delete(store, read);
        return;
    }
    read_move(store, read, READ_FRESH); /* so that read_finish() frees it */
    read_finish(store, read, status);
}

/* The connection on which a read was sent, or for which it waited, failed. */
static void
read_lose(struct store *store, struct read *read, const char *reason)
{
    bool again;

    if (read->fetch.is_abandoned && read->state != READ_SENT)
        return; /* dispatch_read() deletes it */
    again = !read->fetch.is_abandoned && read->need == STORE_MUST &&
            ++read->losses < store->config.attempts &&
            !store_node_is_down(read->node);

    if (again && read->state == READ_SENT) {
        read_move(store, read, READ_PARKED);
        report(store, STORE_EVENT_RETRY, reason);
    } else if (!again && read->state == READ_SENT) {
        if (!read->fetch.is_abandoned)
            read_finish(store, read, STORE_DOWN);
        read_delete(store, read);
    } else if (!again) {
        read_finish(store, read, STORE_DOWN);
    }
}

/* A timeout may mean a very large reply: the server is silent while it makes
 * one. */
static bool
may_be_large(const struct read *read, enum redis_fault fault)
{
    return fault == REDIS_FAULT_TIMEOUT && read->state == READ_SENT &&
           read->need == STORE_MUST && !read->fetch.is_guarded;
}

static void
lose_reads(struct store *store, const struct store_node *node,
           enum read_state state, enum redis_fault fault, const char *reason)
{
    struct read *next;

    for (struct read *read = TAILQ_FIRST(&store->by_state[state]); read != NULL;
         read = next) {
        next = TAILQ_NEXT(read, in_state);
        if (read->node != node)
            continue;
        if (may_be_large(read, fault))
            store->guard_until_ms = store->now_ms + GUARD_MS;
        read_lose(store, read, reason);
    }
}

/*
 * The reply to this read was too large or too slow. It is sent again, guarded;
 * if it was guarded before, or is a cache read, it fails.
 */
static void
read_blame(struct store *store, struct read *read, enum redis_fault fault)
{
    const bool is_large = fault == REDIS_FAULT_LARGE;
    enum store_status status = is_large ? STORE_LARGE : STORE_TIMEOUT;

    if (!read->fetch.is_abandoned && read->need == STORE_MUST &&
        !read->fetch.is_guarded) {
        read_move(store, read, READ_PARKED);
        return;
    }
    if (is_large && read->fetch.count == 1) {
        read->values[0].kind = STORE_LARGE_VALUE;
        status = STORE_OK;
    }
    if (!read->fetch.is_abandoned)
        read_finish(store, read, status);
    read_delete(store, read);
}

/* All other reads of the connection are sent again before the blamed one. */
static void
send_again(struct store *store, const struct store_node *node,
           struct read *blamed, enum redis_fault fault)
{
    struct read *next;

    store->guard_until_ms = store->now_ms + GUARD_MS;
    for (struct read *read = TAILQ_FIRST(&store->by_state[READ_SENT]);
         read != NULL; read = next) {
        next = TAILQ_NEXT(read, in_state);
        if (read->node != node || read == blamed)
            continue;
        if (read->fetch.is_abandoned)
            read_delete(store, read);
        else
            read_move(store, read, READ_PARKED);
    }
    if (blamed != NULL)
        read_blame(store, blamed, fault);
}

static void
read_forget_node(struct read *read, const struct store_node *node)
{
    if (read->node != node)
        return;
    read->node = NULL;
    read->is_fixed = read->fetch.is_asking = false;
}

/* The node ends: its reads find another one in the next turn. */
static void
move_reads(struct store *store, const struct store_node *node)
{
    struct read *next;

    for (struct read *read = TAILQ_FIRST(&store->by_state[READ_SENT]);
         read != NULL; read = next) {
        next = TAILQ_NEXT(read, in_state);
        if (read->node != node)
            continue;
        if (read->fetch.is_abandoned)
            read_delete(store, read);
        else
            read_move(store, read, READ_PARKED);
    }
    for (struct read *read = TAILQ_FIRST(&store->by_state[READ_PARKED]);
         read != NULL; read = TAILQ_NEXT(read, in_state))
        read_forget_node(read, node);
    for (struct read *read = TAILQ_FIRST(&store->by_state[READ_FRESH]);
         read != NULL; read = TAILQ_NEXT(read, in_state))
        read_forget_node(read, node);
}

static void
on_lost(void *arg, struct store_node *node, enum store_loss loss,
        enum redis_fault fault, const char *reason, struct store_fetch *blamed)
{
    if (loss != STORE_LOSS_MOVED)
        doubt(arg, node);
    switch (loss) {
    case STORE_LOSS_SENT:
        lose_reads(arg, node, READ_SENT, fault, reason);
        break;
    case STORE_LOSS_WAITED:
        lose_reads(arg, node, READ_PARKED, fault, reason);
        break;
    case STORE_LOSS_AGAIN:
        send_again(arg, node, (struct read *)blamed, fault);
        break;
    case STORE_LOSS_MOVED:
        move_reads(arg, node);
        break;
    case STORE_LOSS__MAX:
        break;
    }
}

/* The turn. */

static void
expire_reads(struct store *store, enum store_need need, int64_t now_ms)
{
    struct read_queue *deadlines = &store->deadlines[need];
    struct read *read;

    while ((read = TAILQ_FIRST(deadlines)) != NULL &&
           read->deadline_ms <= now_ms) {
        if (need == STORE_MUST && read->node != NULL)
            store_node_give_up(read->node);
        read_finish(store, read, STORE_TIMEOUT);
    }
}

static bool
read_send(struct store *store, struct read *read)
{
    struct store_fetch *fetch = &read->fetch;

    if (read->is_resent) {
        *fetch =
            (struct store_fetch){.keys = fetch->keys,
                                 .count = fetch->count,
                                 .values = fetch->values,
                                 .bytes_max = store->config.answer_bytes_max,
                                 .sum = fetch->sum,
                                 .is_asking = fetch->is_asking,
                                 .is_kept = fetch->is_kept};
        memset(read->values, 0, fetch->count * sizeof(read->values[0]));
    }
    read->is_resent = true;
    fetch->is_guarded =
        read->need == STORE_MUST &&
        (fetch->count == 1 || store->now_ms < store->guard_until_ms);
    if (!store_node_read(read->node, fetch)) {
        read_finish(store, read, STORE_MEMORY);
        return false;
    }
    read_move(store, read, READ_SENT);
    return true;
}

/* During the trial of a connection a read may be sent and at once be answered
 * as down: its reply then only proves the connection. */
static void
dispatch_read(struct store *store, struct read *read)
{
    struct store_route *route = store->route;
    unsigned way;
    bool waits;

    if (read->fetch.is_abandoned) {
        read_delete(store, read);
        return;
    }
    if (!read->is_fixed)
        read->node = route->ops->node_of(route, read->fetch.keys[0]);
    if (read->node == NULL) {
        if (!route->is_starting)
            read_finish(store, read, STORE_DOWN);
        else if (read->state == READ_FRESH)
            read_move(store, read, READ_PARKED);
        return;
    }
    way = store_node_way(read->node);
    waits = way &
            (read->need == STORE_CACHE ? STORE_WAY_WAIT_CACHE : STORE_WAY_WAIT);
    if (way & STORE_WAY_SEND && !is_behind(store, read->node)) {
        if (!read_send(store, read))
            return;
    }
    if (!waits)
        read_finish(store, read, STORE_DOWN);
    else if (read->state == READ_FRESH)
        read_move(store, read, READ_PARKED);
}

static void
dispatch(struct store *store, enum read_state state)
{
    struct read *next;

    for (struct read *read = TAILQ_FIRST(&store->by_state[state]); read != NULL;
         read = next) {
        next = TAILQ_NEXT(read, in_state);
        dispatch_read(store, read);
    }
}

/* When the next turn is due; INT64_MAX: only if something happens. */
static int64_t
next_due_ms(const struct store *store)
{
    const struct store_route *route = store->route;
    int64_t due_ms = TAILQ_EMPTY(&store->by_state[READ_FRESH]) ? INT64_MAX : 0;

    for (size_t need = 0; need < 2; need++) {
        const struct read *read = TAILQ_FIRST(&store->deadlines[need]);

        if (read != NULL)
            due_ms = MIN(due_ms, read->deadline_ms);
    }
    if (route->ops->due_ms != NULL) {
        const int64_t route_ms = route->ops->due_ms(route);

        due_ms = MIN(due_ms, route_ms);
    }
    for (size_t i = 0; i < route->count; i++) {
        const int64_t node_ms = store_node_due_ms(route->nodes[i]);

        due_ms = MIN(due_ms, node_ms);
    }
    return due_ms;
}

int64_t
store_turn(struct store *store, int64_t now_ms)
{
    struct store_route *route = store->route;
    int64_t due_ms;

    store->now_ms = now_ms;
    if (route->ops->settle != NULL)
        route->ops->settle(route, now_ms);
    for (size_t i = 0; i < route->count; i++)
        store_node_settle(route->nodes[i], now_ms);
    expire_reads(store, STORE_MUST, now_ms);
    expire_reads(store, STORE_CACHE, now_ms);
    for (size_t i = 0; i < route->count; i++)
        store_node_advance(route->nodes[i], now_ms);
    dispatch(store, READ_PARKED);
    dispatch(store, READ_FRESH);
    for (size_t i = 0; i < route->count; i++)
        store_node_flush(route->nodes[i], now_ms);

    due_ms = next_due_ms(store);
    if (due_ms == INT64_MAX)
        return -1;
    return due_ms > now_ms ? due_ms - now_ms : 0;
}

/* Making and freeing. */

static const struct store_node_owner node_owner = {
    .event = on_event,
    .answered = on_answered,
    .lost = on_lost,
};

struct store *
store_new(const struct store_config *config, struct store_route *route)
{
    struct store *store = calloc(1, sizeof(*store));

    if (store == NULL) {
        route->ops->free(route);
        return NULL;
    }
    store->config = *config;
    store->route = route;
    for (size_t i = 0; i < READ__STATES; i++)
        TAILQ_INIT(&store->by_state[i]);
    TAILQ_INIT(&store->deadlines[STORE_MUST]);
    TAILQ_INIT(&store->deadlines[STORE_CACHE]);
    route->ops->own(route, &node_owner, store);
    return store;
}

void
store_free(struct store *store)
{
    if (store == NULL)
        return;
    store->route->ops->free(store->route);
    store->route = NULL;
    for (size_t state = READ__STATES; state-- > 0;) {
        struct read *read;

        while ((read = TAILQ_FIRST(&store->by_state[state])) != NULL) {
            const bool is_left = read->fetch.is_abandoned || state == READ_SENT;

            if (!read->fetch.is_abandoned)
                read_finish(store, read, STORE_DOWN);
            if (is_left)
                read_delete(store, read);
        }
    }
    free(store);
}
