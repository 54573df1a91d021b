/*
 * The decisions of the store, with a fake link and a clock that is a number.
 * Each row is a script of steps and the trace that they must leave. The limits
 * are 3 attempts, 300 ms for a cache read, and 800 ms for failing.
 *
 *     tN     a turn at N ms
 *     TN     the same; traces when the next turn is due
 *     mK:N   a required read of key K with deadline N, at the last turn's time
 *     cK:N   a cache read, in the same way
 *     w      a write
 *     wok, werr   the write is answered
 *     okK    the read of key K is answered
 *     errK   it is answered with an error; K is i for the store's own trial
 *     bigK, slowK   the reply to the read of K ends the connection
 *     hugeK  the values of the read of K are too large together
 *     fatK, fullK   it is answered, with more than 1 MiB of values, or as much
 *     oneK   it is answered, and one value is too large
 *     pong   a check is answered
 *     up     the link is ready
 *     down, late, refuse   the link has failed
 *     still  the link has failed, after it was silent
 *     oom    the link is out of memory
 *     bad    the next flush finds the connection broken
 *     moved  another server is the master
 *     again  each finished read begins another one, of key 9
 *     .      leaves a dot in the trace
 *     ?      traces whether the store is up
 *
 * In the trace "|" is a flush with something to send.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/node.h"
#include "store/route.h"
#include "store/single.h"
#include "store/store.h"
#include "support/cases.h"
#include "support/link_fake.h"

#define TRACE_SIZE 1024
#define SENT_MAX   16

#define GUARD_BYTES ((size_t)1 << 20) /* as in store.c */

static struct {
    struct store_link base; /* first: a link begins with it */
    struct store *store;
    struct store_fetch *sent[SENT_MAX]; /* NULL: no read */
    size_t sent_count;
    size_t unflushed;
    bool refuses; /* a read has been refused */
    bool no_memory, breaks, asks_again, writes;
    size_t asked; /* reads that have not been finished */
    int64_t now_ms;
    char trace[TRACE_SIZE];
} fake;

/* Each key is one digit, and also the name of its read. */
static struct bytes keys[] = {{"0", 1}, {"1", 1}, {"2", 1}, {"3", 1}, {"4", 1},
                              {"5", 1}, {"6", 1}, {"7", 1}, {"8", 1}, {"9", 1}};

static void __attribute__((format(printf, 1, 2))) trace(const char *format, ...)
{
    size_t length = strlen(fake.trace);
    va_list args;

    if (length > 0)
        fake.trace[length++] = ' ';
    va_start(args, format);
    (void)vsnprintf(fake.trace + length, sizeof(fake.trace) - length, format,
                    args);
    va_end(args);
}

static void
fake_open(struct store_link *link)
{
    (void)link;
    trace("open");
}

static bool
fake_send(struct store_fetch *fetch)
{
    if (fake.no_memory)
        return false;
    CU_ASSERT_FATAL(fake.sent_count < SENT_MAX);
    fake.sent[fake.sent_count++] = fetch;
    fake.unflushed++;
    return true;
}

static bool
fake_read(struct store_link *link, struct store_fetch *fetch)
{
    (void)link;
    if (!fake_send(fetch))
        return false;
    CU_ASSERT(fetch->count == 1 || fetch->count == 2);
    CU_ASSERT_EQUAL(fetch->values[0].kind, STORE_ABSENT);
    CU_ASSERT(fetch->keys[0].length == 1 ||
              bytes_equal(fetch->keys[0], bytes_of("i:0")));
    trace(fetch->is_guarded && fetch->count > 1 ? "measure%c" : "send%c",
          fetch->keys[0].at[0]);
    return true;
}

static bool
fake_write(struct store_link *link, struct bytes key, struct bytes value,
           int64_t ttl_s)
{
    (void)link;
    CU_ASSERT(bytes_equal(key, bytes_of("key")));
    CU_ASSERT(bytes_equal(value, bytes_of("value")));
    CU_ASSERT_EQUAL(ttl_s, 3600);
    if (!fake_send(NULL))
        return false;
    trace("set");
    return true;
}

static bool
fake_check(struct store_link *link)
{
    (void)link;
    if (!fake_send(NULL))
        return false;
    trace("ping");
    return true;
}

static void
fake_flush(struct store_link *link)
{
    if (fake.unflushed > 0)
        trace("|");
    fake.unflushed = 0;
    if (!fake.breaks)
        return;
    fake.breaks = false;
    fake.sent_count = 0;
    store_link_down(link, REDIS_FAULT_BROKEN, "gone");
}

static const struct store_link_ops fake_ops = {
    .open = fake_open,
    .read = fake_read,
    .write = fake_write,
    .check = fake_check,
    .flush = fake_flush,
    .free = link_fake_do_nothing,
};

/* A route to a master that changes: its node is replaced by a new one. */
static struct {
    struct store_route base; /* first: a route begins with it */
    struct store_node *node;
    struct store_config config;
    const struct store_node_owner *owner;
    void *arg;
    bool has_moved; /* another master is known, and the turn will use it */
} group;

static void
group_own(struct store_route *route, const struct store_node_owner *owner,
          void *arg)
{
    group.owner = owner;
    group.arg = arg;
    link_fake_own(route, owner, arg);
}

static struct store_node *
group_node_of(struct store_route *route, struct bytes key)
{
    (void)route;
    (void)key;
    return group.node;
}

