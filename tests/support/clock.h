#ifndef CLOCK_H
#define CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* CLOCK_MONOTONIC. */
int64_t clock_ms(void);
int64_t clock_us(void);

void clock_sleep_ms(int64_t ms);

/*
 * The limit of a wait for something that must happen eventually, if no time is
 * promised for it. It only ends a wait in vain: it is long, because a busy
 * machine or a sanitizer makes everything slow.
 */
#define CLOCK_PATIENCE_MS 60000

typedef bool clock_check_fn(void *arg);

/*
 * Calls check every few milliseconds until it returns true; returns false at
 * the limit. After a wait of CLOCK_PATIENCE_MS in vain, the row has failed, and
 * its other waits of this kind end after 2 s; clock_be_patient() ends that.
 */
bool clock_wait(clock_check_fn *check, void *arg, int64_t limit_ms);
void clock_be_patient(void);

/*
 * The time of day, at least two seconds before the end of an hour: a token of
 * this hour, or a date of today, is still valid when it is used. May sleep.
 */
time_t clock_steady_now(void);

#endif
