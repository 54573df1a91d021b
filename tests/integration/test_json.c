/*
 * JSON and texts that are not JSON, in the order of RFC 8259, through the whole
 * stack: 400 with a byte offset for an invalid text, and another status (422,
 * as none is a request) for a valid one. Source: docs/protocol.md, S6.1.
 */
#include <stdio.h>
#include <string.h>

#include "support/cases.h"
#include "support/expect.h"
#include "support/stack.h"

static const struct stack_plan plan = {.store = STACK_REDIS_UNIX};

struct json_case {
    const char *name, *text;
    size_t length; /* texts may hold NULs */
    bool is_json;
};

#define GOOD(name, text)                                                       \
    {                                                                          \
        "good: " name, text, sizeof(text) - 1, true                            \
    }
#define BAD(name, text)                                                        \
    {                                                                          \
        "bad: " name, text, sizeof(text) - 1, false                            \
    }

#define OPEN_8   "[[[[[[[["
#define CLOSE_8  "]]]]]]]]"
#define OPEN_32  OPEN_8 OPEN_8 OPEN_8 OPEN_8
#define CLOSE_32 CLOSE_8 CLOSE_8 CLOSE_8 CLOSE_8

/* Objects in objects. */
#define NEST_8  "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":"
#define NEST_32 NEST_8 NEST_8 NEST_8 NEST_8
#define END_8   "}}}}}}}}"
#define END_32  END_8 END_8 END_8 END_8

