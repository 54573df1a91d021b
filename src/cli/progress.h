#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* The data of a line of progress. */
struct progress_state {
    const char *label; /* the activity: "checking" */
    const char *unit;  /* of count: "lines" */
    int64_t count;
    int64_t done, total; /* of the work, in any unit; total 0: unknown */
    int64_t elapsed_ms;
};

/*
 * Adds the line, of at most so many columns: label, bar, percentage, count,
 * rate and remaining time, as far as they are known and fit.
 */
void progress_format(const struct progress_state *state, int columns,
                     struct buf *out);

/*
 * A line that is redrawn on standard error, which must be a terminal. Start
 * with a zeroed struct. Nothing is drawn unless is_shown is set.
 */
struct progress {
    bool is_shown;
    bool is_drawn; /* the line must be erased before other output */
    int64_t began_ms, drawn_ms;
    struct progress_state state;
};

/* Whether standard error is a terminal that can redraw a line. */
bool progress_is_possible(void);

/* Begins an activity; label and unit are borrowed. */
void progress_start(struct progress *progress, const char *label,
                    const char *unit, int64_t total);

/* Redraws the line at most each 100 ms: call it for each line of a file. */
void progress_set(struct progress *progress, int64_t done, int64_t count);

/* Erases the line. Call it before other output, and at the end. */
void progress_erase(struct progress *progress);

#endif
