/*
 * One request in two pure steps: its bytes and the time become an answer, or a
 * list of keys; the values of these keys become an answer. Owns the table of
 * methods, the order of the checks, and the only map from errors to statuses.
 * Implements S2.2, S2.3, S6.2, S7 and S11.5 of docs/protocol.md.
 */
#include <assert.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/units.h"
#include "scoring/api.h"
#include "scoring/envelope.h"
#include "scoring/fields.h"
#include "scoring/method.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* A tokener keeps room for the longest string that it has met: longer arguments
 * get one of their own. */
#define API_TOKENER_KEEPS (64 * 1024)

/* JSON values of a request, besides two for each client id: S6.2. */
#define API_VALUES_MAX 10000

#define API_NO_MEMORY "out of memory"

/* The status and fault that each result of a method means; code 0: go on. */
static const struct result_row {
    int code;
    enum outcome_fault fault;
    const char *text; /* of the fault, unless the method has its own */
} results[METHOD__MAX] = {
    [METHOD_OK] = {.code = 0},
    [METHOD_BROKEN] = {500, OUTCOME_FAULT_VALUE,
                       "a stored value is not usable"},
    [METHOD_DOWN] = {.code = 503},
    [METHOD_LARGE] = {.code = 422},
    [METHOD_MEMORY] = {500, OUTCOME_FAULT_MEMORY, API_NO_MEMORY},
};

#define METHOD_ROW(name) &method_##name,

static const struct method *const methods[] = {METHODS(METHOD_ROW)};

static const struct bytes paths[] = {BYTES_LITERAL("/method"),
                                     BYTES_LITERAL("/method/")};

_Static_assert(COUNT(methods) <= API_METHODS_MAX, "each method has a number");

#define API_HEADER_SIZE sizeof("Retry-After: -9223372036854775808")

struct api {
    const struct api_config *config;
    struct auth *auth;
    struct json_tokener *tokener;
    struct field_limits limits; /* with the date of limits_at */
    time_t limits_at;
};

struct api_call {
    struct api *api;
    struct envelope envelope;      /* lent by the body */
    struct json_object *arguments; /* lends the texts of the request */
    void *request;                 /* the method's own struct */
    const struct method *method;
    size_t method_number;
    struct method_plan plan;
    struct buf body;
    const struct account *account; /* that it names, if listed; else NULL */
    size_t salt;                   /* that made its token, from 1; 0: none */
    int64_t arrived_ns;            /* CLOCK_MONOTONIC */
    char header[API_HEADER_SIZE];  /* an extra header of the answer, or "" */
    enum outcome_fault fault;      /* the reason of a 500 */
    const char *fault_text;
};

