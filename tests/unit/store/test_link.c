/*
 * The link to Redis: the bytes that it sends, and how it handles each answer,
 * right or wrong. A scripted server is on the same loop; the store gives up
 * after the first failure, so that each row shows one.
 */
#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "store/store_redis.h"
#include "support/buffer.h"
#include "support/calls.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/link_fake.h"
#include "support/steps.h"

#define KEYS_MAX  2100
#define TTL_S     60
#define WORDS_MAX 400
#define CHECK_MS  1000 /* idle, until a PING: S20.6 */
#define ANSWER_MS 300

#define STEP_MS       10
#define SETTLED_TURNS 8 /* both sides need fewer to connect and to greet */

/* One loop with a store and the server it talks to, on a clock of their own. */
struct rig {
    struct ev_loop *loop;
    struct store *store;
    struct redis_url config;
    struct link_turns turns;
    struct steps server;

    int ups, downs, lost, refusals; /* events */
    char down[WORDS_MAX], refused[WORDS_MAX], wrote[WORDS_MAX];

    struct bytes keys[KEYS_MAX];
    size_t count;
    int answers;
    enum store_status status;
    char kinds[KEYS_MAX + 1]; /* one letter for each value */
    char first[64];
    size_t answer_bytes_max; /* 0: 1 MiB */
};

static void
on_event(void *arg, enum store_event event, const char *server,
         const char *detail)
{
    struct rig *rig = arg;

    (void)server;
    const char *words = detail != NULL ? detail : "";

    if (event == STORE_EVENT_UP)
        rig->ups++;
    if (event == STORE_EVENT_DOWN && rig->downs++ == 0)
        (void)snprintf(rig->down, sizeof(rig->down), "%s", words);
    if ((event == STORE_EVENT_REFUSED || event == STORE_EVENT_MANY_REFUSED) &&
        rig->refusals++ == 0)
        (void)snprintf(rig->refused, sizeof(rig->refused), "%s", words);
    if (event == STORE_EVENT_WRITE_FAILED && rig->lost++ == 0)
        (void)snprintf(rig->wrote, sizeof(rig->wrote), "%s", words);
}

static void
rig_start(struct rig *rig, const struct step *steps)
{
    calls_stop_clock();
    *rig = (struct rig){.loop = ev_loop_new(EVFLAG_AUTO)};
    steps_init(&rig->server, rig->loop, steps);
    rig->config.unix_path = rig->server.path;
}

static void
rig_store(struct rig *rig)
{
    const struct store_config config = {
        .attempts = 1,
        .connect_timeout_ms = 1000,
        .command_timeout_ms = 300,
        .deadline_ms = 2000,
        .answer_bytes_max =
            rig->answer_bytes_max > 0 ? rig->answer_bytes_max : 1 << 20,
        .probe_key = bytes_of("i:0"),
        .event = on_event,
        .event_arg = rig};

    rig->store = store_redis_new(rig->loop, &rig->config, &config);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rig->store);
    link_turns_start(&rig->turns, rig->loop, rig->store);
}

/* Keys of one letter. */
static void
set_keys(struct rig *rig, const char *letters)
{
    rig->count = strlen(letters);
    for (size_t i = 0; i < rig->count; i++)
        rig->keys[i] = (struct bytes){letters + i, 1};
}

/* A store with a server, and the keys to ask it for. */
static void
rig_open(struct rig *rig, const struct step *steps, const char *letters)
{
    rig_start(rig, steps);
    steps_listen(&rig->server);
    rig_store(rig);
    set_keys(rig, letters);
}

static void
rig_end(struct rig *rig)
{
    store_free(rig->store);
    steps_end(&rig->server);
    ev_loop_destroy(rig->loop);
    calls_let_clock_go();
}

/* Turns until both sides have handled what there is, at this time. */
static void
settle(struct rig *rig)
{
    for (int i = 0; i < SETTLED_TURNS; i++)
        (void)ev_run(rig->loop, EVRUN_NOWAIT);
}

static void
pass_ms(struct rig *rig, int64_t ms)
{
    calls_pass_ms(ms);
    settle(rig);
}

