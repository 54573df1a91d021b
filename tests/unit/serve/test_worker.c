/*
 * One worker in its own process; the test plays the web server and Redis: what
 * the worker answers, logs, counts, parks, sends and drains.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/units.h"
#include "config/config.h"
#include "redis/resolver.h"
#include "serve/worker.h"
#include "support/calls.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/fcgi_peer.h"
#include "support/files.h"
#include "support/names.h"
#include "support/ports.h"
#include "support/request.h"
#include "support/script.h"
#include "support/shared_clock.h"
#include "support/steps.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

#define WATCHED_MS 200 /* less than a command may take */
#define IDLE_WAITS 5   /* for the log, and a heartbeat */
#define BODY_MAX   (1024 * 1024)
#define PIECE_MAX  4096
#define BIG_ANSWER (300 * 1024) /* more than a socket takes at once */
#define PROBE      STEPS_HELLO "*2\r\n$6\r\nEXISTS\r\n$3\r\ni:0\r\n"
#define GET_ONE                                                                \
    "*4\r\n$8\r\nGETRANGE\r\n$3\r\ni:1\r\n$1\r\n0\r\n$7\r\n1048576\r\n"

#define SETTINGS_MAX 8

/* For rows that do not test times, on a busy machine. */
static const char *const patient[] = {"SCORING_STORE_TIMEOUT_MS=4000",
                                      "SCORING_STORE_DEADLINE_MS=5000", NULL};

struct bench {
    const char *const *settings; /* NULL at the end; or NULL */
    bool starts_stopped;         /* the clock: the row advances it */
    const char *url;             /* of the store; NULL: it has a path */
    int down_before;             /* so many servers were, of other names */
    pid_t pid;
    int status; /* exit status, -1 after a signal */
    enum worker_duty duty;
    int listener;
    int redis; /* listens; -1: there is none */
    int link;  /* the worker's connection to Redis; -1 */
    struct metrics *metrics;
    char folder[FILES_PATH_MAX], socket[FILES_PATH_MAX];
    char store[FILES_PATH_MAX], log[FILES_PATH_MAX];
};

static int
listen_at(const char *path)
{
    int fd = ports_listen_unix(path);

    CU_ASSERT_FATAL(fd >= 0);
    return fd;
}

static void
run_worker(const struct bench *bench)
{
    char store[FILES_PATH_MAX + 32];
    char *environment[SETTINGS_MAX + 2] = {store};
    struct buf errors = {0};
    struct config *config;
    struct log *log;
    int status;

    for (size_t i = 0; bench->settings != NULL && bench->settings[i] != NULL;
         i++)
        environment[i + 1] = (char *)bench->settings[i];
    if (bench->url != NULL)
        (void)snprintf(store, sizeof(store), "REDIS_URL=%s", bench->url);
    else
        (void)snprintf(store, sizeof(store), "REDIS_URL=unix://%s",
                       bench->store);
    config = config_load(environment, CONFIG_OF_SERVICE, &errors);
    log = log_open(&(struct log_plan){.file = bench->log});
    if (config == NULL || log == NULL)
        _exit(99);
    log_count_in(log, bench->metrics);
    shared_clock_join();
    status = worker_run(bench->listener, config, log, bench->metrics, 0,
                        bench->duty);
    log_close(log);
    config_free(config);
    metrics_free(bench->metrics);
    exit(status); /* so that LeakSanitizer checks the worker */
}

static void
make_metrics(struct bench *bench)
{
    char address[32];

    bench->metrics = metrics_new();
    CU_ASSERT_PTR_NOT_NULL_FATAL(bench->metrics);
    for (int i = 0; i < bench->down_before; i++) {
        (void)snprintf(address, sizeof(address), "h:%d", i);
        (void)metrics_outage_of(bench->metrics, address);
    }
    CU_ASSERT_FATAL(metrics_slot_take(bench->metrics) == 0);
}

/* bench has the settings, the clock, the URL, and what was down. */
static void
bench_run(struct bench *bench, bool has_store, enum worker_duty duty)
{
    *bench = (struct bench){.settings = bench->settings,
                            .starts_stopped = bench->starts_stopped,
                            .url = bench->url,
                            .down_before = bench->down_before,
                            .redis = -1,
                            .link = -1,
                            .status = -1,
                            .duty = duty};
    CU_ASSERT_FATAL(files_folder_make(bench->folder));
    files_path(bench->socket, "%s/socket", bench->folder);
    files_path(bench->store, "%s/redis", bench->folder);
    files_path(bench->log, "%s/log", bench->folder);
    bench->listener = listen_at(bench->socket);
    CU_ASSERT_FATAL(fcntl(bench->listener, F_SETFL, O_NONBLOCK) == 0);
    if (has_store)
        bench->redis = listen_at(bench->store);
    make_metrics(bench);
    (void)fflush(stdout);
    shared_clock_start();
    if (bench->starts_stopped)
        shared_clock_stop();
    bench->pid = fork();
    if (bench->pid == 0)
        run_worker(bench);
}

static void
bench_launch(struct bench *bench, bool has_store, enum worker_duty duty,
             const char *const *settings)
{
    *bench = (struct bench){.settings = settings};
    bench_run(bench, has_store, duty);
}

static void
bench_start(struct bench *bench, bool has_store)
{
    bench_launch(bench, has_store, WORKER_ALONE, patient);
}

static bool
has_ended(void *arg)
{
    struct bench *bench = arg;
    int status;

    if (bench->pid == 0)
        return true;
    if (waitpid(bench->pid, &status, WNOHANG) != bench->pid)
        return false;
    bench->pid = 0;
    bench->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return true;
}

/* The worker must exit in order, whatever the test has done. */
static void
bench_end(struct bench *bench)
{
    shared_clock_go();
    if (bench->pid > 0 && !has_ended(bench)) {
        (void)kill(bench->pid, SIGTERM);
        CU_ASSERT(clock_wait(has_ended, bench, CLOCK_PATIENCE_MS));
    }
    if (bench->pid > 0) {
        (void)kill(bench->pid, SIGKILL);
        (void)waitpid(bench->pid, NULL, 0);
    }
    CU_ASSERT_EQUAL(bench->status, 0);
    (void)close(bench->listener);
    if (bench->redis != -1)
        (void)close(bench->redis);
    if (bench->link != -1)
        (void)close(bench->link);
    metrics_free(bench->metrics);
    files_folder_remove(bench->folder);
}

/* Waits until the worker has handled what it was sent, and what is due. */
static void
settle(const struct bench *bench)
{
    CU_ASSERT_TRUE(shared_clock_pass(bench->pid, 0));
}

static void
pass_ms(const struct bench *bench, int64_t ms)
{
    CU_ASSERT_TRUE(shared_clock_pass(bench->pid, ms));
}

/* Instead of a metric: all requests, of any method and status. */
#define REQUESTS METRIC__MAX

static uint64_t
count_of(const struct bench *bench, enum metric metric)
{
    uint64_t count = 0;

    if (metric != REQUESTS)
        return metrics_get(bench->metrics, metric);
    for (size_t method = 0; method < METRICS_METHODS; method++) {
        for (size_t status = 0; status < METRICS_STATUSES; status++)
            count += metrics_get_requests(bench->metrics, method, status);
    }
    return count;
}

struct counter {
    const struct bench *bench;
    enum metric metric;
    uint64_t wanted;
};

static bool
has_counted(void *arg)
{
    const struct counter *counter = arg;

    return count_of(counter->bench, counter->metric) >= counter->wanted;
}

