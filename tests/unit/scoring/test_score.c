/*
 * The score of every kind of person; weights from docs/protocol.md,
 * "online_score", added up by hand.
 */
#include "scoring/score.h"
#include "support/cases.h"

struct score_case {
    const char *name;
    struct score_facts facts;
    int want;
};

static const struct score_case score_rows[] = {
    {"nothing", {.phone = false}, 0},
    {"phone", {.phone = true}, 15},
    {"email", {.email = true}, 15},
    {"phone and email", {.phone = true, .email = true}, 30},
    {"first name alone", {.first_name = true}, 0},
    {"last name alone", {.last_name = true}, 0},
    {"both names", {.first_name = true, .last_name = true}, 5},
    {"birthday alone", {.birthday = true}, 0},
    {"gender alone", {.gender = true}, 0},
    {"birthday and gender", {.birthday = true, .gender = true}, 15},
    {"halves of two pairs", {.first_name = true, .gender = true}, 0},
    {"other halves", {.last_name = true, .birthday = true}, 0},
    {"names, birthday, gender",
     {.first_name = true, .last_name = true, .birthday = true, .gender = true},
     20},
    {"phone and names",
     {.phone = true, .first_name = true, .last_name = true},
     20},
    {"email, birthday, gender",
     {.email = true, .birthday = true, .gender = true},
     30},
    {"all but the gender",
     {.phone = true,
      .email = true,
      .first_name = true,
      .last_name = true,
      .birthday = true},
     35},
    {"all but a name",
     {.phone = true,
      .email = true,
      .last_name = true,
      .birthday = true,
      .gender = true},
     45},
    {"everything",
     {.phone = true,
      .email = true,
      .first_name = true,
      .last_name = true,
      .birthday = true,
      .gender = true},
     50},
};

TEST_CASES(score, struct score_case, score_rows)
{
    CU_ASSERT_EQUAL(score_tenths(&c->facts), c->want);
}
