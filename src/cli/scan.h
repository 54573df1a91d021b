#ifndef SCAN_H
#define SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct session;

/* A longer value is damaged, for the service too, and is not asked for. */
#define SCAN_VALUE_MAX ((int64_t)1 << 20)

enum scan_kind {
    SCAN_STRING = 0,
    SCAN_OTHER_TYPE, /* which has no value here */
    SCAN_TOO_LARGE   /* of more than SCAN_VALUE_MAX bytes: likewise */
};

/* One key that was found; all of it is lent for the call. */
struct scan_item {
    struct bytes key;
    enum scan_kind kind;
    struct bytes value; /* of SCAN_STRING */
};

struct scan {
    const char *pattern; /* as of SCAN's MATCH */

    /* Called for each key; false ends the scan. */
    bool (*found)(void *arg, const struct scan_item *item);

    /*
     * Called now and then; false ends the scan. visited and total are keys of
     * the database, by estimate; total is 0 if the server does not tell.
     */
    bool (*moved)(void *arg, int64_t visited, int64_t total);
    void *arg;
};

/*
 * Visits all keys of the pattern with their values. Keys that come or go
 * meanwhile may be visited or not, and a key may be visited more than once, as
 * with SCAN. Memory does not grow with the number of keys. The connection ends
 * with the scan.
 *
 * False if a callback said so, or for a reason that session_error()
 * tells.
 */
bool scan_run(struct session *session, const struct scan *scan);

#endif