static void
group_settle(struct store_route *route, int64_t now_ms)
{
    struct store_node *old = group.node;

    (void)now_ms;
    if (!group.has_moved)
        return;
    group.has_moved = false;
    group.node = NULL;
    route->count = 0;
    store_node_retire(old);
    fake.sent_count = 0;
    group.node = store_node_new(&group.config, &fake.base);
    CU_ASSERT_PTR_NOT_NULL_FATAL(group.node);
    store_node_set_owner(group.node, group.owner, group.arg);
    route->count = 1;
}

static const struct store_route_ops group_ops = {
    .own = group_own,
    .node_of = group_node_of,
    .settle = group_settle,
    .free = link_fake_free,
};

static struct store_route *
make_group(const struct store_config *config)
{
    memset(&group, 0, sizeof(group));
    group.config = *config;
    group.node = store_node_new(config, &fake.base);
    CU_ASSERT_PTR_NOT_NULL_FATAL(group.node);
    group.base = (struct store_route){
        .ops = &group_ops, .nodes = &group.node, .count = 1};
    return &group.base;
}

typedef struct store_route *make_route(const struct store_config *config);

static struct store_route *
make_single(const struct store_config *config)
{
    return store_single_new(config, &fake.base);
}

static struct store *
make_store(const struct store_config *config, make_route *make)
{
    struct store_config probing = *config;
    struct store_route *route;

    memset(&fake, 0, sizeof(fake));
    fake.base.ops = &fake_ops;
    probing.probe_key = bytes_of("i:0");
    route = make(&probing);
    CU_ASSERT_PTR_NOT_NULL_FATAL(route);
    fake.store = store_new(&probing, route);
    CU_ASSERT_PTR_NOT_NULL_FATAL(fake.store);
    return fake.store;
}

static void
on_event(void *arg, enum store_event event, const char *server,
         const char *detail)
{
    (void)server;
    static const char *const names[STORE_EVENT__MAX] = {
        [STORE_EVENT_DOWN] = "DOWN",
        [STORE_EVENT_UP] = "UP",
        [STORE_EVENT_REFUSED] = "REFUSED",
        [STORE_EVENT_MANY_REFUSED] = "MANY_REFUSED",
        [STORE_EVENT_CACHE_REFUSED] = "CACHE_REFUSED",
        [STORE_EVENT_READ_OK] = "READ_OK",
        [STORE_EVENT_MANY_OK] = "MANY_OK",
        [STORE_EVENT_CACHE_OK] = "CACHE_OK",
        [STORE_EVENT_WRITE_FAILED] = "WRITE_FAILED",
        [STORE_EVENT_RETRY] = "RETRY",
        [STORE_EVENT_WROTE] = "WROTE",
    };

    CU_ASSERT_PTR_EQUAL(arg, &fake);
    if (event >= STORE_EVENT_CONNECTED)
        return; /* connection_rows test these */
    fake.refuses |= event == STORE_EVENT_REFUSED ||
                    event == STORE_EVENT_MANY_REFUSED ||
                    event == STORE_EVENT_CACHE_REFUSED;
    if (!fake.refuses &&
        (event == STORE_EVENT_READ_OK || event == STORE_EVENT_MANY_OK ||
         event == STORE_EVENT_CACHE_OK))
        return; /* the usual case; traced only where it matters */
    if (detail != NULL)
        trace("%s[%s]", names[event], detail);
    else
        trace("%s", names[event]);
}

static void
on_done(void *arg, enum store_status status, const struct store_value *values)
{
    static const char *const names[STORE__MAX] = {
        [STORE_OK] = "ok",           [STORE_DOWN] = "down",
        [STORE_TIMEOUT] = "timeout", [STORE_REFUSED] = "refused",
        [STORE_LARGE] = "large",     [STORE_MEMORY] = "memory",
    };
    const struct bytes *key = arg;
    bool again = fake.asks_again;

    trace("%c=%s", key->at[0], names[status]);
    fake.asked--;
    CU_ASSERT_EQUAL(values != NULL, status == STORE_OK);
    if (values != NULL && values[0].kind != STORE_LARGE_VALUE)
        CU_ASSERT(bytes_equal(values[0].data, *key));
    fake.asks_again = false;
    fake.asked += again;
    if (fake.writes)
        store_write(fake.store, bytes_of("key"), bytes_of("value"), 3600);
    if (again)
        CU_ASSERT(store_read(fake.store, &keys[9], 1, STORE_CACHE, fake.now_ms,
                             INT64_MAX, on_done, &keys[9]));
}

/*
 * Takes the oldest command of this key; 'w', 'p': the oldest that is no read.
 */
static struct store_fetch *
take_sent(char key)
{
    for (size_t i = 0; i < fake.sent_count; i++) {
        struct store_fetch *fetch = fake.sent[i];

        if (key == 'w' ? fetch != NULL
                       : fetch == NULL || fetch->keys[0].at[0] != key)
            continue;
        fake.sent_count--;
        memmove(&fake.sent[i], &fake.sent[i + 1],
                (fake.sent_count - i) * sizeof(fake.sent[0]));
        return fetch;
    }
    CU_FAIL("nothing was sent that this could answer");
    return NULL;
}

static void
step_answer(char key, enum store_status status)
{
    struct store_fetch *fetch = take_sent(key);

    if (fetch == NULL)
        return;
    if (status == STORE_OK)
        fetch->values[0] = (struct store_value){STORE_STRING, fetch->keys[0]};
    store_link_reply(&fake.base, fetch, status,
                     status == STORE_OK ? NULL : "no");
}

