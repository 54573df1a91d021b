/*
 * The store on a real Redis, on a private socket and port, and on peers with
 * all known faults. Single-threaded: peers, store and clock share one loop.
 */
#include <arpa/inet.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/units.h"
#include "support/buffer.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/files.h"
#include "support/names.h"
#include "support/ports.h"
#include "support/redis.h"
#include "support/script.h"
#include "support/steps.h"
#include "support/world.h"

#define RECOVERY_MS 2000

/* What a busy machine may add to a time limit. */
#define SLACK_MS 150

/* The Redis of this test. */

static char folder[FILES_PATH_MAX];
static struct redis server;
static struct redis_url server_config;

static int
redis_suite_start(void)
{
    if (!files_folder_make(folder) || !redis_init(&server, folder, "") ||
        /* DEBUG RELOAD is how a server of ours gets to be loading. */
        !redis_configure(&server, "enable-debug-command local\n"))
        return 1;
    server_config = (struct redis_url){.unix_path = server.socket};
    return redis_start(&server) ? 0 : 1;
}

static int
redis_suite_end(void)
{
    redis_kill(&server);
    files_folder_remove(folder);
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
    {"empty string", "empty", STORE_MUST, STORE_ABSENT, {"", 0}},
    {"empty string in the cache", "empty", STORE_CACHE, STORE_STRING, {"", 0}},
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

    (void)redis_do(&server, "SET text %s", "abc");
    (void)redis_do(&server, "SET empty %s", "");
    (void)redis_do(&server, "EVAL %s 0",
                   "return redis.call('set', 'nuls', 'a\\0b\\0')");
    (void)redis_do(&server, "DEL %s", "list");
    (void)redis_do(&server, "RPUSH list %s", "x");
    world_start(&world, &server_config);
    CU_ASSERT_EQUAL(world_get(&world, &answer, c->need, c->key), STORE_OK);
    CU_ASSERT_EQUAL(answer.kinds[0], c->want);
    CU_ASSERT(answer_is(&answer, c->data));
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
    static char names[WORLD_KEYS_MAX][24];
    struct world world;

    answer = (struct answer){.count = c->count};
    (void)redis_do(&server, "FLUSHALL%s", "");
    for (size_t i = 0; i < c->count; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "i:%zu", i);
        answer.keys[i] = bytes_of(names[i]);
    }
    (void)redis_do(&server, "EVAL %s 0",
                   "for i = 0, 1099 do redis.call('set', "
                   "'i:' .. i, '[]') end");
    for (size_t i = 0; i < c->count; i++)
        if (i == c->absent || i == c->list)
            (void)redis_do(&server, "DEL %s", names[i]);
    if (c->list < c->count)
        (void)redis_do(&server, "RPUSH %s x", names[c->list]);

    world_start(&world, &server_config);
    world_ask(&world, &answer, STORE_MUST, WORLD_DEADLINE_MS);
    world_await(&world, &answer);
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

    (void)redis_do(&server, "DEL %s", "k");
    world_start(&world, &server_config);
    (void)world_get(&world, &answer, STORE_MUST, "k");
    CU_ASSERT_EQUAL(answer.kinds[0], STORE_ABSENT);
    store_write(world.store, bytes_of("k"), (struct bytes){"1\0\r\n", 4}, 3600);
    (void)world_get(&world, &answer, STORE_CACHE, "k");
    CU_ASSERT(answer_is(&answer, (struct bytes){"1\0\r\n", 4}));
    CU_ASSERT(redis_number(&server, "TTL %s", "k") > 3590);
    CU_ASSERT(redis_number(&server, "TTL %s", "k") <= 3600);
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_WRITE_FAILED], 0);
    world_end(&world);
}

TEST_SINGLE(pipeline, "each answer finds its own request")
{
    static struct answer answers[500];
    static char names[500][24];
    size_t answered = 0;
    struct world world;
    struct lost lost;

    (void)redis_do(&server, "EVAL %s 0",
                   "for i = 0, 499 do redis.call('set', "
                   "'p:' .. i, i) end");
    world_start(&world, &server_config);
    lost_look(&lost);
    for (size_t i = 0; i < 500; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "p:%zu", i);
        answers[i] = (struct answer){.keys = {bytes_of(names[i])}, .count = 1};
        world_ask(&world, &answers[i], i % 2 ? STORE_MUST : STORE_CACHE,
                  WORLD_DEADLINE_MS);
        store_write(world.store, bytes_of("w"), bytes_of("x"), 1);
    }
    for (size_t i = 0; i < 500; i++) {
        world_await(&world, &answers[i]);
        if (answers[i].status != STORE_OK)
            continue;
        answered++;
        CU_ASSERT(answer_is(&answers[i], bytes_of(names[i] + 2)));
    }
    /* Else the store may have been too slow indeed. */
    if (lost_since_us(&lost) < WORLD_COMMAND_MS / 3 * US_PER_MS)
        CU_ASSERT_EQUAL(answered, 500);
    world_end(&world);
}

/* The server refuses the handshake. */

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
    struct redis_url config = server_config;
    struct answer answer = {0};
    struct world world;

    config.username = c->username;
    config.password = c->password;
    config.database = c->database;
    (void)redis_do(&server, "CONFIG SET requirepass %s", "right");
    world_start(&world, &config);
    CU_ASSERT_EQUAL(world_get(&world, &answer, STORE_MUST, "none"),
                    c->down == NULL ? STORE_OK : STORE_DOWN);
    CU_ASSERT(answer.took_ms < SLACK_MS);
    world_run_for(&world, 200);
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_DOWN], c->down != NULL);
    CU_ASSERT_STRING_EQUAL(world.down, c->down != NULL ? c->down : "");
    (void)redis_do(&server, "AUTH %s", "right");
    world_end(&world);
    redis_kill(&server);
    CU_ASSERT(redis_start(&server));
}

