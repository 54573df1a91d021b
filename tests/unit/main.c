/*
 * The unit tests: no network, no clock. An argument runs only the tests whose
 * name contains it.
 */
#include "../support/cases.h"
#include "suites.h"

int
main(int argc, char **argv)
{
    suite_buf();
    return cases_run(argc > 1 ? argv[1] : NULL);
}
