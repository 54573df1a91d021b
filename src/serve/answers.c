/*
 * The answers of nginx, counted from the file that it writes. Implements S23.4
 * of docs/protocol.md. What is in the file may be anything: a line that is not
 * one of the codes counts as "other".
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "serve/answers.h"

#define ANSWERS_SUFFIX ".answers"
#define ANSWERS_MODE   0660 /* nginx and the service share the group */

/* How much is read at once, and how often per call: 1 MiB, 262,144 answers. */
#define ANSWERS_CHUNK  65536
#define ANSWERS_CHUNKS 16

#define CODE_LENGTH     3
#define CODE_TEXT(code) #code

/* In the order of their counters, which METRIC_NGINX_OTHER follows. */
static const char codes[][CODE_LENGTH + 1] = {METRICS_NGINX_CODES(CODE_TEXT)};

#define CODES (sizeof(codes) / sizeof(codes[0]))

void
answers_init(struct answers *answers, int listen_fd)
{
    struct sockaddr_un address = {0};
    socklen_t length = sizeof(address) - 1; /* so that it ends with a NUL */

    *answers = (struct answers){0};
    if (getsockname(listen_fd, (struct sockaddr *)&address, &length) != 0 ||
        address.sun_family != AF_UNIX || address.sun_path[0] == '\0')
        return;
    (void)snprintf(answers->path, sizeof(answers->path), "%s%s",
                   address.sun_path, ANSWERS_SUFFIX);
}

static enum metric
metric_of(const char *line, size_t length)
{
    size_t i = 0;

    while (i < CODES &&
           (length != CODE_LENGTH || memcmp(line, codes[i], length) != 0))
        i++;
    return (enum metric)(METRIC_NGINX_OTHER - CODES + i);
}

/* How many bytes the whole lines have, which are counted. */
static size_t
count_lines(struct metrics *metrics, const char *text, size_t length)
{
    const char *at = text, *end = text + length, *stop;

    while ((stop = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        metrics_add(metrics, metric_of(at, (size_t)(stop - at)), 1);
        at = stop + 1;
    }
    return (size_t)(at - text);
}

/*
 * Returns false, with errno set, for a fault. Else all is counted, or the turn
 * is over; only a file of which nothing is left is emptied. What comes between
 * the last look and that is lost: it takes a microsecond.
 */
static bool
count_file(struct answers *answers, int fd, struct metrics *metrics)
{
    static char chunk[ANSWERS_CHUNK];

    for (int i = 0; i < ANSWERS_CHUNKS; i++) {
        ssize_t got = pread(fd, chunk, sizeof(chunk), answers->counted);
        size_t taken;

        if (got < 0)
            return false;
        if (got == 0) {
            if (answers->counted > 0 && ftruncate(fd, 0) != 0)
                return false;
            answers->counted = 0;
            return true;
        }
        taken = count_lines(metrics, chunk, (size_t)got);
        if (taken == 0 && (size_t)got < sizeof(chunk))
            return true; /* the rest of the line is to come */
        answers->counted += taken > 0 ? (off_t)taken : got;
    }
    return true;
}

/* For reading and taking away; made, if it may be. -1: errno. */
static int
open_file(const char *path)
{
    const int flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC;
    int fd = open(path, flags);

    if (fd >= 0 || errno != ENOENT)
        return fd;
    fd = open(path, flags | O_CREAT, ANSWERS_MODE);
    if (fd >= 0)
        (void)fchmod(fd, ANSWERS_MODE); /* whatever the umask */
    return fd;
}

void
answers_count(struct answers *answers, struct metrics *metrics, struct log *log)
{
    int fd, fault = 0;

    if (answers->path[0] == '\0')
        return;
    fd = open_file(answers->path);
    if (fd < 0 || !count_file(answers, fd, metrics))
        fault = errno;
    if (fd >= 0)
        (void)close(fd);
    if (fault != 0 && fault != answers->fault)
        log_error(log, "nginx's answers are not counted: %s: %s", answers->path,
                  strerror(fault));
    answers->fault = fault;
}
