/*
 * Small text files: that of the settings, and those of secrets. Implements
 * "Settings" of docs/protocol.md where it says what may be such a file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/text.h"

#define TEXT_SIZE (CONFIG_TEXT_MAX_BYTES + 1) /* and a NUL; or one too many */

static const char byte_order_mark[] = "\xef\xbb\xbf";

/* Reads up to TEXT_SIZE bytes; -1 with errno set when that fails. */
static ssize_t
descriptor_read(int fd, char *text)
{
    size_t length = 0;

    while (length < TEXT_SIZE) {
        ssize_t got = read(fd, text + length, TEXT_SIZE - length);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        length += (size_t)got;
    }
    return (ssize_t)length;
}

/* O_NONBLOCK: a named pipe must not hold up the start. */
static const char *
text_fill(const char *path, char *text)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t length;

    if (fd < 0)
        return strerror(errno);
    length = descriptor_read(fd, text);
    if (length < 0) {
        const char *problem = strerror(errno);

        (void)close(fd);
        return problem;
    }
    (void)close(fd);
    if (length == TEXT_SIZE)
        return "is larger than 64 KiB";
    if (memchr(text, '\0', (size_t)length) != NULL)
        return "holds a NUL byte";
    text[length] = '\0';
    return NULL;
}

/* Before it is opened: to open a device may already do something to it. */
static const char *
kind_fault(const char *path, enum config_text_kind kind)
{
    struct stat st;

    if (kind == CONFIG_TEXT_ANY)
        return NULL;
    if (stat(path, &st) != 0)
        return strerror(errno);
    return S_ISREG(st.st_mode) ? NULL : "is not a regular file";
}

const char *
config_text_read(const char *path, enum config_text_kind kind, char **ret_text)
{
    const size_t mark = sizeof(byte_order_mark) - 1;
    const char *problem = kind_fault(path, kind);
    char *text;

    if (problem != NULL)
        return problem;
    text = malloc(TEXT_SIZE);
    if (text == NULL)
        return strerror(ENOMEM);
    problem = text_fill(path, text);
    if (problem != NULL) {
        config_text_free(text);
        return problem;
    }
    if (strncmp(text, byte_order_mark, mark) == 0)
        memmove(text, text + mark, strlen(text + mark) + 1);
    *ret_text = text;
    return NULL;
}

void
config_text_free(char *text)
{
    if (text == NULL)
        return;
    explicit_bzero(text, TEXT_SIZE);
    free(text);
}