/* Time passes only when nothing else is left to do. */
static bool
run_until(struct rig *rig, const int *number, int wanted)
{
    const int64_t end_ms = clock_ms() + CLOCK_PATIENCE_MS;

    settle(rig);
    while (*number < wanted && clock_ms() < end_ms)
        pass_ms(rig, STEP_MS);
    return *number >= wanted;
}

static void
on_done(void *arg, enum store_status status, const struct store_value *values)
{
    static const char letters[] = {[STORE_ABSENT] = '-',
                                   [STORE_STRING] = 's',
                                   [STORE_WRONG_TYPE] = 'w',
                                   [STORE_ELSEWHERE] = '?',
                                   [STORE_LARGE_VALUE] = 'l'};
    struct rig *rig = arg;

    rig->answers++;
    rig->status = status;
    rig->kinds[0] = rig->first[0] = '\0';
    if (status != STORE_OK)
        return;
    for (size_t i = 0; i < rig->count; i++)
        rig->kinds[i] = letters[values[i].kind];
    rig->kinds[rig->count] = '\0';
    if (values[0].kind == STORE_STRING)
        (void)snprintf(rig->first, sizeof(rig->first), "%.*s",
                       (int)values[0].data.length, values[0].data.at);
}

static void
ask_for(struct rig *rig, enum store_need need)
{
    int before = rig->answers;

    CU_ASSERT_FATAL(store_read(rig->store, rig->keys, rig->count, need,
                               clock_ms(), clock_ms() + 2000, on_done, rig));
    CU_ASSERT(run_until(rig, &rig->answers, before + 1));
    CU_ASSERT_EQUAL(rig->answers, before + 1);
}

static void
ask(struct rig *rig)
{
    ask_for(rig, STORE_MUST);
}

#define KEY(k)    "$1\r\n" k "\r\n"
#define PROBE     STEPS_HELLO "*2\r\n$6\r\nEXISTS\r\n$3\r\ni:0\r\n"
#define GET_A     "*2\r\n$3\r\nGET\r\n" KEY("a")
#define RANGE(k)  "*4\r\n$8\r\nGETRANGE\r\n" k "$1\r\n0\r\n$7\r\n1048576\r\n"
#define RANGE_A   RANGE(KEY("a"))
#define MRANGE_AB "*3\r\n$4\r\nMGET\r\n" KEY("a") KEY("b")
#define EXISTS_B  "*2\r\n$6\r\nEXISTS\r\n" KEY("b")
#define TYPE(k)   "*2\r\n$4\r\nTYPE\r\n" KEY(k)
#define GREET                                                                  \
    {                                                                          \
        PROBE, STEPS_MASTER ":0\r\n"                                           \
    }
#define THEN_GET                                                               \
    {                                                                          \
        RANGE_A, "$1\r\nx\r\n"                                                 \
    }
#define ONE_NIL                                                                \
    {                                                                          \
        MRANGE_AB, "*2\r\n$1\r\nx\r\n$-1\r\n"                                  \
    }
#define DROPPED       "the connection broke: Server closed the connection"
#define WRONG_KIND    "an answer of the wrong kind"
#define NO_ANSWER     "not an answer of Redis"
#define WRONGTYPE     "-WRONGTYPE Operation against a key\r\n"
#define NOPERM        "-NOPERM this user has no permissions\r\n"
#define NOPERM_TEXT   "the user lacks a permission (NOPERM)"
#define UNKNOWN       "-ERR unknown command 'GETRANGE'\r\n"
#define LOADING       "-LOADING Redis is loading\r\n"
#define LOADING_TEXT  "the server is loading its data (LOADING)"
#define ARRAY_TOO_BIG "*513\r\n"

struct read_case {
    const char *name, *keys;
    struct step steps[STEPS_MAX];
    const char *kinds;   /* NULL: the read is not answered */
    const char *first;   /* the first value */
    const char *refused; /* why the read is refused */
    const char *down;    /* why the connection ends */
};

