/*
 * A connection to Redis for the command line: the service's redis_conn, on a
 * loop of its own that runs until the work is done or a signal arrives. Used
 * for S19 of docs/protocol.md.
 */
#include <ev.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "cli/session.h"
#include "redis/error.h"
#include "scoring/interests.h"
#include "store/sentinels.h"
#include "store/slots.h"

#define ERROR_SIZE 400 /* more than any error of a connection */

/* More than the largest reply to SCAN, or the largest value that is read. */
#define REPLY_BYTES_MAX ((size_t)64 << 20)

/* How long the other sentinels may take after the first has named a master. */
#define OTHERS_MS 1000

struct session {
    struct ev_loop *loop;
    int64_t limit_ms;
    const struct redis_url *server; /* of session_new() */
    struct redis_conn *conn;        /* NULL: the master is not known yet */
    bool is_up;
    bool is_no_master; /* the server that the sentinels named is no master */
    bool is_node;      /* of a Cluster */
    bool has_moved;    /* see session_has_moved() */

    struct sentinels *sentinels; /* NULL: not used */
    struct election election;
    struct redis_url master; /* the address that the sentinels have named */
    char error[ERROR_SIZE];  /* empty: the session has not failed */
};

static bool
is_well(const struct session *session)
{
    return session->error[0] == '\0';
}

/* Keeps the first reason. */
bool
session_fail(struct session *session, const char *words)
{
    if (is_well(session))
        (void)snprintf(session->error, sizeof(session->error), "%s", words);
    return false;
}

static bool
is_moving(const struct redisReply *reply)
{
    return redis_error_is(reply->str, "MOVED") ||
           redis_error_is(reply->str, "ASK") ||
           redis_error_is(reply->str, "TRYAGAIN");
}

bool
session_is_node(const struct session *session)
{
    return session->is_node;
}

bool
session_has_moved(const struct session *session)
{
    return session->has_moved;
}

bool
session_refuse(struct session *session, const struct redisReply *reply)
{
    char words[REDIS_ERROR_WORDS];

    if (session->is_node && is_moving(reply)) {
        session->has_moved = is_well(session);
        return session_fail(session, "slots of the cluster are being moved");
    }
    redis_error_words(reply->str, words);
    return session_fail(session, words);
}

static void
on_up(void *arg)
{
    ((struct session *)arg)->is_up = true;
}

/*
 * A server that is not the master is no failure: the sentinels may name
 * another. The error has the address of the master, which the settings do not
 * have.
 */
