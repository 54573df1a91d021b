/*
 * The connections of a worker, one turn of its loop at a time: the bytes of an
 * answer, what is logged about a request, how long a peer may take, what a
 * failing system call does, and which connections are closed when. The peers
 * are real sockets.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/buffer.h"
#include "support/calls.h"
#include "support/cases.h"
#include "support/fcgi_peer.h"
#include "support/fcgi_reply.h"
#include "support/files.h"
#include "support/request.h"
#include "support/served.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

#define IDLE_TURNS 4 /* turns after which nothing more can happen */
#define SLACK_MS   1
/* ten of them are more than a socket takes at once */
#define VALUE_BYTES 40000
#define ID_32       "abcdefghijklmnopqrstuvwxyz012345"
#define ID_128      ID_32 ID_32 ID_32 ID_32
#define TEN_IDS     "1, 2, 3, 4, 5, 6, 7, 8, 9, 10"
#define FIFTY_IDS   TEN_IDS ", " TEN_IDS ", " TEN_IDS ", " TEN_IDS ", " TEN_IDS
#define MANY_IDS    "{\"client_ids\": [" FIFTY_IDS ", " FIFTY_IDS "]}"

/* Of docs/protocol.md, S2. */
#define GATHER_MS 10000
#define SEND_MS   11000
#define IDLE_MS   75000
#define DRAIN_MS  2000

static struct served served;
static char folder[FILES_PATH_MAX], log_path[FILES_PATH_MAX];
static unsigned emptied;

static void
count_emptied(void *arg)
{
    (void)arg;
    emptied++;
}

/* value: that of every key in the store. The clock is stopped. */
static void
start(const char *value)
{
    calls_stop_clock();
    CU_ASSERT_FATAL(served_start(&served, bytes_of(value)));
    CU_ASSERT_FATAL(files_folder_make(folder));
    files_path(log_path, "%s/log", folder);
    log_close(served.shared.log);
    served.shared.log = log_open(&(struct log_plan){.file = log_path});
    CU_ASSERT_PTR_NOT_NULL_FATAL(served.shared.log);
    served.shared.emptied = count_emptied;
    emptied = 0;
}

static void
end(void)
{
    served_stop(&served);
    files_folder_remove(folder);
    calls_let_clock_go();
}

static int
open_peer(void)
{
    int fd = served_connect(&served);

    CU_ASSERT_FATAL(fd != -1);
    return fd;
}

static void
send_bytes(int fd, const void *bytes, size_t length)
{
    CU_ASSERT_EQUAL(send(fd, bytes, length, MSG_NOSIGNAL), (ssize_t)length);
    served_turn(&served);
}

static void
send_exchange(int fd, const struct fcgi_peer_exchange *exchange)
{
    struct buffer bytes = {0};

    fcgi_peer_whole(&bytes, exchange);
    send_bytes(fd, bytes.data, bytes.length);
    buffer_free(&bytes);
}

/* Sends a request for a score, or half of it. */
static void
send_score(int fd, bool is_half)
{
    struct buffer bytes = {0};

    fcgi_peer_request(&bytes, request_score(REQUEST_PERSON));
    send_bytes(fd, bytes.data, is_half ? bytes.length / 2 : bytes.length);
    buffer_free(&bytes);
}

static void
send_interests(int fd, const char *arguments)
{
    struct buffer bytes = {0};

    fcgi_peer_request(&bytes, request_interests(arguments));
    send_bytes(fd, bytes.data, bytes.length);
    buffer_free(&bytes);
}

/* Takes turns until nothing more arrives; returns whether the connection was
 * closed. */
static bool
receive(int fd, struct buffer *out)
{
    for (int idle = 0; idle < IDLE_TURNS; idle++) {
        char part[4096];
        ssize_t got;

        served_turn(&served);
        got = read(fd, part, sizeof(part));
        if (got == 0 || (got < 0 && errno == ECONNRESET))
            return true;
        if (got < 0)
            continue;
        buffer_add(out, part, (size_t)got);
        idle = 0;
    }
    return false;
}

static bool
is_closed(int fd)
{
    struct buffer rest = {0};
    bool closed = receive(fd, &rest);

    CU_ASSERT_EQUAL(rest.length, 0);
    buffer_free(&rest);
    return closed;
}

/* Receives exactly one answer, which the caller frees. Returns whether the
 * connection was closed after it. */
static bool
take_answer(int fd, struct buf *ret_text)
{
    struct buffer bytes = {0};
    bool closed = receive(fd, &bytes);

    *ret_text = (struct buf){0};
    CU_ASSERT_EQUAL(
        fcgi_reply_take((struct bytes){bytes.data, bytes.length}, ret_text),
        FCGI_REPLY_COMPLETE);
    buf_add(ret_text, "", 1);
    buffer_free(&bytes);
    return closed;
}

static int
status_in(const struct buf *text)
{
    int status = 0;

    (void)sscanf(text->data, "Status: %d", &status);
    return status;
}

/* The status of an answer; checks whether the connection stays open. */
static int
take_status(int fd, bool is_last)
{
    struct buf text;
    int status;

    CU_ASSERT_EQUAL(take_answer(fd, &text), is_last);
    status = status_in(&text);
    buf_free(&text);
    return status;
}

static uint64_t
count(enum metric metric)
{
    return metrics_get(served.shared.metrics, metric);
}

static uint64_t
held(void)
{
    return metrics_get_held(served.shared.metrics);
}

/* The bytes of an answer. */

struct answer_case {
    const char *name;
    struct fcgi_peer_exchange exchange;
    const char *status, *type;
    const char *header; /* one more line, with its end */
};

#define JSON "application/json"
#define TEXT "text/plain; version=0.0.4; charset=utf-8"

static const struct answer_case answer_rows[] = {
    {"broken text",
     {.body = "{", .body_length = 1},
     "400 Bad Request",
     JSON,
     ""},
    {"no member",
     {.body = "{}", .body_length = 2},
     "422 Invalid Request",
     JSON,
     ""},
    {"wrong verb",
     {.verb = "PUT", .body = "{}", .body_length = 2},
     "405 Method Not Allowed",
     JSON,
     "Allow: POST\r\n"},
    {"other path",
     {.path = "/", .body = "{}", .body_length = 2},
     "404 Not Found",
     JSON,
     ""},
    {"alive", {.verb = "GET", .path = "/healthz"}, "200 OK", JSON, ""},
    {"not ready",
     {.verb = "GET", .path = "/readyz"},
     "503 Service Unavailable",
     JSON,
     "Retry-After: 1\r\n"},
    {"metrics",
     {.verb = "GET", .path = "/metrics", .listener = "metrics"},
     "200 OK",
     TEXT,
     ""},
    {"metrics by another verb",
     {.path = "/metrics", .listener = "metrics"},
     "405 Method Not Allowed",
     JSON,
     "Allow: GET, HEAD\r\n"},
    {"no metrics there",
     {.verb = "GET", .path = "/", .listener = "metrics"},
     "404 Not Found",
     JSON,
     ""},
};

