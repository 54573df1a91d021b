/*
 * Health and metrics: a table of paths. Implements "Health" and "Metrics" of
 * docs/protocol.md. The metrics have a listener of their own, and neither
 * knows the other's paths.
 */
#include <stddef.h>

#include "scoring/api.h"
#include "serve/endpoint.h"
#include "telemetry/metrics_text.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define TYPE_JSON "application/json"

typedef struct endpoint_answer respond_fn(const struct endpoint_view *view,
                                          struct buf *body);

static respond_fn respond_alive, respond_ready, respond_metrics;

struct endpoint {
    bool is_metrics; /* which listener has it */
    const char *path;
    respond_fn *respond;
};

static const struct endpoint endpoints[] = {
    {false, "/healthz", respond_alive},
    {false, "/readyz", respond_ready},
    {true, "/metrics", respond_metrics},
};

static const char *const verbs[] = {"GET", "HEAD"};

struct phase_row {
    const char *up, *down; /* the status, by the store's state */
    bool is_ready;
};

static const struct phase_row phases[] = {
    [METRICS_STARTING] = {"starting", "starting", false},
    [METRICS_SERVING] = {"ready", "degraded", true},
    [METRICS_DRAINING] = {"draining", "draining", false},
};

static const struct endpoint_answer answer_ok = {200, "OK", NULL, TYPE_JSON};
static const struct endpoint_answer answer_not_ready = {
    503, "Service Unavailable", "Retry-After: 1", TYPE_JSON};
static const struct endpoint_answer answer_no_path = {404, "Not Found", NULL,
                                                      TYPE_JSON};
static const struct endpoint_answer answer_no_verb = {
    405, "Method Not Allowed", "Allow: GET, HEAD", TYPE_JSON};
static const struct endpoint_answer answer_metrics = {200, "OK", NULL,
                                                      METRICS_TEXT_TYPE};

static struct endpoint_answer
respond_alive(const struct endpoint_view *view, struct buf *body)
{
    (void)view;
    buf_add_text(body, "{\"status\": \"ok\"}");
    return answer_ok;
}

/* A store that is away is no reason to go elsewhere: scores are answered. */
static struct endpoint_answer
respond_ready(const struct endpoint_view *view, struct buf *body)
{
    const struct phase_row *phase = &phases[metrics_get_phase(view->metrics)];
    bool is_up = view->store_is_up &&
                 metrics_outage_count(view->metrics, OUTAGE_STORE) == 0;

    buf_add_text(body, "{\"status\": \"");
    buf_add_text(body, is_up ? phase->up : phase->down);
    buf_add_text(body, "\", \"store\": \"");
    buf_add_text(body, is_up ? "up" : "down");
    buf_add_text(body, "\"}");
    return phase->is_ready ? answer_ok : answer_not_ready;
}

static struct endpoint_answer
respond_metrics(const struct endpoint_view *view, struct buf *body)
{
    static const struct metrics_labels labels = {
        .method = api_method_name,
        .code = api_status_code,
    };

    metrics_text_put(view->metrics, &labels, body);
    return answer_metrics;
}

static struct endpoint_answer
refuse(const struct endpoint_answer *answer, struct buf *body)
{
    buf_add_text(body, "{\"code\": ");
    buf_add_int(body, answer->code);
    buf_add_text(body, ", \"error\": \"");
    buf_add_text(body, answer->reason);
    buf_add_text(body, "\"}");
    return *answer;
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

static const struct endpoint *
find(const struct endpoint_input *input)
{
    for (size_t i = 0; i < COUNT(endpoints); i++) {
        if (endpoints[i].is_metrics == input->is_metrics &&
            bytes_equal(input->path, bytes_of(endpoints[i].path)))
            return &endpoints[i];
    }
    return NULL;
}

bool
endpoint_answer(const struct endpoint_input *input,
                const struct endpoint_view *view, struct buf *body,
                struct endpoint_answer *ret_answer)
{
    const struct endpoint *endpoint = find(input);

    if (endpoint == NULL && !input->is_metrics)
        return false;
    if (endpoint == NULL)
        *ret_answer = refuse(&answer_no_path, body);
    else if (!verb_is_known(input->verb))
        *ret_answer = refuse(&answer_no_verb, body);
    else
        *ret_answer = endpoint->respond(view, body);
    return true;
}
