/*
 * One request in two pure steps: bytes and a clock become an answer or the
 * keys wanted; the values of these keys become an answer. Owns the table of
 * methods, the envelope's fields, the order of work, and the only map from
 * errors to statuses. Implements "Transport", "Request" and "Errors" of
 * docs/protocol.md.
 */
#include <assert.h>
#include <stdlib.h>

#include <json-c/json.h>

#include "base/buf.h"
#include "base/json.h"
#include "scoring/api.h"
#include "scoring/envelope.h"
#include "scoring/fields.h"
#include "scoring/method.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Of a request, besides what ids may need. */
#define API_VALUES_MAX 10000

struct status {
    int code;
    const char *text;   /* where the handler has nothing better to say */
    const char *header; /* that goes with it, or NULL */
};

static const struct status statuses[] = {
    {200, "OK", NULL},
    {400, "Bad Request", NULL},
    {403, "Forbidden", NULL},
    {404, "Not Found", NULL},
    {405, "Method Not Allowed", "Allow: POST"},
    {413, "Payload Too Large", NULL},
    {422, "Invalid Request", NULL},
    {500, "Internal Server Error", NULL},
    {503, "Service Unavailable", "Retry-After: 1"},
};

/* What each result of a method ends a request with; code 0: nothing. */
static const struct result_row {
    int code;
    enum api_fault fault;
} results[METHOD__MAX] = {
    [METHOD_OK] = {0, API_FAULT_NONE},
    [METHOD_BROKEN] = {500, API_FAULT_VALUE},
    [METHOD_DOWN] = {503, API_FAULT_NONE},
    [METHOD_LARGE] = {422, API_FAULT_NONE},
    [METHOD_MEMORY] = {500, API_FAULT_MEMORY},
};

static const char *const fault_texts[] = {
    [API_FAULT_NONE] = "",
    [API_FAULT_VALUE] = "a stored value is not usable",
    [API_FAULT_MEMORY] = "out of memory",
    [API_FAULT_DIGEST] = "libcrypto cannot make a digest",
    [API_FAULT_CLOCK] = "the clock shows no date that has a year of 4 digits",
};
_Static_assert(COUNT(fault_texts) == API_FAULT__MAX, "one text per fault");

static const struct method *const methods[] = {
    &method_online_score,
    &method_clients_interests,
};

static const char *const paths[] = {"/method", "/method/"};

_Static_assert(COUNT(methods) <= API_METHODS_MAX, "methods are counted");
_Static_assert(COUNT(statuses) <= API_STATUSES_MAX, "statuses are counted");

struct api {
    const struct api_config *config;
    struct auth *auth;
    struct field_limits limits; /* of the day that holds limits_at */
    time_t limits_at;
};

struct api_call {
    struct api *api;
    struct envelope envelope; /* lent by the body */
    void *request;            /* the method's own struct */
    const struct method *method;
    struct method_plan plan;
    struct buf detail; /* an error's words, when there are better ones */
    struct buf context;
    struct buf body;
    int code;             /* 0 until answered */
    enum api_fault fault; /* why it is 500 */
};

struct api *
api_new(const struct api_config *config)
{
    struct api *api = calloc(1, sizeof(*api));

    if (api == NULL)
        return NULL;
    api->config = config;
    api->limits.client_ids_max = config->client_ids_max;
    api->auth = auth_new(&config->secrets);
    if (api->auth == NULL) {
        api_free(api);
        return NULL;
    }
    return api;
}

void
api_free(struct api *api)
{
    if (api == NULL)
        return;
    auth_free(api->auth);
    free(api);
}

static const struct status *
status_of(int code)
{
    size_t i = 0;

    while (statuses[i].code != code) {
        i++;
        assert(i < COUNT(statuses));
    }
    return &statuses[i];
}

/*
 * The steps of planning, in the order of work. Each returns 0 to go on, or
 * the status that ends the request, with its words in call->detail.
 */

static int
step_path(struct api_call *call, const struct api_input *input)
{
    (void)call;
    for (size_t i = 0; i < COUNT(paths); i++) {
        if (bytes_equal(input->path, bytes_of(paths[i])))
            return 0;
    }
    return 404;
}

static int
step_verb(struct api_call *call, const struct api_input *input)
{
    (void)call;
    return bytes_equal(input->verb, bytes_of("POST")) ? 0 : 405;
}

static int
step_body(struct api_call *call, const struct api_input *input)
{
    switch (input->body_state) {
    case API_BODY_WHOLE:
        break;
    case API_BODY_EMPTY_LENGTH:
        buf_add_text(&call->detail, "the request has no body");
        return 400;
    case API_BODY_SHORT:
        buf_add_text(&call->detail,
                     "the body is not as long as its length says");
        return 400;
    case API_BODY_TOO_LARGE:
        return 413;
    }
    return input->body_length > call->api->config->body_max_bytes ? 413 : 0;
}

