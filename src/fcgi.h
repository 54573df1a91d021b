#ifndef FCGI_H
#define FCGI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

/*
 * One FastCGI exchange through libfcgi, which reads and writes a descriptor
 * that it is given and never accepts. Whoever calls makes sure, by
 * fcgi_scan.h, that every byte of the exchange is there to be read: then
 * nothing here waits. The only includer of fcgiapp.h.
 */
struct fcgi;

/*
 * Once per process, before the first exchange. It replaces the handlers of
 * SIGPIPE, SIGUSR1 and SIGTERM: install your own afterwards.
 */
bool fcgi_init(void);

/* NULL without memory. */
struct fcgi *fcgi_new(void);

/* Accepts NULL. Never closes a descriptor. */
void fcgi_free(struct fcgi *fcgi);

enum fcgi_body {
    FCGI_BODY_WHOLE = 0,
    FCGI_BODY_NONE,     /* no length was announced, or 0 */
    FCGI_BODY_OTHER,    /* not as many bytes came as were announced */
    FCGI_BODY_TOO_LARGE /* the announced length is over the limit */
};

/* All texts are lent until fcgi_answer(). */
struct fcgi_request {
    struct bytes verb, path;
    struct bytes id; /* "-" unless it is 1 to 128 of [A-Za-z0-9._-] */
    enum fcgi_body body_state;
    char *body; /* NUL behind it; may be altered */
    size_t body_length;
};

enum fcgi_result {
    FCGI_OK = 0,
    FCGI_FAULT, /* close the descriptor */
    FCGI_CLOSED /* libfcgi has closed it */
};

/*
 * Reads one whole exchange from fd.
 *
 * body_length   bytes of stdin in it, as fcgi_scan() counted them.
 * body_max      a longer announced body is FCGI_BODY_TOO_LARGE.
 */
enum fcgi_result fcgi_read(struct fcgi *fcgi, int fd, size_t body_length,
                           size_t body_max, struct fcgi_request *ret_request);

struct fcgi_answer {
    int code;
    const char *reason;
    const char *header; /* one more, without its end; or NULL */
    struct bytes body;
};

/*
 * Writes the answer and ends the exchange. fd must take it without waiting; a
 * short write is FCGI_FAULT.
 */
enum fcgi_result fcgi_answer(struct fcgi *fcgi, int fd,
                             const struct fcgi_answer *answer);

#endif
