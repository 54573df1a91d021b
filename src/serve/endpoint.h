#ifndef ENDPOINT_H
#define ENDPOINT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "telemetry/metrics.h"

/*
 * What the service answers besides the API: health and metrics, by path and
 * verb alone. Pure.
 */
struct endpoint_input {
    struct bytes verb, path;
    bool is_metrics; /* it came over the listener of the metrics */
};

/* What the endpoints tell of; borrowed. */
struct endpoint_view {
    const struct metrics *metrics;
    bool store_is_up; /* as far as this worker knows */
};

struct endpoint_answer {
    int code; /* of HTTP */
    const char *reason;
    const char *header; /* one more, without its end; or NULL */
    const char *type;   /* the body's media type */
};

/*
 * Answers a request if its path is one of an endpoint. Over the listener of
 * the metrics it always is: there is nothing else.
 *
 * body         receives the body; it has failed when there is no memory.
 * ret_answer   set, with static texts, only when the result is true.
 *
 * Returns false if the request is one for the API.
 */
bool endpoint_answer(const struct endpoint_input *input,
                     const struct endpoint_view *view, struct buf *body,
                     struct endpoint_answer *ret_answer);

#endif
