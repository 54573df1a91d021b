/*
 * Replies of Redis: any bytes give a value for every key, or end the
 * connection; and each read is answered once. The first two bytes are the
 * number of keys, the third whether the read is abandoned, the rest is what the
 * server sends.
 */
#include "fuzz.h"
#include "support/clock.h"
#include "support/reply_store.h"

#define KEYS_MAX  1100 /* more than two chunks */
#define LIMIT_MS  100
#define BYTES_MAX 60000

struct asked {
    struct bytes *keys; /* freed when the read is done */
    size_t count;
    unsigned done;
};

/* Reads every byte of every value, so that ASan checks them. */
static void
on_done(void *arg, enum store_status status, const struct store_value *values)
{
    struct asked *asked = arg;
    unsigned sum = 0;

    asked->done++;
    FUZZ_CHECK((status == STORE_OK) == (values != NULL));
    for (size_t i = 0; values != NULL && i < asked->count; i++) {
        const struct bytes data = values[i].data;

        FUZZ_CHECK(values[i].kind <= STORE_LARGE_VALUE);
        for (size_t k = 0; values[i].kind == STORE_STRING && k < data.length;
             k++)
            sum += (unsigned char)data.at[k];
    }
    FUZZ_CHECK(sum < (unsigned)-1);
    free(asked->keys);
    asked->keys = NULL;
}

static void
ask(struct store *store, struct asked *asked, int64_t limit_ms)
{
    asked->keys = calloc(asked->count, sizeof(*asked->keys));
    FUZZ_CHECK(asked->keys != NULL);
    for (size_t i = 0; i < asked->count; i++)
        asked->keys[i] = bytes_of("i:1");
    FUZZ_CHECK(store_read(store, asked->keys, asked->count, STORE_MUST,
                          clock_ms(), clock_ms() + limit_ms, on_done, asked));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct store_config config = {.attempts = 1,
                                               .connect_timeout_ms = LIMIT_MS,
                                               .command_timeout_ms =
                                                   2 * LIMIT_MS,
                                               .deadline_ms = LIMIT_MS,
                                               .answer_bytes_max = 100,
                                               .probe_key = {"i:0", 3}};
    struct fuzz_input input = {data, size};
    struct reply_store replies;
    struct asked asked = {0};
    bool is_patient;

    asked.count = (fuzz_byte(&input) << 8 | fuzz_byte(&input)) % KEYS_MAX + 1;
    is_patient = (fuzz_byte(&input) & 1) == 0;
    FUZZ_CHECK(input.left <= BYTES_MAX);
    FUZZ_CHECK(reply_store_open(&replies, &config, REDIS_URL_SINGLE, input.at,
                                input.left));
    ask(replies.store, &asked, is_patient ? LIMIT_MS : 1);
    while (asked.done == 0)
        reply_store_turn(&replies);
    reply_store_close(&replies);
    FUZZ_CHECK(asked.done == 1);
    return 0;
}
