/*
 * The route to a Redis Cluster. It implements S22 of docs/protocol.md.
 *
 * The map is requested with CLUSTER SLOTS over a new connection each time: from
 * the server that redirected a key, the known masters, their replicas, and then
 * the hosts of the URL, whose names are looked up again.
 *
 *     why the map may be outdated             when it is requested
 *     a redirection, a refused read, a        at once, but at least
 *     lost connection                         ASK_PAUSE_MS after the last time
 *     a node is down                          each DOWN_PAUSE_MS
 *     it was not requested for long           each REFRESH_MS or less
 *
 * Only until there is a map, one host of the URL is asked for all keys, and
 * redirects.
 */
#include <assert.h>
#include <ev.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "base/clock.h"
#include "redis/conn.h"
#include "store/cluster.h"
#include "store/slots.h"

#define ASK_PAUSE_MS  100
#define DOWN_PAUSE_MS 250
#define REFRESH_MS    15000

/* The last third is random: workers must not all ask at once. */
#define REFRESH_SPAN 5000

/* A node that a key was redirected to stays this long without being in a map.
 */
#define GRACE_MS 5000

/* Nodes in the map, and nodes that keys were redirected to. */
#define NODES_MAX (SLOTS_SERVERS_MAX + 64)

/* The reply to CLUSTER SLOTS: 16,384 rows of servers with usual names. */
#define MAP_BYTES_MAX ((size_t)16 << 20)

static const struct bytes map_argument = {"SLOTS", 5};

/* A server that keys are read from. */
struct member {
    struct slots_server server;
    struct redis_url url;              /* its host points into server */
    char address[SLOTS_HOST_SIZE + 8]; /* with the port, for the log */
    struct store_node *node;
    int64_t needed_until_ms; /* even if it is in no map */
};

/* A request for the map: the servers of a list, one after the other. */
struct question {
    struct slots_server *servers; /* in the order in which they are asked */
    size_t count, next;
    struct redis_url url;    /* of the server that is asked now */
    struct redis_conn *conn; /* NULL: no question is pending */
    bool is_over;            /* this server has answered or failed */
    struct slots *answer;    /* of this server; NULL: no valid map */
};

struct cluster {
    struct store_route base; /* must be first */
    struct ev_loop *loop;
    const struct redis_url *url;
    struct store_config config;
    const struct store_node_owner *owner;
    void *arg;

    struct member *members[NODES_MAX];
    struct store_node *nodes[NODES_MAX]; /* of the members, in that order */

    struct slots *slots;                             /* NULL: no map yet */
    struct store_node *by_number[SLOTS_SERVERS_MAX]; /* of servers in slots */

    struct question question;
    struct slots_server hint; /* to be asked first: it redirected a key; port 0:
                                 none */
    int64_t asked_ms, ask_at_ms; /* for the map: the last time, and the next */
    size_t seed; /* the host of the URL that is asked without a map */
    unsigned random;
};

static struct cluster *
cluster_of(struct store_route *route)
{
    return (struct cluster *)route;
}

/* A pseudo-random number below a limit, to spread the questions of many
 * workers; not for secrets. */
static unsigned
random_below(struct cluster *cluster, unsigned limit)
{
    cluster->random = cluster->random * 1103515245U + 12345U;
    return limit > 0 ? (cluster->random >> 16) % limit : 0;
}

/* The URL of one server: that of the Cluster with its host, borrowed, and port.
 */
static struct redis_url
url_of(const struct cluster *cluster, const struct slots_server *server)
{
    struct redis_url url = *cluster->url;

    url.kind = REDIS_URL_SINGLE;
    url.host_count = 0;
    url.host = server->host;
    url.port = server->port;
    return url;
}

/* A host of the URL as a server. */
static struct slots_server
seed_of(const struct cluster *cluster, size_t i)
{
    const struct redis_url_host *host = &cluster->url->hosts[i];
    struct slots_server server = {.port = host->port};

    (void)snprintf(server.host, sizeof(server.host), "%s", host->host);
    return server;
}

/* Members. */

static struct member *
member_find(const struct cluster *cluster, const struct slots_server *server)
{
    for (size_t i = 0; i < cluster->base.count; i++)
        if (slots_is_same_address(&cluster->members[i]->server, server))
            return cluster->members[i];
    return NULL;
}

static struct member *
member_of_node(const struct cluster *cluster, const struct store_node *node)
{
    for (size_t i = 0; i < cluster->base.count; i++)
        if (cluster->nodes[i] == node)
            return cluster->members[i];
    return NULL;
}

