#ifndef SUPERVISOR_H
#define SUPERVISOR_H

#include "config/config.h"
#include "telemetry/log.h"

/*
 * Runs the service: starts the workers, replaces those that die or stall, and
 * handles SIGTERM and SIGINT (stop), SIGHUP (read the settings again) and
 * SIGUSR1 (reopen the log), until all workers have ended. Source:
 * docs/protocol.md, S25.
 *
 * listen_fd    a listening, non-blocking socket; stays the caller's.
 * environment  read again on SIGHUP, with the files that it names; borrowed.
 * config, log  taken over.
 *
 * Returns the exit status in the parent, and also in the process of each
 * worker: the caller must return it from main() at once.
 *
 * worker_run() is entered with SIGINT and SIGHUP ignored, and with SIGTERM and
 * SIGUSR1 blocked, so that no signal kills a worker that has no handlers yet.
 */
int supervisor_run(int listen_fd, char *const environment[],
                   struct config *config, struct log *log);

#endif
