#ifndef ELECTION_H
#define ELECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redis/url.h"

#define ELECTION_HOST_SIZE 256 /* of a name in the DNS, and its NUL */

/* Who the master is, in one opinion. */
struct master {
    char host[ELECTION_HOST_SIZE]; /* empty: nobody */
    int port;
    int64_t epoch; /* of its configuration; a later one has a higher one */
};

/* For how long the one who is not the master is not chosen again: doubled. */
#define ELECTION_DISTRUST_MS     500
#define ELECTION_DISTRUST_MAX_MS 32000

/*
 * The choice among what sentinels say. Pure. Source: docs/protocol.md,
 * S21.
 */
struct election {
    struct master current;    /* chosen; nobody at first */
    struct master distrusted; /* it said itself that it is no master */
    int64_t distrust_ms;      /* for so long the last time */
    int64_t distrust_until_ms;
};

bool master_is_same(const struct master *a, const struct master *b);

/*
 * Chooses anew.
 *
 * votes     of the sentinels that can be reached and name a master.
 * known     how many sentinels there are, as far as is known.
 *
 * Returns whether election->current is another one now.
 */
bool election_hold(struct election *election, const struct master *votes,
                   size_t count, size_t known, int64_t now_ms);

/* Whether one has been chosen, and is not distrusted. */
bool election_has_master(const struct election *election, int64_t now_ms);

/* The current one is no master. */
void election_distrust(struct election *election, int64_t now_ms);

/* Whether it is, and the time is not over. */
bool election_distrusts(const struct election *election,
                        const struct master *master, int64_t now_ms);

#endif
