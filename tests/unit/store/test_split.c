/*
 * Reads of several nodes, with fake links and a clock that is a number. There
 * are three nodes, a, b and c; the first letter of a key is its node, x belongs
 * to none. Each row is a script of steps and the trace that they must leave.
 *
 *     rK,K..   a required read of these keys, with a deadline of 800 ms
 *     tN       a turn at N ms
 *     +n       node n answers its oldest fetch: the value of each key is the
 *              key
 *     -n       node n answers with an error
 *     =nmK>T   node n answers, but key K (*: each) has MOVED to node T;
 *              =naK>T: ASK
 *     =nLK     node n answers, but the value of K is too large
 *     !n       the connection of node n is lost
 *     free     the store is freed
 *
 * In the trace, n(K K) is what was sent to node n, n[K] with ASKING.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/reads.h"
#include "store/route.h"
#include "store/store.h"
#include "support/cases.h"
#include "support/link_fake.h"

#define TRACE_SIZE 1024
#define NODES      3
#define SENT_MAX   8
#define KEYS_MAX   8

struct fake {
    struct store_link base; /* first: a link begins with it */
    char name;
    struct store_fetch *sent[SENT_MAX];
    size_t sent_count;
};

static struct {
    struct store_route route; /* first: a route begins with it */
    struct fake links[NODES];
    struct store_node *nodes[NODES];
    struct store *store;
    int64_t now_ms;
    struct bytes keys[KEYS_MAX];
    char texts[KEYS_MAX][4], moved[KEYS_MAX][8];
    size_t doubts, redirections;
    char trace[TRACE_SIZE];
} bench;

static void __attribute__((format(printf, 1, 2))) trace(const char *format, ...)
{
    size_t length = strlen(bench.trace);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(bench.trace + length, sizeof(bench.trace) - length, format,
                    args);
    va_end(args);
}

/* Links. */

static void
fake_open(struct store_link *link)
{
    store_link_up(link);
}

static bool
fake_read(struct store_link *link, struct store_fetch *fetch)
{
    struct fake *fake = (struct fake *)link;

    CU_ASSERT_FATAL(fake->sent_count < SENT_MAX);
    fake->sent[fake->sent_count++] = fetch;
    CU_ASSERT_TRUE(fetch->is_kept);
    trace(" %c%c", fake->name, fetch->is_asking ? '[' : '(');
    for (size_t i = 0; i < fetch->count; i++)
        trace("%s%.*s", i > 0 ? " " : "", (int)fetch->keys[i].length,
              fetch->keys[i].at);
    trace("%c", fetch->is_asking ? ']' : ')');
    return true;
}

static const struct store_link_ops link_ops = {
    .open = fake_open,
    .read = fake_read,
    .write = link_fake_write,
    .check = link_fake_check,
    .flush = link_fake_do_nothing,
    .free = link_fake_do_nothing,
};

/* The route. */

static struct store_node *
node_named(char name)
{
    return name >= 'a' && name < 'a' + NODES ? bench.nodes[name - 'a'] : NULL;
}

static struct store_node *
route_node_of(struct store_route *route, struct bytes key)
{
    (void)route;
    return node_named(key.at[0]);
}

/* The redirection is "M" or "A", followed by the name of a node. */
static struct store_node *
route_follow(struct store_route *route, struct store_node *from,
             struct bytes redirection, bool *ret_is_asking)
{
    (void)route;
    CU_ASSERT_PTR_NOT_NULL(from);
    *ret_is_asking = redirection.at[0] == 'A';
    return node_named(redirection.at[1]);
}

static void
route_doubt(struct store_route *route, struct store_node *node)
{
    (void)route;
    (void)node;
    bench.doubts++;
}

static const struct store_route_ops route_ops = {
    .own = link_fake_own,
    .node_of = route_node_of,
    .follow = route_follow,
    .doubt = route_doubt,
    .free = link_fake_free,
};

static void
on_event(void *arg, enum store_event event, const char *server,
         const char *detail)
{
    (void)arg;
    (void)server;
    (void)detail;
    bench.redirections += event == STORE_EVENT_REDIRECTED;
}

static void
bench_start(size_t bytes_max)
{
    const struct store_config config = {.attempts = 3,
                                        .connect_timeout_ms = 200,
                                        .command_timeout_ms = 300,
                                        .deadline_ms = 800,
                                        .answer_bytes_max = bytes_max,
                                        .probe_key = bytes_of(""),
                                        .event = on_event};

    memset(&bench, 0, sizeof(bench));
    bench.route = (struct store_route){
        .ops = &route_ops, .nodes = bench.nodes, .count = NODES};
    for (size_t i = 0; i < NODES; i++) {
        bench.links[i].base.ops = &link_ops;
        bench.links[i].name = (char)('a' + i);
        bench.nodes[i] = store_node_new(&config, &bench.links[i].base);
        CU_ASSERT_PTR_NOT_NULL_FATAL(bench.nodes[i]);
    }
    bench.store = store_new(&config, &bench.route);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bench.store);
}