static int
fail(struct api_call *call, enum api_fault fault)
{
    call->fault = fault;
    return 500;
}

static int
step_envelope(struct api_call *call, const struct api_input *input)
{
    const size_t values_max =
        API_VALUES_MAX + 2 * call->api->config->client_ids_max;
    struct json_fault fault;

    switch (envelope_read(input->body, input->body_length, values_max,
                          &call->envelope, &fault, &call->detail)) {
    case ENVELOPE_OK:
        return 0;
    case ENVELOPE_FIELDS:
        return call->detail.failed ? fail(call, API_FAULT_MEMORY) : 422;
    case ENVELOPE_JSON:
        break;
    }
    if (fault.error == JSON_MANY) {
        buf_add_text(&call->detail, json_error_text(fault.error));
        return 413;
    }
    buf_add_text(&call->detail, "invalid JSON at byte ");
    buf_add_int(&call->detail, (long long)fault.offset);
    buf_add_text(&call->detail, ": ");
    buf_add_text(&call->detail, json_error_text(fault.error));
    return 400;
}

static int
step_token(struct api_call *call, const struct api_input *input)
{
    const struct envelope *envelope = &call->envelope;
    const struct auth_claim claim = {envelope->account, envelope->login,
                                     envelope->token};
    size_t place;

    switch (auth_check(call->api->auth, &claim, NULL, input->now, &place)) {
    case AUTH_OK:
        return 0;
    case AUTH_REFUSED:
        return 403;
    case AUTH_NO_HOUR:
        return fail(call, API_FAULT_CLOCK);
    case AUTH_NO_DIGEST:
    case AUTH__MAX:
        break;
    }
    return fail(call, API_FAULT_DIGEST);
}

static int
step_method(struct api_call *call, const struct api_input *input)
{
    (void)input;
    for (size_t i = 0; i < COUNT(methods); i++) {
        if (bytes_equal(call->envelope.method, bytes_of(methods[i]->name))) {
            call->method = methods[i];
            return 0;
        }
    }
    buf_add_text(&call->detail, "method: must be one of ");
    for (size_t i = 0; i < COUNT(methods); i++) {
        buf_add_text(&call->detail, i == 0 ? "" : ", ");
        buf_add_text(&call->detail, methods[i]->name);
    }
    return 422;
}

static int
step_arguments(struct api_call *call, const struct api_input *input)
{
    const struct method *method = call->method;
    const struct json_item arguments = {
        .value = call->envelope.arguments,
        .length = call->envelope.arguments_length,
    };
    enum field_error error;

    (void)input;
    call->request = calloc(1, method->request_size);
    if (call->request == NULL)
        return fail(call, API_FAULT_MEMORY);
    error = fields_walk(&method->fields, &arguments, &call->api->limits,
                        call->request, &call->detail);
    if (error == FIELD_MEMORY)
        return fail(call, API_FAULT_MEMORY);
    if (error != FIELD_OK)
        return 422;
    method->context(call->request, &call->context);
    if (method->check != NULL && !method->check(call->request, &call->detail))
        return 422;
    return 0;
}

static int
end_by_result(struct api_call *call, enum method_result result)
{
    call->fault = results[result].fault;
    return results[result].code;
}

static int
step_plan(struct api_call *call, const struct api_input *input)
{
    (void)input;
    call->plan.auth = call->api->auth;
    call->plan.model = call->api->config->model;
    call->plan.is_admin = auth_is_admin(call->envelope.login);
    return end_by_result(call, call->method->plan(call->request, &call->plan));
}

typedef int api_step(struct api_call *call, const struct api_input *input);

static api_step *const steps[] = {
    step_path,  step_verb,   step_body,      step_envelope,
    step_token, step_method, step_arguments, step_plan,
};

