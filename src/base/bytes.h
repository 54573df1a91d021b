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

/* Initializes a constant of a table with a literal, without its NUL. */
#define BYTES_LITERAL(text)                                                    \
    {                                                                          \
        text, sizeof(text) - 1                                                 \
    }

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

/* Writes two lower-case hex digits for each byte, and a NUL. */
static inline void
bytes_to_hex(const unsigned char *data, size_t size, char *ret_hex)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < size; i++) {
        ret_hex[2 * i] = digits[data[i] >> 4];
        ret_hex[2 * i + 1] = digits[data[i] & 0x0f];
    }
    ret_hex[2 * size] = '\0';
}

/* The position of the first mark; the length of the text if it has none. */
static inline size_t
bytes_find(struct bytes text, char mark)
{
    const char *at =
        text.length > 0 ? memchr(text.at, mark, text.length) : NULL;

    return at != NULL ? (size_t)(at - text.at) : text.length;
}

/*
 * Removes from a text what is before the first mark, and the mark, and returns
 * it without the mark. Without a mark this is the whole text.
 */
static inline struct bytes
bytes_cut(struct bytes *text, char mark)
{
    const struct bytes part = {text->at, bytes_find(*text, mark)};
    const size_t used = part.length + (part.length < text->length);

    *text = (struct bytes){text->at + used, text->length - used};
    return part;
}

#endif
