#ifndef REDIS_ERROR_H
#define REDIS_ERROR_H

#include <stdbool.h>

/* Whether the text of an error reply begins with this code. */
bool redis_error_starts(const char *error, const char *code);

/*
 * What an error reply says, in static words that are fit for the log: never
 * more of the error than its code, because the rest may quote what was sent.
 */
const char *redis_error_text(const char *error);

#endif
