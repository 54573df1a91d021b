#ifndef SCRIPT_H
#define SCRIPT_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

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
    ev_io readable;
    ev_timer drip;
    int pieces;
    const char *rest; /* to be dripped */
};

/* A peer on a loopback port that follows a script. */
struct script_peer {
    struct ev_loop *loop;
    struct script script;
    ev_io listener;
    struct script_connection connections[SCRIPT_CONNECTIONS];
    int count; /* connections so far */
};

void script_start(struct script_peer *peer, struct ev_loop *loop, int port,
                  const struct script *script);
void script_end(struct script_peer *peer);

/* Sends bytes, also without a command. */
void script_send(struct script_connection *connection, const char *text,
                 size_t length);

#endif