static const struct json_case json_rows[] = {
    /* Values, and the space around them. */
    GOOD("empty object", "{}"),
    GOOD("empty array", "[]"),
    GOOD("string alone", "\"a\""),
    GOOD("empty string alone", "\"\""),
    GOOD("number alone", "7"),
    GOOD("zero alone", "0"),
    GOOD("true alone", "true"),
    GOOD("false alone", "false"),
    GOOD("null alone", "null"),
    GOOD("all kinds of space around", " \t\r\n[] \t\r\n"),
    GOOD("space within", "{ \"a\" : [ 1 , 2 ] , \"b\" : { } }"),
    BAD("space alone", " \n"),
    BAD("NUL alone", "\0"),
    BAD("NUL behind", "[]\0"),
    BAD("NUL in front", "\0[]"),
    BAD("NUL within", "[\0]"),
    BAD("form feed around", "\f[]"),
    BAD("vertical tab behind", "[]\v"),
    BAD("no-break space behind", "[]\xc2\xa0"),
    BAD("byte order mark", "\xef\xbb\xbf[]"),
    BAD("byte order mark alone", "\xef\xbb\xbf"),
    BAD("half a byte order mark", "\xef\xbb[]"),
    BAD("UTF-16", "\xff\xfe[\0]\0"),
    BAD("UTF-16 without a mark", "[\0]\0"),
    BAD("zero-width space in front", "\xe2\x80\x8b[]"),

    /* Text after the value. */
    BAD("letter behind", "{}x"),
    BAD("two objects", "{}{}"),
    BAD("two numbers", "1 2"),
    BAD("comma behind", "[],"),
    BAD("closing bracket behind", "[]]"),
    BAD("closing brace behind", "{}}"),
    BAD("quote behind", "[]\""),
    BAD("comment behind", "[]//"),
    BAD("semicolon behind", "{};"),
    BAD("lines of JSON", "{}\n{}"),

    /* Structure. */
    GOOD("nested", "[[], {}, [[{}]], {\"a\": [{\"b\": []}]}]"),
    GOOD("repeated member", "{\"a\": 1, \"a\": 2}"),
    GOOD("empty name", "{\"\": 1}"),
    GOOD("NUL in a name", "{\"a\\u0000\": 1, \"a\": 2}"),
    BAD("opening bracket", "["),
    BAD("opening brace", "{"),
    BAD("closing bracket", "]"),
    BAD("closing brace", "}"),
    BAD("brackets that do not match", "[}"),
    BAD("braces that do not match", "{]"),
    BAD("crossed", "[{]}"),
    BAD("comma alone", ","),
    BAD("comma in an empty array", "[,]"),
    BAD("comma at the end of an array", "[1,]"),
    BAD("comma at the start of an array", "[,1]"),
    BAD("two commas in an array", "[1,,2]"),
    BAD("no comma in an array", "[1 2]"),
    BAD("no comma between strings", "[\"a\" \"b\"]"),
    BAD("colon in an array", "[1:2]"),
    BAD("array cut off", "[1,"),
    BAD("comma in an empty object", "{,}"),
    BAD("comma at the end of an object", "{\"a\":1,}"),
    BAD("two commas in an object", "{\"a\":1,,\"b\":2}"),
    BAD("no comma in an object", "{\"a\":1 \"b\":2}"),
    BAD("no colon", "{\"a\" 1}"),
    BAD("two colons", "{\"a\"::1}"),
    BAD("no value", "{\"a\":}"),
    BAD("name alone", "{\"a\"}"),
    BAD("value alone", "{1}"),
    BAD("comma in place of a colon", "{\"a\",1}"),
    BAD("equals sign", "{\"a\"=1}"),
    BAD("name without quotes", "{a:1}"),
    BAD("name a number", "{1:1}"),
    BAD("name null", "{null:1}"),
    BAD("name in single quotes", "{'a':1}"),
    BAD("object cut off after the name", "{\"a\""),
    BAD("object cut off after the colon", "{\"a\":"),
    BAD("object cut off after the value", "{\"a\":1"),
    BAD("object cut off after the comma", "{\"a\":1,"),
    BAD("line comment", "[1 // one\n]"),
    BAD("block comment", "[/* one */1]"),
    BAD("comment in front", "/**/[]"),
    BAD("hash comment", "[1] # one"),
    BAD("brackets of another kind", "(1)"),
    BAD("angle brackets", "<null>"),

    /* Depth. */
    GOOD("32 arrays", OPEN_32 CLOSE_32),
    GOOD("32 arrays with a scalar", OPEN_32 "1" CLOSE_32),
    GOOD("32 arrays with a string", OPEN_32 "\"[\"" CLOSE_32),
    GOOD("32 objects with a scalar", NEST_32 "1" END_32),
    GOOD("32 arrays, beside others",
         "[[]," OPEN_8 CLOSE_8 "," OPEN_8 CLOSE_8 "]"),
    GOOD("brackets in a string", "\"" OPEN_32 OPEN_32 "\""),
    BAD("33 arrays", "[" OPEN_32 CLOSE_32 "]"),
    BAD("33 arrays with a scalar", "[" OPEN_32 "1" CLOSE_32 "]"),
    BAD("33 containers, the last an object", OPEN_32 "{}" CLOSE_32),
    BAD("33 objects", NEST_32 "{}" END_32),
    BAD("33 brackets never closed", OPEN_32 "["),
    BAD("32 brackets never closed", OPEN_32),
    BAD("a thousand brackets",
        OPEN_32 OPEN_32 OPEN_32 OPEN_32 OPEN_32 OPEN_32 OPEN_32 OPEN_32 OPEN_32
            OPEN_32 OPEN_32 OPEN_32 OPEN_32 OPEN_32 OPEN_32 OPEN_32),

    /* Words. */
    BAD("null cut off", "nul"),
    BAD("nulll", "nulll"),
    BAD("null with a capital", "Null"),
    BAD("true in capitals", "TRUE"),
    BAD("true as Python has it", "[True]"),
    BAD("true cut off", "[tru]"),
    BAD("truefalse", "truefalse"),
    BAD("undefined", "undefined"),
    BAD("null as Python has it", "[None]"),
    BAD("NaN", "[NaN]"),
    BAD("nan in small letters", "nan"),
    BAD("Infinity", "[Infinity]"),
    BAD("minus Infinity", "[-Infinity]"),
    BAD("inf", "inf"),
    BAD("word in full-width letters", "\xef\xbd\x94rue"),

    /* Numbers. */
    GOOD("minus zero", "-0"),
    GOOD("fraction", "0.5"),
    GOOD("minus zero with a fraction", "-0.0"),
    GOOD("exponent", "1e5"),
    GOOD("exponent in capitals", "1E5"),
    GOOD("exponent with plus", "1e+5"),
    GOOD("exponent with minus", "1.25e-5"),
    GOOD("exponent with leading zeros", "1e0005"),
    GOOD("zero with an exponent", "0e1"),
    GOOD("largest int64", "[9223372036854775807]"),
    GOOD("above int64", "[9223372036854775808]"),
    GOOD("below int64", "[-9223372036854775809]"),
    GOOD("above uint64", "[18446744073709551616]"),
    GOOD("100 digits", "[12345678901234567890123456789012345678901234567890"
                       "12345678901234567890123456789012345678901234567890]"),
    GOOD("beyond a double", "[1e400, -1e400]"),
    GOOD("below a double", "[1e-400]"),
    GOOD("exponent of many digits", "[1e99999999999999999999]"),
    BAD("leading zero", "[01]"),
    BAD("two zeros", "00"),
    BAD("leading zero, negative", "[-01]"),
    BAD("leading zero, fraction", "[00.5]"),
    BAD("plus", "[+1]"),
    BAD("minus alone", "[-]"),
    BAD("two minuses", "[--1]"),
    BAD("minus and a space", "[- 1]"),
    BAD("no digit before the point", "[.5]"),
    BAD("minus and a point", "[-.5]"),
    BAD("no digit behind the point", "[1.]"),
    BAD("no digit between point and exponent", "[1.e5]"),
    BAD("two points", "[1.2.3]"),
    BAD("no digit in the exponent", "[1e]"),
    BAD("no digit behind the exponent's sign", "[1e+]"),
    BAD("exponent without a number", "[e5]"),
    BAD("fraction in the exponent", "[1e5.5]"),
    BAD("two exponents", "[1e5e5]"),
    BAD("space in a number", "[1 .5]"),
    BAD("comma in a number", "1,5"),
    BAD("hexadecimal", "[0x1F]"),
    BAD("octal", "[0o17]"),
    BAD("underscore", "[1_000]"),
    BAD("letter in a number", "[12a]"),
    BAD("long suffix", "[1L]"),
    BAD("full-width digit", "[\xef\xbc\x91]"),
    BAD("minus sign of Unicode", "[\xe2\x88\x92"
                                 "1]"),

    /* Strings. */
    GOOD("all short escapes", "\"\\\" \\\\ \\/ \\b \\f \\n \\r \\t\""),
    GOOD("hexadecimal escapes", "\"\\u00e9\\u00E9\\u20ac\""),
    GOOD("escaped NUL", "[\"\\u0000\", \"a\\u0000b\"]"),
    GOOD("escaped control character", "\"\\u001f\""),
    GOOD("pair of surrogates", "\"\\ud83d\\ude00\""),
    GOOD("lone high surrogate", "[\"\\ud800\"]"),
    GOOD("lone low surrogate", "[\"\\udc00\"]"),
    GOOD("surrogates in the wrong order", "[\"\\udc00\\ud800\"]"),
    GOOD("two high surrogates", "[\"\\ud800\\ud800\"]"),
    GOOD("high surrogate and a letter", "[\"\\ud800a\"]"),
    GOOD("high surrogate and an escape", "[\"\\ud800\\n\"]"),
    GOOD("DEL", "\"\x7f\""),
    GOOD("two bytes of UTF-8", "\"\xc2\x80\xdf\xbf\""),
    GOOD("three bytes of UTF-8", "\"\xe0\xa0\x80\xed\x9f\xbf\xef\xbf\xbf\""),
    GOOD("four bytes of UTF-8", "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""),
    GOOD("byte order mark in a string", "\"\xef\xbb\xbf\""),
    GOOD("line separator", "\"\xe2\x80\xa8\""),
    GOOD("apostrophe", "\"'\""),
    BAD("no end", "\"a"),
    BAD("quote alone", "\""),
    BAD("no start", "a\""),
    BAD("single quotes", "'a'"),
    BAD("escaped end", "\"a\\\""),
    BAD("cut off in an escape", "\"\\"),
    BAD("cut off in a hexadecimal escape", "\"\\u00"),
    BAD("quote in a hexadecimal escape", "\"\\u00\""),
    BAD("no hexadecimal digit", "\"\\u00g0\""),
    BAD("sign in a hexadecimal escape", "\"\\u+123\""),
    BAD("capital U", "\"\\U0041\""),
    BAD("hexadecimal escape of C", "\"\\x41\""),
    BAD("octal escape", "\"\\012\""),
    BAD("escaped apostrophe", "\"\\'\""),
    BAD("escaped letter", "\"\\a\""),
    BAD("escaped newline", "\"\\\n\""),
    BAD("escaped NUL byte", "\"\\\0\""),
    BAD("escaped byte of UTF-8", "\"\\\xc3\xa9\""),
    BAD("broken second half of a pair", "\"\\ud800\\u\""),
    BAD("raw newline", "\"a\nb\""),
    BAD("raw tab", "\"a\tb\""),
    BAD("raw NUL", "\"a\0b\""),
    BAD("raw unit separator", "\"\x1f\""),
    BAD("raw newline in a name", "{\"a\n\":1}"),
    BAD("continuation byte", "\"\x80\""),
    BAD("Latin-1", "\"\xe9\""),
    BAD("lead byte at the end", "\"\xc3"),
    BAD("lead byte before the quote", "\"\xc3\""),
    BAD("third byte missing", "\"\xe2\x82\""),
    BAD("fourth byte missing", "\"\xf0\x9f\x98\""),
    BAD("over-long slash in two bytes", "\"\xc0\xaf\""),
    BAD("over-long slash in three bytes", "\"\xe0\x80\xaf\""),
    BAD("over-long slash in four bytes", "\"\xf0\x80\x80\xaf\""),
    BAD("over-long NUL", "\"\xc0\x80\""),
    BAD("largest over-long of two bytes", "\"\xc1\xbf\""),
    BAD("largest over-long of three bytes", "\"\xe0\x9f\xbf\""),
    BAD("largest over-long of four bytes", "\"\xf0\x8f\xbf\xbf\""),
    BAD("encoded high surrogate", "\"\xed\xa0\x80\""),
    BAD("encoded low surrogate", "\"\xed\xbf\xbf\""),
    BAD("encoded pair of surrogates", "\"\xed\xa0\xbd\xed\xb8\x80\""),
    BAD("above U+10FFFF", "\"\xf4\x90\x80\x80\""),
    BAD("lead byte F5", "\"\xf5\x80\x80\x80\""),
    BAD("five bytes", "\"\xf8\x88\x80\x80\x80\""),
    BAD("byte FE", "\"\xfe\""),
    BAD("byte FF", "\"\xff\""),
    BAD("bad UTF-8 in a name", "{\"\xff\":1}"),
    BAD("bad UTF-8 outside of strings", "[1,\xff]"),
};

/* The number that follows "byte" in an error; -1 without one. */
static long
offset_of(const char *error)
{
    const char *at = strstr(error, "byte ");
    long offset = -1;

    if (at == NULL || sscanf(at, "byte %ld", &offset) != 1)
        return -1;
    return offset;
}

TEST_CASES(text, struct json_case, json_rows)
{
    const struct http_request request = {.body = c->text,
                                         .body_length = c->length};
    struct http *http = http_open(stack_shared(&plan)->port);
    struct http_answer answer;
    long offset;

    CU_ASSERT_PTR_NOT_NULL_FATAL(http);
    answer = http_send(http, &request);
    http_close(http);
    expect_error(&answer, c->is_json ? 422 : 400, NULL);
    if (!c->is_json) {
        offset = offset_of(expect_error_of(&answer));
        CU_ASSERT_TRUE(offset >= 0 && (size_t)offset <= c->length);
    }
    http_answer_free(&answer);
}

/* Faults whose place is beyond doubt. */
struct offset_case {
    const char *name, *text;
    long want;
};

static const struct offset_case offset_rows[] = {
    {"first byte", "x", 0},
    {"byte order mark", "\xef\xbb\xbf{}", 0},
    {"after the value", "{}x", 2},
    {"after the value and a space", "{} x", 3},
    {"single quote", "{'a': 1}", 1},
    {"comma before a bracket", "[1,]", 3},
    {"raw newline", "{\"a\": \"b\nc\"}", 8},
    {"bad byte in a string", "[\"ab\xff\"]", 4},
    {"end of the text", "[1", 2},
    {"bracket number 33", "[" OPEN_32 CLOSE_32 "]", 32},
};

TEST_SINGLE(utf16, "is called by its name")
{
    const struct http_request request = {.body = "{\0\"\0", .body_length = 4};
    struct http *http = http_open(stack_shared(&plan)->port);
    struct http_answer answer;

    CU_ASSERT_PTR_NOT_NULL_FATAL(http);
    answer = http_send(http, &request);
    http_close(http);
    expect_error_text(&answer, 400,
                      "invalid JSON at byte 1: this looks like UTF-16, and "
                      "must be UTF-8");
    http_answer_free(&answer);
}

TEST_CASES(offset, struct offset_case, offset_rows)
{
    struct http_answer answer =
        expect_post(stack_shared(&plan)->port, strdup(c->text));

    expect_error(&answer, 400, NULL);
    CU_ASSERT_EQUAL(offset_of(expect_error_of(&answer)), c->want);
    http_answer_free(&answer);
}

/* Valid JSON that a request does not need does no harm. */
struct inside_case {
    const char *name, *text;
};

static const struct inside_case inside_rows[] = {
    {"name of a member with NUL is another one", "{\"login\\u0000\": \"\"}"},
    {"deep unknown member", "{\"x\": " NEST_8 "1" END_8 "}"},
};

TEST_CASES(inside, struct inside_case, inside_rows)
{
    struct http_answer answer =
        expect_post(stack_shared(&plan)->port, strdup(c->text));

    expect_error(&answer, 422, "login");
    http_answer_free(&answer);
}
