/*
 * The link to one Redis: its connection from the checked handshake on, the
 * commands under way, and writes. It implements "Store" of docs/protocol.md
 * below the decisions, which are store.c's.
 *
 * A reply belongs to the oldest command under way; anything that does not fit
 * ends the connection.
 */
#include <ev.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/units.h"
#include "redis/command.h"
#include "redis/connect.h"
#include "redis/error.h"
#include "redis/handshake.h"
#include "redis/stream.h"
#include "store/fetch.h"
#include "store/link.h"
#include "store/store_redis.h"

enum phase {
    PHASE_CLOSED = 0, /* or being connected */
    PHASE_HANDSHAKE,
    PHASE_READY
};

struct redis_link {
    struct store_link base;
    struct ev_loop *loop;
    const struct redis_url *config;
    int64_t command_timeout_ms;

    enum phase phase;
    struct redis_connect *connect;
    struct redis_stream *stream;
    struct redis_commands commands;
    ev_io readable, writable;
    ev_timer limit; /* of the handshake */
};

static struct redis_link *
link_of(struct store_link *base)
{
    return (struct redis_link *)base;
}

/* Ending a connection. */

static void
link_close(struct store_link *base)
{
    struct redis_link *link = link_of(base);
    struct redis_command command;

    link->phase = PHASE_CLOSED;
    redis_connect_cancel(link->connect);
    ev_io_stop(link->loop, &link->readable);
    ev_io_stop(link->loop, &link->writable);
    ev_timer_stop(link->loop, &link->limit);
    redis_stream_close(link->stream);
    buf_clear(&link->commands.out);
    while (redis_commands_take(&link->commands, &command))
        if (command.fetch != NULL)
            redis_fetch_release(command.fetch);
}

/* Closes the connection and tells why, in words that outlive it. */
static void
fail(struct redis_link *link, enum redis_fault fault, const char *words)
{
    if (link->phase != PHASE_READY)
        redis_connect_move_on(link->connect);
    link_close(&link->base);
    store_link_down(link->base.store, fault, words);
}

static void
fail_stream(struct redis_link *link)
{
    fail(link, redis_stream_fault(link->stream),
         redis_stream_error(link->stream));
}

/* Commands. */

static bool
link_read(struct store_link *base, struct store_fetch *fetch, int64_t now_ms)
{
    return redis_fetch_send(&link_of(base)->commands, fetch, now_ms);
}

static bool
link_write(struct store_link *base, struct bytes key, struct bytes value,
           int64_t ttl_s, int64_t now_ms)
{
    const struct redis_command command = {.kind = REDIS_COMMAND_SET,
                                          .sent_ms = now_ms};
    struct redis_commands *commands = &link_of(base)->commands;
    size_t bytes = REDIS_COMMAND_ROOM + 2 * REDIS_ARGUMENT_ROOM + key.length +
                   value.length;
    char ttl[24]; /* the digits of any int64_t */

    if (!redis_commands_reserve(commands, 1, bytes))
        return false;
    (void)snprintf(ttl, sizeof(ttl), "%lld", (long long)ttl_s);
    redis_commands_add(commands, &command, "SET", 4);
    redis_commands_add_argument(commands, key);
    redis_commands_add_argument(commands, value);
    redis_commands_add_argument(commands, bytes_of("EX"));
    redis_commands_add_argument(commands, bytes_of(ttl));
    return true;
}

static bool
link_check(struct store_link *base, int64_t now_ms)
{
    const struct redis_command command = {.kind = REDIS_COMMAND_PING,
                                          .sent_ms = now_ms};
    struct redis_commands *commands = &link_of(base)->commands;

    if (!redis_commands_reserve(commands, 1, REDIS_COMMAND_ROOM))
        return false;
    redis_commands_add(commands, &command, "PING", 0);
    return true;
}

static int64_t
link_oldest_ms(const struct store_link *base)
{
    const struct redis_link *link = (const struct redis_link *)base;

    return redis_commands_oldest_ms(&link->commands);
}

/*
 * Hands what was formatted to the kernel at once; only what it does not take
 * waits for the socket to become writable, so the loop's set of descriptors
 * stays as it is.
 */
static void
link_flush(struct store_link *base)
{
    struct redis_link *link = link_of(base);
    struct buf *out = &link->commands.out;
    bool waiting = false;

    if (!redis_stream_is_open(link->stream))
        return;
    if (!redis_stream_write(link->stream, buf_bytes(out), &waiting)) {
        fail_stream(link);
        return;
    }
    buf_clear(out);
    if (waiting)
        ev_io_start(link->loop, &link->writable);
    else
        ev_io_stop(link->loop, &link->writable);
}

/* Replies. Each of these says whether the reply fits its command at all. */
typedef bool reply_fn(struct redis_link *link, const redisReply *reply);

static bool
on_set(struct redis_link *link, const redisReply *reply)
{
    char words[REDIS_ERROR_WORDS];

    if (reply->type == REDIS_REPLY_ERROR) {
        redis_error_words(reply->str, words);
        store_link_wrote(link->base.store, words);
        return true;
    }
    if (reply->type != REDIS_REPLY_STATUS)
        return false;
    store_link_wrote(link->base.store, NULL);
    return true;
}

static bool
on_ping(struct redis_link *link, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_STATUS && reply->type != REDIS_REPLY_ERROR)
        return false;
    store_link_checked(link->base.store);
    return true;
}

static void
fail_refused(struct redis_link *link, const redisReply *reply)
{
    char words[REDIS_ERROR_WORDS];

    redis_error_words(reply->str, words);
    fail(link, REDIS_FAULT_HANDSHAKE, words);
}

