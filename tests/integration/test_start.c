/*
 * Starting and stopping the stack, and what may happen meanwhile: invalid
 * settings, places in use, signals, and processes that die. Source:
 * docs/protocol.md, S24 and S26.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/cases.h"
#include "support/clock.h"
#include "support/expect.h"
#include "support/load.h"
#include "support/ports.h"
#include "support/request.h"
#include "support/stack.h"
#include "support/token.h"

#define WORKERS    2
#define IDLE_COUNT 100
#define CALLERS    8

/* Half of what run.sh waits for each program that does not end. */
#define EARLY_END_MS 7500

static const struct stack_plan plan = {.store = STACK_REDIS_TCP};
static const struct stack_plan given = {.store = STACK_URL_GIVEN};

/* Checks that a start that was refused has printed one line. */
static void
check_one_line(const struct stack *stack)
{
    char *output = files_read(stack->output);

    CU_ASSERT_PTR_NOT_NULL_FATAL(output);
    CU_ASSERT_EQUAL(expect_count_lines(output, "."), 1);
    free(output);
}

/* A wrong setting is named, in one line. */
struct setting_case {
    const char *name, *variable, *words;
};

static const struct setting_case setting_rows[] = {
    {"port no number", "HTTP_PORT=abc", "HTTP_PORT"},
    {"port 0", "HTTP_PORT=0", "HTTP_PORT"},
    {"port 65536", "HTTP_PORT=65536", "HTTP_PORT"},
    {"metrics port no number", "METRICS_PORT=abc", "METRICS_PORT"},
    {"metrics port 0", "METRICS_PORT=0", "METRICS_PORT"},
    {"metrics port 65536", "METRICS_PORT=65536", "METRICS_PORT"},
    {"HTTPS port no number", "HTTPS_PORT=abc", "HTTPS_PORT"},
    {"certificate without a key", "TLS_CERTIFICATE=/nonexistent/a", "TLS_KEY"},
    {"key without a certificate", "TLS_KEY=/nonexistent/a", "TLS_CERTIFICATE"},
    {"no address", "HTTP_ADDRESS=localhost", "HTTP_ADDRESS"},
    {"no network", "TRUSTED_PROXIES=10.0.0.0/33", "TRUSTED_PROXIES"},
    {"workers no number", "SCORING_WORKERS=abc", "SCORING_WORKERS"},
    {"workers 0", "SCORING_WORKERS=0", "SCORING_WORKERS"},
    {"attempts 0", "SCORING_STORE_ATTEMPTS=0", "SCORING_STORE_ATTEMPTS"},
    {"negative grace", "SCORING_ADMIN_GRACE_S=-1", "SCORING_ADMIN_GRACE_S"},
    {"deadline with a unit", "SCORING_STORE_DEADLINE_MS=1s",
     "SCORING_STORE_DEADLINE_MS"},
    {"body size no number", "SCORING_MAX_BODY_BYTES=1M",
     "SCORING_MAX_BODY_BYTES"},
    {"empty salt", "SCORING_SALT=", "SCORING_SALT"},
    {"empty salt in a list", "SCORING_SALT=a,,b", "SCORING_SALT"},
    {"salt file missing", "SCORING_SALT_FILE=/nonexistent/salt",
     "SCORING_SALT_FILE"},
    {"password file missing", "REDIS_PASSWORD_FILE=/nonexistent/password",
     "REDIS_PASSWORD_FILE"},
    {"settings file missing", "SCORING_CONFIG_FILE=/nonexistent/env",
     "SCORING_CONFIG_FILE"},
    {"log format", "SCORING_LOG_FORMAT=xml", "SCORING_LOG_FORMAT"},
    {"log level", "SCORING_LOG_LEVEL=debug", "SCORING_LOG_LEVEL"},
    {"log file", "SCORING_LOG_FILE=/nonexistent/log", "/nonexistent/log"},
    {"log file is a folder", "SCORING_LOG_FILE=/tmp", "SCORING_LOG_FILE: /tmp"},
    {"URL of another kind", "REDIS_URL=http://127.0.0.1/", "REDIS_URL"},
    {"URL with a bad port", "REDIS_URL=redis://127.0.0.1:0", "REDIS_URL"},
    {"unknown name", "SCORING_WORKER=2", "SCORING_WORKER"},
    {"unknown name in capitals only", "SCORING_salt=x", "SCORING_salt"},
};