TEST_SINGLE(password_change, "the password is put right on the server")
{
    struct redis_url config = server_config;
    struct world world;

    config.password = "new";
    world_start(&world, &config);
    CU_ASSERT(
        world_run_until(&world, &world.events[STORE_EVENT_DOWN], 1, 1000));
    CU_ASSERT_STRING_EQUAL(world.down,
                           "a password was given, but the server has none");
    (void)redis_do(&server, "CONFIG SET requirepass %s", "new");
    CU_ASSERT(
        world_run_until(&world, &world.events[STORE_EVENT_UP], 1, RECOVERY_MS));
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_DOWN], 1);
    world_end(&world);
    redis_kill(&server);
    CU_ASSERT(redis_start(&server));
}

TEST_SINGLE(no_permission, "a read that the user may not do")
{
    struct redis_url config = server_config;
    struct answer answer = {0};
    struct world world;

    (void)redis_do(&server, "ACL SETUSER limited on >pw +@all ~%s*", "a:");
    config.username = "limited";
    config.password = "pw";
    world_start(&world, &config);
    CU_ASSERT_EQUAL(world_get(&world, &answer, STORE_MUST, "b:1"),
                    STORE_REFUSED);
    CU_ASSERT_STRING_EQUAL(world.refused,
                           "the user lacks a permission (NOPERM)");
    CU_ASSERT_EQUAL(world_get(&world, &answer, STORE_MUST, "a:1"), STORE_OK);
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_READ_OK], 1);
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_DOWN], 0);
    world_end(&world);
}

/*
 * A real server that refuses commands. The same faults are met on an existing
 * connection, where each read learns of them, and on new ones.
 */
#define FAULT_COMMANDS 3

struct fault_case {
    const char *name;
    const char *begin[FAULT_COMMANDS]; /* the first two wait for their reply */
    const char *end[FAULT_COMMANDS];
    const char *refused; /* why reads are refused; NULL: they are answered */
    const char *lost;    /* why a write is lost; NULL: it is not */
    const char *down;    /* why no connection can be made; NULL: it can */
};

static const struct fault_case fault_rows[] = {
    {"OOM",
     {"CONFIG SET maxmemory 1"},
     {"CONFIG SET maxmemory 0"},
     .lost = "the server is out of memory (OOM)"},
    {"too few replicas",
     {"CONFIG SET min-replicas-to-write 1"},
     {"CONFIG SET min-replicas-to-write 0"},
     .lost = "the server has too few replicas to take writes (NOREPLICAS)"},
    {"NOPERM to read",
     {"ACL SETUSER default -get -getrange"},
     {"ACL SETUSER default +get +getrange"},
     .refused = "the user lacks a permission (NOPERM): GET"},
    {"NOPERM to read ranges",
     {"ACL SETUSER default -getrange"},
     {"ACL SETUSER default +getrange"},
     .refused = NULL},
    {"NOPERM to write",
     {"ACL SETUSER default -set"},
     {"ACL SETUSER default +set"},
     .lost = "the user lacks a permission (NOPERM): SET"},
    {"NOPERM to anything",
     {"ACL SETUSER default -@all +acl"},
     {"ACL SETUSER default +@all"},
     .refused = "the user lacks a permission (NOPERM): GET",
     .lost = "the user lacks a permission (NOPERM): SET"},
    {"BUSY",
     {"CONFIG SET busy-reply-threshold 1", NULL, "EVAL while(1)do\nend 0"},
     {"SCRIPT KILL", "CONFIG SET busy-reply-threshold 5000"},
     .refused = "the server is busy with a script (BUSY)",
     .lost = "the server is busy with a script (BUSY)",
     .down = "the server is busy with a script (BUSY)"},
    {"LOADING", /* for 5 s; it answers after each key, as one has 1 KiB */
     {"CONFIG SET key-load-delay 5000 loading-process-events-interval-bytes "
      "1024 rdbcompression no",
      "DEBUG POPULATE 1000 key 1024", "DEBUG RELOAD"},
     {"CONFIG SET key-load-delay 0"},
     .refused = "the server is loading its data (LOADING)",
     .lost = "the server is loading its data (LOADING)",
     .down = "the server is loading its data (LOADING)"},
};

/*
 * Whether the server refuses everything; not yet while it saves what it is
 * going to load.
 */
static bool
is_refusing(void *arg)
{
    redisContext *context = redisConnectUnix(server.socket);
    redisReply *reply;
    bool is_error;

    (void)arg;
    CU_ASSERT_FATAL(context != NULL && context->err == 0);
    reply = redisCommand(context, "PING");
    is_error = reply != NULL && reply->type == REDIS_REPLY_ERROR;
    freeReplyObject(reply);
    redisFree(context);
    return is_error;
}

/* Returns the connection of the command that nobody waits for, if any. */
static redisContext *
fault_begin(const struct fault_case *c)
{
    const char *unawaited = c->begin[FAULT_COMMANDS - 1];
    redisContext *context;
    int sent = 0;

    CU_ASSERT(redis_do(&server, "SET text %s", "abc"));
    for (int i = 0; i < FAULT_COMMANDS - 1 && c->begin[i] != NULL; i++)
        CU_ASSERT(redis_do(&server, c->begin[i]));
    if (unawaited == NULL)
        return NULL;
    context = redisConnectUnix(server.socket);
    CU_ASSERT_FATAL(context != NULL && context->err == 0);
    CU_ASSERT(redisAppendCommand(context, unawaited) == REDIS_OK);
    CU_ASSERT(redisBufferWrite(context, &sent) == REDIS_OK && sent);
    CU_ASSERT(clock_wait(is_refusing, NULL, RECOVERY_MS));
    return context;
}

