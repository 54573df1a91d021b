#ifndef INTERESTS_LINE_H
#define INTERESTS_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/line_reader.h"

/* Errors of a line of JSON Lines, or of a value in the store. */
enum interests_line_error {
    INTERESTS_LINE_OK = 0,
    INTERESTS_LINE_JSON, /* a struct json_fault describes it */
    INTERESTS_LINE_NO_OBJECT,
    INTERESTS_LINE_UNKNOWN, /* an unknown member */
    INTERESTS_LINE_REPEATED,
    INTERESTS_LINE_NO_ID,
    INTERESTS_LINE_BAD_ID,
    INTERESTS_LINE_NO_INTERESTS,
    INTERESTS_LINE_BAD_INTERESTS,
    INTERESTS_LINE_LONG, /* more than INTERESTS_LINE_MAX bytes */
    INTERESTS_LINE__MAX
};

struct interests_line {
    int64_t client_id;
    struct bytes interests; /* the array, undecoded */
};

/* A static text that describes the error, and quotes nothing of the line. */
const char *interests_line_error_text(enum interests_line_error error);

/* Whether the line consists of white space: it is then ignored. */
bool interests_line_is_empty(struct line text);

/*
 * Parses a line: a JSON object with exactly two members, "client_id", an
 * integer that fits int64, and "interests", an array of strings. Source:
 * docs/protocol.md, S19.2.
 *
 * text       without its line feed; its names are decoded in place.
 * ret_line   set on success only; points into text.
 * ret_fault  set for INTERESTS_LINE_JSON only.
 */
enum interests_line_error interests_line_parse(struct line text,
                                               struct interests_line *ret_line,
                                               struct json_fault *ret_fault);

/*
 * Adds a client as such a line, with its line feed. If the line is too long,
 * the spaces after ':' and ',' are left out. Source: docs/protocol.md, S19.5.
 *
 * value      from the store. White space around it, and line breaks in it, are
 *            left out. Empty: no interests.
 *
 * Returns INTERESTS_LINE_BAD_INTERESTS or INTERESTS_LINE_LONG, and adds
 * nothing, for a value that interests_line_parse() would refuse.
 */
enum interests_line_error
interests_line_print(int64_t client_id, struct bytes value, struct buf *out);

/*
 * Reads an id as it stands in keys: an integer of 64 bits, without leading
 * zeros. Returns false if it is none.
 */
bool interests_id_parse(struct bytes text, int64_t *ret_client_id);

/*
 * Reads the id in a key of the store. Returns false for a key that the service
 * never uses, such as "i:x" or "i:007".
 */
bool interests_key_parse(struct bytes key, int64_t *ret_client_id);

#endif
