/*
 * The unit tests: no network, and no other programs. If a module needs a peer,
 * its test plays it, on a socket in a private folder.
 */
#include <signal.h>

#include "support/cases.h"

int
main(int argc, char **argv)
{
    static const struct cases_program program = {
        .folder = "tests/unit/",
        .limit_s = 300,
        .jobs_per_core = 2, /* some wait for clocks and processes */
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cases_main(argc, argv, &program);
}