TEST_CASES(setting, struct setting_case, setting_rows)
{
    const char *const environment[] = {c->variable, NULL};
    const struct stack_plan wrong = {.store = STACK_REDIS_ABSENT,
                                     .environment = environment};
    struct stack stack;

    CU_ASSERT_TRUE_FATAL(stack_init(&stack));
    CU_ASSERT_TRUE(stack_launch(&stack, &wrong));
    stack_expect_refused(&stack, c->words);
    check_one_line(&stack);
    stack_discard(&stack);
}

TEST_SINGLE(all_mistakes, "are told at once")
{
    static const char *const environment[] = {
        "SCORING_WORKERS=x", "SCORING_LOG_LEVEL=x", "SCORING_X=x", NULL};
    static const struct stack_plan wrong = {.store = STACK_REDIS_ABSENT,
                                            .environment = environment};
    struct stack stack;

    CU_ASSERT_TRUE_FATAL(stack_init(&stack));
    CU_ASSERT_TRUE(stack_launch(&stack, &wrong));
    stack_expect_refused(&stack, "SCORING_WORKERS");
    stack_expect_refused(&stack, "SCORING_LOG_LEVEL");
    stack_expect_refused(&stack, "SCORING_X");
    stack_discard(&stack);
}

/* A folder with links to all programs of another one, but one. */
static bool
link_programs(const char *from, const char *to, const char *but)
{
    DIR *folder = opendir(from);
    const struct dirent *item;
    bool is_whole = true;

    if (folder == NULL || mkdir(to, 0700) != 0)
        return false;
    while ((item = readdir(folder)) != NULL) {
        char target[FILES_PATH_MAX], link[FILES_PATH_MAX];

        if (item->d_name[0] == '.' || strcmp(item->d_name, but) == 0)
            continue;
        files_path(target, "%s/%s", from, item->d_name);
        files_path(link, "%s/%s", to, item->d_name);
        is_whole = symlink(target, link) == 0 && is_whole;
    }
    return closedir(folder) == 0 && is_whole;
}

TEST_SINGLE(program, "is missing")
{
    char programs[FILES_PATH_MAX], variable[FILES_PATH_MAX];
    const char *const environment[] = {variable, NULL};
    const struct stack_plan hidden = {.store = STACK_REDIS_ABSENT,
                                      .environment = environment};
    struct stack stack;

    CU_ASSERT_TRUE_FATAL(stack_init(&stack));
    files_path(programs, "%s/bin", stack.folder);
    files_path(variable, "PATH=%s", programs);
    CU_ASSERT_TRUE(link_programs("/usr/bin", programs, "spawn-fcgi"));
    CU_ASSERT_TRUE(stack_launch(&stack, &hidden));
    stack_expect_refused(&stack, "spawn-fcgi");
    stack_discard(&stack);
}

TEST_SINGLE(port, "is in use")
{
    struct stack stack;
    char words[64];
    int fd;

    CU_ASSERT_TRUE_FATAL(stack_init(&stack));
    fd = ports_listen(&stack.port);
    (void)snprintf(words, sizeof(words), "HTTP_PORT: %d: ", stack.port);
    CU_ASSERT_TRUE(stack_launch(&stack, &plan));
    stack_expect_refused(&stack, words);
    (void)close(fd);
    stack_discard(&stack);
}

