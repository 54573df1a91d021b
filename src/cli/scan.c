/*
 * All keys of a pattern with their values: SCAN and MGET, each page's MGET
 * together with the next page's SCAN. It serves "Import and export" of
 * docs/protocol.md.
 *
 * MGET says nil for a key that is gone and for one of another type; a GET of
 * its own tells them apart, and there is no moment in between to be wrong.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>

#include "cli/scan.h"
#include "redis/error.h"
#include "redis/session.h"

/* A page may have somewhat more; 512 elements are what a stream believes. */
#define PAGE_KEYS 256

#define CURSOR_SIZE 24 /* the digits of a uint64_t */

struct state {
    struct redis_session *session;
    const struct redis_scan *scan;
    int64_t visited, total;
    char cursor[CURSOR_SIZE];
};

static bool
fail_kind(struct state *state)
{
    return redis_session_fail(state->session, "an answer of the wrong kind");
}

/* Room for a command whose arguments have so many bytes together. */
static struct redis_commands *
reserve(struct state *state, size_t arguments, size_t bytes)
{
    struct redis_commands *commands = redis_session_commands(state->session);

    if (redis_commands_reserve(commands, 1,
                               REDIS_COMMAND_ROOM +
                                   arguments * REDIS_ARGUMENT_ROOM + bytes))
        return commands;
    (void)redis_session_fail(state->session, "out of memory");
    return NULL;
}

static bool
send_scan(struct state *state)
{
    static const struct redis_command command = {.kind = REDIS_COMMAND_SCAN};
    const struct bytes pattern = bytes_of(state->scan->pattern);
    struct redis_commands *commands =
        reserve(state, 5, sizeof(state->cursor) + pattern.length);
    char count[16]; /* the digits of any int */

    if (commands == NULL)
        return false;
    (void)snprintf(count, sizeof(count), "%d", PAGE_KEYS);
    redis_commands_add(commands, &command, "SCAN", 5);
    redis_commands_add_argument(commands, bytes_of(state->cursor));
    redis_commands_add_argument(commands, bytes_of("MATCH"));
    redis_commands_add_argument(commands, pattern);
    redis_commands_add_argument(commands, bytes_of("COUNT"));
    redis_commands_add_argument(commands, bytes_of(count));
    return true;
}

static struct bytes
bytes_in(const redisReply *reply)
{
    return (struct bytes){reply->str, (size_t)reply->len};
}

static bool
send_get(struct state *state, struct bytes key)
{
    static const struct redis_command command = {.kind = REDIS_COMMAND_GET};
    struct redis_commands *commands = reserve(state, 1, key.length);

    if (commands == NULL)
        return false;
    redis_commands_add(commands, &command, "GET", 1);
    redis_commands_add_argument(commands, key);
    return true;
}

static bool
send_mget(struct state *state, const redisReply *keys)
{
    static const struct redis_command command = {.kind = REDIS_COMMAND_MGET};
    struct redis_commands *commands;
    size_t bytes = 0;

    for (size_t i = 0; i < keys->elements; i++)
        bytes += (size_t)keys->element[i]->len;
    commands = reserve(state, keys->elements, bytes);
    if (commands == NULL)
        return false;
    redis_commands_add(commands, &command, "MGET", keys->elements);
    for (size_t i = 0; i < keys->elements; i++)
        redis_commands_add_argument(commands, bytes_in(keys->element[i]));
    return true;
}

/* NULL when the session has failed. An error is left to the caller if asked. */
static redisReply *
receive(struct state *state, bool may_be_error)
{
    struct redis_command command = {0};
    redisReply *reply = NULL;

    if (!redis_session_receive(state->session, &command, &reply))
        return NULL;
    if (reply->type != REDIS_REPLY_ERROR || may_be_error)
        return reply;
    (void)redis_session_refuse(state->session, reply);
    freeReplyObject(reply);
    return NULL;
}

/* Of a size that fits into one command, too. */
static bool
is_array_of_strings(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY ||
        reply->elements > REDIS_COMMAND_KEYS_MAX)
        return false;
    for (size_t i = 0; i < reply->elements; i++) {
        if (reply->element[i]->type != REDIS_REPLY_STRING)
            return false;
    }
    return true;
}

/* A page: the next cursor, and keys. NULL when the session has failed. */
static redisReply *
receive_page(struct state *state)
{
    redisReply *page = receive(state, false);

    if (page == NULL)
        return NULL;
    if (page->type == REDIS_REPLY_ARRAY && page->elements == 2 &&
        page->element[0]->type == REDIS_REPLY_STRING &&
        (size_t)page->element[0]->len < sizeof(state->cursor) &&
        is_array_of_strings(page->element[1])) {
        (void)snprintf(state->cursor, sizeof(state->cursor), "%s",
                       page->element[0]->str);
        return page;
    }
    (void)fail_kind(state);
    freeReplyObject(page);
    return NULL;
}

