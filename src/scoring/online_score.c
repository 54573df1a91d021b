/*
 * The method online_score: its arguments, the cache key of a score, and the
 * answer. Implements S13 and S14 of docs/protocol.md.
 */
#include <assert.h>
#include <stdlib.h>

#include "scoring/method.h"
#include "scoring/model.h"
#include "scoring/person.h"
#include "scoring/score.h"

#define SCORE_KEY_PREFIX "uid:"
#define SCORE_KEY_MODEL  "model:" /* an input begins with a digit instead */

/* The inputs of the first release are in every cache key, a later one only if
 * it is given: scores without it keep their keys. */
#define SCORE_KEY_INPUTS 6

struct online_score {
    struct person person;
    bool explain;
};

static_assert(offsetof(struct online_score, person) == 0,
              "PERSON_ROW() gives offsets from the beginning");

static const struct field fields[] = {
    PERSON_FIELDS(PERSON_ROW)
        FIELD(struct online_score, explain, field_boolean, FIELD_OPTIONAL),
};

static bool
check(const void *request, struct field_faults *faults)
{
    return person_is_enough(person_given(request), faults);
}

static void
context(const void *request, struct buf *text)
{
    buf_add_text(text, "has=");
    person_add_names(person_given(request), ",", text);
}

/*
 * The text of a cache key, before its HMAC: the model, unless it is the
 * published one, and every input after its length, so that different inputs
 * never make the same text (S14.1, S14.2).
 */
static void
add_inputs(const struct model *model, const struct person *person,
           struct buf *text)
{
    if (model->digest_length > 0) {
        buf_add_text(text, SCORE_KEY_MODEL);
        buf_add(text, model->digest, model->digest_length);
    }
    for (size_t i = 0; i < PERSON__MAX; i++) {
        if (i >= SCORE_KEY_INPUTS && person->given[i].length == 0)
            continue;
        if (i >= SCORE_KEY_INPUTS) {
            buf_add_text(text, "+");
            buf_add_int(text, (long long)i);
            buf_add_text(text, "=");
        }
        buf_add_int(text, (long long)person->given[i].length);
        buf_add_text(text, ":");
        buf_add_bytes(text, person->given[i]);
    }
}

/*
 * An explained score is always computed (S14.1). If memory runs out for the
 * key, the score is computed without the cache, too (S14.3).
 */
static enum method_result
plan(const void *request, struct method_plan *method_plan)
{
    char hex[AUTH_KEY_LENGTH + 1];
    const struct online_score *score = request;
    const struct model *model = method_plan->model;
    struct buf *text = &method_plan->key_text;

    if (method_plan->is_admin || score->explain)
        return METHOD_OK;
    method_plan->keys = malloc(sizeof(*method_plan->keys));
    if (method_plan->keys == NULL)
        return METHOD_OK;
    add_inputs(model, &score->person, text);
    if (text->failed || !auth_key(method_plan->auth, buf_bytes(text), hex))
        return METHOD_OK;
    buf_clear(text);
    buf_add_text(text, SCORE_KEY_PREFIX);
    buf_add(text, hex, AUTH_KEY_LENGTH);
    model_add_points(model_tenths(model, person_known(&score->person)),
                     &method_plan->write_value);
    if (text->failed || method_plan->write_value.failed)
        return METHOD_OK;
    method_plan->keys[0] = buf_bytes(text);
    method_plan->key_count = 1;
    method_plan->need = STORE_CACHE;
    return METHOD_OK;
}

static enum method_result
answer(const void *request, struct method_plan *method_plan,
       enum store_status status, const struct store_value *values,
       struct buf *response)
{
    const struct online_score *score = request;
    bool is_hit;

    if (score != NULL) {
        const struct score_terms terms = {
            method_plan->model, method_plan->is_admin, score->explain};

        score_add(&terms, person_known(&score->person), response);
        return METHOD_OK;
    }
    is_hit = status == STORE_OK && values != NULL &&
             values[0].kind == STORE_STRING &&
             model_is_score(method_plan->model, values[0].data);
    method_plan->cache = is_hit ? OUTCOME_CACHE_HIT : OUTCOME_CACHE_MISS;
    buf_add_text(response, "{\"score\": ");
    buf_add_bytes(response, is_hit ? values[0].data
                                   : buf_bytes(&method_plan->write_value));
    buf_add_text(response, "}");
    return METHOD_OK;
}

const struct method method_online_score = {
    .name = "online_score",
    .meaning = "how much is known of a client, as a score",
    .request_size = sizeof(struct online_score),
    .fields = {fields, sizeof(fields) / sizeof(fields[0])},
    .check = check,
    .context = context,
    .plan = plan,
    .answer = answer,
};
