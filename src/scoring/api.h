#ifndef API_H
#define API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/bytes.h"
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

/* Room for methods and statuses wherever they are counted by their numbers. */
#define API_METHODS_MAX  8
#define API_STATUSES_MAX 16

struct api_config {
    struct auth_secrets secrets;
    const struct model *model; /* borrowed, as the whole */
    size_t client_ids_max;
    size_t clients_max; /* records of a batch */
    size_t body_max_bytes;
};

/* config is borrowed until api_free(). NULL without memory. */
struct api *api_new(const struct api_config *config);
void api_free(struct api *api);

enum api_body {
    API_BODY_WHOLE = 0,
    API_BODY_EMPTY_LENGTH, /* no length was given, or 0 */
    API_BODY_SHORT,        /* fewer bytes came than announced */
    API_BODY_TOO_LARGE
};

struct api_input {
    struct bytes verb; /* "POST" */
    struct bytes path; /* decoded, without the query */
    enum api_body body_state;
    char *body; /* body_length bytes; may be altered; needed by api_plan only */
    size_t body_length;
    time_t now;
};

struct api_answer {
    int code;           /* HTTP status, equal to the member "code" */
    const char *reason; /* the status in words */
    const char *header; /* one more header line without its end, or NULL */
    struct bytes body;
};

/* What a planned call wants from the store. */
struct api_wants {
    const struct bytes *keys;
    size_t count; /* 0: nothing */
    enum store_need need;
};

/* What is to be written after the answer. */
struct api_write {
    struct bytes key, value; /* key.length == 0: nothing */
};

/*
 * Plans a request. Never fails: without memory the answer is a prepared 500.
 * Returns a call owned by the caller, or NULL when there is not even memory
 * for that (answer with api_answer_broken()).
 */
struct api_call *api_plan(struct api *api, const struct api_input *input);

struct api_wants api_call_wants(const struct api_call *call);

/* values: one per wanted key when status is STORE_OK; else NULL. */
void api_answer(struct api_call *call, enum store_status status,
                const struct store_value *values);

/*
 * The answer; lent by the call. Valid once api_answer() was called, or at
 * once if nothing was wanted.
 */
struct api_answer api_call_answer(const struct api_call *call);
struct api_write api_call_write(const struct api_call *call);

/* For the log line: never personal. Empty where there is nothing. */
struct bytes api_call_method(const struct api_call *call);
struct bytes api_call_context(const struct api_call *call);

/*
 * The names of the methods and the statuses of all answers, by their number in
 * the tables, from 0; NULL and 0 beyond the last one.
 */
const char *api_method_name(size_t number);
int api_status_code(size_t number);

/* The numbers of an answer, for counting; of no method: SIZE_MAX. */
size_t api_call_method_number(const struct api_call *call);
size_t api_status_number(int code);

/* Why a 500 was given. */
enum api_fault {
    API_FAULT_NONE = 0, /* another code */
    API_FAULT_VALUE,    /* what the store holds */
    API_FAULT_MEMORY,
    API_FAULT_DIGEST, /* libcrypto fails */
    API_FAULT_CLOCK,  /* there is no local date, or hour */
    API_FAULT__MAX
};
enum api_fault api_call_fault(const struct api_call *call);

/* The same in words for the log; empty for API_FAULT_NONE. */
struct bytes api_call_fault_text(const struct api_call *call);

/* What the cache was for the answer; unused too when there is a fault. */
enum method_cache api_call_cache(const struct api_call *call);

void api_call_free(struct api_call *call);

/* The prepared 500, for when nothing else can be made. */
struct api_answer api_answer_broken(void);

#endif
