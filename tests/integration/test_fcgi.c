/*
 * FastCGI: the real service under spawn-fcgi, without nginx, and web servers
 * that send wrong bytes, stop, are slow, or never read. Each gets an error or a
 * closed connection within its limit, delays no other, leaks no descriptor, and
 * kills no worker.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/cases.h"
#include "support/clock.h"
#include "support/fcgi_peer.h"
#include "support/files.h"
#include "support/proc.h"
#include "support/redis.h"
#include "support/request.h"

#define WORKERS  2
#define BODY_MAX (1024 * 1024)

/* The program, started by spawn-fcgi as deploy/run.sh does. */
struct service {
    struct proc proc; /* spawn-fcgi, which becomes the program */
    struct proc_found workers;
    struct redis redis;
    size_t descriptors; /* of a worker without connections, at most */
    bool has_store;
    bool is_started;
    char folder[FILES_PATH_MAX];
    char socket[FILES_PATH_MAX];
};

static struct service without_store;
static struct service with_store = {.has_store = true};

static size_t
count_descriptors(pid_t pid)
{
    size_t count = 0;
    char path[FILES_PATH_MAX];
    DIR *folder;

    files_path(path, "/proc/%d/fd", (int)pid);
    folder = opendir(path);
    while (folder != NULL && readdir(folder) != NULL)
        count++;
    if (folder != NULL)
        (void)closedir(folder);
    return count;
}

/* The most that any worker has. */
static size_t
most_descriptors(const struct service *service)
{
    size_t most = 0;

    for (size_t i = 0; i < service->workers.count; i++) {
        size_t count = count_descriptors(service->workers.pid[i]);

        most = count > most ? count : most;
    }
    return most;
}

