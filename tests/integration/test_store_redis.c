/*
 * The store on a real Redis, started here on a private socket and port, and
 * on peers that misbehave in every way we know of. Single-threaded: peers,
 * store and clock share one loop.
 */
#include <arpa/inet.h>
#include <ev.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../src/store_redis.h"
#include "../support/cases.h"
#include "suites.h"

#define ATTEMPTS    3
#define CONNECT_MS  200
#define COMMAND_MS  300
#define DEADLINE_MS 800
#define RECOVERY_MS 2000

/* What a busy machine may add to a time limit. */
#define SLACK_MS 150

#define PATIENCE_MS 5000 /* for what must happen at all */

static int64_t
clock_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A store on a loop, served as a worker does it. */
struct world {
    struct ev_loop *loop;
    struct store *store;
    ev_prepare prepare;
    ev_timer timer, patience;
    int events[STORE_EVENT__MAX];
    char down[400], refused[400]; /* the last details */
};

static void
on_event(void *arg, enum store_event event, const char *detail)
{
    struct world *world = arg;

    world->events[event]++;
    ev_break(world->loop, EVBREAK_ONE); /* look, do not sleep on it */
    if (event == STORE_EVENT_DOWN)
        (void)snprintf(world->down, sizeof(world->down), "%s", detail);
    if (event == STORE_EVENT_REFUSED)
        (void)snprintf(world->refused, sizeof(world->refused), "%s", detail);
}

static void
on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)timer;
    (void)events;
}

static void
on_prepare(struct ev_loop *loop, ev_prepare *prepare, int events)
{
    struct world *world = prepare->data;
    int64_t next_ms = store_turn(world->store, clock_ms());

    (void)events;
    ev_now_update(loop);
    ev_timer_stop(loop, &world->timer);
    if (next_ms < 0)
        return;
    ev_timer_set(&world->timer, (ev_tstamp)next_ms / 1000., 0.);
    ev_timer_start(loop, &world->timer);
}

static void
world_start(struct world *world, const struct config_redis *redis)
{
    const struct store_config config = {.attempts = ATTEMPTS,
                                        .connect_timeout_ms = CONNECT_MS,
                                        .command_timeout_ms = COMMAND_MS,
                                        .deadline_ms = DEADLINE_MS,
                                        .event = on_event,
                                        .event_arg = world};

    *world = (struct world){.loop = ev_loop_new(EVFLAG_AUTO)};
    world->store = store_redis_new(world->loop, redis, &config);
    CU_ASSERT_PTR_NOT_NULL_FATAL(world->store);
    ev_prepare_init(&world->prepare, on_prepare);
    ev_timer_init(&world->timer, on_timer, 0., 0.);
    ev_timer_init(&world->patience, on_timer, 0., 0.);
    world->prepare.data = world;
    ev_prepare_start(world->loop, &world->prepare);
}

static void
world_end(struct world *world)
{
    store_free(world->store);
    ev_loop_destroy(world->loop);
}

/* Runs until the number is at least so large; says whether it became so. */
static bool
run_until(struct world *world, const int *number, int wanted, int64_t limit_ms)
{
    int64_t end_ms = clock_ms() + limit_ms;

    while (*number < wanted && clock_ms() < end_ms) {
        ev_now_update(world->loop);
        ev_timer_stop(world->loop, &world->patience);
        ev_timer_set(&world->patience, (ev_tstamp)(end_ms - clock_ms()) / 1000.,
                     0.);
        ev_timer_start(world->loop, &world->patience);
        ev_run(world->loop, EVRUN_ONCE);
    }
    ev_timer_stop(world->loop, &world->patience);
    return *number >= wanted;
}

static void
run_for(struct world *world, int64_t limit_ms)
{
    const int never = 0;

    (void)run_until(world, &never, 1, limit_ms);
}

#define KEYS_MAX 1100

struct answer {
    struct world *world;
    int done;
    enum store_status status;
    int64_t asked_ms, took_ms;
    struct bytes keys[KEYS_MAX];
    size_t count;
    enum store_value_kind kinds[KEYS_MAX];
    char first[64]; /* the first key's value */
    size_t first_length;
};

static void
on_done(void *arg, enum store_status status, const struct store_value *values)
{
    struct answer *answer = arg;

    ev_break(answer->world->loop, EVBREAK_ONE);
    answer->done++;
    answer->status = status;
    answer->took_ms = clock_ms() - answer->asked_ms;
    for (size_t i = 0; status == STORE_OK && i < answer->count; i++)
        answer->kinds[i] = values[i].kind;
    if (status == STORE_OK && values[0].kind == STORE_STRING &&
        values[0].data.length < sizeof(answer->first)) {
        answer->first_length = values[0].data.length;
        memcpy(answer->first, values[0].data.at, values[0].data.length);
    }
}

