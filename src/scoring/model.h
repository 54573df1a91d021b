#ifndef SCORING_MODEL_H
#define SCORING_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/bytes.h"

/* Limits of docs/protocol.md, S15.1. */
#define MODEL_RULES_MAX  64
#define MODEL_NAME_MAX   64   /* characters of [A-Za-z0-9._-] */
#define MODEL_TENTHS_MAX 1000 /* of one rule: 100 points */

#define MODEL_TENTHS 10 /* of a point: integers, so that sums are exact */

#define MODEL_DIGEST_BYTES 32 /* of a SHA-256 */

/* A rule adds its points to the score if all of its inputs are known. */
struct model_rule {
    char reason[MODEL_NAME_MAX + 1];
    unsigned given; /* a mask of enum person_input; at least one */
    int tenths;     /* its points */
};

struct model {
    char name[MODEL_NAME_MAX + 1];
    size_t rule_count;
    struct model_rule rules[MODEL_RULES_MAX];

    /*
     * The SHA-256 of name and rules, for the cache key (S14.2). Its length is 0
     * for the published model, whose cache keys do not contain it.
     */
    unsigned char digest[MODEL_DIGEST_BYTES];
    size_t digest_length;
};

/* The model that is in force if no file names another. */
extern const struct model model_published;

/*
 * Reads a model from the text of a file. Source: docs/protocol.md, S15.
 *
 * text       length bytes, decoded in place.
 * ret_model  set on success only.
 * faults     on failure receives a line, with a line feed, for each of the
 * first 20 faults: the line number, the rule, the member, and what is wrong;
 * and one that counts the others. Its `failed` is set if memory ran out.
 */
bool model_read(char *text, size_t length, struct model *ret_model,
                struct buf *faults);

/* Adds a model as JSON that model_read() accepts, one rule per line. */
void model_print(const struct model *model, struct buf *out);

/* Adds the name and, except for the published model, the first digits of the
 * digest, for the log. */
void model_print_name(const struct model *model, struct buf *out);

/* The score in tenths of a point. known: a mask, from person_known(); with
 * MODEL_ALL_KNOWN it is the highest one. */
#define MODEL_ALL_KNOWN (~0U)
int model_tenths(const struct model *model, unsigned known);

/* Adds tenths as points with one decimal: 15 is "1.5". */
void model_add_points(int tenths, struct buf *out);

/*
 * Whether a text is a number as model_add_points() writes it, and not higher
 * than the highest score of the model.
 */
bool model_is_score(const struct model *model, struct bytes text);

/*
 * Adds the members "model", "reasons" and "missing" of an explained score, each
 * after a comma (S13.3).
 *
 * rule_count   how many rules of the model to explain; 0 for the admin.
 */
void model_explain(const struct model *model, size_t rule_count, unsigned known,
                   struct buf *out);

#endif
