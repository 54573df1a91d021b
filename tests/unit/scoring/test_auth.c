/*
 * Tokens and keyed digests. The first token is the published known answer. The
 * others were made with printf TEXT | sha512sum, with the text that is above
 * each; the keyed digests with openssl dgst, and from RFC 4231.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "scoring/auth.h"
#include "support/calls.h"
#include "support/cases.h"
#include "support/token.h"

#define TEXT(literal)                                                          \
    {                                                                          \
        literal, sizeof(literal) - 1                                           \
    }

/* h&fOtus */
#define NO_ACCOUNT                                                             \
    "6db8f123a0426e914c7f5f5bb8641f8c9156fc22f31c1ed7cf40b97bd32da3bf"         \
    "dcca3bdf3c1d2bbc8238be8ede0c40b2e01c7d648ad15619606ab363fed54023"
/* Otus */
#define NOTHING                                                                \
    "fe5626b5d0dd3502e7e6fcfcfaeadcb32c63bd8697150e2949696cd02f8a4e12"         \
    "7720c73dc5216cb2a8fa3268f181f70603ec9e73f96281662e768615fdfe7cc9"
/* horns&hoofsh&fnew */
#define BY_NEW                                                                 \
    "260ef738b25e532110940077c44676e81a0bb8766e355d02726f329487d51b64"         \
    "eb08de48a3f29895c7b3440bae2e60c9c5241af36c90b6f7a90f907981e3e4b8"
/* horns&hoofsh&fold */
#define BY_OLD                                                                 \
    "8dc0c1e71c867a25be8f8d8dff2b45147953c00a81d3b657484119e9c98d1f40"         \
    "cc010df2ab9b93caca4e7c2afef6660fd8ffc37fce6c8959c227a18d15c9be00"
/* a\0bh&fOtus */
#define ACCOUNT_NUL                                                            \
    "4030a27179338192917636b14126fd752b9a1a08244ad9cef7239bcf92c854c1"         \
    "0fbec41c9cf42f0efad2569ddf1d4124b07f6b91643475d77fb38d57f3394b62"
/* ah&fOtus */
#define ACCOUNT_CUT                                                            \
    "1fcd93c26cf9a21cb5841f5f915636f03cb1095dbf31c33e8015a3352580167a"         \
    "cea43611ac094301a62655fae41152a01e102215f1b48838adfc62112a6ff017"
/* horns&hoofsh\0fOtus */
#define LOGIN_NUL                                                              \
    "9971546560d5972308d1a61ef861adb43f0ba92f6c769f4c8e2b005db845fcdf"         \
    "ce2316fdb41632df6419789a4c24f0cc148ba4ee77b874936d80cc277b55ce31"
/* рогакопытаOtus */
#define UTF8                                                                   \
    "9bffbb0787641380d8b61a0e1c641e1f2f58dca103548817d5bc1eb40ebab8bb"         \
    "90c4f250b6472b9e0bcaa71898907fb22ed35d121d547b86a0361b769ae0be2e"
/* AdminOtus */
#define CAPITAL_ADMIN                                                          \
    "bdab303ae743e7c8f9da6a289ef2bfcdde2ba401761d1ec53c55dba27b6aedee"         \
    "425694e5213af60585b44910f06bf6d2aca6b4a5023372f2ef4b6d8852a5f622"
/* admin\0Otus */
#define ADMIN_NUL                                                              \
    "e7652d515ded115be1de2b874add12df682af62227f546bae4b63851664e7657"         \
    "ec68e633d5928d7b39726e254297fd10439245af14e5a2fc051b589fad4aab31"
/* adminOtus */
#define ADMIN_AS_USER                                                          \
    "4515dc7c7c40e92087a1657c94889d8e4ff95a2623ae972d6b93a12e8fe9469d"         \
    "725efd674a911e60854460e2ea1176fc0e171bd187850f44cfab316824c291f9"
/* 202312312242 */
#define HOUR_2023123122                                                        \
    "7a85f2e04a1825be8df74ffc389cc1bd677b5b9e682fe91fb7c0ca9dbc6451af"         \
    "e656a7c674cd020e66eadc4cd6a1d232c31bd9af060c017290e76d57b76a82bf"
/* 202312312342 */
#define HOUR_2023123123                                                        \
    "5aff50cc6d88a411652ed0c94dd0556e8af26c546bcb191f6f8e24cc5901db50"         \
    "6fd965c8ac8565b141a718249e67cb7e0cf2928f425cbc69ebeb1416d91d6fe6"
/* 202401010042 */
#define HOUR_2024010100                                                        \
    "c179d9bbba7eeed51b1a35b8ea7059a5050890fd773fda3cfa6ae29d951019e8"         \
    "c23a1d6e7052aa49f6131f6cb48471382daaaac2c57623ad135d671b57b0df2a"
