/*
 * What a score is: a sum of rules, each of which is a mask of inputs and its
 * points. Implements "Model" of docs/protocol.md, and holds the published one.
 */
#include "scoring/model.h"
#include "scoring/person.h"

const struct model model_published = {
    .name = "published",
    .rule_count = 4,
    .rules =
        {
            {"phone", PERSON_BIT(PHONE), 15},
            {"email", PERSON_BIT(EMAIL), 15},
            {"age_and_gender", PERSON_BIT(BIRTHDAY) | PERSON_BIT(GENDER), 15},
            {"full_name", PERSON_BIT(FIRST_NAME) | PERSON_BIT(LAST_NAME), 5},
        },
};

int
model_tenths(const struct model *model, unsigned known)
{
    int tenths = 0;

    for (size_t i = 0; i < model->rule_count; i++) {
        const struct model_rule *rule = &model->rules[i];

        tenths += (rule->given & ~known) == 0 ? rule->tenths : 0;
    }
    return tenths;
}

int
model_tenths_max(const struct model *model)
{
    return model_tenths(model, ~0U);
}

void
model_add_points(int tenths, struct buf *out)
{
    buf_add_int(out, tenths / MODEL_TENTHS);
    buf_add_text(out, ".");
    buf_add_int(out, tenths % MODEL_TENTHS);
}
