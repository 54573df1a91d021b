#ifndef FCGI_GATHER_H
#define FCGI_GATHER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "fcgi/scan.h"

/*
 * Collects an exchange that arrives in pieces, until it is complete and can be
 * passed to fcgi_read(). Free it with fcgi_gather_clear().
 */
struct fcgi_gather {
    struct fcgi_scan scan;
    struct buf head; /* the records before stdin */
    struct buf body; /* the content of stdin */
};

/* Begins a new exchange in a zeroed or cleared struct. */
void fcgi_gather_start(struct fcgi_gather *gather);

/*
 * Like fcgi_scan(); copies the bytes. A body of more than body_max bytes is
 * dropped, but still read to its end.
 */
enum fcgi_scan_verdict fcgi_gather_take(struct fcgi_gather *gather,
                                        const void *bytes, size_t length,
                                        size_t body_max);

/*
 * Call it when the exchange is complete. Then gather->head is the exchange with
 * an empty body, and gather->body the body, unless it was dropped. Returns
 * false when out of memory, now or before.
 */
bool fcgi_gather_end(struct fcgi_gather *gather);

/* The allocated memory in bytes. */
size_t fcgi_gather_bytes(const struct fcgi_gather *gather);

/* Frees the copies. Accepts a zeroed struct. */
void fcgi_gather_clear(struct fcgi_gather *gather);

#endif