/* Sends one exchange on a new connection; returns the connection, or -1. */
static int
ask(const struct service *service, const struct buffer *bytes)
{
    int fd = fcgi_peer_connect(service->socket);

    if (fd >= 0 && bytes != NULL && !fcgi_peer_send(fd, bytes)) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

/* Sends a request that needs no store; returns its status, or 0. */
static int
probe(const struct service *service)
{
    struct fcgi_peer_exchange exchange = {.body = "{}", .body_length = 2};
    struct buffer bytes = {0};
    int fd, status = 0;

    fcgi_peer_whole(&bytes, &exchange);
    fd = ask(service, &bytes);
    if (fd >= 0) {
        status = fcgi_peer_status(fd, CLOCK_PATIENCE_MS);
        (void)close(fd);
    }
    buffer_free(&bytes);
    return status;
}

static bool
is_ready(void *arg)
{
    struct service *service = arg;

    service->workers = proc_find_children(service->proc.pid, "scoring");
    return service->workers.count == WORKERS && probe(service) == 422;
}

static bool
start_store(struct service *service, char ret_url[REDIS_URL_MAX])
{
    if (!service->has_store) {
        (void)snprintf(ret_url, REDIS_URL_MAX, "unix:///nonexistent/r.sock");
        return true;
    }
    if (!redis_init(&service->redis, service->folder, "") ||
        !redis_start(&service->redis))
        return false;
    redis_url_unix(&service->redis, ret_url);
    return true;
}

static bool
start_program(struct service *service)
{
    const char *binary = getenv("RUN_BINARY");
    char url[REDIS_URL_MAX], store[REDIS_URL_MAX + 16], output[FILES_PATH_MAX];
    const char *const argv[] = {
        "spawn-fcgi", "-n",
        "-s",         service->socket,
        "-M",         "0600",
        "--",         binary != NULL ? binary : "build/release/scoring",
        NULL};
    const char *const environment[] = {
        "PATH=/usr/local/bin:/usr/bin:/bin", "SCORING_WORKERS=2",
        "SCORING_STORE_DEADLINE_MS=800", store, NULL};
    const struct proc_plan plan = {.argv = argv,
                                   .environment = environment,
                                   .output = output,
                                   .death_signal = SIGTERM};

    files_path(output, "%s/output", service->folder);
    if (!start_store(service, url))
        return false;
    (void)snprintf(store, sizeof(store), "REDIS_URL=%s", url);
    return proc_start(&service->proc, &plan) &&
           clock_wait(is_ready, service, CLOCK_PATIENCE_MS);
}

/* A thousand connections need more descriptors than the default limit. */
static void
raise_own_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void
service_end(struct service *service)
{
    proc_kill(&service->proc);
    redis_kill(&service->redis);
    files_folder_remove(service->folder);
    service->is_started = false;
}

/* Starts the service at the first call; fails the test fatally if it does not
 * start. */
static struct service *
service_use(struct service *service)
{
    if (service->is_started)
        return service;
    raise_own_limit();
    if (!files_folder_make(service->folder))
        CU_FAIL_FATAL("no folder");
    files_path(service->socket, "%s/socket", service->folder);
    if (!start_program(service)) {
        service_end(service);
        CU_FAIL_FATAL("the service does not start");
    }
    clock_sleep_ms(100); /* until the connection of the last probe is closed */
    service->descriptors = most_descriptors(service);
    service->is_started = true;
    return service;
}

static bool
is_tidy(void *arg)
{
    const struct service *service = arg;

    return most_descriptors(service) <= service->descriptors;
}

/* After each test all connections are closed, and the workers are the same. */
static void
expect_unharmed(struct service *service)
{
    struct proc_found workers =
        proc_find_children(service->proc.pid, "scoring");

    CU_ASSERT_EQUAL(workers.count, service->workers.count);
    CU_ASSERT_EQUAL(memcmp(workers.pid, service->workers.pid,
                           workers.count * sizeof(workers.pid[0])),
                    0);
    CU_ASSERT_TRUE(clock_wait(is_tidy, service, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(probe(service), 422);
}

/* Exchanges that are only wrong, next to valid ones. */

/*
 * A valid request for a score, with blanks up to a length; the caller frees it.
 */
static char *
padded_request(size_t length)
{
    char *text = request_score(REQUEST_PERSON);
    char *padded = malloc(length + 1);
    size_t used = strlen(text);

    if (padded == NULL || used > length)
        abort();
    memset(padded, ' ', length);
    memcpy(padded, text, used);
    padded[length] = '\0';
    free(text);
    return padded;
}

struct body_case {
    const char *name;
    size_t length;
    const char *announced; /* NULL: the length */
    size_t record, padding;
    int status;
};

static const struct body_case body_rows[] = {
    {"small", 1000, NULL, 0, 0, 200},
    {"small, in records of 1 byte", 1000, NULL, 1, 0, 200},
    {"small, in records of 1 byte padded by 255", 1000, NULL, 1, 255, 200},
    {"padded", 1000, NULL, 0, 7, 200},
    {"shorter than announced", 1000, "1001", 0, 0, 400},
    {"longer than announced", 1000, "999", 0, 0, 400},
    {"announced as none", 1000, "0", 0, 0, 400},
    {"not announced", 1000, "", 0, 0, 400},
    {"announced by a word", 1000, "many", 0, 0, 400},
    {"announced negative", 1000, "-1", 0, 0, 400},
    {"announced with 20 digits", 1000, "10000000000000000000", 0, 0, 400},
    {"announced over the limit", 1000, "1048577", 0, 0, 413},
    {"64 KiB", 65536, NULL, 0, 0, 200},
    {"64 KiB in records of 8 KiB", 65536, NULL, 8192, 0, 200},
    {"100 KiB, shorter than announced", 102400, "102401", 0, 0, 400},
    {"100 KiB, longer than announced", 102400, "102399", 0, 0, 400},
    {"1 MiB", BODY_MAX, NULL, 0, 0, 200},
    {"1 MiB in records of 8 KiB", BODY_MAX, NULL, 8192, 0, 200},
    {"1 MiB in records of 7 bytes", BODY_MAX, NULL, 7, 1, 200},
    {"1 MiB and 1", BODY_MAX + 1, NULL, 0, 0, 413},
    {"1 MiB and 1 in records of 7 bytes", BODY_MAX + 1, NULL, 7, 1, 413},
    {"1 MiB and 1, announced small", BODY_MAX + 1, "1000", 0, 0, 413},
    {"1 MiB and 1, announced right but in excess", BODY_MAX + 1, "1048576", 0,
     0, 413},
    {"10 MiB", 10 * BODY_MAX, NULL, 0, 0, 413},
};

/* The connection can be used again after each of these bodies. */
TEST_CASES(body, struct body_case, body_rows)
{
    struct service *service = service_use(&without_store);
    char *text = padded_request(c->length);
    const struct fcgi_peer_exchange exchange = {.body = text,
                                                .body_length = c->length,
                                                .content_length = c->announced,
                                                .record = c->record,
                                                .padding = c->padding};
    struct buffer bytes = {0};
    int fd;

    fcgi_peer_whole(&bytes, &exchange);
    fd = ask(service, &bytes);
    CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), c->status);
    buffer_free(&bytes);
    fcgi_peer_whole(
        &bytes, &(struct fcgi_peer_exchange){.body = "{}", .body_length = 2});
    CU_ASSERT_TRUE(fcgi_peer_send(fd, &bytes));
    CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), 422);
    (void)close(fd);
    buffer_free(&bytes);
    free(text);
    expect_unharmed(service);
}