static bool
is_done(void *command)
{
    return redis_do(&server, command);
}

/* A script takes a moment to die. */
static void
fault_end(const struct fault_case *c, redisContext *unawaited)
{
    for (int i = 0; i < FAULT_COMMANDS && c->end[i] != NULL; i++) {
        char command[128];

        (void)snprintf(command, sizeof(command), "%s", c->end[i]);
        CU_ASSERT(clock_wait(is_done, command, RECOVERY_MS));
    }
    redisFree(unawaited);
}

/* Nothing is left for later tests, in memory or as what DEBUG RELOAD saved. */
static void
server_empty(void)
{
    char path[FILES_PATH_MAX];

    CU_ASSERT(redis_do(&server, "FLUSHALL"));
    files_path(path, "%s/dump.rdb", folder);
    (void)unlink(path);
}

/* Waits until a required read is answered correctly. */
static void
check_recovery(struct world *world, const char *key, const char *value)
{
    static struct answer answer;
    int64_t end_ms = clock_ms() + RECOVERY_MS;

    while (world_get(world, &answer, STORE_MUST, key) != STORE_OK &&
           clock_ms() < end_ms)
        world_run_for(world, 10);
    CU_ASSERT(clock_ms() < end_ms);
    CU_ASSERT(answer_is(&answer, bytes_of(value)));
    CU_ASSERT_EQUAL(world_get(world, &answer, STORE_CACHE, key), STORE_OK);
    CU_ASSERT(answer_is(&answer, bytes_of(value)));
}

/* A write, and a read behind it whose answer tells that it has been done. */
static void
write_through(struct world *world)
{
    static struct answer answer;

    store_write(world->store, bytes_of("k"), bytes_of("v"), 1);
    (void)world_get(world, &answer, STORE_MUST, "text");
}

static void
check_read(struct world *world, enum store_need need, enum store_status want)
{
    static struct answer answer;

    CU_ASSERT_EQUAL(world_get(world, &answer, need, "text"), want);
    CU_ASSERT(answer.took_ms < SLACK_MS);
    if (want == STORE_OK)
        CU_ASSERT(answer_is(&answer, bytes_of("abc")));
}

TEST_CASES(fault_kept, struct fault_case, fault_rows)
{
    enum store_status want = c->refused != NULL ? STORE_REFUSED : STORE_OK;
    redisContext *unawaited;
    struct world world;

    CU_ASSERT(redis_do(&server, "SET text %s", "abc"));
    world_start(&world, &server_config);
    check_read(&world, STORE_MUST, STORE_OK);
    unawaited = fault_begin(c);
    for (int i = 0; i < 10; i++)
        check_read(&world, i % 2 ? STORE_CACHE : STORE_MUST, want);
    CU_ASSERT_STRING_EQUAL(world.refused, c->refused ? c->refused : "");
    write_through(&world);
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_WRITE_FAILED], c->lost != NULL);
    CU_ASSERT_STRING_EQUAL(world.lost, c->lost ? c->lost : "");
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_RETRY], 0);
    fault_end(c, unawaited);
    check_recovery(&world, "text", "abc");
    write_through(&world);
    CU_ASSERT_TRUE(world.events[STORE_EVENT_READ_OK] > 0);
    CU_ASSERT_TRUE(world.events[STORE_EVENT_WROTE] > 0);
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_DOWN], 0);
    world_end(&world);
    server_empty();
}

TEST_CASES(fault_new, struct fault_case, fault_rows)
{
    enum store_status want = c->down != NULL      ? STORE_DOWN
                             : c->refused != NULL ? STORE_REFUSED
                                                  : STORE_OK;
    redisContext *unawaited = fault_begin(c);
    struct world world;

    world_start(&world, &server_config);
    for (int i = 0; i < 20; i++) {
        check_read(&world, i % 2 ? STORE_CACHE : STORE_MUST, want);
        world_run_for(&world, 10);
    }
    CU_ASSERT_STRING_EQUAL(world.down, c->down ? c->down : "");
    fault_end(c, unawaited);
    check_recovery(&world, "text", "abc");
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_DOWN], c->down != NULL);
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_UP], c->down != NULL);
    world_end(&world);
    server_empty();
}

/* The test's own commands need the password, too. */
static void
change_password(const char *password)
{
    CU_ASSERT(redis_do(&server, "CONFIG SET requirepass %s", password));
    (void)snprintf(server.password, sizeof(server.password), "%s", password);
}

/* Servers that cannot do what is asked of them, and how they were set up. */
struct server_case {
    const char *name;
    const char *settings;
    const char *command; /* once it runs; NULL: none */
    size_t count;        /* of keys that are asked for */
    const char *refused, *down;
    const char *role; /* that /readyz reports; NULL: none */
};

#define IN_CLUSTER                                                             \
    "the server is a node of a cluster: REDIS_URL must be "                    \
    "redis+cluster://host:port"

