#ifndef REDIS_STREAM_H
#define REDIS_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "redis/error.h"
#include "redis/url.h"

struct redisReply;

/*
 * What travels over one connection to Redis: bytes one way, over TLS or
 * plain, and replies of bounded size the other way. It never blocks.
 *
 * Functions that return false have failed for good: the stream is to be
 * closed, and redis_stream_error() says why.
 */
struct redis_stream;

/*
 * config    borrowed until redis_stream_free().
 *
 * bytes_max     of one reply, all its elements together.
 * elements_max  of one array; 0: as many as a command has keys.
 *
 * NULL without memory, or with TLS asked for and not to be had.
 */
struct redis_stream *redis_stream_new(const struct redis_url *config,
                                      size_t bytes_max, size_t elements_max);

/* Takes over a connected, non-blocking socket, on failure too. */
bool redis_stream_open(struct redis_stream *stream, int fd);
bool redis_stream_is_open(const struct redis_stream *stream);

/* Does nothing if it is not open. The replies taken from it stay. */
void redis_stream_close(struct redis_stream *stream);

/*
 * Hands bytes, and what the kernel did not take before, to the kernel.
 *
 * ret_waiting   whether to call again when the socket becomes writable. Not
 *               so while TLS shakes hands: then, after the next read.
 */
bool redis_stream_write(struct redis_stream *stream, struct bytes bytes,
                        bool *ret_waiting);

/* Reads what has come, if anything; *ret_bytes is how much. */
bool redis_stream_read(struct redis_stream *stream, size_t *ret_bytes);

/*
 * Takes the next of the replies that have come as a whole.
 *
 * ret_reply     to be freed by freeReplyObject(); NULL if there is none.
 */
bool redis_stream_next(struct redis_stream *stream,
                       struct redisReply **ret_reply);

/* No answer has come in so many milliseconds: the stream has failed for that.
 */
void redis_stream_expire(struct redis_stream *stream, int64_t limit_ms);

/*
 * Why the last call failed: its kind, and words without data, lent until the
 * next one.
 */
enum redis_fault redis_stream_fault(const struct redis_stream *stream);
const char *redis_stream_error(const struct redis_stream *stream);

/* Accepts NULL. */
void redis_stream_free(struct redis_stream *stream);

#endif
