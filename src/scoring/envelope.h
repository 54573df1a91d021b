#ifndef SCORING_ENVELOPE_H
#define SCORING_ENVELOPE_H

#include <stddef.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/json.h"
#include "scoring/fields.h"

/*
 * The five members of a request. Only the four strings are decoded, in place:
 * before its token has been checked a request takes no memory besides its text
 * (S6.3).
 */
struct envelope {
    struct bytes account, login, token, method; /* lent by the text */
    char *arguments; /* the JSON text of an object; its syntax is checked */
    size_t arguments_length;
};

enum { ENVELOPE_MEMBERS = 5 };

/* The row of a member. */
struct envelope_member {
    const char *name;
    char opening;               /* the first byte of a value of its type */
    enum field_error otherwise; /* the fault of a value of another type */
    int flags;                  /* enum field_flags */
    const char *meaning;        /* for the documents: whether it may be empty */
};

extern const struct envelope_member envelope_members[ENVELOPE_MEMBERS];

enum envelope_result {
    ENVELOPE_OK = 0,
    ENVELOPE_JSON,  /* not JSON, or too many values: see the fault */
    ENVELOPE_FIELDS /* not an object, or members are missing or of the wrong
                       type */
};

/*
 * Reads the text of a request.
 *
 * text           length bytes, decoded in place; borrowed as long as the
 *                envelope is used.
 * values_max     more JSON values are JSON_MANY; of this and a fault of the
 *                syntax the first from the left is reported.
 * ret_envelope   set on ENVELOPE_OK only.
 * fault          set on ENVELOPE_JSON only.
 * faults         receives every wrong member on ENVELOPE_FIELDS.
 *
 * Source: docs/protocol.md, S6 and S9.
 */
enum envelope_result envelope_read(char *text, size_t length, size_t values_max,
                                   struct envelope *ret_envelope,
                                   struct json_fault *fault,
                                   struct field_faults *faults);

#endif
