/*
 * Writes many keys in batches, several of which are pending at a time.
 * Implements a part of S19.4 of docs/protocol.md.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/session.h"
#include "cli/writer.h"

/* Redis serves nobody else while it executes a batch, so batches are small. */
#define BATCH_KEYS_MAX  REDIS_COMMAND_KEYS_MAX
#define BATCH_BYTES_MAX ((size_t)256 << 10) /* one value may exceed it */

/* Enough to keep both sides busy; more would only use memory. */
#define BATCHES_MAX 4

#define WAIT_ROOM (REDIS_COMMAND_ROOM + 2 * REDIS_ARGUMENT_ROOM)

struct writer {
    struct session *session;
    struct buf text; /* the keys and values of the batch, without separators */
    size_t lengths[2 * BATCH_KEYS_MAX];
    size_t count;   /* keys of the batch */
    size_t pending; /* pending batches */
    enum writer_command command;
    bool is_asking;   /* ROLE is pending */
    char wait_ms[24]; /* the limit of WAIT; empty: there is no replica */
    int64_t confirmed, deleted;
};

static const struct {
    const char *name;
    size_t arguments; /* for each key */
    int reply;        /* the type of its reply on success */
} commands_sent[] = {
    [WRITER_MSET] = {"MSET", 2, REDIS_REPLY_STATUS},
    [WRITER_SET] = {"SET", 2, REDIS_REPLY_STATUS},
    [WRITER_DEL] = {"DEL", 1, REDIS_REPLY_INTEGER},
};

struct writer *
writer_new(struct session *session, enum writer_command command)
{
    struct writer *writer = calloc(1, sizeof(*writer));

    if (writer == NULL)
        return NULL;
    writer->session = session;
    writer->command = command;
    return writer;
}

/* ROLE. The third element of a master's reply is the list of its replicas. */
static bool
on_role(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct writer *writer = arg;
    const redisReply *role = *reply;

    (void)command;
    writer->is_asking = false;
    if (role == NULL || role->type != REDIS_REPLY_ARRAY || role->elements < 3 ||
        role->element[2]->type != REDIS_REPLY_ARRAY ||
        role->element[2]->elements == 0)
        writer->wait_ms[0] = '\0';
    return true;
}

bool
writer_ask_replicas(struct writer *writer, int64_t limit_ms)
{
    const struct redis_command command = {.done = on_role, .arg = writer};
    struct redis_commands *commands = session_commands(writer->session, 0, 0);

    if (commands == NULL)
        return false;
    (void)snprintf(writer->wait_ms, sizeof(writer->wait_ms), "%lld",
                   (long long)limit_ms);
    writer->is_asking = true;
    redis_commands_add(commands, &command, "ROLE", 0);
    while (writer->is_asking)
        if (!session_turn(writer->session))
            return false;
    return true;
}

/* After a refused command nothing more counts: the session has failed. */
static void
confirm(struct writer *writer, const struct redis_command *command)
{
    if (*session_error(writer->session) == '\0')
        writer->confirmed += (int64_t)command->count;
}

/*
 * After any other error nobody knows: a master that is demoted while WAIT waits
 * answers so, and loses the batch.
 */
static bool
may_not_wait(const redisReply *reply)
{
    return redis_error_is(reply->str, "NOPERM") ||
           redis_error_is(reply->str, "ERR unknown command");
}

/*
 * WAIT. The reply is the number of replicas that have the batch. Without the
 * right to WAIT the master's answer counts.
 */
static bool
on_replicated(void *arg, const struct redis_command *command,
              redisReply **reply)
{
    struct writer *writer = arg;

    writer->pending--;
    if (*reply == NULL)
        return true;
    if ((*reply)->type == REDIS_REPLY_ERROR && may_not_wait(*reply))
        writer->wait_ms[0] = '\0';
    else if ((*reply)->type == REDIS_REPLY_ERROR)
        (void)session_refuse(writer->session, *reply);
    else if ((*reply)->type != REDIS_REPLY_INTEGER)
        return false;
    else if ((*reply)->integer == 0)
        return !session_fail(writer->session,
                             "no replica has confirmed in time");
    confirm(writer, command);
    return true;
}