/* A good answer of so many bytes, or with one value that is too large. */
static void
step_heavy(char key, size_t bytes, bool has_large_value)
{
    struct store_fetch *fetch = take_sent(key);

    if (fetch == NULL)
        return;
    fetch->values[0] = (struct store_value){STORE_STRING, fetch->keys[0]};
    if (has_large_value)
        fetch->values[0].kind = STORE_LARGE_VALUE;
    fetch->bytes = bytes;
    fetch->has_large_value = has_large_value;
    store_link_reply(&fake.base, fetch, STORE_OK, NULL);
}

static void
step_wrote(const char *error)
{
    (void)take_sent('w');
    store_link_wrote(&fake.base, error);
}

static void
step_pong(void)
{
    (void)take_sent('w');
    store_link_checked(&fake.base);
}

/* m: a required read, n: one of two keys, c: a cache read */
static void
step_read(struct store *store, const char *step)
{
    struct bytes *key = &keys[step[1] - '0'];

    fake.asked++;
    CU_ASSERT(store_read(store, key, step[0] == 'n' ? 2 : 1,
                         step[0] == 'c' ? STORE_CACHE : STORE_MUST, fake.now_ms,
                         strtoll(step + sizeof("m1:") - 1, NULL, 10), on_done,
                         key));
}

static void
step_down(enum redis_fault fault, const char *reason)
{
    /* With half of an answer, which must not be used for the rest. */
    for (size_t i = 0; i < fake.sent_count; i++)
        if (fake.sent[i] != NULL)
            fake.sent[i]->values[0].kind = STORE_STRING;
    fake.sent_count = 0;
    store_link_down(&fake.base, fault, reason);
}

/* The answer to one read is too large, or too slow. */
static void
step_blame(enum redis_fault fault, char key)
{
    for (size_t i = 0; i < fake.sent_count; i++)
        if (fake.sent[i] != NULL && fake.sent[i]->keys[0].at[0] == key)
            fake.base.blamed = fake.sent[i];
    step_down(fault, "its answer");
}

static void
step_turn(struct store *store, const char *step)
{
    int64_t next_ms;

    fake.now_ms = strtoll(step + 1, NULL, 10);
    next_ms = store_turn(store, fake.now_ms);
    if (step[0] == 'T')
        trace("next:%" PRId64, next_ms);
}

static void
step_words(struct store *store, const char *step)
{
    if (strcmp(step, "up") == 0)
        store_link_up(&fake.base);
    else if (strcmp(step, "down") == 0)
        step_down(REDIS_FAULT_BROKEN, "gone");
    else if (strcmp(step, "late") == 0)
        step_down(REDIS_FAULT_BROKEN, "late");
    else if (strcmp(step, "still") == 0)
        step_down(REDIS_FAULT_TIMEOUT, "late");
    else if (strcmp(step, "refuse") == 0)
        step_down(REDIS_FAULT_HANDSHAKE, "wrong");
    else if (strcmp(step, "oom") == 0)
        fake.no_memory = true;
    else if (strcmp(step, "bad") == 0)
        fake.breaks = true;
    else if (strcmp(step, "again") == 0)
        fake.asks_again = true;
    else if (strcmp(step, "moved") == 0)
        group.has_moved = true;
    else if (strcmp(step, "w") == 0)
        store_write(store, bytes_of("key"), bytes_of("value"), 3600);
    else if (strcmp(step, "wok") == 0)
        step_wrote(NULL);
    else if (strcmp(step, "werr") == 0)
        step_wrote("no");
    else if (strcmp(step, "pong") == 0)
        step_pong();
    else if (strcmp(step, ".") == 0)
        trace(".");
    else if (strcmp(step, "?") == 0)
        trace(store_is_up(store) ? "is-up" : "is-down");
    else
        CU_FAIL("no such step");
}

static void
step_run(struct store *store, const char *step)
{
    if (step[0] == 't' || step[0] == 'T')
        step_turn(store, step);
    else if (strchr("mnc", step[0]) != NULL && step[2] == ':')
        step_read(store, step);
    else if (strncmp(step, "big", 3) == 0)
        step_blame(REDIS_FAULT_LARGE, step[3]);
    else if (strncmp(step, "slow", 4) == 0)
        step_blame(REDIS_FAULT_SLOW, step[4]);
    else if (strncmp(step, "huge", 4) == 0)
        step_answer(step[4], STORE_LARGE);
    else if (strncmp(step, "fat", 3) == 0)
        step_heavy(step[3], GUARD_BYTES + 1, false);
    else if (strncmp(step, "full", 4) == 0)
        step_heavy(step[4], GUARD_BYTES, false);
    else if (strncmp(step, "one", 3) == 0)
        step_heavy(step[3], 0, true);
    else if (strncmp(step, "ok", 2) == 0)
        step_answer(step[2], STORE_OK);
    else if (strncmp(step, "err", 3) == 0)
        step_answer(step[3], STORE_REFUSED);
    else
        step_words(store, step);
    CU_ASSERT_EQUAL(store_pending(store), fake.asked);
}

/* One read is overdue three times: the breaker opens. */
#define OVERDUE                                                                \
    "t0 up t1 m1:9000 t2 late t302 t312 up t313 late t613 t713 up t714 late "  \
    "t1014 "
