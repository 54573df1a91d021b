#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/bytes.h"

struct json_object;
struct json_tokener;

/* Source: docs/protocol.md, S6.1. */
#define JSON_DEPTH_MAX 32

/* Of a tokener: json-c counts a scalar in the deepest container as one more. */
#define JSON_TOKENER_DEPTH (JSON_DEPTH_MAX + 2)

enum json_error {
    JSON_OK = 0,
    JSON_EMPTY,
    JSON_END, /* the text ends too early */
    JSON_BOM, /* a byte order mark in front */
    JSON_UTF16,
    JSON_VALUE, /* a value was expected */
    JSON_NUMBER,
    JSON_LITERAL, /* not true, false or null */
    JSON_CONTROL, /* a raw control character in a string */
    JSON_ESCAPE,
    JSON_UTF8,
    JSON_NAME, /* a member's name must be a string */
    JSON_COLON,
    JSON_SEPARATOR, /* a comma or the closing bracket was expected */
    JSON_DEPTH,
    JSON_TRAILING, /* something after the value */
    JSON_MANY,     /* more values than are allowed */
    JSON__MAX
};

struct json_fault {
    enum json_error error;
    size_t offset; /* of the byte at fault, from 0 */
};

/* A static text that describes the error to the caller. */
const char *json_error_text(enum json_error error);

/*
 * Checks a whole text against RFC 8259, strictly: UTF-8 without a byte order
 * mark, at most JSON_DEPTH_MAX containers deep. Sets *fault on failure.
 */
bool json_check(struct bytes text, struct json_fault *fault);

/*
 * Whether the text is a JSON array that contains only strings; it may be empty.
 * As strict as json_check().
 */
bool json_is_string_array(struct bytes text);

/* A member of an object that json_find() looks for. */
struct json_member {
    struct bytes name; /* decoded */
    char *value;   /* undecoded, from its first byte; points into the text */
    size_t length; /* of the value; 0: there is no such member */
};

/*
 * Checks a whole text as json_check() does, and finds members of its outermost
 * object. If a member is repeated, the last one wins. Allocates nothing.
 *
 * text         length bytes, altered in place: the outermost names are decoded.
 *              Where json-c would misread the text, it is changed as well: an
 *              integer outside int64, which it would clamp, gets a fraction; a
 *              NUL in a name, where it would cut the name, becomes U+FFFF.
 * values_max   the most values that the text may have, see S6.2; one more is
 *              JSON_MANY.
 * members      count members with their names set. Value and length are set for
 *              those that are found, and left alone for the others. May be NULL
 *              if count is 0.
 *
 * Returns false with *fault set to the first fault in the text.
 */
bool json_find(char *text, size_t length, size_t values_max,
               struct json_member *members, size_t count,
               struct json_fault *fault);

/*
 * Iterates over the items of an object or array in their order, including
 * repeated members. Allocates nothing.
 *
 *     struct json_walk walk = json_walk(text, length, 1);
 *
 *     while (json_walk_next(&walk, &item))
 *         ...
 *
 * text     length bytes that begin with the container, or blanks before it, and
 *          that json_check() has accepted. Altered in place: iterate only once.
 * line     the line number of the first byte; 0: lines are not counted.
 */
struct json_walk {
    char *at, *end;
    size_t line;
    char closing; /* the closing bracket; NUL: the text is no container */
};

struct json_item {
    struct bytes name; /* decoded; empty for an item of an array */
    char *value;       /* undecoded, from its first byte */
    size_t length;     /* of the value */
    size_t line;       /* of the value's first byte */
};

struct json_walk json_walk(char *text, size_t length, size_t line);

/* Sets *ret_item if there is a next one. */
bool json_walk_next(struct json_walk *walk, struct json_item *ret_item);

/*
 * Decodes an item that is a string, in place: call it once for an item. Returns
 * false if it is not a string.
 */
bool json_item_text(const struct json_item *item, struct bytes *ret_text);

/*
 * Adds a text in UTF-8 as a JSON string. Control characters, which a terminal
 * would act on, are escaped: U+0000 to U+001F, and U+007F to U+009F.
 */
void json_add_string(struct buf *out, struct bytes text);

/* Whether a text contains one of these control characters. */
bool json_has_control(struct bytes text);

/* Whether a text is well-formed UTF-8. */
bool json_is_utf8(struct bytes text);

/* The number, from 1, of the line that contains the byte at the offset. */
size_t json_line(struct bytes text, size_t offset);

/*
 * Decodes in place the bytes between the quotes of a string that json_check()
 * has accepted. Returns the new length, which is not larger. The result may
 * contain NULs. A lone surrogate becomes U+FFFD.
 */
size_t json_unescape(char *text, size_t length);

/*
 * Makes json_decode() cheaper on this thread: for each text json-c copies the
 * thread's locale, unless that is the "C" locale. Call it once.
 */
void json_prepare(void);

/*
 * Lets json-c decode a text that json_find() has accepted, or one value of it.
 * If a member is repeated, the last one wins.
 *
 * tokener     from json_tokener_new_ex(JSON_TOKENER_DEPTH); reused.
 * text        length bytes, altered in place: escaped surrogate pairs are
 *             decoded, because json-c before 0.19 takes some for lone ones.
 * ret_value   set on success only; NULL is JSON's null. The caller owns it.
 *             A lone surrogate is read as U+FFFD.
 *
 * Returns false when out of memory, or if the text has more than INT_MAX bytes,
 * json-c's limit.
 */
bool json_decode(struct json_tokener *tokener, char *text, size_t length,
                 struct json_object **ret_value);

#endif