static const struct read_case read_rows[] = {
    {"one string",
     "a",
     {GREET, {RANGE_A, "$3\r\nabc\r\n"}},
     .kinds = "s",
     .first = "abc"},
    {"one empty string",
     "a",
     {GREET, {RANGE_A, "$0\r\n\r\n"}},
     .kinds = "-",
     .first = ""},
    {"one absent",
     "a",
     {GREET, {RANGE_A, "$-1\r\n"}},
     .kinds = "-",
     .first = ""},
    {"one of another type",
     "a",
     {GREET, {RANGE_A, WRONGTYPE}},
     .kinds = "w",
     .first = ""},
    {"one refused",
     "a",
     {GREET, {RANGE_A, NOPERM}, {GET_A, NOPERM}},
     .refused = NOPERM_TEXT},
    {"one whose range is refused",
     "a",
     {GREET, {RANGE_A, NOPERM}, {GET_A, "$3\r\nabc\r\n"}},
     .kinds = "s",
     .first = "abc"},
    {"one whose range is unknown",
     "a",
     {GREET, {RANGE_A, UNKNOWN}, {GET_A, "$0\r\n\r\n"}},
     .kinds = "s",
     .first = ""},
    {"one whose range is refused, by a number",
     "a",
     {GREET, {RANGE_A, NOPERM}, {GET_A, ":1\r\n"}},
     .down = WRONG_KIND},
    {"one whose range is refused, by nothing",
     "a",
     {GREET, {RANGE_A, NOPERM}, {GET_A, steps_hang_up}},
     .down = DROPPED},
    {"one, while loading",
     "a",
     {GREET, {RANGE_A, LOADING}},
     .refused = LOADING_TEXT},
    {"one by a status", "a", {GREET, {RANGE_A, "+OK\r\n"}}, .down = WRONG_KIND},
    {"one by a number", "a", {GREET, {RANGE_A, ":1\r\n"}}, .down = WRONG_KIND},
    {"one by an array",
     "a",
     {GREET, {RANGE_A, "*1\r\n$1\r\nx\r\n"}},
     .down = WRONG_KIND},
    {"one by garbage", "a", {GREET, {RANGE_A, "hello\r\n"}}, .down = NO_ANSWER},
    {"one by nothing", "a", {GREET, {RANGE_A, steps_hang_up}}, .down = DROPPED},

    {"two strings",
     "ab",
     {GREET, {MRANGE_AB, "*2\r\n$1\r\nx\r\n$1\r\ny\r\n"}},
     .kinds = "ss",
     .first = "x"},
    {"two, one absent",
     "ab",
     {GREET, ONE_NIL, {EXISTS_B, ":0\r\n"}},
     .kinds = "s-",
     .first = "x"},
    {"two, one a list",
     "ab",
     {GREET, ONE_NIL, {EXISTS_B, ":1\r\n"}, {TYPE("b"), "+list\r\n"}},
     .kinds = "sw",
     .first = "x"},
    {"two, one gone since",
     "ab",
     {GREET, ONE_NIL, {EXISTS_B, ":1\r\n"}, {TYPE("b"), "+none\r\n"}},
     .kinds = "s-",
     .first = "x"},
    {"two, one come since",
     "ab",
     {GREET, ONE_NIL, {EXISTS_B, ":1\r\n"}, {TYPE("b"), "+string\r\n"}},
     .kinds = "s-",
     .first = "x"},
    {"three, two absent, one a list",
     "abc",
     {GREET,
      {"*4\r\n$4\r\nMGET\r\n" KEY("a") KEY("b") KEY("c"),
       "*3\r\n$-1\r\n$1\r\ny\r\n$-1\r\n"},
      {"*3\r\n$6\r\nEXISTS\r\n" KEY("a") KEY("c"), ":1\r\n"},
      {TYPE("a") TYPE("c"), "+none\r\n+list\r\n"}},
     .kinds = "-sw",
     .first = ""},
    {"two refused", "ab", {GREET, {MRANGE_AB, NOPERM}}, .refused = NOPERM_TEXT},
    {"two, their EXISTS refused",
     "ab",
     {GREET, ONE_NIL, {EXISTS_B, NOPERM}},
     .refused = NOPERM_TEXT},
    {"two, their TYPE refused",
     "ab",
     {GREET, ONE_NIL, {EXISTS_B, ":1\r\n"}, {TYPE("b"), NOPERM}},
     .refused = NOPERM_TEXT},
    {"two by one",
     "ab",
     {GREET, {MRANGE_AB, "*1\r\n$1\r\nx\r\n"}},
     .down = WRONG_KIND},
    {"two by three",
     "ab",
     {GREET, {MRANGE_AB, "*3\r\n$1\r\nx\r\n$1\r\ny\r\n$1\r\nz\r\n"}},
     .down = WRONG_KIND},
    {"two by a string",
     "ab",
     {GREET, {MRANGE_AB, "$1\r\nx\r\n"}},
     .down = WRONG_KIND},
    {"two, one a number",
     "ab",
     {GREET, {MRANGE_AB, "*2\r\n$1\r\nx\r\n:1\r\n"}},
     .down = WRONG_KIND},
    {"two, their EXISTS by a status",
     "ab",
     {GREET, ONE_NIL, {EXISTS_B, "+OK\r\n"}},
     .down = WRONG_KIND},
    {"two, their TYPE by a number",
     "ab",
     {GREET, ONE_NIL, {EXISTS_B, ":1\r\n"}, {TYPE("b"), ":1\r\n"}},
     .down = WRONG_KIND},
    {"an array over the bound",
     "ab",
     {GREET, {MRANGE_AB, ARRAY_TOO_BIG}},
     .down = NO_ANSWER},
    {"no answer in time",
     "a",
     {GREET, {RANGE_A, NULL}},
     .down = "no answer within 300 ms"},
};

