/*
 * Writes the lines of a log without ever waiting for the reader. Implements
 * S28.2 of docs/protocol.md.
 *
 * O_NONBLOCK is a flag of the open file, which standard output shares with
 * other programs: so the file is opened again, through /proc. If this is not
 * possible (a socket, or a pipe or terminal of another user), each write is
 * kept from waiting. poll() before a write is not enough: another writer may
 * fill the file in between.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/units.h"
#include "telemetry/sink.h"

#define SINK_FILE_MODE 0640
#define SINK_FIRST_FD  3 /* the first that is not a standard stream */
#define SINK_PATH_MAX  32
#define SINK_FLAGS     (O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)

/* The interval at which a waiting write() is interrupted. */
#define SINK_TICK_MS 10

_Static_assert(SINK_ATOMIC <= PIPE_BUF, "a line must be atomic in a pipe");

static bool
sink_finish(struct sink *sink, size_t file_max, struct sink *ret_sink)
{
    struct stat st;

    if (sink->fd < 0)
        return false;
    sink->stage[0] = sink->stage[1] = -1;
    sink->write_max = SINK_ATOMIC;
    if (fstat(sink->fd, &st) == 0 && S_ISREG(st.st_mode))
        sink->write_max = file_max; /* O_APPEND keeps the bytes together */
    *ret_sink = *sink;
    return true;
}

bool
sink_open_file(struct sink *ret_sink, const char *path, size_t file_max)
{
    struct sink sink = {.fd = open(path, SINK_FLAGS | O_CREAT, SINK_FILE_MODE)};

    return sink_finish(&sink, file_max, ret_sink);
}

static enum sink_kind
shared_kind(mode_t mode)
{
    if (S_ISREG(mode))
        return SINK_OWN;
    if (S_ISSOCK(mode))
        return SINK_SOCKET;
    return S_ISFIFO(mode) ? SINK_PIPE : SINK_OTHER;
}

static void
on_tick(int number)
{
    (void)number;
}

/* Never undone: without a handler, a late SIGALRM would kill the process. */
static void
catch_ticks(void)
{
    struct sigaction action = {.sa_handler = on_tick};

    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGALRM, &action, NULL);
}

/*
 * A regular file is not opened again: the new open file would have its own
 * position, and overwrite what other programs write.
 */
bool
sink_open_stream(struct sink *ret_sink, int stream, size_t file_max)
{
    struct sink sink = {.fd = -1};
    struct stat st = {0};
    char path[SINK_PATH_MAX];

    if ((fcntl(stream, F_GETFL) & O_ACCMODE) == O_RDONLY) {
        errno = EBADF;
        return false;
    }
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", stream);
    if (fstat(stream, &st) == 0 && !S_ISREG(st.st_mode))
        sink.fd = open(path, SINK_FLAGS);
    if (sink.fd < 0) {
        sink.kind = shared_kind(st.st_mode);
        sink.fd = fcntl(stream, F_DUPFD_CLOEXEC, SINK_FIRST_FD);
        if (sink.kind == SINK_OTHER)
            catch_ticks();
    }
    return sink_finish(&sink, file_max, ret_sink);
}

/*
 * splice() from a private non-blocking pipe does not wait for the other pipe,
 * and moves a page as a whole. (pwritev2() with RWF_NOWAIT does the same, but
 * only since Linux 6.4, and not for a named pipe.)
 */
static ssize_t
write_pipe(struct sink *sink, const char *data, size_t length)
{
    ssize_t done;

    if (sink->stage[0] < 0 && pipe2(sink->stage, O_NONBLOCK | O_CLOEXEC) != 0) {
        errno = EAGAIN; /* try again: there may be descriptors later */
        return -1;
    }
    if (sink->staged == 0) {
        done = write(sink->stage[1], data, length);
        if (done <= 0)
            return done;
        sink->staged = (size_t)done;
    }
    done = splice(sink->stage[0], NULL, sink->fd, NULL, sink->staged,
                  SPLICE_F_NONBLOCK);
    if (done > 0)
        sink->staged -= (size_t)done;
    return done;
}

/* The timer repeats, because it may first expire before write() begins. */
static ssize_t
write_ticking(int fd, const char *data, size_t length)
{
    static const struct itimerval none = {.it_value = {0}};
    const struct timeval tick = {.tv_usec = SINK_TICK_MS * US_PER_MS};
    const struct itimerval ticks = {tick, tick};
    ssize_t written;
    int error;

    (void)setitimer(ITIMER_REAL, &ticks, NULL);
    written = write(fd, data, length);
    error = errno;
    (void)setitimer(ITIMER_REAL, &none, NULL);
    errno = error == EINTR ? EAGAIN : error;
    return written;
}

static ssize_t
write_other(int fd, const char *data, size_t length)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};

    if (poll(&ready, 1, 0) == 1)
        return write_ticking(fd, data, length);
    errno = EAGAIN;
    return -1;
}

ssize_t
sink_write(struct sink *sink, const char *data, size_t length)
{
    ssize_t written = -1;

    switch (sink->kind) {
    case SINK_OWN:
        written = write(sink->fd, data, length);
        break;
    case SINK_SOCKET:
        written = send(sink->fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        break;
    case SINK_PIPE:
        written = write_pipe(sink, data, length);
        break;
    case SINK_OTHER:
        written = write_other(sink->fd, data, length);
        break;
    }
    return written;
}

void
sink_restart(struct sink *sink)
{
    for (size_t i = 0; i < 2; i++) {
        if (sink->stage[i] >= 0)
            (void)close(sink->stage[i]);
        sink->stage[i] = -1;
    }
    sink->staged = 0;
}

void
sink_close(struct sink *sink)
{
    sink_restart(sink);
    (void)close(sink->fd);
}
