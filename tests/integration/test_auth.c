/*
 * Tokens of partners and of the admin, over the whole stack. Source:
 * docs/protocol.md, S10.
 */

#include "support/buffer.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/expect.h"
#include "support/stack.h"
#include "support/token.h"

#define HOUR_S 3600

/* With the published salts, as for the known answer. */
static const struct stack_plan plan = {.store = STACK_REDIS_UNIX};

/* With a valid token the score is 0.5, or 42 for the admin. */
#define TAIL                                                                   \
    ", \"method\": \"online_score\", \"arguments\": {\"first_name\": \"a\", "  \
    "\"last_name\": \"b\"}}"

/* members   all but token, method and arguments, each with a comma. */
static struct http_answer
send_token(const struct stack_plan *of, const char *members, const char *token)
{
    struct buffer text = {0};
    struct http_answer answer;

    buffer_printf(&text, "{%s\"token\": \"%s\"" TAIL, members, token);
    answer = expect_post(stack_shared(of)->port, buffer_take(&text));
    return answer;
}

/* The published token of account horns&hoofs, login h&f. */
#define KNOWN                                                                  \
    "55cc9ce545bcd144300fe9efc28e65d415b923ebb6be1e19d2750a2c03e80dd2"         \
    "09a27954dca045e5bb12418e7d89b6d718a9e35af34e14e1d5bcd5a08f21fc95"
#define KNOWN_UPPER                                                            \
    "55CC9CE545BCD144300FE9EFC28E65D415B923EBB6BE1E19D2750A2C03E80DD2"         \
    "09A27954DCA045E5BB12418E7D89B6D718A9E35AF34E14E1D5BCD5A08F21FC95"
#define KNOWN_BUT_LAST                                                         \
    "55cc9ce545bcd144300fe9efc28e65d415b923ebb6be1e19d2750a2c03e80dd2"         \
    "09a27954dca045e5bb12418e7d89b6d718a9e35af34e14e1d5bcd5a08f21fc9"
#define KNOWN_BUT_FIRST                                                        \
    "5cc9ce545bcd144300fe9efc28e65d415b923ebb6be1e19d2750a2c03e80dd2"          \
    "09a27954dca045e5bb12418e7d89b6d718a9e35af34e14e1d5bcd5a08f21fc95"
#define KNOWN_MEMBERS "\"account\": \"horns&hoofs\", \"login\": \"h&f\", "

struct known_case {
    const char *name, *members, *token;
    bool is_right;
};

static const struct known_case known_rows[] = {
    {"known answer", KNOWN_MEMBERS, KNOWN, true},
    {"escaped in the request",
     "\"account\": \"horns\\u0026hoofs\", \"login\": \"\\u0068&f\", ", KNOWN,
     true},
    {"digests go by account and login together",
     "\"account\": \"horns&hoof\", \"login\": \"sh&f\", ", KNOWN, true},
    {"upper case", KNOWN_MEMBERS, KNOWN_UPPER, false},
    {"empty", KNOWN_MEMBERS, "", false},
    {"last digit wrong", KNOWN_MEMBERS, KNOWN_BUT_LAST "4", false},
    {"first digit wrong", KNOWN_MEMBERS, "6" KNOWN_BUT_FIRST, false},
    {"last digit missing", KNOWN_MEMBERS, KNOWN_BUT_LAST, false},
    {"one digit more", KNOWN_MEMBERS, KNOWN "0", false},
    {"NUL behind", KNOWN_MEMBERS, KNOWN "\\u0000", false},
    {"NUL in place of the last digit", KNOWN_MEMBERS, KNOWN_BUT_LAST "\\u0000",
     false},
    {"space behind", KNOWN_MEMBERS, KNOWN " ", false},
    {"another account", "\"account\": \"horns&hoof\", \"login\": \"h&f\", ",
     KNOWN, false},
    {"another login", "\"account\": \"horns&hoofs\", \"login\": \"h&g\", ",
     KNOWN, false},
    {"account with NUL behind",
     "\"account\": \"horns&hoofs\\u0000\", \"login\": \"h&f\", ", KNOWN, false},
    {"login with NUL behind",
     "\"account\": \"horns&hoofs\", \"login\": \"h&f\\u0000\", ", KNOWN, false},
    {"no account", "\"login\": \"h&f\", ", KNOWN, false},
    {"admin with a user's token", "\"login\": \"admin\", ", KNOWN, false},
};

TEST_CASES(known, struct known_case, known_rows)
{
    struct http_answer answer = send_token(&plan, c->members, c->token);

    if (c->is_right)
        expect_score(&answer, 0.5);
    else
        expect_error_text(&answer, 403, "Forbidden");
    http_answer_free(&answer);
}

/* The text of the digest: account + login + salt, as UTF-8 bytes. */
#define BYTES(text) text, sizeof(text) - 1

struct digest_case {
    const char *name, *members, *text;
    size_t length;
};

