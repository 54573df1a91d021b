/*
 * HTTP, over the whole stack: paths, verbs, bodies and their sizes, request
 * ids, the envelope and the order of the checks; and requests that are not
 * HTTP. Source: docs/protocol.md, S2, S7 and S9.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/buffer.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/expect.h"
#include "support/ports.h"
#include "support/stack.h"
#include "support/token.h"

#define BODY_MAX_BYTES 1048576 /* the default of SCORING_MAX_BODY_BYTES */
#define TOO_LARGE      "the body may have at most 1048576 bytes"
#define RATE_REQUESTS  50    /* in far less than a second */
#define STALL_LIMIT_MS 20000 /* nginx disconnects after 10 s */

static const struct stack_plan plan = {.store = STACK_REDIS_UNIX};

/* Its answer, 422, can only come from behind path, verb and JSON. */
#define NO_OBJECT "[]"

static struct http_answer
send_one(const struct http_request *request)
{
    struct http *http = http_open(stack_shared(&plan)->port);
    struct http_answer answer;

    CU_ASSERT_PTR_NOT_NULL_FATAL(http);
    answer = http_send(http, request);
    http_close(http);
    return answer;
}

struct path_case {
    const char *name, *path;
    int want;
};

static const struct path_case path_rows[] = {
    {"plain", "/method", 422},
    {"slash behind", "/method/", 422},
    {"query", "/method?a=1&b=%zz", 422},
    {"slash and query", "/method/?/x", 422},
    {"empty query", "/method?", 422},
    {"percent-encoded letter", "/%6Dethod", 422},
    {"percent-encoded slash behind", "/method%2F", 422},
    {"root", "/", 404},
    {"below", "/method/x", 404},
    {"longer", "/methods", 404},
    {"shorter", "/metho", 404},
    {"capitals", "/Method", 404},
    {"two slashes behind", "/method//", 404},
    {"two slashes in front", "//method", 404},
    {"two slashes on both sides", "//method//", 404},
    {"percent-encoded slash in front", "/%2Fmethod", 404},
    {"percent-encoded question mark", "/method%3Fa", 404},
    {"encoded twice", "/%256Dethod", 404},
    {"space behind", "/method%20", 404},
    {"newline behind", "/method%0A", 404},
    {"semicolon", "/method;a=1", 404},
    {"page of nginx's errors", "/scoring-error", 404},
    {"page of nginx's 429", "/scoring-429", 404},
    {"way of large bodies", "/scoring-large/method", 404},
    {"newline in front", "/%0A/method", 404},
    {"newline in the middle", "/method%0A/method", 404},
    {"verb, length and newline in front", "/x%0APOST%202%20%0A/method", 404},
    {"query alone", "/?/method", 404},
};

TEST_CASES(path, struct path_case, path_rows)
{
    const struct http_request request = {.path = c->path, .body = NO_OBJECT};
    struct http_answer answer = send_one(&request);

    if (c->want == 404)
        expect_error_text(&answer, 404, "no such path: POST /method");
    else
        expect_error(&answer, c->want, NULL);
    http_answer_free(&answer);
}

struct verb_case {
    const char *name, *path;
    int want;
};

static const struct verb_case verb_rows[] = {
    {"GET", "/method", 405},      {"PUT", "/method", 405},
    {"DELETE", "/method/", 405},  {"PATCH", "/method", 405},
    {"OPTIONS", "/method", 405},  {"PROPFIND", "/method", 405},
    {"TRACE", "/method", 405},    {"FOO", "/method", 405},
    {"POSTX", "/method", 405},    {"POS", "/method/?a", 405},
    {"GET ", "/nope", 404},       {"PUT ", "/", 404},
    {"OPTIONS ", "/", 404},       {"DELETE ", "/openapi.json", 404},
    {"TRACE ", "/", 404},         {"GET  ", "/index.html", 404},
    {"GET   ", "/docs/", 404},    {"GET    ", "/docs/nothing.js", 404},
    {"TRACE  ", "/method/", 405},
};

TEST_CASES(verb, struct verb_case, verb_rows)
{
    char verb[16];
    const struct http_request request = {.verb = verb, .path = c->path};
    struct http_answer answer;

    (void)snprintf(verb, sizeof(verb), "%.*s", (int)strcspn(c->name, " "),
                   c->name);
    answer = send_one(&request);
    if (c->want == 405) {
        expect_error_text(&answer, 405, "use POST");
        expect_header(&answer, "Allow", "POST");
    } else {
        expect_error_text(&answer, 404, "no such path: POST /method");
    }
    http_answer_free(&answer);
}