TEST_CASES(answer, struct answer_case, answer_rows)
{
    struct buffer want = {0};
    struct buf text;
    const char *body;
    int fd;

    start("");
    fd = open_peer();
    send_exchange(fd, &c->exchange);
    CU_ASSERT_FALSE(take_answer(fd, &text));
    body = strstr(text.data, "\r\n\r\n");
    CU_ASSERT_PTR_NOT_NULL_FATAL(body);
    body += 4;
    buffer_printf(&want,
                  "Status: %s\r\nContent-Type: %s\r\nContent-Length: "
                  "%zu\r\n%s\r\n",
                  c->status, c->type, strlen(body), c->header);
    CU_ASSERT_EQUAL(strncmp(text.data, want.data, want.length), 0);
    CU_ASSERT_EQUAL(body - text.data, (ptrdiff_t)want.length);
    CU_ASSERT_TRUE(strlen(body) > 0);
    buffer_free(&want);
    buf_free(&text);
    (void)close(fd);
    end();
}

/* Lengths. */

struct length_case {
    const char *name;
    const char *length; /* CONTENT_LENGTH; NULL: the real length */
    size_t real;
    int status;
};

/* A complete body here is no JSON: it is 400 for another reason. */
static const struct length_case length_rows[] = {
    {"none announced, none there", "", 0, 400},
    {"0 announced, none there", "0", 0, 400},
    {"none announced, some there", "", 2, 400},
    {"as announced", "2", 2, 422},
    {"zeros in front", "000000000000000002", 2, 422},
    {"18 digits, too many", "999999999999999999", 2, 413},
    {"19 digits", "0000000000000000002", 2, 400},
    {"one less", "1", 2, 400},
    {"one more", "3", 2, 400},
    {"the character before 0", "/", 2, 400},
    {"the character behind 9", ":", 2, 400},
    {"a sign", "+2", 2, 400},
    {"a space", " 2", 2, 400},
    {"a fraction", "2.0", 2, 400},
    {"at the limit", NULL, SERVED_BODY_MAX, 422},
    {"over the limit", NULL, SERVED_BODY_MAX + 1, 413},
    {"announced at the limit", "4096", 2, 400},
    {"announced over the limit", "4097", 2, 413},
    {"really over the limit", "2", SERVED_BODY_MAX + 1, 413},
};

TEST_CASES(length, struct length_case, length_rows)
{
    char body[SERVED_BODY_MAX + 2];
    const struct fcgi_peer_exchange exchange = {
        .body = body, .body_length = c->real, .content_length = c->length};
    int fd;

    memset(body, ' ', sizeof(body));
    memcpy(body, "{}", 2);
    start("");
    fd = open_peer();
    send_exchange(fd, &exchange);
    CU_ASSERT_EQUAL(take_status(fd, false), c->status);
    (void)close(fd);
    end();
}

/* What is logged about a request. */

struct id_case {
    const char *name;
    const char *id, *want;
};

static const struct id_case id_rows[] = {
    {"empty", "", "-"},
    {"one character", "x", "x"},
    {"128 characters", ID_128, ID_128},
    {"129 characters", ID_128 "a", "-"},
    {"the first and last of each kind", "azAZ09._-", "azAZ09._-"},
    {"before a", "a`", "-"},
    {"behind z", "a{", "-"},
    {"before a capital A", "a@", "-"},
    {"behind a capital Z", "a[", "-"},
    {"before 0", "a/", "-"},
    {"behind 9", "a:", "-"},
    {"a space", "a b", "-"},
    {"a comma, before the hyphen", "a,", "-"},
    {"a bad first one", " a", "-"},
};

TEST_CASES(id, struct id_case, id_rows)
{
    const struct fcgi_peer_exchange exchange = {
        .body = "{}", .body_length = 2, .id = c->id};
    char want[256];
    char *log;
    int fd;

    start("");
    fd = open_peer();
    send_exchange(fd, &exchange);
    CU_ASSERT_EQUAL(take_status(fd, false), 422);
    (void)close(fd);
    log_flush(served.shared.log);
    log = files_read(log_path);
    (void)snprintf(want, sizeof(want), " id=%s ", c->want);
    CU_ASSERT_PTR_NOT_NULL_FATAL(log);
    CU_ASSERT_PTR_NOT_NULL(strstr(log, want));
    free(log);
    end();
}

struct counted_case {
    const char *name;
    enum store_status status;
    const char *value;
    bool is_score;
    int code;
    enum metric read;
    int hits, misses, damaged, memory;
};

static const struct counted_case counted_rows[] = {
    {"a cached score", STORE_OK, "3.0", true, 200, METRIC_CACHE_READ_OK, 1, 0,
     0, 0},
    {"a score the cache is silent about", STORE_TIMEOUT, "", true, 200,
     METRIC_CACHE_READ_TIMEOUT, 0, 1, 0, 0},
    {"a score that is refused", STORE_REFUSED, "", true, 200,
     METRIC_CACHE_READ_REFUSED, 0, 1, 0, 0},
    {"a score without a store", STORE_DOWN, "", true, 200,
     METRIC_CACHE_READ_DOWN, 0, 1, 0, 0},
    {"a score without memory", STORE_MEMORY, "", true, 200,
     METRIC_CACHE_READ_MEMORY, 0, 1, 0, 0},
    {"interests", STORE_OK, "[\"a\"]", false, 200, METRIC_READ_OK, 0, 0, 0, 0},
    {"damaged interests", STORE_OK, "[", false, 500, METRIC_READ_OK, 0, 0, 1,
     0},
    {"interests that do not come", STORE_TIMEOUT, "", false, 503,
     METRIC_READ_TIMEOUT, 0, 0, 0, 0},
    {"interests that are refused", STORE_REFUSED, "", false, 503,
     METRIC_READ_REFUSED, 0, 0, 0, 0},
    {"interests without a store", STORE_DOWN, "", false, 503, METRIC_READ_DOWN,
     0, 0, 0, 0},
    {"interests without memory", STORE_MEMORY, "", false, 500,
     METRIC_READ_MEMORY, 0, 0, 0, 1},
};

/* The first read needs a connection; for the second one it is up, or not. */
TEST_CASES(counted, struct counted_case, counted_rows)
{
    int fd;

    start(c->value);
    served.link.status = c->status;
    fd = open_peer();
    if (c->is_score)
        send_score(fd, false);
    else
        send_interests(fd, "{\"client_ids\": [1]}");
    CU_ASSERT_EQUAL(take_status(fd, false), c->code);
    CU_ASSERT_EQUAL(count(c->read), 1);
    CU_ASSERT_EQUAL(count(METRIC_CACHE_HITS), (uint64_t)c->hits);
    CU_ASSERT_EQUAL(count(METRIC_CACHE_MISSES), (uint64_t)c->misses);
    CU_ASSERT_EQUAL(count(METRIC_ERROR_VALUE), (uint64_t)c->damaged);
    CU_ASSERT_EQUAL(count(METRIC_ERROR_MEMORY), (uint64_t)c->memory);
    CU_ASSERT_EQUAL(count(METRIC_ERROR_FCGI), 0);
    (void)close(fd);
    end();
}

/* How long a peer may take. */

enum stage { STAGE_NEW, STAGE_HALF, STAGE_ANSWERED, STAGE_SENDING };