/* Waits for the value, which must not be exceeded. */
static void
check_count(const struct bench *bench, enum metric metric, uint64_t wanted)
{
    struct counter counter = {bench, metric, wanted};

    CU_ASSERT(clock_wait(has_counted, &counter, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(count_of(bench, metric), wanted);
}

static void
send_text(int fd, const char *text)
{
    size_t length = strlen(text);

    CU_ASSERT(send(fd, text, length, MSG_NOSIGNAL) == (ssize_t)length);
}

static void
send_exchange(int fd, const struct fcgi_peer_exchange *exchange)
{
    struct buffer bytes = {0};

    fcgi_peer_whole(&bytes, exchange);
    CU_ASSERT(fcgi_peer_send(fd, &bytes));
    buffer_free(&bytes);
}

static void
send_body(int fd, const char *body)
{
    send_exchange(fd, &(struct fcgi_peer_exchange){
                          .body = body, .body_length = strlen(body)});
}

/* Sends only the beginning of a request. */
static void
send_part(int fd)
{
    const struct fcgi_peer_exchange exchange = {.body = "{}", .body_length = 2};
    struct buffer bytes = {0};

    fcgi_peer_whole(&bytes, &exchange);
    bytes.length = 20;
    CU_ASSERT(fcgi_peer_send(fd, &bytes));
    buffer_free(&bytes);
}

/* Sends and frees a request. */
static void
send_request(int fd, char *text)
{
    send_body(fd, text);
    free(text);
}

/* Redis: expects exactly these bytes, and answers. */
static void
expect_command(const struct bench *bench, const char *want, const char *answer)
{
    char got[PIECE_MAX] = "";
    size_t length = 0;

    while (length < strlen(want)) {
        struct pollfd ready = {.fd = bench->link, .events = POLLIN};
        ssize_t more;

        if (poll(&ready, 1, CLOCK_PATIENCE_MS) != 1)
            break;
        more = recv(bench->link, got + length, sizeof(got) - 1 - length, 0);
        if (more <= 0)
            break;
        length += (size_t)more;
    }
    got[length] = '\0';
    CU_ASSERT_STRING_EQUAL(got, want);
    if (answer != NULL)
        send_text(bench->link, answer);
}

/* Redis: accepts the connection of the worker. */
static void
accept_link(struct bench *bench)
{
    struct pollfd ready = {.fd = bench->redis, .events = POLLIN};

    CU_ASSERT_EQUAL_FATAL(poll(&ready, 1, CLOCK_PATIENCE_MS), 1);
    bench->link = accept(bench->redis, NULL, NULL);
    CU_ASSERT_FATAL(bench->link >= 0);
}

/* Redis: accepts the connection of the worker, and answers the handshake. */
static void
greet(struct bench *bench)
{
    accept_link(bench);
    expect_command(bench, PROBE, STEPS_MASTER ":0\r\n");
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
    {"in records of 1 byte", 1000, NULL, 1, 0, 200},
    {"padded", 1000, NULL, 100, 7, 200},
    {"shorter than announced", 1000, "1001", 0, 0, 400},
    {"longer than announced", 1000, "999", 0, 0, 400},
    {"announced as none", 1000, "0", 0, 0, 400},
    {"not announced", 1000, "", 0, 0, 400},
    {"announced by a word", 1000, "many", 0, 0, 400},
    {"announced by a digit and a slash", 1000, "100/", 0, 0, 400},
    {"announced by a digit and a colon", 1000, "100:", 0, 0, 400},
    {"announced with a zero in front", 1000, "01000", 0, 0, 200},
    {"announced with 18 digits", 1000, "000000000000001000", 0, 0, 200},
    {"announced with 19 digits", 1000, "0000000000000001000", 0, 0, 400},
    {"announced at the limit", 1000, "1048576", 0, 0, 400},
    {"announced over the limit", 1000, "1048577", 0, 0, 413},
    {"none at all", 0, NULL, 0, 0, 400},
    {"none, not announced", 0, "", 0, 0, 400},
    {"gathered, shorter than announced", 102400, "102401", 0, 0, 400},
    {"gathered, whole", 102400, NULL, 8192, 3, 200},
    {"1 MiB", BODY_MAX, NULL, 0, 0, 200},
    {"1 MiB and 1", BODY_MAX + 1, NULL, 0, 0, 413},
    {"1 MiB and 1, announced small", BODY_MAX + 1, "1000", 0, 0, 413},
};

/* The connection can be used again after each of these bodies. */
TEST_CASES(body, struct body_case, body_rows)
{
    char *request = request_score(REQUEST_PERSON),
         *text = calloc(1, c->length + 1);
    const struct fcgi_peer_exchange exchange = {.body = text,
                                                .body_length = c->length,
                                                .content_length = c->announced,
                                                .record = c->record,
                                                .padding = c->padding};
    struct bench bench;
    int fd;

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    memset(text, ' ', c->length);
    if (c->length > strlen(request))
        memcpy(text, request, strlen(request));
    bench_start(&bench, false);
    fd = fcgi_peer_connect(bench.socket);
    send_exchange(fd, &exchange);
    CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), c->status);
    send_body(fd, "{}");
    CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), 422);
    check_count(&bench, REQUESTS, 2);
    check_count(&bench, METRIC_ERROR_FCGI, 0);
    (void)close(fd);
    bench_end(&bench);
    free(text);
    free(request);
}

struct broken_case {
    const char *name;
    size_t sent; /* bytes of a valid exchange; 0: garbage instead */
    bool closes; /* the peer, afterwards */
    uint64_t faults;
};

static const struct broken_case broken_rows[] = {
    {"garbage", 0, false, 1},
    {"closed after nothing but a byte", 1, true, 0},
    {"closed inside the parameters", 40, true, 0},
    {"closed before its last byte", SIZE_MAX, true, 0},
};

/* Hanging up is no fault, and other connections are not affected. */
TEST_CASES(broken, struct broken_case, broken_rows)
{
    const struct fcgi_peer_exchange exchange = {.body = "{}", .body_length = 2};
    struct buffer bytes = {0};
    struct bench bench;
    int fd, other;

    fcgi_peer_whole(&bytes, &exchange);
    if (c->sent < bytes.length)
        bytes.length = c->sent;
    else
        bytes.length--;
    if (c->sent == 0)
        buffer_add_text(&bytes, "GET / HTTP/1.1\r\n\r\n");
    bench_start(&bench, false);
    other = fcgi_peer_connect(bench.socket);
    fd = fcgi_peer_connect(bench.socket);
    CU_ASSERT(fcgi_peer_send(fd, &bytes));
    if (c->closes)
        (void)shutdown(fd, SHUT_WR);
    CU_ASSERT(fcgi_peer_is_closed(fd, CLOCK_PATIENCE_MS));
    check_count(&bench, METRIC_ERROR_FCGI, c->faults);
    send_body(other, "{}");
    CU_ASSERT_EQUAL(fcgi_peer_status(other, CLOCK_PATIENCE_MS), 422);
    (void)close(fd);
    (void)close(other);
    bench_end(&bench);
    buffer_free(&bytes);
}

TEST_SINGLE(pieces, "an exchange that comes byte by byte is answered")
{
    const struct fcgi_peer_exchange exchange = {.body = "{}", .body_length = 2};
    struct buffer bytes = {0};
    struct bench bench;
    int fd;

    fcgi_peer_whole(&bytes, &exchange);
    bench_start(&bench, false);
    fd = fcgi_peer_connect(bench.socket);
    for (int turn = 0; turn < 2; turn++) {
        for (size_t i = 0; i < bytes.length; i++) {
            CU_ASSERT(send(fd, bytes.data + i, 1, MSG_NOSIGNAL) == 1);
            if (i % 16 == 0)
                clock_sleep_ms(1);
        }
        CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), 422);
    }
    (void)close(fd);
    check_count(&bench, METRIC_ERROR_FCGI, 0);
    bench_end(&bench);
    buffer_free(&bytes);
}

struct last_case {
    const char *name;
    bool is_last; /* says the peer */
    int copies;   /* of the exchange, sent at once */
    size_t body;
    bool closes; /* after one answer */
};

static const struct last_case last_rows[] = {
    {"kept", false, 1, 2, false},
    {"not to be kept", true, 1, 2, true},
    {"two at once", false, 2, 2, true},
    {"large, kept", false, 1, 100000, false},
    {"large, not to be kept", true, 1, 100000, true},
    {"large, with one behind", false, 2, 100000, true},
};

TEST_CASES(last, struct last_case, last_rows)
{
    static char blanks[100000];
    const struct fcgi_peer_exchange exchange = {
        .body = blanks, .body_length = c->body, .is_last = c->is_last};
    const struct fcgi_peer_exchange next = {.body = "{}", .body_length = 2};
    struct buffer bytes = {0};
    struct bench bench;
    int fd;

    memset(blanks, ' ', sizeof(blanks));
    memcpy(blanks, "{}", 2);
    fcgi_peer_whole(&bytes, &exchange);
    if (c->copies > 1)
        fcgi_peer_whole(&bytes, &next);
    bench_start(&bench, false);
    fd = fcgi_peer_connect(bench.socket);
    CU_ASSERT(fcgi_peer_send(fd, &bytes));
    CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), 422);
    settle(&bench);
    CU_ASSERT_EQUAL(fcgi_peer_is_closed(fd, 0), c->closes);
    check_count(&bench, REQUESTS, 1);
    (void)close(fd);
    bench_end(&bench);
    buffer_free(&bytes);
}

