/*
 * Time for the tests: clocks, and waiting for a condition with a limit.
 */
#include "clock.h"

#define CLOCK_POLL_MS 5  /* at first */
#define CLOCK_REST_MS 25 /* at most: some checks read all of /proc */
#define CLOCK_HOUR_S  3600
#define CLOCK_EDGE_S  2 /* longer than any one request takes */

#define CLOCK_HASTE_MS 2000 /* instead of CLOCK_PATIENCE_MS, once it failed */

static bool is_hasty;

int64_t
clock_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t
clock_ms(void)
{
    return clock_us() / 1000;
}

void
clock_sleep_ms(int64_t ms)
{
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};

    while (nanosleep(&pause, &pause) != 0)
        continue;
}

/* The pause before the next check: a twentieth of the time waited so far. */
static int64_t
rest_ms(int64_t waited_ms)
{
    int64_t rest = waited_ms / 20;

    if (rest < CLOCK_POLL_MS)
        return CLOCK_POLL_MS;
    return rest < CLOCK_REST_MS ? rest : CLOCK_REST_MS;
}

bool
clock_wait(clock_check_fn *check, void *arg, int64_t limit_ms)
{
    const bool is_patience = limit_ms == CLOCK_PATIENCE_MS;
    const int64_t start = clock_ms();
    const int64_t end =
        start + (is_patience && is_hasty ? CLOCK_HASTE_MS : limit_ms);

    while (!check(arg)) {
        if (clock_ms() >= end) {
            is_hasty = is_hasty || is_patience;
            return false;
        }
        clock_sleep_ms(rest_ms(clock_ms() - start));
    }
    return true;
}

void
clock_be_patient(void)
{
    is_hasty = false;
}

/* Local hours end at whole or half hours of UTC. */
time_t
clock_steady_now(void)
{
    const time_t half = CLOCK_HOUR_S / 2;

    while (time(NULL) % half >= half - CLOCK_EDGE_S)
        clock_sleep_ms(100);
    return time(NULL);
}
