/*
 * Exchanges that arrive in pieces. Implements "Transport" of docs/protocol.md
 * for requests that are too large for one look at the socket.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fcgi_gather.h"

void
fcgi_gather_start(struct fcgi_gather *gather)
{
    gather->scan =
        (struct fcgi_scan){.head = &gather->head, .body = &gather->body};
}

enum fcgi_scan_verdict
fcgi_gather_take(struct fcgi_gather *gather, const void *bytes, size_t length,
                 size_t body_max)
{
    enum fcgi_scan_verdict verdict = fcgi_scan(&gather->scan, bytes, length);

    if (gather->scan.body_length > body_max)
        buf_free(&gather->body);
    return verdict;
}

/* The end of stdin, which comes at once: libfcgi gets the body elsewhere. */
static void
add_end(struct fcgi_gather *gather)
{
    const char end[FCGI_SCAN_HEADER_LENGTH] = {
        [0] = 1, /* version */
        [1] = 5, /* stdin */
        [2] = (char)(gather->scan.id >> 8),
        [3] = (char)(gather->scan.id & 0xff),
    };

    buf_add(&gather->head, end, sizeof(end));
}

static bool
write_whole(int fd, struct bytes text)
{
    return write(fd, text.at, text.length) == (ssize_t)text.length &&
           lseek(fd, 0, SEEK_SET) == 0;
}

int
fcgi_gather_spool(struct fcgi_gather *gather)
{
    int fd;

    add_end(gather);
    buf_add(&gather->body, "", 1);
    if (gather->head.failed || gather->body.failed)
        return -1;
    fd = memfd_create("request", MFD_CLOEXEC);
    if (fd == -1)
        return -1;
    if (write_whole(fd, buf_bytes(&gather->head)))
        return fd;
    (void)close(fd);
    return -1;
}

void
fcgi_gather_clear(struct fcgi_gather *gather)
{
    buf_free(&gather->head);
    buf_free(&gather->body);
}
