#ifndef ROSTER_H
#define ROSTER_H

#include <stdint.h>

struct accounts;
struct metrics;
struct roster;

/*
 * The roster gives each account a place in shared memory, in which all workers
 * count the used part of its limit, and its requests. A place belongs to the
 * name of the account, so counts survive reloads, even if the account was not
 * listed for a while. A new account takes over the place of the name that was
 * removed the longest ago. Source: docs/protocol.md, S11.6.
 */

/* Returns NULL, with errno set, if there is not enough memory. */
struct roster *roster_new(void);

/* Unmaps the shared memory from this process only. Accepts NULL. */
void roster_free(struct roster *roster);

/*
 * Gives each account its place; to be called before the workers that serve the
 * accounts are started.
 *
 * accounts  NULL: there is no file of accounts.
 * metrics   its counts for a place that is taken over are cleared.
 * now_ns    CLOCK_MONOTONIC.
 */
void roster_place(struct roster *roster, struct accounts *accounts,
                  struct metrics *metrics, int64_t now_ns);

#endif
