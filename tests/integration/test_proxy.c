/*
 * The whole stack with a proxy whose faults keep changing: no reply is taken
 * for another's, requests that a new connection can save are saved, and an
 * outage is logged once. Source: docs/protocol.md, S20.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/buffer.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/expect.h"
#include "support/load.h"
#include "support/request.h"
#include "support/stack.h"

#define ANSWER_S 1.0  /* of every request, at most */
#define BACK_MS  2000 /* until all works again */
/* of one fault; some begin while another's replies wait */
#define TURN_MS  260
#define ROUNDS   2  /* of all faults */
#define REUSES   20 /* requests over connections that serve one each */
#define FIRST_ID 101
#define ID_COUNT 4
#define CALLERS  2 /* for each id and each person */

#define LOG_FAULTS  "\\] E .*store is down"
#define LOG_RETURNS "\\] I .*store is down.*over"

static const struct stack_plan plan = {.store = STACK_REDIS_PEER};

/* Each value names its key. */
static void
fill(const struct stack *stack)
{
    for (int id = FIRST_ID; id < FIRST_ID + ID_COUNT; id++)
        CU_ASSERT_TRUE(redis_do(&stack->redis, "SET i:%d [\"of-%d\"]", id, id));
}

/* Whether the one client of an answer has its own interests. */
static bool
is_own(const struct http_answer *answer)
{
    char want[64];
    int id = 0;

    (void)sscanf(answer->body, "{\"code\": 200, \"response\": {\"%d\"", &id);
    (void)snprintf(want, sizeof(want),
                   "{\"code\": 200, \"response\": {\"%d\": [\"of-%d\"]}}", id,
                   id);
    return answer->status == 200 && strcmp(answer->body, want) == 0;
}

static bool
is_own_or_unavailable(const struct http_answer *answer)
{
    return answer->seconds < ANSWER_S &&
           (answer->status == 503 || is_own(answer));
}

/* Scores differ, so that one from another's cached value shows. */
static bool
is_half(const struct http_answer *answer)
{
    return answer->seconds < ANSWER_S && expect_score_of(answer) == 0.5;
}

static bool
is_three(const struct http_answer *answer)
{
    return answer->seconds < ANSWER_S && expect_score_of(answer) == 3.0;
}

static bool
is_five(const struct http_answer *answer)
{
    return answer->seconds < ANSWER_S && expect_score_of(answer) == 5.0;
}

static const struct {
    const char *arguments;
    load_check_fn *is_right;
} people[] = {
    {REQUEST_NAMES, is_half},
    {REQUEST_PERSON, is_three},
    {"{\"phone\": 79175002040, \"email\": \"a@b\", \"first_name\": \"a\", "
     "\"last_name\": \"b\", \"birthday\": \"01.01.2000\", \"gender\": 1}",
     is_five},
};

#define PEOPLE     (sizeof(people) / sizeof(people[0]))
#define LOAD_COUNT (ID_COUNT + PEOPLE)

/* All kinds of callers at once. */
struct crowd {
    struct load *loads[LOAD_COUNT];
    char *requests[LOAD_COUNT];
};

static char *
ids_request(int id)
{
    char arguments[64];

    (void)snprintf(arguments, sizeof(arguments), "{\"client_ids\": [%d]}", id);
    return request_interests(arguments);
}

static void
crowd_start(struct crowd *crowd, const struct stack *stack)
{
    for (size_t i = 0; i < LOAD_COUNT; i++) {
        bool is_person = i < PEOPLE;
        struct load_plan one = {.port = stack->port, .callers = CALLERS};

        crowd->requests[i] = is_person
                                 ? request_score(people[i].arguments)
                                 : ids_request(FIRST_ID + (int)(i - PEOPLE));
        one.body = crowd->requests[i];
        one.is_right = is_person ? people[i].is_right : is_own_or_unavailable;
        crowd->loads[i] = load_start(&one);
        CU_ASSERT_PTR_NOT_NULL(crowd->loads[i]);
    }
}

static void
crowd_stop(struct crowd *crowd)
{
    for (size_t i = 0; i < LOAD_COUNT; i++) {
        load_expect(load_stop(crowd->loads[i]), "of the crowd");
        free(crowd->requests[i]);
    }
}

static bool
is_back(void *arg)
{
    const struct stack *stack = arg;
    bool is_good = true;

    for (int i = 0; i < 2 * ID_COUNT && is_good; i++) {
        struct http_answer answer =
            expect_post(stack->port, ids_request(FIRST_ID + i % ID_COUNT));

        is_good = is_own(&answer);
        http_answer_free(&answer);
    }
    return is_good;
}

TEST_SINGLE(storm, "one fault after the other: no answer is another's")
{
    struct stack *stack = stack_shared(&plan);
    size_t faults, returns, turns = 0;
    struct crowd crowd;

    fill(stack);
    CU_ASSERT_TRUE(clock_wait(is_back, stack, BACK_MS));
    crowd_start(&crowd, stack);
    for (int i = 0; i < ROUNDS * PEER__MAX; i++) {
        peer_set(stack->peer, (enum peer_fault)(i % PEER__MAX));
        clock_sleep_ms(TURN_MS);
        turns++;
    }
    peer_set(stack->peer, PEER_NONE);
    CU_ASSERT_TRUE(clock_wait(is_back, stack, BACK_MS));
    crowd_stop(&crowd);
    faults = stack_log_count(stack, LOG_FAULTS);
    CU_ASSERT_TRUE(stack_log_wait(stack, LOG_RETURNS, faults));
    returns = stack_log_count(stack, LOG_RETURNS);
    CU_ASSERT_TRUE(faults > 0);
    CU_ASSERT_TRUE(faults < turns);
    CU_ASSERT_EQUAL(returns, faults);
}