/* A command that does not confirm its batch. */
static bool
on_taken(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct writer *writer = arg;

    (void)command;
    if (*reply == NULL)
        return true;
    if ((*reply)->type == REDIS_REPLY_ERROR) {
        (void)session_refuse(writer->session, *reply);
        return true;
    }
    if ((*reply)->type != commands_sent[writer->command].reply)
        return false;
    if (writer->command == WRITER_DEL)
        writer->deleted += (*reply)->integer;
    return true;
}

static bool
on_written(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct writer *writer = arg;

    writer->pending--;
    if (!on_taken(arg, command, reply))
        return false;
    if (*reply != NULL)
        confirm(writer, command);
    return true;
}

static void
add_wait(struct writer *writer, struct redis_commands *commands, size_t count)
{
    const struct redis_command command = {
        .done = on_replicated, .arg = writer, .count = count};

    redis_commands_add(commands, &command, "WAIT", 2);
    redis_commands_add_argument(commands, bytes_of("1"));
    redis_commands_add_argument(commands, bytes_of(writer->wait_ms));
}

/*
 * Adds a command for some keys, at `at` in the text. Returns their end there.
 */
static const char *
add_keys(struct writer *writer, struct redis_commands *commands,
         const struct redis_command *command, size_t first, size_t keys,
         const char *at)
{
    const size_t arguments = commands_sent[writer->command].arguments;

    redis_commands_add(commands, command, commands_sent[writer->command].name,
                       arguments * keys);
    for (size_t i = 0; i < arguments * keys; i++) {
        const size_t length = writer->lengths[2 * first + i];

        redis_commands_add_argument(commands, (struct bytes){at, length});
        at += length;
    }
    return at;
}

/* The last command, or the WAIT after it, confirms the whole batch. */
static bool
send_batch(struct writer *writer)
{
    const bool waits = writer->wait_ms[0] != '\0';
    const size_t keys = writer->command == WRITER_MSET ? writer->count : 1;
    const struct redis_command last = {.done = waits ? on_taken : on_written,
                                       .arg = writer,
                                       .count = writer->count};
    const struct redis_command other = {.done = on_taken, .arg = writer};
    const size_t rooms = writer->count / keys * REDIS_COMMAND_ROOM;
    const char *at = writer->text.data;
    struct redis_commands *commands =
        session_commands(writer->session, 2 * writer->count + 2,
                         writer->text.length + rooms + WAIT_ROOM);

    if (commands == NULL)
        return false;
    if (!redis_commands_reserve(commands, writer->count / keys + 1, 0))
        return session_fail(writer->session, "out of memory");
    for (size_t i = 0; i < writer->count; i += keys)
        at = add_keys(writer, commands,
                      i + keys == writer->count ? &last : &other, i, keys, at);
    if (waits)
        add_wait(writer, commands, writer->count);
    buf_clear(&writer->text);
    writer->count = 0;
    writer->pending++;
    return session_send(writer->session);
}

/* Waits until at most so many batches are pending. */
static bool
wait_for(struct writer *writer, size_t batches)
{
    while (writer->pending > batches) {
        if (!session_turn(writer->session))
            return false;
    }
    return true;
}

bool
writer_add(struct writer *writer, struct bytes key, struct bytes value)
{
    buf_add_bytes(&writer->text, key);
    buf_add_bytes(&writer->text, value);
    if (writer->text.failed)
        return session_fail(writer->session, "out of memory");
    writer->lengths[2 * writer->count] = key.length;
    writer->lengths[2 * writer->count + 1] = value.length;
    writer->count++;
    if (writer->count < BATCH_KEYS_MAX && writer->text.length < BATCH_BYTES_MAX)
        return true;
    return send_batch(writer) && wait_for(writer, BATCHES_MAX - 1);
}

bool
writer_finish(struct writer *writer)
{
    return (writer->count == 0 || send_batch(writer)) && wait_for(writer, 0);
}

int64_t
writer_confirmed(const struct writer *writer)
{
    return writer->confirmed;
}

int64_t
writer_deleted(const struct writer *writer)
{
    return writer->deleted;
}

void
writer_free(struct writer *writer)
{
    if (writer == NULL)
        return;
    if (writer->pending > 0)
        session_close(writer->session);
    buf_free(&writer->text);
    free(writer);
}
