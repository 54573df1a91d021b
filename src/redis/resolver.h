#ifndef RESOLVER_H
#define RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct ev_loop;

/*
 * Looks up host names, one at a time, without blocking the loop. Nothing is
 * cached: each look-up reads resolv.conf and the hosts file, so that changes
 * take effect.
 */
struct resolver;

#define RESOLVER_ADDRESSES_MAX 8 /* further addresses of a name are ignored */

struct resolver_addresses {
    size_t count;
    struct sockaddr_storage item[RESOLVER_ADDRESSES_MAX];
};

/*
 * found     lent for this call; mostly IPv4 first. Without addresses the
 *           look-up has failed.
 * in_time   if the look-up has failed: whether a name server answered.
 */
typedef void resolver_done_fn(void *arg, const struct resolver_addresses *found,
                              bool in_time);

/*
 * The addresses of "localhost", or of a numeric address. Returns false, with
 * *ret_addresses untouched, if the name must be looked up.
 */
bool resolver_known(const char *host, int port,
                    struct resolver_addresses *ret_addresses);

/* Returns NULL when out of memory. done and arg serve all look-ups. */
struct resolver *resolver_new(struct ev_loop *loop, resolver_done_fn *done,
                              void *arg);

/* Less than SCORING_STORE_DEADLINE_MS, so that a 503 has the reason. */
#define RESOLVER_LIMIT_MS 700

/*
 * Begins a look-up, and cancels a pending one. done() is called once, within
 * RESOLVER_LIMIT_MS, possibly before this function returns.
 *
 * host      borrowed for this call.
 */
void resolver_start(struct resolver *resolver, const char *host, int port);

/* Cancels a pending look-up, if there is one, without calling done(). */
void resolver_cancel(struct resolver *resolver);

/* Accepts NULL. */
void resolver_free(struct resolver *resolver);

#endif
