/*
 * The metrics, on their own port: what each request adds, that nothing is lost
 * when workers die or settings are read again, and that no caller's data
 * appear. Source: docs/protocol.md, S23.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/buffer.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/expect.h"
#include "support/load.h"
#include "support/ports.h"
#include "support/request.h"
#include "support/stack.h"

#define WORKERS        2
#define PROMTOOL_MS    60000 /* 100 MB, perhaps from a slow disk */
#define LOAD_MS        500
#define CALLERS        8
#define NOT_FOUND      127 /* of the shell */
#define SENT_EACH_TIME 20
#define LONG_BYTES     40000 /* more than nginx takes of a header */

#define NGINX(code) "scoring_nginx_responses_total{code=\"" code "\"}"

static const struct stack_plan plan = {.store = STACK_REDIS_TCP};
static const struct stack_plan behind_peer = {.store = STACK_REDIS_PEER};

static struct http_answer
ask(int port, const char *verb, const char *path)
{
    const struct http_request request = {.verb = verb, .path = path};
    struct http *http = http_open(port);
    struct http_answer answer;

    CU_ASSERT_PTR_NOT_NULL_FATAL(http);
    answer = http_send(http, &request);
    http_close(http);
    return answer;
}

static char *
scrape(const struct stack *stack)
{
    char *text = stack_metrics(stack);

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    return text;
}

/* The sum of all samples of a family. */
static double
sum_of(const struct stack *stack, const char *family)
{
    char *text = scrape(stack), *rest = text, *line;
    size_t length = strlen(family);
    double sum = 0;

    while ((line = strsep(&rest, "\n")) != NULL) {
        const char *value = strrchr(line, ' ');

        if (strncmp(line, family, length) == 0 && value != NULL &&
            (line[length] == '{' || line[length] == ' '))
            sum += strtod(value, NULL);
    }
    free(text);
    return sum;
}

/* A wait for the value of a sample. */
struct wanted {
    const struct stack *stack;
    const char *sample;
    double least;
};

static bool
is_reached(void *arg)
{
    const struct wanted *wanted = arg;

    return stack_metric(wanted->stack, wanted->sample) >= wanted->least;
}

static bool
is_zero(void *arg)
{
    const struct wanted *wanted = arg;

    return stack_metric(wanted->stack, wanted->sample) == 0;
}

static bool
becomes(const struct stack *stack, const char *sample, double least)
{
    struct wanted wanted = {stack, sample, least};

    return clock_wait(is_reached, &wanted, CLOCK_PATIENCE_MS);
}

static bool
falls_to_zero(const struct stack *stack, const char *sample)
{
    struct wanted wanted = {stack, sample, 0};

    return clock_wait(is_zero, &wanted, CLOCK_PATIENCE_MS);
}

struct route_case {
    const char *name, *verb, *path;
    int want;
    size_t body, header; /* bytes of them; 0: there is none */
};

static const struct route_case route_rows[] = {
    {"metrics", "GET", "/metrics", 200, 0, 0},
    {"with a query", "GET", "/metrics?name=x", 200, 0, 0},
    {"by HEAD", "HEAD", "/metrics", 200, 0, 0},
    {"with a body", "GET", "/metrics", 200, 1024, 0},
    {"with a larger one", "GET", "/metrics", 413, 1025, 0},
    {"with a long header", "GET", "/metrics", 431, 0, LONG_BYTES},
    {"by POST", "POST", "/metrics", 405, 0, 0},
    {"by DELETE", "DELETE", "/metrics", 405, 0, 0},
    {"root", "GET", "/", 404, 0, 0},
    {"and a slash", "GET", "/metrics/", 404, 0, 0},
    {"behind two slashes", "GET", "//metrics", 404, 0, 0},
    {"in capitals", "GET", "/METRICS", 404, 0, 0},
    {"the API", "POST", "/method", 404, 0, 0},
    {"health", "GET", "/healthz", 404, 0, 0},
    {"readiness", "GET", "/readyz", 404, 0, 0},
    {"page of the errors", "GET", "/scoring-error", 404, 0, 0},
    {"page of the other errors", "GET", "/scoring-error-get", 404, 0, 0},
};