/* Asks, and does not wait. */
static void
ask(struct world *world, struct answer *answer, enum store_need need)
{
    answer->world = world;
    answer->done = 0;
    answer->first_length = 0;
    answer->asked_ms = clock_ms();
    CU_ASSERT(store_read(world->store, answer->keys, answer->count, need,
                         answer->asked_ms, answer->asked_ms + DEADLINE_MS,
                         on_done, answer));
}

static void
await(struct world *world, struct answer *answer)
{
    CU_ASSERT(run_until(world, &answer->done, 1, PATIENCE_MS));
    CU_ASSERT_EQUAL(answer->done, 1);
}

/* Asks for one key, and waits. */
static enum store_status
get(struct world *world, struct answer *answer, enum store_need need,
    const char *key)
{
    answer->keys[0] = bytes_of(key);
    answer->count = 1;
    ask(world, answer, need);
    await(world, answer);
    return answer->status;
}

static bool
first_is(const struct answer *answer, struct bytes want)
{
    return bytes_equal((struct bytes){answer->first, answer->first_length},
                       want);
}

/* The Redis of this test. */

static struct {
    char folder[64], path[96];
    char port[8];
    pid_t pid;
} server;

static struct config_redis server_config;

static int
free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        address.sin_port = 0;
    (void)close(fd);
    return ntohs(address.sin_port);
}

/* A blocking command on a connection of its own, as an administrator. */
static long long
admin(const char *format, const char *argument)
{
    redisContext *context = redisConnectUnix(server.path);
    redisReply *reply = NULL;
    long long result = -1;

    if (context != NULL && context->err == 0)
        reply = redisCommand(context, format, argument);
    if (reply != NULL && reply->type != REDIS_REPLY_ERROR)
        result = reply->integer;
    freeReplyObject(reply);
    redisFree(context);
    return result;
}

