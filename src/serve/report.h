#ifndef REPORT_H
#define REPORT_H

#include <stdint.h>

#include "store/store.h"

struct log;
struct metrics;
struct outcome;
struct request;

/*
 * One line in the log, and the counters, for an outcome of the API; one more
 * line for a 500, which says why.
 *
 * duration_us  since the request had arrived.
 */
void report_outcome(struct log *log, struct metrics *metrics,
                    const struct request *request,
                    const struct outcome *outcome, int64_t duration_us);

/* The counter for what became of a read. */
void report_read(struct metrics *metrics, enum store_need need,
                 enum store_status status);

#endif
