/*
 * The route to the master that sentinels name: one node, which is replaced when
 * another server becomes the master. It implements S21 of docs/protocol.md.
 * Reads that are pending on the old node are sent to the new one, which counts
 * neither as a failure nor as an attempt.
 *
 *     sentinels --votes--> election --another--> a new node, in settle()
 *                              ^                      |
 *                              +-- not the master ----+  (by its handshake, or
 *                                                        by READONLY)
 */
#include <stdio.h>
#include <stdlib.h>

#include "store/sentinel.h"
#include "store/sentinels.h"

struct sentinel_route {
    struct store_route base; /* must be first */
    struct ev_loop *loop;
    const struct redis_url *redis;
    struct store_config config;
    const struct store_node_owner *owner; /* receives what the node reports */
    void *arg;

    struct sentinels *sentinels;
    struct election election;
    struct store_node *node; /* NULL: no master is known */
    struct redis_url url;    /* of the node; its host is the next member */
    char host[ELECTION_HOST_SIZE];
    bool is_down;     /* there is no node, and DOWN has been reported */
    int64_t since_ms; /* when the last node ended; 0: before the first turn */
};

static struct sentinel_route *
route_of(struct store_route *base)
{
    return (struct sentinel_route *)base;
}

static void
put_master(const struct sentinel_route *route, struct buf *out)
{
    buf_printf(out, "master %s at ", route->redis->master);
    redis_url_print_address(&route->url, out);
}

/* Reports of the node are passed on; the detail of DOWN also names the master.
 */

static void
on_event(void *arg, enum store_event event, const char *server,
         const char *detail)
{
    const struct sentinel_route *route = arg;
    struct buf words = {0};

    if (event != STORE_EVENT_DOWN) {
        route->owner->event(route->arg, event, server, detail);
        return;
    }
    put_master(route, &words);
    buf_printf(&words, ": %s", detail);
    buf_add(&words, "", 1);
    route->owner->event(route->arg, event, server,
                        words.failed ? detail : words.data);
    buf_free(&words);
}

static void
on_answered(void *arg, struct store_fetch *fetch, enum store_status status,
            const char *refusal)
{
    const struct sentinel_route *route = arg;

    route->owner->answered(route->arg, fetch, status, refusal);
}

static void
on_lost(void *arg, struct store_node *node, enum store_loss loss,
        enum redis_fault fault, const char *reason, struct store_fetch *blamed)
{
    const struct sentinel_route *route = arg;

    route->owner->lost(route->arg, node, loss, fault, reason, blamed);
}

static const struct store_node_owner node_owner = {
    .event = on_event,
    .answered = on_answered,
    .lost = on_lost,
};

/* Replacing the node. */

static void
retire_node(struct sentinel_route *route, int64_t now_ms)
{
    struct store_node *node = route->node;

    if (node == NULL)
        return;
    route->node = NULL;
    route->base.count = 0;
    route->since_ms = now_ms;
    store_node_retire(node);
}

/* Makes a node of the elected master. If memory runs out, the next turn tries
 * again. */
static void
make_node(struct sentinel_route *route)
{
    struct store_link *link;
    struct buf words = {0};

    route->url = *route->redis;
    route->url.kind = REDIS_URL_SINGLE;
    route->url.host_count = 0;
    route->url.master = NULL;
    (void)snprintf(route->host, sizeof(route->host), "%s",
                   route->election.current.host);
    route->url.host = route->host;
    route->url.port = route->election.current.port;
    link = store_link_redis(route->loop, &route->url, &route->config);
    if (link != NULL)
        route->node = store_node_new(&route->config, link);
    if (route->node == NULL)
        return;
    store_node_set_owner(route->node, &node_owner, route);
    route->base.count = 1;
    route->base.is_starting = false;
    redis_url_print_address(&route->url, &words);
    buf_add(&words, "", 1);
    if (!words.failed)
        route->owner->event(route->arg, STORE_EVENT_MASTER, NULL, words.data);
    buf_free(&words);
    if (route->is_down)
        route->owner->event(route->arg, STORE_EVENT_UP, NULL, NULL);
    route->is_down = false;
}