/* 202401010142 */
#define HOUR_2024010101                                                        \
    "618592c537fbf2971968db150c7c4cf67ccf274f86c42543ef4e082dce94ae96"         \
    "da58574f757b182d63d0b81236758712c76b0136a5b3c1a2aab613f6b5778cbb"
/* 202403310142 */
#define HOUR_2024033101                                                        \
    "d11a2f97c29ff419491781d2780c93b1d0aca3d0fdf5fa71de7d243b1851328d"         \
    "7fefe6dab7f9c7cf4a2ea370b7b967e57fb4740c021a6e4332219fee194024cc"
/* 202403310242 */
#define HOUR_2024033102                                                        \
    "2a7384ff1d97315f7dfb4ef86eb9fc52ee2e631af326d44915bfd38808c94b1a"         \
    "a81d9dccbc855178bce723cda0e8c042e0b6556abb3429c966c8b5ee04a74ede"
/* 202403310342 */
#define HOUR_2024033103                                                        \
    "e141d41f1f168734840ba4f8c0b94e546152a6d7e96bcec034747de7bda54054"         \
    "9341abb50d58c6cbacc6cec9f5d18ccf10b7845c63c9e8c522f1d204634bd692"
/* 202410270142 */
#define HOUR_2024102701                                                        \
    "30f2364b2dfef47aba3a93d4d4e73304565807f368f54251228edf8316917997"         \
    "f0da0609af83a5434ad2a3739aeb45eaac0ea099f87a63e373eec9acdc06753c"
/* 202410270242 */
#define HOUR_2024102702                                                        \
    "551d7946de5ba0a689e05e2a9a01898cb2e3905f08fe15b577a958b9e201fc26"         \
    "1c604543250bd1701cf2df3781916a47c2aba760d3b3545baa2e32e0e21d1f54"
/* 202410270342 */
#define HOUR_2024102703                                                        \
    "8289e49f6bae2b6cf501f9e0f73bfde24ab555c134a71dea5d80b2c7c499e4c9"         \
    "463c6bfbfe4fb4fc5699ac04964c18e96a4ad138d4954f037342b535254c55b4"
/* 999912312342 */
#define HOUR_9999123123                                                        \
    "c882c84b166265cf3794e329e6f76896828780854c662ff97bcd2327f2f06462"         \
    "be44b713676ddf930e424ebbc257d2a00f68b04ed654bd030ca09292a53fa402"
/* 2023123123new */
#define HOUR_2023123123_NEW                                                    \
    "5f3060a19cd4669cdbe17c79784d58bc32304db787fc73056a3d4889d2a4c0ad"         \
    "aec41e9fc408a656c913f4d13f141d0b5243b8d03c00b7aeb3c8e1dbf86974b1"
/* 2023123123old */
#define HOUR_2023123123_OLD                                                    \
    "578b807e42857f11c9c461b2e628951e224b954e7eed4d1210ffe88108d15fe4"         \
    "e1c9faea15e9c77bd1bcb85b05283765321e0e79181e82d0bf77c8a339d3dc49"
/* 2024010100new */
#define HOUR_2024010100_NEW                                                    \
    "4f0c7490e9b878911077cbf27e5eea9aee80c5084953a205be6aecde7bfb08d3"         \
    "5c3238a68eb779635faae4e64834a2668bc7d7a12a051759fa1b2eb656f0c3d6"
/* 2024010100old */
#define HOUR_2024010100_OLD                                                    \
    "848ce30335c938f830329631e8ff8bb6643f27e009e4e3684698f47cd59d2e56"         \
    "ed30ed1e39da94902572d24790c4d0f11299cb37d696cc324a55b3f9d1e973cc"

/* The known answer with one digit changed, and without the last one. */
#define KNOWN_FIRST_DIGIT "4" TOKEN_KNOWN_MIDDLE "5"
#define KNOWN_MIDDLE_DIGIT                                                     \
    "55cc9ce545bcd144300fe9efc28e65d415b923ebb6be1e19d2750a2c03e80dd3"         \
    "09a27954dca045e5bb12418e7d89b6d718a9e35af34e14e1d5bcd5a08f21fc95"
#define KNOWN_LAST_DIGIT "5" TOKEN_KNOWN_MIDDLE "4"
#define KNOWN_127        "5" TOKEN_KNOWN_MIDDLE

#define OTUS                                                                   \
    {                                                                          \
        1,                                                                     \
        {                                                                      \
            TEXT("Otus")                                                       \
        }                                                                      \
    }
#define FORTY_TWO                                                              \
    {                                                                          \
        1,                                                                     \
        {                                                                      \
            TEXT("42")                                                         \
        }                                                                      \
    }

static const struct auth_secrets published = {
    .salts = OTUS,
    .admin_salts = FORTY_TWO,
};

static const struct auth_secrets rotating = {
    .salts = {2, {TEXT("new"), TEXT("old")}},
    .admin_salts = {2, {TEXT("new"), TEXT("old")}},
};

