/*
 * The score of every kind of person; points from docs/protocol.md, "Model",
 * added up by hand.
 */
#include "scoring/model.h"
#include "scoring/person.h"
#include "support/cases.h"

#define PHONE      PERSON_BIT(PHONE)
#define EMAIL      PERSON_BIT(EMAIL)
#define FIRST_NAME PERSON_BIT(FIRST_NAME)
#define LAST_NAME  PERSON_BIT(LAST_NAME)
#define BIRTHDAY   PERSON_BIT(BIRTHDAY)
#define GENDER     PERSON_BIT(GENDER)

struct score_case {
    const char *name;
    unsigned known;
    int want;
};

static const struct score_case score_rows[] = {
    {"nothing", 0, 0},
    {"phone", PHONE, 15},
    {"email", EMAIL, 15},
    {"phone and email", PHONE | EMAIL, 30},
    {"first name alone", FIRST_NAME, 0},
    {"last name alone", LAST_NAME, 0},
    {"both names", FIRST_NAME | LAST_NAME, 5},
    {"birthday alone", BIRTHDAY, 0},
    {"gender alone", GENDER, 0},
    {"birthday and gender", BIRTHDAY | GENDER, 15},
    {"halves of two pairs", FIRST_NAME | GENDER, 0},
    {"other halves", LAST_NAME | BIRTHDAY, 0},
    {"names, birthday, gender", FIRST_NAME | LAST_NAME | BIRTHDAY | GENDER, 20},
    {"phone and names", PHONE | FIRST_NAME | LAST_NAME, 20},
    {"email, birthday, gender", EMAIL | BIRTHDAY | GENDER, 30},
    {"all but the gender", PHONE | EMAIL | FIRST_NAME | LAST_NAME | BIRTHDAY,
     35},
    {"all but a name", PHONE | EMAIL | LAST_NAME | BIRTHDAY | GENDER, 45},
    {"everything", PHONE | EMAIL | FIRST_NAME | LAST_NAME | BIRTHDAY | GENDER,
     50},
};

TEST_CASES(score, struct score_case, score_rows)
{
    CU_ASSERT_EQUAL(model_tenths(&model_published, c->known), c->want);
}
