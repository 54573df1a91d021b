#ifndef METRICS_H
#define METRICS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Counters and outage flags in memory that the parent maps before it forks
 * and all workers share; they outlive any worker. Updates are atomic.
 */
struct metrics;

enum metric {
    METRIC_REQUESTS = 0,
    METRIC_CACHE_HITS,
    METRIC_CACHE_MISSES,
    METRIC_STORE_RETRIES,
    METRIC_STORE_READ_FAILURES,
    METRIC_STORE_WRITE_FAILURES,
    METRIC_STORE_OUTAGES,
    METRIC_FCGI_FAULTS,
    METRIC_LOG_LINES_LOST,
    METRIC_WORKER_RESTARTS,
    METRIC__MAX
};

/* One outage is noticed by every worker and told once. */
enum outage {
    OUTAGE_STORE = 0, /* no connection: the breaker of a worker is open */
    OUTAGE_REFUSED,   /* the server answers with errors */
    OUTAGE_WRITES,    /* cache writes are lost */
    OUTAGE__MAX
};

#define METRICS_WORKERS_MAX 1024 /* bound of the setting */

/* A worker has one while it lives; new ones overlap with those they replace. */
#define METRICS_SLOTS (2 * METRICS_WORKERS_MAX)

/* NULL with errno set when the memory cannot be had. */
struct metrics *metrics_new(void);

/* Unmaps it from this process only. Accepts NULL. */
void metrics_free(struct metrics *metrics);

void metrics_add(struct metrics *metrics, enum metric metric, uint64_t by);
uint64_t metrics_get(const struct metrics *metrics, enum metric metric);

/* The counter's name, words joined by underscores; static. */
const char *metrics_name(enum metric metric);

/*
 * Worker `slot` entered (or left) an outage. Returns true if that is news for
 * the whole service: the first worker to enter, the last one to leave. To
 * enter, or leave, a second time changes nothing.
 */
bool metrics_outage_enter(struct metrics *metrics, int slot, enum outage what);
bool metrics_outage_leave(struct metrics *metrics, int slot, enum outage what);

/* What is out of order, in words for the log; static. */
const char *metrics_outage_text(enum outage what);

/* Takes a slot, -1 if none is free. Only the parent does. */
int metrics_slot_take(struct metrics *metrics);

/*
 * Gives a slot back when its worker is gone, and leaves all its outages.
 *
 * Returns the outages that ended with it, as bits 1 << enum outage: the dead
 * worker cannot tell of them.
 */
unsigned metrics_slot_release(struct metrics *metrics, int slot);

#endif
