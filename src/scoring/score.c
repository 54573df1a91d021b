/*
 * The JSON of a score. Implements S13.3 and S13.4 of docs/protocol.md.
 */
#include "scoring/score.h"
#include "scoring/model.h"

#define SCORE_ADMIN "42"

void
score_add(const struct score_terms *terms, unsigned known, struct buf *out)
{
    const struct model *model = terms->model;

    buf_add_text(out, "{\"score\": ");
    if (terms->is_admin)
        buf_add_text(out, SCORE_ADMIN);
    else
        model_add_points(model_tenths(model, known), out);
    if (terms->explain)
        model_explain(model, terms->is_admin ? 0 : model->rule_count, known,
                      out);
    buf_add_text(out, "}");
}
