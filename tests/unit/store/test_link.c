/*
 * The link to Redis on the wire: what it sends, byte by byte, and what it makes
 * of each answer, right or wrong. A scripted server shares its loop; the store
 * above gives up after the first failure, so that each row shows one.
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
#include "support/files.h"

#define STEPS_MAX   4
#define KEYS_MAX    1100
#define PIECE_MAX   65536
#define TTL_S       60
#define PATIENCE_MS 3000 /* for what happens at once */
#define WORDS_MAX   400

/* Ends the connection, as an answer. */
static const char hang_up[] = "hang up";

struct step {
    const char *want;
    const char *answer; /* NULL: none */
};

/* One loop with a store and the server it talks to. */
struct rig {
    struct ev_loop *loop;
    struct store *store;
    struct redis_url config;
    ev_prepare turn;
    ev_timer due;
    ev_io listener, client; /* of the server */
    const struct step *steps;
    size_t done_steps;
    struct buffer got; /* since the last step */
    bool is_strange;   /* the server got something else */
    int accepted;
    int64_t slow_ms; /* before each answer */

    int ups, downs, lost, refusals; /* events */
    char down[WORDS_MAX], refused[WORDS_MAX], wrote[WORDS_MAX];

    char folder[FILES_PATH_MAX], path[FILES_PATH_MAX];
    struct bytes keys[KEYS_MAX];
    size_t count;
    int answers;
    enum store_status status;
    char kinds[KEYS_MAX + 1]; /* one letter for each value */
    char first[64];
};

static void
serve_step(struct rig *rig)
{
    const struct step *step = &rig->steps[rig->done_steps];
    size_t length;

    if (rig->done_steps == STEPS_MAX || step->want == NULL ||
        strncmp(step->want, buffer_text(&rig->got), rig->got.length) != 0) {
        rig->is_strange = true;
        return;
    }
    if (strlen(step->want) > rig->got.length)
        return;
    buffer_free(&rig->got);
    rig->done_steps++;
    clock_sleep_ms(rig->slow_ms);
    if (step->answer == hang_up) {
        ev_io_stop(rig->loop, &rig->client);
        (void)close(rig->client.fd);
    } else if (step->answer != NULL) {
        length = strlen(step->answer);
        CU_ASSERT(write(rig->client.fd, step->answer, length) ==
                  (ssize_t)length);
    }
}

static void
on_piece(struct ev_loop *loop, ev_io *watcher, int events)
{
    static char piece[PIECE_MAX];
    struct rig *rig = watcher->data;
    ssize_t got = recv(watcher->fd, piece, sizeof(piece), 0);

    (void)events;
    if (got <= 0) {
        ev_io_stop(loop, watcher);
        (void)close(watcher->fd);
        return;
    }
    buffer_add(&rig->got, piece, (size_t)got);
    serve_step(rig);
}

/* Every connection begins with the first step again. */
static void
on_accept(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct rig *rig = watcher->data;
    int fd = accept(watcher->fd, NULL, NULL);

    (void)events;
    rig->accepted++;
    rig->done_steps = 0;
    buffer_free(&rig->got);
    if (ev_is_active(&rig->client)) {
        ev_io_stop(loop, &rig->client);
        (void)close(rig->client.fd);
    }
    ev_io_set(&rig->client, fd, EV_READ);
    ev_io_start(loop, &rig->client);
}

static void
on_event(void *arg, enum store_event event, const char *detail)
{
    struct rig *rig = arg;
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
on_due(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)timer;
    (void)events;
}

static void
on_turn(struct ev_loop *loop, ev_prepare *watcher, int events)
{
    struct rig *rig = watcher->data;
    int64_t due_ms = store_turn(rig->store, clock_ms());

    (void)events;
    if (due_ms < 0 || due_ms > 20)
        due_ms = 20; /* whoever runs the loop looks whether it is enough */
    ev_now_update(loop);
    ev_timer_stop(loop, &rig->due);
    ev_timer_set(&rig->due, (double)due_ms / 1000, 0.);
    ev_timer_start(loop, &rig->due);
}

