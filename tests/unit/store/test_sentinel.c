/*
 * The route to the master that sentinels name: which server is asked, and when
 * another one is. Sentinels and servers are scripted, and the clock is a number
 * that only the row advances. Each row is a script of steps and the trace that
 * they must leave. Source: docs/protocol.md, S21.
 *
 *     sA7    the first sentinel names server A, in epoch 7
 *     uB8    the second one names server B, in epoch 8
 *     s-     it names nobody
 *     s.     it is gone
 *     Ar     server A reports that it is a replica
 *     A!     it refuses writes, as a replica does
 *     A~     it is silent
 *     r, w   a required read, a cache write
 *     pN     N ms pass
 *     .      leaves a dot in the trace
 *     ?      traces how many sentinels are reachable, and whether the store is
 *            up
 *
 * A read is traced with the name of the server that answers it. In texts a
 * server's address is its name, and that of a sentinel is s or u.
 */
#include <ev.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sentinel.h"
#include "store/store.h"
#include "support/calls.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/link_fake.h"
#include "support/ports.h"
#include "support/script.h"
#include "support/steps.h"

#define TRACE_SIZE  1024
#define STEP_MS     10
#define TURNS       8 /* of the loop: more than both sides need for one answer */
#define COMMAND_MS  300
#define DEADLINE_MS 800
#define HOST        "127.0.0.1"

#define SENTINEL_HELLO "*2\r\n$4\r\nmode\r\n$8\r\nsentinel\r\n+PONG\r\n"
#define MASTER_HELLO   STEPS_MASTER ":0\r\n"
#define REPLICA_HELLO  "*2\r\n$4\r\nrole\r\n$7\r\nreplica\r\n:0\r\n"

enum place { PLACE_A = 0, PLACE_B, PLACE_S, PLACE_U, PLACES };
static const char names[] = "ABsu";

struct server {
    struct script_peer peer; /* not started: nobody listens */
    int port;
    enum place place;
    char answers[200]; /* of a sentinel, to a poll */
    bool is_replica, refuses_writes, is_silent;
    char greeting[200]; /* the first piece that it has received */
};

static struct {
    struct ev_loop *loop;
    struct server servers[PLACES];
    struct redis_url url;
    struct store *store;
    struct link_turns turns;
    char trace[TRACE_SIZE];
} rig;

static void __attribute__((format(printf, 1, 2))) trace(const char *format, ...)
{
    size_t length = strlen(rig.trace);
    va_list args;

    if (length > 0)
        rig.trace[length++] = ' ';
    va_start(args, format);
    (void)vsnprintf(rig.trace + length, sizeof(rig.trace) - length, format,
                    args);
    va_end(args);
}

/* Servers. */

static bool
has(const char *piece, size_t length, const char *word)
{
    return memmem(piece, length, word, strlen(word)) != NULL;
}

static const char *
answer_of(const struct server *server, const char *piece, size_t length)
{
    static const char *const values[] = {"$1\r\nA\r\n", "$1\r\nB\r\n"};

    if (server->is_silent)
        return "";
    if (has(piece, length, "\r\nSET\r\n"))
        return server->refuses_writes ? "-READONLY no\r\n" : "+OK\r\n";
    if (has(piece, length, "\r\nGETRANGE\r\n"))
        return values[server->place];
    return "+PONG\r\n";
}

static void
take(struct script_connection *connection, const char *piece, size_t length)
{
    struct server *server = connection->peer->data;
    const bool is_first = connection->pieces++ == 0;
    const char *answer;

    if (is_first)
        (void)snprintf(server->greeting, sizeof(server->greeting), "%.*s",
                       (int)length, piece);
    if (server->place >= PLACE_S && server->is_silent)
        return;
    if (server->place >= PLACE_S)
        answer = is_first ? SENTINEL_HELLO : server->answers;
    else if (is_first)
        answer = server->is_replica ? REPLICA_HELLO : MASTER_HELLO;
    else
        answer = answer_of(server, piece, length);
    script_send(connection, answer, strlen(answer));
}

static const struct script_ops ops = {.got = take};

/* epoch 0: it names nobody. */
static void
sentinel_say(struct server *sentinel, const struct server *master, char epoch)
{
    char port[16];
    const int digits = snprintf(port, sizeof(port), "%d", master->port);

    if (epoch == 0)
        (void)snprintf(sentinel->answers, sizeof(sentinel->answers),
                       "*0\r\n*-1\r\n*0\r\n$2\r\nm%c\r\n",
                       names[sentinel->place]);
    else
        (void)snprintf(sentinel->answers, sizeof(sentinel->answers),
                       "*2\r\n$12\r\nconfig-epoch\r\n$1\r\n%c\r\n"
                       "*2\r\n$9\r\n" HOST "\r\n$%d\r\n%s\r\n"
                       "*0\r\n$2\r\nm%c\r\n",
                       epoch, digits, port, names[sentinel->place]);
}

static void
server_start(enum place place)
{
    struct server *server = &rig.servers[place];

    server->place = place;
    script_serve(&server->peer, rig.loop, ports_listen(&server->port), &ops,
                 server);
    sentinel_say(server, server, 0);
}

