/*
 * Reads with large answers, on a real Redis: they fail alone, or are answered,
 * and other reads are not affected. Source: docs/protocol.md, S20.5.
 */
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/files.h"
#include "support/redis.h"
#include "support/world.h"

#define MIB    (1 << 20)
#define OTHERS 8  /* small reads beside each large one */
#define ROUNDS 10 /* large reads, one after the other */

/* docs/protocol.md; sanitizers take several times as long. */
#ifdef __SANITIZE_ADDRESS__
#define SLOWNESS 3
#else
#define SLOWNESS 1
#endif
#define OTHERS_MS   (400 * SLOWNESS)
#define LARGE_LIMIT (800 * SLOWNESS)

static char folder[FILES_PATH_MAX];
static struct redis server;
static struct redis_url server_url;

static int
suite_start(void)
{
    if (!files_folder_make(folder) || !redis_init(&server, folder, ""))
        return 1;
    server_url = (struct redis_url){.unix_path = server.socket};
    return redis_start(&server) ? 0 : 1;
}

static int
suite_end(void)
{
    redis_kill(&server);
    files_folder_remove(folder);
    return 0;
}

/* Keys i:0 to i:(count-1), each of so many bytes. */
static void
fill(size_t count, size_t bytes)
{
    char script[200];

    (void)snprintf(script, sizeof(script),
                   "for i = 0, %zu do redis.call('setrange', 'i:' .. i, %zu, "
                   "'v') end",
                   count - 1, bytes - 1);
    CU_ASSERT(redis_do(&server, "FLUSHALL"));
    CU_ASSERT(redis_do(&server, "EVAL %s 0", script));
    CU_ASSERT(redis_do(&server, "SET small %s", "[]"));
    CU_ASSERT(redis_do(&server, "SET other %s", "1.5"));
}

static void
name_keys(struct answer *answer, size_t count)
{
    static char names[WORLD_KEYS_MAX][24];

    *answer = (struct answer){.count = count};
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "i:%zu", i);
        answer->keys[i] = bytes_of(names[i]);
    }
}

struct large_case {
    const char *name;
    size_t count, bytes; /* values, and their length */
    enum store_status want;
    enum store_value_kind kind; /* of the first value */
    bool is_denied;             /* the user may neither measure nor cut */
};

static const struct large_case large_rows[] = {
    {"a value of 1 MiB", 1, MIB, STORE_OK, STORE_STRING, false},
    {"a value of 1 MiB and a byte", 1, MIB + 1, STORE_OK, STORE_LARGE_VALUE,
     false},
    {"a value of 5 MiB", 1, 5 * MIB, STORE_OK, STORE_LARGE_VALUE, false},
    {"a value of 40 MiB", 1, 40 * MIB, STORE_OK, STORE_LARGE_VALUE, false},
    {"two values of 3 MiB", 2, 3 * MIB, STORE_OK, STORE_LARGE_VALUE, false},
    {"16 values of 1 MiB", 16, MIB, STORE_OK, STORE_STRING, false},
    {"17 values of 1 MiB", 17, MIB, STORE_LARGE, 0, false},
    {"1,024 values of 16 KiB", 1024, 16384, STORE_OK, STORE_STRING, false},
    {"1,024 values of 16 KiB and a byte", 1024, 16385, STORE_LARGE, 0, false},
    {"200 values of 130 KB", 200, 130000, STORE_LARGE, 0, false},
    {"100 values of 130 KB", 100, 130000, STORE_OK, STORE_STRING, false},
    {"1,000 values of 1 KB", 1000, 1000, STORE_OK, STORE_STRING, false},
    {"a value of 5 MiB, unmeasured", 1, 5 * MIB, STORE_OK, STORE_LARGE_VALUE,
     true},
    {"200 values of 130 KB, unmeasured", 200, 130000, STORE_LARGE, 0, true},
};

/* Then the store may have been too slow indeed. */
static bool
is_busy(const struct lost *lost)
{
    return lost_since_us(lost) >= WORLD_COMMAND_MS / 3 * US_PER_MS;
}

/* Sends small reads at the same time, and checks all. */
static void
ask_beside(struct world *world, struct answer *large, const struct lost *lost)
{
    static struct answer others[OTHERS];

    world_ask(world, large, STORE_MUST, LARGE_LIMIT);
    for (int i = 0; i < OTHERS; i++) {
        const bool is_cache = i % 2 != 0;

        others[i] = (struct answer){
            .keys = {bytes_of(is_cache ? "other" : "small")}, .count = 1};
        world_ask(world, &others[i], is_cache ? STORE_CACHE : STORE_MUST,
                  WORLD_DEADLINE_MS);
    }
    world_await(world, large);
    for (int i = 0; i < OTHERS; i++) {
        world_await(world, &others[i]);
        CU_ASSERT(others[i].took_ms < OTHERS_MS);
        if (i % 2 == 0)
            CU_ASSERT(answer_is(&others[i], bytes_of("[]")) || is_busy(lost));
    }
}

/* There is no outage, and no read is retried because of another one. */
TEST_CASES(large, struct large_case, large_rows)
{
    static struct answer large;
    struct redis_url url = server_url;
    struct world world;
    struct lost lost;

    fill(c->count, c->bytes);
    name_keys(&large, c->count);
    (void)redis_do(
        &server, "ACL SETUSER limited on >pw +@all -strlen -getrange ~%s", "*");
    if (c->is_denied) {
        url.username = "limited";
        url.password = "pw";
    }
    world_start(&world, &url);
    lost_look(&lost);
    for (int i = 0; i < ROUNDS; i++) {
        ask_beside(&world, &large, &lost);
        CU_ASSERT(large.status == c->want || is_busy(&lost));
        if (large.status == STORE_OK && c->want == STORE_OK)
            CU_ASSERT_EQUAL(large.kinds[0], c->kind);
    }
    CU_ASSERT(world.events[STORE_EVENT_DOWN] == 0 || is_busy(&lost));
    CU_ASSERT(world.events[STORE_EVENT_RETRY] == 0 || is_busy(&lost));
    /* Of one key never, of more once: it is not asked for when it is known. */
    if (!c->is_denied && !is_busy(&lost))
        CU_ASSERT(world.events[STORE_EVENT_CONNECTED] <= (c->count > 1) + 1);
    world_end(&world);
}

TEST_SUITE(.start = suite_start, .end = suite_end, .room = CASES_ALONE);