struct api *
api_new(const struct api_config *config)
{
    struct api *api = calloc(1, sizeof(*api));

    if (api == NULL)
        return NULL;
    api->config = config;
    api->limits.client_ids_max = config->client_ids_max;
    api->limits.records_max = config->clients_max;
    json_prepare();
    api->auth = auth_new(&config->secrets);
    api->tokener = json_tokener_new_ex(JSON_TOKENER_DEPTH);
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

/*
 * The steps of planning, in the order of S7.2. Each returns 0 to go on, or the
 * status that ends the request, with its error text in call->plan.faults.text.
 */

static int
step_path(struct api_call *call, const struct request *request)
{
    size_t i = 0;

    (void)call;
    while (i < COUNT(paths) && !bytes_equal(request->path, paths[i]))
        i++;
    if (i == COUNT(paths))
        return 404;
    return bytes_equal(request->verb, bytes_of("POST")) ? 0 : 405;
}

static int
step_body(struct api_call *call, const struct request *request)
{
    switch (request->body_state) {
    case REQUEST_BODY_WHOLE:
        break;
    case REQUEST_BODY_NONE:
        buf_add_text(&call->plan.faults.text, "the request has no body");
        return 400;
    case REQUEST_BODY_MISMATCH:
        buf_add_text(&call->plan.faults.text,
                     "the body is not as long as its length says");
        return 400;
    case REQUEST_BODY_TOO_LARGE:
        return 413;
    }
    return request->body_length > call->api->config->body_max_bytes ? 413 : 0;
}

static int
fail(struct api_call *call, enum outcome_fault fault, const char *text)
{
    call->fault = fault;
    call->fault_text = text;
    return 500;
}

static int
fail_memory(struct api_call *call)
{
    return fail(call, OUTCOME_FAULT_MEMORY, API_NO_MEMORY);
}

static int
fail_clock(struct api_call *call)
{
    return fail(call, OUTCOME_FAULT_SYSTEM,
                "the clock shows no date that has a year of 4 digits");
}

static int
step_envelope(struct api_call *call, const struct request *request)
{
    const size_t values_max =
        API_VALUES_MAX + 2 * call->api->config->client_ids_max;
    struct json_fault fault;

    switch (envelope_read(request->body, request->body_length, values_max,
                          &call->envelope, &fault, &call->plan.faults)) {
    case ENVELOPE_OK:
        return 0;
    case ENVELOPE_FIELDS:
        return call->plan.faults.text.failed ? fail_memory(call) : 422;
    case ENVELOPE_JSON:
        break;
    }
    if (fault.error == JSON_MANY) {
        buf_add_text(&call->plan.faults.text, json_error_text(fault.error));
        return 413;
    }
    buf_add_text(&call->plan.faults.text, "invalid JSON at byte ");
    buf_add_int(&call->plan.faults.text, (long long)fault.offset);
    buf_add_text(&call->plan.faults.text, ": ");
    buf_add_text(&call->plan.faults.text, json_error_text(fault.error));
    return 400;
}

/* A valid token alone does not let an unlisted account in: it was checked
 * against the salts of another one. */
static int
step_token(struct api_call *call, const struct request *request)
{
    const struct accounts *accounts = call->api->config->accounts;
    const struct envelope *envelope = &call->envelope;
    const struct auth_claim claim = {envelope->account, envelope->login,
                                     envelope->token};
    const bool needs_account =
        accounts != NULL && !auth_is_admin(envelope->login);
    const struct auth_salts *salts = NULL;
    size_t salt;

    if (needs_account)
        call->account = accounts_find(accounts, envelope->account, &salts);
    switch (auth_check(call->api->auth, &claim, salts, request->now, &salt)) {
    case AUTH_OK:
        if (needs_account &&
            (call->account == NULL || call->account->is_disabled))
            return 403;
        call->salt = salt;
        return 0;
    case AUTH_REFUSED:
        return 403;
    case AUTH_NO_HOUR:
        return fail_clock(call);
    case AUTH_NO_DIGEST:
    case AUTH__MAX:
        break;
    }
    return fail(call, OUTCOME_FAULT_SYSTEM, "libcrypto cannot make a digest");
}

static int
step_method(struct api_call *call, const struct request *request)
{
    (void)request;
    for (size_t i = 0; i < COUNT(methods); i++) {
        if (bytes_equal(call->envelope.method, bytes_of(methods[i]->name))) {
            call->method = methods[i];
            call->method_number = i;
            return 0;
        }
    }
    field_blame(&call->plan.faults, "method");
    buf_add_text(&call->plan.faults.text, "method: must be one of ");
    for (size_t i = 0; i < COUNT(methods); i++) {
        buf_add_text(&call->plan.faults.text, i == 0 ? "" : ", ");
        buf_add_text(&call->plan.faults.text, methods[i]->name);
    }
    return 422;
}

/* The arguments alone are decoded, and only behind a valid token: S6.3. */
static bool
decode_arguments(struct api_call *call)
{
    const struct envelope *envelope = &call->envelope;
    struct json_tokener *kept = call->api->tokener, *tokener = kept;
    bool is_good;

    if (envelope->arguments_length > API_TOKENER_KEEPS)
        tokener = json_tokener_new_ex(JSON_TOKENER_DEPTH);
    if (tokener == NULL)
        return false;
    is_good = json_decode(tokener, envelope->arguments,
                          envelope->arguments_length, &call->arguments);
    if (tokener != kept)
        json_tokener_free(tokener);
    return is_good;
}

/* Whether the account may call the method, and has a request left. */
static int
step_account(struct api_call *call, const struct request *request)
{
    const struct account *account = call->account;
    int64_t wait_ns;

    if (account == NULL)
        return 0;
    if ((account->methods >> call->method_number & 1) == 0)
        return 403;
    if (account->used == NULL)
        return 0;
    call->arrived_ns = request->arrived_ns;
    wait_ns = limit_take(&account->limit, account->used, call->arrived_ns);
    if (wait_ns == 0)
        return 0;
    (void)snprintf(call->header, sizeof(call->header), "Retry-After: %" PRId64,
                   (wait_ns + NS_PER_S - 1) / NS_PER_S);
    return 429;
}

static int
end_by_result(struct api_call *call, enum method_result result)
{
    const struct result_row *row = &results[result];

    call->fault = row->fault;
    call->fault_text = row->text;
    return row->code;
}

static int
step_arguments(struct api_call *call, const struct request *request)
{
    const struct method *method = call->method;
    enum field_error error;

    (void)request;
    call->request = calloc(1, method->request_size);
    if (call->request == NULL || !decode_arguments(call))
        return fail_memory(call);
    error = fields_walk(&method->fields, call->arguments, &call->api->limits,
                        call->request, &call->plan.faults);
    if (error == FIELD_MEMORY)
        return fail_memory(call);
    if (error != FIELD_OK)
        return 422;
    call->plan.is_admin = auth_is_admin(call->envelope.login);
    method->context(call->request, &call->plan.context);
    if (method->check != NULL &&
        !method->check(call->request, &call->plan.faults))
        return 422;
    if (method->plan == NULL)
        return 0;
    return end_by_result(call, method->plan(call->request, &call->plan));
}

typedef int api_step(struct api_call *call, const struct request *request);

static api_step *const steps[] = {
    step_path,   step_body,    step_envelope,  step_token,
    step_method, step_account, step_arguments,
};

/* Writes the envelope of an error. 403 and 500 never have a text of their own.
 */
static void
put_error(struct api_call *call, const struct outcome *outcome)
{
    struct bytes text = buf_bytes(&call->plan.faults.text);

    if (text.length == 0 || call->plan.faults.text.failed ||
        outcome->code == 403 || outcome->code == 500)
        text = bytes_of(outcome->reason);
    buf_clear(&call->body);
    buf_add_text(&call->body, "{\"code\": ");
    buf_add_int(&call->body, outcome->code);
    buf_add_text(&call->body, ", \"error\": ");
    json_add_string(&call->body, text);
    buf_add_text(&call->body, "}");
}

/* For the log; a method's own text is more precise. */
static struct bytes
fault_text(const struct api_call *call)
{
    const struct buf *words = &call->plan.fault;

    if (call->fault == OUTCOME_FAULT_VALUE && words->length > 0 &&
        !words->failed)
        return buf_bytes(words);
    return bytes_of(call->fault_text != NULL ? call->fault_text : "");
}

static void
put_parts(const struct method_plan *plan, struct outcome *outcome)
{
    outcome->parts = plan->parts;
    outcome->part_count = plan->part_count;
    outcome->end = buf_bytes(&plan->end);
    outcome->records = plan->records;
    outcome->bad_records = plan->bad_records;
}

/* S11.5: step_account() has counted one request; this counts the records. */
static void
take_records(const struct api_call *call)
{
    const struct account *account = call->account;
    const size_t count = call->plan.records + call->plan.bad_records;

    if (account != NULL && account->used != NULL)
        limit_take_more(&account->limit, account->used, (int64_t)count - 1,
                        call->arrived_ns);
}

/* Adds the names of invalid fields to the logged context. */
static void
put_bad(struct method_plan *plan)
{
    const struct field_faults *faults = &plan->faults;

    for (size_t i = 0; i < faults->name_count; i++) {
        if (i > 0)
            buf_add_text(&plan->context, ",");
        else
            buf_add_text(&plan->context,
                         plan->context.length > 0 ? " bad=" : "bad=");
        buf_add_text(&plan->context, faults->names[i]);
    }
}

/* Makes the outcome of a request that ends with this code. */
static void
make_outcome(struct api_call *call, int code, struct outcome *ret_outcome)
{
    struct method_plan *plan = &call->plan;
    struct outcome outcome = {.method_number = OUTCOME_NO_METHOD};

    outcome_set_code(&outcome, code);
    if (code != 200)
        put_error(call, &outcome);
    outcome.body = buf_bytes(&call->body);
    if (code == 200 && plan->part_count > 0)
        put_parts(plan, &outcome);
    if (plan->faults.name_count > 0)
        put_bad(plan);
    outcome.context = buf_bytes(&plan->context);
    if (call->header[0] != '\0')
        outcome.header = call->header;
    if (call->account != NULL) {
        outcome.account = call->account->name;
        outcome.account_place = call->account->place;
    }
    outcome.salt = call->salt;
    if (call->fault != OUTCOME_FAULT_NONE) {
        outcome.fault = call->fault;
        outcome.fault_text = fault_text(call);
    }
    if (call->method != NULL) {
        outcome.method_number = call->method_number;
        outcome.method = bytes_of(call->method->name);
    }
    if (call->fault == OUTCOME_FAULT_NONE)
        outcome.cache = plan->cache;
    if (outcome.cache == OUTCOME_CACHE_MISS && !plan->write_value.failed) {
        outcome.write_key = plan->keys[0];
        outcome.write_value = buf_bytes(&plan->write_value);
    }
    if (call->body.failed || plan->end.failed)
        outcome_break(&outcome, OUTCOME_FAULT_MEMORY, bytes_of(API_NO_MEMORY));
    *ret_outcome = outcome;
}

/* The date is looked up once a second: localtime_r() is expensive. */
static bool
update_limits(struct api *api, time_t now)
{
    if (api->limits_at == now && api->limits.today.year != 0)
        return true;
    if (!date_of_time(now, &api->limits.today))
        return false;
    api->limits_at = now;
    return true;
}

/*
 * Frees the decoded request: while the keys are read, only the plan remains. A
 * document is many small allocations: freed before the next request makes its
 * own, they cost malloc() least.
 */
static void
forget_request(struct api_call *call)
{
    if (call->request != NULL && call->method->release != NULL)
        call->method->release(call->request);
    free(call->request);
    json_object_put(call->arguments);
    call->request = NULL;
    call->arguments = NULL;
    call->envelope = (struct envelope){.arguments = NULL};
}

struct api_call *
api_plan(struct api *api, const struct request *request,
         struct api_wants *ret_wants, struct outcome *ret_outcome)
{
    struct api_call *call = calloc(1, sizeof(*call));
    int code = 0;

    *ret_wants = (struct api_wants){.count = 0};
    *ret_outcome = (struct outcome){.method_number = OUTCOME_NO_METHOD};
    if (call == NULL) {
        outcome_break(ret_outcome, OUTCOME_FAULT_MEMORY,
                      bytes_of(API_NO_MEMORY));
        return NULL;
    }
    call->api = api;
    call->plan.auth = api->auth;
    call->plan.model = api->config->model;
    call->plan.limits = &api->limits;
    if (!update_limits(api, request->now))
        code = fail_clock(call);
    for (size_t i = 0; i < COUNT(steps) && code == 0; i++)
        code = steps[i](call, request);
    if (code != 0)
        make_outcome(call, code, ret_outcome);
    else if (call->plan.key_count == 0)
        api_answer(call, STORE_OK, NULL, ret_outcome);
    else
        *ret_wants = (struct api_wants){call->plan.keys, call->plan.key_count,
                                        call->plan.need};
    forget_request(call);
    return call;
}

void
api_answer(struct api_call *call, enum store_status status,
           const struct store_value *values, struct outcome *ret_outcome)
{
    int code;

    buf_add_text(&call->body, "{\"code\": 200, \"response\": ");
    code =
        end_by_result(call, call->method->answer(call->request, &call->plan,
                                                 status, values, &call->body));
    if (call->plan.records + call->plan.bad_records > 1)
        take_records(call);
    buf_add_text(call->plan.part_count > 0 ? &call->plan.end : &call->body,
                 "}");
    make_outcome(call, code != 0 ? code : 200, ret_outcome);
}

const struct method *
api_method(size_t number)
{
    return number < COUNT(methods) ? methods[number] : NULL;
}

const char *
api_method_name(size_t number)
{
    return number < COUNT(methods) ? methods[number]->name : NULL;
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
    buf_free(&call->plan.faults.text);
    buf_free(&call->plan.context);
    buf_free(&call->plan.pool);
    buf_free(&call->plan.end);
    free(call->plan.parts);
    buf_free(&call->body);
    free(call);
}