#define OVERDUE_TRACE                                                          \
    "open send1 | RETRY[late] "                                                \
    "open send1 | RETRY[late] "                                                \
    "open send1 | DOWN[late] 1=down "

struct store_case {
    const char *name, *script, *want;
};

static const struct store_case start_rows[] = {
    {"connects in the first turn", "T0", "open next:-1"},
    {"nothing but a check is due once connected", "t0 up T1", "open next:1000"},
    {"read that matters waits", "m1:800 t0 up t1 ok1", "open send1 | 1=ok"},
    {"cache read waits", "c1:800 t0 up t1 ok1", "open send1 | 1=ok"},
    {"cache read waits no longer than a command takes", "c1:800 T0 t299 . t300",
     "open next:300 . 1=timeout"},
    {"cache read's own deadline is earlier", "c1:100 t0 t99 . t100",
     "open . 1=timeout"},
    {"deadline without a connection opens the breaker",
     "m1:800 T0 t799 . t800 m2:1600 c3:1600 t801",
     "open next:800 . DOWN[no connection in time] 1=timeout 2=down 3=down"},
    {"write is lost", "w t0", "WRITE_FAILED[no connection] open"},
    {"is up once that has been seen", "? t0 ? up ? t1 ? down ? t2 ?",
     "is-down open is-down is-down is-up is-down is-down"},
};

static const struct store_case send_rows[] = {
    {"all of a turn in one flush", "t0 up t1 m1:800 c2:800 w t2 ok1 ok2",
     "open set send1 send2 | 1=ok 2=ok"},
    {"answers in any order", "t0 up t1 m1:800 m2:800 t2 ok2 ok1",
     "open send1 send2 | 2=ok 1=ok"},
    {"deadlines in their own order", "t0 up t1 m1:200 m2:100 t2 t100 . t200",
     "open send1 send2 | 2=timeout . 1=timeout"},
    {"next turn at the deadline", "t0 up t1 m1:100 T2", "open send1 | next:98"},
    {"late answer finds nobody", "t0 up t1 m1:50 t2 t50 ok1 t51",
     "open send1 | 1=timeout"},
    {"deadline that has passed", "t0 up t5 m1:5 t5", "open 1=timeout"},
    {"nothing is sent while nobody waits for the oldest",
     "t0 up t1 c1:800 t2 t301 c2:900 m3:900 w t302 . ok1 t303 w ok2 ok3 wok",
     "open send1 | 1=timeout WRITE_FAILED[the store is too slow] . "
     "send2 send3 | set 2=ok 3=ok WROTE"},
    {"what is sent while somebody waits for the oldest",
     "t0 up t1 m1:800 c2:800 t2 t301 m3:800 w t302",
     "open send1 send2 | 2=timeout set send3 |"},
    {"what waits for the store to catch up has its time",
     "t0 up t1 c1:800 t2 t301 c2:900 m3:900 t302 t600 . t601 t899 . t900",
     "open send1 | 1=timeout . 2=timeout . 3=timeout"},
    {"error is not tried again",
     "t0 up t1 m1:800 t2 err1 m2:800 t3 ok2 m3:800 t4 ok3",
     "open send1 | REFUSED[no] 1=refused send2 | READ_OK 2=ok "
     "send3 | READ_OK 3=ok"},
    {"errors of some commands only",
     "t0 up t1 n1:800 t2 err1 m3:800 t3 ok3 c4:800 t4 err4 m5:800 t5 ok5 "
     "n6:800 t6 ok6 c8:800 t7 ok8",
     "open send1 | MANY_REFUSED[no] 1=refused send3 | READ_OK 3=ok "
     "send4 | CACHE_REFUSED[no] 4=refused send5 | READ_OK 5=ok "
     "send6 | MANY_OK 6=ok send8 | CACHE_OK 8=ok"},
    {"error after the deadline", "t0 up t1 m1:50 t2 t50 err1",
     "open send1 | 1=timeout REFUSED[no]"},
    {"no memory to send", "t0 up t1 oom m1:800 w t2",
     "open WRITE_FAILED[out of memory] 1=memory"},
    {"read asked for by a finished read", "t0 down t1 again c1:800 T2 t3",
     "open 1=down next:0 9=down"},
    {"read asked for by an answer", "t0 up t1 again m1:800 t2 ok1 t3 ok9",
     "open send1 | 1=ok send9 | 9=ok"},
};

static const struct store_case failure_rows[] = {
    {"three failed connections",
     "m1:800 t0 down T1 t11 down T12 t112 . down t113",
     "open next:10 open next:100 open . DOWN[gone] 1=down"},
    {"second connection serves", "m1:800 t0 down t1 t11 up t12 ok1",
     "open open send1 | 1=ok"},
    {"cache read ends with the first failure", "c1:800 t0 down t1",
     "open 1=down"},
    {"cache read misses while failing", "t0 down t1 c1:800 t2", "open 1=down"},
    {"failing for long opens the breaker", "t0 down t1 T11 t800 . t801",
     "open open next:790 . DOWN[gone]"},
    {"refused handshake opens it at once", "m1:800 t0 refuse t1",
     "open DOWN[wrong] 1=down"},
    {"refused again is no news", "t0 refuse t1 t11 refuse t12 t112",
     "open DOWN[wrong] open open"},
    {"nobody waits while it is open", "t0 refuse t1 m1:800 c2:800 t2",
     "open DOWN[wrong] 1=down 2=down"},
    {"writes are lost while it is open", "t0 refuse t1 w t2",
     "open DOWN[wrong] WRITE_FAILED[no connection]"},
    {"pauses are at most 500 ms",
     "t0 refuse T1 t11 refuse T12 t112 refuse T113 t363 refuse T364 t864 "
     "refuse T865",
     "open DOWN[wrong] next:10 open next:100 open next:250 open next:500 "
     "open next:500"},
    {"what opened it is not what ends the next connection",
     "t0 refuse t1 t11 up t12 m1:9000 t13 late t313",
     "open DOWN[wrong] open UP send1 | RETRY[late]"},
    {"pauses begin anew once a connection was steady",
     "t0 up t1 down t2 t12 up t13 t1012 down T1013", "open open next:10"},
    {"handshake closes it", "t0 refuse t1 t11 up t12 m1:800 t13",
     "open DOWN[wrong] open UP send1 |"},
};

