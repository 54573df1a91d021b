/*
 * The method online_score: its arguments, which of them must come together,
 * the key of a score in the cache, and the answer. Implements "online_score"
 * of docs/protocol.md.
 */
#include <assert.h>
#include <stdlib.h>

#include "method.h"
#include "score.h"

#define SCORE_ADMIN       "42"
#define SCORE_KEY_PREFIX  "uid:"
#define SCORE_LENGTH      3  /* "5.0" */
#define SCORE_HIGHEST     50 /* tenths: all weights together */
#define SCORE_TENTHS      10
#define SCORE_INPUT_COUNT 6

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

/* The rows of fields[], as bits of what was given. */
enum given {
    PHONE = 1 << 0,
    EMAIL = 1 << 1,
    FIRST_NAME = 1 << 2,
    LAST_NAME = 1 << 3,
    BIRTHDAY = 1 << 4,
    GENDER = 1 << 5
};

struct pair {
    unsigned members;
    const char *text;
};

static const struct pair pairs[] = {
    {PHONE | EMAIL, "phone and email"},
    {FIRST_NAME | LAST_NAME, "first_name and last_name"},
    {GENDER | BIRTHDAY, "gender and birthday"},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static_assert(COUNT(fields) == SCORE_INPUT_COUNT, "the key covers every field");

static void
init(void *request)
{
    ((struct online_score *)request)->gender = FIELD_GENDER_NONE;
}

static unsigned
given(const struct online_score *request)
{
    const struct {
        bool is_given;
        unsigned bit;
    } rows[] = {
        {request->phone.length > 0, PHONE},
        {request->email.length > 0, EMAIL},
        {request->first_name.length > 0, FIRST_NAME},
        {request->last_name.length > 0, LAST_NAME},
        {request->birthday.length > 0, BIRTHDAY},
        {request->gender != FIELD_GENDER_NONE, GENDER},
    };
    unsigned bits = 0;

    for (size_t i = 0; i < COUNT(rows); i++)
        bits |= rows[i].is_given ? rows[i].bit : 0;
    return bits;
}

static bool
check(const void *request, struct buf *faults)
{
    unsigned bits = given(request);

    for (size_t i = 0; i < COUNT(pairs); i++) {
        if ((bits & pairs[i].members) == pairs[i].members)
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
    unsigned bits = given(request);
    const char *separator = "";

    buf_add_text(text, "has=");
    for (size_t i = 0; i < COUNT(fields); i++) {
        if ((bits & (1u << i)) == 0)
            continue;
        buf_add_text(text, separator);
        buf_add_text(text, fields[i].name);
        separator = ",";
    }
}

/* Every input with its length in front, so that no two people share a text. */
static void
add_inputs(const struct online_score *request, struct buf *text)
{
    const char digit = (char)('0' + request->gender);
    const struct bytes gender = {&digit,
                                 request->gender == FIELD_GENDER_NONE ? 0 : 1};
    const struct bytes inputs[SCORE_INPUT_COUNT] = {
        request->phone,     request->email,    request->first_name,
        request->last_name, request->birthday, gender,
    };

    for (size_t i = 0; i < SCORE_INPUT_COUNT; i++) {
        buf_add_int(text, (long long)inputs[i].length);
        buf_add_text(text, ":");
        buf_add_bytes(text, inputs[i]);
    }
}

static void
compute(const struct online_score *request, struct buf *text)
{
    unsigned bits = given(request);
    const struct score_facts facts = {
        .phone = (bits & PHONE) != 0,
        .email = (bits & EMAIL) != 0,
        .first_name = (bits & FIRST_NAME) != 0,
        .last_name = (bits & LAST_NAME) != 0,
        .birthday = (bits & BIRTHDAY) != 0,
        .gender = request->gender > 0,
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

    if (method_plan->is_admin) {
        buf_add_text(&method_plan->write_value, SCORE_ADMIN);
        return METHOD_OK;
    }
    compute(request, &method_plan->write_value);
    method_plan->keys = malloc(sizeof(*method_plan->keys));
    if (method_plan->keys == NULL)
        return METHOD_OK;
    add_inputs(request, text);
    if (text->failed ||
        auth_key(method_plan->auth, buf_bytes(text), hex) != AUTH_OK)
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
    struct buf *score = &method_plan->write_value;

    if (status == STORE_OK && values != NULL && is_score(&values[0])) {
        add_response(values[0].data, response);
        buf_clear(score); /* it is there already */
        return METHOD_OK;
    }
    if (score->failed)
        return METHOD_MEMORY;
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
