/*
 * The only file that reads clocks. clock_gettime() fails only for a clock that
 * the system does not have, and Linux has all three: the result is not checked.
 */
#include "base/clock.h"
#include "base/units.h"

static int64_t
read_us(clockid_t clock)
{
    struct timespec now = {0};

    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / NS_PER_US;
}

int64_t
clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t
clock_mono_ms(void)
{
    return clock_mono_us() / US_PER_MS;
}

time_t
clock_wall_s(void)
{
    return time(NULL);
}

int64_t
clock_wall_ms(void)
{
    return read_us(CLOCK_REALTIME) / US_PER_MS;
}

int64_t
clock_cpu_us(void)
{
    return read_us(CLOCK_PROCESS_CPUTIME_ID);
}