struct limit_case {
    const char *name;
    enum stage stage;
    int limit_ms;
    unsigned faults; /* faults that are counted when the limit is over */
};

static const struct limit_case limit_rows[] = {
    {"before the first request", STAGE_NEW, IDLE_MS, 0},
    {"between two requests", STAGE_ANSWERED, IDLE_MS, 0},
    {"within a request", STAGE_HALF, GATHER_MS, 1},
    {"for an answer to be taken", STAGE_SENDING, SEND_MS, 1},
};

static void
reach(int fd, enum stage stage)
{
    switch (stage) {
    case STAGE_NEW:
        break;
    case STAGE_HALF:
        send_score(fd, true);
        break;
    case STAGE_ANSWERED:
        calls_pass_ms(IDLE_MS / 2); /* this time does not count for the limit */
        served_turn(&served);
        send_score(fd, false);
        CU_ASSERT_EQUAL(take_status(fd, false), 200);
        break;
    case STAGE_SENDING:
        send_interests(fd, MANY_IDS);
        served_turn(&served); /* as much as the socket takes */
        break;
    }
}

/* A JSON list of this length; the caller frees it. */
static char *
long_value(void)
{
    struct buffer text = {0};

    buffer_printf(&text, "[\"%*s\"]", VALUE_BYTES, "");
    return buffer_take(&text);
}

TEST_CASES(limit, struct limit_case, limit_rows)
{
    char *value = long_value();
    int fd;

    start(value);
    fd = open_peer();
    reach(fd, c->stage);
    calls_pass_ms(c->limit_ms - SLACK_MS);
    served_turn(&served);
    CU_ASSERT_EQUAL(conn_count(&served.shared), 1);
    CU_ASSERT_EQUAL(count(METRIC_ERROR_FCGI), 0);
    calls_pass_ms(2 * SLACK_MS);
    served_turn(&served);
    CU_ASSERT_EQUAL(conn_count(&served.shared), 0);
    CU_ASSERT_EQUAL(count(METRIC_ERROR_FCGI), c->faults);
    CU_ASSERT_EQUAL(emptied, 1);
    (void)close(fd);
    end();
    free(value);
}

/* What arrives meanwhile does not extend the limit. */
TEST_SINGLE(drip, "a request that arrives byte by byte has no more time")
{
    static const char bytes[10] = {1, 1, 0, 1, 0, 8, 0, 0, 0, 1};
    const int step_ms = GATHER_MS / 10;
    int fd;

    start("");
    fd = open_peer();
    for (int i = 0; i < 10; i++) {
        send_bytes(fd, &bytes[i], 1);
        calls_pass_ms(i < 9 ? step_ms : step_ms - SLACK_MS);
    }
    CU_ASSERT_FALSE(is_closed(fd));
    calls_pass_ms(2 * SLACK_MS);
    CU_ASSERT_TRUE(is_closed(fd));
    CU_ASSERT_EQUAL(count(METRIC_ERROR_FCGI), 1);
    (void)close(fd);
    end();
}

TEST_SINGLE(patient, "one that waits for the store has no limit of its own")
{
    int fd;

    start("[\"a\"]");
    served.link.holds = true;
    fd = open_peer();
    send_interests(fd, "{\"client_ids\": [1]}");
    for (int i = 0; i < 3; i++) {
        calls_pass_ms(IDLE_MS + SLACK_MS);
        served_turn(&served);
        CU_ASSERT_EQUAL(conn_count(&served.shared), 1);
    }
    served.link.holds = false;
    CU_ASSERT_EQUAL(take_status(fd, false), 200);
    (void)close(fd);
    end();
}

/*
 * The deadline of the store work begins with the arrival of the last part. Each
 * reading of the clock takes a while, until the store is asked.
 */
#define DEADLINE_MS 1500

struct deadline_case {
    const char *name;
    size_t first; /* bytes that arrive before the rest; 0: all at once */
    int64_t
        step_ms; /* of each reading of the clock, until the store is asked */
};

static const struct deadline_case deadline_rows[] = {
    {"from the arrival", 0, 0},
    {"from the arrival of the rest", 20, 0},
    {"from the arrival, not from the question", 0, 100},
    {"from the arrival of the rest, not from the question", 20, 100},
};

/* The logged duration; -1: no line of a request. */
static double
logged_ms(void)
{
    char *text = files_read(log_path);
    const char *at = text != NULL ? strstr(text, " code=503 ms=") : NULL;
    double ms = at != NULL ? strtod(strchr(at, 's') + 2, NULL) : -1;

    free(text);
    return ms;
}

TEST_CASES(deadline, struct deadline_case, deadline_rows)
{
    struct buffer bytes = {0};
    int fd, passed_ms = 0;

    start("[\"a\"]");
    served.config.store_deadline_ms = DEADLINE_MS;
    served.link.holds = true;
    fd = open_peer();
    fcgi_peer_request(&bytes, request_interests("{\"client_ids\": [1]}"));
    if (c->first > 0)
        send_bytes(fd, bytes.data, c->first);
    calls_pass_ms(1000);
    calls_step_clock(c->step_ms);
    send_bytes(fd, bytes.data + c->first, bytes.length - c->first);
    calls_step_clock(0);
    CU_ASSERT_FALSE(is_closed(fd));
    for (; logged_ms() < 0 && passed_ms < 2 * DEADLINE_MS; passed_ms++) {
        calls_pass_ms(1);
        served_turn(&served);
    }
    CU_ASSERT_EQUAL(take_status(fd, false), 503);
    CU_ASSERT_DOUBLE_EQUAL(logged_ms(), DEADLINE_MS, 1);
    CU_ASSERT(passed_ms <= DEADLINE_MS);
    buffer_free(&bytes);
    (void)close(fd);
    end();
}

/* System calls that fail. */

struct failing_case {
    const char *name;
    enum call call;
    int error;
    enum stage stage; /* of the connection, before the call fails */
    bool is_over;
    unsigned faults;
};

static const struct failing_case failing_rows[] = {
    {"nothing to be read after all", CALL_RECV, EAGAIN, STAGE_NEW, false, 0},
    {"interrupted", CALL_RECV, EINTR, STAGE_NEW, false, 0},
    {"reset by the peer", CALL_RECV, ECONNRESET, STAGE_NEW, true, 0},
    {"nothing more of a request", CALL_RECV, EAGAIN, STAGE_HALF, false, 0},
    {"interrupted in a request", CALL_RECV, EINTR, STAGE_HALF, false, 0},
    {"reset in a request", CALL_RECV, ECONNRESET, STAGE_HALF, true, 0},
    {"no memory for reading a request", CALL_RECV, ENOMEM, STAGE_HALF, true, 1},
};

/* Sends the rest of the request, or all of it. */
static void
send_on(int fd, enum stage stage)
{
    struct buffer bytes = {0};
    size_t from;

    fcgi_peer_request(&bytes, request_score(REQUEST_PERSON));
    from = stage == STAGE_HALF ? bytes.length / 2 : 0;
    send_bytes(fd, bytes.data + from, bytes.length - from);
    buffer_free(&bytes);
}

