/*
 * The method online_score, over the whole stack: all rules of its fields, the
 * score, and the content of the cache. Source: docs/protocol.md, S12, S13 and
 * S14.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/buffer.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/expect.h"
#include "support/request.h"
#include "support/stack.h"

#define TTL_S       3600
#define TTL_SLACK_S 10 /* that a test may take to look */

static const struct stack_plan plan = {.store = STACK_REDIS_UNIX};

static struct http_answer
score(const char *arguments)
{
    return expect_post(stack_shared(&plan)->port, request_score(arguments));
}

#define WRITES(result)                                                         \
    "scoring_store_operations_total{operation=\"cache_write\",result="         \
    "\"" result "\"}"

/* Whether each score that was not found has been written. */
static bool
are_written(void *arg)
{
    char *metrics = stack_metrics(arg);
    double missed, written;

    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    missed = stack_metric_in(metrics, "scoring_cache_misses_total");
    written = stack_metric_in(metrics, WRITES("ok")) +
              stack_metric_in(metrics, WRITES("lost"));
    free(metrics);
    return written == missed;
}

/* Scores are written after the answer: the last one must not come late. */
static struct redis *
empty_cache(void)
{
    struct stack *stack = stack_shared(&plan);

    CU_ASSERT_TRUE(clock_wait(are_written, stack, CLOCK_PATIENCE_MS));
    CU_ASSERT_TRUE(redis_do(&stack->redis, "FLUSHALL"));
    return &stack->redis;
}

/*
 * Scores by hand: phone 1.5, email 1.5, birthday with a gender other than 0
 * 1.5, both names 0.5.
 */
struct score_case {
    const char *name, *arguments;
    double want;
};

#define PHONE    "\"phone\": \"79175002040\""
#define EMAIL    "\"email\": \"stupnikov@otus.ru\""
#define FIRST    "\"first_name\": \"a\""
#define LAST     "\"last_name\": \"b\""
#define BIRTHDAY "\"birthday\": \"01.01.1990\""
#define GENDER_0 "\"gender\": 0"
#define GENDER_1 "\"gender\": 1"
#define GENDER_2 "\"gender\": 2"

static const struct score_case score_rows[] = {
    {"everything",
     "{" PHONE "," EMAIL "," FIRST "," LAST "," BIRTHDAY "," GENDER_1 "}", 5.0},
    {"everything, gender 2",
     "{" PHONE "," EMAIL "," FIRST "," LAST "," BIRTHDAY "," GENDER_2 "}", 5.0},
    {"everything, gender 0",
     "{" PHONE "," EMAIL "," FIRST "," LAST "," BIRTHDAY "," GENDER_0 "}", 3.5},
    {"phone and email", "{" PHONE "," EMAIL "}", 3.0},
    {"names", "{" FIRST "," LAST "}", 0.5},
    {"birthday and gender 1", "{" BIRTHDAY "," GENDER_1 "}", 1.5},
    {"birthday and gender 2", "{" BIRTHDAY "," GENDER_2 "}", 1.5},
    {"birthday and gender 0", "{" BIRTHDAY "," GENDER_0 "}", 0.0},
    {"names and a phone", "{" FIRST "," LAST "," PHONE "}", 2.0},
    {"names and an email", "{" FIRST "," LAST "," EMAIL "}", 2.0},
    {"names and a birthday", "{" FIRST "," LAST "," BIRTHDAY "}", 0.5},
    {"names and a gender", "{" FIRST "," LAST "," GENDER_1 "}", 0.5},
    {"phone, email and a first name", "{" PHONE "," EMAIL "," FIRST "}", 3.0},
    {"phone, email and a last name", "{" PHONE "," EMAIL "," LAST "}", 3.0},
    {"phone, email and a birthday", "{" PHONE "," EMAIL "," BIRTHDAY "}", 3.0},
    {"phone, email and a gender", "{" PHONE "," EMAIL "," GENDER_2 "}", 3.0},
    {"unknown arguments", "{" PHONE "," EMAIL ", \"x\": [{}]}", 3.0},
    {"repeated argument, the last one valid",
     "{" EMAIL ", \"phone\": 1," PHONE "}", 3.0},
};

