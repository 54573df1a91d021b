#ifndef WRITER_H
#define WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct session;

/*
 * Writes any number of keys over one session: MSETs of bounded size, several
 * of them under way at a time. Of a repeated key the last value stays.
 *
 * Functions that return false have failed for good: session_error() says why.
 */
struct writer;

/* session is borrowed until writer_free(). NULL without memory. */
struct writer *writer_new(struct session *session);

/* Both are copied. */
bool writer_add(struct writer *writer, struct bytes key, struct bytes value);

/* Sends what is left, and waits until all of it is written. */
bool writer_finish(struct writer *writer);

/* Keys that the server has said to be written, in the order of adding. */
int64_t writer_confirmed(const struct writer *writer);

/* Ends the connection, if anything is still under way. Accepts NULL. */
void writer_free(struct writer *writer);

#endif
