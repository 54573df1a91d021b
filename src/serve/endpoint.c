/*
 * Health, metrics and reloads: a table of paths. Implements S8, S23.1 and S26.5
 * of docs/protocol.md. The metrics have their own listener; neither listener
 * has the other's paths.
 */
#include <inttypes.h>

#include "base/outcome.h"
#include "base/request.h"
#include "scoring/api.h"
#include "serve/endpoint.h"
#include "telemetry/metrics_text.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Writes the body, and sets what differs from a plain 200. */
typedef void respond_fn(const struct endpoint_view *view, struct buf *body,
                        struct outcome *outcome);

static respond_fn respond_alive, respond_ready, respond_metrics, respond_reload,
    respond_reloads;

struct endpoint {
    bool is_metrics; /* which listener has it */
    struct bytes path;
    respond_fn *respond; /* NULL: there is no such path */
};

/* The paths without a slash are for `scoring reload`: no path of HTTP is so. */
static const struct endpoint endpoints[] = {
    {false, BYTES_LITERAL("/healthz"), respond_alive},
    {false, BYTES_LITERAL("/readyz"), respond_ready},
    {false, BYTES_LITERAL("reload"), respond_reload},
    {false, BYTES_LITERAL("reloads"), respond_reloads},
    {true, BYTES_LITERAL("/metrics"), respond_metrics},
};

static const struct endpoint no_endpoint = {.is_metrics = true};

static const char *const verbs[] = {"GET", "HEAD"};

struct phase_row {
    const char *up, *down; /* the status, if the store is up or down */
    bool is_ready;
};

static const struct phase_row phases[] = {
    [METRICS_STARTING] = {"starting", "starting", false},
    [METRICS_SERVING] = {"ready", "degraded", true},
    [METRICS_DRAINING] = {"draining", "draining", false},
};

static void
respond_alive(const struct endpoint_view *view, struct buf *body,
              struct outcome *outcome)
{
    (void)view;
    (void)outcome;
    buf_add_text(body, "{\"status\": \"ok\"}");
}

/* With the store down the service stays ready: scores are still answered. */
static void
respond_ready(const struct endpoint_view *view, struct buf *body,
              struct outcome *outcome)
{
    const struct phase_row *phase = &phases[metrics_get_phase(view->metrics)];
    bool is_up = view->store_is_up && !metrics_is_in_outage(view->metrics);

    buf_add_text(body, "{\"status\": \"");
    buf_add_text(body, is_up ? phase->up : phase->down);
    buf_add_text(body, "\", \"store\": \"");
    buf_add_text(body, is_up ? "up" : "down");
    if (view->role != NULL) {
        buf_add_text(body, "\", \"role\": \"");
        buf_add_text(body, view->role);
    }
    buf_add_text(body, "\"}");
    if (!phase->is_ready)
        outcome_set_code(outcome, 503);
}

static bool
account_label(const void *accounts, size_t number, struct bytes *ret_name,
              size_t *ret_place)
{
    const struct account *account;

    if (number >= accounts_count(accounts))
        return false;
    account = accounts_get(accounts, number);
    *ret_name = account->name;
    *ret_place = account->place;
    return true;
}

static void
respond_metrics(const struct endpoint_view *view, struct buf *body,
                struct outcome *outcome)
{
    const struct metrics_labels labels = {
        .method = api_method_name,
        .code = outcome_status_code,
        .model = view->model,
        .account = account_label,
        .accounts = view->accounts,
    };

    metrics_text_put(view->metrics, &labels, body);
    outcome->type = METRICS_TEXT_TYPE;
}

static void
respond_reloads(const struct endpoint_view *view, struct buf *body,
                struct outcome *outcome)
{
    (void)outcome;
    buf_printf(body, "{\"ok\": %" PRIu64 ", \"failed\": %" PRIu64 "}",
               metrics_get(view->metrics, METRIC_RELOAD_OK),
               metrics_get(view->metrics, METRIC_RELOAD_FAILED));
}

/* Answers with the counts before the reload: the caller waits for a change. */
static void
respond_reload(const struct endpoint_view *view, struct buf *body,
               struct outcome *outcome)
{
    respond_reloads(view, body, outcome);
    outcome->wants_reload = true;
}

static void
refuse(int code, struct buf *body, struct outcome *outcome)
{
    outcome_set_code(outcome, code);
    buf_printf(body, "{\"code\": %d, \"error\": \"%s\"}", code,
               outcome->reason);
}

static bool
verb_is_known(struct bytes verb)
{
    for (size_t i = 0; i < COUNT(verbs); i++) {
        if (bytes_equal(verb, bytes_of(verbs[i])))
            return true;
    }
    return false;
}

const struct endpoint *
endpoint_find(const struct request *request)
{
    const bool is_metrics = request->listener.length > 0;

    for (size_t i = 0; i < COUNT(endpoints); i++) {
        if (endpoints[i].is_metrics == is_metrics &&
            bytes_equal(request->path, endpoints[i].path))
            return &endpoints[i];
    }
    return is_metrics ? &no_endpoint : NULL;
}

void
endpoint_answer(const struct endpoint *endpoint, const struct request *request,
                const struct endpoint_view *view, struct buf *body,
                struct outcome *ret_outcome)
{
    *ret_outcome = (struct outcome){.method_number = OUTCOME_NO_METHOD,
                                    .is_routine = true};
    outcome_set_code(ret_outcome, 200);
    if (endpoint->respond == NULL) {
        refuse(404, body, ret_outcome);
    } else if (!verb_is_known(request->verb)) {
        refuse(405, body, ret_outcome);
        ret_outcome->header = "Allow: GET, HEAD";
    } else {
        endpoint->respond(view, body, ret_outcome);
    }
    ret_outcome->body = buf_bytes(body);
    if (body->failed)
        outcome_break(ret_outcome, OUTCOME_FAULT_MEMORY,
                      bytes_of("out of memory"));
}
