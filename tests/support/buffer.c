/*
 * A growing text of the tests, which exit if memory runs out.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"

#define BUFFER_FIRST 256

static void *
or_die(void *memory)
{
    if (memory == NULL) {
        (void)fprintf(stderr, "tests: out of memory\n");
        exit(EXIT_FAILURE);
    }
    return memory;
}

void
buffer_add(struct buffer *buffer, const void *data, size_t length)
{
    size_t wanted = buffer->length + length + 1;

    if (wanted > buffer->capacity) {
        size_t capacity = wanted * 2 < BUFFER_FIRST ? BUFFER_FIRST : wanted * 2;

        buffer->data = or_die(realloc(buffer->data, capacity));
        buffer->capacity = capacity;
    }
    if (length > 0)
        memcpy(buffer->data + buffer->length, data, length);
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
}

void
buffer_add_text(struct buffer *buffer, const char *text)
{
    buffer_add(buffer, text, strlen(text));
}

void
buffer_printf(struct buffer *buffer, const char *format, ...)
{
    char *text = NULL;
    va_list list;
    int length;

    va_start(list, format);
    length = vasprintf(&text, format, list);
    va_end(list);
    if (length < 0)
        text = NULL;
    buffer_add_text(buffer, or_die(text));
    free(text);
}

const char *
buffer_text(const struct buffer *buffer)
{
    return buffer->data != NULL ? buffer->data : "";
}

char *
buffer_take(struct buffer *buffer)
{
    char *text;

    buffer_add(buffer, "", 0);
    text = buffer->data;
    *buffer = (struct buffer){0};
    return text;
}

void
buffer_free(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}
