#ifndef BYTES_H
#define BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/*
 * Borrowed bytes: they belong to whatever they point into. They may contain
 * NULs, and need not end with one, because a caller's strings may contain them
 * (S6.1): never use them as a C string.
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