/* The log, once it contains this text; the caller frees it. */
static char *
log_with(const struct bench *bench, const char *part)
{
    int64_t end_ms = clock_ms() + CLOCK_PATIENCE_MS;
    char *text = files_read(bench->log);

    while ((text == NULL || strstr(text, part) == NULL) &&
           clock_ms() < end_ms) {
        free(text);
        clock_sleep_ms(2);
        text = files_read(bench->log);
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    if (strstr(text, part) == NULL)
        (void)printf("no \"%s\" in the log: %s\n", part, text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, part));
    return text;
}

/* Waits for a text in the log; the other one is not there. */
static void
check_untold(const struct bench *bench, const char *told, const char *untold)
{
    char *text = log_with(bench, told);

    CU_ASSERT_PTR_NULL(strstr(text, untold));
    free(text);
}

TEST_SINGLE(line, "each request is one line of the log")
{
    struct bench bench;
    char *text;
    int fd;

    bench_start(&bench, false);
    fd = fcgi_peer_connect(bench.socket);
    send_request(fd, request_score(REQUEST_PERSON));
    CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), 200);
    text = log_with(&bench, " method=online_score code=200 ");
    CU_ASSERT_PTR_NOT_NULL(strstr(text, " path=/method "));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, " has=phone,email\n"));
    CU_ASSERT_PTR_NULL(strstr(text, "79175002040"));
    free(text);
    (void)close(fd);
    bench_end(&bench);
}

#define ID_16  "abcdefghijklmnop"
#define ID_127 ID_16 ID_16 ID_16 ID_16 ID_16 ID_16 ID_16 "abcdefghijklmno"

/* Ids that nginx passes on, and others that only another peer would send. */
static const struct id_case {
    const char *name, *id, *logged;
} id_rows[] = {
    {"letters and digits", "azAZ09", " id=azAZ09 "},
    {"marks", "a.b_c-d", " id=a.b_c-d "},
    {"the longest", ID_127 "x", " id=" ID_127 "x "},
    {"longer", ID_127 "xy", " id=- "},
    {"empty", "", " id=- "},
    {"a space", "a b", " id=- "},
    {"a quote", "a\"b", " id=- "},
    {"a line's end", "a\n", " id=- "},
    {"before 0", "a/b", " id=- "},
    {"after 9", "a:b", " id=- "},
    {"before A", "a@b", " id=- "},
    {"after Z", "a[b", " id=- "},
    {"before small a", "a`b", " id=- "},
    {"after small z", "a{b", " id=- "},
    {"not ASCII", "\xd0\x96", " id=- "},
};

TEST_CASES(id, struct id_case, id_rows)
{
    struct bench bench;
    int fd;

    bench_start(&bench, false);
    fd = fcgi_peer_connect(bench.socket);
    send_exchange(fd, &(struct fcgi_peer_exchange){
                          .body = "{}", .body_length = 2, .id = c->id});
    CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), 422);
    free(log_with(&bench, c->logged));
    (void)close(fd);
    bench_end(&bench);
}

TEST_SINGLE(rotation, "SIGUSR1 opens the log again")
{
    char old[FILES_PATH_MAX];
    struct bench bench;
    int fd;

    bench_start(&bench, false);
    fd = fcgi_peer_connect(bench.socket);
    send_body(fd, "{}");
    CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), 422);
    free(log_with(&bench, "code=422"));
    files_path(old, "%s.1", bench.log);
    CU_ASSERT_EQUAL(rename(bench.log, old), 0);
    (void)kill(bench.pid, SIGUSR1);
    settle(&bench);
    send_body(fd, "[");
    CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), 400);
    free(log_with(&bench, "code=400"));
    (void)close(fd);
    bench_end(&bench);
}

/* The old file stays in use. */
TEST_SINGLE(rotation_refused, "a log that cannot be opened again is told")
{
    struct bench bench, renamed;
    int fd;

    bench_start(&bench, false);
    fd = fcgi_peer_connect(bench.socket);
    send_body(fd, "{}"); /* it has its signal handlers once it answers */
    CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), 422);
    renamed = bench;
    files_path(renamed.log, "%s.1", bench.log);
    CU_ASSERT_EQUAL(rename(bench.log, renamed.log), 0);
    CU_ASSERT_EQUAL(mkdir(bench.log, 0700), 0);
    (void)kill(bench.pid, SIGUSR1);
    free(log_with(&renamed, "] E cannot open the log file again: "));
    (void)close(fd);
    bench_end(&bench);
}

static size_t
count_of_text(const char *text, const char *part)
{
    size_t count = 0;

    while ((text = strstr(text, part)) != NULL) {
        count++;
        text += strlen(part);
    }
    return count;
}

/* Limits a process to the descriptors that it has now. */
static void
limit_descriptors(pid_t pid)
{
    struct rlimit limit = {0, 0};
    char path[FILES_PATH_MAX];

    do {
        limit.rlim_max = limit.rlim_cur++;
        files_path(path, "/proc/%d/fd/%d", (int)pid, (int)limit.rlim_max);
    } while (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
    limit.rlim_cur = limit.rlim_max;
    CU_ASSERT_EQUAL(prlimit(pid, RLIMIT_NOFILE, &limit, NULL), 0);
}

#define ACCEPT_PAUSE_MS 100

TEST_SINGLE(full, "without a descriptor it waits, tells it once, and goes on")
{
    static const char words[] = "cannot accept connections: Too many open";
    struct bench bench;
    int first, last;
    char *text;

    bench_start(&bench, false);
    first = fcgi_peer_connect(bench.socket);
    send_body(first, "{}");
    CU_ASSERT_EQUAL(fcgi_peer_status(first, CLOCK_PATIENCE_MS), 422);
    send_part(first); /* it is not idle */
    settle(&bench);
    limit_descriptors(bench.pid);
    shared_clock_stop();
    last = fcgi_peer_connect(bench.socket);
    send_body(last, "{}");
    settle(&bench);
    for (uint64_t tries = 1; tries <= 3; tries++) {
        CU_ASSERT_EQUAL(metrics_get(bench.metrics, METRIC_ERROR_ACCEPT), tries);
        pass_ms(&bench, ACCEPT_PAUSE_MS - 1);
        CU_ASSERT_EQUAL(metrics_get(bench.metrics, METRIC_ERROR_ACCEPT), tries);
        pass_ms(&bench, 1);
    }
    CU_ASSERT_EQUAL(fcgi_peer_status(last, 0), -1);
    shared_clock_go();
    text = log_with(&bench, words);
    CU_ASSERT_EQUAL(count_of_text(text, words), 1);
    free(text);
    (void)close(first);
    CU_ASSERT_EQUAL(fcgi_peer_status(last, CLOCK_PATIENCE_MS), 422);
    (void)close(last);
    bench_end(&bench);
}

TEST_SINGLE(room, "without a descriptor an idle connection makes room")
{
    struct bench bench;
    int fds[3];
    char *text;

    bench_start(&bench, false);
    fds[0] = fcgi_peer_connect(bench.socket);
    send_body(fds[0], "{}");
    CU_ASSERT_EQUAL(fcgi_peer_status(fds[0], CLOCK_PATIENCE_MS), 422);
    settle(&bench);
    limit_descriptors(bench.pid);
    for (int i = 1; i < 3; i++) {
        fds[i] = fcgi_peer_connect(bench.socket);
        send_body(fds[i], "{}");
        CU_ASSERT_EQUAL(fcgi_peer_status(fds[i], CLOCK_PATIENCE_MS), 422);
        CU_ASSERT(fcgi_peer_is_closed(fds[i - 1], CLOCK_PATIENCE_MS));
        (void)close(fds[i - 1]);
    }
    (void)close(fds[2]);
    CU_ASSERT_EQUAL(metrics_get(bench.metrics, METRIC_ERROR_ACCEPT), 2);
    text = log_with(&bench, " code=422 ");
    CU_ASSERT_PTR_NULL(strstr(text, "cannot accept"));
    free(text);
    bench_end(&bench);
}

struct room_case {
    const char *name;
    int error; /* of the first try for the second connection */
    bool makes_room;
};

static const struct room_case room_rows[] = {
    {"no descriptor", EMFILE, true},
    {"no descriptor in the system", ENFILE, true},
    {"no memory", ENOMEM, false},
    {"gone before it was taken", ECONNABORTED, false},
};

/* An idle connection is closed only if its descriptor helps. */
TEST_CASES(room_for, struct room_case, room_rows)
{
    struct bench bench;
    int idle, next;

    calls_fail_later(CALL_ACCEPT, 1, c->error); /* in the worker, too */
    bench_start(&bench, false);
    (void)calls_has_failed(CALL_ACCEPT);
    idle = fcgi_peer_connect(bench.socket);
    send_body(idle, "{}");
    CU_ASSERT_EQUAL(fcgi_peer_status(idle, CLOCK_PATIENCE_MS), 422);
    settle(&bench);
    next = fcgi_peer_connect(bench.socket);
    send_body(next, "{}");
    CU_ASSERT_EQUAL(fcgi_peer_status(next, CLOCK_PATIENCE_MS), 422);
    CU_ASSERT_EQUAL(
        fcgi_peer_is_closed(idle, c->makes_room ? CLOCK_PATIENCE_MS : 0),
        c->makes_room);
    (void)close(idle);
    (void)close(next);
    bench_end(&bench);
}

struct accept_case {
    const char *name;
    int error; /* of the first try */
    bool is_told;
};

static const struct accept_case accept_rows[] = {
    {"taken by another worker", EAGAIN, false},
    {"interrupted", EINTR, false},
    {"gone before it was taken", ECONNABORTED, false},
    {"no memory", ENOMEM, true},
    {"no descriptor in the system", ENFILE, true},
};

/* After each of these errors the next try accepts the connection. */
TEST_CASES(accept, struct accept_case, accept_rows)
{
    struct bench bench;
    char *text;
    int fd;

    calls_fail(CALL_ACCEPT, c->error); /* in the worker, too */
    bench_start(&bench, false);
    (void)calls_has_failed(CALL_ACCEPT);
    fd = fcgi_peer_connect(bench.socket);
    send_body(fd, "{}");
    CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), 422);
    text = log_with(&bench, " code=422 ");
    CU_ASSERT_EQUAL(strstr(text, "cannot accept") != NULL, c->is_told);
    CU_ASSERT_EQUAL(metrics_get(bench.metrics, METRIC_ERROR_ACCEPT),
                    c->is_told ? 1 : 0);
    free(text);
    (void)close(fd);
    bench_end(&bench);
}

