/*
 * The whole stack, for the integration tests: run.sh in a private folder, on
 * free ports, with settings that do not depend on the environment.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "clock.h"
#include "expect.h"
#include "http.h"
#include "ports.h"
#include "stack.h"

#define STACK_SCRIPT "deploy/run.sh" /* relative to the checkout */
/*
 * When nginx reads its configuration, it allocates and frees a megabyte for
 * each of its maps. So the C library keeps it, and nginx starts and reloads in
 * a third of the time.
 */
#define STACK_MALLOC                                                           \
    "GLIBC_TUNABLES=glibc.malloc.mmap_threshold=4194304"                       \
    ":glibc.malloc.trim_threshold=8388608"

#define STACK_TRIES         3 /* a free port may be taken before it is used */
#define STACK_VARIABLES_MAX 48
#define STACK_VARIABLE_MAX  512

/* The only variables of the environment that the stack gets. */
static const char *const inherited[] = {
    "PATH",      "HOME",         "TMPDIR",       "USER",
    "LANG",      "TZ",           "ASAN_OPTIONS", "UBSAN_OPTIONS",
    "MAKEFLAGS", "LSAN_OPTIONS", "RUN_BINARY",
};

struct variables {
    size_t count;
    const char *list[STACK_VARIABLES_MAX + 1];
    char text[STACK_VARIABLES_MAX][STACK_VARIABLE_MAX];
};

static struct stack shared;
static const struct stack_plan *shared_plan;

/* The last value of a name wins; "NAME" without a value removes it. */
static void
variables_set(struct variables *variables, const char *variable)
{
    size_t name = strcspn(variable, "=");
    size_t at = 0;

    while (at < variables->count &&
           (strncmp(variables->text[at], variable, name) != 0 ||
            variables->text[at][name] != '='))
        at++;
    if (at == STACK_VARIABLES_MAX || strlen(variable) >= STACK_VARIABLE_MAX) {
        (void)fprintf(stderr, "stack: no room for %s\n", variable);
        exit(EXIT_FAILURE);
    }
    if (variable[name] == '=') {
        (void)snprintf(variables->text[at], STACK_VARIABLE_MAX, "%s", variable);
        if (at == variables->count)
            variables->count++;
    } else if (at < variables->count) {
        variables->count--;
        memmove(variables->text[at], variables->text[variables->count],
                STACK_VARIABLE_MAX);
    }
}

static void __attribute__((format(printf, 2, 3)))
variables_printf(struct variables *variables, const char *format, ...)
{
    char text[STACK_VARIABLE_MAX];
    va_list list;

    va_start(list, format);
    (void)vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    variables_set(variables, text);
}

bool
stack_init(struct stack *stack)
{
    *stack = (struct stack){.port = ports_free(), .metrics_port = ports_free()};
    if (stack->port < 0 || stack->metrics_port < 0 ||
        !files_folder_make(stack->folder))
        return false;
    files_path(stack->run_folder, "%s/run", stack->folder);
    files_path(stack->output, "%s/output", stack->folder);
    files_path(stack->log, "%s/service.log", stack->folder);
    files_path(stack->settings, "%s/settings", stack->folder);
    return files_write(stack->settings, "") &&
           redis_init(&stack->redis, stack->folder, STACK_PASSWORD);
}

/* Returns false if the plan has its own REDIS_URL, or leaves it out. */
static bool
set_url(const struct stack *stack, const struct stack_plan *plan,
        char ret_url[REDIS_URL_MAX])
{
    switch (plan->store) {
    case STACK_REDIS_UNIX:
        redis_url_unix(&stack->redis, ret_url);
        return true;
    case STACK_REDIS_TCP:
    case STACK_REDIS_ABSENT:
        redis_url_tcp(&stack->redis, ret_url);
        return true;
    case STACK_REDIS_PEER:
        (void)snprintf(ret_url, REDIS_URL_MAX, "redis://127.0.0.1:%d",
                       peer_port(stack->peer));
        return true;
    case STACK_URL_GIVEN:
        break;
    }
    return false;
}

/* Starts the store of the plan. */
static bool
start_store(struct stack *stack, const struct stack_plan *plan)
{
    bool is_wanted =
        plan->store != STACK_REDIS_ABSENT && plan->store != STACK_URL_GIVEN;

    if (is_wanted && stack->redis.proc.pid == 0 && !redis_start(&stack->redis))
        return false;
    if (plan->store == STACK_REDIS_PEER)
        stack->peer = peer_start(stack->redis.socket);
    return plan->store != STACK_REDIS_PEER || stack->peer != NULL;
}

