/*
 * Reads on Redis: the commands of one, and what their replies mean. It
 * implements the rules for interests and scores in docs/protocol.md: all keys
 * in as few round trips as possible, in bounded chunks, and a key of another
 * type told from an absent one.
 */
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "redis/error.h"
#include "store/fetch.h"

#define CHUNK_KEYS REDIS_COMMAND_KEYS_MAX

/* Replies that the values of a fetch point into. */
struct kept {
    size_t count;
    redisReply *replies[];
};

void
redis_fetch_release(struct store_fetch *fetch)
{
    struct kept *kept = fetch->kept;

    if (kept == NULL)
        return;
    for (size_t i = 0; i < kept->count; i++)
        freeReplyObject(kept->replies[i]);
    free(kept);
    fetch->kept = NULL;
}

static size_t
chunk_end(size_t first, size_t count)
{
    return count - first > CHUNK_KEYS ? first + CHUNK_KEYS : count;
}

static void
add_get(struct redis_commands *commands, struct store_fetch *fetch,
        int64_t now_ms)
{
    const struct redis_command command = {.kind = REDIS_COMMAND_GET,
                                          .sent_ms = now_ms,
                                          .fetch = fetch,
                                          .count = 1};

    redis_commands_add(commands, &command, "GET", 1);
    redis_commands_add_argument(commands, fetch->keys[0]);
    fetch->waiting++;
}

static void
add_mget(struct redis_commands *commands, struct store_fetch *fetch,
         size_t first, size_t end, int64_t now_ms)
{
    const struct redis_command command = {.kind = REDIS_COMMAND_MGET,
                                          .sent_ms = now_ms,
                                          .fetch = fetch,
                                          .first = first,
                                          .count = end - first};

    redis_commands_add(commands, &command, "MGET", command.count);
    for (size_t i = first; i < end; i++)
        redis_commands_add_argument(commands, fetch->keys[i]);
    fetch->waiting++;
}

bool
redis_fetch_send(struct redis_commands *commands, struct store_fetch *fetch,
                 int64_t now_ms)
{
    size_t chunks = (fetch->count - 1) / CHUNK_KEYS + 1;
    size_t bytes =
        chunks * REDIS_COMMAND_ROOM + fetch->count * REDIS_ARGUMENT_ROOM;
    struct kept *kept;

    for (size_t i = 0; i < fetch->count; i++)
        bytes += fetch->keys[i].length;
    if (!redis_commands_reserve(commands, chunks, bytes))
        return false;
    if (fetch->count == 1) {
        add_get(commands, fetch, now_ms);
        return true;
    }
    kept = calloc(1, sizeof(*kept) + chunks * sizeof(kept->replies[0]));
    if (kept == NULL)
        return false;
    fetch->kept = kept;
    for (size_t first = 0; first < fetch->count; first += CHUNK_KEYS)
        add_mget(commands, fetch, first, chunk_end(first, fetch->count),
                 now_ms);
    return true;
}

/*
 * Each of these says whether the reply fits its command at all; one that
 * keeps the reply sets it to NULL.
 */
typedef bool reply_fn(struct redis_commands *commands,
                      const struct redis_command *command, redisReply **reply);

static void
fetch_refuse(struct store_fetch *fetch, const redisReply *reply)
{
    fetch->status = STORE_REFUSED;
    redis_error_words(reply->str, fetch->refusal);
}

static bool
on_get(struct redis_commands *commands, const struct redis_command *command,
       redisReply **reply)
{
    struct store_fetch *fetch = command->fetch;
    struct store_value *value = &fetch->values[0];

    (void)commands;
    switch ((*reply)->type) {
    case REDIS_REPLY_STRING:
        value->kind = STORE_STRING;
        value->data = (struct bytes){(*reply)->str, (*reply)->len};
        break;
    case REDIS_REPLY_NIL:
        break;
    case REDIS_REPLY_ERROR:
        if (redis_error_is((*reply)->str, "WRONGTYPE"))
            value->kind = STORE_WRONG_TYPE;
        else
            fetch_refuse(fetch, *reply);
        break;
    default:
        return false;
    }
    return true;
}

/*
 * MGET answers nil both for a key that is absent and for one of another type.
 * EXISTS over the nil keys of the chunk tells whether there are any of these.
 */
static void
ask_exists(struct redis_commands *commands, const struct redis_command *mget,
           size_t absent)
{
    struct store_fetch *fetch = mget->fetch;
    size_t end = mget->first + mget->count;
    size_t bytes = REDIS_COMMAND_ROOM + absent * REDIS_ARGUMENT_ROOM;
    struct redis_command exists = *mget;

    for (size_t i = mget->first; i < end; i++)
        bytes += fetch->keys[i].length;
    if (!redis_commands_reserve(commands, 1, bytes)) {
        fetch->status = STORE_MEMORY;
        return;
    }
    exists.kind = REDIS_COMMAND_EXISTS;
    exists.sent_ms = clock_mono_ms();
    redis_commands_add(commands, &exists, "EXISTS", absent);
    for (size_t i = mget->first; i < end; i++)
        if (fetch->values[i].kind == STORE_ABSENT)
            redis_commands_add_argument(commands, fetch->keys[i]);
    fetch->waiting++;
}

