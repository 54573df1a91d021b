#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/*
 * The clocks of the whole program. Durations, limits and load are measured by
 * the monotonic one alone, so that a step of the wall clock changes nothing but
 * what shows or means a time of day: stamps, dates, the admin's hour.
 */
int64_t clock_mono_us(void);
int64_t clock_mono_ms(void);

/* Since the epoch. */
time_t clock_wall_s(void);
int64_t clock_wall_ms(void);

/* What this process has used of the processors. */
int64_t clock_cpu_us(void);

#endif