TEST_CASES(scores, struct score_case, score_rows)
{
    struct http_answer answer;

    (void)empty_cache();
    answer = score(c->arguments);
    expect_score(&answer, c->want);
    http_answer_free(&answer);
    answer = score(c->arguments);
    expect_score(&answer, c->want);
    http_answer_free(&answer);
}

/* Both names must be complete for 0.5, and one pair for a score at all. */
struct pair_case {
    const char *name, *arguments;
};

static const struct pair_case pair_rows[] = {
    {"nothing", "{}"},
    {"phone", "{" PHONE "}"},
    {"email", "{" EMAIL "}"},
    {"first name", "{" FIRST "}"},
    {"last name", "{" LAST "}"},
    {"birthday", "{" BIRTHDAY "}"},
    {"gender", "{" GENDER_1 "}"},
    {"one of each pair", "{" PHONE "," FIRST "," BIRTHDAY "}"},
    {"the other of each pair", "{" EMAIL "," LAST "," GENDER_0 "}"},
    {"phone and an empty email", "{" PHONE ", \"email\": \"\"}"},
    {"phone and email null", "{" PHONE ", \"email\": null}"},
    {"an empty phone and email", "{" EMAIL ", \"phone\": \"\"}"},
    {"first name and an empty last name", "{" FIRST ", \"last_name\": \"\"}"},
    {"birthday and gender null", "{" BIRTHDAY ", \"gender\": null}"},
    {"an empty birthday and gender", "{" GENDER_1 ", \"birthday\": \"\"}"},
    {"all empty", "{\"phone\": \"\", \"email\": \"\", \"first_name\": \"\", "
                  "\"last_name\": \"\", \"birthday\": \"\", \"gender\": null}"},
    {"names in capitals", "{\"PHONE\": \"79175002040\"," EMAIL "}"},
};

TEST_CASES(pairs, struct pair_case, pair_rows)
{
    struct http_answer answer = score(c->arguments);

    expect_error(&answer, 422, "phone");
    expect_error(&answer, 422, "email");
    expect_error(&answer, 422, "first_name");
    expect_error(&answer, 422, "last_name");
    expect_error(&answer, 422, "gender");
    expect_error(&answer, 422, "birthday");
    http_answer_free(&answer);
}

/*
 * One field, with a complete pair of other fields. want: the score, or -1 if
 * the field is wrong.
 */
struct field_case {
    const char *name, *field, *json;
    double want;
};

#define WRONG (-1.0)

/* Beside names, worth 0.5. */
#define PHONE_IS(what, json, want)                                             \
    {                                                                          \
        "phone " what, "phone", json, want                                     \
    }
#define EMAIL_IS(what, json, want)                                             \
    {                                                                          \
        "email " what, "email", json, want                                     \
    }
#define BIRTHDAY_IS(what, json, want)                                          \
    {                                                                          \
        "birthday " what, "birthday", json, want                               \
    }
#define GENDER_IS(what, json, want)                                            \
    {                                                                          \
        "gender " what, "gender", json, want                                   \
    }

/* Beside phone and email, worth 3.0. */
#define FIRST_IS(what, json, want)                                             \
    {                                                                          \
        "first_name " what, "first_name", json, want                           \
    }
#define LAST_IS(what, json, want)                                              \
    {                                                                          \
        "last_name " what, "last_name", json, want                             \
    }

