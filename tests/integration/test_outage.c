/*
 * What callers and operators see while the store is down, slow or broken, and
 * when it is back: two workers, a real Redis that is killed and frozen, and a
 * proxy with faults in front of it. Source: docs/protocol.md, S20.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cases.h"
#include "support/clock.h"
#include "support/expect.h"
#include "support/load.h"
#include "support/request.h"
#include "support/stack.h"

/* Promises. */
#define ANSWER_S  1.0   /* of every request, at most */
#define QUICK_S   0.050 /* of scores, once the breaker is open: 99 % */
#define RETURN_MS 2000  /* until all works again; as stack_log_wait() has it */

#define WORKERS        2 /* of a stack, unless it says otherwise */
#define QUICK_IN_A_ROW 6 /* answers of both workers, most likely */
#define CROWD          4
#define CROWD_MS       200
#define SAMPLE_COUNT   200
#define SAMPLES_MAX    5
#define SAMPLE_PAUSE   5 /* ms; the sample spans two probes of the store */

static const struct stack_plan direct = {.store = STACK_REDIS_TCP};
static const struct stack_plan behind_peer = {.store = STACK_REDIS_PEER};
static const struct stack_plan absent = {.store = STACK_REDIS_ABSENT};

static const char *const unresolvable[] = {
    "REDIS_URL=redis://no-such-host.invalid:6379/0", NULL};
static const struct stack_plan nowhere = {.store = STACK_URL_GIVEN,
                                          .environment = unresolvable};

static const char *const wrong_password[] = {"REDIS_PASSWORD=wrong", NULL};
static const struct stack_plan refused = {.store = STACK_REDIS_TCP,
                                          .environment = wrong_password};

static const char *const no_password[] = {"REDIS_PASSWORD=", NULL};
static const struct stack_plan asked = {.store = STACK_REDIS_TCP,
                                        .environment = no_password};

static bool
is_scored(const struct http_answer *answer)
{
    return expect_score_of(answer) == 3.0 && answer->seconds < ANSWER_S;
}

static bool
is_unavailable(const struct http_answer *answer)
{
    return answer->status == 503 && answer->seconds < ANSWER_S;
}

static bool
is_found(const struct http_answer *answer)
{
    return answer->status == 200 && strstr(answer->body, "cars") != NULL;
}

static void
fill(const struct redis *redis)
{
    CU_ASSERT_TRUE(redis_do(redis, "SET i:1 %s", "[\"cars\"]"));
}

/* Sends so many requests in a row, which must all be right. */
static double
take_sample(int port, const char *request, load_check_fn *is_right,
            size_t count, int pause_ms)
{
    const struct load_plan plan = {
        .port = port, .body = request, .is_right = is_right};
    struct load_result result;
    double p99_s = load_p99(&plan, count, pause_ms, &result);

    CU_ASSERT_EQUAL(result.failures, 0);
    if (result.failures > 0)
        (void)printf("%zu of %zu were wrong: %s\n", result.failures,
                     result.requests, result.example);
    return p99_s;
}

/* The same; frees the request. */
static void
sample(int port, char *request, load_check_fn *is_right, size_t count,
       int pause_ms)
{
    (void)take_sample(port, request, is_right, count, pause_ms);
    free(request);
}

/*
 * The same, with 99 % of them within QUICK_S. A busy machine may need several
 * samples; if requests waited for the store, none would succeed.
 */
static void
sample_quick(int port, char *request, load_check_fn *is_right, int pause_ms)
{
    double p99_s = QUICK_S;

    for (int i = 0; i < SAMPLES_MAX && p99_s >= QUICK_S; i++)
        p99_s = take_sample(port, request, is_right, SAMPLE_COUNT, pause_ms);
    CU_ASSERT_TRUE(p99_s < QUICK_S);
    if (p99_s >= QUICK_S)
        (void)printf("99 %% of them took up to %.3f s\n", p99_s);
    free(request);
}

/* Whether interests are answered, with any status, without waiting for the
 * store. */