TEST_CASES(route, struct route_case, route_rows)
{
    static char body[LONG_BYTES], header[LONG_BYTES + 1];
    const char *const headers[] = {header, NULL};
    const struct http_request request = {.verb = c->verb,
                                         .path = c->path,
                                         .body = c->body > 0 ? body : NULL,
                                         .body_length = c->body,
                                         .headers = headers};
    struct http *http = http_open(stack_shared(&plan)->metrics_port);
    struct http_answer answer;

    CU_ASSERT_PTR_NOT_NULL_FATAL(http);
    (void)snprintf(header, sizeof(header), "X: %0*d", (int)c->header, 0);
    answer = http_send(http, &request);
    CU_ASSERT_EQUAL(answer.status, c->want);
    if (c->want == 200)
        expect_header(&answer, "Content-Type",
                      "text/plain; version=0.0.4; charset=utf-8");
    else
        expect_error(&answer, c->want, NULL);
    if (c->want == 405)
        expect_header(&answer, "Allow", "GET, HEAD");
    if (c->want == 404)
        expect_error_text(&answer, 404, "no such path: GET /metrics");
    expect_header(&answer, "Server", "nginx");
    expect_header(&answer, "Cache-Control", "no-store");
    expect_header(&answer, "X-Content-Type-Options", "nosniff");
    http_answer_free(&answer);
    http_close(http);
}

/* The other address is one of the API alone. */
static const char *const two_addresses[] = {"HTTP_ADDRESS=127.0.0.1, 127.0.0.2",
                                            NULL};
static const struct stack_plan at_two = {.store = STACK_REDIS_TCP,
                                         .environment = two_addresses};

struct place_case {
    const char *name, *host, *path;
    bool is_metrics; /* the listener */
    int want;        /* 0: nobody listens */
    const struct stack_plan *plan;
};

/* The defaults of S23.1 and of HTTP_ADDRESS. All of 127.0.0.0/8 is local. */
static const struct place_case place_rows[] = {
    {"metrics at 127.0.0.1", "127.0.0.1", "/metrics", true, 200, &plan},
    {"metrics at no other address", "127.0.0.2", "/metrics", true, 0, &plan},
    {"the API at 127.0.0.1", "127.0.0.1", "/healthz", false, 200, &plan},
    {"the API at no other address", "127.0.0.2", "/healthz", false, 0, &plan},
    {"the API at an address of the settings", "127.0.0.2", "/healthz", false,
     200, &at_two},
    {"but not the metrics", "127.0.0.2", "/metrics", true, 0, &at_two},
};

TEST_CASES(place, struct place_case, place_rows)
{
    const struct http_request request = {.verb = "GET", .path = c->path};
    const struct stack *stack = stack_shared(c->plan);
    struct http *http = http_open_at(
        c->host, c->is_metrics ? stack->metrics_port : stack->port, NULL);
    struct http_answer answer;

    CU_ASSERT_PTR_NOT_NULL_FATAL(http);
    answer = http_send(http, &request);
    CU_ASSERT_EQUAL(answer.status, c->want);
    http_answer_free(&answer);
    http_close(http);
}

/* Which nginx answers itself: of each verb, and nothing else of it. */
struct nginx_case {
    const char *name, *verb;
    int want;
};

static const struct nginx_case nginx_rows[] = {
    {"by GET", "GET", 200},
    {"by HEAD", "HEAD", 200},
    {"by POST", "POST", 405},
};

TEST_CASES(nginx, struct nginx_case, nginx_rows)
{
    static const char *const samples[] = {
        "# TYPE nginx_connections gauge\n",
        "\nnginx_connections{state=\"reading\"} ",
        "\nnginx_connections{state=\"writing\"} ",
        "\nnginx_connections{state=\"waiting\"} ",
    };
    struct http_answer answer =
        ask(stack_shared(&plan)->metrics_port, c->verb, "/metrics/nginx");

    CU_ASSERT_EQUAL(answer.status, c->want);
    if (c->want == 200)
        expect_header(&answer, "Content-Type",
                      "text/plain; version=0.0.4; charset=utf-8");
    else
        expect_error(&answer, c->want, NULL);
    for (size_t i = 0; i < 4 && strcmp(c->verb, "GET") == 0; i++)
        CU_ASSERT_PTR_NOT_NULL(strstr(answer.body, samples[i]));
    http_answer_free(&answer);
}

/* The API's listener has no metrics. */
TEST_SINGLE(beside, "the API there are none")
{
    static const char *const headers[] = {"SCORING_LISTENER: metrics",
                                          "Scoring-Listener: metrics", NULL};
    static const struct http_request request = {
        .verb = "GET", .path = "/metrics", .headers = headers};
    const struct stack *stack = stack_shared(&plan);
    const double before = stack_metric(stack, NGINX("404"));
    struct http *http = http_open(stack->port);
    struct http_answer answer;

    CU_ASSERT_PTR_NOT_NULL_FATAL(http);
    answer = http_send(http, &request);
    expect_error_text(&answer, 404, "no such path: POST /method");
    http_answer_free(&answer);
    http_close(http);
    CU_ASSERT_TRUE(becomes(stack, NGINX("404"), before + 1));
}

