/*
 * A connection to Redis that may wait: that of the service, whose loop is
 * turned until all is done or a signal comes. It serves "Import and
 * export" of docs/protocol.md.
 */
#include <ev.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/interrupt.h"
#include "cli/session.h"
#include "redis/error.h"
#include "scoring/interests.h"

#define ERROR_SIZE 400 /* more than those of a connection */

/* Several hundred lines of import are one answer to export. */
#define REPLY_BYTES_MAX ((size_t)64 << 20)

struct session {
    struct ev_loop *loop;
    struct redis_conn *conn;
    bool is_up;
    char error[ERROR_SIZE]; /* empty: it has not failed */
};

static bool
is_well(const struct session *session)
{
    return session->error[0] == '\0';
}

/* The first reason is the one. */
bool
session_fail(struct session *session, const char *words)
{
    if (is_well(session))
        (void)snprintf(session->error, sizeof(session->error), "%s", words);
    return false;
}

bool
session_refuse(struct session *session, const struct redisReply *reply)
{
    char words[REDIS_ERROR_WORDS];

    redis_error_words(reply->str, words);
    return session_fail(session, words);
}

static void
on_up(void *arg)
{
    ((struct session *)arg)->is_up = true;
}

static void
on_down(void *arg, enum redis_fault fault, const char *words)
{
    (void)fault;
    (void)session_fail(arg, words);
}

struct redis_commands *
session_commands(struct session *session, size_t arguments, size_t bytes)
{
    struct redis_commands *commands = redis_conn_commands(session->conn);

    if (redis_commands_reserve(commands, 1,
                               REDIS_COMMAND_ROOM +
                                   arguments * REDIS_ARGUMENT_ROOM + bytes))
        return commands;
    (void)session_fail(session, "out of memory");
    return NULL;
}

bool
session_send(struct session *session)
{
    if (is_well(session))
        redis_conn_flush(session->conn);
    return is_well(session);
}

bool
session_turn(struct session *session)
{
    if (interrupt_signal() != 0)
        return session_fail(session, "interrupted");
    if (!session_send(session))
        return false;
    (void)ev_run(session->loop, EVRUN_ONCE);
    return is_well(session);
}

bool
session_open(struct session *session)
{
    redis_conn_open(session->conn);
    while (!session->is_up && session_turn(session))
        continue;
    return is_well(session);
}

void
session_close(struct session *session)
{
    redis_conn_close(session->conn);
}

const char *
session_error(const struct session *session)
{
    return session->error;
}

struct session *
session_new(const struct redis_url *server, int64_t limit_ms)
{
    struct session *session = calloc(1, sizeof(*session));
    const struct redis_conn_config config = {
        .server = server,
        .probe_key = bytes_of(INTERESTS_KEY_PREFIX "0"), /* it may be absent */
        .connect_limit_ms = limit_ms,
        .answer_limit_ms = limit_ms,
        .reply_bytes_max = REPLY_BYTES_MAX,
        .up = on_up,
        .down = on_down,
        .arg = session,
    };

    if (session == NULL)
        return NULL;
    session->loop = ev_loop_new(EVFLAG_AUTO);
    if (session->loop != NULL)
        session->conn = redis_conn_new(session->loop, &config);
    if (session->conn != NULL)
        return session;
    session_free(session);
    return NULL;
}

void
session_free(struct session *session)
{
    if (session == NULL)
        return;
    redis_conn_free(session->conn);
    if (session->loop != NULL)
        ev_loop_destroy(session->loop);
    free(session);
}