TEST_SINGLE(metrics_port, "is in use")
{
    struct stack stack;
    int fd;

    CU_ASSERT_TRUE_FATAL(stack_init(&stack));
    fd = ports_listen(&stack.metrics_port);
    CU_ASSERT_TRUE(stack_launch(&stack, &plan));
    stack_expect_refused(&stack, "METRICS_PORT");
    (void)close(fd);
    stack_discard(&stack);
}

/* The default of METRICS_PORT is the port after HTTP_PORT. */
TEST_SINGLE(metrics_port_default,
            "is in use, and that keeps nothing from starting")
{
    struct stack stack;
    int fd, taken;

    CU_ASSERT_TRUE_FATAL(stack_init(&stack));
    /* If this cannot have it either, somebody else does. */
    fd = ports_listen_at(stack.port + 1, &taken);
    stack.metrics_port = 0;
    CU_ASSERT_TRUE(stack_launch(&stack, &plan));
    CU_ASSERT_TRUE(stack_is_ready(&stack, CLOCK_PATIENCE_MS));
    if (fd >= 0)
        (void)close(fd);
    stack_discard(&stack);
}

TEST_SINGLE(same_port, "for both is refused")
{
    struct stack stack;

    CU_ASSERT_TRUE_FATAL(stack_init(&stack));
    stack.metrics_port = stack.port;
    CU_ASSERT_TRUE(stack_launch(&stack, &plan));
    stack_expect_refused(&stack, "METRICS_PORT");
    stack_discard(&stack);
}

/* Places that cannot be: below a file, too deep for a socket. */
TEST_SINGLE(run_folder_file, "is below a file")
{
    struct stack stack;

    CU_ASSERT_TRUE_FATAL(stack_init(&stack));
    files_path(stack.run_folder, "%s/run", stack.settings);
    CU_ASSERT_TRUE(stack_launch(&stack, &plan));
    stack_expect_refused(&stack, "RUN_DIR");
    stack_discard(&stack);
}

TEST_SINGLE(run_folder_long, "is too long for a socket")
{
    static const char ten[] = "0123456789";
    struct stack stack;

    CU_ASSERT_TRUE_FATAL(stack_init(&stack));
    files_path(stack.run_folder, "%s/%s%s%s%s%s%s%s%s%s", stack.folder, ten,
               ten, ten, ten, ten, ten, ten, ten, ten);
    CU_ASSERT_TRUE(stack_launch(&stack, &plan));
    stack_expect_refused(&stack, "RUN_DIR");
    stack_discard(&stack);
}

TEST_SINGLE(run_folder_quote, "has a name that settings cannot hold")
{
    struct stack stack;

    CU_ASSERT_TRUE_FATAL(stack_init(&stack));
    files_path(stack.run_folder, "%s/a\"b", stack.folder);
    CU_ASSERT_TRUE(stack_launch(&stack, &plan));
    stack_expect_refused(&stack, "RUN_DIR: ");
    stack_discard(&stack);
}

/* As below a checkout whose path has them; with a Redis of its own there. */
TEST_SINGLE(run_folder_space, "has spaces, signs and letters beyond ASCII")
{
    static const char *const environment[] = {NULL};
    static const struct stack_plan private_redis = {.store = STACK_URL_GIVEN,
                                                    .environment = environment};
    struct http_answer answer;
    struct stack stack;

    CU_ASSERT_TRUE_FATAL(stack_init(&stack));
    files_path(stack.run_folder, "%s/a b; \xc3\xa9 '{1}'&", stack.folder);
    CU_ASSERT_TRUE(stack_launch(&stack, &private_redis));
    CU_ASSERT_TRUE_FATAL(stack_is_ready(&stack, CLOCK_PATIENCE_MS));
    answer = expect_post(stack.port, request_score(REQUEST_NAMES));
    expect_score(&answer, 0.5);
    http_answer_free(&answer);
    CU_ASSERT_TRUE(stack_stop(&stack));
    stack_discard(&stack);
}