static void
on_down(void *arg, enum redis_fault fault, const char *words)
{
    struct session *session = arg;
    struct buf text = {0};

    session->is_no_master = session->sentinels != NULL && !session->is_up &&
                            fault == REDIS_FAULT_ROLE;
    if (session->is_no_master)
        return;
    if (session->sentinels != NULL) {
        buf_printf(&text, "master %s at ", session->server->master);
        redis_url_print_address(&session->master, &text);
        buf_add_text(&text, ": ");
    }
    buf_add_text(&text, words);
    buf_add(&text, "", 1);
    (void)session_fail(session, text.failed ? words : text.data);
    buf_free(&text);
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
    if (is_well(session) && session->conn != NULL)
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

static struct redis_conn *
make_conn(struct session *session, const struct redis_url *server)
{
    const struct redis_conn_config config = {
        .server = server,
        .probe_key = bytes_of(session->is_node ? "" : INTERESTS_KEY_ANY),
        .wants_cluster = session->is_node,
        .reply_elements_max = session->is_node ? SLOTS_COUNT : 0,
        .connect_limit_ms = session->limit_ms,
        .answer_limit_ms = session->limit_ms,
        .reply_bytes_max = REPLY_BYTES_MAX,
        .up = on_up,
        .down = on_down,
        .arg = session,
    };

    return redis_conn_new(session->loop, &config);
}

static bool
hold_election(struct session *session)
{
    struct master votes[SENTINELS_MAX];
    const size_t count = sentinels_votes(session->sentinels, votes);
    const int64_t now_ms = clock_mono_ms();

    (void)election_hold(&session->election, votes, count,
                        sentinels_known(session->sentinels), now_ms);
    return election_has_master(&session->election, now_ms);
}

/* Fails because no server that the sentinels have named is the master. */
static bool
fail_without_master(struct session *session)
{
    struct buf reason = {0};

    if (session->election.current.host[0] != '\0')
        buf_add_text(&reason,
                     "the server that the sentinels name is not the master");
    else
        sentinels_put_reason(session->sentinels, &reason);
    buf_add(&reason, "", 1);
    (void)session_fail(session, reason.failed ? "out of memory" : reason.data);
    buf_free(&reason);
    return false;
}

/*
 * Waits for a master. Then waits up to OTHERS_MS for sentinels that have not
 * answered: they may name another master, with a higher epoch.
 */
static bool
await_master(struct session *session, int64_t since_ms)
{
    for (;;) {
        const bool has_master = hold_election(session);
        const bool all = sentinels_have_spoken(session->sentinels);
        const int64_t passed_ms = clock_mono_ms() - since_ms;

        if (has_master && (all || passed_ms >= OTHERS_MS))
            return true;
        if (passed_ms >= session->limit_ms ||
            (all && session->election.current.host[0] == '\0'))
            return fail_without_master(session);
        if (!session_turn(session))
            return false;
    }
}

/* Prepares a connection to the master that the sentinels name. */
static bool
find_master(struct session *session, int64_t since_ms)
{
    const struct master *master = &session->election.current;

    if (!await_master(session, since_ms))
        return false;
    session->master = *session->server;
    session->master.kind = REDIS_URL_SINGLE;
    session->master.host_count = 0;
    session->master.host = master->host;
    session->master.port = master->port;
    session->conn = make_conn(session, &session->master);
    return session->conn != NULL || session_fail(session, "out of memory");
}

static bool
connect_to(struct session *session)
{
    session->is_no_master = false;
    redis_conn_open(session->conn);
    while (!session->is_up && !session->is_no_master)
        if (!session_turn(session))
            return false;
    return session->is_up;
}

/*
 * Connects to the master. If the named server is not the master, asks the
 * sentinels again until limit_ms has passed.
 */
static bool
open_master(struct session *session)
{
    const int64_t since_ms = clock_mono_ms();

    while (find_master(session, since_ms)) {
        if (connect_to(session))
            return true;
        if (!is_well(session))
            return false;
        redis_conn_free(session->conn);
        session->conn = NULL;
        election_distrust(&session->election, clock_mono_ms());
    }
    return false;
}

bool
session_open(struct session *session)
{
    return session->sentinels != NULL ? open_master(session)
                                      : connect_to(session);
}

void
session_close(struct session *session)
{
    if (session->conn != NULL)
        redis_conn_close(session->conn);
}

const char *
session_error(const struct session *session)
{
    return session->error;
}

static struct session *
make_session(const struct redis_url *server, int64_t limit_ms, bool is_node)
{
    struct session *session = calloc(1, sizeof(*session));

    if (session == NULL)
        return NULL;
    session->server = server;
    session->limit_ms = limit_ms;
    session->is_node = is_node;
    session->loop = ev_loop_new(EVFLAG_AUTO);
    if (session->loop != NULL && server->kind == REDIS_URL_SENTINEL)
        session->sentinels =
            sentinels_new(session->loop, server, limit_ms, limit_ms);
    else if (session->loop != NULL)
        session->conn = make_conn(session, server);
    if (session->conn != NULL || session->sentinels != NULL)
        return session;
    session_free(session);
    return NULL;
}

struct session *
session_new(const struct redis_url *server, int64_t limit_ms)
{
    return make_session(server, limit_ms, false);
}

struct session *
session_new_node(const struct redis_url *server, int64_t limit_ms)
{
    return make_session(server, limit_ms, true);
}

void
session_free(struct session *session)
{
    if (session == NULL)
        return;
    redis_conn_free(session->conn);
    sentinels_free(session->sentinels);
    if (session->loop != NULL)
        ev_loop_destroy(session->loop);
    free(session);
}
