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
#include "scoring/fields.h"
#include "scoring/method.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* json-c counts a scalar inside the deepest container as one level more. */
#define API_TOKENER_DEPTH (JSON_DEPTH_MAX + 2)

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

/* 0: nothing is wrong. */
static const int result_codes[METHOD__MAX] = {
    [METHOD_OK] = 0,
    [METHOD_BROKEN] = 500,
    [METHOD_DOWN] = 503,
    [METHOD_MEMORY] = 500,
};

static const struct method *const methods[] = {
    &method_online_score,
    &method_clients_interests,
};

static const char *const paths[] = {"/method", "/method/"};

struct envelope {
    struct bytes account, login, token, method;
    struct json_object *arguments;
};

static const struct field envelope_fields[] = {
    FIELD(struct envelope, account, field_string, FIELD_OPTIONAL),
    FIELD(struct envelope, login, field_string, FIELD_REQUIRED),
    FIELD(struct envelope, token, field_string, FIELD_REQUIRED),
    FIELD(struct envelope, arguments, field_object, FIELD_REQUIRED),
    FIELD(struct envelope, method, field_string, FIELD_REQUIRED),
};

struct api {
    const struct api_config *config;
    struct auth *auth;
    struct json_tokener *tokener;
    struct field_limits limits; /* of the day that holds limits_at */
    time_t limits_at;
};

struct api_call {
    struct api *api;
    struct json_object *document; /* lends the texts of the two below */
    struct envelope envelope;
    void *request; /* the method's own struct */
    const struct method *method;
    struct method_plan plan;
    struct buf detail; /* an error's words, when there are better ones */
    struct buf context;
    struct buf body;
    int code; /* 0 until answered */
};

struct api *
api_new(const struct api_config *config)
{
    struct api *api = calloc(1, sizeof(*api));

    if (api == NULL)
        return NULL;
    api->config = config;
    api->limits.client_ids_max = config->client_ids_max;
    json_prepare();
    api->auth = auth_new(&config->secrets);
    api->tokener = json_tokener_new_ex(API_TOKENER_DEPTH);
    if (api->auth == NULL || api->tokener == NULL) {
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
    if (api->tokener != NULL)
        json_tokener_free(api->tokener);
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
step_decode(struct api_call *call, const struct api_input *input)
{
    struct json_fault fault;

    if (json_decode(call->api->tokener, input->body, input->body_length,
                    &call->document, &fault))
        return 0;
    if (fault.error == JSON_MEMORY)
        return 500;
    buf_add_text(&call->detail, "invalid JSON at byte ");
    buf_add_int(&call->detail, (long long)fault.offset);
    buf_add_text(&call->detail, ": ");
    buf_add_text(&call->detail, json_error_text(fault.error));
    return 400;
}

/* Walks a table; the words about what failed go to call->detail. */
static int
walk(struct api_call *call, const struct field_table *table,
     struct json_object *object, void *dest)
{
    enum field_error error =
        fields_walk(table, object, &call->api->limits, dest, &call->detail);

    if (error == FIELD_OK)
        return 0;
    return error == FIELD_MEMORY ? 500 : 422;
}

static int
step_envelope(struct api_call *call, const struct api_input *input)
{
    static const struct field_table table = {envelope_fields,
                                             COUNT(envelope_fields)};

    (void)input;
    if (!json_object_is_type(call->document, json_type_object)) {
        buf_add_text(&call->detail, "the request must be a JSON object");
        return 422;
    }
    return walk(call, &table, call->document, &call->envelope);
}

static int
step_token(struct api_call *call, const struct api_input *input)
{
    const struct envelope *envelope = &call->envelope;

    switch (auth_check(call->api->auth, envelope->account, envelope->login,
                       envelope->token, input->now)) {
    case AUTH_OK:
        return 0;
    case AUTH_REFUSED:
        return 403;
    case AUTH_FAULT:
    case AUTH__MAX:
        break;
    }
    return 500;
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
    int code;

    (void)input;
    call->request = calloc(1, method->request_size);
    if (call->request == NULL)
        return 500;
    if (method->init != NULL)
        method->init(call->request);
    code = walk(call, &method->fields, call->envelope.arguments, call->request);
    if (code != 0)
        return code;
    method->context(call->request, &call->context);
    if (method->check != NULL && !method->check(call->request, &call->detail))
        return 422;
    return 0;
}

static int
step_plan(struct api_call *call, const struct api_input *input)
{
    (void)input;
    call->plan.auth = call->api->auth;
    call->plan.is_admin = auth_is_admin(call->envelope.login);
    return result_codes[call->method->plan(call->request, &call->plan)];
}

typedef int api_step(struct api_call *call, const struct api_input *input);

static api_step *const steps[] = {
    step_path,  step_verb,   step_body,      step_decode, step_envelope,
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

/*
 * What waits for the store keeps its plan only. A document is many small
 * allocations: freed in the order of their making, before the next request
 * makes its own, they cost malloc() the least, and stay in the CPU's cache.
 */
static void
forget_request(struct api_call *call)
{
    if (call->request != NULL && call->method->release != NULL)
        call->method->release(call->request);
    free(call->request);
    json_object_put(call->document);
    call->request = NULL;
    call->document = NULL;
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
        code = 500;
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
    code = result_codes[call->method->answer(&call->plan, status, values,
                                             &call->body)];
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
        return api_answer_memory();
    status = status_of(call->code);
    return (struct api_answer){call->code, status->text, status->header,
                               buf_bytes(&call->body)};
}

struct api_write
api_call_write(const struct api_call *call)
{
    const struct method_plan *plan = &call->plan;

    if (plan->key_count == 0 || plan->write_value.length == 0 ||
        plan->write_value.failed)
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

bool
api_call_is_damaged(const struct api_call *call)
{
    return call->code == 500 && call->plan.fault.length > 0;
}

struct bytes
api_call_context(const struct api_call *call)
{
    return buf_bytes(&call->context);
}

struct bytes
api_call_fault(const struct api_call *call)
{
    if (call->code != 500 && !call->body.failed)
        return (struct bytes){NULL, 0};
    if (call->plan.fault.length > 0)
        return buf_bytes(&call->plan.fault);
    return bytes_of("out of memory");
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
api_answer_memory(void)
{
    return (struct api_answer){
        500, "Internal Server Error", NULL,
        bytes_of("{\"code\": 500, \"error\": \"Internal Server Error\"}")};
}
