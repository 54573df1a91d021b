#ifndef SCORING_SCORE_H
#define SCORING_SCORE_H

#include <stdbool.h>

#include "base/buf.h"

struct model;

/* How to make scores. */
struct score_terms {
    const struct model *model;
    bool is_admin; /* every score is 42 */
    bool explain;
};

/*
 * Adds the answer for one person: {"score": 5.0}; if terms->explain, also the
 * model, its rules that count, and those that do not. Source: docs/protocol.md,
 * S13.3.
 *
 * known   a mask, from person_known().
 */
void score_add(const struct score_terms *terms, unsigned known,
               struct buf *out);

#endif