static void
set_variables(const struct stack *stack, const struct stack_plan *plan,
              struct variables *variables)
{
    char url[REDIS_URL_MAX];

    variables->count = 0;
    for (size_t i = 0; i < sizeof(inherited) / sizeof(inherited[0]); i++) {
        const char *value = getenv(inherited[i]);

        if (value != NULL)
            variables_printf(variables, "%s=%s", inherited[i], value);
    }
    variables_printf(variables, "HTTP_PORT=%d", stack->port);
    if (stack->metrics_port > 0)
        variables_printf(variables, "METRICS_PORT=%d", stack->metrics_port);
    variables_printf(variables, "RUN_DIR=%s", stack->run_folder);
    variables_printf(variables, "SCORING_LOG_FILE=%s", stack->log);
    /* Otherwise a .env in the checkout, the developer's, would be read. */
    variables_printf(variables, "SCORING_CONFIG_FILE=%s", stack->settings);
    variables_set(variables, "SCORING_WORKERS=2");
    variables_set(variables, STACK_MALLOC);
    variables_printf(variables, "REDIS_PASSWORD=%s", STACK_PASSWORD);
    if (set_url(stack, plan, url))
        variables_printf(variables, "REDIS_URL=%s", url);
    for (size_t i = 0; plan->environment && plan->environment[i] != NULL; i++)
        variables_set(variables, plan->environment[i]);
    for (size_t i = 0; i < variables->count; i++)
        variables->list[i] = variables->text[i];
    variables->list[variables->count] = NULL;
}

bool
stack_launch(struct stack *stack, const struct stack_plan *plan)
{
    static const char *const argv[] = {STACK_SCRIPT, NULL};
    static struct variables variables;
    const struct proc_plan proc_plan = {
        .argv = argv,
        .environment = variables.list,
        .output = stack->output,
        .death_signal = SIGTERM,
    };

    if (!start_store(stack, plan))
        return false;
    set_variables(stack, plan, &variables);
    return proc_start(&stack->proc, &proc_plan);
}

static bool
said_ready(void *arg)
{
    struct stack *stack = arg;
    char *output = files_read(stack->output);
    char line[FILES_PATH_MAX];
    bool is_ready;

    (void)snprintf(line, sizeof(line), "ready: http://127.0.0.1:%d\n",
                   stack->port);
    is_ready = output != NULL && strstr(output, line) != NULL;
    free(output);
    return is_ready || proc_wait(&stack->proc, 0);
}

void
stack_print_output(const struct stack *stack)
{
    char *output = files_read(stack->output);

    (void)printf("the stack did not start: %s\n",
                 output != NULL ? output : "(no output)");
    free(output);
}

bool
stack_is_ready(struct stack *stack, int limit_ms)
{
    return clock_wait(said_ready, stack, limit_ms) &&
           !proc_wait(&stack->proc, 0);
}

/* One try; *ret_again: another program has taken a port meanwhile. */
static bool
start_once(struct stack *stack, const struct stack_plan *plan, bool *ret_again)
{
    char *output;

    if (stack_launch(stack, plan) && stack_is_ready(stack, CLOCK_PATIENCE_MS))
        return true;
    output = files_read(stack->output);
    *ret_again = output != NULL && strstr(output, "in use") != NULL;
    free(output);
    stack_print_output(stack);
    (void)proc_stop(&stack->proc);
    stack_discard(stack);
    return false;
}

bool
stack_start(struct stack *stack, const struct stack_plan *plan)
{
    bool again = true;

    for (int i = 0; i < STACK_TRIES && again; i++) {
        again = false;
        if (stack_init(stack) && start_once(stack, plan, &again))
            return true;
    }
    return false;
}

bool
stack_stop(struct stack *stack)
{
    bool is_in_order = proc_stop(&stack->proc);
    size_t orphans = proc_end_orphans();

    if (!is_in_order || proc_exit_status(&stack->proc) != 0)
        (void)printf("run.sh did not end in order: status %d\n",
                     stack->proc.status);
    is_in_order = is_in_order && proc_exit_status(&stack->proc) == 0;
    stack_discard(stack);
    return is_in_order && orphans == 0;
}

