/*
 * Health, through nginx and, for what nginx does not pass on, on the service's
 * own socket. Source: docs/protocol.md, S8.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/cases.h"
#include "support/clock.h"
#include "support/expect.h"
#include "support/fcgi_peer.h"
#include "support/stack.h"

#define START_TRIES   10
#define FLUSH_MS      1100 /* nginx writes its access log each second */
#define LIMITED_COUNT 50   /* in far less than a second */

#define ALIVE    "{\"status\": \"ok\"}"
#define READY    "{\"status\": \"ready\", \"store\": \"up\"}"
#define DEGRADED "{\"status\": \"degraded\", \"store\": \"down\"}"

static const struct stack_plan plan = {.store = STACK_REDIS_TCP};

static const char *const limits[] = {"SCORING_RATE_LIMIT=1", NULL};
static const struct stack_plan limited = {.store = STACK_REDIS_TCP,
                                          .environment = limits};

static struct http_answer
ask(const struct stack *stack, const char *verb, const char *path)
{
    const struct http_request request = {.verb = verb, .path = path};
    struct http *http = http_open(stack->port);
    struct http_answer answer;

    CU_ASSERT_PTR_NOT_NULL_FATAL(http);
    answer = http_send(http, &request);
    http_close(http);
    return answer;
}

/* A wait for a health answer. */
struct wanted {
    const struct stack *stack;
    const char *body;
};

static bool
ready_is(void *arg)
{
    const struct wanted *wanted = arg;
    struct http_answer answer = ask(wanted->stack, "GET", "/readyz");
    bool is_so = answer.status == 200 && strcmp(answer.body, wanted->body) == 0;

    http_answer_free(&answer);
    return is_so;
}

/* The shared stack, once all workers serve. */
static struct stack *
use_stack(const struct stack_plan *which)
{
    struct stack *stack = stack_shared(which);
    struct wanted ready = {stack, READY};

    CU_ASSERT_TRUE(clock_wait(ready_is, &ready, CLOCK_PATIENCE_MS));
    return stack;
}

struct route_case {
    const char *name, *verb, *path;
    int status;
    const char *body; /* NULL: an envelope with an error */
    const char *allow;
};

static const struct route_case route_rows[] = {
    {"alive", "GET", "/healthz", 200, ALIVE, NULL},
    {"alive with a query", "GET", "/healthz?a=1", 200, ALIVE, NULL},
    {"alive, percent-encoded", "GET", "/%68ealthz", 200, ALIVE, NULL},
    {"alive by HEAD", "HEAD", "/healthz", 200, "", NULL},
    {"ready", "GET", "/readyz", 200, READY, NULL},
    {"ready by HEAD", "HEAD", "/readyz", 200, "", NULL},
    {"alive by POST", "POST", "/healthz", 405, NULL, "GET, HEAD"},
    {"alive by OPTIONS", "OPTIONS", "/healthz", 405, NULL, "GET, HEAD"},
    {"alive by TRACE", "TRACE", "/healthz", 405, NULL, "GET, HEAD"},
    {"ready by PUT", "PUT", "/readyz", 405, NULL, "GET, HEAD"},
    {"ready by DELETE", "DELETE", "/readyz?x", 405, NULL, "GET, HEAD"},
    {"alive and a slash", "GET", "/healthz/", 404, NULL, NULL},
    {"alive in capitals", "GET", "/HEALTHZ", 404, NULL, NULL},
    {"alive and more", "GET", "/healthzx", 404, NULL, NULL},
    {"two slashes", "GET", "//healthz", 404, NULL, NULL},
    {"a newline behind", "GET", "/healthz%0A", 404, NULL, NULL},
    {"page of the errors", "GET", "/scoring-error-get", 404, NULL, NULL},
    {"where verbs are refused", "GET", "/scoring-405", 404, NULL, NULL},
    {"where other verbs are refused", "GET", "/scoring-405-get", 404, NULL,
     NULL},
    {"metrics", "GET", "/metrics", 404, NULL, NULL},
    {"the service's own reload", "GET", "/reload", 404, NULL, NULL},
    {"it behind where large bodies go", "GET", "/scoring-large/reload", 404,
     NULL, NULL},
    {"it without a slash", "GET", "/scoring-largereload", 404, NULL, NULL},
    {"method by GET", "GET", "/method", 405, NULL, "POST"},
};

