/*
 * The file of an export. It serves "Import and export" of docs/protocol.md: a
 * file by that name is either the old one or the whole new one.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "cli/output.h"

#define SUFFIX ".XXXXXX" /* as mkostemp() wants it */

struct interests_output {
    int fd;
    bool is_temporary; /* there is a file to be renamed, or removed */
    char path[PATH_MAX];
    char temporary[PATH_MAX + sizeof(SUFFIX)];
};

/* Behind a symbolic link the file is replaced, not the link. */
static bool
resolve(struct interests_output *output, const char *path)
{
    if (realpath(path, output->path) != NULL)
        return true;
    if (errno != ENOENT)
        return false;
    if (strlen(path) >= sizeof(output->path)) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(output->path, path, strlen(path) + 1);
    return true;
}

/* A device or pipe is written to as it is; only files are replaced. */
static int
open_file(struct interests_output *output)
{
    struct stat st;
    int fd;

    if (stat(output->path, &st) == 0 && !S_ISREG(st.st_mode))
        return open(output->path, O_WRONLY | O_CLOEXEC);
    (void)snprintf(output->temporary, sizeof(output->temporary), "%s" SUFFIX,
                   output->path);
    fd = mkostemp(output->temporary, O_CLOEXEC); /* with mode 0600 */
    output->is_temporary = fd >= 0;
    return fd;
}

struct interests_output *
interests_output_open(const char *path)
{
    struct interests_output *output = calloc(1, sizeof(*output));

    if (output == NULL)
        return NULL;
    if (strcmp(path, "-") == 0)
        output->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
    else
        output->fd = resolve(output, path) ? open_file(output) : -1;
    if (output->fd >= 0)
        return output;
    free(output);
    return NULL;
}

bool
interests_output_write(struct interests_output *output, struct buf *text)
{
    const char *at = text->data;
    size_t left = text->length;

    while (left > 0) {
        ssize_t put = write(output->fd, at, left);

        if (put < 0 && (errno != EINTR || interrupt_signal() != 0))
            return false;
        if (put > 0) {
            at += put;
            left -= (size_t)put;
        }
    }
    buf_clear(text);
    return true;
}

/* So that the new name is on the disk, too; dirname() alters the path. */
static bool
sync_folder(struct interests_output *output)
{
    int fd = open(dirname(output->path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_good = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        (void)close(fd);
    return is_good;
}

bool
interests_output_finish(struct interests_output *output)
{
    int fd = output->fd;

    if (output->is_temporary && fsync(fd) != 0)
        return false;
    output->fd = -1;
    if (close(fd) != 0)
        return false;
    if (!output->is_temporary)
        return true;
    if (rename(output->temporary, output->path) != 0)
        return false;
    output->is_temporary = false;
    return sync_folder(output);
}

void
interests_output_free(struct interests_output *output)
{
    if (output == NULL)
        return;
    if (output->fd >= 0)
        (void)close(output->fd);
    if (output->is_temporary)
        (void)unlink(output->temporary);
    free(output);
}
