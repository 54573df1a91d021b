#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "http.h"

/*
 * Callers, each a thread that sends one request after the other, until they are
 * stopped or have sent all.
 */
struct load;

/* Called by several threads at once: it must not use CUnit. */
typedef bool load_check_fn(const struct http_answer *answer);

/* Whether it has the score of REQUEST_PERSON, that of REQUEST_NAMES; true. */
bool load_is_three(const struct http_answer *answer);
bool load_is_half(const struct http_answer *answer);
bool load_is_anything(const struct http_answer *answer);

struct load_plan {
    int port;
    const char *ca_file; /* over HTTPS, if given; see http_open_at() */
    const char *body;
    load_check_fn *is_right;
    size_t callers;  /* at most 64 */
    bool is_kept;    /* a connection for each caller; else for each request */
    size_t requests; /* of each caller, which stops at a failure; 0: no limit */
};

struct load_result {
    size_t requests;
    size_t failures;   /* wrong answers, and requests without an answer */
    char example[160]; /* of a failure */
    double slowest_s;
};

/* plan->body is borrowed until load_stop() or load_finish(). */
struct load *load_start(const struct load_plan *plan);
struct load_result load_stop(struct load *load);

/* Waits until all requests are answered; for plans with a limit of requests. */
struct load_result load_finish(struct load *load);

/* Asserts that there were answers, and that all of them were right. */
void load_expect(struct load_result result, const char *what);

/*
 * Sends this many requests one after the other over one connection, with
 * pause_ms between them. Returns the 99th percentile of their times in seconds,
 * or -1 if there were none.
 */
double load_p99(const struct load_plan *plan, size_t requests, int pause_ms,
                struct load_result *ret_result);

#endif