/* Each is saved by a new connection, so that there is nothing to be told. */
TEST_SINGLE(cut, "connections that die when they are used again")
{
    struct stack *stack = stack_shared(&plan);
    size_t faults = stack_log_count(stack, "\\] E ");
    char *request = ids_request(FIRST_ID);
    const struct load_plan one = {
        .port = stack->port, .body = request, .is_right = is_own};
    struct load_result result;

    fill(stack);
    CU_ASSERT_TRUE(clock_wait(is_back, stack, BACK_MS));
    peer_set(stack->peer, PEER_CUT);
    (void)load_p99(&one, REUSES, 0, &result);
    peer_set(stack->peer, PEER_NONE);
    CU_ASSERT_EQUAL(result.requests, REUSES);
    CU_ASSERT_EQUAL(result.failures, 0);
    if (result.failures > 0)
        (void)printf("%zu were not saved: %s\n", result.failures,
                     result.example);
    CU_ASSERT_TRUE(result.slowest_s < ANSWER_S);
    CU_ASSERT_EQUAL(stack_log_count(stack, "\\] E "), faults);
    free(request);
}

/* None of them has died. */
static void
check_same_workers(const struct stack *stack, const struct proc_found *before)
{
    struct proc_found after = stack_workers(stack);

    CU_ASSERT_EQUAL(after.count, before->count);
    CU_ASSERT_EQUAL(
        memcmp(after.pid, before->pid, before->count * sizeof(before->pid[0])),
        0);
}

/*
 * A value of more than 1 MiB is damaged: its request fails in time, and others
 * are not affected.
 */
#define HUGE_ID    900
#define HUGE_BYTES "80000000"

TEST_SINGLE(huge, "a value over 64 MiB is damaged, and passes")
{
    struct stack *stack = stack_shared(&plan);
    struct proc_found before = stack_workers(stack);
    struct http_answer answer;

    fill(stack);
    CU_ASSERT_TRUE(clock_wait(is_back, stack, BACK_MS));
    CU_ASSERT_TRUE(
        redis_do(&stack->redis, "SETRANGE i:%d %s x", HUGE_ID, HUGE_BYTES));
    /* Redis was busy with it, perhaps for too long. */
    CU_ASSERT_TRUE(clock_wait(is_back, stack, CLOCK_PATIENCE_MS));
    answer = expect_post(stack->port, ids_request(HUGE_ID));
    expect_error(&answer, 500, NULL);
    CU_ASSERT_TRUE(answer.seconds < ANSWER_S);
    http_answer_free(&answer);
    CU_ASSERT_TRUE(redis_do(&stack->redis, "DEL i:%d", HUGE_ID));
    CU_ASSERT_TRUE(clock_wait(is_back, stack, BACK_MS));
    check_same_workers(stack, &before);
}

/*
 * Many small values: up to 16 MiB together are answered, unless the time is
 * over; more are refused.
 */
#define MANY_IDS 10000

/* Envelope, members of their values and digits, and what parts them. */
#define MANY_BYTES(value)                                                      \
    (27 + MANY_IDS * ((value) + 8) + 38894 + (MANY_IDS - 1) * 2 + 2)

static const struct stack_plan direct = {.store = STACK_REDIS_UNIX};

static char *
many_request(void)
{
    struct buffer ids = {0};
    char *request;

    for (int id = 1; id <= MANY_IDS; id++)
        buffer_printf(&ids, "%s%d", id == 1 ? "{\"client_ids\": [" : ", ", id);
    buffer_add_text(&ids, "]}");
    request = request_interests(buffer_text(&ids));
    buffer_free(&ids);
    return request;
}

struct many_case {
    const char *name;
    size_t value; /* bytes of its one string */
    int code;     /* 503 is right as well */
};

static const struct many_case many_rows[] = {
    {"16 MB are whole, or 503 in time", 1600, 200},
    {"17 MB are refused, or 503 in time", 1700, 422},
    {"70 MB are refused, or 503 in time", 7000, 422},
};

TEST_CASES(many, struct many_case, many_rows)
{
    struct stack *stack = stack_shared(&direct);
    struct proc_found before = stack_workers(stack);
    struct http_answer answer;

    CU_ASSERT_TRUE(redis_do(&stack->redis, "EVAL %s 0 %d %d",
                            "local v = '[\"' .. string.rep('a', ARGV[2]) .. "
                            "'\"]' for i = 1, ARGV[1] do "
                            "redis.call('SET', 'i:' .. i, v) end",
                            MANY_IDS, (int)c->value));
    answer = expect_post(stack->port, many_request());
    if (answer.status == 200)
        CU_ASSERT_EQUAL(answer.body_length, MANY_BYTES(c->value));
    if (answer.status != c->code)
        expect_error(&answer, 503, NULL);
    http_answer_free(&answer);
    check_same_workers(stack, &before);
}

TEST_SUITE(.parts = 2);
