/*
 * What nginx keeps of incomplete requests: as many large bodies as its spool
 * holds, a quarter of them for one address, and open requests of an address up
 * to a limit; other callers are not affected. Source: docs/protocol.md, S4.1.
 */
#include <poll.h>
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

#define FLUSH_MS 1100 /* nginx writes its access log each second */

#define KEEP_MAX_BYTES 65536  /* of a body that nginx keeps in memory */
#define LARGE_BYTES    200000 /* of one that it spools */
#define HELD_MAX       200

/* With bodies of 1 MiB the spool of 128 MiB holds 127, all else left out. */
#define SPOOL_SHARE 31
#define SPOOL_CROWD 150

/* With bodies of 16 MiB it holds seven, and one of each address. */
#define WIDE_BODIES 7

static const struct stack_plan plan = {.store = STACK_REDIS_UNIX};

#define PROXY "127.0.0.200"
static const char *const wide[] = {"SCORING_MAX_BODY_BYTES=16777216",
                                   "TRUSTED_PROXIES=" PROXY, NULL};
static const struct stack_plan wide_plan = {.store = STACK_REDIS_UNIX,
                                            .environment = wide};

#define OPEN_LIMIT 3
static const char *const narrow[] = {"SCORING_MAX_CONNECTIONS=3",
                                     "TRUSTED_PROXIES=" PROXY, NULL};
static const struct stack_plan narrow_plan = {.store = STACK_REDIS_UNIX,
                                              .environment = narrow};

/* Requests that are never finished. */
struct held {
    size_t count;
    int fds[HELD_MAX];
};

static void
hold_text(struct held *held, const char *address, int port, const char *text)
{
    int fd = ports_connect_from(address, port, CLOCK_PATIENCE_MS);

    CU_ASSERT_TRUE_FATAL(fd >= 0 && held->count < HELD_MAX);
    CU_ASSERT_EQUAL(send(fd, text, strlen(text), MSG_NOSIGNAL),
                    (ssize_t)strlen(text));
    held->fds[held->count++] = fd;
}

/* The head and the first byte of a body of that length. */
static void
hold(struct held *held, const char *address, int port, size_t length)
{
    char text[128];

    (void)snprintf(text, sizeof(text),
                   "POST /method HTTP/1.1\r\nHost: a\r\n"
                   "Content-Length: %zu\r\n\r\n[",
                   length);
    hold_text(held, address, port, text);
}

static void
release(struct held *held)
{
    for (size_t i = 0; i < held->count; i++)
        (void)close(held->fds[i]);
    held->count = 0;
}

struct held_search {
    const struct held *held;
    size_t refused;
};

static bool
are_refused(void *arg)
{
    const struct held_search *search = arg;
    size_t count = 0;

    for (size_t i = 0; i < search->held->count; i++) {
        struct pollfd waiting = {.fd = search->held->fds[i], .events = POLLIN};

        count += poll(&waiting, 1, 0) == 1;
    }
    return count == search->refused;
}

/*
 * Checks that so many are accepted, and all others answered with this status.
 */
static void
expect_held(const struct held *held, size_t in, int status)
{
    struct held_search search = {held, held->count - in};
    char want[32], got[32];
    size_t right = 0;

    CU_ASSERT_TRUE(clock_wait(are_refused, &search, CLOCK_PATIENCE_MS));
    (void)snprintf(want, sizeof(want), "HTTP/1.1 %d ", status);
    for (size_t i = 0; i < held->count; i++)
        right += recv(held->fds[i], got, strlen(want), MSG_DONTWAIT) > 0 &&
                 memcmp(got, want, strlen(want)) == 0;
    CU_ASSERT_EQUAL(right, search.refused);
}

/* A whole request with a body of that length, from that address. */
static struct http_answer
post(const char *address, int port, size_t length)
{
    struct buffer data = {0};
    struct http_answer answer;

    buffer_printf(&data,
                  "POST /method HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                  "Content-Length: %zu\r\n\r\n[]%*s",
                  length, (int)length - 2, "");
    answer =
        http_raw_from(address, port, data.data, data.length, CLOCK_PATIENCE_MS);
    buffer_free(&data);
    return answer;
}

