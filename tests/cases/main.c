/*
 * Tests that fail, for tests/cases/check.sh: it checks what the runner reports.
 */
#include "support/cases.h"

int
main(int argc, char **argv)
{
    static const struct cases_program program = {
        .folder = "tests/cases/",
        .limit_s = 20,
        .jobs_per_core = 1,
    };

    return cases_main(argc, argv, &program);
}
