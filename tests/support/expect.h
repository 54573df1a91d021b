#ifndef EXPECT_H
#define EXPECT_H

#include <stdbool.h>

#include "http.h"

/*
 * What an answer must be. Each check asserts through CUnit, prints the answer
 * when it is another one, and frees nothing.
 *
 * All of them hold the envelope to docs/protocol.md, S2: the
 * JSON content type, two members, and "code" equal to the HTTP status.
 */

/* An error whose text holds part; NULL: any text. */
void expect_error(const struct http_answer *answer, int status,
                  const char *part);

/* An error with exactly this text. */
void expect_error_text(const struct http_answer *answer, int status,
                       const char *text);

/* 200, and the member "response" equal to this JSON. */
void expect_response(const struct http_answer *answer, const char *json);

/* 200, and exactly one member "score" of this value. */
void expect_score(const struct http_answer *answer, double score);

/* A header with exactly this value. */
void expect_header(const struct http_answer *answer, const char *name,
                   const char *value);

/* The text of an error answer in a static buffer; "" if it is none. */
const char *expect_error_of(const struct http_answer *answer);

/* The score of an answer without a fault; -1 if it has none. Asserts nothing.
 */
double expect_score_of(const struct http_answer *answer);

/* Whether a text matches an extended regular expression. */
bool expect_match(const char *text, const char *pattern);

/* How many lines that are not empty match it; the text is cut into them. */
size_t expect_count_lines(char *text, const char *pattern);

/*
 * Posts a request, which it frees, on a connection of its own; the answer is
 * to be freed.
 */
struct http_answer expect_post(int port, char *request);

#endif