static const struct auth_secrets most_salts = {
    .salts = {AUTH_SALTS_MAX,
              {TEXT("1"), TEXT("2"), TEXT("3"), TEXT("4"), TEXT("5"), TEXT("6"),
               TEXT("7"), TEXT("8"), TEXT("9"), TEXT("10"), TEXT("11"),
               TEXT("12"), TEXT("13"), TEXT("14"), TEXT("15"), TEXT("Otus")}},
    .admin_salts = FORTY_TWO,
};

/* Sets the time zone of a row, by its rule, without a zone file. */
static void
zone_set(const char *zone)
{
    (void)setenv("TZ", zone, 1);
    tzset();
}

static void
zone_reset(void)
{
    (void)unsetenv("TZ");
    tzset();
}

struct user_case {
    const char *name;
    const struct auth_secrets *secrets;
    struct bytes account, login, token;
    enum auth_result want;
};

static const struct user_case user_rows[] = {
    {"known answer", &published, TEXT("horns&hoofs"), TEXT("h&f"),
     TEXT(TOKEN_KNOWN), AUTH_OK},
    {"first digit altered", &published, TEXT("horns&hoofs"), TEXT("h&f"),
     TEXT(KNOWN_FIRST_DIGIT), AUTH_REFUSED},
    {"digit in the middle altered", &published, TEXT("horns&hoofs"),
     TEXT("h&f"), TEXT(KNOWN_MIDDLE_DIGIT), AUTH_REFUSED},
    {"last digit altered", &published, TEXT("horns&hoofs"), TEXT("h&f"),
     TEXT(KNOWN_LAST_DIGIT), AUTH_REFUSED},
    {"upper case", &published, TEXT("horns&hoofs"), TEXT("h&f"),
     TEXT(TOKEN_KNOWN_UPPER), AUTH_REFUSED},
    {"127 digits", &published, TEXT("horns&hoofs"), TEXT("h&f"),
     TEXT(KNOWN_127), AUTH_REFUSED},
    {"129 digits", &published, TEXT("horns&hoofs"), TEXT("h&f"),
     TEXT(TOKEN_KNOWN "0"), AUTH_REFUSED},
    {"NUL behind", &published, TEXT("horns&hoofs"), TEXT("h&f"),
     TEXT(TOKEN_KNOWN "\0"), AUTH_REFUSED},
    {"NUL for the last digit", &published, TEXT("horns&hoofs"), TEXT("h&f"),
     TEXT(KNOWN_127 "\0"), AUTH_REFUSED},
    {"no token", &published, TEXT("horns&hoofs"), TEXT("h&f"), TEXT(""),
     AUTH_REFUSED},
    {"token of no bytes",
     &published,
     TEXT("horns&hoofs"),
     TEXT("h&f"),
     {NULL, 0},
     AUTH_REFUSED},
    {"other account", &published, TEXT("horns"), TEXT("h&f"), TEXT(TOKEN_KNOWN),
     AUTH_REFUSED},
    {"other login", &published, TEXT("horns&hoofs"), TEXT("h"),
     TEXT(TOKEN_KNOWN), AUTH_REFUSED},
    {"empty account", &published, TEXT(""), TEXT("h&f"), TEXT(NO_ACCOUNT),
     AUTH_OK},
    {"account of no bytes",
     &published,
     {NULL, 0},
     TEXT("h&f"),
     TEXT(NO_ACCOUNT),
     AUTH_OK},
    {"all empty", &published, {NULL, 0}, {NULL, 0}, TEXT(NOTHING), AUTH_OK},
    {"UTF-8", &published, TEXT("рога"), TEXT("копыта"), TEXT(UTF8), AUTH_OK},
    {"NUL in the account", &published, TEXT("a\0b"), TEXT("h&f"),
     TEXT(ACCOUNT_NUL), AUTH_OK},
    {"account not cut at its NUL", &published, TEXT("a\0b"), TEXT("h&f"),
     TEXT(ACCOUNT_CUT), AUTH_REFUSED},
    {"account without the NUL", &published, TEXT("ab"), TEXT("h&f"),
     TEXT(ACCOUNT_NUL), AUTH_REFUSED},
    {"NUL in the login", &published, TEXT("horns&hoofs"), TEXT("h\0f"),
     TEXT(LOGIN_NUL), AUTH_OK},
    {"newest salt", &rotating, TEXT("horns&hoofs"), TEXT("h&f"), TEXT(BY_NEW),
     AUTH_OK},
    {"oldest salt", &rotating, TEXT("horns&hoofs"), TEXT("h&f"), TEXT(BY_OLD),
     AUTH_OK},
    {"salt no longer in force", &rotating, TEXT("horns&hoofs"), TEXT("h&f"),
     TEXT(TOKEN_KNOWN), AUTH_REFUSED},
    {"last of the most salts", &most_salts, TEXT("horns&hoofs"), TEXT("h&f"),
     TEXT(TOKEN_KNOWN), AUTH_OK},
    {"none of the most salts", &most_salts, TEXT("horns&hoofs"), TEXT("h&f"),
     TEXT(BY_NEW), AUTH_REFUSED},
    {"Admin is a user", &published, TEXT(""), TEXT("Admin"),
     TEXT(CAPITAL_ADMIN), AUTH_OK},
    {"admin with a NUL is a user", &published, TEXT(""), TEXT("admin\0"),
     TEXT(ADMIN_NUL), AUTH_OK},
    {"admin is no user", &published, TEXT(""), TEXT("admin"),
     TEXT(ADMIN_AS_USER), AUTH_REFUSED},
};

