/*
 * Planning and answering with every allocation failing in turn: only the
 * request at hand fails, with a valid envelope, and the next one succeeds.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "scoring/api.h"
#include "scoring/model.h"
#include "support/cases.h"
#include "support/memory.h"
#include "support/token.h"

#define NOW         1795000000 /* in November 2026 */
#define BODY_MAX    2048
#define IDS_MAX     100
#define CLIENTS_MAX 10
#define VALUE_MAX   3

#define SCORE(arguments)    "\"online_score\", \"arguments\": " arguments
#define SCORES(arguments)   "\"online_scores\", \"arguments\": " arguments
#define INTERESTS(argument) "\"clients_interests\", \"arguments\": " argument

static const struct api_config config = {
    .model = &model_published,
    .clients_max = CLIENTS_MAX,
    .secrets = TOKEN_SECRETS,
    .client_ids_max = IDS_MAX,
    .body_max_bytes = BODY_MAX,
};

static struct api *api;

struct request_case {
    const char *name;
    const char *method; /* and arguments: the text after "method": */
    struct store_value values[VALUE_MAX];
    int code;
    const char *body; /* NULL: any */
};

#define A_LIST                                                                 \
    {                                                                          \
        STORE_STRING,                                                          \
        {                                                                      \
            "[\"a\"]", 5                                                       \
        }                                                                      \
    }

static const struct request_case request_rows[] = {
    {.name = "score, not in the cache",
     .method = SCORE("{\"phone\": 79175002040, \"email\": \"a@b\"}"),
     .code = 200,
     .body = "{\"code\": 200, \"response\": {\"score\": 3.0}}"},
    {.name = "score from the cache",
     .method = SCORE("{\"first_name\": \"a\", \"last_name\": \"b\"}"),
     .values = {{STORE_STRING, {"2.5", 3}}},
     .code = 200},
    {.name = "score of many members",
     .method = SCORE(
         "{\"first_name\": \"\\u0416\", \"last_name\": \"b\", \"1\": [], "
         "\"2\": {}, \"3\": 1.5, \"4\": null, \"5\": true, \"6\": [1, 2], "
         "\"7\": \"\", \"8\": -1, \"9\": {\"a\": {\"b\": [\"c\"]}}}"),
     .code = 200,
     .body = "{\"code\": 200, \"response\": {\"score\": 0.5}}"},
    {.name = "score explained",
     .method = SCORE("{\"first_name\": \"a\", \"last_name\": \"b\", "
                     "\"explain\": true}"),
     .code = 200},
    {.name = "many scores, and faults",
     .method = SCORES("{\"clients\": [{\"first_name\": \"a\", \"last_name\": "
                      "\"b\"}, {\"phone\": \"8\"}, {\"first_name\": \"a\", "
                      "\"last_name\": \"c\"}]}"),
     .code = 200,
     .body = "{\"code\": 200, \"response\": {\"scores\": [{\"score\": 0.5}, "
             "{\"error\": \"phone: must be 11 digits and start with 7\"}, "
             "{\"score\": 0.5}]}}"},
    {.name = "many scores of numbers and escapes",
     .method = SCORES("{\"clients\": [{\"phone\": 79175002040, "
                      "\"\\u0065mail\": \"a\\u0040b\"}]}"),
     .code = 200,
     .body = "{\"code\": 200, \"response\": {\"scores\": [{\"score\": "
             "3.0}]}}"},
    {.name = "interests",
     .method = INTERESTS("{\"client_ids\": [1, 2, 3]}"),
     .values = {A_LIST, {STORE_ABSENT, {NULL, 0}}, A_LIST},
     .code = 200,
     .body = "{\"code\": 200, \"response\": {\"1\": [\"a\"], \"2\": [], "
             "\"3\": [\"a\"]}}"},
    {.name = "interests that are broken",
     .method = INTERESTS("{\"client_ids\": [1]}"),
     .values = {{STORE_STRING, {"x", 1}}},
     .code = 500},
    {.name = "wrong arguments",
     .method = SCORE("{\"phone\": 1, \"email\": 1, \"gender\": \"\"}"),
     .code = 422},
    {.name = "no pair", .method = SCORE("{}"), .code = 422},
    {.name = "wrong ids",
     .method = INTERESTS("{\"client_ids\": [1, \"2\"]}"),
     .code = 422},
    {.name = "no such method",
     .method = "\"x\", \"arguments\": {}",
     .code = 422},
    {.name = "broken text", .method = "x", .code = 400},
};

