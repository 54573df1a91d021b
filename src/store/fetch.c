/*
 * The commands of a read, and what their replies mean. It implements S18.2,
 * S18.3 and S20.5 of docs/protocol.md: few round trips, bounded chunks, and a
 * key of another type is not mistaken for an absent one.
 *
 *     read             commands             why
 *     one key          GET                  it reports a wrong type by itself
 *     one, guarded     GETRANGE             one byte more than a value may
 *                                           have: Redis copies no more
 *     several keys     MGET, in chunks      up to CHUNKS_MAX of them, and about
 *                                           FLIGHT_BYTES, pending at once
 *     ... nil keys     EXISTS, then TYPE    MGET answers nil also for a key of
 *                                           another type
 *     several, guarded STRLEN before MGET   the chunks fit the lengths
 *     in a Cluster     GETRANGE per key     each key may be redirected, and
 *                                           none is refused because of another
 *     ... cut values   GETRANGE again       ranges grow from pass to pass, so
 *                                           that at most 1 MiB is pending,
 *                                           whatever the lengths are
 *
 * The lengths of many values are unknown at first, so the first chunk is
 * smaller. A value that is known to be too large is not requested, and decides
 * the read: the other values are of no use to the caller.
 */
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "redis/command.h"
#include "redis/error.h"
#include "store/fetch.h"

#define CHUNK_KEYS   REDIS_COMMAND_KEYS_MAX
#define WHOLE_KEYS   128 /* up to so many are requested at once */
#define SAMPLE_KEYS  32  /* of more: in the first chunk, to estimate lengths */
#define CHUNKS_MAX   4
#define FLIGHT_BYTES ((size_t)256 << 10)
#define KEPT_FIRST   4 /* initial room for kept replies */

/*
 * How one key is read. Of several keys in a Cluster all are read in the first
 * pass, and in each later pass those whose values were longer: such a value is
 * cut off after one byte more. Usual values need one pass.
 */
enum { PASS_SHORT = 0, PASS_MEDIUM, PASS_LONG, PASS_WHOLE, PASS_GET, PASSES };

static const struct {
    size_t bytes;     /* of a value that is complete */
    size_t keys_max;  /* pending: they come to 1 MiB, as the largest value */
    struct bytes end; /* the last offset of GETRANGE, from 0 */
} passes[PASSES] = {
    [PASS_SHORT] = {4096, 256, {"4096", 4}},
    [PASS_MEDIUM] = {32768, 32, {"32768", 5}},
    [PASS_LONG] = {262144, 4, {"262144", 6}},
    [PASS_WHOLE] = {STORE_VALUE_BYTES_MAX, 1, {"1048576", 7}},
    /* Here only the connection bounds a reply. */
    [PASS_GET] = {STORE_VALUE_BYTES_MAX, 16, {"", 0}},
};
_Static_assert(STORE_VALUE_BYTES_MAX == 1048576, "an end is this number");

/* The replies that the values of a fetch point into. */
struct kept {
    size_t count, room;
    redisReply *replies[];
};

static void
release(struct kept *kept)
{
    if (kept == NULL)
        return;
    for (size_t i = 0; i < kept->count; i++)
        freeReplyObject(kept->replies[i]);
    free(kept);
}

/* Makes room for the replies to the pending chunks, and one more. */
static bool
reserve_kept(struct store_fetch *fetch)
{
    struct kept *kept = fetch->kept;
    size_t room = kept != NULL ? kept->room : 0;

    if (kept != NULL && kept->count + fetch->chunks < room)
        return true;
    room = room == 0 ? KEPT_FIRST : 2 * room;
    kept = realloc(kept, sizeof(*kept) + room * sizeof(kept->replies[0]));
    if (kept == NULL)
        return false;
    if (fetch->kept == NULL)
        kept->count = 0;
    kept->room = room;
    fetch->kept = kept;
    return true;
}

/*
 * Adds a command with the keys [first, end); if it is to have fewer arguments
 * than there are keys, with the absent ones alone. Returns false, with nothing
 * added, if memory runs out.
 */
static bool
add_command(struct store_fetch *fetch, const char *name, redis_reply_fn *done,
            size_t first, size_t end, size_t arguments)
{
    const struct redis_command command = {
        .done = done, .arg = fetch, .first = first, .count = end - first};
    struct redis_commands *commands = fetch->link->commands;
    size_t bytes = REDIS_COMMAND_ROOM + arguments * REDIS_ARGUMENT_ROOM;

    for (size_t i = first; i < end; i++)
        bytes += fetch->keys[i].length;
    if (!redis_commands_reserve(commands, 1, bytes))
        return false;
    redis_commands_add(commands, &command, name, arguments);
    for (size_t i = first; i < end; i++)
        if (arguments == end - first || fetch->values[i].kind == STORE_ABSENT)
            redis_commands_add_argument(commands, fetch->keys[i]);
    fetch->waiting++;
    return true;
}

