/*
 * The route to a Redis Cluster whose servers contradict each other, refuse, are
 * silent, or do not exist. Source: docs/protocol.md, S22.3 to S22.7.
 */
#include <ev.h>
#include <string.h>

#include "store/cluster.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/cluster_fake.h"
#include "support/link_fake.h"

#define DEADLINE_MS 800
#define HOPS        5   /* the most redirections of a key */
#define ASK_MS      100 /* the least time between two requests of the map */
#define AGAIN_MS    500 /* how long a row repeats its read */

struct rig {
    struct ev_loop *loop;
    struct redis_url url;
    struct store *store;
    struct cluster_fake fake;
    struct link_turns turns;
    struct bytes key; /* its slot is 2518 */
    bool is_answered;
    enum store_status status;
    bool is_right; /* the value is "x" */
};

/* When this returns, the map has been requested. */
static void
rig_start(struct rig *rig,
          const struct cluster_fake_script scripts[CLUSTER_FAKE_SERVERS])
{
    const struct store_config config = {.attempts = 3,
                                        .connect_timeout_ms = 200,
                                        .command_timeout_ms = 300,
                                        .deadline_ms = DEADLINE_MS,
                                        .answer_bytes_max = 1 << 20};
    const int64_t end_ms = clock_ms() + CLOCK_PATIENCE_MS;
    struct store_route *route;

    *rig =
        (struct rig){.loop = ev_loop_new(EVFLAG_AUTO), .key = bytes_of("i:1")};
    cluster_fake_start(&rig->fake, rig->loop, scripts);
    rig->url =
        (struct redis_url){.kind = REDIS_URL_CLUSTER,
                           .host = "127.0.0.1",
                           .hosts = {{"127.0.0.1", rig->fake.list[0].port}},
                           .host_count = 1};
    route = store_cluster_new(rig->loop, &rig->url, &config);
    CU_ASSERT_PTR_NOT_NULL_FATAL(route);
    rig->store = store_new(&config, route);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rig->store);
    link_turns_start(&rig->turns, rig->loop, rig->store);
    while (cluster_fake_maps(&rig->fake) == 0 && clock_ms() < end_ms)
        (void)ev_run(rig->loop, EVRUN_ONCE);
    for (int i = 0; i < 3; i++) /* and the answer, if any, has been taken */
        (void)ev_run(rig->loop, EVRUN_ONCE);
}

static void
rig_end(struct rig *rig)
{
    store_free(rig->store);
    cluster_fake_end(&rig->fake);
    ev_loop_destroy(rig->loop);
}

static void
on_done(void *arg, enum store_status status, const struct store_value *values)
{
    struct rig *rig = arg;

    rig->is_answered = true;
    rig->status = status;
    rig->is_right = values != NULL && values[0].kind == STORE_STRING &&
                    bytes_equal(values[0].data, bytes_of("x"));
}

/* Reads the key; returns how long it took, in ms. */
static int64_t
ask(struct rig *rig, enum store_need need)
{
    const int64_t begin_ms = clock_ms();
    const int64_t end_ms = begin_ms + CLOCK_PATIENCE_MS;

    rig->is_answered = false;
    CU_ASSERT_FATAL(store_read(rig->store, &rig->key, 1, need, begin_ms,
                               begin_ms + DEADLINE_MS, on_done, rig));
    while (!rig->is_answered && clock_ms() < end_ms)
        (void)ev_run(rig->loop, EVRUN_ONCE);
    CU_ASSERT_TRUE(rig->is_answered);
    return clock_ms() - begin_ms;
}

struct trouble_case {
    const char *name;
    struct cluster_fake_script scripts[CLUSTER_FAKE_SERVERS];
    enum store_status want; /* with STORE_OK the value is "x" */
    size_t reads;           /* that the servers receive; 0: not checked */
};

