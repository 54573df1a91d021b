#ifndef ENDPOINT_H
#define ENDPOINT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/outcome.h"
#include "base/request.h"
#include "scoring/accounts.h"
#include "telemetry/metrics.h"

/*
 * What the service answers besides the API: health, metrics and reloads, by
 * listener, path and verb alone. Pure.
 */

/* What the endpoints tell of; borrowed. */
struct endpoint_view {
    const struct metrics *metrics;
    bool store_is_up;                /* as far as this worker knows */
    const char *model;               /* the name of the one in force */
    const char *role;                /* of the store's server; NULL: not said */
    const struct accounts *accounts; /* NULL: none */
};

/*
 * Answers a request if its path is one of an endpoint. Over the listener of
 * the metrics it always is: there is nothing else.
 *
 * body          receives the body.
 * ret_outcome   set only when the result is true; lends the body.
 *
 * Returns false if the request is one for the API.
 */
bool endpoint_answer(const struct request *request,
                     const struct endpoint_view *view, struct buf *body,
                     struct outcome *ret_outcome);

#endif