static const struct digest_case digest_rows[] = {
    {"account absent", "\"login\": \"h&f\", ", BYTES("h&fOtus")},
    {"account null", "\"account\": null, \"login\": \"h&f\", ",
     BYTES("h&fOtus")},
    {"account empty", "\"account\": \"\", \"login\": \"h&f\", ",
     BYTES("h&fOtus")},
    {"login empty", "\"account\": \"a\", \"login\": \"\", ", BYTES("aOtus")},
    {"both empty", "\"login\": \"\", ", BYTES("Otus")},
    {"NUL in the account", "\"account\": \"a\\u0000b\", \"login\": \"c\", ",
     BYTES("a\0bcOtus")},
    {"NUL in the login", "\"account\": \"a\", \"login\": \"\\u0000\", ",
     BYTES("a\0Otus")},
    {"not ASCII",
     "\"account\": \"\xd1\x80\xd0\xbe\xd0\xb3\xd0\xb0\", \"login\": "
     "\"\\u20ac\\ud83d\\ude00\", ",
     BYTES("\xd1\x80\xd0\xbe\xd0\xb3\xd0\xb0\xe2\x82\xac\xf0\x9f\x98\x80"
           "Otus")},
    {"login in capitals is a user", "\"login\": \"Admin\", ",
     BYTES("AdminOtus")},
    {"admin with NUL behind is a user", "\"login\": \"admin\\u0000\", ",
     BYTES("admin\0Otus")},
    {"last of a repeated member", "\"login\": \"x\", \"login\": \"h&f\", ",
     BYTES("h&fOtus")},
};

TEST_CASES(digest, struct digest_case, digest_rows)
{
    char token[TOKEN_LENGTH + 1];
    struct http_answer answer;

    token_digest(c->text, c->length, token);
    answer = send_token(&plan, c->members, token);
    expect_score(&answer, 0.5);
    http_answer_free(&answer);
}

/* The admin's token, of the local hour. */
struct admin_case {
    const char *name, *members, *salt;
    int hours; /* from now */
    bool is_right;
};

static const struct admin_case admin_rows[] = {
    {"this hour", "\"login\": \"admin\", ", TOKEN_ADMIN_SALT, 0, true},
    {"with an account", "\"account\": \"x\", \"login\": \"admin\", ",
     TOKEN_ADMIN_SALT, 0, true},
    {"account null", "\"account\": null, \"login\": \"admin\", ",
     TOKEN_ADMIN_SALT, 0, true},
    {"last hour", "\"login\": \"admin\", ", TOKEN_ADMIN_SALT, -1, false},
    {"next hour", "\"login\": \"admin\", ", TOKEN_ADMIN_SALT, 1, false},
    {"this hour yesterday", "\"login\": \"admin\", ", TOKEN_ADMIN_SALT, -24,
     false},
    {"this hour of UTC", "\"login\": \"admin\", ", TOKEN_ADMIN_SALT, -3, false},
    {"by the users' salt", "\"login\": \"admin\", ", TOKEN_SALT, 0, false},
    {"for another login", "\"login\": \"adm\", ", TOKEN_ADMIN_SALT, 0, false},
};

static void
check_admin(const struct stack_plan *of, const struct admin_case *c)
{
    char token[TOKEN_LENGTH + 1];
    struct http_answer answer;

    token_admin(clock_steady_now() + c->hours * HOUR_S, c->salt, token);
    answer = send_token(of, c->members, token);
    if (c->is_right)
        expect_score(&answer, 42);
    else
        expect_error_text(&answer, 403, "Forbidden");
    http_answer_free(&answer);
}

TEST_CASES(admin, struct admin_case, admin_rows)
{
    check_admin(&plan, c);
}

/* A token by the partners' rule is not valid for the admin. */
TEST_SINGLE(admin_as_user, "admin by the users' rule")
{
    char token[TOKEN_LENGTH + 1];
    struct http_answer answer;

    token_user("", "admin", TOKEN_SALT, token);
    answer = send_token(&plan, "\"login\": \"admin\", ", token);
    expect_error_text(&answer, 403, "Forbidden");
    http_answer_free(&answer);
}

/* Lists of salts, while they are being changed, and an hour of grace. */
static const char *const rotating[] = {"SCORING_SALT=new,old",
                                       "SCORING_ADMIN_SALT=43,44",
                                       "SCORING_ADMIN_GRACE_S=3600", NULL};
static const struct stack_plan rotating_plan = {.store = STACK_REDIS_UNIX,
                                                .environment = rotating};

struct salt_case {
    const char *name, *salt;
    bool is_right;
};

static const struct salt_case salt_rows[] = {
    {"new", "new", true},
    {"old", "old", true},
    {"published", TOKEN_SALT, false},
    {"the list as it is", "new,old", false},
    {"none", "", false},
};

TEST_CASES(salt, struct salt_case, salt_rows)
{
    char token[TOKEN_LENGTH + 1];
    struct http_answer answer;

    token_user("a", "b", c->salt, token);
    answer = send_token(&rotating_plan,
                        "\"account\": \"a\", \"login\": \"b\", ", token);
    if (c->is_right)
        expect_score(&answer, 0.5);
    else
        expect_error_text(&answer, 403, "Forbidden");
    http_answer_free(&answer);
}

static const struct admin_case grace_rows[] = {
    {"new salt", "\"login\": \"admin\", ", "43", 0, true},
    {"old salt", "\"login\": \"admin\", ", "44", 0, true},
    {"published salt", "\"login\": \"admin\", ", TOKEN_ADMIN_SALT, 0, false},
    {"last hour within the grace", "\"login\": \"admin\", ", "43", -1, true},
    {"last hour, old salt", "\"login\": \"admin\", ", "44", -1, true},
    {"hour before the last", "\"login\": \"admin\", ", "43", -2, false},
    {"next hour", "\"login\": \"admin\", ", "43", 1, false},
};

TEST_CASES(grace, struct admin_case, grace_rows)
{
    check_admin(&rotating_plan, c);
}