static const struct store_case loss_rows[] = {
    {"idle connection closed", "t0 up t1 down T2 c1:800 t3 t12 up t13",
     "open next:10 open send1 |"},
    {"idle connections closed one after the other",
     "t0 up t1 down T2 t12 up t13 down T14 t114 up t115 down T116",
     "open next:10 open next:100 open next:250"},
    {"connection dies as it is reused",
     "t0 up t1 m1:800 t2 down t3 t13 up "
     "t14 ok1",
     "open send1 | RETRY[gone] open send1 | 1=ok"},
    {"cache read has one try", "t0 up t1 c1:800 t2 down t3",
     "open send1 | 1=down"},
    {"flush finds it broken", "t0 up t1 bad m1:800 T2 t3",
     "open send1 | next:0 RETRY[gone]"},
    {"nothing is sent on what has failed", "t0 up t1 down w c1:800 t2 t12",
     "open WRITE_FAILED[no connection] open"},
    {"overdue command", "t0 up t1 m1:2000 t2 late t302 t312 up t313 ok1",
     "open send1 | RETRY[late] open send1 | 1=ok"},
    {"overdue cache read", "t0 up t1 c1:800 t2 late t302",
     "open send1 | 1=down"},
    {"overdue though nobody waits", "t0 up t1 m1:50 t2 t50 late t302",
     "open send1 | 1=timeout"},
    {"overdue write", "t0 up t1 w t2 late t301",
     "open set | WRITE_FAILED[late]"},
    {"writes under way are lost", "t0 up t1 w t2 w t3 down t4",
     "open set | set | WRITE_FAILED[gone] WRITE_FAILED[gone]"},
    {"attempts of one read while others succeed",
     "t0 up t1 m2:9000 m1:9000 t2 down t3 t13 up t14 ok2 t15 down t16 t26 up "
     "t27 down t28",
     "open send2 send1 | RETRY[gone] RETRY[gone] open send2 | 2=ok send1 | "
     "RETRY[gone] open send1 | 1=down"},
    {"a suspected connection gets one read first",
     "t0 up t1 m1:9000 t2 down t3 t13 up m2:9000 c3:9000 t14 . ok1 t15 ok2 "
     "m4:9000 m5:9000 t16",
     "open send1 | RETRY[gone] open send1 3=down | . 1=ok send2 | 2=ok "
     "send4 send5 |"},
    {"a cache read as that one",
     "t0 up t1 c1:9000 t2 down t3 t13 up c2:9000 t14 m3:9000 t15 . ok2 t16",
     "open send1 | 1=down open send2 2=down | . send3 |"},
    {"those that wait for it have their deadlines",
     "t0 up t1 m1:9000 t2 down t3 t13 up m2:200 t14 t199 . t200",
     "open send1 | RETRY[gone] open send1 | . 2=timeout"},
    {"success forgets failures",
     "t0 up t1 m1:800 t2 down t3 t13 up t14 ok1 down t15 t25 down t26 t126 "
     "down t127",
     "open send1 | RETRY[gone] open send1 | 1=ok open open"},
    {"write errors", "t0 up t1 w t2 werr w t3 werr w t4 wok w t5 wok",
     "open set | WRITE_FAILED[no] set | WRITE_FAILED[no] set | "
     "WROTE set | WROTE"},
};

