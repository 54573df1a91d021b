#ifndef FCGI_H
#define FCGI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/outcome.h"
#include "base/request.h"

/*
 * One FastCGI exchange through libfcgi, which takes it from memory, writes the
 * answer to a descriptor that it is given, and never accepts. Whoever calls
 * makes sure, by fcgi_scan.h, that every byte of the exchange is there: then
 * nothing here waits. The only includer of libfcgi's headers.
 */
struct fcgi;

/*
 * Once per process, before the first exchange. It replaces the handlers of
 * SIGPIPE, SIGUSR1 and SIGTERM: install your own afterwards. Returns false
 * with errno set, which is 0 if libfcgi cannot be made to read from memory.
 */
bool fcgi_init(void);

/* NULL without memory. */
struct fcgi *fcgi_new(void);

/* Accepts NULL. Never closes a descriptor. */
void fcgi_free(struct fcgi *fcgi);

enum fcgi_result {
    FCGI_OK = 0,
    FCGI_FAULT, /* no request: close the descriptor */
    FCGI_CLOSED /* no request, and libfcgi has closed the descriptor */
};

/* The body of an exchange, as fcgi_scan() found it. */
struct fcgi_stdin {
    size_t length;
    bool is_apart; /* not in the exchange, which has an empty one */
    char *bytes;   /* then; lent for as long as the request's body is used */
};

/*
 * Takes one whole exchange apart.
 *
 * fd         of the peer: not read, but closed if libfcgi finds a fault.
 * exchange   all of its records; lent for the call.
 * body_max   a body that is or is said to be longer is REQUEST_BODY_TOO_LARGE;
 *            its bytes need not be there.
 *
 * The request's texts are lent until fcgi_answer(), its body until it is
 * forgotten; it is not planned yet, so that it has no time.
 */
enum fcgi_result fcgi_read(struct fcgi *fcgi, int fd, struct bytes exchange,
                           const struct fcgi_stdin *body, size_t body_max,
                           struct request *ret_request);

/* The request's body is of no more use: others are long, and may wait long. */
void fcgi_forget_body(struct fcgi *fcgi);

/*
 * Writes the answer and ends the exchange. fd must take all of it without
 * waiting: else the result is false, with errno set, and fd is of no more use.
 * It is never closed.
 */
bool fcgi_answer(struct fcgi *fcgi, int fd, const struct outcome *outcome);

#endif
