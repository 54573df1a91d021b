/*
 * The route to a Redis Cluster whose servers contradict each other, refuse, are
 * silent, or do not exist. Source: docs/protocol.md, S22.3 to S22.7.
 */
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/cluster.h"
#include "support/calls.h"
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

/*
 * The same on a clock that stands still. Each row is a script of steps, and
 * what the servers are told meanwhile: see cluster_fake.h.
 *
 *     g, h, gh   a required read of i:1, of i:-5 (slot 16013), of both
 *     c, w       a cache read of i:1, and a cache write
 *     +N         N ms pass
 *     A=MAP      what server A answers to CLUSTER SLOTS from now on
 *     A:VALUE    what it answers to reads
 *     A#N        the id that it answers to CLUSTER MYID
 *     A!         it closes its connections
 *
 * Added to what is told: "|" when time passes, the result of a read, ">" for
 * each redirection that is counted, "-A" and "+A" when the breaker of A opens
 * and closes, and "lost" for a write.
 */
#define KEYS          2
#define SETTLED_TURNS 12 /* both sides need fewer to connect and to greet */
#define STEPS_SIZE    96

struct steps_rig {
    struct rig base; /* its clock stands still */
    struct bytes keys[KEYS];
};

static void
on_event(void *arg, enum store_event event, const char *server,
         const char *detail)
{
    struct rig *rig = arg;
    const char *port = server != NULL ? strrchr(server, ':') : NULL;
    char word[3] = {event == STORE_EVENT_DOWN ? '-' : '+'};

    (void)detail;
    if (event == STORE_EVENT_REDIRECTED)
        cluster_fake_tell(&rig->fake, ">");
    if (event == STORE_EVENT_WRITE_FAILED || event == STORE_EVENT_WRITE_DROPPED)
        cluster_fake_tell(&rig->fake, "lost");
    if (event != STORE_EVENT_DOWN && event != STORE_EVENT_UP)
        return;
    if (port != NULL)
        word[1] =
            cluster_fake_name(&rig->fake, (int)strtol(port + 1, NULL, 10));
    cluster_fake_tell(&rig->fake, word);
}

/* Turns until nothing happens any more at this time. */
static void
settle(struct rig *rig)
{
    size_t before, after = SIZE_MAX;

    do {
        before = after;
        for (int i = 0; i < SETTLED_TURNS; i++)
            (void)ev_run(rig->loop, EVRUN_NOWAIT);
        clock_sleep_ms(1); /* the system may deliver what was sent only now */
        after = rig->fake.bytes + strlen(rig->fake.told);
        for (size_t i = 0; i < CLUSTER_FAKE_SERVERS; i++)
            after += (size_t)rig->fake.list[i].peer.count;
    } while (after != before);
}

static void
steps_start(struct steps_rig *steps, char seed,
            const struct cluster_fake_script scripts[CLUSTER_FAKE_SERVERS])
{
    struct rig *rig = &steps->base;
    const struct store_config config = {.attempts = 3,
                                        .connect_timeout_ms = 200,
                                        .command_timeout_ms = 300,
                                        .deadline_ms = DEADLINE_MS,
                                        .answer_bytes_max = 1 << 20,
                                        .event = on_event,
                                        .event_arg = rig};
    struct store_route *route;

    calls_stop_clock();
    *steps = (struct steps_rig){
        .base = {.loop = ev_loop_new(EVFLAG_AUTO), .key = bytes_of("i:1")}};
    cluster_fake_start(&rig->fake, rig->loop, scripts);
    /* The host is none that a server has: only hosts[] count. */
    rig->url = (struct redis_url){
        .kind = REDIS_URL_CLUSTER,
        .host = "127.0.0.9",
        .hosts = {{"127.0.0.1", rig->fake.list[seed - 'A'].port}},
        .host_count = 1};
    route = store_cluster_new(rig->loop, &rig->url, &config);
    CU_ASSERT_PTR_NOT_NULL_FATAL(route);
    rig->store = store_new(&config, route);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rig->store);
    link_turns_start(&rig->turns, rig->loop, rig->store);
}

static void
steps_end(struct steps_rig *steps)
{
    rig_end(&steps->base);
    calls_let_clock_go();
}

