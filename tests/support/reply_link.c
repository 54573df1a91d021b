/*
 * A link to a scripted Redis, without its handshake.
 */
#include <sys/socket.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

#include "reply_link.h"
#include "store/fetch.h"

#define PIECE_SIZE 1024 /* less than a socket takes and hiredis reads */

static struct reply_link *
of_base(const struct store_link *base)
{
    return (struct reply_link *)base;
}

static void
do_nothing(struct store_link *base)
{
    (void)base;
}

static void
forget_commands(struct store_link *base)
{
    struct redis_command command;

    while (redis_commands_take(&of_base(base)->commands, &command))
        redis_fetch_release(command.fetch);
}

static bool
send_read(struct store_link *base, struct store_fetch *fetch, int64_t now_ms)
{
    return redis_fetch_send(&of_base(base)->commands, fetch, now_ms);
}

static bool
refuse_write(struct store_link *base, struct bytes key, struct bytes value,
             int64_t ttl_s, int64_t now_ms)
{
    (void)base;
    (void)key;
    (void)value;
    (void)ttl_s;
    (void)now_ms;
    return false;
}

static bool
refuse_check(struct store_link *base, int64_t now_ms)
{
    (void)base;
    (void)now_ms;
    return false;
}

/* Nobody reads what is sent: the script knows. */
static void
flush(struct store_link *base)
{
    buf_clear(&of_base(base)->commands.out);
}

static int64_t
oldest_ms(const struct store_link *base)
{
    return redis_commands_oldest_ms(&of_base(base)->commands);
}

static const struct store_link_ops ops = {
    .open = do_nothing,
    .close = forget_commands,
    .read = send_read,
    .write = refuse_write,
    .check = refuse_check,
    .flush = flush,
    .oldest_ms = oldest_ms,
    .free = forget_commands,
};

static bool
connect_stream(struct reply_link *link)
{
    static const struct redis_url redis;
    int fd[2];

    link->stream = redis_stream_new(&redis);
    if (link->stream == NULL ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) != 0)
        return false;
    link->server = fd[1];
    return redis_stream_open(link->stream, fd[0]);
}

bool
reply_link_open(struct reply_link *link, const struct store_config *config)
{
    link->base.ops = &ops;
    link->server = -1;
    if (!redis_commands_init(&link->commands) || !connect_stream(link) ||
        store_new(config, &link->base) == NULL) {
        reply_link_close(link);
        return false;
    }
    (void)store_turn(link->base.store, 0);
    store_link_up(link->base.store);
    return true;
}

static bool
take_replies(struct reply_link *link)
{
    struct redis_command command;
    struct redisReply *reply;

    for (;;) {
        if (!redis_stream_next(link->stream, &reply))
            return false;
        if (reply == NULL)
            return true;
        if (!redis_commands_take(&link->commands, &command)) {
            freeReplyObject(reply);
            return false;
        }
        if (!redis_fetch_take(&link->commands, link->base.store, &command,
                              reply))
            return false;
        buf_clear(&link->commands.out);
    }
}

bool
reply_link_serve(struct reply_link *link, const void *bytes, size_t length)
{
    const char *at = bytes;

    while (length > 0) {
        size_t piece = length < PIECE_SIZE ? length : PIECE_SIZE;

        if (send(link->server, at, piece, MSG_NOSIGNAL) != (ssize_t)piece ||
            !redis_stream_read(link->stream) || !take_replies(link))
            return false;
        at += piece;
        length -= piece;
    }
    return true;
}

void
reply_link_close(struct reply_link *link)
{
    if (link->stream != NULL)
        redis_stream_close(link->stream);
    store_free(link->base.store);
    redis_stream_free(link->stream);
    redis_commands_free(&link->commands);
    if (link->server != -1)
        (void)close(link->server);
    *link = (struct reply_link){.server = -1};
}
