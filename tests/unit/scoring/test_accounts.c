/*
 * The file of accounts: valid content, each fault, and looking up an account.
 * Source: docs/protocol.md, S11.
 */
#include <stdio.h>
#include <stdlib.h>

#include "scoring/accounts.h"
#include "support/buffer.h"
#include "support/cases.h"

#define TEXT(literal)                                                          \
    {                                                                          \
        literal, sizeof(literal) - 1                                           \
    }

static const struct auth_salts admin_salts = {2, {{"42", 2}, {"hidDEN", 6}}};

#define ONE(members) "{\"acme\": {\"salts\": [\"s\"]" members "}}"
#define NAMED(name)  "{\"" name "\": {\"salts\": [\"s\"]}}"

#define BYTES_16 "0123456789abcdef"
#define BYTES_256                                                              \
    BYTES_16 BYTES_16 BYTES_16 BYTES_16 BYTES_16 BYTES_16 BYTES_16 BYTES_16    \
        BYTES_16 BYTES_16 BYTES_16 BYTES_16 BYTES_16 BYTES_16 BYTES_16         \
            BYTES_16

/* One account, and its values. */
struct good_case {
    const char *name, *text;
    struct bytes account;
    size_t salts;
    uint64_t methods; /* bits, in the order of the API's table */
    int64_t rate, burst;
    bool is_disabled;
};

static const struct good_case good_rows[] = {
    {"salts alone", ONE(""), TEXT("acme"), 1, UINT64_MAX, 0, 0, false},
    {"everything",
     "{\"horns&hoofs\": {\"salts\": [\"new\", \"old\"], \"methods\": "
     "[\"online_score\"], \"rate\": 50, \"burst\": 100, \"disabled\": true}}",
     TEXT("horns&hoofs"), 2, 1, 50, 100, true},
    {"the burst is the rate", ONE(", \"rate\": 50"), TEXT("acme"), 1,
     UINT64_MAX, 50, 50, false},
    {"the smallest limits", ONE(", \"burst\": 1, \"rate\": 1"), TEXT("acme"), 1,
     UINT64_MAX, 1, 1, false},
    {"the largest limits", ONE(", \"rate\": 1000000, \"burst\": 1000000"),
     TEXT("acme"), 1, UINT64_MAX, 1000000, 1000000, false},
    {"not disabled", ONE(", \"disabled\": false"), TEXT("acme"), 1, UINT64_MAX,
     0, 0, false},
    {"no method at all", ONE(", \"methods\": []"), TEXT("acme"), 1, 0, 0, 0,
     false},
    {"two methods, one of them twice",
     ONE(", \"methods\": [\"clients_interests\", \"online_score\", "
         "\"online_score\"]"),
     TEXT("acme"), 1, 3, 0, 0, false},
    {"escaped names of members",
     "{\"\\u0061cme\": {\"s\\u0061lts\": [\"\\u0073\"]}}", TEXT("acme"), 1,
     UINT64_MAX, 0, 0, false},
    {"blanks and lines everywhere",
     " \n{ \"acme\" :\r\n{\t\"salts\" : [ \"s\" ] } } \n", TEXT("acme"), 1,
     UINT64_MAX, 0, 0, false},
    {"an empty name", NAMED(""), TEXT(""), 1, UINT64_MAX, 0, 0, false},
    {"a quote and a backslash", NAMED("\\\"\\\\"), TEXT("\"\\"), 1, UINT64_MAX,
     0, 0, false},
    {"Cyrillic", NAMED("\xd1\x80\xd0\xbe\xd0\xb3\xd0\xb0"),
     TEXT("\xd1\x80\xd0\xbe\xd0\xb3\xd0\xb0"), 1, UINT64_MAX, 0, 0, false},
    {"256 bytes", NAMED(BYTES_256), TEXT(BYTES_256), 1, UINT64_MAX, 0, 0,
     false},
    {"16 salts",
     "{\"acme\": {\"salts\": [\"a\", \"b\", \"c\", \"d\", \"e\", \"f\", \"g\", "
     "\"h\", \"i\", \"j\", \"k\", \"l\", \"m\", \"n\", \"o\", \"p\"]}}",
     TEXT("acme"), 16, UINT64_MAX, 0, 0, false},
};