/* With the salts that all partners share. */
static enum auth_result
check(struct auth *auth, struct bytes account, struct bytes login,
      struct bytes token, time_t now)
{
    const struct auth_claim claim = {account, login, token};
    size_t place;

    return auth_check(auth, &claim, NULL, now, &place);
}

static bool
make(struct auth *auth, struct bytes account, struct bytes login, time_t now,
     char ret_token[AUTH_TOKEN_LENGTH + 1])
{
    const struct auth_claim claim = {.account = account, .login = login};

    return auth_token(auth, &claim, NULL, now, ret_token);
}

TEST_CASES(user, struct user_case, user_rows)
{
    struct auth *auth = auth_new(c->secrets);

    CU_ASSERT_EQUAL(check(auth, c->account, c->login, c->token, 0), c->want);
    auth_free(auth);
}

#define MIDNIGHT      1704067200   /* 2024-01-01 00:00:00 UTC */
#define SUMMER_BEGINS 1711846800   /* 2024-03-31 01:00:00 UTC: 2 becomes 3 */
#define SUMMER_ENDS   1729990800   /* 2024-10-27 01:00:00 UTC: 3 becomes 2 */
#define YEAR_1000     -30610224000 /* 1000-01-01 00:00:00 UTC */
#define YEAR_10000    253402300800 /* 10000-01-01 00:00:00 UTC */

#define UTC     "UTC0"
#define BERLIN  "CET-1CEST,M3.5.0,M10.5.0/3"
#define KOLKATA "IST-5:30"

struct admin_case {
    const char *name;
    const char *zone;
    int64_t grace_s;
    time_t now;
    struct bytes token;
    enum auth_result want;
};