/* The store. */

/* A text with names instead of addresses. */
static void
put_names(const char *text, char ret_text[TRACE_SIZE])
{
    size_t length = 0;

    while (*text != '\0' && length + 1 < TRACE_SIZE) {
        ret_text[length++] = *text++;
        if (strncmp(text - 1, HOST ":", sizeof(HOST)) != 0)
            continue;
        text += sizeof(HOST) - 1;
        for (int i = 0; i < PLACES; i++)
            if (rig.servers[i].port == atoi(text))
                ret_text[length - 1] = names[i];
        text += strspn(text, "0123456789");
    }
    ret_text[length] = '\0';
}

static void
on_event(void *arg, enum store_event event, const char *server,
         const char *detail)
{
    static const char *const words[STORE_EVENT__MAX] = {
        [STORE_EVENT_DOWN] = "DOWN",
        [STORE_EVENT_UP] = "UP",
        [STORE_EVENT_MASTER] = "MASTER",
        [STORE_EVENT_RETRY] = "RETRY",
        [STORE_EVENT_WRITE_FAILED] = "FAILED",
        [STORE_EVENT_WRITE_DROPPED] = "DROPPED",
    };
    char text[TRACE_SIZE];

    CU_ASSERT_PTR_EQUAL(arg, &rig);
    CU_ASSERT_PTR_NULL(server);
    if (words[event] == NULL)
        return;
    put_names(detail != NULL ? detail : "", text);
    if (detail != NULL)
        trace("%s[%s]", words[event], text);
    else
        trace("%s", words[event]);
}

static void
on_done(void *arg, enum store_status status, const struct store_value *values)
{
    static const char *const words[STORE__MAX] = {
        [STORE_OK] = "ok",           [STORE_DOWN] = "down",
        [STORE_TIMEOUT] = "timeout", [STORE_REFUSED] = "refused",
        [STORE_LARGE] = "large",     [STORE_MEMORY] = "memory",
    };

    (void)arg;
    if (status == STORE_OK)
        trace("r=%.*s", (int)values[0].data.length, values[0].data.at);
    else
        trace("r=%s", words[status]);
}

/* limit_ms: of connecting, and of an answer. */
static void
rig_start(size_t sentinels, int64_t limit_ms)
{
    const struct store_config config = {.attempts = 3,
                                        .connect_timeout_ms = limit_ms,
                                        .command_timeout_ms = limit_ms,
                                        .deadline_ms = DEADLINE_MS,
                                        .answer_bytes_max = 1 << 20,
                                        .probe_key = {"i:0", 3},
                                        .event = on_event,
                                        .event_arg = &rig};
    struct store_route *route;

    calls_stop_clock();
    memset(&rig, 0, sizeof(rig));
    rig.loop = ev_loop_new(EVFLAG_AUTO);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rig.loop);
    for (size_t i = 0; i < PLACE_S + sentinels; i++)
        server_start((enum place)i);
    rig.url = (struct redis_url){.kind = REDIS_URL_SENTINEL,
                                 .host = HOST,
                                 .hosts = {{HOST, rig.servers[PLACE_S].port},
                                           {HOST, rig.servers[PLACE_U].port}},
                                 .host_count = sentinels,
                                 .master = "m"};
    route = store_sentinel_new(rig.loop, &rig.url, &config);
    CU_ASSERT_PTR_NOT_NULL_FATAL(route);
    rig.store = store_new(&config, route);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rig.store);
    link_turns_start(&rig.turns, rig.loop, rig.store);
}

static void
rig_end(void)
{
    store_free(rig.store);
    for (int i = 0; i < PLACES; i++)
        script_end(&rig.servers[i].peer);
    ev_loop_destroy(rig.loop);
    calls_let_clock_go();
}

/* Steps. */

static void
pass(int64_t ms)
{
    for (int64_t passed = 0; passed < ms; passed += STEP_MS) {
        calls_pass_ms(STEP_MS);
        for (int i = 0; i < TURNS; i++)
            (void)ev_run(rig.loop, EVRUN_NOWAIT);
        clock_sleep_ms(1); /* the kernel may be late with what was sent */
    }
}

static struct server *
server_of(char name)
{
    const char *at = strchr(names, name);

    CU_ASSERT_FATAL(at != NULL && name != '\0');
    return &rig.servers[at - names];
}

static void
step_server(const char *step)
{
    struct server *server = server_of(step[0]);

    if (step[1] == '.')
        script_end(&server->peer);
    else if (step[1] == '-')
        sentinel_say(server, server, 0);
    else if (server->place >= PLACE_S && step[1] != '~')
        sentinel_say(server, server_of(step[1]), step[2]);
    server->is_replica = server->is_replica || step[1] == 'r';
    server->refuses_writes = server->refuses_writes || step[1] == '!';
    server->is_silent = server->is_silent || step[1] == '~';
}

