#ifndef ENDPOINT_H
#define ENDPOINT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/outcome.h"
#include "base/request.h"
#include "scoring/accounts.h"
#include "telemetry/metrics.h"

/*
 * The requests that are not for the API: health, metrics and reloads. They are
 * recognized by listener, path and verb alone. Pure. Source: docs/protocol.md,
 * S8, S23.1 and S26.5.
 */

/* What the endpoints report; borrowed. */
struct endpoint_view {
    const struct metrics *metrics;
    bool store_is_up;  /* for this worker */
    const char *model; /* name of the model in force */
    const char *role;  /* of the store's server; NULL: not shown */
    const struct accounts *accounts; /* NULL: there is no file of accounts */
};

/*
 * The endpoint that a request is for; NULL: the request is for the API. On the
 * listener of the metrics no request is for the API.
 */
struct endpoint;
const struct endpoint *endpoint_find(const struct request *request);

/*
 * Answers a request for an endpoint.
 *
 * body          receives the body of the answer.
 * ret_outcome   refers to the body.
 */
void endpoint_answer(const struct endpoint *endpoint,
                     const struct request *request,
                     const struct endpoint_view *view, struct buf *body,
                     struct outcome *ret_outcome);

#endif
