/*
 * The limits and passwords of the settings where the routes to a Sentinel group
 * and to a Cluster pass them on, each with a value that is not its default: the
 * reason of an outage names it. Source: docs/protocol.md, S20.1, S21 and S22.
 */
#include <ev.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "store/cluster.h"
#include "store/sentinel.h"
#include "store/store.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/cluster_fake.h"
#include "support/link_fake.h"
#include "support/ports.h"
#include "support/script.h"

#define CONNECT_MS  103
#define COMMAND_MS  104
#define REASON_SIZE 400
#define WATCHED_MS  500 /* more than the defaults of both limits */

/* What a server does. */
enum deed {
    DEED_FULL = 0, /* its backlog is full: connections wait */
    DEED_SILENT,   /* takes connections, and does not answer */
    DEED_NAMES     /* a sentinel, which names a silent master */
};

/* A server, and a second one that is silent. */
struct rig {
    struct ev_loop *loop;
    struct script_peer peer, silent;
    int port, silent_port;
    int listener, waiting; /* of DEED_FULL; else -1 */
    char answers[400];
    struct redis_url url;
    struct store *store;
    struct link_turns turns;
    char reason[REASON_SIZE]; /* of the last outage; "": there was none */
    const char *begin;        /* of the reason that is awaited */
};

static void
on_event(void *arg, enum store_event event, const char *server,
         const char *detail)
{
    struct rig *rig = arg;

    (void)server;
    if (event == STORE_EVENT_DOWN)
        (void)snprintf(rig->reason, sizeof(rig->reason), "%s", detail);
}

/* Of one sentinel that names the silent server. */
static void
make_answers(struct rig *rig)
{
    char port[16];
    const int digits = snprintf(port, sizeof(port), "%d", rig->silent_port);

    (void)snprintf(rig->answers, sizeof(rig->answers),
                   "*2\r\n$12\r\nconfig-epoch\r\n$1\r\n7\r\n"
                   "*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%s\r\n"
                   "*0\r\n"
                   "$2\r\nme\r\n",
                   digits, port);
}

static void
start_server(struct rig *rig, enum deed deed)
{
    static const struct script silence;
    const struct script names = {
        .answers = {"*2\r\n$4\r\nmode\r\n$8\r\nsentinel\r\n+PONG\r\n",
                    rig->answers}};

    if (deed == DEED_FULL) {
        rig->listener = ports_listen(&rig->port);
        CU_ASSERT_FATAL(rig->listener >= 0 && listen(rig->listener, 0) == 0);
        rig->waiting = ports_connect(rig->port, CLOCK_PATIENCE_MS);
        return;
    }
    rig->port = ports_free();
    rig->silent_port = ports_free();
    make_answers(rig);
    script_start(&rig->silent, rig->loop, rig->silent_port, &silence);
    script_start(&rig->peer, rig->loop, rig->port,
                 deed == DEED_SILENT ? &silence : &names);
}

static void
rig_start(struct rig *rig, enum redis_url_kind kind, enum deed deed)
{
    /* The limit that the row is not about never strikes on a busy machine. */
    const bool is_full = deed == DEED_FULL;
    const struct store_config config = {
        .attempts = 1,
        .connect_timeout_ms = is_full ? CONNECT_MS : CLOCK_PATIENCE_MS,
        .command_timeout_ms = is_full ? CLOCK_PATIENCE_MS : COMMAND_MS,
        .deadline_ms = CLOCK_PATIENCE_MS,
        .answer_bytes_max = 1 << 20,
        .event = on_event,
        .event_arg = rig};
    struct store_route *route;

    *rig = (struct rig){
        .loop = ev_loop_new(EVFLAG_AUTO), .listener = -1, .waiting = -1};
    start_server(rig, deed);
    rig->url = (struct redis_url){.kind = kind,
                                  .host = "127.0.0.1",
                                  .hosts = {{"127.0.0.1", rig->port}},
                                  .host_count = 1,
                                  .master = "mymaster"};
    route = kind == REDIS_URL_CLUSTER
                ? store_cluster_new(rig->loop, &rig->url, &config)
                : store_sentinel_new(rig->loop, &rig->url, &config);
    CU_ASSERT_PTR_NOT_NULL_FATAL(route);
    rig->store = store_new(&config, route);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rig->store);
    link_turns_start(&rig->turns, rig->loop, rig->store);
}

static void
rig_end(struct rig *rig)
{
    store_free(rig->store);
    script_end(&rig->peer);
    script_end(&rig->silent);
    if (rig->listener >= 0)
        (void)close(rig->listener);
    if (rig->waiting >= 0)
        (void)close(rig->waiting);
    ev_loop_destroy(rig->loop);
}

