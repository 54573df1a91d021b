/*
 * One connection to one Redis, from the name look-up to the last reply.
 * Implements S20.1, S20.5 and S20.9 of docs/protocol.md for a connection;
 * store/ decides about retries and the breaker.
 *
 * A reply belongs to the oldest pending command. A reply that this command
 * cannot have ends the connection, and all pending commands are done without a
 * reply.
 *
 *     CLOSED --open--> CONNECTING --socket--> SHAKING --probe--> READY
 *        ^                 |                     |                 |
 *        +-----------------+---- down(fault) ----+-----------------+
 *
 * The time of a command begins when it becomes the oldest one, so that it does
 * not include the time of others. While many bytes arrive, the server is alive,
 * and the oldest command has twice the time. If this is not enough, its reply
 * is too slow, and the server is not at fault.
 */
#include <ev.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "redis/conn.h"
#include "redis/connect.h"
#include "redis/error.h"
#include "redis/stream.h"

/* A server that sends less than this within answer_limit_ms is not alive. */
#define ALIVE_BYTES ((size_t)16 * BYTES_PER_KIB)

/* A reply of which bytes keep arriving has answer_limit_ms times this. */
#define SLOW_FACTOR 2

/* More than any error text of connect.c and stream.c. */
#define WORDS_SIZE 400

enum phase { PHASE_CLOSED = 0, PHASE_CONNECTING, PHASE_SHAKING, PHASE_READY };

struct redis_conn {
    struct ev_loop *loop;
    struct redis_conn_config config;
    enum phase phase;
    struct redis_connect *connect;
    struct redis_stream *stream;
    struct redis_commands commands;
    ev_io readable, writable;

    ev_timer limit;      /* runs while is_ticking */
    bool is_ticking;     /* the oldest pending command has been sent */
    int64_t oldest_ms;   /* when it became the oldest */
    int64_t alive_ms;    /* when ALIVE_BYTES had arrived; at first oldest_ms */
    size_t bytes_so_far; /* that have arrived since alive_ms */

    enum redis_role role;
    bool is_role_due;                /* HELLO or ROLE has not been answered */
    bool asks_role;                  /* HELLO has failed: send ROLE */
    enum redis_fault refused;        /* why the handshake failed */
    char refusal[REDIS_ERROR_WORDS]; /* the same in words; "": it has not */
    char words[WORDS_SIZE];
};

/* Ending a connection. */

/* is_blamed: the connection ends because of the reply to the oldest command. */
static void
end(struct redis_conn *conn, bool is_blamed)
{
    struct redis_command command;
    struct redisReply *none = NULL;

    conn->phase = PHASE_CLOSED;
    conn->refusal[0] = '\0';
    conn->is_ticking = false;
    redis_connect_cancel(conn->connect);
    ev_io_stop(conn->loop, &conn->readable);
    ev_io_stop(conn->loop, &conn->writable);
    ev_timer_stop(conn->loop, &conn->limit);
    redis_stream_close(conn->stream);
    buf_clear(&conn->commands.out);
    while (redis_commands_take(&conn->commands, &command)) {
        command.is_blamed = is_blamed;
        is_blamed = false;
        (void)command.done(command.arg, &command, &none);
    }
}

/* What the server has refused says more than how the connection ends then. */
static void
fail(struct redis_conn *conn, enum redis_fault fault, const char *words)
{
    if (conn->refusal[0] != '\0') {
        fault = conn->refused;
        words = conn->refusal;
    }
    if (conn->phase != PHASE_READY)
        redis_connect_move_on(conn->connect);
    (void)snprintf(conn->words, sizeof(conn->words), "%s", words);
    end(conn, fault == REDIS_FAULT_LARGE || fault == REDIS_FAULT_SLOW);
    conn->config.down(conn->config.arg, fault, conn->words);
}

static void
fail_stream(struct redis_conn *conn)
{
    const enum redis_fault fault = redis_stream_fault(conn->stream);

    fail(conn,
         fault == REDIS_FAULT_LARGE && conn->phase != PHASE_READY
             ? REDIS_FAULT_BROKEN
             : fault,
         redis_stream_error(conn->stream));
}

void
redis_conn_close(struct redis_conn *conn)
{
    end(conn, false);
}

/* The time limit of the oldest command. */

static void
start_limit(struct redis_conn *conn, int64_t wait_ms)
{
    ev_timer_stop(conn->loop, &conn->limit);
    ev_now_update(conn->loop);
    ev_timer_set(&conn->limit, (ev_tstamp)wait_ms / MS_PER_S, 0.);
    ev_timer_start(conn->loop, &conn->limit);
}

