#ifndef REDIS_TLS_H
#define REDIS_TLS_H

#include <stdbool.h>

#include "base/bytes.h"

struct redisContext;

/*
 * TLS for one connection at a time. If hiredis was built without TLS,
 * redis_tls_new() fails. All other functions accept NULL, which means no TLS.
 */
struct redis_tls;

/*
 * Trusts the certificate authorities of the system. Returns NULL when out of
 * memory, or if this build has no TLS.
 */
struct redis_tls *redis_tls_new(void);

/*
 * Begins the handshake on a connection. The certificate must be valid for the
 * host. Returns NULL, or a text that describes the error and lives as long as
 * the context.
 */
const char *redis_tls_start(struct redis_tls *tls, struct redisContext *context,
                            const char *host);

/* Call it after the connection has been freed. */
void redis_tls_end(struct redis_tls *tls);

/* Whether the handshake has not finished. */
bool redis_tls_is_starting(const struct redis_tls *tls);

/*
 * Sends bytes, maybe none, after those of earlier calls that are still unsent.
 * Sets *ret_waiting as redis_stream_write() does. Returns NULL, or a static
 * text that describes the error.
 */
const char *redis_tls_write(struct redis_tls *tls, struct redisContext *context,
                            struct bytes bytes, bool *ret_waiting);

/* Call it before a call of hiredis, so that no older error is reported. */
void redis_tls_forget_error(void);

/*
 * A static text that describes why the last call failed; `otherwise` if TLS was
 * not the reason.
 */
const char *redis_tls_error(const struct redis_tls *tls, const char *otherwise);

void redis_tls_free(struct redis_tls *tls);

#endif