/* Whether more values of the read are wanted. */
static bool
goes_on(const struct store_fetch *fetch)
{
    return fetch->status == STORE_OK && !fetch->is_abandoned &&
           !fetch->is_lost && !fetch->has_large_value;
}

static void
refuse(struct store_fetch *fetch, const redisReply *reply)
{
    fetch->status = STORE_REFUSED;
    redis_error_words(reply->str, fetch->refusal);
}

/* Counts the length of a value that has arrived or been measured. */
static void
count_value(struct store_fetch *fetch, struct store_value *value, size_t length)
{
    if (length > STORE_VALUE_BYTES_MAX) {
        value->kind = STORE_LARGE_VALUE;
        fetch->has_large_value = true;
        return;
    }
    fetch->bytes += length;
    if (fetch->sum != NULL)
        *fetch->sum += length;
}

static void
uncount(struct store_fetch *fetch, size_t bytes)
{
    fetch->bytes -= bytes;
    if (fetch->sum != NULL)
        *fetch->sum -= bytes;
}

/* A single large value takes precedence: the log can then name its key. */
static void
check_sum(struct store_fetch *fetch)
{
    const size_t bytes = fetch->sum != NULL ? *fetch->sum : fetch->bytes;

    if (fetch->status == STORE_OK && !fetch->has_large_value &&
        bytes > fetch->bytes_max)
        fetch->status = STORE_LARGE;
}

/* One command of the fetch is done; the last one answers the fetch. */
static void
settle(struct store_fetch *fetch)
{
    struct kept *kept = fetch->kept;

    if (--fetch->waiting > 0)
        return;
    if (!fetch->is_kept || fetch->is_lost)
        fetch->kept = NULL;
    else
        kept = NULL;
    if (fetch->is_lost) { /* the link reports it */
        uncount(fetch, fetch->bytes);
    } else {
        check_sum(fetch);
        store_link_reply(fetch->link, fetch, fetch->status, fetch->refusal);
    }
    release(kept);
}

void
store_fetch_release(struct store_fetch *fetch)
{
    release(fetch->kept);
    fetch->kept = NULL;
}

/* A reply is missing, or does not fit its command. */
static bool
lose(struct store_fetch *fetch, const struct redis_command *command, bool fits)
{
    fetch->is_lost = true;
    if (command->is_blamed)
        fetch->link->blamed = fetch;
    settle(fetch);
    return fits;
}

/* One key, or one of several that have a command each. */

static void ask_each(struct store_fetch *fetch);

/* Keeps a reply that values point into; reserve_kept() has made room. */
static void
keep(struct store_fetch *fetch, redisReply **reply)
{
    struct kept *kept = fetch->kept;

    kept->replies[kept->count++] = *reply;
    *reply = NULL;
}

/* The value points into the reply. */
static void
take_data(struct store_fetch *fetch, struct store_value *value,
          enum store_value_kind kind, redisReply **reply)
{
    value->kind = kind;
    value->data = (struct bytes){(*reply)->str, (size_t)(*reply)->len};
    if (fetch->link->is_single)
        keep(fetch, reply);
}

/* Of a value that was cut off only the length is kept. */
static void
take_string(struct store_fetch *fetch, struct store_value *value,
            redisReply **reply)
{
    const size_t length = (size_t)(*reply)->len;

    count_value(fetch, value, length);
    check_sum(fetch);
    if (!goes_on(fetch))
        return;
    if (length > passes[fetch->pass].bytes) {
        value->data.length = length;
        fetch->again++;
    } else {
        take_data(fetch, value, STORE_STRING, reply);
    }
}

static void
take_error(struct store_fetch *fetch, struct store_value *value,
           redisReply **reply)
{
    const char *words = (*reply)->str;

    if (redis_error_is(words, "WRONGTYPE"))
        value->kind = STORE_WRONG_TYPE;
    else if (fetch->link->is_single &&
             (redis_error_is(words, "MOVED") || redis_error_is(words, "ASK")))
        take_data(fetch, value, STORE_ELSEWHERE, reply);
    else
        refuse(fetch, *reply);
}

/* Returns false if this is no reply to GET or GETRANGE. A value that nobody
 * wants any more is not kept. */
