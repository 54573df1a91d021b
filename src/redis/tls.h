#ifndef REDIS_TLS_H
#define REDIS_TLS_H

#include <stdbool.h>

#include "base/bytes.h"

struct redisContext;

/*
 * TLS of one connection at a time. In a build whose hiredis has no TLS it
 * cannot be made; every other function accepts NULL, which means plain.
 */
struct redis_tls;

/* Trusts what the system trusts. NULL without memory, or without TLS. */
struct redis_tls *redis_tls_new(void);

/*
 * Begins to shake hands on a connection, whose certificate must be good for
 * the host. NULL, or why it failed, in words that live as long as the context.
 */
const char *redis_tls_start(struct redis_tls *tls, struct redisContext *context,
                            const char *host);

/* The connection has been freed. */
void redis_tls_end(struct redis_tls *tls);

/* Whether it still shakes hands. */
bool redis_tls_is_starting(const struct redis_tls *tls);

/*
 * Sends these bytes after what earlier calls left; no bytes: only that. Sets
 * whether what is left waits for the socket to become writable. Returns NULL,
 * or static words for what failed.
 */
const char *redis_tls_write(struct redis_tls *tls, struct redisContext *context,
                            struct bytes bytes, bool *ret_waiting);

/* What failed before is no reason for what fails next. */
void redis_tls_forget_error(const struct redis_tls *tls);

/*
 * Why the last call failed, in static words; where TLS has nothing to say, what
 * is given.
 */
const char *redis_tls_error(const struct redis_tls *tls, const char *otherwise);

void redis_tls_free(struct redis_tls *tls);

#endif
