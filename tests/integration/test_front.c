/*
 * nginx in front of the service: hundreds of slow or silent clients, the limit
 * of requests, and what the answers and logs of nginx reveal. Source:
 * docs/protocol.md, S2 and S28.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/units.h"
#include "support/buffer.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/expect.h"
#include "support/fcgi_peer.h"
#include "support/load.h"
#include "support/lost.h"
#include "support/ports.h"
#include "support/request.h"
#include "support/stack.h"

#define TIMEOUT_MS 12000 /* nginx waits 8 s for an answer */
#define FLUSH_MS   1100  /* nginx writes its access log each second */

/* The tests send these texts; no log may contain them. */
#define MARK       "zq7"
#define MARK_PHONE "79160000777"

static const struct stack_plan plan = {.store = STACK_REDIS_UNIX};

/* The limits of the store at their maximum. */
static const char *const patient[] = {"SCORING_STORE_CONNECT_TIMEOUT_MS=5000",
                                      "SCORING_STORE_TIMEOUT_MS=5000",
                                      "SCORING_STORE_DEADLINE_MS=5000", NULL};
static const struct stack_plan patient_plan = {.store = STACK_REDIS_UNIX,
                                               .environment = patient};

/* An answer that is larger than all socket buffers together. */
#define LARGE_BYTES_MIN 6000000
#define LARGE_IDS       "{\"client_ids\": [1, 2, 3, 4, 5, 6, 7, 8]}"

static bool
fill_store(const struct redis *redis)
{
    return redis_do(redis, "EVAL %s 0",
                    "for id = 1, 8 do redis.call('SET', 'i:' .. id, '[\"' .. "
                    "string.rep('a', 750000) .. '\"]') end");
}

static void
check_file_unmarked(const char *path)
{
    static const char *const marks[] = {MARK, MARK_PHONE};
    char *text = files_read(path);

    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        const char *mark = text != NULL ? strstr(text, marks[i]) : NULL;

        CU_ASSERT_PTR_NULL(mark);
        if (mark != NULL)
            (void)printf("%s holds %.200s\n", path, mark);
    }
    free(text);
}

static void
check_logs_unmarked(const struct stack *stack)
{
    char access[FILES_PATH_MAX], error[FILES_PATH_MAX];

    clock_sleep_ms(FLUSH_MS);
    files_path(access, "%.200s/nginx/access.log", stack->run_folder);
    files_path(error, "%.200s/nginx/error.log", stack->run_folder);
    check_file_unmarked(access);
    check_file_unmarked(error);
    check_file_unmarked(stack->log);
    check_file_unmarked(stack->output);
}

/*
 * Slow and silent clients: started first, checked last, and on their own stack,
 * so that no other test waits for nginx's limits of 10 s.
 */

#define CROWD_MAX 400
/* far more than those limits, for busy machines */
#define CROWD_LIMIT_MS   25000
#define CROWD_FIRST_MS   8000 /* well below those limits */
#define CROWD_LEAST_MS   9500 /* before this none is let go */
#define CROWD_PROBES     200
#define CROWD_P99_S      0.25
#define CROWD_SLOWEST_S  1.0
#define CROWD_CALLERS    4
#define CROWD_CALLERS_MS 500

struct quiet_kind {
    const char *name,
        *data; /* NULL: a complete request whose answer is never read */
    size_t count;
};

#define HEAD                                                                   \
    "POST /method?" MARK " HTTP/1.1\r\nHost: a\r\nCookie: " MARK               \
    "\r\nAuthorization: Bearer " MARK "\r\nReferer: http://a/" MARK_PHONE      \
    "\r\nUser-Agent: " MARK "\r\nX-Forwarded-For: " MARK "\r\n"

static const struct quiet_kind quiet_kinds[] = {
    {"silent from the start", "", 100},
    {"half a line", "POST /method?" MARK, 60},
    {"half a head", HEAD "X-Phone: " MARK_PHONE, 60},
    {"no body", HEAD "Content-Length: 90\r\n\r\n", 60},
    {"half a body",
     HEAD "Content-Length: 90\r\n\r\n{\"arguments\": {\"phone\": \"" MARK_PHONE,
     60},
    {"never reads", NULL, 10},
};

#define QUIET_KINDS (sizeof(quiet_kinds) / sizeof(quiet_kinds[0]))

static struct {
    struct stack stack;
    bool is_started;
    int64_t first_ms, last_ms; /* when they connected */
    int64_t gone_ms;           /* when any was let go; 0: not yet */
    size_t count;
    int fds[CROWD_MAX];
    const struct quiet_kind *kinds[CROWD_MAX];
} crowd;

/* Sends a request, and waits until its answer begins. */
static void
send_unread(int fd)
{
    char *body = request_interests(LARGE_IDS);
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    struct buffer text = {0};
    char start[] = "HTTP/1.1 ??? ";

    buffer_printf(&text, HEAD "Content-Length: %zu\r\n\r\n%s", strlen(body),
                  body);
    CU_ASSERT_EQUAL(send(fd, text.data, text.length, MSG_NOSIGNAL),
                    (ssize_t)text.length);
    CU_ASSERT_EQUAL(poll(&waiting, 1, TIMEOUT_MS), 1);
    CU_ASSERT_EQUAL(recv(fd, start, strlen(start), MSG_PEEK),
                    (ssize_t)strlen(start));
    CU_ASSERT_STRING_EQUAL(start, "HTTP/1.1 200 ");
    buffer_free(&text);
    free(body);
}

