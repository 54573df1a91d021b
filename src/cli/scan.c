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
#include <stdlib.h>

#include "cli/scan.h"
#include "cli/session.h"
#include "redis/error.h"

/* A page may have somewhat more; 512 elements are what a stream believes. */
#define PAGE_KEYS 256

#define CURSOR_SIZE 24 /* the digits of a uint64_t */

struct walk {
    struct session *session;
    const struct scan *scan;
    int64_t visited, total;
    char cursor[CURSOR_SIZE];
    size_t under_way; /* commands */
    bool has_stopped; /* a callback said so */
};

/* The keys of a page, until all of them have been visited. */
struct page {
    struct walk *walk;
    size_t waiting; /* commands about it */
    redisReply *reply;
};

static bool
is_over(const struct walk *walk)
{
    return walk->has_stopped || session_error(walk->session)[0] != '\0';
}

/* A reply that nobody wants any more fits whatever it is. */
static bool
is_wanted(struct walk *walk, const redisReply *reply)
{
    walk->under_way--;
    return reply != NULL && !is_over(walk);
}

static struct redis_commands *
begin(struct walk *walk, const struct redis_command *command, const char *name,
      size_t arguments, size_t bytes)
{
    struct redis_commands *commands =
        session_commands(walk->session, arguments, bytes);

    if (commands == NULL)
        return NULL;
    redis_commands_add(commands, command, name, arguments);
    walk->under_way++;
    return commands;
}

static struct bytes
bytes_in(const redisReply *reply)
{
    return (struct bytes){reply->str, (size_t)reply->len};
}

static void
visit(struct walk *walk, const struct scan_item *item)
{
    if (!is_over(walk) && !walk->scan->found(walk->scan->arg, item))
        walk->has_stopped = true;
}

static struct bytes
page_key(const struct page *page, size_t i)
{
    return bytes_in(page->reply->element[1]->element[i]);
}

/* One command about the page has been answered, or will not be. */
static void
page_settle(struct page *page)
{
    if (--page->waiting > 0)
        return;
    freeReplyObject(page->reply);
    free(page);
}

/* What a nil has been: a key of another type, a new value, or nothing. */
static bool
on_get(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct page *page = arg;
    struct walk *walk = page->walk;
    struct scan_item item = {.key = page_key(page, command->first)};
    bool fits = true;

    if (is_wanted(walk, *reply)) {
        switch ((*reply)->type) {
        case REDIS_REPLY_NIL:
            break;
        case REDIS_REPLY_STRING:
            item.is_string = true;
            item.value = bytes_in(*reply);
            visit(walk, &item);
            break;
        case REDIS_REPLY_ERROR:
            if (redis_error_is((*reply)->str, "WRONGTYPE"))
                visit(walk, &item);
            else
                (void)session_refuse(walk->session, *reply);
            break;
        default:
            fits = false;
        }
    }
    page_settle(page);
    return fits;
}

static void
send_get(struct page *page, size_t i)
{
    const struct redis_command command = {
        .done = on_get, .arg = page, .first = i};
    const struct bytes key = page_key(page, i);
    struct redis_commands *commands =
        begin(page->walk, &command, "GET", 1, key.length);

    if (commands == NULL)
        return;
    redis_commands_add_argument(commands, key);
    page->waiting++;
}

/* Takes the values of a page; asks again for each that is nil. */
static bool
take_values(struct page *page, const redisReply *values)
{
    const size_t count = page->reply->element[1]->elements;

    if (values->type != REDIS_REPLY_ARRAY || values->elements != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const redisReply *value = values->element[i];
        const struct scan_item item = {.key = page_key(page, i),
                                       .is_string = true,
                                       .value = bytes_in(value)};

        if (value->type == REDIS_REPLY_NIL)
            send_get(page, i);
        else if (value->type == REDIS_REPLY_STRING)
            visit(page->walk, &item);
        else
            return false;
    }
    return true;
}

static bool
on_values(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct page *page = arg;
    struct walk *walk = page->walk;
    bool fits = true;

    (void)command;
    if (is_wanted(walk, *reply)) {
        if ((*reply)->type == REDIS_REPLY_ERROR)
            (void)session_refuse(walk->session, *reply);
        else
            fits = take_values(page, *reply);
    }
    page_settle(page);
    return fits;
}