static const struct store_case trial_rows[] = {
    {"is not up", OVERDUE "? t1264 up t1265 ? m1:3000 t1266 ok1 ?",
     OVERDUE_TRACE "is-down open is-down send1 1=down | UP is-up"},
    {"one read is sent, nobody waits",
     OVERDUE "t1264 up t1265 m2:3000 m3:3000 c4:3000 w t1266 ok2 m5:3000 t1267",
     OVERDUE_TRACE "open WRITE_FAILED[no connection] send2 2=down 3=down "
                   "4=down | UP send5 |"},
    {"trial is lost", OVERDUE "t1264 up t1265 m2:3000 t1266 late t1566",
     OVERDUE_TRACE "open send2 2=down |"},
    {"trial is refused", OVERDUE "t1264 up t1265 m2:3000 t1266 err2",
     OVERDUE_TRACE "open send2 2=down | UP REFUSED[no]"},
    {"cache read on trial",
     OVERDUE "t1264 up t1265 c2:3000 t1266 c3:3000 t1267 ok2 c4:3000 t1268",
     OVERDUE_TRACE "open send2 2=down | 3=down UP send4 |"},
    {"no memory for the trial", OVERDUE "t1264 up t1265 oom m2:3000 t1266",
     OVERDUE_TRACE "open 2=memory"},
    {"no request comes: our own", OVERDUE "t1264 up T1265 t1764 . t1765 oki",
     OVERDUE_TRACE "open next:500 . sendi | UP"},
    {"our own is lost", OVERDUE "t1264 up t1265 t1765 late t2065 m2:3000 t2066",
     OVERDUE_TRACE "open sendi | 2=down"},
    {"our own is refused, which tells nobody",
     OVERDUE "t1264 up t1265 t1765 erri", OVERDUE_TRACE "open sendi | UP"},
    {"nobody waits for our own",
     OVERDUE "t1264 up t1265 t1765 m2:3000 c3:3000 t1766 oki m4:3000 t1767",
     OVERDUE_TRACE "open sendi | 2=down 3=down UP send4 |"},
    {"no memory for our own", OVERDUE "t1264 up t1265 oom t1765",
     OVERDUE_TRACE "open UP"},
    {"idle connection closed on trial",
     OVERDUE "t1264 up t1265 down t1266 m2:3000 t1267",
     OVERDUE_TRACE "open 2=down"},
    {"suspicion ends with time",
     "t0 up t1 m1:50 t2 t50 late t302 t312 up t313 "
     "t813 oki down t814 c2:2000 t815",
     "open send1 | 1=timeout open sendi |"},
    {"suspected, and our own under way",
     "t0 up t1 m1:50 t2 t50 late t302 t312 up t313 t813 T1110",
     "open send1 | 1=timeout open sendi | next:-1"},
    {"suspicion is confirmed",
     "t0 up t1 m1:50 t2 t50 late t302 t312 up t313 "
     "t813 late t1113 c2:2000 t1114",
     "open send1 | 1=timeout open sendi | "
     "DOWN[late] 2=down"},
};

static const struct store_case check_rows[] = {
    {"idle for a second", "t0 up t1 t1000 . T1001 pong T1002 t2000 . t2001",
     "open . ping | next:-1 next:999 . ping |"},
    {"from the last answer on", "t0 up t1 m1:2000 t900 ok1 t901 t1899 . t1900",
     "open send1 | 1=ok . ping |"},
    {"from the last answered write on",
     "t0 up t1 w t200 wok t201 t1199 . t1200", "open set | WROTE . ping |"},
    {"no check while a read is under way", "t0 up t1 m1:2000 t999 t1100",
     "open send1 |"},
    {"no check while a write is under way", "t0 up t1 t999 w t1000 t1100",
     "open set |"},
    {"one check at a time", "t0 up t1 t1001 T1299", "open ping | next:-1"},
    {"requests do not wait for it", "t0 up t1 t1001 m1:2000 t1002 pong ok1",
     "open ping | send1 | 1=ok"},
    {"unanswered, as by a server that froze",
     "t0 up t1 t1001 late t1301 c1:2000 t1302", "open ping | 1=down"},
    {"connection is lost with it: a failure",
     "t0 up t1 t1001 down t1002 c1:2000 t1003", "open ping | 1=down"},
    {"lost, and the next connection is checked again",
     "t0 up t1 t1001 down t1002 t1012 up t1013 t1513 oki t1514 t2514",
     "open ping | open sendi | ping |"},
    {"no memory: later", "t0 up t1 oom t1001 . T1002", "open . next:999"},
    {"not while the breaker is open", "t0 refuse t1 T5000 T6000",
     "open DOWN[wrong] open next:-1 next:-1"},
};

