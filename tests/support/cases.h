#ifndef CASES_H
#define CASES_H

#include <stdbool.h>
#include <stddef.h>

#include "check.h"

/*
 * Table-driven tests: each row of a table is a test of its own, so that a row
 * that fails hides no other.
 *
 *     struct sum_case { const char *name; int a, b, want; };
 *     static const struct sum_case sum_rows[] = { { "both zero", 0, 0, 0 } };
 *     TEST_CASES(sum, struct sum_case, sum_rows)
 *     {
 *         CU_ASSERT_EQUAL(c->a + c->b, c->want);
 *     }
 *
 *     TEST_SINGLE(carry, "the carry of the last digit")
 *     {
 *         ...
 *     }
 *
 * Nothing else is needed: all tests that are linked into the program are run.
 * The file tests/unit/base/test_x.c is the suite "base/x", and the rows above
 * are "base/x/sum/both zero" and "base/x/carry/the carry of the last digit".
 * They run in the order of the source. The name must be the first member of a
 * row; two rows with the same name end the program.
 */
struct case_table {
    const char *file;
    unsigned line;
    const char *body;
    const char *rows_name; /* of the array; NULL: a single row, at line */
    const void *rows;
    size_t count;
    size_t row_size;
    void (*run)(const void *row);
};

/*
 * A list within a row, for a table with lists in most rows: a row with braces
 * that does not fit into a line has a line for each member.
 */
#define LIST(...)                                                              \
    {                                                                          \
        __VA_ARGS__                                                            \
    }
#define NONE LIST(NULL)

/* Which suites may run at the same time as a suite. */
enum cases_room {
    CASES_CROWDED, /* other crowded ones, up to the number of jobs */
    CASES_CALM,    /* a few other calm ones: it waits, and reads clocks */
    CASES_ALONE,   /* none: it measures under load */
    CASES_ROOM__MAX
};

/* Settings of a suite, in its file: TEST_SUITE(.start = ...); */
struct case_suite {
    const char *file;
    int (*start)(void); /* before its first row, in the process that runs it */
    int (*end)(void);   /* after its last row; 0 is success, as for CUnit */
    enum cases_room room;
    int limit_s;  /* of each row; 0: that of the program */
    size_t parts; /* the number of processes that share its rows; 0: one */
};

/* The linker collects all entries in one array, named like the section. */
#define CASES_ENTRY(type, name, section_name, value)                           \
    static const type *const name                                              \
        __attribute__((used, section(section_name))) = value

#define CASES_TABLE(test, ...)                                                 \
    static const struct case_table test##_cases = {.file = __FILE__,           \
                                                   .line = __LINE__,           \
                                                   .body = #test,              \
                                                   .run = test##_run,          \
                                                   __VA_ARGS__};               \
    CASES_ENTRY(struct case_table, test##_entry, "case_tables", &test##_cases)

#define TEST_CASES(test, type, table)                                          \
    _Static_assert(offsetof(type, name) == 0, "name comes first");             \
    _Static_assert(_Generic(&(table)[0], const type * : 1, default : 0),       \
                   "rows have the stated type");                               \
    static void test##_body(const type *c);                                    \
    static void test##_run(const void *row)                                    \
    {                                                                          \
        test##_body(row);                                                      \
    }                                                                          \
    CASES_TABLE(test, .rows_name = #table, .rows = table,                      \
                .count = sizeof(table) / sizeof((table)[0]),                   \
                .row_size = sizeof((table)[0]));                               \
    static void test##_body(const type *c __attribute__((unused)))

/* One test without a table of its own. */
struct single_case {
    const char *name;
};

#define TEST_SINGLE(test, what)                                                \
    static const struct single_case test##_row = {what};                       \
    static void test##_body(void);                                             \
    static void test##_run(const void *row)                                    \
    {                                                                          \
        (void)row;                                                             \
        test##_body();                                                         \
    }                                                                          \
    CASES_TABLE(test, .rows = &test##_row, .count = 1,                         \
                .row_size = sizeof(test##_row));                               \
    static void test##_body(void)

#define TEST_SUITE(...)                                                        \
    static const struct case_suite suite_words = {.file = __FILE__,            \
                                                  __VA_ARGS__};                \
    CASES_ENTRY(struct case_suite, suite_entry, "case_suites", &suite_words)

/* The settings of a test program. */
struct cases_program {
    const char *folder;     /* with a slash; left out of the suites' names */
    int limit_s;            /* of a row, unless ROW_LIMIT_S is set */
    unsigned jobs_per_core; /* suites at a time, unless JOBS is set */
    bool has_network;       /* each suite gets its own loopback interface, if
                               the system allows it */
    bool (*end)(void);      /* called after each suite; false: it failed */
};

/*
 * Runs the tests, each suite in its own process, several at a time. A row that
 * ends its process, or exceeds its time limit, fails: the programs that it has
 * started are killed, and the rest of its suite runs in a new process.
 *
 *     PROGRAM [--times] [FILTER[,FILTER]...]...    runs rows that match
 *     PROGRAM [--times] --row NAME                 runs one row
 *     PROGRAM --list [FILTER...]                   prints names
 *
 * A filter with a slash matches the name of a row from its beginning, or from
 * the last part of its suite: "writer/" and "cli/writer/flood" match
 * "cli/writer/flood/whole", but "log/" does not match "telemetry/syslog/whole".
 * A filter without a slash matches names in which a word begins with it.
 *
 * For each row that fails its name, its line, and all failed assertions are
 * printed; at the end "N passed, N failed". Returns the exit status of the
 * program.
 */
int cases_main(int argc, char **argv, const struct cases_program *program);

/*
 * Marks the running test as skipped, and prints the reason: it counts neither
 * as passed nor as failed. The test must return at once.
 */
void cases_skip(const char *reason);

#endif
