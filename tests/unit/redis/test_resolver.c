/*
 * Addresses of host names: those that are known without a lookup, and those
 * from a scripted name server, late, in part, or never.
 */
#include <arpa/inet.h>
#include <ev.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "redis/resolver.h"
#include "support/calls.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/names.h"

#define PORT          6379
#define PASSED_MS     1 /* of each step of a stopped clock */
#define LATE_MS       4 /* a timer is a step late, and may set another one */
#define SETTLED_TURNS 8 /* of the loop: what is ready has been handled */

struct known_case {
    const char *name, *host;
    size_t count; /* 0: it must be looked up */
    const char *first, *second;
};

static const struct known_case known_rows[] = {
    {"IPv4", "192.0.2.7", 1, "192.0.2.7", NULL},
    {"IPv6", "2001:db8::7", 1, "2001:db8::7", NULL},
    {"localhost, IPv4 first", "localhost", 2, "127.0.0.1", "::1"},
    {"LOCALHOST", "LOCALHOST", 2, "127.0.0.1", "::1"},
    {"a name", "redis", 0, NULL, NULL},
    {"localhost and more", "localhost.example", 0, NULL, NULL},
    {"part of localhost", "localhos", 0, NULL, NULL},
    {"a number too large", "256.0.2.7", 0, NULL, NULL},
};

/* Its address and port, written out. */
static void
check_address(const struct sockaddr_storage *address, const char *want)
{
    char text[INET6_ADDRSTRLEN] = "";
    in_port_t port;

    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)address;

        (void)inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
        port = v4->sin_port;
    } else {
        const struct sockaddr_in6 *v6 = (const void *)address;

        CU_ASSERT_EQUAL(address->ss_family, AF_INET6);
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
        port = v6->sin6_port;
    }
    CU_ASSERT_STRING_EQUAL(text, want);
    CU_ASSERT_EQUAL(ntohs(port), PORT);
}

TEST_CASES(known, struct known_case, known_rows)
{
    struct resolver_addresses found = {.count = 99};

    CU_ASSERT_EQUAL(resolver_known(c->host, PORT, &found), c->count > 0);
    CU_ASSERT_EQUAL(found.count, c->count > 0 ? c->count : 99);
    if (c->first != NULL)
        check_address(&found.item[0], c->first);
    if (c->second != NULL)
        check_address(&found.item[1], c->second);
}

struct lookup {
    struct ev_loop *loop;
    int done;
    bool in_time;
    struct resolver_addresses found;
};

static void
on_done(void *arg, const struct resolver_addresses *found, bool in_time)
{
    struct lookup *lookup = arg;

    lookup->done++;
    lookup->found = *found;
    lookup->in_time = in_time;
    ev_break(lookup->loop, EVBREAK_ALL);
}

/*
 * Runs until the look-up is done, or for so long, step by step: the clock is
 * stopped, so a busy machine takes none of the time.
 */
static void
run_for(struct lookup *lookup, int64_t limit_ms)
{
    const int64_t end_ms = clock_ms() + limit_ms;
    const int done = lookup->done;

    for (;;) {
        for (int i = 0; i < SETTLED_TURNS; i++)
            (void)ev_run(lookup->loop, EVRUN_NOWAIT);
        if (lookup->done > done || clock_ms() >= end_ms)
            return;
        calls_pass_ms(PASSED_MS);
    }
}

struct lookup_case {
    const char *name;
    struct names_plan plan;
    size_t count;
    bool in_time;
    int64_t want_ms; /* and LATE_MS at most */
};

static const struct lookup_case lookup_rows[] = {
    {"answered at once", LIST(.delay_ms = 0, .delay_ipv6_ms = 0), 1, true, 0},
    {"as many as are kept", LIST(.more = RESOLVER_ADDRESSES_MAX - 1),
     RESOLVER_ADDRESSES_MAX, true, 0},
    {"one more than are kept", LIST(.more = RESOLVER_ADDRESSES_MAX),
     RESOLVER_ADDRESSES_MAX, true, 0},
    {"answered late", LIST(.delay_ms = 100, .delay_ipv6_ms = 100), 1, true,
     100},
    {"answered later than it is asked again",
     LIST(.delay_ms = 600, .delay_ipv6_ms = 600), 1, true, 600},
    {"the first of two name servers is silent", LIST(.is_second = true), 1,
     true, 250},
    {"the second one answers later than it is asked again",
     LIST(.is_second = true, .delay_ms = 300, .delay_ipv6_ms = 300), 1, true,
     550},
    {"asked again when the first questions are lost", LIST(.lost = 2), 1, true,
     250},
    {"never for IPv6", LIST(.delay_ms = 0, .delay_ipv6_ms = -1), 1, true, 50},
    {"never", LIST(.delay_ms = -1, .delay_ipv6_ms = -1), 0, false, 700},
};