/* An answer that ends the connection fails only its own read. */
static const struct store_case blame_rows[] = {
    {"others are sent again, and it is measured behind them",
     "t0 up t1 n1:800 m2:800 c3:800 t2 big1 t3 up t4 ok2 ok3 huge1",
     "open send1 send2 send3 | open send2 send3 measure1 | 2=ok 3=ok "
     "1=large"},
    {"a cache read fails alone", "t0 up t1 c1:800 m2:800 t2 big1 t3 up t4 ok2",
     "open send1 send2 | 1=ok open send2 | 2=ok"},
    {"one key: the value", "t0 up t1 m1:800 t2 big1 t3 up t4",
     "open send1 | 1=ok open"},
    {"measured, and several keys: all of it",
     "t0 up t1 n1:800 t2 big1 t3 up t4 big1 t5 up t6",
     "open send1 | open measure1 | 1=large open"},
    {"measured, and slow", "t0 up t1 n1:800 t2 slow1 t3 up t4 slow1 t5 up t6",
     "open send1 | open measure1 | 1=timeout open"},
    {"a slow cache read", "t0 up t1 c1:800 m2:800 t2 slow1 t3 up t4",
     "open send1 send2 | 1=timeout open send2 |"},
    {"one that nobody waits for",
     "t0 up t1 m1:50 m2:800 t2 t50 big1 t51 up t52",
     "open send1 send2 | 1=timeout open send2 |"},
    {"others that nobody waits for",
     "t0 up t1 n1:800 m2:50 t2 t50 big1 t51 up t52",
     "open send1 send2 | 2=timeout open measure1 |"},
    {"as often as you like: neither a loss nor a failure",
     "t0 up t1 c1:800 m2:800 t2 big1 t3 up c1:800 t4 big1 t5 up c1:800 t6 big1 "
     "t7 up c1:800 t8 big1 t9 up t10 ok2 ?",
     "open send1 send2 | 1=ok open send2 send1 | 1=ok open send2 send1 | "
     "1=ok open send2 send1 | 1=ok open send2 | 2=ok is-up"},
    {"no attempt, either: a lost connection is the first",
     "t0 up t1 c1:800 m2:800 t2 big1 t3 up c1:800 t4 big1 t5 up c1:800 t6 big1 "
     "t7 up t8 down t9 t19 up t20 ok2",
     "open send1 send2 | 1=ok open send2 send1 | 1=ok open send2 send1 | "
     "1=ok open send2 | RETRY[gone] open send2 | 2=ok"},
    {"bytes are a proof of life",
     OVERDUE "t1264 up t1265 m2:3000 t1266 big2 T1267 up t1268 n3:3000 t1269",
     OVERDUE_TRACE "open send2 2=down | UP open next:-1 measure3 |"},
    {"they prove a suspected connection, too",
     "t0 up t1 m1:9000 t2 down t3 t13 up t14 big1 t15 up t16 c2:9000 t17 ok2",
     "open send1 | RETRY[gone] open send1 | 1=ok open send2 | 2=ok"},
    {"sizes are asked for 5 seconds long",
     "t0 up t1 n1:800 t2 big1 t3 up t4 ok1 n2:9000 t5002 ok2 n3:9000 t5003 "
     "ok3",
     "open send1 | open measure1 | 1=ok measure2 | 2=ok send3 | 3=ok"},
    {"longer, when there is a reason",
     "t0 up t1 n1:800 t2 big1 t3 up t4 huge1 n2:9999 t5002 huge2 n3:9999 t5003 "
     "huge3",
     "open send1 | open measure1 | 1=large measure2 | 2=large measure3 | "
     "3=large"},
    {"longer, after many bytes",
     "t0 up t1 n1:800 t2 big1 t3 up t4 fat1 n2:9999 t5003 ok2 n3:9999 t5004 "
     "ok3",
     "open send1 | open measure1 | 1=ok measure2 | 2=ok send3 | 3=ok"},
    {"not after as many as are usual",
     "t0 up t1 n1:800 t2 big1 t3 up t4 full1 n2:9999 t5003 ok2",
     "open send1 | open measure1 | 1=ok send2 | 2=ok"},
    {"longer, after a value that is too large",
     "t0 up t1 n1:800 t2 big1 t3 up t4 one1 n2:9999 t5003 ok2 n3:9999 t5004 "
     "ok3",
     "open send1 | open measure1 | 1=ok measure2 | 2=ok send3 | 3=ok"},
    {"one large value is none",
     "t0 up t1 n1:800 t2 big1 t3 up t4 ok1 m2:9000 t5002 huge2 n3:9000 t5003 "
     "ok3",
     "open send1 | open measure1 | 1=ok send2 | 2=large send3 | 3=ok"},
    {"not for the cache", "t0 up t1 n1:800 t2 big1 t3 up t4 ok1 c2:800 t5",
     "open send1 | open measure1 | 1=ok send2 |"},
    {"a silence may be a large answer in the making",
     "t0 up t1 n1:2000 t2 still t302 t312 up t313 huge1 n2:2000 t314",
     "open send1 | RETRY[late] open measure1 | 1=large measure2 |"},
    {"not that of a cache read",
     "t0 up t1 c1:800 t2 still t302 t312 up m2:2000 t313",
     "open send1 | 1=down open send2 |"},
    {"nor are lengths asked for because of one",
     "t0 up t1 c1:800 t2 still t302 t312 up n2:2000 t313",
     "open send1 | 1=down open send2 |"},
    {"nor that of one key",
     "t0 up t1 m1:2000 t2 still t302 t312 up t313 ok1 n2:2000 t314",
     "open send1 | RETRY[late] open send1 | 1=ok send2 |"},
    {"a deadline while the next connection is built is no outage",
     "t0 up t1 n1:100 t2 big1 t3 t100 ?",
     "open send1 | open 1=timeout is-down"},
    {"writes are lost with it", "t0 up t1 w n1:800 t2 big1 t3",
     "open set send1 | WRITE_FAILED[its answer] open"},
};

/* Another master: what is pending is sent there, and nothing is lost (S21.4).
 */
static const struct store_case moved_rows[] = {
    {"no attempt: a lost connection is the first",
     "t0 up t1 m1:9000 t2 moved t3 up t4 moved t5 up t6 moved t7 up t8 down t9 "
     "t19 up t20 ok1",
     "open send1 | open send1 | open send1 | open send1 | RETRY[gone] "
     "open send1 | 1=ok"},
    {"no failure", "t0 up t1 m1:9000 t2 moved t3 ? up t4 ok1 ?",
     "open send1 | open is-down send1 | 1=ok is-up"},
    {"a cache read, too", "t0 up t1 c1:800 t2 moved t3 up t4 ok1",
     "open send1 | open send1 | 1=ok"},
    {"what waits for a connection", "t0 m1:9000 t1 moved t2 up t3 ok1",
     "open open send1 | 1=ok"},
    {"its deadline stays", "t0 up t1 m1:800 t2 moved t3 t799 . t800",
     "open send1 | open . DOWN[no connection in time] 1=timeout"},
    {"one that nobody waits for", "t0 up t1 m1:50 t2 t50 moved t51 up t52",
     "open send1 | 1=timeout open"},
};