/* promtool knows the format, and the conventions for names and units. */
TEST_SINGLE(promtool, "finds nothing to complain of")
{
    const struct stack *stack = stack_shared(&plan);
    char file[FILES_PATH_MAX], output[FILES_PATH_MAX], *said;
    char command[2 * FILES_PATH_MAX];
    const char *const argv[] = {"sh", "-c", command, NULL};
    const struct proc_plan proc_plan = {
        .argv = argv, .output = output, .death_signal = SIGKILL};
    struct proc proc = {0};
    char *text = scrape(stack);

    files_path(file, "%s/metrics", stack->folder);
    files_path(output, "%s/promtool", stack->folder);
    (void)snprintf(command, sizeof(command), "promtool check metrics <%s",
                   file);
    CU_ASSERT_TRUE(files_write(file, text));
    free(text);
    CU_ASSERT_TRUE_FATAL(proc_start(&proc, &proc_plan));
    CU_ASSERT_TRUE(proc_wait(&proc, PROMTOOL_MS));
    if (proc_exit_status(&proc) == NOT_FOUND) {
        cases_skip("there is no promtool (package prometheus)");
        return;
    }
    CU_ASSERT_EQUAL(proc_exit_status(&proc), 0);
    said = files_read(output);
    CU_ASSERT_STRING_EQUAL(said != NULL ? said : "", "");
    free(said);
}

/* What one request adds. */
struct count_case {
    const char *name;
    enum request_kind kind;
    const char *text; /* arguments, or the whole body */
    int status;
    const char *samples[5]; /* each grows by 1, and nothing else */
};

#define REQUESTS(method, code)                                                 \
    "scoring_requests_total{method=\"" method "\",code=\"" code "\"}"
#define OPERATIONS(kind, result)                                               \
    "scoring_store_operations_total{operation=\"" kind "\",result=\"" result   \
    "\"}"

#define TOKENS "scoring_tokens_total{salt=\"1\"}"

static const struct count_case count_rows[] = {
    {"a new score",
     REQUEST_SCORE,
     REQUEST_PERSON,
     200,
     {REQUESTS("online_score", "200"), "scoring_cache_misses_total",
      OPERATIONS("cache_read", "ok"), OPERATIONS("cache_write", "ok"), TOKENS}},
    {"the same score",
     REQUEST_SCORE,
     REQUEST_PERSON,
     200,
     {REQUESTS("online_score", "200"), "scoring_cache_hits_total",
      OPERATIONS("cache_read", "ok"), TOKENS}},
    {"the admin's score",
     REQUEST_ADMIN_SCORE,
     REQUEST_NAMES,
     200,
     {REQUESTS("online_score", "200"), TOKENS}},
    {"interests",
     REQUEST_INTERESTS,
     REQUEST_IDS,
     200,
     {REQUESTS("clients_interests", "200"), OPERATIONS("read", "ok"), TOKENS}},
    {"a damaged value",
     REQUEST_INTERESTS,
     "{\"client_ids\": [66]}",
     500,
     {REQUESTS("clients_interests", "500"), OPERATIONS("read", "ok"),
      "scoring_errors_total{kind=\"damaged_value\"}", TOKENS}},
    {"a bad argument",
     REQUEST_SCORE,
     "{\"phone\": 1}",
     422,
     {REQUESTS("online_score", "422"),
      "scoring_request_duration_seconds_count{method=\"online_score\"}",
      TOKENS}},
    {"no JSON",
     REQUEST_AS_IT_IS,
     "{",
     400,
     {REQUESTS("none", "400"),
      "scoring_request_duration_seconds_bucket{method=\"none\",le=\"+Inf\"}"}},
    {"no request", REQUEST_AS_IT_IS, "{}", 422, {REQUESTS("none", "422")}},
    {"a wrong token",
     REQUEST_AS_IT_IS,
     "{\"login\": \"\", \"token\": \"\", \"method\": \"online_score\", "
     "\"arguments\": {}}",
     403,
     {REQUESTS("none", "403")}},
};

/*
 * Durations and resources of processes may change, too. A name that ends with _
 * means several samples.
 */
static bool
may_change(const char *const samples[5], const char *sample)
{
    static const char *const others[] = {"scoring_request_duration_seconds_",
                                         "process_"};

    for (size_t i = 0; i < 5 && samples[i] != NULL; i++) {
        const size_t length = strlen(samples[i]);

        if (strncmp(sample, samples[i], length) == 0 &&
            (sample[length] == '\0' || samples[i][length - 1] == '_'))
            return true;
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (strncmp(sample, others[i], strlen(others[i])) == 0)
            return true;
    }
    return false;
}

