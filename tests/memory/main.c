/*
 * The tests in which allocations fail.
 */
#include "support/cases.h"

int
main(int argc, char **argv)
{
    static const struct cases_program program = {
        .folder = "tests/memory/",
        .limit_s = 300,
        .jobs_per_core = 1,
    };

    return cases_main(argc, argv, &program);
}
