#ifndef FCGI_SCAN_H
#define FCGI_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * Walks the records of one FastCGI exchange as its bytes come in, and says
 * whether it is whole, before libfcgi may see any of it: libfcgi would wait
 * for what is missing, believe every length and talk back to records that a
 * web server never sends. Pure.
 */

/*
 * Of all params with their lengths: nginx passes a handful, the longest being
 * the path, for which it has 32 KiB at most.
 */
#define FCGI_SCAN_PARAMS_MAX (64 * 1024)

/*
 * Of all before the body, with headers and padding: params cut into so many
 * records that these weigh more than they do come from no web server.
 */
#define FCGI_SCAN_HEAD_MAX (2 * FCGI_SCAN_PARAMS_MAX)

enum fcgi_scan_verdict {
    FCGI_SCAN_MORE = 0, /* good so far; the end is still to come */
    FCGI_SCAN_COMPLETE,
    FCGI_SCAN_ABORTED, /* the peer has given its request up */
    FCGI_SCAN_BAD      /* can never become an exchange that we take */
};

/* What the record that comes next must be. */
enum fcgi_scan_phase {
    FCGI_SCAN_BEGIN = 0,
    FCGI_SCAN_PARAMS,
    FCGI_SCAN_STDIN,
    FCGI_SCAN_END
};

#define FCGI_SCAN_HEADER_LENGTH 8
#define FCGI_SCAN_BEGIN_LENGTH  8

/* Start with a zeroed struct, but for the copies if they are wanted. */
struct fcgi_scan {
    struct buf *head; /* gets the records before stdin, as they are; or NULL */
    struct buf *body; /* gets the content of stdin, without records; or NULL */
    size_t length;    /* bytes taken so far; when complete, of the whole */
    size_t body_length; /* content of stdin so far */
    uint16_t id;        /* of the request */
    bool keep; /* the peer wants the connection to stay open afterwards */
    bool is_aborted;
    enum fcgi_scan_phase phase;

    /* The record at hand. */
    uint8_t header[FCGI_SCAN_HEADER_LENGTH];
    size_t header_length; /* bytes of it that are here */
    size_t content_left, padding_left;
    uint8_t begin[FCGI_SCAN_BEGIN_LENGTH];
    size_t record_total; /* of all records up to its end */

    /* The name-value pair at hand, which may run over several records. */
    size_t params_total;
    uint32_t pair_length; /* the length that is being read */
    uint32_t pair_name;   /* the name's length, once that is known */
    uint32_t pair_left;   /* bytes of name and value still to come */
    unsigned pair_digits; /* bytes of pair_length still to come */
    bool pair_in_lengths; /* the value's length is still to come */
};

/*
 * Takes the next bytes of the exchange: all of them, or up to its end when the
 * verdict is FCGI_SCAN_COMPLETE (scan->length then tells where that is). Not
 * to be called again after FCGI_SCAN_ABORTED or FCGI_SCAN_BAD.
 */
enum fcgi_scan_verdict fcgi_scan(struct fcgi_scan *scan, const void *bytes,
                                 size_t length);

#endif