static bool
server_start(void)
{
    server.pid = fork();
    if (server.pid == 0) {
        int null = open("/dev/null", O_RDWR);

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* also if a test crashes */
        (void)dup2(null, STDOUT_FILENO);
        (void)execlp("redis-server", "redis-server", "--port", server.port,
                     "--bind", "127.0.0.1", "--unixsocket", server.path,
                     "--dir", server.folder, "--save", "", "--appendonly", "no",
                     (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 200 && server.pid > 0; i++) {
        const struct timespec pause = {.tv_nsec = 10000000};

        if (admin("EXISTS %s", "x") >= 0)
            return true;
        (void)nanosleep(&pause, NULL);
    }
    return false;
}

static void
server_stop(void)
{
    if (server.pid <= 0)
        return;
    (void)kill(server.pid, SIGKILL);
    (void)waitpid(server.pid, NULL, 0);
    server.pid = 0;
    (void)unlink(server.path);
}

static int
redis_suite_start(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    (void)strcpy(server.folder, "/tmp/test_store_redis.XXXXXX");
    if (mkdtemp(server.folder) == NULL)
        return 1;
    (void)snprintf(server.path, sizeof(server.path), "%s/socket",
                   server.folder);
    (void)snprintf(server.port, sizeof(server.port), "%d", free_port());
    server_config = (struct config_redis){.unix_path = server.path};
    return server_start() ? 0 : 1;
}

static int
redis_suite_end(void)
{
    server_stop();
    (void)rmdir(server.folder);
    return 0;
}

/* Values. */

struct value_case {
    const char *name, *key;
    enum store_need need;
    enum store_value_kind want;
    struct bytes data;
};

static const struct value_case value_rows[] = {
    {"string", "text", STORE_MUST, STORE_STRING, {"abc", 3}},
    {"string from the cache", "text", STORE_CACHE, STORE_STRING, {"abc", 3}},
    {"empty string", "empty", STORE_MUST, STORE_STRING, {"", 0}},
    {"NULs", "nuls", STORE_MUST, STORE_STRING, {"a\0b\0", 4}},
    {"absent", "none", STORE_MUST, STORE_ABSENT, {"", 0}},
    {"absent in the cache", "none", STORE_CACHE, STORE_ABSENT, {"", 0}},
    {"a list", "list", STORE_MUST, STORE_WRONG_TYPE, {"", 0}},
    {"a list in the cache", "list", STORE_CACHE, STORE_WRONG_TYPE, {"", 0}},
};

TEST_CASES(value, struct value_case, value_rows)
{
    struct answer answer = {0};
    struct world world;

    (void)admin("SET text %s", "abc");
    (void)admin("SET empty %s", "");
    (void)admin("EVAL %s 0", "return redis.call('set', 'nuls', 'a\\0b\\0')");
    (void)admin("DEL %s", "list");
    (void)admin("RPUSH list %s", "x");
    world_start(&world, &server_config);
    CU_ASSERT_EQUAL(get(&world, &answer, c->need, c->key), STORE_OK);
    CU_ASSERT_EQUAL(answer.kinds[0], c->want);
    CU_ASSERT(first_is(&answer, c->data));
    world_end(&world);
}

struct many_case {
    const char *name;
    size_t count, absent, list; /* indexes, or beyond the end: none */
};

static const struct many_case many_rows[] = {
    {"two keys", 2, 9999, 9999},
    {"two keys, one absent", 2, 1, 9999},
    {"two keys, one a list", 2, 9999, 1},
    {"one chunk, full", 512, 9999, 9999},
    {"two chunks", 513, 512, 9999},
    {"three chunks, an absent key in the first", 1025, 0, 9999},
    {"three chunks, a list in the last", 1025, 3, 1024},
    {"an absent key and a list in one chunk", 600, 510, 511},
};

TEST_CASES(many, struct many_case, many_rows)
{
    static struct answer answer;
    static char names[KEYS_MAX][24];
    struct world world;

    answer = (struct answer){.count = c->count};
    (void)admin("FLUSHALL%s", "");
    for (size_t i = 0; i < c->count; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "i:%zu", i);
        answer.keys[i] = bytes_of(names[i]);
    }
    (void)admin("EVAL %s 0", "for i = 0, 1099 do redis.call('set', "
                             "'i:' .. i, '[]') end");
    for (size_t i = 0; i < c->count; i++)
        if (i == c->absent || i == c->list)
            (void)admin("DEL %s", names[i]);
    if (c->list < c->count)
        (void)admin("RPUSH %s x", names[c->list]);

    world_start(&world, &server_config);
    ask(&world, &answer, STORE_MUST);
    await(&world, &answer);
    CU_ASSERT_EQUAL(answer.status, STORE_OK);
    for (size_t i = 0; i < c->count; i++)
        CU_ASSERT_EQUAL(answer.kinds[i], i == c->absent ? STORE_ABSENT
                                         : i == c->list ? STORE_WRONG_TYPE
                                                        : STORE_STRING);
    world_end(&world);
}

TEST_SINGLE(write, "value and time to live")
{
    struct answer answer = {0};
    struct world world;

    (void)c;
    (void)admin("DEL %s", "k");
    world_start(&world, &server_config);
    (void)get(&world, &answer, STORE_MUST, "k");
    CU_ASSERT_EQUAL(answer.kinds[0], STORE_ABSENT);
    store_write(world.store, bytes_of("k"), (struct bytes){"1\0\r\n", 4}, 3600,
                clock_ms());
    (void)get(&world, &answer, STORE_CACHE, "k");
    CU_ASSERT(first_is(&answer, (struct bytes){"1\0\r\n", 4}));
    CU_ASSERT(admin("TTL %s", "k") > 3590);
    CU_ASSERT(admin("TTL %s", "k") <= 3600);
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_WRITE_FAILED], 0);
    world_end(&world);
}

TEST_SINGLE(pipeline, "each answer finds its own request")
{
    static struct answer answers[500];
    static char names[500][24];
    struct world world;

    (void)c;
    (void)admin("EVAL %s 0", "for i = 0, 499 do redis.call('set', "
                             "'p:' .. i, i) end");
    world_start(&world, &server_config);
    for (size_t i = 0; i < 500; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "p:%zu", i);
        answers[i] = (struct answer){.keys = {bytes_of(names[i])}, .count = 1};
        ask(&world, &answers[i], i % 2 ? STORE_MUST : STORE_CACHE);
        store_write(world.store, bytes_of("w"), bytes_of("x"), 1, clock_ms());
    }
    for (size_t i = 0; i < 500; i++) {
        await(&world, &answers[i]);
        CU_ASSERT(first_is(&answers[i], bytes_of(names[i] + 2)));
    }
    world_end(&world);
}

/* The server says no. */

struct refusal_case {
    const char *name, *username, *password;
    int database;
    const char *down; /* NULL: it works */
};

static const struct refusal_case refusal_rows[] = {
    {"right password", NULL, "right", 0, NULL},
    {"right user and password", "default", "right", 3, NULL},
    {"wrong password", NULL, "wrong", 0,
     "the password was refused (WRONGPASS)"},
    {"wrong user", "nobody", "right", 0,
     "the password was refused (WRONGPASS)"},
    {"no password", NULL, NULL, 0, "a password is needed (NOAUTH)"},
    {"no such database", NULL, "right", 99, "the database number was refused"},
};