static const struct admin_case admin_rows[] = {
    {"first second of the hour", UTC, 0, MIDNIGHT, TEXT(HOUR_2024010100),
     AUTH_OK},
    {"last second of the hour", UTC, 0, MIDNIGHT + 3599, TEXT(HOUR_2024010100),
     AUTH_OK},
    {"second after the hour", UTC, 0, MIDNIGHT + 3600, TEXT(HOUR_2024010100),
     AUTH_REFUSED},
    {"second before the hour", UTC, 0, MIDNIGHT - 1, TEXT(HOUR_2024010100),
     AUTH_REFUSED},
    {"last second of the year", UTC, 0, MIDNIGHT - 1, TEXT(HOUR_2023123123),
     AUTH_OK},
    {"wrong length", UTC, 0, MIDNIGHT, TEXT(HOUR_2024010100 "0"), AUTH_REFUSED},
    {"grace 0, hour before, at once", UTC, 0, MIDNIGHT, TEXT(HOUR_2023123123),
     AUTH_REFUSED},
    {"grace 1, first second", UTC, 1, MIDNIGHT, TEXT(HOUR_2023123123), AUTH_OK},
    {"grace 1, second after", UTC, 1, MIDNIGHT + 1, TEXT(HOUR_2023123123),
     AUTH_REFUSED},
    {"grace 300, last second", UTC, 300, MIDNIGHT + 299, TEXT(HOUR_2023123123),
     AUTH_OK},
    {"grace 300, second after", UTC, 300, MIDNIGHT + 300, TEXT(HOUR_2023123123),
     AUTH_REFUSED},
    {"grace 3600, last second", UTC, 3600, MIDNIGHT + 3599,
     TEXT(HOUR_2023123123), AUTH_OK},
    {"grace 3600, hour after", UTC, 3600, MIDNIGHT + 3600,
     TEXT(HOUR_2023123123), AUTH_REFUSED},
    {"grace leaves this hour alone", UTC, 3600, MIDNIGHT, TEXT(HOUR_2024010100),
     AUTH_OK},
    {"grace not for two hours before", UTC, 3600, MIDNIGHT,
     TEXT(HOUR_2023123122), AUTH_REFUSED},
    {"grace not for the hour to come", UTC, 3600, MIDNIGHT,
     TEXT(HOUR_2024010101), AUTH_REFUSED},
    {"local hour", BERLIN, 0, MIDNIGHT, TEXT(HOUR_2024010101), AUTH_OK},
    {"not the hour of UTC", BERLIN, 0, MIDNIGHT, TEXT(HOUR_2024010100),
     AUTH_REFUSED},
    {"half-hour zone, hour begins", KOLKATA, 0, MIDNIGHT - 19800,
     TEXT(HOUR_2024010100), AUTH_OK},
    {"half-hour zone, hour before", KOLKATA, 0, MIDNIGHT - 19801,
     TEXT(HOUR_2023123123), AUTH_OK},
    {"half-hour zone, grace counts local", KOLKATA, 1, MIDNIGHT - 19800,
     TEXT(HOUR_2023123123), AUTH_OK},
    {"half-hour zone, grace over", KOLKATA, 1, MIDNIGHT - 19799,
     TEXT(HOUR_2023123123), AUTH_REFUSED},
    {"last second of winter", BERLIN, 0, SUMMER_BEGINS - 1,
     TEXT(HOUR_2024033101), AUTH_OK},
    {"first second of summer", BERLIN, 0, SUMMER_BEGINS, TEXT(HOUR_2024033103),
     AUTH_OK},
    {"hour that is left out", BERLIN, 0, SUMMER_BEGINS, TEXT(HOUR_2024033102),
     AUTH_REFUSED},
    {"grace over the gap", BERLIN, 1, SUMMER_BEGINS, TEXT(HOUR_2024033101),
     AUTH_OK},
    {"grace not for the hour left out", BERLIN, 3600, SUMMER_BEGINS,
     TEXT(HOUR_2024033102), AUTH_REFUSED},
    {"last second of summer", BERLIN, 0, SUMMER_ENDS - 1, TEXT(HOUR_2024102702),
     AUTH_OK},
    {"hour that comes twice", BERLIN, 0, SUMMER_ENDS, TEXT(HOUR_2024102702),
     AUTH_OK},
    {"second time over", BERLIN, 0, SUMMER_ENDS + 3600, TEXT(HOUR_2024102702),
     AUTH_REFUSED},
    {"grace in the second time", BERLIN, 3600, SUMMER_ENDS,
     TEXT(HOUR_2024102701), AUTH_REFUSED},
    {"grace after the second time", BERLIN, 1, SUMMER_ENDS + 3600,
     TEXT(HOUR_2024102702), AUTH_OK},
    {"next hour", BERLIN, 0, SUMMER_ENDS + 3600, TEXT(HOUR_2024102703),
     AUTH_OK},
    {"last second of four digits", UTC, 0, YEAR_10000 - 1,
     TEXT(HOUR_9999123123), AUTH_OK},
    {"year of five digits", UTC, 0, YEAR_10000, TEXT(HOUR_9999123123),
     AUTH_NO_HOUR},
    {"grace from a year of three digits", UTC, 1, YEAR_1000,
     TEXT(HOUR_9999123123), AUTH_NO_HOUR},
    {"time without a year", UTC, 0, INT64_MAX, TEXT(HOUR_9999123123),
     AUTH_NO_HOUR},
};

TEST_CASES(admin, struct admin_case, admin_rows)
{
    struct auth_secrets secrets = published;
    struct bytes none = {NULL, 0};
    struct bytes account = bytes_of("plays no part");
    struct bytes login = bytes_of("admin");
    struct auth *auth;

    zone_set(c->zone);
    secrets.admin_grace_s = c->grace_s;
    auth = auth_new(&secrets);
    CU_ASSERT_EQUAL(check(auth, account, login, c->token, c->now), c->want);
    CU_ASSERT_EQUAL(check(auth, none, login, c->token, c->now), c->want);
    auth_free(auth);
    zone_reset();
}

struct admin_salt_case {
    const char *name;
    int64_t grace_s;
    struct bytes token;
    enum auth_result want;
};

static const struct admin_salt_case admin_salt_rows[] = {
    {"newest", 0, TEXT(HOUR_2024010100_NEW), AUTH_OK},
    {"oldest", 0, TEXT(HOUR_2024010100_OLD), AUTH_OK},
    {"no longer in force", 0, TEXT(HOUR_2024010100), AUTH_REFUSED},
    {"hour before, newest", 1, TEXT(HOUR_2023123123_NEW), AUTH_OK},
    {"hour before, oldest", 1, TEXT(HOUR_2023123123_OLD), AUTH_OK},
    {"hour before, no grace", 0, TEXT(HOUR_2023123123_OLD), AUTH_REFUSED},
    {"hour before, no longer in force", 1, TEXT(HOUR_2023123123), AUTH_REFUSED},
};

TEST_CASES(admin_salt, struct admin_salt_case, admin_salt_rows)
{
    struct auth_secrets secrets = rotating;
    struct bytes none = {NULL, 0};
    struct auth *auth;

    zone_set(UTC);
    secrets.admin_grace_s = c->grace_s;
    auth = auth_new(&secrets);
    CU_ASSERT_EQUAL(check(auth, none, bytes_of("admin"), c->token, MIDNIGHT),
                    c->want);
    auth_free(auth);
    zone_reset();
}