/* A running timer is not restarted, which saves time: on_limit() does that. */
static void
start_clock(struct redis_conn *conn)
{
    conn->is_ticking = true;
    conn->oldest_ms = conn->alive_ms = clock_mono_ms();
    conn->bytes_so_far = 0;
    if (!ev_is_active(&conn->limit))
        start_limit(conn, conn->config.answer_limit_ms);
}

/* During the handshake nothing extends the limit: it is one for the whole. */
static void
note_progress(struct redis_conn *conn, size_t replies, size_t bytes)
{
    if (conn->phase != PHASE_READY || !conn->is_ticking)
        return;
    if (conn->commands.count == 0) {
        conn->is_ticking = false;
    } else if (replies > 0) {
        start_clock(conn);
    } else if ((conn->bytes_so_far += bytes) >= ALIVE_BYTES) {
        conn->alive_ms = clock_mono_ms();
        conn->bytes_so_far = 0;
    }
}

/* Replies. */

/* The command is lost, like all pending ones. */
static void
leave_demoted(struct redis_conn *conn, const struct redis_command *command,
              redisReply *reply)
{
    redisReply *none = NULL;
    char words[REDIS_ERROR_WORDS];

    redis_error_words(reply->str, words);
    freeReplyObject(reply);
    conn->role = REDIS_ROLE_REPLICA;
    (void)command->done(command->arg, command, &none);
    fail(conn, REDIS_FAULT_ROLE, words);
}

static void
take_reply(struct redis_conn *conn, redisReply *reply)
{
    struct redis_command command;
    bool fits;

    if (!redis_commands_take(&conn->commands, &command)) {
        freeReplyObject(reply);
        fail(conn, REDIS_FAULT_BROKEN, "an answer that nobody asked for");
        return;
    }
    /* Only a server that has become a replica gives these error replies. */
    if (reply->type == REDIS_REPLY_ERROR && conn->phase == PHASE_READY &&
        (redis_error_is(reply->str, "READONLY") ||
         redis_error_is(reply->str, "MASTERDOWN"))) {
        leave_demoted(conn, &command, reply);
        return;
    }
    fits = command.done(command.arg, &command, &reply);
    freeReplyObject(reply);
    if (!fits)
        fail(conn, REDIS_FAULT_BROKEN, "an answer of the wrong kind");
    else if (conn->refusal[0] != '\0' && !conn->is_role_due)
        fail(conn, conn->refused, conn->refusal);
}

/*
 * Handles all bytes that have arrived. Returns false if the connection ended.
 */
static bool
receive(struct redis_conn *conn)
{
    size_t bytes = 0, replies = 0;
    redisReply *reply = NULL;

    if (!redis_stream_read(conn->stream, &bytes)) {
        fail_stream(conn);
        return false;
    }
    do {
        if (!redis_stream_next(conn->stream, &reply)) {
            fail_stream(conn);
            return false;
        }
        if (reply == NULL)
            break;
        replies++;
        take_reply(conn, reply);
    } while (conn->phase != PHASE_CLOSED);
    note_progress(conn, replies, bytes);
    return conn->phase != PHASE_CLOSED;
}

static void
on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct redis_conn *conn = watcher->data;

    (void)loop;
    (void)events;
    if (receive(conn) && conn->phase == PHASE_SHAKING)
        redis_conn_flush(conn); /* TLS may have waited for these bytes */
}

/*
 * If the loop was delayed, the reply may have arrived in time: reads it first.
 */
static void
on_limit(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct redis_conn *conn = watcher->data;
    const int64_t limit_ms = conn->config.answer_limit_ms;
    int64_t quiet_ms, slow_ms, now_ms;
    char words[WORDS_SIZE];

    (void)loop;
    (void)events;
    if (!receive(conn) || !conn->is_ticking)
        return;
    now_ms = clock_mono_ms();
    quiet_ms = conn->alive_ms + limit_ms - now_ms;
    slow_ms = conn->oldest_ms + SLOW_FACTOR * limit_ms - now_ms;
    if (quiet_ms > 0 && slow_ms > 0) {
        start_limit(conn, quiet_ms < slow_ms ? quiet_ms : slow_ms);
        return;
    }
    if (quiet_ms <= 0) {
        redis_stream_expire(conn->stream, limit_ms);
        fail_stream(conn);
        return;
    }
    (void)snprintf(words, sizeof(words), "no whole answer within %lld ms",
                   (long long)(SLOW_FACTOR * limit_ms));
    fail(conn, REDIS_FAULT_SLOW, words);
}