/* Files of nginx's: the page, and what it shows. */
struct file_case {
    const char *name, *path, *type;
};

static const struct file_case file_rows[] = {
    {"page", "/", "text/html; charset=utf-8"},
    {"page with a query", "/?a", "text/html; charset=utf-8"},
    {"description", "/openapi.json", "application/json"},
    {"style", "/docs/page.css", "text/css; charset=utf-8"},
    {"script", "/docs/page.js", "text/javascript; charset=utf-8"},
};

/* Files have the headers of all answers, and a policy of their own (S5.1). */
TEST_CASES(file, struct file_case, file_rows)
{
    static const char whole[] =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src "
        "'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'";
    static const char *const sources[] = {
        "default-src 'none';", "script-src 'self';", "connect-src 'self';"};
    const char *const headers[] = {"X-Request-ID: of-a.file_1", NULL};
    const struct http_request request = {
        .verb = "GET", .path = c->path, .headers = headers};
    struct http_answer answer = send_one(&request);
    char policy[512] = "";

    CU_ASSERT_EQUAL(answer.status, 200);
    CU_ASSERT_TRUE(answer.body_length > 0);
    expect_header(&answer, "Content-Type", c->type);
    expect_header(&answer, "X-Request-ID", "of-a.file_1");
    expect_header(&answer, "Server", "nginx");
    expect_header(&answer, "Cache-Control", "no-cache");
    expect_header(&answer, "X-Content-Type-Options", "nosniff");
    expect_header(&answer, "Referrer-Policy", "no-referrer");
    CU_ASSERT_TRUE(http_header(&answer, "Content-Security-Policy", policy,
                               sizeof(policy)));
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
        CU_ASSERT_PTR_NOT_NULL(strstr(policy, sources[i]));
    CU_ASSERT_PTR_NULL(strstr(policy, "unsafe"));
    CU_ASSERT_STRING_EQUAL(policy, whole);
    http_answer_free(&answer);
}

TEST_CASES(file_head, struct file_case, file_rows)
{
    const struct http_request request = {.verb = "HEAD", .path = c->path};
    struct http_answer answer = send_one(&request);

    CU_ASSERT_EQUAL(answer.status, 200);
    CU_ASSERT_EQUAL(answer.body_length, 0);
    expect_header(&answer, "Content-Type", c->type);
    http_answer_free(&answer);
}

/* What a condition does to a file, as nginx answers it. */
struct condition_case {
    const char *name, *header;
    int want;
};

static const struct condition_case condition_rows[] = {
    {"another version is wanted", "If-Match: \"x\"", 412},
    {"a part behind its end", "Range: bytes=99999999-", 200},
};

TEST_CASES(condition, struct condition_case, condition_rows)
{
    const char *const headers[] = {c->header, NULL};
    const struct http_request request = {
        .verb = "GET", .path = "/openapi.json", .headers = headers};
    struct http_answer answer = send_one(&request);

    CU_ASSERT_EQUAL(answer.status, c->want);
    if (c->want != 200)
        expect_error(&answer, c->want, NULL);
    http_answer_free(&answer);
}

TEST_SINGLE(head, "is 405 without a body")
{
    const struct http_request request = {.verb = "HEAD"};
    struct http_answer answer = send_one(&request);

    CU_ASSERT_EQUAL(answer.status, 405);
    CU_ASSERT_EQUAL(answer.body_length, 0);
    expect_header(&answer, "Allow", "POST");
    http_answer_free(&answer);
}

/* Only 405 has Allow, and only 503 has Retry-After. */
TEST_SINGLE(headers, "of other answers")
{
    const struct http_request request = {.body = NO_OBJECT};
    struct http_answer answer = send_one(&request);
    char value[64];

    CU_ASSERT_FALSE(http_header(&answer, "Allow", value, sizeof(value)));
    CU_ASSERT_FALSE(http_header(&answer, "Retry-After", value, sizeof(value)));
    http_answer_free(&answer);
}

/* A JSON text of so many bytes, mostly space. */
struct body_case {
    const char *name, *verb, *path;
    size_t length;
    bool is_chunked;
    int want;
};

