#ifndef SINK_H
#define SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * The destination of a log, and how a write to it does not wait. Except for the
 * first kind, other programs share the open file.
 */
enum sink_kind {
    SINK_OWN = 0, /* write(): a file opened with O_NONBLOCK, or a regular one */
    SINK_SOCKET,  /* send() with MSG_DONTWAIT */
    SINK_PIPE,    /* splice() from a private pipe */
    SINK_OTHER    /* write(), interrupted by a timer */
};

struct sink {
    int fd;
    enum sink_kind kind;
    size_t write_max; /* the most bytes that are certainly written together */
    int stage[2];     /* for SINK_PIPE: the private pipe; -1: not created yet */
    size_t staged;    /* bytes in it */
};

/* A pipe takes so many bytes together, or none of them: PIPE_BUF. */
#define SINK_ATOMIC 4096

/*
 * Opens a file to append to it, and creates it with mode 0640.
 *
 * file_max  write_max for a regular file, in bytes.
 *
 * Returns false with errno set on failure.
 */
bool sink_open_file(struct sink *ret_sink, const char *path, size_t file_max);

/* The same for a standard stream, which is not changed. */
bool sink_open_stream(struct sink *ret_sink, int stream, size_t file_max);

/*
 * Like write(), for at most write_max bytes, and fails with EAGAIN instead of
 * waiting. The next call must begin with the bytes that were not written.
 */
ssize_t sink_write(struct sink *sink, const char *data, size_t length);

/*
 * Allows the next sink_write() to begin with other bytes. Also for a child
 * after fork(), which must not share the private pipe.
 */
void sink_restart(struct sink *sink);

void sink_close(struct sink *sink);

#endif