/* At the end of each script all pending reads must be answered. */
static void
run_script_on(const struct store_case *c, make_route *make)
{
    static const struct store_config config = {.attempts = 3,
                                               .connect_timeout_ms = 200,
                                               .command_timeout_ms = 300,
                                               .deadline_ms = 800,
                                               .event = on_event,
                                               .event_arg = &fake};
    char *script = strdup(c->script), *rest = script;
    struct store *store;

    store = make_store(&config, make);
    if (script != NULL)
        for (const char *step; (step = strsep(&rest, " ")) != NULL;)
            if (step[0] != '\0')
                step_run(store, step);
    CU_ASSERT_STRING_EQUAL(fake.trace, c->want);
    if (strcmp(fake.trace, c->want) != 0)
        (void)printf("want: %s\ngot:  %s\n", c->want, fake.trace);
    store_free(store);
    free(script);
}

static void
run_script(const struct store_case *c)
{
    run_script_on(c, make_single);
}

TEST_CASES(start, struct store_case, start_rows)
{
    run_script(c);
}

TEST_CASES(send, struct store_case, send_rows)
{
    run_script(c);
}

TEST_CASES(failure, struct store_case, failure_rows)
{
    run_script(c);
}

TEST_CASES(loss, struct store_case, loss_rows)
{
    run_script(c);
}

TEST_CASES(trial, struct store_case, trial_rows)
{
    run_script(c);
}

TEST_CASES(blame, struct store_case, blame_rows)
{
    run_script(c);
}

TEST_CASES(moved, struct store_case, moved_rows)
{
    run_script_on(c, make_group);
}

TEST_CASES(check, struct store_case, check_rows)
{
    run_script(c);
}

/* Connections are counted by their results. */
struct connection_case {
    const char *name;
    enum redis_fault fault; /* REDIS_FAULT__MAX: none */
};

static const struct connection_case connection_rows[] = {
    {"built", REDIS_FAULT__MAX},
    {"broken", REDIS_FAULT_BROKEN},
    {"refused", REDIS_FAULT_REFUSED},
    {"a server that says no", REDIS_FAULT_HANDSHAKE},
};

static void
count_event(void *arg, enum store_event event, const char *server,
            const char *detail)
{
    (void)server;
    (void)detail;
    ((int *)arg)[event]++;
}

TEST_CASES(connection, struct connection_case, connection_rows)
{
    int events[STORE_EVENT__MAX] = {0};
    const struct store_config config = {.attempts = 3,
                                        .command_timeout_ms = 300,
                                        .deadline_ms = 800,
                                        .event = count_event,
                                        .event_arg = events};
    const bool is_built = c->fault == REDIS_FAULT__MAX;
    struct store *store;

    store = make_store(&config, make_single);
    (void)store_turn(store, 0);
    if (is_built)
        store_link_up(&fake.base);
    else
        store_link_down(&fake.base, c->fault, "so");
    CU_ASSERT_EQUAL(store_next_try_ms(store, 1), 0);
    (void)store_turn(store, 1);
    CU_ASSERT_EQUAL(store_next_try_ms(store, 1), is_built ? 0 : 10);
    CU_ASSERT_EQUAL(store_next_try_ms(store, 11), 0);
    CU_ASSERT_EQUAL(events[STORE_EVENT_CONNECTED], is_built);
    for (int fault = 0; fault < REDIS_FAULT__MAX; fault++)
        CU_ASSERT_EQUAL(events[STORE_EVENT_CONNECT_FAILED + fault],
                        fault == (int)c->fault);
    /* The later end of a connection is not counted. */
    store_link_down(&fake.base, REDIS_FAULT_BROKEN, "later");
    if (is_built) {
        (void)store_turn(store, 2);
        CU_ASSERT_EQUAL(events[STORE_EVENT_CONNECT_FAILED + REDIS_FAULT_BROKEN],
                        0);
    }
    store_free(store);
}

static struct store *
fake_store(void)
{
    static const struct store_config config = {
        .attempts = 3, .command_timeout_ms = 300, .deadline_ms = 800};

    return make_store(&config, make_single);
}

TEST_SINGLE(free_writes, "what is told may write, and it comes to nothing")
{
    struct store *store = fake_store();

    step_run(store, "t0");
    step_run(store, "up");
    step_run(store, "m1:800");
    step_run(store, "t1");
    fake.writes = true;
    store_free(store);
    CU_ASSERT_STRING_EQUAL(fake.trace, "open send1 | 1=down");
}

TEST_SINGLE(free_answers, "all that waits is told")
{
    struct store *store = fake_store();

    step_run(store, "t0");
    step_run(store, "up");
    step_run(store, "m1:800");
    step_run(store, "t1");
    step_run(store, "m2:800");
    step_run(store, "again");
    store_free(store);
    CU_ASSERT_STRING_EQUAL(fake.trace, "open send1 | 1=down 2=down 9=down");
}

/* The size of their values would overflow to 0, modulo 2^64. */
TEST_SINGLE(too_many, "more keys than any memory can hold are refused")
{
    struct store *store = fake_store();

    CU_ASSERT_FALSE(store_read(store, NULL,
                               SIZE_MAX / sizeof(struct store_value) + 1,
                               STORE_CACHE, 0, 800, NULL, NULL));
    CU_ASSERT_EQUAL(store_pending(store), 0);
    store_free(store);
}

TEST_SINGLE(status_text, "every status has words")
{
    for (enum store_status status = STORE_OK; status < STORE__MAX; status++)
        CU_ASSERT_PTR_NOT_NULL(store_status_text(status));
}

TEST_SINGLE(free_null, "no store")
{
    store_free(NULL);
}
