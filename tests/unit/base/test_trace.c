/*
 * Which `traceparent` is accepted. The rows are from W3C Trace Context,
 * sections 3.2 and 4.3, and its examples.
 */
#include "base/trace.h"
#include "support/cases.h"

#define TRACE  "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"
#define ZERO16 "0000000000000000"
#define GOOD   "00-" TRACE "-" PARENT "-01"

struct trace_case {
    const char *name, *header;
    const char *want; /* NULL: ignored */
};

static const struct trace_case trace_rows[] = {
    {"version 00", GOOD, TRACE},
    {"flags 00", "00-" TRACE "-" PARENT "-00", TRACE},
    {"unknown flags", "00-" TRACE "-" PARENT "-ff", TRACE},
    {"mostly zeros", "00-" ZERO16 "0000000000000001-0000000000000001-00",
     ZERO16 "0000000000000001"},
    {"trace id of zeros", "00-" ZERO16 ZERO16 "-" PARENT "-01", NULL},
    {"parent id of zeros", "00-" TRACE "-" ZERO16 "-01", NULL},
    {"empty", "", NULL},
    {"one too short", "00-" TRACE "-" PARENT "-0", NULL},
    {"one too long", GOOD "0", NULL},
    {"version 00 goes on", GOOD "-00", NULL},
    {"version 00 ends in a dash", GOOD "-", NULL},
    {"capitals in the trace id",
     "00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01", NULL},
    {"capitals in the parent id", "00-" TRACE "-00F067AA0BA902B7-01", NULL},
    {"capitals in the flags", "00-" TRACE "-" PARENT "-0A", NULL},
    {"a letter after f", "00-4bf92f3577b34da6a3ce929d0e0e473g-" PARENT "-01",
     NULL},
    {"a letter after f in the flags", "00-" TRACE "-" PARENT "-0g", NULL},
    {"a colon, which follows 9", "00-" TRACE "-00f067aa0ba902b:-01", NULL},
    {"a slash, which precedes 0", "00-" TRACE "-00f067aa0ba902b/-01", NULL},
    {"other separators", "00_" TRACE "_" PARENT "_01", NULL},
    {"no first dash", "000" TRACE "-" PARENT "-01", NULL},
    {"no second dash", "00-" TRACE "0" PARENT "-01", NULL},
    {"no third dash", "00-" TRACE "-" PARENT "001", NULL},
    {"space in front", " " GOOD, NULL},
    {"space behind", GOOD " ", NULL},
    {"two of them", GOOD ", " GOOD, NULL},
    {"higher version", "01-" TRACE "-" PARENT "-01", TRACE},
    {"higher version that goes on", "01-" TRACE "-" PARENT "-01-what-else",
     TRACE},
    {"higher version that ends in a dash", "cc-" TRACE "-" PARENT "-01-",
     TRACE},
    {"highest version", "fe-" TRACE "-" PARENT "-01", TRACE},
    {"higher version without the dash", "01-" TRACE "-" PARENT "-01.what",
     NULL},
    {"higher version, one digit more", "01-" TRACE "-" PARENT "-010", NULL},
    {"higher version, too short", "01-" TRACE "-" PARENT "-", NULL},
    {"version ff", "ff-" TRACE "-" PARENT "-01", NULL},
    {"version ff that goes on", "ff-" TRACE "-" PARENT "-01-x", NULL},
    {"version in capitals", "CC-" TRACE "-" PARENT "-01", NULL},
    {"version that is none", "0x-" TRACE "-" PARENT "-01", NULL},
};

TEST_CASES(trace, struct trace_case, trace_rows)
{
    static const struct bytes untouched = {"untouched", 9};
    struct bytes id = untouched;

    CU_ASSERT_EQUAL(trace_parse(bytes_of(c->header), &id), c->want != NULL);
    CU_ASSERT_EQUAL(id.at == untouched.at, c->want == NULL);
    if (c->want != NULL)
        CU_ASSERT_TRUE(bytes_equal(id, bytes_of(c->want)));
}
