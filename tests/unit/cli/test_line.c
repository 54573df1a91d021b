/*
 * One client as a line, and as a key. Source: docs/protocol.md, S19.2.
 */
#include <stdlib.h>

#include "cli/line.h"
#include "scoring/interests.h"
#include "support/cases.h"

#define UNTOUCHED_ID     4711
#define UNTOUCHED_OFFSET 4712

struct good_case {
    const char *name, *line;
    int64_t client_id;
    const char *interests;
};

static const struct good_case good_rows[] = {
    {"plain", "{\"client_id\": 1, \"interests\": [\"books\", \"hi-tech\"]}", 1,
     "[\"books\", \"hi-tech\"]"},
    {"the other way round", "{\"interests\":[\"a\"],\"client_id\":2}", 2,
     "[\"a\"]"},
    {"no interests", "{\"client_id\": 3, \"interests\": []}", 3, "[]"},
    {"space everywhere",
     " \t{ \"client_id\" : 4 , \"interests\" : [ \"a\" , \"b\" ] } \r", 4,
     "[ \"a\" , \"b\" ]"},
    {"zero", "{\"client_id\": 0, \"interests\": []}", 0, "[]"},
    {"minus zero", "{\"client_id\": -0, \"interests\": []}", 0, "[]"},
    {"negative", "{\"client_id\": -7, \"interests\": []}", -7, "[]"},
    {"largest", "{\"client_id\": 9223372036854775807, \"interests\": []}",
     INT64_MAX, "[]"},
    {"smallest", "{\"client_id\": -9223372036854775808, \"interests\": []}",
     INT64_MIN, "[]"},
    {"brackets and quotes in strings",
     "{\"interests\": [\"]}\", \"\\\"\", \"\\\\\", \"{[,:\"], \"client_id\": "
     "5}",
     5, "[\"]}\", \"\\\"\", \"\\\\\", \"{[,:\"]"},
    {"escapes are kept",
     "{\"client_id\": 6, \"interests\": [\"\\u20ac\\ud800\\u0000\\/\"]}", 6,
     "[\"\\u20ac\\ud800\\u0000\\/\"]"},
    {"not ASCII", "{\"client_id\": 6, \"interests\": [\"\xe2\x82\xac\"]}", 6,
     "[\"\xe2\x82\xac\"]"},
    {"empty string", "{\"client_id\": 6, \"interests\": [\"\"]}", 6, "[\"\"]"},
    {"escape before a digit of its kind",
     "{\"client_\\u0069d\": 8, \"inte\\u0072ests\": []}", 8, "[]"},
    {"escaped name", "{\"\\u0063lient_i\\u0064\": 8, \"interests\": []}", 8,
     "[]"},
};

/* A copy of exactly this size, which ASan checks; the caller frees it. */
static struct line
exact_copy(struct bytes text)
{
    char *copy = malloc(text.length);

    CU_ASSERT_FATAL(copy != NULL || text.length == 0);
    if (text.length > 0)
        memcpy(copy, text.at, text.length);
    return (struct line){copy, text.length};
}

TEST_CASES(good, struct good_case, good_rows)
{
    const struct line text = exact_copy(bytes_of(c->line));
    struct interests_line line = {.client_id = UNTOUCHED_ID};
    struct json_fault fault = {.offset = UNTOUCHED_OFFSET};

    CU_ASSERT_EQUAL(interests_line_parse(text, &line, &fault),
                    INTERESTS_LINE_OK);
    CU_ASSERT_EQUAL(line.client_id, c->client_id);
    CU_ASSERT(bytes_equal(line.interests, bytes_of(c->interests)));
    CU_ASSERT_EQUAL(fault.offset, UNTOUCHED_OFFSET);
    free(text.at);
}

/* A valid line that is cut anywhere, except before spaces, is invalid. */
TEST_CASES(cut, struct good_case, good_rows)
{
    struct bytes text = bytes_of(c->line);
    bool is_whole = true;

    while (text.length > 0) {
        struct interests_line line;
        struct json_fault fault;
        struct line part;

        text.length--;
        is_whole = is_whole && strchr(" \t\r", text.at[text.length]) != NULL;
        part = exact_copy(text);
        CU_ASSERT_EQUAL(interests_line_parse(part, &line, &fault),
                        is_whole ? INTERESTS_LINE_OK : INTERESTS_LINE_JSON);
        free(part.at);
    }
}

struct bad_case {
    const char *name, *line;
    enum interests_line_error want;
    size_t offset; /* with INTERESTS_LINE_JSON */
};

