/*
 * The integration tests: the real stack, with nginx, spawn-fcgi and Redis; run
 * at the top of the checkout.
 */
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include <curl/curl.h>

#include "support/cases.h"
#include "support/stack.h"

/* Local time differs from UTC, so that neither passes for the other. */
#define TIME_ZONE "MSK-3"

int
main(int argc, char **argv)
{
    static const struct cases_program program = {
        .folder = "tests/integration/",
        .limit_s = 300,
        .jobs_per_core = 2, /* they mostly wait */
        .has_network = true,
        .end = stack_shared_end,
    };
    int status;

    (void)setenv("TZ", TIME_ZONE, 1);
    tzset();
    (void)signal(SIGPIPE, SIG_IGN);
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    status = cases_main(argc, argv, &program);
    curl_global_cleanup();
    return status;
}