static const struct body_case body_rows[] = {
    {"small", "POST", "/method", 2, false, 422},
    {"small in chunks", "POST", "/method", 2, true, 422},
    {"64 KiB", "POST", "/method", 65536, false, 422},
    {"64 KiB in chunks", "POST", "/method", 65536, true, 422},
    {"one byte more", "POST", "/method", 65537, false, 422},
    {"one byte more, and a slash", "POST", "/method/", 65537, false, 422},
    {"largest", "POST", "/method", BODY_MAX_BYTES, false, 422},
    {"largest in chunks", "POST", "/method", BODY_MAX_BYTES, true, 422},
    {"too large", "POST", "/method", BODY_MAX_BYTES + 1, false, 413},
    {"too large in chunks", "POST", "/method", BODY_MAX_BYTES + 1, true, 413},
    {"far too large", "POST", "/method", 3 * BODY_MAX_BYTES, false, 413},
    {"empty", "POST", "/method", 0, false, 400},
    {"empty in chunks", "POST", "/method", 0, true, 400},
    {"too large elsewhere", "POST", "/nope", BODY_MAX_BYTES + 1, false, 404},
    {"too large in chunks elsewhere", "POST", "/nope", BODY_MAX_BYTES + 1, true,
     404},
    {"too large by PUT", "PUT", "/method", BODY_MAX_BYTES + 1, false, 405},
    {"too large by GET", "GET", "/method", BODY_MAX_BYTES + 1, false, 405},
};

TEST_CASES(body, struct body_case, body_rows)
{
    char *body = malloc(c->length + 1);
    const struct http_request request = {.verb = c->verb,
                                         .path = c->path,
                                         .body = body,
                                         .body_length = c->length,
                                         .is_chunked = c->is_chunked};
    struct http_answer answer;

    CU_ASSERT_PTR_NOT_NULL_FATAL(body);
    memset(body, ' ', c->length);
    if (c->length >= 2)
        memcpy(body + c->length / 2 - 1, NO_OBJECT, 2);
    body[c->length] = '\0';
    answer = send_one(&request);
    if (c->want == 413)
        expect_error_text(&answer, 413, TOO_LARGE);
    else
        expect_error(&answer, c->want, NULL);
    http_answer_free(&answer);
    free(body);
}

TEST_SINGLE(no_length, "is 400")
{
    const struct http_request request = {.verb = "POST"};
    struct http_answer answer = send_one(&request);

    expect_error(&answer, 400, NULL);
    http_answer_free(&answer);
}

/* S7.2: a compressed body is refused before its size, after path and verb. */
struct encoding_case {
    const char *name, *header, *verb, *path;
    size_t length;
    int want;
};

#define ENCODED "Content-Encoding: "

static const struct encoding_case encoding_rows[] = {
    {"gzip", ENCODED "gzip", "POST", "/method", 2, 415},
    {"another one", ENCODED "br", "POST", "/method/", 2, 415},
    {"identity", ENCODED "identity", "POST", "/method", 2, 422},
    {"identity in capitals", ENCODED "IDENTITY", "POST", "/method/", 2, 422},
    {"identity twice", ENCODED "identity, Identity", "POST", "/method", 2, 422},
    {"empty", "Content-Encoding;", "POST", "/method", 2, 422},
    {"identity and gzip", ENCODED "identity, gzip", "POST", "/method", 2, 415},
    {"gzip and identity", ENCODED "gzip,identity", "POST", "/method", 2, 415},
    {"longer than identity", ENCODED "identityx", "POST", "/method", 2, 415},
    {"not ASCII", ENCODED "\xff", "POST", "/method", 2, 415},
    {"large", ENCODED "gzip", "POST", "/method", 200000, 415},
    {"large, identity", ENCODED "identity", "POST", "/method", 200000, 422},
    {"too large", ENCODED "gzip", "POST", "/method", BODY_MAX_BYTES + 1, 415},
    {"too large, identity", ENCODED "identity", "POST", "/method",
     BODY_MAX_BYTES + 1, 413},
    {"another path", ENCODED "gzip", "POST", "/nope", 2, 404},
    {"another verb", ENCODED "gzip", "PUT", "/method", 2, 405},
};

