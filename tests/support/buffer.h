#ifndef BUFFER_H
#define BUFFER_H

#include <stddef.h>

/* A growing text of the tests. Start with a zeroed struct. */
struct buffer {
    char *data; /* NULL while empty; else ended by a NUL */
    size_t length, capacity;
};

/* Without memory the test program ends. */
void buffer_add(struct buffer *buffer, const void *data, size_t length);
void buffer_add_text(struct buffer *buffer, const char *text);
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Never NULL; lent. */
const char *buffer_text(const struct buffer *buffer);

/* The text, never NULL, to be freed; leaves an empty buffer. */
char *buffer_take(struct buffer *buffer);

void buffer_free(struct buffer *buffer);

#endif