static bool
has_lost_three(void *arg)
{
    const struct bench *bench = arg;

    return metrics_get(bench->metrics, METRIC_LOG_LINES_LOST) == 3;
}

TEST_SINGLE(log_full, "lines that are lost are counted, each once")
{
    const struct rlimit none = {0, 0};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN); /* as in main.c */
    struct bench bench;
    int fd;

    bench_start(&bench, true);
    greet(&bench);
    CU_ASSERT_EQUAL(prlimit(bench.pid, RLIMIT_FSIZE, &none, NULL), 0);
    fd = fcgi_peer_connect(bench.socket);
    for (int i = 0; i < 3; i++) {
        send_body(fd, "{}");
        CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), 422);
        pass_ms(&bench, WATCHED_MS); /* the line is written */
    }
    CU_ASSERT_TRUE(clock_wait(has_lost_three, &bench, CLOCK_PATIENCE_MS));
    pass_ms(&bench, WATCHED_MS);
    CU_ASSERT_TRUE(has_lost_three(&bench));
    (void)close(fd);
    bench_end(&bench);
    (void)signal(SIGXFSZ, handler);
}

TEST_SINGLE(store, "a request waits for the store, and others do not")
{
    struct bench bench;
    struct fcgi_peer_answer answer = {0};
    int fd, other;

    bench_start(&bench, true);
    greet(&bench);
    fd = fcgi_peer_connect(bench.socket);
    other = fcgi_peer_connect(bench.socket);
    send_request(fd, request_interests("{\"client_ids\": [1]}"));
    expect_command(&bench, GET_ONE, NULL);
    send_body(other, "{}");
    CU_ASSERT_EQUAL(fcgi_peer_status(other, CLOCK_PATIENCE_MS), 422);
    CU_ASSERT_FALSE(fcgi_peer_is_closed(fd, 0));
    settle(&bench);
    CU_ASSERT_EQUAL(metrics_get_parked(bench.metrics), 1);
    send_text(bench.link, "$9\r\n[\"books\"]\r\n");
    CU_ASSERT_EQUAL(fcgi_peer_read(fd, CLOCK_PATIENCE_MS, &answer),
                    FCGI_PEER_ANSWERED);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer.text.data, "{\"1\": [\"books\"]}"));
    settle(&bench);
    CU_ASSERT_EQUAL(metrics_get_parked(bench.metrics), 0);
    fcgi_peer_answer_free(&answer);
    (void)close(fd);
    (void)close(other);
    bench_end(&bench);
}

/* A score is computed, and written back with the TTL of the settings. */
TEST_SINGLE(cache, "a score that is not there is written back")
{
    static const char get[] = "*2\r\n$3\r\nGET\r\n$68\r\nuid:";
    static const char set[] = "*5\r\n$3\r\nSET\r\n$68\r\nuid:";
    static const char *const settings[] = {"SCORING_CACHE_TTL_S=1799", NULL};
    struct bench bench;
    char got[PIECE_MAX] = "";
    int fd;

    bench_launch(&bench, true, WORKER_ALONE, settings);
    greet(&bench);
    fd = fcgi_peer_connect(bench.socket);
    send_request(fd, request_score(REQUEST_PERSON));
    settle(&bench);
    CU_ASSERT(recv(bench.link, got, sizeof(got) - 1, 0) > 0);
    CU_ASSERT_EQUAL(strncmp(got, get, sizeof(get) - 1), 0);
    send_text(bench.link, "$-1\r\n");
    CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), 200);
    memset(got, 0, sizeof(got));
    CU_ASSERT(recv(bench.link, got, sizeof(got) - 1, 0) > 0);
    CU_ASSERT_EQUAL(strncmp(got, set, sizeof(set) - 1), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(got, "\r\n$2\r\nEX\r\n$4\r\n1799\r\n"));
    CU_ASSERT_EQUAL(metrics_get(bench.metrics, METRIC_CACHE_WRITE_OK), 0);
    send_text(bench.link, "+OK\r\n");
    check_count(&bench, METRIC_CACHE_WRITE_OK, 1);
    CU_ASSERT_EQUAL(metrics_get(bench.metrics, METRIC_CACHE_WRITE_LOST), 0);
    (void)close(fd);
    bench_end(&bench);
}

TEST_SINGLE(retry, "a read that is repeated on a new connection is counted")
{
    struct bench bench;
    int fd;

    bench_start(&bench, true);
    greet(&bench);
    fd = fcgi_peer_connect(bench.socket);
    send_request(fd, request_interests("{\"client_ids\": [1]}"));
    expect_command(&bench, GET_ONE, NULL);
    (void)close(bench.link);
    greet(&bench);
    expect_command(&bench, GET_ONE, "$9\r\n[\"books\"]\r\n");
    CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), 200);
    check_count(&bench, METRIC_STORE_RETRIES, 1);
    check_count(&bench, METRIC_CONNECTED, 2);
    check_count(&bench, METRIC_READ_OK, 1);
    (void)close(fd);
    bench_end(&bench);
}

/* A sentinel and the master that it names, on one port, in a process of their
 * own. A write is not answered; then the sentinel names another master, the
 * same server by another name. */
struct group {
    int port;
    bool has_write;
};

static bool
has_word(const char *piece, size_t length, const char *word)
{
    return memmem(piece, length, word, strlen(word)) != NULL;
}

static void
name_master(struct script_connection *connection)
{
    const struct group *group = connection->peer->data;
    const char *host = group->has_write ? "localhost" : "127.0.0.1";
    char text[200], port[16];
    const int digits = snprintf(port, sizeof(port), "%d", group->port);

    (void)snprintf(text, sizeof(text),
                   "*2\r\n$12\r\nconfig-epoch\r\n$1\r\n%d\r\n"
                   "*2\r\n$9\r\n%s\r\n$%d\r\n%s\r\n"
                   "*0\r\n$2\r\nme\r\n",
                   1 + group->has_write, host, digits, port);
    script_send(connection, text, strlen(text));
}

