#ifndef STORE_FAKE_H
#define STORE_FAKE_H

#include "scoring/api.h"

/*
 * A store for tests of the pure part: "key=value" entries, NULL at the end.
 * A value of "!" stands for a key of another type.
 */
struct store_fake {
    const char *const *entries;
    enum store_status status; /* STORE_OK, or how every read fails */
};

/*
 * Plans a request and answers it at once from the fake store. Returns the
 * call, which lends the outcome; the caller frees it. ret_asked (may be NULL)
 * receives how many keys were wanted.
 */
struct api_call *store_fake_run(const struct store_fake *store, struct api *api,
                                const struct request *request,
                                struct outcome *ret_outcome, size_t *ret_asked);

/* Adds the whole body of an answer. */
void store_fake_put_body(const struct outcome *outcome, struct buf *out);

#endif