static bool
take_value(struct store_fetch *fetch, const struct redis_command *command,
           redisReply **reply)
{
    struct store_value *value = &fetch->values[command->first];

    if (value->data.length > 0)
        uncount(fetch, value->data.length);
    value->data.length = 0;
    switch ((*reply)->type) {
    case REDIS_REPLY_STRING:
        if (goes_on(fetch))
            take_string(fetch, value, reply);
        return true;
    case REDIS_REPLY_NIL:
        return true;
    case REDIS_REPLY_ERROR:
        take_error(fetch, value, reply);
        return true;
    default:
        return false;
    }
}

/* The reply to one key has been taken. */
static void
settle_value(struct store_fetch *fetch)
{
    if (fetch->link->is_single) {
        fetch->chunks--;
        ask_each(fetch);
    }
    settle(fetch);
}

static bool
may_range(const struct store_fetch *fetch)
{
    return (fetch->is_guarded ||
            (fetch->link->is_single && fetch->count > 1)) &&
           !fetch->link->has_no_range;
}

/* If GET succeeds where GETRANGE was refused, this connection uses GET. */
static bool
on_get(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct store_fetch *fetch = arg;

    if (*reply == NULL)
        return lose(fetch, command, true);
    if (!take_value(fetch, command, reply))
        return lose(fetch, command, false);
    if (may_range(fetch) && fetch->status == STORE_OK)
        fetch->link->has_no_range = true;
    settle_value(fetch);
    return true;
}

/* Whether the server does not know the command, or the user lacks the right. */
static bool
is_denied(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR &&
           (redis_error_is(reply->str, "NOPERM") ||
            redis_error_is(reply->str, "ERR"));
}

static bool add_value(struct store_fetch *fetch, size_t i);

/* One key is read at once with GET, several in a pass of their own. */
static void
go_without_range(struct store_fetch *fetch, size_t i)
{
    fetch->is_denied = true;
    if (fetch->link->is_single) {
        fetch->again++;
        return;
    }
    fetch->pass = PASS_GET;
    if (!add_value(fetch, i))
        fetch->status = STORE_MEMORY;
}

/* GETRANGE answers "" for an absent key as for an empty value. */
static bool
on_range(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct store_fetch *fetch = arg;
    struct store_value *value = &fetch->values[command->first];

    if (*reply == NULL)
        return lose(fetch, command, true);
    if (is_denied(*reply) && goes_on(fetch))
        go_without_range(fetch, command->first);
    else if (!take_value(fetch, command, reply))
        return lose(fetch, command, false);
    if (value->kind == STORE_STRING && value->data.length == 0)
        value->kind = STORE_ABSENT;
    settle_value(fetch);
    return true;
}

/* An error needs no handling: the next command is then redirected again. */
static bool
on_asking(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct store_fetch *fetch = arg;

    if (*reply == NULL)
        return lose(fetch, command, true);
    settle(fetch);
    return true;
}

/* Adds GETRANGE or GET of key i. Returns false, with nothing added, if memory
 * runs out. */
static bool
add_value(struct store_fetch *fetch, size_t i)
{
    const struct bytes range_end = passes[fetch->pass].end;
    const bool is_range = fetch->pass != PASS_GET;
    const struct redis_command command = {.done = is_range ? on_range : on_get,
                                          .arg = fetch,
                                          .first = i,
                                          .count = 1};
    const struct redis_command asking = {.done = on_asking, .arg = fetch};
    struct redis_commands *commands = fetch->link->commands;
    const size_t bytes = 2 * REDIS_COMMAND_ROOM + 3 * REDIS_ARGUMENT_ROOM +
                         fetch->keys[i].length + range_end.length;

    if (!redis_commands_reserve(commands, 2, bytes))
        return false;
    if (fetch->is_asking) {
        redis_commands_add(commands, &asking, "ASKING", 0);
        fetch->waiting++;
    }
    redis_commands_add(commands, &command, is_range ? "GETRANGE" : "GET",
                       is_range ? 3 : 1);
    redis_commands_add_argument(commands, fetch->keys[i]);
    if (is_range) {
        redis_commands_add_argument(commands, (struct bytes){"0", 1});
        redis_commands_add_argument(commands, range_end);
    }
    fetch->waiting++;
    return true;
}

/* Nil keys: absent, or of another type. */

