#ifndef SCAN_H
#define SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct session;

/* Bytes; a longer value is not read: for the service it is damaged (S18.3). */
#define SCAN_VALUE_MAX ((size_t)1 << 20)

enum scan_kind {
    SCAN_STRING = 0,
    SCAN_OTHER_TYPE, /* not a string */
    SCAN_TOO_LARGE   /* more than SCAN_VALUE_MAX bytes */
};

/* A key that was found; lent for the call. */
struct scan_item {
    struct bytes key;
    enum scan_kind kind;
    struct bytes value; /* for SCAN_STRING */
};

struct scan {
    const char *pattern; /* for SCAN's MATCH */

    /* Called for each key; returns false to end the scan. */
    bool (*found)(void *arg, const struct scan_item *item);

    /*
     * Called after each page; returns false to end the scan. visited and total
     * are estimates of keys in the database; total 0: unknown.
     */
    bool (*moved)(void *arg, int64_t visited, int64_t total);
    void *arg;
};

/*
 * Visits all keys that match the pattern, with their values. As with SCAN, keys
 * that are written or deleted meanwhile may be visited or not, and a key may be
 * visited more than once. Memory use does not depend on the number of keys. The
 * session is closed at the end.
 *
 * Returns false if a callback has ended the scan, or the session has failed:
 * see session_error().
 */
bool scan_run(struct session *session, const struct scan *scan);

#endif