/* Each of these closes the connection at once, without an answer. */

#define PEER_ID      1
#define UNKNOWN_TYPE 77

static const struct fcgi_peer_exchange small = {.body = "{}", .body_length = 2};

/* BEGIN, and these bytes as PARAMS with their end. */
static void
put_params(struct buffer *out, const void *content, size_t length)
{
    fcgi_peer_begin(out, PEER_ID, FCGI_PEER_RESPONDER, FCGI_PEER_KEEP);
    fcgi_peer_record(out, FCGI_PEER_PARAMS, PEER_ID, content, length, 0);
    fcgi_peer_record(out, FCGI_PEER_PARAMS, PEER_ID, "", 0, 0);
    fcgi_peer_body(out, &small);
}

/* Valid params without their last byte. */
static void
put_cut_params(struct buffer *out)
{
    struct buffer content = {0};

    fcgi_peer_params(&content, &small);
    put_params(out, content.data, content.length - 1);
    buffer_free(&content);
}

static void
put_cut_length(struct buffer *out)
{
    put_params(out, "\x0e\x80\0", 3);
}

static void
put_huge_length(struct buffer *out)
{
    put_params(out,
               "\xff\xff\xff\xff\xff\xff\xff\xff"
               "A",
               9);
}

static void
put_nul_in_name(struct buffer *out)
{
    put_params(out,
               "\x04\x01"
               "A\0BCD",
               7);
}

static void
put_nul_in_value(struct buffer *out)
{
    put_params(out,
               "\x0c\x07"
               "DOCUMENT_URI"
               "/met\0od",
               21);
}

static void
put_many_params(struct buffer *out)
{
    static const char zeros[FCGI_PEER_RECORD_MAX];

    fcgi_peer_begin(out, PEER_ID, FCGI_PEER_RESPONDER, FCGI_PEER_KEEP);
    for (int i = 0; i < 2; i++)
        fcgi_peer_record(out, FCGI_PEER_PARAMS, PEER_ID, zeros, sizeof(zeros),
                         0);
}

static void
put_heavy_params(struct buffer *out)
{
    fcgi_peer_begin(out, PEER_ID, FCGI_PEER_RESPONDER, FCGI_PEER_KEEP);
    for (int i = 0; i < 1000; i++)
        fcgi_peer_record(out, FCGI_PEER_PARAMS, PEER_ID, "", 1, 255);
}

static void
put_abort(struct buffer *out)
{
    fcgi_peer_head(out, &small);
    fcgi_peer_record(out, FCGI_PEER_ABORT, PEER_ID, "", 0, 0);
    fcgi_peer_body(out, &small);
}

static void
put_abort_alone(struct buffer *out)
{
    fcgi_peer_record(out, FCGI_PEER_ABORT, PEER_ID, "", 0, 0);
}

static void
put_get_values(struct buffer *out)
{
    struct buffer content = {0};

    fcgi_peer_pair(&content, "FCGI_MAX_CONNS", "");
    fcgi_peer_record(out, FCGI_PEER_GET_VALUES, 0, content.data, content.length,
                     0);
    buffer_free(&content);
}

static void
put_get_values_amid(struct buffer *out)
{
    fcgi_peer_head(out, &small);
    put_get_values(out);
    fcgi_peer_body(out, &small);
}

static void
put_unknown(struct buffer *out)
{
    fcgi_peer_head(out, &small);
    fcgi_peer_record(out, UNKNOWN_TYPE, PEER_ID, "?", 1, 0);
    fcgi_peer_body(out, &small);
}

