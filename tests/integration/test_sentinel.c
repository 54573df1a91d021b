/*
 * The service on a master, two replicas and three sentinels, in short: it
 * follows a planned failover and the death of a master, and reports a server
 * that should be a master but is not. `make sentinel` tests all of it, under
 * load. Source: docs/protocol.md, S21.
 */
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support/cases.h"
#include "support/clock.h"
#include "support/http.h"
#include "support/ports.h"
#include "support/request.h"
#include "support/stack.h"

#define DATA      3
#define SENTINELS 3
#define PAUSE_MS  10

#define VALUE     "[\"books\"]"
#define INTERESTS "{\"code\": 200, \"response\": {\"7\": [\"books\"]}}"
#define SCORE     "{\"code\": 200, \"response\": {\"score\": 3.0}}"

struct sentinel {
    int port;
    char folder[FILES_PATH_MAX];
    struct proc proc;
};

static struct group {
    char folder[FILES_PATH_MAX];
    struct redis data[DATA];
    struct sentinel sentinels[SENTINELS];
    bool is_started;
} group;

static redisReply *
ask_sentinel(const struct sentinel *sentinel, const char *command)
{
    static const struct timeval limit = {1, 0};
    redisContext *context =
        redisConnectWithTimeout("127.0.0.1", sentinel->port, limit);
    redisReply *reply = NULL;

    if (context != NULL && context->err == 0)
        reply = redisCommand(context, command);
    redisFree(context);
    return reply;
}

/* The port of the master that a sentinel names; 0: none. */
static int
master_port(const struct sentinel *sentinel)
{
    redisReply *reply =
        ask_sentinel(sentinel, "SENTINEL GET-MASTER-ADDR-BY-NAME m");
    int port = 0;

    if (reply != NULL && reply->type == REDIS_REPLY_ARRAY)
        port = atoi(reply->element[1]->str);
    freeReplyObject(reply);
    return port;
}

static bool
has_value(const redisReply *pairs, const char *name, const char *value)
{
    for (size_t i = 0; i + 1 < pairs->elements; i += 2)
        if (strcmp(pairs->element[i]->str, name) == 0)
            return strcmp(pairs->element[i + 1]->str, value) == 0;
    return false;
}

/* Each sentinel knows both replicas and the two others. */
static bool
is_agreed(void *arg)
{
    bool is_so = true;

    (void)arg;
    for (int i = 0; i < SENTINELS && is_so; i++) {
        redisReply *reply =
            ask_sentinel(&group.sentinels[i], "SENTINEL MASTER m");

        is_so = reply != NULL && reply->type == REDIS_REPLY_ARRAY &&
                has_value(reply, "num-other-sentinels", "2") &&
                has_value(reply, "num-slaves", "2") &&
                has_value(reply, "flags", "master");
        freeReplyObject(reply);
    }
    return is_so;
}

static void
start_data(int i)
{
    char folder[FILES_PATH_MAX], lines[256];
    struct redis *redis = &group.data[i];

    files_path(folder, "%s/data%d", group.folder, i);
    CU_ASSERT_FATAL(mkdir(folder, 0700) == 0 &&
                    redis_init(redis, folder, STACK_PASSWORD));
    (void)snprintf(lines, sizeof(lines),
                   "repl-diskless-sync-delay 0\nmasterauth %s\n",
                   STACK_PASSWORD);
    CU_ASSERT_FATAL(redis_configure(redis, lines));
    (void)snprintf(lines, sizeof(lines), "replicaof 127.0.0.1 %d\n",
                   group.data[0].port);
    CU_ASSERT_FATAL((i == 0 || redis_configure(redis, lines)) &&
                    redis_start(redis));
}

static void
start_sentinel(int i)
{
    struct sentinel *sentinel = &group.sentinels[i];
    char path[FILES_PATH_MAX], output[FILES_PATH_MAX], text[512];
    const char *const argv[] = {"redis-server", path, "--sentinel", NULL};
    const struct proc_plan plan = {
        .argv = argv, .output = output, .death_signal = SIGKILL};

    sentinel->port = ports_free();
    files_path(path, "%s/sentinel%d.conf", group.folder, i);
    files_path(output, "%s/sentinel%d.log", group.folder, i);
    (void)snprintf(text, sizeof(text),
                   "bind 127.0.0.1\nport %d\ndir %s\n"
                   "sentinel monitor m 127.0.0.1 %d 2\n"
                   "sentinel down-after-milliseconds m 1000\n"
                   "sentinel failover-timeout m 3000\n"
                   "sentinel auth-pass m %s\n",
                   sentinel->port, group.folder, group.data[0].port,
                   STACK_PASSWORD);
    CU_ASSERT_FATAL(files_write(path, text) &&
                    proc_start(&sentinel->proc, &plan));
}