static void
on_told(void *arg, enum store_status status, const struct store_value *values)
{
    static const char *const words[STORE__MAX] = {
        [STORE_OK] = "ok",           [STORE_DOWN] = "down",
        [STORE_TIMEOUT] = "timeout", [STORE_REFUSED] = "refused",
        [STORE_LARGE] = "large",     [STORE_MEMORY] = "memory",
    };
    struct steps_rig *steps = arg;
    const char *word = words[status];

    if (values != NULL && values[0].kind != STORE_STRING)
        word = "none";
    cluster_fake_tell(&steps->base.fake, word);
}

static void
step_read(struct steps_rig *steps, const char *which, enum store_need need)
{
    size_t count = 0;

    for (; *which != '\0'; which++)
        steps->keys[count++] = bytes_of(*which == 'h' ? "i:-5" : "i:1");
    CU_ASSERT_FATAL(store_read(steps->base.store, steps->keys, count, need,
                               clock_ms(), clock_ms() + DEADLINE_MS, on_told,
                               steps));
}

static void
step_server(struct cluster_fake_server *server, const char *step)
{
    switch (step[1]) {
    case '=':
        server->script.map = step + 2;
        break;
    case ':':
        server->script.value = step + 2;
        break;
    case '#':
        server->id = step[2];
        break;
    default:
        cluster_fake_hang_up(server);
        break;
    }
}

static void
take_step(struct steps_rig *steps, const char *step)
{
    struct rig *rig = &steps->base;

    if (step[0] == '+') {
        cluster_fake_tell(&rig->fake, "|");
        calls_pass_ms(strtoll(step + 1, NULL, 10));
    } else if (step[0] == 'g' || step[0] == 'h') {
        step_read(steps, step, STORE_MUST);
    } else if (step[0] == 'c') {
        step_read(steps, step, STORE_CACHE);
    } else if (step[0] == 'w') {
        store_write(rig->store, rig->key, bytes_of("x"), 60);
    } else {
        step_server(&rig->fake.list[step[0] - 'A'], step);
    }
    settle(rig);
}

struct steps_case {
    const char *name;
    struct cluster_fake_script scripts[CLUSTER_FAKE_SERVERS];
    char seed; /* the host of the URL */
    const char *steps, *want;
};

