#ifndef CONN_REPORT_H
#define CONN_REPORT_H

#include <stdint.h>

#include "store/store.h"

struct api_call;
struct fcgi_request;
struct log;
struct metrics;

/* Why a request has no other answer than 500, though its call may have one. */
struct conn_fault {
    const char *what; /* cannot be had */
    int error;        /* of errno: the reason */
};

/*
 * One line in the log, and the counters, for an answer of the API; one more
 * line for a 500, which says why.
 *
 * call         NULL: there was no memory for one.
 * fault        NULL: the call knows.
 * duration_us  since the request had arrived.
 */
void conn_report_answer(struct log *log, struct metrics *metrics,
                        const struct fcgi_request *request,
                        const struct api_call *call, int code,
                        const struct conn_fault *fault, int64_t duration_us);

/* The counters for what became of the keys that a call wanted. */
void conn_report_read(struct metrics *metrics, const struct api_call *call,
                      enum store_need need, enum store_status status);

#endif
