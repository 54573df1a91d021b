#ifndef STORE_FAKE_H
#define STORE_FAKE_H

#include "scoring/api.h"

/*
 * A fake store for tests of the API: "key=value" entries, with NULL at the end.
 * The value "!" means a key of another type, "<" a value of more than 1 MiB.
 */
struct store_fake {
    const char *const *entries;
    enum store_status status; /* STORE_OK, or the failure of every read */
};

/*
 * Plans a request, and answers it from the fake store. Returns the call, to
 * which the outcome refers; the caller frees it.
 *
 * ret_asked   how many keys were wanted; may be NULL.
 */
struct api_call *store_fake_run(const struct store_fake *store, struct api *api,
                                const struct request *request,
                                struct outcome *ret_outcome, size_t *ret_asked);

/* Adds the body of an answer, with all of its parts. */
void store_fake_put_body(const struct outcome *outcome, struct buf *out);

#endif