TEST_CASES(good, struct good_case, good_rows)
{
    struct buf errors = {0};
    struct accounts *accounts =
        accounts_read(bytes_of(c->text), &admin_salts, &errors);
    const struct auth_salts *salts = NULL;
    const struct account *account;

    CU_ASSERT_PTR_NOT_NULL_FATAL(accounts);
    CU_ASSERT_EQUAL(errors.length, 0);
    CU_ASSERT_EQUAL(accounts_count(accounts), 1);
    account = accounts_find(accounts, c->account, &salts);
    CU_ASSERT_PTR_NOT_NULL_FATAL(account);
    CU_ASSERT_PTR_EQUAL(account, accounts_get(accounts, 0));
    CU_ASSERT_PTR_EQUAL(salts, &account->salts);
    CU_ASSERT_TRUE(bytes_equal(account->name, c->account));
    CU_ASSERT_EQUAL(account->salts.count, c->salts);
    CU_ASSERT_EQUAL(account->methods, c->methods);
    CU_ASSERT_EQUAL(account->rate, c->rate);
    CU_ASSERT_EQUAL(account->burst, c->burst);
    CU_ASSERT_EQUAL(account->limit.interval_ns > 0, c->rate > 0);
    CU_ASSERT_EQUAL(account->is_disabled, c->is_disabled);
    CU_ASSERT_EQUAL(account->place, ACCOUNT_NO_PLACE);
    accounts_free(accounts);
    buf_free(&errors);
}

struct bad_case {
    const char *name;
    struct bytes text;
    const char *want; /* all lines */
};

#define SALTS "account \"acme\": salts: "
#define CLASH                                                                  \
    "no salt may be equal to, or the end of, one of the admin's, nor have "    \
    "one of these at its end\n"
#define NUMBER           "must be an integer from 1 to 1000000\n"
#define BAD_SALTS(value) TEXT("{\"acme\": {\"salts\": " value "}}")
#define BAD(members)     TEXT(ONE(members))