/* All other samples are unchanged. */
static void
check_nothing_else(const struct stack *stack, const char *const samples[5],
                   const char *before)
{
    char *after = scrape(stack), *rest = after, *line;

    while ((line = strsep(&rest, "\n")) != NULL) {
        char *value = strrchr(line, ' ');

        if (line[0] == '#' || value == NULL)
            continue;
        *value = '\0';
        if (may_change(samples, line) ||
            stack_metric_in(before, line) == strtod(value + 1, NULL))
            continue;
        CU_FAIL("another sample has changed");
        (void)printf("%s was %g, is %s\n", line, stack_metric_in(before, line),
                     value + 1);
    }
    free(after);
}

TEST_CASES(count, struct count_case, count_rows)
{
    const struct stack *stack = stack_shared(&plan);
    char *before = scrape(stack);
    struct http_answer answer;

    CU_ASSERT_TRUE(redis_do(&stack->redis, "SET i:66 broken"));
    answer = expect_post(stack->port, request_of(c->kind, c->text));
    CU_ASSERT_EQUAL(answer.status, c->status);
    http_answer_free(&answer);
    for (size_t i = 0; i < 5 && c->samples[i] != NULL; i++) {
        double was = stack_metric_in(before, c->samples[i]);

        CU_ASSERT(was >= 0);
        CU_ASSERT_TRUE(becomes(stack, c->samples[i], was + 1));
        CU_ASSERT_EQUAL(stack_metric(stack, c->samples[i]), was + 1);
    }
    check_nothing_else(stack, c->samples, before);
    free(before);
}

/* Health and the metrics themselves are no requests of the API. */
TEST_SINGLE(aside, "health does not count")
{
    const struct stack *stack = stack_shared(&plan);
    double before = sum_of(stack, "scoring_requests_total");
    struct http_answer answer = ask(stack->port, "GET", "/readyz");

    http_answer_free(&answer);
    CU_ASSERT_EQUAL(sum_of(stack, "scoring_requests_total"), before);
}

/* No label has anything of what callers send. */
TEST_SINGLE(nobody, "is named")
{
    static const struct request_parts marked = {.account = "zq7",
                                                .login = "zq7",
                                                .method = "zq7",
                                                .arguments =
                                                    "{\"zq7\": \"zq7\"}"};
    static const char *const headers[] = {"X-Request-ID: zq7", NULL};
    const struct stack *stack = stack_shared(&plan);
    char *body = request_text(&marked), *text;
    const struct http_request request = {
        .path = "/method?zq7", .body = body, .headers = headers};
    struct http *http = http_open(stack->port);
    struct http_answer answer;

    CU_ASSERT_PTR_NOT_NULL_FATAL(http);
    answer = http_send(http, &request);
    expect_error(&answer, 422, "method: ");
    http_answer_free(&answer);
    http_close(http);
    free(body);
    text = scrape(stack);
    CU_ASSERT_PTR_NULL(strstr(text, "zq7"));
    CU_ASSERT_PTR_NULL(strstr(text, "h&f"));
    free(text);
}

static void
send_scores(const struct stack *stack, int count)
{
    for (int i = 0; i < count; i++) {
        struct http_answer answer =
            expect_post(stack->port, request_score(REQUEST_NAMES));

        expect_score(&answer, 0.5);
        http_answer_free(&answer);
    }
}

TEST_SINGLE(crowd, "each request of many callers is counted once")
{
    const struct stack *stack = stack_shared(&plan);
    double before = sum_of(stack, "scoring_requests_total");
    double durations = sum_of(stack, "scoring_request_duration_seconds_count");
    char *request = request_score(REQUEST_PERSON);
    const struct load_plan scores = {.port = stack->port,
                                     .body = request,
                                     .is_right = load_is_three,
                                     .callers = CALLERS};
    struct load *load = load_start(&scores);
    struct load_result result;

    CU_ASSERT_PTR_NOT_NULL_FATAL(load);
    clock_sleep_ms(LOAD_MS);
    result = load_stop(load);
    CU_ASSERT_EQUAL(result.failures, 0);
    CU_ASSERT_EQUAL(sum_of(stack, "scoring_requests_total"),
                    before + (double)result.requests);
    CU_ASSERT_EQUAL(sum_of(stack, "scoring_request_duration_seconds_count"),
                    durations + (double)result.requests);
    free(request);
}

static void
kill_workers(const struct stack *stack)
{
    const struct proc_found before = stack_workers(stack);

    CU_ASSERT_EQUAL(before.count, WORKERS);
    for (size_t i = 0; i < before.count; i++)
        (void)kill(before.pid[i], SIGKILL);
    CU_ASSERT_TRUE(stack_wait_replaced(stack, &before, WORKERS));
}

