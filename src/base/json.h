#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"

struct json_object;
struct json_tokener;

/* Containers may be nested this deep; a limit of docs/protocol.md. */
#define JSON_DEPTH_MAX 32

enum json_error {
    JSON_OK = 0,
    JSON_EMPTY,
    JSON_END, /* the text ends too early */
    JSON_BOM, /* a byte order mark in front */
    JSON_UTF16,
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
    JSON_MANY,     /* more values than are allowed */
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

/* A member of an object that is looked for, and its value as it is written. */
struct json_member {
    struct bytes name; /* decoded */
    char *value;       /* from its first byte; lent by the text */
    size_t length;     /* 0: there is no such member */
};

/*
 * Checks a whole text as json_check() does, and finds members of its outermost
 * object, of which the last one of a name counts. Takes no memory.
 *
 * text         length bytes, altered in place where json-c would misread them:
 *              integers outside int64 become numbers with a fraction (it would
 *              clamp them), NULs in members' names become U+FFFF (it would cut
 *              the name there). The outermost names are decoded.
 * values_max   objects, arrays, strings, numbers, true, false and null, at any
 *              depth; names are none. The next one is JSON_MANY.
 * members      count of them, their names set; the others stay as they are
 *              when there is no such member, or no object. May be NULL.
 *
 * Returns false with *fault set, which is the first in the text.
 */
bool json_find(char *text, size_t length, size_t values_max,
               struct json_member *members, size_t count,
               struct json_fault *fault);

/*
 * Walks over what an object or array holds, in its order, repeated members and
 * all. Takes no memory.
 *
 *     struct json_walk walk = json_walk(text, length, 1);
 *
 *     while (json_walk_next(&walk, &item))
 *         ...
 *
 * text     length bytes that json_check() has found good, from the container's
 *          first byte or the blanks before it; altered in place, so that it can
 *          be walked over once.
 * line     the number that its first byte's line has; 0: lines are not counted.
 */
struct json_walk {
    char *at, *end;
    size_t line;
    char closing; /* NUL: the text is no container */
};

struct json_item {
    struct bytes name; /* decoded; of an array's item empty */
    char *value;       /* as it is written, from its first byte */
    size_t length;
    size_t line; /* of the value's first byte */
};

struct json_walk json_walk(char *text, size_t length, size_t line);

/* Sets *ret_item if there is a next one. */
bool json_walk_next(struct json_walk *walk, struct json_item *ret_item);

/* Decodes an item that is a string, once; false if it is none. */
bool json_item_text(const struct json_item *item, struct bytes *ret_text);

/* Reads an item that is an integer and fits; false if it is none. */
bool json_item_int64(const struct json_item *item, int64_t *ret_number);

/*
 * Adds a text that is UTF-8 as a JSON string. What a terminal would obey is
 * escaped: U+0000 to U+001F, and U+007F to U+009F.
 */
void json_add_string(struct buf *out, struct bytes text);

/* Whether a text has one of these. */
bool json_has_control(struct bytes text);

/* The number of the line, from 1, that an offset of a text is in. */
size_t json_line(struct bytes text, size_t offset);

/*
 * Decodes in place what stands between the quotes of a string that has been
 * checked. Returns the new length, which is no larger. NUL is one byte, and a
 * lone surrogate becomes U+FFFD.
 */
size_t json_unescape(char *text, size_t length);

/*
 * Lets json-c decode a text that json_find() has checked, or one value of it.
 * Of repeated members the last counts.
 *
 * tokener     from json_tokener_new_ex(JSON_DEPTH_MAX + 2) or larger; reused.
 * text        length bytes, altered in place: escaped surrogate pairs become
 *             the UTF-8 they stand for (before 0.19 json-c takes some for lone
 *             surrogates).
 * ret_value   set on success only; NULL is JSON's null. The caller owns it.
 *             A lone surrogate is read as U+FFFD.
 *
 * Returns false when there is no memory for the value (or the text is longer
 * than json-c can count, INT_MAX bytes).
 */
bool json_decode(struct json_tokener *tokener, char *text, size_t length,
                 struct json_object **ret_value);

#endif