static const struct field_case field_rows[] = {
    PHONE_IS("string", "\"79175002040\"", 2.0),
    PHONE_IS("number", "79175002040", 2.0),
    PHONE_IS("smallest", "70000000000", 2.0),
    PHONE_IS("largest", "\"79999999999\"", 2.0),
    PHONE_IS("null", "null", 0.5),
    PHONE_IS("empty", "\"\"", 0.5),
    PHONE_IS("10 digits", "\"7917500204\"", WRONG),
    PHONE_IS("12 digits", "\"791750020400\"", WRONG),
    PHONE_IS("number of 10 digits", "7917500204", WRONG),
    PHONE_IS("number of 12 digits", "791750020400", WRONG),
    PHONE_IS("leading 8", "\"89175002040\"", WRONG),
    PHONE_IS("number with leading 8", "89175002040", WRONG),
    PHONE_IS("negative", "-79175002040", WRONG),
    PHONE_IS("letter", "\"7917500204a\"", WRONG),
    PHONE_IS("plus", "\"+7917500204\"", WRONG),
    PHONE_IS("space", "\" 79175002040\"", WRONG),
    PHONE_IS("newline behind", "\"79175002040\\n\"", WRONG),
    PHONE_IS("NUL behind", "\"79175002040\\u0000\"", WRONG),
    PHONE_IS("Arabic digits", "\"7\\u0661\\u0661\\u0661\\u0661\\u0661\"",
             WRONG),
    PHONE_IS("full-width digit", "\"7917500204\\uff10\"", WRONG),
    PHONE_IS("float", "79175002040.0", WRONG),
    PHONE_IS("exponent", "7.9175002040e10", WRONG),
    PHONE_IS("zero", "0", WRONG),
    PHONE_IS("false", "false", WRONG),
    PHONE_IS("true", "true", WRONG),
    PHONE_IS("array", "[]", WRONG),
    PHONE_IS("object", "{}", WRONG),
    EMAIL_IS("plain", "\"a@b\"", 2.0),
    EMAIL_IS("nothing but @", "\"@\"", 2.0),
    EMAIL_IS("two @", "\"a@b@c\"", 2.0),
    EMAIL_IS("@ after NUL", "\"a\\u0000@\"", 2.0),
    EMAIL_IS("escaped @", "\"a\\u0040b\"", 2.0),
    EMAIL_IS("not ASCII", "\"\xd0\xb0@\xd0\xb1\"", 2.0),
    EMAIL_IS("null", "null", 0.5),
    EMAIL_IS("empty", "\"\"", 0.5),
    EMAIL_IS("without @", "\"ab.ru\"", WRONG),
    EMAIL_IS("full-width @", "\"a\\uff20b\"", WRONG),
    EMAIL_IS("number", "1", WRONG),
    EMAIL_IS("zero", "0", WRONG),
    EMAIL_IS("false", "false", WRONG),
    EMAIL_IS("array", "[\"a@b\"]", WRONG),
    EMAIL_IS("empty array", "[]", WRONG),
    EMAIL_IS("object", "{}", WRONG),
    BIRTHDAY_IS("plain", "\"01.01.2000\"", 0.5),
    BIRTHDAY_IS("leap day", "\"29.02.2000\"", 0.5),
    BIRTHDAY_IS("null", "null", 0.5),
    BIRTHDAY_IS("empty", "\"\"", 0.5),
    BIRTHDAY_IS("29 February of no leap year", "\"29.02.2001\"", WRONG),
    BIRTHDAY_IS("31 April", "\"31.04.2000\"", WRONG),
    BIRTHDAY_IS("day 0", "\"00.01.2000\"", WRONG),
    BIRTHDAY_IS("day 32", "\"32.01.2000\"", WRONG),
    BIRTHDAY_IS("month 0", "\"01.00.2000\"", WRONG),
    BIRTHDAY_IS("month 13", "\"01.13.2000\"", WRONG),
    BIRTHDAY_IS("year 0", "\"01.01.0000\"", WRONG),
    BIRTHDAY_IS("year 1", "\"01.01.0001\"", WRONG),
    BIRTHDAY_IS("year 9999", "\"31.12.9999\"", WRONG),
    BIRTHDAY_IS("short day", "\"1.01.2000\"", WRONG),
    BIRTHDAY_IS("short year", "\"01.01.20\"", WRONG),
    BIRTHDAY_IS("long year", "\"01.01.20000\"", WRONG),
    BIRTHDAY_IS("slashes", "\"01/01/2000\"", WRONG),
    BIRTHDAY_IS("ISO", "\"2000-01-01\"", WRONG),
    BIRTHDAY_IS("American", "\"12.31.2000\"", WRONG),
    BIRTHDAY_IS("space behind", "\"01.01.2000 \"", WRONG),
    BIRTHDAY_IS("NUL behind", "\"01.01.2000\\u0000\"", WRONG),
    BIRTHDAY_IS("sign", "\"+1.01.2000\"", WRONG),
    BIRTHDAY_IS("number", "1012000", WRONG),
    BIRTHDAY_IS("zero", "0", WRONG),
    BIRTHDAY_IS("false", "false", WRONG),
    BIRTHDAY_IS("array", "[]", WRONG),
    BIRTHDAY_IS("object", "{}", WRONG),
    GENDER_IS("0", "0", 0.5),
    GENDER_IS("1", "1", 0.5),
    GENDER_IS("2", "2", 0.5),
    GENDER_IS("null", "null", 0.5),
    GENDER_IS("3", "3", WRONG),
    GENDER_IS("-1", "-1", WRONG),
    GENDER_IS("float", "1.0", WRONG),
    GENDER_IS("exponent", "1e0", WRONG),
    GENDER_IS("string", "\"1\"", WRONG),
    GENDER_IS("empty", "\"\"", WRONG),
    GENDER_IS("true", "true", WRONG),
    GENDER_IS("false", "false", WRONG),
    GENDER_IS("array", "[]", WRONG),
    GENDER_IS("object", "{}", WRONG),
    GENDER_IS("2 to the 32", "4294967296", WRONG),
    GENDER_IS("2 to the 64", "18446744073709551616", WRONG),
    FIRST_IS("plain", "\"a\"", 3.0),
    FIRST_IS("space", "\" \"", 3.0),
    FIRST_IS("NUL", "\"\\u0000\"", 3.0),
    FIRST_IS("not ASCII", "\"\xd0\x98\xd0\xb2\xd0\xb0\xd0\xbd\"", 3.0),
    FIRST_IS("lone surrogate", "\"\\ud800\"", 3.0),
    FIRST_IS("null", "null", 3.0),
    FIRST_IS("empty", "\"\"", 3.0),
    FIRST_IS("number", "1", WRONG),
    FIRST_IS("zero", "0", WRONG),
    FIRST_IS("false", "false", WRONG),
    FIRST_IS("array", "[]", WRONG),
    FIRST_IS("object", "{}", WRONG),
    LAST_IS("plain", "\"a\"", 3.0),
    LAST_IS("null", "null", 3.0),
    LAST_IS("empty", "\"\"", 3.0),
    LAST_IS("number", "1", WRONG),
    LAST_IS("false", "false", WRONG),
    LAST_IS("array", "[\"a\"]", WRONG),
    LAST_IS("object", "{}", WRONG),
};