static void
put_unknown_management(struct buffer *out)
{
    fcgi_peer_record(out, UNKNOWN_TYPE, 0, "?", 1, 0);
}

static void
put_data(struct buffer *out)
{
    fcgi_peer_head(out, &small);
    fcgi_peer_record(out, FCGI_PEER_DATA, PEER_ID, "?", 1, 0);
    fcgi_peer_body(out, &small);
}

static void
put_filter(struct buffer *out)
{
    fcgi_peer_begin(out, PEER_ID, 3, FCGI_PEER_KEEP);
}

static void
put_second_begin(struct buffer *out)
{
    fcgi_peer_head(out, &small);
    fcgi_peer_begin(out, 2, FCGI_PEER_RESPONDER, FCGI_PEER_KEEP);
}

static void
put_other_id(struct buffer *out)
{
    fcgi_peer_head(out, &small);
    fcgi_peer_record(out, FCGI_PEER_STDIN, 2, "{}", 2, 0);
}

static void
put_http(struct buffer *out)
{
    buffer_add_text(out, "POST /method HTTP/1.1\r\nHost: a\r\n\r\n");
}

struct refused_case {
    const char *name;
    void (*put)(struct buffer *out);
};

static const struct refused_case refused_rows[] = {
    {"params cut off in a value", put_cut_params},
    {"params cut off in a length", put_cut_length},
    {"lengths of 2^31 - 1", put_huge_length},
    {"NUL in a name", put_nul_in_name},
    {"NUL in a value", put_nul_in_value},
    {"params over 64 KiB", put_many_params},
    {"params in padded records of one byte", put_heavy_params},
    {"abort", put_abort},
    {"abort alone", put_abort_alone},
    {"management: get values", put_get_values},
    {"management within an exchange", put_get_values_amid},
    {"management of unknown type", put_unknown_management},
    {"unknown type", put_unknown},
    {"data", put_data},
    {"role of a filter", put_filter},
    {"second request on the connection", put_second_begin},
    {"body of another request", put_other_id},
    {"HTTP", put_http},
};

TEST_CASES(refused, struct refused_case, refused_rows)
{
    struct service *service = service_use(&without_store);
    struct buffer bytes = {0};
    int fd;

    c->put(&bytes);
    fd = fcgi_peer_connect(service->socket);
    (void)fcgi_peer_send(
        fd, &bytes); /* the service may close the connection before */
    CU_ASSERT_TRUE(fcgi_peer_is_closed(fd, CLOCK_PATIENCE_MS));
    (void)close(fd);
    buffer_free(&bytes);
    expect_unharmed(service);
}

/* The peer closes the connection at every place of an exchange. */
TEST_SINGLE(gone, "closed after each byte of an exchange")
{
    struct service *service = service_use(&without_store);
    struct buffer bytes = {0};
    size_t length;

    fcgi_peer_whole(&bytes, &small);
    length = bytes.length;
    for (bytes.length = 1; bytes.length < length; bytes.length++) {
        int fd = ask(service, &bytes);

        CU_ASSERT_TRUE(fd >= 0);
        (void)close(fd);
    }
    buffer_free(&bytes);
    expect_unharmed(service);
}

TEST_SINGLE(gone_large, "closed in the middle of a large body")
{
    struct service *service = service_use(&without_store);
    struct buffer bytes = {0};

    fcgi_peer_request(&bytes, padded_request(BODY_MAX));
    bytes.length /= 2;
    for (int i = 0; i < 10; i++) {
        int fd = ask(service, &bytes);

        CU_ASSERT_TRUE(fd >= 0);
        (void)close(fd);
    }
    buffer_free(&bytes);
    expect_unharmed(service);
}

TEST_SINGLE(half_close, "the whole exchange, then the end of sending")
{
    struct service *service = service_use(&without_store);
    struct buffer bytes = {0};
    int fd;

    fcgi_peer_whole(&bytes, &small);
    fd = ask(service, &bytes);
    CU_ASSERT_EQUAL(shutdown(fd, SHUT_WR), 0);
    CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), 422);
    CU_ASSERT_TRUE(fcgi_peer_is_closed(fd, CLOCK_PATIENCE_MS));
    (void)close(fd);
    buffer_free(&bytes);
    expect_unharmed(service);
}

