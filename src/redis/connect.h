#ifndef REDIS_CONNECT_H
#define REDIS_CONNECT_H

#include <stdint.h>

#include "redis/error.h"
#include "redis/url.h"

struct ev_loop;

/*
 * Connects a socket to a Redis, one attempt at a time, without blocking the
 * loop. If the name cannot be looked up, its last address that worked is tried
 * (S20.8).
 */
struct redis_connect;

/*
 * fd        connected and non-blocking; the callee owns it. -1 on failure.
 * fault     after a failure: its kind.
 * error     after a failure: a text that describes it, lent for this call.
 */
typedef void redis_connect_done_fn(void *arg, int fd, enum redis_fault fault,
                                   const char *error);

/*
 * config    borrowed until redis_connect_free().
 * limit_ms  for all addresses of a name together, after the look-up, which has
 *           its own limit (RESOLVER_LIMIT_MS).
 *
 * Returns NULL when out of memory. done and arg serve all attempts.
 */
struct redis_connect *redis_connect_new(struct ev_loop *loop,
                                        const struct redis_url *config,
                                        int64_t limit_ms,
                                        redis_connect_done_fn *done, void *arg);

/*
 * Begins an attempt; none may be pending. done() is called once, possibly
 * before this function returns.
 */
void redis_connect_start(struct redis_connect *attempt);

/* Ends an attempt, if there is one, without calling done(). */
void redis_connect_cancel(struct redis_connect *attempt);

/*
 * Reports that the last address did not work: the next attempt begins after it.
 */
void redis_connect_move_on(struct redis_connect *attempt);

/* Accepts NULL. */
void redis_connect_free(struct redis_connect *attempt);

#endif