static void
serve_group(struct script_connection *connection, const char *piece,
            size_t length)
{
    static const char sentinel[] = "*2\r\n+mode\r\n+sentinel\r\n+PONG\r\n";
    static const char master[] = STEPS_MASTER ":0\r\n", nil[] = "$-1\r\n";
    const bool is_sentinel = connection == &connection->peer->connections[0];
    struct group *group = connection->peer->data;

    if (connection->pieces++ == 0 && is_sentinel)
        script_send(connection, sentinel, sizeof(sentinel) - 1);
    else if (is_sentinel)
        name_master(connection);
    else if (has_word(piece, length, "HELLO"))
        script_send(connection, master, sizeof(master) - 1);
    else if (has_word(piece, length, "\r\nGET\r\n"))
        script_send(connection, nil, sizeof(nil) - 1);
    else
        group->has_write =
            group->has_write || has_word(piece, length, "\r\nSET\r\n");
}

/* S21.4 and S21.5. */
TEST_SINGLE(dropped, "a write to a former master is counted, and not logged")
{
    static const struct script_ops ops = {.got = serve_group};
    struct bench bench = {.settings = patient};
    struct group group = {0};
    const int listener = ports_listen(&group.port);
    char *text, url[64];
    pid_t peer;
    int fd;

    CU_ASSERT_FATAL(listener >= 0);
    (void)fflush(stdout);
    peer =
        script_fork(listener, &ops, &group, 2 * CLOCK_PATIENCE_MS / MS_PER_S);
    (void)close(listener);
    (void)snprintf(url, sizeof(url), "redis+sentinel://127.0.0.1:%d/m",
                   group.port);
    bench.url = url;
    bench_run(&bench, false, WORKER_ALONE);
    free(log_with(&bench, "I the store's master is 127.0.0.1:"));
    fd = fcgi_peer_connect(bench.socket);
    send_request(fd, request_score(REQUEST_PERSON));
    CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), 200);
    text = log_with(&bench, "I the store's master is now localhost:");
    check_count(&bench, METRIC_CACHE_WRITE_LOST, 1);
    CU_ASSERT_EQUAL(metrics_get_switches(bench.metrics), 1);
    CU_ASSERT_EQUAL(metrics_get_sentinels(bench.metrics), 1);
    CU_ASSERT_PTR_NULL(strstr(text, "] E "));
    free(text);
    (void)close(fd);
    bench_end(&bench);
    (void)kill(peer, SIGKILL);
    (void)waitpid(peer, NULL, 0);
}

#define DEADLINE_MS 1000 /* of a read, by default: S20 */

struct away_case {
    const char *name;
    bool is_silent; /* it accepts the command; else there is no store */
    enum metric failure;
    const char *log;
};

static const struct away_case away_rows[] = {
    {"none", false, METRIC_READ_DOWN, "No such file or directory"},
    {"silent", true, METRIC_READ_TIMEOUT, NULL},
};

TEST_CASES(away, struct away_case, away_rows)
{
    struct bench bench;
    int fd;

    bench_launch(&bench, c->is_silent, WORKER_ALONE, NULL);
    if (c->is_silent)
        greet(&bench);
    fd = fcgi_peer_connect(bench.socket);
    send_request(fd, request_interests("{\"client_ids\": [1]}"));
    settle(&bench);
    if (c->is_silent)
        pass_ms(&bench, DEADLINE_MS);
    CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), 503);
    check_count(&bench, c->failure, 1);
    if (c->log != NULL) {
        check_count(&bench, METRIC_BREAKER_OPENED, 1);
        free(log_with(&bench, c->log));
    }
    (void)close(fd);
    bench_end(&bench);
}

/*
 * How connecting ends, and as what it counts: docs/protocol.md, S23.3. Too late
 * is below, and what is not trusted needs TLS (tests/integration/test_tls.c).
 */
struct connect_case {
    const char *name;
    const char *place;  /* the URL without its port; NULL: a unix socket */
    const char *answer; /* to the handshake; "": it is closed; NULL: nobody
                           listens */
    enum metric metric;
    int64_t after_ms; /* at the latest */
};

#define STEP_MS 50
#define NOAUTH  "-NOAUTH no\r\n"
#define REPLICA                                                                \
    "*4\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n"                                \
    "$4\r\nrole\r\n$7\r\nreplica\r\n"

static const struct connect_case connect_rows[] = {
    {"a master", NULL, STEPS_MASTER ":0\r\n", METRIC_CONNECTED, 0},
    {"nobody listens", "redis://127.0.0.1:", NULL, METRIC_CONNECT_REFUSED, 0},
    {"no socket", NULL, NULL, METRIC_CONNECT_UNREACHABLE, 0},
    {"no address", "redis://redis.test:", NULL, METRIC_CONNECT_NAME,
     RESOLVER_LIMIT_MS + STEP_MS},
    {"a password is missing", NULL, NOAUTH NOAUTH, METRIC_CONNECT_HANDSHAKE, 0},
    {"a replica", NULL, REPLICA ":0\r\n", METRIC_CONNECT_ROLE, 0},
    {"closed at once", NULL, "", METRIC_CONNECT_BROKEN, 0},
    {"not Redis", NULL, "HTTP/1.1\r\n", METRIC_CONNECT_BROKEN, 0},
};

/* The store, which takes what comes first for the handshake. */
static void
answer_handshake(struct bench *bench, const char *answer)
{
    struct pollfd ready = {.events = POLLIN};
    char got[PIECE_MAX];

    accept_link(bench);
    ready.fd = bench->link;
    CU_ASSERT_EQUAL(poll(&ready, 1, CLOCK_PATIENCE_MS), 1);
    CU_ASSERT(recv(bench->link, got, sizeof(got), 0) > 0);
    if (answer[0] != '\0')
        send_text(bench->link, answer);
    else
        (void)shutdown(bench->link, SHUT_RDWR);
}

/* Starts the worker, and answers its first handshake. */
static void
connect_once(struct bench *bench, const struct connect_case *c)
{
    int port = ports_free(), listener = -1;
    char url[64];

    if (c->place != NULL && c->answer != NULL)
        listener = ports_listen(&port);
    (void)snprintf(url, sizeof(url), "%s%d", c->place != NULL ? c->place : "",
                   port);
    bench->url = c->place != NULL ? url : NULL;
    bench_run(bench, c->place == NULL && c->answer != NULL, WORKER_ALONE);
    if (listener >= 0)
        bench->redis = listener;
    if (c->answer != NULL)
        answer_handshake(bench, c->answer);
    for (int64_t ms = 0; ms < c->after_ms; ms += STEP_MS)
        if (count_of(bench, c->metric) == 0)
            pass_ms(bench, STEP_MS);
}

/* The clock stands still: it tries once. The name server is silent. */
TEST_CASES(connect, struct connect_case, connect_rows)
{
    static const struct names_plan silent = {.delay_ms = -1,
                                             .delay_ipv6_ms = -1};
    static struct names_server server;
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    struct bench bench = {.starts_stopped = true};

    names_start(&server, loop, &silent);
    connect_once(&bench, c);
    check_count(&bench, c->metric, 1);
    for (int i = METRIC_CONNECTED; i <= METRIC_CONNECT_BROKEN; i++)
        CU_ASSERT_EQUAL(metrics_get(bench.metrics, (enum metric)i),
                        (enum metric)i == c->metric);
    bench_end(&bench);
    names_end(&server);
    ev_loop_destroy(loop);
}

/* The lines of a server that goes down, after others: S22.2. */
struct down_case {
    const char *name;
    const char *host;
    int before;
    bool has_address;
};

static const struct down_case down_rows[] = {
    {"the first server", "127.0.0.1", 0, true},
    {"one with an address of IPv6", "[::1]", 0, true},
    {"the last one with a line of its own", "127.0.0.1", 509, true},
    {"one that shares its line", "127.0.0.1", 510, false},
};

