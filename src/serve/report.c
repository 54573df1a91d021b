/*
 * What is told of each request: its line in the log, and the counters. Nothing
 * personal is in either. Implements "Log" and "Metrics" of docs/protocol.md.
 */
#include <stdbool.h>

#include "fcgi/fcgi.h"
#include "scoring/api.h"
#include "serve/report.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"
#include "telemetry/trace.h"

/* How reads are counted, by need and outcome. */
static const enum metric read_metrics[][STORE__MAX] = {
    [STORE_MUST] =
        {
            [STORE_OK] = METRIC_READ_OK,
            [STORE_DOWN] = METRIC_READ_DOWN,
            [STORE_TIMEOUT] = METRIC_READ_TIMEOUT,
            [STORE_REFUSED] = METRIC_READ_REFUSED,
            [STORE_MEMORY] = METRIC_READ_MEMORY,
        },
    [STORE_CACHE] =
        {
            [STORE_OK] = METRIC_CACHE_READ_OK,
            [STORE_DOWN] = METRIC_CACHE_READ_DOWN,
            [STORE_TIMEOUT] = METRIC_CACHE_READ_TIMEOUT,
            [STORE_REFUSED] = METRIC_CACHE_READ_REFUSED,
            [STORE_MEMORY] = METRIC_CACHE_READ_MEMORY,
        },
};

static void
count_answer(struct metrics *metrics, const struct api_call *call, int code,
             int64_t duration_us)
{
    metrics_add_request(metrics,
                        call != NULL ? api_call_method_number(call) : SIZE_MAX,
                        api_status_number(code), duration_us);
    if (code == 500)
        metrics_add(metrics,
                    call != NULL && api_call_is_damaged(call)
                        ? METRIC_ERROR_VALUE
                        : METRIC_ERROR_MEMORY,
                    1);
}

void
conn_report_answer(struct log *log, struct metrics *metrics,
                   const struct fcgi_request *request,
                   const struct api_call *call, int code, int64_t duration_us)
{
    struct bytes fault = {NULL, 0};
    struct log_request line = {
        .id = request->id,
        .path = request->path,
        .code = code,
        .duration_us = duration_us,
    };

    if (request->traceparent.length > 0)
        (void)trace_parse(request->traceparent, &line.trace_id);
    if (call != NULL) {
        line.method = api_call_method(call);
        line.context = api_call_context(call);
        fault = api_call_fault(call);
    }
    if (fault.length > 0)
        log_error(log, "request id=%.*s: %.*s", (int)request->id.length,
                  request->id.at, (int)fault.length, fault.at);
    log_request(log, &line);
    count_answer(metrics, call, code, duration_us);
}

/* A score that is to be written was not in the cache. */
void
conn_report_read(struct metrics *metrics, const struct api_call *call,
                 enum store_need need, enum store_status status)
{
    bool is_hit = api_call_write(call).key.length == 0;

    metrics_add(metrics, read_metrics[need][status], 1);
    if (need == STORE_CACHE)
        metrics_add(metrics, is_hit ? METRIC_CACHE_HITS : METRIC_CACHE_MISSES,
                    1);
}
