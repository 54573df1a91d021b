/*
 * HTTPS, and proxies in front: what is answered on which port, that every
 * answer has the required headers, and that a renewed certificate costs no
 * request. The test has its own certificate authority. Source:
 * docs/protocol.md, S3.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/buffer.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/expect.h"
#include "support/load.h"
#include "support/ports.h"
#include "support/request.h"
#include "support/stack.h"

#define HSTS       "max-age=31536000"
#define MAKE_MS    30000 /* keys and certificates, on a busy machine */
#define RENEWED_MS 10000 /* until a worker with the new certificate answers */
#define FLUSH_MS   10000 /* nginx writes its access log each second */
/* twice that fills what headers may take, thrice not */
#define LONG_BYTES 7000

/*
 * Two authorities, each with a certificate: one for before a renewal, one for
 * after it; a certificate of RSA, so that both kinds of keys are tried.
 */
static const char make_certificates[] =
    "set -e; umask 077\n"
    "make() {\n"
    "  openssl req -x509 $2 -nodes -keyout ca$1.key -out ca$1.pem \\\n"
    "    -subj /CN=ca$1 -days 2\n"
    "  openssl req $2 -nodes -keyout $1.key -out $1.csr -subj /CN=$1\n"
    "  echo subjectAltName=DNS:localhost,IP:127.0.0.1 >$1.ext\n"
    "  openssl x509 -req -in $1.csr -CA ca$1.pem -CAkey ca$1.key \\\n"
    "    -CAcreateserial -out $1.pem -days 2 -extfile $1.ext\n"
    "}\n"
    "make 1 '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1'\n"
    "make 2 '-newkey rsa:2048'\n"
    "cat ca1.pem ca2.pem >both.pem; cp 1.pem now.pem; cp 1.key now.key\n";

/* Shared by the suite, like the folder. */
static struct {
    bool is_made;
    int port; /* of HTTPS */
    char folder[FILES_PATH_MAX], certificate[FILES_PATH_MAX],
        key[FILES_PATH_MAX], https_port[FILES_PATH_MAX];
    char ca_1[FILES_PATH_MAX], ca_2[FILES_PATH_MAX], ca_both[FILES_PATH_MAX];
    const char *environment[8];
    struct stack_plan plan;
} https;

static bool
run_in_folder(const char *script)
{
    char command[4096];
    const char *argv[] = {"sh", "-c", command, NULL};
    const struct proc_plan plan = {.argv = argv, .death_signal = SIGKILL};
    struct proc proc = {0};

    (void)snprintf(command, sizeof(command), "cd %s && { %s }", https.folder,
                   script);
    return proc_start(&proc, &plan) && proc_wait(&proc, MAKE_MS) &&
           proc_exit_status(&proc) == 0;
}

static bool
https_make(void)
{
    https.port = ports_free();
    if (https.port < 0 || !files_folder_make(https.folder) ||
        !run_in_folder(make_certificates))
        return false;
    files_path(https.certificate, "TLS_CERTIFICATE=%s/now.pem", https.folder);
    files_path(https.key, "TLS_KEY=%s/now.key", https.folder);
    files_path(https.https_port, "HTTPS_PORT=%d", https.port);
    files_path(https.ca_1, "%s/ca1.pem", https.folder);
    files_path(https.ca_2, "%s/ca2.pem", https.folder);
    files_path(https.ca_both, "%s/both.pem", https.folder);
    https.environment[0] = https.certificate;
    https.environment[1] = https.key;
    https.environment[2] = https.https_port;
    https.environment[3] = "TLS_HSTS_S=31536000";
    https.environment[4] = "TRUSTED_PROXIES=127.0.0.3, 10.0.0.0/8";
    https.environment[5] = "SCORING_RATE_LIMIT=1000000";
    https.plan = (struct stack_plan){.store = STACK_REDIS_UNIX,
                                     .environment = https.environment};
    https.is_made = true;
    return true;
}

