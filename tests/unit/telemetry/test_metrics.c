/*
 * Counters, gauges and outages: what is new for the whole service, and what
 * happens to a worker's part when the worker is killed.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "support/calls.h"
#include "support/cases.h"
#include "telemetry/metrics.h"

#define SLOTS 3 /* workers of a row */

struct outage_case {
    const char *name;
    const char *steps; /* "+0": worker 0 enters, "-0" leaves, "x0" is killed;
                          "~3": 3 seconds pass, then whether it is over */
    const char *want;  /* per step: '!': it is logged, '.': it is not */
};

static const struct outage_case outage_rows[] = {
    {"the first to enter is news", "+0", "!"},
    {"the second to enter is none", "+0+1", "!."},
    {"entering twice counts once", "+0+0-0~3", "!..!"},
    {"leaving without entering is none", "-0~3", ".."},
    {"leaving twice is news once", "+0-0-0~3~3", "!..!."},
    {"the end is told after three seconds", "+0-0~2~1", "!..!"},
    {"only the last to leave is news", "+0+1-0~3-1~3", "!....!"},
    {"the order of leaving does not matter", "+0+1-1~3-0~3", "!....!"},
    {"after it has been told it begins anew", "+0-0~3+1", "!.!!"},
    {"before that it goes on", "+0-0~2+1~3-1~2~1", "!......!"},
    {"the last one killed ends it", "+0x0~3", "!.!"},
    {"one killed of two does not end it", "+0+1x0~3-1~3", "!....!"},
    {"killed outside of it is none", "+0x1~3-0~3", "!...!"},
    {"a slot taken again starts outside", "+0x0~3+0", "!.!!"},
    {"three in, three out", "+0+1+2-1x2~3-0~3", "!......!"},
};

static bool
take_step(struct metrics *metrics, char step, int slot, int64_t *now_ms)
{
    switch (step) {
    case '+':
        return metrics_outage_enter(metrics, slot, OUTAGE_STORE);
    case '-':
        metrics_outage_leave(metrics, slot, OUTAGE_STORE, *now_ms);
        return false;
    case '~':
        *now_ms += 1000 * slot;
        return metrics_outage_is_over(metrics, OUTAGE_STORE, *now_ms);
    default:
        metrics_slot_release(metrics, slot, *now_ms);
        CU_ASSERT_EQUAL(metrics_slot_take(metrics), slot);
        return false;
    }
}

TEST_CASES(outage, struct outage_case, outage_rows)
{
    struct metrics *metrics = metrics_new();
    int64_t now_ms = 1;

    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    for (int slot = 0; slot < SLOTS; slot++)
        CU_ASSERT_EQUAL(metrics_slot_take(metrics), slot);
    for (size_t i = 0; c->want[i] != '\0'; i++) {
        const char *step = c->steps + 2 * i;

        CU_ASSERT_EQUAL(take_step(metrics, step[0], step[1] - '0', &now_ms),
                        c->want[i] == '!');
    }
    metrics_free(metrics);
}

/* An operation that is refused ('+') or succeeds ('-') at a time in ms. */
struct refusal_step {
    char what; /* 0: the end */
    enum refusal kind;
    int64_t at_ms;
    bool is_news;
};

struct refusal_case {
    const char *name;
    struct refusal_step steps[8];
};

#define ONE   REFUSAL_READ
#define MANY  REFUSAL_MANY
#define CACHE REFUSAL_CACHE
#define WRITE REFUSAL_WRITE

static const struct refusal_case refusal_rows[] = {
    {"nothing was refused",
     {{'-', ONE, 9000, false}, {'-', WRITE, 9000, false}}},
    {"told once",
     {{'+', WRITE, 0, true}, {'+', WRITE, 1, false}, {'+', WRITE, 9, false}}},
    {"over three seconds after the last",
     {{'+', ONE, 0, true},
      {'+', ONE, 1000, false},
      {'-', ONE, 3999, false},
      {'-', ONE, 4000, true},
      {'-', ONE, 4000, false}}},
    {"told anew after it was over",
     {{'+', ONE, 0, true}, {'-', ONE, 3000, true}, {'+', ONE, 3001, true}}},
    {"what goes well besides says nothing",
     {{'+', MANY, 0, true},
      {'-', ONE, 9000, false},
      {'-', CACHE, 9000, false},
      {'-', WRITE, 9000, false},
      {'+', MANY, 9001, false},
      {'-', MANY, 12001, true}}},
    {"all reads are one piece of news",
     {{'+', CACHE, 0, true},
      {'+', ONE, 1, false},
      {'+', MANY, 2, false},
      {'-', CACHE, 9000, false},
      {'-', MANY, 9000, false},
      {'-', ONE, 9000, true}}},
    {"writes are another",
     {{'+', ONE, 0, true},
      {'+', WRITE, 0, true},
      {'-', WRITE, 3000, true},
      {'-', ONE, 3000, true}}},
};

