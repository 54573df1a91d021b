/*
 * Collects FastCGI exchanges that are too large for one recv(). Used for S1.3
 * of docs/protocol.md.
 */
#include "fcgi/gather.h"

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

/*
 * Adds an empty STDIN record, the end of stdin: fcgi_read() gets the body
 * apart.
 */
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

bool
fcgi_gather_end(struct fcgi_gather *gather)
{
    add_end(gather);
    return !gather->head.failed && !gather->body.failed;
}

size_t
fcgi_gather_bytes(const struct fcgi_gather *gather)
{
    return gather->head.capacity + gather->body.capacity;
}

void
fcgi_gather_clear(struct fcgi_gather *gather)
{
    buf_free(&gather->head);
    buf_free(&gather->body);
}