TEST_CASES(refusal, struct refusal_case, refusal_rows)
{
    struct config_redis config = server_config;
    struct answer answer = {0};
    struct world world;

    config.username = c->username;
    config.password = c->password;
    config.database = c->database;
    (void)admin("CONFIG SET requirepass %s", "right");
    world_start(&world, &config);
    CU_ASSERT_EQUAL(get(&world, &answer, STORE_MUST, "none"),
                    c->down == NULL ? STORE_OK : STORE_DOWN);
    CU_ASSERT(answer.took_ms < SLACK_MS);
    run_for(&world, 200);
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_DOWN], c->down != NULL);
    CU_ASSERT_STRING_EQUAL(world.down, c->down != NULL ? c->down : "");
    (void)admin("AUTH %s", "right");
    world_end(&world);
    server_stop();
    CU_ASSERT(server_start());
}

TEST_SINGLE(password_change, "the password is put right on the server")
{
    struct config_redis config = server_config;
    struct world world;

    (void)c;
    config.password = "new";
    world_start(&world, &config);
    CU_ASSERT(run_until(&world, &world.events[STORE_EVENT_DOWN], 1, 1000));
    CU_ASSERT_STRING_EQUAL(world.down,
                           "a password was given, but the server has none");
    (void)admin("CONFIG SET requirepass %s", "new");
    CU_ASSERT(run_until(&world, &world.events[STORE_EVENT_UP], 1, RECOVERY_MS));
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_DOWN], 1);
    world_end(&world);
    server_stop();
    CU_ASSERT(server_start());
}

TEST_SINGLE(no_permission, "a read that the user may not do")
{
    struct config_redis config = server_config;
    struct answer answer = {0};
    struct world world;

    (void)c;
    (void)admin("ACL SETUSER limited on >pw +@all ~%s*", "a:");
    config.username = "limited";
    config.password = "pw";
    world_start(&world, &config);
    CU_ASSERT_EQUAL(get(&world, &answer, STORE_MUST, "b:1"), STORE_REFUSED);
    CU_ASSERT_STRING_EQUAL(world.refused,
                           "the user lacks a permission (NOPERM)");
    CU_ASSERT_EQUAL(get(&world, &answer, STORE_MUST, "a:1"), STORE_OK);
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_READ_OK], 1);
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_DOWN], 0);
    world_end(&world);
}

TEST_SINGLE(write_refused, "the server is out of memory")
{
    struct answer answer = {0};
    struct world world;

    (void)c;
    world_start(&world, &server_config);
    (void)get(&world, &answer, STORE_MUST, "none");
    (void)admin("CONFIG SET maxmemory %s", "1");
    store_write(world.store, bytes_of("k"), bytes_of("v"), 1, clock_ms());
    (void)get(&world, &answer, STORE_MUST, "none");
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_WRITE_FAILED], 1);
    (void)admin("CONFIG SET maxmemory %s", "0");
    store_write(world.store, bytes_of("k"), bytes_of("v"), 1, clock_ms());
    CU_ASSERT_EQUAL(get(&world, &answer, STORE_MUST, "none"), STORE_OK);
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_WRITE_OK], 1);
    world_end(&world);
}

/* The server goes away and comes back. */

TEST_SINGLE(killed, "killed and started again")
{
    struct answer answer = {0};
    struct world world;
    int64_t back_ms;

    (void)c;
    world_start(&world, &server_config);
    CU_ASSERT_EQUAL(get(&world, &answer, STORE_MUST, "none"), STORE_OK);
    server_stop();
    CU_ASSERT_EQUAL(get(&world, &answer, STORE_MUST, "none"), STORE_DOWN);
    CU_ASSERT(answer.took_ms < DEADLINE_MS);
    (void)printf("  killed: 503 after %lld ms (%s)\n",
                 (long long)answer.took_ms, world.down);
    for (int i = 0; i < 20; i++) {
        CU_ASSERT_NOT_EQUAL(get(&world, &answer, STORE_CACHE, "none"),
                            STORE_OK);
        CU_ASSERT(answer.took_ms < 50);
    }
    CU_ASSERT(server_start());
    back_ms = clock_ms();
    CU_ASSERT(run_until(&world, &world.events[STORE_EVENT_UP], 1, RECOVERY_MS));
    (void)printf("  killed: back after %lld ms\n",
                 (long long)(clock_ms() - back_ms));
    CU_ASSERT_EQUAL(get(&world, &answer, STORE_MUST, "none"), STORE_OK);
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_DOWN], 1);
    world_end(&world);
}

TEST_SINGLE(restarted, "restarted while idle is no outage")
{
    struct answer answer = {0};
    struct world world;

    (void)c;
    world_start(&world, &server_config);
    CU_ASSERT_EQUAL(get(&world, &answer, STORE_MUST, "none"), STORE_OK);
    server_stop();
    CU_ASSERT(server_start());
    CU_ASSERT_EQUAL(get(&world, &answer, STORE_MUST, "none"), STORE_OK);
    CU_ASSERT_EQUAL(get(&world, &answer, STORE_CACHE, "none"), STORE_OK);
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_DOWN], 0);
    world_end(&world);
}