static const struct server_case server_rows[] = {
    {"a cluster without slots", "cluster-enabled yes\n", NULL, 1,
     .down = IN_CLUSTER, .role = "cluster"},
    {"a cluster of one node", "cluster-enabled yes\n",
     "CLUSTER ADDSLOTSRANGE 0 16383", 2, .down = IN_CLUSTER, .role = "cluster"},
    {"a replica", "replicaof 127.0.0.1 1\n", NULL, 1,
     .down = "the server is a replica, not the master", .role = "replica"},
    {"no HELLO", "rename-command HELLO \"\"\n", NULL, 1, NULL, NULL, NULL},
    {"a replica without HELLO",
     "rename-command HELLO \"\"\nreplicaof 127.0.0.1 1\n", NULL, 1,
     .down = "the server is a replica, not the master", .role = "replica"},
    {"no MGET", "rename-command MGET \"\"\n", NULL, 2,
     .refused = "the server answered ERR unknown command MGET"},
    {"no GETRANGE", "rename-command GETRANGE \"\"\n", NULL, 1, NULL, NULL,
     NULL},
    {"no EXISTS", "rename-command EXISTS \"\"\n", NULL, 1,
     .down = "the server answered ERR unknown command EXISTS"},
};

static bool
is_settled(void *arg)
{
    return redis_do(arg, "GET x") && redis_do(arg, "GET y");
}

TEST_CASES(server, struct server_case, server_rows)
{
    char other_folder[FILES_PATH_MAX], path[FILES_PATH_MAX], *settings;
    static struct answer answer;
    const char *role;
    struct redis other;
    struct redis_url config = {.unix_path = other.socket};
    struct buffer text = {0};
    struct world world;

    CU_ASSERT_FATAL(files_folder_make(other_folder) &&
                    redis_init(&other, other_folder, ""));
    files_path(path, "%s/redis.conf", other_folder);
    settings = files_read(path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(settings);
    buffer_printf(&text, "%s%s", settings, c->settings);
    CU_ASSERT_FATAL(files_write(path, buffer_text(&text)));
    CU_ASSERT_FATAL(redis_start(&other));
    if (c->command != NULL) {
        CU_ASSERT(redis_do(&other, c->command));
        CU_ASSERT(clock_wait(is_settled, &other, CLOCK_PATIENCE_MS));
    }
    world_start(&world, &config);
    answer = (struct answer){.keys = {bytes_of("x"), bytes_of("y")},
                             .count = c->count};
    world_ask(&world, &answer, STORE_MUST, WORLD_DEADLINE_MS);
    world_await(&world, &answer);
    CU_ASSERT_EQUAL(answer.status, c->down != NULL      ? STORE_DOWN
                                   : c->refused != NULL ? STORE_REFUSED
                                                        : STORE_OK);
    CU_ASSERT_STRING_EQUAL(world.down, c->down != NULL ? c->down : "");
    CU_ASSERT_STRING_EQUAL(world.refused, c->refused != NULL ? c->refused : "");
    role = store_role(world.store);
    CU_ASSERT_STRING_EQUAL(role != NULL ? role : "none",
                           c->role != NULL ? c->role : "none");
    world_end(&world);
    redis_kill(&other);
    free(settings);
    buffer_free(&text);
    files_folder_remove(other_folder);
}

TEST_SINGLE(password_changed, "while running")
{
    struct redis_url config = server_config;
    struct answer answer = {0};
    struct world world;

    CU_ASSERT(redis_do(&server, "SET text %s", "abc"));
    change_password("old");
    config.password = "old";
    world_start(&world, &config);
    check_read(&world, STORE_MUST, STORE_OK);
    change_password("new");
    check_read(&world, STORE_MUST, STORE_OK); /* Redis has let it in before */
    CU_ASSERT(redis_do(&server, "CLIENT KILL TYPE normal"));
    for (int i = 0; i < 20; i++) {
        CU_ASSERT_EQUAL(world_get(&world, &answer, STORE_MUST, "text"),
                        STORE_DOWN);
        CU_ASSERT(answer.took_ms < SLACK_MS);
        world_run_for(&world, 10);
    }
    CU_ASSERT_STRING_EQUAL(world.down, "the password was refused (WRONGPASS)");
    change_password("old");
    check_recovery(&world, "text", "abc");
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_DOWN], 1);
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_UP], 1);
    world_end(&world);
    change_password("");
}

/* The server is stopped and started again. */

TEST_SINGLE(killed, "killed and started again empty")
{
    struct answer answer = {0};
    struct world world;
    int64_t back_ms;

    CU_ASSERT(redis_do(&server, "SET text %s", "abc"));
    world_start(&world, &server_config);
    CU_ASSERT_EQUAL(world_get(&world, &answer, STORE_MUST, "text"), STORE_OK);
    CU_ASSERT_EQUAL(answer.kinds[0], STORE_STRING);
    redis_kill(&server);
    CU_ASSERT_EQUAL(world_get(&world, &answer, STORE_MUST, "text"), STORE_DOWN);
    CU_ASSERT(answer.took_ms < WORLD_DEADLINE_MS);
    (void)printf("  killed: 503 after %lld ms (%s)\n",
                 (long long)answer.took_ms, world.down);
    for (int i = 0; i < 20; i++) {
        CU_ASSERT_NOT_EQUAL(world_get(&world, &answer, STORE_CACHE, "none"),
                            STORE_OK);
        CU_ASSERT(answer.took_ms < 50);
    }
    CU_ASSERT(redis_start(&server));
    back_ms = clock_ms();
    CU_ASSERT(
        world_run_until(&world, &world.events[STORE_EVENT_UP], 1, RECOVERY_MS));
    (void)printf("  killed: back after %lld ms\n",
                 (long long)(clock_ms() - back_ms));
    CU_ASSERT_EQUAL(world_get(&world, &answer, STORE_MUST, "text"), STORE_OK);
    CU_ASSERT_EQUAL(answer.kinds[0], STORE_ABSENT);
    store_write(world.store, bytes_of("text"), bytes_of("new"), 9);
    check_recovery(&world, "text", "new");
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_DOWN], 1);
    world_end(&world);
}

