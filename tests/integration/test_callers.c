/*
 * What callers may cost: bodies of any shape without a valid token, uploads
 * that end at once, callers that hang up, answers for which there is no room.
 * The real stack, with one worker, which is measured from outside. Source:
 * docs/protocol.md, S1.3, S6 and S23.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/buffer.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/expect.h"
#include "support/fcgi_peer.h"
#include "support/http.h"
#include "support/request.h"
#include "support/stack.h"

#define BODY_BYTES    (1024 * 1024)
#define ROUNDS        9 /* the fastest one counts */
#define COST_FACTOR   4
#define WORKER_MAX_KB (24 * 1024)
#define KEPT_MAX_KB   (4 * 1024) /* memory of an idle worker */

static const char *const one_worker[] = {"SCORING_WORKERS=1", NULL};
static const struct stack_plan plan = {.store = STACK_REDIS_UNIX,
                                       .environment = one_worker};

/* The worker, measured from outside. */

static pid_t
worker_of(const struct stack *stack)
{
    struct proc_found workers = stack_workers(stack);

    CU_ASSERT_EQUAL_FATAL(workers.count, 1);
    return workers.pid[0];
}

/* The sum of all numbers after a name in a file of /proc, in its unit. */
static long long
proc_sum(pid_t pid, const char *file, const char *name)
{
    char path[FILES_PATH_MAX];
    char *text, *rest, *line;
    long long sum = 0;

    files_path(path, "/proc/%d/%s", (int)pid, file);
    text = rest = files_read(path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    while ((line = strsep(&rest, "\n")) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0 && strchr(line, ':'))
            sum += atoll(strchr(line, ':') + 1);
    }
    free(text);
    return sum;
}

static long long
private_kb(pid_t pid)
{
    return proc_sum(pid, "smaps_rollup", "Private_");
}

/* The peak of its memory since it was last reset. */
static long long
peak_kb(pid_t pid)
{
    return proc_sum(pid, "status", "VmHWM");
}

static void
set_peak_back(pid_t pid)
{
    char path[FILES_PATH_MAX];

    files_path(path, "/proc/%d/clear_refs", (int)pid);
    CU_ASSERT_TRUE(files_write(path, "5"));
}

