/*
 * A fake store for tests of the API.
 */
#include <stdlib.h>

#include "store_fake.h"

#define WRONG_TYPE  "!"
#define LARGE_VALUE "<"

static struct store_value
look_up(const struct store_fake *store, struct bytes key)
{
    struct store_value value = {.kind = STORE_ABSENT};

    for (size_t i = 0; store->entries != NULL && store->entries[i]; i++) {
        struct bytes entry = bytes_of(store->entries[i]);

        if (entry.length <= key.length || entry.at[key.length] != '=' ||
            memcmp(entry.at, key.at, key.length) != 0)
            continue;
        value.data = bytes_of(entry.at + key.length + 1);
        value.kind = STORE_STRING;
        if (bytes_equal(value.data, bytes_of(WRONG_TYPE)))
            value.kind = STORE_WRONG_TYPE;
        else if (bytes_equal(value.data, bytes_of(LARGE_VALUE)))
            value = (struct store_value){.kind = STORE_LARGE_VALUE};
    }
    return value;
}

struct api_call *
store_fake_run(const struct store_fake *store, struct api *api,
               const struct request *request, struct outcome *ret_outcome,
               size_t *ret_asked)
{
    struct api_wants wants;
    struct api_call *call = api_plan(api, request, &wants, ret_outcome);
    struct store_value *values;

    if (ret_asked != NULL)
        *ret_asked = wants.count;
    if (wants.count == 0)
        return call;
    values = calloc(wants.count, sizeof(*values));
    if (values == NULL)
        abort();
    for (size_t i = 0; i < wants.count; i++)
        values[i] = look_up(store, wants.keys[i]);
    api_answer(call, store->status, store->status == STORE_OK ? values : NULL,
               ret_outcome);
    free(values);
    return call;
}

void
store_fake_put_body(const struct outcome *outcome, struct buf *out)
{
    buf_add_bytes(out, outcome->body);
    for (size_t i = 0; i < outcome->part_count; i++)
        buf_add_bytes(out, outcome->parts[i]);
    buf_add_bytes(out, outcome->end);
}