TEST_CASES(refusal, struct refusal_case, refusal_rows)
{
    struct metrics *metrics = metrics_new();

    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    for (const struct refusal_step *step = c->steps; step->what != 0; step++)
        CU_ASSERT_EQUAL(
            step->what == '+'
                ? metrics_refusal_begin(metrics, step->kind, step->at_ms)
                : metrics_refusal_end(metrics, step->kind, step->at_ms),
            step->is_news);
    metrics_free(metrics);
}

TEST_SINGLE(slots, "there are exactly as many as stated")
{
    struct metrics *metrics = metrics_new();

    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    for (int slot = 0; slot < METRICS_SLOTS; slot++)
        CU_ASSERT_EQUAL(metrics_slot_take(metrics), slot);
    CU_ASSERT_EQUAL(metrics_slot_take(metrics), -1);
    metrics_slot_release(metrics, 7, 0);
    CU_ASSERT_EQUAL(metrics_slot_take(metrics), 7);
    metrics_free(metrics);
}

TEST_SINGLE(shared, "what a child counts and enters, the parent sees")
{
    struct metrics *metrics = metrics_new();
    int slot, status = -1;
    pid_t pid;

    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    slot = metrics_slot_take(metrics);
    metrics_add(metrics, METRIC_CACHE_MISSES, 2);
    pid = fork();
    if (pid == 0) {
        metrics_add(metrics, METRIC_CACHE_MISSES, 40);
        (void)metrics_outage_enter(metrics, slot, OUTAGE_STORE);
        _exit(0);
    }
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_EQUAL(metrics_get(metrics, METRIC_CACHE_MISSES), 42);
    CU_ASSERT_EQUAL(metrics_get(metrics, METRIC_CACHE_HITS), 0);
    metrics_slot_release(metrics, slot, 0);
    CU_ASSERT_EQUAL(metrics_outage_count(metrics, OUTAGE_STORE), 0);
    metrics_free(metrics);
}

TEST_SINGLE(outlive, "what a worker counted stays, what waited does not")
{
    struct metrics *metrics = metrics_new();
    int slot;

    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    metrics_add(metrics, METRIC_CACHE_HITS, 1); /* the parent itself */
    for (int life = 1; life <= 3; life++) {
        slot = metrics_slot_take(metrics);
        CU_ASSERT_EQUAL(slot, 0);
        metrics_use_slot(metrics, slot);
        metrics_add(metrics, METRIC_CACHE_HITS, 10);
        metrics_set_parked(metrics, 7);
        CU_ASSERT_EQUAL(metrics_get_parked(metrics), 7);
        CU_ASSERT_TRUE(metrics_hold(metrics, 9, 18));
        CU_ASSERT_EQUAL(metrics_get_held(metrics), 9);
        metrics_slot_release(metrics, slot, 0);
        CU_ASSERT_EQUAL(metrics_get_parked(metrics), 0);
        CU_ASSERT_EQUAL(metrics_get_held(metrics), 0);
        CU_ASSERT_EQUAL(metrics_get(metrics, METRIC_CACHE_HITS),
                        (uint64_t)(1 + 10 * life));
    }
    metrics_free(metrics);
}