static void
reload(const struct stack *stack)
{
    const struct proc_found before = stack_workers(stack);

    CU_ASSERT_TRUE(stack_signal(stack, SIGHUP));
    CU_ASSERT_TRUE(stack_wait_replaced(stack, &before, WORKERS));
}

#define SCORES     REQUESTS("online_score", "200")
#define RESTARTS   "scoring_worker_restarts_total"
#define BY_SIGNAL  RESTARTS "{reason=\"signal\"}"
#define BY_RELOAD  RESTARTS "{reason=\"reload\"}"
#define RELOADS_OK "scoring_settings_reloads_total{result=\"ok\"}"

TEST_SINGLE(kept, "counters grow on over deaths and a reload")
{
    const struct stack *stack = stack_shared(&plan);
    double scores = stack_metric(stack, SCORES);
    double killed = stack_metric(stack, BY_SIGNAL);
    double reloaded = stack_metric(stack, BY_RELOAD);
    double reloads = stack_metric(stack, RELOADS_OK);
    double started = stack_metric(stack, "process_start_time_seconds");

    send_scores(stack, SENT_EACH_TIME);
    CU_ASSERT_EQUAL(stack_metric(stack, SCORES), scores + SENT_EACH_TIME);
    kill_workers(stack);
    CU_ASSERT_EQUAL(stack_metric(stack, SCORES), scores + SENT_EACH_TIME);
    CU_ASSERT_EQUAL(stack_metric(stack, BY_SIGNAL), killed + WORKERS);
    send_scores(stack, SENT_EACH_TIME);
    CU_ASSERT_EQUAL(stack_metric(stack, SCORES), scores + 2 * SENT_EACH_TIME);
    reload(stack);
    CU_ASSERT_TRUE(becomes(stack, BY_RELOAD, reloaded + WORKERS));
    CU_ASSERT_EQUAL(stack_metric(stack, RELOADS_OK), reloads + 1);
    CU_ASSERT_EQUAL(stack_metric(stack, SCORES), scores + 2 * SENT_EACH_TIME);
    send_scores(stack, SENT_EACH_TIME);
    CU_ASSERT_EQUAL(stack_metric(stack, SCORES), scores + 3 * SENT_EACH_TIME);
    CU_ASSERT_EQUAL(stack_metric(stack, BY_SIGNAL), killed + WORKERS);
    CU_ASSERT_EQUAL(stack_metric(stack, "scoring_workers"), WORKERS);
    CU_ASSERT_EQUAL(stack_metric(stack, "process_start_time_seconds"), started);
}

/* No caller's answer matters here. */
#define PARKED  "scoring_requests_parked"
#define BREAKER "scoring_store_breaker_open"
#define OPENED  "scoring_store_breaker_opened_total"

TEST_SINGLE(gauges, "do not drift when workers die with requests parked")
{
    struct stack *stack = stack_shared(&behind_peer);
    char *request = request_interests(REQUEST_IDS);
    const struct load_plan interests = {.port = stack->port,
                                        .body = request,
                                        .is_right = load_is_anything,
                                        .callers = CALLERS};
    struct load *load;
    double hits;

    CU_ASSERT_TRUE(falls_to_zero(stack, PARKED));
    CU_ASSERT_TRUE(falls_to_zero(stack, BREAKER));
    hits = stack_metric(stack, "scoring_cache_hits_total");
    peer_set(stack->peer, PEER_SILENT);
    load = load_start(&interests);
    CU_ASSERT_PTR_NOT_NULL_FATAL(load);
    CU_ASSERT_TRUE(becomes(stack, PARKED, 1));
    kill_workers(stack);
    CU_ASSERT_TRUE(becomes(stack, BREAKER, 1));
    CU_ASSERT_TRUE(becomes(stack, OPENED, 1));
    (void)load_stop(load);
    free(request);
    peer_set(stack->peer, PEER_NONE);
    CU_ASSERT_TRUE(falls_to_zero(stack, PARKED));
    CU_ASSERT_TRUE(falls_to_zero(stack, BREAKER));
    CU_ASSERT_EQUAL(stack_metric(stack, "scoring_cache_hits_total"), hits);
    CU_ASSERT(stack_metric(stack, OPERATIONS("read", "timeout")) +
                  stack_metric(stack, OPERATIONS("read", "down")) >=
              1);
}

#define QUIET_MS 3050 /* and then it is told that it is over */

struct refusal {
    const char *name;
    const char *begin, *end; /* of the store's refusal */
    enum request_kind kind;
    const char *text;
    int status;
    const char *sample; /* grows by 1 */
    const char *words;  /* for the log */
};