/* Takes the values of a page; asks again for each that is nil. */
static bool
visit_values(struct state *state, const redisReply *keys,
             const redisReply *values, bool is_nil[])
{
    if (values->type != REDIS_REPLY_ARRAY || values->elements != keys->elements)
        return fail_kind(state);
    for (size_t i = 0; i < keys->elements; i++) {
        const redisReply *value = values->element[i];
        const struct bytes key = bytes_in(keys->element[i]);
        struct redis_scan_item item = {.key = key, .is_string = true};

        is_nil[i] = value->type == REDIS_REPLY_NIL;
        if (is_nil[i]) {
            if (!send_get(state, key))
                return false;
            continue;
        }
        if (value->type != REDIS_REPLY_STRING)
            return fail_kind(state);
        item.value = bytes_in(value);
        if (!state->scan->found(state->scan->arg, &item))
            return false;
    }
    return true;
}

/* What a nil has been: a key of another type, a new value, or nothing. */
static bool
visit_nil(struct state *state, struct bytes key)
{
    struct redis_scan_item item = {.key = key};
    redisReply *reply = receive(state, true);
    bool is_good;

    if (reply == NULL)
        return false;
    item.is_string = reply->type == REDIS_REPLY_STRING;
    if (item.is_string)
        item.value = bytes_in(reply);
    if (reply->type == REDIS_REPLY_NIL)
        is_good = true;
    else if (item.is_string || (reply->type == REDIS_REPLY_ERROR &&
                                redis_error_is(reply->str, "WRONGTYPE")))
        is_good = state->scan->found(state->scan->arg, &item);
    else if (reply->type == REDIS_REPLY_ERROR)
        is_good = redis_session_refuse(state->session, reply);
    else
        is_good = fail_kind(state);
    freeReplyObject(reply);
    return is_good;
}

/* The MGET of a page, and the SCAN for the next one. */
static bool
ask_ahead(struct state *state, const redisReply *keys, bool is_last)
{
    return (keys->elements == 0 || send_mget(state, keys)) &&
           (is_last || send_scan(state));
}

/* Takes the reply to the MGET, if there was one. */
static bool
take_values(struct state *state, const redisReply *keys, bool is_nil[])
{
    redisReply *values;
    bool is_good;

    if (keys->elements == 0)
        return true;
    values = receive(state, false);
    is_good = values != NULL && visit_values(state, keys, values, is_nil);
    freeReplyObject(values);
    return is_good;
}

/*
 * Visits the keys of a page, and takes the next page on the way: its reply
 * comes before those about what was nil. *ret_next stays NULL after the last.
 */
static bool
visit_page(struct state *state, const redisReply *keys, bool is_last,
           redisReply **ret_next)
{
    bool is_nil[REDIS_COMMAND_KEYS_MAX] = {false};

    if (!ask_ahead(state, keys, is_last) || !take_values(state, keys, is_nil))
        return false;
    if (!is_last) {
        *ret_next = receive_page(state);
        if (*ret_next == NULL)
            return false;
    }
    for (size_t i = 0; i < keys->elements; i++) {
        if (is_nil[i] && !visit_nil(state, bytes_in(keys->element[i])))
            return false;
    }
    return true;
}

/* How many keys there are; that a user may not ask is no error. */
static bool
ask_total(struct state *state)
{
    static const struct redis_command command = {.kind = REDIS_COMMAND_DBSIZE};
    struct redis_commands *commands = reserve(state, 0, 0);
    redisReply *reply = NULL;

    if (commands == NULL)
        return false;
    redis_commands_add(commands, &command, "DBSIZE", 0);
    reply = receive(state, true);
    if (reply == NULL)
        return false;
    if (reply->type == REDIS_REPLY_INTEGER)
        state->total = reply->integer;
    freeReplyObject(reply);
    return true;
}

static bool
tell_moved(struct state *state)
{
    state->visited += PAGE_KEYS;
    if (state->visited > state->total)
        state->visited = state->total;
    return state->scan->moved(state->scan->arg, state->visited, state->total);
}

bool
redis_scan_run(struct redis_session *session, const struct redis_scan *scan)
{
    struct state state = {.session = session, .scan = scan, .cursor = "0"};
    redisReply *page;
    bool is_good = true;

    if (!ask_total(&state) || !send_scan(&state))
        return false;
    page = receive_page(&state);
    if (page == NULL)
        return false;
    while (is_good && page != NULL) {
        bool is_last = bytes_equal(bytes_of(state.cursor), bytes_of("0"));
        redisReply *next = NULL;

        is_good = tell_moved(&state) &&
                  visit_page(&state, page->element[1], is_last, &next);
        freeReplyObject(page);
        page = next;
    }
    freeReplyObject(page);
    return is_good;
}