/* A text as a JSON string. Errors are rare: json-c may take its time. */
static bool
add_json_string(struct buf *body, struct bytes text)
{
    struct json_object *string =
        json_object_new_string_len(text.at, (int)text.length);
    const char *quoted = NULL;

    if (string != NULL)
        quoted = json_object_to_json_string_ext(
            string, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    if (quoted != NULL)
        buf_add_text(body, quoted);
    json_object_put(string);
    return quoted != NULL;
}

static void
answer_error(struct api_call *call, int code)
{
    struct bytes text = buf_bytes(&call->detail);

    if (text.length == 0 || call->detail.failed || code == 403 || code == 500)
        text = bytes_of(status_of(code)->text);
    buf_clear(&call->body);
    buf_add_text(&call->body, "{\"code\": ");
    buf_add_int(&call->body, code);
    buf_add_text(&call->body, ", \"error\": ");
    if (!add_json_string(&call->body, text))
        call->body.failed = true;
    buf_add_text(&call->body, "}");
    call->code = code;
}

/* The day changes at most once a second; localtime_r() costs more. */
static bool
update_limits(struct api *api, time_t now)
{
    struct tm local;

    if (api->limits_at == now && api->limits.today.year != 0)
        return true;
    if (localtime_r(&now, &local) == NULL)
        return false;
    api->limits.today =
        (struct date){local.tm_year + 1900, local.tm_mon + 1, local.tm_mday};
    api->limits_at = now;
    return true;
}

/* What waits for the store keeps its plan only; the texts are the body's. */
static void
forget_request(struct api_call *call)
{
    if (call->request != NULL && call->method->release != NULL)
        call->method->release(call->request);
    free(call->request);
    call->request = NULL;
    call->envelope = (struct envelope){.arguments = NULL};
}

struct api_call *
api_plan(struct api *api, const struct api_input *input)
{
    struct api_call *call = calloc(1, sizeof(*call));
    int code = 0;

    if (call == NULL)
        return NULL;
    call->api = api;
    if (!update_limits(api, input->now))
        code = fail(call, API_FAULT_CLOCK);
    for (size_t i = 0; i < COUNT(steps) && code == 0; i++)
        code = steps[i](call, input);
    forget_request(call);
    if (code != 0)
        answer_error(call, code);
    else if (call->plan.key_count == 0)
        api_answer(call, STORE_OK, NULL);
    return call;
}

struct api_wants
api_call_wants(const struct api_call *call)
{
    if (call->code != 0)
        return (struct api_wants){.count = 0};
    return (struct api_wants){call->plan.keys, call->plan.key_count,
                              call->plan.need};
}

void
api_answer(struct api_call *call, enum store_status status,
           const struct store_value *values)
{
    int code;

    assert(call->code == 0);
    buf_add_text(&call->body, "{\"code\": 200, \"response\": ");
    code = end_by_result(
        call, call->method->answer(&call->plan, status, values, &call->body));
    if (code == 422)
        buf_add_bytes(&call->detail, buf_bytes(&call->plan.fault));
    if (code != 0) {
        answer_error(call, code);
        return;
    }
    buf_add_text(&call->body, "}");
    call->code = 200;
}

struct api_answer
api_call_answer(const struct api_call *call)
{
    const struct status *status;

    assert(call->code != 0);
    if (call->body.failed)
        return api_answer_broken();
    status = status_of(call->code);
    return (struct api_answer){call->code, status->text, status->header,
                               buf_bytes(&call->body)};
}

struct api_write
api_call_write(const struct api_call *call)
{
    const struct method_plan *plan = &call->plan;

    if (api_call_cache(call) != METHOD_CACHE_MISS || plan->write_value.failed)
        return (struct api_write){.key = {NULL, 0}};
    return (struct api_write){plan->keys[0], buf_bytes(&plan->write_value)};
}

struct bytes
api_call_method(const struct api_call *call)
{
    return call->method != NULL ? bytes_of(call->method->name)
                                : (struct bytes){NULL, 0};
}

const char *
api_method_name(size_t number)
{
    return number < COUNT(methods) ? methods[number]->name : NULL;
}

int
api_status_code(size_t number)
{
    return number < COUNT(statuses) ? statuses[number].code : 0;
}

size_t
api_call_method_number(const struct api_call *call)
{
    for (size_t i = 0; i < COUNT(methods); i++) {
        if (call->method == methods[i])
            return i;
    }
    return SIZE_MAX;
}

size_t
api_status_number(int code)
{
    return (size_t)(status_of(code) - statuses);
}

struct bytes
api_call_context(const struct api_call *call)
{
    return buf_bytes(&call->context);
}

enum api_fault
api_call_fault(const struct api_call *call)
{
    return call->body.failed ? API_FAULT_MEMORY : call->fault;
}

struct bytes
api_call_fault_text(const struct api_call *call)
{
    const struct buf *words = &call->plan.fault;
    enum api_fault fault = api_call_fault(call);

    if (fault == API_FAULT_VALUE && words->length > 0 && !words->failed)
        return buf_bytes(words);
    return bytes_of(fault_texts[fault]);
}

enum method_cache
api_call_cache(const struct api_call *call)
{
    return api_call_fault(call) == API_FAULT_NONE ? call->plan.cache
                                                  : METHOD_CACHE_UNUSED;
}

void
api_call_free(struct api_call *call)
{
    if (call == NULL)
        return;
    free(call->plan.keys);
    buf_free(&call->plan.key_text);
    buf_free(&call->plan.write_value);
    buf_free(&call->plan.fault);
    buf_free(&call->detail);
    buf_free(&call->context);
    buf_free(&call->body);
    free(call);
}

struct api_answer
api_answer_broken(void)
{
    return (struct api_answer){
        500, "Internal Server Error", NULL,
        bytes_of("{\"code\": 500, \"error\": \"Internal Server Error\"}")};
}
