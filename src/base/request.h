#ifndef REQUEST_H
#define REQUEST_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/bytes.h"

enum request_body {
    REQUEST_BODY_WHOLE = 0,
    REQUEST_BODY_NONE,      /* CONTENT_LENGTH is missing or 0 */
    REQUEST_BODY_MISMATCH,  /* its length differs from CONTENT_LENGTH */
    REQUEST_BODY_TOO_LARGE, /* it exceeds SCORING_MAX_BODY_BYTES */
};

/*
 * One request, from its arrival to its line in the log. The texts are lent
 * until the answer is written, the body until api_plan() returns.
 */
struct request {
    struct bytes verb;     /* "POST" */
    struct bytes path;     /* decoded, without the query */
    struct bytes listener; /* of nginx: "metrics", or "" for the API */
    struct bytes id;       /* "-" unless it is 1 to 128 of [A-Za-z0-9._-] */
    struct bytes trace_id; /* of a well-formed traceparent, or "" */
    enum request_body body_state;
    char *body; /* for REQUEST_BODY_WHOLE; decoded in place */
    size_t body_length;
    time_t now;         /* wall clock, when the request was planned */
    int64_t arrived_ns; /* CLOCK_MONOTONIC */
};

#endif
