#ifndef FCGI_GATHER_H
#define FCGI_GATHER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "fcgi/scan.h"

/*
 * One exchange that arrives in pieces: kept until it is whole, and only then
 * shown to libfcgi.
 */
struct fcgi_gather {
    struct fcgi_scan scan;
    struct buf head; /* the records before stdin */
    struct buf body; /* the content of stdin */
};

/* Takes nothing over from a scan before: the exchange begins here. */
void fcgi_gather_start(struct fcgi_gather *gather);

/* As fcgi_scan(). A body above body_max is read to its end, and dropped. */
enum fcgi_scan_verdict fcgi_gather_take(struct fcgi_gather *gather,
                                        const void *bytes, size_t length,
                                        size_t body_max);

/*
 * To be called once it is complete. Then gather->head is the exchange with an
 * empty body; the body is in gather->body, unless it was dropped. Returns
 * false without memory.
 */
bool fcgi_gather_end(struct fcgi_gather *gather);

/* The memory that it has for what it keeps. */
size_t fcgi_gather_bytes(const struct fcgi_gather *gather);

/* Gives up the copies; a zeroed struct is fine. */
void fcgi_gather_clear(struct fcgi_gather *gather);

#endif
