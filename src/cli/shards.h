#ifndef SHARDS_H
#define SHARDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "redis/url.h"

struct session;

/*
 * The servers that hold the keys, for a command that waits: the masters of a
 * Redis Cluster, each with a session of its own, or else the one server.
 *
 * Functions that return false have failed for good: shards_error() says why.
 */
struct shards;

/* As session_new(). */
struct shards *shards_new(const struct redis_url *server, int64_t limit_ms);

/* Learns which masters there are, and connects to all of them. Once only. */
bool shards_open(struct shards *shards);

/*
 * The same, but only to the one that has a key, whatever the others do. Returns
 * its session, or NULL on failure.
 */
struct session *shards_open_for(struct shards *shards, struct bytes key);

size_t shards_count(const struct shards *shards);
struct session *shards_session(struct shards *shards, size_t number);

/* Which of them has a key. */
size_t shards_find(const struct shards *shards, struct bytes key);

/*
 * Whether slots have moved since shards_open(), or do just now: some keys may
 * have been missed, or met twice. Asks the Cluster, over a session of its own.
 */
bool shards_have_moved(struct shards *shards);

/* In words that are fit for everybody; lent. Empty: nothing has failed. */
const char *shards_error(const struct shards *shards);

/* Accepts NULL. */
void shards_free(struct shards *shards);

#endif
