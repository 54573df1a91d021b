#ifndef CASES_H
#define CASES_H

#include <stdbool.h>
#include <stddef.h>

#include "check.h"

/*
 * Table-driven tests: every row of a table is a test of its own, so that one
 * bad row hides no other.
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
 * That is all: what is compiled into the program is run. The file
 * tests/unit/base/test_x.c is the suite "base/x", and the rows above are
 * "base/x/sum/both zero" and "base/x/carry/the carry of the last digit". They
 * run in the order in which they stand. The name must be the row's first
 * member; two rows of one name end the program.
 */
struct case_table {
    const char *file;
    unsigned line;
    const char *body;
    const char *rows_name; /* in the source; NULL: the row stands at line */
    const void *rows;
    size_t count;
    size_t row_size;
    void (*run)(const void *row);
};

/* What may run beside a suite. */
enum cases_room {
    CASES_CROWDED, /* any other such one, as many as there are jobs */
    CASES_CALM,    /* it waits, and looks at clocks: one other such one */
    CASES_ALONE,   /* it measures under load: none */
    CASES_ROOM__MAX
};

/* What a suite may say about itself, in its file: TEST_SUITE(.start = ...); */
struct case_suite {
    const char *file;
    int (*start)(void); /* before its first row, in the process that runs it */
    int (*end)(void);   /* after its last row; 0 is success, as for CUnit */
    enum cases_room room;
    int limit_s;  /* of each row; 0: that of the program */
    size_t parts; /* processes that its rows are dealt to; 0: one */
};

/* The linker collects them: the section's name is its array's name. */
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

/* What all suites of a program have in common. */
struct cases_program {
    const char *folder;     /* that its suites' names leave out, with a slash */
    int limit_s;            /* of a row, unless ROW_LIMIT_S is set */
    unsigned jobs_per_core; /* suites at a time, unless JOBS is set */
    bool has_network;       /* each suite has a loopback of its own, where
                               the system allows it */
    bool (*end)(void);      /* after each suite; false: it failed */
};

/*
 * Runs the tests, each suite in a process of its own, several at a time. A row
 * that ends its process, or takes longer than its limit, fails; what it has
 * started is ended, and the rest of its suite goes on in a new process.
 *
 *     PROGRAM [--times] [FILTER[,FILTER]...]...    runs what a filter fits
 *     PROGRAM [--times] --row NAME                 runs one row
 *     PROGRAM --list [FILTER...]                   prints names
 *
 * A filter with a slash fits the names of suites, from their beginning or from
 * their last part on, and what follows: "writer/" and "cli/writer/flood" fit
 * "cli/writer/flood/whole", but "log/" not "telemetry/syslog/whole". One
 * without a slash fits names in which a word begins with it.
 *
 * Of each row that fails the name, its place, and everything that was wrong
 * with it is printed; at last "N passed, N failed". Returns the exit status of
 * the program.
 */
int cases_main(int argc, char **argv, const struct cases_program *program);

/*
 * Marks the running test as skipped, for a reason that is printed: it counts
 * neither as passed nor as failed. The body must return at once.
 */
void cases_skip(const char *reason);

#endif