TEST_SINGLE(gauges, "add up over the workers that there are")
{
    struct metrics *metrics = metrics_new();

    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    CU_ASSERT_EQUAL(metrics_workers(metrics), 0);
    for (int slot = 0; slot < SLOTS; slot++) {
        CU_ASSERT_EQUAL(metrics_slot_take(metrics), slot);
        metrics_use_slot(metrics, slot);
        metrics_set_parked(metrics, (uint64_t)slot + 1);
        (void)metrics_outage_enter(metrics, slot, OUTAGE_STORE);
    }
    CU_ASSERT_EQUAL(metrics_workers(metrics), 3);
    CU_ASSERT_EQUAL(metrics_get_parked(metrics), 1 + 2 + 3);
    CU_ASSERT_EQUAL(metrics_outage_count(metrics, OUTAGE_STORE), 3);
    metrics_slot_release(metrics, 1, 0);
    CU_ASSERT_EQUAL(metrics_workers(metrics), 2);
    CU_ASSERT_EQUAL(metrics_get_parked(metrics), 1 + 3);
    CU_ASSERT_EQUAL(metrics_outage_count(metrics, OUTAGE_STORE), 2);
    CU_ASSERT_EQUAL(metrics_slot_take(metrics), 1);
    CU_ASSERT_EQUAL(metrics_workers(metrics), 3);
    CU_ASSERT_EQUAL(metrics_get_parked(metrics), 1 + 3);
    metrics_free(metrics);
}

struct hold_case {
    const char *name;
    uint64_t own, others; /* held before by this worker, and by another one */
    uint64_t bytes, most;
    bool want;
};

static const struct hold_case hold_rows[] = {
    {"half of all room", 0, 0, 50, 100, true},
    {"the only one may exceed half", 0, 0, 51, 100, true},
    {"the only one may exceed all", 0, 0, 1000, 100, true},
    {"half of what others leave", 0, 40, 30, 100, true},
    {"more than half of what others leave", 0, 40, 31, 100, false},
    {"half of what its own leave", 40, 0, 30, 100, true},
    {"more than half of what its own leave", 40, 0, 31, 100, false},
    {"half of what both leave", 20, 20, 30, 100, true},
    {"more than half of what both leave", 20, 20, 31, 100, false},
    {"the last byte is nobody's", 0, 99, 1, 100, false},
    {"no room", 0, 100, 1, 100, false},
    {"beyond it", 0, 1000, 1, 100, false},
};

TEST_CASES(hold, struct hold_case, hold_rows)
{
    struct metrics *metrics = metrics_new();
    const uint64_t before = c->own + c->others;

    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    metrics_use_slot(metrics, metrics_slot_take(metrics));
    (void)metrics_hold(metrics, c->others, UINT64_MAX);
    metrics_use_slot(metrics, metrics_slot_take(metrics));
    (void)metrics_hold(metrics, c->own, UINT64_MAX);
    CU_ASSERT_EQUAL(metrics_get_held(metrics), before);
    CU_ASSERT_EQUAL(metrics_hold(metrics, c->bytes, c->most), c->want);
    CU_ASSERT_EQUAL(metrics_get_held(metrics),
                    before + (c->want ? c->bytes : 0));
    if (c->want)
        metrics_release(metrics, c->bytes);
    CU_ASSERT_EQUAL(metrics_get_held(metrics), before);
    metrics_free(metrics);
}

TEST_SINGLE(started, "the start is when they are made")
{
    int64_t before = time(NULL);
    struct metrics *metrics = metrics_new();

    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    CU_ASSERT(metrics_started_s(metrics) >= before);
    CU_ASSERT(metrics_started_s(metrics) <= time(NULL));
    metrics_free(metrics);
}

TEST_SINGLE(phases, "are what was set last, first of all the start")
{
    struct metrics *metrics = metrics_new();

    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    CU_ASSERT_EQUAL(metrics_get_phase(metrics), METRICS_STARTING);
    metrics_set_phase(metrics, METRICS_SERVING);
    CU_ASSERT_EQUAL(metrics_get_phase(metrics), METRICS_SERVING);
    metrics_set_phase(metrics, METRICS_DRAINING);
    CU_ASSERT_EQUAL(metrics_get_phase(metrics), METRICS_DRAINING);
    metrics_free(metrics);
}

/* Bounds are inclusive, as in Prometheus. */
struct bucket_case {
    const char *name;
    int64_t us;
    size_t want;
    uint64_t sum_us;
};

