/*
 * The method online_score: its arguments, which of them must come together,
 * the key of a score in the cache, and the answer. Implements "online_score"
 * of docs/protocol.md.
 */
#include <stdlib.h>

#include "scoring/method.h"
#include "scoring/model.h"
#include "scoring/person.h"

#define SCORE_ADMIN      "42"
#define SCORE_KEY_PREFIX "uid:"
#define SCORE_LENGTH     3 /* "5.0" */

static const struct field fields[] = {PERSON_FIELDS(PERSON_ROW)};

static bool
check(const void *request, struct buf *faults)
{
    return person_is_enough(person_given(request), faults);
}

static void
context(const void *request, struct buf *text)
{
    buf_add_text(text, "has=");
    person_add_names(person_given(request), ",", text);
}

/* Every input with its length in front, so that no two people share a text. */
static void
add_inputs(const struct person *person, struct buf *text)
{
    for (size_t i = 0; i < PERSON__MAX; i++) {
        buf_add_int(text, (long long)person->given[i].length);
        buf_add_text(text, ":");
        buf_add_bytes(text, person->given[i]);
    }
}

/* Without memory for its key a score is made without the cache. */
static enum method_result
plan(const void *request, struct method_plan *method_plan)
{
    char hex[AUTH_KEY_LENGTH + 1];
    struct buf *text = &method_plan->key_text;

    if (method_plan->is_admin) {
        buf_add_text(&method_plan->write_value, SCORE_ADMIN);
        return METHOD_OK;
    }
    model_add_points(model_tenths(&model_published, person_known(request)),
                     &method_plan->write_value);
    method_plan->keys = malloc(sizeof(*method_plan->keys));
    if (method_plan->keys == NULL)
        return METHOD_OK;
    add_inputs(request, text);
    if (text->failed || !auth_key(method_plan->auth, buf_bytes(text), hex))
        return METHOD_OK;
    buf_clear(text);
    buf_add_text(text, SCORE_KEY_PREFIX);
    buf_add(text, hex, AUTH_KEY_LENGTH);
    if (text->failed)
        return METHOD_OK;
    method_plan->keys[0] = buf_bytes(text);
    method_plan->key_count = 1;
    method_plan->need = STORE_CACHE;
    return METHOD_OK;
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Whether a cached value is a score as we write it. */
static bool
is_score(const struct store_value *value)
{
    const char *text = value->data.at;

    if (value->kind != STORE_STRING || value->data.length != SCORE_LENGTH)
        return false;
    if (!is_digit(text[0]) || text[1] != '.' || !is_digit(text[2]))
        return false;
    return (text[0] - '0') * MODEL_TENTHS + (text[2] - '0') <=
           model_tenths_max(&model_published);
}

static void
add_response(struct bytes score, struct buf *response)
{
    buf_add_text(response, "{\"score\": ");
    buf_add_bytes(response, score);
    buf_add_text(response, "}");
}

static enum method_result
answer(struct method_plan *method_plan, enum store_status status,
       const struct store_value *values, struct buf *response)
{
    const struct buf *score = &method_plan->write_value;

    if (status == STORE_OK && values != NULL && is_score(&values[0])) {
        method_plan->cache = METHOD_CACHE_HIT;
        add_response(values[0].data, response);
        return METHOD_OK;
    }
    if (score->failed)
        return METHOD_MEMORY;
    if (method_plan->key_count > 0)
        method_plan->cache = METHOD_CACHE_MISS;
    add_response(buf_bytes(score), response);
    return METHOD_OK;
}

const struct method method_online_score = {
    .name = "online_score",
    .request_size = sizeof(struct person),
    .fields = {fields, sizeof(fields) / sizeof(fields[0])},
    .check = check,
    .context = context,
    .plan = plan,
    .answer = answer,
};