TEST_CASES(encoding, struct encoding_case, encoding_rows)
{
    const char *const headers[] = {c->header, NULL};
    char *body = malloc(c->length + 1);
    const struct http_request request = {.verb = c->verb,
                                         .path = c->path,
                                         .body = body,
                                         .body_length = c->length,
                                         .headers = headers};
    struct http_answer answer;

    CU_ASSERT_PTR_NOT_NULL_FATAL(body);
    (void)snprintf(body, c->length + 1, "%s%*s", NO_OBJECT, (int)c->length - 2,
                   "");
    answer = send_one(&request);
    if (c->want == 415)
        expect_error_text(&answer, 415,
                          "the body is compressed: send it as it is");
    else
        expect_error(&answer, c->want, NULL);
    http_answer_free(&answer);
    free(body);
}

/* Content-Type and other headers are not checked. */
static const char *const odd_headers[] = {
    "Content-Type: text/html; charset=utf-16",
    "Accept: image/png",
    "Content-Encoding: identity",
    "Proxy: http://127.0.0.1:1/",
    "If-None-Match: *",
    NULL};

TEST_SINGLE(odd, "headers change nothing")
{
    const struct http_request request = {.body = NO_OBJECT,
                                         .headers = odd_headers};
    struct http_answer answer = send_one(&request);

    expect_error(&answer, 422, NULL);
    http_answer_free(&answer);
}

TEST_SINGLE(kept, "connection serves one request after the other")
{
    struct http *http = http_open(stack_shared(&plan)->port);

    CU_ASSERT_PTR_NOT_NULL_FATAL(http);
    for (int i = 0; i < 20; i++) {
        struct http_answer answer =
            http_post(http, i % 2 == 0 ? NO_OBJECT : "{");

        expect_error(&answer, i % 2 == 0 ? 422 : 400, NULL);
        http_answer_free(&answer);
    }
    http_close(http);
}

/* What is sent as it is; every answer has the envelope, made by nginx. */
struct raw_case {
    const char *name, *data;
    int want;
};

#define HEAD "POST /method HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"

