/*
 * The integration tests: the stack as it ships, with real nginx, spawn-fcgi
 * and Redis; run at the top of the checkout. An argument runs only the tests
 * whose name contains it.
 */
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include <curl/curl.h>

#include "suites.h"
#include "support/cases.h"
#include "support/proc.h"
#include "support/stack.h"

/* Local time is not UTC, so that the one cannot pass for the other. */
#define TIME_ZONE "MSK-3"

int
main(int argc, char **argv)
{
    int status;

    (void)setenv("TZ", TIME_ZONE, 1);
    tzset();
    (void)signal(SIGPIPE, SIG_IGN);
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    proc_adopt_orphans();
    suite_command();
    suite_score();
    suite_interests();
    suite_interests_command();
    suite_auth();
    suite_transport();
    suite_json();
    suite_log();
    suite_front();
    suite_health();
    suite_metrics();
    suite_outage();
    suite_proxy();
    suite_reload();
    suite_privilege();
    suite_starvation();
    suite_fcgi();
    suite_start();
    suite_store_redis();
    status = cases_run(argc > 1 ? argv[1] : NULL);
    if (!stack_shared_end())
        status = EXIT_FAILURE;
    curl_global_cleanup();
    return status;
}