/* So that the next read is sent on a connection that is gone. */
TEST_SINGLE(cut_off, "connections die when they are used again")
{
    struct answer answer = {0};
    struct world world;

    CU_ASSERT(redis_do(&server, "SET text %s", "abc"));
    world_start(&world, &server_config);
    check_read(&world, STORE_MUST, STORE_OK);
    for (int i = 0; i < 10; i++) {
        CU_ASSERT(redis_do(&server, "CLIENT KILL TYPE normal"));
        check_read(&world, STORE_MUST, STORE_OK);
        CU_ASSERT(redis_do(&server, "CLIENT KILL TYPE normal"));
        (void)world_get(&world, &answer, STORE_CACHE, "text");
        CU_ASSERT(answer.took_ms < SLACK_MS);
        check_recovery(&world, "text", "abc");
    }
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_DOWN], 0);
    world_end(&world);
}

TEST_SINGLE(restarted, "restarted while idle is no outage")
{
    struct answer answer = {0};
    struct world world;

    world_start(&world, &server_config);
    CU_ASSERT_EQUAL(world_get(&world, &answer, STORE_MUST, "none"), STORE_OK);
    redis_kill(&server);
    CU_ASSERT(redis_start(&server));
    CU_ASSERT_EQUAL(world_get(&world, &answer, STORE_MUST, "none"), STORE_OK);
    CU_ASSERT_EQUAL(world_get(&world, &answer, STORE_CACHE, "none"), STORE_OK);
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_DOWN], 0);
    world_end(&world);
}

TEST_SINGLE(frozen, "stopped and continued")
{
    static struct answer answer, must;
    struct world world;
    int64_t back_ms, worst_ms = 0;

    world_start(&world, &server_config);
    CU_ASSERT_EQUAL(world_get(&world, &answer, STORE_MUST, "none"), STORE_OK);
    redis_freeze(&server);
    must = (struct answer){.keys = {bytes_of("none")}, .count = 1};
    world_ask(&world, &must, STORE_MUST, WORLD_DEADLINE_MS);
    while (world.events[STORE_EVENT_DOWN] == 0 &&
           worst_ms < CLOCK_PATIENCE_MS) {
        CU_ASSERT_NOT_EQUAL(world_get(&world, &answer, STORE_CACHE, "none"),
                            STORE_OK);
        if (answer.took_ms > worst_ms)
            worst_ms = answer.took_ms;
        world_run_for(&world, 5);
    }
    CU_ASSERT(worst_ms < WORLD_COMMAND_MS + SLACK_MS);
    world_await(&world, &must);
    CU_ASSERT_NOT_EQUAL(must.status, STORE_OK);
    CU_ASSERT(must.took_ms < WORLD_DEADLINE_MS + SLACK_MS);
    (void)printf("  frozen: 503 after %lld ms, slowest miss %lld ms (%s)\n",
                 (long long)must.took_ms, (long long)worst_ms, world.down);
    worst_ms = 0;
    for (int i = 0; i < 150; i++) {
        CU_ASSERT_EQUAL(world_get(&world, &answer,
                                  i % 2 ? STORE_CACHE : STORE_MUST, "none"),
                        STORE_DOWN);
        if (answer.took_ms > worst_ms)
            worst_ms = answer.took_ms;
        world_run_for(&world, 10);
    }
    CU_ASSERT(worst_ms < 50);
    (void)printf("  frozen: slowest of 150 with the breaker open: %lld ms\n",
                 (long long)worst_ms);
    redis_thaw(&server);
    back_ms = clock_ms();
    while (world_get(&world, &answer, STORE_MUST, "none") != STORE_OK &&
           clock_ms() - back_ms < CLOCK_PATIENCE_MS)
        world_run_for(&world, 10);
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
    struct redis_url config = {.host = "localhost"};
    struct answer answer = {0};
    struct world world;

    config.port = server.port;
    world_start(&world, &config);
    CU_ASSERT_EQUAL(world_get(&world, &answer, STORE_MUST, "none"), STORE_OK);
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_DOWN], 0);
    world_end(&world);
}

TEST_SINGLE(name_unknown, "a name that does not resolve")
{
    static const struct redis_url config = {.host = "no-such-host.invalid",
                                            .port = 6379};
    static struct answer cache, must;
    struct world world;

    world_start(&world, &config);
    must = (struct answer){.keys = {bytes_of("none")}, .count = 1};
    world_ask(&world, &must, STORE_MUST, WORLD_DEADLINE_MS);
    CU_ASSERT_NOT_EQUAL(world_get(&world, &cache, STORE_CACHE, "none"),
                        STORE_OK);
    CU_ASSERT(cache.took_ms < WORLD_COMMAND_MS + SLACK_MS);
    world_await(&world, &must);
    CU_ASSERT_NOT_EQUAL(must.status, STORE_OK);
    CU_ASSERT(must.took_ms < WORLD_DEADLINE_MS + SLACK_MS);
    (void)printf("  name: 503 after %lld ms (%s)\n", (long long)must.took_ms,
                 world.down);
    for (int i = 0; i < 100; i++) {
        CU_ASSERT_EQUAL(world_get(&world, &cache, STORE_CACHE, "none"),
                        STORE_DOWN);
        CU_ASSERT(cache.took_ms < 50);
        world_run_for(&world, 10);
    }
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_DOWN], 1);
    world_end(&world);
}

struct name_case {
    const char *name;
    struct names_plan plan;
    const char *down; /* NULL: it resolves in time */
};

