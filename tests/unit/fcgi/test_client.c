/*
 * The bytes that `scoring healthcheck` sends, and what it makes of the bytes
 * that come back. Expected values are written out from the FastCGI
 * specification 1.0.
 */
#include "fcgi/client.h"
#include "fcgi/scan.h"
#include "support/cases.h"
#include "unit/suites.h"

#define BYTES(text)                                                            \
    {                                                                          \
        text, sizeof(text) - 1                                                 \
    }

/* The records of an answer: version, type, id (2), length (2), padding, 0. */
#define STDOUT(length)   "\1\6\0\1\0" length "\0\0"
#define STDOUT_PADDED_3  "\1\6\0\1\0\2\3\0"
#define STDERR(length)   "\1\7\0\1\0" length "\0\0"
#define END_HEADER       "\1\3\0\1\0\10\0\0"
#define END_GOOD         END_HEADER "\0\0\0\0\0\0\0\0"
#define END_APPLICATION  END_HEADER "\0\0\0\1\0\0\0\0"
#define END_OVERLOADED   END_HEADER "\0\0\0\0\2\0\0\0"
#define END_SHORT        "\1\3\0\1\0\5\0\0\0\0\0\0\0"
#define END_OTHER_ID     "\1\3\0\2\0\10\0\0\0\0\0\0\0\0\0\0"
#define END_OTHER_ID_256 "\1\3\1\1\0\10\0\0\0\0\0\0\0\0\0\0"

#define X16 "xxxxxxxxxxxxxxxx"
#define X64 X16 X16 X16 X16

TEST_SINGLE(request, "is these bytes")
{
    static const struct fcgi_client_param params[] = {{"A", "bc"}, {"D", ""}};
    static const struct bytes want = BYTES("\1\1\0\1\0\10\0\0" /* begin */
                                           "\0\1\0\0\0\0\0\0"
                                           "\1\4\0\1\0\5\0\0"
                                           "\1\2"
                                           "Abc"
                                           "\1\4\0\1\0\3\0\0"
                                           "\1\0"
                                           "D"
                                           "\1\4\0\1\0\0\0\0" /* params end */
                                           "\1\5\0\1\0\2\0\0"
                                           "{}"
                                           "\1\5\0\1\0\0\0\0"); /* body ends */
    struct buf out = {0};

    (void)c;
    fcgi_client_put(&out, params, 2, bytes_of("{}"));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&out), want));
    buf_free(&out);
}

TEST_SINGLE(no_body, "is the end of the body alone")
{
    static const struct bytes want = BYTES("\1\1\0\1\0\10\0\0"
                                           "\0\1\0\0\0\0\0\0"
                                           "\1\4\0\1\0\0\0\0"
                                           "\1\5\0\1\0\0\0\0");
    struct buf out = {0};

    (void)c;
    fcgi_client_put(&out, NULL, 0, bytes_of(""));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&out), want));
    buf_free(&out);
}

TEST_SINGLE(short_body, "of one byte is sent, too")
{
    static const struct bytes want = BYTES("\1\1\0\1\0\10\0\0"
                                           "\0\1\0\0\0\0\0\0"
                                           "\1\4\0\1\0\0\0\0"
                                           "\1\5\0\1\0\1\0\0"
                                           "x"
                                           "\1\5\0\1\0\0\0\0");
    struct buf out = {0};

    (void)c;
    fcgi_client_put(&out, NULL, 0, bytes_of("x"));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&out), want));
    buf_free(&out);
}

TEST_SINGLE(accepted, "by the service's own scanner, with the longest texts")
{
    char text[FCGI_CLIENT_TEXT_MAX + 1];
    const struct fcgi_client_param params[] = {{text, text}};
    struct buf out = {0};
    struct fcgi_scan scan = {0};

    (void)c;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    fcgi_client_put(&out, params, 1, bytes_of(text));
    CU_ASSERT_EQUAL(fcgi_scan(&scan, out.data, out.length), FCGI_SCAN_COMPLETE);
    CU_ASSERT_EQUAL(scan.length, out.length);
    CU_ASSERT_EQUAL(scan.body_length, FCGI_CLIENT_TEXT_MAX);
    CU_ASSERT_FALSE(scan.keep);
    buf_free(&out);
}