/* 422 is the service's answer to [], whatever its length. */
static void
expect_post_from(const char *address, int port, size_t length, int want)
{
    struct http_answer answer = post(address, port, length);

    expect_error(&answer, want, NULL);
    if (want != 422)
        expect_header(&answer, "Retry-After", "1");
    http_answer_free(&answer);
}

struct post_search {
    const char *address;
    int port;
    size_t length;
};

static bool
is_served(void *arg)
{
    const struct post_search *search = arg;
    struct http_answer answer =
        post(search->address, search->port, search->length);
    int status = answer.status;

    http_answer_free(&answer);
    return status == 422;
}

/* Waits until nginx has noticed that the others have closed. */
static void
expect_served_soon(const char *address, int port, size_t length)
{
    struct post_search search = {address, port, length};

    CU_ASSERT_TRUE(clock_wait(is_served, &search, CLOCK_PATIENCE_MS));
}

TEST_SINGLE(share, "150 unfinished uploads of one address")
{
    int port = stack_shared(&plan)->port;
    struct held held = {0};

    for (size_t i = 0; i < SPOOL_CROWD; i++)
        hold(&held, "127.0.0.2", port, LARGE_BYTES);
    expect_held(&held, SPOOL_SHARE, 503);
    expect_post_from("127.0.0.2", port, LARGE_BYTES, 503);
    expect_post_from("127.0.0.2", port, KEEP_MAX_BYTES + 1, 503);
    expect_post_from("127.0.0.2", port, KEEP_MAX_BYTES, 422);
    expect_post_from("127.0.0.2", port, 2, 422);
    expect_post_from("127.0.0.3", port, LARGE_BYTES, 422);
    expect_post_from("127.0.0.3", port, 2, 422);
    release(&held);
    expect_served_soon("127.0.0.2", port, LARGE_BYTES);
}

/* The length of a chunked body is unknown. */
TEST_SINGLE(chunked, "bodies in chunks count as large")
{
    static const char data[] = "POST /method/ HTTP/1.1\r\nHost: a\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n";
    int port = stack_shared(&plan)->port;
    struct held held = {0};

    for (size_t i = 0; i <= SPOOL_SHARE; i++)
        hold_text(&held, "127.0.0.4", port, data);
    expect_held(&held, SPOOL_SHARE, 503);
    expect_post_from("127.0.0.4", port, LARGE_BYTES, 503);
    release(&held);
    expect_served_soon("127.0.0.4", port, LARGE_BYTES);
}

TEST_SINGLE(whole, "uploads of all addresses")
{
    int port = stack_shared(&wide_plan)->port;
    struct held held = {0};
    char address[32];

    for (int i = 0; i < WIDE_BODIES; i++) {
        (void)snprintf(address, sizeof(address), "127.0.0.%d", 10 + i);
        hold(&held, address, port, LARGE_BYTES);
        hold(&held, address, port, LARGE_BYTES); /* one too many */
    }
    expect_held(&held, WIDE_BODIES, 503);
    expect_post_from("127.0.0.9", port, LARGE_BYTES, 503);
    expect_post_from("127.0.0.9", port, KEEP_MAX_BYTES, 422);
    release(&held);
    expect_served_soon("127.0.0.9", port, LARGE_BYTES);
}

/* Both limits count the callers that a trusted proxy names (S3.4). */
struct named_case {
    const char *name, *from;
    size_t callers; /* that are told apart */
};

#define NAMED 2 /* callers that each row names */

static const struct named_case named_rows[] = {
    {"the callers of a proxy", PROXY, NAMED},
    {"somebody who names others", "127.0.0.201", 1},
};

/* One more of each named caller than there may be of one. */
static void
expect_named(const struct stack_plan *wanted, const struct named_case *c,
             size_t most, size_t length, int status)
{
    const int port = stack_shared(wanted)->port;
    struct held held = {0};
    char text[160];

    for (size_t i = 0; i < NAMED * (most + 1); i++) {
        (void)snprintf(text, sizeof(text),
                       "POST /method HTTP/1.1\r\nHost: a\r\n"
                       "X-Forwarded-For: 192.0.2.%zu\r\n"
                       "Content-Length: %zu\r\n\r\n[",
                       i % NAMED, length);
        hold_text(&held, c->from, port, text);
    }
    expect_held(&held, c->callers * most, status);
    release(&held);
}

