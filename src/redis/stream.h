#ifndef REDIS_STREAM_H
#define REDIS_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "redis/error.h"
#include "redis/url.h"

struct redisReply;

/*
 * The transport of one connection to Redis, plain or over TLS: sends bytes, and
 * receives replies of bounded size. It never blocks.
 *
 * If a function returns false, the stream must be closed; redis_stream_error()
 * describes the reason.
 */
struct redis_stream;

/*
 * config        borrowed until redis_stream_free().
 * bytes_max     of one reply, all its elements together.
 * elements_max  of one array; 0: REDIS_COMMAND_KEYS_MAX.
 *
 * Returns NULL when out of memory, or if TLS is wanted and this build has none.
 */
struct redis_stream *redis_stream_new(const struct redis_url *config,
                                      size_t bytes_max, size_t elements_max);

/*
 * Owns fd, a connected and non-blocking socket, from now on, also on failure.
 */
bool redis_stream_open(struct redis_stream *stream, int fd);

/* Closes the socket, if it is open. Replies that were returned stay valid. */
void redis_stream_close(struct redis_stream *stream);

/*
 * Sends bytes, after those of earlier calls that the kernel has not taken yet.
 *
 * ret_waiting   whether to call again when the socket becomes writable. During
 *               a TLS handshake false: call again after the next read.
 */
bool redis_stream_write(struct redis_stream *stream, struct bytes bytes,
                        bool *ret_waiting);

/* Reads the bytes that have arrived; *ret_bytes is their number, maybe 0. */
bool redis_stream_read(struct redis_stream *stream, size_t *ret_bytes);

/*
 * Returns the next reply that has completely arrived.
 *
 * ret_reply     NULL if there is none. The caller owns it: freeReplyObject().
 */
bool redis_stream_next(struct redis_stream *stream,
                       struct redisReply **ret_reply);

/* Sets the fault and the error: no answer within so many milliseconds. */
void redis_stream_expire(struct redis_stream *stream, int64_t limit_ms);

/*
 * Why the last call failed: the kind, and a text without data, lent until the
 * next call.
 */
enum redis_fault redis_stream_fault(const struct redis_stream *stream);
const char *redis_stream_error(const struct redis_stream *stream);

/* Accepts NULL. */
void redis_stream_free(struct redis_stream *stream);

#endif
