#ifndef WORKER_H
#define WORKER_H

#include <stdbool.h>

struct config;
struct log;
struct metrics;

/*
 * Serves requests in this process until SIGTERM, then finishes what it has
 * taken. SIGUSR1 opens the log file again.
 *
 * listen_fd   a listening unix socket, non-blocking; stays open.
 * config, log, metrics
 *             borrowed.
 * slot        this worker's place in the metrics.
 * is_standby  takes only connections that others leave waiting: every core has
 *             a worker already. Twice as many that take their share each would
 *             wake up twice as often, for half the requests.
 *
 * Returns the exit status of the process: EX_OK, or EX_OSERR when it could not
 * start (which is logged).
 */
int worker_run(int listen_fd, const struct config *config, struct log *log,
               struct metrics *metrics, int slot, bool is_standby);

#endif
