/*
 * Table-driven tests on CUnit: registers one test per row, finds the row of
 * the running test again, and prints a plain account of what failed.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/TestRun.h>

#include "cases.h"

#define CASES_NAME_MAX 512

struct case_entry {
    CU_pSuite suite;
    CU_pTest test;
    const struct case_table *table;
    const void *row;
};

static struct case_entry *entries;
static size_t entry_count;
static size_t cursor; /* CUnit runs in the order of registration */
static unsigned passed, failed, skipped;
static bool test_skipped;

static void
die(const char *what, const char *name)
{
    (void)fprintf(stderr, "cases: %s: %s\n", what, name);
    exit(EXIT_FAILURE);
}

CU_pSuite
cases_suite(const char *name)
{
    CU_pSuite suite;

    if (!CU_registry_initialized() && CU_initialize_registry() != CUE_SUCCESS)
        die("cannot start CUnit", name);
    suite = CU_add_suite(name, NULL, NULL);
    if (suite == NULL || CU_get_error() != CUE_SUCCESS)
        die(CU_get_error_msg(), name);
    return suite;
}

static void
run_current(void)
{
    CU_pTest test = CU_get_current_test();

    for (size_t tried = 0; tried < entry_count; tried++) {
        const struct case_entry *entry = &entries[cursor % entry_count];

        if (entry->test == test) {
            entry->table->run(entry->row);
            return;
        }
        cursor++;
    }
    die("test without a row", test->pName);
}

void
cases_add(CU_pSuite suite, const struct case_table *table)
{
    struct case_entry *more =
        realloc(entries, (entry_count + table->count) * sizeof(*entries));

    if (more == NULL)
        die("out of memory", table->body);
    entries = more;
    for (size_t i = 0; i < table->count; i++) {
        const char *row = (const char *)table->rows + i * table->row_size;
        char name[CASES_NAME_MAX];
        const char *row_name;

        memcpy(&row_name, row, sizeof(row_name));
        (void)snprintf(name, sizeof(name), "%s/%s", table->body, row_name);
        entries[entry_count].suite = suite;
        entries[entry_count].table = table;
        entries[entry_count].row = row;
        entries[entry_count].test = CU_add_test(suite, name, run_current);
        if (entries[entry_count].test == NULL || CU_get_error() != CUE_SUCCESS)
            die(CU_get_error_msg(), name);
        entry_count++;
    }
}

void
cases_skip(const char *reason)
{
    (void)printf("skipped: %s/%s: %s\n", CU_get_current_suite()->pName,
                 CU_get_current_test()->pName, reason);
    test_skipped = true;
}

static void
test_start(const CU_pTest test, const CU_pSuite suite)
{
    (void)test;
    (void)suite;
    test_skipped = false;
}

static void
test_complete(const CU_pTest test, const CU_pSuite suite,
              const CU_pFailureRecord failure)
{
    bool bad = false;

    for (CU_pFailureRecord f = failure; f != NULL; f = f->pNext) {
        if (f->pSuite != suite || f->pTest != test)
            continue;
        bad = true;
        (void)printf("FAILED: %s/%s: %s:%u: %s\n", suite->pName, test->pName,
                     f->strFileName, f->uiLineNumber, f->strCondition);
    }
    if (bad)
        failed++;
    else if (test_skipped)
        skipped++;
    else
        passed++;
    (void)fflush(stdout);
}

/* Whether a name contains one of the parts that commas separate. */
static bool
is_wanted(const char *name, const char *filter)
{
    for (;;) {
        size_t length = strcspn(filter, ",");

        if (memmem(name, strlen(name), filter, length) != NULL)
            return true;
        if (filter[length] == '\0')
            return false;
        filter += length + 1;
    }
}

static void
apply_filter(const char *filter)
{
    for (size_t i = 0; filter != NULL && i < entry_count; i++) {
        char name[2 * CASES_NAME_MAX];

        (void)snprintf(name, sizeof(name), "%s/%s", entries[i].suite->pName,
                       entries[i].test->pName);
        if (!is_wanted(name, filter))
            (void)CU_set_test_active(entries[i].test, CU_FALSE);
    }
}

int
cases_run(const char *filter)
{
    CU_set_test_start_handler(test_start);
    CU_set_test_complete_handler(test_complete);
    CU_set_fail_on_inactive(CU_FALSE);
    apply_filter(filter);
    if (CU_run_all_tests() != CUE_SUCCESS)
        die("run", CU_get_error_msg());
    CU_cleanup_registry();
    free(entries);
    (void)printf("%u passed, %u failed", passed, failed);
    if (skipped > 0)
        (void)printf(", %u skipped", skipped);
    (void)printf("\n");
    return failed == 0 && passed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
