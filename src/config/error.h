#ifndef CONFIG_ERROR_H
#define CONFIG_ERROR_H

#include <stdbool.h>

#include "base/buf.h"

/*
 * Adds one line about an error in the settings: NAME: "given": what is
 * expected. Control characters in name and given are escaped, and long texts
 * are cut, so that it is one line.
 *
 * given     the invalid value; NULL if it must not be shown, like a secret.
 *
 * Always returns false, so that a check can return its result.
 */
bool config_error(struct buf *errors, const char *name, const char *given,
                  const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * Adds a line that says "out of memory", and sets errors->failed: no error is
 * added after it. Returns false.
 */
bool config_out_of_memory(struct buf *errors, const char *name,
                          const char *given);

/*
 * Adds such a line for each line of a text, whose control characters are
 * escaped. If the text has failed, memory has run out.
 */
void config_error_lines(struct buf *errors, const char *name, const char *given,
                        const struct buf *lines);

/* Adds a text, with control characters, quotes and backslashes escaped. */
void config_escape(struct buf *out, const char *text);

#endif
