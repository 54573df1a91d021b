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
 * One request in two pure steps: api_plan() decodes and checks it, and returns
 * the keys that it wants; api_answer() makes the answer from their values. The
 * caller reads the keys in between, and owns the clock and the network. Source:
 * docs/protocol.md, S7.2.
 */
struct api;
struct api_call;
struct model;

/* The size of arrays that are indexed by a method's number. */
#define API_METHODS_MAX 8

struct api_config {
    struct auth_secrets secrets;
    const struct model *model;       /* borrowed */
    const struct accounts *accounts; /* borrowed; NULL: all partners share the
                                        salts of secrets */
    size_t client_ids_max;
    size_t clients_max; /* records of one online_scores */
    size_t body_max_bytes;
};

/* config is borrowed until api_free(). Returns NULL if memory runs out, or if
 * libcrypto lacks the digests. */
struct api *api_new(const struct api_config *config);

/* Accepts NULL. */
void api_free(struct api *api);

/* The keys that a planned request wants from the store. */
struct api_wants {
    const struct bytes *keys;
    size_t count; /* 0: none */
    enum store_need need;
};

/*
 * Plans a request.
 *
 * ret_wants     the keys to read; lent by the call. If there are none, the
 *               request is already answered.
 * ret_outcome   set if no keys are wanted; lent by the call.
 *
 * Returns the call, which the caller frees; NULL if memory runs out, with a 500
 * as the outcome.
 */
struct api_call *api_plan(struct api *api, const struct request *request,
                          struct api_wants *ret_wants,
                          struct outcome *ret_outcome);

/*
 * Answers a planned request; to be called once, if it wanted any keys.
 *
 * values        one per wanted key if status is STORE_OK, else NULL; borrowed
 *               for this call.
 * ret_outcome   lent by the call.
 */
void api_answer(struct api_call *call, enum store_status status,
                const struct store_value *values, struct outcome *ret_outcome);

/* Accepts NULL. */
void api_call_free(struct api_call *call);

/* A method, and its name, by its number from 0; NULL beyond the last. */
const struct method *api_method(size_t number);
const char *api_method_name(size_t number);

#endif