TEST_SINGLE(run_folder_taken, "by another stack, which goes on")
{
    struct stack *first = stack_shared(&plan);
    struct stack second;
    struct http_answer answer;

    CU_ASSERT_TRUE_FATAL(stack_init(&second));
    files_path(second.run_folder, "%s", first->run_folder);
    CU_ASSERT_TRUE(stack_launch(&second, &plan));
    stack_expect_refused(&second, "RUN_DIR");
    stack_discard(&second);
    answer = expect_post(first->port, request_score(REQUEST_NAMES));
    expect_score(&answer, 0.5);
    http_answer_free(&answer);
}

/* Only owner and group may use the FastCGI socket. */
TEST_SINGLE(socket_mode, "is 0660, in a private folder")
{
    const struct stack *stack = stack_shared(&plan);
    struct stat status = {0};
    char path[FILES_PATH_MAX];

    files_path(path, "%s/scoring.sock", stack->run_folder);
    CU_ASSERT_EQUAL(stat(path, &status), 0);
    CU_ASSERT_TRUE(S_ISSOCK(status.st_mode));
    CU_ASSERT_EQUAL(status.st_mode & 0777, 0660);
    CU_ASSERT_EQUAL(stat(stack->run_folder, &status), 0);
    CU_ASSERT_EQUAL(status.st_mode & 0077, 0);
}

/* Idle kept connections bind no worker. */
TEST_SINGLE(idle, "connections do not stand in the way")
{
    const struct stack *stack = stack_shared(&plan);
    struct http *idle[IDLE_COUNT];
    struct http_answer answer;

    for (size_t i = 0; i < IDLE_COUNT; i++) {
        idle[i] = http_open(stack->port);
        CU_ASSERT_PTR_NOT_NULL_FATAL(idle[i]);
        answer = http_post(idle[i], "{}");
        expect_error(&answer, 422, NULL);
        http_answer_free(&answer);
    }
    for (size_t i = 0; i < IDLE_COUNT; i++) {
        answer = expect_post(stack->port, request_score(REQUEST_NAMES));
        expect_score(&answer, 0.5);
        CU_ASSERT_TRUE(answer.seconds < 1.0);
        http_answer_free(&answer);
    }
    for (size_t i = 0; i < IDLE_COUNT; i++)
        http_close(idle[i]);
}

/* Load of scores while something is done to the service. */
static struct load *
begin_load(const struct stack *stack, const char *request)
{
    const struct load_plan scores = {.port = stack->port,
                                     .body = request,
                                     .is_right = load_is_three,
                                     .callers = 4};
    struct load *load = load_start(&scores);

    CU_ASSERT_PTR_NOT_NULL_FATAL(load);
    clock_sleep_ms(100);
    return load;
}

static void
end_load(struct load *load)
{
    clock_sleep_ms(100);
    load_expect(load_stop(load), "scores");
}

TEST_SINGLE(worker_killed, "is replaced, and no request is lost")
{
    const struct stack *stack = stack_shared(&plan);
    char *request = request_score(REQUEST_PERSON);
    struct proc_found before;
    struct load *load;

    clock_sleep_ms(1200); /* one that dies young waits for its successor */
    before = stack_workers(stack);
    CU_ASSERT_EQUAL(before.count, WORKERS);
    load = begin_load(stack, request);
    for (size_t i = 0; i < before.count; i++) {
        CU_ASSERT_EQUAL(kill(before.pid[i], SIGKILL), 0);
        clock_sleep_ms(50);
    }
    CU_ASSERT_TRUE(stack_wait_replaced(stack, &before, WORKERS));
    end_load(load);
    CU_ASSERT_TRUE(stack_log_count(stack, "\\] E .*worker .*KILL") >= WORKERS);
    free(request);
}

/* SIGHUP: other salts, under load; then broken settings, which change nothing.
 */