static void
group_start(void)
{
    group = (struct group){.is_started = true};
    CU_ASSERT_FATAL(files_folder_make(group.folder));
    for (int i = 0; i < DATA; i++)
        start_data(i);
    for (int i = 0; i < SENTINELS; i++)
        start_sentinel(i);
    CU_ASSERT_FATAL(clock_wait(is_agreed, NULL, CLOCK_PATIENCE_MS));
    CU_ASSERT_FATAL(redis_do(&group.data[0], "SET i:7 %s", VALUE));
}

static void
group_end(void)
{
    for (int i = 0; i < SENTINELS; i++)
        proc_kill(&group.sentinels[i].proc);
    for (int i = 0; i < DATA; i++)
        redis_kill(&group.data[i]);
    files_folder_remove(group.folder);
}

static struct redis *
data_of(int port)
{
    for (int i = 0; i < DATA; i++)
        if (group.data[i].port == port)
            return &group.data[i];
    return NULL;
}

/* The service. */

static void
stack_use(struct stack *stack, const char *url)
{
    static char setting[256];
    static const char *const environment[] = {setting, "SCORING_WORKERS=2",
                                              NULL};
    static const struct stack_plan plan = {.store = STACK_URL_GIVEN,
                                           .environment = environment};

    (void)snprintf(setting, sizeof(setting), "REDIS_URL=%s", url);
    CU_ASSERT_FATAL(stack_init(stack) && stack_start(stack, &plan));
}

static int
post(const struct stack *stack, char *body, const char *want)
{
    struct http *http = http_open(stack->port);
    struct http_answer answer;
    int status;

    CU_ASSERT_PTR_NOT_NULL_FATAL(http);
    answer = http_post(http, body);
    status = answer.status;
    if (status == 200)
        CU_ASSERT_STRING_EQUAL(answer.body, want);
    http_answer_free(&answer);
    http_close(http);
    free(body);
    return status;
}

static int
ask_score(const struct stack *stack)
{
    return post(stack, request_score(REQUEST_PERSON), SCORE);
}

static int
ask_interests(const struct stack *stack)
{
    return post(stack, request_interests("{\"client_ids\": [7]}"), INTERESTS);
}

/* Requests that are sent meanwhile: all scores are right, and so many interests
 * are not. */
struct watch {
    const struct stack *stack;
    const char *until; /* the log says so */
    size_t times;
    int unavailable;
};

static bool
is_logged(void *arg)
{
    struct watch *watch = arg;
    int status = ask_interests(watch->stack);

    CU_ASSERT_EQUAL(ask_score(watch->stack), 200);
    CU_ASSERT(status == 200 || status == 503);
    watch->unavailable += status == 503;
    clock_sleep_ms(PAUSE_MS);
    return stack_log_count(watch->stack, watch->until) >= watch->times;
}

static bool
is_served(void *arg)
{
    return ask_interests(arg) == 200;
}

static void
check_role(const struct stack *stack)
{
    const struct http_request request = {.verb = "GET", .path = "/readyz"};
    struct http *http = http_open(stack->port);
    struct http_answer answer;

    CU_ASSERT_PTR_NOT_NULL_FATAL(http);
    answer = http_send(http, &request);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer.body, "\"role\": \"master\""));
    http_answer_free(&answer);
    http_close(http);
}

static bool
has_all_sentinels(void *arg)
{
    return stack_metric(arg, "scoring_store_sentinels_reachable") == SENTINELS;
}

static void
fail_over(struct stack *stack)
{
    struct watch watch = {stack, "the store's master is now", 1, 0};

    freeReplyObject(ask_sentinel(&group.sentinels[0], "SENTINEL FAILOVER m"));
    CU_ASSERT(clock_wait(is_logged, &watch, CLOCK_PATIENCE_MS));
    CU_ASSERT(clock_wait(is_served, stack, 0));
    CU_ASSERT_EQUAL(watch.unavailable, 0);
    CU_ASSERT_EQUAL(stack_log_count(stack, "the store is down"), 0);
}

