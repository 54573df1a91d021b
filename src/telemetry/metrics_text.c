/*
 * Prints the metrics in Prometheus's text format 0.0.4, from a table of
 * families and a table of their counters. Implements S23 of docs/protocol.md.
 * Workers count meanwhile: sums that belong together may differ by the requests
 * that are answered at this moment.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/units.h"
#include "telemetry/metrics_text.h"
#include "telemetry/process.h"

#ifndef SCORING_COMMIT /* the Makefile defines it for this file alone */
#define SCORING_COMMIT "unknown"
#endif

/* The label of requests that name no existing method. */
#define NO_METHOD "none"

enum family {
    FAMILY_REQUESTS = 0,
    FAMILY_DURATION,
    FAMILY_NGINX,
    FAMILY_ACCOUNTS,
    FAMILY_TOKENS,
    FAMILY_PARKED,
    FAMILY_HELD,
    FAMILY_CACHE_HITS,
    FAMILY_CACHE_MISSES,
    FAMILY_RECORDS,
    FAMILY_STORE_OPERATIONS,
    FAMILY_STORE_RETRIES,
    FAMILY_REDIRECTIONS,
    FAMILY_CONNECTIONS,
    FAMILY_BREAKER_OPENED,
    FAMILY_BREAKER_OPEN,
    FAMILY_SWITCHES,
    FAMILY_MASTER_AGE,
    FAMILY_SENTINELS,
    FAMILY_SERVER_BREAKER_OPEN,
    FAMILY_ERRORS,
    FAMILY_LOG_LINES_LOST,
    FAMILY_WORKERS,
    FAMILY_WORKERS_WANTED,
    FAMILY_PUBLISHED,
    FAMILY_WORKER_RESTARTS,
    FAMILY_RELOADS,
    FAMILY_BUILD_INFO,
    FAMILY_MODEL_INFO,
    FAMILY_START_TIME,
    FAMILY_CPU,
    FAMILY_MEMORY,
    FAMILY_FILES,
    FAMILY__MAX
};

/* The data from which samples are printed. */
struct source {
    const struct metrics *metrics;
    const struct metrics_labels *labels;
    struct process_usage usage;
    uint64_t numbers[FAMILY__MAX]; /* of families of one sample, unlabelled */
};

typedef void put_fn(const struct source *source, enum family family,
                    struct buf *out);

static put_fn put_counters, put_number, put_requests, put_durations,
    put_accounts, put_tokens, put_server_breakers, put_cpu, put_build_info,
    put_model_info;

struct family_row {
    const char *name, *type, *help;
    put_fn *put;
};