/* The page, if the values of its keys are under way. */
static struct page *
send_mget(struct walk *walk, redisReply *reply)
{
    const redisReply *keys = reply->element[1];
    struct page *page = malloc(sizeof(*page));
    const struct redis_command command = {.done = on_values, .arg = page};
    struct redis_commands *commands = NULL;
    size_t bytes = 0;

    for (size_t i = 0; i < keys->elements; i++)
        bytes += (size_t)keys->element[i]->len;
    if (page != NULL)
        commands = begin(walk, &command, "MGET", keys->elements, bytes);
    if (commands == NULL) {
        free(page);
        return NULL;
    }
    for (size_t i = 0; i < keys->elements; i++)
        redis_commands_add_argument(commands, bytes_in(keys->element[i]));
    *page = (struct page){.walk = walk, .waiting = 1, .reply = reply};
    return page;
}

/* The next cursor, and keys of a number that fits into one command, too. */
static bool
is_page(const redisReply *reply)
{
    const redisReply *keys;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        (size_t)reply->element[0]->len >= CURSOR_SIZE ||
        reply->element[1]->type != REDIS_REPLY_ARRAY)
        return false;
    keys = reply->element[1];
    for (size_t i = 0; i < keys->elements; i++) {
        if (keys->element[i]->type != REDIS_REPLY_STRING)
            return false;
    }
    return keys->elements <= REDIS_COMMAND_KEYS_MAX;
}

static void send_scan(struct walk *walk);

static void
tell_moved(struct walk *walk)
{
    walk->visited += PAGE_KEYS;
    if (walk->visited > walk->total)
        walk->visited = walk->total;
    if (!walk->scan->moved(walk->scan->arg, walk->visited, walk->total))
        walk->has_stopped = true;
}

/* A page: its MGET, and the SCAN for the next one. */
static bool
on_page(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct walk *walk = arg;

    (void)command;
    if (!is_wanted(walk, *reply))
        return true;
    if ((*reply)->type == REDIS_REPLY_ERROR)
        return session_refuse(walk->session, *reply) || true;
    if (!is_page(*reply))
        return false;
    (void)snprintf(walk->cursor, sizeof(walk->cursor), "%s",
                   (*reply)->element[0]->str);
    tell_moved(walk);
    if (walk->has_stopped)
        return true;
    if ((*reply)->element[1]->elements > 0) {
        if (send_mget(walk, *reply) == NULL)
            return session_fail(walk->session, "out of memory") || true;
        *reply = NULL; /* the page's */
    }
    if (!bytes_equal(bytes_of(walk->cursor), bytes_of("0")))
        send_scan(walk);
    return true;
}

static void
send_scan(struct walk *walk)
{
    const struct redis_command command = {.done = on_page, .arg = walk};
    const struct bytes pattern = bytes_of(walk->scan->pattern);
    char count[16]; /* the digits of any int */
    struct redis_commands *commands =
        begin(walk, &command, "SCAN", 5, sizeof(walk->cursor) + pattern.length);

    if (commands == NULL)
        return;
    (void)snprintf(count, sizeof(count), "%d", PAGE_KEYS);
    redis_commands_add_argument(commands, bytes_of(walk->cursor));
    redis_commands_add_argument(commands, bytes_of("MATCH"));
    redis_commands_add_argument(commands, pattern);
    redis_commands_add_argument(commands, bytes_of("COUNT"));
    redis_commands_add_argument(commands, bytes_of(count));
}

/* How many keys there are; that a user may not ask is no error. */
static bool
on_total(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct walk *walk = arg;

    (void)command;
    if (is_wanted(walk, *reply) && (*reply)->type == REDIS_REPLY_INTEGER)
        walk->total = (*reply)->integer;
    return true;
}

bool
scan_run(struct session *session, const struct scan *scan)
{
    struct walk walk = {.session = session, .scan = scan, .cursor = "0"};
    const struct redis_command total = {.done = on_total, .arg = &walk};

    if (begin(&walk, &total, "DBSIZE", 0, 0) != NULL)
        send_scan(&walk);
    while (walk.under_way > 0 && !walk.has_stopped && session_turn(session))
        continue;
    session_close(session); /* what is under way knows the walk */
    return !is_over(&walk);
}
