/*
 * The method clients_interests: its arguments, the keys of the interests, and
 * the answer. Implements S17, S18.1 and S18.3 of docs/protocol.md.
 */
#include <stdlib.h>

#include "base/json.h"
#include "scoring/interests.h"
#include "scoring/method.h"

struct clients_interests {
    struct field_ids client_ids;
    struct bytes date; /* checked, otherwise unused */
};

static const struct field fields[] = {
    FIELD(struct clients_interests, client_ids, field_client_ids,
          FIELD_REQUIRED),
    FIELD(struct clients_interests, date, field_date, FIELD_OPTIONAL),
};

static void
context(const void *request, struct buf *text)
{
    const struct clients_interests *interests = request;

    buf_add_text(text, "nclients=");
    buf_add_int(text, (long long)interests->client_ids.count);
}

static int
compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Whether the ids are sorted and distinct, as they usually are. */
static bool
are_ascending(const struct field_ids *ids)
{
    for (size_t i = 1; i < ids->count; i++) {
        if (ids->item[i - 1] >= ids->item[i])
            return false;
    }
    return true;
}

/* A sorted copy of the ids without repetitions, which the caller frees; NULL if
 * memory runs out. The answer has one member per distinct id. */
static int64_t *
distinct_ids(const struct field_ids *ids, size_t *ret_count)
{
    int64_t *sorted = malloc(ids->count * sizeof(*sorted));
    size_t count = 0;

    if (sorted == NULL)
        return NULL;
    memcpy(sorted, ids->item, ids->count * sizeof(*sorted));
    if (are_ascending(ids)) {
        *ret_count = ids->count;
        return sorted;
    }
    qsort(sorted, ids->count, sizeof(*sorted), compare_ids);
    for (size_t i = 0; i < ids->count; i++) {
        if (i == 0 || sorted[i] != sorted[count - 1])
            sorted[count++] = sorted[i];
    }
    *ret_count = count;
    return sorted;
}

/* Memory is reserved first: the keys point into the text, which must not move.
 */
static bool
add_keys(struct method_plan *method_plan, const int64_t *ids, size_t count)
{
    struct buf *text = &method_plan->key_text;

    if (!buf_reserve(text, count * INTERESTS_KEY_MAX))
        return false;
    for (size_t i = 0; i < count; i++) {
        method_plan->keys[i] = interests_key(ids[i], text->data + text->length);
        text->length += method_plan->keys[i].length;
    }
    method_plan->key_count = count;
    return true;
}

static enum method_result
plan(const void *request, struct method_plan *method_plan)
{
    const struct clients_interests *interests = request;
    enum method_result result = METHOD_MEMORY;
    size_t count = 0;
    int64_t *ids = distinct_ids(&interests->client_ids, &count);

    if (ids == NULL)
        return METHOD_MEMORY;
    method_plan->need = STORE_MUST;
    method_plan->keys = calloc(count, sizeof(*method_plan->keys));
    if (method_plan->keys != NULL && add_keys(method_plan, ids, count))
        result = METHOD_OK;
    free(ids);
    return result;
}

/*
 * The JSON text of one client's interests: the stored text, if it is an array
 * of strings. Returns false if the stored value is damaged.
 */
static bool
interests_text(const struct store_value *value, struct bytes *ret_text)
{
    if (value->kind == STORE_WRONG_TYPE || value->kind == STORE_LARGE_VALUE)
        return false;
    if (value->kind == STORE_ABSENT || value->data.length == 0) {
        *ret_text = bytes_of(INTERESTS_NONE);
        return true;
    }
    if (!json_is_string_array(value->data))
        return false;
    *ret_text = value->data;
    return true;
}

static enum method_result
fault(struct method_plan *method_plan, size_t i,
      const struct store_value *value)
{
    buf_add_text(&method_plan->fault, "the value of the key ");
    buf_add_bytes(&method_plan->fault, method_plan->keys[i]);
    buf_add_text(&method_plan->fault, value->kind == STORE_LARGE_VALUE
                                          ? " is larger than 1 MiB"
                                          : " is not a JSON array of strings");
    return METHOD_BROKEN;
}

static enum method_result
answer(const void *request, struct method_plan *method_plan,
       enum store_status status, const struct store_value *values,
       struct buf *response)
{
    const size_t prefix = sizeof(INTERESTS_KEY_PREFIX) - 1;

    (void)request;
    if (status == STORE_MEMORY)
        return METHOD_MEMORY;
    if (status == STORE_LARGE) {
        field_add_fault(&method_plan->faults, "client_ids", FIELD_IDS_LARGE);
        return METHOD_LARGE;
    }
    if (status != STORE_OK)
        return METHOD_DOWN;
    buf_add_text(response, "{");
    for (size_t i = 0; i < method_plan->key_count; i++) {
        const struct bytes key = method_plan->keys[i];
        struct bytes text;

        if (!interests_text(&values[i], &text))
            return fault(method_plan, i, &values[i]);
        buf_add_text(response, i == 0 ? "\"" : ", \"");
        buf_add(response, key.at + prefix, key.length - prefix);
        buf_add_text(response, "\": ");
        buf_add_bytes(response, text);
    }
    buf_add_text(response, "}");
    return METHOD_OK;
}

static void
release(void *request)
{
    free(((struct clients_interests *)request)->client_ids.item);
}

const struct method method_clients_interests = {
    .name = "clients_interests",
    .meaning = "what clients are interested in, a list for each id",
    .request_size = sizeof(struct clients_interests),
    .fields = {fields, sizeof(fields) / sizeof(fields[0])},
    .context = context,
    .plan = plan,
    .answer = answer,
    .release = release,
};