static bool
is_quick(void *arg)
{
    const struct stack *stack = arg;

    for (int i = 0; i < QUICK_IN_A_ROW; i++) {
        struct http_answer answer =
            expect_post(stack->port, request_interests(REQUEST_IDS));
        bool is_good = is_unavailable(&answer) && answer.seconds < QUICK_S;

        http_answer_free(&answer);
        if (!is_good)
            return false;
    }
    return true;
}

/* Whether interests are found, by both workers most likely. */
static bool
is_back(void *arg)
{
    const struct stack *stack = arg;

    for (int i = 0; i < QUICK_IN_A_ROW; i++) {
        struct http_answer answer =
            expect_post(stack->port, request_interests(REQUEST_IDS));
        bool is_good = is_found(&answer);

        http_answer_free(&answer);
        if (!is_good)
            return false;
    }
    return true;
}

/* Requests from several callers at once, so that every worker gets some. */
static struct load *
begin_crowd(const struct stack *stack, const char *request,
            load_check_fn *is_right)
{
    const struct load_plan plan = {.port = stack->port,
                                   .body = request,
                                   .is_right = is_right,
                                   .callers = CROWD};
    struct load *load = load_start(&plan);

    CU_ASSERT_PTR_NOT_NULL(load);
    return load;
}

/* From the beginning of the outage scores are right and interests 503, all in
 * time. */
static void
check_outage(struct stack *stack)
{
    char *request = request_score(REQUEST_PERSON);
    struct load *crowd = begin_crowd(stack, request, is_scored);
    struct http_answer answer =
        expect_post(stack->port, request_interests(REQUEST_IDS));

    CU_ASSERT_TRUE(answer.seconds < ANSWER_S);
    expect_error(&answer, 503, NULL);
    CU_ASSERT_TRUE(expect_match(answer.headers, "^Retry-After: [1-9][0-9]*"));
    http_answer_free(&answer);
    CU_ASSERT_TRUE(clock_wait(is_quick, stack, CLOCK_PATIENCE_MS));
    load_expect(load_stop(crowd), "of the crowd");
    sample_quick(stack->port, request_score(REQUEST_PERSON), is_scored,
                 SAMPLE_PAUSE);
    sample_quick(stack->port, request_interests(REQUEST_IDS), is_unavailable,
                 SAMPLE_PAUSE);
    free(request);
}

/* Lines about the service itself, not about a request. */
#define LOG_FAULTS "\\] E .*store is down"
#define LOG_OUTAGE                                                             \
    "\\] E the store is down: 127\\.0\\.0\\.1:[0-9]+: [^;]*; "                 \
    "(next try in [0-9]+ ms|a connection is being tried)$"
#define LOG_RETURNS "\\] I .*store is down.*over"

/*
 * After the store's return the last worker to notice logs the end; from then on
 * all interests are found, and scores are cached.
 */
static void
check_return(struct stack *stack, const struct redis *redis, size_t told)
{
    char *request = request_interests(REQUEST_IDS);
    struct load *crowd = begin_crowd(stack, request, load_is_anything);
    char *key;

    CU_ASSERT_TRUE(clock_wait(is_back, stack, CLOCK_PATIENCE_MS));
    load_expect(load_stop(crowd),
                "of the crowd"); /* its lines in the log are many */
    CU_ASSERT_TRUE(stack_log_wait(stack, LOG_RETURNS, told + 1));
    crowd = begin_crowd(stack, request, is_found);
    clock_sleep_ms(CROWD_MS);
    load_expect(load_stop(crowd), "of the crowd");
    CU_ASSERT_TRUE(redis_do(redis, "DEL i:1"));
    sample(stack->port, request_score(REQUEST_PERSON), is_scored, 1, 0);
    key = redis_only_key(redis, "uid:*");
    CU_ASSERT_PTR_NOT_NULL(key);
    free(key);
    free(request);
}

/*
 * An outage is logged once when it begins and once when it ends, however many
 * workers and requests it affects.
 */
static void
check_told(const struct stack *stack, size_t faults_before,
           size_t returns_before)
{
    size_t faults = stack_log_count(stack, LOG_FAULTS) - faults_before;
    size_t returns = stack_log_count(stack, LOG_RETURNS) - returns_before;

    CU_ASSERT_EQUAL(faults, 1);
    CU_ASSERT_EQUAL(returns, 1);
    if (faults != 1 || returns != 1)
        (void)printf("told %zu times, over %zu times\n", faults, returns);
}

