/*
 * The file of an export. Implements S19.6 of docs/protocol.md: the file is
 * either the old one or the complete new one, and in a folder that everybody
 * may write to, files of others are not touched.
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
#include "cli/stream.h"

#define SUFFIX    ".XXXXXX" /* for mkostemp() */
#define LINKS_MAX 40        /* symbolic links, as in the kernel */

struct interests_output {
    int fd;
    bool is_temporary; /* the file `temporary` must be renamed or removed */
    char path[PATH_MAX];
    char temporary[PATH_MAX + sizeof(SUFFIX)];
};

/*
 * Whether an existing file or link may be followed, written to or replaced. In
 * a folder like /tmp it must belong to this user or to the folder's owner:
 * another user may have made it to read the export, or to have a file
 * overwritten. The kernel can have the same rule switched on:
 * protected_symlinks, protected_regular and protected_fifos of proc_sys_fs(5).
 */
static bool
is_trusted(const char *path, const struct stat *st)
{
    char copy[PATH_MAX];
    struct stat folder;

    (void)snprintf(copy, sizeof(copy), "%s", path);
    if (stat(dirname(copy), &folder) != 0)
        return false;
    if ((folder.st_mode & S_ISVTX) == 0 ||
        (folder.st_mode & (S_IWGRP | S_IWOTH)) == 0 ||
        st->st_uid == geteuid() || st->st_uid == folder.st_uid)
        return true;
    errno = EACCES;
    return false;
}

/* Replaces output->path, a symbolic link, by its target. */
static bool
follow(struct interests_output *output)
{
    char target[PATH_MAX], copy[PATH_MAX];
    ssize_t length = readlink(output->path, target, sizeof(target) - 1);
    int written;

    if (length < 0)
        return false;
    target[length] = '\0';
    (void)snprintf(copy, sizeof(copy), "%s", output->path);
    written = target[0] == '/'
                  ? snprintf(output->path, sizeof(output->path), "%s", target)
                  : snprintf(output->path, sizeof(output->path), "%s/%s",
                             dirname(copy), target);
    if (written >= 0 && (size_t)written < sizeof(output->path))
        return true;
    errno = ENAMETOOLONG;
    return false;
}

/*
 * Follows symbolic links, so that the file is replaced and not the link. Sets
 * *ret_mode to the mode of the file, or to 0 if it does not exist.
 */
static bool
resolve(struct interests_output *output, mode_t *ret_mode)
{
    struct stat st;

    for (int links = 0; links <= LINKS_MAX; links++) {
        if (lstat(output->path, &st) != 0) {
            *ret_mode = 0;
            return errno == ENOENT && output->path[0] != '\0';
        }
        if (!is_trusted(output->path, &st))
            return false;
        *ret_mode = st.st_mode;
        if (!S_ISLNK(st.st_mode))
            return true;
        if (!follow(output))
            return false;
    }
    errno = ELOOP;
    return false;
}

/* Opens a device or a pipe itself; for a file, opens a temporary file. */
static int
open_file(struct interests_output *output, const char *path)
{
    mode_t mode;
    int fd;

    if (strlen(path) >= sizeof(output->path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(output->path, path, strlen(path) + 1);
    if (!resolve(output, &mode))
        return -1;
    if (mode != 0 && !S_ISREG(mode))
        return open(output->path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW);
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
    const int stream = stream_of_path(path, STDOUT_FILENO);

    if (output == NULL)
        return NULL;
    output->fd =
        stream >= 0 ? stream_dup(stream, O_RDONLY) : open_file(output, path);
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

/* Writes the new name to the disk, too. dirname() alters output->path. */
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
