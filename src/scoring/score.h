#ifndef SCORING_SCORE_H
#define SCORING_SCORE_H

#include <stdbool.h>

#include "base/buf.h"

struct model;

/* By what, and for whom, scores are made. */
struct score_terms {
    const struct model *model;
    bool is_admin; /* whose scores are all the same */
    bool explain;
};

/*
 * Adds the object that answers for one person: {"score": 5.0}, and where it is
 * to be explained the model, the rules that count, and those that do not.
 *
 * known   a mask of person_known().
 */
void score_add(const struct score_terms *terms, unsigned known,
               struct buf *out);

/* Adds {"score": and a score that has been written before}. */
void score_add_written(struct bytes score, struct buf *out);

#endif
