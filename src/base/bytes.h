#ifndef BYTES_H
#define BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/*
 * A borrowed run of bytes: it may hold NULs, need not end with one, and lives
 * as long as whatever it was taken from. Strings of callers may hold NULs, so
 * they are compared by length and never as C strings.
 */
struct bytes {
    const char *at;
    size_t length;
};

/* The bytes of a C string, without its NUL. */
static inline struct bytes
bytes_of(const char *text)
{
    return (struct bytes){text, strlen(text)};
}

static inline bool
bytes_equal(struct bytes a, struct bytes b)
{
    return a.length == b.length &&
           (a.length == 0 || memcmp(a.at, b.at, a.length) == 0);
}

#endif
