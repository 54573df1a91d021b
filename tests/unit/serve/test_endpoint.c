/*
 * Health, metrics and reloads: which path is answered on which listener and for
 * which verb, and how the answer depends on the state of service and store.
 */
#include "serve/endpoint.h"
#include "support/cases.h"
#include "telemetry/metrics_text.h"

/* The answer of a service in this state; the caller frees the body. */
static bool
ask(const struct request *request, enum metrics_phase phase, bool store_is_up,
    struct buf *body, struct outcome *ret_outcome)
{
    struct metrics *metrics = metrics_new();
    const struct endpoint_view view = {
        .metrics = metrics, .store_is_up = store_is_up, .model = "m"};
    const struct endpoint *endpoint;

    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    metrics_set_phase(metrics, phase);
    endpoint = endpoint_find(request);
    if (endpoint != NULL)
        endpoint_answer(endpoint, request, &view, body, ret_outcome);
    metrics_free(metrics);
    return endpoint != NULL;
}

struct route_case {
    const char *name, *verb, *path;
    bool is_metrics;
    int want; /* 0: a request for the API */
};

static const struct route_case route_rows[] = {
    {"alive", "GET", "/healthz", false, 200},
    {"alive by HEAD", "HEAD", "/healthz", false, 200},
    {"alive by POST", "POST", "/healthz", false, 405},
    {"alive by no verb", "", "/healthz", false, 405},
    {"alive by get", "get", "/healthz", false, 405},
    {"alive by GETX", "GETX", "/healthz", false, 405},
    {"ready", "GET", "/readyz", false, 200},
    {"ready by HEAD", "HEAD", "/readyz", false, 200},
    {"ready by PUT", "PUT", "/readyz", false, 405},
    {"the API", "POST", "/method", false, 0},
    {"the API by GET", "GET", "/method", false, 0},
    {"no path", "GET", "", false, 0},
    {"root", "GET", "/", false, 0},
    {"alive and a slash", "GET", "/healthz/", false, 0},
    {"alive cut short", "GET", "/health", false, 0},
    {"alive in capitals", "GET", "/Healthz", false, 0},
    {"reload", "GET", "reload", false, 200},
    {"reload by POST", "POST", "reload", false, 405},
    {"reloads", "GET", "reloads", false, 200},
    {"reload of HTTP", "GET", "/reload", false, 0},
    {"reload cut short", "GET", "reloa", false, 0},
    {"reload over the metrics' listener", "GET", "reload", true, 404},
    {"metrics over the API's listener", "GET", "/metrics", false, 0},
    {"metrics", "GET", "/metrics", true, 200},
    {"metrics by HEAD", "HEAD", "/metrics", true, 200},
    {"metrics by POST", "POST", "/metrics", true, 405},
    {"metrics and a slash", "GET", "/metrics/", true, 404},
    {"the API over the metrics' listener", "POST", "/method", true, 404},
    {"alive over the metrics' listener", "GET", "/healthz", true, 404},
    {"no path over the metrics' listener", "GET", "", true, 404},
};

TEST_CASES(route, struct route_case, route_rows)
{
    const struct request request = {
        .verb = bytes_of(c->verb),
        .path = bytes_of(c->path),
        .listener = bytes_of(c->is_metrics ? "metrics" : "")};
    struct outcome outcome = {.code = 0};
    struct buf body = {0};

    CU_ASSERT_EQUAL(ask(&request, METRICS_SERVING, true, &body, &outcome),
                    c->want != 0);
    CU_ASSERT_EQUAL(outcome.code, c->want);
    CU_ASSERT_EQUAL(outcome.body.length > 0, c->want != 0);
    CU_ASSERT_EQUAL(outcome.is_routine, c->want != 0);
    CU_ASSERT_EQUAL(outcome.wants_reload,
                    c->want == 200 && strcmp(c->path, "reload") == 0);
    CU_ASSERT_EQUAL(outcome.body.at, body.data);
    CU_ASSERT_EQUAL(outcome.header != NULL, c->want == 405);
    if (c->want == 405)
        CU_ASSERT_STRING_EQUAL(outcome.header, "Allow: GET, HEAD");
    buf_free(&body);
}

TEST_SINGLE(reloads, "are counted, good ones and failed ones")
{
    const struct request request = {.verb = bytes_of("GET"),
                                    .path = bytes_of("reloads")};
    struct metrics *metrics = metrics_new();
    const struct endpoint_view view = {.metrics = metrics, .model = "m"};
    struct outcome outcome = {.code = 0};
    struct buf body = {0};

    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    metrics_add(metrics, METRIC_RELOAD_OK, 12);
    metrics_add(metrics, METRIC_RELOAD_FAILED, 3);
    endpoint_answer(endpoint_find(&request), &request, &view, &body, &outcome);
    CU_ASSERT_TRUE(
        bytes_equal(outcome.body, bytes_of("{\"ok\": 12, \"failed\": 3}")));
    buf_free(&body);
    metrics_free(metrics);
}

struct body_case {
    const char *name, *path;
    const char *verb;
    bool is_metrics;
    enum metrics_phase phase;
    bool store_is_up;
    int code;
    const char *want;
};

#define ALIVE "{\"status\": \"ok\"}"