static const struct bucket_case bucket_rows[] = {
    {"a clock that went back", -1, 0, 0},
    {"nothing", 0, 0, 0},
    {"50 us", 50, 0, 50},
    {"more than 50 us", 51, 1, 51},
    {"100 us", 100, 1, 100},
    {"more than 100 us", 101, 2, 101},
    {"250 us", 250, 2, 250},
    {"more than 250 us", 251, 3, 251},
    {"0.5 ms", 500, 3, 500},
    {"just more", 501, 4, 501},
    {"1 ms", 1000, 4, 1000},
    {"more than 1 ms", 1001, 5, 1001},
    {"2.5 ms", 2500, 5, 2500},
    {"more than 2.5 ms", 2501, 6, 2501},
    {"5 ms", 5000, 6, 5000},
    {"more than 5 ms", 5001, 7, 5001},
    {"10 ms", 10000, 7, 10000},
    {"more than 10 ms", 10001, 8, 10001},
    {"25 ms", 25000, 8, 25000},
    {"more than 25 ms", 25001, 9, 25001},
    {"50 ms", 50000, 9, 50000},
    {"more than 50 ms", 50001, 10, 50001},
    {"100 ms", 100000, 10, 100000},
    {"more than 100 ms", 100001, 11, 100001},
    {"250 ms", 250000, 11, 250000},
    {"more than 250 ms", 250001, 12, 250001},
    {"500 ms", 500000, 12, 500000},
    {"more than 500 ms", 500001, 13, 500001},
    {"1 s", 1000000, 13, 1000000},
    {"more than 1 s", 1000001, 14, 1000001},
    {"2.5 s", 2500000, 14, 2500000},
    {"more than any bound", 2500001, 15, 2500001},
};

/* The values of the settings, and the processes. */
TEST_SINGLE(settings, "and processes are told as they were set")
{
    struct metrics *metrics = metrics_new();
    pid_t pids[3] = {0};
    int slot;

    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    slot = metrics_slot_take(metrics);
    metrics_set(metrics, METRICS_WANTED, 7);
    CU_ASSERT_EQUAL(metrics_get_setting(metrics, METRICS_WANTED), 7);
    CU_ASSERT_EQUAL(metrics_get_setting(metrics, METRICS_PUBLISHED), 0);
    CU_ASSERT_EQUAL(metrics_list_pids(metrics, pids, 3), 1);
    CU_ASSERT_EQUAL(pids[0], getpid());
    metrics_use_slot(metrics, slot);
    CU_ASSERT_EQUAL(metrics_list_pids(metrics, pids, 3), 2);
    CU_ASSERT_EQUAL(pids[1], getpid());
    CU_ASSERT_EQUAL(metrics_list_pids(metrics, pids, 1), 1);
    (void)metrics_slot_release(metrics, slot, 0);
    CU_ASSERT_EQUAL(metrics_list_pids(metrics, pids, 3), 1);
    CU_ASSERT_EQUAL(metrics_at_least(metrics, 5), 5);
    CU_ASSERT_EQUAL(metrics_at_least(metrics, 4), 5);
    CU_ASSERT_EQUAL(metrics_at_least(metrics, 6), 6);
    metrics_free(metrics);
}

TEST_CASES(bucket, struct bucket_case, bucket_rows)
{
    struct metrics *metrics = metrics_new();
    struct metrics_durations durations;

    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    metrics_add_request(metrics, 1, 2, c->us);
    durations = metrics_get_durations(metrics, 1);
    for (size_t i = 0; i < METRICS_BUCKETS; i++)
        CU_ASSERT_EQUAL(durations.buckets[i], i == c->want);
    CU_ASSERT_EQUAL(durations.sum_us, c->sum_us);
    CU_ASSERT_EQUAL(metrics_get_durations(metrics, 0).sum_us, 0);
    metrics_free(metrics);
}

struct number_case {
    const char *name;
    size_t method, status, want_method, want_status;
};

static const struct number_case number_rows[] = {
    {"first", 0, 0, 0, 0},
    {"last", METRICS_METHODS - 1, METRICS_STATUSES - 1, METRICS_METHODS - 1,
     METRICS_STATUSES - 1},
    {"beyond", METRICS_METHODS, METRICS_STATUSES, METRICS_METHODS - 1,
     METRICS_STATUSES - 1},
    {"none", SIZE_MAX, SIZE_MAX, METRICS_METHODS - 1, METRICS_STATUSES - 1},
};

TEST_CASES(number, struct number_case, number_rows)
{
    struct metrics *metrics = metrics_new();

    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    metrics_add_request(metrics, c->method, c->status, 1);
    for (size_t i = 0; i < METRICS_METHODS; i++) {
        for (size_t j = 0; j < METRICS_STATUSES; j++)
            CU_ASSERT_EQUAL(metrics_get_requests(metrics, i, j),
                            i == c->want_method && j == c->want_status);
    }
    metrics_free(metrics);
}

