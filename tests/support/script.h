#ifndef SCRIPT_H
#define SCRIPT_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

#define SCRIPT_CONNECTIONS 64
#define SCRIPT_ANSWERS     4

/*
 * Answers what comes in one piece with the next of its answers; the
 * handshake is the first piece of every connection. After the last: silence.
 */
struct script {
    const char *answers[SCRIPT_ANSWERS];
    bool drips;  /* one byte every 20 ms, after the handshake's answer */
    bool closes; /* after an answer to anything but a handshake */
    int closed;  /* connections that first close when they are used again */
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

/* Sends what nobody asked for, too. */
void script_send(struct script_connection *connection, const char *text,
                 size_t length);

#endif
