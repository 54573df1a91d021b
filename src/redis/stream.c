/*
 * The transport of one connection to Redis. Bounds the size of replies, for
 * S20.5 of docs/protocol.md.
 *
 * hiredis is used as a non-blocking context on a socket that connect.c has
 * opened. Its callbacks (async.c) are not used: 0.14 aborts the process at an
 * unexpected reply, gives replies to the wrong commands after a failed
 * allocation, and blocks to look up names. Its output buffer is used for TLS
 * only, which needs 1.0: 0.14 crashes if it cannot allocate the next output
 * buffer.
 */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "redis/command.h"
#include "redis/stream.h"
#include "redis/tls.h"

#define REPLY_ELEMENT_SIZE sizeof(redisReply) /* without its text */

#define ERROR_SIZE 320 /* errors of hiredis have up to 128 bytes */

struct redis_stream {
    const struct redis_url *config;
    struct redis_tls *tls;                 /* NULL: plain */
    redisContext *context;                 /* NULL: not open */
    redisReplyObjectFunctions *made_by;    /* hiredis's own functions */
    redisReplyObjectFunctions reply_bound; /* the same, with bounds */
    size_t bytes_max, elements_max;        /* of one reply */
    size_t bytes;                          /* of the reply that is arriving */
    bool is_overfull;                      /* it exceeds a bound */
    struct buf unsent;                     /* empty with TLS */
    bool has_received;                     /* any byte on this connection */
    enum redis_fault fault;
    char error[ERROR_SIZE];
};

/* Sets the fault and the error. Returns false, which the caller returns. */
static bool __attribute__((format(printf, 2, 3)))
fail(struct redis_stream *stream, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(stream->error, sizeof(stream->error), format, args);
    va_end(args);
    stream->fault = REDIS_FAULT_BROKEN;
    return false;
}

static bool
fail_tls(struct redis_stream *stream, const char *why)
{
    (void)fail(stream, "TLS failed: %s", why);
    stream->fault = REDIS_FAULT_TLS;
    return false;
}

struct redis_stream *
redis_stream_new(const struct redis_url *config, size_t bytes_max,
                 size_t elements_max)
{
    struct redis_stream *stream = calloc(1, sizeof(*stream));

    if (stream == NULL)
        return NULL;
    stream->config = config;
    stream->bytes_max = bytes_max;
    stream->elements_max =
        elements_max > 0 ? elements_max : REDIS_COMMAND_KEYS_MAX;
    if (!config->tls)
        return stream;
    stream->tls = redis_tls_new();
    if (stream->tls != NULL)
        return stream;
    free(stream);
    return NULL;
}

#if HIREDIS_MAJOR >= 1
typedef size_t reply_elements;
#else
typedef int reply_elements;
#endif

/* Returns false if so many more bytes make the arriving reply too large. */
static bool
count_bytes(struct redis_stream *stream, size_t bytes)
{
    stream->is_overfull = bytes > stream->bytes_max - stream->bytes;
    if (!stream->is_overfull)
        stream->bytes += bytes;
    return !stream->is_overfull;
}

/* Without this check hiredis allocates for any number that a server sends. */
static void *
create_array(const redisReadTask *task, reply_elements elements)
{
    struct redis_stream *stream = task->privdata;

    if ((size_t)elements > stream->elements_max ||
        !count_bytes(stream, (size_t)elements * REPLY_ELEMENT_SIZE))
        return NULL;
    return stream->made_by->createArray(task, elements);
}

/* hiredis itself bounds one element only, not the sum of an array. */
static void *
create_string(const redisReadTask *task, char *text, size_t length)
{
    struct redis_stream *stream = task->privdata;

    return count_bytes(stream, length)
               ? stream->made_by->createString(task, text, length)
               : NULL;
}

bool
redis_stream_open(struct redis_stream *stream, int fd)
{
    redisContext *context = redisConnectFd(fd);
    const char *failure;

    if (context == NULL) {
        (void)close(fd);
        return fail(stream, "out of memory");
    }
    stream->context = context;
    stream->has_received = false;
    context->flags &= ~REDIS_BLOCK;
    stream->made_by = context->reader->fn;
    stream->reply_bound = *context->reader->fn;
    stream->reply_bound.createArray = create_array;
    stream->reply_bound.createString = create_string;
    stream->bytes = 0;
    stream->is_overfull = false;
    context->reader->fn = &stream->reply_bound;
    context->reader->privdata = stream;
    failure = redis_tls_start(stream->tls, context, stream->config->host);
    return failure == NULL || fail_tls(stream, failure);
}

void
redis_stream_close(struct redis_stream *stream)
{
    redisFree(stream->context); /* closes the socket, too */
    stream->context = NULL;
    buf_free(&stream->unsent);
    redis_tls_end(stream->tls);
}

/*
 * Keeps the bytes that the kernel did not take; rest may be the end of unsent.
 */
