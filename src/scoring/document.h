#ifndef DOCUMENT_H
#define DOCUMENT_H

#include "base/buf.h"
#include "base/json.h"

/* A member of an object. */
struct document_row {
    const char *name;
    bool is_required;

    /* Reads the value, or reports a fault; see document_read(). */
    void (*read)(void *reader, const struct json_item *item);
};

/* Iterates over the members of an object. Set rows, count and walk. */
struct document_members {
    const struct document_row *rows;
    size_t count; /* of rows; at most as many as unsigned has bits */
    struct json_walk walk;
    unsigned given; /* a bit for each row */
};

enum document_next {
    DOCUMENT_END = 0,
    DOCUMENT_MEMBER,   /* of a row */
    DOCUMENT_REPEATED, /* of a row, and not for the first time */
    DOCUMENT_UNKNOWN   /* there is no such row */
};

/* Sets *ret_item, unless it is the end, and *ret_row if there is a row. */
enum document_next document_next(struct document_members *members,
                                 struct json_item *ret_item, size_t *ret_row);

/*
 * A JSON file that is being read, and its faults. Zeroed with faults set; ends
 * with document_end().
 */
struct document {
    struct buf *faults; /* receives a line for each of the first 20 faults */
    size_t fault_count;
    struct buf where; /* precedes the member; empty: concerns the whole file */
};

/*
 * Reports a fault: the line, where, the member, and what is expected; never the
 * actual value, which may be a secret in the wrong place.
 *
 * member   NULL: the fault concerns no member.
 *
 * Returns false.
 */
bool document_fault(struct document *document, size_t line, const char *member,
                    const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Checks the whole text against RFC 8259, and reports a fault of it. */
bool document_check(struct document *document, struct bytes text);

/*
 * Reads an object by a table of its members: calls read() of the row of each
 * member, and reports members that are unknown, repeated, or required and
 * missing.
 *
 * object   a text that document_check() has accepted; altered in place.
 * reader   passed to read().
 *
 * Returns a bit for each row that is given, whatever its value.
 */
unsigned document_read(struct document *document,
                       const struct json_item *object,
                       const struct document_row *rows, size_t count,
                       void *reader);

/* Reports how many faults there are more. Returns whether there is none. */
bool document_end(struct document *document);

#endif