static struct stack *
https_stack(void)
{
    if (!https.is_made && !https_make())
        CU_FAIL_FATAL("no certificates can be made");
    return stack_shared(&https.plan);
}

/* The names of an answer's header are in small letters over HTTP/2. */
static struct http_answer
ask(const struct http_request *request, bool is_tls)
{
    const struct stack *stack = https_stack();
    struct http *http =
        http_open_at("127.0.0.1", is_tls ? https.port : stack->port,
                     is_tls ? https.ca_both : NULL);
    struct http_answer answer;

    CU_ASSERT_PTR_NOT_NULL_FATAL(http);
    answer = http_send(http, request);
    http_close(http);
    return answer;
}

/* Every answer, of nginx or the service: code, JSON, and the header. */

enum filling { NOTHING, LONG_QUERY, LONG_HEADERS, ENCODING, LARGE, CHUNKS };

struct kind_case {
    const char *name, *verb, *path, *body;
    enum filling filling;
    int want;
};

static const struct kind_case kind_rows[] = {
    {"200 of the service", "POST", "/method", NULL, NOTHING, 200},
    {"200 in chunks", "POST", "/method", NULL, CHUNKS, 200},
    {"400 of the service", "POST", "/method", "{", NOTHING, 400},
    {"403 of the service", "POST", "/method",
     "{\"login\": \"a\", \"token\": \"\", \"method\": \"online_score\", "
     "\"arguments\": {}}",
     NOTHING, 403},
    {"422 of the service", "POST", "/method", "{}", NOTHING, 422},
    {"404 of nginx", "POST", "/nope", "{}", NOTHING, 404},
    {"404 of a file", "GET", "/docs/nope.css", NULL, NOTHING, 404},
    {"404 of what is ours alone", "GET", "/scoring-308", NULL, NOTHING, 404},
    {"405 of nginx", "PUT", "/method", "{}", NOTHING, 405},
    {"413 of nginx", "POST", "/method", NULL, LARGE, 413},
    {"415 of nginx", "POST", "/method", "{}", ENCODING, 415},
    {"health", "GET", "/healthz", NULL, NOTHING, 200},
    {"405 of health", "POST", "/readyz", "{}", NOTHING, 405},
};

/* Over HTTP/2 nginx ends the connection instead. */
static const struct kind_case long_rows[] = {
    {"414 of nginx", "POST", "/method", "{}", LONG_QUERY, 414},
    {"431 of nginx", "POST", "/method", "{}", LONG_HEADERS, 431},
};

static struct http_answer
ask_kind(const struct kind_case *c, bool is_http1)
{
    static char path[4 * LONG_BYTES + 32], header[LONG_BYTES + 32],
        large[1024 * 1024 + 2];
    const char *const headers[] = {header, header, header, header,
                                   header, header, NULL};
    char *body =
        c->body != NULL ? strdup(c->body) : request_score(REQUEST_PERSON);
    const bool has_body = strcmp(c->verb, "GET") != 0;
    struct http_request request = {.verb = c->verb,
                                   .path = path,
                                   .body = has_body ? body : NULL,
                                   .is_chunked = c->filling == CHUNKS,
                                   .is_http1 = is_http1,
                                   .headers = headers};
    struct http_answer answer;

    (void)snprintf(path, sizeof(path), "%s%s%0*d", c->path,
                   c->filling == LONG_QUERY ? "?" : "",
                   c->filling == LONG_QUERY ? 4 * LONG_BYTES : 0, 0);
    if (c->filling != LONG_QUERY)
        path[strlen(c->path)] = '\0';
    (void)snprintf(header, sizeof(header), "%s: %0*d",
                   c->filling == ENCODING ? "Content-Encoding" : "X-Some",
                   c->filling == LONG_HEADERS ? LONG_BYTES : 1, 0);
    if (c->filling == LARGE) {
        request.body = large;
        request.body_length = sizeof(large) - 1;
    }
    answer = ask(&request, true);
    free(body);
    return answer;
}

