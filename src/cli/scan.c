/*
 * Visits all keys of a pattern, with their values. Implements a part of S19.5
 * of docs/protocol.md.
 *
 * A value is requested when its length is known, so that a large one is never
 * sent. Several pages are pending at a time: the values of one page, the
 * lengths of the next, and the keys of the one after it.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "cli/scan.h"
#include "cli/session.h"
#include "redis/error.h"

/* Redis may send some more; REDIS_COMMAND_KEYS_MAX is the limit of a reply. */
#define PAGE_KEYS 256
#define PAGES_MAX 3

/* The most bytes of pending values, which the server has to buffer. */
#define PENDING_BYTES_MAX ((int64_t)4 << 20)

#define CURSOR_SIZE 24 /* for the digits of a uint64_t */

#define LENGTH_UNWANTED (-1) /* the value is not requested */

/* A reply to SCAN, until all of its keys have been visited. */
struct page {
    TAILQ_ENTRY(page) in_walk;
    struct walk *walk;
    redisReply *reply;
    size_t lengths_left; /* pending lengths */
    size_t asked;        /* how many keys have had their value requested */
    size_t values_left;  /* pending values */
    int64_t lengths[];   /* of the values, in bytes */
};

struct walk {
    struct session *session;
    const struct scan *scan;
    int64_t visited, total;
    char cursor[CURSOR_SIZE];
    bool goes_on;          /* there is another page, at the cursor */
    bool is_scanning;      /* SCAN is pending */
    size_t pending;        /* pending commands */
    int64_t pending_bytes; /* of pending values */
    size_t page_count;
    TAILQ_HEAD(page_queue, page) pages;
    bool has_stopped; /* a callback has ended the scan */
};

static bool
is_over(const struct walk *walk)
{
    return walk->has_stopped || session_error(walk->session)[0] != '\0';
}

/* Counts a reply. Returns false if it is not needed any more, or missing. */
static bool
is_wanted(struct walk *walk, const redisReply *reply)
{
    walk->pending--;
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
    walk->pending++;
    return commands;
}

static struct bytes
bytes_in(const redisReply *reply)
{
    return (struct bytes){reply->str, (size_t)reply->len};
}

/* A value whose length was unknown, or has grown, may be too large. */
static void
visit(struct walk *walk, struct bytes key, enum scan_kind kind,
      struct bytes value)
{
    struct scan_item item = {.key = key, .kind = kind, .value = value};

    if (value.length > SCAN_VALUE_MAX)
        item.kind = SCAN_TOO_LARGE;
    if (!is_over(walk) && !walk->scan->found(walk->scan->arg, &item))
        walk->has_stopped = true;
}

/* Pages. */

static size_t
page_count(const struct page *page)
{
    return page->reply->element[1]->elements;
}

static struct bytes
page_key(const struct page *page, size_t i)
{
    return bytes_in(page->reply->element[1]->element[i]);
}

static void
page_free(struct page *page)
{
    TAILQ_REMOVE(&page->walk->pages, page, in_walk);
    page->walk->page_count--;
    freeReplyObject(page->reply);
    free(page);
}

/* Requests something of key i. Returns false if the session has failed. */
static bool
page_send(struct page *page, redis_reply_fn *done, const char *name, size_t i)
{
    const struct redis_command command = {
        .done = done, .arg = page, .first = i};
    const struct bytes key = page_key(page, i);
    struct redis_commands *commands =
        begin(page->walk, &command, name, 1, key.length);

    if (commands == NULL)
        return false;
    redis_commands_add_argument(commands, key);
    return true;
}

static redis_reply_fn on_value;

/* Requests values. Returns false if a reply must arrive before others. */
static bool
page_ask_values(struct page *page)
{
    struct walk *walk = page->walk;

    if (page->lengths_left > 0)
        return false;
    for (; page->asked < page_count(page); page->asked++) {
        const int64_t length = page->lengths[page->asked];

        if (length == LENGTH_UNWANTED)
            continue;
        if (walk->pending_bytes > PENDING_BYTES_MAX ||
            !page_send(page, on_value, "GET", page->asked))
            return false;
        walk->pending_bytes += length;
        page->values_left++;
    }
    return true;
}

static bool
page_is_done(const struct page *page)
{
    return page->lengths_left == 0 && page->values_left == 0 &&
           page->asked == page_count(page);
}

static void send_scan(struct walk *walk);

/* Called after each reply: sends the requests that are possible now. */
static void
advance(struct walk *walk)
{
    struct page *page = TAILQ_FIRST(&walk->pages);

    while (!is_over(walk) && page != NULL && page_ask_values(page))
        page = TAILQ_NEXT(page, in_walk);
    while ((page = TAILQ_FIRST(&walk->pages)) != NULL && page_is_done(page))
        page_free(page);
    if (!is_over(walk) && walk->goes_on && !walk->is_scanning &&
        walk->page_count < PAGES_MAX)
        send_scan(walk);
}

/* Replies. */

