#ifndef REDIS_ERROR_H
#define REDIS_ERROR_H

#include <stdbool.h>

/* Why there is no connection to Redis, or none any more. */
enum redis_fault {
    REDIS_FAULT_BROKEN = 0,  /* closed, no Redis, or a fault of our own */
    REDIS_FAULT_REFUSED,     /* nobody listens there */
    REDIS_FAULT_UNREACHABLE, /* no way there: no route, no socket, no right */
    REDIS_FAULT_TIMEOUT,
    REDIS_FAULT_NAME,      /* the host name does not resolve */
    REDIS_FAULT_TLS,       /* TLS did not come about */
    REDIS_FAULT_HANDSHAKE, /* the server answered AUTH or so by an error */
    REDIS_FAULT_ROLE,      /* it is not what it should be, as a master */
    REDIS_FAULT_LARGE,     /* an answer was too large, or took too long to */
    REDIS_FAULT_SLOW,      /* come, from a server that is well */
    REDIS_FAULT__MAX
};

/* Whether it was but an answer's, from a server that is well. */
static inline bool
redis_fault_is_excused(enum redis_fault fault)
{
    return fault == REDIS_FAULT_LARGE || fault == REDIS_FAULT_SLOW;
}

/* Room for the words about any error reply, with their NUL. */
#define REDIS_ERROR_WORDS 128

/* Whether the first word of an error reply is this code. */
bool redis_error_is(const char *error, const char *code);

/*
 * What an error reply says, in words that are fit for the log. Of the reply
 * itself they have at most its code, and the name of a command if it is one
 * that is sent here: the rest may quote what was sent.
 */
void redis_error_words(const char *error, char ret_words[REDIS_ERROR_WORDS]);

#endif