TEST_CASES(read, struct read_case, read_rows)
{
    static struct rig rig;

    rig_open(&rig, c->steps, c->keys);
    ask(&rig);
    if (c->kinds != NULL) {
        CU_ASSERT_EQUAL(rig.status, STORE_OK);
        CU_ASSERT_STRING_EQUAL(rig.kinds, c->kinds);
        CU_ASSERT_STRING_EQUAL(rig.first, c->first);
    } else {
        CU_ASSERT_EQUAL(rig.status,
                        c->refused != NULL ? STORE_REFUSED : STORE_DOWN);
    }
    if (c->down != NULL)
        CU_ASSERT(run_until(&rig, &rig.downs, 1));
    CU_ASSERT_STRING_EQUAL(rig.down, c->down != NULL ? c->down : "");
    CU_ASSERT_STRING_EQUAL(rig.refused, c->refused != NULL ? c->refused : "");
    steps_check(&rig.server);
    rig_end(&rig);
}

TEST_SINGLE(cache, "a value of the cache is read as it is")
{
    static const struct step steps[STEPS_MAX] = {GREET, {GET_A, "$1\r\nx\r\n"}};
    static struct rig rig;

    rig_open(&rig, steps, "a");
    ask_for(&rig, STORE_CACHE);
    CU_ASSERT_STRING_EQUAL(rig.first, "x");
    steps_check(&rig.server);
    rig_end(&rig);
}

#define BOUND     (4 << 20) /* of an answer: S20.5 */
#define TURNS_MAX 20000     /* of the loop: many more than an answer takes */

struct bound_case {
    const char *name;
    size_t bytes;    /* of the value */
    int connections; /* until all is done */
};

static const struct bound_case bound_rows[] = {
    {"4 MiB are read, and are too many for a value", BOUND - 2, 1},
    {"more ends the connection", BOUND + 1, 2},
};

/* In any case nothing but the value is at fault. */
TEST_CASES(bound, struct bound_case, bound_rows)
{
    struct buffer answer = {0};
    struct step steps[STEPS_MAX] = {GREET, {GET_A, NULL}};
    static struct rig rig;

    buffer_printf(&answer, "$%zu\r\n%0*d\r\n", c->bytes, (int)c->bytes, 0);
    steps[1].answer = buffer_text(&answer);
    rig_open(&rig, steps, "a");
    CU_ASSERT_FATAL(store_read(rig.store, rig.keys, 1, STORE_CACHE, clock_ms(),
                               clock_ms() + 2000, on_done, &rig));
    for (int i = 0;
         i < TURNS_MAX && (rig.answers == 0 || !store_is_up(rig.store)); i++)
        (void)ev_run(rig.loop, EVRUN_NOWAIT);
    CU_ASSERT_EQUAL(rig.answers, 1);
    CU_ASSERT_EQUAL(rig.status, STORE_OK);
    CU_ASSERT_STRING_EQUAL(rig.kinds, "l");
    CU_ASSERT_TRUE(store_is_up(rig.store));
    CU_ASSERT_EQUAL(rig.server.peer.count, c->connections);
    CU_ASSERT_EQUAL(rig.downs, 0);
    rig_end(&rig);
    buffer_free(&answer);
}

