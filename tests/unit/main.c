/*
 * The unit tests: no network and no program but our own; those of a module with
 * a clock or a peer bring these along, on a socket in a private folder. An
 * argument runs only the tests whose name contains it.
 */
#include <signal.h>

#include "suites.h"
#include "support/cases.h"
#include "support/proc.h"

/* Those that wait for clocks and processes come last. */
static void (*const suites[])(void) = {
    suite_api,           suite_auth,          suite_buf,
    suite_clock,         suite_config,        suite_config_file,
    suite_config_text,   suite_config_zone,   suite_conn,
    suite_date,          suite_endpoint,      suite_fcgi_gather,
    suite_fcgi_scan,     suite_fields,        suite_interests_line,
    suite_json,          suite_line_reader,   suite_log,
    suite_metrics,       suite_metrics_text,  suite_number,
    suite_progress,      suite_redis_command, suite_redis_error,
    suite_redis_stream,  suite_redis_url,     suite_score,
    suite_store,         suite_trace,         suite_resolver,
    suite_redis_connect, suite_redis_session, suite_redis_writer,
    suite_worker,        suite_redis_link,    suite_supervisor,
};

int
main(int argc, char **argv)
{
    (void)signal(SIGPIPE, SIG_IGN);
    proc_adopt_orphans();
    for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
        suites[i]();
    return cases_run(argc > 1 ? argv[1] : NULL);
}