static void
crowd_add(const struct quiet_kind *kind)
{
    int fd = ports_connect(crowd.stack.port, CLOCK_PATIENCE_MS);

    CU_ASSERT_TRUE_FATAL(fd >= 0 && crowd.count < CROWD_MAX);
    if (kind->data == NULL)
        send_unread(fd);
    else
        CU_ASSERT_EQUAL(send(fd, kind->data, strlen(kind->data), MSG_NOSIGNAL),
                        (ssize_t)strlen(kind->data));
    crowd.kinds[crowd.count] = kind;
    crowd.fds[crowd.count++] = fd;
}

TEST_SINGLE(crowd_begin, "hundreds of slow and silent clients")
{
    CU_ASSERT_TRUE_FATAL(stack_start(&crowd.stack, &patient_plan));
    crowd.is_started = true;
    CU_ASSERT_TRUE(fill_store(&crowd.stack.redis));
    crowd.first_ms = clock_ms();
    for (size_t i = 0; i < QUIET_KINDS; i++)
        for (size_t j = 0; j < quiet_kinds[i].count; j++)
            crowd_add(&quiet_kinds[i]);
    crowd.last_ms = clock_ms();
}

static bool
is_gone(int fd)
{
    struct pollfd waiting = {.fd = fd, .events = POLLRDHUP};

    return poll(&waiting, 1, 0) == 1;
}

static size_t
count_gone(void)
{
    size_t count = 0;

    for (size_t i = 0; i < crowd.count; i++)
        count += is_gone(crowd.fds[i]);
    return count;
}

TEST_SINGLE(crowd_others, "are answered at once all the while")
{
    char *request = request_score(REQUEST_PERSON);
    const struct load_plan probes = {.port = crowd.stack.port,
                                     .body = request,
                                     .is_right = load_is_three,
                                     .callers = CROWD_CALLERS};
    struct load_result one, many;
    struct load *load;
    double p99_s;

    if (!crowd.is_started) {
        cases_skip("it goes with crowd_begin");
        free(request);
        return;
    }
    p99_s = load_p99(&probes, CROWD_PROBES, 2, &one);
    CU_ASSERT_TRUE(p99_s < CROWD_P99_S);
    load = load_start(&probes);
    clock_sleep_ms(CROWD_CALLERS_MS);
    many = load_stop(load);
    CU_ASSERT_TRUE(many.requests > 0);
    CU_ASSERT_EQUAL(one.failures + many.failures, 0);
    CU_ASSERT_TRUE(one.slowest_s < CROWD_SLOWEST_S);
    CU_ASSERT_TRUE(many.slowest_s < CROWD_SLOWEST_S);
    /* else nobody was in the way */
    if (clock_ms() - crowd.first_ms < CROWD_FIRST_MS)
        CU_ASSERT_EQUAL(count_gone(), 0);
    free(request);
}

static bool
all_gone(void *arg)
{
    const size_t gone = count_gone();

    (void)arg;
    if (gone > 0 && crowd.gone_ms == 0)
        crowd.gone_ms = clock_ms();
    return gone == crowd.count;
}

TEST_SINGLE(crowd_end, "all are let go, and nothing of them is kept")
{
    int64_t left_ms = crowd.last_ms + CROWD_LIMIT_MS - clock_ms();

    if (!crowd.is_started) {
        cases_skip("it goes with crowd_begin");
        return;
    }
    CU_ASSERT_TRUE(clock_wait(all_gone, NULL, left_ms));
    CU_ASSERT_TRUE(crowd.gone_ms - crowd.first_ms >= CROWD_LEAST_MS);
    for (size_t i = 0; i < crowd.count; i++) {
        if (!is_gone(crowd.fds[i]) &&
            (i == 0 || crowd.kinds[i] != crowd.kinds[i - 1]))
            (void)printf("still there: %s\n", crowd.kinds[i]->name);
        (void)close(crowd.fds[i]);
    }
    check_logs_unmarked(&crowd.stack);
    CU_ASSERT_TRUE(stack_stop(&crowd.stack));
}

/* The limit of requests: off, and for each address when it is on. */

#define RATE         5 /* per second, and as many more at once */
#define RATE_SENT    40
#define RATE_OFF     300
#define RATE_REST_MS 1200 /* for a burst to be allowed again */

static const char *const limited[] = {"SCORING_RATE_LIMIT=5", NULL};
static const struct stack_plan limited_plan = {.store = STACK_REDIS_UNIX,
                                               .environment = limited};