TEST_SINGLE(accounts, "have counts of their own until their place is cleared")
{
    struct metrics *metrics = metrics_new();

    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    metrics_add_account(metrics, METRICS_ACCOUNTS - 1, 3);
    metrics_add_account(metrics, 0, SIZE_MAX);
    metrics_add_account(metrics, METRICS_ACCOUNTS, 0);
    metrics_add_account(metrics, SIZE_MAX, 0);
    CU_ASSERT_EQUAL(metrics_get_account(metrics, METRICS_ACCOUNTS - 1, 3), 1);
    CU_ASSERT_EQUAL(metrics_get_account(metrics, 0, METRICS_STATUSES - 1), 1);
    CU_ASSERT_EQUAL(metrics_get_account(metrics, METRICS_ACCOUNTS, 0), 0);
    metrics_clear_account(metrics, 0);
    CU_ASSERT_EQUAL(metrics_get_account(metrics, 0, METRICS_STATUSES - 1), 0);
    CU_ASSERT_EQUAL(metrics_get_account(metrics, METRICS_ACCOUNTS - 1, 3), 1);
    metrics_free(metrics);
}

TEST_SINGLE(no_memory, "that can be shared: there are none")
{
    calls_fail(CALL_MMAP, ENOMEM);
    CU_ASSERT_PTR_NULL(metrics_new());
    CU_ASSERT_TRUE(calls_has_failed(CALL_MMAP));
}

TEST_SINGLE(master, "a master is news once, whichever worker goes there first")
{
    struct metrics *metrics = metrics_new();

    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    CU_ASSERT_EQUAL(metrics_master_age_ms(metrics, 900), 0);
    CU_ASSERT_EQUAL(metrics_set_master(metrics, "a:1", 1000), MASTER_FIRST);
    CU_ASSERT_EQUAL(metrics_set_master(metrics, "a:1", 2000), MASTER_SAME);
    CU_ASSERT_EQUAL(metrics_get_switches(metrics), 0);
    CU_ASSERT_EQUAL(metrics_master_age_ms(metrics, 3000), 2000);
    CU_ASSERT_EQUAL(metrics_set_master(metrics, "a:2", 4000), MASTER_CHANGED);
    CU_ASSERT_EQUAL(metrics_set_master(metrics, "a:2", 4001), MASTER_SAME);
    CU_ASSERT_EQUAL(metrics_get_switches(metrics), 1);
    CU_ASSERT_EQUAL(metrics_master_age_ms(metrics, 4500), 500);
    metrics_set_sentinels(metrics, 3);
    CU_ASSERT_EQUAL(metrics_get_sentinels(metrics), 3);
    metrics_free(metrics);
}

/* Each server has its own outage, by its address. */

TEST_SINGLE(server, "has an outage of its own")
{
    struct metrics *metrics = metrics_new();
    enum outage a, b;

    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    CU_ASSERT_EQUAL(metrics_slot_take(metrics), 0);
    CU_ASSERT_EQUAL(metrics_outage_of(metrics, NULL), OUTAGE_STORE);
    a = metrics_outage_of(metrics, "10.0.0.1:7001");
    b = metrics_outage_of(metrics, "10.0.0.1:7002");
    CU_ASSERT_NOT_EQUAL(a, b);
    CU_ASSERT_EQUAL(metrics_outage_of(metrics, "10.0.0.1:7001"), a);
    CU_ASSERT_STRING_EQUAL(metrics_outage_address(metrics, b), "10.0.0.1:7002");
    CU_ASSERT_PTR_NULL(metrics_outage_address(metrics, OUTAGE_STORE));
    CU_ASSERT_TRUE(metrics_outage_enter(metrics, 0, a));
    CU_ASSERT_TRUE(metrics_outage_enter(metrics, 0, b));
    CU_ASSERT_EQUAL(metrics_outage_count(metrics, OUTAGE_STORE), 0);
    metrics_outage_leave(metrics, 0, a, 1);
    CU_ASSERT_EQUAL(metrics_outage_count(metrics, a), 0);
    CU_ASSERT_EQUAL(metrics_outage_count(metrics, b), 1);
    CU_ASSERT_TRUE(metrics_outage_is_ending(metrics));
    CU_ASSERT_FALSE(metrics_outage_is_over(metrics, b, 1000000));
    CU_ASSERT_TRUE(metrics_outage_is_over(metrics, a, 1000000));
    CU_ASSERT_FALSE(metrics_outage_is_ending(metrics));
    metrics_free(metrics);
}

