/*
 * What is told of each request: its line in the log, and the counters. Nothing
 * personal is in either. Implements "Log" and "Metrics" of docs/protocol.md.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

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

static const enum metric fault_metrics[API_FAULT__MAX] = {
    [API_FAULT_VALUE] = METRIC_ERROR_VALUE,
    [API_FAULT_MEMORY] = METRIC_ERROR_MEMORY,
    [API_FAULT_DIGEST] = METRIC_ERROR_SYSTEM,
    [API_FAULT_CLOCK] = METRIC_ERROR_SYSTEM,
};

_Static_assert(API_METHODS_MAX < METRICS_METHODS, "and one for no method");
_Static_assert(API_STATUSES_MAX <= METRICS_STATUSES, "each has its number");

/* Tells why a request ended with 500, once. */
static void
report_fault(struct log *log, struct metrics *metrics, struct bytes id,
             const struct api_call *call, const struct conn_fault *fault)
{
    struct bytes words;

    if (fault != NULL) {
        metrics_add(metrics,
                    fault->error == ENOMEM ? METRIC_ERROR_MEMORY
                                           : METRIC_ERROR_SYSTEM,
                    1);
        log_error(log, "request id=%.*s: %s: %s", (int)id.length, id.at,
                  fault->what, strerror(fault->error));
        return;
    }
    words = api_call_fault_text(call);
    metrics_add(metrics, fault_metrics[api_call_fault(call)], 1);
    log_error(log, "request id=%.*s: %.*s", (int)id.length, id.at,
              (int)words.length, words.at);
}

void
conn_report_answer(struct log *log, struct metrics *metrics,
                   const struct fcgi_request *request,
                   const struct api_call *call, int code,
                   const struct conn_fault *fault, int64_t duration_us)
{
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
    }
    if (code == 500)
        report_fault(log, metrics, request->id, call, fault);
    log_request(log, &line);
    metrics_add_request(metrics,
                        call != NULL ? api_call_method_number(call) : SIZE_MAX,
                        api_status_number(code), duration_us);
}

void
conn_report_read(struct metrics *metrics, const struct api_call *call,
                 enum store_need need, enum store_status status)
{
    metrics_add(metrics, read_metrics[need][status], 1);
    switch (api_call_cache(call)) {
    case METHOD_CACHE_HIT:
        metrics_add(metrics, METRIC_CACHE_HITS, 1);
        break;
    case METHOD_CACHE_MISS:
        metrics_add(metrics, METRIC_CACHE_MISSES, 1);
        break;
    case METHOD_CACHE_UNUSED:
        break;
    }
}
