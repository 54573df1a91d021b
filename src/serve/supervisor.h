#ifndef SUPERVISOR_H
#define SUPERVISOR_H

#include "config/config.h"
#include "telemetry/log.h"

/*
 * Runs the service: starts the workers, replaces those that die, and obeys
 * SIGTERM and SIGINT (stop), SIGHUP (read the settings again) and SIGUSR1
 * (open the log again) until all workers have ended.
 *
 * listen_fd    a listening socket that does not block; stays the caller's.
 * environment  read again, with the files it names, on SIGHUP.
 * config, log  taken over.
 *
 * Returns the exit status, in the parent and once in every worker's process:
 * the caller leaves main() with it at once.
 *
 * worker_run() is entered with SIGTERM at its default, SIGINT and SIGHUP
 * ignored, and SIGUSR1 blocked, so that none can kill a worker that has no
 * handler yet: the worker unblocks it when it has one.
 */
int supervisor_run(int listen_fd, char *const environment[],
                   struct config *config, struct log *log);

#endif
