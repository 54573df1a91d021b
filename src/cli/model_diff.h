#ifndef CLI_MODEL_DIFF_H
#define CLI_MODEL_DIFF_H

#include <stdbool.h>

#include "scoring/model.h"

/*
 * Scores each line of a file, the arguments of one online_score as JSON, with
 * two models, and prints how many scores rise, fall and stay, by how much, and
 * which rules cause it. Memory use does not depend on the size of the file.
 * Source: docs/protocol.md, S15.3.
 *
 * path   of the file; "-": standard input.
 *
 * Returns an exit status. If lines are invalid, reports and skips them, and
 * returns EX_DATAERR.
 */
int model_diff(const struct model *old, const struct model *new,
               const char *path, bool shows_progress);

#endif
