/* Each clock is the right one of the system. */
#include "base/clock.h"
#include "base/units.h"
#include "support/calls.h"
#include "support/cases.h"

static int64_t
system_us(clockid_t clock)
{
    struct timespec now;

    CU_ASSERT_EQUAL(clock_gettime(clock, &now), 0);
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / NS_PER_US;
}

/*
 * Read twice, half a second apart: once it is in the second half of a second.
 */
TEST_SINGLE(monotonic, "is the system's, to the microsecond")
{
    for (int i = 0; i < 2; i++) {
        int64_t before_us = system_us(CLOCK_MONOTONIC);
        int64_t us = clock_mono_us(), ms = clock_mono_ms();
        int64_t after_us = system_us(CLOCK_MONOTONIC);

        CU_ASSERT(before_us <= us && us <= after_us);
        CU_ASSERT(us / US_PER_MS <= ms && ms <= after_us / US_PER_MS);
        calls_pass_ms(500);
    }
}

TEST_SINGLE(wall, "is the time of day, in seconds")
{
    const time_t before = time(NULL), now = clock_wall_s();

    CU_ASSERT(before <= now && now <= time(NULL));
}

TEST_SINGLE(cpu, "is what the process has used")
{
    const int64_t before_us = system_us(CLOCK_PROCESS_CPUTIME_ID);
    const int64_t us = clock_cpu_us();

    CU_ASSERT(before_us <= us && us <= system_us(CLOCK_PROCESS_CPUTIME_ID));
}
