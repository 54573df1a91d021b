/*
 * Dates: the days that exist, the format DD.MM.YYYY, and their order. Expected
 * values are from docs/protocol.md, S12, and the calendar.
 */
#include <stdlib.h>
#include <time.h>

#include "scoring/date.h"
#include "support/cases.h"

#define TEXT(literal)                                                          \
    {                                                                          \
        literal, sizeof(literal) - 1                                           \
    }

static const struct date untouched = {-1, -2, -3};

struct leap_case {
    const char *name;
    int year;
    bool want;
};

static const struct leap_case leap_rows[] = {
    {"divisible by 4", 2024, true},
    {"one more", 2025, false},
    {"one less", 2023, false},
    {"century 1900", 1900, false},
    {"century 2100", 2100, false},
    {"divisible by 400: 2000", 2000, true},
    {"divisible by 400: 400", 400, true},
    {"first year", 1, false},
    {"year 4", 4, true},
    {"last year", 9999, false},
    {"last leap year", 9996, true},
};

TEST_CASES(leap, struct leap_case, leap_rows)
{
    CU_ASSERT_EQUAL(date_is_leap(c->year), c->want);
}

struct good_case {
    const char *name;
    struct bytes text;
    struct date want;
};

static const struct good_case good_rows[] = {
    {"ordinary day", TEXT("20.07.2017"), {2017, 7, 20}},
    {"first day there is", TEXT("01.01.0001"), {1, 1, 1}},
    {"last day there is", TEXT("31.12.9999"), {9999, 12, 31}},
    {"29 February, leap year", TEXT("29.02.2024"), {2024, 2, 29}},
    {"29 February 2000", TEXT("29.02.2000"), {2000, 2, 29}},
    {"28 February 1900", TEXT("28.02.1900"), {1900, 2, 28}},
    {"end of January", TEXT("31.01.2001"), {2001, 1, 31}},
    {"end of March", TEXT("31.03.2001"), {2001, 3, 31}},
    {"end of April", TEXT("30.04.2001"), {2001, 4, 30}},
    {"end of May", TEXT("31.05.2001"), {2001, 5, 31}},
    {"end of June", TEXT("30.06.2001"), {2001, 6, 30}},
    {"end of July", TEXT("31.07.2001"), {2001, 7, 31}},
    {"end of August", TEXT("31.08.2001"), {2001, 8, 31}},
    {"end of September", TEXT("30.09.2001"), {2001, 9, 30}},
    {"end of October", TEXT("31.10.2001"), {2001, 10, 31}},
    {"end of November", TEXT("30.11.2001"), {2001, 11, 30}},
    {"end of December", TEXT("31.12.2001"), {2001, 12, 31}},
};

TEST_CASES(good, struct good_case, good_rows)
{
    struct date got = untouched;

    CU_ASSERT_TRUE(date_parse(c->text, &got));
    CU_ASSERT_EQUAL(got.year, c->want.year);
    CU_ASSERT_EQUAL(got.month, c->want.month);
    CU_ASSERT_EQUAL(got.day, c->want.day);
}

struct bad_case {
    const char *name;
    struct bytes text;
};