TEST_SINGLE(rate_off, "by default")
{
    struct http *http = http_open(stack_shared(&plan)->port);

    CU_ASSERT_PTR_NOT_NULL_FATAL(http);
    for (size_t i = 0; i < RATE_OFF; i++) {
        struct http_answer answer = http_post(http, "{}");

        CU_ASSERT_EQUAL(answer.status, 422);
        http_answer_free(&answer);
    }
    http_close(http);
}

struct rates {
    size_t served, refused;
    double seconds;
};

static struct rates
send_fast(int port, const char *path)
{
    const struct http_request request = {.path = path, .body = "{}"};
    struct rates rates = {0, 0, 0};
    int64_t start_ms = clock_ms();

    for (size_t i = 0; i < RATE_SENT; i++) {
        struct http *http = http_open(port);
        struct http_answer answer;

        CU_ASSERT_PTR_NOT_NULL_FATAL(http);
        answer = http_send(http, &request);
        http_close(http);

        if (answer.status == 429) {
            expect_error_text(&answer, 429, "Too Many Requests");
            expect_header(&answer, "Retry-After", "1");
            rates.refused++;
        } else {
            expect_error(&answer, 422, NULL);
            rates.served++;
        }
        http_answer_free(&answer);
    }
    rates.seconds = (double)(clock_ms() - start_ms) / 1000;
    return rates;
}

/* Posts from another loopback address; returns the status, or 0. */
static int
post_from(const char *address, int port)
{
    static const char data[] = "POST /method HTTP/1.1\r\nHost: a\r\n"
                               "Connection: close\r\nContent-Length: 2\r\n"
                               "\r\n{}";
    struct http_answer answer =
        http_raw_from(address, port, data, sizeof(data) - 1, CLOCK_PATIENCE_MS);
    int status = answer.status;

    http_answer_free(&answer);
    return status;
}

TEST_SINGLE(rate_on, "one burst, then so many a second, for each address")
{
    static const char *const paths[] = {"/method", "/method/"};
    int port = stack_shared(&limited_plan)->port;

    for (int round = 0; round < 2; round++) {
        struct rates rates;

        clock_sleep_ms(RATE_REST_MS); /* the start sends requests, too */
        rates = send_fast(port, paths[round]);
        CU_ASSERT_TRUE(rates.served >= 1 + RATE);
        CU_ASSERT_TRUE((double)rates.served <= 2 + RATE + RATE * rates.seconds);
        CU_ASSERT_TRUE(rates.refused > 0);
        CU_ASSERT_EQUAL(post_from("127.0.0.2", port), 422);
    }
}

/* All answers have the same headers, and reveal no version. */

enum filling { NOTHING, LONG_QUERY, LONG_HEADER, ENCODING };

struct kind_case {
    const char *name, *verb, *path, *body;
    enum filling filling;
    int want;
};

#define LONG_BYTES 40000

static const struct kind_case kind_rows[] = {
    {"400 of the service", "POST", "/method", "{", NOTHING, 400},
    {"403 of the service", "POST", "/method",
     "{\"login\": \"a\", \"token\": \"\", \"method\": \"online_score\", "
     "\"arguments\": {}}",
     NOTHING, 403},
    {"422 of the service", "POST", "/method", "{}", NOTHING, 422},
    {"200 of the service", "POST", "/method", NULL, NOTHING, 200},
    {"404 of nginx", "POST", "/nope", "{}", NOTHING, 404},
    {"405 of nginx", "PUT", "/method", "{}", NOTHING, 405},
    {"405 of nginx, early", "TRACE", "/method", "{}", NOTHING, 405},
    {"413 of nginx", "POST", "/method", "", NOTHING, 413},
    {"415 of nginx", "POST", "/method", "{}", ENCODING, 415},
    {"414 of nginx", "POST", "/method", "{}", LONG_QUERY, 414},
    {"431 of nginx", "POST", "/method", "{}", LONG_HEADER, 431},
};

static void
check_headers(const struct http_answer *answer)
{
    static const char *const forbidden[] = {
        "nginx/", "X-Powered-By", "Set-Cookie", "Access-Control", "fcgi",
    };
    static const struct {
        const char *name, *value;
    } wanted[] = {
        {"Content-Type", "application/json"},
        {"Server", "nginx"},
        {"Cache-Control", "no-store"},
        {"X-Content-Type-Options", "nosniff"},
        {"Content-Security-Policy",
         "default-src 'none'; frame-ancestors 'none'"},
        {"Referrer-Policy", "no-referrer"},
    };

    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        expect_header(answer, wanted[i].name, wanted[i].value);
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
        CU_ASSERT_PTR_NULL(strcasestr(answer->headers, forbidden[i]));
    CU_ASSERT_PTR_NULL(strcasestr(answer->body, "nginx"));
    CU_ASSERT_PTR_NULL(strchr(answer->body, '<'));
    CU_ASSERT_TRUE(expect_match(answer->headers,
                                "X-Request-ID: [A-Za-z0-9._-]{1,128}\r\n"));
}