/* How the store becomes unavailable, and how it comes back. */
typedef void outage_fn(struct stack *stack);

static void
do_kill(struct stack *stack)
{
    redis_kill(&stack->redis);
}

static void
do_restart(struct stack *stack)
{
    CU_ASSERT_TRUE(redis_start(&stack->redis));
}

static void
do_freeze(struct stack *stack)
{
    redis_freeze(&stack->redis);
}

static void
do_thaw(struct stack *stack)
{
    redis_thaw(&stack->redis);
}

static void
do_silence(struct stack *stack)
{
    peer_set(stack->peer, PEER_SILENT);
}

static void
do_close(struct stack *stack)
{
    peer_set(stack->peer, PEER_CLOSE);
}

static void
do_garbage(struct stack *stack)
{
    peer_set(stack->peer, PEER_GARBAGE);
}

static void
do_half(struct stack *stack)
{
    peer_set(stack->peer, PEER_HALF);
}

static void
do_stall(struct stack *stack)
{
    peer_set(stack->peer, PEER_STALL);
}

static void
do_late(struct stack *stack)
{
    peer_set(stack->peer, PEER_LATE);
}

static void
do_mend(struct stack *stack)
{
    peer_set(stack->peer, PEER_NONE);
}

struct outage_case {
    const char *name;
    const struct stack_plan *plan;
    outage_fn *begin, *end;
};

static const struct outage_case outage_rows[] = {
    {"killed and restarted", &direct, do_kill, do_restart},
    {"frozen and thawed", &direct, do_freeze, do_thaw},
    {"silent peer", &behind_peer, do_silence, do_mend},
    {"connections are closed", &behind_peer, do_close, do_mend},
    {"garbage", &behind_peer, do_garbage, do_mend},
    {"half a reply", &behind_peer, do_half, do_mend},
    {"silent in mid-reply", &behind_peer, do_stall, do_mend},
    {"replies too late", &behind_peer, do_late, do_mend},
};

TEST_CASES(outage, struct outage_case, outage_rows)
{
    struct stack *stack = stack_shared(c->plan);
    size_t faults = stack_log_count(stack, LOG_FAULTS);
    size_t returns = stack_log_count(stack, LOG_RETURNS);
    size_t whole = stack_log_count(stack, LOG_OUTAGE);

    CU_ASSERT_TRUE(redis_do(&stack->redis, "FLUSHALL"));
    fill(&stack->redis);
    CU_ASSERT_TRUE(clock_wait(is_back, stack, RETURN_MS));
    sample(stack->port, request_score(REQUEST_PERSON), is_scored, 5, 0);
    c->begin(stack);
    check_outage(stack);
    c->end(stack);
    fill(&stack->redis);
    check_return(stack, &stack->redis, returns);
    check_told(stack, faults, returns);
    CU_ASSERT_EQUAL(stack_log_count(stack, LOG_OUTAGE), whole + 1);
}

/* Idle connections are checked each second; a failing one ends in another. */
#define NOTICE_MS 4000

struct noticed {
    const struct stack *stack;
    size_t faults; /* lines in the log so far */
};

static bool
is_noticed(void *arg)
{
    const struct noticed *noticed = arg;

    return stack_log_count(noticed->stack, LOG_FAULTS) > noticed->faults;
}

/* Each worker for itself; only the first one logs it. */
static bool
have_all_noticed(void *arg)
{
    return stack_metric(arg, "scoring_store_breaker_open") == WORKERS;
}

