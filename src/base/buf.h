#ifndef BUF_H
#define BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

/*
 * A growable byte buffer. If an allocation fails, `failed` is set, and all
 * later additions do nothing: build a whole text first, then check `failed`
 * once. Start with a zeroed struct; end with buf_free().
 */
struct buf {
    char *data;
    size_t length;
    size_t capacity;
    bool failed;
};

/* The slow path of buf_reserve(); call that instead. */
bool buf_grow(struct buf *buf, size_t more);

/*
 * Makes room for that many more bytes. Returns false, and sets `failed`, when
 * out of memory.
 */
static inline bool
buf_reserve(struct buf *buf, size_t more)
{
    if (buf->failed)
        return false;
    return buf->capacity - buf->length >= more || buf_grow(buf, more);
}

/*
 * Inline, because answers and commands consist of many short literals, whose
 * lengths the compiler then knows.
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

void buf_add_int(struct buf *buf, long long number);

/* Formats like printf, twice: for code where speed does not matter. */
void buf_printf(struct buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Empties the buffer and resets `failed`; keeps the memory. */
void buf_clear(struct buf *buf);

/* The content, lent until the next call on this buffer. */
struct bytes buf_bytes(const struct buf *buf);

/* Accepts NULL and a zeroed struct; leaves a zeroed struct. */
void buf_free(struct buf *buf);

#endif
