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
 * The limit of a wait for what must happen at all, where nobody has promised
 * how soon. It ends the wait for what never happens, and is no measure of
 * anything: a machine that is busy, or a sanitizer, makes all of us slow.
 */
#define CLOCK_PATIENCE_MS 60000

typedef bool clock_check_fn(void *arg);

/*
 * Asks every few milliseconds until the answer is yes; false at the limit. A
 * row that has waited in vain has failed: from then on it has no patience.
 */
bool clock_wait(clock_check_fn *check, void *arg, int64_t limit_ms);
void clock_be_patient(void);

/*
 * The time of day, at least two seconds away from the end of an hour: what is
 * made for this hour, or for this day, is still good when it is used.
 */
time_t clock_steady_now(void);

#endif
