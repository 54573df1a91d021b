#ifndef METHOD_H
#define METHOD_H

#include <stddef.h>

#include "base/buf.h"
#include "base/outcome.h"
#include "scoring/auth.h"
#include "scoring/fields.h"
#include "store/store.h"

/*
 * A method of the API: a row of the method table in api.c. Its functions are
 * pure: no clock, no network. `request` is the method's own struct, filled by
 * its field table; it is freed before the keys are read, so the plan must have
 * everything that the answer needs.
 */

enum method_result {
    METHOD_OK = 0,
    METHOD_BROKEN, /* 500: a stored value is damaged */
    METHOD_DOWN,   /* 503: the store could not be read */
    METHOD_LARGE,  /* 422: the requested values are too large together */
    METHOD_MEMORY, /* 500: out of memory */
    METHOD__MAX
};

struct model;

/* What a method reads from the store, and what it answers. */
struct method_plan {
    /* Set by the API; borrowed. */
    bool is_admin;
    struct auth *auth;
    const struct model *model;
    const struct field_limits *limits;

    /* Set by the method; freed by the API. */
    struct buf context; /* for the log: "nclients=2 nfaults=1" */
    size_t key_count;   /* 0: answer at once */
    struct bytes *keys; /* allocated array; the bytes are in key_text */
    struct buf key_text;
    enum store_need need;
    struct buf write_value; /* the value to write under keys[0] after a miss */
    enum outcome_cache cache;   /* set by answer() */
    struct buf fault;           /* with METHOD_BROKEN: a text for the log */
    struct field_faults faults; /* of the request, also with METHOD_LARGE; of
                                   records only the names */

    /* An answer of many parts: the response, the parts, and the end. */
    struct bytes *parts; /* allocated array; the bytes are in pool */
    size_t part_count;
    struct buf pool;
    struct buf end;
    size_t records, bad_records; /* scored records, and invalid ones */
};

struct method {
    const char *name;
    const char *meaning; /* for the documents: what it answers */
    size_t request_size; /* of its own struct */
    struct field_table fields;

    /* Checks rules that concern several fields; returns false with faults
     * added. May be NULL. */
    bool (*check)(const void *request, struct field_faults *faults);

    /* Adds the logged context: "has=phone,email" or "nclients=2". */
    void (*context)(const void *request, struct buf *context);

    /* Sets the keys to read, and what answer() needs. May be NULL: the method
     * reads no keys. */
    enum method_result (*plan)(const void *request, struct method_plan *plan);

    /*
     * Adds the member "response" of the answer.
     *
     * request   NULL if the plan has keys.
     * status    of the read; STORE_OK if the plan has no keys.
     * values    one per key if status is STORE_OK, else NULL; NULL without
     * keys.
     */
    enum method_result (*answer)(const void *request, struct method_plan *plan,
                                 enum store_status status,
                                 const struct store_value *values,
                                 struct buf *response);

    /* Frees allocated fields. May be NULL. */
    void (*release)(void *request);
};

/*
 * All methods, in the order of their numbers: each has a file of its name, and
 * a row here.
 */
#define METHODS(ROW)                                                           \
    ROW(online_score)                                                          \
    ROW(clients_interests)                                                     \
    ROW(online_scores)

#define METHOD_EXTERN(name) extern const struct method method_##name;
METHODS(METHOD_EXTERN)

#endif