/* Its processor time. */
static long long
cpu_ns(pid_t pid)
{
    char path[FILES_PATH_MAX];
    char *text;
    long long ns;

    files_path(path, "/proc/%d/schedstat", (int)pid);
    text = files_read(path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    ns = atoll(text);
    free(text);
    return ns;
}

/* Under ASan neither memory nor time is checked. */
static bool
is_measured(void)
{
#ifdef __SANITIZE_ADDRESS__
    return false;
#else
    return true;
#endif
}

/* Bodies of the largest size. */

#define TOKEN_OF_ZEROS                                                         \
    "\"token\":"                                                               \
    "\"0000000000000000000000000000000000000000000000000000000000000000"       \
    "0000000000000000000000000000000000000000000000000000000000000000\""
#define WRONG "\"account\":\"a\",\"method\":\"online_score\"," TOKEN_OF_ZEROS
#define REST  ",\"login\":\"\",\"arguments\":{}"

struct shape_case {
    const char *name;
    const char *start, *item, *end; /* with blanks up to the size */
    size_t items_max;               /* 0: as many as fit */
    int status;
};

/* The last rows have as many items as a body may have. */
static const struct shape_case shape_rows[] = {
    {"objects", "{\"login\":\"\",\"x\":[{}", ",{}", "]}", 0, 413},
    {"arrays", "[[]", ",[]", "]", 0, 413},
    {"numbers", "[0", ",0", "]", 0, 413},
    {"strings", "[\"\"", ",\"\"", "]", 0, 413},
    {"members", "{\"\":0", ",\"\":0", "}", 0, 413},
    {"objects in the arguments", "{" WRONG ",\"arguments\":{\"x\":[{}", ",{}",
     "]}}", 0, 413},
    {"one string", "{\"x\":\"", "a", "\"}", 0, 422},
    {"a string of letters escaped", "{\"x\":\"", "\\n", "\"}", 0, 422},
    {"a string of units escaped", "{\"x\":\"", "\\u0041", "\"}", 0, 422},
    {"a string in Cyrillic", "{\"x\":\"", "\xd0\xb6", "\"}", 0, 422},
    {"a name of units escaped", "{\"", "\\u0000", "\":1}", 0, 422},
    {"a number", "[1", "1", "]", 0, 422},
    {"blanks", "[ ", "\n ", "]", 0, 422},
    {"strings of 100", "[\"\"",
     ",\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "a"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
     "]", 0, 422},
    {"a login", "{" WRONG ",\"arguments\":{},\"login\":\"", "a", "\"}", 0, 403},
    {"a login escaped", "{" WRONG ",\"arguments\":{},\"login\":\"", "\\\\",
     "\"}", 0, 403},
    {"a login of surrogates", "{" WRONG ",\"arguments\":{},\"login\":\"",
     "\\ud83d\\ude00", "\"}", 0, 403},
    {"a string in the arguments",
     "{" WRONG ",\"login\":\"\",\"arguments\":{\"x\":\"", "a", "\"}}", 0, 403},
    {"many objects", "{" WRONG REST ",\"x\":[{}", ",{}", "]}", 29992, 403},
    {"many objects in one another",
     "{" WRONG ",\"login\":\"\",\"arguments\":{\"x\":[{}",
     ",{\"a\":{\"b\":[]}}", "]}}", 9997, 403},
};

/* A body of exactly BODY_BYTES; the caller frees it. */
static char *
make_body(const struct shape_case *c)
{
    size_t room = BODY_BYTES - strlen(c->end);
    struct buffer text = {0};

    buffer_add_text(&text, c->start);
    for (size_t i = 0; (c->items_max == 0 || i < c->items_max) &&
                       text.length + strlen(c->item) <= room;
         i++)
        buffer_add_text(&text, c->item);
    buffer_add_text(&text, c->end);
    while (text.length < BODY_BYTES)
        buffer_add_text(&text, " ");
    CU_ASSERT_EQUAL(text.length, BODY_BYTES);
    return buffer_take(&text);
}

/* The processor time that the worker uses for a body, in nanoseconds. */
static long long
cost_of(struct http *http, pid_t worker, const char *body, int status)
{
    long long before = cpu_ns(worker), cost;
    struct http_answer answer = http_post(http, body);

    cost = cpu_ns(worker) - before;
    CU_ASSERT_EQUAL(answer.status, status);
    http_answer_free(&answer);
    return cost;
}

/* Both are measured in turn, so that a busy machine slows both. */
static bool
is_cheap(const struct stack *stack, const struct shape_case *c)
{
    static const struct shape_case one_string = {
        .start = "{\"x\":\"", .item = "a", .end = "\"}", .status = 422};
    struct http *http = http_open(stack->port);
    pid_t worker = worker_of(stack);
    char *body = make_body(c), *other = make_body(&one_string);
    long long cost = LLONG_MAX, allowed = LLONG_MAX;

    for (int i = 0; i < ROUNDS; i++) {
        const long long now = cost_of(http, worker, body, c->status);
        const long long reference =
            cost_of(http, worker, other, one_string.status);

        cost = MIN(cost, now);
        allowed = MIN(allowed, COST_FACTOR * reference);
    }
    if (cost > allowed)
        (void)printf("%s: %lld us, allowed %lld us\n", c->name, cost / 1000,
                     allowed / 1000);
    free(body);
    free(other);
    http_close(http);
    return cost <= allowed;
}

static bool
is_at_rest(void *arg)
{
    const pid_t *worker = arg;

    return private_kb(*worker) < KEPT_MAX_KB;
}

TEST_CASES(shape, struct shape_case, shape_rows)
{
    const struct stack *stack = stack_shared(&plan);
    pid_t worker = worker_of(stack);
    long long before_kb;
    bool was_cheap;

    set_peak_back(worker);
    before_kb = peak_kb(worker);
    was_cheap = is_cheap(stack, c);
    if (!is_measured())
        return;
    CU_ASSERT_TRUE(was_cheap);
    CU_ASSERT_TRUE(peak_kb(worker) - before_kb <= WORKER_MAX_KB);
    CU_ASSERT_TRUE(clock_wait(is_at_rest, &worker, CLOCK_PATIENCE_MS));
}

/* With a valid token much is decoded, but not kept. */
TEST_SINGLE(decoded, "what arguments take is given back")
{
    const struct stack *stack = stack_shared(&plan);
    pid_t worker = worker_of(stack);
    struct buffer arguments = {0};
    struct http_answer answer;

    buffer_add_text(&arguments,
                    "{\"first_name\":\"a\",\"last_name\":\"b\",\"x\":[{}");
    for (int i = 0; i < 29990; i++)
        buffer_add_text(&arguments, ",{}");
    buffer_add_text(&arguments, "]}");
    set_peak_back(worker);
    answer = expect_post(stack->port, request_score(buffer_text(&arguments)));
    expect_score(&answer, 0.5);
    http_answer_free(&answer);
    buffer_free(&arguments);
    if (!is_measured())
        return;
    CU_ASSERT_TRUE(peak_kb(worker) <= 2 * WORKER_MAX_KB);
    CU_ASSERT_TRUE(clock_wait(is_at_rest, &worker, CLOCK_PATIENCE_MS));
}

/* Uploads that end at the same time, from a web server that has all of them. */

#define UPLOADS      300
#define UPLOAD_BYTES (700 * 1024)
#define UPLOADS_MS   (2 * CLOCK_PATIENCE_MS)
#define OTHER_MS     1000 /* the limit of a small request meanwhile */

struct upload {
    int fd;
    size_t sent;
    bool is_answered;
};

static bool
is_end_of_answer(const char *bytes, ssize_t length)
{
    return length > 16 && memmem(bytes, (size_t)length, "Status: 422", 11);
}

static void
upload_open(const struct stack *stack, struct upload *upload)
{
    char path[FILES_PATH_MAX];

    files_path(path, "%s/scoring.sock", stack->run_folder);
    *upload = (struct upload){.fd = fcgi_peer_connect(path)};
    CU_ASSERT_TRUE_FATAL(upload->fd >= 0);
}

static bool
is_let_go(ssize_t moved)
{
    return moved == 0 || (moved < 0 && errno != EAGAIN && errno != EINTR);
}

/*
 * Sends and receives what is possible; returns whether it has been answered. On
 * a slow machine some do not arrive within the limit of the service; they are
 * sent again, as by a web server.
 */
static bool
upload_go_on(const struct stack *stack, struct upload *upload,
             const struct buffer *bytes)
{
    char answer[4096];
    ssize_t moved;

    if (upload->is_answered)
        return true;
    if (upload->sent < bytes->length) {
        moved = send(upload->fd, bytes->data + upload->sent,
                     bytes->length - upload->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        upload->sent += moved > 0 ? (size_t)moved : 0;
    } else {
        moved = recv(upload->fd, answer, sizeof(answer), MSG_DONTWAIT);
        upload->is_answered = is_end_of_answer(answer, moved);
    }
    if (is_let_go(moved)) {
        (void)close(upload->fd);
        upload_open(stack, upload);
    }
    return upload->is_answered;
}

static size_t
uploads_go_on(const struct stack *stack, struct upload uploads[UPLOADS],
              const struct buffer *bytes)
{
    struct pollfd waiting[UPLOADS];
    size_t answered = 0;

    for (size_t i = 0; i < UPLOADS; i++) {
        bool is_sending = uploads[i].sent < bytes->length;

        answered += upload_go_on(stack, &uploads[i], bytes);
        waiting[i] =
            (struct pollfd){.fd = uploads[i].is_answered ? -1 : uploads[i].fd,
                            .events = is_sending ? POLLOUT : POLLIN};
    }
    (void)poll(waiting, UPLOADS, 50);
    return answered;
}

TEST_SINGLE(uploads, "many that end at once take no more than their budget")
{
    static struct upload uploads[UPLOADS];
    const struct stack *stack = stack_shared(&plan);
    static char body[UPLOAD_BYTES];
    const struct fcgi_peer_exchange exchange = {.body = body,
                                                .body_length = sizeof(body)};
    int64_t end_ms = clock_ms() + UPLOADS_MS;
    pid_t worker = worker_of(stack);
    struct buffer bytes = {0};
    size_t answered = 0, rounds = 0;
    long long before_kb;

    memset(body, ' ', sizeof(body));
    memcpy(body, "{}", 2);
    fcgi_peer_whole(&bytes, &exchange);
    for (size_t i = 0; i < UPLOADS; i++)
        upload_open(stack, &uploads[i]);
    set_peak_back(worker);
    before_kb = peak_kb(worker);
    while (answered < UPLOADS && clock_ms() < end_ms) {
        answered = uploads_go_on(stack, uploads, &bytes);
        if (rounds++ % 16 == 1) {
            struct http_answer answer =
                expect_post(stack->port, request_score("{}"));

            CU_ASSERT_EQUAL(answer.status, 422);
            CU_ASSERT_TRUE(answer.seconds * 1000 < OTHER_MS);
            http_answer_free(&answer);
        }
    }
    CU_ASSERT_EQUAL(answered, UPLOADS);
    if (is_measured())
        CU_ASSERT_TRUE(peak_kb(worker) - before_kb <= WORKER_MAX_KB);
    for (size_t i = 0; i < UPLOADS; i++)
        (void)close(uploads[i].fd);
    buffer_free(&bytes);
}

/* Callers that hang up. */

/* The value of a sample, with its labels if any; -1: there is none. */
static double
metric(const struct stack *stack, const char *sample)
{
    const struct http_request request = {.verb = "GET", .path = "/metrics"};
    struct http *http = http_open(stack->metrics_port);
    struct http_answer answer = http_send(http, &request);
    const char *at = strstr(answer.body, sample);
    double value = at != NULL ? strtod(at + strlen(sample), NULL) : -1;

    http_answer_free(&answer);
    http_close(http);
    return value;
}

#define FASTCGI "\nscoring_errors_total{kind=\"fastcgi\"} "
#define SYSTEM  "\nscoring_errors_total{kind=\"system\"} "
#define PARKED  "\nscoring_requests_parked "

static bool
has_parked(void *arg)
{
    return metric(arg, PARKED) >= 1;
}

static bool
has_none_parked(void *arg)
{
    return metric(arg, PARKED) == 0;
}

/* Sends a request, and does not wait for the answer. */
static void
hang_up(int port)
{
    char *body = request_interests("{\"client_ids\": [1, 2, 3]}");
    struct buffer request = {0};
    struct http_answer answer;

    buffer_printf(&request,
                  "POST /method HTTP/1.1\r\nHost: a\r\nContent-Length: "
                  "%zu\r\n\r\n%s",
                  strlen(body), body);
    answer = http_raw(port, request.data, request.length, 50);
    CU_ASSERT_EQUAL(answer.status, 0);
    http_answer_free(&answer);
    buffer_free(&request);
    free(body);
}

TEST_SINGLE(hang_up, "callers that hang up are no errors")
{
    struct stack *stack = stack_shared(&plan);
    double before = metric(stack, FASTCGI);
    size_t lines = stack_log_count(stack, "\\] E ");

    CU_ASSERT_TRUE(before >= 0);
    redis_freeze(&stack->redis);
    for (int i = 0; i < 5; i++)
        hang_up(stack->port);
    CU_ASSERT_TRUE(clock_wait(has_parked, stack, CLOCK_PATIENCE_MS));
    redis_thaw(&stack->redis);
    CU_ASSERT_TRUE(clock_wait(has_none_parked, stack, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(metric(stack, FASTCGI), before);
    CU_ASSERT_EQUAL(stack_log_count(stack, "\\] E request "), 0);
    CU_ASSERT_TRUE(stack_log_count(stack, "\\] E ") <= lines + 2);
}

/* Answers for which there is no room. */

static void
limit_files_of(pid_t pid, rlim_t bytes)
{
    struct rlimit limit;

    CU_ASSERT_EQUAL(prlimit(pid, RLIMIT_FSIZE, NULL, &limit), 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    CU_ASSERT_EQUAL(prlimit(pid, RLIMIT_FSIZE, &limit, NULL), 0);
}

/*
 * A limit of file sizes that the log does not reach, but a large answer does.
 */
TEST_SINGLE(no_room, "a large answer without room is one 500, run once")
{
    struct stack *stack = stack_shared(&plan);
    pid_t worker = worker_of(stack);
    size_t before = stack_log_count(stack, "method=clients_interests code=500");
    double system = metric(stack, SYSTEM);
    struct http_answer answer;

    CU_ASSERT_TRUE(
        redis_do(&stack->redis, "EVAL %s 0",
                 "redis.call('SET', 'i:1', '[\"' .. string.rep('a', 400000) "
                 ".. '\"]')"));
    limit_files_of(worker, 300000);
    answer =
        expect_post(stack->port, request_interests("{\"client_ids\": [1]}"));
    expect_error_text(&answer, 500, "Internal Server Error");
    http_answer_free(&answer);
    limit_files_of(worker, RLIM_INFINITY);
    CU_ASSERT_TRUE(stack_log_wait(
        stack, "method=clients_interests code=500 .*nclients=1$", 1));
    CU_ASSERT_EQUAL(stack_log_count(stack, "method=clients_interests code=500"),
                    before + 1);
    CU_ASSERT_EQUAL(stack_log_count(stack,
                                    "\\] E request id=.*: no memory file "
                                    "for a large answer: File too "
                                    "large$"),
                    1);
    CU_ASSERT_EQUAL(metric(stack, SYSTEM), system + 1);
    answer =
        expect_post(stack->port, request_interests("{\"client_ids\": [1]}"));
    CU_ASSERT_EQUAL(answer.status, 200);
    CU_ASSERT_TRUE(answer.body_length > 400000);
    http_answer_free(&answer);
}
