/*
 * What one request, or one read, adds to the counters: these, and no others;
 * and the lines of the log. Source: docs/protocol.md, S11.5, S16.4, S23.2,
 * S23.3 and S28.1.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/outcome.h"
#include "base/request.h"
#include "serve/report.h"
#include "support/cases.h"
#include "support/files.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

#define PLACE       7 /* of an account */
#define DURATION_US 100

/* The numbers of the statuses in base/outcome.c. */
enum { STATUS_200 = 0, STATUS_403 = 2, STATUS_422 = 6, STATUS_500 = 8 };

/* A counter, and what it is afterwards. */
struct counted {
    enum metric metric;
    uint64_t count;
};

struct report_case {
    const char *name;
    struct outcome outcome;
    struct counted first, second; /* all others stay 0 */
};

#define BASE(number) .code = 200, .status = (number), .method_number = 1
#define ACCOUNT      .account = {"acme", 4}, .account_place = PLACE
#define FAULT(kind)                                                            \
    .code = 500, .status = STATUS_500, .method_number = 1,                     \
    .fault = OUTCOME_FAULT_##kind, .fault_text = {"why", 3}

static const struct report_case report_rows[] = {
    {"an answer", {BASE(STATUS_200), .salt = 1}, {0, 0}, {0, 0}},
    {"the third salt", {BASE(STATUS_200), .salt = 3}, {0, 0}, {0, 0}},
    {"the last salt", {BASE(STATUS_200), .salt = 16}, {0, 0}, {0, 0}},
    {"no salt", {BASE(STATUS_403)}, {0, 0}, {0, 0}},
    {"no method",
     {.code = 422,
      .status = STATUS_422,
      .method_number = OUTCOME_NO_METHOD,
      .salt = 1},
     {0, 0},
     {0, 0}},
    {"an account", {BASE(STATUS_200), ACCOUNT, .salt = 2}, {0, 0}, {0, 0}},
    {"the account without a name",
     {BASE(STATUS_200), .account = {"", 0}, .account_place = PLACE, .salt = 1},
     {0, 0},
     {0, 0}},
    {"an account with a wrong token",
     {BASE(STATUS_403), ACCOUNT},
     {0, 0},
     {0, 0}},
    {"a hit",
     {BASE(STATUS_200), .cache = OUTCOME_CACHE_HIT},
     {METRIC_CACHE_HITS, 1},
     {0, 0}},
    {"a miss",
     {BASE(STATUS_200), .cache = OUTCOME_CACHE_MISS},
     {METRIC_CACHE_MISSES, 1},
     {0, 0}},
    {"records",
     {BASE(STATUS_200), .records = 5},
     {METRIC_RECORDS_OK, 5},
     {0, 0}},
    {"records at fault",
     {BASE(STATUS_200), .bad_records = 3},
     {METRIC_RECORDS_BAD, 3},
     {0, 0}},
    {"records of both kinds",
     {BASE(STATUS_200), .records = 997, .bad_records = 3},
     {METRIC_RECORDS_OK, 997},
     {METRIC_RECORDS_BAD, 3}},
    {"a damaged value", {FAULT(VALUE)}, {METRIC_ERROR_VALUE, 1}, {0, 0}},
    {"no memory", {FAULT(MEMORY)}, {METRIC_ERROR_MEMORY, 1}, {0, 0}},
    {"the system refuses", {FAULT(SYSTEM)}, {METRIC_ERROR_SYSTEM, 1}, {0, 0}},
};

/* A 500 has one more line, with the reason (S28.1). */
static void
check_lines(const char *path, const struct outcome *outcome)
{
    const bool has_fault = outcome->fault != OUTCOME_FAULT_NONE;
    char *text = files_read(path), *rest = text, *line;
    unsigned lines = 0, reasons = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
        lines++;
        reasons += strstr(line, "] E request id=1: why") != NULL;
    }
    CU_ASSERT_EQUAL(lines, has_fault ? 2 : 1);
    CU_ASSERT_EQUAL(reasons, has_fault ? 1 : 0);
    free(text);
}

/* What a counter must be. */
static uint64_t
wanted(const struct counted *first, const struct counted *second,
       enum metric metric)
{
    if (metric == first->metric && first->count > 0)
        return first->count;
    return metric == second->metric ? second->count : 0;
}

