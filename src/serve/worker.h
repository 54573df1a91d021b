#ifndef WORKER_H
#define WORKER_H

struct config;
struct log;
struct metrics;

/*
 * Who takes new connections. Half as many workers as there are cores do, since
 * nginx and Redis need as much time for a request as the service: more of them
 * would only wake up more often, for fewer requests each. The others stand in.
 */
enum worker_duty {
    WORKER_ALONE,  /* takes connections, and nobody is in reserve */
    WORKER_FIRST,  /* takes them, and lets some go when it has too much to do */
    WORKER_RESERVE /* takes only those that are left waiting */
};

/*
 * Serves requests in this process until SIGTERM, then finishes what it has
 * taken. SIGUSR1 opens the log file again.
 *
 * listen_fd   a listening unix socket, non-blocking; stays open.
 * config, log, metrics
 *             borrowed.
 * slot        this worker's place in the metrics.
 * duty        see above.
 *
 * Returns the exit status of the process: EX_OK, or EX_OSERR when it could not
 * start (which is logged).
 */
int worker_run(int listen_fd, const struct config *config, struct log *log,
               struct metrics *metrics, int slot, enum worker_duty duty);

#endif
