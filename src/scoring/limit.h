#ifndef LIMIT_H
#define LIMIT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Of requests a second, and of requests at once. */
#define LIMIT_MAX 1000000

/* How often something may be done; zeroed: as often as one likes. */
struct limit {
    int64_t interval_ns; /* between two, in the long run; 0: no limit */
    int64_t burst;       /* so many at once after a rest; at least 1 */
};

/*
 * How much of a limit is used, for all processes that share this word: when, on
 * CLOCK_MONOTONIC, the burst is whole again. Zeroed: it is. One number, changed
 * as a whole, so that a process that is killed leaves nothing half done.
 */
typedef _Atomic int64_t limit_used;

/* rate and burst: 1 to LIMIT_MAX. */
struct limit limit_make(int64_t rate, int64_t burst);

/*
 * Takes count (at least 1) if at least one is left: then the next waits for
 * those that were not.
 *
 * Returns 0; or, when nothing was left and so nothing was taken, the
 * nanoseconds until one is.
 */
int64_t limit_take(const struct limit *limit, limit_used *used, int64_t count,
                   int64_t now_ns);

/* Takes more, left or not, for what has been let in. */
void limit_take_more(const struct limit *limit, limit_used *used, int64_t count,
                     int64_t now_ns);

/* Lets the same number of requests be used by another limit as by this one. */
void limit_carry(const struct limit *from, const struct limit *to,
                 limit_used *used, int64_t now_ns);

#endif
