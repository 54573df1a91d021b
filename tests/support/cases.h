#ifndef CASES_H
#define CASES_H

#include <CUnit/CUnit.h>
#include <stddef.h>

/*
 * Table-driven tests: every row of a table is a CUnit test of its own, named
 * "body/row name", so that one bad row hides no other.
 *
 *     struct sum_case { const char *name; int a, b, want; };
 *     static const struct sum_case sum_rows[] = { { "both zero", 0, 0, 0 } };
 *     TEST_CASES(sum, struct sum_case, sum_rows)
 *     {
 *         CU_ASSERT_EQUAL(c->a + c->b, c->want);
 *     }
 *     ...
 *     cases_add(suite, &sum_cases);
 *
 * The name must be the row's first member. A table that is never passed to
 * cases_add() is an unused constant, which the compiler refuses.
 */
struct case_table {
    const char *body;
    const void *rows;
    size_t count;
    size_t row_size;
    void (*run)(const void *row);
};

#define TEST_CASES(test, type, table)                                          \
    _Static_assert(offsetof(type, name) == 0, "name comes first");             \
    _Static_assert(_Generic(&(table)[0], const type * : 1, default : 0),       \
                   "rows have the stated type");                               \
    static void test##_body(const type *c __attribute__((unused)));            \
    static void test##_run(const void *row)                                    \
    {                                                                          \
        test##_body(row);                                                      \
    }                                                                          \
    static const struct case_table test##_cases = {                            \
        #test, table, sizeof(table) / sizeof((table)[0]), sizeof((table)[0]),  \
        test##_run};                                                           \
    static void test##_body(const type *c)

/* One test without a table of its own. */
struct single_case {
    const char *name;
};

#define TEST_SINGLE(test, what)                                                \
    static const struct single_case test##_rows[] = {{what}};                  \
    TEST_CASES(test, struct single_case, test##_rows)

/* Registers a new suite; ends the program on failure. */
CU_pSuite cases_suite(const char *name);

/* Registers every row of a table; a repeated name ends the program. */
void cases_add(CU_pSuite suite, const struct case_table *table);

/*
 * Runs every registered suite, or only the tests whose "suite/body/row"
 * contains filter, or one of its parts if it has commas, when filter is not
 * NULL. Prints each failed assertion and at last "N passed, N failed". Returns
 * the exit status of the program.
 */
int cases_run(const char *filter);

/*
 * Marks the running test as skipped, for a reason that is printed: it counts
 * neither as passed nor as failed. The body must return at once.
 */
void cases_skip(const char *reason);

#endif
