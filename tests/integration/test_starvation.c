/*
 * No request waits because another connection is open: with any number of kept
 * connections, and with fewer workers, every caller is answered in time, under
 * load and afterwards. Source: docs/protocol.md, S1.2.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cases.h"
#include "support/clock.h"
#include "support/expect.h"
#include "support/load.h"
#include "support/request.h"
#include "support/stack.h"

#define LOAD_CONNECTIONS 64
#define LOAD_HEAD_MS     200 /* of the load, before the probes */
#define PROBE_CALLERS    8
#define PROBES_OF_CALLER 25 /* each on a connection of its own: 200 */
#define PROBE_LIMIT_S    1.0

static const char *const one[] = {"SCORING_WORKERS=1", NULL};
static const char *const two[] = {"SCORING_WORKERS=2", NULL};
static const struct stack_plan one_worker = {.store = STACK_REDIS_UNIX,
                                             .environment = one};
static const struct stack_plan two_workers = {.store = STACK_REDIS_UNIX,
                                              .environment = two};

static bool
is_scored_in_time(const struct http_answer *answer)
{
    return load_is_three(answer) && answer->seconds < PROBE_LIMIT_S;
}

/* Another number of kept connections for a stack that runs. */

struct reload {
    pid_t master;
    struct proc_found before;
};

static bool
is_reloaded(void *arg)
{
    const struct reload *reload = arg;
    struct proc_found now = proc_find_children(reload->master, "nginx");

    for (size_t i = 0; i < now.count; i++)
        for (size_t j = 0; j < reload->before.count; j++)
            if (now.pid[i] == reload->before.pid[j])
                return false;
    return now.count > 0;
}

static bool
write_keepalive(const char *path, int keepalive)
{
    static const char directive[] = "\n    keepalive ";
    char *text = files_read(path);
    char *at = text != NULL ? strstr(text, directive) : NULL;
    char *end = at != NULL ? strchr(at, ';') : NULL;
    char *changed = NULL;
    bool good = false;

    if (end != NULL) {
        *at = '\0';
        good = asprintf(&changed, "%s%s%d%s", text, directive, keepalive,
                        end) >= 0 &&
               files_write(path, changed);
    }
    free(changed);
    free(text);
    return good;
}

static void
set_keepalive(const struct stack *stack, int keepalive)
{
    struct proc_found masters = proc_find_masters(stack->proc.pid, "nginx");
    struct reload reload;
    char path[FILES_PATH_MAX];

    CU_ASSERT_EQUAL_FATAL(masters.count, 1);
    reload.master = masters.pid[0];
    reload.before = proc_find_children(reload.master, "nginx");
    files_path(path, "%s/nginx/scoring.conf", stack->run_folder);
    CU_ASSERT_TRUE_FATAL(write_keepalive(path, keepalive));
    CU_ASSERT_EQUAL(kill(reload.master, SIGHUP), 0);
    CU_ASSERT_TRUE(clock_wait(is_reloaded, &reload, CLOCK_PATIENCE_MS));
}

static void
probe(const struct stack *stack, const char *request, const char *when)
{
    const struct load_plan plan = {.port = stack->port,
                                   .body = request,
                                   .is_right = is_scored_in_time,
                                   .callers = PROBE_CALLERS,
                                   .requests = PROBES_OF_CALLER};
    struct load_result result = load_finish(load_start(&plan));

    CU_ASSERT_EQUAL(result.requests, PROBE_CALLERS * PROBES_OF_CALLER);
    load_expect(result, when);
}

struct starvation_case {
    const char *name;
    const struct stack_plan *plan;
    int keepalive;
};

/* Those of a plan together: a stack is started for each change. */
static const struct starvation_case starvation_rows[] = {
    {"keepalive 1, 1 worker", &one_worker, 1},
    {"keepalive 8, 1 worker", &one_worker, 8},
    {"keepalive 64, 1 worker", &one_worker, 64},
    {"keepalive 256, 1 worker", &one_worker, 256},
    {"keepalive 1, 2 workers", &two_workers, 1},
    {"keepalive 8, 2 workers", &two_workers, 8},
    {"keepalive 64, 2 workers", &two_workers, 64},
    {"keepalive 256, 2 workers", &two_workers, 256},
};

TEST_CASES(starvation, struct starvation_case, starvation_rows)
{
    const struct stack *stack = stack_shared(c->plan);
    struct load_plan plan = {.port = stack->port,
                             .is_right = load_is_three,
                             .callers = LOAD_CONNECTIONS,
                             .is_kept = true};
    struct load_result result;
    struct load *load;
    char *request;

    set_keepalive(stack, c->keepalive);
    request = request_score(REQUEST_PERSON);
    plan.body = request;
    load = load_start(&plan);
    clock_sleep_ms(LOAD_HEAD_MS);
    probe(stack, request, "under load");
    result = load_stop(load);
    CU_ASSERT_TRUE(result.requests > LOAD_CONNECTIONS);
    load_expect(result, "of the load");
    probe(stack, request, "afterwards");
    free(request);
}

TEST_SUITE(.parts = 2); /* one for each stack */
