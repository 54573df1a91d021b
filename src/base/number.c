/*
 * Whole numbers as operators write them. Used for S24 of docs/protocol.md.
 * Unlike strtol(), it accepts no sign, no space, and nothing from the locale.
 */
#include "base/number.h"

bool
number_parse(const char *text, int64_t min, int64_t max, int64_t *ret_number)
{
    int64_t number = 0;

    if (*text == '\0')
        return false;
    for (const char *at = text; *at != '\0'; at++) {
        int digit = *at - '0';

        if (digit < 0 || digit > 9 || number > (max - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    /* If max is less than 9, a single digit passes the check above. */
    if (number < min || number > max)
        return false;
    *ret_number = number;
    return true;
}