static void
reload(const struct stack *stack, const char *settings)
{
    CU_ASSERT_TRUE(files_write(stack->settings, settings));
    CU_ASSERT_TRUE(stack_signal(stack, SIGHUP));
}

static void
check_salts(const struct stack *stack, const char *good, const char *bad)
{
    for (int i = 0; i < 2 * WORKERS; i++) {
        struct http_answer answer =
            expect_post(stack->port, request_salted(good));

        expect_score(&answer, 0.5);
        http_answer_free(&answer);
        answer = expect_post(stack->port, request_salted(bad));
        expect_error_text(&answer, 403, "Forbidden");
        http_answer_free(&answer);
    }
}

TEST_SINGLE(reloaded, "settings change, and no request is lost")
{
    const struct stack *stack = stack_shared(&plan);
    const struct proc_found before = stack_workers(stack);
    char *request = request_score(REQUEST_PERSON);
    struct load *load = begin_load(stack, request);

    reload(stack, "SCORING_SALT=Otus,fresh\n");
    CU_ASSERT_TRUE(stack_wait_replaced(stack, &before, WORKERS));
    end_load(load);
    check_salts(stack, "fresh", "stale");

    reload(stack, "SCORING_SALT=stale\nSCORING_LOG_LEVEL=many\n");
    CU_ASSERT_TRUE(stack_log_wait(stack, "\\] E .*SCORING_LOG_LEVEL", 1));
    check_salts(stack, "fresh", "stale");
    free(request);
}

#define POSTED ((size_t)4 * WORKERS) /* so that each worker has some */

static void
post_some(const struct stack *stack, const char *request, int code)
{
    for (size_t i = 0; i < POSTED; i++) {
        struct http_answer answer = expect_post(stack->port, strdup(request));

        CU_ASSERT_EQUAL(answer.status, code);
        http_answer_free(&answer);
    }
}

TEST_SINGLE(requests_logged, "are those that the settings say, also anew")
{
    const struct stack *stack = stack_shared(&plan);
    struct proc_found before = stack_workers(stack);
    char *request = request_score(REQUEST_PERSON);
    size_t good, bad = stack_log_count(stack, " code=422 ");

    reload(stack, "SCORING_SALT=Otus,fresh\nSCORING_LOG_REQUESTS=errors\n");
    CU_ASSERT_TRUE(stack_wait_replaced(stack, &before, WORKERS));
    good = stack_log_count(stack, " code=200 ");
    post_some(stack, request, 200);
    post_some(stack, "{}", 422);
    CU_ASSERT_TRUE(stack_log_wait(stack, " code=422 ", bad + POSTED));
    CU_ASSERT_EQUAL(stack_log_count(stack, " code=200 "), good);

    before = stack_workers(stack);
    reload(stack, "SCORING_SALT=Otus,fresh\n");
    CU_ASSERT_TRUE(stack_wait_replaced(stack, &before, WORKERS));
    post_some(stack, request, 200);
    CU_ASSERT_TRUE(stack_log_wait(stack, " code=200 ", good + POSTED));
    free(request);
}

/* Two stacks side by side, each with salt and store of its own. */
TEST_SINGLE(two_stacks, "do not disturb each other")
{
    static const char *const environment[] = {"SCORING_SALT=second", NULL};
    static const struct stack_plan second_plan = {.store = STACK_REDIS_UNIX,
                                                  .environment = environment};
    const struct stack *first = stack_shared(&plan);
    struct http_answer answer;
    struct stack second;

    CU_ASSERT_TRUE_FATAL(stack_start(&second, &second_plan));
    check_salts(&second, "second", TOKEN_SALT);
    check_salts(first, TOKEN_SALT, "second");
    CU_ASSERT_TRUE(stack_stop(&second));
    answer = expect_post(first->port, request_score(REQUEST_NAMES));
    expect_score(&answer, 0.5);
    http_answer_free(&answer);
}