static const struct body_case body_rows[] = {
    {"alive", "/healthz", "GET", false, METRICS_SERVING, true, 200, ALIVE},
    {"alive at the start", "/healthz", "GET", false, METRICS_STARTING, false,
     200, ALIVE},
    {"alive at the end", "/healthz", "GET", false, METRICS_DRAINING, false, 200,
     ALIVE},
    {"ready", "/readyz", "GET", false, METRICS_SERVING, true, 200,
     "{\"status\": \"ready\", \"store\": \"up\"}"},
    {"degraded", "/readyz", "GET", false, METRICS_SERVING, false, 200,
     "{\"status\": \"degraded\", \"store\": \"down\"}"},
    {"starting", "/readyz", "GET", false, METRICS_STARTING, true, 503,
     "{\"status\": \"starting\", \"store\": \"up\"}"},
    {"starting without a store", "/readyz", "HEAD", false, METRICS_STARTING,
     false, 503, "{\"status\": \"starting\", \"store\": \"down\"}"},
    {"draining", "/readyz", "GET", false, METRICS_DRAINING, true, 503,
     "{\"status\": \"draining\", \"store\": \"up\"}"},
    {"draining without a store", "/readyz", "GET", false, METRICS_DRAINING,
     false, 503, "{\"status\": \"draining\", \"store\": \"down\"}"},
    {"another verb", "/readyz", "POST", false, METRICS_DRAINING, false, 405,
     "{\"code\": 405, \"error\": \"Method Not Allowed\"}"},
    {"no such path", "/", "GET", true, METRICS_SERVING, true, 404,
     "{\"code\": 404, \"error\": \"Not Found\"}"},
};

TEST_CASES(body, struct body_case, body_rows)
{
    const struct request request = {
        .verb = bytes_of(c->verb),
        .path = bytes_of(c->path),
        .listener = bytes_of(c->is_metrics ? "metrics" : "")};
    struct outcome outcome = {.code = 0};
    struct buf body = {0};

    CU_ASSERT_TRUE_FATAL(
        ask(&request, c->phase, c->store_is_up, &body, &outcome));
    CU_ASSERT_EQUAL(outcome.code, c->code);
    CU_ASSERT_STRING_EQUAL(outcome.type, "application/json");
    CU_ASSERT_EQUAL(outcome.header != NULL, c->code == 503 || c->code == 405);
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&body), bytes_of(c->want)));
    buf_free(&body);
}

struct role_case {
    const char *name, *role;
    bool store_is_up;
    const char *want;
};

static const struct role_case role_rows[] = {
    {"a master that sentinels name", "master", true,
     "{\"status\": \"ready\", \"store\": \"up\", \"role\": \"master\"}"},
    {"a replica", "replica", false,
     "{\"status\": \"degraded\", \"store\": \"down\", \"role\": "
     "\"replica\"}"},
};

TEST_CASES(role, struct role_case, role_rows)
{
    static const struct request request = {.verb = {"GET", 3},
                                           .path = {"/readyz", 7}};
    struct metrics *metrics = metrics_new();
    const struct endpoint_view view = {.metrics = metrics,
                                       .store_is_up = c->store_is_up,
                                       .model = "m",
                                       .role = c->role};
    struct outcome outcome = {.code = 0};
    struct buf body = {0};

    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    metrics_set_phase(metrics, METRICS_SERVING);
    endpoint_answer(endpoint_find(&request), &request, &view, &body, &outcome);
    CU_ASSERT_EQUAL(outcome.code, 200);
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&body), bytes_of(c->want)));
    buf_free(&body);
    metrics_free(metrics);
}

struct another_case {
    const char *name;
    const char *server; /* of a Cluster; NULL: the store */
};

static const struct another_case another_rows[] = {
    {"the store", NULL},
    {"a server of a Cluster", "10.0.0.1:6379"},
};

/* The breaker of another worker is open: degraded, until it is closed. */
TEST_CASES(another_worker, struct another_case, another_rows)
{
    static const struct request request = {.verb = {"GET", 3},
                                           .path = {"/readyz", 7}};
    struct metrics *metrics = metrics_new();
    const struct endpoint_view view = {
        .metrics = metrics, .store_is_up = true, .model = "m"};
    const int slot = metrics_slot_take(metrics);
    const enum outage what = metrics_outage_of(metrics, c->server);
    struct outcome outcome = {.code = 0};
    struct buf body = {0};

    metrics_set_phase(metrics, METRICS_SERVING);
    (void)metrics_outage_enter(metrics, slot, what);
    endpoint_answer(endpoint_find(&request), &request, &view, &body, &outcome);
    CU_ASSERT_EQUAL(outcome.code, 200);
    CU_ASSERT_TRUE(bytes_equal(
        buf_bytes(&body),
        bytes_of("{\"status\": \"degraded\", \"store\": \"down\"}")));
    buf_clear(&body);
    metrics_outage_leave(metrics, slot, what, 1);
    endpoint_answer(endpoint_find(&request), &request, &view, &body, &outcome);
    CU_ASSERT_TRUE(
        bytes_equal(buf_bytes(&body),
                    bytes_of("{\"status\": \"ready\", \"store\": \"up\"}")));
    buf_free(&body);
    metrics_free(metrics);
}

TEST_SINGLE(type, "of the metrics is that of Prometheus's text")
{
    static const struct request request = {.verb = {"GET", 3},
                                           .path = {"/metrics", 8},
                                           .listener = {"metrics", 7}};
    struct outcome outcome = {.type = NULL};
    struct buf body = {0};

    CU_ASSERT_TRUE_FATAL(ask(&request, METRICS_SERVING, true, &body, &outcome));
    CU_ASSERT_STRING_EQUAL(outcome.type,
                           "text/plain; version=0.0.4; charset=utf-8");
    CU_ASSERT_PTR_NOT_NULL(memmem(body.data, body.length, "# HELP ", 7));
    buf_free(&body);
}
