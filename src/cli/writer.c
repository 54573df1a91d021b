/*
 * Many keys to be written: batches, and how many are under way. It serves
 * "Import and export" of docs/protocol.md.
 */
#include <hiredis/hiredis.h>
#include <stdlib.h>

#include "cli/writer.h"
#include "redis/session.h"

/* Redis answers a batch in one go, so both bound how long others wait. */
#define BATCH_KEYS_MAX  REDIS_COMMAND_KEYS_MAX
#define BATCH_BYTES_MAX ((size_t)256 << 10) /* and one more value */

/* Enough to keep both sides busy; more would only be memory. */
#define BATCHES_MAX 4

struct redis_writer {
    struct redis_session *session;
    struct buf text; /* keys and values of the batch, end to end */
    size_t lengths[2 * BATCH_KEYS_MAX];
    size_t count; /* keys of the batch */
    size_t under_way;
    int64_t confirmed;
};

struct redis_writer *
redis_writer_new(struct redis_session *session)
{
    struct redis_writer *writer = calloc(1, sizeof(*writer));

    if (writer != NULL)
        writer->session = session;
    return writer;
}

/* Waits for the oldest batch. */
static bool
confirm(struct redis_writer *writer)
{
    struct redis_command command = {0};
    redisReply *reply = NULL;
    bool is_good = true;

    if (!redis_session_receive(writer->session, &command, &reply))
        return false;
    writer->under_way--;
    if (reply->type == REDIS_REPLY_ERROR)
        is_good = redis_session_refuse(writer->session, reply);
    else if (reply->type != REDIS_REPLY_STATUS)
        is_good =
            redis_session_fail(writer->session, "an answer of the wrong kind");
    else
        writer->confirmed += (int64_t)command.count;
    freeReplyObject(reply);
    return is_good;
}

static bool
send_batch(struct redis_writer *writer)
{
    struct redis_commands *commands = redis_session_commands(writer->session);
    const struct redis_command command = {.kind = REDIS_COMMAND_MSET,
                                          .count = writer->count};
    const size_t arguments = 2 * writer->count;
    const char *at = writer->text.data;

    if (!redis_commands_reserve(commands, 1,
                                REDIS_COMMAND_ROOM +
                                    arguments * REDIS_ARGUMENT_ROOM +
                                    writer->text.length))
        return redis_session_fail(writer->session, "out of memory");
    redis_commands_add(commands, &command, "MSET", arguments);
    for (size_t i = 0; i < arguments; i++) {
        redis_commands_add_argument(commands,
                                    (struct bytes){at, writer->lengths[i]});
        at += writer->lengths[i];
    }
    buf_clear(&writer->text);
    writer->count = 0;
    writer->under_way++;
    return redis_session_send(writer->session);
}

bool
redis_writer_add(struct redis_writer *writer, struct bytes key,
                 struct bytes value)
{
    buf_add_bytes(&writer->text, key);
    buf_add_bytes(&writer->text, value);
    if (writer->text.failed)
        return redis_session_fail(writer->session, "out of memory");
    writer->lengths[2 * writer->count] = key.length;
    writer->lengths[2 * writer->count + 1] = value.length;
    writer->count++;
    if (writer->count < BATCH_KEYS_MAX && writer->text.length < BATCH_BYTES_MAX)
        return true;
    return send_batch(writer) &&
           (writer->under_way < BATCHES_MAX || confirm(writer));
}

bool
redis_writer_finish(struct redis_writer *writer)
{
    bool is_good = writer->count == 0 || send_batch(writer);

    while (is_good && writer->under_way > 0)
        is_good = confirm(writer);
    return is_good;
}

int64_t
redis_writer_confirmed(const struct redis_writer *writer)
{
    return writer->confirmed;
}

void
redis_writer_free(struct redis_writer *writer)
{
    if (writer == NULL)
        return;
    buf_free(&writer->text);
    free(writer);
}
