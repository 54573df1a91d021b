#ifndef STORE_READS_H
#define STORE_READS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/route.h"
#include "store/store.h"

/*
 * What store.c, which owns the reads of single nodes, and split.c, which makes
 * one of several, know of each other.
 */
struct read;

struct read_plan {
    const struct bytes *keys; /* borrowed until done() or read_abandon() */
    size_t count;
    enum store_need need;
    int64_t deadline_ms;
    store_done_fn *done;
    void *arg;
    struct store_node *node; /* that is asked; NULL: the one that has a key */
    bool is_asking;          /* as of struct store_fetch */
    bool is_part;            /* of a split read: it is not counted, and
                                its done() may call read_take_kept() */
};

/* NULL only without memory. */
struct read *read_begin(struct store *store, const struct read_plan *plan);

/* Ends a read without calling done(). */
void read_abandon(struct store *store, struct read *read);

/* In done() of a part: takes over what its values point into; to be freed by
 * read_free_kept(). */
void *read_take_kept(struct read *read);
void read_free_kept(void *kept);

/* In done() of a part: the node that has answered. */
struct store_node *read_node(const struct read *read);

/* Counts a split read as one. */
void store_count_pending(struct store *store, int by);

struct store_route *store_get_route(struct store *store);
size_t store_get_bytes_max(const struct store *store);
void store_count_redirections(struct store *store, size_t count);

/*
 * A read of keys that several nodes have, as store_read(): a part for each
 * node, and more of them as keys are redirected. It is answered when all parts
 * are, or when the first one fails.
 */
bool split_begin(struct store *store, const struct read_plan *plan);

#endif