/* Without REDIS_URL the stack has a Redis of its own, with the password. */
static redisReply *
private_redis(const struct stack *stack, const char *password)
{
    struct redis redis = stack->redis;

    files_path(redis.socket, "%s/redis/redis.sock", stack->run_folder);
    (void)snprintf(redis.password, sizeof(redis.password), "%s", password);
    return redis_run(&redis, "SET i:1 []");
}

TEST_SINGLE(private_store, "has a password and serves both methods")
{
    struct stack stack;
    struct http_answer answer;
    redisReply *reply;

    CU_ASSERT_TRUE_FATAL(stack_start(&stack, &given));
    answer = expect_post(stack.port, request_score(REQUEST_PERSON));
    expect_score(&answer, 3.0);
    http_answer_free(&answer);
    answer = expect_post(stack.port, request_interests(REQUEST_IDS));
    expect_response(&answer, "{\"1\": [], \"2\": []}");
    http_answer_free(&answer);
    reply = private_redis(&stack, STACK_PASSWORD);
    CU_ASSERT_TRUE(reply != NULL && reply->type == REDIS_REPLY_STATUS);
    freeReplyObject(reply);
    reply = private_redis(&stack, "");
    CU_ASSERT_TRUE(reply != NULL && reply->type == REDIS_REPLY_ERROR);
    freeReplyObject(reply);
    CU_ASSERT_TRUE(stack_stop(&stack));
}

/* The log goes to standard output unless a file is named. */
TEST_SINGLE(log_output, "is standard output by default")
{
    static const char *const environment[] = {"SCORING_LOG_FILE", NULL};
    static const struct stack_plan no_file = {.store = STACK_REDIS_TCP,
                                              .environment = environment};
    struct http_answer answer;
    struct stack stack;

    CU_ASSERT_TRUE_FATAL(stack_start(&stack, &no_file));
    files_path(stack.log, "%s", stack.output);
    answer = expect_post(stack.port, strdup("{}"));
    http_answer_free(&answer);
    CU_ASSERT_TRUE(
        stack_log_wait(&stack, "^\\[.*\\] I request id=.*code=422", 1));
    CU_ASSERT_TRUE(stack_log_wait(
        &stack,
        "\\. Logs: the service, this output; nginx, /.*; Redis, not started "
        "here$",
        1));
    CU_ASSERT_TRUE(stack_stop(&stack));
}

/* Requests that are pending at the end get their answers. */
static bool
is_interests(const struct http_answer *answer)
{
    return answer->status == 200;
}

static bool
service_stops(void *arg)
{
    return stack_log_count(arg, "\\] I stopping: ") == 1;
}

static bool
nginx_stops(void *arg)
{
    const struct stack *stack = arg;
    int fd = ports_connect(stack->port, CLOCK_PATIENCE_MS);

    if (fd >= 0)
        (void)close(fd);
    return fd < 0;
}

struct finish_case {
    const char *name;
    bool is_whole; /* SIGTERM to run.sh, not only to the service */
    int status;    /* of run.sh: to lose the service is no orderly end */
    clock_check_fn *has_begun;
};

static const struct finish_case finish_rows[] = {
    {"SIGTERM to the service", false, 1, service_stops},
    {"SIGTERM to the whole stack", true, 0, nginx_stops},
};

/* All of them wait for the store. */
static bool
are_parked(void *arg)
{
    return stack_metric(arg, "scoring_requests_parked") == CALLERS;
}