TEST_SINGLE(frozen, "stopped and continued")
{
    static struct answer answer, must;
    struct world world;
    int64_t back_ms, worst_ms = 0;

    (void)c;
    world_start(&world, &server_config);
    CU_ASSERT_EQUAL(get(&world, &answer, STORE_MUST, "none"), STORE_OK);
    (void)kill(server.pid, SIGSTOP);
    must = (struct answer){.keys = {bytes_of("none")}, .count = 1};
    ask(&world, &must, STORE_MUST);
    while (world.events[STORE_EVENT_DOWN] == 0 && worst_ms < PATIENCE_MS) {
        CU_ASSERT_NOT_EQUAL(get(&world, &answer, STORE_CACHE, "none"),
                            STORE_OK);
        if (answer.took_ms > worst_ms)
            worst_ms = answer.took_ms;
        run_for(&world, 5);
    }
    CU_ASSERT(worst_ms < COMMAND_MS + SLACK_MS);
    await(&world, &must);
    CU_ASSERT_NOT_EQUAL(must.status, STORE_OK);
    CU_ASSERT(must.took_ms < DEADLINE_MS + SLACK_MS);
    (void)printf("  frozen: 503 after %lld ms, slowest miss %lld ms (%s)\n",
                 (long long)must.took_ms, (long long)worst_ms, world.down);
    worst_ms = 0;
    for (int i = 0; i < 150; i++) {
        CU_ASSERT_EQUAL(
            get(&world, &answer, i % 2 ? STORE_CACHE : STORE_MUST, "none"),
            STORE_DOWN);
        if (answer.took_ms > worst_ms)
            worst_ms = answer.took_ms;
        run_for(&world, 10);
    }
    CU_ASSERT(worst_ms < 50);
    (void)printf("  frozen: slowest of 150 with the breaker open: %lld ms\n",
                 (long long)worst_ms);
    (void)kill(server.pid, SIGCONT);
    back_ms = clock_ms();
    while (get(&world, &answer, STORE_MUST, "none") != STORE_OK &&
           clock_ms() - back_ms < PATIENCE_MS)
        run_for(&world, 10);
    (void)printf("  frozen: back after %lld ms\n",
                 (long long)(clock_ms() - back_ms));
    CU_ASSERT(clock_ms() - back_ms < RECOVERY_MS);
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_UP], 1);
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_DOWN], 1);
    world_end(&world);
}

/* Names. */

TEST_SINGLE(name_resolves, "localhost over TCP")
{
    struct config_redis config = {.host = "localhost"};
    struct answer answer = {0};
    struct world world;

    (void)c;
    config.port = atoi(server.port);
    world_start(&world, &config);
    CU_ASSERT_EQUAL(get(&world, &answer, STORE_MUST, "none"), STORE_OK);
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_DOWN], 0);
    world_end(&world);
}

TEST_SINGLE(name_unknown, "a name that does not resolve")
{
    static const struct config_redis config = {.host = "no-such-host.invalid",
                                               .port = 6379};
    static struct answer cache, must;
    struct world world;

    (void)c;
    world_start(&world, &config);
    must = (struct answer){.keys = {bytes_of("none")}, .count = 1};
    ask(&world, &must, STORE_MUST);
    CU_ASSERT_NOT_EQUAL(get(&world, &cache, STORE_CACHE, "none"), STORE_OK);
    CU_ASSERT(cache.took_ms < COMMAND_MS + SLACK_MS);
    await(&world, &must);
    CU_ASSERT_NOT_EQUAL(must.status, STORE_OK);
    CU_ASSERT(must.took_ms < DEADLINE_MS + SLACK_MS);
    (void)printf("  name: 503 after %lld ms (%s)\n", (long long)must.took_ms,
                 world.down);
    for (int i = 0; i < 100; i++) {
        CU_ASSERT_EQUAL(get(&world, &cache, STORE_CACHE, "none"), STORE_DOWN);
        CU_ASSERT(cache.took_ms < 50);
        run_for(&world, 10);
    }
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_DOWN], 1);
    world_end(&world);
}

TEST_SINGLE(refused_connection, "nobody listens")
{
    struct config_redis config = {.host = "127.0.0.1"};
    struct answer answer = {0};
    struct world world;

    (void)c;
    config.port = free_port();
    world_start(&world, &config);
    CU_ASSERT_EQUAL(get(&world, &answer, STORE_MUST, "none"), STORE_DOWN);
    CU_ASSERT(answer.took_ms < DEADLINE_MS);
    CU_ASSERT_STRING_EQUAL(world.down, "connection refused");
    world_end(&world);
}