TEST_CASES(lookup, struct lookup_case, lookup_rows)
{
    struct lookup lookup = {.loop = ev_loop_new(EVFLAG_AUTO)};
    struct resolver *resolver = resolver_new(lookup.loop, on_done, &lookup);
    static struct names_server server;
    int64_t start_ms;

    CU_ASSERT_PTR_NOT_NULL_FATAL(resolver);
    names_start(&server, lookup.loop, &c->plan);
    calls_stop_clock();
    start_ms = clock_ms();
    resolver_start(resolver, "redis.example", PORT);
    run_for(&lookup, CLOCK_PATIENCE_MS);
    CU_ASSERT_EQUAL(lookup.done, 1);
    CU_ASSERT(clock_ms() - start_ms >= c->want_ms);
    CU_ASSERT(clock_ms() - start_ms <= c->want_ms + LATE_MS);
    calls_let_clock_go();
    CU_ASSERT_EQUAL(lookup.in_time, c->in_time);
    CU_ASSERT_EQUAL_FATAL(lookup.found.count, c->count);
    if (c->count > 0)
        check_address(&lookup.found.item[0], "127.0.0.1");
    names_end(&server);
    resolver_free(resolver);
    ev_loop_destroy(lookup.loop);
}

/* In how many different milliseconds the loop was active. */
struct activity {
    int64_t last_ms;
    int count;
};

static void
on_turn(struct ev_loop *loop, ev_prepare *watcher, int events)
{
    struct activity *activity = watcher->data;
    const int64_t now_ms = clock_ms();

    (void)loop;
    (void)events;
    activity->count += now_ms != activity->last_ms;
    activity->last_ms = now_ms;
}

/* After the query is sent there is nothing to write for 250 ms. */
TEST_SINGLE(silent, "a look-up over TCP that is not answered sleeps")
{
    enum { ACTIVITY_MAX = 30 };
    static const struct names_plan plan = {.is_cut = true};
    struct lookup lookup = {.loop = ev_loop_new(EVFLAG_AUTO)};
    struct resolver *resolver = resolver_new(lookup.loop, on_done, &lookup);
    static struct names_server server;
    ev_prepare turn;
    struct activity activity = {0, 0};

    CU_ASSERT_PTR_NOT_NULL_FATAL(resolver);
    names_start(&server, lookup.loop, &plan);
    ev_prepare_init(&turn, on_turn);
    turn.data = &activity;
    ev_prepare_start(lookup.loop, &turn);
    resolver_start(resolver, "redis.example", PORT);
    (void)ev_run(lookup.loop, 0); /* on_done() ends it */
    CU_ASSERT_EQUAL(lookup.done, 1);
    CU_ASSERT_EQUAL(lookup.found.count, 0);
    CU_ASSERT_FALSE(lookup.in_time);
    CU_ASSERT(activity.count < ACTIVITY_MAX);
    ev_prepare_stop(lookup.loop, &turn);
    names_end(&server);
    resolver_free(resolver);
    ev_loop_destroy(lookup.loop);
}

TEST_SINGLE(again, "a look-up keeps nothing of the one before")
{
    static const struct names_plan good = {.delay_ms = 0};
    static const struct names_plan silent = {.delay_ms = -1,
                                             .delay_ipv6_ms = -1};
    struct lookup lookup = {.loop = ev_loop_new(EVFLAG_AUTO)};
    struct resolver *resolver = resolver_new(lookup.loop, on_done, &lookup);
    static struct names_server server;

    CU_ASSERT_PTR_NOT_NULL_FATAL(resolver);
    calls_stop_clock();
    for (int i = 0; i < 3; i++) {
        names_start(&server, lookup.loop, i < 2 ? &good : &silent);
        resolver_start(resolver, "redis.example", PORT);
        run_for(&lookup, CLOCK_PATIENCE_MS);
        CU_ASSERT_EQUAL(lookup.done, i + 1);
        CU_ASSERT_EQUAL(lookup.found.count, i < 2 ? 1 : 0);
        CU_ASSERT_EQUAL(lookup.in_time, i < 2);
        names_end(&server);
    }
    calls_let_clock_go();
    resolver_free(resolver);
    ev_loop_destroy(lookup.loop);
}

TEST_SINGLE(cancelled, "a look-up that is over, or replaced, says nothing")
{
    static const struct names_plan plan = {.delay_ms = 50, .delay_ipv6_ms = 50};
    struct lookup lookup = {.loop = ev_loop_new(EVFLAG_AUTO)};
    struct resolver *resolver = resolver_new(lookup.loop, on_done, &lookup);
    static struct names_server server;

    CU_ASSERT_PTR_NOT_NULL_FATAL(resolver);
    calls_stop_clock();
    names_start(&server, lookup.loop, &plan);
    resolver_start(resolver, "redis.example", PORT);
    resolver_cancel(resolver);
    run_for(&lookup, 150);
    CU_ASSERT_EQUAL(lookup.done, 0);
    resolver_start(resolver, "redis.example", PORT);
    resolver_start(resolver, "redis.example", PORT);
    run_for(&lookup, CLOCK_PATIENCE_MS);
    run_for(&lookup, 150);
    CU_ASSERT_EQUAL(lookup.done, 1);
    names_end(&server);
    calls_let_clock_go();
    resolver_free(resolver);
    ev_loop_destroy(lookup.loop);
}
