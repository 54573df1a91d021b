/*
 * Assertions of the integration tests about answers.
 */
#include <json-c/json.h>
#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#include "expect.h"

#define EXPECT_SHOWN  400 /* bytes of an unexpected body that are printed */
#define EXPECT_HEADER 256
#define EXPECT_ERROR  4096
#define EXPECT_EQUAL  1e-9 /* scores are tenths */

static void
check(const struct http_answer *answer, bool is_right, const char *what)
{
    CU_ASSERT_TRUE(is_right);
    if (!is_right)
        (void)printf("not as expected: %s; got %d in %.3f s: %.*s\n", what,
                     answer->status, answer->seconds, EXPECT_SHOWN,
                     answer->body);
}

/* The parsed answer, which the caller puts, if the envelope is valid; else
 * NULL. */
static struct json_object *
open_envelope(const struct http_answer *answer, int status, const char *member)
{
    struct json_object *document = json_tokener_parse(answer->body);
    struct json_object *code = NULL;
    char type[EXPECT_HEADER];
    bool is_right = answer->status == status &&
                    json_object_is_type(document, json_type_object) &&
                    json_object_object_length(document) == 2 &&
                    json_object_object_get_ex(document, "code", &code) &&
                    json_object_is_type(code, json_type_int) &&
                    json_object_get_int(code) == status &&
                    json_object_object_get_ex(document, member, NULL) &&
                    http_header(answer, "Content-Type", type, sizeof(type)) &&
                    strcmp(type, "application/json") == 0;

    if (!is_right)
        (void)printf("expected the status %d and the member %s\n", status,
                     member);
    check(answer, is_right, "status and envelope");
    if (is_right)
        return document;
    json_object_put(document);
    return NULL;
}

static void
check_error(const struct http_answer *answer, int status, const char *text,
            bool is_whole)
{
    struct json_object *document = open_envelope(answer, status, "error");
    const char *error;
    bool is_right;

    if (document == NULL)
        return;
    error = json_object_get_string(json_object_object_get(document, "error"));
    is_right = error != NULL && error[0] != '\0';
    if (is_right && text != NULL)
        is_right =
            is_whole ? strcmp(error, text) == 0 : strstr(error, text) != NULL;
    check(answer, is_right, text != NULL ? text : "an error text");
    json_object_put(document);
}

void
expect_error(const struct http_answer *answer, int status, const char *part)
{
    check_error(answer, status, part, false);
}

void
expect_error_text(const struct http_answer *answer, int status,
                  const char *text)
{
    check_error(answer, status, text, true);
}

void
expect_response(const struct http_answer *answer, const char *json)
{
    struct json_object *document = open_envelope(answer, 200, "response");
    struct json_object *want = json_tokener_parse(json);

    if (document != NULL)
        check(answer,
              json_object_equal(json_object_object_get(document, "response"),
                                want) != 0,
              json);
    json_object_put(want);
    json_object_put(document);
}

void
expect_score(const struct http_answer *answer, double score)
{
    struct json_object *document = open_envelope(answer, 200, "response");
    struct json_object *response, *value = NULL;
    bool is_right;

    if (document == NULL)
        return;
    response = json_object_object_get(document, "response");
    is_right = json_object_is_type(response, json_type_object) &&
               json_object_object_length(response) == 1 &&
               json_object_object_get_ex(response, "score", &value) &&
               (json_object_is_type(value, json_type_double) ||
                json_object_is_type(value, json_type_int)) &&
               fabs(json_object_get_double(value) - score) < EXPECT_EQUAL;
    check(answer, is_right, "the score");
    if (!is_right)
        (void)printf("expected the score %.1f\n", score);
    json_object_put(document);
}

void
expect_header(const struct http_answer *answer, const char *name,
              const char *value)
{
    char got[EXPECT_HEADER] = "";
    bool is_there = http_header(answer, name, got, sizeof(got));

    CU_ASSERT_TRUE(is_there);
    CU_ASSERT_STRING_EQUAL(got, value);
    if (!is_there || strcmp(got, value) != 0)
        (void)printf("expected the header %s: %s; got \"%s\"\n", name, value,
                     got);
}

const char *
expect_error_of(const struct http_answer *answer)
{
    static char text[EXPECT_ERROR];
    struct json_object *document = json_tokener_parse(answer->body);
    struct json_object *error = NULL;

    text[0] = '\0';
    if (json_object_is_type(document, json_type_object) &&
        json_object_object_get_ex(document, "error", &error))
        (void)snprintf(text, sizeof(text), "%s", json_object_get_string(error));
    json_object_put(document);
    return text;
}

double
expect_score_of(const struct http_answer *answer)
{
    struct json_object *document = NULL, *response, *value;
    double score = -1;

    if (answer->status == 200)
        document = json_tokener_parse(answer->body);
    if (json_object_is_type(document, json_type_object) &&
        json_object_object_get_ex(document, "response", &response) &&
        json_object_is_type(response, json_type_object) &&
        json_object_object_get_ex(response, "score", &value))
        score = json_object_get_double(value);
    json_object_put(document);
    return score;
}

static void
compile(regex_t *regex, const char *pattern, int flags)
{
    if (regcomp(regex, pattern, REG_EXTENDED | REG_NOSUB | flags) != 0) {
        (void)fprintf(stderr, "expect: bad pattern: %s\n", pattern);
        exit(EXIT_FAILURE);
    }
}

static bool
matches(const char *text, const char *pattern, int flags)
{
    regex_t regex;
    bool is_match;

    compile(&regex, pattern, flags);
    is_match = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return is_match;
}

bool
expect_match(const char *text, const char *pattern)
{
    return matches(text, pattern, REG_NEWLINE);
}

bool
expect_says(const char *text, const char *pattern)
{
    return matches(text, pattern, 0);
}

size_t
expect_count_lines(char *text, const char *pattern)
{
    regex_t regex;
    char *line;
    size_t count = 0;

    compile(&regex, pattern, REG_NEWLINE);
    while ((line = strsep(&text, "\n")) != NULL)
        count += line[0] != '\0' && regexec(&regex, line, 0, NULL, 0) == 0;
    regfree(&regex);
    return count;
}

struct http_answer
expect_post(int port, char *request)
{
    struct http *http = http_open(port);
    struct http_answer answer = {0};

    CU_ASSERT_PTR_NOT_NULL_FATAL(http);
    answer = http_post(http, request);
    http_close(http);
    free(request);
    return answer;
}

int
expect_status(int port, char *request)
{
    struct http_answer answer = expect_post(port, request);
    const int status = answer.status;

    http_answer_free(&answer);
    return status;
}