struct login_case {
    const char *name;
    struct bytes login;
    bool want;
};

static const struct login_case login_rows[] = {
    {"admin", TEXT("admin"), true},
    {"longer", TEXT("admin2"), false},
    {"shorter", TEXT("admi"), false},
    {"capital", TEXT("Admin"), false},
    {"space in front", TEXT(" admin"), false},
    {"NUL behind", TEXT("admin\0"), false},
    {"empty", TEXT(""), false},
    {"no bytes", {NULL, 0}, false},
};

TEST_CASES(login, struct login_case, login_rows)
{
    CU_ASSERT_EQUAL(auth_is_admin(c->login), c->want);
}

struct token_case {
    const char *name;
    const struct auth_secrets *secrets;
    struct bytes account, login;
    time_t now;
    const char *want; /* NULL: cannot be made */
};

static const struct token_case token_rows[] = {
    {"user", &published, TEXT("horns&hoofs"), TEXT("h&f"), 0, TOKEN_KNOWN},
    {"user without an account",
     &published,
     {NULL, 0},
     TEXT("h&f"),
     0,
     NO_ACCOUNT},
    {"user, newest salt", &rotating, TEXT("horns&hoofs"), TEXT("h&f"), 0,
     BY_NEW},
    {"user at no time", &published, TEXT("horns&hoofs"), TEXT("h&f"), INT64_MAX,
     TOKEN_KNOWN},
    {"admin", &published, {NULL, 0}, TEXT("admin"), MIDNIGHT, HOUR_2024010100},
    {"admin with an account", &published, TEXT("horns&hoofs"), TEXT("admin"),
     MIDNIGHT, HOUR_2024010100},
    {"admin an hour before",
     &published,
     {NULL, 0},
     TEXT("admin"),
     MIDNIGHT - 1,
     HOUR_2023123123},
    {"admin, newest salt",
     &rotating,
     {NULL, 0},
     TEXT("admin"),
     MIDNIGHT,
     HOUR_2024010100_NEW},
    {"admin at no time", &published, {NULL, 0}, TEXT("admin"), INT64_MAX, NULL},
};

struct place_case {
    const char *name;
    const char *login, *token;
    const struct auth_salts *salts; /* of the account; NULL: of all */
    size_t want;                    /* 0: refused */
};

static const struct auth_salts own_salts = {2, {{"unused", 6}, {"Otus", 4}}};

/* The lists of salts are "new, old". */
static const struct place_case place_rows[] = {
    {"the newest salt", "h&f", BY_NEW, NULL, 1},
    {"the one before", "h&f", BY_OLD, NULL, 2},
    {"of nobody's", "h&f", TOKEN_KNOWN, NULL, 0},
    {"the second one of the account", "h&f", TOKEN_KNOWN, &own_salts, 2},
    {"of all, for an account with its own", "h&f", BY_NEW, &own_salts, 0},
};

TEST_CASES(place, struct place_case, place_rows)
{
    const struct auth_claim claim = {bytes_of("horns&hoofs"),
                                     bytes_of(c->login), bytes_of(c->token)};
    struct auth *auth = auth_new(&rotating);
    size_t place = 99;

    CU_ASSERT_EQUAL(auth_check(auth, &claim, c->salts, 0, &place),
                    c->want > 0 ? AUTH_OK : AUTH_REFUSED);
    CU_ASSERT_EQUAL(place, c->want > 0 ? c->want : 99);
    auth_free(auth);
}

struct effort_case {
    const char *name, *token;
};

static const struct effort_case effort_rows[] = {
    {"by the newest salt", BY_NEW},
    {"by the oldest salt", BY_OLD},
    {"by neither", TOKEN_KNOWN},
    {"with another first digit", KNOWN_FIRST_DIGIT},
};

/* Whole, in constant time, and with every salt: S10.1. */
TEST_CASES(effort, struct effort_case, effort_rows)
{
    struct auth *auth = auth_new(&rotating);

    (void)calls_compared(0);
    (void)check(auth, bytes_of("horns&hoofs"), bytes_of("h&f"),
                bytes_of(c->token), 0);
    CU_ASSERT_EQUAL(calls_compared(AUTH_TOKEN_LENGTH), 2);
    auth_free(auth);
}

TEST_SINGLE(place_admin, "the admin's hour before, by the second salt")
{
    const struct auth_salts newest = {1, {{"other", 5}}};
    struct auth_secrets secrets = published;
    struct auth_claim claim = {.login = bytes_of("admin")};
    char token[AUTH_TOKEN_LENGTH + 1];
    struct auth *auth;
    size_t place = 99;

    zone_set(UTC);
    auth = auth_new(&secrets);
    CU_ASSERT_TRUE(auth_token(auth, &claim, NULL, MIDNIGHT - 1, token));
    auth_free(auth);
    secrets.admin_salts.count = 2;
    secrets.admin_salts.item[1] = secrets.admin_salts.item[0];
    secrets.admin_salts.item[0] = newest.item[0];
    secrets.admin_grace_s = 60;
    claim.token = bytes_of(token);
    auth = auth_new(&secrets);
    CU_ASSERT_EQUAL(auth_check(auth, &claim, &own_salts, MIDNIGHT, &place),
                    AUTH_OK);
    CU_ASSERT_EQUAL(place, 2);
    auth_free(auth);
    zone_reset();
}