/* More than one exchange. */

TEST_SINGLE(sequence, "one after the other on one connection, all answered")
{
    struct service *service = service_use(&without_store);
    struct buffer bytes = {0};
    int fd = ask(service, NULL);

    fcgi_peer_request(&bytes, request_score(REQUEST_PERSON));
    for (int i = 0; i < 100; i++) {
        struct fcgi_peer_answer answer = {0};

        CU_ASSERT_TRUE(fcgi_peer_send(fd, &bytes));
        CU_ASSERT_EQUAL(fcgi_peer_read(fd, CLOCK_PATIENCE_MS, &answer),
                        FCGI_PEER_ANSWERED);
        CU_ASSERT_STRING_EQUAL(
            fcgi_peer_answer_body(&answer),
            "{\"code\": 200, \"response\": {\"score\": 3.0}}");
        fcgi_peer_answer_free(&answer);
    }
    (void)close(fd);
    buffer_free(&bytes);
    expect_unharmed(service);
}

struct together_case {
    const char *name;
    size_t first;  /* length of the first body */
    bool has_part; /* only the first byte of the second one is sent */
};

static const struct together_case together_rows[] = {
    {"two small ones", 1000, false},
    {"a large one and a small one", 100 * 1024, false},
    {"one and a byte of the next", 1000, true},
};

/* The second request is never mistaken for anything else. */
TEST_CASES(together, struct together_case, together_rows)
{
    struct service *service = service_use(&without_store);
    struct buffer bytes = {0};
    size_t length;
    int fd;

    fcgi_peer_request(&bytes, padded_request(c->first));
    length = bytes.length;
    fcgi_peer_whole(&bytes, &small);
    if (c->has_part)
        bytes.length = length + 1;
    fd = ask(service, &bytes);
    CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), 200);
    CU_ASSERT_TRUE(fcgi_peer_is_closed(fd, CLOCK_PATIENCE_MS));
    (void)close(fd);
    buffer_free(&bytes);
    expect_unharmed(service);
}

struct last_case {
    const char *name;
    size_t length;
};

static const struct last_case last_rows[] = {
    {"small", 1000},
    {"large", 100 * 1024},
};

/* Without the flag of BEGIN that keeps the connection. */
TEST_CASES(last, struct last_case, last_rows)
{
    struct service *service = service_use(&without_store);
    char *text = padded_request(c->length);
    const struct fcgi_peer_exchange exchange = {
        .body = text, .body_length = c->length, .is_last = true};
    struct buffer bytes = {0};
    int fd;

    fcgi_peer_whole(&bytes, &exchange);
    fd = ask(service, &bytes);
    CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), 200);
    CU_ASSERT_TRUE(fcgi_peer_is_closed(fd, CLOCK_PATIENCE_MS));
    (void)close(fd);
    buffer_free(&bytes);
    free(text);
    expect_unharmed(service);
}

/* Slow peers, all at the same time. */

#define IDLE_COUNT    1000
#define LIMIT_LOW_MS  9000 /* the limits of src/serve/conn.c are 10 s */
#define LIMIT_HIGH_MS 12000
#define PROBE_MS      100 /* the longest time of other requests */
#define PROBES_SLOW   2   /* of 100 probes may take longer, on a busy machine */
#define TICK_MS       20
#define SLOW_BYTES    1200 /* read in each tick: too slow for those limits */
#define LARGE_IDS     10000
#define LARGE_MEMBER  110 /* bytes of each client in the answer, at least */

/* With this value an answer is larger than any socket buffer. */
#define LARGE_VALUE                                                            \
    "[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","                   \
    " \"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"]"

static bool
fill_store(const struct redis *redis)
{
    return redis_do(redis, "EVAL %s 0 %s",
                    "for i = 1, 10000 do "
                    "redis.call('SET', 'i:' .. i, ARGV[1]) end",
                    LARGE_VALUE);
}

/* A request for LARGE_IDS clients. */
static void
put_large_request(struct buffer *out)
{
    struct buffer ids = {0};

    for (int id = 1; id <= LARGE_IDS; id++)
        buffer_printf(&ids, "%s%d", id == 1 ? "{\"client_ids\": [" : ", ", id);
    buffer_add_text(&ids, "]}");
    fcgi_peer_request(out, request_interests(buffer_text(&ids)));
    buffer_free(&ids);
}