#define NEW_SCORE(n) "{\"phone\": \"7000000000" n "\", \"email\": \"a@b\"}"

static const struct refusal refusal_rows[] = {
    {"a read that is refused", "ACL SETUSER default -mget",
     "ACL SETUSER default +mget", REQUEST_INTERESTS, REQUEST_IDS, 503,
     OPERATIONS("read", "refused"), "the store answers with errors"},
    {"a write that is lost", "ACL SETUSER default -set",
     "ACL SETUSER default +set", REQUEST_SCORE, NEW_SCORE("1"), 200,
     OPERATIONS("cache_write", "lost"), "cache writes are lost"},
};

/* A read, and a write of what is in no cache. */
static void
use_store(const struct stack *stack)
{
    struct http_answer answer =
        expect_post(stack->port, request_interests(REQUEST_IDS));

    CU_ASSERT_EQUAL(answer.status, 200);
    http_answer_free(&answer);
    CU_ASSERT_TRUE(redis_do(&stack->redis, "FLUSHALL"));
    answer = expect_post(stack->port, request_score(NEW_SCORE("2")));
    CU_ASSERT_EQUAL(answer.status, 200);
    http_answer_free(&answer);
}

/* Each refusal is counted by its kind, and logged once; so is its end. */
TEST_CASES(refusal, struct refusal, refusal_rows)
{
    const struct stack *stack = stack_shared(&plan);
    size_t told = stack_log_count(stack, c->words);
    double hits = stack_metric(stack, "scoring_cache_hits_total");
    double before = stack_metric(stack, c->sample);
    struct http_answer answer;

    use_store(stack);
    CU_ASSERT_TRUE(redis_do(&stack->redis, c->begin));
    answer = expect_post(stack->port, request_of(c->kind, c->text));
    CU_ASSERT_EQUAL(answer.status, c->status);
    http_answer_free(&answer);
    CU_ASSERT_TRUE(becomes(stack, c->sample, before + 1));
    CU_ASSERT_TRUE(redis_do(&stack->redis, c->end));
    clock_sleep_ms(QUIET_MS);
    for (int i = 0; i < SENT_EACH_TIME; i++)
        use_store(stack);
    CU_ASSERT_EQUAL(stack_metric(stack, c->sample), before + 1);
    CU_ASSERT_EQUAL(stack_metric(stack, "scoring_cache_hits_total"), hits);
    CU_ASSERT_EQUAL(stack_log_count(stack, c->words), told + 2);
}

/* An overdue reply moves its read to a new connection. */
TEST_SINGLE(retries, "are counted")
{
    struct stack *stack = stack_shared(&behind_peer);
    double before = stack_metric(stack, "scoring_store_retries_total");
    struct http_answer answer;

    answer = expect_post(stack->port, request_interests(REQUEST_IDS));
    CU_ASSERT_EQUAL(answer.status, 200);
    http_answer_free(&answer);
    peer_set(stack->peer, PEER_LATE);
    answer = expect_post(stack->port, request_interests(REQUEST_IDS));
    http_answer_free(&answer);
    peer_set(stack->peer, PEER_NONE);
    CU_ASSERT(stack_metric(stack, "scoring_store_retries_total") > before);
}

/*
 * The answers that nginx makes by itself: each adds 1 to its code, and nothing
 * else. The counts come with the parent's next look.
 */
struct own_case {
    const char *name, *head;
    int pad; /* zeros behind that */
    const char *rest;
    int status;
    const char *sample;
};

#define POST(headers) "POST /method HTTP/1.1\r\nHost: x\r\n" headers
#define CLOSE         " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static const struct own_case own_rows[] = {
    {"no HTTP", "what?", 0, "\r\n\r\n", 400, NGINX("400")},
    {"no such path", "GET /nothing", 0, CLOSE, 404, NGINX("404")},
    {"no such verb", "GET /method", 0, CLOSE, 405, NGINX("405")},
    {"a body that is too large", POST("Content-Length: 1048577"), 0, "\r\n\r\n",
     413, NGINX("413")},
    {"an address that is too long", "GET /", LONG_BYTES, CLOSE, 414,
     NGINX("414")},
    {"a compressed body",
     POST("Content-Encoding: gzip\r\nContent-Length: 0\r\nConnection: close"),
     0, "\r\n\r\n", 415, NGINX("415")},
    {"a header that is too long", POST("X: "), LONG_BYTES, "\r\n\r\n", 431,
     NGINX("431")},
    {"an unknown coding", POST("Transfer-Encoding: zip"), 0, "\r\n\r\n", 501,
     NGINX("501")},
    {"another version", "GET / HTTP/3.0", 0, "\r\n\r\n", 505, NGINX("505")},
};

