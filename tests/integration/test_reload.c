/*
 * Nothing is lost while workers are killed, settings are read again and the
 * service is stopped, repeatedly and under load: every answer is checked, and
 * none is missing. Source: docs/protocol.md, S25.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/cases.h"
#include "support/clock.h"
#include "support/expect.h"
#include "support/fcgi_peer.h"
#include "support/load.h"
#include "support/request.h"
#include "support/stack.h"

#define WORKERS 4
#define CALLERS 4 /* of each kind */

static const char *const four_workers[] = {"SCORING_WORKERS=4", NULL};
static const struct stack_plan plan = {.store = STACK_REDIS_UNIX,
                                       .environment = four_workers};

static const char *const one_worker[] = {"SCORING_WORKERS=1", NULL};
static const struct stack_plan single_plan = {.store = STACK_REDIS_UNIX,
                                              .environment = one_worker};

/* Callers of three kinds, whose answers differ. */

static bool
is_found(const struct http_answer *answer)
{
    return answer->status == 200 &&
           strcmp(answer->body,
                  "{\"code\": 200, \"response\": {\"1\": [\"cars\"], "
                  "\"2\": []}}") == 0;
}

/* The same, but for requests that came while nobody was there to take them. */

static atomic_size_t answered; /* by 200 */

static bool
is_not_taken(const struct http_answer *answer)
{
    return answer->status == 0 || answer->status == 502 ||
           answer->status == 504;
}

static bool
is_three_if_taken(const struct http_answer *answer)
{
    answered += answer->status == 200;
    return load_is_three(answer) || is_not_taken(answer);
}

static bool
is_half_if_taken(const struct http_answer *answer)
{
    answered += answer->status == 200;
    return load_is_half(answer) || is_not_taken(answer);
}

static bool
is_found_if_taken(const struct http_answer *answer)
{
    answered += answer->status == 200;
    return is_found(answer) || is_not_taken(answer);
}

struct kind {
    char *(*make)(const char *arguments);
    const char *arguments;
    load_check_fn *is_right, *is_right_if_taken;
    bool is_kept;
};

