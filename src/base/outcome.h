#ifndef OUTCOME_H
#define OUTCOME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

/* Room for statuses wherever they are counted by their numbers. */
#define OUTCOME_STATUSES_MAX 16

/* The number of no method. */
#define OUTCOME_NO_METHOD ((size_t)-1)

/* What the cache was for an answer. */
enum outcome_cache {
    OUTCOME_CACHE_UNUSED = 0,
    OUTCOME_CACHE_HIT,
    OUTCOME_CACHE_MISS
};

/* Why a 500 was given, as it is counted. */
enum outcome_fault {
    OUTCOME_FAULT_NONE = 0, /* another code */
    OUTCOME_FAULT_VALUE,    /* what the store holds */
    OUTCOME_FAULT_MEMORY,
    OUTCOME_FAULT_SYSTEM,
    OUTCOME_FAULT__MAX
};

/*
 * What became of one request: it is what is sent, logged, counted and written
 * to the cache, and nobody asks for more. Texts and body are lent by whoever
 * made it. Those that may be logged are never personal.
 */
struct outcome {
    int code;           /* HTTP status; 0: there is no outcome yet */
    size_t status;      /* the number of this code, see outcome_status_code() */
    const char *reason; /* the status in words */
    const char *header; /* one more header line without its end, or NULL */
    const char *type;   /* the body's media type */
    struct bytes body;  /* the whole, or what comes before the parts */
    const struct bytes
        *parts; /* then these, several of which may be one text */
    size_t part_count;
    struct bytes end; /* and this */
    bool is_routine; /* asked for every few seconds, by machines: neither logged
                        nor counted unless there is a fault */

    bool wants_reload; /* the service is to read its settings again */

    size_t method_number; /* or OUTCOME_NO_METHOD */
    struct bytes method;  /* its name, or empty */
    struct bytes context; /* for the log: "nclients=2", or empty */
    struct bytes account; /* its name: of one that is listed, else at NULL */
    size_t account_place; /* by which it is counted */
    size_t salt; /* of the good token: its place in its list, from 1; or 0 */
    enum outcome_fault fault;
    struct bytes fault_text; /* the same in words for the log */

    size_t records, bad_records; /* of a batch, which were scored or not */

    enum outcome_cache cache;
    struct bytes write_key, write_value; /* an empty key: nothing to write */
};

/* Sets the code and what belongs to it, and leaves the rest as it is. */
void outcome_set_code(struct outcome *outcome, int code);

/*
 * There can be no other answer than the prepared 500, which needs no memory.
 * Method and context stay.
 *
 * text  why; lent.
 */
void outcome_break(struct outcome *outcome, enum outcome_fault fault,
                   struct bytes text);

/* Bytes of the body, its parts and all. */
size_t outcome_length(const struct outcome *outcome);

/* The statuses of all answers by their number, from 0; 0 beyond the last. */
int outcome_status_code(size_t number);

#endif
