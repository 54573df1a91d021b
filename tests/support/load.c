/*
 * Load for the integration tests, to check that every request is answered, and
 * in time; tests/bench measures throughput.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#include "clock.h"
#include "expect.h"
#include "load.h"

#define LOAD_CALLERS_MAX 64
#define LOAD_PERCENTILE  0.99

struct caller {
    struct load *load;
    pthread_t thread;
    struct load_result result;
};

struct load {
    struct load_plan plan;
    atomic_bool is_ending;
    size_t count;
    struct caller callers[LOAD_CALLERS_MAX];
};

bool
load_is_three(const struct http_answer *answer)
{
    return expect_score_of(answer) == 3.0;
}

bool
load_is_half(const struct http_answer *answer)
{
    return expect_score_of(answer) == 0.5;
}

bool
load_is_anything(const struct http_answer *answer)
{
    (void)answer;
    return true;
}

void
load_expect(struct load_result result, const char *what)
{
    CU_ASSERT_TRUE(result.requests > 0);
    CU_ASSERT_EQUAL(result.failures, 0);
    if (result.failures > 0)
        (void)printf("%zu of %zu %s were wrong: %s\n", result.failures,
                     result.requests, what, result.example);
}

static double
send_one(const struct load_plan *plan, struct http *http,
         struct load_result *result)
{
    /* Over HTTP/2 nginx ends connections that have no request yet. */
    const struct http_request request = {.body = plan->body, .is_http1 = true};
    struct http_answer answer = http_send(http, &request);
    double seconds = answer.seconds;

    result->requests++;
    if (seconds > result->slowest_s)
        result->slowest_s = seconds;
    if (!plan->is_right(&answer)) {
        result->failures++;
        (void)snprintf(result->example, sizeof(result->example),
                       "%d in %.3f s: %s", answer.status, answer.seconds,
                       answer.body);
    }
    http_answer_free(&answer);
    return seconds;
}

/* Each sends at least one, even if the machine lets it begin late. */
static bool
is_done(const struct caller *caller)
{
    const struct load_result *result = &caller->result;
    size_t wanted = caller->load->plan.requests;

    return (caller->load->is_ending && result->requests > 0) ||
           (wanted > 0 && (result->requests >= wanted || result->failures > 0));
}

static void *
run(void *arg)
{
    struct caller *caller = arg;
    const struct load_plan *plan = &caller->load->plan;
    struct http *http = NULL;

    while (!is_done(caller)) {
        if (http == NULL)
            http = http_open_at("127.0.0.1", plan->port, plan->ca_file);
        if (http == NULL)
            break;
        (void)send_one(plan, http, &caller->result);
        if (!plan->is_kept) {
            http_close(http);
            http = NULL;
        }
    }
    http_close(http);
    return NULL;
}

struct load *
load_start(const struct load_plan *plan)
{
    struct load *load = calloc(1, sizeof(*load));

    if (load == NULL)
        return NULL;
    load->plan = *plan;
    while (load->count < plan->callers && load->count < LOAD_CALLERS_MAX) {
        struct caller *caller = &load->callers[load->count];

        caller->load = load;
        if (pthread_create(&caller->thread, NULL, run, caller) != 0)
            break;
        load->count++;
    }
    return load;
}

struct load_result
load_stop(struct load *load)
{
    if (load != NULL)
        load->is_ending = true;
    return load_finish(load);
}

struct load_result
load_finish(struct load *load)
{
    struct load_result sum = {0};

    if (load == NULL)
        return sum;
    for (size_t i = 0; i < load->count; i++) {
        const struct load_result *one = &load->callers[i].result;

        (void)pthread_join(load->callers[i].thread, NULL);
        sum.requests += one->requests;
        sum.failures += one->failures;
        if (one->failures > 0)
            memcpy(sum.example, one->example, sizeof(sum.example));
        if (one->slowest_s > sum.slowest_s)
            sum.slowest_s = one->slowest_s;
    }
    free(load);
    return sum;
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double
load_p99(const struct load_plan *plan, size_t requests, int pause_ms,
         struct load_result *ret_result)
{
    double *times = calloc(requests, sizeof(*times));
    struct http *http = http_open_at("127.0.0.1", plan->port, plan->ca_file);
    double p99 = -1;

    *ret_result = (struct load_result){0};
    if (times != NULL && http != NULL) {
        for (size_t i = 0; i < requests; i++) {
            times[i] = send_one(plan, http, ret_result);
            clock_sleep_ms(pause_ms);
        }
        qsort(times, requests, sizeof(*times), compare);
        p99 = times[(size_t)((double)(requests - 1) * LOAD_PERCENTILE)];
    }
    http_close(http);
    free(times);
    return p99;
}