/* Commands. */

struct redis_commands *
redis_conn_commands(struct redis_conn *conn)
{
    return &conn->commands;
}

/*
 * The loop watches for "writable" only while the kernel's buffer is full, which
 * is rare: this saves system calls. So does a shortcut for connections with
 * nothing to send, as most to a Cluster in most turns; not during the
 * handshake, in which TLS has data of its own to send.
 */
void
redis_conn_flush(struct redis_conn *conn)
{
    struct buf *out = &conn->commands.out;
    const bool is_idle = conn->phase == PHASE_READY && out->length == 0 &&
                         !ev_is_active(&conn->writable);
    bool waiting = false;

    if (is_idle || conn->phase < PHASE_SHAKING)
        return;
    if (!conn->is_ticking && conn->commands.count > 0)
        start_clock(conn);
    if (!redis_stream_write(conn->stream, buf_bytes(out), &waiting)) {
        fail_stream(conn);
        return;
    }
    buf_clear(out);
    if (waiting)
        ev_io_start(conn->loop, &conn->writable);
    else
        ev_io_stop(conn->loop, &conn->writable);
}

static void
on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    redis_conn_flush(watcher->data);
}

/* The handshake. */

/*
 * The first reason is kept; take_role() replaces it, as a role explains more.
 */
static void
refuse(struct redis_conn *conn, const redisReply *reply)
{
    if (conn->refusal[0] != '\0')
        return;
    redis_error_words(reply->str, conn->refusal);
    conn->refused = REDIS_FAULT_HANDSHAKE;
}

static const char *const role_texts[REDIS_ROLE__MAX] = {
    [REDIS_ROLE_MASTER] = "master",
    [REDIS_ROLE_REPLICA] = "replica",
    [REDIS_ROLE_SENTINEL] = "sentinel",
    [REDIS_ROLE_CLUSTER] = "cluster",
};

const char *
redis_role_text(enum redis_role role)
{
    return role_texts[role];
}

enum redis_role
redis_conn_role(const struct redis_conn *conn)
{
    return conn->role;
}

/* Why a server with this role is not the wanted master; NULL: it may be. */
static const char *const not_masters[REDIS_ROLE__MAX] = {
    [REDIS_ROLE_REPLICA] = "the server is a replica, not the master",
    [REDIS_ROLE_SENTINEL] = "the server is a sentinel: REDIS_URL must be "
                            "redis+sentinel://host:port/MASTER",
    [REDIS_ROLE_CLUSTER] =
        "the server is a node of a cluster: REDIS_URL must be "
        "redis+cluster://host:port",
};

static void
take_role(struct redis_conn *conn, enum redis_role role)
{
    const char *why = not_masters[role];

    if (conn->config.wants_sentinel)
        why = role != REDIS_ROLE_SENTINEL && role != REDIS_ROLE_UNKNOWN
                  ? "the server is not a sentinel"
                  : NULL;
    if (conn->config.wants_cluster)
        why = role != REDIS_ROLE_CLUSTER && role != REDIS_ROLE_UNKNOWN
                  ? "the server is not a node of a cluster"
                  : NULL;
    conn->role = role;
    if (why == NULL)
        return;
    (void)snprintf(conn->refusal, sizeof(conn->refusal), "%s", why);
    conn->refused = REDIS_FAULT_ROLE;
}

/*
 * From replies to HELLO and ROLE. Modes come first: they say more than roles.
 */
static const struct {
    const char *key, *value;
    enum redis_role role;
} role_words[] = {
    {"mode", "cluster", REDIS_ROLE_CLUSTER},
    {"mode", "sentinel", REDIS_ROLE_SENTINEL},
    {"role", "master", REDIS_ROLE_MASTER},
    {"role", "replica", REDIS_ROLE_REPLICA},
    {"role", "slave", REDIS_ROLE_REPLICA},
    {"role", "sentinel", REDIS_ROLE_SENTINEL},
};
#define ROLE_WORDS (sizeof(role_words) / sizeof(role_words[0]))

static bool
reply_is(const redisReply *reply, const char *text)
{
    return (reply->type == REDIS_REPLY_STRING ||
            reply->type == REDIS_REPLY_STATUS) &&
           strcmp(reply->str, text) == 0;
}

/* The role in a reply to HELLO, an array of names and values. */
static enum redis_role
role_of(const redisReply *reply)
{
    for (size_t word = 0; word < ROLE_WORDS; word++)
        for (size_t i = 0; i + 1 < reply->elements; i += 2)
            if (reply_is(reply->element[i], role_words[word].key) &&
                reply_is(reply->element[i + 1], role_words[word].value))
                return role_words[word].role;
    return REDIS_ROLE_UNKNOWN;
}