/* Peers that misbehave. */

#define PEER_CONNECTIONS 64
#define PEER_TEXT        4096

/*
 * Answers what comes in one piece with the next of its answers; the
 * handshake is the first piece of every connection. After the last: silence.
 */
struct peer_script {
    const char *answers[4];
    bool drips;  /* one byte every 20 ms, after the handshake's answer */
    bool closes; /* after an answer to anything but a handshake */
};

struct peer;

struct peer_connection {
    struct peer *peer;
    ev_io readable;
    ev_timer drip;
    int pieces;
    const char *rest; /* to be dripped */
};

struct peer {
    struct world *world;
    struct peer_script script;
    ev_io listener;
    struct peer_connection connections[PEER_CONNECTIONS];
    int count;
};

static void
peer_hang_up(struct peer_connection *connection)
{
    struct ev_loop *loop = connection->peer->world->loop;

    if (!ev_is_active(&connection->readable))
        return;
    ev_io_stop(loop, &connection->readable);
    ev_timer_stop(loop, &connection->drip);
    (void)close(connection->readable.fd);
}

static void
peer_send(struct peer_connection *connection, const char *text, size_t length)
{
    if (write(connection->readable.fd, text, length) < 0)
        peer_hang_up(connection);
}

static void
on_drip(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct peer_connection *connection = timer->data;

    (void)events;
    if (connection->rest[0] == '\0')
        ev_timer_stop(loop, timer);
    else
        peer_send(connection, connection->rest++, 1);
}

static void
on_piece(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct peer_connection *connection = watcher->data;
    const struct peer_script *script = &connection->peer->script;
    char piece[PEER_TEXT];
    const char *answer = NULL;

    (void)events;
    if (read(watcher->fd, piece, sizeof(piece)) <= 0) {
        peer_hang_up(connection);
        return;
    }
    if (connection->pieces < 4)
        answer = script->answers[connection->pieces];
    connection->pieces++;
    if (answer == NULL)
        return;
    if (script->drips && connection->pieces > 1) {
        connection->rest = answer;
        ev_timer_set(&connection->drip, 0., .02);
        ev_timer_start(loop, &connection->drip);
        return;
    }
    peer_send(connection, answer, strlen(answer));
    if (script->closes && connection->pieces > 1)
        peer_hang_up(connection);
}

static void
on_accept(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct peer *peer = watcher->data;
    struct peer_connection *connection;
    int fd = accept(watcher->fd, NULL, NULL);

    (void)events;
    CU_ASSERT_FATAL(fd >= 0 && peer->count < PEER_CONNECTIONS);
    connection = &peer->connections[peer->count++];
    connection->peer = peer;
    ev_io_init(&connection->readable, on_piece, fd, EV_READ);
    ev_timer_init(&connection->drip, on_drip, 0., 0.);
    connection->readable.data = connection;
    connection->drip.data = connection;
    ev_io_start(loop, &connection->readable);
}

