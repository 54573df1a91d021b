#ifndef ANSWERS_H
#define ANSWERS_H

#include <limits.h>
#include <sys/types.h>

#include "telemetry/log.h"
#include "telemetry/metrics.h"

/*
 * The answers that nginx makes by itself, of which the service would not know:
 * for each of them nginx appends its code, as a line, to a file beside the
 * socket. The parent counts the lines and empties the file, so that it holds
 * what nobody has counted yet, also when the service was away. Nobody waits:
 * nginx does without a file that it cannot write, and the parent without one
 * that it cannot read. Source: docs/protocol.md, S23.4.
 */
struct answers {
    char path[PATH_MAX]; /* "": the socket has no place beside it */
    off_t counted;       /* bytes of the file, while they are not taken away */
    int fault;           /* the errno that has been told; 0: none */
};

/* The file is that of the socket, in whose name it begins. */
void answers_init(struct answers *answers, int listen_fd);

/*
 * Counts what has been written since the last call, at most 1 MiB of it, into
 * METRIC_NGINX_*. A fault is logged when it begins.
 */
void answers_count(struct answers *answers, struct metrics *metrics,
                   struct log *log);

#endif
