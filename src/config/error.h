#ifndef CONFIG_ERROR_H
#define CONFIG_ERROR_H

#include <stdbool.h>

#include "base/buf.h"

/*
 * Adds one line about a mistake in the settings: NAME: "given": what is
 * expected. Control characters in name and given are escaped, and what is very
 * long is cut, so that it stays one line.
 *
 * given     as it was given; NULL for what must not be shown, as secrets.
 *
 * Always returns false, so that a check can end with it.
 */
bool config_error(struct buf *errors, const char *name, const char *given,
                  const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Adds a text with control characters, quotes and backslashes escaped. */
void config_escape(struct buf *out, const char *text);

#endif