struct answer_case {
    const char *name;
    struct bytes received;
    enum fcgi_client_verdict want;
    const char *answer;
};

static const struct answer_case answer_rows[] = {
    {"nothing yet", BYTES(""), FCGI_CLIENT_MORE, ""},
    {"half a header", BYTES("\1\6\0\1"), FCGI_CLIENT_MORE, ""},
    {"a header alone", BYTES(STDOUT("\2")), FCGI_CLIENT_MORE, ""},
    {"content cut short", BYTES(STDOUT("\2") "a"), FCGI_CLIENT_MORE, ""},
    {"padding cut short",
     BYTES(STDOUT_PADDED_3 "ab"
                           "\0\0"),
     FCGI_CLIENT_MORE, ""},
    {"no end yet", BYTES(STDOUT("\2") "ab"), FCGI_CLIENT_MORE, ""},
    {"end cut short", BYTES(STDOUT("\2") "ab" END_HEADER "\0\0\0\0\0\0\0"),
     FCGI_CLIENT_MORE, ""},
    {"one record", BYTES(STDOUT("\2") "ab" END_GOOD), FCGI_CLIENT_COMPLETE,
     "ab"},
    {"two records", BYTES(STDOUT("\2") "ab" STDOUT("\1") "c" END_GOOD),
     FCGI_CLIENT_COMPLETE, "abc"},
    {"a record of 258 bytes",
     BYTES("\1\6\0\1\1\2\0\0" X64 X64 X64 X64 "ab" END_GOOD),
     FCGI_CLIENT_COMPLETE, X64 X64 X64 X64 "ab"},
    {"what is reserved in the end", BYTES(END_HEADER "\0\0\0\0\0\1\2\3"),
     FCGI_CLIENT_COMPLETE, ""},
    {"padding", BYTES(STDOUT_PADDED_3 "ab\0\0\0" END_GOOD),
     FCGI_CLIENT_COMPLETE, "ab"},
    {"an empty record", BYTES(STDOUT("\2") "ab" STDOUT("\0") END_GOOD),
     FCGI_CLIENT_COMPLETE, "ab"},
    {"errors are left out",
     BYTES(STDERR("\1") "x" STDOUT("\2") "ab" STDERR("\0") END_GOOD),
     FCGI_CLIENT_COMPLETE, "ab"},
    {"only an end", BYTES(END_GOOD), FCGI_CLIENT_COMPLETE, ""},
    {"more behind the end", BYTES(END_GOOD "x"), FCGI_CLIENT_COMPLETE, ""},
    {"the application failed", BYTES(END_APPLICATION), FCGI_CLIENT_BAD, ""},
    {"overloaded", BYTES(END_OVERLOADED), FCGI_CLIENT_BAD, ""},
    {"too short an end", BYTES(END_SHORT), FCGI_CLIENT_BAD, ""},
    {"of another request", BYTES(END_OTHER_ID), FCGI_CLIENT_BAD, ""},
    {"of request 257", BYTES(END_OTHER_ID_256), FCGI_CLIENT_BAD, ""},
    {"another version", BYTES("\2\6\0\1\0\0\0\0"), FCGI_CLIENT_BAD, ""},
    {"another version behind a good one",
     BYTES(STDERR("\1") "x\2\7\0\1\0\0\0\0"), FCGI_CLIENT_BAD, ""},
    {"a record of the other side", BYTES("\1\5\0\1\0\0\0\0"), FCGI_CLIENT_BAD,
     ""},
    {"HTTP", BYTES("HTTP/1.1 400 Bad Request\r\n"), FCGI_CLIENT_BAD, ""},
};

TEST_CASES(answer, struct answer_case, answer_rows)
{
    struct buf got = {0};

    CU_ASSERT_EQUAL(fcgi_client_take(c->received, &got), c->want);
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&got), bytes_of(c->answer)));
    buf_free(&got);
}

void
suite_fcgi_client(void)
{
    CU_pSuite suite = cases_suite("fcgi_client");

    cases_add(suite, &request_cases);
    cases_add(suite, &no_body_cases);
    cases_add(suite, &short_body_cases);
    cases_add(suite, &accepted_cases);
    cases_add(suite, &answer_cases);
}
