/*
 * The method clients_interests, over the whole stack: its arguments, and how it
 * answers any content of the store. Source: docs/protocol.md, S17 and S18.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "support/buffer.h"
#include "support/cases.h"
#include "support/expect.h"
#include "support/request.h"
#include "support/stack.h"

#define IDS_MAX 10000 /* the default of SCORING_MAX_CLIENT_IDS */

static const struct stack_plan plan = {.store = STACK_REDIS_TCP};

static struct http_answer
interests(const char *arguments)
{
    return expect_post(stack_shared(&plan)->port, request_interests(arguments));
}

/* Fills an empty store with these values. */
static const struct redis *
fill(void)
{
    static const char *const values[][2] = {
        {"i:0", "[]"},
        {"i:1", "[\"cars\", \"pets\"]"},
        {"i:2", "[ \"books\" ]\n"},
        {"i:3", "[\"\xd0\xba\xd0\xbd\xd0\xb8\xd0\xb3\xd0\xb0\", \"\\u20ac\"]"},
        {"i:4", ""},
        {"i:5", "[\"quote \\\" and \\\\ and \\n\", \"\"]"},
        {"i:-7", "[\"minus\"]"},
        {"i:9223372036854775807", "[\"largest\"]"},
        {"i:-9223372036854775808", "[\"smallest\"]"},
    };
    const struct redis *redis = &stack_shared(&plan)->redis;

    CU_ASSERT_TRUE(redis_do(redis, "FLUSHALL"));
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        CU_ASSERT_TRUE(
            redis_do(redis, "SET %s %s", values[i][0], values[i][1]));
    return redis;
}

struct value_case {
    const char *name, *arguments, *want;
};

static const struct value_case value_rows[] = {
    {"one", "{\"client_ids\": [1]}", "{\"1\": [\"cars\", \"pets\"]}"},
    {"several", "{\"client_ids\": [1, 2, 0]}",
     "{\"1\": [\"cars\", \"pets\"], \"2\": [\"books\"], \"0\": []}"},
    {"unknown", "{\"client_ids\": [100]}", "{\"100\": []}"},
    {"known and unknown", "{\"client_ids\": [100, 2]}",
     "{\"100\": [], \"2\": [\"books\"]}"},
    {"empty value", "{\"client_ids\": [4]}", "{\"4\": []}"},
    {"not ASCII", "{\"client_ids\": [3]}",
     "{\"3\": [\"\xd0\xba\xd0\xbd\xd0\xb8\xd0\xb3\xd0\xb0\", "
     "\"\xe2\x82\xac\"]}"},
    {"escapes", "{\"client_ids\": [5]}",
     "{\"5\": [\"quote \\\" and \\\\ and \\n\", \"\"]}"},
    {"repeated id", "{\"client_ids\": [2, 1, 2, 2]}",
     "{\"2\": [\"books\"], \"1\": [\"cars\", \"pets\"]}"},
    {"negative id", "{\"client_ids\": [-7]}", "{\"-7\": [\"minus\"]}"},
    {"minus zero", "{\"client_ids\": [-0]}", "{\"0\": []}"},
    {"largest id", "{\"client_ids\": [9223372036854775807]}",
     "{\"9223372036854775807\": [\"largest\"]}"},
    {"smallest id", "{\"client_ids\": [-9223372036854775808]}",
     "{\"-9223372036854775808\": [\"smallest\"]}"},
    {"with a date", "{\"client_ids\": [2], \"date\": \"19.07.2017\"}",
     "{\"2\": [\"books\"]}"},
    {"with a date in the future",
     "{\"client_ids\": [2], \"date\": \"31.12.9999\"}", "{\"2\": [\"books\"]}"},
    {"with a date in year 1", "{\"client_ids\": [2], \"date\": \"01.01.0001\"}",
     "{\"2\": [\"books\"]}"},
    {"with an empty date", "{\"client_ids\": [2], \"date\": \"\"}",
     "{\"2\": [\"books\"]}"},
    {"with date null", "{\"client_ids\": [2], \"date\": null}",
     "{\"2\": [\"books\"]}"},
    {"unknown argument", "{\"client_ids\": [2], \"limit\": -1}",
     "{\"2\": [\"books\"]}"},
};

TEST_CASES(values, struct value_case, value_rows)
{
    struct http_answer answer;

    (void)fill();
    answer = interests(c->arguments);
    expect_response(&answer, c->want);
    http_answer_free(&answer);
}

/* The wrong field is named, the other one is not. */
struct invalid_case {
    const char *name, *arguments, *named, *not_named;
};

#define IDS_ARE(what, json)                                                    \
    {                                                                          \
        "client_ids " what, "{\"client_ids\": " json "}", "client_ids", "date" \
    }
#define DATE_IS(what, json)                                                    \
    {                                                                          \
        "date " what, "{\"client_ids\": [1], \"date\": " json "}", "date",     \
            "client_ids"                                                       \
    }

