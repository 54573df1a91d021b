#ifndef ANSWERS_H
#define ANSWERS_H

#include <limits.h>
#include <sys/types.h>

#include "telemetry/log.h"
#include "telemetry/metrics.h"

/*
 * The answers that nginx makes by itself, without the service: for each of them
 * nginx appends its code, as a line, to a file beside the socket. The parent
 * counts the lines and empties the file, which so has what has not been counted
 * yet, also from while the service was down. Neither waits: nginx goes on
 * without a file that it cannot write, the parent without one that it cannot
 * read. Source: docs/protocol.md, S23.4.
 */
struct answers {
    char path[PATH_MAX]; /* "": the socket has no path */
    off_t counted;       /* bytes of the file that are counted, not removed */
    int fault;           /* the errno that has been logged; 0: none */
};

/* The path of the file is that of the socket, with a suffix. */
void answers_init(struct answers *answers, int listen_fd);

/*
 * Counts what has been written since the last call, at most 1 MiB of it, into
 * METRIC_NGINX_*. A fault is logged when it begins.
 */
void answers_count(struct answers *answers, struct metrics *metrics,
                   struct log *log);

#endif