TEST_SINGLE(unasked, "a freeze is noticed before anybody calls")
{
    struct stack *stack = stack_shared(&direct);
    struct noticed noticed = {stack, stack_log_count(stack, LOG_FAULTS)};
    size_t returns = stack_log_count(stack, LOG_RETURNS);

    fill(&stack->redis);
    CU_ASSERT_TRUE(clock_wait(is_back, stack, RETURN_MS));
    redis_freeze(&stack->redis);
    CU_ASSERT_TRUE(clock_wait(is_noticed, &noticed, NOTICE_MS));
    CU_ASSERT_TRUE(clock_wait(have_all_noticed, stack, NOTICE_MS / 2));
    CU_ASSERT_TRUE(is_quick(stack));
    redis_thaw(&stack->redis);
    CU_ASSERT_TRUE(stack_log_wait(stack, LOG_RETURNS, returns + 1));
    CU_ASSERT_TRUE(clock_wait(is_back, stack, RETURN_MS));
}

/* A store that is slow within the limits is no outage. */
struct slow_case {
    const char *name;
    enum peer_fault fault;
};

static const struct slow_case slow_rows[] = {
    {"every reply is slow", PEER_SLOW},
    {"then all is well", PEER_NONE},
};

TEST_CASES(slow, struct slow_case, slow_rows)
{
    struct stack *stack = stack_shared(&behind_peer);
    size_t faults = stack_log_count(stack, LOG_FAULTS);

    fill(&stack->redis);
    CU_ASSERT_TRUE(clock_wait(is_back, stack, RETURN_MS));
    peer_set(stack->peer, c->fault);
    sample(stack->port, request_interests(REQUEST_IDS), is_found, 4, 0);
    sample(stack->port, request_score(REQUEST_PERSON), is_scored, 4, 0);
    peer_set(stack->peer, PEER_NONE);
    CU_ASSERT_EQUAL(stack_log_count(stack, LOG_FAULTS), faults);
}

/* One byte at a time: right or 503, but in time. */
static bool
is_found_or_unavailable(const struct http_answer *answer)
{
    return (is_found(answer) || answer->status == 503) &&
           answer->seconds < ANSWER_S;
}

TEST_SINGLE(drip, "one byte at a time")
{
    struct stack *stack = stack_shared(&behind_peer);

    fill(&stack->redis);
    peer_set(stack->peer, PEER_DRIP);
    sample(stack->port, request_score(REQUEST_PERSON), is_scored, 20, 0);
    sample(stack->port, request_interests(REQUEST_IDS), is_found_or_unavailable,
           10, 0);
    peer_set(stack->peer, PEER_NONE);
    CU_ASSERT_TRUE(clock_wait(is_back, stack, RETURN_MS));
}

/* A request that needs no store does not wait for those that do. */
static bool
is_admin_score(const struct http_answer *answer)
{
    return expect_score_of(answer) == 42;
}

TEST_SINGLE(others, "are not held up by requests that wait for the store")
{
    struct stack *stack = stack_shared(&behind_peer);
    char *request = request_interests(REQUEST_IDS);
    const struct load_plan plan = {.port = stack->port,
                                   .body = request,
                                   .is_right = is_found,
                                   .callers = 8};
    struct load_result result;
    struct load *load;

    fill(&stack->redis);
    CU_ASSERT_TRUE(clock_wait(is_back, stack, RETURN_MS));
    peer_set(stack->peer, PEER_SLOW);
    load = load_start(&plan);
    clock_sleep_ms(PEER_SLOW_MS / 2);
    sample_quick(stack->port, request_admin("online_score", REQUEST_PERSON),
                 is_admin_score, 1);
    result = load_stop(load);
    peer_set(stack->peer, PEER_NONE);
    load_expect(result, "of those that wait");
    free(request);
}

/*
 * While the store answers sometimes in time and sometimes too late, no reply is
 * taken for the answer to another command: each value names its key.
 */
#define MIXED_KEYS   10
#define MIXED_ROUNDS 120

static void
check_own_value(const struct stack *stack, int id)
{
    char arguments[64], want[64];
    struct http_answer answer;

    (void)snprintf(arguments, sizeof(arguments), "{\"client_ids\": [%d]}", id);
    (void)snprintf(want, sizeof(want), "{\"%d\": [\"of-%d\"]}", id, id);
    answer = expect_post(stack->port, request_interests(arguments));
    if (answer.status == 503)
        expect_error(&answer, 503, NULL);
    else
        expect_response(&answer, want);
    http_answer_free(&answer);
}