/* What a slow peer does with a request. */
struct slow_peer {
    const char *name;
    int stops;        /* percent of the request that it sends at once */
    bool is_dripping; /* then one byte in each tick */
    bool is_large;    /* requests a large answer, and never reads it */
    bool is_reading;  /* reads the large answer, slowly */
    int fd;
    size_t sent;
    size_t got;
    int64_t closed_ms; /* after the start; 0: not yet */
};

static struct slow_peer slow_peers[] = {
    {.name = "stops in the first record", .stops = 5},
    {.name = "stops in the params", .stops = 30},
    {.name = "stops in the body", .stops = 90},
    {.name = "drips", .is_dripping = true},
    {.name = "never reads", .stops = 100, .is_large = true},
    {.name = "reads slowly",
     .stops = 100,
     .is_large = true,
     .is_reading = true},
};

#define SLOW_COUNT (sizeof(slow_peers) / sizeof(slow_peers[0]))

static void
slow_peer_start(struct slow_peer *peer, const struct service *service,
                const struct buffer *whole)
{
    struct buffer part = *whole;

    part.length = whole->length * (size_t)peer->stops / 100;
    peer->fd = ask(service, &part);
    CU_ASSERT_TRUE(peer->fd >= 0);
}

/* A peer that never reads has unread bytes before the end. */
static bool
slow_peer_is_closed(const struct slow_peer *peer)
{
    char byte = 0;

    if (peer->is_large)
        return send(peer->fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0;
    return fcgi_peer_is_closed(peer->fd, 0);
}

static bool
slow_peer_read(struct slow_peer *peer, size_t most, int flags)
{
    char data[SLOW_BYTES];
    ssize_t got = recv(peer->fd, data, most, flags);

    peer->got += got > 0 ? (size_t)got : 0;
    return got > 0;
}

static void
expect_rest(struct slow_peer *peer)
{
    const size_t all = (size_t)LARGE_IDS * LARGE_MEMBER;

    while (peer->got < all && slow_peer_read(peer, SLOW_BYTES, 0))
        continue;
    CU_ASSERT_TRUE(peer->got >= all);
}

static void
slow_peer_turn(struct slow_peer *peer, const struct buffer *whole,
               int64_t elapsed_ms)
{
    if (peer->closed_ms != 0)
        return;
    if (peer->is_large) { /* writing shows whether the service has closed */
        if (peer->is_reading)
            slow_peer_read(peer, SLOW_BYTES, MSG_DONTWAIT);
        return;
    }
    if (peer->is_dripping && peer->sent < whole->length - 1)
        (void)send(peer->fd, whole->data + peer->sent++, 1, MSG_NOSIGNAL);
    if (slow_peer_is_closed(peer))
        peer->closed_ms = elapsed_ms;
}

static void
open_idle(const struct service *service, int fds[IDLE_COUNT])
{
    for (int i = 0; i < IDLE_COUNT; i++) {
        fds[i] = ask(service, NULL);
        if (fds[i] < 0)
            CU_FAIL("no connection");
    }
}

struct probes {
    size_t count, slow, wrong;
};

static void
probe_timed(struct probes *probes, const struct service *service)
{
    int64_t start_ms = clock_ms();

    probes->wrong += probe(service) != 422;
    probes->slow += clock_ms() - start_ms > PROBE_MS;
    probes->count++;
}

static void
run_slow_peers(const struct service *service, const struct buffer *whole)
{
    int64_t start_ms = clock_ms(), elapsed_ms;
    struct probes probes = {0};

    do {
        clock_sleep_ms(TICK_MS);
        elapsed_ms = clock_ms() - start_ms;
        for (size_t i = 0; i < SLOW_COUNT; i++)
            slow_peer_turn(&slow_peers[i], whole, elapsed_ms);
        probe_timed(&probes, service);
    } while (elapsed_ms < LIMIT_HIGH_MS);
    CU_ASSERT_EQUAL(probes.wrong, 0);
    CU_ASSERT_TRUE(probes.slow * 100 <= probes.count * PROBES_SLOW);
    for (size_t i = 0; i < SLOW_COUNT; i++) {
        int64_t closed_ms = slow_peers[i].closed_ms;

        if (slow_peers[i].is_reading) {
            expect_rest(&slow_peers[i]);
            continue;
        }
        if (slow_peers[i].is_large) {
            CU_ASSERT_TRUE(slow_peer_is_closed(&slow_peers[i]));
            continue;
        }
        if (closed_ms < LIMIT_LOW_MS)
            (void)printf("%s: closed after %lld ms\n", slow_peers[i].name,
                         (long long)closed_ms);
        CU_ASSERT_TRUE(closed_ms >= LIMIT_LOW_MS);
    }
}

/* It takes as long as the limits, once for all peers. */
TEST_SINGLE(slow, "peers that stop, drip, never read, and a thousand idle ones")
{
    struct service *service = service_use(&with_store);
    static int idle[IDLE_COUNT];
    char *text = padded_request(2000);
    const struct fcgi_peer_exchange exchange = {
        .body = text, .body_length = 2000, .record = 100};
    struct buffer whole = {0}, large = {0};

    CU_ASSERT_TRUE(fill_store(&service->redis));
    fcgi_peer_whole(&whole, &exchange);
    put_large_request(&large);
    open_idle(service, idle);
    for (size_t i = 0; i < SLOW_COUNT; i++)
        slow_peer_start(&slow_peers[i], service,
                        slow_peers[i].is_large ? &large : &whole);
    run_slow_peers(service, &whole);
    for (size_t i = 0; i < SLOW_COUNT; i++)
        (void)close(slow_peers[i].fd);
    for (int i = 0; i < IDLE_COUNT; i++) {
        CU_ASSERT_TRUE(i % 100 != 0 || fcgi_peer_send(idle[i], &whole));
        CU_ASSERT_TRUE(i % 100 != 0 ||
                       fcgi_peer_status(idle[i], CLOCK_PATIENCE_MS) == 200);
        (void)close(idle[i]);
    }
    buffer_free(&whole);
    buffer_free(&large);
    free(text);
    expect_unharmed(service);
}

TEST_SINGLE(drip, "a request that comes byte by byte, but in time")
{
    struct service *service = service_use(&with_store);
    char *text = request_interests("{\"client_ids\": [-1]}");
    const struct fcgi_peer_exchange exchange = {.body = text,
                                                .body_length = strlen(text)};
    struct fcgi_peer_answer answer = {0};
    struct buffer bytes = {0};
    int fd = ask(service, NULL);

    /* At 3 ms for each byte it takes more than the 800 ms of a request's store
     * work. */
    fcgi_peer_whole(&bytes, &exchange);
    for (size_t i = 0; i < bytes.length; i++) {
        CU_ASSERT_EQUAL(send(fd, bytes.data + i, 1, MSG_NOSIGNAL), 1);
        clock_sleep_ms(3);
    }
    CU_ASSERT_EQUAL(fcgi_peer_read(fd, CLOCK_PATIENCE_MS, &answer),
                    FCGI_PEER_ANSWERED);
    CU_ASSERT_STRING_EQUAL(fcgi_peer_answer_body(&answer),
                           "{\"code\": 200, \"response\": {\"-1\": []}}");
    fcgi_peer_answer_free(&answer);
    (void)close(fd);
    buffer_free(&bytes);
    free(text);
    expect_unharmed(service);
}

/* Begins to read after the socket has been full for a while. */
TEST_SINGLE(late_reader, "a large answer that is read late is whole")
{
    struct service *service = service_use(&with_store);
    struct fcgi_peer_answer answer = {0};
    struct buffer bytes = {0};
    const char *body;
    int fd;

    CU_ASSERT_TRUE(fill_store(&service->redis));
    put_large_request(&bytes);
    fd = ask(service, &bytes);
    for (int i = 0; i < 2; i++) {
        clock_sleep_ms(500);
        CU_ASSERT_EQUAL(probe(service), 422);
        CU_ASSERT_EQUAL(fcgi_peer_read(fd, CLOCK_PATIENCE_MS, &answer),
                        FCGI_PEER_ANSWERED);
        body = fcgi_peer_answer_body(&answer);
        CU_ASSERT_TRUE(strlen(body) > (size_t)LARGE_IDS * LARGE_MEMBER);
        CU_ASSERT_STRING_EQUAL(body + strlen(body) - 4, "\"]}}");
        fcgi_peer_answer_free(&answer);
        CU_ASSERT_TRUE(fcgi_peer_send(fd, &bytes)); /* and again */
    }
    (void)close(fd);
    buffer_free(&bytes);
    expect_unharmed(service);
}

/* Parked requests: the store is frozen. */

#define PARKED_COUNT 20
#define PARKED_MS    1500 /* their answer is due after 800 ms */

static void
open_parked(const struct service *service, int fds[PARKED_COUNT])
{
    char *text = request_interests(REQUEST_IDS);
    const struct fcgi_peer_exchange exchange = {.body = text,
                                                .body_length = strlen(text)};
    struct buffer bytes = {0};

    fcgi_peer_whole(&bytes, &exchange);
    for (int i = 0; i < PARKED_COUNT; i++) {
        fds[i] = ask(service, &bytes);
        CU_ASSERT_TRUE(fds[i] >= 0);
    }
    buffer_free(&bytes);
    free(text);
}

TEST_SINGLE(parked, "others are served at once; half of the askers go away")
{
    struct service *service = service_use(&with_store);
    struct probes probes = {0};
    int fds[PARKED_COUNT];

    redis_freeze(&service->redis);
    open_parked(service, fds);
    for (int i = 0; i < PARKED_COUNT; i += 2)
        (void)close(fds[i]);
    for (int i = 0; i < 20; i++)
        probe_timed(&probes, service);
    for (int i = 1; i < PARKED_COUNT; i += 2) {
        CU_ASSERT_EQUAL(fcgi_peer_status(fds[i], PARKED_MS), 503);
        (void)close(fds[i]);
    }
    redis_thaw(&service->redis);
    CU_ASSERT_EQUAL(probes.wrong, 0);
    CU_ASSERT_TRUE(probes.slow <= 1);
    expect_unharmed(service);
}

TEST_SINGLE(impatient, "a second exchange while the first one is parked")
{
    struct service *service = service_use(&with_store);
    struct buffer bytes = {0};
    int fds[PARKED_COUNT];

    redis_freeze(&service->redis);
    open_parked(service, fds);
    clock_sleep_ms(50);
    fcgi_peer_whole(&bytes, &small);
    for (int i = 0; i < PARKED_COUNT; i++)
        CU_ASSERT_TRUE(fcgi_peer_send(fds[i], &bytes));
    for (int i = 0; i < PARKED_COUNT; i++) {
        CU_ASSERT_EQUAL(fcgi_peer_status(fds[i], PARKED_MS), 503);
        CU_ASSERT_EQUAL(fcgi_peer_status(fds[i], CLOCK_PATIENCE_MS), 422);
        (void)close(fds[i]);
    }
    redis_thaw(&service->redis);
    buffer_free(&bytes);
    expect_unharmed(service);
}

/* Stops the service with all kinds of connections; the last test. */

TEST_SINGLE(stop, "parked requests are answered, half ones do not hold it up")
{
    struct service *service = service_use(&with_store);
    struct buffer bytes = {0};
    int fds[PARKED_COUNT], idle, half;

    fcgi_peer_whole(&bytes, &small);
    bytes.length /= 2;
    idle = ask(service, NULL);
    half = ask(service, &bytes);
    redis_freeze(&service->redis);
    open_parked(service, fds);
    clock_sleep_ms(100);
    proc_signal(&service->proc, SIGTERM);
    for (int i = 0; i < PARKED_COUNT; i++) {
        CU_ASSERT_EQUAL(fcgi_peer_status(fds[i], PARKED_MS), 503);
        CU_ASSERT_TRUE(fcgi_peer_is_closed(fds[i], CLOCK_PATIENCE_MS));
        (void)close(fds[i]);
    }
    CU_ASSERT_TRUE(proc_wait(&service->proc, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(proc_exit_status(&service->proc), 0);
    redis_thaw(&service->redis);
    (void)close(idle);
    (void)close(half);
    buffer_free(&bytes);
    service_end(service);
}

static int
end_services(void)
{
    service_end(&without_store);
    service_end(&with_store);
    return 0;
}

TEST_SUITE(.parts = 2, .end = end_services);
