#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "http.h"

/*
 * Callers in threads that send one request after the other, until they are
 * told to stop or have sent what they were to.
 */
struct load;

/* Called on several threads at once: no CUnit in there. */
typedef bool load_check_fn(const struct http_answer *answer);

struct load_plan {
    int port;
    const char *ca_file; /* over HTTPS, if given; see http_open_at() */
    const char *body;
    load_check_fn *is_right;
    size_t callers;  /* at most 64 */
    bool is_kept;    /* a connection for each caller; else for each request */
    size_t requests; /* of each caller, whom a failure ends; 0: no limit */
};

struct load_result {
    size_t requests;
    size_t failures;   /* answers that are not right, or none */
    char example[160]; /* of a failure */
    double slowest_s;
};

/* plan->body is borrowed until load_stop() or load_finish(). */
struct load *load_start(const struct load_plan *plan);
struct load_result load_stop(struct load *load);

/* Waits until all has been sent; for plans that say how much that is. */
struct load_result load_finish(struct load *load);

/*
 * Sends so many requests one after the other over one connection, with
 * pause_ms between them. Returns the time in seconds that 99 % of them took
 * at most, or -1 without any.
 */
double load_p99(const struct load_plan *plan, size_t requests, int pause_ms,
                struct load_result *ret_result);

#endif
