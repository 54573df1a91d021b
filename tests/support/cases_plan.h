#ifndef CASES_PLAN_H
#define CASES_PLAN_H

#include "cases.h"

/* One test, by its whole name "suite/body/row". */
struct cases_row {
    char *name;
    const struct case_table *table;
    const void *row;
};

/* The rows of one file, which are adjacent in the plan. */
struct cases_suite {
    char *name;
    struct case_suite words;
    size_t first, count;
};

/* The tests to run, in order. */
struct cases_plan {
    struct cases_row *rows;
    size_t row_count;
    struct cases_suite *suites;
    size_t suite_count;
    const struct cases_program *program;
    unsigned jobs;    /* suites at a time */
    int limit_s;      /* of a row, unless its suite has its own limit */
    size_t again_max; /* how many failed rows at most are run again */
    bool is_timed;    /* prints how long each row took */
};

/* The line of a row in its file. */
unsigned cases_row_line(const struct cases_row *row);

/* Runs a plan, prints the results, and returns the exit status of the program.
 */
int cases_run(const struct cases_plan *plan);

#endif