static const struct kind kinds[] = {
    {request_score, REQUEST_PERSON, load_is_three, is_three_if_taken, true},
    {request_score, REQUEST_NAMES, load_is_half, is_half_if_taken, false},
    {request_interests, REQUEST_IDS, is_found, is_found_if_taken, true},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct crowd {
    struct load *loads[KINDS];
    char *requests[KINDS];
};

static void
crowd_start(struct crowd *crowd, const struct stack *stack, bool may_be_missed)
{
    CU_ASSERT_TRUE(redis_do(&stack->redis, "SET i:1 %s", "[\"cars\"]"));
    answered = 0;
    for (size_t i = 0; i < KINDS; i++) {
        const struct kind *kind = &kinds[i];
        struct load_plan one = {
            .port = stack->port, .callers = CALLERS, .is_kept = kind->is_kept};

        crowd->requests[i] = kind->make(kind->arguments);
        one.body = crowd->requests[i];
        one.is_right = may_be_missed ? kind->is_right_if_taken : kind->is_right;
        crowd->loads[i] = load_start(&one);
        CU_ASSERT_PTR_NOT_NULL(crowd->loads[i]);
    }
    clock_sleep_ms(100);
}

static struct load_result
crowd_stop(struct crowd *crowd)
{
    struct load_result sum = {0};

    for (size_t i = 0; i < KINDS; i++) {
        struct load_result one = load_stop(crowd->loads[i]);

        load_expect(one, "of the crowd");
        if (one.slowest_s > sum.slowest_s)
            sum.slowest_s = one.slowest_s;
        sum.requests += one.requests;
        free(crowd->requests[i]);
    }
    return sum;
}

/* Things done to the service, one after the other. */

typedef void harm_fn(const struct stack *stack, int turn);

static void
kill_one(const struct stack *stack, int turn)
{
    struct proc_found workers = stack_workers(stack);

    if (workers.count > 0)
        (void)kill(workers.pid[(size_t)turn % workers.count], SIGKILL);
}

/* The parent notices it, and its requests are sent to other workers. */
static void
stop_one(const struct stack *stack, int turn)
{
    struct proc_found workers = stack_workers(stack);

    if (workers.count > 0)
        (void)kill(workers.pid[(size_t)turn % workers.count], SIGSTOP);
}

static void
kill_all(const struct stack *stack, int turn)
{
    struct proc_found workers = stack_workers(stack);

    (void)turn;
    for (size_t i = 0; i < workers.count; i++)
        (void)kill(workers.pid[i], SIGKILL);
}

static void
read_again(const struct stack *stack, int turn)
{
    (void)turn;
    CU_ASSERT_TRUE(stack_signal(stack, SIGHUP));
}

static void
read_again_and_kill(const struct stack *stack, int turn)
{
    read_again(stack, turn);
    kill_one(stack, turn);
}

static void
reopen(const struct stack *stack, int turn)
{
    (void)turn;
    CU_ASSERT_TRUE(stack_signal(stack, SIGUSR1));
}

struct harm_case {
    const char *name;
    harm_fn *act;
    int times, pause_ms;
};

static const struct harm_case harm_rows[] = {
    {"a worker is killed", kill_one, 12, 250},
    {"a worker is stopped", stop_one, 4, 2000},
    {"all workers are killed", kill_all, 4, 700},
    {"settings are read again", read_again, 12, 200},
    {"settings are read again quickly", read_again, 30, 20},
    {"both", read_again_and_kill, 10, 250},
    {"the log is opened again", reopen, 20, 20},
};

struct recovery {
    const struct stack *stack;
    size_t workers;
};

static bool
has_workers(void *arg)
{
    const struct recovery *wanted = arg;

    return stack_workers(wanted->stack).count == wanted->workers;
}

TEST_CASES(harm, struct harm_case, harm_rows)
{
    const struct stack *stack = stack_shared(&plan);
    struct recovery whole = {stack, WORKERS};
    struct load_result result;
    struct crowd crowd;

    CU_ASSERT_TRUE(clock_wait(has_workers, &whole, CLOCK_PATIENCE_MS));
    crowd_start(&crowd, stack, false);
    for (int turn = 0; turn < c->times; turn++) {
        c->act(stack, turn);
        clock_sleep_ms(c->pause_ms);
    }
    CU_ASSERT_TRUE(clock_wait(has_workers, &whole, CLOCK_PATIENCE_MS));
    result = crowd_stop(&crowd);
    (void)printf("%s: %zu requests, slowest %.3f s\n", c->name, result.requests,
                 result.slowest_s);
}

/*
 * A crash loop: it is logged, it slows down, no answer is wrong, and it ends
 * soon after its cause.
 */
#define LOOP_MS    2500
#define LOOP_LEAST 3 /* deaths of each worker: at 0, 100, 300, 700, ... ms */
#define LOOP_MOST  8
#define LOG_DEATH  "\\] E worker .* died"

static bool
is_served(void *arg)
{
    const struct stack *stack = arg;
    struct http_answer answer =
        expect_post(stack->port, request_score(REQUEST_NAMES));
    bool is_good = load_is_half(&answer);

    http_answer_free(&answer);
    return is_good;
}

TEST_SINGLE(crash_loop, "every worker is killed as it appears")
{
    struct stack *stack = stack_shared(&plan);
    struct recovery whole = {stack, WORKERS};
    size_t before = stack_log_count(stack, LOG_DEATH), deaths = 0;
    struct crowd crowd;
    int64_t start_ms, passed_ms = 0;

    CU_ASSERT_TRUE(clock_wait(has_workers, &whole, CLOCK_PATIENCE_MS));
    crowd_start(&crowd, stack, true);
    start_ms = clock_ms();
    while (passed_ms < LOOP_MS || /* or a busy machine takes longer */
           (deaths < WORKERS * LOOP_LEAST && passed_ms < CLOCK_PATIENCE_MS)) {
        kill_all(stack, 0);
        clock_sleep_ms(5);
        passed_ms = clock_ms() - start_ms;
        if (passed_ms >= LOOP_MS)
            deaths = stack_log_count(stack, LOG_DEATH) - before;
    }
    CU_ASSERT_TRUE(clock_wait(is_served, stack, CLOCK_PATIENCE_MS));
    CU_ASSERT_TRUE(clock_wait(has_workers, &whole, CLOCK_PATIENCE_MS));
    (void)crowd_stop(&crowd);
    deaths = stack_log_count(stack, LOG_DEATH) - before;
    CU_ASSERT_TRUE(deaths >= WORKERS * LOOP_LEAST);
    CU_ASSERT_TRUE(deaths <= WORKERS * LOOP_MOST);
    CU_ASSERT_FALSE(proc_wait(&stack->proc, 0));
}

/*
 * The end under load: each answer that the service has logged has reached a
 * caller.
 */
struct end_case {
    const char *name;
    bool is_whole; /* SIGTERM to run.sh, not only to the service */
    int status;    /* of run.sh */
};

static const struct end_case end_rows[] = {
    {"SIGTERM to the service", false, 1},
    {"SIGTERM to the whole stack", true, 0},
};

TEST_CASES(end, struct end_case, end_rows)
{
    struct crowd crowd;
    struct stack stack;

    CU_ASSERT_TRUE_FATAL(stack_start(&stack, &plan));
    crowd_start(&crowd, &stack, true);
    CU_ASSERT_EQUAL(
        kill(c->is_whole ? stack.proc.pid : stack_parent(&stack), SIGTERM), 0);
    CU_ASSERT_TRUE(proc_wait(&stack.proc, CLOCK_PATIENCE_MS));
    (void)crowd_stop(&crowd);
    CU_ASSERT_EQUAL(proc_exit_status(&stack.proc), c->status);
    CU_ASSERT_TRUE(answered > 0);
    CU_ASSERT_EQUAL(stack_log_count(&stack, "\\] I request .* code=200 "),
                    answered);
    CU_ASSERT_EQUAL(stack_log_count(&stack, "\\] E .*unanswered"), 0);
    stack_discard(&stack);
}

/*
 * Without nginx, which would try again: a request that a web server has
 * completely written to a kept connection is answered, at any time.
 */
#define SERVERS        8
#define SERVER_TURNS   12
#define SERVER_TURN_MS 160

struct web_server {
    const char *path;
    struct buffer bytes;
    const char *want;
    atomic_bool *is_ending;
    pthread_t thread;
    size_t answers, refusals, losses;
};

/* Asks on fd, which it may close. */
static void
server_ask(struct web_server *server, int *fd)
{
    struct fcgi_peer_answer answer = {0};

    if (*fd < 0)
        *fd = fcgi_peer_connect(server->path);
    if (*fd < 0 || !fcgi_peer_send(*fd, &server->bytes)) {
        server->refusals++; /* and known to be: to be asked elsewhere */
    } else if (fcgi_peer_read(*fd, CLOCK_PATIENCE_MS, &answer) ==
                   FCGI_PEER_ANSWERED &&
               strcmp(fcgi_peer_answer_body(&answer), server->want) == 0) {
        server->answers++;
        fcgi_peer_answer_free(&answer);
        return;
    } else {
        server->losses++;
        fcgi_peer_answer_free(&answer);
    }
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void *
server_run(void *arg)
{
    struct web_server *server = arg;
    int fd = -1;

    while (!*server->is_ending)
        server_ask(server, &fd);
    if (fd >= 0)
        (void)close(fd);
    return NULL;
}

static void
server_start(struct web_server *server, bool is_person)
{
    char *body = request_score(is_person ? REQUEST_PERSON : REQUEST_NAMES);
    const struct fcgi_peer_exchange exchange = {.body = body,
                                                .body_length = strlen(body)};

    fcgi_peer_whole(&server->bytes, &exchange);
    server->want = is_person
                       ? "{\"code\": 200, \"response\": {\"score\": 3.0}}"
                       : "{\"code\": 200, \"response\": {\"score\": 0.5}}";
    free(body);
    CU_ASSERT_EQUAL_FATAL(
        pthread_create(&server->thread, NULL, server_run, server), 0);
}

TEST_SINGLE(drained, "one worker after the other, under a web server's feet")
{
    const struct stack *stack = stack_shared(&single_plan);
    struct web_server servers[SERVERS] = {{.path = NULL}};
    char path[FILES_PATH_MAX];
    atomic_bool is_ending = false;

    files_path(path, "%.200s/scoring.sock", stack->run_folder);
    for (size_t i = 0; i < SERVERS; i++) {
        servers[i].path = path;
        servers[i].is_ending = &is_ending;
        server_start(&servers[i], i % 2 == 0);
    }
    for (int turn = 0; turn < SERVER_TURNS; turn++) {
        clock_sleep_ms(SERVER_TURN_MS);
        read_again(stack, turn);
    }
    clock_sleep_ms(SERVER_TURN_MS);
    is_ending = true;
    for (size_t i = 0; i < SERVERS; i++) {
        (void)pthread_join(servers[i].thread, NULL);
        buffer_free(&servers[i].bytes);
        CU_ASSERT_TRUE(servers[i].answers > 0);
        CU_ASSERT_EQUAL(servers[i].losses, 0);
        if (servers[i].losses > 0)
            (void)printf("%zu answers, %zu refusals, %zu lost\n",
                         servers[i].answers, servers[i].refusals,
                         servers[i].losses);
    }
}

TEST_SUITE(.parts = 2);