static const struct raw_case raw_rows[] = {
    {"good", HEAD "Content-Length: 2\r\n\r\n[]", 422},
    {"HTTP/1.0", "POST /method HTTP/1.0\r\nContent-Length: 2\r\n\r\n[]", 422},
    {"chunks",
     HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n1\r\n]\r\n"
          "0\r\n\r\n",
     422},
    {"chunk extensions and trailer",
     HEAD "Transfer-Encoding: chunked\r\n\r\n2;a=b\r\n[]\r\n0\r\nX: y\r\n\r\n",
     422},
    {"absolute address",
     "POST http://a/method HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
     "Content-Length: 2\r\n\r\n[]",
     422},
    {"no host", "POST /method HTTP/1.1\r\nContent-Length: 2\r\n\r\n[]", 400},
    {"bad host", "POST /method HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
    {"two hosts",
     "POST /method HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
     400},
    {"length no number", HEAD "Content-Length: two\r\n\r\n[]", 400},
    {"negative length", HEAD "Content-Length: -2\r\n\r\n[]", 400},
    {"two lengths", HEAD "Content-Length: 2\r\nContent-Length: 3\r\n\r\n[]",
     400},
    {"huge length", HEAD "Content-Length: 99999999999999999999\r\n\r\n[]", 400},
    {"length above the limit", HEAD "Content-Length: 1048577\r\n\r\n[]", 413},
    {"length above the limit, and a slash",
     "POST /method/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
     "Content-Length: 1048577\r\n\r\n[]",
     413},
    {"length and chunks",
     HEAD "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     400},
    {"unknown encoding", HEAD "Transfer-Encoding: gzip\r\n\r\n", 501},
    {"chunk without a size",
     HEAD "Transfer-Encoding: chunked\r\n\r\nxx\r\n[]\r\n0\r\n\r\n", 400},
    {"no request", "\x01\x02\x03\r\n\r\n", 400},
    {"one word", "POST\r\n\r\n", 400},
    {"bad version", "POST /method HTTP/9.1\r\n\r\n", 505},
    {"no version number", "POST /method HTTP/x\r\n\r\n", 400},
    {"no path", "POST method HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"bad percent-encoding", "POST /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"encoded NUL", "POST /method%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"path above the root", "POST /../method HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"small letters", "post /method HTTP/1.1\r\nHost: a\r\n\r\n", 400},
};

TEST_CASES(raw, struct raw_case, raw_rows)
{
    struct http_answer answer = http_raw(stack_shared(&plan)->port, c->data,
                                         strlen(c->data), CLOCK_PATIENCE_MS);

    expect_error(&answer, c->want, NULL);
    http_answer_free(&answer);
}

/* A caller that has sent all and closes its half gets its answer. */
#define HALF_TIMES 50

struct half_case {
    const char *name, *head;
    size_t length; /* of the body: a JSON text that is no object */
    int want;
};

static const struct half_case half_rows[] = {
    {"score", "POST /method HTTP/1.1\r\nHost: a\r\n", 2, 422},
    {"with a slash", "POST /method/ HTTP/1.1\r\nHost: a\r\n", 2, 422},
    {"spooled", "POST /method HTTP/1.1\r\nHost: a\r\n", 200000, 422},
    {"largest", "POST /method HTTP/1.1\r\nHost: a\r\n", BODY_MAX_BYTES, 422},
    {"no body", "POST /method HTTP/1.1\r\nHost: a\r\n", 0, 400},
    {"HTTP/1.0", "POST /method HTTP/1.0\r\n", 2, 422},
    {"alive", "GET /healthz HTTP/1.1\r\nHost: a\r\n", 0, 200},
    {"ready", "GET /readyz HTTP/1.1\r\nHost: a\r\n", 0, 200},
    {"page", "GET / HTTP/1.1\r\nHost: a\r\n", 0, 200},
    {"description", "GET /openapi.json HTTP/1.1\r\nHost: a\r\n", 0, 200},
    {"another path", "POST /nope HTTP/1.1\r\nHost: a\r\n", 2, 404},
    {"another verb", "GET /method HTTP/1.1\r\nHost: a\r\n", 0, 405},
    {"other verb of health", "PUT /healthz HTTP/1.1\r\nHost: a\r\n", 2, 405},
    {"too large", "POST /method HTTP/1.1\r\nHost: a\r\n", BODY_MAX_BYTES + 1,
     413},
    {"compressed",
     "POST /method HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\n", 2, 415},
    {"no host", "POST /method HTTP/1.1\r\n", 2, 400},
};

TEST_CASES(half, struct half_case, half_rows)
{
    struct buffer data = {0};
    size_t answered = 0;

    buffer_add_text(&data, c->head);
    if (c->length > 0)
        buffer_printf(&data, "Content-Length: %zu\r\n\r\n%s%*s", c->length,
                      NO_OBJECT, (int)c->length - 2, "");
    else
        buffer_add_text(&data, "\r\n");
    for (int i = 0; i < HALF_TIMES; i++) {
        struct http_answer answer =
            http_raw_half(stack_shared(&plan)->port, buffer_text(&data),
                          data.length, CLOCK_PATIENCE_MS);

        answered += answer.status == c->want && answer.body_length > 0;
        http_answer_free(&answer);
    }
    CU_ASSERT_EQUAL(answered, HALF_TIMES);
    buffer_free(&data);
}

/* Parts of a request's head of some length. */
struct long_case {
    const char *name, *before, *after;
    size_t length;
    int want;
    const char *text; /* of the error; NULL: any */
};

#define LONG_ADDRESS "the address is too long: at most 8 KiB"
#define LONG_HEADERS "the headers are too large: at most 8 KiB each"

#define LINE_BYTES 8192 /* with its end */

static const struct long_case long_rows[] = {
    {"query of 4 KiB", "POST /method?",
     " HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\n[]",
     4096, 422, NULL},
    {"address of 8 KiB", "POST /method?",
     " HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\n[]",
     LINE_BYTES - sizeof("POST /method? HTTP/1.1\r\n") + 1, 422, NULL},
    {"address of a byte more", "POST /method?", " HTTP/1.1\r\nHost: a\r\n\r\n",
     LINE_BYTES - sizeof("POST /method? HTTP/1.1\r\n") + 2, 414, LONG_ADDRESS},
    {"query of 64 KiB", "POST /method?", " HTTP/1.1\r\nHost: a\r\n\r\n", 65536,
     414, LONG_ADDRESS},
    {"header of 4 KiB", HEAD "X: ", "\r\nContent-Length: 2\r\n\r\n[]", 4096,
     422, NULL},
    {"header of 8 KiB", HEAD "X: ", "\r\nContent-Length: 2\r\n\r\n[]",
     LINE_BYTES - sizeof("X: \r\n") + 1, 422, NULL},
    {"header of a byte more", HEAD "X: ", "\r\n\r\n",
     LINE_BYTES - sizeof("X: \r\n") + 2, 431, LONG_HEADERS},
    {"header of 64 KiB", HEAD "X: ", "\r\n\r\n", 65536, 431, LONG_HEADERS},
};

TEST_CASES(length, struct long_case, long_rows)
{
    struct buffer data = {0};
    struct http_answer answer;

    buffer_add_text(&data, c->before);
    for (size_t i = 0; i < c->length; i++)
        buffer_add(&data, "a", 1);
    buffer_add_text(&data, c->after);
    answer = http_raw(stack_shared(&plan)->port, buffer_text(&data),
                      data.length, CLOCK_PATIENCE_MS);
    buffer_free(&data);
    expect_error(&answer, c->want, NULL);
    if (c->text != NULL)
        expect_error_text(&answer, c->want, c->text);
    http_answer_free(&answer);
}

/* An own id of 32 hexadecimal digits in place of every unusable one. */
struct id_case {
    const char *name, *header;
    bool is_kept;
};

#define TEN     "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static const struct id_case id_rows[] = {
    {"shortest", "X-Request-ID: a", true},
    {"all kinds", "X-Request-ID: azAZ09._-", true},
    {"128 characters", "X-Request-ID: " HUNDRED TEN TEN "01234567", true},
    {"129 characters", "X-Request-ID: " HUNDRED TEN TEN "012345678", false},
    {"none", "X-Other: a", false},
    {"empty", "X-Request-ID;", false},
    {"space within", "X-Request-ID: a b", false},
    {"slash", "X-Request-ID: a/b", false},
    {"comma", "X-Request-ID: a,b", false},
    {"quote", "X-Request-ID: a\"b", false},
    {"not ASCII", "X-Request-ID: \xd0\xb0", false},
    {"semicolon", "X-Request-ID: a;b", false},
};