static const char *
text_of(const char *allow)
{
    if (allow == NULL)
        return "no such path: POST /method";
    return strcmp(allow, "POST") == 0 ? "use POST" : "use GET or HEAD";
}

TEST_CASES(route, struct route_case, route_rows)
{
    struct http_answer answer = ask(use_stack(&plan), c->verb, c->path);
    char value[32];

    CU_ASSERT_EQUAL(answer.status, c->status);
    if (c->body != NULL) {
        CU_ASSERT_STRING_EQUAL(answer.body, c->body);
        expect_header(&answer, "Content-Type", "application/json");
    } else {
        expect_error_text(&answer, c->status, text_of(c->allow));
    }
    CU_ASSERT_EQUAL(http_header(&answer, "Allow", value, sizeof(value)),
                    c->allow != NULL);
    if (c->allow != NULL)
        expect_header(&answer, "Allow", c->allow);
    expect_header(&answer, "Cache-Control", "no-store");
    expect_header(&answer, "X-Content-Type-Options", "nosniff");
    http_answer_free(&answer);
}

struct body_case {
    const char *name;
    size_t length;
    int want;
};

static const struct body_case body_rows[] = {
    {"small", 2, 200}, {"1 KiB", 1024, 200}, {"more than that", 1025, 413}};

TEST_CASES(body, struct body_case, body_rows)
{
    static char spaces[2048];
    const struct http_request request = {.verb = "GET",
                                         .path = "/healthz",
                                         .body = spaces,
                                         .body_length = c->length};
    struct http *http = http_open(use_stack(&plan)->port);
    struct http_answer answer;

    CU_ASSERT_PTR_NOT_NULL_FATAL(http);
    memset(spaces, ' ', sizeof(spaces) - 1);
    answer = http_send(http, &request);
    CU_ASSERT_EQUAL(answer.status, c->want);
    if (c->want == 200)
        CU_ASSERT_STRING_EQUAL(answer.body, ALIVE);
    http_answer_free(&answer);
    http_close(http);
}

