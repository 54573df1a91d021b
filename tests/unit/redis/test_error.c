/*
 * What error replies are told as: the code is, the rest never is. Source:
 * docs/protocol.md, which lets no value or password into the log.
 */
#include "redis/error.h"
#include "support/cases.h"
#include "unit/suites.h"

struct text_case {
    const char *name, *error, *want;
};

static const struct text_case text_rows[] = {
    {"wrong password", "WRONGPASS invalid username-password pair",
     "the password was refused (WRONGPASS)"},
    {"no password", "NOAUTH Authentication required.",
     "a password is needed (NOAUTH)"},
    {"loading", "LOADING Redis is loading the dataset in memory",
     "the server answered LOADING"},
    {"code alone", "READONLY", "the server answered READONLY"},
    {"code cut short", "READONL", "the server answered with an error"},
    {"code in lower case", "readonly", "the server answered with an error"},
    {"code in the middle", "ERR OOM", "the server answered with an error"},
    {"Redis 6 without a password",
     "ERR AUTH <password> called without any password configured",
     "a password was given, but the server has none"},
    {"Redis 5 without a password",
     "ERR Client sent AUTH, but no password is set",
     "a password was given, but the server has none"},
    {"what was sent is not repeated", "ERR unknown command 'secret'",
     "the server answered with an error"},
    {"empty", "", "the server answered with an error"},
};

TEST_CASES(text, struct text_case, text_rows)
{
    CU_ASSERT_STRING_EQUAL(redis_error_text(c->error), c->want);
}

struct starts_case {
    const char *name, *error;
    bool want;
};

static const struct starts_case starts_rows[] = {
    {"with more", "NOPERM no", true},
    {"alone", "NOPERM", true},
    {"cut short", "NOPER", false},
    {"later", " NOPERM", false},
};

TEST_CASES(starts, struct starts_case, starts_rows)
{
    CU_ASSERT_EQUAL(redis_error_starts(c->error, "NOPERM"), c->want);
}

void
suite_redis_error(void)
{
    CU_pSuite suite = cases_suite("redis_error");

    cases_add(suite, &text_cases);
    cases_add(suite, &starts_cases);
}