static const struct steps_case steps_rows[] = {
    {"what has moved is there from now on",
     {{"A", ">B"}, {"B", "x"}},
     'A',
     "g g",
     " Am Ag > Bg ok Bg ok"},
    {"what is asked for elsewhere is not",
     {{"A", "?B"}, {"A", "x"}},
     'A',
     "g g",
     " Am Ag > Ba Bg ok Ag > Ba Bg ok"},
    {"ASKING stands before each key",
     {{"A", "?B"}, {"A", "x"}},
     'A',
     "gh",
     " Am Ag Ag > > Ba Bg Ba Bg ok"},
    {"one slot moves, not all",
     {{"A", ">B"}, {"B", "x"}},
     'A',
     "g h g",
     " Am Ag > Bg ok Ag > Bg ok Bg ok"},
    {"moved to a port alone",
     {{"A", ">b"}, {"B", "x"}},
     'A',
     "g",
     " Am Ag > Bg ok"},
    {"asked for at a port alone",
     {{"A", "?b"}, {"B", "x"}},
     'A',
     "g",
     " Am Ag > Ba Bg ok"},
    {"a map of ports alone", {{"b", "x"}, {"", "x"}}, 'A', "g", " Am Bg ok"},
    {"a cache read that has moved",
     {{"A", ">B"}, {"B", "x"}},
     'A',
     "c g",
     " Am Ag > none Bg ok"},
    {"a cache read that is asked for elsewhere",
     {{"A", "?B"}, {"A", "x"}},
     'A',
     "c c",
     " Am Ag > none Ag > none"},
    {"a write that has moved",
     {{"A", "x"}, {"B", "x"}},
     'A',
     "g A:>B w +100",
     " Am Ag ok Aw lost |"},
    {"a slot of nobody, and no other",
     {{"A0-2517,A2519-16383", "x"}},
     'A',
     "g h",
     " Am down Ag ok"},
    {"a server that is down, and no other",
     {{"Z0-9999,A10000-16383", "x"}},
     'A',
     "h +10 +90 +10 g h gh",
     " Am Ag ok | | Am | -Z down Ag ok down Ag"},

    {"the map after a redirection",
     {{"A", ">B"}, {"B", "x"}},
     'A',
     "g +99 +1",
     " Am Ag > Bg ok | | Am"},
    {"after an error",
     {{"A", "!LOADING wait"}},
     'A',
     "g +99 +1",
     " Am Ag refused | | Am"},
    {"after a lost connection", {{"A", "x"}}, 'A', "A! +99 +1", " Am | | Am"},
    {"at once, if the last one is old",
     {{"A", "!LOADING wait"}},
     'A',
     "+100 g",
     " Am | Ag refused Am"},
    {"each 250 ms while a master is down",
     {{"Z", "x"}},
     'A',
     "+10 +90 +10 +90 +160 +250 +249 +1",
     " Am | | Am | -Z | Am | Am | Am | | Am"},

    {"a replica after the master",
     {{"!ERR", "x"}, {"A+B", "x"}, {"A+B", "x"}},
     'C',
     "A! +100",
     " Cm | Am Bm"},
    {"the URL after both",
     {{"!ERR", "x"}, {"!ERR", "x"}, {"A+B", "x"}},
     'C',
     "A! +100",
     " Cm | Am Bm Cm"},
    {"a promotion is believed",
     {{"B", "x"}, {"B", "x"}, {"A+B", "x"}},
     'C',
     "A! +100 g",
     " Cm | Am Bg ok"},
    {"a strange map of a master is not",
     {{"C", "x"}, {"A+B", "x"}, {"A+B", "x"}},
     'C',
     "A! +100 g",
     " Cm | Am Bm Ag ok"},
    {"nor one of the last replica",
     {{"!ERR", "x"}, {"C", "x"}, {"A+B", "x"}},
     'C',
     "A! +100 g",
     " Cm | Am Bm Cm Ag ok"},
    {"one of the URL is, when nobody else answers",
     {{"!ERR", "x"}, {"!ERR", "x"}, {"A+B", "x"}},
     'C',
     "A! C=C +100 g",
     " Cm | Am Bm Cm Cg ok"},
    {"a map without slots is not",
     {{"", "x"}, {"A+B", "x"}, {"A+B", "x"}},
     'C',
     "A! +100 g",
     " Cm | Am Bm Ag ok"},

    {"a server is asked for its id",
     {{"!ERR", "x"}, {"", "x"}, {"A#1", "x"}},
     'C',
     "A#1 g",
     " Cm Ai Ag ok"},
    {"one with another id is refused",
     {{"!ERR", "x"}, {"", "x"}, {"A#1", "x"}},
     'C',
     "A#2 g",
     " Cm Ai -A down"},
    {"a new server at the address has a new connection",
     {{"!ERR", "x"}, {"", "x"}, {"A#1", "x"}},
     'C',
     "A#1 g A#2 C=A#2 +15000 g",
     " Cm Ai Ag ok | Am Cm Ai Ag ok"},
};

TEST_CASES(steps, struct steps_case, steps_rows)
{
    static struct steps_rig steps;
    char text[STEPS_SIZE], *rest = text, *step;

    steps_start(&steps, c->seed, c->scripts);
    (void)snprintf(text, sizeof(text), "%s", c->steps);
    if (c->steps[1] != '#') /* an id is set before the first turn */
        settle(&steps.base);
    while ((step = strsep(&rest, " ")) != NULL)
        take_step(&steps, step);
    CU_ASSERT_STRING_EQUAL(steps.base.fake.told, c->want);
    steps_end(&steps);
}

/* The pause is random, so it is looked at several times. */
TEST_SINGLE(refresh, "the map is requested each 10 to 15 s")
{
    static const struct cluster_fake_script scripts[CLUSTER_FAKE_SERVERS] = {
        {"A", "x"}};
    static struct steps_rig steps;
    struct rig *rig = &steps.base;

    steps_start(&steps, 'A', scripts);
    settle(rig);
    for (size_t maps = 1; maps <= 8; maps++) {
        calls_pass_ms(10000);
        settle(rig);
        CU_ASSERT_EQUAL(cluster_fake_maps(&rig->fake), maps);
        calls_pass_ms(5000);
        settle(rig);
        CU_ASSERT_EQUAL(cluster_fake_maps(&rig->fake), maps + 1);
    }
    steps_end(&steps);
}
