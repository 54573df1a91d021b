/*
 * Reads small text files: settings, secrets, and the JSON files that settings
 * name. Implements what S24.2 and S24.3 of docs/protocol.md say about files.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/wait.h"
#include "config/error.h"
#include "config/text.h"

/* For the writer of a pipe. The parent of the workers waits, too. */
#define WAIT_MS 2000

static const char too_slow[] = "has not been written completely within 2 s";
static const char no_memory[] = "out of memory";

static const char byte_order_mark[] = "\xef\xbb\xbf";

static const struct kind {
    size_t max_bytes;
    const char *too_large;
    bool is_regular;
    bool may_have_mark;
} kinds[] = {
    [CONFIG_TEXT_REGULAR] = {CONFIG_TEXT_MAX_BYTES, "is larger than 64 KiB",
                             true, true},
    [CONFIG_TEXT_ANY] = {CONFIG_TEXT_MAX_BYTES, "is larger than 64 KiB", false,
                         true},
    [CONFIG_TEXT_JSON] = {CONFIG_JSON_MAX_BYTES, "is larger than 1 MiB", true,
                          false},
};

/*
 * The memory of a text. config_text_free() wipes all of it, even if the caller
 * has shortened the text.
 */
struct text {
    size_t size; /* of bytes: the largest text, and one more for a NUL */
    char bytes[];
};

/* Reads up to text->size bytes. Returns NULL, or what is wrong. */
static const char *
descriptor_read(int fd, struct text *text, size_t *ret_length)
{
    int64_t left_ms = WAIT_MS;
    size_t length = 0;

    while (length < text->size) {
        ssize_t got = read(fd, text->bytes + length, text->size - length);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN) {
            if (!wait_readable(fd, &left_ms))
                return too_slow;
            continue;
        }
        if (got < 0)
            return strerror(errno);
        if (got == 0)
            break;
        length += (size_t)got;
    }
    *ret_length = length;
    return NULL;
}

/* O_NONBLOCK, so that a named pipe without a writer does not delay the start.
 */
static const char *
text_fill(const char *path, const struct kind *kind, struct text *text)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const char *problem;
    size_t length = 0;

    if (fd < 0)
        return strerror(errno);
    problem = descriptor_read(fd, text, &length);
    (void)close(fd);
    if (problem != NULL)
        return problem;
    if (length == text->size)
        return kind->too_large;
    if (memchr(text->bytes, '\0', length) != NULL)
        return "holds a NUL byte";
    text->bytes[length] = '\0';
    return NULL;
}

/* Checked before the file is opened, because opening a device may affect it. */
static const char *
kind_fault(const char *path, const struct kind *kind)
{
    struct stat st;

    if (!kind->is_regular)
        return NULL;
    if (stat(path, &st) != 0)
        return strerror(errno);
    return S_ISREG(st.st_mode) ? NULL : "is not a regular file";
}

const char *
config_text_read(const char *path, enum config_text_kind kind, char **ret_text)
{
    const size_t mark = sizeof(byte_order_mark) - 1;
    const struct kind *row = &kinds[kind];
    const char *problem = kind_fault(path, row);
    struct text *text;
    char *bytes;

    if (problem != NULL)
        return problem;
    text = malloc(sizeof(*text) + row->max_bytes + 1);
    if (text == NULL)
        return no_memory;
    text->size = row->max_bytes + 1;
    bytes = text->bytes;
    problem = text_fill(path, row, text);
    if (problem != NULL) {
        config_text_free(bytes);
        return problem;
    }
    if (row->may_have_mark && strncmp(bytes, byte_order_mark, mark) == 0)
        memmove(bytes, bytes + mark, strlen(bytes + mark) + 1);
    *ret_text = bytes;
    return NULL;
}

bool
config_text_error(struct buf *errors, const char *name, const char *path,
                  const char *problem)
{
    if (problem == no_memory)
        return config_out_of_memory(errors, name, path);
    return config_error(errors, name, path, "%s", problem);
}

void
config_text_free(char *bytes)
{
    struct text *text;

    if (bytes == NULL)
        return;
    text = (struct text *)(void *)(bytes - offsetof(struct text, bytes));
    explicit_bzero(bytes, text->size);
    free(text);
}