/* A command that the server denied is not sent again on that connection. */
TEST_SINGLE(denied, "a range that is denied is asked for once a connection")
{
    static const struct step steps[STEPS_MAX] = {GREET,
                                                 {RANGE_A, NOPERM},
                                                 {GET_A, "$1\r\nx\r\n"},
                                                 {GET_A, "$1\r\ny\r\n"}};
    static struct rig rig;

    rig_open(&rig, steps, "a");
    ask(&rig);
    CU_ASSERT_STRING_EQUAL(rig.first, "x");
    ask(&rig);
    CU_ASSERT_STRING_EQUAL(rig.first, "y");
    steps_check(&rig.server);
    rig_end(&rig);
}

/* The next server, or the rights of the user by then, may be others. */
TEST_SINGLE(denied_anew, "and again on the next connection")
{
    static const struct step steps[STEPS_MAX] = {
        GREET, {RANGE_A, NOPERM}, {GET_A, "$1\r\nx\r\n"}};
    static struct rig rig;

    rig_open(&rig, steps, "a");
    ask(&rig);
    CU_ASSERT_EQUAL(rig.server.done, 3);
    script_hang_up(&rig.server.peer.connections[0]);
    CU_ASSERT_TRUE(run_until(&rig, &rig.server.peer.count, 2));
    ask(&rig);
    CU_ASSERT_STRING_EQUAL(rig.first, "x");
    CU_ASSERT_EQUAL(rig.server.done, 3);
    CU_ASSERT_FALSE(rig.server.is_strange);
    rig_end(&rig);
}

/* A reply without a command ends the connection. */
TEST_SINGLE(unasked, "a second answer ends the connection")
{
    static const struct step steps[STEPS_MAX] = {
        GREET, {RANGE_A, "$1\r\nx\r\n$1\r\ny\r\n"}};
    static struct rig rig;

    rig_open(&rig, steps, "a");
    ask(&rig);
    CU_ASSERT_STRING_EQUAL(rig.first, "x");
    ask(&rig);
    CU_ASSERT_EQUAL(rig.status, STORE_OK);
    CU_ASSERT_STRING_EQUAL(rig.first, "x");
    CU_ASSERT_EQUAL(rig.server.peer.count, 2);
    rig_end(&rig);
}

#define GET_TRIAL                                                              \
    {                                                                          \
        RANGE("$3\r\ni:0\r\n"), "$1\r\nx\r\n"                                  \
    }

/* Bytes that could not be sent are not sent on the next connection. */
TEST_SINGLE(unsent, "a command that cannot be sent goes with its connection")
{
    static const struct step steps[STEPS_MAX] = {GREET, GET_TRIAL, GET_TRIAL};
    static struct rig rig;

    rig_open(&rig, steps, "");
    rig.count = 1;
    rig.keys[0] = bytes_of("i:0"); /* the probe, after the store was down */
    ask(&rig);
    calls_fail(CALL_SEND, EPIPE);
    ask(&rig);
    CU_ASSERT_TRUE(calls_has_failed(CALL_SEND));
    CU_ASSERT_STRING_EQUAL(rig.down, "the connection broke");
    CU_ASSERT_TRUE(run_until(&rig, &rig.ups, 1));
    ask(&rig);
    CU_ASSERT_EQUAL(rig.status, STORE_OK);
    CU_ASSERT_STRING_EQUAL(rig.first, "x");
    CU_ASSERT_EQUAL(rig.server.peer.count, 2);
    steps_check(&rig.server);
    rig_end(&rig);
}

#define SET_A                                                                  \
    "*5\r\n$3\r\nSET\r\n" KEY("a") "$3\r\nval\r\n$2\r\nEX\r\n$2\r\n60\r\n"

struct write_case {
    const char *name;
    const char *answer; /* to the write */
    const char *lost;   /* why it is lost; NULL: it is not */
    const char *down;
};

