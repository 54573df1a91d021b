#ifndef REQUEST_H
#define REQUEST_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/bytes.h"

enum request_body {
    REQUEST_BODY_WHOLE = 0,
    REQUEST_BODY_NONE,     /* no length was announced, or 0 */
    REQUEST_BODY_OTHER,    /* not as many bytes came as were announced */
    REQUEST_BODY_TOO_LARGE /* the length, announced or real, is over the limit
                            */
};

/*
 * One request, as everybody sees it from its arrival to its line in the log.
 * The texts are lent until the answer is written, the body until it is planned.
 */
struct request {
    struct bytes verb;     /* "POST" */
    struct bytes path;     /* decoded, without the query */
    struct bytes listener; /* of nginx: "metrics", or "" for the API */
    struct bytes id;       /* "-" unless it is 1 to 128 of [A-Za-z0-9._-] */
    struct bytes trace_id; /* of a good traceparent, or "" */
    enum request_body body_state;
    char *body; /* of REQUEST_BODY_WHOLE; may be altered */
    size_t body_length;
    time_t now;         /* when it was planned */
    int64_t arrived_ns; /* CLOCK_MONOTONIC */
};

#endif