static void
check_id(const struct http_answer *answer, const struct id_case *c)
{
    const struct stack *stack = stack_shared(&plan);
    char id[256] = "", pattern[300];

    CU_ASSERT_TRUE(http_header(answer, "X-Request-ID", id, sizeof(id)));
    if (c->is_kept)
        CU_ASSERT_STRING_EQUAL(id, c->header + strlen("X-Request-ID: "));
    if (!c->is_kept)
        CU_ASSERT_TRUE(expect_match(id, "^[0-9a-f]{32}$"));
    (void)snprintf(pattern, sizeof(pattern), "[ =]%s( |$)", id);
    CU_ASSERT_TRUE(stack_log_wait(stack, pattern, 1));
}

TEST_CASES(id, struct id_case, id_rows)
{
    const char *const headers[] = {c->header, NULL};
    const struct http_request request = {.body = NO_OBJECT, .headers = headers};
    struct http_answer answer = send_one(&request);

    expect_error(&answer, 422, NULL);
    check_id(&answer, c);
    http_answer_free(&answer);
}

/* Answers that nginx makes, and health, have the caller's id as well. */
struct id_error_case {
    const char *name, *verb, *path;
    size_t length;
    int want;
};

static const struct id_error_case id_error_rows[] = {
    {"404", "POST", "/nope", 2, 404},
    {"405", "GET", "/method", 0, 405},
    {"413", "POST", "/method", BODY_MAX_BYTES + 1, 413},
    {"health", "GET", "/healthz", 0, 200},
};

TEST_CASES(id_error, struct id_error_case, id_error_rows)
{
    static const char *const headers[] = {"X-Request-ID: id-of-caller", NULL};
    char *body = calloc(1, c->length + 1);
    const struct http_request request = {.verb = c->verb,
                                         .path = c->path,
                                         .body = body,
                                         .body_length = c->length,
                                         .headers = headers};
    struct http_answer answer = send_one(&request);

    CU_ASSERT_EQUAL(answer.status, c->want);
    if (c->want != 200)
        expect_error(&answer, c->want, NULL);
    expect_header(&answer, "X-Request-ID", "id-of-caller");
    http_answer_free(&answer);
    free(body);
}