/* The role in the first element of a reply to ROLE. */
static enum redis_role
role_in(const redisReply *element)
{
    for (size_t word = 0; word < ROLE_WORDS; word++)
        if (reply_is(element, role_words[word].value))
            return role_words[word].role;
    return REDIS_ROLE_UNKNOWN;
}

/* CLUSTER MYID. A user without the right to it trusts the address. */
static bool
on_id(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct redis_conn *conn = arg;

    (void)command;
    if (*reply == NULL || (*reply)->type == REDIS_REPLY_ERROR)
        return true;
    if ((*reply)->type != REDIS_REPLY_STRING)
        return false;
    if (strcmp((*reply)->str, conn->config.node_id) == 0 ||
        conn->refusal[0] != '\0')
        return true;
    (void)snprintf(conn->refusal, sizeof(conn->refusal),
                   "another node of a cluster has this address");
    conn->refused = REDIS_FAULT_ROLE;
    return true;
}

/* AUTH and SELECT. */
static bool
on_agreed(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct redis_conn *conn = arg;

    (void)command;
    if (*reply == NULL || (*reply)->type == REDIS_REPLY_STATUS)
        return true;
    if ((*reply)->type != REDIS_REPLY_ERROR)
        return false;
    refuse(conn, *reply);
    return true;
}

static const char unknown_command[] = "ERR unknown command";

/* HELLO. Before Redis 6, or without the right to it, ROLE is sent instead. */
static bool
on_hello(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct redis_conn *conn = arg;

    (void)command;
    conn->is_role_due = false;
    if (*reply == NULL)
        return true;
    if ((*reply)->type == REDIS_REPLY_ARRAY) {
        take_role(conn, role_of(*reply));
        return true;
    }
    if ((*reply)->type != REDIS_REPLY_ERROR)
        return false;
    conn->asks_role = strncmp((*reply)->str, unknown_command,
                              sizeof(unknown_command) - 1) == 0 ||
                      redis_error_is((*reply)->str, "NOPERM") ||
                      redis_error_is((*reply)->str, "NOPROTO");
    if (!conn->asks_role)
        refuse(conn, *reply);
    return true;
}

static void
be_ready(struct redis_conn *conn)
{
    conn->phase = PHASE_READY;
    conn->is_ticking = false;
    conn->config.up(conn->config.arg);
}

/*
 * ROLE. A server that does not report its role is accepted, and so is any
 * master or replica where a node of a Cluster is wanted: ROLE has no mode.
 */
static bool
on_role(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct redis_conn *conn = arg;
    enum redis_role role = REDIS_ROLE_UNKNOWN;

    (void)command;
    conn->is_role_due = false;
    if (*reply == NULL)
        return true;
    if ((*reply)->type == REDIS_REPLY_ARRAY && (*reply)->elements > 0)
        role = role_in((*reply)->element[0]);
    if (conn->config.wants_cluster && role != REDIS_ROLE_SENTINEL)
        role = REDIS_ROLE_UNKNOWN;
    if (role != REDIS_ROLE_UNKNOWN)
        take_role(conn, role);
    if (conn->refusal[0] == '\0')
        be_ready(conn);
    return true;
}

/* When out of memory, the server is accepted without its role. */
static void
ask_role(struct redis_conn *conn)
{
    const struct redis_command command = {.done = on_role, .arg = conn};

    conn->asks_role = false;
    if (!redis_commands_reserve(&conn->commands, 1, REDIS_COMMAND_ROOM))
        return;
    redis_commands_add(&conn->commands, &command, "ROLE", 0);
    conn->is_role_due = true;
}

/* EXISTS or PING. A user without the right to it is accepted: Redis works. */
static bool
on_probe(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct redis_conn *conn = arg;
    const int good = conn->config.probe_key.length > 0 ? REDIS_REPLY_INTEGER
                                                       : REDIS_REPLY_STATUS;

    (void)command;
    if (*reply == NULL)
        return true;
    if ((*reply)->type != REDIS_REPLY_ERROR && (*reply)->type != good)
        return false;
    if (conn->asks_role)
        ask_role(conn);
    if ((*reply)->type == REDIS_REPLY_ERROR &&
        !redis_error_is((*reply)->str, "NOPERM"))
        refuse(conn, *reply);
    else if (!conn->is_role_due)
        be_ready(conn);
    return true;
}

