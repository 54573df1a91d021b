#ifndef SINK_H
#define SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What the lines of a log are written to. All but the first are shared. */
enum sink_kind {
    SINK_OWN = 0, /* our own open file, or a regular one: no write waits */
    SINK_SOCKET,  /* told not to wait with each write */
    SINK_PIPE,    /* filled from a pipe of our own */
    SINK_OTHER    /* a write that waits is interrupted */
};

struct sink {
    int fd;
    enum sink_kind kind;
    size_t write_max; /* bytes that no other writer can tear apart */
    int stage[2];     /* of SINK_PIPE: our own pipe; -1: not made yet */
    size_t staged;    /* bytes in it */
};

/* A write of so many bytes is whole, or none: PIPE_BUF. */
#define SINK_ATOMIC 4096

/*
 * Opens a file to append to it, made with mode 0640, whose write_max is
 * file_max if it is a regular one. False with errno set.
 */
bool sink_open_file(struct sink *ret_sink, const char *path, size_t file_max);

/* Likewise for a standard stream, which stays as it is. */
bool sink_open_stream(struct sink *ret_sink, int stream, size_t file_max);

/*
 * As write(), for at most write_max bytes, with EAGAIN where it would have to
 * wait. The next call has to begin with what this one did not take.
 */
ssize_t sink_write(struct sink *sink, const char *data, size_t length);

/*
 * The next call of sink_write() begins with something else. Also for a child
 * after fork(), which has to have a stage of its own.
 */
void sink_restart(struct sink *sink);

void sink_close(struct sink *sink);

#endif