/* Steps. */

static void
on_done(void *arg, enum store_status status, const struct store_value *values)
{
    static const char *const names[STORE__MAX] = {
        [STORE_OK] = "ok",           [STORE_DOWN] = "down",
        [STORE_TIMEOUT] = "timeout", [STORE_REFUSED] = "refused",
        [STORE_LARGE] = "large",     [STORE_MEMORY] = "memory",
    };
    const size_t count = *(const size_t *)arg;

    trace(" %s", names[status]);
    for (size_t i = 0; values != NULL && i < count; i++) {
        if (values[i].kind == STORE_LARGE_VALUE)
            trace(" LARGE");
        else if (values[i].kind == STORE_STRING)
            CU_ASSERT_TRUE(bytes_equal(values[i].data, bench.keys[i]));
    }
}

static void
step_read(const char *list)
{
    static size_t count;

    for (count = 0; *list != '\0'; count++) {
        const size_t length = strcspn(list, ",");

        (void)snprintf(bench.texts[count], sizeof(bench.texts[0]), "%.*s",
                       (int)length, list);
        bench.keys[count] = bytes_of(bench.texts[count]);
        list += length + (list[length] == ',');
    }
    CU_ASSERT_TRUE(store_read(bench.store, bench.keys, count, STORE_MUST,
                              bench.now_ms, bench.now_ms + 800, on_done,
                              &count));
}

static struct store_fetch *
take_sent(struct fake *fake)
{
    struct store_fetch *fetch = fake->sent[0];

    CU_ASSERT_FATAL(fake->sent_count > 0);
    memmove(&fake->sent[0], &fake->sent[1],
            --fake->sent_count * sizeof(fake->sent[0]));
    return fetch;
}

/* more: what happens to one key: "", "Lk", "mk>T" or "ak>T". */
static void
step_answer(char name, const char *more)
{
    struct fake *fake = &bench.links[name - 'a'];
    struct store_fetch *fetch = take_sent(fake);
    static char redirection[3];

    for (size_t i = 0; i < fetch->count && !fetch->is_abandoned; i++) {
        struct store_value *value = &fetch->values[i];
        const size_t length = strcspn(more + (*more != '\0'), ">");

        *value = (struct store_value){STORE_STRING, fetch->keys[i]};
        if (*more == '\0' ||
            (more[1] != '*' &&
             !bytes_equal(fetch->keys[i], (struct bytes){more + 1, length}))) {
            *fetch->sum += value->data.length;
            continue;
        }
        if (*more == 'L') {
            value->kind = STORE_LARGE_VALUE;
            continue;
        }
        redirection[0] = *more == 'a' ? 'A' : 'M';
        redirection[1] = more[1 + length + 1];
        *value = (struct store_value){STORE_ELSEWHERE, {redirection, 2}};
    }
    store_link_reply(&fake->base, fetch, STORE_OK, NULL);
}

static void
step_lose(char name)
{
    struct fake *fake = &bench.links[name - 'a'];

    fake->sent_count = 0;
    store_link_down(&fake->base, REDIS_FAULT_BROKEN, "gone");
}

static void
run_step(const char *step)
{
    struct fake *fake;

    if (strcmp(step, "free") == 0) {
        store_free(bench.store);
        bench.store = NULL;
    } else if (step[0] == 'r') {
        step_read(step + 1);
    } else if (step[0] == 't') {
        bench.now_ms = strtoll(step + 1, NULL, 10);
        (void)store_turn(bench.store, bench.now_ms);
    } else if (step[0] == '-') {
        fake = &bench.links[step[1] - 'a'];
        store_link_reply(&fake->base, take_sent(fake), STORE_REFUSED, "no");
    } else if (step[0] == '!') {
        step_lose(step[1]);
    } else {
        step_answer(step[1], step + 2);
    }
}

struct split_case {
    const char *name, *steps, *want;
    size_t bytes_max;    /* 0: no limit in this row */
    size_t redirections; /* that are counted, one for each key */
};