static const struct family_row families[FAMILY__MAX] = {
    [FAMILY_REQUESTS] = {"scoring_requests_total", "counter",
                         "API requests answered, by method and code; without "
                         "those that nginx answers itself.",
                         put_requests},
    [FAMILY_DURATION] = {"scoring_request_duration_seconds", "histogram",
                         "Time from a request's arrival to its answer.",
                         put_durations},
    [FAMILY_NGINX] = {"scoring_nginx_responses_total", "counter",
                      "Errors and redirections that nginx answered by itself, "
                      "by code.",
                      put_counters},
    [FAMILY_ACCOUNTS] =
        {"scoring_account_requests_total", "counter",
         "API requests of listed accounts, by account and code.", put_accounts},
    [FAMILY_TOKENS] = {"scoring_tokens_total", "counter",
                       "Valid tokens, by the position of their salt in its "
                       "list; 1 is the newest salt.",
                       put_tokens},
    [FAMILY_PARKED] = {"scoring_requests_parked", "gauge",
                       "Requests that wait for the store.", put_number},
    [FAMILY_HELD] = {"scoring_answers_held_bytes", "gauge",
                     "Bytes of large answers that are kept until their callers "
                     "have read them.",
                     put_number},
    [FAMILY_CACHE_HITS] = {"scoring_cache_hits_total", "counter",
                           "Scores answered from the cache.", put_counters},
    [FAMILY_CACHE_MISSES] = {"scoring_cache_misses_total", "counter",
                             "Scores computed, because the cache had none or "
                             "could not be read.",
                             put_counters},
    [FAMILY_RECORDS] = {"scoring_records_total", "counter",
                        "Records in requests for many scores, by result.",
                        put_counters},
    [FAMILY_STORE_OPERATIONS] = {"scoring_store_operations_total", "counter",
                                 "Operations on the store, by kind and "
                                 "result.",
                                 put_counters},
    [FAMILY_STORE_RETRIES] = {"scoring_store_retries_total", "counter",
                              "Reads repeated on a new connection.",
                              put_counters},
    [FAMILY_REDIRECTIONS] = {"scoring_store_redirections_total", "counter",
                             "Keys that a Redis Cluster redirected to another "
                             "server.",
                             put_counters},
    [FAMILY_CONNECTIONS] = {"scoring_store_connections_total", "counter",
                            "Attempts to connect to the store, by result.",
                            put_counters},
    [FAMILY_BREAKER_OPENED] = {"scoring_store_breaker_opened_total", "counter",
                               "How often a worker stopped asking the store.",
                               put_counters},
    [FAMILY_BREAKER_OPEN] = {"scoring_store_breaker_open", "gauge",
                             "Workers that do not ask the store at present.",
                             put_number},
    [FAMILY_SWITCHES] = {"scoring_store_master_switches_total", "counter",
                         "How often the sentinels named a new master.",
                         put_number},
    [FAMILY_MASTER_AGE] = {"scoring_store_master_age_seconds", "gauge",
                           "Time since the last change of the master; 0 "
                           "without sentinels.",
                           put_number},
    [FAMILY_SENTINELS] = {"scoring_store_sentinels_reachable", "gauge",
                          "Sentinels that are reachable.", put_number},
    [FAMILY_SERVER_BREAKER_OPEN] = {"scoring_store_server_breaker_open",
                                    "gauge",
                                    "Workers that do not ask this server of a "
                                    "Redis Cluster at present.",
                                    put_server_breakers},
    [FAMILY_ERRORS] = {"scoring_errors_total", "counter",
                       "Faults of the service and its environment, by kind.",
                       put_counters},
    [FAMILY_LOG_LINES_LOST] = {"scoring_log_lines_lost_total", "counter",
                               "Log lines dropped because their reader was too "
                               "slow.",
                               put_counters},
    [FAMILY_WORKERS] = {"scoring_workers", "gauge",
                        "Worker processes, including those that are stopping.",
                        put_number},
    [FAMILY_WORKERS_WANTED] = {"scoring_workers_wanted", "gauge",
                               "Worker processes that the settings require.",
                               put_number},
    [FAMILY_PUBLISHED] =
        {"scoring_published_salts", "gauge",
         "Published default salts in force, of users and of the "
         "admin.",
         put_number},
    [FAMILY_WORKER_RESTARTS] = {"scoring_worker_restarts_total", "counter",
                                "Workers replaced: killed by a signal, ended "
                                "by themselves, reloaded, or stalled.",
                                put_counters},
    [FAMILY_RELOADS] = {"scoring_settings_reloads_total", "counter",
                        "Reloads of the settings, by result.", put_counters},
    [FAMILY_BUILD_INFO] =
        {"scoring_build_info", "gauge",
         "Always 1; the labels are the version and the commit "
         "that it was built from.",
         put_build_info},
    [FAMILY_MODEL_INFO] = {"scoring_model_info", "gauge",
                           "Always 1; the label is the model of the worker "
                           "that answers.",
                           put_model_info},
    [FAMILY_START_TIME] =
        {"process_start_time_seconds", "gauge",
         "Start time of the service, in seconds since the epoch.", put_number},
    [FAMILY_CPU] = {"process_cpu_seconds_total", "counter",
                    "Processor time of the parent and all workers.", put_cpu},
    [FAMILY_MEMORY] = {"process_resident_memory_bytes", "gauge",
                       "Memory of the parent and the workers; shared memory "
                       "counts once for each.",
                       put_number},
    [FAMILY_FILES] = {"process_open_fds", "gauge",
                      "Open file descriptors of the parent and the workers.",
                      put_number},
};

struct counter_row {
    enum family family;
    const char *labels; /* with their braces, or "" */
};