struct clash_case {
    const char *name, *salt;
    bool want;
};

/* The admin's are "42" and "hidden". */
static const struct clash_case clash_rows[] = {
    {"another", "Otus", false},
    {"equal", "42", true},
    {"equal to the second", "hidden", true},
    {"with it at the end", "x42", true},
    {"the end of it", "den", true},
    {"with it at the start", "42x", false},
    {"the start of it", "hid", false},
};

TEST_CASES(clash, struct clash_case, clash_rows)
{
    const struct auth_salts admin_salts = {2, {{"42", 2}, {"hidden", 6}}};

    CU_ASSERT_EQUAL(auth_salt_clashes(bytes_of(c->salt), &admin_salts),
                    c->want);
}

TEST_CASES(token, struct token_case, token_rows)
{
    char got[AUTH_TOKEN_LENGTH + 1] = "untouched";
    struct auth *auth = auth_new(c->secrets);

    zone_set(UTC);
    CU_ASSERT_EQUAL(make(auth, c->account, c->login, c->now, got),
                    c->want != NULL);
    CU_ASSERT_STRING_EQUAL(got, c->want != NULL ? c->want : "untouched");
    auth_free(auth);
    zone_reset();
}

/*
 * printf 'scoring cache secret' | openssl dgst -sha256 -hmac Otus; the digests
 * below that are keyed with it: -mac HMAC -macopt hexkey:...
 */
#define DERIVED_OTUS                                                           \
    "\x89\x6a\xaa\xfc\x97\xe2\x46\x45\x48\x49\x72\x89\x35\x37\xe7\xb2"         \
    "\xc2\x98\x16\x3a\x06\x6b\x3e\xf8\x81\x2e\xff\x5a\x83\x9b\x3d\x46"

struct key_case {
    const char *name;
    struct bytes secret, salt, text;
    const char *want;
};

