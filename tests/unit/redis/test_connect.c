/*
 * A socket to Redis: which addresses are tried, in which order, how often and
 * how long, and which options the socket has.
 */
#include <errno.h>
#include <ev.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "redis/connect.h"
#include "support/calls.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/files.h"
#include "support/names.h"

#define LIMIT_MS  150
#define SILENT_MS 10 /* of each turn without a name server */
#define WORDS_MAX 400

struct outcome {
    struct ev_loop *loop;
    int count; /* of calls */
    int fd;
    enum redis_fault fault;
    char error[WORDS_MAX];
};

static void
on_done(void *arg, int fd, enum redis_fault fault, const char *error)
{
    struct outcome *outcome = arg;

    outcome->count++;
    outcome->fd = fd;
    outcome->fault = fault;
    CU_ASSERT_EQUAL(error == NULL, fd >= 0);
    (void)snprintf(outcome->error, sizeof(outcome->error), "%s",
                   error != NULL ? error : "");
    ev_break(outcome->loop, EVBREAK_ALL);
}

static void
on_patience(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)timer;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

/* One attempt, until its end. */
static void
try_once(struct redis_connect *attempt, struct outcome *outcome)
{
    ev_timer timer;

    outcome->count = 0;
    redis_connect_start(attempt);
    if (outcome->count == 0) {
        ev_timer_init(&timer, on_patience, CLOCK_PATIENCE_MS / 1000., 0.);
        ev_timer_start(outcome->loop, &timer);
        (void)ev_run(outcome->loop, 0);
        ev_timer_stop(outcome->loop, &timer);
    }
    CU_ASSERT_EQUAL(outcome->count, 1);
}

/*
 * The same while the clock is stopped: each turn of the loop takes so long, and
 * a busy machine delays no answer beyond a limit.
 */
static void
try_in_turns(struct redis_connect *attempt, struct outcome *outcome,
             int turn_ms)
{
    const int64_t end_ms = clock_ms() + CLOCK_PATIENCE_MS;

    outcome->count = 0;
    redis_connect_start(attempt);
    while (outcome->count == 0 && clock_ms() < end_ms) {
        calls_pass_ms(turn_ms);
        clock_sleep_ms(1);
        (void)ev_run(outcome->loop, EVRUN_NOWAIT);
    }
    CU_ASSERT_EQUAL(outcome->count, 1);
}