static void
check_kind(const struct kind_case *c, bool is_http1)
{
    struct http_answer answer = ask_kind(c, is_http1);

    CU_ASSERT_EQUAL(answer.status, c->want);
    expect_header(&answer, "Content-Type", "application/json");
    expect_header(&answer, "Strict-Transport-Security", HSTS);
    CU_ASSERT_EQUAL(strncmp(answer.headers, "HTTP/2 ", 7) == 0, !is_http1);
    if (c->want != 200)
        expect_error(&answer, c->want, NULL);
    http_answer_free(&answer);
}

TEST_CASES(kind_1, struct kind_case, kind_rows)
{
    check_kind(c, true);
}

TEST_CASES(kind_long, struct kind_case, long_rows)
{
    check_kind(c, true);
}

/* S3.2: the connection ends at once, by ENHANCE_YOUR_CALM, without an answer.
 */
TEST_CASES(kind_long_2, struct kind_case, long_rows)
{
    struct http_answer answer = ask_kind(c, false);

    CU_ASSERT_EQUAL(answer.status, 0);
    CU_ASSERT_STRING_EQUAL(answer.headers, "");
    CU_ASSERT_PTR_NULL(strstr(answer.body, "imeout"));
    http_answer_free(&answer);
}

TEST_CASES(kind_2, struct kind_case, kind_rows)
{
    check_kind(c, false);
}

TEST_SINGLE(page, "has the header, and its own policy")
{
    const struct http_request request = {.verb = "GET", .path = "/"};
    struct http_answer answer = ask(&request, true);

    CU_ASSERT_EQUAL(answer.status, 200);
    expect_header(&answer, "Content-Type", "text/html; charset=utf-8");
    expect_header(&answer, "Strict-Transport-Security", HSTS);
    expect_header(&answer, "Cache-Control", "no-cache");
    http_answer_free(&answer);
}

/* Plain HTTP, with HTTPS on. */
struct plain_case {
    const char *name, *verb, *path;
    int want;
};

static const struct plain_case plain_rows[] = {
    {"a request is refused", "POST", "/method", 403},
    {"also behind a slash", "POST", "/method/", 403},
    {"also by another verb", "GET", "/method", 403},
    {"an unknown path", "GET", "/nope", 403},
    {"a name that is nearly one", "GET", "/openapi.jsonx", 403},
    {"another verb on the page", "POST", "/", 403},
    {"what is ours alone", "GET", "/scoring-308", 403},
    {"health", "GET", "/healthz", 200},
    {"health, by another verb", "POST", "/healthz", 405},
    {"readiness", "GET", "/readyz", 200},
    {"the page", "GET", "/", 308},
    {"the page, its header", "HEAD", "/", 308},
    {"the description, with a query", "GET", "/openapi.json?a=%20b", 308},
    {"a file", "GET", "/docs/page.css", 308},
};

TEST_CASES(plain, struct plain_case, plain_rows)
{
    const struct http_request request = {.verb = c->verb, .path = c->path};
    char want[FILES_PATH_MAX], got[FILES_PATH_MAX];
    struct http_answer answer;
    bool has_place;

    CU_ASSERT_TRUE(stack_log_wait(https_stack(), "\\] I ready: ", 1));
    answer = ask(&request, false);
    has_place = http_header(&answer, "Location", got, sizeof(got));
    CU_ASSERT_EQUAL(answer.status, c->want);
    expect_header(&answer, "Content-Type", "application/json");
    expect_header(&answer, "Strict-Transport-Security", HSTS);
    CU_ASSERT_EQUAL(has_place, c->want == 308);
    if (c->want == 403)
        expect_error_text(&answer, 403, "use https");
    if (c->want == 308 && has_place) {
        files_path(want, "https://127.0.0.1:%d%s", https.port, c->path);
        CU_ASSERT_STRING_EQUAL(got, want);
    }
    if (c->want == 308 && strcmp(c->verb, "GET") == 0)
        expect_error_text(&answer, 308, "Permanent Redirect");
    http_answer_free(&answer);
}