/* Returns NULL if there is no room or memory for it. */
static struct member *
member_add(struct cluster *cluster, const struct slots_server *server)
{
    struct member *member;
    struct store_link *link;

    if (cluster->base.count == NODES_MAX)
        return NULL;
    member = calloc(1, sizeof(*member));
    if (member == NULL)
        return NULL;
    member->server = *server;
    member->url = url_of(cluster, &member->server);
    link = store_link_cluster(cluster->loop, &member->url, member->server.id,
                              &cluster->config);
    if (link != NULL)
        member->node = store_node_new(&cluster->config, link);
    if (member->node == NULL) {
        free(member);
        return NULL;
    }
    store_node_set_owner(member->node, cluster->owner, cluster->arg);
    (void)snprintf(member->address, sizeof(member->address),
                   strchr(server->host, ':') != NULL ? "[%s]:%d" : "%s:%d",
                   server->host, server->port);
    store_node_set_address(member->node, member->address);
    cluster->members[cluster->base.count] = member;
    cluster->nodes[cluster->base.count++] = member->node;
    return member;
}

static struct member *
member_get(struct cluster *cluster, const struct slots_server *server)
{
    struct member *member = member_find(cluster, server);

    return member != NULL ? member : member_add(cluster, server);
}

static void
member_retire(struct cluster *cluster, size_t i)
{
    struct member *member = cluster->members[i];
    const size_t last = --cluster->base.count;

    cluster->members[i] = cluster->members[last];
    cluster->nodes[i] = cluster->nodes[last];
    store_node_retire(member->node);
    free(member);
}

static bool
is_needed(const struct cluster *cluster, const struct member *member,
          int64_t now_ms)
{
    if (now_ms < member->needed_until_ms)
        return true;
    for (size_t i = 0;
         cluster->slots != NULL && i < slots_server_count(cluster->slots); i++)
        if (cluster->by_number[i] == member->node)
            return true;
    return false;
}

static void
retire_others(struct cluster *cluster, int64_t now_ms)
{
    for (size_t i = cluster->base.count; i-- > 0;)
        if (!is_needed(cluster, cluster->members[i], now_ms))
            member_retire(cluster, i);
}

/* The map. */

/* Retires the node of a server whose address another server has taken over. */
static void
forget_replaced(struct cluster *cluster, const struct slots_server *server)
{
    for (size_t i = cluster->base.count; i-- > 0;) {
        const struct slots_server *known = &cluster->members[i]->server;

        if (slots_is_same_address(known, server) && known->id[0] != '\0' &&
            server->id[0] != '\0' && strcmp(known->id, server->id) != 0)
            member_retire(cluster, i);
    }
}

static void
take_master(struct cluster *cluster, size_t number)
{
    const struct slots_server *server = slots_server(cluster->slots, number);
    struct member *member;

    forget_replaced(cluster, server);
    member = member_get(cluster, server);
    if (member == NULL)
        return;
    member->server = *server; /* the member may have had no id */
    member->url = url_of(cluster, &member->server);
    cluster->by_number[number] = member->node;
}

static void
take_map(struct cluster *cluster, struct slots *slots, int64_t now_ms)
{
    slots_free(cluster->slots);
    cluster->slots = slots;
    memset(cluster->by_number, 0, sizeof(cluster->by_number));
    for (size_t i = 0; i < slots_server_count(slots); i++)
        if (slots_is_master(slots, i))
            take_master(cluster, i);
    retire_others(cluster, now_ms);
}

/* Questions. */

static bool
on_map(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct question *question = arg;

    (void)command;
    question->is_over = true;
    if (*reply != NULL)
        (void)slots_read(*reply, question->url.host, &question->answer);
    return true;
}

static void
on_question_up(void *arg)
{
    struct question *question = arg;
    const struct redis_command command = {.done = on_map, .arg = question};
    struct redis_commands *commands = redis_conn_commands(question->conn);

    if (!redis_commands_reserve(commands, 1,
                                REDIS_COMMAND_ROOM + REDIS_ARGUMENT_ROOM +
                                    map_argument.length)) {
        question->is_over = true;
        return;
    }
    redis_commands_add(commands, &command, "CLUSTER", 1);
    redis_commands_add_argument(commands, map_argument);
    redis_conn_flush(question->conn);
}

static void
on_question_down(void *arg, enum redis_fault fault, const char *words)
{
    (void)fault;
    (void)words;
    ((struct question *)arg)->is_over = true;
}