static const struct bad_case bad_rows[] = {
    {"no bytes", {NULL, 0}},
    {"year 0000", TEXT("01.01.0000")},
    {"month 00", TEXT("01.00.2001")},
    {"month 13", TEXT("01.13.2001")},
    {"month 99", TEXT("01.99.2001")},
    {"day 00", TEXT("00.01.2001")},
    {"day 99", TEXT("99.01.2001")},
    {"29 February, common year", TEXT("29.02.2023")},
    {"29 February 1900", TEXT("29.02.1900")},
    {"30 February, leap year", TEXT("30.02.2024")},
    {"32 January", TEXT("32.01.2001")},
    {"32 March", TEXT("32.03.2001")},
    {"31 April", TEXT("31.04.2001")},
    {"32 May", TEXT("32.05.2001")},
    {"31 June", TEXT("31.06.2001")},
    {"32 July", TEXT("32.07.2001")},
    {"32 August", TEXT("32.08.2001")},
    {"31 September", TEXT("31.09.2001")},
    {"32 October", TEXT("32.10.2001")},
    {"31 November", TEXT("31.11.2001")},
    {"32 December", TEXT("32.12.2001")},
    {"day of one digit", TEXT("1.01.2001")},
    {"month of one digit", TEXT("01.1.2001")},
    {"day of one digit, year of five", TEXT("1.01.20010")},
    {"year of two digits", TEXT("01.01.01")},
    {"year of three digits", TEXT("01.01.999")},
    {"year of five digits", TEXT("01.01.10000")},
    {"byte too few", TEXT("01.01.200")},
    {"space behind", TEXT("01.01.2001 ")},
    {"space in front", TEXT(" 01.01.2001")},
    {"NUL behind", TEXT("01.01.2001\0")},
    {"NUL for a digit", TEXT("01.01.200\0")},
    {"NUL for a dot", TEXT("01\0"
                           "01.2001")},
    {"space for a digit", TEXT(" 1.01.2001")},
    {"plus for a digit", TEXT("+1.01.2001")},
    {"minus for a digit", TEXT("01.01.-001")},
    {"letter in the day", TEXT("0a.01.2001")},
    {"letter in the month", TEXT("01.0a.2001")},
    {"letter in the year", TEXT("01.01.200a")},
    {"byte below 0", TEXT("0/.01.2001")},
    {"byte above 9", TEXT("0:.01.2001")},
    {"first dot is a dash", TEXT("01-01.2001")},
    {"second dot is a dash", TEXT("01.01-2001")},
    {"slashes", TEXT("01/01/2001")},
    {"order of ISO 8601", TEXT("2001-01-01")},
    {"year first with dots", TEXT("2001.01.01")},
    {"no dots", TEXT("0101200100")},
    {"ten bytes with an Arabic digit", TEXT("\xd9\xa1.01.2001")},
    {"ten characters, a full-width digit", TEXT("0\xef\xbc\x91.01.2001")},
};

TEST_CASES(bad, struct bad_case, bad_rows)
{
    struct date got = untouched;

    CU_ASSERT_FALSE(date_parse(c->text, &got));
    CU_ASSERT_EQUAL(got.year, untouched.year);
    CU_ASSERT_EQUAL(got.month, untouched.month);
    CU_ASSERT_EQUAL(got.day, untouched.day);
}

struct order_case {
    const char *name;
    struct date a, b;
    int want; /* -1, 0 or 1 */
};

static const struct order_case order_rows[] = {
    {"same day", {2001, 2, 3}, {2001, 2, 3}, 0},
    {"day before", {2001, 2, 2}, {2001, 2, 3}, -1},
    {"day after", {2001, 2, 4}, {2001, 2, 3}, 1},
    {"month before, later day", {2001, 1, 31}, {2001, 2, 1}, -1},
    {"month after, earlier day", {2001, 2, 1}, {2001, 1, 31}, 1},
    {"year before, later month", {2000, 12, 31}, {2001, 1, 1}, -1},
    {"year after, earlier month", {2001, 1, 1}, {2000, 12, 31}, 1},
    {"ends of the calendar", {1, 1, 1}, {9999, 12, 31}, -1},
    {"28 February before no day", {2026, 2, 28}, {2026, 2, 29}, -1},
    {"1 March after no day", {2026, 3, 1}, {2026, 2, 29}, 1},
};

TEST_CASES(order, struct order_case, order_rows)
{
    int got = date_compare(c->a, c->b);

    CU_ASSERT_EQUAL((got > 0) - (got < 0), c->want);
}

/* 2026-11-30 22:30 in UTC. */
#define EVENING 1796077800

struct zone_case {
    const char *name;
    const char *zone; /* TZ, by its rule: hours west of Greenwich */
    time_t time;
    struct date want;
};

static const struct zone_case zone_rows[] = {
    {"UTC", "XXX0", EVENING, {2026, 11, 30}},
    {"a minute before midnight", "XXX-1:29", EVENING, {2026, 11, 30}},
    {"midnight", "XXX-1:30", EVENING, {2026, 12, 1}},
    {"far in the east", "XXX-14", EVENING, {2026, 12, 1}},
    {"in the west", "XXX3", EVENING + 2 * 3600, {2026, 11, 30}},
    {"the last second of a year", "XXX0", 1798761599, {2026, 12, 31}},
    {"the first second of a year", "XXX0", 1798761600, {2027, 1, 1}},
};

/* Today is that of the local time zone: S12.2. */
TEST_CASES(zone, struct zone_case, zone_rows)
{
    struct date got = untouched;

    (void)setenv("TZ", c->zone, 1);
    tzset();
    CU_ASSERT_TRUE(date_of_time(c->time, &got));
    CU_ASSERT_EQUAL(date_compare(got, c->want), 0);
    (void)unsetenv("TZ");
    tzset();
}