static void
expect_raw(int port, const struct own_case *c)
{
    static char zeros[LONG_BYTES];
    char *text = NULL;
    struct http_answer answer;

    memset(zeros, '0', sizeof(zeros));
    CU_ASSERT_FATAL(
        asprintf(&text, "%s%.*s%s", c->head, c->pad, zeros, c->rest) > 0);
    answer = http_raw(port, text, strlen(text), CLOCK_PATIENCE_MS);
    expect_error(&answer, c->status, NULL);
    http_answer_free(&answer);
    free(text);
}

TEST_CASES(own, struct own_case, own_rows)
{
    const struct stack *stack = stack_shared(&plan);
    /* The store may stumble meanwhile. */
    const char *const samples[5] = {c->sample, "scoring_store_"};
    char *before = scrape(stack);
    const double was = stack_metric_in(before, c->sample);

    CU_ASSERT(was >= 0);
    expect_raw(stack->port, c);
    CU_ASSERT_TRUE(becomes(stack, c->sample, was + 1));
    CU_ASSERT_EQUAL(stack_metric(stack, c->sample), was + 1);
    check_nothing_else(stack, samples, before);
    free(before);
}

/* Sends what no path is for, and waits until it has been counted. */
static void
expect_counted(const struct stack *stack)
{
    const double before = stack_metric(stack, NGINX("404"));
    struct http_answer answer = ask(stack->port, "GET", "/nothing");

    expect_error(&answer, 404, NULL);
    http_answer_free(&answer);
    CU_ASSERT_TRUE(becomes(stack, NGINX("404"), before + 1));
    CU_ASSERT_EQUAL(stack_metric(stack, NGINX("404")), before + 1);
}

/* What is counted later says that what came before would have been. */
TEST_SINGLE(own_health, "refused verbs of health do not count")
{
    const struct stack *stack = stack_shared(&plan);
    const double before = stack_metric(stack, NGINX("405"));
    struct http_answer answer = ask(stack->port, "PUT", "/healthz");

    CU_ASSERT_EQUAL(answer.status, 405);
    http_answer_free(&answer);
    answer = ask(stack->port, "PUT", "/readyz?x");
    CU_ASSERT_EQUAL(answer.status, 405);
    http_answer_free(&answer);
    expect_counted(stack);
    CU_ASSERT_EQUAL(stack_metric(stack, NGINX("405")), before);
}

