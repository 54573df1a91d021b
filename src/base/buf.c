/*
 * A growable byte buffer. Its user checks for lack of memory once, at the end.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

#define BUF_FIRST_CAPACITY 256
#define BUF_INT_DIGITS     24 /* at least 20: a sign and 19 digits */

bool
buf_grow(struct buf *buf, size_t more)
{
    size_t capacity = buf->capacity ? buf->capacity : BUF_FIRST_CAPACITY;
    char *data;

    if (more > SIZE_MAX / 2 - buf->length) {
        buf->failed = true;
        return false;
    }
    while (capacity - buf->length < more)
        capacity *= 2;
    data = realloc(buf->data, capacity);
    if (data == NULL) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

void
buf_add_int(struct buf *buf, long long number)
{
    char digits[BUF_INT_DIGITS];
    char *at = digits + sizeof(digits);
    unsigned long long rest = (unsigned long long)number;

    if (number < 0)
        rest = 0 - rest;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0)
        *--at = '-';
    buf_add(buf, at, (size_t)(digits + sizeof(digits) - at));
}

void
buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0) {
        buf->failed = true;
        return;
    }
    if (!buf_reserve(buf, (size_t)length + 1))
        return;
    va_start(args, format);
    (void)vsnprintf(buf->data + buf->length, (size_t)length + 1, format, args);
    va_end(args);
    buf->length += (size_t)length;
}

void
buf_clear(struct buf *buf)
{
    buf->length = 0;
    buf->failed = false;
}

struct bytes
buf_bytes(const struct buf *buf)
{
    return (struct bytes){buf->data, buf->length};
}

void
buf_free(struct buf *buf)
{
    if (buf == NULL)
        return;
    free(buf->data);
    *buf = (struct buf){0};
}
