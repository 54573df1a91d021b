#ifndef REDIS_ERROR_H
#define REDIS_ERROR_H

#include <stdbool.h>

/* Why connecting to Redis failed, or the connection has ended. See S23.3. */
enum redis_fault {
    REDIS_FAULT_BROKEN = 0,  /* closed, not Redis, or out of memory here */
    REDIS_FAULT_REFUSED,     /* nobody listens there */
    REDIS_FAULT_UNREACHABLE, /* no route, no such socket, or no permission */
    REDIS_FAULT_TIMEOUT,
    REDIS_FAULT_NAME,      /* the host name does not resolve */
    REDIS_FAULT_TLS,       /* the TLS handshake failed */
    REDIS_FAULT_HANDSHAKE, /* an error reply to AUTH, SELECT or the probe */
    REDIS_FAULT_ROLE,      /* not a master, or what else was wanted */
    REDIS_FAULT_LARGE,     /* one reply was too large; the server works */
    REDIS_FAULT_SLOW,      /* one reply did not end in time; the server works */
    REDIS_FAULT__MAX
};

/* Whether one reply is at fault, and not the server. Source: S20.5. */
static inline bool
redis_fault_is_excused(enum redis_fault fault)
{
    return fault == REDIS_FAULT_LARGE || fault == REDIS_FAULT_SLOW;
}

/* The size of the longest text of redis_error_words(), with its NUL. */
#define REDIS_ERROR_WORDS 128

/* Whether an error reply begins with these words, such as a code. */
bool redis_error_is(const char *error, const char *words);

/*
 * Describes an error reply for the log. Of the reply itself it has at most the
 * code, and the name of a command that the service sends: the rest may quote
 * arguments. Source: docs/protocol.md, S20.4.
 */
void redis_error_words(const char *error, char ret_words[REDIS_ERROR_WORDS]);

#endif
