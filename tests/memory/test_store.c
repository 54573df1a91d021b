/*
 * The store and the reader of Redis replies, with every allocation failing in
 * turn: each read is answered once, with its values or an error, and leaks
 * nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "support/cases.h"
#include "support/clock.h"
#include "support/memory.h"
#include "support/reply_store.h"

#define LIMIT_MS 2000 /* never reached */
#define KEYS_MAX 3

/* A command with the first key does not fit the memory that a handshake takes:
 * more is allocated for it. */
static const char long_key[4096];
static const struct bytes keys[KEYS_MAX] = {
    {long_key, sizeof(long_key)}, {"i:2", 3}, {"i:3", 3}};

struct read_case {
    const char *name;
    enum redis_url_kind kind;
    size_t count; /* of keys */
    const char *replies;
    enum store_value_kind want[KEYS_MAX];
};

static const struct read_case read_rows[] = {
    {"one", REDIS_URL_SINGLE, 1, "$1\r\na\r\n", {STORE_STRING}},
    {"one of another type",
     REDIS_URL_SINGLE,
     1,
     "-WRONGTYPE no\r\n",
     {STORE_WRONG_TYPE}},
    {"one that is denied a range",
     REDIS_URL_SINGLE,
     1,
     "-NOPERM no\r\n$1\r\na\r\n",
     {STORE_STRING}},
    {"several",
     REDIS_URL_SINGLE,
     3,
     "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n",
     {STORE_STRING, STORE_STRING, STORE_STRING}},
    {"several, none of another type",
     REDIS_URL_SINGLE,
     3,
     "*3\r\n$1\r\na\r\n$-1\r\n$-1\r\n:0\r\n",
     {STORE_STRING, STORE_ABSENT, STORE_ABSENT}},
    {"several, one of another type",
     REDIS_URL_SINGLE,
     3,
     "*3\r\n$1\r\na\r\n$-1\r\n$-1\r\n:1\r\n+none\r\n+list\r\n",
     {STORE_STRING, STORE_ABSENT, STORE_WRONG_TYPE}},
    {"several of a Cluster",
     REDIS_URL_CLUSTER,
     3,
     "$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n",
     {STORE_STRING, STORE_STRING, STORE_STRING}},
};

struct asked {
    const struct read_case *row;
    unsigned done;
    enum store_status status;
};

static void
on_done(void *arg, enum store_status status, const struct store_value *values)
{
    struct asked *asked = arg;

    asked->done++;
    asked->status = status;
    for (size_t i = 0; status == STORE_OK && i < asked->row->count; i++)
        CU_ASSERT_EQUAL(values[i].kind, asked->row->want[i]);
}

/* One read, over a new connection. */
static void
read_once(const struct read_case *c)
{
    static const struct store_config config = {.attempts = 1,
                                               .connect_timeout_ms = LIMIT_MS,
                                               .command_timeout_ms = LIMIT_MS,
                                               .deadline_ms = LIMIT_MS,
                                               .answer_bytes_max = 1000,
                                               .probe_key = {"i:0", 3}};
    struct reply_store replies;
    struct asked asked = {.row = c};
    bool is_open = reply_store_open(&replies, &config, c->kind, c->replies,
                                    strlen(c->replies));
    bool is_asked =
        is_open &&
        store_read(replies.store, keys, c->count, STORE_MUST, clock_ms(),
                   clock_ms() + LIMIT_MS, on_done, &asked);
    bool has_failed;

    while (is_asked && asked.done == 0)
        reply_store_turn(&replies);
    has_failed = memory_stop();
    if (is_open)
        reply_store_close(&replies);
    CU_ASSERT_EQUAL(asked.done, is_asked ? 1 : 0);
    CU_ASSERT(has_failed || (is_asked && asked.status == STORE_OK));
}

static void
read_twice(const void *row)
{
    read_once(row);
    read_once(row); /* with no failure */
}

TEST_CASES(read, struct read_case, read_rows)
{
    memory_fail_each(read_twice, c);
}
