#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include "cli/report.h"

/*
 * Opens a file, or an open stream (see stream_of_path()), which is read from
 * its current offset.
 *
 * ret_fd    the caller closes it. Set on success only.
 * ret_size  bytes from the offset to the end; -1: not a regular file.
 *
 * Returns EX_OK; or reports the error, and returns another exit status.
 */
int input_begin(const char *path, struct report *report, int *ret_fd,
                int64_t *ret_size);

/*
 * Opens the file of the plan so that it can be read twice: input from a pipe or
 * a terminal is first copied to a file without a name (S19.3).
 *
 * ret_fd    at the first byte; the caller closes it. Set on success only.
 * ret_size  bytes from there to the end.
 *
 * Returns EX_OK; or reports the error, and returns another exit status.
 */
int input_open(const struct interests_plan *plan, struct report *report,
               int *ret_fd, int64_t *ret_size);

#endif
