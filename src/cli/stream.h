#ifndef CLI_STREAM_H
#define CLI_STREAM_H

/*
 * The descriptor that a path stands for: "-", /dev/stdin, /dev/stdout,
 * /dev/stderr, /dev/fd/N or /proc/self/fd/N; -1 if it is any other.
 *
 * standard   the descriptor of "-".
 */
int stream_of_path(const char *path, int standard);

/*
 * Another descriptor for it; -1 with errno set, EBADF if it is not open for
 * what is wanted: who has nothing to read or write would not notice.
 *
 * wrong_way   O_RDONLY or O_WRONLY.
 */
int stream_dup(int stream, int wrong_way);

#endif
