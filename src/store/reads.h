#ifndef STORE_READS_H
#define STORE_READS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/route.h"
#include "store/store.h"

/*
 * The interface between store.c, which owns each read of one node, and split.c,
 * which combines several of them into one read of a Cluster.
 */
struct read;

struct read_plan {
    const struct bytes *keys; /* borrowed until done() or read_abandon() */
    size_t count;
    enum store_need need;
    int64_t deadline_ms;
    store_done_fn *done;
    void *arg;
    struct store_node *node; /* to ask; NULL: the node that has the first key */
    bool is_asking;          /* as in struct store_fetch */
    size_t *sum; /* as in struct store_fetch. With it the read is a part: not
                    counted as pending; its done() may call read_take_kept() */
};

/* Returns NULL only if memory runs out. The store owns the read. */
struct read *read_begin(struct store *store, const struct read_plan *plan);

/* Ends a read without calling done(). */
void read_abandon(struct store *store, struct read *read);

/* Within done() of a part: takes over the replies that its values point into.
 * The caller frees them with read_free_kept(), which accepts NULL. */
void *read_take_kept(struct read *read);
void read_free_kept(void *kept);

/* Within done() of a part: the node that was asked; NULL if none was. */
struct store_node *read_node(const struct read *read);

/* Adds to store_pending(): a split read counts as one. */
void store_count_pending(struct store *store, int by);

struct store_route *store_get_route(struct store *store);

/* answer_bytes_max of the config. */
size_t store_get_bytes_max(const struct store *store);

/* Reports so many STORE_EVENT_REDIRECTED. */
void store_count_redirections(struct store *store, size_t count);

/*
 * Begins a read, as store_read(), of keys that several nodes have: one part for
 * each node, and more parts when keys are redirected. It is answered when all
 * parts are, or when the first one fails. Returns false only if memory runs
 * out. Source: docs/protocol.md, S22.3.
 */
bool split_begin(struct store *store, const struct read_plan *plan);

#endif
