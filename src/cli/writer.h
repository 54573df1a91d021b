#ifndef WRITER_H
#define WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct session;

/*
 * Writes or deletes any number of keys over one session: commands of bounded
 * size, several of them under way at a time. Of a repeated key the last value
 * stays.
 *
 * Functions that return false have failed for good: session_error() says why.
 */
struct writer;

enum writer_command {
    WRITER_MSET = 0, /* of many keys */
    WRITER_SET,      /* of one key: in a Cluster their slots may differ */
    WRITER_DEL       /* of one key; its value is empty */
};

/* session is borrowed until writer_free(). NULL without memory. */
struct writer *writer_new(struct session *session, enum writer_command command);

/*
 * Asks whether the server has replicas, for a master's word alone is not to be
 * relied on where it may be replaced: with any, a key is written when one of
 * them has it. Who may not ask goes on as without. limit_ms is of their
 * confirmation.
 */
bool writer_ask_replicas(struct writer *writer, int64_t limit_ms);

/* Both are copied. */
bool writer_add(struct writer *writer, struct bytes key, struct bytes value);

/* Sends what is left, and waits until all of it is written. */
bool writer_finish(struct writer *writer);

/*
 * Keys that the server, and a replica if it has one, has said to be written, in
 * the order of adding.
 */
int64_t writer_confirmed(const struct writer *writer);

/* Keys that a WRITER_DEL has found. */
int64_t writer_deleted(const struct writer *writer);

/* Ends the connection, if anything is still under way. Accepts NULL. */
void writer_free(struct writer *writer);

#endif
