#ifndef SCORING_MODEL_H
#define SCORING_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/bytes.h"

/* Limits of docs/protocol.md, S15; names are of [A-Za-z0-9._-]. */
#define MODEL_RULES_MAX  64
#define MODEL_NAME_MAX   64
#define MODEL_TENTHS_MAX 1000 /* of one rule: 100 points */

#define MODEL_TENTHS 10 /* of a point: whole numbers, so that 5.0 is exact */

#define MODEL_DIGEST_BYTES 32 /* of a SHA-256 */

/* It counts, and adds its points, when all of its inputs are known. */
struct model_rule {
    char reason[MODEL_NAME_MAX + 1];
    unsigned given; /* mask of struct person's inputs; at least one */
    int tenths;
};

struct model {
    char name[MODEL_NAME_MAX + 1];
    size_t rule_count;
    struct model_rule rules[MODEL_RULES_MAX];

    /*
     * Of all of the above, for the key of the cache; of length 0 for the
     * published one, whose scores have the keys that they always had.
     */
    unsigned char digest[MODEL_DIGEST_BYTES];
    size_t digest_length;
};

/* The one that holds where no file names another. */
extern const struct model model_published;

/*
 * Reads a model as it is written in a file: strict JSON.
 *
 * text       length bytes, altered in place.
 * ret_model  set on success only.
 * faults     else has every fault as a line with its end: the number of the
 *            line, the rule and the member, and what is wrong.
 */
bool model_read(char *text, size_t length, struct model *ret_model,
                struct buf *faults);

/* Adds a model as model_read() reads it, a rule a line. */
void model_print(const struct model *model, struct buf *out);

/* Adds its name and what tells it from others of that name, for the log. */
void model_print_name(const struct model *model, struct buf *out);

/* The score in tenths of a point. known: a mask of person_known(). */
int model_tenths(const struct model *model, unsigned known);

/* The highest score that there is. */
int model_tenths_max(const struct model *model);

/* Adds tenths as points with one decimal. */
void model_add_points(int tenths, struct buf *out);

/* Whether a text is a score of the model as model_add_points() writes it. */
bool model_is_score(const struct model *model, struct bytes text);

/*
 * Adds the members "model", "reasons" and "missing" of an explained score,
 * each with a comma before it. rule_count: the first ones of the model; 0
 * where a score is made of none.
 */
void model_explain(const struct model *model, size_t rule_count, unsigned known,
                   struct buf *out);

#endif