static const char *const all_fields[] = {"phone",     "email",    "first_name",
                                         "last_name", "birthday", "gender"};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Exactly these of all fields are named; wanted: "phone email". */
static void
expect_fields(const struct http_answer *answer, const char *wanted)
{
    char text[64];

    expect_error(answer, 422, NULL);
    for (size_t i = 0; i < COUNT(all_fields); i++) {
        bool is_named = strstr(expect_error_of(answer), all_fields[i]) != NULL;

        (void)snprintf(text, sizeof(text), " %s ", wanted);
        CU_ASSERT_EQUAL(is_named, strstr(text, all_fields[i]) != NULL);
    }
}

TEST_CASES(field, struct field_case, field_rows)
{
    bool is_name = strstr(c->field, "_name") != NULL;
    struct buffer arguments = {0};
    struct http_answer answer;

    buffer_printf(&arguments, "{%s, \"%s\": %s}",
                  is_name ? PHONE "," EMAIL : FIRST "," LAST, c->field,
                  c->json);
    answer = score(buffer_text(&arguments));
    buffer_free(&arguments);
    if (c->want < 0)
        expect_fields(&answer, c->field);
    else
        expect_score(&answer, c->want);
    http_answer_free(&answer);
}

/* Days around today and around 70 years ago, beside a gender. */
struct age_case {
    const char *name;
    int years, days; /* to be added to today */
    bool is_valid;
};