static void
step_run(const char *step)
{
    static const struct bytes key = {"k", 1}, value = {"v", 1};
    const int64_t now_ms = clock_ms();

    if (step[0] == 'p')
        pass(strtoll(step + 1, NULL, 10));
    else if (step[0] == 'r')
        CU_ASSERT(store_read(rig.store, &key, 1, STORE_MUST, now_ms,
                             now_ms + DEADLINE_MS, on_done, NULL));
    else if (step[0] == 'w')
        store_write(rig.store, key, value, 60);
    else if (step[0] == '.')
        trace(".");
    else if (step[0] == '?')
        trace("%zu-%s", store_sentinels(rig.store),
              store_is_up(rig.store) ? "up" : "down");
    else
        step_server(step);
}

struct route_case {
    const char *name;
    size_t sentinels;
    const char *script, *want;
};

#define NO_MASTER(name)                                                        \
    "DOWN[master m at " name ": the server is a replica, not the master]"

/* The sentinels are asked at 0, 250, 500 ms and so on. */
static const struct route_case route_rows[] = {
    {"the server that is named", 1, "sA7 p300 r p50 ?", "MASTER[A] r=A 1-up"},
    {"a read before it is known waits", 1, "sA7 r p100", "MASTER[A] r=A"},
    {"nobody is named", 1, "s- r p100 ?",
     "DOWN[master m: no sentinel has answered] r=down 1-down"},
    {"the first one is named later", 1, "s- p100 sA7 p200 r p50",
     "DOWN[master m: no sentinel has answered] MASTER[A] UP r=A"},
    {"another one has what was pending, and this is no failure", 1,
     "sA7 p300 A~ r p50 sB8 p240", "MASTER[A] MASTER[B] r=B"},
    {"a write under way is lost, and this is none, either", 1,
     "sA7 p300 A~ w p50 sB8 p240 r p50", "MASTER[A] DROPPED MASTER[B] r=B"},
    {"the same one in a new epoch is no news", 1, "sA7 p300 sA8 p300 r p50",
     "MASTER[A] r=A"},
    {"all sentinels are gone: the last one stays", 1,
     "sA7 p300 s. p1000 r p50 ?", "MASTER[A] r=A 0-up"},
    {"a sentinel that names nobody: the last one stays", 1,
     "sA7 p300 s- p300 r p50 ?", "MASTER[A] r=A 1-up"},
    {"an older epoch at the word of one of two is not taken", 2,
     "sA7 uA7 p300 s. uB6 p300 r p50", "MASTER[A] r=A"},
    {"a newer one is, at the word of one", 2, "sA7 uA7 p300 uB8 p300 r p50",
     "MASTER[A] MASTER[B] r=B"},
    {"who is no master is asked again after 500 ms, then after a second", 1,
     "Ar sA7 p200 . p290 . p110 . p860 . p200 .",
     "MASTER[A] " NO_MASTER("A") " . . MASTER[A] UP " NO_MASTER(
         "A") " . . MASTER[A] UP " NO_MASTER("A") " ."},
    {"in its place the next one", 2, "Ar sA7 p100 . uB6 p200 r p50",
     "MASTER[A] " NO_MASTER("A") " . MASTER[B] UP r=B"},
    {"one that was the master", 1, "sA7 p300 A! Ar w p50 . sB8 p200 r p50",
     "MASTER[A] DROPPED " NO_MASTER("A") " . MASTER[B] UP r=B"},
};

/* The limits of the settings may be longer. */
TEST_SINGLE(unheard, "no sentinel for as long as a request may take")
{
    rig_start(1, 5 * DEADLINE_MS);
    step_run("s~");
    step_run("r");
    pass(DEADLINE_MS - STEP_MS);
    CU_ASSERT_STRING_EQUAL(rig.trace, "");
    pass(3 * STEP_MS);
    CU_ASSERT_STRING_EQUAL(
        rig.trace, "r=timeout DOWN[master m: no sentinel has answered]");
    rig_end();
}

/* Those of the URL: S21.1. For sentinels there are others. */
TEST_SINGLE(login, "user, password and database are for the master")
{
    rig_start(1, COMMAND_MS);
    rig.url.username = "me";
    rig.url.password = "pw";
    rig.url.database = 3;
    step_run("sA7");
    pass(100);
    CU_ASSERT_STRING_EQUAL(
        rig.servers[PLACE_A].greeting,
        "*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$2\r\npw\r\n" STEPS_HELLO
        "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n"
        "*2\r\n$6\r\nEXISTS\r\n$3\r\ni:0\r\n");
    rig_end();
}

TEST_CASES(route, struct route_case, route_rows)
{
    char *script = strdup(c->script), *rest = script;

    CU_ASSERT_PTR_NOT_NULL_FATAL(script);
    rig_start(c->sentinels, COMMAND_MS);
    for (const char *step; (step = strsep(&rest, " ")) != NULL;)
        step_run(step);
    CU_ASSERT_STRING_EQUAL(rig.trace, c->want);
    if (strcmp(rig.trace, c->want) != 0)
        (void)printf("want: %s\ngot:  %s\n", c->want, rig.trace);
    rig_end();
    free(script);
}