void
stack_expect_refused(struct stack *stack, const char *words)
{
    char *output;

    CU_ASSERT_TRUE(proc_wait(&stack->proc, CLOCK_PATIENCE_MS));
    CU_ASSERT_TRUE(proc_exit_status(&stack->proc) > 0);
    CU_ASSERT_EQUAL(proc_end_orphans(), 0);
    output = files_read(stack->output);
    CU_ASSERT_PTR_NOT_NULL_FATAL(output);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, words));
    CU_ASSERT_PTR_NULL(strstr(output, "ready:"));
    if (strstr(output, words) == NULL)
        (void)printf("no \"%s\" in: %s\n", words, output);
    free(output);
}

void
stack_discard(struct stack *stack)
{
    proc_kill(&stack->proc);
    peer_stop(stack->peer);
    stack->peer = NULL;
    redis_kill(&stack->redis);
    (void)proc_end_orphans();
    files_folder_remove(stack->folder);
}

struct stack *
stack_shared(const struct stack_plan *plan)
{
    if (shared_plan != plan) {
        CU_ASSERT_TRUE(stack_shared_end());
        if (!stack_start(&shared, plan))
            CU_FAIL_FATAL("the stack does not start");
        shared_plan = plan;
    }
    return &shared;
}

bool
stack_shared_end(void)
{
    if (shared_plan == NULL)
        return true;
    shared_plan = NULL;
    return stack_stop(&shared);
}

pid_t
stack_parent(const struct stack *stack)
{
    struct proc_found found = proc_find_masters(stack->proc.pid, "scoring");

    return found.count == 1 ? found.pid[0] : 0;
}

struct proc_found
stack_workers(const struct stack *stack)
{
    return proc_find_workers(stack->proc.pid, "scoring");
}

/* Never signals process 0, which would be the tests' own process group. */
struct replacement {
    const struct stack *stack;
    const struct proc_found *before;
    size_t workers;
};

static bool
is_replaced(void *arg)
{
    const struct replacement *wanted = arg;
    const struct proc_found now = stack_workers(wanted->stack);

    for (size_t i = 0; i < now.count; i++) {
        for (size_t j = 0; j < wanted->before->count; j++) {
            if (now.pid[i] == wanted->before->pid[j])
                return false;
        }
    }
    return now.count == wanted->workers;
}

bool
stack_wait_replaced(const struct stack *stack, const struct proc_found *before,
                    size_t workers)
{
    struct replacement wanted = {stack, before, workers};

    return clock_wait(is_replaced, &wanted, CLOCK_PATIENCE_MS);
}

bool
stack_signal(const struct stack *stack, int number)
{
    pid_t parent = stack_parent(stack);

    return parent > 0 && kill(parent, number) == 0;
}

char *
stack_metrics(const struct stack *stack)
{
    const struct http_request request = {.verb = "GET", .path = "/metrics"};
    struct http *http = http_open(stack->metrics_port);
    struct http_answer answer;
    char *text;

    if (http == NULL)
        return NULL;
    answer = http_send(http, &request);
    text = answer.status == 200 ? strdup(answer.body) : NULL;
    http_answer_free(&answer);
    http_close(http);
    return text;
}

double
stack_metric_in(const char *metrics, const char *sample)
{
    size_t length = strlen(sample);

    for (const char *at = metrics; (at = strstr(at, sample)) != NULL; at++) {
        if ((at == metrics || at[-1] == '\n') && at[length] == ' ')
            return strtod(at + length, NULL);
    }
    return -1;
}

double
stack_metric(const struct stack *stack, const char *sample)
{
    char *metrics = stack_metrics(stack);
    double value = metrics != NULL ? stack_metric_in(metrics, sample) : -1;

    free(metrics);
    return value;
}

size_t
stack_log_count(const struct stack *stack, const char *pattern)
{
    char *log = files_read(stack->log);
    size_t count = log != NULL ? expect_count_lines(log, pattern) : 0;

    free(log);
    return count;
}

struct log_search {
    const struct stack *stack;
    const char *pattern;
    size_t count;
};

static bool
has_lines(void *arg)
{
    const struct log_search *search = arg;

    return stack_log_count(search->stack, search->pattern) >= search->count;
}

bool
stack_log_wait(const struct stack *stack, const char *pattern, size_t count)
{
    struct log_search search = {stack, pattern, count};

    return clock_wait(has_lines, &search, CLOCK_PATIENCE_MS);
}