/* A look-up may take 700 ms, and IPv6 is waited for 50 ms. */
static const struct name_case name_rows[] = {
    {"at once", {.delay_ms = 0}, NULL},
    {"slowly", {.delay_ms = 500}, NULL},
    {"no answer for IPv6", {.delay_ipv6_ms = -1}, NULL},
    {"too slowly", {.delay_ms = 900}, "host name redis.test does not resolve"},
    {"never",
     {.delay_ms = -1, .delay_ipv6_ms = -1},
     "host name redis.test does not resolve in time"},
};

/* For any behaviour of the name server; and the store soon works when the name
 * server does. */
TEST_CASES(name_server, struct name_case, name_rows)
{
    static const struct names_plan good = {.delay_ms = 0};
    static struct names_server names;
    static struct answer must, cache;
    struct redis_url config = {.host = "redis.test", .port = server.port};
    bool is_down = c->down != NULL;
    struct world world;

    CU_ASSERT(redis_do(&server, "SET text %s", "abc"));
    world_start(&world, &config);
    names_start(&names, world.loop, &c->plan);
    must = (struct answer){.keys = {bytes_of("text")}, .count = 1};
    world_ask(&world, &must, STORE_MUST, WORLD_DEADLINE_MS);
    (void)world_get(&world, &cache, STORE_CACHE, "text");
    CU_ASSERT(cache.took_ms < WORLD_COMMAND_MS + SLACK_MS);
    world_await(&world, &must);
    CU_ASSERT_EQUAL(must.status == STORE_OK, !is_down);
    CU_ASSERT(must.took_ms < WORLD_DEADLINE_MS + SLACK_MS);
    CU_ASSERT_EQUAL(answer_is(&must, bytes_of("abc")), !is_down);
    for (int i = 0; is_down && i < 50; i++) {
        CU_ASSERT_EQUAL(world_get(&world, &cache, STORE_CACHE, "text"),
                        STORE_DOWN);
        CU_ASSERT(cache.took_ms < 50);
        world_run_for(&world, 10);
    }
    CU_ASSERT_STRING_EQUAL(world.down, is_down ? c->down : "");
    names_end(&names);
    names_start(&names, world.loop, &good);
    check_recovery(&world, "text", "abc");
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_DOWN], is_down);
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_UP], is_down);
    names_end(&names);
    world_end(&world);
}

/* A name of two addresses, of which only the second one is any good. */
struct address_case {
    const char *name;
    bool listens;    /* the first, though nobody answers there */
    int64_t took_ms; /* at most, and half of it at least if one listens */
};

static const struct address_case address_rows[] = {
    {"the first refuses", false, WORLD_CONNECT_MS},
    {"the first is silent", true, 2 * WORLD_COMMAND_MS},
};

static int
listen_second(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((in_port_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
    CU_ASSERT_FATAL(
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
        listen(fd, 1) == 0);
    return fd;
}

TEST_CASES(address, struct address_case, address_rows)
{
    static const struct names_plan two = {.has_two = true};
    static struct names_server names;
    static struct answer answer;
    struct redis_url config = {.host = "redis.test", .port = server.port};
    int fd = c->listens ? listen_second(server.port) : -1;
    int64_t real_ms;
    struct world world;

    CU_ASSERT(redis_do(&server, "SET text %s", "abc"));
    world_start(&world, &config);
    names_start(&names, world.loop, &two);
    CU_ASSERT_EQUAL(world_get(&world, &answer, STORE_MUST, "text"), STORE_OK);
    real_ms = clock_ms() - answer.asked_ms;
    CU_ASSERT(answer_is(&answer, bytes_of("abc")));
    CU_ASSERT(answer.took_ms < c->took_ms + SLACK_MS);
    CU_ASSERT(!c->listens || real_ms >= c->took_ms / 2);
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_DOWN], 0);
    names_end(&names);
    world_end(&world);
    if (fd >= 0)
        (void)close(fd);
}

/* Peers that misbehave. */

/* To any read of one key, behind the handshake's. */
static const struct script good = {.answers = {STEPS_MASTER ":0\r\n",
                                               "$2\r\nok\r\n", "$2\r\nok\r\n",
                                               "$2\r\nok\r\n"}};

TEST_SINGLE(refused_connection, "nobody listens, then somebody does")
{
    struct redis_url config = {.host = "127.0.0.1"};
    struct answer answer = {0};
    static struct script_peer peer;
    struct world world;

    config.port = ports_free();
    world_start(&world, &config);
    CU_ASSERT_EQUAL(world_get(&world, &answer, STORE_MUST, "none"), STORE_DOWN);
    CU_ASSERT(answer.took_ms < WORLD_DEADLINE_MS);
    CU_ASSERT_STRING_EQUAL(world.down, "connection refused");
    for (int i = 0; i < 30; i++) {
        CU_ASSERT_EQUAL(world_get(&world, &answer, STORE_MUST, "none"),
                        STORE_DOWN);
        CU_ASSERT(answer.took_ms < 50);
        world_run_for(&world, 10);
    }
    script_start(&peer, world.loop, config.port, &good);
    check_recovery(&world, "a", "ok");
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_DOWN], 1);
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_UP], 1);
    script_end(&peer);
    world_end(&world);
}

struct peer_case {
    const char *name;
    struct script script;
    const char *down; /* why the breaker opens; NULL: who knows */
};

