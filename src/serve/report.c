/*
 * Reports each request: its log line, and the counters. Neither has personal
 * data. Implements S23.2 and S28.1 of docs/protocol.md.
 */
#include "serve/report.h"
#include "base/outcome.h"
#include "base/request.h"
#include "scoring/api.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

/* The counter of a read, by its need and status. */
static const enum metric read_metrics[][STORE__MAX] = {
    [STORE_MUST] =
        {
            [STORE_OK] = METRIC_READ_OK,
            [STORE_DOWN] = METRIC_READ_DOWN,
            [STORE_TIMEOUT] = METRIC_READ_TIMEOUT,
            [STORE_REFUSED] = METRIC_READ_REFUSED,
            [STORE_LARGE] = METRIC_READ_LARGE,
            [STORE_MEMORY] = METRIC_READ_MEMORY,
        },
    [STORE_CACHE] =
        {
            [STORE_OK] = METRIC_CACHE_READ_OK,
            [STORE_DOWN] = METRIC_CACHE_READ_DOWN,
            [STORE_TIMEOUT] = METRIC_CACHE_READ_TIMEOUT,
            [STORE_REFUSED] = METRIC_CACHE_READ_REFUSED,
            [STORE_LARGE] = METRIC_CACHE_READ_LARGE,
            [STORE_MEMORY] = METRIC_CACHE_READ_MEMORY,
        },
};

static const enum metric fault_metrics[OUTCOME_FAULT__MAX] = {
    [OUTCOME_FAULT_VALUE] = METRIC_ERROR_VALUE,
    [OUTCOME_FAULT_MEMORY] = METRIC_ERROR_MEMORY,
    [OUTCOME_FAULT_SYSTEM] = METRIC_ERROR_SYSTEM,
};

_Static_assert(API_METHODS_MAX < METRICS_METHODS,
               "each method has a counter, and so has no method");
_Static_assert(AUTH_SALTS_MAX <= METRICS_SALTS, "each salt has a counter");
_Static_assert(ACCOUNT_NAME_MAX <= LOG_ACCOUNT_MAX,
               "each name of an account fits into a line");
_Static_assert(OUTCOME_STATUSES_MAX <= METRICS_STATUSES,
               "each status has a counter");

void
report_outcome(struct log *log, struct metrics *metrics,
               const struct request *request, const struct outcome *outcome,
               int64_t duration_us)
{
    if (outcome->fault != OUTCOME_FAULT_NONE) {
        log_error(log, "request id=%.*s: %.*s", (int)request->id.length,
                  request->id.at, (int)outcome->fault_text.length,
                  outcome->fault_text.at);
        metrics_add(metrics, fault_metrics[outcome->fault], 1);
    }
    log_request(log, request, outcome, duration_us);
    metrics_add_request(metrics, outcome->method_number, outcome->status,
                        duration_us);
    if (outcome->records > 0)
        metrics_add(metrics, METRIC_RECORDS_OK, outcome->records);
    if (outcome->bad_records > 0)
        metrics_add(metrics, METRIC_RECORDS_BAD, outcome->bad_records);
    if (outcome->account.at != NULL)
        metrics_add_account(metrics, outcome->account_place, outcome->status);
    if (outcome->salt > 0)
        metrics_add_token(metrics, outcome->salt);
    if (outcome->cache == OUTCOME_CACHE_HIT)
        metrics_add(metrics, METRIC_CACHE_HITS, 1);
    else if (outcome->cache == OUTCOME_CACHE_MISS)
        metrics_add(metrics, METRIC_CACHE_MISSES, 1);
}

void
report_read(struct metrics *metrics, enum store_need need,
            enum store_status status)
{
    metrics_add(metrics, read_metrics[need][status], 1);
}