static void
check_counters(const struct metrics *metrics, const struct counted *first,
               const struct counted *second)
{
    for (int i = 0; i < METRIC__MAX; i++)
        CU_ASSERT_EQUAL(metrics_get(metrics, (enum metric)i),
                        wanted(first, second, (enum metric)i));
}

/* Only the request of the outcome, its account, and its salt are counted. */
static void
check_request(const struct metrics *metrics, const struct outcome *outcome)
{
    const size_t last = METRICS_METHODS - 1;
    const size_t number = outcome->method_number < last ? outcome->method_number
                                                        : last; /* none */

    for (size_t method = 0; method < METRICS_METHODS; method++)
        for (size_t status = 0; status < METRICS_STATUSES; status++)
            CU_ASSERT_EQUAL(metrics_get_requests(metrics, method, status),
                            method == number && status == outcome->status);
    for (size_t place = PLACE - 1; place <= PLACE + 1; place++)
        for (size_t status = 0; status < METRICS_STATUSES; status++)
            CU_ASSERT_EQUAL(metrics_get_account(metrics, place, status),
                            outcome->account.at != NULL && place == PLACE &&
                                status == outcome->status);
    for (size_t salt = 1; salt <= METRICS_SALTS; salt++)
        CU_ASSERT_EQUAL(metrics_get_tokens(metrics, salt),
                        salt == outcome->salt);
    CU_ASSERT_EQUAL(metrics_get_durations(metrics, number).sum_us, DURATION_US);
}

TEST_CASES(report, struct report_case, report_rows)
{
    const struct request request = {.id = {"1", 1}, .path = {"/method", 7}};
    struct metrics *metrics = metrics_new();
    char path[FILES_PATH_MAX];
    struct log *log;

    CU_ASSERT_TRUE_FATAL(files_make(path, "", 0));
    log = log_open(&(struct log_plan){.file = path});
    CU_ASSERT_TRUE_FATAL(metrics != NULL && log != NULL);
    report_outcome(log, metrics, &request, &c->outcome, DURATION_US);
    check_counters(metrics, &c->first, &c->second);
    check_request(metrics, &c->outcome);
    (void)log_close(log);
    check_lines(path, &c->outcome);
    (void)unlink(path);
    metrics_free(metrics);
}

struct read_case {
    const char *name;
    enum store_need need;
    enum store_status status;
    enum metric metric;
};

static const struct read_case read_rows[] = {
    {"an answer", STORE_MUST, STORE_OK, METRIC_READ_OK},
    {"no store", STORE_MUST, STORE_DOWN, METRIC_READ_DOWN},
    {"too late", STORE_MUST, STORE_TIMEOUT, METRIC_READ_TIMEOUT},
    {"refused", STORE_MUST, STORE_REFUSED, METRIC_READ_REFUSED},
    {"too large", STORE_MUST, STORE_LARGE, METRIC_READ_LARGE},
    {"no memory", STORE_MUST, STORE_MEMORY, METRIC_READ_MEMORY},
    {"an answer of the cache", STORE_CACHE, STORE_OK, METRIC_CACHE_READ_OK},
    {"no cache", STORE_CACHE, STORE_DOWN, METRIC_CACHE_READ_DOWN},
    {"a cache too late", STORE_CACHE, STORE_TIMEOUT, METRIC_CACHE_READ_TIMEOUT},
    {"refused by the cache", STORE_CACHE, STORE_REFUSED,
     METRIC_CACHE_READ_REFUSED},
    {"too large for a score", STORE_CACHE, STORE_LARGE,
     METRIC_CACHE_READ_LARGE},
    {"no memory for the cache", STORE_CACHE, STORE_MEMORY,
     METRIC_CACHE_READ_MEMORY},
};

TEST_CASES(read, struct read_case, read_rows)
{
    const struct counted one = {c->metric, 1}, none = {METRIC_CACHE_HITS, 0};
    struct metrics *metrics = metrics_new();

    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    report_read(metrics, c->need, c->status);
    check_counters(metrics, &one, &none);
    metrics_free(metrics);
}