TEST_SINGLE(wrong_port, "plain HTTP on the port of HTTPS is 400")
{
    static const char data[] = "POST /method HTTP/1.1\r\nHost: a\r\n"
                               "Content-Length: 2\r\n\r\n{}";
    struct http_answer answer;

    (void)https_stack();
    answer = http_raw(https.port, data, sizeof(data) - 1, RENEWED_MS);
    expect_error_text(&answer, 400, "Bad Request");
    expect_header(&answer, "Strict-Transport-Security", HSTS);
    http_answer_free(&answer);
}

/* The counts of what nginx answers by itself: S23.4. */
#define COUNTED(code) "scoring_nginx_responses_total{code=\"" code "\"}"
#define MARK          COUNTED("505")

static double
count_of(const char *sample)
{
    return stack_metric(https_stack(), sample);
}

static bool
is_marked(void *arg)
{
    return count_of(MARK) > *(const double *)arg;
}

/* Answers are counted in their order: what came before this one is, too. */
static void
count_all(void)
{
    static const char data[] = "GET / HTTP/3.0\r\nHost: a\r\n\r\n";
    double before = count_of(MARK);
    struct http_answer answer =
        http_raw(https_stack()->port, data, sizeof(data) - 1, RENEWED_MS);

    CU_ASSERT_EQUAL(answer.status, 505);
    http_answer_free(&answer);
    CU_ASSERT(clock_wait(is_marked, &before, CLOCK_PATIENCE_MS));
}

struct counted_case {
    const char *name, *verb, *path;
    const char *sample;
};

static const struct counted_case counted_rows[] = {
    {"a redirection", "GET", "/", COUNTED("308")},
    {"a request in the clear", "POST", "/method", COUNTED("403")},
    {"plain HTTP on the port of HTTPS", NULL, NULL, COUNTED("400")},
};

