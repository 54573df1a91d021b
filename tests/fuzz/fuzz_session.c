/*
 * Replies of Redis to an import or an export: for any bytes it ends in order,
 * with the keys or with a reason. The first byte chooses import or export,
 * whether there are credentials, and who gives up first; the rest is what the
 * server sends, with the handshake.
 */
#include <signal.h>

#include "cli/scan.h"
#include "cli/session.h"
#include "cli/writer.h"
#include "fuzz.h"
#include "support/reply_server.h"

#define LIMIT_MS     5000 /* never reached: the server closes before */
#define PATIENCE     3    /* calls until the client gives up */
#define WRITTEN_KEYS 700  /* more than a batch */

/* Bits of the first byte. */
enum choice {
    CHOICE_WRITE = 1 << 0, /* else a scan */
    CHOICE_SHAKE = 1 << 1, /* with AUTH and SELECT */
    CHOICE_IMPATIENT = 1 << 2
};

struct seen {
    unsigned left; /* calls until the client gives up */
    unsigned sum;
    bool has_given_up;
};

static bool
goes_on(struct seen *seen)
{
    seen->has_given_up = --seen->left == 0;
    return !seen->has_given_up;
}

/* Reads every byte, so that ASan checks them. */
static bool
on_found(void *arg, const struct scan_item *item)
{
    struct seen *seen = arg;

    for (size_t i = 0; i < item->key.length; i++)
        seen->sum += (unsigned char)item->key.at[i];
    FUZZ_CHECK(item->kind == SCAN_STRING || item->value.length == 0);
    for (size_t i = 0; i < item->value.length; i++)
        seen->sum += (unsigned char)item->value.at[i];
    return goes_on(seen);
}

static bool
on_moved(void *arg, int64_t visited, int64_t total)
{
    FUZZ_CHECK(visited <= total);
    return goes_on(arg);
}

static bool
try_scan(struct session *session, bool is_impatient)
{
    struct seen seen = {.left = is_impatient ? PATIENCE : UINT32_MAX};
    const struct scan scan = {
        .pattern = "i:*", .found = on_found, .moved = on_moved, .arg = &seen};
    bool is_good = scan_run(session, &scan);

    FUZZ_CHECK(!is_good || !seen.has_given_up);
    return is_good || seen.has_given_up;
}

static bool
try_write(struct session *session, bool is_impatient)
{
    const int64_t count = is_impatient ? PATIENCE : WRITTEN_KEYS;
    struct writer *writer = writer_new(session, WRITER_MSET);
    bool is_good = true;

    FUZZ_CHECK(writer != NULL);
    for (int64_t i = 0; is_good && i < count; i++)
        is_good = writer_add(writer, bytes_of("i:1"), bytes_of("[]"));
    is_good = is_good && writer_finish(writer);
    FUZZ_CHECK(writer_confirmed(writer) <= count);
    FUZZ_CHECK(!is_good || writer_confirmed(writer) == count);
    writer_free(writer);
    return is_good;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reply_server *server = reply_server_start();
    struct fuzz_input input = {data, size};
    const unsigned choice = fuzz_byte(&input);
    const bool is_impatient = (choice & CHOICE_IMPATIENT) != 0;
    struct session *session;
    struct redis_url redis;
    bool is_good;

    FUZZ_CHECK(server != NULL && input.left <= REPLY_SERVER_BYTES_MAX);
    (void)signal(SIGPIPE, SIG_IGN); /* as main() does */
    redis = reply_server_place(server);
    if (choice & CHOICE_SHAKE) {
        redis.password = "secret";
        redis.database = 1;
    }
    reply_server_set(server, input.at, input.left);
    session = session_new(&redis, LIMIT_MS);
    FUZZ_CHECK(session != NULL);
    is_good = session_open(session) &&
              (choice & CHOICE_WRITE ? try_write(session, is_impatient)
                                     : try_scan(session, is_impatient));
    FUZZ_CHECK(is_good || session_error(session)[0] != '\0');
    session_free(session);
    return 0;
}
