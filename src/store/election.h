#ifndef ELECTION_H
#define ELECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELECTION_HOST_SIZE 256 /* a DNS name of 255 characters, and a NUL */

/* One sentinel's vote: which server is the master. */
struct master {
    char host[ELECTION_HOST_SIZE]; /* empty: no server */
    int port;
    int64_t epoch; /* of the configuration: a newer one is higher */
};

/* How long a server that is not the master is not chosen again: this long the
 * first time, then twice as long each time, up to the maximum. */
#define ELECTION_DISTRUST_MS     500
#define ELECTION_DISTRUST_MAX_MS 32000

/*
 * The choice of the master from the votes of the sentinels. Pure: time is a
 * parameter, in milliseconds of CLOCK_MONOTONIC. A zeroed struct has chosen
 * none. Source: docs/protocol.md, S21.3.
 */
struct election {
    struct master current;    /* the one that was chosen */
    struct master distrusted; /* the last one that reported not to be master */
    int64_t distrust_ms;      /* how long, the last time */
    int64_t distrust_until_ms;
};

/* Whether host and port are equal. */
bool master_is_same(const struct master *a, const struct master *b);

/*
 * Chooses the master again.
 *
 * votes     count of them: of the reachable sentinels that name a master.
 * known     the number of known sentinels, reachable or not.
 *
 * Returns whether election->current has become another server.
 */
bool election_hold(struct election *election, const struct master *votes,
                   size_t count, size_t known, int64_t now_ms);

/* Whether a master has been chosen, and is not distrusted. */
bool election_has_master(const struct election *election, int64_t now_ms);

/* Distrusts the current master: it reported that it is not the master. */
void election_distrust(struct election *election, int64_t now_ms);

/* Whether this server is still distrusted. */
bool election_distrusts(const struct election *election,
                        const struct master *master, int64_t now_ms);

#endif
