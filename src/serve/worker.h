#ifndef WORKER_H
#define WORKER_H

struct config;
struct log;
struct metrics;

/*
 * Which workers accept new connections: half as many as there are cores, since
 * nginx and Redis need as much time for a request as the service. More would
 * wake up more often, for fewer requests each. The others are a reserve.
 */
enum worker_duty {
    WORKER_ALONE,  /* accepts connections; there is no reserve */
    WORKER_FIRST,  /* accepts connections, and closes some under high load */
    WORKER_RESERVE /* accepts connections that the others leave waiting */
};

/*
 * Serves requests in this process until SIGTERM, then finishes those that have
 * begun to arrive, within 7 s. SIGUSR1 reopens the log file.
 *
 * listen_fd   a listening, non-blocking unix socket; stays open.
 * config, log, metrics
 *             borrowed.
 * slot        this worker's place in the metrics.
 *
 * Returns the exit status of the process: EX_OK, or EX_OSERR if it could not
 * start, which is logged.
 */
int worker_run(int listen_fd, const struct config *config, struct log *log,
               struct metrics *metrics, int slot, enum worker_duty duty);

#endif
