#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

/*
 * Shared by the fuzz targets. Each target passes arbitrary bytes to the code
 * under test, and checks what must hold for all of them. A violation aborts,
 * which libFuzzer reports with the input.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(promise)                                                    \
    ((promise) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #promise))

static inline void __attribute__((noreturn))
fuzz_fail(const char *file, int line, const char *promise)
{
    (void)fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, promise);
    abort();
}

/* The rest of the input; it is used from the front. */
struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

/* The next byte; 0 at the end. */
static inline unsigned
fuzz_byte(struct fuzz_input *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->at++;
}

/* The bytes up to the next NUL, which is consumed, too. */
static inline struct bytes
fuzz_part(struct fuzz_input *input)
{
    struct bytes part = {(const char *)input->at, input->left};
    const char *end =
        part.length > 0 ? memchr(part.at, '\0', part.length) : NULL;

    if (end != NULL)
        part.length = (size_t)(end - part.at);
    input->at += part.length;
    input->left -= part.length;
    (void)fuzz_byte(input);
    return part;
}

/* A copy of exactly this size, so that ASan sees any overrun. */
static inline char *
fuzz_copy(struct bytes bytes)
{
    char *copy = malloc(bytes.length > 0 ? bytes.length : 1);

    FUZZ_CHECK(copy != NULL);
    if (bytes.length > 0)
        memcpy(copy, bytes.at, bytes.length);
    return copy;
}

/* The next part as a C string, which the caller frees. */
static inline char *
fuzz_text(struct fuzz_input *input)
{
    struct bytes part = fuzz_part(input);
    char *text = strndup(part.length > 0 ? part.at : "", part.length);

    FUZZ_CHECK(text != NULL);
    return text;
}

#endif