static const struct invalid_case invalid_rows[] = {
    {"client_ids absent", "{}", "client_ids", "date"},
    IDS_ARE("null", "null"),
    IDS_ARE("empty", "[]"),
    IDS_ARE("number", "1"),
    IDS_ARE("string", "\"1\""),
    IDS_ARE("empty string", "\"\""),
    IDS_ARE("object", "{\"1\": 1}"),
    IDS_ARE("empty object", "{}"),
    IDS_ARE("false", "false"),
    IDS_ARE("zero", "0"),
    IDS_ARE("with a string", "[1, \"2\"]"),
    IDS_ARE("with a float", "[1, 2.0]"),
    IDS_ARE("with an exponent", "[1e3]"),
    IDS_ARE("with true", "[true]"),
    IDS_ARE("with null", "[1, null]"),
    IDS_ARE("with an array", "[[1]]"),
    IDS_ARE("with an object", "[{}]"),
    IDS_ARE("above int64", "[9223372036854775808]"),
    IDS_ARE("below int64", "[-9223372036854775809]"),
    IDS_ARE("above uint64", "[18446744073709551616]"),
    IDS_ARE("far above", "[100000000000000000000000000000000000]"),
    DATE_IS("nonsense", "\"XXX\""),
    DATE_IS("30 February", "\"30.02.2020\""),
    DATE_IS("29 February 1900", "\"29.02.1900\""),
    DATE_IS("year 0", "\"01.01.0000\""),
    DATE_IS("short", "\"1.1.2020\""),
    DATE_IS("number", "1012020"),
    DATE_IS("zero", "0"),
    DATE_IS("false", "false"),
    DATE_IS("array", "[]"),
    {"both", "{\"client_ids\": [], \"date\": \"x\"}", "client_ids", NULL},
    {"both, the other", "{\"client_ids\": [], \"date\": \"x\"}", "date", NULL},
};

TEST_CASES(invalid, struct invalid_case, invalid_rows)
{
    struct http_answer answer = interests(c->arguments);

    expect_error(&answer, 422, c->named);
    if (c->not_named != NULL)
        CU_ASSERT_PTR_NULL(strstr(expect_error_of(&answer), c->not_named));
    http_answer_free(&answer);
}

/* The value of i:66 is damaged. */
struct broken_case {
    const char *name, *command;
};

static const struct broken_case broken_rows[] = {
    {"not JSON", "SET i:66 cars"},
    {"cut off", "SET i:66 [\"cars\""},
    {"more behind it", "SET i:66 [\"cars\"]x"},
    {"two arrays", "SET i:66 [\"cars\"][\"pets\"]"},
    {"single quotes", "SET i:66 ['cars']"},
    {"comma at the end", "SET i:66 [\"cars\",]"},
    {"string", "SET i:66 \"cars\""},
    {"object", "SET i:66 {\"cars\":1}"},
    {"null", "SET i:66 null"},
    {"number", "SET i:66 7"},
    {"array with a number", "SET i:66 [\"cars\",7]"},
    {"array with null", "SET i:66 [null]"},
    {"array with an array", "SET i:66 [[\"cars\"]]"},
    {"bad UTF-8", "SET i:66 [\"\xff\"]"},
    {"over-long UTF-8", "SET i:66 [\"\xc0\xaf\"]"},
    {"list", "RPUSH i:66 cars"},
    {"hash", "HSET i:66 cars 1"},
    {"set", "SADD i:66 cars"},
    {"sorted set", "ZADD i:66 1 cars"},
};

TEST_CASES(broken, struct broken_case, broken_rows)
{
    const struct stack *stack = stack_shared(&plan);
    size_t before = stack_log_count(stack, "\\] E .*i:66");
    struct http_answer answer;

    CU_ASSERT_TRUE(redis_do(fill(), c->command));
    answer = interests("{\"client_ids\": [1, 100, 66, 2]}");
    expect_error_text(&answer, 500, "Internal Server Error");
    http_answer_free(&answer);
    CU_ASSERT_TRUE(stack_log_wait(stack, "\\] E .*i:66", before + 1));
    answer = interests(REQUEST_IDS);
    expect_response(&answer,
                    "{\"1\": [\"cars\", \"pets\"], \"2\": [\"books\"]}");
    http_answer_free(&answer);
}

/* Ids from 1 to count, of which 1 and 2 are known. */
static char *
many(size_t count)
{
    struct buffer arguments = {0};
    char *request;

    for (size_t i = 1; i <= count; i++)
        buffer_printf(&arguments, "%s%zu", i == 1 ? "{\"client_ids\": [" : ",",
                      i);
    buffer_add_text(&arguments, "]}");
    request = request_interests(buffer_text(&arguments));
    buffer_free(&arguments);
    return request;
}

TEST_SINGLE(most, "as many ids as may be")
{
    struct http_answer answer;
    struct json_object *document, *response;

    (void)fill();
    answer = expect_post(stack_shared(&plan)->port, many(IDS_MAX));
    CU_ASSERT_EQUAL(answer.status, 200);
    document = json_tokener_parse(answer.body);
    response = json_object_object_get(document, "response");
    CU_ASSERT_EQUAL(json_object_object_length(response), IDS_MAX);
    CU_ASSERT_EQUAL(
        json_object_array_length(json_object_object_get(response, "1")), 2);
    CU_ASSERT_EQUAL(
        json_object_array_length(json_object_object_get(response, "10000")), 0);
    json_object_put(document);
    http_answer_free(&answer);
}

TEST_SINGLE(too_many, "one id more than may be")
{
    struct http_answer answer =
        expect_post(stack_shared(&plan)->port, many(IDS_MAX + 1));

    expect_error(&answer, 422, "client_ids");
    http_answer_free(&answer);
}

/*
 * For the admin, interests are read as for a partner, and nothing is written.
 */
TEST_SINGLE(admin_interests, "and no key is written")
{
    const struct redis *redis = fill();
    long long before = redis_number(redis, "DBSIZE");
    struct http_answer answer = expect_post(
        stack_shared(&plan)->port,
        request_admin("clients_interests", "{\"client_ids\": [2, 100]}"));

    expect_response(&answer, "{\"2\": [\"books\"], \"100\": []}");
    CU_ASSERT_EQUAL(redis_number(redis, "DBSIZE"), before);
    CU_ASSERT_EQUAL(redis_number(redis, "TTL i:2"), -1);
    http_answer_free(&answer);
}
