#ifndef SCRIPT_H
#define SCRIPT_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SCRIPT_CONNECTIONS 64
#define SCRIPT_ANSWERS     4

/*
 * The next answer is sent for each piece, as returned by one read(). The first
 * piece of each connection is the handshake. After the last answer the peer is
 * silent.
 */
struct script {
    const char *answers[SCRIPT_ANSWERS];
    bool drips;  /* sends a byte every 20 ms, after the handshake */
    bool closes; /* closes the connection after an answer, not a handshake */
    int closed;  /* so many connections, the first, are closed at the second
                    piece */
};

struct script_peer;

struct script_connection {
    struct script_peer *peer;
    ev_io readable, writable;
    ev_timer drip;
    int pieces;
    const char *rest; /* to be dripped, or what the socket did not take */
    size_t left;      /* of rest */
    void *data;       /* the owner's */
};

/* What a peer does that does not follow a script; members may be NULL. */
struct script_ops {
    void (*opened)(struct script_connection *connection);
    void (*got)(struct script_connection *connection, const char *piece,
                size_t length);
    void (*closed)(struct script_connection *connection);
};

/* A peer on the loop of the test. */
struct script_peer {
    struct ev_loop *loop;
    const struct script_ops *ops;
    void *data; /* the owner's */
    struct script script;
    ev_io listener;
    struct script_connection connections[SCRIPT_CONNECTIONS];
    int count; /* connections so far */
};

/* Follows a script, on a loopback port. */
void script_start(struct script_peer *peer, struct ev_loop *loop, int port,
                  const struct script *script);

/* Does what the ops say, on a listening socket, which it closes at the end. */
void script_serve(struct script_peer *peer, struct ev_loop *loop, int listener,
                  const struct script_ops *ops, void *data);

/*
 * The same in a forked process, for a test that has no loop. An op ends the
 * process by _exit(); SIGALRM kills it at the limit.
 */
pid_t script_fork(int listener, const struct script_ops *ops, void *data,
                  unsigned limit_s);

/* Accepts a peer that has ended, or has never been started (zeros). */
void script_end(struct script_peer *peer);

/*
 * Sends bytes, also without a command. They must stay valid if there are more
 * than a socket takes at once.
 */
void script_send(struct script_connection *connection, const char *text,
                 size_t length);

/* Accepts a connection that has been closed. */
void script_hang_up(struct script_connection *connection);

#endif