TEST_CASES(failing, struct failing_case, failing_rows)
{
    int fd;

    start("");
    fd = open_peer();
    reach(fd, c->stage);
    calls_fail(c->call, c->error);
    send_on(fd, c->stage);
    CU_ASSERT_TRUE(calls_has_failed(c->call));
    if (c->is_over) {
        CU_ASSERT_TRUE(is_closed(fd));
    } else {
        CU_ASSERT_EQUAL(take_status(fd, false), 200);
    }
    CU_ASSERT_EQUAL(count(METRIC_ERROR_FCGI), c->faults);
    (void)close(fd);
    end();
}

struct sending_case {
    const char *name;
    enum call call;
    int error;
    int status; /* 0: the connection is closed */
    unsigned faults;
    const char *log; /* the end of a line; NULL: only the line of the request */
};

#define NO_FILE "peer-1: no memory file for a large answer: "

static const struct sending_case sending_rows[] = {
    {"nothing can be sent after all", CALL_SENDFILE, EAGAIN, 200, 0, NULL},
    {"interrupted while sending", CALL_SENDFILE, EINTR, 200, 0, NULL},
    {"gone while sending", CALL_SENDFILE, EPIPE, 0, 0, NULL},
    {"reset while sending", CALL_SENDFILE, ECONNRESET, 0, 0, NULL},
    {"broken while sending", CALL_SENDFILE, EIO, 0, 1, NULL},
    {"no descriptor for a memory file", CALL_MEMFD_CREATE, EMFILE, 500, 0,
     NO_FILE "Too many open files\n"},
    {"no room in a memory file", CALL_FALLOCATE, ENOSPC, 500, 0,
     NO_FILE "No space left on device\n"},
    {"no memory for a memory file", CALL_FALLOCATE, ENOMEM, 500, 0,
     NO_FILE "Cannot allocate memory\n"},
    {"a memory file over the limit", CALL_FALLOCATE, EFBIG, 500, 0,
     NO_FILE "File too large\n"},
    {"interrupted while it is made", CALL_FALLOCATE, EINTR, 200, 0, NULL},
};

/* How often the log contains a text. */
static size_t
count_logged(const char *text)
{
    size_t found = 0;
    char *log;

    log_flush(served.shared.log);
    log = files_read(log_path);
    for (const char *at = log; at != NULL && (at = strstr(at, text)) != NULL;
         at++)
        found++;
    free(log);
    return found;
}

/* The outcome that was sent is logged and counted, once. */
static void
expect_told(const struct sending_case *c)
{
    bool is_broken = c->status == 500, is_memory = c->error == ENOMEM;

    CU_ASSERT_EQUAL(count_logged(" code=200 "), is_broken ? 0 : 1);
    CU_ASSERT_EQUAL(count_logged(" code=500 "), is_broken ? 1 : 0);
    CU_ASSERT_EQUAL(count_logged(NO_FILE), is_broken ? 1 : 0);
    CU_ASSERT_TRUE(c->log == NULL || count_logged(c->log) == 1);
    CU_ASSERT_EQUAL(count(METRIC_ERROR_SYSTEM), is_broken && !is_memory);
    CU_ASSERT_EQUAL(count(METRIC_ERROR_MEMORY), is_broken && is_memory);
    CU_ASSERT_EQUAL(count(METRIC_ERROR_FCGI), c->faults);
    CU_ASSERT_EQUAL(held(), 0);
}

TEST_CASES(sending, struct sending_case, sending_rows)
{
    char *value = long_value();
    struct buf text;
    int fd;

    start(value);
    fd = open_peer();
    calls_fail(c->call, c->error);
    send_interests(fd, MANY_IDS);
    if (c->status == 0) {
        CU_ASSERT_TRUE(is_closed(fd));
    } else {
        CU_ASSERT_FALSE(take_answer(fd, &text));
        CU_ASSERT_EQUAL(status_in(&text), c->status);
        CU_ASSERT_EQUAL(text.length > (size_t)10 * VALUE_BYTES,
                        c->status == 200);
        buf_free(&text);
    }
    CU_ASSERT_TRUE(calls_has_failed(c->call));
    expect_told(c);
    (void)close(fd);
    end();
    free(value);
}

/* Large answers that are held until their callers have read them (S4.2). */

#define MIB            (INT64_C(1024) * 1024)
#define HELD_TEXT      "too many large answers are still being read"
#define HELD_MIN_BYTES (8 * MIB)

struct held_case {
    const char *name;
    int64_t setting; /* SCORING_MAX_ANSWER_BYTES */
    int64_t most;    /* that follows from it */
    int over;        /* bytes that are held beyond half of the room */
    int status;
};

static const struct held_case held_rows[] = {
    {"half of the room that is left", 16 * MIB, 256 * MIB, 0, 200},
    {"one byte more than half", 16 * MIB, 256 * MIB, 1, 503},
    {"as much as a higher setting allows", 16 * MIB + 1, 256 * MIB + 16, 0,
     200},
    {"more than a higher setting allows", 16 * MIB + 1, 256 * MIB + 16, 1, 503},
    {"the setting that gives the least room", MIB / 2, HELD_MIN_BYTES, 0, 200},
    {"more than that", MIB / 2, HELD_MIN_BYTES, 1, 503},
    {"the lowest setting leaves as much", 1, HELD_MIN_BYTES, 0, 200},
    {"and no more", 1, HELD_MIN_BYTES, 1, 503},
};

/* Sends a request for a large answer; returns how many bytes are held now. */
static int64_t
hold_large(int fd)
{
    send_interests(fd, MANY_IDS);
    return (int64_t)held();
}

static void
expect_refused(const struct buf *text)
{
    CU_ASSERT_PTR_NOT_NULL(strstr(text->data, "\r\nRetry-After: 1\r\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(
        text->data, "\r\n\r\n{\"code\": 503, \"error\": \"" HELD_TEXT "\"}"));
    CU_ASSERT_EQUAL(count_logged(" code=503 "), 1);
    CU_ASSERT_EQUAL(count_logged(" code=200 "), 1);
    CU_ASSERT_EQUAL(count(METRIC_ERROR_SYSTEM) + count(METRIC_ERROR_MEMORY), 0);
}

/* What another worker holds leaves twice the room of an answer, or less. */
TEST_CASES(held, struct held_case, held_rows)
{
    char *value = long_value();
    struct buf text;
    int64_t others;
    int fd;

    start(value);
    served.config.max_answer_bytes = c->setting;
    fd = open_peer();
    others = c->most - 2 * hold_large(fd) + c->over;
    CU_ASSERT_EQUAL(take_status(fd, false), 200);
    CU_ASSERT_TRUE(metrics_hold(served.shared.metrics, (uint64_t)others, 0));
    send_interests(fd, MANY_IDS);
    CU_ASSERT_FALSE(take_answer(fd, &text));
    CU_ASSERT_EQUAL(status_in(&text), c->status);
    CU_ASSERT_EQUAL(text.length > (size_t)10 * VALUE_BYTES, c->status == 200);
    if (c->status == 503)
        expect_refused(&text);
    CU_ASSERT_EQUAL(held(), (uint64_t)others);
    buf_free(&text);
    (void)close(fd);
    end();
    free(value);
}

