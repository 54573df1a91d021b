/*
 * Counters and outages: what is news for the whole service, and what becomes
 * of a worker's part in it when the worker is killed.
 */
#include <ctype.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/metrics.h"
#include "../support/cases.h"
#include "suites.h"

#define SLOTS 3 /* workers that take part in a row */

struct outage_case {
    const char *name;
    const char *steps; /* "+0": worker 0 enters, "-0" leaves, "x0" is killed */
    const char *want;  /* per step: '!' is news, '.' is none */
};

static const struct outage_case outage_rows[] = {
    {"the first to enter is news", "+0", "!"},
    {"the second to enter is none", "+0+1", "!."},
    {"entering twice counts once", "+0+0-0", "!.!"},
    {"leaving without entering is none", "-0", "."},
    {"leaving twice is news once", "+0-0-0", "!!."},
    {"only the last to leave is news", "+0+1-0-1", "!..!"},
    {"the order of leaving does not matter", "+0+1-1-0", "!..!"},
    {"after all have left it begins anew", "+0-0+1", "!!!"},
    {"the last one killed ends it", "+0x0", "!!"},
    {"one killed of two does not end it", "+0+1x0-1", "!..!"},
    {"killed outside of it is none", "+0x1-0", "!.!"},
    {"killed after leaving is none", "+0-0x0", "!!."},
    {"a slot taken again starts outside", "+0x0+0", "!!!"},
    {"three in, three out", "+0+1+2-1x2-0", "!....!"},
};

static bool
take_step(struct metrics *metrics, char step, int slot)
{
    unsigned ended;

    switch (step) {
    case '+':
        return metrics_outage_enter(metrics, slot, OUTAGE_WRITES);
    case '-':
        return metrics_outage_leave(metrics, slot, OUTAGE_WRITES);
    default:
        ended = metrics_slot_release(metrics, slot);
        CU_ASSERT_EQUAL(metrics_slot_take(metrics), slot);
        CU_ASSERT(ended == 0 || ended == 1U << OUTAGE_WRITES);
        return ended != 0;
    }
}

TEST_CASES(outage, struct outage_case, outage_rows)
{
    struct metrics *metrics = metrics_new();

    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    for (int slot = 0; slot < SLOTS; slot++)
        CU_ASSERT_EQUAL(metrics_slot_take(metrics), slot);
    for (size_t i = 0; c->want[i] != '\0'; i++) {
        const char *step = c->steps + 2 * i;

        CU_ASSERT_EQUAL(take_step(metrics, step[0], step[1] - '0'),
                        c->want[i] == '!');
    }
    metrics_free(metrics);
}

TEST_SINGLE(kinds, "each kind of outage is told of its own")
{
    struct metrics *metrics = metrics_new();
    int slot;

    (void)c;
    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    slot = metrics_slot_take(metrics);
    CU_ASSERT_TRUE(metrics_outage_enter(metrics, slot, OUTAGE_STORE));
    CU_ASSERT_TRUE(metrics_outage_enter(metrics, slot, OUTAGE_WRITES));
    CU_ASSERT_FALSE(metrics_outage_leave(metrics, slot, OUTAGE_REFUSED));
    CU_ASSERT_EQUAL(metrics_slot_release(metrics, slot),
                    1U << OUTAGE_STORE | 1U << OUTAGE_WRITES);
    metrics_free(metrics);
}

TEST_SINGLE(slots, "there are exactly as many as stated")
{
    struct metrics *metrics = metrics_new();

    (void)c;
    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    for (int slot = 0; slot < METRICS_SLOTS; slot++)
        CU_ASSERT_EQUAL(metrics_slot_take(metrics), slot);
    CU_ASSERT_EQUAL(metrics_slot_take(metrics), -1);
    CU_ASSERT_EQUAL(metrics_slot_release(metrics, 7), 0);
    CU_ASSERT_EQUAL(metrics_slot_take(metrics), 7);
    metrics_free(metrics);
}

TEST_SINGLE(shared, "what a child counts and enters, the parent sees")
{
    struct metrics *metrics = metrics_new();
    int slot, status = -1;
    pid_t pid;

    (void)c;
    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    slot = metrics_slot_take(metrics);
    metrics_add(metrics, METRIC_REQUESTS, 2);
    pid = fork();
    if (pid == 0) {
        metrics_add(metrics, METRIC_REQUESTS, 40);
        (void)metrics_outage_enter(metrics, slot, OUTAGE_STORE);
        _exit(0);
    }
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_EQUAL(metrics_get(metrics, METRIC_REQUESTS), 42);
    CU_ASSERT_EQUAL(metrics_get(metrics, METRIC_CACHE_HITS), 0);
    CU_ASSERT_EQUAL(metrics_slot_release(metrics, slot), 1U << OUTAGE_STORE);
    metrics_free(metrics);
}

TEST_SINGLE(names, "every counter and outage has one of its own")
{
    (void)c;
    for (int i = 0; i < METRIC__MAX; i++) {
        const char *name = metrics_name((enum metric)i);

        CU_ASSERT_PTR_NOT_NULL_FATAL(name);
        for (const char *at = name; *at != '\0'; at++)
            CU_ASSERT(islower((unsigned char)*at) || *at == '_');
        for (int j = 0; j < i; j++)
            CU_ASSERT(strcmp(name, metrics_name((enum metric)j)) != 0);
    }
    for (int i = 0; i < OUTAGE__MAX; i++)
        CU_ASSERT_PTR_NOT_NULL(metrics_outage_text((enum outage)i));
}

void
suite_metrics(void)
{
    CU_pSuite suite = cases_suite("metrics");

    cases_add(suite, &outage_cases);
    cases_add(suite, &kinds_cases);
    cases_add(suite, &slots_cases);
    cases_add(suite, &shared_cases);
    cases_add(suite, &names_cases);
}