static const struct write_case write_rows[] = {
    {"taken", "+OK\r\n$3\r\nval\r\n", NULL, NULL},
    {"refused", "-OOM no\r\n$3\r\nval\r\n", "the server is out of memory (OOM)",
     NULL},
    {"refused by a replica", "-READONLY no\r\n$3\r\nval\r\n", NULL,
     "the server is a replica, which takes no writes (READONLY)"},
    {"by a number", ":1\r\n$3\r\nval\r\n", NULL, WRONG_KIND},
    {"by nil", "$-1\r\n$3\r\nval\r\n", NULL, WRONG_KIND},
};

/* A write and the read after it are sent together, in this order. */
TEST_CASES(write, struct write_case, write_rows)
{
    const struct step steps[STEPS_MAX] = {
        GREET, {RANGE_A, "$-1\r\n"}, {SET_A RANGE_A, c->answer}};
    static struct rig rig;

    rig_open(&rig, steps, "a");
    ask(&rig);
    store_write(rig.store, rig.keys[0], bytes_of("val"), TTL_S);
    ask(&rig);
    CU_ASSERT_EQUAL(rig.status, c->down == NULL ? STORE_OK : STORE_DOWN);
    CU_ASSERT_STRING_EQUAL(rig.first, c->down == NULL ? "val" : "");
    CU_ASSERT_STRING_EQUAL(rig.down, c->down != NULL ? c->down : "");
    CU_ASSERT_EQUAL(rig.lost, c->lost != NULL || c->down != NULL);
    if (c->lost != NULL)
        CU_ASSERT_STRING_EQUAL(rig.wrote, c->lost);
    CU_ASSERT_FALSE(rig.server.is_strange);
    rig_end(&rig);
}

struct check_case {
    const char *name;
    const char *answer; /* NULL: none */
    const char *down;   /* why the connection ends; NULL: it stays */
};

static const struct check_case check_rows[] = {
    {"answered", "+PONG\r\n", NULL},
    {"refused: somebody is there", NOPERM, NULL},
    {"by a number", ":1\r\n", WRONG_KIND},
    {"by text", "$4\r\nPONG\r\n", WRONG_KIND},
    {"not answered", NULL, "no answer within 300 ms"},
};

/* Without reads and writes the link checks the server. */
TEST_CASES(check, struct check_case, check_rows)
{
    const struct step steps[STEPS_MAX] = {
        GREET, {"*1\r\n$4\r\nPING\r\n", c->answer}, {RANGE_A, "$3\r\nval\r\n"}};
    static struct rig rig;

    rig_open(&rig, steps, "a");
    settle(&rig);
    pass_ms(&rig, CHECK_MS - 1);
    CU_ASSERT_EQUAL(rig.server.done, 1);
    pass_ms(&rig, 1);
    CU_ASSERT_EQUAL(rig.server.done, 2);
    if (c->answer == NULL) {
        pass_ms(&rig, ANSWER_MS - 1);
        CU_ASSERT_EQUAL(rig.downs, 0);
        pass_ms(&rig, 2); /* seconds as double: one more than the next */
    }
    CU_ASSERT_EQUAL(rig.downs, c->down != NULL);
    CU_ASSERT_STRING_EQUAL(rig.down, c->down != NULL ? c->down : "");
    CU_ASSERT_EQUAL(rig.server.peer.count, 1);
    CU_ASSERT_FALSE(rig.server.is_strange);
    ask(&rig);
    CU_ASSERT_STRING_EQUAL(rig.first, c->down == NULL ? "val" : "");
    /* A lost connection is replaced eventually. */
    if (c->down == NULL) {
        CU_ASSERT_EQUAL(rig.server.peer.count, 1);
        CU_ASSERT_FALSE(rig.server.is_strange);
    }
    rig_end(&rig);
}

#define FLIGHTS_MAX 3
#define CHUNKS_MAX  4 /* under way */
#define VALUE_MAX   2048

struct chunk_case {
    const char *name;
    size_t count, value; /* keys, and bytes of each value */
    size_t flights[FLIGHTS_MAX + 1][CHUNKS_MAX]; /* keys of their chunks */
    bool is_last_absent;
};

/*
 * The lengths are unknown before the first 32 values have arrived; then chunks
 * have up to 512 keys, and up to four, of about 256 KiB, are pending.
 */
