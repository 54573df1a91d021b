#ifndef NUMBER_H
#define NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Reads a whole number from min to max, min being at least 0. The text must be
 * ASCII digits from end to end: no sign, no spaces, not empty. Leading zeros
 * are fine. Sets *ret_number on success only.
 */
bool number_parse(const char *text, int64_t min, int64_t max,
                  int64_t *ret_number);

#endif