TEST_SINGLE(held_small, "a small answer passes however much is held")
{
    char *value = long_value();
    int fd;

    start(value);
    fd = open_peer();
    CU_ASSERT_TRUE(metrics_hold(served.shared.metrics, INT64_MAX, 0));
    send_interests(fd, "{\"client_ids\": [1]}");
    CU_ASSERT_EQUAL(take_status(fd, false), 200);
    send_score(fd, false);
    CU_ASSERT_EQUAL(take_status(fd, false), 200);
    CU_ASSERT_EQUAL(held(), INT64_MAX);
    (void)close(fd);
    end();
    free(value);
}

/* The largest answer that is not held, and one byte more. */
struct small_case {
    const char *name;
    size_t length; /* of the answer */
    int status;    /* if there is no room for large ones */
};

static const struct small_case small_rows[] = {
    {"48 KiB", 48 * 1024, 200},
    {"a byte more", 48 * 1024 + 1, 503},
};

TEST_CASES(small, struct small_case, small_rows)
{
    static const char around[] =
        "{\"code\": 200, \"response\": {\"1\": [\"\"]}}";
    struct buffer value = {0};
    int fd;

    buffer_printf(&value, "[\"%*s\"]", (int)(c->length - strlen(around)), "");
    start(buffer_text(&value));
    fd = open_peer();
    CU_ASSERT_TRUE(metrics_hold(served.shared.metrics, INT64_MAX, 0));
    send_interests(fd, "{\"client_ids\": [1]}");
    CU_ASSERT_EQUAL(held(), INT64_MAX);
    CU_ASSERT_EQUAL(take_status(fd, false), c->status);
    (void)close(fd);
    end();
    buffer_free(&value);
}

/* Each account has three samples; together they are more than a small answer.
 */
#define HELD_ACCOUNTS 500

TEST_SINGLE(held_metrics, "metrics pass however much is held")
{
    const struct fcgi_peer_exchange exchange = {
        .verb = "GET", .path = "/metrics", .listener = "metrics"};
    struct buffer file = {0};
    struct buf errors = {0}, text;
    struct accounts *accounts;
    int fd;

    for (int i = 0; i < HELD_ACCOUNTS; i++)
        buffer_printf(&file, "%s\"a%d\": {\"salts\": [\"%d salt\"]}",
                      i == 0 ? "{" : ", ", i, i);
    buffer_add_text(&file, "}");
    start("");
    accounts = accounts_read((struct bytes){file.data, file.length},
                             &served.config.secrets.admin_salts, &errors);
    CU_ASSERT_PTR_NOT_NULL_FATAL(accounts);
    served.config.accounts = accounts;
    fd = open_peer();
    CU_ASSERT_TRUE(metrics_hold(served.shared.metrics, INT64_MAX, 0));
    send_exchange(fd, &exchange);
    CU_ASSERT_FALSE(take_answer(fd, &text));
    CU_ASSERT_EQUAL(status_in(&text), 200);
    CU_ASSERT_TRUE(text.length > 48 * 1024);
    CU_ASSERT_EQUAL(held(), INT64_MAX);
    (void)close(fd);
    end();
    accounts_free(accounts);
    buf_free(&text);
    buf_free(&errors);
    buffer_free(&file);
}

struct held_end_case {
    const char *name;
    bool closes;      /* the peer, before it has read anything */
    int64_t limit_ms; /* or it reads nothing for so long */
};

static const struct held_end_case held_end_rows[] = {
    {"the peer closes", true, 0},
    {"the peer is too slow", false, SEND_MS + SLACK_MS},
    {"the worker ends", false, 0},
};

TEST_CASES(held_end, struct held_end_case, held_end_rows)
{
    char *value = long_value();
    int fd;

    start(value);
    fd = open_peer();
    CU_ASSERT_TRUE(hold_large(fd) > 10 * VALUE_BYTES);
    if (c->closes)
        (void)close(fd);
    calls_pass_ms(c->limit_ms);
    if (c->closes || c->limit_ms > 0)
        served_turn(&served);
    else
        conn_close_all(&served.shared);
    CU_ASSERT_EQUAL(held(), 0);
    if (!c->closes)
        (void)close(fd);
    end();
    free(value);
}

/* Reads what there is, as a peer that is too slow on the whole. */
static void
read_some(int fd)
{
    static char part[64 * 1024];

    while (read(fd, part, sizeof(part)) > 0)
        continue;
    served_turn(&served);
}

#define SEND_PART_MS      10000
#define SEND_BYTES_PER_MS 64 /* of S4.1: about a second for each 64 KiB */

/* Sends a request for as many ids as there may be. */
static void
send_all_ids(int fd)
{
    struct buffer ids = {0};

    for (int id = 1; id <= SERVED_IDS_MAX; id++)
        buffer_printf(&ids, "%s%d", id == 1 ? "{\"client_ids\": [" : ", ", id);
    buffer_add_text(&ids, "]}");
    send_interests(fd, buffer_text(&ids));
    buffer_free(&ids);
}

/* Of these 4 MB the socket takes much less at a time than is allowed for. */
TEST_SINGLE(slow_reader, "one that takes each part in time, but not the whole")
{
    const int64_t least_ms =
        SEND_MS + SERVED_IDS_MAX * VALUE_BYTES / SEND_BYTES_PER_MS;
    int64_t most_ms, passed_ms = 0;
    char *value = long_value();
    int fd;

    start(value);
    fd = open_peer();
    send_all_ids(fd);
    most_ms = SEND_MS + (int64_t)held() / SEND_BYTES_PER_MS;
    for (; passed_ms + SEND_PART_MS < least_ms; passed_ms += SEND_PART_MS) {
        calls_pass_ms(SEND_PART_MS);
        read_some(fd);
    }
    calls_pass_ms(least_ms - passed_ms - SLACK_MS);
    served_turn(&served);
    CU_ASSERT_EQUAL(conn_count(&served.shared), 1);
    calls_pass_ms(most_ms - least_ms + 2 * SLACK_MS);
    served_turn(&served);
    CU_ASSERT_EQUAL(conn_count(&served.shared), 0);
    CU_ASSERT_EQUAL(count(METRIC_ERROR_FCGI), 1);
    (void)close(fd);
    end();
    free(value);
}

TEST_SINGLE(no_digest, "without a digest the log says so, and not memory")
{
    char *body = request_score(REQUEST_PERSON);
    const struct fcgi_peer_exchange exchange = {.body = body,
                                                .body_length = strlen(body)};
    int fd;

    start("");
    fd = open_peer();
    calls_fail(CALL_CRYPTO, EIO);
    send_exchange(fd, &exchange);
    CU_ASSERT_EQUAL(take_status(fd, false), 500);
    CU_ASSERT_EQUAL(count_logged("libcrypto cannot make a digest\n"), 1);
    CU_ASSERT_EQUAL(count(METRIC_ERROR_SYSTEM), 1);
    CU_ASSERT_EQUAL(count(METRIC_ERROR_MEMORY), 0);
    (void)close(fd);
    free(body);
    end();
}

/* Callers that hang up: by closing the connection, or by an abort. */

static void
send_abort(int fd)
{
    send_bytes(fd, "\1\2\0\1\0\0\0\0", 8);
}

