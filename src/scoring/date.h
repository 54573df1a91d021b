#ifndef DATE_H
#define DATE_H

#include <stdbool.h>
#include <time.h>

#include "base/bytes.h"

/*
 * A day of the proleptic Gregorian calendar; month and day count from 1. A date
 * that does not exist, such as a 29 February plus 70 years, can be compared,
 * but date_parse() never returns one.
 */
struct date {
    int year, month, day;
};

/* Whether the year has a 29 February. */
bool date_is_leap(int year);

/*
 * Reads DD.MM.YYYY: exactly 2 + 2 + 4 ASCII digits, a day that exists, years 1
 * to 9999. Sets *ret_date on success only. Source: docs/protocol.md, S12.
 */
bool date_parse(struct bytes text, struct date *ret_date);

/*
 * Compares the triples (year, month, day). Returns less than, equal to, or
 * greater than 0 if a is before, equal to, or after b.
 */
int date_compare(struct date a, struct date b);

/* The local date (TZ) of a time. Returns false if its year is too large. */
bool date_of_time(time_t time, struct date *ret_date);

#endif