static const struct age_case age_rows[] = {
    {"born today", 0, 0, true},       {"born tomorrow", 0, 1, false},
    {"born yesterday", 0, -1, true},  {"70 today", -70, 0, true},
    {"70 yesterday", -70, -1, false}, {"70 tomorrow", -70, 1, true},
    {"71 today", -71, 0, false},      {"69 today", -69, 0, true},
};

TEST_CASES(age, struct age_case, age_rows)
{
    time_t now = clock_steady_now();
    struct tm day;
    char arguments[64];
    struct http_answer answer;

    (void)localtime_r(&now, &day);
    day.tm_year += c->years;
    day.tm_mday += c->days;
    day.tm_hour = 12;
    (void)mktime(&day);
    (void)strftime(arguments, sizeof(arguments),
                   "{\"birthday\": \"%d.%m.%Y\", \"gender\": 1}", &day);
    answer = score(arguments);
    if (c->is_valid)
        expect_score(&answer, 1.5);
    else
        expect_fields(&answer, "birthday");
    http_answer_free(&answer);
}

struct several_case {
    const char *name, *arguments, *wanted;
};

static const struct several_case several_rows[] = {
    {"all six",
     "{\"phone\": 1, \"email\": 2, \"first_name\": 3, \"last_name\": 4, "
     "\"birthday\": 5, \"gender\": 6}",
     "phone email first_name last_name birthday gender"},
    {"two beside a valid pair",
     "{" FIRST "," LAST ", \"phone\": \"8\", \"gender\": \"x\"}",
     "phone gender"},
    {"two in one pair", "{\"phone\": \"\\u0000\", \"email\": \"x\"}",
     "phone email"},
};

TEST_CASES(several, struct several_case, several_rows)
{
    struct http_answer answer = score(c->arguments);

    expect_fields(&answer, c->wanted);
    http_answer_free(&answer);
}

/* The admin's is 42, after the same validation, past the cache. */
TEST_SINGLE(admin, "is 42 and leaves no key")
{
    const struct redis *redis = empty_cache();
    struct http_answer answer =
        expect_post(stack_shared(&plan)->port,
                    request_admin("online_score", "{" PHONE "," EMAIL "}"));

    expect_response(&answer, "{\"score\": 42}");
    clock_sleep_ms(100);
    CU_ASSERT_EQUAL(redis_number(redis, "DBSIZE"), 0);
    http_answer_free(&answer);
}

TEST_SINGLE(admin_invalid, "is 422 like anybody's")
{
    struct http_answer answer =
        expect_post(stack_shared(&plan)->port,
                    request_admin("online_score", "{" PHONE "}"));

    expect_error(&answer, 422, "email");
    http_answer_free(&answer);
}

/* Scores once so that the key is there; returns the key, to be freed. */
static char *
cached_key(const struct redis *redis, const char *arguments)
{
    struct http_answer answer = score(arguments);
    char *key;

    http_answer_free(&answer);
    key = redis_only_key(redis, "uid:*");
    CU_ASSERT_PTR_NOT_NULL_FATAL(key);
    return key;
}

TEST_SINGLE(cache_key, "has a keyed digest and the score, for an hour")
{
    const struct redis *redis = empty_cache();
    char *key = cached_key(redis, "{" PHONE "," EMAIL "}");
    redisReply *reply = redis_run(redis, "GET %s", key);
    long long ttl_s = redis_number(redis, "TTL %s", key);

    CU_ASSERT_TRUE(expect_match(key, "^uid:[0-9a-f]{64}$"));
    CU_ASSERT_PTR_NOT_NULL_FATAL(reply);
    CU_ASSERT_TRUE(reply->type == REDIS_REPLY_STRING &&
                   atof(reply->str) == 3.0);
    CU_ASSERT_TRUE(ttl_s > TTL_S - TTL_SLACK_S && ttl_s <= TTL_S);
    freeReplyObject(reply);
    free(key);
}

