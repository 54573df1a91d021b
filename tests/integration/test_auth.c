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

#define KNOWN_MEMBERS "\"account\": \"horns&hoofs\", \"login\": \"h&f\", "

struct known_case {
    const char *name, *members, *token;
    bool is_right;
};

static const struct known_case known_rows[] = {
    {"known answer", KNOWN_MEMBERS, TOKEN_KNOWN, true},
    {"escaped in the request",
     "\"account\": \"horns\\u0026hoofs\", \"login\": \"\\u0068&f\", ",
     TOKEN_KNOWN, true},
    {"digests go by account and login together",
     "\"account\": \"horns&hoof\", \"login\": \"sh&f\", ", TOKEN_KNOWN, true},
    {"upper case", KNOWN_MEMBERS, TOKEN_KNOWN_UPPER, false},
    {"empty", KNOWN_MEMBERS, "", false},
    {"last digit wrong", KNOWN_MEMBERS, "5" TOKEN_KNOWN_MIDDLE "4", false},
    {"first digit wrong", KNOWN_MEMBERS, "6" TOKEN_KNOWN_MIDDLE "5", false},
    {"last digit missing", KNOWN_MEMBERS, "5" TOKEN_KNOWN_MIDDLE, false},
    {"one digit more", KNOWN_MEMBERS, TOKEN_KNOWN "0", false},
    {"NUL behind", KNOWN_MEMBERS, TOKEN_KNOWN "\\u0000", false},
    {"NUL in place of the last digit", KNOWN_MEMBERS,
     "5" TOKEN_KNOWN_MIDDLE "\\u0000", false},
    {"space behind", KNOWN_MEMBERS, TOKEN_KNOWN " ", false},
    {"another account", "\"account\": \"horns&hoof\", \"login\": \"h&f\", ",
     TOKEN_KNOWN, false},
    {"another login", "\"account\": \"horns&hoofs\", \"login\": \"h&g\", ",
     TOKEN_KNOWN, false},
    {"account with NUL behind",
     "\"account\": \"horns&hoofs\\u0000\", \"login\": \"h&f\", ", TOKEN_KNOWN,
     false},
    {"login with NUL behind",
     "\"account\": \"horns&hoofs\", \"login\": \"h&f\\u0000\", ", TOKEN_KNOWN,
     false},
    {"no account", "\"login\": \"h&f\", ", TOKEN_KNOWN, false},
    {"admin with a user's token", "\"login\": \"admin\", ", TOKEN_KNOWN, false},
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