/* BEGIN and params; a record of the body comes next. */
static void
send_head(int fd)
{
    static const struct fcgi_peer_exchange exchange = {.body = "{}",
                                                       .body_length = 2};
    struct buffer bytes = {0};

    fcgi_peer_head(&bytes, &exchange);
    send_bytes(fd, bytes.data, bytes.length);
    buffer_free(&bytes);
}

struct hang_up_case {
    const char *name;
    void (*before)(int fd);
    bool is_parked; /* a request for interests waits for the store */
    bool is_abort;
};

static const struct hang_up_case hang_up_rows[] = {
    {"closed before a request", NULL, false, false},
    {"closed within one", send_head, false, false},
    {"closed while it is parked", NULL, true, false},
    {"aborted before a request", NULL, false, true},
    {"aborted within one", send_head, false, true},
    {"aborted while it is parked", NULL, true, true},
};

TEST_CASES(hang_up, struct hang_up_case, hang_up_rows)
{
    int fd;

    start("[\"a\"]");
    served.link.holds = true;
    fd = open_peer();
    if (c->is_parked)
        send_interests(fd, "{\"client_ids\": [1]}");
    if (c->before != NULL)
        c->before(fd);
    if (c->is_abort)
        send_abort(fd);
    else
        (void)close(fd);
    served_turn(&served);
    served.link.holds = false;
    for (int i = 0; i < IDLE_TURNS; i++)
        served_turn(&served);
    CU_ASSERT_EQUAL(conn_count(&served.shared), 0);
    CU_ASSERT_EQUAL(count(METRIC_ERROR_FCGI), 0);
    CU_ASSERT_EQUAL(count_logged("] E "), 0);
    CU_ASSERT_EQUAL(emptied, 1);
    if (c->is_abort)
        (void)close(fd);
    end();
}

/* What is kept of incomplete requests. */

#define UPLOADS      24
#define UPLOAD_BYTES (1024 * 1024)
/* CONN_GATHER_BYTES of src/serve/conn.c */
#define GATHER_BYTES (8 * 1024 * 1024)
#define HURRY_MS     2000

struct upload {
    int fd;
    struct buffer bytes;
    size_t sent;
    bool is_stuck; /* it stops half-way */
    bool is_over;
};

static struct upload uploads[UPLOADS];

static void
start_uploads(size_t count, size_t body_bytes)
{
    char *body = malloc(body_bytes);
    const struct fcgi_peer_exchange exchange = {.body = body,
                                                .body_length = body_bytes};

    CU_ASSERT_PTR_NOT_NULL_FATAL(body);
    memset(body, ' ', body_bytes);
    memcpy(body, "{}", 2);
    served.config.max_body_bytes = (int64_t)body_bytes;
    served.api_config.body_max_bytes = body_bytes;
    for (size_t i = 0; i < count; i++) {
        uploads[i] = (struct upload){.fd = open_peer()};
        fcgi_peer_whole(&uploads[i].bytes, &exchange);
    }
    free(body);
}

static void
end_uploads(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)close(uploads[i].fd);
        buffer_free(&uploads[i].bytes);
    }
}

