/*
 * The tests with failing memory. An argument runs only the tests whose name
 * contains it.
 */
#include "suites.h"
#include "support/cases.h"

static void (*const suites[])(void) = {suite_api,     suite_buf,  suite_command,
                                       suite_config,  suite_conn, suite_redis,
                                       suite_session, suite_store};

int
main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
        suites[i]();
    return cases_run(argc > 1 ? argv[1] : NULL);
}
