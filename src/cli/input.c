/*
 * Opens the file of an import; copies input that could be read only once.
 * Implements a part of S19.3 of docs/protocol.md.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/units.h"
#include "cli/input.h"
#include "cli/stream.h"

#define COPY_STEP (64 * 1024)

/* Makes a file without a name: nobody can open it, and closing removes it. */
static int
spool_make(const char *folder)
{
    char path[PATH_MAX];
    int length =
        snprintf(path, sizeof(path), "%s/scoring-import-XXXXXX", folder);
    int fd;

    if (length < 0 || (size_t)length >= sizeof(path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        (void)unlink(path);
    return fd;
}

static bool
write_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t put = write(fd, data, length);

        if (put < 0 && errno != EINTR)
            return false;
        if (put > 0) {
            data += put;
            length -= (size_t)put;
        }
    }
    return true;
}

/* Returns NULL, or the name of what has failed, with errno set. */
static const char *
copy(int from, int to, struct report *report)
{
    char data[COPY_STEP];
    int64_t copied = 0;

    for (;;) {
        ssize_t got;

        errno = EINTR;
        if (interrupt_signal() != 0)
            return report->name;
        got = read(from, data, sizeof(data));
        if (got == 0)
            return NULL;
        if (got < 0)
            return report->name;
        if (!write_all(to, data, (size_t)got))
            return "the copy of what was sent";
        copied += got;
        progress_set(&report->progress, copied, copied / BYTES_PER_KIB);
    }
}

static int
spool(const struct interests_plan *plan, struct report *report, int from,
      int *ret_fd)
{
    int fd = spool_make(plan->spool_folder);
    const char *failed;

    if (fd < 0) {
        report_say(report, "%s: %s: needed to read %s twice",
                   plan->spool_folder, strerror(errno), report->name);
        return EX_CANTCREAT;
    }
    progress_start(&report->progress, "reading", "KiB", 0);
    failed = copy(from, fd, report);
    if (failed == NULL && lseek(fd, 0, SEEK_SET) == 0) {
        *ret_fd = fd;
        return EX_OK;
    }
    report_say(report, "%s: %s; nothing is written",
               failed != NULL ? failed : report->name,
               interrupt_signal() != 0 ? "interrupted" : strerror(errno));
    (void)close(fd);
    return report_status(EX_IOERR);
}

int
input_begin(const char *path, struct report *report, int *ret_fd,
            int64_t *ret_size)
{
    const int stream = stream_of_path(path, STDIN_FILENO);
    int fd = stream >= 0 ? stream_dup(stream, O_WRONLY)
                         : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0 || S_ISDIR(st.st_mode)) {
        const int error = fd < 0 ? errno : EISDIR;

        report_say(report, "%s: %s", report->name,
                   interrupt_signal() != 0 ? "interrupted" : strerror(error));
        if (fd >= 0)
            (void)close(fd);
        return report_status(stream >= 0 ? EX_IOERR : EX_NOINPUT);
    }
    *ret_fd = fd;
    *ret_size = S_ISREG(st.st_mode)
                    ? (int64_t)(st.st_size - lseek(fd, 0, SEEK_CUR))
                    : -1;
    return EX_OK;
}

int
input_open(const struct interests_plan *plan, struct report *report,
           int *ret_fd, int64_t *ret_size)
{
    int64_t size = 0;
    int from = -1, fd, status;
    struct stat st;

    status = input_begin(plan->path, report, &from, &size);
    fd = from;
    if (status == EX_OK && size < 0) {
        status = spool(plan, report, from, &fd);
        (void)close(from);
        size = status == EX_OK && fstat(fd, &st) == 0 ? st.st_size : 0;
    }
    if (status != EX_OK)
        return status;
    *ret_fd = fd;
    *ret_size = size;
    return EX_OK;
}
