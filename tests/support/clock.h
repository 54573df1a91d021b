#ifndef CLOCK_H
#define CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* CLOCK_MONOTONIC. */
int64_t clock_ms(void);
int64_t clock_us(void);

void clock_sleep_ms(int64_t ms);

typedef bool clock_check_fn(void *arg);

/* Asks every few milliseconds until the answer is yes; false at the limit. */
bool clock_wait(clock_check_fn *check, void *arg, int64_t limit_ms);

/*
 * The time of day, at least two seconds away from the end of an hour: what is
 * made for this hour, or for this day, is still good when it is used.
 */
time_t clock_steady_now(void);

#endif