/* nginx logs only health requests that it refuses, by verb or body. */
TEST_SINGLE(log, "has no line of it, and nginx's neither")
{
    const struct stack *stack = use_stack(&plan);
    char path[FILES_PATH_MAX], *access;
    struct http_answer answer;

    answer = ask(stack, "GET", "/healthz");
    http_answer_free(&answer);
    answer = ask(stack, "POST", "/method"); /* 400, in the log */
    http_answer_free(&answer);
    CU_ASSERT_TRUE(stack_log_wait(stack, "path=/method .*code=400", 1));
    CU_ASSERT_EQUAL(stack_log_count(stack, "healthz|readyz"), 0);
    files_path(path, "%.200s/nginx/access.log", stack->run_folder);
    clock_sleep_ms(FLUSH_MS);
    access = files_read(path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(access);
    CU_ASSERT_PTR_NOT_NULL(strstr(access, "path=/method "));
    CU_ASSERT_PTR_NULL(strstr(access, "path=/healthz code=200"));
    free(access);
}

/* run.sh has sent its probe before the stack is ready. */
TEST_SINGLE(probes, "of make run and of the command are no requests")
{
    const char *binary = getenv("RUN_BINARY");
    char socket[FILES_PATH_MAX];
    const char *const argv[] = {binary, "healthcheck", socket, NULL};
    const struct proc_plan command = {.argv = argv};
    struct proc proc;
    struct stack stack;

    CU_ASSERT_TRUE_FATAL(stack_start(&stack, &plan));
    files_path(socket, "%.200s/scoring.sock", stack.run_folder);
    CU_ASSERT_TRUE_FATAL(proc_start(&proc, &command));
    CU_ASSERT_TRUE(proc_wait(&proc, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(proc_exit_status(&proc), 0);
    CU_ASSERT_TRUE(stack_log_wait(&stack, ".", 1));
    CU_ASSERT_EQUAL(stack_log_count(&stack, "code="), 0);
    CU_ASSERT_TRUE(stack_stop(&stack));
}

TEST_SINGLE(rate, "of requests is not limited")
{
    const struct stack *stack = use_stack(&limited);

    for (int i = 0; i < LIMITED_COUNT; i++) {
        struct http_answer answer = ask(stack, "GET", "/healthz");

        CU_ASSERT_EQUAL(answer.status, 200);
        http_answer_free(&answer);
    }
}

TEST_SINGLE(store, "goes and comes back: degraded, then ready")
{
    struct stack *stack = use_stack(&plan);
    struct wanted degraded = {stack, DEGRADED}, ready = {stack, READY};
    struct http_answer answer;

    redis_kill(&stack->redis);
    CU_ASSERT_TRUE(clock_wait(ready_is, &degraded, CLOCK_PATIENCE_MS));
    answer = ask(stack, "GET", "/healthz");
    CU_ASSERT_STRING_EQUAL(answer.body, ALIVE);
    http_answer_free(&answer);
    CU_ASSERT_TRUE(redis_start(&stack->redis));
    CU_ASSERT_TRUE(clock_wait(ready_is, &ready, CLOCK_PATIENCE_MS));
}

/* The other tests need no nginx: a service on a socket. */

struct service {
    struct proc proc;
    char folder[FILES_PATH_MAX], socket[FILES_PATH_MAX];
    char output[FILES_PATH_MAX];
};

static bool
socket_accepts(void *arg)
{
    const struct service *service = arg;
    int fd = fcgi_peer_connect(service->socket);

    if (fd >= 0)
        (void)close(fd);
    return fd >= 0;
}

static void
service_start(struct service *service)
{
    const char *binary = getenv("RUN_BINARY");
    const char *const argv[] = {
        "spawn-fcgi", "-n",
        "-s",         service->socket,
        "-M",         "0600",
        "--",         binary != NULL ? binary : "build/release/scoring",
        NULL};
    static const char *const environment[] = {
        "PATH=/usr/local/bin:/usr/bin:/bin", "SCORING_WORKERS=1",
        "REDIS_URL=unix:///nonexistent/redis.sock", NULL};
    const struct proc_plan proc_plan = {.argv = argv,
                                        .environment = environment,
                                        .output = service->output,
                                        .death_signal = SIGKILL};

    *service = (struct service){.proc = {0}};
    CU_ASSERT_TRUE_FATAL(files_folder_make(service->folder));
    files_path(service->socket, "%s/socket", service->folder);
    files_path(service->output, "%s/output", service->folder);
    CU_ASSERT_TRUE_FATAL(proc_start(&service->proc, &proc_plan));
    CU_ASSERT_TRUE(clock_wait(socket_accepts, service, CLOCK_PATIENCE_MS));
}

static void
service_end(struct service *service)
{
    proc_signal(&service->proc, SIGCONT); /* if it is stopped */
    CU_ASSERT_TRUE(proc_stop(&service->proc));
    files_folder_remove(service->folder);
}

struct saying {
    const struct service *service;
    const char *text;
};

static bool
is_said(void *arg)
{
    const struct saying *saying = arg;
    char *output = files_read(saying->service->output);
    bool is_found = output != NULL && strstr(output, saying->text) != NULL;

    free(output);
    return is_found;
}

/* The FastCGI exchange of a GET. */
static void
put_get(struct buffer *out, const char *path)
{
    struct buffer content = {0};

    fcgi_peer_begin(out, 1, FCGI_PEER_RESPONDER, FCGI_PEER_KEEP);
    fcgi_peer_pair(&content, "REQUEST_METHOD", "GET");
    fcgi_peer_pair(&content, "DOCUMENT_URI", path);
    fcgi_peer_record(out, FCGI_PEER_PARAMS, 1, content.data, content.length, 0);
    fcgi_peer_record(out, FCGI_PEER_PARAMS, 1, "", 0, 0);
    fcgi_peer_record(out, FCGI_PEER_STDIN, 1, "", 0, 0);
    buffer_free(&content);
}

static void
expect_not_ready(int fd, const char *body)
{
    struct fcgi_peer_answer answer = {0};

    CU_ASSERT_EQUAL_FATAL(fcgi_peer_read(fd, CLOCK_PATIENCE_MS, &answer),
                          FCGI_PEER_ANSWERED);
    CU_ASSERT_EQUAL(answer.status, 503);
    CU_ASSERT_STRING_EQUAL(fcgi_peer_answer_body(&answer), body);
    CU_ASSERT_PTR_NOT_NULL(strstr(buffer_text(&answer.text), "Retry-After: 1"));
    fcgi_peer_answer_free(&answer);
}

/* A request that has begun to arrive is answered in any case. */
TEST_SINGLE(draining, "is told while what runs is finished")
{
    struct service service;
    struct saying ready = {&service, "] I ready: "};
    struct saying stopping = {&service, "] I stopping: "};
    struct buffer bytes = {0}, begun = {0};
    int fd;

    service_start(&service);
    CU_ASSERT_TRUE(clock_wait(is_said, &ready, CLOCK_PATIENCE_MS));
    put_get(&bytes, "/readyz");
    buffer_add(&begun, bytes.data, bytes.length - 1);
    fd = fcgi_peer_connect(service.socket);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_TRUE(fcgi_peer_send(fd, &begun));
    clock_sleep_ms(100); /* until the worker has handled it */
    proc_signal(&service.proc, SIGTERM);
    CU_ASSERT_TRUE(clock_wait(is_said, &stopping, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(write(fd, bytes.data + bytes.length - 1, 1), 1);
    expect_not_ready(fd, "{\"status\": \"draining\", \"store\": \"down\"}");
    (void)close(fd);
    CU_ASSERT_TRUE(proc_wait(&service.proc, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(proc_exit_status(&service.proc), 0);
    buffer_free(&bytes);
    buffer_free(&begun);
    service_end(&service);
}

static bool
has_worker(void *arg)
{
    const struct service *service = arg;

    return proc_find_children(service->proc.pid, "scoring").count > 0;
}

/* A service whose parent is stopped before it reports that it is ready. */
static bool
start_frozen(struct service *service)
{
    struct saying ready = {service, "] I ready: "};

    service_start(service);
    CU_ASSERT_TRUE(clock_wait(has_worker, service, CLOCK_PATIENCE_MS));
    proc_signal(&service->proc, SIGSTOP);
    clock_sleep_ms(50); /* for the lines that it was about to log */
    return !is_said(&ready);
}

TEST_SINGLE(starting, "is told until every worker stands")
{
    struct service service;
    struct buffer bytes = {0};
    bool is_frozen = false;
    int fd;

    for (int i = 0; i < START_TRIES && !is_frozen; i++) {
        is_frozen = start_frozen(&service);
        if (!is_frozen)
            service_end(&service);
    }
    if (!is_frozen) {
        cases_skip("this machine is too slow to stop the parent in time");
        return;
    }
    put_get(&bytes, "/readyz");
    fd = fcgi_peer_connect(service.socket);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_TRUE(fcgi_peer_send(fd, &bytes));
    expect_not_ready(fd, "{\"status\": \"starting\", \"store\": \"down\"}");
    (void)close(fd);
    buffer_free(&bytes);
    service_end(&service);
}

/* The API's listener has no metrics. */
TEST_SINGLE(metrics, "are 404 over FastCGI without the listener's name")
{
    struct service service;
    struct buffer bytes = {0};
    int fd;

    service_start(&service);
    put_get(&bytes, "/metrics");
    fd = fcgi_peer_connect(service.socket);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_TRUE(fcgi_peer_send(fd, &bytes));
    CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), 404);
    (void)close(fd);
    buffer_free(&bytes);
    service_end(&service);
}