TEST_CASES(kind, struct kind_case, kind_rows)
{
    static char path[LONG_BYTES + 32], header[LONG_BYTES + 32];
    static char
        large[1024 * 1024 + 2]; /* zeros: one byte more than the limit */
    const char *const headers[] = {header, NULL};
    char *body =
        c->body == NULL ? request_score(REQUEST_PERSON) : strdup(c->body);
    struct http *http = http_open(stack_shared(&plan)->port);
    struct http_request request = {
        .verb = c->verb, .path = path, .body = body, .headers = headers};
    struct http_answer answer;

    (void)snprintf(path, sizeof(path), "%s%s%0*d", c->path,
                   c->filling == LONG_QUERY ? "?" : "",
                   c->filling == LONG_QUERY ? LONG_BYTES : 0, 0);
    if (c->filling != LONG_QUERY)
        path[strlen(c->path)] = '\0';
    (void)snprintf(header, sizeof(header), "X-Long: %0*d",
                   c->filling == LONG_HEADER ? LONG_BYTES : 1, 0);
    if (c->filling == ENCODING)
        (void)snprintf(header, sizeof(header), "Content-Encoding: gzip");
    if (c->want == 413) {
        request.body = large;
        request.body_length = sizeof(large) - 1;
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(http);
    answer = http_send(http, &request);
    if (c->want == 200)
        expect_score(&answer, 3.0);
    else
        expect_error(&answer, c->want, NULL);
    check_headers(&answer);
    http_answer_free(&answer);
    http_close(http);
    free(body);
}

/* A log of nginx; the caller frees the text. */
static char *
read_log(const struct stack *stack, const char *name)
{
    char path[FILES_PATH_MAX], *text;

    files_path(path, "%.200s/nginx/%s", stack->run_folder, name);
    text = files_read(path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    return text;
}

TEST_SINGLE(log_bytes, "a path that is not ASCII is escaped in the log")
{
    static const char data[] =
        "POST /\xd0\xb6\xff\"\\ HTTP/1.1\r\nHost: a\r\n"
        "X-Request-ID: of-bytes\r\nConnection: close\r\n\r\n";
    const struct stack *stack = stack_shared(&plan);
    struct http_answer answer =
        http_raw(stack->port, data, strlen(data), CLOCK_PATIENCE_MS);
    char *log;

    expect_error(&answer, 404, NULL);
    http_answer_free(&answer);
    clock_sleep_ms(FLUSH_MS);
    log = read_log(stack, "access.log");
    CU_ASSERT_PTR_NOT_NULL(strstr(
        log, "verb=POST path=/\\xD0\\xB6\\xFF\\x22\\x5C code=404 bytes="));
    for (const char *at = log; *at != '\0'; at++)
        if ((unsigned char)*at > '~' || (*at < ' ' && *at != '\n')) {
            CU_FAIL("not ASCII");
            break;
        }
    free(log);
}

TEST_SINGLE(log_start, "nginx starts without a warning")
{
    char *log = read_log(stack_shared(&plan), "error.log");

    CU_ASSERT_PTR_NOT_NULL(strstr(log, "[notice]"));
    CU_ASSERT_PTR_NULL(strstr(log, "[warn]"));
    free(log);
}

#define PATIENT_MS 4500 /* the least time of the row */
#define LATE_MS    500
#define LATE_BYTES 16384

#define LATE_STEP     1000000
#define LATE_PAUSE_MS 10
#define LATE_RECEIVED 65536 /* bytes of its buffer */

/* A request that closes its connection; frees the body. */
static void
put_request(struct buffer *out, char *body)
{
    buffer_printf(out,
                  "POST /method HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                  "Content-Length: %zu\r\n\r\n%s",
                  strlen(body), body);
    free(body);
}

/* Reads with pauses, so that nginx's socket is often full. */
static size_t
read_slowly(int fd)
{
    static char data[LATE_BYTES];
    size_t total = 0;
    ssize_t got;

    while ((got = recv(fd, data, sizeof(data), 0)) > 0) {
        if (total / LATE_STEP != (total + (size_t)got) / LATE_STEP)
            clock_sleep_ms(LATE_PAUSE_MS);
        total += (size_t)got;
    }
    return total;
}

/* An answer that exceeds all sockets, and is read when nginx waits for nothing
 * else. */
struct half_closed_case {
    const char *name;
    bool is_file;
};

static const struct half_closed_case half_closed_rows[] = {
    {"answer", false},
    {"file", true},
};

static void
put_large_file(const struct stack *stack)
{
    char path[FILES_PATH_MAX];
    struct buffer text = {0};

    buffer_printf(&text, "%*s", LARGE_BYTES_MIN + 1, "");
    files_path(path, "%.200s/web/docs/large.js", stack->run_folder);
    CU_ASSERT_TRUE_FATAL(files_write(path, buffer_text(&text)));
    buffer_free(&text);
}

static void
put_half_closed(struct buffer *out, const struct stack *stack, bool is_file)
{
    if (is_file) {
        put_large_file(stack);
        buffer_add_text(out, "GET /docs/large.js HTTP/1.1\r\nHost: a\r\n\r\n");
        return;
    }
    CU_ASSERT_TRUE_FATAL(fill_store(&stack->redis));
    put_request(out, request_interests(LARGE_IDS));
}

TEST_CASES(half_closed, struct half_closed_case, half_closed_rows)
{
    struct stack *stack = stack_shared(&patient_plan);
    struct buffer request = {0};
    int fd, received = LATE_RECEIVED;

    put_half_closed(&request, stack, c->is_file);
    fd = ports_connect(stack->port, TIMEOUT_MS);
    CU_ASSERT_EQUAL(
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &received, sizeof(received)), 0);
    CU_ASSERT_EQUAL(send(fd, request.data, request.length, MSG_NOSIGNAL),
                    (ssize_t)request.length);
    CU_ASSERT_EQUAL(shutdown(fd, SHUT_WR), 0);
    clock_sleep_ms(LATE_MS);
    CU_ASSERT_TRUE(read_slowly(fd) > LARGE_BYTES_MIN);
    (void)close(fd);
    buffer_free(&request);
}

static struct http_answer
post_patiently(const struct stack *stack, char *body)
{
    struct buffer request = {0};
    struct http_answer answer;

    put_request(&request, body);
    answer = http_raw(stack->port, request.data, request.length, TIMEOUT_MS);
    buffer_free(&request);
    return answer;
}

/* What one caller may cost. */

#define COST_IDS     100000 /* ten times the default */
#define COST_STALLED "scoring_worker_restarts_total{reason=\"stalled\"}"
#define UNREAD_MAX   64 /* far more answers than there is room for */
#define UNREAD_ROOM  (16 * 6100000.0)
#define UNREAD_GAUGE "scoring_answers_held_bytes"
#define UNREAD_TEXT  "too many large answers are still being read"

static const char *const costly[] = {
    "SCORING_STORE_CONNECT_TIMEOUT_MS=5000", "SCORING_STORE_TIMEOUT_MS=5000",
    "SCORING_STORE_DEADLINE_MS=5000",        "SCORING_MAX_ANSWER_BYTES=6100000",
    "SCORING_MAX_CLIENT_IDS=100000",         NULL};
static const struct stack_plan costly_plan = {.store = STACK_REDIS_UNIX,
                                              .environment = costly};

/* Sends a request for a large answer; returns the connection. ret_text gets all
 * of an error, or the first bytes of an answer, which stay unread. */
static int
open_unread(const struct stack *stack, char *ret_text, size_t size)
{
    const char *good = "HTTP/1.1 200 ";
    struct buffer request = {0};
    int fd = ports_connect(stack->port, CLOCK_PATIENCE_MS);
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    ssize_t got;

    put_request(&request, request_interests(LARGE_IDS));
    CU_ASSERT_EQUAL(send(fd, request.data, request.length, MSG_NOSIGNAL),
                    (ssize_t)request.length);
    CU_ASSERT_EQUAL(poll(&waiting, 1, CLOCK_PATIENCE_MS), 1);
    got = recv(fd, ret_text, strlen(good), MSG_PEEK);
    if (got > 0 && strncmp(ret_text, good, (size_t)got) != 0)
        got = recv(fd, ret_text, size - 1, MSG_WAITALL); /* nginx closes */
    ret_text[got > 0 ? got : 0] = '\0';
    buffer_free(&request);
    return fd;
}

static bool
is_none_held(void *arg)
{
    return stack_metric(arg, UNREAD_GAUGE) == 0;
}

/* Small answers have room, and so has a large one when the others are gone. */
static void
expect_room(struct stack *stack)
{
    struct http_answer answer;

    answer =
        expect_post(stack->port, request_interests("{\"client_ids\": [9]}"));
    expect_response(&answer, "{\"9\": []}");
    http_answer_free(&answer);
    answer = expect_post(stack->port, request_score(REQUEST_PERSON));
    expect_score(&answer, 3.0);
    http_answer_free(&answer);
}

/* On a busy machine the store's deadline may pass, but no worker is killed. */
TEST_SINGLE(ids, "no worker is killed for ten times as many ids as by default")
{
    struct stack *stack = stack_shared(&costly_plan);
    struct buffer arguments = {0};
    struct http_answer answer;

    buffer_add_text(&arguments, "{\"client_ids\": [1000");
    for (int i = 1; i < COST_IDS; i++)
        buffer_printf(&arguments, ", %d", 1000 + i);
    buffer_add_text(&arguments, "]}");
    answer = post_patiently(stack, request_interests(buffer_text(&arguments)));
    CU_ASSERT_TRUE(answer.status == 200 || answer.status == 503);
    http_answer_free(&answer);
    CU_ASSERT_TRUE(stack_log_wait(stack, " nclients=100000$", 1));
    CU_ASSERT_EQUAL(stack_metric(stack, COST_STALLED), 0);
    buffer_free(&arguments);
}

/* One after the other until one is refused. */
TEST_SINGLE(unread, "answers that nobody reads are held within a bound")
{
    struct stack *stack = stack_shared(&costly_plan);
    struct http_answer answer;
    int fds[UNREAD_MAX];
    size_t count = 0;
    char text[2048];
    double held;

    CU_ASSERT_TRUE_FATAL(fill_store(&stack->redis));
    do
        fds[count++] = open_unread(stack, text, sizeof(text));
    while (count < UNREAD_MAX && strstr(text, UNREAD_TEXT) == NULL);
    CU_ASSERT_EQUAL(strncmp(text, "HTTP/1.1 503 ", 13), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\r\nRetry-After: 1\r\n"));
    held = stack_metric(stack, UNREAD_GAUGE);
    CU_ASSERT_TRUE(held <= UNREAD_ROOM);
    expect_room(stack);
    while (count > 0)
        (void)close(fds[--count]);
    CU_ASSERT_TRUE(clock_wait(is_none_held, stack, CLOCK_PATIENCE_MS));
    answer = post_patiently(stack, request_interests(LARGE_IDS));
    CU_ASSERT_EQUAL(answer.status, 200);
    CU_ASSERT_TRUE(answer.body_length > LARGE_BYTES_MIN);
    http_answer_free(&answer);
}

TEST_SINGLE(patience, "nginx never gives up before the service does")
{
    struct stack *stack = stack_shared(&patient_plan);
    struct http_answer answer;

    redis_freeze(&stack->redis);
    answer = post_patiently(stack, request_score(REQUEST_PERSON));
    expect_score(&answer, 3.0);
    CU_ASSERT_TRUE(answer.seconds * 1000 > PATIENT_MS);
    http_answer_free(&answer);
    answer = post_patiently(stack, request_interests("{\"client_ids\": [1]}"));
    redis_thaw(&stack->redis);
    expect_error(&answer, 503, NULL);
    http_answer_free(&answer);
}

/* Answers of the service about its store, and about a damaged value. */
TEST_SINGLE(kind_store, "500 and 503 of the service")
{
    struct stack *stack = stack_shared(&plan);
    struct http_answer answer;
    const char *at;

    CU_ASSERT_TRUE(redis_do(&stack->redis, "SET i:7 broken"));
    answer =
        expect_post(stack->port, request_interests("{\"client_ids\": [7]}"));
    expect_error_text(&answer, 500, "Internal Server Error");
    check_headers(&answer);
    http_answer_free(&answer);
    redis_freeze(&stack->redis);
    answer =
        expect_post(stack->port, request_interests("{\"client_ids\": [7]}"));
    redis_thaw(&stack->redis);
    expect_error_text(&answer, 503, "Service Unavailable");
    CU_ASSERT_TRUE(expect_match(answer.headers, "Retry-After: [1-9]"));
    at = strstr(answer.headers, "Retry-After: ");
    CU_ASSERT(at != NULL && strstr(at + 1, "Retry-After: ") == NULL);
    check_headers(&answer);
    http_answer_free(&answer);
}

/*
 * Now the test listens on the socket instead of the service: even a request
 * that crashes each worker is sent only a limited number of times.
 */

#define ENTRIES  12  /* of both upstreams, in nginx's settings: 8 and 4 */
#define QUIET_MS 300 /* without another connection */

struct stand_in {
    struct stack stack;
    char path[FILES_PATH_MAX];
    int listener;
};

/* Without the socket, and without kept connections of nginx. */
static void
stand_in_start(struct stand_in *in)
{
    CU_ASSERT_TRUE_FATAL(stack_start(&in->stack, &plan));
    files_path(in->path, "%.200s/scoring.sock", in->stack.run_folder);
    CU_ASSERT_TRUE(stack_log_wait(&in->stack, "\\] I ready: ", 1));
    CU_ASSERT_EQUAL(unlink(in->path), 0);
    CU_ASSERT_TRUE(stack_signal(&in->stack, SIGHUP));
    CU_ASSERT_TRUE(stack_log_wait(&in->stack, "\\] I ready: ", 2));
    clock_sleep_ms(QUIET_MS); /* until the older workers have exited */
}

#define MARKED_REQUEST                                                         \
    HEAD "Connection: close\r\nContent-Length: 13\r\n\r\n\"" MARK_PHONE "\""

static struct http_answer
post_marked(const struct stand_in *in)
{
    return http_raw(in->stack.port, MARKED_REQUEST, strlen(MARKED_REQUEST),
                    TIMEOUT_MS);
}

/*
 * Accepts each connection, reads, and closes it; returns how many there were.
 */
static size_t
crash_each(const struct stand_in *in)
{
    struct pollfd waiting = {.fd = in->listener, .events = POLLIN};
    char data[4096];
    size_t count = 0;

    while (count <= ENTRIES && poll(&waiting, 1, QUIET_MS) == 1) {
        int fd = accept(in->listener, NULL, NULL);
        ssize_t length = recv(fd, data, sizeof(data), 0);

        /* No header of the caller is passed on. */
        CU_ASSERT(length > 0);
        CU_ASSERT_PTR_NULL(memmem(data, (size_t)length, MARK, strlen(MARK)));
        CU_ASSERT_PTR_NULL(memmem(data, (size_t)length, "HTTP_", 5));
        (void)close(fd);
        count++;
    }
    return count;
}

static void
check_gateway(struct http_answer *answer, int want, const char *text)
{
    expect_error_text(answer, want, text);
    check_headers(answer);
    http_answer_free(answer);
}

static void
check_crashes(const struct stand_in *in)
{
    int fd = ports_connect(in->stack.port, CLOCK_PATIENCE_MS);
    char line[] = "HTTP/1.1 502 ";

    CU_ASSERT_EQUAL(
        send(fd, MARKED_REQUEST, strlen(MARKED_REQUEST), MSG_NOSIGNAL),
        (ssize_t)strlen(MARKED_REQUEST));
    CU_ASSERT_EQUAL(crash_each(in), ENTRIES);
    memset(line, 0, sizeof(line));
    CU_ASSERT_EQUAL(recv(fd, line, sizeof(line) - 1, MSG_WAITALL),
                    (ssize_t)sizeof(line) - 1);
    CU_ASSERT_STRING_EQUAL(line, "HTTP/1.1 502 ");
    (void)close(fd);
}

/* S5.1: files are answered whatever the state of the service. */
static void
check_page(const struct stand_in *in)
{
    static const char *const paths[] = {"/", "/openapi.json", "/docs/page.css"};
    struct http *http = http_open(in->stack.port);

    CU_ASSERT_PTR_NOT_NULL_FATAL(http);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        const struct http_request request = {.verb = "GET", .path = paths[i]};
        struct http_answer answer = http_send(http, &request);

        CU_ASSERT_EQUAL(answer.status, 200);
        CU_ASSERT_TRUE(answer.body_length > 0);
        http_answer_free(&answer);
    }
    http_close(http);
}

#define GIVES_UP_S 8      /* nginx, after so long without an answer: S20.7 */
#define EARLY_US   100000 /* its timers are that exact */

TEST_SINGLE(gateway, "502 and 504 of nginx, and how many a request may kill")
{
    struct stand_in in = {.listener = -1};
    int64_t started_us, waited_us;
    struct http_answer answer;
    struct lost lost;

    stand_in_start(&in);
    answer = post_marked(&in); /* no socket */
    check_gateway(&answer, 502, "Bad Gateway");
    check_page(&in);
    in.listener = ports_listen_unix(in.path);
    CU_ASSERT_TRUE(in.listener >= 0);
    check_crashes(&in);
    lost_look(&lost);
    started_us = clock_us();
    answer = post_marked(&in); /* accepted, but never answered */
    waited_us = clock_us() - started_us;
    check_gateway(&answer, 504, "Gateway Timeout");
    CU_ASSERT(waited_us >= GIVES_UP_S * US_PER_S - EARLY_US);
    CU_ASSERT(waited_us - lost_since_us(&lost) < (GIVES_UP_S + 1) * US_PER_S);
    (void)close(in.listener);
    check_logs_unmarked(&in.stack);
    CU_ASSERT_TRUE(stack_stop(&in.stack));
}

/*
 * An answer that is cut on its way to nginx: the caller gets the whole answer,
 * a whole error, or something that no client accepts; and once a part has been
 * sent, no other worker is asked.
 */

#define CUT_HEAD                                                               \
    "Status: 200 OK\r\nContent-Type: application/json\r\n"                     \
    "Content-Length: 41\r\n"
#define CUT_BODY "{\"code\": 200, \"response\": {\"score\": 3.0}}"

#define RECORD  8 /* bytes of the header of a record */
#define TEXT_AT RECORD
#define BODY_AT (TEXT_AT + sizeof(CUT_HEAD "\r\n") - 1)
#define END_AT  (TEXT_AT + sizeof(CUT_HEAD "\r\n" CUT_BODY) - 1)

struct cut_case {
    const char *name;
    size_t length; /* that nginx gets */
    int status;    /* 0: no complete answer, by its Content-Length */
    size_t tries;
};

static const struct cut_case cut_rows[] = {
    {"before all", 0, 502, ENTRIES},
    {"within a record's head", 4, 502, ENTRIES},
    {"behind it", TEXT_AT, 502, ENTRIES},
    {"within the status", TEXT_AT + 9, 502, ENTRIES},
    {"within a header", TEXT_AT + 30, 502, ENTRIES},
    {"behind the headers", BODY_AT - 2, 502, ENTRIES},
    {"before the body", BODY_AT, 0, 1},
    {"within the body", BODY_AT + 10, 0, 1},
    {"a byte before its end", END_AT - 1, 0, 1},
    {"behind the body", END_AT, 200, 1},
    {"within the end of the output", END_AT + 4, 200, 1},
    {"before the end of the request", END_AT + RECORD, 200, 1},
    {"within it", END_AT + RECORD + 4, 200, 1},
    {"nowhere", END_AT + RECORD + 16, 200, 1},
};

static struct stand_in cutter = {.listener = -1};

static void
cutter_start(void)
{
    if (cutter.listener >= 0)
        return;
    stand_in_start(&cutter);
    cutter.listener = ports_listen_unix(cutter.path);
    CU_ASSERT_FATAL(cutter.listener >= 0);
}

static int
cutter_end(void)
{
    if (cutter.listener < 0)
        return 0;
    (void)close(cutter.listener);
    return stack_stop(&cutter.stack) ? 0 : -1;
}

/* In a child: answers each connection in this way, and reports it. */
static pid_t
cut_each(const struct buffer *answer, size_t length, int tell)
{
    const pid_t pid = fork();
    char data[4096];

    if (pid != 0)
        return pid;
    for (;;) {
        int fd = accept(cutter.listener, NULL, NULL);

        (void)recv(fd, data, sizeof(data), 0);
        (void)!write(tell, "", 1);
        (void)send(fd, answer->data, length, MSG_NOSIGNAL);
        (void)close(fd);
    }
}

/* The whole of CUT_BODY's answer. */
static void
put_whole(struct buffer *out)
{
    static const char end[RECORD] = {0};

    fcgi_peer_record(out, FCGI_PEER_STDOUT, 1, CUT_HEAD "\r\n" CUT_BODY,
                     END_AT - RECORD, 0);
    fcgi_peer_record(out, FCGI_PEER_STDOUT, 1, NULL, 0, 0);
    fcgi_peer_record(out, FCGI_PEER_END, 1, end, sizeof(end), 0);
}

TEST_CASES(cut, struct cut_case, cut_rows)
{
    struct buffer bytes = {0};
    struct http_answer answer;
    int tell[2], tries = 0;
    pid_t pid;

    CU_ASSERT_EQUAL(strlen(CUT_BODY), 41);
    cutter_start();
    put_whole(&bytes);
    CU_ASSERT_EQUAL_FATAL(pipe2(tell, O_CLOEXEC), 0);
    pid = cut_each(&bytes, c->length, tell[1]);
    answer = post_marked(&cutter);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    if (c->status == 502)
        expect_error_text(&answer, 502, "Bad Gateway");
    else
        expect_header(&answer, "Content-Length", "41");
    if (c->status == 200)
        CU_ASSERT_STRING_EQUAL(answer.body, CUT_BODY);
    if (c->status == 0)
        CU_ASSERT(strlen(answer.body) < strlen(CUT_BODY));
    (void)ioctl(tell[0], FIONREAD, &tries);
    CU_ASSERT_EQUAL(tries, (int)c->tries);
    http_answer_free(&answer);
    buffer_free(&bytes);
    (void)close(tell[0]);
    (void)close(tell[1]);
}

/* S1.2: one connection serves one request after the other. */
struct kept_case {
    const char *name, *path;
    size_t length; /* of the body */
};

static const struct kept_case kept_rows[] = {
    {"small bodies", "/method", 2},
    {"small bodies, and a slash", "/method/", 2},
    {"spooled bodies", "/method", 200000},
};

/* Receives an exchange to the end of its body; false: there is none. keep: the
 * flag of its BEGIN. */
static bool
receive_exchange(int fd, bool *ret_keep)
{
    static const char end[RECORD] = {1, FCGI_PEER_STDIN, 0, 1};
    static char data[1 << 18];
    size_t length = 0;

    while (length < RECORD ||
           memcmp(data + length - RECORD, end, RECORD) != 0) {
        ssize_t got = recv(fd, data + length, sizeof(data) - length, 0);

        if (got <= 0)
            return false;
        length += (size_t)got;
    }
    *ret_keep = (data[RECORD + 2] & FCGI_PEER_KEEP) != 0;
    return true;
}

/* In a child: answers what comes, and reports on which connection it came. */
static pid_t
answer_each(const struct buffer *answer, int tell)
{
    const pid_t pid = fork();

    if (pid != 0)
        return pid;
    for (char number = 0;; number++) {
        int fd = accept(cutter.listener, NULL, NULL);
        bool is_kept = true;

        while (is_kept && receive_exchange(fd, &is_kept)) {
            (void)!write(tell, &number, 1);
            (void)send(fd, answer->data, answer->length, MSG_NOSIGNAL);
        }
        (void)close(fd);
    }
}

TEST_CASES(kept, struct kept_case, kept_rows)
{
    static char body[200000];
    const struct http_request request = {
        .path = c->path, .body = body, .body_length = c->length};
    struct buffer bytes = {0};
    char numbers[] = {1, 2, 3};
    struct http *http;
    int tell[2];
    pid_t pid;

    cutter_start();
    put_whole(&bytes);
    CU_ASSERT_EQUAL_FATAL(pipe2(tell, O_CLOEXEC), 0);
    pid = answer_each(&bytes, tell[1]);
    http = http_open(cutter.stack.port);
    CU_ASSERT_PTR_NOT_NULL_FATAL(http);
    for (size_t i = 0; i < sizeof(numbers); i++) {
        struct http_answer answer = http_send(http, &request);

        CU_ASSERT_STRING_EQUAL(answer.body, CUT_BODY);
        http_answer_free(&answer);
    }
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    CU_ASSERT_EQUAL(read(tell[0], numbers, sizeof(numbers)),
                    (ssize_t)sizeof(numbers));
    CU_ASSERT(numbers[0] == numbers[1] && numbers[1] == numbers[2]);
    http_close(http);
    buffer_free(&bytes);
    (void)close(tell[0]);
    (void)close(tell[1]);
}

TEST_SUITE(.end = cutter_end, .parts = 2);