static void
add_shake(struct redis_conn *conn, redis_reply_fn *done, const char *name,
          size_t arguments)
{
    const struct redis_command command = {.done = done, .arg = conn};

    redis_commands_add(&conn->commands, &command, name, arguments);
}

/*
 * Adds AUTH and SELECT if the settings require them, HELLO for the role, and
 * the probe. They are sent in one write, and each reply is checked.
 */
static bool
add_handshake(struct redis_conn *conn)
{
    const struct redis_url *server = conn->config.server;
    const struct bytes probe_key = conn->config.probe_key;
    struct redis_commands *commands = &conn->commands;
    struct bytes username = bytes_of(server->username ? server->username : "");
    struct bytes password = bytes_of(server->password ? server->password : "");
    char database[16]; /* the digits of any int */

    if (!redis_commands_reserve(
            commands, 5,
            5 * (REDIS_COMMAND_ROOM + 2 * REDIS_ARGUMENT_ROOM) +
                username.length + password.length + probe_key.length))
        return false;
    if (server->password != NULL) {
        add_shake(conn, on_agreed, "AUTH", server->username != NULL ? 2 : 1);
        if (server->username != NULL)
            redis_commands_add_argument(commands, username);
        redis_commands_add_argument(commands, password);
    }
    add_shake(conn, on_hello, "HELLO", 1);
    redis_commands_add_argument(commands, bytes_of("2"));
    conn->is_role_due = true;
    conn->asks_role = false;
    conn->role = REDIS_ROLE_UNKNOWN;
    if (conn->config.node_id != NULL && conn->config.node_id[0] != '\0') {
        add_shake(conn, on_id, "CLUSTER", 1);
        redis_commands_add_argument(commands, bytes_of("MYID"));
    }
    if (server->database != 0) {
        (void)snprintf(database, sizeof(database), "%d", server->database);
        add_shake(conn, on_agreed, "SELECT", 1);
        redis_commands_add_argument(commands, bytes_of(database));
    }
    add_shake(conn, on_probe, probe_key.length > 0 ? "EXISTS" : "PING",
              probe_key.length > 0);
    if (probe_key.length > 0)
        redis_commands_add_argument(commands, probe_key);
    return true;
}

static void
on_connected(void *arg, int fd, enum redis_fault fault, const char *error)
{
    struct redis_conn *conn = arg;

    if (fd < 0) {
        fail(conn, fault, error);
        return;
    }
    conn->phase = PHASE_SHAKING;
    if (!redis_stream_open(conn->stream, fd)) {
        fail_stream(conn);
        return;
    }
    if (!add_handshake(conn)) {
        fail(conn, REDIS_FAULT_BROKEN, "out of memory");
        return;
    }
    ev_io_set(&conn->readable, fd, EV_READ);
    ev_io_set(&conn->writable, fd, EV_WRITE);
    ev_io_start(conn->loop, &conn->readable);
    redis_conn_flush(conn);
}

void
redis_conn_open(struct redis_conn *conn)
{
    if (conn->phase != PHASE_CLOSED)
        return;
    conn->phase = PHASE_CONNECTING;
    redis_connect_start(conn->connect);
}

/* Making and freeing. */

static void
init_watchers(struct redis_conn *conn)
{
    ev_io_init(&conn->readable, on_readable, -1, EV_READ);
    ev_io_init(&conn->writable, on_writable, -1, EV_WRITE);
    ev_timer_init(&conn->limit, on_limit, 0., 0.);
    conn->readable.data = conn->writable.data = conn->limit.data = conn;
}

struct redis_conn *
redis_conn_new(struct ev_loop *loop, const struct redis_conn_config *config)
{
    struct redis_conn *conn = calloc(1, sizeof(*conn));

    if (conn == NULL)
        return NULL;
    conn->loop = loop;
    conn->config = *config;
    init_watchers(conn);
    conn->connect = redis_connect_new(
        loop, config->server, config->connect_limit_ms, on_connected, conn);
    conn->stream = redis_stream_new(config->server, config->reply_bytes_max,
                                    config->reply_elements_max);
    if (conn->connect != NULL && conn->stream != NULL &&
        redis_commands_init(&conn->commands))
        return conn;
    redis_conn_free(conn);
    return NULL;
}

void
redis_conn_free(struct redis_conn *conn)
{
    if (conn == NULL)
        return;
    if (conn->connect != NULL && conn->stream != NULL)
        end(conn, false);
    redis_connect_free(conn->connect);
    redis_stream_free(conn->stream);
    redis_commands_free(&conn->commands);
    free(conn);
}