static void
peer_start(struct peer *peer, struct world *world, int port,
           const struct peer_script *script)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((in_port_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    const int on = 1;

    *peer = (struct peer){.world = world, .script = *script};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    CU_ASSERT_FATAL(
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0);
    CU_ASSERT_FATAL(listen(fd, 16) == 0);
    ev_io_init(&peer->listener, on_accept, fd, EV_READ);
    peer->listener.data = peer;
    ev_io_start(world->loop, &peer->listener);
}

static void
peer_end(struct peer *peer)
{
    ev_io_stop(peer->world->loop, &peer->listener);
    (void)close(peer->listener.fd);
    for (int i = 0; i < peer->count; i++)
        peer_hang_up(&peer->connections[i]);
}

struct peer_case {
    const char *name;
    struct peer_script script;
    const char *down; /* why the breaker opens; NULL: who knows */
};

/* The handshake's answer is ":0\r\n". */
static const struct peer_case peer_rows[] = {
    {"silent", {.answers = {NULL}}, "no answer within 300 ms"},
    {"silent after the handshake",
     {.answers = {":0\r\n"}},
     "no answer within 300 ms"},
    {"drips",
     {.answers = {":0\r\n", "$99\r\n0123456789012345678901234567890"},
      .drips = true},
     "no answer within 300 ms"},
    {"drips in the handshake", {.answers = {":"}}, "no answer within 300 ms"},
    {"half an answer, then closes",
     {.answers = {":0\r\n", "$5\r\nab"}, .closes = true},
     "the connection broke: Server closed the connection"},
    {"garbage",
     {.answers = {"HTTP/1.1 400 Bad Request\r\n\r\n"}},
     "not an answer of Redis"},
    {"garbage after the handshake",
     {.answers = {":0\r\n", "\x16\x03\x01"}},
     "not an answer of Redis"},
    {"an array for one value",
     {.answers = {":0\r\n", "*1\r\n$1\r\nx\r\n"}},
     "an answer of the wrong kind"},
    {"a number for a value",
     {.answers = {":0\r\n", ":5\r\n"}},
     "an answer of the wrong kind"},
    {"a string for the handshake",
     {.answers = {"$1\r\nx\r\n"}},
     "an answer of the wrong kind"},
    {"two answers to the handshake",
     {.answers = {":0\r\n:0\r\n"}},
     "an answer that nobody asked for"},
    {"an array of billions",
     {.answers = {":0\r\n", "*2147483647\r\n"}},
     "not an answer of Redis"},
    {"a length below nothing",
     {.answers = {":0\r\n", "$-7\r\n"}},
     "not an answer of Redis"},
    {"a length beyond numbers",
     {.answers = {":0\r\n", "$99999999999999999999\r\n"}},
     "not an answer of Redis"},
    {"nested deep",
     {.answers = {":0\r\n",
                  "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"
                  "*1\r\n*1\r\n"}},
     NULL /* depends on the version of hiredis */},
    {"LOADING",
     {.answers = {"-LOADING Redis is loading the dataset in memory\r\n"}},
     "the server answered LOADING"},
    {"MASTERDOWN",
     {.answers = {"-MASTERDOWN Link with MASTER is down\r\n"}},
     "the server answered MASTERDOWN"},
    {"BUSY",
     {.answers = {"-BUSY Redis is busy running a script\r\n"}},
     "the server answered BUSY"},
    {"too many clients",
     {.answers = {"-ERR max number of clients reached\r\n"}, .closes = true},
     "the server has too many clients"},
    {"an error we never heard of",
     {.answers = {"-secret value\r\n"}},
     "the server answered with an error"},
};

/*
 * Whatever the peer does: reads end in time, all is well again once a good
 * one listens there, and each outage is told once.
 */
TEST_CASES(peer, struct peer_case, peer_rows)
{
    static const struct peer_script good = {
        .answers = {":0\r\n", "$2\r\nok\r\n", "$2\r\nok\r\n", "$2\r\nok\r\n"}};
    struct config_redis config = {.host = "127.0.0.1"};
    static struct answer must, cache;
    static struct peer peer;
    struct world world;
    int64_t back_ms, start_ms = clock_ms();

    config.port = free_port();
    world_start(&world, &config);
    peer_start(&peer, &world, config.port, &c->script);
    must = (struct answer){.keys = {bytes_of("a")}, .count = 1};
    while (world.events[STORE_EVENT_DOWN] == 0 &&
           clock_ms() - start_ms < PATIENCE_MS) {
        ask(&world, &must, STORE_MUST);
        CU_ASSERT_NOT_EQUAL(get(&world, &cache, STORE_CACHE, "a"), STORE_OK);
        CU_ASSERT(cache.took_ms < COMMAND_MS + SLACK_MS);
        await(&world, &must);
        CU_ASSERT_NOT_EQUAL(must.status, STORE_OK);
        CU_ASSERT(must.took_ms < DEADLINE_MS + SLACK_MS);
    }
    CU_ASSERT(clock_ms() - start_ms < ATTEMPTS * COMMAND_MS + 2 * SLACK_MS);
    if (c->down != NULL)
        CU_ASSERT_STRING_EQUAL(world.down, c->down);
    for (int i = 0; i < 30; i++) {
        CU_ASSERT_EQUAL(get(&world, &cache, STORE_CACHE, "a"), STORE_DOWN);
        CU_ASSERT(cache.took_ms < 50);
        run_for(&world, 10);
    }
    peer_end(&peer);
    peer_start(&peer, &world, config.port, &good);
    back_ms = clock_ms();
    while (get(&world, &must, STORE_MUST, "a") != STORE_OK &&
           clock_ms() - back_ms < PATIENCE_MS)
        run_for(&world, 10);
    CU_ASSERT(clock_ms() - back_ms < RECOVERY_MS);
    CU_ASSERT(first_is(&must, bytes_of("ok")));
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_DOWN], 1);
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_UP], 1);
    peer_end(&peer);
    world_end(&world);
}