TEST_SINGLE(server_room, "what is beyond shares the last number")
{
    struct metrics *metrics = metrics_new();
    const enum outage last = METRICS_OUTAGE_SHARED;
    char address[32];

    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    CU_ASSERT_EQUAL(last - OUTAGE_SERVER, 510); /* S22.2 */
    for (int i = OUTAGE_SERVER; i < OUTAGE__MAX + 2; i++) {
        (void)snprintf(address, sizeof(address), "h:%d", i);
        CU_ASSERT_EQUAL(metrics_outage_of(metrics, address),
                        i < (int)last ? i : (int)last);
    }
    CU_ASSERT_PTR_NULL(metrics_outage_address(metrics, last));
    CU_ASSERT_EQUAL(metrics_slot_take(metrics), 0);
    CU_ASSERT_FALSE(metrics_is_in_outage(metrics));
    CU_ASSERT_TRUE(metrics_outage_enter(metrics, 0, last));
    CU_ASSERT_TRUE(metrics_is_in_outage(metrics));
    metrics_outage_leave(metrics, 0, last, 1);
    CU_ASSERT_FALSE(metrics_is_in_outage(metrics));
    CU_ASSERT_TRUE(metrics_outage_is_ending(metrics));
    CU_ASSERT_TRUE(metrics_outage_is_over(metrics, last, 1000000));
    CU_ASSERT_FALSE(metrics_outage_is_ending(metrics));
    metrics_free(metrics);
}

struct shown_case {
    const char *name;
    int64_t after_ms; /* its end; -1: while it lasts */
    bool is_reported, want;
};

static const struct shown_case shown_rows[] = {
    {"while it lasts", -1, false, true},
    {"at its end", 0, false, true},
    {"when the end has been reported", 3000, true, true},
    {"just before an hour has passed", 3599999, true, true},
    {"not after an hour", 3600000, true, false},
    {"not after an hour, also unreported", 3600000, false, false},
};

TEST_CASES(shown, struct shown_case, shown_rows)
{
    struct metrics *metrics = metrics_new();
    const int64_t end_ms = 5000;
    enum outage what;

    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    what = metrics_outage_of(metrics, "10.0.0.1:7001");
    CU_ASSERT_FALSE(metrics_outage_is_shown(metrics, what, end_ms));
    (void)metrics_outage_enter(metrics, 0, what);
    if (c->after_ms >= 0)
        metrics_outage_leave(metrics, 0, what, end_ms);
    if (c->is_reported)
        CU_ASSERT_TRUE(metrics_outage_is_over(metrics, what, end_ms + 3000));
    CU_ASSERT_EQUAL(
        metrics_outage_is_shown(metrics, what, end_ms + c->after_ms), c->want);
    metrics_free(metrics);
}

TEST_SINGLE(outages_end, "is above all that can have begun")
{
    struct metrics *metrics = metrics_new();
    char address[32];

    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    for (int i = OUTAGE_SERVER; i < OUTAGE__MAX; i++) {
        CU_ASSERT_EQUAL(metrics_outages_end(metrics),
                        i < OUTAGE__MAX - 1 ? i : OUTAGE__MAX);
        (void)snprintf(address, sizeof(address), "h:%d", i);
        (void)metrics_outage_of(metrics, address);
    }
    CU_ASSERT_EQUAL(metrics_outages_end(metrics), OUTAGE__MAX);
    metrics_free(metrics);
}

/*
 * Two workers at the same time: at each instruction of what one does, the other
 * does all of its own. The processor interrupts the first after each step.
 */

#define STEP_FLAG 0x100 /* in EFLAGS: an interrupt after each instruction */
#define LATER_MS  (2 * METRICS_OUTAGE_QUIET_MS)

typedef void worker_fn(struct metrics *metrics, int slot);

static struct {
    struct metrics *metrics;
    worker_fn *other;
    volatile long left; /* steps until the other has its turn */
    volatile bool has_met;
    unsigned begun;
    enum outage places[2];
} pair;

