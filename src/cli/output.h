#ifndef INTERESTS_OUTPUT_H
#define INTERESTS_OUTPUT_H

#include <stdbool.h>

#include "base/buf.h"

/*
 * The output of an export: an open stream; or a file of mode 0600 that gets its
 * name only when it is complete. Source: docs/protocol.md, S19.6.
 */
struct interests_output;

/*
 * path   "-" is standard output; see also stream_of_path().
 *
 * Returns NULL with errno set on failure.
 */
struct interests_output *interests_output_open(const char *path);

/* Writes and empties a buffer. Returns false with errno set on failure. */
bool interests_output_write(struct interests_output *output, struct buf *text);

/*
 * Writes the file to the disk and gives it its name. Returns false with errno
 * set on failure.
 */
bool interests_output_finish(struct interests_output *output);

/* Removes a file that interests_output_finish() has not named. Accepts NULL. */
void interests_output_free(struct interests_output *output);

#endif