TEST_SINGLE(mixed, "no reply is taken for another")
{
    struct stack *stack = stack_shared(&behind_peer);
    int64_t turn_ms = clock_ms();
    enum peer_fault fault = PEER_NONE;

    for (int id = 100; id < 100 + MIXED_KEYS; id++)
        CU_ASSERT_TRUE(redis_do(&stack->redis, "SET i:%d [\"of-%d\"]", id, id));
    for (int i = 0; i < MIXED_ROUNDS; i++) {
        if (clock_ms() >= turn_ms) {
            fault = fault == PEER_NONE ? PEER_LATE : PEER_NONE;
            peer_set(stack->peer, fault);
            turn_ms = clock_ms() + PEER_LATE_MS / 2;
        }
        check_own_value(stack, 100 + i % MIXED_KEYS);
    }
    peer_set(stack->peer, PEER_NONE);
}

/* A store that refuses writes affects no request, and is logged once. */
TEST_SINGLE(read_only, "cache writes are refused")
{
    struct stack *stack = stack_shared(&direct);
    const struct redis *redis = &stack->redis;
    size_t before = stack_log_count(stack, "\\] E ");
    char *key;

    CU_ASSERT_TRUE(redis_do(redis, "FLUSHALL"));
    fill(redis);
    CU_ASSERT_TRUE(clock_wait(is_back, stack, RETURN_MS));
    CU_ASSERT_TRUE(redis_do(redis, "CONFIG SET min-replicas-to-write 1"));
    sample(stack->port, request_score(REQUEST_PERSON), is_scored, 50, 0);
    sample(stack->port, request_interests(REQUEST_IDS), is_found, 10, 0);
    CU_ASSERT_TRUE(stack_log_wait(stack, "\\] E ", before + 1));
    CU_ASSERT_EQUAL(stack_log_count(stack, "\\] E "), before + 1);
    CU_ASSERT_TRUE(redis_do(redis, "CONFIG SET min-replicas-to-write 0"));
    sample(stack->port, request_score(REQUEST_PERSON), is_scored, 10, 0);
    key = redis_only_key(redis, "uid:*");
    CU_ASSERT_PTR_NOT_NULL(key);
    free(key);
    CU_ASSERT_EQUAL(stack_log_count(stack, "\\] E "), before + 1);
}

/* A server that refuses some operations, and accepts others. */
struct partial_case {
    const char *name;
    const char *begin, *end;
    const char *told; /* how it is logged, with the address of the store */
};

#define TOLD(what, why) "\\] E " what ": 127\\.0\\.0\\.1:[0-9]+: the " why "$"

static const struct partial_case partial_rows[] = {
    {"SET forbidden", "ACL SETUSER default -set", "ACL SETUSER default +set",
     TOLD("cache writes are lost",
          "user lacks a permission \\(NOPERM\\): SET")},
    {"SET for want of memory", "CONFIG SET maxmemory 1",
     "CONFIG SET maxmemory 0",
     TOLD("cache writes are lost", "server is out of memory \\(OOM\\)")},
    {"MGET forbidden", "ACL SETUSER default -mget", "ACL SETUSER default +mget",
     TOLD("the store answers with errors",
          "user lacks a permission \\(NOPERM\\): MGET")},
    {"keys of interests forbidden", "ACL SETUSER default resetkeys ~uid:*",
     "ACL SETUSER default allkeys",
     TOLD("the store answers with errors",
          "user lacks a permission \\(NOPERM\\)")},
    {"keys of scores forbidden to read",
     "ACL SETUSER default resetkeys ~i:* %%W~uid:*",
     "ACL SETUSER default allkeys",
     TOLD("the store answers with errors",
          "user lacks a permission \\(NOPERM\\)")},
};

/* All kinds of work, by both workers most likely; scores are right as ever. */
static void
use_all(const struct stack *stack)
{
    static int person;

    for (int i = 0; i < 2 * QUICK_IN_A_ROW; i++) {
        char text[96];
        struct http_answer answer;

        (void)snprintf(text, sizeof(text),
                       "{\"phone\": \"7917%07d\", \"email\": \"a@b\"}",
                       person++);
        answer = expect_post(stack->port, request_score(text));
        CU_ASSERT_TRUE(is_scored(&answer));
        http_answer_free(&answer);
        answer = expect_post(stack->port, request_interests(REQUEST_IDS));
        http_answer_free(&answer);
        answer = expect_post(stack->port,
                             request_interests("{\"client_ids\": [1]}"));
        http_answer_free(&answer);
    }
}

