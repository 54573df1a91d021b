#ifndef STEPS_H
#define STEPS_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "support/buffer.h"
#include "support/files.h"

#define STEPS_MAX 6

/* Ends the connection, as an answer. */
extern const char steps_hang_up[];

/* What every handshake asks, and the answer of a master. */
#define STEPS_HELLO "*2\r\n$5\r\nHELLO\r\n$1\r\n2\r\n"
#define STEPS_MASTER                                                           \
    "*4\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"

struct step {
    const char *want;   /* NULL: nothing more */
    const char *answer; /* NULL: none */
};

/*
 * A server on a unix socket and the loop of whoever talks to it, which knows
 * byte by byte what it is to get, and what to answer. Every connection begins
 * with the first step again, and ends the one before.
 */
struct steps {
    const struct step *steps; /* STEPS_MAX */
    int64_t slow_ms;          /* before each answer */
    size_t done;
    int accepted;
    bool is_strange; /* it got something else: got, which begins at the step */
    struct buffer got;

    struct ev_loop *loop;
    ev_io listener, client, writable;
    const char *rest; /* of an answer that the socket did not take */
    char folder[FILES_PATH_MAX], path[FILES_PATH_MAX];
};

/* Makes its path, without listening. */
void steps_init(struct steps *server, struct ev_loop *loop,
                const struct step *steps);
void steps_listen(struct steps *server);

/* Checks that every step was taken, and no more. */
void steps_check(const struct steps *server);
void steps_end(struct steps *server);

#endif
