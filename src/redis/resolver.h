#ifndef RESOLVER_H
#define RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct ev_loop;

/*
 * Looks up one host name at a time without ever holding up the loop. Nothing
 * is remembered: each look-up reads resolv.conf and the hosts file anew, so
 * that their changes are noticed.
 */
struct resolver;

#define RESOLVER_ADDRESSES_MAX 8 /* more of one name are not tried */

struct resolver_addresses {
    size_t count;
    struct sockaddr_storage item[RESOLVER_ADDRESSES_MAX];
};

/*
 * found     lent for this call; mostly IPv4 first. With no addresses the
 * look-up failed. in_time   of a failed look-up: whether there was an answer at
 * all.
 */
typedef void resolver_done_fn(void *arg, const struct resolver_addresses *found,
                              bool in_time);

/*
 * A numeric address of either family, or "localhost". Returns false, with
 * *ret_addresses untouched, if the name has to be looked up.
 */
bool resolver_known(const char *host, int port,
                    struct resolver_addresses *ret_addresses);

/* NULL without memory. done and arg are the same for all look-ups. */
struct resolver *resolver_new(struct ev_loop *loop, resolver_done_fn *done,
                              void *arg);

/* Less than a request may wait, so that it learns the reason. */
#define RESOLVER_LIMIT_MS 700

/*
 * Begins a look-up; ends one that is under way. done() is called once, within
 * RESOLVER_LIMIT_MS, possibly before this returns.
 *
 * host      borrowed for this call.
 */
void resolver_start(struct resolver *resolver, const char *host, int port);

/* Ends a look-up, if there is one, without calling done(). */
void resolver_cancel(struct resolver *resolver);

/* Accepts NULL. */
void resolver_free(struct resolver *resolver);

#endif