#define LOG_TROUBLE "\\] E (the store|cache writes)"
#define LOG_OVER    "\\] I .*: over"
#define QUIET_MS    3000 /* until what went wrong is told to be over */

/* Whether no trouble of an earlier test goes on, which this one would join. */
static bool
is_untroubled(void *arg)
{
    const struct stack *stack = arg;

    use_all(stack);
    return stack_log_count(stack, LOG_OVER) ==
           stack_log_count(stack, LOG_TROUBLE);
}

/* Logged once when it begins and once when it ends, however many operations are
 * refused. */
TEST_CASES(partial, struct partial_case, partial_rows)
{
    struct stack *stack = stack_shared(&direct);
    size_t faults, told, over;

    fill(&stack->redis);
    CU_ASSERT_TRUE(clock_wait(is_untroubled, stack, 3 * QUIET_MS));
    faults = stack_log_count(stack, LOG_TROUBLE);
    told = stack_log_count(stack, c->told);
    over = stack_log_count(stack, LOG_OVER);
    CU_ASSERT_TRUE(redis_do(&stack->redis, c->begin));
    use_all(stack);
    use_all(stack);
    CU_ASSERT_TRUE(stack_log_wait(stack, c->told, told + 1));
    CU_ASSERT_TRUE(redis_do(&stack->redis, c->end));
    use_all(stack);
    clock_sleep_ms(QUIET_MS);
    CU_ASSERT_EQUAL(stack_log_count(stack, LOG_OVER), over);
    use_all(stack);
    use_all(stack);
    CU_ASSERT_TRUE(stack_log_wait(stack, LOG_OVER, over + 1));
    CU_ASSERT_EQUAL(stack_log_count(stack, LOG_OVER), over + 1);
    CU_ASSERT_EQUAL(stack_log_count(stack, LOG_TROUBLE), faults + 1);
}

TEST_SINGLE(absent_at_start, "and started later")
{
    struct stack *stack = stack_shared(&absent);

    check_outage(stack);
    CU_ASSERT_TRUE(redis_start(&stack->redis));
    fill(&stack->redis);
    check_return(stack, &stack->redis, 0);
    check_told(stack, 0, 0);
}

TEST_SINGLE(name, "does not resolve")
{
    struct stack *stack = stack_shared(&nowhere);

    check_outage(stack);
    CU_ASSERT_TRUE(
        stack_log_wait(stack, LOG_FAULTS ".*no-such-host\\.invalid", 1));
    CU_ASSERT_EQUAL(stack_log_count(stack, LOG_FAULTS), 1);
}

/* Wrong passwords: logged once, and never shown. */
struct password_case {
    const char *name;
    const struct stack_plan *plan;
    const char *requirepass; /* that lets the service in, at last */
};

static const struct password_case password_rows[] = {
    {"wrong", &refused, "CONFIG SET requirepass wrong"},
    {"none", &asked, "CONFIG SET requirepass %s"},
};

TEST_CASES(password, struct password_case, password_rows)
{
    struct stack *stack = stack_shared(c->plan);

    fill(&stack->redis);
    CU_ASSERT_TRUE(stack_log_wait(stack, "\\] E .*password", 1));
    check_outage(stack);
    CU_ASSERT_EQUAL(stack_log_count(stack, "\\] E .*password"), 1);
    CU_ASSERT_EQUAL(stack_log_count(stack, STACK_PASSWORD), 0);
    CU_ASSERT_TRUE(redis_do(&stack->redis, c->requirepass, ""));
    CU_ASSERT_TRUE(clock_wait(is_back, stack, RETURN_MS));
    sample(stack->port, request_interests(REQUEST_IDS), is_found, 20, 0);
}

TEST_SUITE(.room = CASES_CALM, /* it measures latency */
           .parts = 6);
