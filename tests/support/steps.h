#ifndef STEPS_H
#define STEPS_H

#include <stdbool.h>

#include "support/buffer.h"
#include "support/files.h"
#include "support/script.h"

#define STEPS_MAX 6

/* The answer that closes the connection. */
extern const char steps_hang_up[];

/* The command of each handshake, and the reply of a master. */
#define STEPS_HELLO "*2\r\n$5\r\nHELLO\r\n$1\r\n2\r\n"
#define STEPS_MASTER                                                           \
    "*4\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"

struct step {
    const char *want;   /* the bytes to receive; NULL: the end */
    const char *answer; /* NULL: none */
};

/*
 * A server on a unix socket, served by the loop of the test, which expects
 * exact bytes in each step and answers them. Each connection starts with the
 * first step again, and ends the connection before.
 */
struct steps {
    const struct step *steps; /* STEPS_MAX */
    size_t done;
    bool is_strange;   /* it received other bytes than expected */
    struct buffer got; /* the bytes of the current step */

    struct ev_loop *loop;
    struct script_peer peer;
    char folder[FILES_PATH_MAX], path[FILES_PATH_MAX];
};

/* Makes its path; does not listen yet. */
void steps_init(struct steps *server, struct ev_loop *loop,
                const struct step *steps);
void steps_listen(struct steps *server);

/* The socket of its connection; -1: there is none. */
int steps_client(const struct steps *server);

/* Asserts that all steps were taken, and nothing else was received. */
void steps_check(const struct steps *server);
void steps_end(struct steps *server);

#endif
