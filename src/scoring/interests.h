#ifndef INTERESTS_H
#define INTERESTS_H

#include <stdint.h>

#include "base/bytes.h"

/*
 * The interests of a client are stored as a JSON array of strings; the key is
 * this prefix and the client's id. Source: docs/protocol.md, S18.1.
 */
#define INTERESTS_KEY_PREFIX "i:"
#define INTERESTS_KEY_ANY    "i:0" /* for a question about no client */
#define INTERESTS_KEY_MAX    22    /* prefix, sign and 19 digits */
#define INTERESTS_NONE       "[]"  /* the answer for a client without any */

/*
 * The most bytes of a line of import and export, without its line feed and a
 * carriage return before it; so also of an imported value. Source: S19.2.
 */
#define INTERESTS_LINE_MAX (128 * 1024)

/* The key of a client; points into room. */
struct bytes interests_key(int64_t client_id, char room[INTERESTS_KEY_MAX]);

#endif