static const struct bad_case bad_rows[] = {
    {"nothing", TEXT(""), "line 1: no value in the text\n"},
    {"a byte order mark", TEXT("\xef\xbb\xbf{}"), "line 1: byte order mark\n"},
    {"no JSON", TEXT("{\n\"acme\": {\n'salts': []}}"),
     "line 3: a member name in double quotes was expected\n"},
    {"text after it", TEXT("{}\n\n{}"), "line 3: text after the value\n"},
    {"invalid UTF-8", TEXT("{\"\xff\": {}}"), "line 1: invalid UTF-8\n"},
    {"an array", TEXT("\n[]"),
     "line 2: the file must be an object of "
     "accounts\n"},
    {"null", TEXT("null"), "line 1: the file must be an object of accounts\n"},
    {"an account that is no object", TEXT("{\n\"acme\": [\"s\"]}"),
     "line 2: account \"acme\": must be an object\n"},
    {"an account that is null", TEXT("{\"acme\": null}"),
     "line 1: account \"acme\": must be an object\n"},
    {"an account twice",
     TEXT("{\"acme\": {\"salts\": [\"s\"]},\n\"acm\\u0065\": {\"salts\": "
          "[\"t\"]}}"),
     "line 2: account \"acme\": is repeated\n"},
    {"no salts", TEXT("{\"acme\": {}}"), "line 1: " SALTS "is required\n"},
    {"salts that are null", BAD_SALTS("null"),
     "line 1: " SALTS "must be an array of texts\n"},
    {"salts that are a text", BAD_SALTS("\"s\""),
     "line 1: " SALTS "must be an array of texts\n"},
    {"salts of numbers", BAD_SALTS("[\"s\",\n1]"),
     "line 2: " SALTS "must be an array of texts\n"},
    {"salts that are none", BAD_SALTS("[]"),
     "line 1: " SALTS "must be at least one text, the newest first\n"},
    {"an empty salt", BAD_SALTS("[\"s\", \"\"]"),
     "line 1: " SALTS "a salt must not be empty\n"},
    {"17 salts",
     BAD_SALTS(
         "[\"a\", \"b\", \"c\", \"d\", \"e\", \"f\", \"g\", \"h\", \"i\", "
         "\"j\", \"k\", \"l\", \"m\", \"n\", \"o\", \"p\", \"q\"]"),
     "line 1: " SALTS "must be at most 16 texts\n"},
    {"a salt of the admin's", BAD_SALTS("[\"s\", \"42\"]"),
     "line 1: " SALTS CLASH},
    {"a salt that ends with one", BAD_SALTS("[\"x42\"]"),
     "line 1: " SALTS CLASH},
    {"a salt that is the end of one", BAD_SALTS("[\"DEN\"]"),
     "line 1: " SALTS CLASH},
    {"methods that are null", BAD(", \"methods\": null"),
     "line 1: account \"acme\": methods: must be an array of names of "
     "methods\n"},
    {"a method that there is not",
     BAD(", \"methods\": [\"online_score\", \"online_scor\"]"),
     "line 1: account \"acme\": methods: there is no such method\n"},
    {"a method that is a number", BAD(", \"methods\": [1]"),
     "line 1: account \"acme\": methods: there is no such method\n"},
    {"a rate of 0", BAD(", \"rate\": 0"),
     "line 1: account \"acme\": rate: " NUMBER},
    {"a rate beyond the largest", BAD(", \"rate\": 1000001"),
     "line 1: account \"acme\": rate: " NUMBER},
    {"a rate of very many digits", BAD(", \"rate\": 11111111111111111111"),
     "line 1: account \"acme\": rate: " NUMBER},
    {"a negative rate", BAD(", \"rate\": -1"),
     "line 1: account \"acme\": rate: " NUMBER},
    {"half a request", BAD(", \"rate\": 0.5"),
     "line 1: account \"acme\": rate: " NUMBER},
    {"a rate as a text", BAD(", \"rate\": \"5\""),
     "line 1: account \"acme\": rate: " NUMBER},
    {"a rate that is null", BAD(", \"rate\": null"),
     "line 1: account \"acme\": rate: " NUMBER},
    {"a burst of 0", BAD(", \"rate\": 1, \"burst\": 0"),
     "line 1: account \"acme\": burst: " NUMBER},
    {"a burst without a rate", BAD(", \"burst\": 1"),
     "line 1: account \"acme\": burst: goes with rate\n"},
    {"disabled by a number", BAD(", \"disabled\": 1"),
     "line 1: account \"acme\": disabled: must be true or false\n"},
    {"an unknown member", BAD(",\n\"Rate\": 1"),
     "line 2: account \"acme\": \"Rate\": there is no such member\n"},
    {"salts twice", BAD(", \"salts\": [\"t\"]"),
     "line 1: account \"acme\": salts: is repeated\n"},
    {"methods twice", BAD(", \"methods\": [], \"methods\": []"),
     "line 1: account \"acme\": methods: is repeated\n"},
    {"a rate twice", BAD(", \"rate\": 1, \"rate\": 1"),
     "line 1: account \"acme\": rate: is repeated\n"},
    {"a burst twice", BAD(", \"rate\": 1, \"burst\": 1, \"burst\": 1"),
     "line 1: account \"acme\": burst: is repeated\n"},
    {"disabled twice", BAD(", \"disabled\": true, \"disabled\": false"),
     "line 1: account \"acme\": disabled: is repeated\n"},
    {"257 bytes", TEXT(NAMED(BYTES_256 "x")),
     "line 1: account \"" BYTES_256 "x\": the name has more than 256 bytes\n"},
    {"a control character", TEXT(NAMED("a\\u000ab")),
     "line 1: account \"a\\u000ab\": the name has a control character\n"},
    {"a NUL", TEXT(NAMED("\\u0000")),
     "line 1: account \"\\u0000\": the name has a control character\n"},
    {"a control character beyond ASCII", TEXT(NAMED("\\u0085")),
     "line 1: account \"\\u0085\": the name has a control character\n"},
    {"a name that is escaped where it is shown", TEXT("{\"\\\"a\\\\\": 1}"),
     "line 1: account \"\\\"a\\\\\": must be an object\n"},
    {"a salt of two accounts",
     TEXT("{\"a\": {\"salts\": [\"t\", \"s\"]},\n\"b\": {\"salts\": [\"u\", "
          "\"s\"]}}"),
     "line 2: account \"b\": salts: one of them is a salt of the account of "
     "line 1, too\n"},
    {"a name and a member", TEXT("{\"a\\u000ab\": {\"salts\": [1]}}"),
     "line 1: account \"a\\u000ab\": the name has a control character\n"
     "line 1: account \"a\\u000ab\": salts: must be an array of texts\n"},
    {"an account twice, and a member of the second",
     TEXT("{\"acme\": {\"salts\": [\"s\"]},\n\"acme\": {\"salts\": []}}"),
     "line 2: account \"acme\": is repeated\n"
     "line 2: " SALTS "must be at least one text, the newest first\n"},
    {"all members of an account",
     TEXT("{\"acme\": {\"salts\": \"s\", \"methods\": 1,\n\"rate\": 0, "
          "\"burst\": 0, \"disabled\": 0, \"x\": 0}}"),
     "line 1: " SALTS "must be an array of texts\n"
     "line 1: account \"acme\": methods: must be an array of names of "
     "methods\n"
     "line 2: account \"acme\": rate: " NUMBER
     "line 2: account \"acme\": burst: " NUMBER
     "line 2: account \"acme\": disabled: must be true or false\n"
     "line 2: account \"acme\": \"x\": there is no such member\n"},
    {"all faults of all accounts",
     TEXT("{\"a\": {\"rate\": 0, \"burst\": \"x\"},\n\"b\": []}"),
     "line 1: account \"a\": rate: " NUMBER
     "line 1: account \"a\": burst: " NUMBER
     "line 1: account \"a\": salts: is required\n"
     "line 2: account \"b\": must be an object\n"},
    {"a wrong rate, and a burst",
     TEXT("{\"acme\": {\"salts\": [\"s\"], \"rate\": 0, \"burst\": 1}}"),
     "line 1: account \"acme\": rate: " NUMBER},
    {"an account twice, and a salt of two, after a fault",
     TEXT("{\"a\": {\"salts\": [\"s\"], \"x\": 1},\n\"b\": {\"salts\": "
          "[\"t\"]},\n\"b\": {\"salts\": [\"u\"]},\n\"c\": {\"salts\": "
          "[\"s\"]}}"),
     "line 1: account \"a\": \"x\": there is no such member\n"
     "line 3: account \"b\": is repeated\n"
     "line 4: account \"c\": salts: one of them is a salt of the account of "
     "line 1, too\n"},
};

