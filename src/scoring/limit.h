#ifndef LIMIT_H
#define LIMIT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* The highest rate (requests per second) and burst (requests at once). */
#define LIMIT_MAX 1000000

/* A limit of the rate of requests. Zeroed: no limit. */
struct limit {
    int64_t interval_ns; /* between two requests on average; 0: no limit */
    int64_t burst;       /* requests at once, after a pause; at least 1 */
};

/*
 * How much of a limit is used, shared by all workers: the time, in nanoseconds
 * of CLOCK_MONOTONIC, at which the whole burst is available again. Zeroed: it
 * is available now. It is one atomic number, so a killed worker cannot leave it
 * inconsistent.
 */
typedef _Atomic int64_t limit_used;

/* rate and burst: 1 to LIMIT_MAX. */
struct limit limit_make(int64_t rate, int64_t burst);

/*
 * Takes a request, if one is left. Source: docs/protocol.md, S11.5.
 *
 * Returns 0; or, if none was left, the nanoseconds until one is.
 */
int64_t limit_take(const struct limit *limit, limit_used *used, int64_t now_ns);

/*
 * Takes count more requests, even if none is left: the following ones wait
 * longer.
 */
void limit_take_more(const struct limit *limit, limit_used *used, int64_t count,
                     int64_t now_ns);

/* Converts used from one limit to another, with the same number of used
 * requests (S11.6). */
void limit_carry(const struct limit *from, const struct limit *to,
                 limit_used *used, int64_t now_ns);

#endif
