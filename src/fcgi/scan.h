#ifndef FCGI_SCAN_H
#define FCGI_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * Checks the records of one FastCGI exchange while its bytes arrive, and finds
 * out whether it is complete, before libfcgi parses it: libfcgi would wait for
 * missing bytes, trust every length, and answer records that no web server
 * sends. Pure.
 */

/*
 * The most bytes of all params with their lengths. nginx sends about ten; the
 * longest is the path, with at most 32 KiB.
 */
#define FCGI_SCAN_PARAMS_MAX (64 * 1024)

/*
 * The most bytes before the body, with the headers and padding of records. No
 * web server cuts params into so many records that these are larger than the
 * params.
 */
#define FCGI_SCAN_HEAD_MAX (2 * FCGI_SCAN_PARAMS_MAX)

enum fcgi_scan_verdict {
    FCGI_SCAN_MORE = 0, /* valid so far, and not complete */
    FCGI_SCAN_COMPLETE,
    FCGI_SCAN_ABORTED, /* the peer has sent ABORT_REQUEST */
    FCGI_SCAN_BAD      /* invalid, whatever follows */
};

/* The type of the next record. */
enum fcgi_scan_phase {
    FCGI_SCAN_BEGIN = 0,
    FCGI_SCAN_PARAMS,
    FCGI_SCAN_STDIN,
    FCGI_SCAN_END
};

#define FCGI_SCAN_HEADER_LENGTH 8
#define FCGI_SCAN_BEGIN_LENGTH  8

/* Start with a zeroed struct; set head and body to get copies. */
struct fcgi_scan {
    struct buf *head;   /* gets the records before stdin; or NULL */
    struct buf *body;   /* gets the content of stdin; or NULL */
    size_t length;      /* bytes of the exchange so far */
    size_t body_length; /* bytes of the content of stdin so far */
    uint16_t id;        /* of the request */
    bool keep;          /* the peer wants the connection to stay open */
    bool is_aborted;
    enum fcgi_scan_phase phase;

    /* The current record. */
    uint8_t header[FCGI_SCAN_HEADER_LENGTH];
    size_t header_length; /* bytes of the header so far */
    size_t content_left, padding_left;
    uint8_t begin[FCGI_SCAN_BEGIN_LENGTH];
    size_t record_total; /* bytes of all records up to the end of this one */

    /* The current name-value pair, which may span several records. */
    size_t params_total;
    uint32_t pair_length; /* the length that is being read */
    uint32_t pair_name;   /* the length of the name, once it has been read */
    uint32_t pair_left;   /* missing bytes of the name and the value */
    unsigned pair_digits; /* missing bytes of pair_length */
    bool pair_in_lengths; /* the length of the value has not been read */
};

/*
 * Scans the next bytes of the exchange, at most to its end: after
 * FCGI_SCAN_COMPLETE, scan->length is the length of the exchange. Do not call
 * it again after FCGI_SCAN_ABORTED or FCGI_SCAN_BAD.
 */
enum fcgi_scan_verdict fcgi_scan(struct fcgi_scan *scan, const void *bytes,
                                 size_t length);

#endif