/* After "t0 t0" all nodes are connected. */
static const struct split_case split_rows[] = {
    {"one key", "ra1 t1 +a", " a(a1) ok", 0, 0},
    {"one node", "ra1,a2 t1 +a", " a(a1 a2) ok", 0, 0},
    {"all nodes in one turn", "ra1,b1,c1,a2 t1 +a +b +c",
     " c(c1) b(b1) a(a1 a2) ok", 0, 0},
    {"in any order", "ra1,b1 t1 +b +a", " b(b1) a(a1) ok", 0, 0},
    {"nothing before the last", "ra1,b1 t1 +b", " b(b1) a(a1)", 0, 0},
    {"an error fails the whole", "ra1,b1 t1 -b +a", " b(b1) a(a1) refused", 0,
     0},
    {"so does a key of nobody", "ra1,x1 t1", " down", 0, 0},
    {"whatever has been sent", "rx1,a1 t1 +a", " a(a1) down", 0, 0},
    {"and a lost connection is made again", "ra1,b1 t1 !b t2 +a t20 t21 +b",
     " b(b1) a(a1) b(b1) ok", 0, 0},
    {"the deadline", "ra1,b1 t1 +a t800 t801 +b", " b(b1) a(a1) timeout", 0, 0},
    {"the deadline of a key that has moved", "ra1 t1 =ama1>b t2 t799 t800",
     " a(a1) b(a1) timeout", 0, 1},
    {"a key that has moved", "ra1,a2 t1 =ama1>b t2 +b", " a(a1 a2) b(a1) ok", 0,
     1},
    {"a key that is asked for elsewhere", "ra1,a2 t1 =aaa2>c t2 +c",
     " a(a1 a2) c[a2] ok", 0, 1},
    {"two keys that have moved", "ra1,a2,b1 t1 =am*>c t2 +b +c",
     " b(b1) a(a1 a2) c(a1 a2) ok", 0, 2},
    {"two keys of two nodes", "ra1,b1 t1 =am*>c =ba*>c t2 +c +c",
     " b(b1) a(a1) c(a1) c[b1] ok", 0, 2},
    {"four hops more",
     "ra1 t1 =ama1>b t2 =bma1>c t3 =cma1>a t4 =ama1>b t5 "
     "=bma1>c t6 +c",
     " a(a1) b(a1) c(a1) a(a1) b(a1) c(a1) ok", 0, 5},
    {"and one too many",
     "ra1 t1 =ama1>b t2 =bma1>c t3 =cma1>a t4 =ama1>b t5 "
     "=bma1>c t6 =cma1>a t7",
     " a(a1) b(a1) c(a1) a(a1) b(a1) c(a1) down", 0, 6},
    {"a redirection to nobody", "ra1 t1 =ama1>x t2", " a(a1) down", 0, 0},
    {"a value that is too large is the answer", "ra1,b1 t1 =aLa1 +b",
     " b(b1) a(a1) ok LARGE", 0, 0},
    {"as many bytes as there may be", "ra1,b1 t1 +a +b", " b(b1) a(a1) ok", 4,
     0},
    {"the sum of all parts is too large", "ra1,b1 t1 +a +b",
     " b(b1) a(a1) large", 3, 0},
    {"the store ends", "ra1,b1 t1 +a free", " b(b1) a(a1) down", 0, 0},
    {"the store ends before a turn", "ra1,b1 free", " down", 0, 0},
    {"a node that is behind holds up no other",
     "ra1 t1 t800 ra2,b2 t801 +a t802 +b +a", " a(a1) timeout b(b2) a(a2) ok",
     0, 0},
    {"two reads of one node", "ra1,b1 t1 +a +b ra2,b2 t2 +a +b",
     " b(b1) a(a1) ok b(b2) a(a2) ok", 0, 0},
};

TEST_CASES(split, struct split_case, split_rows)
{
    char steps[256], *rest = steps, *step;

    bench_start(c->bytes_max > 0 ? c->bytes_max : 1000);
    run_step("t0");
    run_step("t0");
    (void)snprintf(steps, sizeof(steps), "%s", c->steps);
    while ((step = strsep(&rest, " ")) != NULL)
        run_step(step);
    CU_ASSERT_STRING_EQUAL(bench.trace, c->want);
    CU_ASSERT_EQUAL(bench.redirections, c->redirections);
    if (bench.store != NULL)
        store_free(bench.store);
}

/* Each node, also one that nobody has asked: S8.2. */
TEST_SINGLE(up, "the store is up while all its nodes are")
{
    bench_start(1000);
    run_step("t0");
    run_step("t0");
    CU_ASSERT_TRUE(store_is_up(bench.store));
    run_step("!b");
    CU_ASSERT_FALSE(store_is_up(bench.store));
    bench.route.count = 0; /* as before the map of slots is known */
    CU_ASSERT_FALSE(store_is_up(bench.store));
    bench.route.count = NODES;
    store_free(bench.store);
}

TEST_SINGLE(pending, "a read of several nodes is one")
{
    bench_start(1000);
    run_step("t0");
    run_step("t0");
    run_step("ra1,b1,c1");
    CU_ASSERT_EQUAL(store_pending(bench.store), 1);
    run_step("t1");
    run_step("+a");
    CU_ASSERT_EQUAL(store_pending(bench.store), 1);
    run_step("-b");
    CU_ASSERT_EQUAL(store_pending(bench.store), 0);
    CU_ASSERT_EQUAL(bench.doubts, 1);
    store_free(bench.store);
}
