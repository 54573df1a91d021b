/*
 * Checks the format of one FastCGI exchange: one BEGIN_REQUEST for a responder,
 * PARAMS up to an empty one, STDIN up to an empty one, all with one request id;
 * and the lengths of names and values within PARAMS. An ABORT_REQUEST may
 * follow any record. Other parts of the protocol (management records, data,
 * several requests on one connection at a time) are refused: no web server
 * sends them to a responder. Used for S1.1 and S2.3 of docs/protocol.md. Source
 * of the format: FastCGI specification 1.0, sections 3.3, 3.4 and 5.
 */
#include <assert.h>
#include <string.h>
#include <sys/param.h>

#include "fcgi/scan.h"

#define FCGI_VERSION    1
#define FCGI_RESPONDER  1
#define FCGI_ABORT      2    /* type of the record */
#define FCGI_KEEP_CONN  1    /* in the flags of BEGIN_REQUEST */
#define FCGI_LONG_FIRST 0x80 /* in its first byte: the length has 4 bytes */

/* The type of the records of a phase, and the phase after it. */
struct phase {
    uint8_t type;
    enum fcgi_scan_phase next;
};

static const struct phase phases[] = {
    [FCGI_SCAN_BEGIN] = {1, FCGI_SCAN_PARAMS},
    [FCGI_SCAN_PARAMS] = {4, FCGI_SCAN_STDIN},
    [FCGI_SCAN_STDIN] = {5, FCGI_SCAN_END},
};

/* The length of the name comes first, then that of the value. */
static bool
pair_length_byte(struct fcgi_scan *scan, uint8_t byte)
{
    if (scan->pair_digits > 0) {
        scan->pair_length = scan->pair_length << 8 | byte;
        scan->pair_digits--;
    } else if (byte & FCGI_LONG_FIRST) {
        scan->pair_length = byte & ~(uint32_t)FCGI_LONG_FIRST;
        scan->pair_digits = 3;
    } else {
        scan->pair_length = byte;
    }
    if (scan->pair_digits > 0)
        return true;
    if (scan->pair_in_lengths)
        scan->pair_left = scan->pair_name + scan->pair_length;
    else
        scan->pair_name = scan->pair_length;
    scan->pair_in_lengths = !scan->pair_in_lengths;
    return scan->pair_length <= FCGI_SCAN_PARAMS_MAX;
}

/*
 * Refuses NULs: libfcgi returns names and values as C strings, which a NUL
 * would cut silently.
 */
static bool
take_params(struct fcgi_scan *scan, const uint8_t *bytes, size_t length)
{
    size_t at = 0;

    while (at < length) {
        size_t text = MIN(scan->pair_left, length - at);

        if (text == 0) {
            if (!pair_length_byte(scan, bytes[at++]))
                return false;
            continue;
        }
        if (memchr(bytes + at, '\0', text) != NULL)
            return false;
        scan->pair_left -= (uint32_t)text;
        at += text;
    }
    return true;
}

static bool
take_content(struct fcgi_scan *scan, const uint8_t *bytes, size_t length)
{
    switch (scan->phase) {
    case FCGI_SCAN_BEGIN:
        memcpy(scan->begin + FCGI_SCAN_BEGIN_LENGTH - scan->content_left, bytes,
               length);
        if (length < scan->content_left)
            return true;
        scan->keep = scan->begin[2] & FCGI_KEEP_CONN;
        return (scan->begin[0] << 8 | scan->begin[1]) == FCGI_RESPONDER;
    case FCGI_SCAN_PARAMS:
        return take_params(scan, bytes, length);
    case FCGI_SCAN_STDIN:
        scan->body_length += length;
        if (scan->body != NULL)
            buf_add(scan->body, bytes, length);
        return true;
    case FCGI_SCAN_END:
        break;
    }
    assert(0);
    return false;
}

/*
 * Whether the record aborts the current request; or, before BEGIN_REQUEST, the
 * previous one, which had been answered already.
 */