TEST_CASES(bad, struct bad_case, bad_rows)
{
    struct buf errors = {0};

    CU_ASSERT_PTR_NULL(accounts_read(c->text, &admin_salts, &errors));
    buf_add(&errors, "", 1);
    CU_ASSERT_STRING_EQUAL(errors.data, c->want);
    buf_free(&errors);
}

/* A file of so many accounts, a0 and so on, each with its own salt. */
static struct accounts *
accounts_many(int count, const char *members, struct buf *errors)
{
    struct buffer text = {0};
    struct accounts *accounts;

    buffer_add_text(&text, "{");
    for (int i = 0; i < count; i++)
        buffer_printf(&text, "%s\n\"a%d\": {\"salts\": [\"salt of %d.\"]%s}",
                      i > 0 ? "," : "", i, i, members);
    buffer_add_text(&text, "}");
    accounts =
        accounts_read(bytes_of(buffer_text(&text)), &admin_salts, errors);
    buffer_free(&text);
    return accounts;
}

TEST_SINGLE(none, "no account at all: nobody is found, and there are salts")
{
    struct buf errors = {0};
    struct accounts *accounts = accounts_many(0, "", &errors);
    const struct auth_salts *salts = NULL;

    CU_ASSERT_PTR_NOT_NULL_FATAL(accounts);
    CU_ASSERT_EQUAL(accounts_count(accounts), 0);
    CU_ASSERT_PTR_NULL(accounts_find(accounts, bytes_of(""), &salts));
    CU_ASSERT_PTR_NOT_NULL_FATAL(salts);
    CU_ASSERT_EQUAL(salts->count, 1);
    accounts_free(accounts);
}

