#ifndef CLI_MODEL_DIFF_H
#define CLI_MODEL_DIFF_H

#include <stdbool.h>

#include "scoring/model.h"

/*
 * Scores each line of a file, the arguments of one online_score as JSON, by
 * two models, and prints what changes: how many scores rise, fall and stay, by
 * how much, and by which rules. Memory stays the same whatever the size.
 *
 * path   of the file; "-": standard input.
 *
 * Returns an exit status: EX_DATAERR, and all the same the figures of all
 * others, if lines are no arguments of a score. Reasons have been reported.
 */
int model_diff(const struct model *old, const struct model *new,
               const char *path, bool shows_progress);

#endif
