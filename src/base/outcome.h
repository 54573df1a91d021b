#ifndef OUTCOME_H
#define OUTCOME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

/* The size of an array that has a counter for each status. */
#define OUTCOME_STATUSES_MAX 16

/* In outcome.method_number: the request names no known method. */
#define OUTCOME_NO_METHOD ((size_t)-1)

/* How an answer used the cache. */
enum outcome_cache {
    OUTCOME_CACHE_UNUSED = 0,
    OUTCOME_CACHE_HIT,
    OUTCOME_CACHE_MISS
};

/* Why the answer is a 500. Each has a counter. */
enum outcome_fault {
    OUTCOME_FAULT_NONE = 0, /* it is not a 500 */
    OUTCOME_FAULT_VALUE,    /* a value in the store is damaged */
    OUTCOME_FAULT_MEMORY,
    OUTCOME_FAULT_SYSTEM,
    OUTCOME_FAULT__MAX
};

/*
 * The result of one request: everything that is sent, logged, counted and
 * written to the cache. Its texts and body are lent by the code that made it.
 * No text that is logged is personal (S28.1).
 */
struct outcome {
    int code;           /* HTTP status; 0: there is no outcome yet */
    size_t status;      /* the index of this code, see outcome_status_code() */
    const char *reason; /* the reason phrase of the code */
    const char *header; /* one more header line without its end, or NULL */
    const char *type;   /* the body's media type */

    /* The body is the concatenation of these. */
    struct bytes body;
    const struct bytes *parts; /* several may point to the same text */
    size_t part_count;
    struct bytes end;

    bool is_routine;   /* health or metrics: logged and counted only if there is
                          a fault */
    bool wants_reload; /* the service must read its settings again */

    size_t method_number; /* or OUTCOME_NO_METHOD */
    struct bytes method;  /* its name, or empty */
    struct bytes context; /* for the log: "nclients=2", or empty */
    struct bytes account; /* the name of a listed account, else at = NULL */
    size_t account_place; /* the index of the account's counters */
    size_t salt;          /* the position, from 1, of the salt that made the
                             token; 0: the token was not accepted */
    enum outcome_fault fault;
    struct bytes fault_text; /* describes the fault, for the log */

    size_t records, bad_records; /* of online_scores: scored, refused */

    enum outcome_cache cache;
    struct bytes write_key, write_value; /* an empty key: nothing to write */
};

/*
 * Sets the code, and the status, reason, header and type that belong to it.
 * The code must be one of the table in outcome.c.
 */
void outcome_set_code(struct outcome *outcome, int code);

/*
 * Replaces the answer by a constant 500, which needs no memory. Keeps method
 * and context.
 *
 * text  the reason, for the log; lent.
 */
void outcome_break(struct outcome *outcome, enum outcome_fault fault,
                   struct bytes text);

/*
 * Replaces the answer by a constant 503, which needs no memory. Keeps method
 * and context; it is no fault.
 *
 * body  of the new answer; lent.
 */
void outcome_refuse(struct outcome *outcome, struct bytes body);

/* The length of the whole body in bytes. */
size_t outcome_length(const struct outcome *outcome);

/* The HTTP status with this index, from 0; 0 if there is none. */
int outcome_status_code(size_t number);

#endif