TEST_SINGLE(most, "1024 accounts, each found, and none beside them")
{
    static const char *const strangers[] = {"", "a", "a1024", "A0", "a00"};
    struct buf errors = {0};
    struct accounts *accounts = accounts_many(1024, "", &errors);
    const struct auth_salts *salts;
    char name[16];

    CU_ASSERT_PTR_NOT_NULL_FATAL(accounts);
    for (size_t i = 0; i < 1024; i++) {
        (void)snprintf(name, sizeof(name), "a%zu", i);
        CU_ASSERT_PTR_EQUAL(accounts_find(accounts, bytes_of(name), &salts),
                            accounts_get(accounts, i));
    }
    for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
        salts = NULL;
        CU_ASSERT_PTR_NULL(
            accounts_find(accounts, bytes_of(strangers[i]), &salts));
        CU_ASSERT_TRUE(salts != NULL && salts->count == 1);
    }
    accounts_free(accounts);
}

TEST_SINGLE(too_many, "1025 accounts")
{
    struct buf errors = {0};

    CU_ASSERT_PTR_NULL(accounts_many(1025, "", &errors));
    buf_add(&errors, "", 1);
    CU_ASSERT_STRING_EQUAL(errors.data, "line 1026: more than 1024 accounts\n");
    buf_free(&errors);
}

TEST_SINGLE(many_faults, "of many faults twenty are told, and how many more")
{
    struct buf errors = {0};
    size_t lines = 0;

    CU_ASSERT_PTR_NULL(accounts_many(25, ", \"rate\": 0", &errors));
    buf_add(&errors, "", 1);
    for (const char *at = errors.data; *at != '\0'; at++)
        lines += *at == '\n';
    CU_ASSERT_EQUAL(lines, 21);
    CU_ASSERT_PTR_NOT_NULL(strstr(errors.data, "\n5 more faults\n"));
    buf_free(&errors);
}

TEST_SINGLE(secret, "no line about a fault has a salt")
{
    static const char text[] =
        "{\"a\": {\"salts\": [\"SECRET\"], \"rate\": \"SECRET\"},"
        "\"b\": {\"salts\": [\"SECRET\"], \"methods\": [\"SECRET\"]},"
        "\"c\": {\"salts\": \"SECRET\"}, \"d\": \"SECRET\","
        "\"e\": {\"salts\": [\"SECRET42\", [\"SECRET\"]]}}";
    struct buf errors = {0};

    CU_ASSERT_PTR_NULL(accounts_read(bytes_of(text), &admin_salts, &errors));
    buf_add(&errors, "", 1);
    CU_ASSERT_PTR_NULL(strstr(errors.data, "SECRET"));
    CU_ASSERT_PTR_NOT_NULL(strstr(errors.data, "account \"d\""));
    buf_free(&errors);
}

/* S11.4: nobody can choose names that collide. */
#define KEYED_TIMES 20

TEST_SINGLE(keyed, "each reading has another key of the hash")
{
    char first[32] = "", salt[32];
    size_t others = 0;

    for (int i = 0; i < KEYED_TIMES; i++) {
        struct buf errors = {0};
        struct accounts *accounts = accounts_many(64, "", &errors);
        const struct auth_salts *salts = NULL;

        CU_ASSERT_PTR_NOT_NULL_FATAL(accounts);
        CU_ASSERT_PTR_NULL(accounts_find(accounts, bytes_of("b"), &salts));
        CU_ASSERT_PTR_NOT_NULL_FATAL(salts);
        (void)snprintf(salt, sizeof(salt), "%.*s", (int)salts->item[0].length,
                       salts->item[0].at);
        if (i == 0)
            (void)snprintf(first, sizeof(first), "%s", salt);
        others += strcmp(first, salt) != 0;
        accounts_free(accounts);
    }
    CU_ASSERT_TRUE(others > 0);
}

TEST_SINGLE(with_salt, "the account that has a salt")
{
    struct buf errors = {0};
    struct accounts *accounts = accounts_many(3, "", &errors);

    CU_ASSERT_PTR_NOT_NULL_FATAL(accounts);
    CU_ASSERT_PTR_EQUAL(accounts_with_salt(accounts, bytes_of("salt of 2.")),
                        accounts_get(accounts, 2));
    CU_ASSERT_PTR_NULL(accounts_with_salt(accounts, bytes_of("salt of 3.")));
    accounts_free(accounts);
}