#define ID_IS(what, json)                                                      \
    {                                                                          \
        "client_id " what, "{\"client_id\": " json ", \"interests\": []}",     \
            INTERESTS_LINE_BAD_ID, 0                                           \
    }
#define INTERESTS_ARE(what, json)                                              \
    {                                                                          \
        "interests " what, "{\"client_id\": 1, \"interests\": " json "}",      \
            INTERESTS_LINE_BAD_INTERESTS, 0                                    \
    }

static const struct bad_case bad_rows[] = {
    {"not JSON", "client 1", INTERESTS_LINE_JSON, 0},
    {"cut off", "{\"client_id\": 1", INTERESTS_LINE_JSON, 15},
    {"single quotes", "{'client_id': 1}", INTERESTS_LINE_JSON, 1},
    {"two on a line", "{\"client_id\": 1}{}", INTERESTS_LINE_JSON, 16},
    {"byte order mark", "\xef\xbb\xbf{}", INTERESTS_LINE_JSON, 0},
    {"bad UTF-8", "{\"interests\": [\"\xff\"]}", INTERESTS_LINE_JSON, 16},
    {"id with a leading zero", "{\"client_id\": 01}", INTERESTS_LINE_JSON, 15},
    {"raw tab in a string", "{\"interests\": [\"\t\"]}", INTERESTS_LINE_JSON,
     16},
    {"array", "[1, [\"books\"]]", INTERESTS_LINE_NO_OBJECT, 0},
    {"number", "1", INTERESTS_LINE_NO_OBJECT, 0},
    {"null", "null", INTERESTS_LINE_NO_OBJECT, 0},
    {"string", "\"{}\"", INTERESTS_LINE_NO_OBJECT, 0},
    {"empty object", "{}", INTERESTS_LINE_NO_ID, 0},
    {"no id", "{\"interests\": []}", INTERESTS_LINE_NO_ID, 0},
    {"no interests", "{\"client_id\": 1}", INTERESTS_LINE_NO_INTERESTS, 0},
    {"one member more", "{\"client_id\": 1, \"interests\": [], \"a\": {}}",
     INTERESTS_LINE_UNKNOWN, 0},
    {"name in capitals", "{\"Client_id\": 1, \"interests\": []}",
     INTERESTS_LINE_UNKNOWN, 0},
    {"name cut short", "{\"client_i\": 1, \"interests\": []}",
     INTERESTS_LINE_UNKNOWN, 0},
    {"name too long", "{\"client_ids\": 1, \"interests\": []}",
     INTERESTS_LINE_UNKNOWN, 0},
    {"name with a NUL", "{\"client_id\\u0000\": 1, \"interests\": []}",
     INTERESTS_LINE_UNKNOWN, 0},
    {"empty name", "{\"\": 1}", INTERESTS_LINE_UNKNOWN, 0},
    {"name with another escape", "{\"client_i\\b\": 1}", INTERESTS_LINE_UNKNOWN,
     0},
    {"name with an escape that ends as one of ASCII",
     "{\"\\u1063lient_id\": 1, \"interests\": []}", INTERESTS_LINE_UNKNOWN, 0},
    {"name with another escape, and digits",
     "{\"\\b0063lient_id\": 1, \"interests\": []}", INTERESTS_LINE_UNKNOWN, 0},
    {"name with another escape, and digits later",
     "{\"\\bxx0063lient_id\": 1, \"interests\": []}", INTERESTS_LINE_UNKNOWN,
     0},
    {"array in an array, before the id",
     "{\"interests\": [[\"a\"]], \"client_id\": 1}",
     INTERESTS_LINE_BAD_INTERESTS, 0},
    {"object in an object, before the interests",
     "{\"client_id\": {\"a\": {}}, \"interests\": 1}", INTERESTS_LINE_BAD_ID,
     0},
    {"id twice", "{\"client_id\": 1, \"client_id\": 1, \"interests\": []}",
     INTERESTS_LINE_REPEATED, 0},
    {"interests twice, escaped once",
     "{\"client_id\": 1, \"interests\": [], \"\\u0069nterests\": []}",
     INTERESTS_LINE_REPEATED, 0},
    ID_IS("as a string", "\"1\""),
    ID_IS("with a fraction", "1.0"),
    ID_IS("with an exponent", "1e3"),
    ID_IS("true", "true"),
    ID_IS("null", "null"),
    ID_IS("in an array", "[1]"),
    ID_IS("in an object", "{\"a\": [1, \"}\"]}"),
    ID_IS("one above int64", "9223372036854775808"),
    ID_IS("one below int64", "-9223372036854775809"),
    ID_IS("of 21 digits", "100000000000000000000"),
    INTERESTS_ARE("a string", "\"books\""),
    INTERESTS_ARE("null", "null"),
    INTERESTS_ARE("an object", "{\"books\": 1}"),
    INTERESTS_ARE("a number", "1"),
    INTERESTS_ARE("with a number", "[\"books\", 7]"),
    INTERESTS_ARE("with null", "[null]"),
    INTERESTS_ARE("with an array", "[[\"books\"]]"),
};