/* AUTH and SELECT. */
static bool
on_agreed(struct redis_link *link, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR)
        fail_refused(link, reply);
    else if (reply->type != REDIS_REPLY_STATUS)
        return false;
    return true;
}

/* A user who may not read this one key has a server that is alive. */
static bool
on_probe(struct redis_link *link, const redisReply *reply)
{
    bool error = reply->type == REDIS_REPLY_ERROR;

    if (error && !redis_error_is(reply->str, "NOPERM")) {
        fail_refused(link, reply);
        return true;
    }
    if (!error && reply->type != REDIS_REPLY_INTEGER)
        return false;
    link->phase = PHASE_READY;
    ev_timer_stop(link->loop, &link->limit);
    store_link_up(link->base.store);
    return true;
}

static reply_fn *const reply_fns[REDIS_COMMAND__MAX] = {
    [REDIS_COMMAND_AUTH] = on_agreed, [REDIS_COMMAND_SELECT] = on_agreed,
    [REDIS_COMMAND_PROBE] = on_probe, [REDIS_COMMAND_SET] = on_set,
    [REDIS_COMMAND_PING] = on_ping,
};

/* Gives a reply to the oldest command under way. */
static void
take_reply(struct redis_link *link, redisReply *reply)
{
    struct redis_command command;
    bool fits;

    if (!redis_commands_take(&link->commands, &command)) {
        freeReplyObject(reply);
        fail(link, REDIS_FAULT_BROKEN, "an answer that nobody asked for");
        return;
    }
    if (command.fetch != NULL) {
        fits = redis_fetch_take(&link->commands, link->base.store, &command,
                                reply);
    } else {
        fits = reply_fns[command.kind](link, reply);
        freeReplyObject(reply);
    }
    if (!fits)
        fail(link, REDIS_FAULT_BROKEN, "an answer of the wrong kind");
}

static void
on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct redis_link *link = watcher->data;
    redisReply *reply = NULL;

    (void)loop;
    (void)events;
    if (!redis_stream_read(link->stream)) {
        fail_stream(link);
        return;
    }
    do {
        if (!redis_stream_next(link->stream, &reply)) {
            fail_stream(link);
            return;
        }
        if (reply != NULL)
            take_reply(link, reply);
    } while (reply != NULL && redis_stream_is_open(link->stream));
    if (link->phase == PHASE_HANDSHAKE)
        link_flush(&link->base); /* TLS may have waited for the peer */
}

static void
on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct redis_link *link = watcher->data;

    (void)loop;
    (void)events;
    link_flush(&link->base);
}

/* Building a connection. */

static void
on_limit(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct redis_link *link = watcher->data;

    (void)loop;
    (void)events;
    redis_stream_expire(link->stream, link->command_timeout_ms);
    fail_stream(link);
}

static void
start_limit(struct redis_link *link)
{
    ev_now_update(link->loop);
    ev_timer_set(&link->limit, (ev_tstamp)link->command_timeout_ms / MS_PER_S,
                 0.);
    ev_timer_start(link->loop, &link->limit);
}

static void
begin_handshake(struct redis_link *link, int fd)
{
    link->phase = PHASE_HANDSHAKE;
    if (!redis_stream_open(link->stream, fd)) {
        fail_stream(link);
        return;
    }
    if (!redis_handshake_add(&link->commands, link->config)) {
        fail(link, REDIS_FAULT_BROKEN, "out of memory");
        return;
    }
    ev_io_set(&link->readable, fd, EV_READ);
    ev_io_set(&link->writable, fd, EV_WRITE);
    ev_io_start(link->loop, &link->readable);
    start_limit(link);
    link_flush(&link->base);
}

static void
on_connected(void *arg, int fd, enum redis_fault fault, const char *error)
{
    struct redis_link *link = arg;

    if (fd < 0)
        fail(link, fault, error);
    else
        begin_handshake(link, fd);
}

static void
link_open(struct store_link *base)
{
    redis_connect_start(link_of(base)->connect);
}

/* Making and freeing. */

static void
link_free(struct store_link *base)
{
    struct redis_link *link = link_of(base);

    if (link->connect != NULL && link->stream != NULL)
        link_close(base);
    redis_connect_free(link->connect);
    redis_stream_free(link->stream);
    redis_commands_free(&link->commands);
    free(link);
}

static const struct store_link_ops link_ops = {
    .open = link_open,
    .close = link_close,
    .read = link_read,
    .write = link_write,
    .check = link_check,
    .flush = link_flush,
    .oldest_ms = link_oldest_ms,
    .free = link_free,
};

static void
watch_init(struct redis_link *link)
{
    ev_io_init(&link->readable, on_readable, -1, EV_READ);
    ev_io_init(&link->writable, on_writable, -1, EV_WRITE);
    ev_timer_init(&link->limit, on_limit, 0., 0.);
    link->readable.data = link;
    link->writable.data = link;
    link->limit.data = link;
}

struct store *
store_redis_new(struct ev_loop *loop, const struct redis_url *redis,
                const struct store_config *config)
{
    struct redis_link *link = calloc(1, sizeof(*link));

    if (link == NULL)
        return NULL;
    link->base.ops = &link_ops;
    link->loop = loop;
    link->config = redis;
    link->command_timeout_ms = config->command_timeout_ms;
    link->connect = redis_connect_new(loop, redis, config->connect_timeout_ms,
                                      on_connected, link);
    link->stream = redis_stream_new(redis);
    watch_init(link);
    if (link->connect == NULL || link->stream == NULL ||
        !redis_commands_init(&link->commands)) {
        link_free(&link->base);
        return NULL;
    }
    return store_new(config, &link->base);
}