/* The body, copied without an allocation. */
static struct bytes
whole_body(const struct outcome *outcome, char text[BODY_MAX])
{
    size_t length = 0;

    CU_ASSERT_FATAL(outcome_length(outcome) < BODY_MAX);
    memcpy(text, outcome->body.at, outcome->body.length);
    length += outcome->body.length;
    for (size_t i = 0; i < outcome->part_count; i++) {
        memcpy(text + length, outcome->parts[i].at, outcome->parts[i].length);
        length += outcome->parts[i].length;
    }
    if (outcome->end.length > 0)
        memcpy(text + length, outcome->end.at, outcome->end.length);
    return (struct bytes){text, length + outcome->end.length};
}

static void
check_answer(const struct outcome *outcome, const struct request_case *c,
             bool has_failed)
{
    struct json_fault fault;
    char start[BODY_MAX], text[BODY_MAX];
    const struct bytes body = whole_body(outcome, text);

    CU_ASSERT(outcome->code == c->code || (has_failed && outcome->code == 500));
    (void)snprintf(start, sizeof(start), "{\"code\": %d, \"", outcome->code);
    CU_ASSERT(json_check(body, &fault));
    CU_ASSERT(body.length > strlen(start) &&
              memcmp(body.at, start, strlen(start)) == 0);
    if (c->body != NULL && outcome->code == c->code)
        CU_ASSERT(bytes_equal(body, bytes_of(c->body)));
}

/* A 500 has a reason, and no result of the cache. */
static void
check_told(const struct outcome *outcome)
{
    const bool is_fault = outcome->code == 500;

    CU_ASSERT_EQUAL(outcome->fault != OUTCOME_FAULT_NONE, is_fault);
    CU_ASSERT_EQUAL(outcome->fault_text.length > 0, is_fault);
    CU_ASSERT(!is_fault || outcome->cache == OUTCOME_CACHE_UNUSED);
    CU_ASSERT(!is_fault || outcome->write_key.length == 0);
}

static void
ask(const struct request_case *c)
{
    char body[BODY_MAX];
    struct request request = {.verb = bytes_of("POST"),
                              .path = bytes_of("/method"),
                              .body = body,
                              .now = NOW};
    struct api_wants wants;
    struct outcome outcome;
    struct api_call *call;
    bool has_failed;

    request.body_length = (size_t)snprintf(
        body, sizeof(body),
        "{\"account\": \"horns&hoofs\", \"login\": \"h&f\", \"token\": "
        "\"" TOKEN_KNOWN "\", \"method\": %s}",
        c->method);
    call = api_plan(api, &request, &wants, &outcome);
    if (wants.count > 0)
        api_answer(call, STORE_OK, c->values, &outcome);
    has_failed = memory_has_failed();
    CU_ASSERT(call != NULL || has_failed);
    check_answer(&outcome, c, has_failed);
    check_told(&outcome);
    api_call_free(call);
}

/* Making an API. */
static void
start(const void *row)
{
    bool has_failed;

    (void)row;
    api = api_new(&config);
    has_failed = memory_stop();
    CU_ASSERT(api != NULL || has_failed);
    if (api != NULL)
        ask(&request_rows[0]);
    api_free(api);
}

TEST_SINGLE(start, "an API is whole or it is not made")
{
    memory_fail_each(start, NULL);
}

static void
ask_twice(const void *row)
{
    ask(row);
    (void)memory_stop();
    ask(row);
}

TEST_CASES(request, struct request_case, request_rows)
{
    api = api_new(&config);
    CU_ASSERT_PTR_NOT_NULL_FATAL(api);
    memory_fail_each(ask_twice, c);
    api_free(api);
}
