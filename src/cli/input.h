#ifndef INTERESTS_INPUT_H
#define INTERESTS_INPUT_H

#include "cli/report.h"

/*
 * A file, or what a standard stream is, to be read from where it stands.
 *
 * Returns an exit status, with the reason reported if it is not EX_OK.
 *
 * ret_fd    to be closed. Set on success only.
 * ret_size  bytes from there to the end; -1: of what is no file.
 */
int interests_input_begin(const char *path, struct interests_report *report,
                          int *ret_fd, int64_t *ret_size);

/*
 * A file that can be read twice. What comes through a pipe or a terminal is
 * first copied to a file without a name.
 *
 * Returns an exit status, with the reason reported if it is not EX_OK.
 *
 * ret_fd    standing at the first byte; to be closed. Set on success only.
 * ret_size  bytes from there to the end.
 */
int interests_input_open(const struct interests_plan *plan,
                         struct interests_report *report, int *ret_fd,
                         int64_t *ret_size);

#endif