TEST_CASES(counted, struct counted_case, counted_rows)
{
    static const char data[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const struct http_request request = {.verb = c->verb, .path = c->path};
    struct http_answer answer;
    double before;

    count_all();
    before = count_of(c->sample);
    answer = c->verb != NULL
                 ? ask(&request, false)
                 : http_raw(https.port, data, sizeof(data) - 1, RENEWED_MS);
    CU_ASSERT(answer.status >= 300);
    http_answer_free(&answer);
    count_all();
    CU_ASSERT_EQUAL(count_of(c->sample), before + 1);
}

TEST_SINGLE(off, "where it is off, nothing of it is there")
{
    static const struct stack_plan plain = {.store = STACK_REDIS_UNIX};
    struct http *http = http_open(stack_shared(&plain)->port);
    struct http_answer answer = http_post(http, "{}");
    char value[FILES_PATH_MAX];

    CU_ASSERT_EQUAL(answer.status, 422);
    CU_ASSERT_FALSE(http_header(&answer, "Strict-Transport-Security", value,
                                sizeof(value)));
    http_answer_free(&answer);
    http_close(http);
}

/* The caller's address, as a trusted proxy gives it. */
struct proxy_case {
    const char *name, *from, *header, *want;
};

static const struct proxy_case proxy_rows[] = {
    {"a trusted proxy names the caller", "127.0.0.3", "192.0.2.1", "192.0.2.1"},
    {"the last of several", "127.0.0.3", "198.51.100.9, 192.0.2.2",
     "192.0.2.2"},
    {"but not another proxy", "127.0.0.3", "192.0.2.3, 10.1.2.3", "192.0.2.3"},
    {"an IPv6 address", "127.0.0.3", "2001:db8::1", "2001:db8::1"},
    {"what is no address", "127.0.0.3", "somebody", "127.0.0.3"},
    {"nobody else does", "127.0.0.4", "192.0.2.4", "127.0.0.4"},
};

struct log_search {
    char file[FILES_PATH_MAX], pattern[FILES_PATH_MAX];
};

static bool
is_logged(void *arg)
{
    const struct log_search *search = arg;
    char *text = files_read(search->file);
    bool is_there =
        text != NULL && expect_count_lines(text, search->pattern) == 1;

    free(text);
    return is_there;
}

TEST_CASES(proxy, struct proxy_case, proxy_rows)
{
    const struct stack *stack = https_stack();
    struct buffer data = {0};
    struct log_search search;
    struct http_answer answer;
    static int count;

    buffer_printf(&data,
                  "POST /method HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                  "X-Request-ID: proxy-%d\r\nX-Forwarded-For: %s\r\n"
                  "Content-Length: 2\r\n\r\n{}",
                  ++count, c->header);
    answer =
        http_raw_from(c->from, stack->port, data.data, data.length, RENEWED_MS);
    CU_ASSERT_EQUAL(answer.status, 403);
    files_path(search.file, "%.200s/nginx/access.log", stack->run_folder);
    files_path(search.pattern, "id=proxy-%d addr=%s verb=POST", count, c->want);
    CU_ASSERT_TRUE(clock_wait(is_logged, &search, FLUSH_MS));
    http_answer_free(&answer);
    buffer_free(&data);
}

/* The limit of requests counts the callers that proxies name. */
#define LIMIT_SENT 40

static const char *const limited[] = {"SCORING_RATE_LIMIT=5",
                                      "TRUSTED_PROXIES=127.0.0.3", NULL};
static const struct stack_plan limited_plan = {.store = STACK_REDIS_UNIX,
                                               .environment = limited};

struct limit_case {
    const char *name, *from;
    bool is_limited; /* although each request names another caller */
};

static const struct limit_case limit_rows[] = {
    {"each of a proxy's callers has its own", "127.0.0.3", false},
    {"nobody else gets more by the header", "127.0.0.4", true},
};

TEST_CASES(limit, struct limit_case, limit_rows)
{
    const struct stack *stack = stack_shared(&limited_plan);
    size_t refused = 0;

    for (int i = 0; i < LIMIT_SENT; i++) {
        struct buffer data = {0};
        struct http_answer answer;

        buffer_printf(&data,
                      "POST /method HTTP/1.1\r\nHost: a\r\n"
                      "Connection: close\r\nX-Forwarded-For: 192.0.2.%d\r\n"
                      "Content-Length: 2\r\n\r\n{}",
                      i);
        answer = http_raw_from(c->from, stack->port, data.data, data.length,
                               RENEWED_MS);
        CU_ASSERT_TRUE(answer.status == 422 || answer.status == 429);
        refused += answer.status == 429;
        http_answer_free(&answer);
        buffer_free(&data);
    }
    CU_ASSERT_EQUAL(refused > 0, c->is_limited);
}

TEST_SINGLE(served, "what the service answers is logged with the caller, too")
{
    static const char data[] =
        "POST /method HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        "X-Request-ID: served-1\r\nX-Forwarded-For: 192.0.2.250\r\n"
        "Content-Length: 2\r\n\r\n{}";
    const struct stack *stack = stack_shared(&limited_plan);
    struct log_search search;
    struct http_answer answer = http_raw_from("127.0.0.3", stack->port, data,
                                              sizeof(data) - 1, RENEWED_MS);

    CU_ASSERT_EQUAL(answer.status, 422);
    files_path(search.file, "%.200s/nginx/access.log", stack->run_folder);
    files_path(search.pattern, "id=served-1 addr=192.0.2.250 verb=POST "
                               "path=/method code=422");
    CU_ASSERT_TRUE(clock_wait(is_logged, &search, FLUSH_MS));
    http_answer_free(&answer);
}

/* A renewal: the files are replaced, and nginx is reloaded. */
static bool
is_renewed(void *arg)
{
    struct http *http = http_open_at("127.0.0.1", https.port, https.ca_2);
    struct http_answer answer = http_post(http, arg);
    bool is_right = load_is_three(&answer);

    http_answer_free(&answer);
    http_close(http);
    return is_right;
}

TEST_SINGLE(renewal, "by a reload costs no request")
{
    const struct stack *stack = https_stack();
    char *request = request_score(REQUEST_PERSON), path[FILES_PATH_MAX];
    const struct load_plan plan = {.port = https.port,
                                   .ca_file = https.ca_both,
                                   .body = request,
                                   .is_right = load_is_three,
                                   .callers = 4};
    struct load *load = load_start(&plan);
    char *pid;

    CU_ASSERT_FALSE(is_renewed(request));
    CU_ASSERT_TRUE(run_in_folder("cp 2.pem new.pem; cp 2.key new.key; "
                                 "mv new.pem now.pem; mv new.key now.key;"));
    files_path(path, "%.200s/nginx/nginx.pid", stack->run_folder);
    pid = files_read(path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(pid);
    CU_ASSERT_EQUAL(kill(atoi(pid), SIGHUP), 0);
    CU_ASSERT_TRUE(clock_wait(is_renewed, request, RENEWED_MS));
    load_expect(load_stop(load), "scores");
    free(pid);
    free(request);
}

/* Another stack, while the one of the suite has the port of HTTPS. */
TEST_SINGLE(port, "is in use")
{
    struct stack stack;
    char words[64];

    (void)https_stack();
    (void)snprintf(words, sizeof(words), "HTTPS_PORT: %d: the port is in use",
                   https.port);
    CU_ASSERT_TRUE_FATAL(stack_init(&stack));
    CU_ASSERT_TRUE(stack_launch(&stack, &https.plan));
    stack_expect_refused(&stack, words);
    stack_discard(&stack);
}

TEST_SINGLE(same_port, "for the metrics is refused")
{
    struct stack stack;
    char words[64];

    (void)https_stack();
    (void)snprintf(words, sizeof(words),
                   "METRICS_PORT: %d: must not be HTTPS_PORT", https.port);
    CU_ASSERT_TRUE_FATAL(stack_init(&stack));
    stack.metrics_port = https.port;
    CU_ASSERT_TRUE(stack_launch(&stack, &https.plan));
    stack_expect_refused(&stack, words);
    stack_discard(&stack);
}

/* S24.6: the default is the port after HTTP_PORT. */
TEST_SINGLE(metrics_elsewhere, "if HTTPS has the default of METRICS_PORT")
{
    char https_port[64], words[64], *output;
    const char *const environment[] = {https.certificate, https.key, https_port,
                                       NULL};
    const struct stack_plan next = {.store = STACK_REDIS_ABSENT,
                                    .environment = environment};
    struct stack stack;
    int fd, port;

    (void)https_stack();
    CU_ASSERT_TRUE_FATAL(stack_init(&stack));
    stack.metrics_port = 0;
    fd = ports_listen_at(stack.port + 1, &port);
    if (fd < 0) {
        cases_skip("another program has the next port");
        return;
    }
    (void)close(fd);
    (void)snprintf(https_port, sizeof(https_port), "HTTPS_PORT=%d", port);
    (void)snprintf(words, sizeof(words), "METRICS_PORT: %d cannot be had; ",
                   port);
    CU_ASSERT_TRUE(stack_launch(&stack, &next));
    CU_ASSERT_TRUE(stack_is_ready(&stack, CLOCK_PATIENCE_MS));
    output = files_read(stack.output);
    CU_ASSERT_TRUE(output != NULL && strstr(output, words) != NULL);
    free(output);
    CU_ASSERT_TRUE(stack_stop(&stack));
}

static int
https_end(void)
{
    if (https.is_made)
        files_folder_remove(https.folder);
    return 0;
}

TEST_SUITE(.end = https_end);