static void
listen_at(struct rig *rig)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%.100s",
                   rig->path);
    CU_ASSERT_FATAL(fd >= 0 &&
                    bind(fd, (struct sockaddr *)&address, sizeof(address)) ==
                        0 &&
                    listen(fd, 8) == 0);
    ev_io_init(&rig->listener, on_accept, fd, EV_READ);
    rig->listener.data = rig;
    ev_io_start(rig->loop, &rig->listener);
}

static void
rig_start(struct rig *rig, const struct step *steps)
{
    *rig = (struct rig){.loop = ev_loop_new(EVFLAG_AUTO), .steps = steps};
    CU_ASSERT_FATAL(files_folder_make(rig->folder));
    files_path(rig->path, "%s/redis.sock", rig->folder);
    rig->config.unix_path = rig->path;
    ev_io_init(&rig->client, on_piece, -1, EV_READ);
    rig->client.data = rig;
}

static void
rig_store(struct rig *rig)
{
    const struct store_config config = {.attempts = 1,
                                        .connect_timeout_ms = 1000,
                                        .command_timeout_ms = 300,
                                        .deadline_ms = 2000,
                                        .event = on_event,
                                        .event_arg = rig};

    rig->store = store_redis_new(rig->loop, &rig->config, &config);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rig->store);
    ev_prepare_init(&rig->turn, on_turn);
    ev_timer_init(&rig->due, on_due, 0., 0.);
    rig->turn.data = rig;
    ev_prepare_start(rig->loop, &rig->turn);
}

static void
rig_end(struct rig *rig)
{
    store_free(rig->store);
    if (ev_is_active(&rig->client))
        (void)close(rig->client.fd);
    if (ev_is_active(&rig->listener))
        (void)close(rig->listener.fd);
    ev_loop_destroy(rig->loop);
    buffer_free(&rig->got);
    files_folder_remove(rig->folder);
}

static bool
run_until(struct rig *rig, const int *number, int wanted)
{
    int64_t end_ms = clock_ms() + PATIENCE_MS;

    while (*number < wanted && clock_ms() < end_ms)
        (void)ev_run(rig->loop, EVRUN_ONCE);
    return *number >= wanted;
}

