#ifndef INTERESTS_LINE_H
#define INTERESTS_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"

/* What is wrong with a line, or with a client as it is stored. */
enum interests_line_error {
    INTERESTS_LINE_OK = 0,
    INTERESTS_LINE_JSON, /* a struct json_fault says where and why */
    INTERESTS_LINE_NO_OBJECT,
    INTERESTS_LINE_UNKNOWN, /* a member that means nothing here */
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
    struct bytes interests; /* the array as it is written in the line */
};

/* In words that quote nothing of the line; static. */
const char *interests_line_error_text(enum interests_line_error error);

/* Nothing but space: such a line is passed over. */
bool interests_line_is_empty(struct bytes text);

/*
 * Reads one line: a JSON object with exactly the two members "client_id", an
 * integer that fits int64, and "interests", an array of strings.
 *
 * text       without its line feed; a carriage return is space.
 * ret_line   set on success only; it points into text.
 * ret_fault  set with INTERESTS_LINE_JSON only.
 */
enum interests_line_error interests_line_parse(struct bytes text,
                                               struct interests_line *ret_line,
                                               struct json_fault *ret_fault);

/*
 * Writes a client as such a line, with its line feed; if it would be too long
 * with the usual spaces, without them.
 *
 * value      as it is stored: space around it is dropped, and so are line
 *            breaks in it; empty stands for no interests.
 *
 * Returns INTERESTS_LINE_BAD_INTERESTS or INTERESTS_LINE_LONG, with nothing
 * added, for a value that interests_line_parse() would not take back.
 */
enum interests_line_error
interests_line_print(int64_t client_id, struct bytes value, struct buf *out);

/*
 * The id in a key of the store; false for a key that the service would never
 * ask for, such as "i:x" or "i:007".
 */
bool interests_key_parse(struct bytes key, int64_t *ret_client_id);

#endif