/* A key that is a string by now was absent when MGET read it. */
static bool
on_type(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct store_fetch *fetch = arg;

    if (*reply == NULL)
        return lose(fetch, command, true);
    if ((*reply)->type == REDIS_REPLY_ERROR)
        refuse(fetch, *reply);
    else if ((*reply)->type != REDIS_REPLY_STATUS)
        return lose(fetch, command, false);
    else if (strcmp((*reply)->str, "none") != 0 &&
             strcmp((*reply)->str, "string") != 0)
        fetch->values[command->first].kind = STORE_WRONG_TYPE;
    settle(fetch);
    return true;
}

/* Some nil keys of the chunk exist: their types show which. */
static void
ask_types(struct store_fetch *fetch, size_t first, size_t end)
{
    for (size_t i = first; i < end && fetch->status == STORE_OK; i++)
        if (fetch->values[i].kind == STORE_ABSENT &&
            !add_command(fetch, "TYPE", on_type, i, i + 1, 1))
            fetch->status = STORE_MEMORY;
}

static bool
on_exists(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct store_fetch *fetch = arg;

    if (*reply == NULL)
        return lose(fetch, command, true);
    if ((*reply)->type == REDIS_REPLY_ERROR)
        refuse(fetch, *reply);
    else if ((*reply)->type != REDIS_REPLY_INTEGER)
        return lose(fetch, command, false);
    else if ((*reply)->integer > 0 && goes_on(fetch))
        ask_types(fetch, command->first, command->first + command->count);
    settle(fetch);
    return true;
}

/* Several keys. */

static void ask_more(struct store_fetch *fetch);

static bool
is_chunk(const redisReply *reply, size_t count)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        int type = reply->element[i]->type;

        if (type != REDIS_REPLY_STRING && type != REDIS_REPLY_NIL)
            return false;
    }
    return true;
}

/* Takes the values of a chunk, and asks whether any of its nil keys exist. */
static void
take_chunk(struct store_fetch *fetch, const struct redis_command *command,
           redisReply **reply)
{
    const size_t end = command->first + command->count;
    size_t absent = 0;

    for (size_t i = command->first; i < end; i++) {
        const redisReply *element = (*reply)->element[i - command->first];
        struct store_value *value = &fetch->values[i];

        value->data = (struct bytes){element->str, (size_t)element->len};
        if (element->type == REDIS_REPLY_NIL) {
            absent += value->kind == STORE_ABSENT;
        } else {
            value->kind = STORE_STRING;
            count_value(fetch, value, value->data.length);
        }
    }
    keep(fetch, reply);
    fetch->taken += command->count;
    if (absent > 0 &&
        !add_command(fetch, "EXISTS", on_exists, command->first, end, absent))
        fetch->status = STORE_MEMORY;
}

static bool
on_mget(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct store_fetch *fetch = arg;

    fetch->chunks--;
    if (*reply == NULL)
        return lose(fetch, command, true);
    if ((*reply)->type == REDIS_REPLY_ERROR)
        refuse(fetch, *reply);
    else if (!is_chunk(*reply, command->count))
        return lose(fetch, command, false);
    else if (goes_on(fetch))
        take_chunk(fetch, command, reply);
    check_sum(fetch);
    ask_more(fetch);
    settle(fetch);
    return true;
}

/* The length of a value that has not been requested: measured, or the average
 * of those that have arrived. */
static size_t
expected_bytes(const struct store_fetch *fetch, size_t i)
{
    if (fetch->is_measured)
        return fetch->values[i].data.length;
    return fetch->taken > 0 ? fetch->bytes / fetch->taken : 0;
}

static bool
is_known(const struct store_fetch *fetch)
{
    return fetch->is_measured || fetch->taken > 0;
}

/* The end of the next chunk of keys, and the bytes that it may have. */
static size_t
chunk_end(const struct store_fetch *fetch, size_t *ret_bytes)
{
    size_t end = fetch->next, bytes = 0, keys_max = CHUNK_KEYS;

    if (!is_known(fetch) && fetch->count > WHOLE_KEYS)
        keys_max = SAMPLE_KEYS;
    while (end < fetch->count && end - fetch->next < keys_max) {
        const size_t more = expected_bytes(fetch, end);

        if (end > fetch->next && bytes + more > FLIGHT_BYTES)
            break;
        bytes += more;
        end++;
    }
    *ret_bytes = bytes;
    return end;
}

/*
 * Requests as many chunks as may be pending: one while no length is known, and
 * no more bytes than a small read of another request should wait for.
 */