TEST_CASES(bad, struct bad_case, bad_rows)
{
    const struct line text = exact_copy(bytes_of(c->line));
    struct interests_line line = {.client_id = UNTOUCHED_ID};
    struct json_fault fault = {.offset = UNTOUCHED_OFFSET};

    CU_ASSERT_EQUAL(interests_line_parse(text, &line, &fault), c->want);
    CU_ASSERT_EQUAL(line.client_id, UNTOUCHED_ID);
    CU_ASSERT_EQUAL(fault.offset, c->want == INTERESTS_LINE_JSON
                                      ? c->offset
                                      : UNTOUCHED_OFFSET);
    free(text.at);
}

/* A line of this length, filled by its one interest. */
static struct buf
line_of(size_t length)
{
    static const char head[] = "{\"client_id\": 1, \"interests\": [\"";
    static const char tail[] = "\"]}";
    struct buf line = {0};

    buf_add_text(&line, head);
    while (line.length + sizeof(tail) - 1 < length)
        buf_add_text(&line, "x");
    buf_add_text(&line, tail);
    CU_ASSERT_FALSE_FATAL(line.failed);
    CU_ASSERT_EQUAL(line.length, length);
    return line;
}

struct length_case {
    const char *name;
    size_t length;
    enum interests_line_error parsed;
    size_t printed; /* bytes, with the line feed; 0: too long */
};

/* The three spaces after ':' and ',' are left out if there is no room. */
static const struct length_case length_rows[] = {
    {"longest", 131072, INTERESTS_LINE_OK, 131073},
    {"one byte more", 131073, INTERESTS_LINE_LONG, 131071},
    {"without spaces the longest", 131075, INTERESTS_LINE_LONG, 131073},
    {"without spaces one byte more", 131076, INTERESTS_LINE_LONG, 0},
};

/* Export prints what import has accepted, and import accepts that again. */
TEST_CASES(length, struct length_case, length_rows)
{
    struct buf line = line_of(c->length), out = {0};
    struct interests_line parsed = {.client_id = UNTOUCHED_ID};
    const struct line text = {line.data, line.length};
    struct json_fault fault;
    const size_t head = strlen("{\"client_id\": 1, \"interests\": ");
    const struct bytes value = {line.data + head, line.length - head - 1};

    CU_ASSERT_EQUAL(interests_line_parse(text, &parsed, &fault), c->parsed);
    CU_ASSERT_EQUAL(interests_line_print(1, value, &out),
                    c->printed > 0 ? INTERESTS_LINE_OK : INTERESTS_LINE_LONG);
    CU_ASSERT_EQUAL(out.length, c->printed);
    if (c->printed > 0) {
        const struct line again = {out.data, out.length - 1};

        CU_ASSERT_EQUAL(interests_line_parse(again, &parsed, &fault),
                        INTERESTS_LINE_OK);
        CU_ASSERT_EQUAL(parsed.client_id, 1);
        CU_ASSERT_TRUE(bytes_equal(parsed.interests, value));
    }
    buf_free(&line);
    buf_free(&out);
}

/* Other lines after it do not matter. */
TEST_SINGLE(behind, "other lines, as long as alone")
{
    struct buf line = line_of(INTERESTS_LINE_MAX), out = {0};
    const size_t head = strlen("{\"client_id\": 1, \"interests\": ");
    const struct bytes value = {line.data + head, line.length - head - 1};

    buf_add_text(&out, "before\n");
    CU_ASSERT_EQUAL(interests_line_print(1, value, &out), INTERESTS_LINE_OK);
    CU_ASSERT_EQUAL(interests_line_print(10000, value, &out),
                    INTERESTS_LINE_LONG);
    CU_ASSERT_EQUAL(out.length,
                    strlen("before\n") + INTERESTS_LINE_MAX + strlen("\n"));
    buf_free(&line);
    buf_free(&out);
}

struct empty_case {
    const char *name, *line;
    bool want;
};

static const struct empty_case empty_rows[] = {
    {"nothing", "", true},
    {"carriage return", "\r", true},
    {"space and tabs", " \t ", true},
    {"an object", " {}", false},
    {"another control character", "\v", false},
};