static void
on_step(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
#ifdef __x86_64__
    greg_t *flags = &((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL];

    if (pair.left-- > 0) {
        *flags |= STEP_FLAG;
        return;
    }
    *flags &= ~(greg_t)STEP_FLAG;
#else
    (void)context;
#endif
    pair.has_met = true;
    pair.other(pair.metrics, 1);
}

/* Returns whether the other came in while the first was at work. */
static bool
pair_meet(worker_fn *first, worker_fn *other, long steps)
{
    bool is_between;

    pair.other = other;
    pair.left = steps;
    pair.has_met = false;
    (void)raise(SIGTRAP);
    first(pair.metrics, 0);
    is_between = pair.has_met;
    pair.left = 0; /* else the next step is the turn of the other */
    if (!pair.has_met)
        on_step(0, NULL, &(ucontext_t){0});
    return is_between;
}

static void
find_and_enter(struct metrics *metrics, int slot)
{
    const enum outage what = metrics_outage_of(metrics, "10.0.0.1:7001");

    pair.places[slot] = what;
    pair.begun += metrics_outage_enter(metrics, slot, what);
}

static void
enter(struct metrics *metrics, int slot)
{
    pair.begun += metrics_outage_enter(metrics, slot, OUTAGE_STORE);
}

static void
leave(struct metrics *metrics, int slot)
{
    metrics_outage_leave(metrics, slot, OUTAGE_STORE, 1);
}

static void
check_found(struct metrics *metrics)
{
    CU_ASSERT_EQUAL(pair.places[0], OUTAGE_SERVER);
    CU_ASSERT_EQUAL(pair.places[1], OUTAGE_SERVER);
    CU_ASSERT_EQUAL(metrics_outage_count(metrics, OUTAGE_SERVER), 2);
    CU_ASSERT_EQUAL(pair.begun, 1);
    CU_ASSERT_PTR_NOT_NULL(metrics_outage_address(metrics, OUTAGE_SERVER));
}

static void
check_entered(struct metrics *metrics)
{
    CU_ASSERT_EQUAL(pair.begun, 1);
    CU_ASSERT_EQUAL(metrics_outage_count(metrics, OUTAGE_STORE), 2);
}

static void
check_one_left(struct metrics *metrics)
{
    CU_ASSERT_EQUAL(pair.begun, 1);
    CU_ASSERT_EQUAL(metrics_outage_count(metrics, OUTAGE_STORE), 1);
    CU_ASSERT_FALSE(metrics_outage_is_over(metrics, OUTAGE_STORE, LATER_MS));
}

static void
check_both_left(struct metrics *metrics)
{
    CU_ASSERT_EQUAL(metrics_outage_count(metrics, OUTAGE_STORE), 0);
    CU_ASSERT_TRUE(metrics_outage_is_over(metrics, OUTAGE_STORE, LATER_MS));
    CU_ASSERT_FALSE(metrics_outage_is_over(metrics, OUTAGE_STORE, LATER_MS));
}

struct pair_case {
    const char *name;
    int inside; /* the slots that are in the outage before, as bits */
    worker_fn *first, *other;
    void (*check)(struct metrics *metrics);
    int stride; /* steps from one turn of the other to the next */
};

static const struct pair_case pair_rows[] = {
    {"two find a server", 0, find_and_enter, find_and_enter, check_found, 151},
    {"two enter", 0, enter, enter, check_entered, 1},
    {"one enters while the last leaves", 1, leave, enter, check_one_left, 1},
    {"the last leaves while one enters", 2, enter, leave, check_one_left, 1},
    {"two leave", 3, leave, leave, check_both_left, 1},
};

TEST_CASES(pair, struct pair_case, pair_rows)
{
    const struct sigaction action = {.sa_sigaction = on_step,
                                     .sa_flags = SA_SIGINFO};
    struct sigaction before;
    bool is_between = true;

    CU_ASSERT_EQUAL_FATAL(sigaction(SIGTRAP, &action, &before), 0);
    for (long steps = 0; is_between; steps += c->stride) {
        pair.metrics = metrics_new();
        CU_ASSERT_PTR_NOT_NULL_FATAL(pair.metrics);
        pair.begun = 0;
        for (int slot = 0; slot < 2; slot++) {
            if (c->inside & 1 << slot)
                enter(pair.metrics, slot);
        }
        is_between = pair_meet(c->first, c->other, steps);
        c->check(pair.metrics);
        metrics_free(pair.metrics);
    }
    CU_ASSERT_EQUAL(sigaction(SIGTRAP, &before, NULL), 0);
}
