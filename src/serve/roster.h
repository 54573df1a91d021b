#ifndef ROSTER_H
#define ROSTER_H

#include <stdint.h>

struct accounts;
struct metrics;
struct roster;

/*
 * The places of accounts: where all workers count how much of its limit each
 * has used, and how its requests ended. The parent gives them by name, so that
 * an account keeps what is counted of it when settings are read again, also
 * when it was away meanwhile. Of those that are away the longest-gone makes
 * room.
 */

/* NULL with errno set when the memory cannot be had. */
struct roster *roster_new(void);

/* Unmaps it from this process only. Accepts NULL. */
void roster_free(struct roster *roster);

/*
 * Gives each account its place, before the workers that serve it are started.
 *
 * accounts  NULL: there are none.
 * metrics   which forgets what it has counted for a place that is taken over.
 * now_ns    CLOCK_MONOTONIC.
 */
void roster_place(struct roster *roster, struct accounts *accounts,
                  struct metrics *metrics, int64_t now_ns);

#endif
