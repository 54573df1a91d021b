#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

struct json_object;
struct json_tokener;

/* Containers may be nested this deep; a limit of docs/protocol.md. */
#define JSON_DEPTH_MAX 32

enum json_error {
    JSON_OK = 0,
    JSON_EMPTY,
    JSON_END,   /* the text ends too early */
    JSON_BOM,   /* a byte order mark in front */
    JSON_VALUE, /* no value where one is due */
    JSON_NUMBER,
    JSON_LITERAL, /* not true, false or null */
    JSON_CONTROL, /* a raw control character in a string */
    JSON_ESCAPE,
    JSON_UTF8,
    JSON_NAME, /* a member's name must be a string */
    JSON_COLON,
    JSON_SEPARATOR, /* neither a comma nor the closing bracket */
    JSON_DEPTH,
    JSON_TRAILING, /* something after the value */
    JSON_MEMORY,   /* not the text's fault */
    JSON__MAX
};

struct json_fault {
    enum json_error error;
    size_t offset; /* of the byte at fault, from 0 */
};

/* What is wrong, in words for the caller; static. */
const char *json_error_text(enum json_error error);

/*
 * Checks a whole text against RFC 8259, strictly: UTF-8 without a byte order
 * mark, at most JSON_DEPTH_MAX containers deep. Sets *fault on failure.
 */
bool json_check(struct bytes text, struct json_fault *fault);

/*
 * Whether the text is a JSON array that holds nothing but strings (also none).
 * Strict as json_check().
 */
bool json_is_string_array(struct bytes text);

/*
 * Once per thread, before json_decode(), for speed only: json-c makes itself a
 * copy of the thread's locale for each text, unless that is the "C" locale.
 */
void json_prepare(void);

/*
 * Decodes a strict JSON text with json-c. Of repeated members the last counts.
 *
 * tokener     from json_tokener_new_ex(JSON_DEPTH_MAX + 2) or larger; reused.
 * text        length bytes, altered in place where json-c would misread them:
 *             integers outside int64 become numbers with a fraction (it would
 *             clamp them), NULs in members' names become U+FFFF (it would cut
 *             the name there), and escaped surrogate pairs become the UTF-8
 *             they stand for (before 0.19 it takes some for lone surrogates).
 * ret_value   set on success only; NULL is JSON's null. The caller owns it.
 *             A lone surrogate is read as U+FFFD.
 *
 * Returns false with *fault set when the text is not strict JSON, or with
 * JSON_MEMORY when there is no memory for the value (or the text is longer
 * than json-c can count, INT_MAX bytes).
 */
bool json_decode(struct json_tokener *tokener, char *text, size_t length,
                 struct json_object **ret_value, struct json_fault *fault);

#endif