TEST_CASES(down, struct down_case, down_rows)
{
    static const char *const settings[] = {"SCORING_STORE_ATTEMPTS=1", NULL};
    const int port = ports_free();
    char url[64], want[128], address[32] = "";
    struct bench bench = {
        .settings = settings, .url = url, .down_before = c->before};

    (void)snprintf(url, sizeof(url), "redis+cluster://%s:%d", c->host, port);
    if (c->has_address)
        (void)snprintf(address, sizeof(address), ": %s:%d", c->host, port);
    /* A machine without IPv6 has another reason. */
    (void)snprintf(want, sizeof(want),
                   "] E a server of the store is down%s: connection ", address);
    bench_run(&bench, false, WORKER_ALONE);
    free(log_with(&bench, want));
    bench_end(&bench);
}

#define NODE                                                                   \
    "*4\r\n$4\r\nmode\r\n$7\r\ncluster\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"

/* A node of a Cluster: accepts a connection, which it returns. */
static int
greet_node(struct bench *bench)
{
    accept_link(bench);
    expect_command(bench, STEPS_HELLO "*1\r\n$4\r\nPING\r\n", NODE "+PONG\r\n");
    return bench->link;
}

/* Receives a command that begins so. */
static void
expect_begin(int fd, const char *begin)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    char got[PIECE_MAX] = "";

    CU_ASSERT_EQUAL(poll(&ready, 1, CLOCK_PATIENCE_MS), 1);
    CU_ASSERT(recv(fd, got, sizeof(got) - 1, 0) > 0);
    CU_ASSERT_EQUAL(strncmp(got, begin, strlen(begin)), 0);
}

/* The map that gives all slots to this port. */
static void
send_map(int fd, int port)
{
    char map[96];

    (void)snprintf(map, sizeof(map),
                   "*1\r\n*3\r\n:0\r\n:16383\r\n"
                   "*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n",
                   port);
    send_text(fd, map);
}

/*
 * The host of the URL is asked for all keys until there is a map, which then
 * names another server. The redirection and the lost write are counted, and the
 * write is not told: S21.4, S23.2.
 */
TEST_SINGLE(replaced, "a write to a server that is replaced is lost")
{
    char url[64];
    struct bench bench = {.starts_stopped = true, .url = url};
    int port, listener = ports_listen(&port), maps, node, fd;

    (void)snprintf(url, sizeof(url), "redis+cluster://127.0.0.1:%d", port);
    bench_run(&bench, false, WORKER_ALONE);
    bench.redis = listener;
    maps = greet_node(&bench);
    node = greet_node(&bench);
    fd = fcgi_peer_connect(bench.socket);
    send_request(fd, request_score(REQUEST_PERSON));
    expect_begin(node, "*2\r\n$3\r\nGET\r\n");
    send_text(node, "-MOVED 1 127.0.0.1:1\r\n");
    CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), 200);
    check_count(&bench, METRIC_REDIRECTIONS, 1);
    expect_begin(node, "*5\r\n$3\r\nSET\r\n");
    CU_ASSERT_EQUAL(metrics_get(bench.metrics, METRIC_CACHE_WRITE_LOST), 0);
    send_map(maps, ports_free());
    check_count(&bench, METRIC_CACHE_WRITE_LOST, 1);
    pass_ms(&bench, WATCHED_MS);
    check_untold(&bench, " code=200 ", "cache writes");
    (void)close(maps);
    (void)close(fd);
    bench_end(&bench);
}

/*
 * Settings that the worker passes on, each with a value that is not its
 * default: docs/protocol.md, S20.
 */
struct handed_case {
    const char *name;
    const char *settings[4];
    bool is_cut;     /* the store closes the connection; else it is silent */
    int limit_ms;    /* when the request fails; 0: at once */
    const char *log; /* NULL: not checked */
};

static const struct handed_case handed_rows[] = {
    {"the limit of a command",
     {"SCORING_STORE_TIMEOUT_MS=902", "SCORING_STORE_DEADLINE_MS=5000",
      "SCORING_STORE_ATTEMPTS=1"},
     false,
     902,
     "within 902 ms"},
    {"the limit of a request",
     {"SCORING_STORE_TIMEOUT_MS=4000", "SCORING_STORE_DEADLINE_MS=1203"},
     false,
     1203,
     NULL},
    {"the number of tries",
     {"SCORING_STORE_TIMEOUT_MS=4000", "SCORING_STORE_DEADLINE_MS=5000",
      "SCORING_STORE_ATTEMPTS=1"},
     true,
     0,
     NULL},
};

TEST_CASES(handed, struct handed_case, handed_rows)
{
    struct bench bench;
    int fd;

    bench_launch(&bench, true, WORKER_ALONE, c->settings);
    greet(&bench);
    fd = fcgi_peer_connect(bench.socket);
    shared_clock_stop();
    send_request(fd, request_interests("{\"client_ids\": [1]}"));
    if (c->is_cut) {
        expect_command(&bench, GET_ONE, NULL);
        (void)shutdown(bench.link, SHUT_RDWR);
    }
    if (c->limit_ms > 0) {
        settle(&bench);
        pass_ms(&bench, c->limit_ms - 1);
        CU_ASSERT_EQUAL(fcgi_peer_status(fd, 0), -1);
        pass_ms(&bench, 1);
    }
    shared_clock_go();
    CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), 503);
    if (c->is_cut)
        check_count(&bench, METRIC_STORE_RETRIES, 0);
    if (c->log != NULL)
        free(log_with(&bench, c->log));
    (void)close(fd);
    bench_end(&bench);
}

/* With a full backlog connections wait. */
TEST_SINGLE(handed_connect, "the limit of connecting")
{
    static const char *const settings[] = {
        "SCORING_STORE_CONNECT_TIMEOUT_MS=903", NULL};
    char url[64];
    struct bench bench = {
        .settings = settings, .starts_stopped = true, .url = url};
    int port, waiting;
    int listener = ports_listen(&port);

    CU_ASSERT_FATAL(listener >= 0 && listen(listener, 0) == 0);
    waiting = ports_connect(port, CLOCK_PATIENCE_MS);
    (void)snprintf(url, sizeof(url), "redis://127.0.0.1:%d", port);
    bench_run(&bench, false, WORKER_ALONE);
    settle(&bench);
    pass_ms(&bench, 902);
    CU_ASSERT_EQUAL(metrics_get(bench.metrics, METRIC_CONNECT_TIMEOUT), 0);
    pass_ms(&bench, 1);
    CU_ASSERT_EQUAL(metrics_get(bench.metrics, METRIC_CONNECT_TIMEOUT), 1);
    shared_clock_go();
    free(log_with(&bench, "no connection within 903 ms"));
    bench_end(&bench);
    (void)close(waiting);
    (void)close(listener);
}

/* Only as many failures as there are attempts would open it earlier. */
TEST_SINGLE(handed_deadline, "how long a store that refuses is not down")
{
    static const char *const settings[] = {"SCORING_STORE_DEADLINE_MS=1203",
                                           "SCORING_STORE_ATTEMPTS=100", NULL};
    struct bench bench = {.settings = settings, .starts_stopped = true};

    bench_run(&bench, false, WORKER_ALONE);
    settle(&bench);
    for (int64_t ms = 0; ms < 1200; ms += 50)
        pass_ms(&bench, 50);
    pass_ms(&bench, 2);
    CU_ASSERT_EQUAL(metrics_get(bench.metrics, METRIC_BREAKER_OPENED), 0);
    pass_ms(&bench, 1);
    CU_ASSERT_EQUAL(metrics_get(bench.metrics, METRIC_BREAKER_OPENED), 1);
    bench_end(&bench);
}

/* The line of an outage: the address, the reason, and when it is tried again.
 */
struct begin_case {
    const char *name;
    const char *settings[2];
    int passes_ms[3]; /* until it is logged */
    int next_ms;
};

static const struct begin_case begin_rows[] = {
    {"after one attempt", LIST("SCORING_STORE_ATTEMPTS=1"), LIST(0), 10},
    {"after three", LIST("SCORING_STORE_ATTEMPTS=3"), LIST(10, 100), 250},
};

