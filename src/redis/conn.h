#ifndef REDIS_CONN_H
#define REDIS_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redis/command.h"
#include "redis/error.h"
#include "redis/url.h"

struct ev_loop;

/*
 * One connection to one server, on a libev loop: look-up, connecting, TLS, the
 * checked handshake, and commands, each with a callback. It never blocks, and
 * begins no new connection by itself. Source: docs/protocol.md, S20.
 */
struct redis_conn;

/* What a server says that it is. */
enum redis_role {
    REDIS_ROLE_UNKNOWN = 0, /* it has not said, or is too old to */
    REDIS_ROLE_MASTER,
    REDIS_ROLE_REPLICA,
    REDIS_ROLE_SENTINEL,
    REDIS_ROLE_CLUSTER, /* a node of one, whatever its role in there */
    REDIS_ROLE__MAX
};

/* In one word; static. NULL: unknown. */
const char *redis_role_text(enum redis_role role);

struct redis_conn_config {
    /*
     * Borrowed, as is the key. What it says may change while the connection is
     * closed.
     */
    const struct redis_url *server;
    struct bytes probe_key; /* read at the end of the handshake; empty: PING */
    bool wants_sentinel;    /* and else a master */
    bool wants_cluster;     /* a node of one */
    const char *node_id;    /* which one, of a cluster; NULL or "": any */
    int64_t connect_limit_ms;
    int64_t answer_limit_ms; /* of the handshake, and of each command */
    size_t reply_bytes_max;  /* of one reply, all its elements together */
    size_t
        reply_elements_max; /* of an array; 0: as many as a command has keys */

    /*
     * The connection is ready for commands, or it has ended; after down()
     * redis_conn_open() may be called, but not from within it. Neither may
     * free the connection. A server that is not what is wanted, or says later
     * that it is not the master any more, ends it with REDIS_FAULT_ROLE.
     *
     * words     lent; the reason, without keys and values.
     */
    void (*up)(void *arg);
    void (*down)(void *arg, enum redis_fault fault, const char *words);
    void *arg;
};

/* NULL without memory, or with TLS asked for and not to be had. */
struct redis_conn *redis_conn_new(struct ev_loop *loop,
                                  const struct redis_conn_config *config);

/* Begins to connect, unless it is open. down() may come before it returns. */
void redis_conn_open(struct redis_conn *conn);

/* What the server has said, the last time that one was reached. */
enum redis_role redis_conn_role(const struct redis_conn *conn);

/* Ends the connection; its commands are told, and down() is not called. */
void redis_conn_close(struct redis_conn *conn);

/*
 * Where commands are added, once up() has been called. A command's `done` is
 * called exactly once: with its reply, or with none when the connection ends.
 */
struct redis_commands *redis_conn_commands(struct redis_conn *conn);

/*
 * Hands all commands that were added to the kernel, in one go. To be called at
 * the end of each turn of the loop in which some were.
 */
void redis_conn_flush(struct redis_conn *conn);

/* Accepts NULL. */
void redis_conn_free(struct redis_conn *conn);

#endif