static const struct chunk_case chunk_rows[] = {
    {"as many as are asked for at once", 128, 1, {{128}}, false},
    {"the last of them absent", 128, 1, {{128}}, true},
    {"one more: a sample first", 129, 1, {{32}, {97}}, false},
    {"the last one absent", 129, 1, {{32}, {97}}, true},
    {"the largest chunk", 544, 1, {{32}, {512}}, false},
    {"two chunks together", 545, 1, {{32}, {512, 1}}, false},
    {"two together, the last key absent", 545, 1, {{32}, {512, 1}}, true},
    {"four together, and the next one when one has come",
     2081,
     1,
     {{32}, {512, 512, 512, 512}, {1}},
     false},
    {"256 KiB, and alone", 600, 512, {{32}, {512}, {56}}, false},
    {"256 KiB and no more", 600, 513, {{32}, {511}, {57}}, false},
};

static void
put_flight(struct buffer *wants, struct buffer *answers, const size_t *chunks,
           const struct chunk_case *c, size_t *left)
{
    char value[VALUE_MAX];

    memset(value, 'v', sizeof(value));
    for (size_t i = 0; i < CHUNKS_MAX && chunks[i] > 0; i++) {
        buffer_printf(wants, "*%zu\r\n$4\r\nMGET\r\n", chunks[i] + 1);
        buffer_printf(answers, "*%zu\r\n", chunks[i]);
        for (size_t k = 0; k < chunks[i]; k++) {
            buffer_add_text(wants, KEY("k"));
            if (--*left == 0 && c->is_last_absent)
                buffer_add_text(answers, "$-1\r\n");
            else
                buffer_printf(answers, "$%zu\r\n%.*s\r\n", c->value,
                              (int)c->value, value);
        }
    }
}

/* What the link sends and receives; the buffers are of the caller, and empty.
 */
struct flights {
    struct buffer wants[FLIGHTS_MAX], answers[FLIGHTS_MAX];
    size_t left; /* keys that are not asked for */
};

/* Fills the steps behind the greeting; returns the index of the next one. */
static size_t
put_flights(struct flights *flights, struct step steps[STEPS_MAX],
            const struct chunk_case *c)
{
    size_t i;

    flights->left = c->count;
    for (i = 0; i < FLIGHTS_MAX && c->flights[i][0] > 0; i++) {
        put_flight(&flights->wants[i], &flights->answers[i], c->flights[i], c,
                   &flights->left);
        steps[1 + i] = (struct step){buffer_text(&flights->wants[i]),
                                     buffer_text(&flights->answers[i])};
    }
    return 1 + i;
}

static void
flights_free(struct flights *flights)
{
    for (size_t i = 0; i < FLIGHTS_MAX; i++) {
        buffer_free(&flights->wants[i]);
        buffer_free(&flights->answers[i]);
    }
}

static void
ask_many(struct rig *rig, size_t count)
{
    rig->count = count;
    for (size_t i = 0; i < count; i++)
        rig->keys[i] = bytes_of("k");
    ask(rig);
}

TEST_CASES(chunk, struct chunk_case, chunk_rows)
{
    static struct rig rig;
    struct flights flights = {.left = 0};
    struct step steps[STEPS_MAX] = {GREET};
    size_t step = put_flights(&flights, steps, c);

    CU_ASSERT_EQUAL(flights.left, 0);
    if (c->is_last_absent) {
        steps[step++] =
            (struct step){"*2\r\n$6\r\nEXISTS\r\n" KEY("k"), ":1\r\n"};
        steps[step++] = (struct step){TYPE("k"), "+hash\r\n"};
    }
    rig_open(&rig, steps, "");
    ask_many(&rig, c->count);
    CU_ASSERT_EQUAL(rig.status, STORE_OK);
    for (size_t i = 0; i < c->count; i++)
        CU_ASSERT_EQUAL(rig.kinds[i],
                        i + 1 == c->count && c->is_last_absent ? 'w' : 's');
    steps_check(&rig.server);
    rig_end(&rig);
    flights_free(&flights);
}

struct sum_case {
    const char *name;
    struct chunk_case read;
    size_t most; /* bytes of an answer */
    enum store_status want;
};

/*
 * What would come after the answer has become too large is not asked for, and
 * what was already asked for is not kept.
 */
