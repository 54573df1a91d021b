/*
 * The method online_score: its arguments, which of them must come together,
 * the key of a score in the cache, and the answer. Implements "online_score"
 * of docs/protocol.md.
 */
#include <assert.h>
#include <stdlib.h>

#include "scoring/method.h"
#include "scoring/score.h"

#define SCORE_ADMIN      "42"
#define SCORE_KEY_PREFIX "uid:"
#define SCORE_LENGTH     3  /* "5.0" */
#define SCORE_HIGHEST    50 /* tenths: all weights together */
#define SCORE_TENTHS     10

struct online_score {
    struct bytes phone, email, first_name, last_name, birthday;
    int gender;
};

/* Each may be absent; pairs[] below says which must come together. */
static const struct field fields[] = {
    FIELD(struct online_score, phone, field_phone, FIELD_OPTIONAL),
    FIELD(struct online_score, email, field_email, FIELD_OPTIONAL),
    FIELD(struct online_score, first_name, field_string, FIELD_OPTIONAL),
    FIELD(struct online_score, last_name, field_string, FIELD_OPTIONAL),
    FIELD(struct online_score, birthday, field_birthday, FIELD_OPTIONAL),
    FIELD(struct online_score, gender, field_gender, FIELD_OPTIONAL),
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* The rows of fields[]. */
enum input {
    PHONE = 0,
    EMAIL,
    FIRST_NAME,
    LAST_NAME,
    BIRTHDAY,
    GENDER,
    INPUT__MAX
};

static_assert(COUNT(fields) == INPUT__MAX, "each field is an input");

/* One of these must be complete. */
static const struct pair {
    enum input first, second;
    const char *text;
} pairs[] = {
    {PHONE, EMAIL, "phone and email"},
    {FIRST_NAME, LAST_NAME, "first_name and last_name"},
    {GENDER, BIRTHDAY, "gender and birthday"},
};

/* The text of each input; empty: not given. */
struct inputs {
    struct bytes text[INPUT__MAX];
    char gender;
};

static void
init(void *request)
{
    ((struct online_score *)request)->gender = FIELD_GENDER_NONE;
}

static void
list_inputs(const struct online_score *request, struct inputs *inputs)
{
    const bool has_gender = request->gender != FIELD_GENDER_NONE;

    inputs->gender = (char)('0' + request->gender);
    inputs->text[PHONE] = request->phone;
    inputs->text[EMAIL] = request->email;
    inputs->text[FIRST_NAME] = request->first_name;
    inputs->text[LAST_NAME] = request->last_name;
    inputs->text[BIRTHDAY] = request->birthday;
    inputs->text[GENDER] = (struct bytes){&inputs->gender, has_gender ? 1 : 0};
}

static bool
is_given(const struct inputs *inputs, enum input input)
{
    return inputs->text[input].length > 0;
}

static bool
check(const void *request, struct buf *faults)
{
    struct inputs inputs;

    list_inputs(request, &inputs);
    for (size_t i = 0; i < COUNT(pairs); i++) {
        if (is_given(&inputs, pairs[i].first) &&
            is_given(&inputs, pairs[i].second))
            return true;
    }
    buf_add_text(faults, "arguments: at least one pair must be complete: ");
    for (size_t i = 0; i < COUNT(pairs); i++) {
        buf_add_text(faults, i == 0 ? "" : ", or ");
        buf_add_text(faults, pairs[i].text);
    }
    return false;
}

static void
context(const void *request, struct buf *text)
{
    const char *separator = "";
    struct inputs inputs;

    list_inputs(request, &inputs);
    buf_add_text(text, "has=");
    for (size_t i = 0; i < INPUT__MAX; i++) {
        if (!is_given(&inputs, (enum input)i))
            continue;
        buf_add_text(text, separator);
        buf_add_text(text, fields[i].name);
        separator = ",";
    }
}

/* Every input with its length in front, so that no two people share a text. */
static void
add_inputs(const struct inputs *inputs, struct buf *text)
{
    for (size_t i = 0; i < INPUT__MAX; i++) {
        buf_add_int(text, (long long)inputs->text[i].length);
        buf_add_text(text, ":");
        buf_add_bytes(text, inputs->text[i]);
    }
}

static void
compute(const struct inputs *inputs, struct buf *text)
{
    const struct score_facts facts = {
        .phone = is_given(inputs, PHONE),
        .email = is_given(inputs, EMAIL),
        .first_name = is_given(inputs, FIRST_NAME),
        .last_name = is_given(inputs, LAST_NAME),
        .birthday = is_given(inputs, BIRTHDAY),
        .gender = is_given(inputs, GENDER) && inputs->gender != '0',
    };
    int tenths = score_tenths(&facts);

    buf_add_int(text, tenths / SCORE_TENTHS);
    buf_add_text(text, ".");
    buf_add_int(text, tenths % SCORE_TENTHS);
}

/* Without memory for its key a score is made without the cache. */
static enum method_result
plan(const void *request, struct method_plan *method_plan)
{
    char hex[AUTH_KEY_LENGTH + 1];
    struct buf *text = &method_plan->key_text;
    struct inputs inputs;

    if (method_plan->is_admin) {
        buf_add_text(&method_plan->write_value, SCORE_ADMIN);
        return METHOD_OK;
    }
    list_inputs(request, &inputs);
    compute(&inputs, &method_plan->write_value);
    method_plan->keys = malloc(sizeof(*method_plan->keys));
    if (method_plan->keys == NULL)
        return METHOD_OK;
    add_inputs(&inputs, text);
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

/* Whether a cached value is a score as compute() writes it. */
static bool
is_score(const struct store_value *value)
{
    const char *text = value->data.at;

    if (value->kind != STORE_STRING || value->data.length != SCORE_LENGTH)
        return false;
    if (!is_digit(text[0]) || text[1] != '.' || !is_digit(text[2]))
        return false;
    return (text[0] - '0') * SCORE_TENTHS + (text[2] - '0') <= SCORE_HIGHEST;
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
    .request_size = sizeof(struct online_score),
    .fields = {fields, COUNT(fields)},
    .init = init,
    .check = check,
    .context = context,
    .plan = plan,
    .answer = answer,
};
