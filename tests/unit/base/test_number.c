/* Whole numbers in settings: strict, and bounded on both sides. */
#include "base/number.h"
#include "support/cases.h"

#define UNTOUCHED (-7)

struct number_case {
    const char *name, *text;
    int64_t min, max, want; /* UNTOUCHED: refused */
};

static const struct number_case number_rows[] = {
    {"zero", "0", 0, 5, 0},
    {"lowest", "3", 3, 5, 3},
    {"below the lowest", "2", 3, 5, UNTOUCHED},
    {"highest of one digit", "5", 0, 5, 5},
    {"above the highest, one digit", "6", 0, 5, UNTOUCHED},
    {"above the highest, then a zero", "60", 0, 5, UNTOUCHED},
    {"highest of several digits", "1024", 1, 1024, 1024},
    {"above the highest", "1025", 1, 1024, UNTOUCHED},
    {"one digit too many", "10240", 1, 1024, UNTOUCHED},
    {"leading zeros", "0007", 1, 9, 7},
    {"greatest of 64 bits", "9223372036854775807", 0, INT64_MAX, INT64_MAX},
    {"greatest of 64 bits and 1", "9223372036854775808", 0, INT64_MAX,
     UNTOUCHED},
    {"wraps around 64 bits", "18446744073709551617", 0, INT64_MAX, UNTOUCHED},
    {"empty", "", 0, 5, UNTOUCHED},
    {"plus", "+1", 0, 5, UNTOUCHED},
    {"minus", "-1", 0, 5, UNTOUCHED},
    {"minus zero", "-0", 0, 5, UNTOUCHED},
    {"space before", " 1", 0, 5, UNTOUCHED},
    {"space after", "1 ", 0, 5, UNTOUCHED},
    {"newline after", "1\n", 0, 5, UNTOUCHED},
    {"hexadecimal", "0x1", 0, 5, UNTOUCHED},
    {"fraction", "1.0", 0, 5, UNTOUCHED},
    {"letters", "abc", 0, 5, UNTOUCHED},
    {"unit", "1s", 0, 5, UNTOUCHED},
    {"colon, next to 9", "1:", 0, 99, UNTOUCHED},
    {"slash, next to 0", "1/", 0, 99, UNTOUCHED},
    {"Arabic-Indic digit", "\xd9\xa1", 0, 5, UNTOUCHED},
};

TEST_CASES(number, struct number_case, number_rows)
{
    int64_t got = UNTOUCHED;
    bool is_good = number_parse(c->text, c->min, c->max, &got);

    CU_ASSERT_EQUAL(is_good, c->want != UNTOUCHED);
    CU_ASSERT_EQUAL(got, c->want);
}