/* Nor does what the listener of the metrics answers. */
TEST_SINGLE(own_metrics, "errors of the other listener do not count")
{
    static const char *const codes[] = {NGINX("405"), NGINX("413"),
                                        NGINX("other")};
    static char body[1025];
    const struct http_request large = {
        .verb = "GET",
        .path = "/metrics",
        .body = body,
        .body_length = sizeof(body),
    };
    const struct stack *stack = stack_shared(&plan);
    char *before = scrape(stack);
    struct http *http = http_open(stack->metrics_port);
    struct http_answer answer = ask(stack->metrics_port, "GET", "/nothing");

    CU_ASSERT_EQUAL(answer.status, 404);
    http_answer_free(&answer);
    answer = ask(stack->metrics_port, "PUT", "/metrics");
    CU_ASSERT_EQUAL(answer.status, 405);
    http_answer_free(&answer);
    CU_ASSERT_PTR_NOT_NULL_FATAL(http);
    answer = http_send(http, &large);
    CU_ASSERT_EQUAL(answer.status, 413);
    http_answer_free(&answer);
    http_close(http);
    expect_counted(stack);
    for (size_t i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(stack_metric(stack, codes[i]),
                        stack_metric_in(before, codes[i]));
    free(before);
}

static const char *const slow_rate[] = {"SCORING_RATE_LIMIT=1", NULL};
static const struct stack_plan limited = {.store = STACK_REDIS_TCP,
                                          .environment = slow_rate};

TEST_SINGLE(own_rate, "requests over the limit, each of them")
{
    const struct stack *stack = stack_shared(&limited);
    const double before = stack_metric(stack, NGINX("429"));
    double refused = 0;

    for (int i = 0; i < SENT_EACH_TIME || refused == 0; i++) {
        struct http_answer answer =
            expect_post(stack->port, request_score(REQUEST_NAMES));

        if (answer.status == 429)
            refused++;
        else
            expect_score(&answer, 0.5);
        http_answer_free(&answer);
    }
    CU_ASSERT_TRUE(becomes(stack, NGINX("429"), before + refused));
    CU_ASSERT_EQUAL(stack_metric(stack, NGINX("429")), before + refused);
}

/* The socket is where nginx does not find it, and then back. */
TEST_SINGLE(own_away, "requests that the service did not take")
{
    const struct stack *stack = stack_shared(&plan);
    const double before = stack_metric(stack, NGINX("502"));
    char place[FILES_PATH_MAX], aside[FILES_PATH_MAX];
    struct http_answer answer;

    files_path(place, "%s/scoring.sock", stack->run_folder);
    files_path(aside, "%s/aside.sock", stack->run_folder);
    CU_ASSERT_EQUAL(rename(place, aside), 0);
    kill_workers(stack); /* with the connections that nginx has kept */
    for (int i = 0; i < SENT_EACH_TIME; i++) {
        answer = expect_post(stack->port, request_score(REQUEST_NAMES));
        expect_error(&answer, 502, NULL);
        http_answer_free(&answer);
    }
    CU_ASSERT_EQUAL(rename(aside, place), 0);
    CU_ASSERT_TRUE(becomes(stack, NGINX("502"), before + SENT_EACH_TIME));
    CU_ASSERT_EQUAL(stack_metric(stack, NGINX("502")), before + SENT_EACH_TIME);
    send_scores(stack, 1);
}

/* The file keeps what nobody counts. */
TEST_SINGLE(own_kept, "while the parent does not run")
{
    const struct stack *stack = stack_shared(&plan);
    const double before = stack_metric(stack, NGINX("404"));

    (void)kill(stack_parent(stack), SIGSTOP);
    for (int i = 0; i < SENT_EACH_TIME; i++) {
        struct http_answer answer = ask(stack->port, "GET", "/nothing");

        expect_error(&answer, 404, NULL);
        http_answer_free(&answer);
    }
    CU_ASSERT_EQUAL(stack_metric(stack, NGINX("404")), before);
    (void)kill(stack_parent(stack), SIGCONT);
    CU_ASSERT_TRUE(becomes(stack, NGINX("404"), before + SENT_EACH_TIME));
    CU_ASSERT_EQUAL(stack_metric(stack, NGINX("404")), before + SENT_EACH_TIME);
}

/* What is no code, and what is no file: told once, and harmless. */
TEST_SINGLE(own_file, "holds anything, or is none")
{
    const struct stack *stack = stack_shared(&plan);
    const double before = stack_metric(stack, NGINX("other"));
    char place[FILES_PATH_MAX], aside[FILES_PATH_MAX];
    FILE *file;

    files_path(place, "%s/scoring.sock.answers", stack->run_folder);
    files_path(aside, "%s/aside", stack->run_folder);
    file = fopen(place, "a");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    (void)fputs("what?\n\n-1\n4290\n", file);
    CU_ASSERT_EQUAL(fclose(file), 0);
    CU_ASSERT_TRUE(becomes(stack, NGINX("other"), before + 4));
    CU_ASSERT_EQUAL(stack_log_count(stack, "answers are not counted"), 0);
    CU_ASSERT_EQUAL(symlink("/nonexistent/x", aside), 0);
    CU_ASSERT_EQUAL(rename(aside, place), 0);
    CU_ASSERT_TRUE(stack_log_wait(stack, "answers are not counted: .*: ", 1));
    for (int i = 0; i < SENT_EACH_TIME; i++) {
        struct http_answer answer = ask(stack->port, "GET", "/nothing");

        expect_error(&answer, 404, NULL);
        http_answer_free(&answer);
    }
    CU_ASSERT_EQUAL(remove(place), 0);
    expect_counted(stack);
    CU_ASSERT_EQUAL(stack_log_count(stack, "answers are not counted"), 1);
    CU_ASSERT_EQUAL(stack_metric(stack, NGINX("other")), before + 4);
}

/*
 * In the headers, and in a body that is spooled: nginx waits for 10 s. In a
 * small body, which comes first, it does not count.
 */
TEST_SINGLE(own_silent, "callers that stop sending")
{
    static const char *const begun[] = {
        "POST /method HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
        "POST /method HTTP/1.1\r\nHost",
        "POST /method HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{"};
    const struct stack *stack = stack_shared(&plan);
    const double before = stack_metric(stack, NGINX("408"));
    int fds[3];

    for (size_t i = 0; i < 3; i++) {
        fds[i] = ports_connect(stack->port, CLOCK_PATIENCE_MS);
        CU_ASSERT_FATAL(fds[i] >= 0);
        CU_ASSERT(send(fds[i], begun[i], strlen(begun[i]), 0) > 0);
    }
    CU_ASSERT_TRUE(becomes(stack, NGINX("408"), before + 2));
    for (size_t i = 0; i < 3; i++)
        (void)close(fds[i]);
    CU_ASSERT_EQUAL(stack_metric(stack, NGINX("408")), before + 2);
}

TEST_SUITE(.parts = 3);
