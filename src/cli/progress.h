#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* What a line of progress shows. */
struct progress_state {
    const char *label; /* what is being done */
    const char *unit;  /* of count, in the plural */
    int64_t count;
    int64_t done, total; /* of the whole work, in any unit; total 0: unknown */
    int64_t elapsed_ms;
};

/*
 * Adds the line, of at most so many columns: label, bar, share, count, rate
 * and the time that is left, as far as they are known and there is room.
 */
void progress_format(const struct progress_state *state, int columns,
                     struct buf *out);

/*
 * A line of standard error that is drawn again and again, on a terminal that
 * can do that. Start with a zeroed struct; without is_shown nothing is drawn.
 */
struct progress {
    bool is_shown;
    bool is_drawn; /* there is a line to be erased */
    int64_t began_ms, drawn_ms;
    struct progress_state state;
};

/* Whether standard error is a terminal on which a line can be drawn again. */
bool progress_is_possible(void);

/* Begins another piece of work; label and unit are borrowed. */
void progress_start(struct progress *progress, const char *label,
                    const char *unit, int64_t total);

/* Cheap enough to be called for every line of a file. */
void progress_set(struct progress *progress, int64_t done, int64_t count);

/* Erases the line, before anything else is written, and at the end. */
void progress_erase(struct progress *progress);

#endif