static bool
keep_unsent(struct buf *unsent, struct bytes rest)
{
    if (rest.length == 0) {
        buf_free(unsent);
        return true;
    }
    if (unsent->length > 0) {
        memmove(unsent->data, rest.at, rest.length);
        unsent->length = rest.length;
        return true;
    }
    buf_add_bytes(unsent, rest);
    return !unsent->failed;
}

/*
 * Whether a server that has closed the connection has sent something before, as
 * one with too many clients does: the reply that explains it is read first.
 */
static bool
has_unread_bytes(int fd)
{
    int length = 0;

    return ioctl(fd, FIONREAD, &length) == 0 && length > 0;
}

static bool
write_tls(struct redis_stream *stream, struct bytes bytes, bool *ret_waiting)
{
    const char *failure =
        redis_tls_write(stream->tls, stream->context, bytes, ret_waiting);

    if (failure == NULL)
        return true;
    return redis_tls_is_starting(stream->tls) ? fail_tls(stream, failure)
                                              : fail(stream, "%s", failure);
}

bool
redis_stream_write(struct redis_stream *stream, struct bytes bytes,
                   bool *ret_waiting)
{
    struct buf *unsent = &stream->unsent;
    ssize_t sent = 0;

    if (stream->tls != NULL)
        return write_tls(stream, bytes, ret_waiting);
    if (unsent->length > 0) {
        buf_add_bytes(unsent, bytes);
        bytes = buf_bytes(unsent);
    }
    if (bytes.length > 0)
        sent = send(stream->context->fd, bytes.at, bytes.length,
                    MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        if (!has_unread_bytes(stream->context->fd))
            return fail(stream, "the connection broke");
        sent = (ssize_t)bytes.length;
    }
    if (sent > 0)
        bytes = (struct bytes){bytes.at + sent, bytes.length - (size_t)sent};
    if (unsent->failed || !keep_unsent(unsent, bytes))
        return fail(stream, "out of memory");
    *ret_waiting = bytes.length > 0;
    return true;
}

/* Whether the server may expect TLS: it has closed without a reply. */
static bool
may_want_tls(const struct redis_stream *stream)
{
    return stream->tls == NULL && !stream->has_received &&
           stream->config->unix_path == NULL;
}

bool
redis_stream_read(struct redis_stream *stream, size_t *ret_bytes)
{
    const redisReader *reader = stream->context->reader;
    const size_t before = reader->len;
    const char *why;

    if (stream->tls != NULL)
        redis_tls_forget_error();
    if (redisBufferRead(stream->context) == REDIS_OK) {
        *ret_bytes = reader->len - before;
        stream->has_received |= *ret_bytes > 0;
        return true;
    }
    why = redis_tls_error(stream->tls, stream->context->errstr);
    if (redis_tls_is_starting(stream->tls))
        return fail_tls(stream, why);
    return fail(stream, "the connection broke: %s%s", why,
                may_want_tls(stream)
                    ? ", before any answer: does the server want TLS?"
                    : "");
}

/* Whether the invalid reply begins like a TLS alert, a record of type 21. */
static bool
is_tls_alert(const struct redis_stream *stream)
{
    return strstr(stream->context->errstr, "\"\\x15\"") != NULL;
}

/* Bytes that are not parsed belong to one text that has not all arrived. */
bool
redis_stream_next(struct redis_stream *stream, struct redisReply **ret_reply)
{
    const redisReader *reader = stream->context->reader;
    void *reply = NULL;
    bool is_good = redisGetReplyFromReader(stream->context, &reply) == REDIS_OK;

    if (is_good && reply == NULL)
        stream->is_overfull =
            reader->len - reader->pos > stream->bytes_max - stream->bytes;
    if (stream->is_overfull) {
        (void)fail(stream, "too large an answer");
        stream->fault = REDIS_FAULT_LARGE;
        return false;
    }
    if (!is_good)
        return is_tls_alert(stream)
                   ? fail_tls(stream, "the server speaks TLS there: rediss://")
                   : fail(stream, "not an answer of Redis");
    if (reply != NULL)
        stream->bytes = 0;
    *ret_reply = reply;
    return true;
}

/*
 * Plain Redis takes the beginning of TLS for an incomplete command, and waits.
 */
void
redis_stream_expire(struct redis_stream *stream, int64_t limit_ms)
{
    const bool is_tls = redis_tls_is_starting(stream->tls);

    (void)fail(stream, "%sno answer within %lld ms%s",
               is_tls ? "TLS failed: " : "", (long long)limit_ms,
               is_tls ? ": does the server speak TLS there?" : "");
    stream->fault = is_tls ? REDIS_FAULT_TLS : REDIS_FAULT_TIMEOUT;
}

enum redis_fault
redis_stream_fault(const struct redis_stream *stream)
{
    return stream->fault;
}

const char *
redis_stream_error(const struct redis_stream *stream)
{
    return stream->error;
}

void
redis_stream_free(struct redis_stream *stream)
{
    if (stream == NULL)
        return;
    redis_stream_close(stream);
    redis_tls_free(stream->tls);
    free(stream);
}