static void
ask_more(struct store_fetch *fetch)
{
    const size_t chunks_max = is_known(fetch) ? CHUNKS_MAX : 1;

    while (goes_on(fetch) && fetch->next < fetch->count &&
           fetch->chunks < chunks_max) {
        size_t bytes = 0, end = chunk_end(fetch, &bytes);

        if (fetch->chunks == 0)
            fetch->flight = 0;
        if (fetch->chunks > 0 && fetch->flight + bytes > FLIGHT_BYTES)
            return;
        if (!reserve_kept(fetch) ||
            !add_command(fetch, "MGET", on_mget, fetch->next, end,
                         end - fetch->next)) {
            fetch->status = STORE_MEMORY;
            return;
        }
        fetch->flight += bytes;
        fetch->chunks++;
        fetch->next = end;
    }
}

/* One command per key. */

/* Whether a pass requests this value: the first one and that with GET those
 * that have not arrived, a later one those that were cut off. */
static bool
is_wanted(const struct store_fetch *fetch, const struct store_value *value)
{
    return value->kind == STORE_ABSENT &&
           (!fetch->is_repeated || value->data.length > 0);
}

static void
ask_pass(struct store_fetch *fetch)
{
    const size_t keys_max = passes[fetch->pass].keys_max;

    for (; goes_on(fetch) && fetch->next < fetch->count &&
           fetch->chunks < keys_max;
         fetch->next++) {
        if (!is_wanted(fetch, &fetch->values[fetch->next]))
            continue;
        if (!reserve_kept(fetch) || !add_value(fetch, fetch->next)) {
            fetch->status = STORE_MEMORY;
            return;
        }
        fetch->chunks++;
    }
}

/* Requests as many keys as may be pending. A pass begins when the one before
 * has been answered. */
static void
ask_each(struct store_fetch *fetch)
{
    ask_pass(fetch);
    if (fetch->chunks > 0 || fetch->again == 0 || !goes_on(fetch))
        return;
    fetch->is_repeated = !fetch->is_denied;
    fetch->pass = fetch->is_denied ? PASS_GET : fetch->pass + 1;
    fetch->next = fetch->again = 0;
    ask_pass(fetch);
}

static void
ask_values(struct store_fetch *fetch)
{
    fetch->next = 0;
    fetch->bytes = 0;
    if (!may_range(fetch))
        fetch->pass = PASS_GET;
    else if (fetch->link->is_single && fetch->count > 1)
        fetch->pass = PASS_SHORT;
    else
        fetch->pass = PASS_WHOLE;
    if (fetch->link->is_single)
        ask_each(fetch);
    else if (fetch->count > 1)
        ask_more(fetch);
    else if (!add_value(fetch, 0))
        fetch->status = STORE_MEMORY;
}

/* Lengths. */

static void ask_lengths(struct store_fetch *fetch);

/* A user without the right to STRLEN is served without it. */
static bool
on_strlen(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct store_fetch *fetch = arg;
    struct store_value *value = &fetch->values[command->first];

    if (*reply == NULL)
        return lose(fetch, command, true);
    if ((*reply)->type == REDIS_REPLY_INTEGER) {
        value->data.length = (size_t)(*reply)->integer;
        count_value(fetch, value, value->data.length);
    } else if ((*reply)->type != REDIS_REPLY_ERROR) {
        return lose(fetch, command, false);
    } else if (redis_error_is((*reply)->str, "WRONGTYPE")) {
        value->kind = STORE_WRONG_TYPE;
    } else {
        fetch->is_measured = false;
    }
    if (fetch->waiting == 1) {
        check_sum(fetch);
        ask_lengths(fetch);
    }
    settle(fetch);
    return true;
}

/* Requests the lengths of up to CHUNK_KEYS values, and after the last length
 * the values. */
static void
ask_lengths(struct store_fetch *fetch)
{
    const size_t end = fetch->count - fetch->next > CHUNK_KEYS
                           ? fetch->next + CHUNK_KEYS
                           : fetch->count;

    if (goes_on(fetch) && fetch->next == fetch->count) {
        ask_values(fetch);
        return;
    }
    for (; goes_on(fetch) && fetch->next < end; fetch->next++)
        if (!add_command(fetch, "STRLEN", on_strlen, fetch->next,
                         fetch->next + 1, 1))
            fetch->status = STORE_MEMORY;
}

bool
redis_fetch_send(struct store_link *link, struct store_fetch *fetch)
{
    fetch->link = link;
    fetch->is_measured =
        fetch->is_guarded && fetch->count > 1 && !link->is_single;
    if (fetch->is_measured)
        ask_lengths(fetch);
    else
        ask_values(fetch);
    if (fetch->waiting > 0)
        return true;
    store_fetch_release(fetch);
    return false;
}