static bool
is_abort(const struct fcgi_scan *scan, uint16_t id)
{
    return scan->header[0] == FCGI_VERSION && scan->header[1] == FCGI_ABORT &&
           scan->content_left == 0 &&
           (scan->phase == FCGI_SCAN_BEGIN || id == scan->id);
}

/* The header of a record has been read. Returns whether it is allowed now. */
static bool
record_open(struct fcgi_scan *scan)
{
    const uint8_t *header = scan->header;
    uint16_t id = (uint16_t)(header[2] << 8 | header[3]);

    scan->content_left = (size_t)(header[4] << 8 | header[5]);
    scan->padding_left = header[6];
    scan->record_total +=
        FCGI_SCAN_HEADER_LENGTH + scan->content_left + scan->padding_left;
    if (header[0] != FCGI_VERSION || header[1] != phases[scan->phase].type) {
        scan->is_aborted = is_abort(scan, id);
        return false;
    }
    if (scan->phase == FCGI_SCAN_BEGIN) {
        scan->id = id;
        return id != 0 && scan->padding_left == 0 &&
               scan->content_left == FCGI_SCAN_BEGIN_LENGTH;
    }
    /* libfcgi does not skip the padding of a record that ends a stream. */
    if (id != scan->id || (scan->content_left == 0 && scan->padding_left > 0))
        return false;
    if (scan->phase == FCGI_SCAN_STDIN)
        return true;
    scan->params_total += scan->content_left;
    return scan->params_total <= FCGI_SCAN_PARAMS_MAX &&
           scan->record_total <= FCGI_SCAN_HEAD_MAX;
}

/*
 * A record has been read. An empty one ends its stream, and so the phase;
 * params must not end within a pair.
 */
static bool
record_close(struct fcgi_scan *scan)
{
    bool is_empty = scan->header[4] == 0 && scan->header[5] == 0;

    scan->header_length = 0;
    if (scan->phase != FCGI_SCAN_BEGIN && !is_empty)
        return true;
    if (scan->phase == FCGI_SCAN_PARAMS &&
        (scan->pair_left > 0 || scan->pair_digits > 0 || scan->pair_in_lengths))
        return false;
    scan->phase = phases[scan->phase].next;
    return true;
}

/* Consumes bytes of one part of a record: header, content or padding. */
static bool
take_part(struct fcgi_scan *scan, const uint8_t *bytes, size_t length,
          size_t *ret_taken)
{
    size_t taken;
    bool good = true;

    if (scan->header_length < FCGI_SCAN_HEADER_LENGTH) {
        taken = MIN(FCGI_SCAN_HEADER_LENGTH - scan->header_length, length);
        memcpy(scan->header + scan->header_length, bytes, taken);
        scan->header_length += taken;
        if (scan->header_length == FCGI_SCAN_HEADER_LENGTH)
            good = record_open(scan);
    } else if (scan->content_left > 0) {
        taken = MIN(scan->content_left, length);
        good = take_content(scan, bytes, taken);
        scan->content_left -= taken;
    } else {
        taken = MIN(scan->padding_left, length);
        scan->padding_left -= taken;
    }
    *ret_taken = taken;
    return good;
}

enum fcgi_scan_verdict
fcgi_scan(struct fcgi_scan *scan, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    const uint8_t *end = at + length;

    while (at < end && scan->phase != FCGI_SCAN_END) {
        bool is_head = scan->phase != FCGI_SCAN_STDIN;
        size_t taken = 0;

        if (!take_part(scan, at, (size_t)(end - at), &taken))
            return scan->is_aborted ? FCGI_SCAN_ABORTED : FCGI_SCAN_BAD;
        if (is_head && scan->head != NULL)
            buf_add(scan->head, at, taken);
        at += taken;
        scan->length += taken;
        if (scan->header_length == FCGI_SCAN_HEADER_LENGTH &&
            scan->content_left == 0 && scan->padding_left == 0 &&
            !record_close(scan))
            return FCGI_SCAN_BAD;
    }
    return scan->phase == FCGI_SCAN_END ? FCGI_SCAN_COMPLETE : FCGI_SCAN_MORE;
}
