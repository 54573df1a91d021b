/*
 * One connection to Redis that may wait, made of the same parts as the
 * service's: addresses, TLS, handshake and limits on replies are as there. It
 * serves "Import and export" of docs/protocol.md.
 */
#include <errno.h>
#include <ev.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "redis/connect.h"
#include "redis/error.h"
#include "redis/handshake.h"
#include "redis/session.h"
#include "redis/stream.h"

#define ERROR_SIZE 400 /* more than those of the modules below */

struct redis_session {
    const struct redis_url *config;
    int64_t limit_ms;

    struct ev_loop *loop; /* for connecting alone */
    struct redis_connect *connect;
    bool is_connecting;
    int fd; /* the stream's; -1: not connected */
    struct redis_stream *stream;
    struct redis_commands commands;
    char error[ERROR_SIZE];
};

/* Remembers why, and returns what the caller returns. */
static bool __attribute__((format(printf, 2, 3)))
fail(struct redis_session *session, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(session->error, sizeof(session->error), format, args);
    va_end(args);
    return false;
}

bool
redis_session_fail(struct redis_session *session, const char *words)
{
    return fail(session, "%s", words);
}

bool
redis_session_refuse(struct redis_session *session,
                     const struct redisReply *reply)
{
    char words[REDIS_ERROR_WORDS];

    redis_error_words(reply->str, words);
    return fail(session, "%s", words);
}

static bool
fail_stream(struct redis_session *session)
{
    return fail(session, "%s", redis_stream_error(session->stream));
}

/* Connecting. */

static void
on_connected(void *arg, int fd, enum redis_fault fault, const char *error)
{
    struct redis_session *session = arg;

    (void)fault;
    session->is_connecting = false;
    session->fd = fd;
    if (fd < 0)
        (void)fail(session, "%s", error);
}

/* The limits are redis_connect's own; a signal ends a turn of the loop. */
static bool
connect_socket(struct redis_session *session)
{
    session->is_connecting = true;
    redis_connect_start(session->connect);
    while (session->is_connecting && interrupt_signal() == 0)
        (void)ev_run(session->loop, EVRUN_ONCE);
    if (session->is_connecting)
        return fail(session, "interrupted");
    return session->fd >= 0;
}

/* Sending and receiving. */

struct redis_commands *
redis_session_commands(struct redis_session *session)
{
    return &session->commands;
}

static bool
write_some(struct redis_session *session, bool *ret_waiting)
{
    struct buf *out = &session->commands.out;

    if (!redis_stream_write(session->stream, buf_bytes(out), ret_waiting))
        return fail_stream(session);
    buf_clear(out);
    return true;
}

bool
redis_session_send(struct redis_session *session)
{
    bool waiting;

    return write_some(session, &waiting);
}

/* Moves bytes both ways: a peer that answers may not read on until we do. */
static bool
turn(struct redis_session *session, int64_t deadline_ms)
{
    struct pollfd poller = {.fd = session->fd, .events = POLLIN};
    int64_t left_ms = deadline_ms - clock_mono_ms();
    bool waiting = false;
    int ready;

    if (interrupt_signal() != 0)
        return fail(session, "interrupted");
    if (left_ms <= 0) {
        redis_stream_expire(session->stream, session->limit_ms);
        return fail_stream(session);
    }
    if (!write_some(session, &waiting))
        return false;
    if (waiting)
        poller.events |= POLLOUT;
    ready = poll(&poller, 1, (int)left_ms);
    if (ready < 0 && errno != EINTR)
        return fail(session, "cannot wait for an answer");
    if (ready > 0 && (poller.revents & ~POLLOUT) != 0 &&
        !redis_stream_read(session->stream))
        return fail_stream(session);
    return true;
}

/* NULL when the session has failed. */
static redisReply *
wait_reply(struct redis_session *session)
{
    const int64_t deadline_ms = clock_mono_ms() + session->limit_ms;
    redisReply *reply = NULL;

    while (reply == NULL) {
        if (!redis_stream_next(session->stream, &reply)) {
            (void)fail_stream(session);
            return NULL;
        }
        if (reply == NULL && !turn(session, deadline_ms))
            return NULL;
    }
    return reply;
}

bool
redis_session_receive(struct redis_session *session,
                      struct redis_command *ret_command,
                      struct redisReply **ret_reply)
{
    redisReply *reply = wait_reply(session);

    if (reply == NULL)
        return false;
    if (!redis_commands_take(&session->commands, ret_command)) {
        freeReplyObject(reply);
        (void)fail(session, "an answer that nobody asked for");
        return false;
    }
    *ret_reply = reply;
    return true;
}

/* A user who may not read the probed key has a server that is alive. */
static bool
check_shake(struct redis_session *session, const struct redis_command *command,
            const redisReply *reply)
{
    const bool is_probe = command->kind == REDIS_COMMAND_PROBE;

    if (reply->type == REDIS_REPLY_ERROR)
        return (is_probe && redis_error_is(reply->str, "NOPERM")) ||
               redis_session_refuse(session, reply);
    if (reply->type != (is_probe ? REDIS_REPLY_INTEGER : REDIS_REPLY_STATUS))
        return fail(session, "an answer of the wrong kind");
    return true;
}

static bool
shake_hands(struct redis_session *session)
{
    struct redis_command command = {0};
    redisReply *reply = NULL;
    bool is_good = true;

    if (!redis_handshake_add(&session->commands, session->config))
        return fail(session, "out of memory");
    while (is_good && session->commands.count > 0) {
        if (!redis_session_receive(session, &command, &reply))
            return false;
        is_good = check_shake(session, &command, reply);
        freeReplyObject(reply);
    }
    return is_good;
}

bool
redis_session_open(struct redis_session *session)
{
    if (!connect_socket(session))
        return false;
    if (!redis_stream_open(session->stream, session->fd))
        return fail_stream(session);
    return shake_hands(session);
}

/* Making and freeing. */

const char *
redis_session_error(const struct redis_session *session)
{
    return session->error;
}

struct redis_session *
redis_session_new(const struct redis_url *config, int64_t limit_ms)
{
    struct redis_session *session = calloc(1, sizeof(*session));

    if (session == NULL)
        return NULL;
    session->config = config;
    session->limit_ms = limit_ms;
    session->fd = -1;
    session->loop = ev_loop_new(EVFLAG_AUTO);
    if (session->loop != NULL)
        session->connect = redis_connect_new(session->loop, config, limit_ms,
                                             on_connected, session);
    session->stream = redis_stream_new(config);
    if (session->connect != NULL && session->stream != NULL &&
        redis_commands_init(&session->commands))
        return session;
    redis_session_free(session);
    return NULL;
}

void
redis_session_free(struct redis_session *session)
{
    if (session == NULL)
        return;
    redis_connect_free(session->connect);
    redis_stream_free(session->stream);
    redis_commands_free(&session->commands);
    if (session->loop != NULL)
        ev_loop_destroy(session->loop);
    free(session);
}