static void
question_close(struct question *question)
{
    redis_conn_free(question->conn);
    slots_free(question->answer);
    question->conn = NULL;
    question->answer = NULL;
    question->is_over = false;
}

static void
question_end(struct question *question)
{
    question_close(question);
    free(question->servers);
    question->servers = NULL;
    question->count = question->next = 0;
}

/* Asks the next server of the list. Returns false if there is none, or if
 * memory runs out. */
static bool
question_go_on(struct cluster *cluster)
{
    struct question *question = &cluster->question;
    const struct redis_conn_config config = {
        .server = &question->url,
        .wants_cluster = true,
        .connect_limit_ms = cluster->config.connect_timeout_ms,
        .answer_limit_ms = cluster->config.command_timeout_ms,
        .reply_bytes_max = MAP_BYTES_MAX,
        .reply_elements_max = SLOTS_COUNT,
        .up = on_question_up,
        .down = on_question_down,
        .arg = question,
    };

    question_close(question);
    if (question->next == question->count)
        return false;
    question->url = url_of(cluster, &question->servers[question->next++]);
    question->conn = redis_conn_new(cluster->loop, &config);
    if (question->conn == NULL)
        return false;
    redis_conn_open(question->conn);
    return true;
}

static void
add_server(struct question *question, const struct slots_server *server)
{
    question->servers[question->count++] = *server;
}

static void
add_known(struct cluster *cluster, bool are_masters)
{
    const size_t count = slots_server_count(cluster->slots);
    const size_t first = random_below(cluster, (unsigned)count);

    for (size_t i = 0; i < count; i++) {
        const size_t number = (first + i) % count;

        if (slots_is_master(cluster->slots, number) == are_masters)
            add_server(&cluster->question,
                       slots_server(cluster->slots, number));
    }
}

static void
add_seeds(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->url->host_count; i++) {
        const struct slots_server server = seed_of(cluster, i);

        add_server(&cluster->question, &server);
    }
}

/* Lists the servers to ask. Returns false if memory runs out. */
static bool
list_servers(struct cluster *cluster)
{
    struct question *question = &cluster->question;
    size_t room = 1 + cluster->url->host_count;

    if (cluster->slots != NULL)
        room += slots_server_count(cluster->slots);
    question->servers = calloc(room, sizeof(question->servers[0]));
    if (question->servers == NULL)
        return false;
    if (cluster->hint.port != 0)
        add_server(question, &cluster->hint);
    cluster->hint.port = 0;
    if (cluster->slots != NULL) {
        add_known(cluster, true);
        add_known(cluster, false);
    }
    add_seeds(cluster);
    return true;
}

/* How long to wait, after a map has been taken, before the next question. */
static int64_t
pause_ms(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->base.count; i++)
        if (store_node_is_down(cluster->nodes[i]))
            return DOWN_PAUSE_MS;
    return REFRESH_MS - random_below(cluster, REFRESH_SPAN);
}

/*
 * A map that shares no server with the last one is believed only from a host of
 * the URL: these are asked last, when no known server has answered (S22.5).
 */
static bool
is_believed(const struct cluster *cluster, const struct slots *slots)
{
    const struct question *question = &cluster->question;
    const size_t seeds = cluster->url->host_count;

    return cluster->slots == NULL ||
           slots_share_server(cluster->slots, slots) ||
           question->next > question->count - seeds;
}

static void
settle_question(struct cluster *cluster, int64_t now_ms)
{
    struct question *question = &cluster->question;
    struct slots *answer = question->answer;

    if (answer != NULL && is_believed(cluster, answer)) {
        question->answer = NULL;
        question_end(question);
        take_map(cluster, answer, now_ms);
        cluster->ask_at_ms = now_ms + pause_ms(cluster);
    } else if (!question_go_on(cluster)) {
        question_end(question);
        cluster->ask_at_ms = now_ms + DOWN_PAUSE_MS;
    }
}

static void
ask(struct cluster *cluster, int64_t now_ms)
{
    cluster->asked_ms = now_ms;
    cluster->ask_at_ms = INT64_MAX;
    if (!list_servers(cluster) || !question_go_on(cluster)) {
        question_end(&cluster->question);
        cluster->ask_at_ms = now_ms + DOWN_PAUSE_MS;
    }
}

/* Without a map. */

/* Keeps a node of one host of the URL; if that host is down, of the next. */
static void
stand_in(struct cluster *cluster)
{
    const size_t seeds = cluster->url->host_count;
    struct slots_server server;

    if (cluster->base.count > 0 &&
        (seeds == 1 || !store_node_is_down(cluster->nodes[0])))
        return;
    while (cluster->base.count > 0) {
        cluster->seed++;
        member_retire(cluster, cluster->base.count - 1);
    }
    server = seed_of(cluster, cluster->seed % seeds);
    (void)member_add(cluster, &server);
}

