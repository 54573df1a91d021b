#ifndef REDIS_WRITER_H
#define REDIS_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct redis_session;

/*
 * Writes any number of keys over one session: MSETs of bounded size, several
 * of them under way at a time. Of a repeated key the last value stays.
 *
 * Functions that return false have failed for good: redis_session_error()
 * says why.
 */
struct redis_writer;

/* session is borrowed until redis_writer_free(). NULL without memory. */
struct redis_writer *redis_writer_new(struct redis_session *session);

/* Both are copied. */
bool redis_writer_add(struct redis_writer *writer, struct bytes key,
                      struct bytes value);

/* Sends what is left, and waits until all of it is written. */
bool redis_writer_finish(struct redis_writer *writer);

/* Keys that the server has said to be written, in the order of adding. */
int64_t redis_writer_confirmed(const struct redis_writer *writer);

/* Accepts NULL. */
void redis_writer_free(struct redis_writer *writer);

#endif