TEST_SINGLE(unsolicited, "bytes on an idle connection")
{
    static const struct peer_script script = {
        .answers = {":0\r\n", "$2\r\nok\r\n", "$2\r\nok\r\n"}};
    struct config_redis config = {.host = "127.0.0.1"};
    struct answer answer = {0};
    static struct peer peer;
    struct world world;

    (void)c;
    config.port = free_port();
    world_start(&world, &config);
    peer_start(&peer, &world, config.port, &script);
    CU_ASSERT_EQUAL(get(&world, &answer, STORE_MUST, "a"), STORE_OK);
    peer_send(&peer.connections[0], "$3\r\nbad\r\n", 9);
    run_for(&world, 50);
    CU_ASSERT_EQUAL(get(&world, &answer, STORE_MUST, "a"), STORE_OK);
    CU_ASSERT(first_is(&answer, bytes_of("ok")));
    CU_ASSERT_EQUAL(peer.count, 2);
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_DOWN], 0);
    peer_end(&peer);
    world_end(&world);
}

TEST_SINGLE(late, "a late answer is nobody's")
{
    static const struct peer_script script = {.answers = {":0\r\n"}};
    struct config_redis config = {.host = "127.0.0.1"};
    static struct answer first, second;
    static struct peer peer;
    struct world world;

    (void)c;
    config.port = free_port();
    world_start(&world, &config);
    peer_start(&peer, &world, config.port, &script);
    run_for(&world, 50);
    first = (struct answer){.keys = {bytes_of("a")}, .count = 1};
    first.world = &world;
    first.asked_ms = clock_ms();
    CU_ASSERT(store_read(world.store, first.keys, 1, STORE_MUST, clock_ms(),
                         clock_ms() + 50, on_done, &first));
    await(&world, &first);
    CU_ASSERT_EQUAL(first.status, STORE_TIMEOUT);
    second = (struct answer){.keys = {bytes_of("b")}, .count = 1};
    ask(&world, &second, STORE_MUST);
    run_for(&world, 20);
    peer_send(&peer.connections[0], "$1\r\na\r\n", 7);
    run_for(&world, 20);
    CU_ASSERT_EQUAL(second.done, 0);
    peer_send(&peer.connections[0], "$1\r\nb\r\n", 7);
    await(&world, &second);
    CU_ASSERT(first_is(&second, bytes_of("b")));
    CU_ASSERT_EQUAL(first.done, 1);
    peer_end(&peer);
    world_end(&world);
}

struct mget_case {
    const char *name, *answer;
    enum store_status want;
};

/* To a read of two keys that matter. */
static const struct mget_case mget_rows[] = {
    {"fits", "*2\r\n$1\r\na\r\n$1\r\nb\r\n", STORE_OK},
    {"too few", "*1\r\n$1\r\na\r\n", STORE_DOWN},
    {"too many", "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n", STORE_DOWN},
    {"not an array", "$1\r\na\r\n", STORE_DOWN},
    {"a nil array", "*-1\r\n", STORE_DOWN},
    {"a number in it", "*2\r\n$1\r\na\r\n:1\r\n", STORE_DOWN},
    {"an array in it", "*2\r\n$1\r\na\r\n*0\r\n", STORE_DOWN},
    {"an error in it", "*2\r\n$1\r\na\r\n-ERR\r\n", STORE_DOWN},
    {"an error", "-ERR no\r\n", STORE_REFUSED},
};

TEST_CASES(mget, struct mget_case, mget_rows)
{
    const struct peer_script script = {.answers = {":0\r\n", c->answer}};
    struct config_redis config = {.host = "127.0.0.1"};
    static struct answer answer;
    static struct peer peer;
    struct world world;

    config.port = free_port();
    world_start(&world, &config);
    peer_start(&peer, &world, config.port, &script);
    answer = (struct answer){.keys = {{"1", 1}, {"2", 1}}, .count = 2};
    ask(&world, &answer, STORE_MUST);
    await(&world, &answer);
    CU_ASSERT_EQUAL(answer.status, c->want);
    peer_end(&peer);
    world_end(&world);
}

void
suite_store_redis(void)
{
    CU_pSuite suite = cases_suite("store_redis");

    suite->pInitializeFunc = redis_suite_start;
    suite->pCleanupFunc = redis_suite_end;
    cases_add(suite, &value_cases);
    cases_add(suite, &many_cases);
    cases_add(suite, &write_cases);
    cases_add(suite, &pipeline_cases);
    cases_add(suite, &refusal_cases);
    cases_add(suite, &password_change_cases);
    cases_add(suite, &no_permission_cases);
    cases_add(suite, &write_refused_cases);
    cases_add(suite, &killed_cases);
    cases_add(suite, &restarted_cases);
    cases_add(suite, &frozen_cases);
    cases_add(suite, &name_resolves_cases);
    cases_add(suite, &name_unknown_cases);
    cases_add(suite, &refused_connection_cases);
    cases_add(suite, &peer_cases);
    cases_add(suite, &unsolicited_cases);
    cases_add(suite, &late_cases);
    cases_add(suite, &mget_cases);
}
