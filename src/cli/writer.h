#ifndef WRITER_H
#define WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct session;

/*
 * Writes or deletes any number of keys over one session, in batches of bounded
 * size, several of which are pending at a time. If a key is repeated, the last
 * value wins.
 *
 * If a function returns false, the session has failed: see session_error().
 */
struct writer;

enum writer_command {
    WRITER_MSET = 0, /* many keys */
    WRITER_SET,      /* one key: in a Cluster the slots of keys differ */
    WRITER_DEL       /* one key; writer_add() gets an empty value */
};

/* session: borrowed until writer_free(). Returns NULL when out of memory. */
struct writer *writer_new(struct session *session, enum writer_command command);

/*
 * Asks whether the server has replicas. If it has, a key counts as written only
 * when a replica has it, within limit_ms, because the master may be replaced.
 * A user without the right to ROLE or WAIT relies on the master. Source: S19.4.
 */
bool writer_ask_replicas(struct writer *writer, int64_t limit_ms);

/* Copies both. */
bool writer_add(struct writer *writer, struct bytes key, struct bytes value);

/* Sends the last batch, and waits until all keys are written. */
bool writer_finish(struct writer *writer);

/* How many of the first keys the server, and a replica, have confirmed. */
int64_t writer_confirmed(const struct writer *writer);

/* How many keys WRITER_DEL has found and deleted. */
int64_t writer_deleted(const struct writer *writer);

/* Closes the session if batches are pending. Accepts NULL. */
void writer_free(struct writer *writer);

#endif