/* A sentinel that is slow on a busy machine is another reason, at first. */
static bool
is_down(void *arg)
{
    const struct rig *rig = arg;

    (void)ev_run(rig->loop, EVRUN_ONCE);
    return strncmp(rig->reason, rig->begin, strlen(rig->begin)) == 0;
}

struct limit_case {
    const char *name;
    enum redis_url_kind kind;
    enum deed deed;
    const char *begin, *end; /* of the reason */
};

static const struct limit_case limit_rows[] = {
    {"connecting to a sentinel", REDIS_URL_SENTINEL, DEED_FULL,
     "master mymaster: sentinel 127.0.0.1:", ": no connection within 103 ms"},
    {"a sentinel's answer", REDIS_URL_SENTINEL, DEED_SILENT,
     "master mymaster: sentinel 127.0.0.1:", ": no answer within 104 ms"},
    {"the answer of the master that it names", REDIS_URL_SENTINEL, DEED_NAMES,
     "master mymaster at 127.0.0.1:", ": no answer within 104 ms"},
    {"connecting to a node", REDIS_URL_CLUSTER, DEED_FULL,
     "no connection within 103 ms", ""},
    {"a node's answer", REDIS_URL_CLUSTER, DEED_SILENT,
     "no answer within 104 ms", ""},
};

TEST_CASES(limit, struct limit_case, limit_rows)
{
    static struct rig rig;
    size_t length;

    rig_start(&rig, c->kind, c->deed);
    rig.begin = c->begin;
    if (!clock_wait(is_down, &rig, CLOCK_PATIENCE_MS))
        CU_ASSERT_STRING_EQUAL(rig.reason, c->begin);
    length = strlen(rig.reason);
    CU_ASSERT_STRING_EQUAL(rig.reason + (length > strlen(c->end)
                                             ? length - strlen(c->end)
                                             : length),
                           c->end);
    rig_end(&rig);
}

/* A Cluster of two hosts, of which the first does not answer about the map. */
struct map_case {
    const char *name;
    bool is_full;   /* it does not even accept connections */
    int limit_ms;   /* of that; the other limit never strikes */
    size_t another; /* requests to the second host */
};

static const struct map_case map_rows[] = {
    {"an answer that may take long", false, CLOCK_PATIENCE_MS, 0},
    {"an answer that may not", false, COMMAND_MS, 1},
    {"a connection that may take long", true, CLOCK_PATIENCE_MS, 0},
    {"a connection that may not", true, CONNECT_MS, 1},
};

static void
watch(struct rig *rig, const struct cluster_fake_server *another, size_t want)
{
    const int64_t begin_ms = clock_ms();

    while (another->maps < want && clock_ms() - begin_ms < CLOCK_PATIENCE_MS)
        (void)ev_run(rig->loop, EVRUN_ONCE);
    while (want == 0 && clock_ms() - begin_ms < WATCHED_MS)
        (void)ev_run(rig->loop, EVRUN_ONCE);
    CU_ASSERT_EQUAL(another->maps, want);
}

TEST_CASES(map, struct map_case, map_rows)
{
    static const struct cluster_fake_script scripts[CLUSTER_FAKE_SERVERS] = {
        {"~", "x"}, {"B", "x"}};
    const struct store_config config = {
        .attempts = 1,
        .connect_timeout_ms = c->is_full ? c->limit_ms : CLOCK_PATIENCE_MS,
        .command_timeout_ms = c->is_full ? CLOCK_PATIENCE_MS : c->limit_ms,
        .deadline_ms = CLOCK_PATIENCE_MS,
        .answer_bytes_max = 1 << 20};
    static struct cluster_fake fake;
    static struct rig rig;
    struct store_route *route;

    rig = (struct rig){
        .loop = ev_loop_new(EVFLAG_AUTO), .listener = -1, .waiting = -1};
    cluster_fake_start(&fake, rig.loop, scripts);
    rig.port = fake.list[0].port;
    if (c->is_full)
        start_server(&rig, DEED_FULL);
    rig.url = (struct redis_url){
        .kind = REDIS_URL_CLUSTER,
        .host = "127.0.0.1",
        .hosts = {{"127.0.0.1", rig.port}, {"127.0.0.1", fake.list[1].port}},
        .host_count = 2};
    route = store_cluster_new(rig.loop, &rig.url, &config);
    CU_ASSERT_PTR_NOT_NULL_FATAL(route);
    rig.store = store_new(&config, route);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rig.store);
    link_turns_start(&rig.turns, rig.loop, rig.store);
    watch(&rig, &fake.list[1], c->another);
    cluster_fake_end(&fake);
    rig_end(&rig);
}
