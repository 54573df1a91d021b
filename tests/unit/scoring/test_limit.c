/*
 * Limits, with times calculated by hand: at 10 requests per second, one is
 * available again each 100 ms.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/units.h"
#include "scoring/limit.h"
#include "support/cases.h"

#define START_NS  (INT64_C(1000) * NS_PER_S)
#define MS(count) (INT64_C(count) * NS_PER_MS)

struct take_case {
    const char *name;
    int64_t rate, burst;
    int at_once;      /* accepted at START_NS */
    int64_t after_ns; /* the next take is so much later */
    int64_t want_ns;  /* the result of that take */
};

static const struct take_case take_rows[] = {
    {"the first", 10, 1, 0, 0, 0},
    {"the second at once", 10, 1, 1, 0, MS(100)},
    {"just before its time", 10, 1, 1, MS(100) - 1, 1},
    {"at its time", 10, 1, 1, MS(100), 0},
    {"the last of a burst", 10, 5, 4, 0, 0},
    {"one more than a burst", 10, 5, 5, 0, MS(100)},
    {"after half an interval", 10, 5, 5, MS(50), MS(50)},
    {"a burst larger than the rate", 1, 3, 3, 0, MS(1000)},
    {"a burst smaller than the rate", 1000, 2, 2, 0, MS(1)},
    {"the largest rate", 1000000, 1, 1, 0, 1000},
    {"a long rest", 10, 5, 5, MS(100000), 0},
};

TEST_CASES(take, struct take_case, take_rows)
{
    const struct limit limit = limit_make(c->rate, c->burst);
    limit_used used = 0;

    for (int i = 0; i < c->at_once; i++)
        CU_ASSERT_EQUAL(limit_take(&limit, &used, START_NS), 0);
    CU_ASSERT_EQUAL(limit_take(&limit, &used, START_NS + c->after_ns),
                    c->want_ns);
}

TEST_SINGLE(no_limit, "without a limit nothing is used")
{
    const struct limit none = {0};
    limit_used used = 0;

    CU_ASSERT_EQUAL(limit_take(&none, &used, START_NS), 0);
    limit_take_more(&none, &used, 1000000, START_NS);
    CU_ASSERT_EQUAL(used, 0);
}

TEST_SINGLE(refused, "what is refused takes nothing")
{
    const struct limit limit = limit_make(10, 1);
    limit_used used = 0;

    (void)limit_take(&limit, &used, START_NS);
    for (int i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(limit_take(&limit, &used, START_NS), MS(100));
    CU_ASSERT_EQUAL(limit_take(&limit, &used, START_NS + MS(100)), 0);
}

TEST_SINGLE(batch, "a batch is let in while one is left, and the next wait")
{
    const struct limit limit = limit_make(10, 5);
    limit_used used = 0;

    for (int i = 0; i < 4; i++)
        (void)limit_take(&limit, &used, START_NS);
    CU_ASSERT_EQUAL(limit_take(&limit, &used, START_NS), 0);
    limit_take_more(&limit, &used, 99, START_NS);
    CU_ASSERT_EQUAL(limit_take(&limit, &used, START_NS), MS(10000));
}

TEST_SINGLE(more, "a batch that is let in first and counted afterwards")
{
    const struct limit limit = limit_make(10, 5);
    limit_used used = 0;

    CU_ASSERT_EQUAL(limit_take(&limit, &used, START_NS), 0);
    limit_take_more(&limit, &used, 99, START_NS);
    CU_ASSERT_EQUAL(limit_take(&limit, &used, START_NS), MS(9600));
}

TEST_SINGLE(more_first, "a batch that is counted when all is available")
{
    const struct limit limit = limit_make(10, 5);
    limit_used used = 0;

    limit_take_more(&limit, &used, 10, START_NS);
    CU_ASSERT_EQUAL(limit_take(&limit, &used, START_NS), MS(600));
}

struct carry_case {
    const char *name;
    int64_t from_rate, to_rate; /* 0: no limit */
    int64_t want_ns; /* how long the next one waits, with a burst of 1 */
};

/* After 11 requests at once, accepted as a batch. */
static const struct carry_case carry_rows[] = {
    {"the same", 10, 10, MS(1100)},
    {"ten times as often", 10, 100, MS(110)},
    {"a tenth as often", 10, 1, MS(11000)},
    {"limited before", 10, 0, 0},
    {"limited from now on", 0, 10, 0},
};

static struct limit
make(int64_t rate)
{
    return rate > 0 ? limit_make(rate, 1) : (struct limit){0};
}

TEST_CASES(carry, struct carry_case, carry_rows)
{
    const struct limit from = make(c->from_rate), to = make(c->to_rate);
    limit_used used = 0;

    (void)limit_take(&from, &used, START_NS);
    limit_take_more(&from, &used, 10, START_NS);
    limit_carry(&from, &to, &used, START_NS);
    CU_ASSERT_EQUAL(limit_take(&to, &used, START_NS), c->want_ns);
}

#define PROCESSES 4
#define TRIES     20000

/*
 * If two processes took the same request, there would be more than the burst.
 */
TEST_SINGLE(shared, "processes that take at once share one burst")
{
    const struct limit limit = limit_make(1, PROCESSES * TRIES / 2);
    struct shared {
        limit_used used;
        _Atomic int64_t taken;
    } *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    CU_ASSERT_PTR_NOT_EQUAL_FATAL(shared, MAP_FAILED);
    for (int i = 0; i < PROCESSES; i++) {
        if (fork() != 0)
            continue;
        for (int try = 0; try < TRIES; try++)
            shared->taken += limit_take(&limit, &shared->used, START_NS) == 0;
        _exit(0);
    }
    for (int i = 0; i < PROCESSES; i++)
        (void)wait(NULL);
    CU_ASSERT_EQUAL(shared->taken, PROCESSES * TRIES / 2);
    (void)munmap(shared, sizeof(*shared));
}
