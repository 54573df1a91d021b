#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/*
 * The clocks of the whole program. Use the monotonic clock for durations,
 * deadlines and load, so that a step of the wall clock does not affect them.
 * Use the wall clock only for a time of day: the log's, today's date, the
 * admin's hour.
 */
int64_t clock_mono_us(void);
int64_t clock_mono_ms(void);

/* Since the epoch. */
time_t clock_wall_s(void);
int64_t clock_wall_ms(void);

/* Processor time used by all threads of this process. */
int64_t clock_cpu_us(void);

#endif
