#ifndef SCORING_ENVELOPE_H
#define SCORING_ENVELOPE_H

#include <stddef.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/json.h"
#include "scoring/fields.h"

/*
 * The five members of a request. They are found in its text, and nothing but
 * the four strings is decoded, where they stand: what anybody may send, with
 * any token, costs no more memory than the text has.
 */
struct envelope {
    struct bytes account, login, token, method;
    char *arguments; /* an object as it is written; syntax checked */
    size_t arguments_length;
};

enum { ENVELOPE_MEMBERS = 5 };

/* One of the five, as it is checked and described. */
struct envelope_member {
    const char *name;
    char opening; /* the first byte of a value of its type */
    enum field_error otherwise;
    int flags;
    const char *meaning; /* in the documents: when it may be empty */
};

extern const struct envelope_member envelope_members[ENVELOPE_MEMBERS];

enum envelope_result {
    ENVELOPE_OK = 0,
    ENVELOPE_JSON,  /* not JSON, or too much of it: see the fault */
    ENVELOPE_FIELDS /* a member is missing or of the wrong type */
};

/*
 * Reads a request's text.
 *
 * text           length bytes, altered in place; lent to the envelope.
 * values_max     more JSON values are JSON_MANY, which like broken JSON is
 *                found from left to right: what comes first is told.
 * ret_envelope   set on ENVELOPE_OK only.
 * fault          set on ENVELOPE_JSON only.
 * faults         gets every member that makes it ENVELOPE_FIELDS.
 *
 * Source: docs/protocol.md, S9.
 */
enum envelope_result envelope_read(char *text, size_t length, size_t values_max,
                                   struct envelope *ret_envelope,
                                   struct json_fault *fault,
                                   struct field_faults *faults);

#endif
