#ifndef INTERESTS_H
#define INTERESTS_H

/*
 * How the interests of a client are kept in the store: a JSON array of strings
 * under this prefix and the client's id. Source: docs/protocol.md, S18.
 */
#define INTERESTS_KEY_PREFIX "i:"
#define INTERESTS_KEY_MAX    22   /* prefix, sign and 19 digits */
#define INTERESTS_NONE       "[]" /* of a client without any */

/*
 * Bytes of a line of import and export without its end (a line feed, and a
 * carriage return before it), and so of a value that is imported.
 */
#define INTERESTS_LINE_MAX (128 * 1024)

#endif
