/*
 * A store on a real Redis with every allocation failing in turn, from
 * store_redis_new() to the values of a read: the read is answered once and in
 * time, nothing leaks, and the store soon works again.
 */
#include <ev.h>

#include "store/store.h"
#include "store/store_redis.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/files.h"
#include "support/memory.h"
#include "support/redis.h"

#define PASSWORD "secret"
#define KEYS_MAX 3

#define CONNECT_MS  200
#define COMMAND_MS  300
#define DEADLINE_MS 800
#define RECOVERY_MS 2000 /* the breaker closes within 2 s */
#define SLACK_MS    3000 /* slack for a busy machine */
#define PAUSE_MS    1

enum server_at { AT_SOCKET = 0, AT_PORT };

struct server_case {
    const char *name;
    enum server_at at;
};

static const struct server_case server_rows[] = {
    {"on a unix socket", AT_SOCKET},
    {"on a port", AT_PORT},
};

static const struct bytes keys[KEYS_MAX] = {{"s", 1}, {"none", 4}, {"l", 1}};
static const enum store_value_kind kinds[KEYS_MAX] = {
    STORE_STRING, STORE_ABSENT, STORE_WRONG_TYPE};

static char folder[FILES_PATH_MAX];
static struct redis server;

struct asked {
    unsigned done;
    enum store_status status;
};

static int
suite_start(void)
{
    return !files_folder_make(folder) ||
           !redis_init(&server, folder, PASSWORD) || !redis_start(&server) ||
           !redis_do(&server, "SET s value") ||
           !redis_do(&server, "RPUSH l item");
}

static int
suite_stop(void)
{
    redis_kill(&server);
    files_folder_remove(folder);
    return 0;
}

static void
on_done(void *arg, enum store_status status, const struct store_value *values)
{
    struct asked *asked = arg;

    asked->done++;
    asked->status = status;
    for (size_t i = 0; status == STORE_OK && i < KEYS_MAX; i++)
        CU_ASSERT_EQUAL(values[i].kind, kinds[i]);
}

static void
turn(struct ev_loop *loop, struct store *store)
{
    (void)store_turn(store, clock_ms());
    (void)ev_run(loop, EVRUN_NOWAIT);
    clock_sleep_ms(PAUSE_MS);
}

/* Reads the keys, and waits for the answer. */
static enum store_status
read_keys(struct ev_loop *loop, struct store *store)
{
    struct asked asked = {.status = STORE_MEMORY};
    int64_t start_ms = clock_ms();

    if (!store_read(store, keys, KEYS_MAX, STORE_MUST, start_ms,
                    start_ms + DEADLINE_MS, on_done, &asked))
        return STORE_MEMORY;
    while (asked.done == 0 && clock_ms() - start_ms < DEADLINE_MS + SLACK_MS)
        turn(loop, store);
    CU_ASSERT_EQUAL(asked.done, 1);
    return asked.status;
}

static void
use(struct ev_loop *loop, struct store *store)
{
    enum store_status status = read_keys(loop, store);
    bool has_failed = memory_stop();
    int64_t start_ms = clock_ms();

    CU_ASSERT(status == STORE_OK || has_failed);
    while (status != STORE_OK && clock_ms() - start_ms < RECOVERY_MS + SLACK_MS)
        status = read_keys(loop, store);
    CU_ASSERT_EQUAL(status, STORE_OK);
}

static void
try(const void *row)
{
    static const struct store_config config = {.attempts = 3,
                                               .connect_timeout_ms = CONNECT_MS,
                                               .command_timeout_ms = COMMAND_MS,
                                               .deadline_ms = DEADLINE_MS,
                                               .answer_bytes_max = 1000,
                                               .probe_key = {"i:0", 3}};
    const struct server_case *c = row;
    const struct redis_url redis = {
        .password = server.password,
        .unix_path = c->at == AT_SOCKET ? server.socket : NULL,
        .host = c->at == AT_PORT ? "127.0.0.1" : NULL,
        .port = server.port,
    };
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    struct store *store = store_redis_new(loop, &redis, &config);

    CU_ASSERT(store != NULL || memory_has_failed());
    if (store != NULL)
        use(loop, store);
    (void)memory_stop();
    store_free(store);
    ev_loop_destroy(loop);
}

TEST_CASES(server, struct server_case, server_rows)
{
    memory_fail_each(try, c);
}

TEST_SUITE(.start = suite_start, .end = suite_stop);