static void
report_down(struct sentinel_route *route)
{
    struct buf words = {0};

    if (route->election.current.host[0] == '\0') {
        buf_printf(&words, "master %s: ", route->redis->master);
        sentinels_put_reason(route->sentinels, &words);
    } else {
        put_master(route, &words);
        buf_add_text(&words, ": the server is a replica, not the master");
    }
    buf_add(&words, "", 1);
    route->is_down = true;
    route->base.is_starting = false;
    route->owner->event(route->arg, STORE_EVENT_DOWN, NULL,
                        words.failed ? NULL : words.data);
    buf_free(&words);
}

/* Whether the server of the node has reported that it is not the master. */
static bool
is_not_master(const struct sentinel_route *route)
{
    enum redis_role role;

    if (route->node == NULL)
        return false;
    role = store_node_role(route->node);
    return role != REDIS_ROLE_MASTER && role != REDIS_ROLE_UNKNOWN;
}

static void
hold_election(struct sentinel_route *route, int64_t now_ms)
{
    struct master votes[SENTINELS_MAX];
    const size_t count = sentinels_votes(route->sentinels, votes);

    if (election_hold(&route->election, votes, count,
                      sentinels_known(route->sentinels), now_ms))
        retire_node(route, now_ms);
}

static void
sentinel_settle(struct store_route *base, int64_t now_ms)
{
    struct sentinel_route *route = route_of(base);
    bool has_news = sentinels_take_news(route->sentinels);

    if (is_not_master(route)) {
        election_distrust(&route->election, now_ms);
        retire_node(route, now_ms);
        has_news = true;
    }
    if (route->since_ms == 0)
        route->since_ms = now_ms;
    if (has_news || route->node == NULL)
        hold_election(route, now_ms);
    if (route->node == NULL && election_has_master(&route->election, now_ms))
        make_node(route);
    if (route->node == NULL && !route->is_down &&
        (now_ms - route->since_ms >= route->config.deadline_ms ||
         sentinels_have_spoken(route->sentinels)))
        report_down(route);
}

static int64_t
sentinel_due_ms(const struct store_route *base)
{
    const struct sentinel_route *route = (const struct sentinel_route *)base;

    if (route->node != NULL)
        return INT64_MAX;
    if (!route->is_down)
        return route->since_ms + route->config.deadline_ms;
    return route->election.current.host[0] != '\0'
               ? route->election.distrust_until_ms
               : INT64_MAX;
}

static void
sentinel_own(struct store_route *base, const struct store_node_owner *owner,
             void *arg)
{
    route_of(base)->owner = owner;
    route_of(base)->arg = arg;
}

static struct store_node *
sentinel_node_of(struct store_route *base, struct bytes key)
{
    (void)key;
    return route_of(base)->node;
}

static const char *
sentinel_role(const struct store_route *base)
{
    const struct sentinel_route *route = (const struct sentinel_route *)base;

    return redis_role_text(route->node != NULL ? store_node_role(route->node)
                                               : REDIS_ROLE_UNKNOWN);
}

static size_t
sentinel_sentinels(const struct store_route *base)
{
    return sentinels_reachable(
        ((const struct sentinel_route *)base)->sentinels);
}

static void
sentinel_free(struct store_route *base)
{
    struct sentinel_route *route = route_of(base);

    store_node_free(route->node);
    sentinels_free(route->sentinels);
    free(route);
}

static const struct store_route_ops sentinel_ops = {
    .own = sentinel_own,
    .node_of = sentinel_node_of,
    .settle = sentinel_settle,
    .due_ms = sentinel_due_ms,
    .role = sentinel_role,
    .sentinels = sentinel_sentinels,
    .free = sentinel_free,
};

struct store_route *
store_sentinel_new(struct ev_loop *loop, const struct redis_url *redis,
                   const struct store_config *config)
{
    struct sentinel_route *route = calloc(1, sizeof(*route));

    if (route == NULL)
        return NULL;
    *route = (struct sentinel_route){.base = {.ops = &sentinel_ops,
                                              .nodes = &route->node,
                                              .is_starting = true},
                                     .loop = loop,
                                     .redis = redis,
                                     .config = *config};
    route->sentinels = sentinels_new(loop, redis, config->connect_timeout_ms,
                                     config->command_timeout_ms);
    if (route->sentinels != NULL)
        return &route->base;
    free(route);
    return NULL;
}
