#ifndef BUFFER_H
#define BUFFER_H

#include <stddef.h>

/* A growing text of the tests; starts as a zeroed struct. */
struct buffer {
    char *data; /* NULL while empty, else with a NUL at its end */
    size_t length, capacity;
};

/* If memory runs out, the test program exits. */
void buffer_add(struct buffer *buffer, const void *data, size_t length);
void buffer_add_text(struct buffer *buffer, const char *text);
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Never NULL; lent. */
const char *buffer_text(const struct buffer *buffer);

/* Hands over the text, never NULL, which the caller frees; the buffer is then
 * empty. */
char *buffer_take(struct buffer *buffer);

void buffer_free(struct buffer *buffer);

#endif