static const struct sum_case sum_rows[] = {
    {"as many bytes as there may be", {"", 2, 1, {{2}}, false}, 2, STORE_OK},
    {"a byte more", {"", 2, 1, {{2}}, false}, 1, STORE_LARGE},
    {"as many in the first chunk",
     {"", 129, 1, {{32}, {97}}, false},
     129,
     STORE_OK},
    {"a byte more in the first chunk",
     {"", 129, 1, {{32}}, false},
     31,
     STORE_LARGE},
    {"a byte more in the second one",
     {"", 129, 1, {{32}, {97}}, false},
     128,
     STORE_LARGE},
    /* A key of the last chunk is absent, but nobody wants to know why. */
    {"one chunk after it was already asked for",
     {"", 1056, 1, {{32}, {512, 512}}, true},
     40,
     STORE_LARGE},
};

/* The values of one request come to a limit together: S18.3. */
TEST_CASES(sum, struct sum_case, sum_rows)
{
    static struct rig rig;
    struct flights flights = {.left = 0};
    struct step steps[STEPS_MAX] = {GREET};

    rig_start(&rig, steps);
    (void)put_flights(&flights, steps, &c->read);
    steps_listen(&rig.server);
    rig.answer_bytes_max = c->most;
    rig_store(&rig);
    ask_many(&rig, c->read.count);
    CU_ASSERT_EQUAL(rig.status, c->want);
    settle(&rig);
    steps_check(&rig.server);
    rig_end(&rig);
    flights_free(&flights);
}

/* It is damaged, whatever the others come to: S18.3. */
TEST_SINGLE(sum_large, "a value of more than 1 MiB decides the read")
{
    static char value[(1 << 20) + 2];
    static struct rig rig;
    struct buffer want = {0}, answer = {0};
    struct step steps[STEPS_MAX] = {GREET};

    memset(value, 'v', sizeof(value) - 1);
    buffer_printf(&want, "*33\r\n$4\r\nMGET\r\n");
    buffer_printf(&answer, "*32\r\n$%zu\r\n%s\r\n", strlen(value), value);
    for (int i = 0; i < 32; i++) {
        buffer_add_text(&want, KEY("k"));
        if (i > 0)
            buffer_add_text(&answer, KEY("v"));
    }
    steps[1] = (struct step){buffer_text(&want), buffer_text(&answer)};
    rig_start(&rig, steps);
    steps_listen(&rig.server);
    rig.answer_bytes_max = 1;
    rig_store(&rig);
    rig.count = 129;
    for (size_t i = 0; i < rig.count; i++)
        rig.keys[i] = bytes_of("k");
    ask(&rig);
    CU_ASSERT_EQUAL(rig.status, STORE_OK);
    CU_ASSERT_EQUAL(rig.kinds[0], 'l');
    settle(&rig);
    steps_check(&rig.server);
    rig_end(&rig);
    buffer_free(&want);
    buffer_free(&answer);
}

struct connect_case {
    const char *name;
    size_t path_length; /* 0: as it is */
    bool is_there, is_heard;
    const char *down;
};

static const struct connect_case connect_rows[] = {
    {"no socket", 0, false, false,
     "connection failed: No such file or directory"},
    {"nobody listens", 0, true, false, "connection refused"},
    {"the longest path", 107, false, false,
     "connection failed: No such file or directory"},
    {"a path too long", 108, false, false, "the socket's path is too long"},
};

TEST_CASES(connect, struct connect_case, connect_rows)
{
    static const struct step none[STEPS_MAX] = {{NULL, NULL}};
    static struct rig rig;
    char path[FILES_PATH_MAX];

    rig_start(&rig, none);
    memset(path, 'x', sizeof(path));
    memcpy(path, "/nowhere/", 9);
    path[c->path_length] = '\0';
    if (c->path_length > 0)
        rig.config.unix_path = path;
    if (c->is_there) {
        steps_listen(&rig.server);
        script_end(&rig.server.peer);
    }
    rig_store(&rig);
    set_keys(&rig, "a");
    ask(&rig);
    CU_ASSERT_EQUAL(rig.status, STORE_DOWN);
    CU_ASSERT_STRING_EQUAL(rig.down, c->down);
    rig_end(&rig);
}

TEST_SUITE(.parts = 2);
