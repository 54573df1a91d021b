/*
 * What a Redis may answer: any bytes end either in values for every key or in
 * a connection that is dropped, and every read is answered once. The first two
 * bytes say how many keys are wanted, the third whether somebody still waits
 * for them, the rest is what the server sends.
 */
#include "fuzz.h"
#include "support/reply_link.h"

#define KEYS_MAX 1100 /* more than two chunks */
#define LIMIT_MS 100

struct asked {
    struct bytes *keys; /* gone as soon as the read is done */
    size_t count;
    unsigned done;
};

/* Reads every byte of every value, for ASan to see. */
static void
on_done(void *arg, enum store_status status, const struct store_value *values)
{
    struct asked *asked = arg;
    unsigned sum = 0;

    asked->done++;
    FUZZ_CHECK((status == STORE_OK) == (values != NULL));
    for (size_t i = 0; values != NULL && i < asked->count; i++) {
        const struct bytes data = values[i].data;

        FUZZ_CHECK(values[i].kind <= STORE_WRONG_TYPE);
        for (size_t k = 0; values[i].kind == STORE_STRING && k < data.length;
             k++)
            sum += (unsigned char)data.at[k];
    }
    FUZZ_CHECK(sum < (unsigned)-1);
    free(asked->keys);
    asked->keys = NULL;
}

static void
ask(struct store *store, struct asked *asked)
{
    asked->keys = calloc(asked->count, sizeof(*asked->keys));
    FUZZ_CHECK(asked->keys != NULL);
    for (size_t i = 0; i < asked->count; i++)
        asked->keys[i] = bytes_of("i:1");
    FUZZ_CHECK(store_read(store, asked->keys, asked->count, STORE_MUST, 0,
                          LIMIT_MS, on_done, asked));
    (void)store_turn(store, 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct store_config config = {.attempts = 1,
                                               .connect_timeout_ms = LIMIT_MS,
                                               .command_timeout_ms =
                                                   2 * LIMIT_MS,
                                               .deadline_ms = LIMIT_MS};
    struct fuzz_input input = {data, size};
    struct reply_link link = {0};
    struct asked asked = {0};

    asked.count = (fuzz_byte(&input) << 8 | fuzz_byte(&input)) % KEYS_MAX + 1;
    FUZZ_CHECK(reply_link_open(&link, &config));
    ask(link.base.store, &asked);
    if (fuzz_byte(&input) & 1)
        (void)store_turn(link.base.store, LIMIT_MS);
    (void)reply_link_serve(&link, input.at, input.left);
    reply_link_close(&link);
    FUZZ_CHECK(asked.done == 1);
    return 0;
}