TEST_CASES(begin, struct begin_case, begin_rows)
{
    struct bench bench = {.settings = c->settings, .starts_stopped = true};
    char want[2 * FILES_PATH_MAX];

    bench_run(&bench, false, WORKER_ALONE);
    settle(&bench);
    for (size_t i = 0; i < 3 && c->passes_ms[i] > 0; i++)
        pass_ms(&bench, c->passes_ms[i]);
    check_count(&bench, METRIC_BREAKER_OPENED, 1);
    shared_clock_go();
    (void)snprintf(want, sizeof(want),
                   "] E the store is down: %s: connection failed: No such file "
                   "or directory; next try in %d ms\n",
                   bench.store, c->next_ms);
    free(log_with(&bench, want));
    bench_end(&bench);
}

struct handed_limit_case {
    const char *name, *setting;
    const char *list; /* of ids, or of records */
    size_t length;    /* of a body of "{}" and spaces; 0: there is a list */
    int status;
};

static const struct handed_limit_case handed_limit_rows[] = {
    {"a body of the largest size", "SCORING_MAX_BODY_BYTES=100", NULL, 100,
     422},
    {"a body and a byte", "SCORING_MAX_BODY_BYTES=100", NULL, 101, 413},
    {"a body of more than the default", "SCORING_MAX_BODY_BYTES=1048577", NULL,
     BODY_MAX + 1, 422},
    {"as many ids as may be", "SCORING_MAX_CLIENT_IDS=2", "[1, 2]", 0, 503},
    {"one id more", "SCORING_MAX_CLIENT_IDS=2", "[1, 2, 3]", 0, 422},
    {"as many records as may be", "SCORING_MAX_CLIENTS=2", "[{}, {}]", 0, 200},
    {"one record more", "SCORING_MAX_CLIENTS=2", "[{}, {}, {}]", 0, 422},
};

/* There is no store, so reads of it are 503. */
TEST_CASES(handed_limit, struct handed_limit_case, handed_limit_rows)
{
    const bool are_records = c->list != NULL && strchr(c->list, '{') != NULL;
    const char *const settings[] = {c->setting, NULL};
    struct buffer text = {0};
    struct bench bench;
    int fd;

    if (c->list == NULL)
        buffer_printf(&text, "%-*s", (int)c->length, "{}");
    else
        buffer_printf(&text, "{\"%s\": %s}",
                      are_records ? "clients" : "client_ids", c->list);
    bench_launch(&bench, false, WORKER_ALONE, settings);
    fd = fcgi_peer_connect(bench.socket);
    if (c->list == NULL)
        send_body(fd, buffer_text(&text));
    else if (are_records)
        send_request(fd, request_text(&(struct request_parts){
                             .account = REQUEST_ACCOUNT,
                             .login = REQUEST_LOGIN,
                             .method = "online_scores",
                             .arguments = buffer_text(&text)}));
    else
        send_request(fd, request_interests(buffer_text(&text)));
    CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), c->status);
    (void)close(fd);
    bench_end(&bench);
    buffer_free(&text);
}

struct handed_answer_case {
    const char *name, *setting;
    int status;
};

static const struct handed_answer_case handed_answer_rows[] = {
    {"as large as may be", "SCORING_MAX_ANSWER_BYTES=7", 200},
    {"a byte more", "SCORING_MAX_ANSWER_BYTES=6", 422},
};

TEST_CASES(handed_answer, struct handed_answer_case, handed_answer_rows)
{
    const char *const settings[] = {"SCORING_STORE_TIMEOUT_MS=5000",
                                    "SCORING_STORE_DEADLINE_MS=5000",
                                    c->setting, NULL};
    struct bench bench;
    int fd;

    bench_launch(&bench, true, WORKER_ALONE, settings);
    greet(&bench);
    fd = fcgi_peer_connect(bench.socket);
    send_request(fd, request_interests("{\"client_ids\": [1]}"));
    expect_command(&bench, GET_ONE, "$7\r\n[\"abc\"]\r\n");
    CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), c->status);
    (void)close(fd);
    bench_end(&bench);
}

struct large_case {
    const char *name;
    size_t length; /* of the one interest */
    bool is_slow;  /* the peer reads when all has been sent */
    bool closes;   /* instead of reading */
};

static const struct large_case large_rows[] = {
    {"just small", 48 * 1024 - 40, false, false},
    {"just large", 48 * 1024, false, false},
    {"more than the socket takes", BIG_ANSWER, true, false},
    {"and the peer goes", BIG_ANSWER, true, true},
};

TEST_CASES(large, struct large_case, large_rows)
{
    struct fcgi_peer_answer answer = {0};
    struct buffer value = {0};
    struct bench bench;
    char *text = malloc(c->length + 1);
    int fd;

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    memset(text, 'x', c->length);
    text[c->length] = '\0';
    buffer_printf(&value, "$%zu\r\n[\"%s\"]\r\n", c->length + 4, text);
    bench_start(&bench, true);
    greet(&bench);
    fd = fcgi_peer_connect(bench.socket);
    send_request(fd, request_interests("{\"client_ids\": [1]}"));
    expect_command(&bench, GET_ONE, NULL);
    CU_ASSERT(fcgi_peer_send(bench.link, &value));
    if (c->is_slow)
        settle(&bench);
    if (c->closes) {
        (void)close(fd);
        fd = fcgi_peer_connect(bench.socket);
    } else {
        CU_ASSERT_EQUAL(fcgi_peer_read(fd, CLOCK_PATIENCE_MS, &answer),
                        FCGI_PEER_ANSWERED);
        CU_ASSERT_PTR_NOT_NULL(strstr(buffer_text(&answer.text), text));
        fcgi_peer_answer_free(&answer);
    }
    send_body(fd, "{}");
    CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), 422);
    check_count(&bench, METRIC_ERROR_FCGI, 0);
    (void)close(fd);
    bench_end(&bench);
    buffer_free(&value);
    free(text);
}

/* A request for interests that waits for the store; returns its connection. */
static int
park(struct bench *bench)
{
    int fd = fcgi_peer_connect(bench->socket);

    send_request(fd, request_interests("{\"client_ids\": [1]}"));
    expect_command(bench, GET_ONE, NULL);
    return fd;
}

TEST_SINGLE(parked_idle, "a waiting request whose peer is gone costs nothing")
{
    struct bench bench;
    unsigned waits;
    int gone;

    bench_start(&bench, true);
    greet(&bench);
    gone = park(&bench);
    shared_clock_stop();
    (void)close(gone);
    settle(&bench);
    waits = shared_clock_waits(bench.pid);
    pass_ms(&bench, WATCHED_MS);
    CU_ASSERT(shared_clock_waits(bench.pid) <= waits + IDLE_WAITS);
    send_text(bench.link, "$2\r\n[]\r\n");
    bench_end(&bench);
}

/* A peer that closes, or sends another request, while its request waits for the
 * store. */
TEST_SINGLE(parked, "what happens to the peer of a waiting request")
{
    struct bench bench;
    int gone, hasty;

    bench_start(&bench, true);
    greet(&bench);
    gone = park(&bench);
    (void)close(gone);
    hasty = park(&bench);
    send_body(hasty, "{}");
    settle(&bench);
    send_text(bench.link, "$2\r\n[]\r\n$2\r\n[]\r\n");
    CU_ASSERT_EQUAL(fcgi_peer_status(hasty, CLOCK_PATIENCE_MS), 200);
    CU_ASSERT_EQUAL(fcgi_peer_status(hasty, CLOCK_PATIENCE_MS), 422);
    (void)close(hasty);
    bench_end(&bench);
}

TEST_SINGLE(standby, "one that stands by takes what nobody else does")
{
    struct bench bench;
    int fd;

    bench_launch(&bench, false, WORKER_RESERVE, NULL);
    fd = fcgi_peer_connect(bench.socket);
    send_body(fd, "{}");
    CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), 422);
    CU_ASSERT_EQUAL(sched_getscheduler(bench.pid), SCHED_BATCH);
    (void)close(fd);
    bench_end(&bench);
}

/*
 * The load of a worker, by its clock of processor time. It closes connections
 * at 80 per cent, checked each quarter of a second.
 */
#define LOAD_PEERS_MAX 4
#define LOAD_MS        700 /* more than two checks */
#define LOAD_STEP_MS   20

