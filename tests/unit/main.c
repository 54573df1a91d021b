/*
 * The unit tests: no network, no clock. An argument runs only the tests whose
 * name contains it.
 */
#include "../support/cases.h"
#include "suites.h"

static void (*const suites[])(void) = {
    suite_api,           suite_auth,
    suite_buf,           suite_config,
    suite_config_file,   suite_date,
    suite_fcgi_scan,     suite_fcgi_client,
    suite_fields,        suite_interests_line,
    suite_json,          suite_line_reader,
    suite_log,           suite_metrics,
    suite_number,        suite_progress,
    suite_redis_command, suite_redis_error,
    suite_redis_stream,  suite_redis_url,
    suite_score,         suite_store,
};

int
main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
        suites[i]();
    return cases_run(argc > 1 ? argv[1] : NULL);
}
