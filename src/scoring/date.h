#ifndef DATE_H
#define DATE_H

#include <stdbool.h>
#include <time.h>

#include "base/bytes.h"

/*
 * A day of the proleptic Gregorian calendar; month and day count from 1.
 * date_parse() makes only days that exist, of the years 1 to 9999; others,
 * such as a 29 February plus 70 years, can still be compared.
 */
struct date {
    int year, month, day;
};

/* Whether the year has a 29 February. */
bool date_is_leap(int year);

/*
 * Reads DD.MM.YYYY: exactly 2 + 2 + 4 ASCII digits, a day that exists, years 1
 * to 9999. Sets *ret_date on success only.
 */
bool date_parse(struct bytes text, struct date *ret_date);

/*
 * Less than, equal to, or greater than 0, as a is before, at or after b:
 * (year, month, day) as triples, whether or not there are such days.
 */
int date_compare(struct date a, struct date b);

/* The local date at a time; false if it has none. */
bool date_of_time(time_t time, struct date *ret_date);

#endif
