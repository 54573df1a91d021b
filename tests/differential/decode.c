/*
 * Decodes JSON texts from standard input as the service does, and writes the
 * result of each, for compare.py. In both directions the length of a text comes
 * first, in 4 bytes, the most significant one first. The result of a refused
 * text is empty.
 */
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <json-c/json.h>

#include "base/json.h"

#define LENGTH_BYTES 4

/* Returns false at the end of the input. */
static bool
read_length(size_t *ret_length)
{
    unsigned char bytes[LENGTH_BYTES];
    size_t length = 0;

    if (fread(bytes, sizeof(bytes), 1, stdin) != 1)
        return false;
    for (size_t i = 0; i < sizeof(bytes); i++)
        length = length << CHAR_BIT | bytes[i];
    *ret_length = length;
    return true;
}

static void
write_text(const char *text, size_t length)
{
    for (int shift = (LENGTH_BYTES - 1) * CHAR_BIT; shift >= 0;
         shift -= CHAR_BIT)
        (void)putchar((int)(length >> shift & UCHAR_MAX));
    (void)fwrite(text, 1, length, stdout);
}

static void
answer(struct json_tokener *tokener, char *text, size_t length)
{
    struct json_object *value = NULL;
    struct json_fault fault;
    const char *written;

    if (!json_find(text, length, SIZE_MAX, NULL, 0, &fault) ||
        !json_decode(tokener, text, length, &value)) {
        write_text("", 0);
        return;
    }
    written = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);
    write_text(written, strlen(written));
    json_object_put(value);
}

int
main(void)
{
    struct json_tokener *tokener = json_tokener_new_ex(JSON_TOKENER_DEPTH);
    size_t length;

    if (tokener == NULL)
        return EXIT_FAILURE;
    while (read_length(&length)) {
        /* A copy of exactly this size, so that a sanitizer sees any overrun. */
        char *text = malloc(length > 0 ? length : 1);

        if (text == NULL || fread(text, 1, length, stdin) != length)
            return EXIT_FAILURE;
        answer(tokener, text, length);
        free(text);
    }
    json_tokener_free(tokener);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
