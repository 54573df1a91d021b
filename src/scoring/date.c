/*
 * Dates: reads DD.MM.YYYY, and compares days. Implements the rule "date" of
 * docs/protocol.md, S12.
 */
#include <stddef.h>

#include "scoring/date.h"

#define DATE_LENGTH   10 /* DD.MM.YYYY */
#define DATE_MONTH_AT 3
#define DATE_YEAR_AT  6

#define FEBRUARY 2

/* By month, from 1; February of a common year. */
static const int month_days[] = {0,  31, 28, 31, 30, 31, 30,
                                 31, 31, 30, 31, 30, 31};

/*
 * Only '0' to '9' are digits here: isdigit() depends on the locale, and
 * strtol() accepts signs and spaces. At most 4 digits cannot overflow.
 */
static bool
digits_read(const char *at, size_t count, int *ret_number)
{
    int number = 0;

    for (size_t i = 0; i < count; i++) {
        if (at[i] < '0' || at[i] > '9')
            return false;
        number = number * 10 + (at[i] - '0');
    }
    *ret_number = number;
    return true;
}

bool
date_is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* The year has 4 digits, so it is at most 9999. */
static bool
date_exists(struct date date)
{
    int last;

    if (date.year < 1 || date.month < 1 || date.month > 12)
        return false;
    last = month_days[date.month];
    if (date.month == FEBRUARY && date_is_leap(date.year))
        last++;
    return date.day >= 1 && date.day <= last;
}

bool
date_parse(struct bytes text, struct date *ret_date)
{
    struct date date;

    if (text.length != DATE_LENGTH || text.at[DATE_MONTH_AT - 1] != '.' ||
        text.at[DATE_YEAR_AT - 1] != '.')
        return false;
    if (!digits_read(text.at, 2, &date.day) ||
        !digits_read(text.at + DATE_MONTH_AT, 2, &date.month) ||
        !digits_read(text.at + DATE_YEAR_AT, 4, &date.year))
        return false;
    if (!date_exists(date))
        return false;
    *ret_date = date;
    return true;
}

int
date_compare(struct date a, struct date b)
{
    if (a.year != b.year)
        return a.year < b.year ? -1 : 1;
    if (a.month != b.month)
        return a.month < b.month ? -1 : 1;
    return (a.day > b.day) - (a.day < b.day);
}

bool
date_of_time(time_t time, struct date *ret_date)
{
    struct tm local;

    if (localtime_r(&time, &local) == NULL)
        return false;
    *ret_date =
        (struct date){local.tm_year + 1900, local.tm_mon + 1, local.tm_mday};
    return true;
}