/* A bound port of 127.0.0.1; one connection more than the backlog may wait. */
static int
open_port(bool is_heard, int backlog, int *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CU_ASSERT_FATAL(
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    if (is_heard)
        CU_ASSERT_EQUAL_FATAL(listen(fd, backlog), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

struct address_case {
    const char *name, *host;
    bool is_heard; /* there is a listener on 127.0.0.1, but none on ::1 */
    int error;     /* of connect() to the first address; 0: the real result */
    int moves;     /* failed attempts before */
    const char *words; /* the reason; "": success; NULL: any reason */
};

#define UNREACHABLE "connection failed: Network is unreachable"

static const struct address_case address_rows[] = {
    {"one address", "127.0.0.1", true, 0, 0, ""},
    {"one address where nobody listens", "127.0.0.1", false, 0, 0,
     "connection refused"},
    {"one address that cannot be reached is tried once", "127.0.0.1", true,
     ENETUNREACH, 0, UNREACHABLE},
    {"one address is the next one, too", "127.0.0.1", true, 0, 1, ""},
    {"the first of two", "localhost", true, 0, 0, ""},
    {"two, the second where nobody listens, are tried once", "localhost", true,
     ENETUNREACH, 0, NULL},
    {"the second of two, and then the first", "localhost", true, 0, 1, ""},
    {"the second that cannot be reached, and then the first", "localhost", true,
     ENETUNREACH, 1, ""},
    {"the first again", "localhost", true, ENETUNREACH, 2, NULL},
    {"two where nobody listens", "localhost", false, 0, 0, NULL},
};

TEST_CASES(address, struct address_case, address_rows)
{
    struct redis_url config = {.host = (char *)c->host};
    struct outcome outcome = {.loop = ev_loop_new(EVFLAG_AUTO)};
    int listener = open_port(c->is_heard, 1, &config.port);
    int before = files_lowest_free();
    struct redis_connect *attempt = redis_connect_new(
        outcome.loop, &config, CLOCK_PATIENCE_MS, on_done, &outcome);

    CU_ASSERT_PTR_NOT_NULL_FATAL(attempt);
    for (int i = 0; i < c->moves; i++)
        redis_connect_move_on(attempt);
    if (c->error != 0)
        calls_fail(CALL_CONNECT, c->error);
    try_once(attempt, &outcome);
    if (c->error != 0)
        CU_ASSERT_TRUE(calls_has_failed(CALL_CONNECT));
    CU_ASSERT_EQUAL(outcome.fd >= 0, c->words != NULL && c->words[0] == '\0');
    if (c->words != NULL)
        CU_ASSERT_STRING_EQUAL(outcome.error, c->words);
    if (strcmp(outcome.error, UNREACHABLE) == 0)
        CU_ASSERT_EQUAL(outcome.fault, REDIS_FAULT_UNREACHABLE);
    if (strcmp(outcome.error, "connection refused") == 0)
        CU_ASSERT_EQUAL(outcome.fault, REDIS_FAULT_REFUSED);
    redis_connect_free(attempt);
    if (outcome.fd >= 0)
        (void)close(outcome.fd);
    CU_ASSERT_EQUAL(files_lowest_free(), before);
    (void)close(listener);
    ev_loop_destroy(outcome.loop);
}

/* A peer that has vanished is noticed after 15 + 3 x 5 s. */
static const struct option_case {
    const char *name;
    int level, option, value;
} option_rows[] = {
    {"small commands do not wait", IPPROTO_TCP, TCP_NODELAY, 1},
    {"the peer is asked for", SOL_SOCKET, SO_KEEPALIVE, 1},
    {"idle for 15 s", IPPROTO_TCP, TCP_KEEPIDLE, 15},
    {"every 5 s", IPPROTO_TCP, TCP_KEEPINTVL, 5},
    {"3 times", IPPROTO_TCP, TCP_KEEPCNT, 3},
};

TEST_CASES(option, struct option_case, option_rows)
{
    struct redis_url config = {.host = "127.0.0.1"};
    struct outcome outcome = {.loop = ev_loop_new(EVFLAG_AUTO)};
    int listener = open_port(true, 1, &config.port), value = -1;
    socklen_t length = sizeof(value);
    struct redis_connect *attempt = redis_connect_new(
        outcome.loop, &config, CLOCK_PATIENCE_MS, on_done, &outcome);

    CU_ASSERT_PTR_NOT_NULL_FATAL(attempt);
    try_once(attempt, &outcome);
    CU_ASSERT_EQUAL(
        getsockopt(outcome.fd, c->level, c->option, &value, &length), 0);
    CU_ASSERT_EQUAL(value, c->value);
    redis_connect_free(attempt);
    (void)close(outcome.fd);
    (void)close(listener);
    ev_loop_destroy(outcome.loop);
}

/* With a full backlog connections wait; the second attempt has the whole time
 * again. */
TEST_SINGLE(limit, "an attempt has its time, and the next one as much")
{
    struct redis_url config = {.host = "127.0.0.1"};
    struct outcome outcome = {.loop = ev_loop_new(EVFLAG_AUTO)};
    int listener = open_port(true, 0, &config.port), first;
    struct redis_connect *attempt =
        redis_connect_new(outcome.loop, &config, LIMIT_MS, on_done, &outcome);

    CU_ASSERT_PTR_NOT_NULL_FATAL(attempt);
    try_once(attempt, &outcome);
    first = outcome.fd;
    CU_ASSERT(first >= 0);
    for (int i = 0; i < 2; i++) {
        int64_t start_ms = clock_ms();

        try_once(attempt, &outcome);
        CU_ASSERT_STRING_EQUAL(outcome.error, "no connection within 150 ms");
        CU_ASSERT_EQUAL(outcome.fault, REDIS_FAULT_TIMEOUT);
        CU_ASSERT(clock_ms() - start_ms >= LIMIT_MS - 5);
    }
    redis_connect_free(attempt);
    (void)close(first);
    (void)close(listener);
    ev_loop_destroy(outcome.loop);
}

TEST_SINGLE(cancelled, "an attempt that is cancelled says nothing")
{
    struct redis_url config = {.host = "127.0.0.1"};
    struct outcome outcome = {.loop = ev_loop_new(EVFLAG_AUTO)};
    int listener = open_port(true, 1, &config.port);
    struct redis_connect *attempt =
        redis_connect_new(outcome.loop, &config, LIMIT_MS, on_done, &outcome);

    CU_ASSERT_PTR_NOT_NULL_FATAL(attempt);
    redis_connect_start(attempt);
    redis_connect_cancel(attempt);
    (void)ev_run(outcome.loop, 0); /* nothing is left to wait for */
    CU_ASSERT_EQUAL(outcome.count, 0);
    redis_connect_free(attempt);
    (void)close(listener);
    ev_loop_destroy(outcome.loop);
}

TEST_SINGLE(exhausted, "without a descriptor left an attempt fails and says so")
{
    struct redis_url config = {.host = "127.0.0.1"};
    struct outcome outcome = {.loop = ev_loop_new(EVFLAG_AUTO)};
    int listener = open_port(true, 1, &config.port);
    struct redis_connect *attempt =
        redis_connect_new(outcome.loop, &config, LIMIT_MS, on_done, &outcome);

    CU_ASSERT_PTR_NOT_NULL_FATAL(attempt);
    calls_fail(CALL_SOCKET, EMFILE);
    try_once(attempt, &outcome);
    CU_ASSERT_TRUE(calls_has_failed(CALL_SOCKET));
    CU_ASSERT_STRING_EQUAL(outcome.error,
                           "connection failed: Too many open files");
    try_once(attempt, &outcome); /* as if there had been no other */
    CU_ASSERT(outcome.fd >= 0);
    redis_connect_free(attempt);
    (void)close(outcome.fd);
    (void)close(listener);
    ev_loop_destroy(outcome.loop);
}

/* At the first of two addresses nobody listens. */
struct last_good_case {
    const char *name;
    struct names_plan good;
};

static const struct last_good_case last_good_rows[] = {
    {"the only address", LIST(.delay_ms = 0)},
    {"the second of two", LIST(.has_two = true)},
};

/* A name server that answers, and later does not: it is asked each time, and
 * then the last address that worked is tried. */
TEST_CASES(last_good, struct last_good_case, last_good_rows)
{
    static const struct names_plan silent = {.delay_ms = -1,
                                             .delay_ipv6_ms = -1};
    static struct names_server server;
    struct redis_url config = {.host = "redis.test"};
    struct outcome outcome = {.loop = ev_loop_new(EVFLAG_AUTO)};
    const int listener = open_port(true, 2, &config.port);
    struct redis_connect *attempt = redis_connect_new(
        outcome.loop, &config, CLOCK_PATIENCE_MS, on_done, &outcome);

    CU_ASSERT_PTR_NOT_NULL_FATAL(attempt);
    calls_stop_clock();
    names_start(&server, outcome.loop, &silent);
    try_in_turns(attempt, &outcome, SILENT_MS);
    CU_ASSERT_EQUAL(outcome.fault, REDIS_FAULT_NAME);
    names_end(&server);

    names_start(&server, outcome.loop, &c->good);
    try_in_turns(attempt, &outcome, 1);
    CU_ASSERT_FATAL(outcome.fd >= 0);
    (void)close(outcome.fd);
    names_end(&server);

    names_start(&server, outcome.loop, &silent);
    try_in_turns(attempt, &outcome, SILENT_MS);
    CU_ASSERT_FATAL(outcome.fd >= 0);
    CU_ASSERT(server.count > 0);
    (void)close(outcome.fd);
    config.host = "other.test"; /* another name, another address */
    try_in_turns(attempt, &outcome, SILENT_MS);
    CU_ASSERT_EQUAL(outcome.fault, REDIS_FAULT_NAME);
    names_end(&server);
    redis_connect_free(attempt);
    (void)close(listener);
    ev_loop_destroy(outcome.loop);
    calls_let_clock_go();
}
