#ifndef CLI_STREAM_H
#define CLI_STREAM_H

/*
 * The descriptor that a path names: "-", /dev/stdin, /dev/stdout, /dev/stderr,
 * /dev/fd/N or /proc/self/fd/N; -1 for any other path.
 *
 * standard   the descriptor for "-".
 */
int stream_of_path(const char *path, int standard);

/*
 * Duplicates a descriptor. Returns -1 with errno set; EBADF if it is not open,
 * or only in the wrong direction: otherwise an empty input or output would not
 * notice this.
 *
 * wrong_way   O_RDONLY if it will be written, O_WRONLY if it will be read.
 */
int stream_dup(int stream, int wrong_way);

#endif