/* Waits until the sentinels agree, so that they can replace the master. */
static void
kill_master(struct stack *stack)
{
    struct watch watch = {stack, "the store's master is now", 2, 0};
    struct redis *master = data_of(master_port(&group.sentinels[0]));

    CU_ASSERT_PTR_NOT_NULL_FATAL(master);
    redis_kill(master);
    CU_ASSERT(clock_wait(is_logged, &watch, CLOCK_PATIENCE_MS));
    CU_ASSERT(clock_wait(is_served, stack, CLOCK_PATIENCE_MS));
    CU_ASSERT(watch.unavailable > 0);
    CU_ASSERT_EQUAL(stack_log_count(stack, "E the store is down"), 1);
}

/* Each switch is a line. */
static void
check_switches(const struct stack *stack)
{
    CU_ASSERT_EQUAL(
        stack_metric(stack, "scoring_store_master_switches_total"),
        (double)stack_log_count(stack, "the store's master is now"));
}

TEST_SINGLE(follow, "a planned failover costs no request, a death few")
{
    char url[256];
    struct stack stack;

    group_start();
    (void)snprintf(url, sizeof(url),
                   "redis+sentinel://127.0.0.1:%d,127.0.0.1:%d/m",
                   group.sentinels[0].port, group.sentinels[1].port);
    stack_use(&stack, url);
    CU_ASSERT(clock_wait(is_served, &stack, CLOCK_PATIENCE_MS));
    check_role(&stack);
    CU_ASSERT_EQUAL(stack_log_count(&stack, "the store's master is 127"), 1);
    CU_ASSERT(clock_wait(has_all_sentinels, &stack, CLOCK_PATIENCE_MS));
    check_switches(&stack);
    fail_over(&stack);
    check_switches(&stack);
    kill_master(&stack);
    check_switches(&stack);
    CU_ASSERT_TRUE(stack_stop(&stack));
    group_end();
}

/* Servers that a redis:// URL must not name. */
struct wrong_case {
    const char *name;
    const char *settings, *option; /* of the server */
    const char *told;              /* in the log, once */
};

static const struct wrong_case wrong_rows[] = {
    {"a replica", "replicaof 127.0.0.1 1\n", NULL,
     "the server is a replica, not the master"},
    {"a node of a cluster", "cluster-enabled yes\n", NULL,
     "the server is a node of a cluster"},
    {"a sentinel", "sentinel monitor m 127.0.0.1 1 1\n", "--sentinel",
     "the server is a sentinel"},
};

TEST_CASES(wrong, struct wrong_case, wrong_rows)
{
    char folder[FILES_PATH_MAX], path[FILES_PATH_MAX], output[FILES_PATH_MAX];
    char text[512], url[64];
    const char *const argv[] = {"redis-server", path, c->option, NULL};
    const struct proc_plan plan = {
        .argv = argv, .output = output, .death_signal = SIGKILL};
    const int port = ports_free();
    struct watch watch;
    struct stack stack;
    struct proc proc;

    CU_ASSERT_FATAL(files_folder_make(folder));
    files_path(path, "%s/redis.conf", folder);
    files_path(output, "%s/log", folder);
    (void)snprintf(text, sizeof(text), "bind 127.0.0.1\nport %d\ndir %s\n%s",
                   port, folder, c->settings);
    CU_ASSERT_FATAL(files_write(path, text) && proc_start(&proc, &plan));
    (void)snprintf(url, sizeof(url), "redis://127.0.0.1:%d/0", port);
    stack_use(&stack, url);
    watch = (struct watch){&stack, c->told, 1, 0};
    CU_ASSERT(clock_wait(is_logged, &watch, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(ask_interests(&stack), 503);
    CU_ASSERT_EQUAL(ask_score(&stack), 200);
    CU_ASSERT_EQUAL(stack_log_count(&stack, c->told), 1);
    CU_ASSERT_TRUE(stack_stop(&stack));
    proc_kill(&proc);
    files_folder_remove(folder);
}

TEST_SUITE(.parts = 2);