#define OPERATION(kind, result)                                                \
    {                                                                          \
        FAMILY_STORE_OPERATIONS,                                               \
            "{operation=\"" kind "\",result=\"" result "\"}"                   \
    }

#define CONNECTION(result)                                                     \
    {                                                                          \
        FAMILY_CONNECTIONS, "{result=\"" result "\"}"                          \
    }

#define NGINX_CODE(code)                                                       \
    [METRIC_NGINX_##code] = {FAMILY_NGINX, "{code=\"" #code "\"}"}

static const struct counter_row counters[METRIC__MAX] = {
    [METRIC_CACHE_HITS] = {FAMILY_CACHE_HITS, ""},
    [METRIC_CACHE_MISSES] = {FAMILY_CACHE_MISSES, ""},
    [METRIC_RECORDS_OK] = {FAMILY_RECORDS, "{result=\"ok\"}"},
    [METRIC_RECORDS_BAD] = {FAMILY_RECORDS, "{result=\"fault\"}"},
    [METRIC_READ_OK] = OPERATION("read", "ok"),
    [METRIC_READ_DOWN] = OPERATION("read", "down"),
    [METRIC_READ_TIMEOUT] = OPERATION("read", "timeout"),
    [METRIC_READ_REFUSED] = OPERATION("read", "refused"),
    [METRIC_READ_LARGE] = OPERATION("read", "large"),
    [METRIC_READ_MEMORY] = OPERATION("read", "memory"),
    [METRIC_CACHE_READ_OK] = OPERATION("cache_read", "ok"),
    [METRIC_CACHE_READ_DOWN] = OPERATION("cache_read", "down"),
    [METRIC_CACHE_READ_TIMEOUT] = OPERATION("cache_read", "timeout"),
    [METRIC_CACHE_READ_REFUSED] = OPERATION("cache_read", "refused"),
    [METRIC_CACHE_READ_LARGE] = OPERATION("cache_read", "large"),
    [METRIC_CACHE_READ_MEMORY] = OPERATION("cache_read", "memory"),
    [METRIC_CACHE_WRITE_OK] = OPERATION("cache_write", "ok"),
    [METRIC_CACHE_WRITE_LOST] = OPERATION("cache_write", "lost"),
    [METRIC_STORE_RETRIES] = {FAMILY_STORE_RETRIES, ""},
    [METRIC_REDIRECTIONS] = {FAMILY_REDIRECTIONS, ""},
    [METRIC_CONNECTED] = CONNECTION("ok"),
    [METRIC_CONNECT_REFUSED] = CONNECTION("refused"),
    [METRIC_CONNECT_UNREACHABLE] = CONNECTION("unreachable"),
    [METRIC_CONNECT_TIMEOUT] = CONNECTION("timeout"),
    [METRIC_CONNECT_NAME] = CONNECTION("name"),
    [METRIC_CONNECT_TLS] = CONNECTION("tls"),
    [METRIC_CONNECT_HANDSHAKE] = CONNECTION("handshake"),
    [METRIC_CONNECT_ROLE] = CONNECTION("role"),
    [METRIC_CONNECT_BROKEN] = CONNECTION("broken"),
    [METRIC_BREAKER_OPENED] = {FAMILY_BREAKER_OPENED, ""},
    [METRIC_ERROR_FCGI] = {FAMILY_ERRORS, "{kind=\"fastcgi\"}"},
    [METRIC_ERROR_VALUE] = {FAMILY_ERRORS, "{kind=\"damaged_value\"}"},
    [METRIC_ERROR_MEMORY] = {FAMILY_ERRORS, "{kind=\"memory\"}"},
    [METRIC_ERROR_SYSTEM] = {FAMILY_ERRORS, "{kind=\"system\"}"},
    [METRIC_ERROR_ACCEPT] = {FAMILY_ERRORS, "{kind=\"accept\"}"},
    [METRIC_LOG_LINES_LOST] = {FAMILY_LOG_LINES_LOST, ""},
    [METRIC_RESTART_SIGNAL] = {FAMILY_WORKER_RESTARTS, "{reason=\"signal\"}"},
    [METRIC_RESTART_EXIT] = {FAMILY_WORKER_RESTARTS, "{reason=\"exit\"}"},
    [METRIC_RESTART_RELOAD] = {FAMILY_WORKER_RESTARTS, "{reason=\"reload\"}"},
    [METRIC_RESTART_STALLED] = {FAMILY_WORKER_RESTARTS, "{reason=\"stalled\"}"},
    [METRIC_RELOAD_OK] = {FAMILY_RELOADS, "{result=\"ok\"}"},
    [METRIC_RELOAD_FAILED] = {FAMILY_RELOADS, "{result=\"failed\"}"},
    METRICS_NGINX_CODES(NGINX_CODE),
    [METRIC_NGINX_OTHER] = {FAMILY_NGINX, "{code=\"other\"}"},
};

/* The rows of counters[] with this family. */
static void
put_counters(const struct source *source, enum family family, struct buf *out)
{
    for (size_t i = 0; i < METRIC__MAX; i++) {
        if (counters[i].family == family)
            buf_printf(out, "%s%s %" PRIu64 "\n", families[family].name,
                       counters[i].labels,
                       metrics_get(source->metrics, (enum metric)i));
    }
}

static void
put_number(const struct source *source, enum family family, struct buf *out)
{
    buf_printf(out, "%s %" PRIu64 "\n", families[family].name,
               source->numbers[family]);
}

/* The label of a method's number; NULL if there is no such method. */
static const char *
method_name(const struct source *source, size_t method)
{
    if (method == METRICS_METHODS - 1)
        return NO_METHOD;
    return source->labels->method(method);
}

static void
put_requests(const struct source *source, enum family family, struct buf *out)
{
    const char *name = families[family].name;

    for (size_t method = 0; method < METRICS_METHODS; method++) {
        const char *label = method_name(source, method);
        int code;

        if (label == NULL)
            continue;
        for (size_t i = 0; (code = source->labels->code(i)) != 0; i++)
            buf_printf(out, "%s{method=\"%s\",code=\"%d\"} %" PRIu64 "\n", name,
                       label, code,
                       metrics_get_requests(source->metrics, method, i));
    }
}

/* Prints microseconds as seconds, exactly and without trailing zeros. */
static void
put_seconds(struct buf *out, uint64_t us)
{
    char text[64];
    int length = snprintf(text, sizeof(text), "%" PRIu64 ".%06" PRIu64,
                          us / US_PER_S, us % US_PER_S);

    while (length > 0 && text[length - 1] == '0')
        length--;
    if (length > 0 && text[length - 1] == '.')
        length--;
    buf_add(out, text, (size_t)length);
}

static void
put_histogram(const struct metrics_durations *durations, const char *name,
              const char *method, struct buf *out)
{
    uint64_t count = 0;

    for (size_t i = 0; i < METRICS_BUCKETS; i++) {
        count += durations->buckets[i];
        buf_printf(out, "%s_bucket{method=\"%s\",le=\"", name, method);
        if (i < METRICS_BUCKETS - 1)
            put_seconds(out, (uint64_t)metrics_bucket_us(i));
        else
            buf_add_text(out, "+Inf");
        buf_printf(out, "\"} %" PRIu64 "\n", count);
    }
    buf_printf(out, "%s_sum{method=\"%s\"} ", name, method);
    put_seconds(out, durations->sum_us);
    buf_printf(out, "\n%s_count{method=\"%s\"} %" PRIu64 "\n", name, method,
               count);
}

static void
put_durations(const struct source *source, enum family family, struct buf *out)
{
    const char *name = families[family].name;

    for (size_t method = 0; method < METRICS_METHODS; method++) {
        const char *label = method_name(source, method);
        struct metrics_durations durations;

        if (label == NULL)
            continue;
        durations = metrics_get_durations(source->metrics, method);
        put_histogram(&durations, name, label, out);
    }
}

/* Codes that each account has a sample of, even of 0. Source: S23.2. */
static bool
is_always_shown(int code)
{
    return code == 200 || code == 403 || code == 429;
}

static void
put_account(const struct source *source, const char *name, struct bytes label,
            size_t place, struct buf *out)
{
    int code;

    for (size_t i = 0; (code = source->labels->code(i)) != 0; i++) {
        const uint64_t count = metrics_get_account(source->metrics, place, i);

        if (count == 0 && !is_always_shown(code))
            continue;
        buf_printf(out, "%s{account=", name);
        json_add_string(out, label);
        buf_printf(out, ",code=\"%d\"} %" PRIu64 "\n", code, count);
    }
}

static void
put_accounts(const struct source *source, enum family family, struct buf *out)
{
    const char *name = families[family].name;
    const struct metrics_labels *labels = source->labels;
    struct bytes label;
    size_t place, i = 0;

    while (labels->accounts != NULL &&
           labels->account(labels->accounts, i++, &label, &place))
        put_account(source, name, label, place, out);
}

static void
put_tokens(const struct source *source, enum family family, struct buf *out)
{
    for (size_t salt = 1; salt <= METRICS_SALTS; salt++)
        buf_printf(out, "%s{salt=\"%zu\"} %" PRIu64 "\n", families[family].name,
                   salt, metrics_get_tokens(source->metrics, salt));
}

static void
put_server_breakers(const struct source *source, enum family family,
                    struct buf *out)
{
    const int end = metrics_outages_end(source->metrics);
    const int64_t now_ms = clock_mono_ms();

    for (int i = OUTAGE_SERVER; i < end; i++) {
        const enum outage what = (enum outage)i;
        const char *server = metrics_outage_address(source->metrics, what);

        if (server != NULL &&
            metrics_outage_is_shown(source->metrics, what, now_ms))
            buf_printf(out, "%s{server=\"%s\"} %u\n", families[family].name,
                       server, metrics_outage_count(source->metrics, what));
    }
}

static void
put_cpu(const struct source *source, enum family family, struct buf *out)
{
    buf_printf(out, "%s ", families[family].name);
    put_seconds(out, source->usage.cpu_ms * US_PER_MS);
    buf_add_text(out, "\n");
}

static void
put_build_info(const struct source *source, enum family family, struct buf *out)
{
    (void)source;
    buf_printf(out, "%s{version=\"%s\",commit=\"%s\"} 1\n",
               families[family].name, SCORING_VERSION, SCORING_COMMIT);
}

static void
put_model_info(const struct source *source, enum family family, struct buf *out)
{
    buf_printf(out, "%s{model=\"%s\"} 1\n", families[family].name,
               source->labels->model);
}

static void
read_numbers(struct source *source)
{
    const struct metrics *m = source->metrics;
    uint64_t *numbers = source->numbers;

    numbers[FAMILY_PARKED] = metrics_get_parked(m);
    numbers[FAMILY_HELD] = metrics_get_held(m);
    numbers[FAMILY_BREAKER_OPEN] = metrics_outage_count(m, OUTAGE_STORE);
    numbers[FAMILY_SWITCHES] = metrics_get_switches(m);
    numbers[FAMILY_MASTER_AGE] =
        (uint64_t)(metrics_master_age_ms(m, clock_mono_ms()) / MS_PER_S);
    numbers[FAMILY_SENTINELS] = metrics_get_sentinels(m);
    numbers[FAMILY_WORKERS] = metrics_workers(m);
    numbers[FAMILY_WORKERS_WANTED] = metrics_get_setting(m, METRICS_WANTED);
    numbers[FAMILY_PUBLISHED] = metrics_get_setting(m, METRICS_PUBLISHED);
    numbers[FAMILY_START_TIME] = (uint64_t)metrics_started_s(m);
    numbers[FAMILY_MEMORY] = source->usage.memory_bytes;
    numbers[FAMILY_FILES] = source->usage.files;
}

void
metrics_text_put(const struct metrics *metrics,
                 const struct metrics_labels *labels, struct buf *out)
{
    struct source source = {.metrics = metrics, .labels = labels};
    pid_t pids[METRICS_SLOTS + 1];

    source.usage = process_sum(
        pids, metrics_list_pids(metrics, pids, sizeof(pids) / sizeof(pids[0])));
    source.usage.cpu_ms = metrics_at_least(metrics, source.usage.cpu_ms);
    read_numbers(&source);
    for (size_t i = 0; i < FAMILY__MAX; i++) {
        const struct family_row *row = &families[i];

        buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help,
                   row->name, row->type);
        row->put(&source, (enum family)i, out);
    }
}
