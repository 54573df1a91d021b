#ifndef SHARDS_H
#define SHARDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "redis/url.h"

struct session;

/*
 * The servers that hold the keys, for the command line: the masters of a Redis
 * Cluster, each with its own session; otherwise the one server.
 *
 * If a function returns false, shards_error() describes the reason.
 */
struct shards;

/* See session_new(). Does not connect yet. */
struct shards *shards_new(const struct redis_url *server, int64_t limit_ms);

/* Gets the list of masters, and connects to all of them. Call it once. */
bool shards_open(struct shards *shards);

/*
 * The same, but connects only to the master that has the key. Returns its
 * session, which belongs to shards; or NULL on failure.
 */
struct session *shards_open_for(struct shards *shards, struct bytes key);

size_t shards_count(const struct shards *shards);
struct session *shards_session(struct shards *shards, size_t number);

/* The number of the server that has the key. */
size_t shards_find(const struct shards *shards, struct bytes key);

/*
 * Finds out whether slots have moved since shards_open(): keys may have been
 * missed, or found twice. Asks the Cluster, over a new connection.
 */
bool shards_check_moved(struct shards *shards, bool *ret_have_moved);

/* Like session_error(), for the first session that has failed. */
const char *shards_error(const struct shards *shards);

/* Accepts NULL. */
void shards_free(struct shards *shards);

#endif