static const struct key_case key_rows[] = {
    {"RFC 4231, test case 2", TEXT("Jefe"), TEXT("Otus"),
     TEXT("what do ya want for nothing?"),
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {"RFC 4231, test case 2, other salt", TEXT("Jefe"), TEXT("new"),
     TEXT("what do ya want for nothing?"),
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {"text with a NUL", TEXT("Jefe"), TEXT("Otus"), TEXT("a\0b"),
     "abe96d286949754c65051de08d3f8b1b5d35c314af100829f50c13954d98b7ea"},
    {"a secret of one byte", TEXT("s"), TEXT("Otus"), TEXT("uid"),
     "6333857ed3ec1123b73a93e0632e19074f38e18c4555b4bec42222d3219ffa37"},
    {"derived from the salt",
     {NULL, 0},
     TEXT("Otus"),
     TEXT("uid"),
     "349a6a8da890b70bb23475aeb7b5e868ec3136f98d76c3796962afea14f95ff2"},
    {"derived, given as a secret", TEXT(DERIVED_OTUS), TEXT("new"), TEXT("uid"),
     "349a6a8da890b70bb23475aeb7b5e868ec3136f98d76c3796962afea14f95ff2"},
    {"derived, no text",
     {NULL, 0},
     TEXT("Otus"),
     {NULL, 0},
     "308b8425fa6647638458ae222b9c148a48a17ae8527611cc1be07d0bd280e3db"},
    {"derived from another salt",
     {NULL, 0},
     TEXT("new"),
     TEXT("uid"),
     "c323f2fcbbe235df814b90f2609f956180d171965b994ee42ac94ca4661ee9eb"},
};

/* Twice, with other calls between: the contexts are used again. */
TEST_CASES(key, struct key_case, key_rows)
{
    struct auth_secrets secrets = {
        .salts = {2, {c->salt, TEXT("older")}},
        .admin_salts = FORTY_TWO,
        .cache_secret = c->secret,
    };
    struct auth *auth = auth_new(&secrets);
    char got[AUTH_KEY_LENGTH + 1] = "untouched";
    char again[AUTH_KEY_LENGTH + 1] = "untouched";
    char other[AUTH_KEY_LENGTH + 1] = "untouched";
    struct bytes none = {NULL, 0};
    struct bytes token = TEXT(TOKEN_KNOWN);

    CU_ASSERT_TRUE(auth_key(auth, c->text, got));
    CU_ASSERT_STRING_EQUAL(got, c->want);
    CU_ASSERT_TRUE(auth_key(auth, bytes_of("other text"), other));
    CU_ASSERT_STRING_NOT_EQUAL(other, c->want);
    CU_ASSERT_EQUAL(check(auth, none, none, token, 0), AUTH_REFUSED);
    CU_ASSERT_TRUE(auth_key(auth, c->text, again));
    CU_ASSERT_STRING_EQUAL(again, c->want);
    auth_free(auth);
}

TEST_SINGLE(reuse, "a refusal leaves nothing behind")
{
    struct auth *auth = auth_new(&rotating);
    struct bytes account = TEXT("horns&hoofs");
    struct bytes login = TEXT("h&f");
    struct bytes right = TEXT(BY_OLD);
    struct bytes wrong = TEXT(TOKEN_KNOWN);

    CU_ASSERT_EQUAL(check(auth, account, login, right, 0), AUTH_OK);
    CU_ASSERT_EQUAL(check(auth, account, login, wrong, 0), AUTH_REFUSED);
    CU_ASSERT_EQUAL(check(auth, account, login, right, 0), AUTH_OK);
    auth_free(auth);
}

/* Each call of libcrypto fails once; the next token is checked as usual. */
enum use {
    USE_NEW,
    USE_NEW_DERIVING,
    USE_CHECK,
    USE_ADMIN,
    USE_TOKEN,
    USE_KEY
};

struct fault_case {
    const char *name;
    enum use use;
    int calls; /* of the library, at least */
};

static const struct fault_case fault_rows[] = {
    {"when it is made", USE_NEW, 1},
    {"when it is made, and a secret derived", USE_NEW_DERIVING, 5},
    {"with a user's token", USE_CHECK, 5},
    {"with an admin's", USE_ADMIN, 5},
    {"when a token is made", USE_TOKEN, 5},
    {"when a key is made", USE_KEY, 3},
};

static bool
is_done(enum use use, struct auth *auth)
{
    static const struct bytes account = TEXT("horns&hoofs"),
                              login = TEXT("h&f");
    static const struct bytes admin = TEXT("admin"), token = TEXT(TOKEN_KNOWN);
    static const struct auth_secrets with_secret = {
        FORTY_TWO, FORTY_TWO, .cache_secret = TEXT("secret")};
    char made[AUTH_TOKEN_LENGTH + 1];
    enum auth_result result = AUTH_OK;
    struct auth *another;

    switch (use) {
    case USE_NEW:
    case USE_NEW_DERIVING:
        another = auth_new(use == USE_NEW ? &with_secret : &published);
        auth_free(another);
        return another != NULL;
    case USE_CHECK:
        result = check(auth, account, login, token, 0);
        CU_ASSERT_NOT_EQUAL(result, AUTH_REFUSED);
        break;
    case USE_ADMIN:
        result = check(auth, account, admin, token, 0);
        CU_ASSERT_NOT_EQUAL(result, AUTH_OK);
        break;
    case USE_TOKEN:
        return make(auth, account, login, 0, made);
    case USE_KEY:
        return auth_key(auth, account, made);
    }
    return result != AUTH_NO_DIGEST;
}

TEST_CASES(fault, struct fault_case, fault_rows)
{
    struct auth *auth = auth_new(&published);
    int n = 0;

    CU_ASSERT_TRUE(is_done(c->use, auth));
    for (;;) {
        bool done;

        calls_fail_later(CALL_CRYPTO, n, ENOMEM);
        done = is_done(c->use, auth);
        if (!calls_has_failed(CALL_CRYPTO))
            break;
        CU_ASSERT_FALSE(done);
        CU_ASSERT_TRUE(is_done(c->use, auth));
        n++;
    }
    CU_ASSERT(n >= c->calls);
    auth_free(auth);
}

TEST_SINGLE(nothing, "can be freed")
{
    auth_free(NULL);
    CU_PASS("no crash");
}

#define SUM_SIZE 64 /* of a SHA-512 */
#define KEY_SIZE 32 /* of an HMAC-SHA-256 */

/* Intermediate values from which a token or the secret follows are wiped. */
TEST_SINGLE(wiped, "what was made on the way is wiped")
{
    struct auth *auth;

    (void)calls_wiped(0);
    auth = auth_new(&published);
    CU_ASSERT_PTR_NOT_NULL_FATAL(auth);
    CU_ASSERT_EQUAL(calls_wiped(KEY_SIZE), 1);
    CU_ASSERT_EQUAL(check(auth, bytes_of("horns&hoofs"), bytes_of("h&f"),
                          bytes_of(TOKEN_KNOWN), 0),
                    AUTH_OK);
    CU_ASSERT_EQUAL(calls_wiped(SUM_SIZE), 1);
    (void)check(auth, bytes_of("horns&hoofs"), bytes_of("h&f"),
                bytes_of(TOKEN_KNOWN), 0);
    CU_ASSERT_EQUAL(calls_wiped(AUTH_TOKEN_LENGTH + 1), 1);
    auth_free(auth);
}
