#ifndef API_H
#define API_H

#include <stddef.h>

#include "base/bytes.h"
#include "base/outcome.h"
#include "base/request.h"
#include "scoring/accounts.h"
#include "scoring/auth.h"
#include "scoring/method.h"
#include "store/store.h"

/*
 * One request in two pure steps: api_plan() decodes and checks it and says
 * which keys it wants; api_answer() makes the answer from their values. The
 * store, the clock and the network stand between and around them.
 */
struct api;
struct api_call;
struct model;

/* Room for methods wherever they are counted by their numbers. */
#define API_METHODS_MAX 8

struct api_config {
    struct auth_secrets secrets;
    const struct model *model;       /* borrowed, as the whole */
    const struct accounts *accounts; /* NULL: all partners have one salt */
    size_t client_ids_max;
    size_t clients_max; /* records of a batch */
    size_t body_max_bytes;
};

/* config is borrowed until api_free(). NULL without memory. */
struct api *api_new(const struct api_config *config);
void api_free(struct api *api);

/* What a planned call wants from the store. */
struct api_wants {
    const struct bytes *keys;
    size_t count; /* 0: nothing */
    enum store_need need;
};

/*
 * Plans a request. Never fails: without memory the outcome is a prepared 500,
 * and the call NULL.
 *
 * ret_wants     what to ask the store for; lent by the call.
 * ret_outcome   made at once if nothing is wanted; lent by the call.
 *
 * Returns a call owned by the caller.
 */
struct api_call *api_plan(struct api *api, const struct request *request,
                          struct api_wants *ret_wants,
                          struct outcome *ret_outcome);

/*
 * To be called once, if anything was wanted.
 *
 * values        one per wanted key when status is STORE_OK; else NULL.
 * ret_outcome   lent by the call, not by the values.
 */
void api_answer(struct api_call *call, enum store_status status,
                const struct store_value *values, struct outcome *ret_outcome);

/* Accepts NULL. */
void api_call_free(struct api_call *call);

/* The methods by their number, from 0; NULL beyond the last. */
const struct method *api_method(size_t number);

/* The names of the methods by their number, from 0; NULL beyond the last. */
const char *api_method_name(size_t number);

#endif