TEST_CASES(empty, struct empty_case, empty_rows)
{
    const struct line line = exact_copy(bytes_of(c->line));

    CU_ASSERT_EQUAL(interests_line_is_empty(line), c->want);
    free(line.at);
}

struct print_case {
    const char *name;
    int64_t client_id;
    const char *value;
    enum interests_line_error want;
    const char *line;
};

#define LINE(id, json) "{\"client_id\": " id ", \"interests\": " json "}\n"

static const struct print_case print_rows[] = {
    {"as it is", 1, "[\"a\", \"b\"]", INTERESTS_LINE_OK,
     LINE("1", "[\"a\", \"b\"]")},
    {"smallest id", INT64_MIN, "[]", INTERESTS_LINE_OK,
     LINE("-9223372036854775808", "[]")},
    {"empty value", 2, "", INTERESTS_LINE_OK, LINE("2", "[]")},
    {"space around it", 3, "\n [\"a\"] \t\r\n", INTERESTS_LINE_OK,
     LINE("3", "[\"a\"]")},
    {"lines", 4, "[\r\n\"a\",\n\t\"b\\n\"\n]", INTERESTS_LINE_OK,
     LINE("4", "[\"a\",\t\"b\\n\"]")},
    {"space alone", 5, " ", INTERESTS_LINE_BAD_INTERESTS, ""},
    {"not JSON", 6, "books", INTERESTS_LINE_BAD_INTERESTS, ""},
    {"number in it", 7, "[\"a\", 1]", INTERESTS_LINE_BAD_INTERESTS, ""},
    {"two arrays", 8, "[] []", INTERESTS_LINE_BAD_INTERESTS, ""},
};

TEST_CASES(print, struct print_case, print_rows)
{
    const struct line value = exact_copy(bytes_of(c->value));
    struct buf out = {0};

    CU_ASSERT_EQUAL(interests_line_print(c->client_id, line_bytes(value), &out),
                    c->want);
    CU_ASSERT(bytes_equal(buf_bytes(&out), bytes_of(c->line)));
    buf_free(&out);
    free(value.at);
}

struct key_case {
    const char *name;
    struct bytes key;
    bool want;
    int64_t client_id;
};

#define KEY(text)                                                              \
    {                                                                          \
        text, sizeof(text) - 1                                                 \
    }

static const struct key_case key_rows[] = {
    {"plain", KEY("i:1"), true, 1},
    {"zero", KEY("i:0"), true, 0},
    {"negative", KEY("i:-7"), true, -7},
    {"largest", KEY("i:9223372036854775807"), true, INT64_MAX},
    {"smallest", KEY("i:-9223372036854775808"), true, INT64_MIN},
    {"one above int64", KEY("i:9223372036854775808"), false, 0},
    {"far above", KEY("i:100000000000000000000000"), false, 0},
    {"no id", KEY("i:"), false, 0},
    {"sign alone", KEY("i:-"), false, 0},
    {"leading zero", KEY("i:007"), false, 0},
    {"minus zero", KEY("i:-0"), false, 0},
    {"plus", KEY("i:+1"), false, 0},
    {"space", KEY("i: 1"), false, 0},
    {"text", KEY("i:x"), false, 0},
    {"text behind it", KEY("i:1x"), false, 0},
    {"NUL behind it", KEY("i:1\0"), false, 0},
    {"hexadecimal", KEY("i:0x1"), false, 0},
    {"another prefix", KEY("u:1"), false, 0},
    {"nothing", KEY(""), false, 0},
};

TEST_CASES(key, struct key_case, key_rows)
{
    const struct line key = exact_copy(c->key);
    int64_t client_id = UNTOUCHED_ID;

    CU_ASSERT_EQUAL(interests_key_parse(line_bytes(key), &client_id), c->want);
    CU_ASSERT_EQUAL(client_id, c->want ? c->client_id : UNTOUCHED_ID);
    free(key.at);
}

/* Each error has a text; a text about a member names it. */
TEST_SINGLE(texts, "name the member")
{
    static const struct {
        enum interests_line_error error;
        const char *member;
    } want[] = {
        {INTERESTS_LINE_NO_ID, "client_id"},
        {INTERESTS_LINE_BAD_ID, "client_id"},
        {INTERESTS_LINE_NO_INTERESTS, "interests"},
        {INTERESTS_LINE_BAD_INTERESTS, "interests"},
    };

    for (int i = 0; i < INTERESTS_LINE__MAX; i++)
        CU_ASSERT_PTR_NOT_NULL(
            interests_line_error_text((enum interests_line_error)i));
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
        CU_ASSERT_PTR_NOT_NULL(
            strstr(interests_line_error_text(want[i].error), want[i].member));
}
