#ifndef NUMBER_H
#define NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Reads a whole number from min to max, where 0 <= min <= max. The text must
 * consist of ASCII digits: no sign, no spaces, not empty. Leading zeros are
 * accepted. Sets *ret_number on success only.
 */
bool number_parse(const char *text, int64_t min, int64_t max,
                  int64_t *ret_number);

#endif