static void
on_done(void *arg, enum store_status status, const struct store_value *values)
{
    static const char letters[] = {
        [STORE_ABSENT] = '-', [STORE_STRING] = 's', [STORE_WRONG_TYPE] = 'w'};
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
ask(struct rig *rig)
{
    int before = rig->answers;

    CU_ASSERT_FATAL(store_read(rig->store, rig->keys, rig->count, STORE_MUST,
                               clock_ms(), clock_ms() + 2000, on_done, rig));
    CU_ASSERT(run_until(rig, &rig->answers, before + 1));
    CU_ASSERT_EQUAL(rig->answers, before + 1);
}

/* Keys of one letter. */
static void
set_keys(struct rig *rig, const char *letters)
{
    rig->count = strlen(letters);
    for (size_t i = 0; i < rig->count; i++)
        rig->keys[i] = (struct bytes){letters + i, 1};
}

#define KEY(k)   "$1\r\n" k "\r\n"
#define PROBE    "*2\r\n$6\r\nEXISTS\r\n$3\r\ni:0\r\n"
#define GET_A    "*2\r\n$3\r\nGET\r\n" KEY("a")
#define MGET_AB  "*3\r\n$4\r\nMGET\r\n" KEY("a") KEY("b")
#define EXISTS_B "*2\r\n$6\r\nEXISTS\r\n" KEY("b")
#define TYPE(k)  "*2\r\n$4\r\nTYPE\r\n" KEY(k)
#define GREET                                                                  \
    {                                                                          \
        PROBE, ":0\r\n"                                                        \
    }
#define THEN_GET                                                               \
    {                                                                          \
        GET_A, "$1\r\nx\r\n"                                                   \
    }
#define ONE_NIL                                                                \
    {                                                                          \
        MGET_AB, "*2\r\n$1\r\nx\r\n$-1\r\n"                                    \
    }
#define DROPPED       "the connection broke: Server closed the connection"
#define WRONG_KIND    "an answer of the wrong kind"
#define NO_ANSWER     "not an answer of Redis"
#define WRONGTYPE     "-WRONGTYPE Operation against a key\r\n"
#define NOPERM        "-NOPERM this user has no permissions\r\n"
#define NOPERM_TEXT   "the user lacks a permission (NOPERM)"
#define LOADING       "-LOADING Redis is loading\r\n"
#define LOADING_TEXT  "the server is loading its data (LOADING)"
#define ARRAY_TOO_BIG "*513\r\n"

struct read_case {
    const char *name, *keys;
    struct step steps[STEPS_MAX];
    const char *kinds;   /* NULL: it is not answered */
    const char *first;   /* the first value */
    const char *refused; /* why the read is refused */
    const char *down;    /* why the connection ends */
};

static const struct read_case read_rows[] = {
    {"one string",
     "a",
     {GREET, {GET_A, "$3\r\nabc\r\n"}},
     .kinds = "s",
     .first = "abc"},
    {"one empty string",
     "a",
     {GREET, {GET_A, "$0\r\n\r\n"}},
     .kinds = "s",
     .first = ""},
    {"one absent", "a", {GREET, {GET_A, "$-1\r\n"}}, .kinds = "-", .first = ""},
    {"one of another type",
     "a",
     {GREET, {GET_A, WRONGTYPE}},
     .kinds = "w",
     .first = ""},
    {"one refused", "a", {GREET, {GET_A, NOPERM}}, .refused = NOPERM_TEXT},
    {"one, while loading",
     "a",
     {GREET, {GET_A, LOADING}},
     .refused = LOADING_TEXT},
    {"one by a status", "a", {GREET, {GET_A, "+OK\r\n"}}, .down = WRONG_KIND},
    {"one by a number", "a", {GREET, {GET_A, ":1\r\n"}}, .down = WRONG_KIND},
    {"one by an array",
     "a",
     {GREET, {GET_A, "*1\r\n$1\r\nx\r\n"}},
     .down = WRONG_KIND},
    {"one by garbage", "a", {GREET, {GET_A, "hello\r\n"}}, .down = NO_ANSWER},
    {"one by nothing", "a", {GREET, {GET_A, hang_up}}, .down = DROPPED},

    {"two strings",
     "ab",
     {GREET, {MGET_AB, "*2\r\n$1\r\nx\r\n$1\r\ny\r\n"}},
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
    {"two refused", "ab", {GREET, {MGET_AB, NOPERM}}, .refused = NOPERM_TEXT},
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
     {GREET, {MGET_AB, "*1\r\n$1\r\nx\r\n"}},
     .down = WRONG_KIND},
    {"two by three",
     "ab",
     {GREET, {MGET_AB, "*3\r\n$1\r\nx\r\n$1\r\ny\r\n$1\r\nz\r\n"}},
     .down = WRONG_KIND},
    {"two by a string",
     "ab",
     {GREET, {MGET_AB, "$1\r\nx\r\n"}},
     .down = WRONG_KIND},
    {"two, one a number",
     "ab",
     {GREET, {MGET_AB, "*2\r\n$1\r\nx\r\n:1\r\n"}},
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
     {GREET, {MGET_AB, ARRAY_TOO_BIG}},
     .down = NO_ANSWER},
    {"no answer in time",
     "a",
     {GREET, {GET_A, NULL}},
     .down = "no answer within 300 ms"},
};

/* What a row wants of the server's side: every step taken, and no more. */
static void
check_server(const struct rig *rig, const struct step *steps)
{
    size_t count = 0;

    while (count < STEPS_MAX && steps[count].want != NULL)
        count++;
    CU_ASSERT_FALSE(rig->is_strange);
    CU_ASSERT(rig->done_steps == count || rig->accepted > 1);
    if (rig->is_strange)
        (void)printf("the server got: %s\n", buffer_text(&rig->got));
}

TEST_CASES(read, struct read_case, read_rows)
{
    static struct rig rig;

    rig_start(&rig, c->steps);
    listen_at(&rig);
    rig_store(&rig);
    set_keys(&rig, c->keys);
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
    check_server(&rig, c->steps);
    rig_end(&rig);
}

/* It is no answer to anything: the next read goes over a new connection. */
TEST_SINGLE(unasked, "a second answer ends the connection")
{
    static const struct step steps[STEPS_MAX] = {
        GREET, {GET_A, "$1\r\nx\r\n$1\r\ny\r\n"}};
    static struct rig rig;

    rig_start(&rig, steps);
    listen_at(&rig);
    rig_store(&rig);
    set_keys(&rig, "a");
    ask(&rig);
    CU_ASSERT_STRING_EQUAL(rig.first, "x");
    ask(&rig);
    CU_ASSERT_EQUAL(rig.status, STORE_OK);
    CU_ASSERT_STRING_EQUAL(rig.first, "x");
    CU_ASSERT_EQUAL(rig.accepted, 2);
    rig_end(&rig);
}

#define GET_TRIAL                                                              \
    {                                                                          \
        "*2\r\n$3\r\nGET\r\n$3\r\ni:0\r\n", "$1\r\nx\r\n"                      \
    }

/* What was not sent is no part of what goes over the next connection. */
TEST_SINGLE(unsent, "a command that cannot be sent goes with its connection")
{
    static const struct step steps[STEPS_MAX] = {GREET, GET_TRIAL, GET_TRIAL};
    static struct rig rig;

    rig_start(&rig, steps);
    listen_at(&rig);
    rig_store(&rig);
    rig.count = 1;
    rig.keys[0] = bytes_of("i:0"); /* what a store that was down tries */
    ask(&rig);
    calls_fail(CALL_SEND, EPIPE);
    ask(&rig);
    CU_ASSERT_TRUE(calls_has_failed(CALL_SEND));
    CU_ASSERT_STRING_EQUAL(rig.down, "the connection broke");
    CU_ASSERT_TRUE(run_until(&rig, &rig.ups, 1));
    ask(&rig);
    CU_ASSERT_EQUAL(rig.status, STORE_OK);
    CU_ASSERT_STRING_EQUAL(rig.first, "x");
    CU_ASSERT_EQUAL(rig.accepted, 2);
    check_server(&rig, steps);
    rig_end(&rig);
}

struct handshake_case {
    const char *name, *username, *password;
    int database;
    struct step steps[STEPS_MAX];
    const char *down; /* NULL: the connection is good */
};

#define AUTH_PW   "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n"
#define AUTH_USER "*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$2\r\npw\r\n"
#define SELECT_7  "*2\r\n$6\r\nSELECT\r\n$1\r\n7\r\n"

static const struct handshake_case handshake_rows[] = {
    {"nothing but the probe", NULL, NULL, 0, {GREET, THEN_GET}, NULL},
    {"the probed key is there",
     NULL,
     NULL,
     0,
     {{PROBE, ":1\r\n"}, THEN_GET},
     NULL},
    {"a password",
     NULL,
     "pw",
     0,
     {{AUTH_PW PROBE, "+OK\r\n:0\r\n"}, THEN_GET},
     NULL},
    {"a user",
     "me",
     "pw",
     0,
     {{AUTH_USER PROBE, "+OK\r\n:0\r\n"}, THEN_GET},
     NULL},
    {"a user without a password", "me", NULL, 0, {GREET, THEN_GET}, NULL},
    {"a database",
     NULL,
     NULL,
     7,
     {{SELECT_7 PROBE, "+OK\r\n:0\r\n"}, THEN_GET},
     NULL},
    {"all of it",
     "me",
     "pw",
     7,
     {{AUTH_USER SELECT_7 PROBE, "+OK\r\n+OK\r\n:0\r\n"}, THEN_GET},
     NULL},
    {"the probe forbidden, and alive",
     NULL,
     NULL,
     0,
     {{PROBE, NOPERM}, THEN_GET},
     NULL},
    {"the probe refused", NULL, NULL, 0, {{PROBE, LOADING}}, LOADING_TEXT},
    {"the probe by a status", NULL, NULL, 0, {{PROBE, "+OK\r\n"}}, WRONG_KIND},
    {"the probe by a string",
     NULL,
     NULL,
     0,
     {{PROBE, "$1\r\n1\r\n"}},
     WRONG_KIND},
    {"the password refused",
     NULL,
     "pw",
     0,
     {{AUTH_PW PROBE, "-WRONGPASS invalid\r\n-NOAUTH\r\n"}},
     "the password was refused (WRONGPASS)"},
    {"the password by a number",
     NULL,
     "pw",
     0,
     {{AUTH_PW PROBE, ":1\r\n:0\r\n"}},
     WRONG_KIND},
    {"the database refused",
     NULL,
     NULL,
     7,
     {{SELECT_7 PROBE, "-ERR DB index is out of range\r\n:0\r\n"}},
     "the database number was refused"},
    {"closed at once", NULL, NULL, 0, {{PROBE, hang_up}}, DROPPED},
    {"silent", NULL, NULL, 0, {{PROBE, NULL}}, "no answer within 300 ms"},
};

TEST_CASES(handshake, struct handshake_case, handshake_rows)
{
    static struct rig rig;

    rig_start(&rig, c->steps);
    rig.config.username = c->username != NULL ? (char *)c->username : NULL;
    rig.config.password = c->password != NULL ? (char *)c->password : NULL;
    rig.config.database = c->database;
    listen_at(&rig);
    rig_store(&rig);
    set_keys(&rig, "a");
    ask(&rig);
    CU_ASSERT_EQUAL(rig.status, c->down == NULL ? STORE_OK : STORE_DOWN);
    CU_ASSERT_STRING_EQUAL(rig.down, c->down != NULL ? c->down : "");
    check_server(&rig, c->steps);
    rig_end(&rig);
}

#define SET_A                                                                  \
    "*5\r\n$3\r\nSET\r\n" KEY("a") "$3\r\nval\r\n$2\r\nEX\r\n$2\r\n60\r\n"

struct write_case {
    const char *name;
    const char *answer; /* to the write */
    const char *lost;   /* why it is; NULL: it is not */
    const char *down;
};

static const struct write_case write_rows[] = {
    {"taken", "+OK\r\n$3\r\nval\r\n", NULL, NULL},
    {"refused", "-READONLY no\r\n$3\r\nval\r\n",
     "the server is a replica, which takes no writes (READONLY)", NULL},
    {"by a number", ":1\r\n$3\r\nval\r\n", NULL, WRONG_KIND},
    {"by nil", "$-1\r\n$3\r\nval\r\n", NULL, WRONG_KIND},
};

/* A write and a read behind it travel together, in this order. */
TEST_CASES(write, struct write_case, write_rows)
{
    const struct step steps[STEPS_MAX] = {
        GREET, {GET_A, "$-1\r\n"}, {SET_A GET_A, c->answer}};
    static struct rig rig;

    rig_start(&rig, steps);
    listen_at(&rig);
    rig_store(&rig);
    set_keys(&rig, "a");
    ask(&rig);
    store_write(rig.store, rig.keys[0], bytes_of("val"), TTL_S, clock_ms());
    ask(&rig);
    CU_ASSERT_EQUAL(rig.status, c->down == NULL ? STORE_OK : STORE_DOWN);
    CU_ASSERT_STRING_EQUAL(rig.first, c->down == NULL ? "val" : "");
    CU_ASSERT_STRING_EQUAL(rig.down, c->down != NULL ? c->down : "");
    CU_ASSERT_EQUAL(rig.lost, c->lost != NULL || c->down != NULL);
    if (c->lost != NULL)
        CU_ASSERT_STRING_EQUAL(rig.wrote, c->lost);
    CU_ASSERT_FALSE(rig.is_strange);
    rig_end(&rig);
}

struct check_case {
    const char *name;
    const char *answer; /* NULL: none */
    const char *down;   /* what becomes of the connection; NULL: it stays */
};

static const struct check_case check_rows[] = {
    {"answered", "+PONG\r\n", NULL},
    {"refused: somebody is there", NOPERM, NULL},
    {"by a number", ":1\r\n", WRONG_KIND},
    {"by text", "$4\r\nPONG\r\n", WRONG_KIND},
    {"not answered", NULL, "no answer within 300 ms"},
};

/* With nobody asking for anything the server is asked whether it is there. */
TEST_CASES(check, struct check_case, check_rows)
{
    const struct step steps[STEPS_MAX] = {
        GREET, {"*1\r\n$4\r\nPING\r\n", c->answer}, {GET_A, "$3\r\nval\r\n"}};
    static struct rig rig;
    int64_t end_ms = clock_ms() + PATIENCE_MS;

    rig_start(&rig, steps);
    listen_at(&rig);
    rig_store(&rig);
    while (rig.done_steps < 2 && clock_ms() < end_ms)
        (void)ev_run(rig.loop, EVRUN_ONCE);
    CU_ASSERT_EQUAL(rig.done_steps, 2);
    if (c->down != NULL)
        CU_ASSERT(run_until(&rig, &rig.downs, 1));
    CU_ASSERT_STRING_EQUAL(rig.down, c->down != NULL ? c->down : "");
    CU_ASSERT_EQUAL(rig.accepted, 1);
    CU_ASSERT_FALSE(rig.is_strange);
    set_keys(&rig, "a");
    ask(&rig);
    CU_ASSERT_STRING_EQUAL(rig.first, c->down == NULL ? "val" : "");
    /* One that is lost has a successor, sooner or later. */
    if (c->down == NULL) {
        CU_ASSERT_EQUAL(rig.accepted, 1);
        CU_ASSERT_FALSE(rig.is_strange);
    }
    rig_end(&rig);
}

struct chunk_case {
    const char *name;
    size_t count;
    size_t absent;   /* index of the one that is */
    size_t from, to; /* the chunk that it is in */
};

static const struct chunk_case chunk_rows[] = {
    {"one, full", 512, 511, 0, 512},
    {"two, the first with an absent key", 513, 0, 0, 512},
    {"two, the last with an absent key", 513, 512, 512, 513},
    {"two, full", 1024, 512, 512, 1024},
    {"three", 1025, 1023, 512, 1024},
};

#define CHUNK 512 /* keys of one MGET, docs/protocol.md, "Store" */

static void
put_chunks(struct buffer *wants, struct buffer *answers,
           const struct chunk_case *c)
{
    for (size_t i = 0; i < c->count; i++) {
        size_t left = c->count - i;

        if (i % CHUNK == 0) {
            size_t size = left < CHUNK ? left : CHUNK;

            buffer_printf(wants, "*%zu\r\n$4\r\nMGET\r\n", size + 1);
            buffer_printf(answers, "*%zu\r\n", size);
        }
        buffer_add_text(wants, KEY("k"));
        buffer_add_text(answers, i == c->absent ? "$-1\r\n" : "$1\r\nv\r\n");
    }
}

TEST_CASES(chunk, struct chunk_case, chunk_rows)
{
    static struct rig rig;
    struct buffer wants = {0}, answers = {0};
    struct step steps[STEPS_MAX] = {
        GREET,
        {NULL, NULL},
        {"*2\r\n$6\r\nEXISTS\r\n" KEY("k"), ":1\r\n"},
        {TYPE("k"), "+hash\r\n"}};

    put_chunks(&wants, &answers, c);
    steps[1] = (struct step){buffer_text(&wants), buffer_text(&answers)};
    rig_start(&rig, steps);
    listen_at(&rig);
    rig_store(&rig);
    rig.count = c->count;
    for (size_t i = 0; i < c->count; i++)
        rig.keys[i] = bytes_of("k");
    ask(&rig);
    CU_ASSERT_EQUAL(rig.status, STORE_OK);
    for (size_t i = 0; i < c->count; i++)
        CU_ASSERT_EQUAL(rig.kinds[i], i == c->absent ? 'w' : 's');
    check_server(&rig, steps);
    rig_end(&rig);
    buffer_free(&wants);
    buffer_free(&answers);
}

/* 300 ms is the time of a command: two together take longer. */
TEST_SINGLE(slow, "each command of a read has its own time")
{
    static const struct step steps[STEPS_MAX] = {
        GREET, ONE_NIL, {EXISTS_B, ":1\r\n"}, {TYPE("b"), "+list\r\n"}};
    static struct rig rig;

    rig_start(&rig, steps);
    rig.slow_ms = 180;
    listen_at(&rig);
    rig_store(&rig);
    set_keys(&rig, "ab");
    ask(&rig);
    CU_ASSERT_EQUAL(rig.status, STORE_OK);
    CU_ASSERT_STRING_EQUAL(rig.kinds, "sw");
    check_server(&rig, steps);
    rig_end(&rig);
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
        listen_at(&rig);
        ev_io_stop(rig.loop, &rig.listener);
        (void)close(rig.listener.fd);
    }
    rig_store(&rig);
    set_keys(&rig, "a");
    ask(&rig);
    CU_ASSERT_EQUAL(rig.status, STORE_DOWN);
    CU_ASSERT_STRING_EQUAL(rig.down, c->down);
    rig_end(&rig);
}

TEST_SUITE(.parts = 2);