/*
 * Faults of the five members, and which fault is reported first. T stands for
 * the valid token of the account and login below, W for a wrong one.
 */
struct envelope_case {
    const char *name, *text;
    int want;
    const char *named; /* members that must be told, with spaces between */
};

#define T       "\"token\": \"" TOKEN_KNOWN "\""
#define W       "\"token\": \"\""
#define A       "\"account\": \"horns&hoofs\""
#define L       "\"login\": \"h&f\""
#define M       "\"method\": \"online_score\""
#define ARGS    "\"arguments\": {\"first_name\": \"a\", \"last_name\": \"b\"}"
#define MEMBERS "account login token arguments method"

static const struct envelope_case envelope_rows[] = {
    {"good", "{" A "," L "," T "," M "," ARGS "}", 200, ""},
    {"unknown members", "{\"x\": {}," A "," L "," T "," M "," ARGS ", \"\": 1}",
     200, ""},
    {"array", "[]", 422, ""},
    {"string", "\"a\"", 422, ""},
    {"number", "1", 422, ""},
    {"null", "null", 422, ""},
    {"true", "true", 422, ""},
    {"empty", "{}", 422, "login token arguments method"},
    {"all wrong",
     "{\"account\": 1, \"login\": 2, \"token\": 3, \"arguments\": 4, "
     "\"method\": 5}",
     422, MEMBERS},
    {"all null",
     "{\"account\": null, \"login\": null, \"token\": null, \"arguments\": "
     "null, \"method\": null}",
     422, "login token arguments method"},
    {"account a number", "{\"account\": 1," L "," T "," M "," ARGS "}", 422,
     "account"},
    {"account false", "{\"account\": false," L "," T "," M "," ARGS "}", 422,
     "account"},
    {"account an array", "{\"account\": []," L "," T "," M "," ARGS "}", 422,
     "account"},
    {"login absent", "{" A "," T "," M "," ARGS "}", 422, "login"},
    {"login null", "{\"login\": null," A "," T "," M "," ARGS "}", 422,
     "login"},
    {"login an object", "{\"login\": {}," A "," T "," M "," ARGS "}", 422,
     "login"},
    {"token absent", "{" A "," L "," M "," ARGS "}", 422, "token"},
    {"token null", "{\"token\": null," A "," L "," M "," ARGS "}", 422,
     "token"},
    {"token a number", "{\"token\": 1," A "," L "," M "," ARGS "}", 422,
     "token"},
    {"arguments absent", "{" A "," L "," T "," M "}", 422, "arguments"},
    {"arguments null", "{\"arguments\": null," A "," L "," T "," M "}", 422,
     "arguments"},
    {"arguments an array", "{\"arguments\": []," A "," L "," T "," M "}", 422,
     "arguments"},
    {"arguments a string", "{\"arguments\": \"\"," A "," L "," T "," M "}", 422,
     "arguments"},
    {"method absent", "{" A "," L "," T "," ARGS "}", 422, "method"},
    {"method null", "{\"method\": null," A "," L "," T "," ARGS "}", 422,
     "method"},
    {"method a number", "{\"method\": 1," A "," L "," T "," ARGS "}", 422,
     "method"},
    {"method empty", "{\"method\": \"\"," A "," L "," T "," ARGS "}", 422,
     "method"},
    {"method unknown",
     "{\"method\": \"online_scorez\"," A "," L "," T "," ARGS "}", 422,
     "method"},
    {"method in capitals",
     "{\"method\": \"Online_score\"," A "," L "," T "," ARGS "}", 422,
     "method"},
    {"method with NUL behind",
     "{\"method\": \"online_score\\u0000\"," A "," L "," T "," ARGS "}", 422,
     "method"},
    {"member's name with NUL behind",
     "{\"method\\u0000\": \"online_score\"," A "," L "," T "," ARGS "}", 422,
     "method"},
    {"member's name in capitals",
     "{\"Login\": \"h&f\"," A "," T "," M "," ARGS "}", 422, "login"},
    {"the last of a repeated member counts",
     "{\"method\": 1," A "," L "," T "," M "," ARGS "}", 200, ""},
    {"the last of a repeated member is wrong",
     "{" A "," L "," T "," M "," ARGS ", \"method\": null}", 422, "method"},
    {"members before the token", "{" A "," L "," W "," M "}", 422, "arguments"},
    {"token before the method", "{\"method\": \"\"," A "," L "," W "," ARGS "}",
     403, ""},
    {"token before the arguments",
     "{\"arguments\": {}," A "," L "," W "," M "}", 403, ""},
    {"method before the arguments",
     "{\"method\": \"x\", \"arguments\": {}," A "," L "," T "}", 422, "method"},
    {"arguments empty", "{\"arguments\": {}," A "," L "," T "," M "}", 422,
     "phone"},
    {"JSON before the members", "{\"method\": 1,}", 400, ""},
};

