#ifndef METRICS_TEXT_H
#define METRICS_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "telemetry/metrics.h"

/* What the numbers stand for that requests are counted by. */
struct metrics_labels {
    const char *(*method)(size_t number); /* NULL beyond the last */
    int (*code)(size_t number);           /* of HTTP; 0 beyond the last */
    const char *model;                    /* the name of the one in force */

    /* The account of a number, and its place; false beyond the last. */
    bool (*account)(const void *accounts, size_t number, struct bytes *ret_name,
                    size_t *ret_place);
    const void *accounts; /* NULL: there are none */
};

/* The media type of the text below. */
#define METRICS_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/*
 * Adds all metrics in Prometheus's text format, version 0.0.4: HELP, TYPE and
 * samples of each. No label ever holds anything that a caller has sent.
 */
void metrics_text_put(const struct metrics *metrics,
                      const struct metrics_labels *labels, struct buf *out);

#endif