/* A cached value is answered, also a score of 0. */
struct hit_case {
    const char *name, *arguments, *planted;
    double want;
};

static const struct hit_case hit_rows[] = {
    {"another score", "{" PHONE "," EMAIL "}", "4.5", 4.5},
    {"score 0 in place of another", "{" PHONE "," EMAIL "}", "0.0", 0.0},
    {"another in place of score 0", "{" BIRTHDAY "," GENDER_0 "}", "5.0", 5.0},
    {"not a number", "{" PHONE "," EMAIL "}", "nonsense", 3.0},
    {"empty", "{" PHONE "," EMAIL "}", "", 3.0},
    {"NaN", "{" PHONE "," EMAIL "}", "nan", 3.0},
    {"JSON NaN", "{" PHONE "," EMAIL "}", "NaN", 3.0},
    {"infinity", "{" PHONE "," EMAIL "}", "inf", 3.0},
    {"negative", "{" PHONE "," EMAIL "}", "-1.5", 3.0},
    {"too high", "{" PHONE "," EMAIL "}", "42", 3.0},
    {"overflow", "{" PHONE "," EMAIL "}", "1e400", 3.0},
    {"hexadecimal", "{" PHONE "," EMAIL "}", "0x1", 3.0},
    {"space in front", "{" PHONE "," EMAIL "}", " 1.5", 3.0},
    {"newline behind", "{" PHONE "," EMAIL "}", "1.5\n", 3.0},
    {"comma", "{" PHONE "," EMAIL "}", "1,5", 3.0},
    {"more behind it", "{" PHONE "," EMAIL "}", "1.5\"}", 3.0},
    {"JSON string", "{" PHONE "," EMAIL "}", "\"1.5\"", 3.0},
    {"array", "{" PHONE "," EMAIL "}", "[1.5]", 3.0},
    {"true", "{" PHONE "," EMAIL "}", "true", 3.0},
    {"null", "{" PHONE "," EMAIL "}", "null", 3.0},
};

TEST_CASES(cached, struct hit_case, hit_rows)
{
    const struct redis *redis = empty_cache();
    char *key = cached_key(redis, c->arguments);
    struct http_answer answer;

    CU_ASSERT_TRUE(redis_do(redis, "SET %s %s", key, c->planted));
    answer = score(c->arguments);
    expect_score(&answer, c->want);
    http_answer_free(&answer);
    free(key);
}

TEST_SINGLE(cached_type, "is a miss when the key holds a list")
{
    const struct redis *redis = empty_cache();
    char *key = cached_key(redis, "{" PHONE "," EMAIL "}");
    struct http_answer answer;

    CU_ASSERT_TRUE(redis_do(redis, "DEL %s", key));
    CU_ASSERT_TRUE(redis_do(redis, "RPUSH %s 1.5", key));
    answer = score("{" PHONE "," EMAIL "}");
    expect_score(&answer, 3.0);
    http_answer_free(&answer);
    free(key);
}

/*
 * Two requests: a score of 4.5 is put into the cache for the first. want: the
 * score of the second, 4.5 if it is for the same person.
 */
struct person_case {
    const char *name, *first, *second;
    double want;
};

#define PERSON(phone, email, name_1, name_2, birthday, gender)                 \
    "{\"phone\": " phone ", \"email\": " email ", \"first_name\": " name_1     \
    ", \"last_name\": " name_2 ", \"birthday\": " birthday                     \
    ", \"gender\": " gender "}"
#define SAMPLE                                                                 \
    PERSON("\"79175002040\"", "\"a@b\"", "\"ab\"", "\"c\"", "\"01.01.1990\"",  \
           "1")