/* Of the members, exactly those are named which are at fault. */
static void
check_named(const struct http_answer *answer, const char *named)
{
    char *members = strdup(MEMBERS), *rest = members, *member;
    char text[64], word[32];

    CU_ASSERT_PTR_NOT_NULL_FATAL(members);
    (void)snprintf(text, sizeof(text), " %s ", named);
    while ((member = strsep(&rest, " ")) != NULL) {
        (void)snprintf(word, sizeof(word), "%s:", member);
        CU_ASSERT_EQUAL(strstr(expect_error_of(answer), word) != NULL,
                        strstr(text, member) != NULL);
    }
    free(members);
}

TEST_CASES(envelope, struct envelope_case, envelope_rows)
{
    const struct http_request request = {.body = c->text};
    struct http_answer answer = send_one(&request);

    if (c->want == 200) {
        expect_score(&answer, 0.5);
    } else if (c->want == 403) {
        expect_error_text(&answer, 403, "Forbidden");
    } else {
        expect_error(&answer, c->want, NULL);
        if (strstr(MEMBERS, c->named) != NULL)
            check_named(&answer, c->named);
        else
            expect_error(&answer, c->want, "phone");
    }
    http_answer_free(&answer);
}

/* More requests per second than the limit are refused, with Retry-After. */
static const char *const limited[] = {"SCORING_RATE_LIMIT=5", NULL};
static const struct stack_plan limited_plan = {.store = STACK_REDIS_UNIX,
                                               .environment = limited};

TEST_SINGLE(rate, "of requests is limited")
{
    const struct stack *stack = stack_shared(&limited_plan);
    size_t served = 0, refused = 0;

    for (size_t i = 0; i < RATE_REQUESTS; i++) {
        struct http_answer answer = expect_post(stack->port, strdup(NO_OBJECT));

        if (answer.status != 429) {
            expect_error(&answer, 422, NULL);
            served++;
        } else {
            expect_error_text(&answer, 429, "Too Many Requests");
            CU_ASSERT_TRUE(
                expect_match(answer.headers, "^Retry-After: [1-9][0-9]*"));
            refused++;
        }
        http_answer_free(&answer);
    }
    CU_ASSERT_TRUE(served > 0);
    CU_ASSERT_TRUE(refused > 0);
}

/*
 * A client that stops sending is disconnected. It is started first and checked
 * last, so that no test waits.
 */
static int stalled_head = -1, stalled_body = -1;
static int64_t stalled_since_ms;

static int
stall(const char *data)
{
    int fd = ports_connect(stack_shared(&plan)->port, STALL_LIMIT_MS);

    CU_ASSERT_TRUE(fd >= 0 && send(fd, data, strlen(data), MSG_NOSIGNAL) ==
                                  (ssize_t)strlen(data));
    return fd;
}

TEST_SINGLE(stall_begin, "in the head and in the body")
{
    stalled_head = stall("POST /method HTTP/1.1\r\nHos");
    stalled_body = stall(HEAD "Content-Length: 10\r\n\r\n[");
    stalled_since_ms = clock_ms();
}

/* The connection ends, with or without an answer (408). */
static void
check_stalled(int fd)
{
    char data[4096];
    ssize_t got;

    do
        got = recv(fd, data, sizeof(data), 0);
    while (got > 0);
    CU_ASSERT_TRUE(clock_ms() - stalled_since_ms < STALL_LIMIT_MS);
    (void)close(fd);
}

TEST_SINGLE(stall_end, "both are disconnected")
{
    if (stalled_head < 0) {
        cases_skip("it goes with stall_begin");
        return;
    }
    check_stalled(stalled_head);
    check_stalled(stalled_body);
}

TEST_SUITE(.parts = 2);
