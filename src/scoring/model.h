#ifndef SCORING_MODEL_H
#define SCORING_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/bytes.h"

/* Limits of docs/protocol.md, "Model"; names are of [A-Za-z0-9._-]. */
#define MODEL_RULES_MAX  64
#define MODEL_NAME_MAX   64
#define MODEL_TENTHS_MAX 1000 /* of one rule: 100 points */

#define MODEL_TENTHS 10 /* of a point: whole numbers, so that 5.0 is exact */

/* Room for a score as it is written: "6400.0", and no NUL. */
#define MODEL_SCORE_MAX 8

/* It counts, and adds its points, when all of its inputs are known. */
struct model_rule {
    char reason[MODEL_NAME_MAX + 1];
    unsigned given; /* mask of struct person's inputs */
    int tenths;
};

#define MODEL_DIGEST_BYTES 32 /* of a SHA-256 */

struct model {
    char name[MODEL_NAME_MAX + 1];
    size_t rule_count;
    struct model_rule rules[MODEL_RULES_MAX];

    /* Of all of the above; empty for the published one, whose cached scores
     * have the keys that they had before there were others. */
    unsigned char digest[MODEL_DIGEST_BYTES];
    size_t digest_length;
};

/* The one that holds where no file names another. */
extern const struct model model_published;

/* The score in tenths of a point. known: a mask of person_known(). */
int model_tenths(const struct model *model, unsigned known);

/* The highest score that there is. */
int model_tenths_max(const struct model *model);

/* Adds tenths as points with one decimal. */
void model_add_points(int tenths, struct buf *out);

#endif
