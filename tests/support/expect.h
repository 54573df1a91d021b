#ifndef EXPECT_H
#define EXPECT_H

#include <stdbool.h>

#include "http.h"

/*
 * Assertions about an answer. Each asserts through CUnit, prints the answer if
 * it fails, and frees nothing.
 *
 * All of them also check the envelope (docs/protocol.md, S2.5 and S7.1): the
 * JSON content type, two members, and "code" equal to the HTTP status.
 */

/* An error whose text contains part; NULL: any text. */
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

/* The score of a 200; -1 if there is none. Asserts nothing. */
double expect_score_of(const struct http_answer *answer);

/* Whether a text matches an extended regular expression. */
bool expect_match(const char *text, const char *pattern);

/* The same for the whole text, not its lines: '^' is only its beginning. */
bool expect_says(const char *text, const char *pattern);

/* How many non-empty lines match it; the text is modified. */
size_t expect_count_lines(char *text, const char *pattern);

/*
 * Posts a request on a new connection, and frees the request; the caller frees
 * the answer.
 */
struct http_answer expect_post(int port, char *request);

/* The same, for its status alone. */
int expect_status(int port, char *request);

#endif