/* The handshake's answer is ":0\r\n". */
static const struct peer_case peer_rows[] = {
    {"silent", {.answers = {NULL}}, "no answer within 300 ms"},
    {"silent after the handshake",
     {.answers = {STEPS_MASTER ":0\r\n"}},
     "no answer within 300 ms"},
    {"silent in mid-reply",
     {.answers = {STEPS_MASTER ":0\r\n", "$2\r\no"}},
     "no answer within 300 ms"},
    {"drips",
     {.answers = {STEPS_MASTER ":0\r\n",
                  "$99\r\n0123456789012345678901234567890"},
      .drips = true},
     "no answer within 300 ms"},
    {"drips in the handshake", {.answers = {":"}}, "no answer within 300 ms"},
    {"half an answer, then closes",
     {.answers = {STEPS_MASTER ":0\r\n", "$5\r\nab"}, .closes = true},
     "the connection broke: Server closed the connection"},
    {"garbage",
     {.answers = {"HTTP/1.1 400 Bad Request\r\n\r\n"}},
     "not an answer of Redis"},
    {"garbage after the handshake",
     {.answers = {STEPS_MASTER ":0\r\n", "\x16\x03\x01"}},
     "not an answer of Redis"},
    {"an array for one value",
     {.answers = {STEPS_MASTER ":0\r\n", "*1\r\n$1\r\nx\r\n"}},
     "an answer of the wrong kind"},
    {"a number for a value",
     {.answers = {STEPS_MASTER ":0\r\n", ":5\r\n"}},
     "an answer of the wrong kind"},
    {"a string for the handshake",
     {.answers = {"$1\r\nx\r\n"}},
     "an answer of the wrong kind"},
    {"two answers to the handshake",
     {.answers = {STEPS_MASTER ":0\r\n:0\r\n"}},
     "an answer that nobody asked for"},
    {"an array of billions",
     {.answers = {STEPS_MASTER ":0\r\n", "*2147483647\r\n"}},
     "not an answer of Redis"},
    {"a length below nothing",
     {.answers = {STEPS_MASTER ":0\r\n", "$-7\r\n"}},
     "not an answer of Redis"},
    {"a length beyond numbers",
     {.answers = {STEPS_MASTER ":0\r\n", "$99999999999999999999\r\n"}},
     "not an answer of Redis"},
    {"nested deep",
     {.answers = {STEPS_MASTER ":0\r\n",
                  "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"
                  "*1\r\n*1\r\n"}},
     NULL /* depends on the version of hiredis */},
    {"LOADING",
     {.answers = {"-LOADING Redis is loading the dataset in memory\r\n"}},
     "the server is loading its data (LOADING)"},
    {"MASTERDOWN",
     {.answers = {"-MASTERDOWN Link with MASTER is down\r\n"}},
     "the server is a replica without its master (MASTERDOWN)"},
    {"BUSY",
     {.answers = {"-BUSY Redis is busy running a script\r\n"}},
     "the server is busy with a script (BUSY)"},
    {"too many clients",
     {.answers = {"-ERR max number of clients reached\r\n"}, .closes = true},
     "the server has too many clients (ERR max number of clients)"},
    {"protected mode",
     {.answers = {"-DENIED Redis is running in protected mode because\r\n"},
      .closes = true},
     "the server is in protected mode: other hosts need a password, and it "
     "has none (DENIED)"},
    {"an error we never heard of",
     {.answers = {"-secret value\r\n"}},
     "the server answered with an error"},
};

/*
 * For any behaviour of the peer: reads end in time, the store works again soon
 * after a good peer listens there, and each outage is reported once.
 */
TEST_CASES(peer, struct peer_case, peer_rows)
{
    struct redis_url config = {.host = "127.0.0.1"};
    static struct answer must, cache;
    static struct script_peer peer;
    struct world world;
    int64_t back_ms, start_ms = clock_ms();

    config.port = ports_free();
    world_start(&world, &config);
    script_start(&peer, world.loop, config.port, &c->script);
    must = (struct answer){.keys = {bytes_of("a")}, .count = 1};
    while (world.events[STORE_EVENT_DOWN] == 0 &&
           clock_ms() - start_ms < CLOCK_PATIENCE_MS) {
        world_ask(&world, &must, STORE_MUST, WORLD_DEADLINE_MS);
        CU_ASSERT_NOT_EQUAL(world_get(&world, &cache, STORE_CACHE, "a"),
                            STORE_OK);
        CU_ASSERT(cache.took_ms < WORLD_COMMAND_MS + SLACK_MS);
        world_await(&world, &must);
        CU_ASSERT_NOT_EQUAL(must.status, STORE_OK);
        CU_ASSERT(must.took_ms < WORLD_DEADLINE_MS + SLACK_MS);
    }
    CU_ASSERT(clock_ms() - start_ms <
              WORLD_ATTEMPTS * WORLD_COMMAND_MS + 2 * SLACK_MS);
    if (c->down != NULL)
        CU_ASSERT_STRING_EQUAL(world.down, c->down);
    for (int i = 0; i < 30; i++) {
        CU_ASSERT_EQUAL(world_get(&world, &cache, STORE_CACHE, "a"),
                        STORE_DOWN);
        CU_ASSERT(cache.took_ms < 50);
        world_run_for(&world, 10);
    }
    script_end(&peer);
    script_start(&peer, world.loop, config.port, &good);
    back_ms = clock_ms();
    while (world_get(&world, &must, STORE_MUST, "a") != STORE_OK &&
           clock_ms() - back_ms < CLOCK_PATIENCE_MS)
        world_run_for(&world, 10);
    CU_ASSERT(clock_ms() - back_ms < RECOVERY_MS);
    CU_ASSERT(answer_is(&must, bytes_of("ok")));
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_DOWN], 1);
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_UP], 1);
    script_end(&peer);
    world_end(&world);
}

struct reuse_case {
    const char *name;
    int closed; /* connections */
    enum store_status want;
};

