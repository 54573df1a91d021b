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
 * One connection to one server, on a libev loop: name look-up, connecting, TLS,
 * the checked handshake, and commands, each with a callback. It never blocks,
 * and does not reconnect by itself. Source: docs/protocol.md, S20.
 */
struct redis_conn;

/* What a server has reported to be. */
enum redis_role {
    REDIS_ROLE_UNKNOWN = 0, /* not reported */
    REDIS_ROLE_MASTER,
    REDIS_ROLE_REPLICA,
    REDIS_ROLE_SENTINEL,
    REDIS_ROLE_CLUSTER, /* a node of a Cluster, whatever its role there */
    REDIS_ROLE__MAX
};

/* A static word; NULL for REDIS_ROLE_UNKNOWN. */
const char *redis_role_text(enum redis_role role);

struct redis_conn_config {
    /* Borrowed. The caller may change it while the connection is closed. */
    const struct redis_url *server;
    struct bytes probe_key; /* borrowed; EXISTS probes it; empty: PING probes */
    bool wants_sentinel;    /* the server must be a sentinel, not a master */
    bool wants_cluster;     /* the server must be a node of a Cluster */
    const char *node_id;    /* the node that it must be; NULL or "": any */
    int64_t connect_limit_ms;
    int64_t answer_limit_ms;   /* for the handshake, and for each command */
    size_t reply_bytes_max;    /* of one reply, all its elements together */
    size_t reply_elements_max; /* of an array; 0: REDIS_COMMAND_KEYS_MAX */

    /*
     * up(): the connection is ready for commands. down(): it has ended. Neither
     * may free the connection, nor may down() call redis_conn_open(). If the
     * server is not what is wanted, or reports later that it is no longer the
     * master, the fault is REDIS_FAULT_ROLE.
     *
     * words     lent; the reason, without keys and values.
     */
    void (*up)(void *arg);
    void (*down)(void *arg, enum redis_fault fault, const char *words);
    void *arg;
};

/*
 * Does not connect yet. Returns NULL when out of memory, or if TLS is wanted
 * and this build has none.
 */
struct redis_conn *redis_conn_new(struct ev_loop *loop,
                                  const struct redis_conn_config *config);

/* Begins to connect, unless it is open. May call down() before it returns. */
void redis_conn_open(struct redis_conn *conn);

/* The role that the last server that was reached has reported. */
enum redis_role redis_conn_role(const struct redis_conn *conn);

/*
 * Ends the connection. Pending commands are done without a reply; down() is not
 * called.
 */
void redis_conn_close(struct redis_conn *conn);

/*
 * Add commands here, once up() has been called. The function `done` of a
 * command is called exactly once: with its reply, or without one when the
 * connection ends.
 */
struct redis_commands *redis_conn_commands(struct redis_conn *conn);

/*
 * Sends all commands that were added, in one write. Call it at the end of each
 * turn of the loop that has added commands.
 */
void redis_conn_flush(struct redis_conn *conn);

/* Accepts NULL. */
void redis_conn_free(struct redis_conn *conn);

#endif