TEST_CASES(named_large, struct named_case, named_rows)
{
    expect_named(&wide_plan, c, 1, LARGE_BYTES, 503);
}

static void
expect_health(const char *address, int port)
{
    static const char data[] = "GET /healthz HTTP/1.1\r\nHost: a\r\n"
                               "Connection: close\r\n\r\n";
    struct http_answer answer =
        http_raw_from(address, port, data, strlen(data), CLOCK_PATIENCE_MS);

    CU_ASSERT_EQUAL(answer.status, 200);
    http_answer_free(&answer);
}

struct open_case {
    const char *name, *address;
    size_t length;
};

static const struct open_case open_rows[] = {
    {"small ones", "127.0.0.5", 10},
    {"large ones", "127.0.0.6", LARGE_BYTES},
};

TEST_CASES(open, struct open_case, open_rows)
{
    int port = stack_shared(&narrow_plan)->port;
    struct held held = {0};

    for (size_t i = 0; i <= OPEN_LIMIT; i++)
        hold(&held, c->address, port, c->length);
    expect_held(&held, OPEN_LIMIT, 429);
    expect_post_from(c->address, port, 2, 429);
    expect_post_from(c->address, port, LARGE_BYTES, 429);
    expect_post_from("127.0.0.3", port, 2, 422);
    expect_post_from("127.0.0.3", port, LARGE_BYTES, 422);
    expect_health(c->address, port);
    release(&held);
    expect_served_soon(c->address, port, 2);
}

TEST_CASES(named_open, struct named_case, named_rows)
{
    expect_named(&narrow_plan, c, OPEN_LIMIT, 10, 429);
}

/* By default there is no limit of them. */
TEST_SINGLE(open_off, "any number of small requests by default")
{
    int port = stack_shared(&plan)->port;
    struct held held = {0};

    for (size_t i = 0; i < HELD_MAX; i++)
        hold(&held, "127.0.0.2", port, KEEP_MAX_BYTES);
    expect_post_from("127.0.0.2", port, KEEP_MAX_BYTES, 422);
    expect_held(&held, HELD_MAX, 0);
    release(&held);
}

/* A file in place of the spool: as with a full disk. Bodies of up to 64 KiB do
 * not need it. */
TEST_SINGLE(full, "what nginx cannot store is in its log, without the query")
{
    static const char data[] =
        "POST /method?zq7 HTTP/1.1\r\nHost: a\r\nX-Request-ID: of-the-spool\r\n"
        "Connection: close\r\nContent-Length: 200000\r\n\r\n";
    struct stack stack;
    struct buffer request = {0};
    struct http_answer answer;
    char path[FILES_PATH_MAX], *log;

    CU_ASSERT_TRUE_FATAL(stack_start(&stack, &plan));
    files_path(path, "%.200s/nginx/body", stack.run_folder);
    files_folder_remove(path);
    CU_ASSERT_TRUE(files_write(path, ""));
    buffer_printf(&request, "%s%*s", data, LARGE_BYTES, "");
    answer =
        http_raw(stack.port, request.data, request.length, CLOCK_PATIENCE_MS);
    buffer_free(&request);
    expect_error_text(&answer, 500, "Internal Server Error");
    http_answer_free(&answer);
    expect_post_from("127.0.0.2", stack.port, KEEP_MAX_BYTES, 422);
    clock_sleep_ms(FLUSH_MS);
    files_path(path, "%.200s/nginx/access.log", stack.run_folder);
    log = files_read(path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(log);
    CU_ASSERT_TRUE(expect_match(log, "id=of-the-spool [^\n]* path=/method "
                                     "code=500 [^\n]* fault=spool\n"));
    CU_ASSERT_PTR_NULL(strstr(log, "zq7"));
    free(log);
    CU_ASSERT_TRUE(stack_stop(&stack));
}