static const struct reuse_case reuse_rows[] = {
    {"once", 1, STORE_OK},
    {"as often as can be", WORLD_ATTEMPTS - 1, STORE_OK},
    {"too often", WORLD_ATTEMPTS, STORE_DOWN},
};

/* A required read survives connections that die. */
TEST_CASES(reuse, struct reuse_case, reuse_rows)
{
    struct script script = good;
    struct redis_url config = {.host = "127.0.0.1"};
    struct answer answer = {0};
    static struct script_peer peer;
    bool is_down = c->want != STORE_OK;
    struct world world;

    script.closed = c->closed;
    config.port = ports_free();
    world_start(&world, &config);
    script_start(&peer, world.loop, config.port, &script);
    CU_ASSERT_EQUAL(world_get(&world, &answer, STORE_MUST, "a"), c->want);
    CU_ASSERT(answer.took_ms < WORLD_DEADLINE_MS);
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_RETRY],
                    is_down ? WORLD_ATTEMPTS - 1 : c->closed);
    check_recovery(&world, "a", "ok");
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_DOWN], is_down);
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_UP], is_down);
    script_end(&peer);
    world_end(&world);
}

struct drip_case {
    const char *name, *answer; /* one byte every 20 ms */
    const char *value;         /* "": too late */
};

/* A command may take 300 ms: 15 bytes, or a little less. */
static const struct drip_case drip_rows[] = {
    {"in time", "$4\r\nslow\r\n", "slow"},
    {"not in time", "$14\r\nfourteen bytes\r\n", ""},
};

TEST_CASES(drip, struct drip_case, drip_rows)
{
    const struct script script = {.answers = {STEPS_MASTER ":0\r\n", c->answer},
                                  .drips = true};
    struct redis_url config = {.host = "127.0.0.1"};
    struct answer answer = {0};
    static struct script_peer peer;
    struct world world;

    config.port = ports_free();
    world_start(&world, &config);
    script_start(&peer, world.loop, config.port, &script);
    (void)world_get(&world, &answer, STORE_CACHE, "a");
    CU_ASSERT_EQUAL(answer.status == STORE_OK, c->value[0] != '\0');
    CU_ASSERT(answer.took_ms < WORLD_COMMAND_MS + SLACK_MS);
    CU_ASSERT(answer_is(&answer, bytes_of(c->value)));
    script_end(&peer);
    world_end(&world);
}

TEST_SINGLE(unsolicited, "bytes on an idle connection")
{
    static const struct script script = {
        .answers = {STEPS_MASTER ":0\r\n", "$2\r\nok\r\n", "$2\r\nok\r\n"}};
    struct redis_url config = {.host = "127.0.0.1"};
    struct answer answer = {0};
    static struct script_peer peer;
    struct world world;

    config.port = ports_free();
    world_start(&world, &config);
    script_start(&peer, world.loop, config.port, &script);
    CU_ASSERT_EQUAL(world_get(&world, &answer, STORE_MUST, "a"), STORE_OK);
    script_send(&peer.connections[0], "$3\r\nbad\r\n", 9);
    world_run_for(&world, 50);
    CU_ASSERT_EQUAL(world_get(&world, &answer, STORE_MUST, "a"), STORE_OK);
    CU_ASSERT(answer_is(&answer, bytes_of("ok")));
    CU_ASSERT_EQUAL(peer.count, 2);
    CU_ASSERT_EQUAL(world.events[STORE_EVENT_DOWN], 0);
    script_end(&peer);
    world_end(&world);
}

TEST_SINGLE(late, "a late answer is nobody's")
{
    static const struct script script = {.answers = {STEPS_MASTER ":0\r\n"}};
    struct redis_url config = {.host = "127.0.0.1"};
    static struct answer first, second;
    static struct script_peer peer;
    struct world world;

    config.port = ports_free();
    world_start(&world, &config);
    script_start(&peer, world.loop, config.port, &script);
    world_run_for(&world, 50);
    first = (struct answer){.keys = {bytes_of("a")}, .count = 1};
    world_ask(&world, &first, STORE_MUST, 50);
    world_await(&world, &first);
    CU_ASSERT_EQUAL(first.status, STORE_TIMEOUT);
    second = (struct answer){.keys = {bytes_of("b")}, .count = 1};
    world_ask(&world, &second, STORE_MUST, WORLD_DEADLINE_MS);
    world_run_for(&world, 20);
    script_send(&peer.connections[0], "$1\r\na\r\n", 7);
    world_run_for(&world, 20);
    CU_ASSERT_EQUAL(second.done, 0);
    script_send(&peer.connections[0], "$1\r\nb\r\n", 7);
    world_await(&world, &second);
    CU_ASSERT(answer_is(&second, bytes_of("b")));
    CU_ASSERT_EQUAL(first.done, 1);
    script_end(&peer);
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
    const struct script script = {
        .answers = {STEPS_MASTER ":0\r\n", c->answer}};
    struct redis_url config = {.host = "127.0.0.1"};
    static struct answer answer;
    static struct script_peer peer;
    struct world world;

    config.port = ports_free();
    world_start(&world, &config);
    script_start(&peer, world.loop, config.port, &script);
    answer = (struct answer){.keys = {{"1", 1}, {"2", 1}}, .count = 2};
    world_ask(&world, &answer, STORE_MUST, WORLD_DEADLINE_MS);
    world_await(&world, &answer);
    CU_ASSERT_EQUAL(answer.status, c->want);
    script_end(&peer);
    world_end(&world);
}

TEST_SUITE(.room = CASES_CALM, /* it measures time limits */
           .parts = 4, .start = redis_suite_start, .end = redis_suite_end);
