/*
 * Formats errors in the settings: one line each, whatever the values contain.
 * Implements a part of S24.1 of docs/protocol.md.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include "config/error.h"

#define SHOWN_MAX   256  /* bytes of a value; most paths are shorter */
#define ESCAPE_SIZE 5    /* of "\xHH" with its NUL */
#define WORDS_SIZE  256  /* of the formatted text; it is cut if it is longer */
#define FIRST_PRINT 0x20 /* bytes below it, and DEL, are control characters */
#define DEL         0x7f

/* Of more than max bytes, the rest is replaced by "...". */
static void
escape(struct buf *out, const char *text, size_t max)
{
    for (size_t i = 0; text[i] != '\0'; i++) {
        const unsigned char byte = (unsigned char)text[i];
        char hex[ESCAPE_SIZE];

        if (i == max) {
            buf_add_text(out, "...");
            return;
        }
        if (byte < FIRST_PRINT || byte == DEL) {
            (void)snprintf(hex, sizeof(hex), "\\x%02x", byte);
            buf_add_text(out, hex);
            continue;
        }
        if (byte == '"' || byte == '\\')
            buf_add(out, "\\", 1);
        buf_add(out, &byte, 1);
    }
}

void
config_escape(struct buf *out, const char *text)
{
    escape(out, text, SIZE_MAX);
}

static void
add_error(struct buf *errors, const char *name, const char *given,
          struct bytes words)
{
    escape(errors, name, SHOWN_MAX);
    if (given != NULL) {
        buf_add_text(errors, ": \"");
        escape(errors, given, SHOWN_MAX);
        buf_add_text(errors, "\"");
    }
    buf_add_text(errors, ": ");
    buf_add_bytes(errors, words);
    buf_add_text(errors, "\n");
}

bool
config_error(struct buf *errors, const char *name, const char *given,
             const char *format, ...)
{
    char words[WORDS_SIZE];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    add_error(errors, name, given, bytes_of(words));
    return false;
}

bool
config_out_of_memory(struct buf *errors, const char *name, const char *given)
{
    (void)config_error(errors, name, given, "out of memory");
    errors->failed = true;
    return false;
}

void
config_error_lines(struct buf *errors, const char *name, const char *given,
                   const struct buf *lines)
{
    struct bytes rest = buf_bytes(lines);

    if (lines->failed) {
        (void)config_out_of_memory(errors, name, given);
        return;
    }
    while (rest.length > 0)
        add_error(errors, name, given, bytes_cut(&rest, '\n'));
}