/* Keeps the reply, which the values point into. */
static void
take_chunk(struct redis_commands *commands, const struct redis_command *command,
           redisReply **reply)
{
    struct store_fetch *fetch = command->fetch;
    struct kept *kept = fetch->kept;
    size_t absent = 0;

    for (size_t i = 0; i < command->count; i++) {
        const redisReply *element = (*reply)->element[i];
        struct store_value *value = &fetch->values[command->first + i];

        if (element->type == REDIS_REPLY_NIL) {
            absent++;
            continue;
        }
        value->kind = STORE_STRING;
        value->data = (struct bytes){element->str, element->len};
    }
    kept->replies[kept->count++] = *reply;
    *reply = NULL;
    if (absent > 0)
        ask_exists(commands, command, absent);
}

static bool
on_mget(struct redis_commands *commands, const struct redis_command *command,
        redisReply **reply)
{
    struct store_fetch *fetch = command->fetch;

    if ((*reply)->type == REDIS_REPLY_ERROR) {
        fetch_refuse(fetch, *reply);
        return true;
    }
    if ((*reply)->type != REDIS_REPLY_ARRAY ||
        (*reply)->elements != command->count)
        return false;
    for (size_t i = 0; i < command->count; i++) {
        int type = (*reply)->element[i]->type;

        if (type != REDIS_REPLY_STRING && type != REDIS_REPLY_NIL)
            return false;
    }
    if (!fetch->abandoned)
        take_chunk(commands, command, reply);
    return true;
}

/* Some of the chunk's nil keys do exist; their types tell which. */
static void
ask_types(struct redis_commands *commands, const struct redis_command *exists)
{
    struct store_fetch *fetch = exists->fetch;
    size_t end = exists->first + exists->count;
    size_t bytes = exists->count * (REDIS_COMMAND_ROOM + REDIS_ARGUMENT_ROOM);

    for (size_t i = exists->first; i < end; i++)
        bytes += fetch->keys[i].length;
    if (!redis_commands_reserve(commands, exists->count, bytes)) {
        fetch->status = STORE_MEMORY;
        return;
    }
    for (size_t i = exists->first; i < end; i++) {
        const struct redis_command type = {.kind = REDIS_COMMAND_TYPE,
                                           .sent_ms = clock_mono_ms(),
                                           .fetch = fetch,
                                           .first = i,
                                           .count = 1};

        if (fetch->values[i].kind != STORE_ABSENT)
            continue;
        redis_commands_add(commands, &type, "TYPE", 1);
        redis_commands_add_argument(commands, fetch->keys[i]);
        fetch->waiting++;
    }
}

static bool
on_exists(struct redis_commands *commands, const struct redis_command *command,
          redisReply **reply)
{
    struct store_fetch *fetch = command->fetch;

    if ((*reply)->type == REDIS_REPLY_ERROR)
        fetch_refuse(fetch, *reply);
    else if ((*reply)->type != REDIS_REPLY_INTEGER)
        return false;
    else if ((*reply)->integer > 0 && !fetch->abandoned)
        ask_types(commands, command);
    return true;
}

/* A string has appeared since: it was absent when it was read. */
static bool
on_type(struct redis_commands *commands, const struct redis_command *command,
        redisReply **reply)
{
    struct store_fetch *fetch = command->fetch;

    (void)commands;
    if ((*reply)->type == REDIS_REPLY_ERROR)
        fetch_refuse(fetch, *reply);
    else if ((*reply)->type != REDIS_REPLY_STATUS)
        return false;
    else if (strcmp((*reply)->str, "none") != 0 &&
             strcmp((*reply)->str, "string") != 0)
        fetch->values[command->first].kind = STORE_WRONG_TYPE;
    return true;
}

static reply_fn *const reply_fns[REDIS_COMMAND__MAX] = {
    [REDIS_COMMAND_GET] = on_get,
    [REDIS_COMMAND_MGET] = on_mget,
    [REDIS_COMMAND_EXISTS] = on_exists,
    [REDIS_COMMAND_TYPE] = on_type,
};

/* One reply of the fetch has been dealt with; the last one answers it. */
static void
fetch_settle(struct store *store, struct store_fetch *fetch)
{
    struct store_fetch ending;

    if (--fetch->waiting > 0)
        return;
    ending = *fetch;
    store_link_reply(store, fetch, ending.status, ending.refusal);
    redis_fetch_release(&ending);
}

bool
redis_fetch_take(struct redis_commands *commands, struct store *store,
                 const struct redis_command *command, struct redisReply *reply)
{
    struct store_fetch *fetch = command->fetch;
    bool fits = reply_fns[command->kind](commands, command, &reply);

    if (fits)
        fetch_settle(store, fetch); /* whose value may be in the reply */
    else
        redis_fetch_release(fetch);
    freeReplyObject(reply);
    return fits;
}