/* Sends what can be sent, except the last bytes; returns how much was sent. */
static size_t
send_upload(struct upload *upload, size_t last)
{
    size_t end = upload->bytes.length - last;
    ssize_t sent = 0;

    if (upload->is_stuck && end > upload->bytes.length / 2)
        end = upload->bytes.length / 2;
    if (upload->sent < end)
        sent = send(upload->fd, upload->bytes.data + upload->sent,
                    end - upload->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    upload->sent += sent > 0 ? (size_t)sent : 0;
    served_turn(&served);
    return sent > 0 ? (size_t)sent : 0;
}

/* Sends until nothing changes any more; returns the most that was kept. */
static size_t
send_uploads(size_t count, size_t last)
{
    size_t most = 0;

    for (int idle = 0; idle < IDLE_TURNS; idle++) {
        for (size_t i = 0; i < count; i++) {
            if (send_upload(&uploads[i], last) > 0)
                idle = 0;
            if (served.shared.gathered > most)
                most = served.shared.gathered;
        }
    }
    return most;
}

static size_t
count_answered(size_t count)
{
    size_t answered = 0;

    for (size_t i = 0; i < count; i++)
        answered += fcgi_peer_status(uploads[i].fd, 1) == 422;
    return answered;
}

TEST_SINGLE(budget, "what is not whole is read as there is room for it")
{
    size_t most, waiting = 0;
    int fd;

    start("");
    start_uploads(UPLOADS, UPLOAD_BYTES);
    most = send_uploads(UPLOADS, 1);
    CU_ASSERT_TRUE(most >= GATHER_BYTES);
    CU_ASSERT_TRUE(most <= GATHER_BYTES + UPLOAD_BYTES + UPLOADS * 32 * 1024);
    for (size_t i = 0; i < UPLOADS; i++)
        waiting += uploads[i].sent < uploads[i].bytes.length - 1;
    CU_ASSERT_TRUE(waiting >= UPLOADS / 2);
    fd = open_peer(); /* a small request is answered meanwhile */
    send_score(fd, false);
    CU_ASSERT_EQUAL(take_status(fd, false), 200);
    (void)close(fd);
    most = send_uploads(UPLOADS, 0);
    CU_ASSERT_TRUE(most <= GATHER_BYTES + 2 * UPLOAD_BYTES);
    CU_ASSERT_EQUAL(count_answered(UPLOADS), UPLOADS);
    CU_ASSERT_EQUAL(served.shared.gathered, 0);
    CU_ASSERT_EQUAL(count(METRIC_ERROR_FCGI), 0);
    end_uploads(UPLOADS);
    end();
}

/* Sends until nothing changes any more, except the last bytes. */
static void
send_one(struct upload *upload, size_t last)
{
    for (int idle = 0; idle < IDLE_TURNS; idle++) {
        if (send_upload(upload, last) > 0)
            idle = 0;
    }
}

TEST_SINGLE(order, "while there is no room, the one that began first is read")
{
    start("");
    start_uploads(UPLOADS, UPLOAD_BYTES);
    CU_ASSERT_TRUE(send_uploads(UPLOADS, 1) >= GATHER_BYTES);
    for (size_t i = 0; i < UPLOADS; i++) {
        send_one(&uploads[i], 0);
        CU_ASSERT_EQUAL(fcgi_peer_status(uploads[i].fd, 1), 422);
    }
    end_uploads(UPLOADS);
    end();
}

/* A request of exactly this length, with its params. */
static void
send_sized(int fd, size_t length)
{
    static char body[32 * 1024];
    struct fcgi_peer_exchange exchange = {.body = body, .body_length = 10000};
    struct buffer bytes = {0};

    memset(body, ' ', sizeof(body));
    memcpy(body, "{}", 2);
    fcgi_peer_whole(&bytes, &exchange);
    exchange.body_length += length - bytes.length; /* has 5 digits, too */
    buffer_free(&bytes);
    fcgi_peer_whole(&bytes, &exchange);
    CU_ASSERT_EQUAL(bytes.length, length);
    send_bytes(fd, bytes.data, bytes.length);
    buffer_free(&bytes);
}

struct tight_case {
    const char *name;
    size_t length;
    bool waits; /* until there is room */
};

static const struct tight_case tight_rows[] = {
    {"16 KiB do not wait", 16 * 1024, false},
    {"a byte more waits", 16 * 1024 + 1, true},
};

TEST_CASES(tight, struct tight_case, tight_rows)
{
    int fd;

    start("");
    start_uploads(UPLOADS, UPLOAD_BYTES);
    CU_ASSERT_TRUE(send_uploads(UPLOADS, 1) >= GATHER_BYTES);
    fd = open_peer();
    send_sized(fd, c->length);
    if (c->waits)
        CU_ASSERT_FALSE(is_closed(fd));
    else
        CU_ASSERT_EQUAL(take_status(fd, false), 422);
    (void)send_uploads(UPLOADS, 0);
    CU_ASSERT_EQUAL(count_answered(UPLOADS), UPLOADS);
    if (c->waits)
        CU_ASSERT_EQUAL(take_status(fd, false), 422);
    (void)close(fd);
    end_uploads(UPLOADS);
    end();
}

TEST_SINGLE(stuck, "uploads that stand still hold up the others for a while")
{
    start("");
    start_uploads(UPLOADS, UPLOAD_BYTES);
    for (size_t i = 0; i < 2; i++) {
        uploads[i].is_stuck = true;
        (void)send_uploads(1 + i, 0);
    }
    (void)send_uploads(UPLOADS, 1);
    CU_ASSERT_TRUE(served.shared.gathered >= GATHER_BYTES);
    calls_pass_ms(HURRY_MS - SLACK_MS);
    (void)send_uploads(UPLOADS, 1);
    CU_ASSERT_FALSE(is_closed(uploads[0].fd));
    calls_pass_ms(2 * SLACK_MS);
    served_turn(&served);
    for (size_t i = 0; i < 2; i++)
        CU_ASSERT_TRUE(is_closed(uploads[i].fd));
    (void)send_uploads(UPLOADS, 0);
    CU_ASSERT_EQUAL(count_answered(UPLOADS), UPLOADS - 2);
    CU_ASSERT_EQUAL(count(METRIC_ERROR_FCGI), 2);
    end_uploads(UPLOADS);
    end();
}

TEST_SINGLE(next, "one that is read on while there is no room must hurry, too")
{
    start("");
    start_uploads(2, 2 * GATHER_BYTES);
    send_one(&uploads[0], 2 * GATHER_BYTES);
    send_one(&uploads[1], 1);
    CU_ASSERT_TRUE(served.shared.gathered >= GATHER_BYTES);
    calls_pass_ms(HURRY_MS / 2);
    send_one(&uploads[0], 0);
    CU_ASSERT_EQUAL(fcgi_peer_status(uploads[0].fd, 1), 422);
    CU_ASSERT_TRUE(served.shared.gathered >= GATHER_BYTES);
    send_one(&uploads[1], 1);
    calls_pass_ms(HURRY_MS - SLACK_MS);
    CU_ASSERT_FALSE(is_closed(uploads[1].fd));
    calls_pass_ms(2 * SLACK_MS);
    CU_ASSERT_TRUE(is_closed(uploads[1].fd));
    end_uploads(2);
    end();
}

TEST_SINGLE(waiting, "one that waits for room has no more time than others")
{
    start("");
    start_uploads(2, 2 * GATHER_BYTES);
    for (size_t i = 0; i < 2; i++)
        send_one(&uploads[i], uploads[i].bytes.length - 100);
    calls_pass_ms(GATHER_MS - 1000);
    for (size_t i = 0; i < 2; i++)
        send_one(&uploads[i], 1);
    CU_ASSERT_TRUE(served.shared.gathered >= GATHER_BYTES);
    CU_ASSERT_TRUE(uploads[1].sent < GATHER_BYTES);
    calls_pass_ms(1000 - SLACK_MS);
    CU_ASSERT_FALSE(is_closed(uploads[1].fd));
    calls_pass_ms(2 * SLACK_MS);
    CU_ASSERT_TRUE(is_closed(uploads[1].fd));
    end_uploads(2);
    end();
}

TEST_SINGLE(huge, "one that is larger than the budget gets through alone")
{
    start("");
    start_uploads(2, 2 * GATHER_BYTES);
    (void)send_uploads(2, 0);
    CU_ASSERT_EQUAL(count_answered(2), 2);
    CU_ASSERT_EQUAL(served.shared.gathered, 0);
    end_uploads(2);
    end();
}

/* While a request waits for the store, only its plan is kept. */
TEST_SINGLE(parked_body, "a body is not kept while its request waits")
{
    char *body = request_interests("{\"client_ids\": [1]}");
    const struct fcgi_peer_exchange exchange = {.body = body,
                                                .body_length = strlen(body)};
    struct buffer bytes = {0};
    int fd;

    start("[\"a\"]");
    served.link.holds = true;
    fd = open_peer();
    fcgi_peer_whole(&bytes, &exchange);
    send_bytes(fd, bytes.data, bytes.length - 1);
    CU_ASSERT_TRUE(served.shared.gathered > strlen(body));
    send_bytes(fd, bytes.data + bytes.length - 1, 1);
    CU_ASSERT_EQUAL(served.shared.gathered, 0);
    served.link.holds = false;
    CU_ASSERT_EQUAL(take_status(fd, false), 200);
    (void)close(fd);
    buffer_free(&bytes);
    free(body);
    end();
}

/* Which connections stay open, and which are closed. */

TEST_SINGLE(kept, "a connection serves one request after the other")
{
    int fd;

    start("");
    fd = open_peer();
    for (int i = 0; i < 3; i++) {
        send_score(fd, false);
        CU_ASSERT_EQUAL(take_status(fd, false), 200);
    }
    (void)close(fd);
    served_turn(&served);
    CU_ASSERT_EQUAL(conn_count(&served.shared), 0);
    CU_ASSERT_EQUAL(count(METRIC_ERROR_FCGI), 0);
    CU_ASSERT_EQUAL(emptied, 1);
    end();
}

TEST_SINGLE(last, "one that is said to be the last is closed behind the answer")
{
    static const struct fcgi_peer_exchange exchange = {
        .body = "{}", .body_length = 2, .is_last = true};
    int fd;

    start("");
    fd = open_peer();
    send_exchange(fd, &exchange);
    CU_ASSERT_EQUAL(take_status(fd, true), 422);
    (void)close(fd);
    end();
}

/* The second of two requests that arrive together is not answered. */
static void
send_two(int fd, size_t first)
{
    static const struct fcgi_peer_exchange exchange = {.body = "{}",
                                                       .body_length = 2};
    struct buffer bytes = {0};

    fcgi_peer_whole(&bytes, &exchange);
    fcgi_peer_whole(&bytes, &exchange);
    if (first > 0)
        send_bytes(fd, bytes.data, first);
    send_bytes(fd, bytes.data + first, bytes.length - first);
    buffer_free(&bytes);
}

struct two_case {
    const char *name;
    size_t first; /* bytes that arrive before the others */
};

static const struct two_case two_rows[] = {{"at once", 0},
                                           {"the second with a rest", 20}};

TEST_CASES(two, struct two_case, two_rows)
{
    int fd;

    start("");
    fd = open_peer();
    send_two(fd, c->first);
    CU_ASSERT_EQUAL(take_status(fd, true), 422);
    (void)close(fd);
    end();
}

TEST_SINGLE(impatient, "a second request during the first is answered after it")
{
    int fd;

    start("[\"a\"]");
    served.link.holds = true;
    fd = open_peer();
    send_interests(fd, "{\"client_ids\": [1]}");
    send_interests(fd, "{\"client_ids\": [1]}");
    served.link.holds = false;
    served_turn(&served);
    for (int i = 0; i < 2; i++) {
        struct fcgi_peer_answer answer = {0};

        served_turn(&served);
        CU_ASSERT_EQUAL(fcgi_peer_read(fd, 100, &answer), FCGI_PEER_ANSWERED);
        CU_ASSERT_EQUAL(answer.status, 200);
        fcgi_peer_answer_free(&answer);
    }
    (void)close(fd);
    end();
}

TEST_SINGLE(drain_one, "the oldest that was not let go before is the next")
{
    int fd[3];

    start("");
    for (int i = 0; i < 3; i++)
        fd[i] = open_peer();
    for (int i = 0; i < 3; i++) {
        conn_drain(&served.shared, 1);
        for (int j = 0; j < 3; j++)
            CU_ASSERT_EQUAL(is_closed(fd[j]), j <= i);
        CU_ASSERT_EQUAL(emptied, i == 2 ? 1 : 0);
    }
    for (int i = 0; i < 3; i++)
        (void)close(fd[i]);
    end();
}

TEST_SINGLE(drain_two, "two at a time are let go")
{
    int fd[3];

    start("");
    for (int i = 0; i < 3; i++)
        fd[i] = open_peer();
    conn_drain(&served.shared, 2);
    CU_ASSERT_EQUAL(conn_count(&served.shared), 1);
    CU_ASSERT_FALSE(is_closed(fd[2]));
    for (int i = 0; i < 3; i++)
        (void)close(fd[i]);
    end();
}

/* One that waits for the store or is within a request is not idle. */
TEST_SINGLE(close_idle, "of idle ones the one that is open the longest goes")
{
    int fd[4];

    start("[\"a\"]");
    served.link.holds = true;
    for (int i = 0; i < 4; i++)
        fd[i] = open_peer();
    send_interests(fd[0], "{\"client_ids\": [1]}");
    send_score(fd[1], true);
    for (int i = 2; i < 4; i++) {
        CU_ASSERT_TRUE(conn_close_idle(&served.shared));
        for (int j = 0; j < 4; j++)
            CU_ASSERT_EQUAL(is_closed(fd[j]), j >= 2 && j <= i);
    }
    CU_ASSERT_FALSE(conn_close_idle(&served.shared));
    CU_ASSERT_EQUAL(conn_count(&served.shared), 2);
    for (int i = 0; i < 4; i++)
        (void)close(fd[i]);
    end();
}

TEST_SINGLE(drain_late, "a request that came before is answered first")
{
    struct buffer bytes = {0};
    int fd;

    start("");
    fd = open_peer();
    fcgi_peer_request(&bytes, request_score(REQUEST_PERSON));
    (void)send(fd, bytes.data, bytes.length, MSG_NOSIGNAL);
    conn_drain(&served.shared, 1);
    CU_ASSERT_EQUAL(take_status(fd, true), 200);
    buffer_free(&bytes);
    (void)close(fd);
    end();
}

TEST_SINGLE(drain_between, "a peer that writes after the look learns of it")
{
    struct buffer bytes = {0};
    int fd;

    start("[\"a\"]");
    served.link.holds = true;
    fd = open_peer();
    fcgi_peer_request(&bytes, request_interests("{\"client_ids\": [1]}"));
    (void)send(fd, bytes.data, bytes.length, MSG_NOSIGNAL);
    calls_fail(CALL_RECV, EAGAIN); /* of the recv() before shutdown() */
    conn_drain(&served.shared, 1);
    CU_ASSERT_TRUE(calls_has_failed(CALL_RECV));
    CU_ASSERT_EQUAL(send(fd, "x", 1, MSG_NOSIGNAL), -1);
    CU_ASSERT_EQUAL(errno, EPIPE);
    served.link.holds = false;
    CU_ASSERT_EQUAL(take_status(fd, true), 200);
    buffer_free(&bytes);
    (void)close(fd);
    end();
}

TEST_SINGLE(drain_parked, "one that waits for the store is let go afterwards")
{
    int fd;

    start("[\"a\"]");
    served.link.holds = true;
    fd = open_peer();
    send_interests(fd, "{\"client_ids\": [1]}");
    conn_drain(&served.shared, 1);
    CU_ASSERT_FALSE(is_closed(fd));
    served.link.holds = false;
    CU_ASSERT_EQUAL(take_status(fd, true), 200);
    (void)close(fd);
    end();
}

/* The next request would be lost, so its sender must get an error. */
TEST_SINGLE(drain_last, "behind the last answer there is no other request")
{
    char *value = long_value();
    struct buf text;
    int fd;

    start(value);
    served.link.holds = true;
    fd = open_peer();
    send_interests(fd, MANY_IDS);
    conn_drain(&served.shared, 1);
    CU_ASSERT_EQUAL(send(fd, "", 0, MSG_NOSIGNAL), 0);
    served.link.holds = false;
    served_turn(&served);
    CU_ASSERT_EQUAL(send(fd, "x", 1, MSG_NOSIGNAL), -1);
    CU_ASSERT_TRUE(take_answer(fd, &text));
    CU_ASSERT_EQUAL(status_in(&text), 200);
    buf_free(&text);
    (void)close(fd);
    end();
    free(value);
}

TEST_SINGLE(drain_half, "one within a request may finish it, but not for long")
{
    int fd[2];

    start("");
    for (int i = 0; i < 2; i++) {
        fd[i] = open_peer();
        send_score(fd[i], true);
    }
    conn_drain(&served.shared, 2);
    calls_pass_ms(DRAIN_MS - SLACK_MS);
    CU_ASSERT_FALSE(is_closed(fd[0]));
    send_on(fd[0], STAGE_HALF);
    CU_ASSERT_EQUAL(take_status(fd[0], true), 200);
    CU_ASSERT_FALSE(is_closed(fd[1]));
    calls_pass_ms(2 * SLACK_MS);
    CU_ASSERT_TRUE(is_closed(fd[1]));
    CU_ASSERT_EQUAL(count(METRIC_ERROR_FCGI), 1);
    for (int i = 0; i < 2; i++)
        (void)close(fd[i]);
    end();
}

TEST_SINGLE(wrong, "bytes that are no exchange are a fault, at once or later")
{
    int fd;

    start("");
    for (unsigned i = 0; i < 2; i++) {
        fd = open_peer();
        if (i == 1)
            send_bytes(fd, "\1\1\0\1", 4);
        send_bytes(fd, i == 1 ? "\0\10\0\0\0\2\0\0\0\0\0\0" : "GET / HTTP/1.0",
                   12);
        CU_ASSERT_TRUE(is_closed(fd));
        CU_ASSERT_EQUAL(count(METRIC_ERROR_FCGI), i + 1);
        (void)close(fd);
    }
    end();
}