static const struct trouble_case trouble_rows[] = {
    {"the owner answers", {{"B", "!ERR"}, {"B", "x"}}, STORE_OK, 1},
    {"it has moved", {{"A", ">B"}, {"B", "x"}}, STORE_OK, 2},
    {"it is asked for elsewhere", {{"A", "?B"}, {"A", "x"}}, STORE_OK, 2},
    {"there and back for ever",
     {{"A", ">B"}, {"A", ">A"}},
     STORE_DOWN,
     HOPS + 1},
    {"to the same server for ever",
     {{"A", ">A"}, {"A", "x"}},
     STORE_DOWN,
     HOPS + 1},
    {"asked there and back for ever",
     {{"A", "?B"}, {"A", "?A"}},
     STORE_DOWN,
     HOPS + 1},
    {"maps that never agree", {{"B", ">B"}, {"A", ">A"}}, STORE_DOWN, HOPS + 1},
    {"moved to where nobody is", {{"A", ">Z"}, {"A", "x"}}, STORE_DOWN, 1},
    {"asked where nobody is", {{"A", "?Z"}, {"A", "x"}}, STORE_DOWN, 1},
    {"the map says that nobody is there",
     {{"Z", "x"}, {"Z", "x"}},
     STORE_DOWN,
     0},
    {"a map without slots", {{"", "x"}, {"", "!ERR"}}, STORE_OK, 1},
    {"a slot without owner",
     {{"A0-2517,A2519-16383", "x"}, {"", "x"}},
     STORE_DOWN,
     0},
    {"a slot alone",
     {{"A0-2517,B2518-2518,A2519-16383", "!ERR"}, {"", "x"}},
     STORE_OK,
     1},
    {"two owners: the last one", {{"A,B", "!ERR"}, {"", "x"}}, STORE_OK, 1},
    {"the map is refused", {{"!NOPERM no", "x"}, {"", "!ERR"}}, STORE_OK, 1},
    {"the map does not come", {{"~", "x"}, {"", "!ERR"}}, STORE_OK, 1},
    {"a map with a row too many", {{"#", "x"}, {"", "!ERR"}}, STORE_OK, 1},
    {"a redirection to no port",
     {{"A", "!MOVED 2518 127.0.0.1"}, {"A", "x"}},
     STORE_DOWN,
     1},
    {"a redirection of no slot",
     {{"A", "!MOVED 16384 127.0.0.1:1"}, {"", "x"}},
     STORE_DOWN,
     1},
    {"a redirection of nothing", {{"A", "!ASK"}, {"A", "x"}}, STORE_DOWN, 1},
    {"loading",
     {{"A", "!LOADING Redis is loading"}, {"A", "x"}},
     STORE_REFUSED,
     1},
    {"the Cluster is down",
     {{"A", "!CLUSTERDOWN is down"}, {"A", "x"}},
     STORE_REFUSED,
     1},
    {"try again", {{"A", "!TRYAGAIN later"}, {"A", "x"}}, STORE_REFUSED, 1},
    {"read only", {{"A", "!READONLY replica"}, {"A", "x"}}, STORE_DOWN, 0},
    {"no master any more",
     {{"A", "!MASTERDOWN no link"}, {"A", "x"}},
     STORE_DOWN,
     0},
};

TEST_CASES(trouble, struct trouble_case, trouble_rows)
{
    struct rig rig;

    rig_start(&rig, c->scripts);
    (void)ask(&rig, STORE_MUST);
    CU_ASSERT_EQUAL(rig.status, c->want);
    CU_ASSERT_EQUAL(rig.is_right, c->want == STORE_OK);
    if (c->reads > 0)
        CU_ASSERT_EQUAL(cluster_fake_reads(&rig.fake), c->reads);
    rig_end(&rig);
}

TEST_SINGLE(cache, "a redirected read of the cache is a miss")
{
    const struct cluster_fake_script scripts[CLUSTER_FAKE_SERVERS] = {
        {"A", ">B"}, {"B", "x"}};
    struct rig rig;

    rig_start(&rig, scripts);
    while (!store_is_up(rig.store))
        (void)ev_run(rig.loop, EVRUN_ONCE);
    (void)ask(&rig, STORE_CACHE);
    CU_ASSERT_EQUAL(rig.status, STORE_OK);
    CU_ASSERT_FALSE(rig.is_right);
    CU_ASSERT_EQUAL(cluster_fake_reads(&rig.fake), 1);
    rig_end(&rig);
}

/* The number of redirected reads does not matter. */
TEST_SINGLE(questions, "the map is asked for ten times in a second at most")
{
    const struct cluster_fake_script scripts[CLUSTER_FAKE_SERVERS] = {
        {"B", ">B"}, {"A", ">A"}};
    const int64_t begin_ms = clock_ms();
    size_t asked = 0;
    struct rig rig;

    rig_start(&rig, scripts);
    while (clock_ms() - begin_ms < AGAIN_MS) {
        (void)ask(&rig, STORE_MUST);
        asked++;
    }
    CU_ASSERT_TRUE(asked > 1);
    CU_ASSERT_TRUE(cluster_fake_maps(&rig.fake) <=
                   2 + (size_t)(clock_ms() - begin_ms) / ASK_MS);
    rig_end(&rig);
}
