#ifndef REDIS_CONNECT_H
#define REDIS_CONNECT_H

#include <stdint.h>

#include "redis/error.h"
#include "redis/url.h"

struct ev_loop;

/*
 * Makes one socket at a time that is connected to the Redis of the settings,
 * without ever holding up the loop. While the name cannot be looked up, the
 * last address that it had, and that worked, is tried.
 */
struct redis_connect;

/*
 * fd        connected, non-blocking, and now the callee's; -1 on failure.
 * fault     of a failure: its kind.
 * error     of a failure: why, in words lent for this call.
 */
typedef void redis_connect_done_fn(void *arg, int fd, enum redis_fault fault,
                                   const char *error);

/*
 * config    borrowed until redis_connect_free().
 * limit_ms  of all addresses of a name together, once they are known; the
 *           look-up has a limit of its own.
 *
 * NULL without memory. done and arg are the same for all attempts.
 */
struct redis_connect *redis_connect_new(struct ev_loop *loop,
                                        const struct redis_url *config,
                                        int64_t limit_ms,
                                        redis_connect_done_fn *done, void *arg);

/*
 * Begins an attempt; none may be under way. done() is called once, possibly
 * before this returns.
 */
void redis_connect_start(struct redis_connect *attempt);

/* Ends an attempt, if there is one, without calling done(). */
void redis_connect_cancel(struct redis_connect *attempt);

/* The last attempt led nowhere: the next begins with another address. */
void redis_connect_move_on(struct redis_connect *attempt);

/* Accepts NULL. */
void redis_connect_free(struct redis_connect *attempt);

#endif
