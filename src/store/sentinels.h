#ifndef SENTINELS_H
#define SENTINELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/election.h"

struct ev_loop;

#define SENTINELS_MAX REDIS_URL_HOSTS_MAX

/*
 * The sentinels of a master, each asked every 250 ms over a connection
 * of its own: who it is, and which other sentinels there are. Those of the URL
 * are never dropped. Source: docs/protocol.md, S21.
 */
struct sentinels;

/*
 * url         borrowed until sentinels_free().
 * connect_ms  limit of connecting; answer_ms   of an answer.
 *
 * Begins to ask. NULL without memory, or with TLS asked for and not to be had.
 */
struct sentinels *sentinels_new(struct ev_loop *loop,
                                const struct redis_url *url, int64_t connect_ms,
                                int64_t answer_ms);

/* Whether anything is new since this was asked last. */
bool sentinels_take_news(struct sentinels *sentinels);

/* What those that can be reached say; returns how many. */
size_t sentinels_votes(const struct sentinels *sentinels,
                       struct master ret_votes[SENTINELS_MAX]);

size_t sentinels_known(const struct sentinels *sentinels);
size_t sentinels_reachable(const struct sentinels *sentinels);

/* Whether each has answered, or failed, at least once. */
bool sentinels_have_spoken(const struct sentinels *sentinels);

/* Adds why none of them names a master, fit for the log. */
void sentinels_put_reason(const struct sentinels *sentinels, struct buf *out);

/* Accepts NULL. */
void sentinels_free(struct sentinels *sentinels);

#endif
