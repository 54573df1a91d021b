/*
 * Paths that name descriptors. Implements a part of S19.6 of docs/protocol.md:
 * such a file is already open, and is used as it is; opening its path would
 * reset its offset, or replace it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"
#include "cli/stream.h"

static const struct {
    const char *path;
    int fd;
} names[] = {
    {"/dev/stdin", STDIN_FILENO},
    {"/dev/stdout", STDOUT_FILENO},
    {"/dev/stderr", STDERR_FILENO},
};

/* Followed by the number of a descriptor. */
static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};

int
stream_of_path(const char *path, int standard)
{
    int64_t fd;

    if (strcmp(path, "-") == 0)
        return standard;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(path, names[i].path) == 0)
            return names[i].fd;
    }
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        const size_t length = strlen(folders[i]);

        if (strncmp(path, folders[i], length) == 0 &&
            number_parse(path + length, 0, INT_MAX, &fd))
            return (int)fd;
    }
    return -1;
}

int
stream_dup(int stream, int wrong_way)
{
    const int flags = fcntl(stream, F_GETFL);

    if (flags < 0)
        return -1;
    if ((flags & O_ACCMODE) == wrong_way) {
        errno = EBADF;
        return -1;
    }
    return fcntl(stream, F_DUPFD_CLOEXEC, 0);
}
