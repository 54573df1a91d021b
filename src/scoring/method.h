#ifndef METHOD_H
#define METHOD_H

#include <stddef.h>

#include "base/buf.h"
#include "base/outcome.h"
#include "scoring/auth.h"
#include "scoring/fields.h"
#include "store/store.h"

/*
 * A method of the API as a row of the method table in api.c. Every function
 * is pure: no clock, no network. `request` is the method's own struct, laid
 * out by its field table; it and its texts are gone while keys are fetched, so
 * what the answer needs then is in the plan.
 */

enum method_result {
    METHOD_OK = 0,
    METHOD_BROKEN, /* 500: what the store holds is not usable */
    METHOD_DOWN,   /* 503: the store could not be read */
    METHOD_LARGE,  /* 422: what is asked for is too much at once */
    METHOD_MEMORY, /* 500 */
    METHOD__MAX
};

struct model;

/* What a method wants from the store, and what it wants written. */
struct method_plan {
    bool is_admin;
    struct auth *auth;
    const struct model *model;
    const struct field_limits *limits;
    struct buf context; /* for the log: "nclients=2 nfaults=1" */
    size_t key_count;   /* 0: answer at once */
    struct bytes *keys; /* allocated array; bytes in key_text */
    struct buf key_text;
    enum store_need need;
    struct buf write_value;
    enum outcome_cache cache; /* set by the answer; of a miss write_value is to
                                 be written under keys[0] */
    struct buf fault;         /* words for the log, of METHOD_BROKEN */
    struct field_faults faults; /* of the request, of METHOD_LARGE too; of
                                   records the names alone */

    /* Of an answer of many parts: what stands between response and end. */
    struct bytes *parts; /* allocated array; bytes in pool */
    size_t part_count;
    struct buf pool;
    struct buf end;
    size_t records, bad_records; /* scored, and not */
};

struct method {
    const char *name;
    const char *meaning; /* in the documents: what it answers */
    size_t request_size;
    struct field_table fields;

    /* Rules across fields: true, or false with the faults. May be NULL. */
    bool (*check)(const void *request, struct field_faults *faults);

    /* The logged context: "has=phone,email" or "nclients=2". */
    void (*context)(const void *request, struct buf *context);

    /* Which keys are wanted; fills plan. NULL: none ever is. */
    enum method_result (*plan)(const void *request, struct method_plan *plan);

    /*
     * The member "response", from the plan and the values of the keys
     * (status of the read; values NULL unless STORE_OK or no keys).
     *
     * request   NULL once keys have been fetched.
     */
    enum method_result (*answer)(const void *request, struct method_plan *plan,
                                 enum store_status status,
                                 const struct store_value *values,
                                 struct buf *response);

    /* Frees what the fields own. May be NULL. */
    void (*release)(void *request);
};

/*
 * Every method, in the order of their numbers: each is a file of its name, and
 * this row.
 */
#define METHODS(ROW)                                                           \
    ROW(online_score)                                                          \
    ROW(clients_interests)                                                     \
    ROW(online_scores)

#define METHOD_EXTERN(name) extern const struct method method_##name;
METHODS(METHOD_EXTERN)

#endif
