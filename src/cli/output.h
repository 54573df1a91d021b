#ifndef INTERESTS_OUTPUT_H
#define INTERESTS_OUTPUT_H

#include <stdbool.h>

#include "base/buf.h"

/*
 * Where an export goes: standard output; or a file that has its name only once
 * it is whole, and is its owner's alone.
 */
struct interests_output;

/*
 * path   borrowed until the end; "-" is standard output.
 *
 * NULL with errno set.
 */
struct interests_output *interests_output_open(const char *path);

/* Writes out and empties a buffer. False with errno set. */
bool interests_output_write(struct interests_output *output, struct buf *text);

/* Everything is written: on the disk, and under its name. False with errno. */
bool interests_output_finish(struct interests_output *output);

/* Accepts NULL. Without interests_output_finish() nothing is left of it. */
void interests_output_free(struct interests_output *output);

#endif
