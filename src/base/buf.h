#ifndef BUF_H
#define BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

/*
 * A growable run of bytes. A failed allocation is remembered in `failed` and
 * makes all later additions do nothing, so that a text can be put together
 * first and checked once. Start with a zeroed struct; end with buf_free().
 */
struct buf {
    char *data;
    size_t length;
    size_t capacity;
    bool failed;
};

/* For buf_reserve(), when there is too little room. */
bool buf_grow(struct buf *buf, size_t more);

/* Makes room for more bytes; false (and failed) without memory. */
static inline bool
buf_reserve(struct buf *buf, size_t more)
{
    if (buf->failed)
        return false;
    return buf->capacity - buf->length >= more || buf_grow(buf, more);
}

/*
 * Answers and commands are made of many short pieces, most of them literals:
 * inline, so that the length of these is known to the compiler.
 */
static inline void
buf_add(struct buf *buf, const void *data, size_t length)
{
    if (length == 0 || !buf_reserve(buf, length))
        return;
    memcpy(buf->data + buf->length, data, length);
    buf->length += length;
}

static inline void
buf_add_text(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

static inline void
buf_add_bytes(struct buf *buf, struct bytes bytes)
{
    buf_add(buf, bytes.at, bytes.length);
}

/* Adds a number in decimal. */
void buf_add_int(struct buf *buf, long long number);

/* Like printf; for places where speed does not matter. */
void buf_printf(struct buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Forgets the content and a failure, keeps the memory. */
void buf_clear(struct buf *buf);

/* The content, lent until the next call on this buffer. */
struct bytes buf_bytes(const struct buf *buf);

/* Accepts NULL and a zeroed struct; leaves a zeroed struct. */
void buf_free(struct buf *buf);

#endif
