#ifndef FCGI_H
#define FCGI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/outcome.h"
#include "base/request.h"

/*
 * One FastCGI exchange through libfcgi, which parses it from memory and writes
 * the answer to a descriptor. Nothing here waits, because the caller has
 * checked with fcgi_scan() that every byte of the exchange has arrived.
 */
struct fcgi;

/*
 * Call it once per process, before the first exchange. It replaces the handlers
 * of SIGPIPE, SIGUSR1 and SIGTERM: install your own afterwards. Returns false
 * with errno set; errno is 0 if this libfcgi cannot read from memory.
 */
bool fcgi_init(void);

/* Returns NULL when out of memory. */
struct fcgi *fcgi_new(void);

/* Accepts NULL. Never closes a descriptor. */
void fcgi_free(struct fcgi *fcgi);

enum fcgi_result {
    FCGI_OK = 0,
    FCGI_FAULT, /* no request: the caller closes the descriptor */
    FCGI_CLOSED /* no request: libfcgi has closed the descriptor */
};

/* The body of an exchange, as fcgi_scan() has found it. */
struct fcgi_stdin {
    size_t length; /* bytes */
    bool is_apart; /* it is in bytes, and the exchange has an empty body */
    char *bytes;   /* if is_apart; lent until the request's body is not used */
};

/*
 * Parses one whole exchange.
 *
 * fd         of the peer: not read, but closed if libfcgi finds a fault.
 * exchange   all records of the exchange; lent for the call.
 * body_max   bytes; a body that is longer, or whose CONTENT_LENGTH is, becomes
 *            REQUEST_BODY_TOO_LARGE. It may then be missing from the exchange.
 *
 * The texts of the request are lent until fcgi_answer(), its body until
 * fcgi_forget_body(). now and arrived_ns of the request are not set.
 */
enum fcgi_result fcgi_read(struct fcgi *fcgi, int fd, struct bytes exchange,
                           const struct fcgi_stdin *body, size_t body_max,
                           struct request *ret_request);

/*
 * Frees the body of the request, which may be long, while the request waits for
 * the store.
 */
void fcgi_forget_body(struct fcgi *fcgi);

/*
 * Writes the answer and ends the exchange. fd must take all of it without
 * waiting. Otherwise returns false with errno set, and fd must be closed; this
 * function never closes it.
 */
bool fcgi_answer(struct fcgi *fcgi, int fd, const struct outcome *outcome);

#endif
