#ifndef METRICS_TEXT_H
#define METRICS_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "telemetry/metrics.h"

/* The labels that belong to the indexes of counters. */
struct metrics_labels {
    const char *(*method)(size_t number); /* NULL beyond the last */
    int (*code)(size_t number);           /* HTTP status; 0 beyond the last */
    const char *model;                    /* the name of the model in force */

    /* The name of account `number`, and its place; false beyond the last. */
    bool (*account)(const void *accounts, size_t number, struct bytes *ret_name,
                    size_t *ret_place);
    const void *accounts; /* NULL: there are none */
};

/* The media type of the text of metrics_text_put(). */
#define METRICS_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/*
 * Adds all metrics in Prometheus's text format, version 0.0.4: HELP, TYPE and
 * samples of each. No label contains anything that a caller has sent. Source:
 * docs/protocol.md, S23.
 */
void metrics_text_put(const struct metrics *metrics,
                      const struct metrics_labels *labels, struct buf *out);

#endif