/* The operations. */

static void
cluster_own(struct store_route *route, const struct store_node_owner *owner,
            void *arg)
{
    struct cluster *cluster = cluster_of(route);

    cluster->owner = owner;
    cluster->arg = arg;
}

static struct store_node *
cluster_node_of(struct store_route *route, struct bytes key)
{
    const struct cluster *cluster = cluster_of(route);
    int number;

    if (cluster->slots == NULL)
        return cluster->base.count > 0 ? cluster->nodes[0] : NULL;
    number = slots_owner(cluster->slots, slots_of_key(key));
    return number >= 0 ? cluster->by_number[number] : NULL;
}

static void
cluster_settle(struct store_route *route, int64_t now_ms)
{
    struct cluster *cluster = cluster_of(route);

    if (cluster->question.is_over)
        settle_question(cluster, now_ms);
    if (cluster->question.conn == NULL && now_ms >= cluster->ask_at_ms)
        ask(cluster, now_ms);
    if (cluster->slots == NULL)
        stand_in(cluster);
}

static int64_t
cluster_due_ms(const struct store_route *route)
{
    const struct cluster *cluster = (const struct cluster *)route;

    if (cluster->question.is_over)
        return INT64_MIN;
    return cluster->question.conn != NULL ? INT64_MAX : cluster->ask_at_ms;
}

static void
cluster_doubt(struct store_route *route, struct store_node *node)
{
    struct cluster *cluster = cluster_of(route);
    const int64_t now_ms = clock_mono_ms();

    (void)node;
    cluster->ask_at_ms =
        MIN(cluster->ask_at_ms, MAX(now_ms, cluster->asked_ms + ASK_PAUSE_MS));
}

/* The server that redirected a key has the changed map: it is asked first. */
static void
note_moved(struct cluster *cluster, const struct member *from, unsigned slot,
           const struct member *to)
{
    int number;

    cluster->hint = from->server;
    cluster_doubt(&cluster->base, from->node);
    if (cluster->slots == NULL ||
        !slots_set_owner(cluster->slots, slot, &to->server))
        return;
    number = slots_owner(cluster->slots, slot);
    cluster->by_number[number] = to->node;
}

static struct store_node *
cluster_follow(struct store_route *route, struct store_node *from,
               struct bytes redirection, bool *ret_is_asking)
{
    struct cluster *cluster = cluster_of(route);
    const struct member *source = member_of_node(cluster, from);
    struct slots_server server;
    enum slots_redirection kind;
    struct member *target;
    unsigned slot = 0;

    if (source == NULL)
        return NULL;
    kind =
        slots_redirection(redirection.at, source->server.host, &slot, &server);
    if (kind == SLOTS_REDIRECTION_NONE)
        return NULL;
    target = member_get(cluster, &server);
    if (target == NULL)
        return NULL;
    target->needed_until_ms = clock_mono_ms() + GRACE_MS;
    *ret_is_asking = kind == SLOTS_REDIRECTION_ASK;
    if (kind == SLOTS_REDIRECTION_MOVED)
        note_moved(cluster, source, slot, target);
    return target->node;
}

static void
cluster_free(struct store_route *route)
{
    struct cluster *cluster = cluster_of(route);

    question_end(&cluster->question);
    for (size_t i = 0; i < cluster->base.count; i++) {
        store_node_free(cluster->nodes[i]);
        free(cluster->members[i]);
    }
    slots_free(cluster->slots);
    free(cluster);
}

static const struct store_route_ops cluster_ops = {
    .own = cluster_own,
    .node_of = cluster_node_of,
    .settle = cluster_settle,
    .due_ms = cluster_due_ms,
    .follow = cluster_follow,
    .doubt = cluster_doubt,
    .free = cluster_free,
};

struct store_route *
store_cluster_new(struct ev_loop *loop, const struct redis_url *url,
                  const struct store_config *config)
{
    struct cluster *cluster = calloc(1, sizeof(*cluster));

    if (cluster == NULL)
        return NULL;
    cluster->base.ops = &cluster_ops;
    cluster->base.nodes = cluster->nodes;
    cluster->loop = loop;
    cluster->url = url;
    cluster->config = *config;
    cluster->config.probe_key = bytes_of(""); /* any key may be redirected */
    cluster->random = (unsigned)clock_mono_ms();
    return &cluster->base;
}