TEST_CASES(finish, struct finish_case, finish_rows)
{
    static const char *const patient[] = {"SCORING_STORE_TIMEOUT_MS=5000",
                                          "SCORING_STORE_DEADLINE_MS=5000",
                                          NULL};
    static const struct stack_plan store_waits = {.store = STACK_REDIS_TCP,
                                                  .environment = patient};
    struct load_plan slow = {
        .is_right = is_interests, .callers = CALLERS, .requests = 1};
    char *request = request_interests(REQUEST_IDS);
    struct load_result result;
    struct stack stack;
    struct load *load;

    CU_ASSERT_TRUE_FATAL(stack_start(&stack, &store_waits));
    redis_freeze(&stack.redis);
    slow.port = stack.port;
    slow.body = request;
    load = load_start(&slow);
    CU_ASSERT_TRUE(clock_wait(are_parked, &stack, CLOCK_PATIENCE_MS));
    if (c->is_whole)
        proc_signal(&stack.proc, SIGTERM);
    else
        CU_ASSERT_TRUE(stack_signal(&stack, SIGTERM));
    CU_ASSERT_TRUE(clock_wait(c->has_begun, &stack, CLOCK_PATIENCE_MS));
    redis_thaw(&stack.redis);
    result = load_finish(load);
    CU_ASSERT_EQUAL(result.requests, CALLERS);
    CU_ASSERT_EQUAL(result.failures, 0);
    if (result.failures > 0)
        (void)printf("lost: %s\n", result.example);
    CU_ASSERT_TRUE(proc_wait(&stack.proc, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(proc_exit_status(&stack.proc), c->status);
    CU_ASSERT_EQUAL(stack_log_count(&stack, "\\] I stopped"), 1);
    stack_discard(&stack);
    free(request);
}

/* What ends the whole stack, and how it ends. */
struct end_case {
    const char *name, *victim; /* a program below run.sh; NULL: run.sh */
    int number;
    bool is_group;
    int status; /* of run.sh: 0, or 1 for any other, or -1 if it was killed */
    const char *words;
};

static const struct end_case end_rows[] = {
    {"SIGTERM", NULL, SIGTERM, false, 0, ""},
    {"SIGINT by the terminal", NULL, SIGINT, true, 0, ""},
    {"SIGHUP to the script", NULL, SIGHUP, false, 0, ""},
    {"SIGKILL", NULL, SIGKILL, false, -1, ""},
    {"nginx dies", "nginx", SIGKILL, false, 1, "nginx"},
    {"the service dies", "scoring", SIGKILL, false, 1, "service"},
    {"the private Redis dies", "redis-server", SIGKILL, false, 1,
     "Redis has ended: stopping. To see an outage"},
};

static bool
has_no_orphan(void *arg)
{
    (void)arg;
    return proc_count_orphans() == 0;
}

static void
check_end(struct stack *stack, const struct end_case *c)
{
    char *output;

    CU_ASSERT_TRUE(proc_wait(&stack->proc, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(proc_exit_status(&stack->proc), c->status);
    CU_ASSERT_TRUE(clock_wait(has_no_orphan, NULL, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(proc_end_orphans(), 0);
    CU_ASSERT_EQUAL(ports_connect(stack->port, 100), -1);
    output = files_read(stack->output);
    CU_ASSERT_PTR_NOT_NULL_FATAL(output);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, c->words));
    free(output);
}

TEST_CASES(end, struct end_case, end_rows)
{
    struct proc_found victim;
    struct stack stack;

    CU_ASSERT_TRUE_FATAL(stack_start(&stack, &given));
    if (c->victim != NULL) {
        victim = proc_find_masters(stack.proc.pid, c->victim);
        CU_ASSERT_EQUAL(victim.count, 1);
        CU_ASSERT_EQUAL(kill(victim.pid[0], c->number), 0);
    } else if (c->is_group) {
        proc_signal_group(&stack.proc, c->number);
    } else {
        proc_signal(&stack.proc, c->number);
    }
    check_end(&stack, c);
    stack_discard(&stack);
}

/*
 * Bash loses a SIGINT that comes when a program whose output it reads has
 * closed it, but not yet ended. So does this one, when it has told the
 * settings.
 */
TEST_SINGLE(interrupt, "between the answer of a program and its end")
{
    static const char late[] = "#!/bin/sh\n"
                               "build/release/scoring \"$@\" || exit\n"
                               "[ \"$1\" = check-config ] || exit 0\n"
                               "exec >&-\n"
                               "trap '' INT\n"
                               "sleep 0.1\n"
                               "kill -s INT 0\n"
                               "sleep 0.1\n";
    static const struct end_case want = {.status = -1, .words = ""};
    char path[FILES_PATH_MAX], variable[2 * FILES_PATH_MAX];
    const char *const environment[] = {variable, NULL};
    const struct stack_plan private_redis = {.store = STACK_URL_GIVEN,
                                             .environment = environment};
    struct stack stack;

    CU_ASSERT_TRUE_FATAL(stack_init(&stack));
    files_path(path, "%s/late", stack.folder);
    CU_ASSERT_TRUE(files_write_program(path, late));
    (void)snprintf(variable, sizeof(variable), "RUN_BINARY=%s", path);
    CU_ASSERT_TRUE(stack_launch(&stack, &private_redis));
    CU_ASSERT_TRUE(proc_wait(&stack.proc, CLOCK_PATIENCE_MS));
    check_end(&stack, &want);
    stack_discard(&stack);
}

/* What a program does instead while run.sh waits for the first answer. */
struct early_case {
    const char *name, *program, *script;
};

#define LATER "(sleep 0.02; kill -s TERM $PPID) >/dev/null 2>&1 &\n"

static const struct early_case early_rows[] = {
    {"in a program", "redis-cli", "kill -s TERM $PPID\nexit 7\n"},
    {"between two tries", "redis-cli", LATER "exit 7\n"},
    {"between two tries, all programs run", "nginx",
     LATER "exec env --default-signal=QUIT sleep 60\n"},
};

/* All ends as soon as it can: run.sh does not wait in vain, as long as it would
 * for programs that do not end. */
TEST_CASES(early, struct early_case, early_rows)
{
    static const struct end_case want = {.status = 0, .words = ""};
    char folder[FILES_PATH_MAX], path[FILES_PATH_MAX];
    char text[FILES_PATH_MAX], variable[2 * FILES_PATH_MAX];
    const char *const environment[] = {variable, NULL};
    const struct stack_plan instead = {.store = STACK_URL_GIVEN,
                                       .environment = environment};
    struct stack stack;

    CU_ASSERT_TRUE_FATAL(stack_init(&stack));
    files_path(folder, "%s/bin", stack.folder);
    files_path(path, "%s/%s", folder, c->program);
    CU_ASSERT_EQUAL(mkdir(folder, 0700), 0);
    (void)snprintf(text, sizeof(text), "#!/bin/sh\n%s", c->script);
    CU_ASSERT_TRUE(files_write_program(path, text));
    (void)snprintf(variable, sizeof(variable), "PATH=%s:%s", folder,
                   getenv("PATH"));
    CU_ASSERT_TRUE(stack_launch(&stack, &instead));
    CU_ASSERT_TRUE(proc_wait(&stack.proc, EARLY_END_MS));
    check_end(&stack, &want);
    stack_discard(&stack);
}

/* What a killed stack has left does not prevent the next start. */
TEST_SINGLE(again, "in the same folder after SIGKILL")
{
    struct stack stack;

    CU_ASSERT_TRUE_FATAL(stack_start(&stack, &given));
    proc_kill(&stack.proc);
    CU_ASSERT_TRUE(clock_wait(has_no_orphan, NULL, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(unlink(stack.output), 0);
    CU_ASSERT_TRUE(stack_launch(&stack, &given));
    CU_ASSERT_TRUE(stack_is_ready(&stack, CLOCK_PATIENCE_MS));
    CU_ASSERT_TRUE(stack_stop(&stack));
}

TEST_SUITE(.parts = 3);