static const struct person_case person_rows[] = {
    {"the same", SAMPLE, SAMPLE, 4.5},
    {"phone as a number", SAMPLE,
     PERSON("79175002040", "\"a@b\"", "\"ab\"", "\"c\"", "\"01.01.1990\"", "1"),
     4.5},
    {"another phone", SAMPLE,
     PERSON("\"79175002041\"", "\"a@b\"", "\"ab\"", "\"c\"", "\"01.01.1990\"",
            "1"),
     5.0},
    {"another email", SAMPLE,
     PERSON("\"79175002040\"", "\"a@c\"", "\"ab\"", "\"c\"", "\"01.01.1990\"",
            "1"),
     5.0},
    {"no email", SAMPLE,
     PERSON("\"79175002040\"", "\"\"", "\"ab\"", "\"c\"", "\"01.01.1990\"",
            "1"),
     3.5},
    {"another first name", SAMPLE,
     PERSON("\"79175002040\"", "\"a@b\"", "\"aB\"", "\"c\"", "\"01.01.1990\"",
            "1"),
     5.0},
    {"another last name", SAMPLE,
     PERSON("\"79175002040\"", "\"a@b\"", "\"ab\"", "\"C\"", "\"01.01.1990\"",
            "1"),
     5.0},
    {"a letter moves between the names", SAMPLE,
     PERSON("\"79175002040\"", "\"a@b\"", "\"a\"", "\"bc\"", "\"01.01.1990\"",
            "1"),
     5.0},
    {"NUL in a name", SAMPLE,
     PERSON("\"79175002040\"", "\"a@b\"", "\"ab\\u0000\"", "\"c\"",
            "\"01.01.1990\"", "1"),
     5.0},
    {"another birthday", SAMPLE,
     PERSON("\"79175002040\"", "\"a@b\"", "\"ab\"", "\"c\"", "\"02.01.1990\"",
            "1"),
     5.0},
    {"gender 2", SAMPLE,
     PERSON("\"79175002040\"", "\"a@b\"", "\"ab\"", "\"c\"", "\"01.01.1990\"",
            "2"),
     5.0},
    {"gender 0", SAMPLE,
     PERSON("\"79175002040\"", "\"a@b\"", "\"ab\"", "\"c\"", "\"01.01.1990\"",
            "0"),
     3.5},
    {"no gender", SAMPLE,
     PERSON("\"79175002040\"", "\"a@b\"", "\"ab\"", "\"c\"", "\"01.01.1990\"",
            "null"),
     3.5},
    {"empty and null", "{" PHONE "," EMAIL ", \"first_name\": \"\"}",
     "{" PHONE "," EMAIL ", \"first_name\": null}", 4.5},
    {"absent and empty", "{" PHONE "," EMAIL "}",
     "{" PHONE "," EMAIL ", \"last_name\": \"\"}", 4.5},
    {"order of the members", "{" PHONE "," EMAIL "}", "{" EMAIL "," PHONE "}",
     4.5},
    {"a phone's digits as a name",
     "{" PHONE "," EMAIL ", \"first_name\": \"79175002040\"}",
     "{" PHONE "," EMAIL ", \"last_name\": \"79175002040\"}", 3.0},
};

TEST_CASES(person, struct person_case, person_rows)
{
    const struct redis *redis = empty_cache();
    char *key = cached_key(redis, c->first);
    struct http_answer answer;

    CU_ASSERT_TRUE(redis_do(redis, "SET %s 4.5", key));
    answer = score(c->second);
    expect_score(&answer, c->want);
    http_answer_free(&answer);
    free(key);
}

/* Every worker makes the same key: each request has a connection of its own. */
TEST_SINGLE(one_key, "for all workers and all accounts")
{
    const struct redis *redis = empty_cache();

    for (int i = 0; i < 20; i++) {
        struct http_answer answer = score("{" PHONE "," EMAIL "}");

        expect_score(&answer, 3.0);
        http_answer_free(&answer);
    }
    free(redis_only_key(redis, "uid:*"));
    CU_ASSERT_EQUAL(redis_number(redis, "DBSIZE"), 1);
}

TEST_SUITE(.parts = 2);
