#ifndef SENTINELS_H
#define SENTINELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "redis/url.h"
#include "store/election.h"

struct ev_loop;

#define SENTINELS_MAX REDIS_URL_HOSTS_MAX

/*
 * The sentinels of a master. Each is asked every 250 ms, over its own
 * connection, which server the master is, and which other sentinels there are.
 * Sentinels of the URL are never dropped. Source: docs/protocol.md, S21.2.
 */
struct sentinels;

/*
 * Begins to ask the sentinels of the URL.
 *
 * url         borrowed until sentinels_free().
 * connect_ms  time limit of connecting.
 * answer_ms   time limit of an answer.
 *
 * Returns NULL if memory runs out, or if TLS is required but not available.
 */
struct sentinels *sentinels_new(struct ev_loop *loop,
                                const struct redis_url *url, int64_t connect_ms,
                                int64_t answer_ms);

/* Whether any sentinel has answered or failed since the last call. */
bool sentinels_take_news(struct sentinels *sentinels);

/* The votes of the reachable sentinels; returns how many there are. */
size_t sentinels_votes(const struct sentinels *sentinels,
                       struct master ret_votes[SENTINELS_MAX]);

/* How many sentinels are known, and how many of them are reachable. */
size_t sentinels_known(const struct sentinels *sentinels);
size_t sentinels_reachable(const struct sentinels *sentinels);

/* Whether each sentinel has answered or failed at least once. */
bool sentinels_have_spoken(const struct sentinels *sentinels);

/* Adds the reason why no sentinel names a master, for the log. */
void sentinels_put_reason(const struct sentinels *sentinels, struct buf *out);

/* Accepts NULL. */
void sentinels_free(struct sentinels *sentinels);

#endif