static bool
is_error(const redisReply *reply, const char *code)
{
    return reply->type == REDIS_REPLY_ERROR && redis_error_is(reply->str, code);
}

/* GET. A key that has been deleted is left out. */
static bool
on_value(void *arg, const struct redis_command *command, redisReply **reply)
{
    static const struct bytes none = {"", 0};
    struct page *page = arg;
    struct walk *walk = page->walk;
    const struct bytes key = page_key(page, command->first);

    page->values_left--;
    walk->pending_bytes -= page->lengths[command->first];
    if (!is_wanted(walk, *reply))
        return true;
    if ((*reply)->type == REDIS_REPLY_STRING)
        visit(walk, key, SCAN_STRING, bytes_in(*reply));
    else if (is_error(*reply, "WRONGTYPE"))
        visit(walk, key, SCAN_OTHER_TYPE, none);
    else if ((*reply)->type == REDIS_REPLY_ERROR)
        (void)session_refuse(walk->session, *reply);
    else if ((*reply)->type != REDIS_REPLY_NIL)
        return false;
    advance(walk);
    return true;
}

/* STRLEN. Without the right to it, the value is read with an unknown length. */
static bool
on_length(void *arg, const struct redis_command *command, redisReply **reply)
{
    static const struct bytes none = {"", 0};
    struct page *page = arg;
    struct walk *walk = page->walk;
    const struct bytes key = page_key(page, command->first);
    int64_t *length = &page->lengths[command->first];

    page->lengths_left--;
    *length = LENGTH_UNWANTED;
    if (!is_wanted(walk, *reply))
        return true;
    if (is_error(*reply, "NOPERM"))
        *length = 0;
    else if (is_error(*reply, "WRONGTYPE"))
        visit(walk, key, SCAN_OTHER_TYPE, none);
    else if ((*reply)->type == REDIS_REPLY_ERROR)
        (void)session_refuse(walk->session, *reply);
    else if ((*reply)->type != REDIS_REPLY_INTEGER)
        return false;
    else if ((*reply)->integer > (int64_t)SCAN_VALUE_MAX)
        visit(walk, key, SCAN_TOO_LARGE, none);
    else
        *length = (*reply)->integer > 0 ? (*reply)->integer : 0;
    advance(walk);
    return true;
}

/* Owns the reply from now on. Returns false if the session has failed. */
static bool
add_page(struct walk *walk, redisReply **reply)
{
    const size_t count = (*reply)->element[1]->elements;
    struct page *page =
        malloc(sizeof(*page) + count * sizeof(page->lengths[0]));

    if (page == NULL)
        return session_fail(walk->session, "out of memory");
    *page = (struct page){.walk = walk, .reply = *reply};
    *reply = NULL;
    TAILQ_INSERT_TAIL(&walk->pages, page, in_walk);
    walk->page_count++;
    for (size_t i = 0; i < count; i++) {
        if (!page_send(page, on_length, "STRLEN", i))
            return false;
        page->lengths_left++;
    }
    return true;
}

/* Whether a reply is one to SCAN: a cursor, and an array of keys. */
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

static void
tell_moved(struct walk *walk)
{
    walk->visited += PAGE_KEYS;
    if (walk->visited > walk->total)
        walk->visited = walk->total;
    if (!walk->scan->moved(walk->scan->arg, walk->visited, walk->total))
        walk->has_stopped = true;
}

static bool
on_page(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct walk *walk = arg;

    (void)command;
    walk->is_scanning = false;
    if (!is_wanted(walk, *reply))
        return true;
    if ((*reply)->type == REDIS_REPLY_ERROR)
        return session_refuse(walk->session, *reply) || true;
    if (!is_page(*reply))
        return false;
    (void)snprintf(walk->cursor, sizeof(walk->cursor), "%s",
                   (*reply)->element[0]->str);
    walk->goes_on = !bytes_equal(bytes_of(walk->cursor), bytes_of("0"));
    tell_moved(walk);
    if (!is_over(walk) && add_page(walk, reply))
        advance(walk);
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
    walk->is_scanning = true;
    (void)snprintf(count, sizeof(count), "%d", PAGE_KEYS);
    redis_commands_add_argument(commands, bytes_of(walk->cursor));
    redis_commands_add_argument(commands, bytes_of("MATCH"));
    redis_commands_add_argument(commands, pattern);
    redis_commands_add_argument(commands, bytes_of("COUNT"));
    redis_commands_add_argument(commands, bytes_of(count));
}

/* DBSIZE. A user without the right to it gets no estimate. */
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
    struct page *page;

    TAILQ_INIT(&walk.pages);
    if (begin(&walk, &total, "DBSIZE", 0, 0) != NULL)
        send_scan(&walk);
    while (walk.pending > 0 && !walk.has_stopped && session_turn(session))
        continue;
    session_close(session); /* pending commands point to walk */
    while ((page = TAILQ_FIRST(&walk.pages)) != NULL)
        page_free(page);
    return !is_over(&walk);
}