static const struct load_case {
    const char *name;
    enum worker_duty duty;
    int percent;
    size_t peers;
    size_t gone;
} load_rows[] = {
    {"with others in reserve lets some go", WORKER_FIRST, 90, 4, 2},
    {"with others in reserve lets one of two go", WORKER_FIRST, 90, 2, 1},
    {"with others in reserve keeps the only one", WORKER_FIRST, 100, 1, 0},
    {"with time to spare keeps all", WORKER_FIRST, 60, 4, 0},
    {"alone keeps all", WORKER_ALONE, 100, 4, 0},
    {"in reserve keeps all", WORKER_RESERVE, 100, 4, 0},
};

/* Whether the connection is still open after one more request. */
static bool
is_kept(int fd)
{
    const struct fcgi_peer_exchange exchange = {.body = "{}", .body_length = 2};
    struct buffer bytes = {0};

    fcgi_peer_whole(&bytes, &exchange);
    (void)fcgi_peer_send(fd, &bytes); /* it may have been closed meanwhile */
    buffer_free(&bytes);
    return fcgi_peer_status(fd, CLOCK_PATIENCE_MS) == 422 &&
           !fcgi_peer_is_closed(fd, 0);
}

/* How many of the peers' connections the worker closes. */
static size_t
load_until(const struct bench *bench, const struct load_case *c)
{
    const size_t enough = c->gone > 0 ? c->gone : 1;
    int fd[LOAD_PEERS_MAX];
    size_t gone = 0;

    for (size_t i = 0; i < c->peers; i++)
        fd[i] = fcgi_peer_connect(bench->socket);
    for (size_t i = 0, passed_ms = 0; gone < enough && passed_ms < LOAD_MS;
         i = (i + 1) % c->peers, passed_ms += LOAD_STEP_MS) {
        pass_ms(bench, LOAD_STEP_MS);
        if (is_kept(fd[i]))
            continue;
        gone++;
        (void)close(fd[i]);
        fd[i] = fcgi_peer_connect(bench->socket);
    }
    for (size_t i = 0; i < c->peers; i++)
        (void)close(fd[i]);
    return gone;
}

TEST_CASES(load, struct load_case, load_rows)
{
    struct bench bench;

    calls_set_cpu_percent(c->percent);
    bench_launch(&bench, false, c->duty, NULL);
    calls_set_cpu_percent(0);
    CU_ASSERT_EQUAL(load_until(&bench, c), c->gone);
    bench_end(&bench);
}

struct drain_case {
    const char *name;
    size_t early; /* bytes of the request before SIGTERM; SIZE_MAX: all */
    bool is_parked;
    int status; /* of the answer; 0: closed without one */
};

static const struct drain_case drain_rows[] = {
    {"idle", 0, false, 0},
    {"half a request", 20, false, 200},
    {"waiting for the store", SIZE_MAX, true, 200},
};

/* Requests that have begun are answered, idle connections closed, and then the
 * worker exits. */
TEST_CASES(drain, struct drain_case, drain_rows)
{
    char *text = request_interests("{\"client_ids\": [1]}");
    const struct fcgi_peer_exchange exchange = {.body = text,
                                                .body_length = strlen(text)};
    struct buffer bytes = {0}, rest = {0};
    struct bench bench;
    int fd;

    fcgi_peer_whole(&bytes, &exchange);
    bench_start(&bench, true);
    greet(&bench);
    fd = fcgi_peer_connect(bench.socket);
    if (c->early < bytes.length) {
        buffer_add(&rest, bytes.data + c->early, bytes.length - c->early);
        bytes.length = c->early;
    }
    if (bytes.length > 0)
        CU_ASSERT(fcgi_peer_send(fd, &bytes));
    if (c->is_parked)
        expect_command(&bench, GET_ONE, NULL);
    settle(&bench);
    (void)kill(bench.pid, SIGTERM);
    CU_ASSERT(shared_clock_pass(bench.pid, 0) || c->status == 0);
    if (c->status != 0) {
        CU_ASSERT_FALSE(has_ended(&bench));
        if (!c->is_parked) {
            CU_ASSERT(fcgi_peer_send(fd, &rest));
            expect_command(&bench, GET_ONE, NULL);
        }
        send_text(bench.link, "$2\r\n[]\r\n");
        CU_ASSERT_EQUAL(fcgi_peer_status(fd, CLOCK_PATIENCE_MS), c->status);
    }
    CU_ASSERT(fcgi_peer_is_closed(fd, CLOCK_PATIENCE_MS));
    CU_ASSERT(clock_wait(has_ended, &bench, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(bench.status, 0);
    (void)close(fd);
    bench_end(&bench);
    buffer_free(&bytes);
    buffer_free(&rest);
    free(text);
}

struct closing_case {
    const char *name;
    enum worker_duty duty;
};

static const struct closing_case closing_rows[] = {
    {"one that is alone", WORKER_ALONE},
    {"one that stands by", WORKER_RESERVE},
};

#define PAUSE_MS 50 /* before a worker of the reserve accepts a connection */

/* The connection is left to the next worker, also during the pause. */
TEST_CASES(closing, struct closing_case, closing_rows)
{
    struct bench bench;
    int parked, late = -1;

    bench_launch(&bench, true, c->duty, patient);
    greet(&bench);
    parked = park(&bench);
    settle(&bench);
    shared_clock_stop();
    if (c->duty == WORKER_RESERVE)
        late = fcgi_peer_connect(bench.socket);
    settle(&bench); /* the pause has begun */
    (void)kill(bench.pid, SIGTERM);
    settle(&bench);
    if (late == -1)
        late = fcgi_peer_connect(bench.socket);
    send_body(late, "{}");
    pass_ms(&bench, PAUSE_MS);
    CU_ASSERT_EQUAL(fcgi_peer_status(late, 0), -1);
    shared_clock_go();
    send_text(bench.link, "$2\r\n[]\r\n");
    CU_ASSERT_EQUAL(fcgi_peer_status(parked, CLOCK_PATIENCE_MS), 200);
    CU_ASSERT(clock_wait(has_ended, &bench, CLOCK_PATIENCE_MS));
    (void)close(parked);
    (void)close(late);
    bench_end(&bench);
}

TEST_SINGLE(drain_many, "many idle connections are let go one after the other")
{
    enum { COUNT = 40 };
    struct bench bench;
    int fds[COUNT];

    bench_start(&bench, false);
    for (int i = 0; i < COUNT; i++) {
        fds[i] = fcgi_peer_connect(bench.socket);
        send_body(fds[i], "{}");
        CU_ASSERT_EQUAL(fcgi_peer_status(fds[i], CLOCK_PATIENCE_MS), 422);
    }
    (void)kill(bench.pid, SIGTERM);
    CU_ASSERT(fcgi_peer_is_closed(fds[0], CLOCK_PATIENCE_MS));
    CU_ASSERT_FALSE(fcgi_peer_is_closed(fds[COUNT - 1], 0));
    CU_ASSERT(clock_wait(has_ended, &bench, CLOCK_PATIENCE_MS));
    for (int i = 0; i < COUNT; i++)
        (void)close(fds[i]);
    bench_end(&bench);
}

#define DRAIN_LIMIT_MS 7000

/* An answer that the peer does not read may take longer. */
TEST_SINGLE(drain_limit, "what takes too long is given up, and that is told")
{
    static char value[BIG_ANSWER];
    struct buffer bytes = {0};
    struct bench bench;
    char *text;
    int fd;

    memset(value, 'x', sizeof(value) - 1);
    buffer_printf(&bytes, "$%zu\r\n[\"%s\"]\r\n", strlen(value) + 4, value);
    bench_start(&bench, true);
    greet(&bench);
    fd = fcgi_peer_connect(bench.socket);
    send_request(fd, request_interests("{\"client_ids\": [1]}"));
    expect_command(&bench, GET_ONE, NULL);
    CU_ASSERT(fcgi_peer_send(bench.link, &bytes));
    shared_clock_stop();
    settle(&bench);
    (void)kill(bench.pid, SIGTERM);
    settle(&bench);
    pass_ms(&bench, DRAIN_LIMIT_MS - 1);
    (void)kill(bench.pid, SIGTERM); /* gives it no more time */
    settle(&bench);
    CU_ASSERT_FALSE(shared_clock_pass(bench.pid, 1));
    CU_ASSERT(clock_wait(has_ended, &bench, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(bench.status, 0);
    text = files_read(bench.log);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text, "] E worker 0: stops with requests unanswered\n"));
    free(text);
    (void)close(fd);
    bench_end(&bench);
    buffer_free(&bytes);
}

TEST_SUITE(.parts = 3);
