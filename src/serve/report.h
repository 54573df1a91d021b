#ifndef REPORT_H
#define REPORT_H

#include <stdint.h>

#include "store/store.h"

struct log;
struct metrics;
struct outcome;
struct request;

/*
 * Logs an outcome of the API in one line, and counts it; a 500 has one more
 * line, with the reason. Source: docs/protocol.md, S23 and S28.
 *
 * duration_us  since the request arrived.
 */
void report_outcome(struct log *log, struct metrics *metrics,
                    const struct request *request,
                    const struct outcome *outcome, int64_t duration_us);

/* Counts the result of a read. */
void report_read(struct metrics *metrics, enum store_need need,
                 enum store_status status);

#endif
