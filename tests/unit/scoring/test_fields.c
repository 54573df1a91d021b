/*
 * The rules of fields, and reading an object by a table. Expected values are
 * from docs/protocol.md, S12.
 */
#include <json-c/json.h>
#include <stdlib.h>

#include "scoring/fields.h"
#include "support/cases.h"

#define TEXT(literal)                                                          \
    {                                                                          \
        literal, sizeof(literal) - 1                                           \
    }
#define NOTHING                                                                \
    {                                                                          \
        NULL, 0                                                                \
    }

#define IDS_MAX 3

static const struct field_limits limits = {
    .today = {2024, 6, 15},
    .client_ids_max = IDS_MAX,
};

static const char untouched[] = "untouched";

/* NULL is both JSON's null and json-c's failure. */
static struct json_object *
value_new(const char *json)
{
    enum json_tokener_error error = json_tokener_success;
    struct json_object *value = json_tokener_parse_verbose(json, &error);

    CU_ASSERT_EQUAL(error, json_tokener_success);
    return value;
}

struct text_case {
    const char *name;
    const char *json;
    enum field_error want;
    struct bytes text;
};

static void
text_check(const struct text_case *c, field_rule *rule)
{
    struct json_object *value = value_new(c->json);
    struct bytes got = bytes_of(untouched);

    CU_ASSERT_EQUAL(rule(value, &limits, &got), c->want);
    if (c->want == FIELD_OK)
        CU_ASSERT_TRUE(bytes_equal(got, c->text));
    if (c->want != FIELD_OK)
        CU_ASSERT_PTR_EQUAL(got.at, untouched);
    json_object_put(value);
}

#define WRONG(name, json, error)                                               \
    {                                                                          \
        name, json, error, NOTHING                                             \
    }

/* Every JSON type but text and null, with the value that is false in many
 * languages. */
#define WRONG_TYPES(error)                                                     \
    WRONG("fraction", "1.5", error), WRONG("zero point", "0.0", error),        \
        WRONG("true", "true", error), WRONG("false", "false", error),          \
        WRONG("empty array", "[]", error),                                     \
        WRONG("array of text", "[\"7\"]", error),                              \
        WRONG("empty object", "{}", error),                                    \
        WRONG("object", "{\"a\": \"@\"}", error)
#define WRONG_INTEGERS(error)                                                  \
    WRONG("zero itself", "0", error), WRONG("integer", "79175002040", error)

static const struct text_case string_rows[] = {
    {"text", "\"h&f\"", FIELD_OK, TEXT("h&f")},
    {"one character", "\"0\"", FIELD_OK, TEXT("0")},
    {"space", "\" \"", FIELD_OK, TEXT(" ")},
    {"lone NUL", "\"\\u0000\"", FIELD_OK, TEXT("\0")},
    {"NUL within", "\"a\\u0000b\"", FIELD_OK, TEXT("a\0b")},
    {"not ASCII", "\"\\u0416\"", FIELD_OK, TEXT("\xd0\x96")},
    {"empty", "\"\"", FIELD_EMPTY, NOTHING},
    {"null", "null", FIELD_EMPTY, NOTHING},
    WRONG_TYPES(FIELD_NOT_STRING),
    WRONG_INTEGERS(FIELD_NOT_STRING),
};

TEST_CASES(string, struct text_case, string_rows)
{
    text_check(c, field_string);
}

static const struct text_case email_rows[] = {
    {"address", "\"stupnikov@otus.ru\"", FIELD_OK, TEXT("stupnikov@otus.ru")},
    {"nothing but @", "\"@\"", FIELD_OK, TEXT("@")},
    {"@ first", "\"@otus.ru\"", FIELD_OK, TEXT("@otus.ru")},
    {"@ last", "\"stupnikov@\"", FIELD_OK, TEXT("stupnikov@")},
    {"two @", "\"a@b@c\"", FIELD_OK, TEXT("a@b@c")},
    {"@ after a NUL", "\"a\\u0000@\"", FIELD_OK, TEXT("a\0@")},
    {"escaped @", "\"a\\u0040b\"", FIELD_OK, TEXT("a@b")},
    {"no @", "\"stupnikovotus.ru\"", FIELD_EMAIL, NOTHING},
    {"full-width @", "\"a\\uff20b\"", FIELD_EMAIL, NOTHING},
    {"NUL without @", "\"\\u0000\"", FIELD_EMAIL, NOTHING},
    {"empty", "\"\"", FIELD_EMPTY, NOTHING},
    {"null", "null", FIELD_EMPTY, NOTHING},
    WRONG_TYPES(FIELD_NOT_STRING),
    WRONG_INTEGERS(FIELD_NOT_STRING),
};

TEST_CASES(email, struct text_case, email_rows)
{
    text_check(c, field_email);
}

static const struct text_case phone_rows[] = {
    {"text of 11 digits", "\"79175002040\"", FIELD_OK, TEXT("79175002040")},
    {"number of 11 digits", "79175002040", FIELD_OK, TEXT("79175002040")},
    {"least number", "70000000000", FIELD_OK, TEXT("70000000000")},
    {"greatest number", "79999999999", FIELD_OK, TEXT("79999999999")},
    {"number below", "69999999999", FIELD_PHONE, NOTHING},
    {"number above", "80000000000", FIELD_PHONE, NOTHING},
    {"text of 10 digits", "\"7917500204\"", FIELD_PHONE, NOTHING},
    {"text of 12 digits", "\"791750020400\"", FIELD_PHONE, NOTHING},
    {"number of 10 digits", "7917500204", FIELD_PHONE, NOTHING},
    {"number of 12 digits", "791750020400", FIELD_PHONE, NOTHING},
    {"leading 8", "\"89175002040\"", FIELD_PHONE, NOTHING},
    {"number with a leading 8", "89175002040", FIELD_PHONE, NOTHING},
    {"negative number", "-79175002040", FIELD_PHONE, NOTHING},
    {"negative number of 11 characters", "-7917500204", FIELD_PHONE, NOTHING},
    {"zero", "0", FIELD_PHONE, NOTHING},
    {"number above int64", "9223372036854775808", FIELD_PHONE, NOTHING},
    {"number with a fraction", "79175002040.0", FIELD_PHONE_TYPE, NOTHING},
    {"number with an exponent", "7.9175002040e10", FIELD_PHONE_TYPE, NOTHING},
    {"plus in front", "\"+79175002040\"", FIELD_PHONE, NOTHING},
    {"plus for a digit", "\"7+175002040\"", FIELD_PHONE, NOTHING},
    {"space in front", "\" 79175002040\"", FIELD_PHONE, NOTHING},
    {"space behind", "\"79175002040 \"", FIELD_PHONE, NOTHING},
    {"letter last", "\"7917500204a\"", FIELD_PHONE, NOTHING},
    {"byte below 0", "\"7917500204/\"", FIELD_PHONE, NOTHING},
    {"byte above 9", "\"7917500204:\"", FIELD_PHONE, NOTHING},
    {"NUL behind", "\"79175002040\\u0000\"", FIELD_PHONE, NOTHING},
    {"NUL for a digit", "\"7917500204\\u0000\"", FIELD_PHONE, NOTHING},
    {"Arabic digit, 11 bytes", "\"791750020\\u0661\"", FIELD_PHONE, NOTHING},
    {"Arabic digit, 11 characters", "\"7917500204\\u0661\"", FIELD_PHONE,
     NOTHING},
    {"empty", "\"\"", FIELD_EMPTY, NOTHING},
    {"null", "null", FIELD_EMPTY, NOTHING},
    WRONG_TYPES(FIELD_PHONE_TYPE),
};

TEST_CASES(phone, struct text_case, phone_rows)
{
    text_check(c, field_phone);
}

static const struct text_case date_rows[] = {
    {"day", "\"20.07.2017\"", FIELD_OK, TEXT("20.07.2017")},
    {"day to come", "\"31.12.9999\"", FIELD_OK, TEXT("31.12.9999")},
    {"first day", "\"01.01.0001\"", FIELD_OK, TEXT("01.01.0001")},
    {"day before the first", "\"31.12.0000\"", FIELD_DATE, NOTHING},
    {"29 February", "\"29.02.2024\"", FIELD_OK, TEXT("29.02.2024")},
    {"no 29 February", "\"29.02.2023\"", FIELD_DATE, NOTHING},
    {"31 April", "\"31.04.2024\"", FIELD_DATE, NOTHING},
    {"order of ISO 8601", "\"2017-07-20\"", FIELD_DATE, NOTHING},
    {"no date", "\"XXX\"", FIELD_DATE, NOTHING},
    {"NUL behind", "\"20.07.2017\\u0000\"", FIELD_DATE, NOTHING},
    {"Arabic digit, 10 bytes", "\"\\u0661.07.2017\"", FIELD_DATE, NOTHING},
    {"empty", "\"\"", FIELD_EMPTY, NOTHING},
    {"null", "null", FIELD_EMPTY, NOTHING},
    WRONG_TYPES(FIELD_NOT_STRING),
    WRONG_INTEGERS(FIELD_NOT_STRING),
};

TEST_CASES(date, struct text_case, date_rows)
{
    text_check(c, field_date);
}

/* Today is 15 June 2024. */
static const struct text_case birthday_rows[] = {
    {"birthday", "\"01.01.1990\"", FIELD_OK, TEXT("01.01.1990")},
    {"today", "\"15.06.2024\"", FIELD_OK, TEXT("15.06.2024")},
    {"tomorrow", "\"16.06.2024\"", FIELD_FUTURE, NOTHING},
    {"next month", "\"01.07.2024\"", FIELD_FUTURE, NOTHING},
    {"next year", "\"01.01.2025\"", FIELD_FUTURE, NOTHING},
    {"70 tomorrow", "\"16.06.1954\"", FIELD_OK, TEXT("16.06.1954")},
    {"70 today", "\"15.06.1954\"", FIELD_OK, TEXT("15.06.1954")},
    {"70 yesterday", "\"14.06.1954\"", FIELD_TOO_OLD, NOTHING},
    {"70 a month ago", "\"31.05.1954\"", FIELD_TOO_OLD, NOTHING},
    {"first day there is", "\"01.01.0001\"", FIELD_TOO_OLD, NOTHING},
    {"no date", "\"XXX\"", FIELD_DATE, NOTHING},
    {"31 April", "\"31.04.1990\"", FIELD_DATE, NOTHING},
    {"empty", "\"\"", FIELD_EMPTY, NOTHING},
    {"null", "null", FIELD_EMPTY, NOTHING},
    WRONG_TYPES(FIELD_NOT_STRING),
    WRONG_INTEGERS(FIELD_NOT_STRING),
};

TEST_CASES(birthday, struct text_case, birthday_rows)
{
    text_check(c, field_birthday);
}

struct leap_case {
    const char *name;
    const char *json;
    struct date today;
    enum field_error want;
};

static const struct leap_case leap_rows[] = {
    {"29 February, on 28 February 70 years on",
     "\"29.02.1956\"",
     {2026, 2, 28},
     FIELD_OK},
    {"29 February, on 1 March 70 years on",
     "\"29.02.1956\"",
     {2026, 3, 1},
     FIELD_TOO_OLD},
    {"28 February, on 28 February 70 years on",
     "\"28.02.1954\"",
     {2024, 2, 28},
     FIELD_OK},
    {"28 February, on 29 February 70 years on",
     "\"28.02.1954\"",
     {2024, 2, 29},
     FIELD_TOO_OLD},
    {"1 March, on 29 February 70 years on",
     "\"01.03.1954\"",
     {2024, 2, 29},
     FIELD_OK},
    {"29 February, on that day", "\"29.02.2024\"", {2024, 2, 29}, FIELD_OK},
    {"29 February, on the day before",
     "\"29.02.2024\"",
     {2024, 2, 28},
     FIELD_FUTURE},
    {"last of December, on that day 70 years on",
     "\"31.12.1954\"",
     {2024, 12, 31},
     FIELD_OK},
    {"last of December, on the day after",
     "\"31.12.1954\"",
     {2025, 1, 1},
     FIELD_TOO_OLD},
};

TEST_CASES(leap, struct leap_case, leap_rows)
{
    struct json_object *value = value_new(c->json);
    struct field_limits then = {.today = c->today};
    struct bytes got = bytes_of(untouched);

    CU_ASSERT_EQUAL(field_birthday(value, &then, &got), c->want);
    CU_ASSERT_EQUAL(got.at == untouched, c->want != FIELD_OK);
    json_object_put(value);
}

struct gender_case {
    const char *name;
    const char *json;
    enum field_error want;
    int gender;
};

static const struct gender_case gender_rows[] = {
    {"unknown", "0", FIELD_OK, 0},
    {"male", "1", FIELD_OK, 1},
    {"female", "2", FIELD_OK, 2},
    {"minus zero", "-0", FIELD_OK, 0},
    {"below", "-1", FIELD_GENDER, 0},
    {"above", "3", FIELD_GENDER, 0},
    {"2 to the power of 32", "4294967296", FIELD_GENDER, 0},
    {"above int64", "18446744073709551615", FIELD_GENDER, 0},
    {"null", "null", FIELD_EMPTY, 0},
    {"1.0", "1.0", FIELD_GENDER, 0},
    {"exponent", "1e0", FIELD_GENDER, 0},
    {"true", "true", FIELD_GENDER, 0},
    {"false", "false", FIELD_GENDER, 0},
    {"text", "\"1\"", FIELD_GENDER, 0},
    {"empty text", "\"\"", FIELD_GENDER, 0},
    {"array", "[1]", FIELD_GENDER, 0},
    {"empty array", "[]", FIELD_GENDER, 0},
    {"empty object", "{}", FIELD_GENDER, 0},
};

TEST_CASES(gender, struct gender_case, gender_rows)
{
    struct json_object *value = value_new(c->json);
    struct bytes got = {untouched, 0};

    CU_ASSERT_EQUAL(field_gender(value, &limits, &got), c->want);
    if (c->want == FIELD_OK) {
        CU_ASSERT_EQUAL(got.length, 1);
        CU_ASSERT_EQUAL(got.at[0], (char)('0' + c->gender));
    } else {
        CU_ASSERT_PTR_EQUAL(got.at, untouched);
    }
    json_object_put(value);
}

struct ids_case {
    const char *name;
    const char *json;
    enum field_error want;
    size_t count;
    int64_t ids[IDS_MAX];
};

static const struct ids_case ids_rows[] = {
    {"one", "[1]", FIELD_OK, 1, {1}},
    {"as many as may be", "[1, 2, 3]", FIELD_OK, 3, {1, 2, 3}},
    {"one too many", "[1, 2, 3, 4]", FIELD_IDS_MANY, 0, {0}},
    {"order and repetitions", "[3, 1, 3]", FIELD_OK, 3, {3, 1, 3}},
    {"zero", "[0]", FIELD_OK, 1, {0}},
    {"negative", "[-1]", FIELD_OK, 1, {-1}},
    {"ends of int64",
     "[-9223372036854775808, 9223372036854775807]",
     FIELD_OK,
     2,
     {INT64_MIN, INT64_MAX}},
    {"above int64", "[9223372036854775808]", FIELD_IDS_ITEM, 0, {0}},
    {"greatest uint64", "[18446744073709551615]", FIELD_IDS_ITEM, 0, {0}},
    {"above int64 as a number with a fraction",
     "[9223372036854775808.0]",
     FIELD_IDS_ITEM,
     0,
     {0}},
    {"empty", "[]", FIELD_IDS_TYPE, 0, {0}},
    {"null", "null", FIELD_EMPTY, 0, {0}},
    {"item null", "[1, null]", FIELD_IDS_ITEM, 0, {0}},
    {"item 1.0", "[1.0]", FIELD_IDS_ITEM, 0, {0}},
    {"item text", "[\"1\"]", FIELD_IDS_ITEM, 0, {0}},
    {"item true", "[true]", FIELD_IDS_ITEM, 0, {0}},
    {"item false", "[false]", FIELD_IDS_ITEM, 0, {0}},
    {"item array", "[[1]]", FIELD_IDS_ITEM, 0, {0}},
    {"item object", "[{}]", FIELD_IDS_ITEM, 0, {0}},
    {"last item is wrong", "[1, 2, \"3\"]", FIELD_IDS_ITEM, 0, {0}},
    {"integer", "1", FIELD_IDS_TYPE, 0, {0}},
    {"zero itself", "0", FIELD_IDS_TYPE, 0, {0}},
    {"fraction", "1.5", FIELD_IDS_TYPE, 0, {0}},
    {"text", "\"1\"", FIELD_IDS_TYPE, 0, {0}},
    {"empty text", "\"\"", FIELD_IDS_TYPE, 0, {0}},
    {"true", "true", FIELD_IDS_TYPE, 0, {0}},
    {"false", "false", FIELD_IDS_TYPE, 0, {0}},
    {"object", "{\"1\": 1}", FIELD_IDS_TYPE, 0, {0}},
    {"empty object", "{}", FIELD_IDS_TYPE, 0, {0}},
};

TEST_CASES(ids, struct ids_case, ids_rows)
{
    struct json_object *value = value_new(c->json);
    struct field_ids got = {NULL, 0};

    CU_ASSERT_EQUAL(field_client_ids(value, &limits, &got), c->want);
    CU_ASSERT_EQUAL(got.count, c->count);
    CU_ASSERT_EQUAL(got.item == NULL, c->want != FIELD_OK);
    for (size_t i = 0; i < got.count && i < c->count; i++)
        CU_ASSERT_EQUAL(got.item[i], c->ids[i]);
    free(got.item);
    json_object_put(value);
}

/* One member of every kind. */
struct kinds {
    struct bytes string, email, phone, date, birthday, gender;
    struct field_ids client_ids;
};

#define KINDS(flags)                                                           \
    {                                                                          \
        FIELD(struct kinds, string, field_string, flags),                      \
            FIELD(struct kinds, email, field_email, flags),                    \
            FIELD(struct kinds, phone, field_phone, flags),                    \
            FIELD(struct kinds, date, field_date, flags),                      \
            FIELD(struct kinds, birthday, field_birthday, flags),              \
            FIELD(struct kinds, gender, field_gender, flags),                  \
            FIELD(struct kinds, client_ids, field_client_ids, flags),          \
    }
#define KINDS_COUNT 7

static const struct field optional_rows[KINDS_COUNT] = KINDS(FIELD_OPTIONAL);
static const struct field required_rows[KINDS_COUNT] = KINDS(FIELD_REQUIRED);
static const struct field_table optional = {optional_rows, KINDS_COUNT};
static const struct field_table required = {required_rows, KINDS_COUNT};

/* A request that is valid for every table, or a few of its members. */
#define GOOD_REST                                                              \
    "\"phone\": 79175002040, \"date\": \"20.07.2017\","                        \
    "\"birthday\": \"01.01.1990\", \"gender\": 0, \"client_ids\": [2, 1]"
#define GOOD "{\"string\": \"x\", \"email\": \"a@b\", " GOOD_REST "}"

struct walk_case {
    const char *name;
    const struct field_table *table;
    const char *json;
    const char *faults; /* "": FIELD_OK */
};

static const struct walk_case walk_rows[] = {
    {"optional, all given", &optional, GOOD, ""},
    {"optional, none given", &optional, "{}", ""},
    {"optional, all null", &optional,
     "{\"string\": null, \"email\": null, \"phone\": null, \"date\": null,"
     " \"birthday\": null, \"gender\": null, \"client_ids\": null}",
     ""},
    {"optional, text empty", &optional,
     "{\"string\": \"\", \"email\": \"\", \"phone\": \"\", \"date\": \"\","
     " \"birthday\": \"\"}",
     ""},
    {"optional, others empty text", &optional,
     "{\"gender\": \"\", \"client_ids\": \"\"}",
     "gender: must be an integer: 0, 1 or 2; "
     "client_ids: must be a non-empty array of integers"},
    {"optional, all false", &optional,
     "{\"string\": false, \"email\": false, \"phone\": false, \"date\": false,"
     " \"birthday\": false, \"gender\": false, \"client_ids\": false}",
     "string: must be a string; email: must be a string; "
     "phone: must be a string or an integer of 11 digits; "
     "date: must be a string; birthday: must be a string; "
     "gender: must be an integer: 0, 1 or 2; "
     "client_ids: must be a non-empty array of integers"},
    {"every fault in the order of the table", &optional,
     "{\"client_ids\": [\"1\"], \"gender\": 3,"
     " \"birthday\": \"XXX\", \"date\": \"31.04.2024\", \"phone\": \"8\","
     " \"email\": \"x\", \"string\": 1}",
     "string: must be a string; email: must contain @; "
     "phone: must be 11 digits and start with 7; "
     "date: must be a date that exists, DD.MM.YYYY; "
     "birthday: must be a date that exists, DD.MM.YYYY; "
     "gender: must be an integer: 0, 1 or 2; "
     "client_ids: must hold only integers of 64 bits, not in quotes and "
     "without a fraction"},
    {"good fields among bad ones", &optional,
     "{\"string\": \"x\", \"email\": \"x\", \"phone\": \"8\","
     " \"gender\": 1, \"client_ids\": [1]}",
     "email: must contain @; phone: must be 11 digits and start with 7"},
    {"born tomorrow", &optional, "{\"birthday\": \"16.06.2024\"}",
     "birthday: must not be in the future"},
    {"70 yesterday", &optional, "{\"birthday\": \"14.06.1954\"}",
     "birthday: must not be more than 70 years ago"},
    {"no ids", &optional, "{\"client_ids\": []}",
     "client_ids: must be a non-empty array of integers"},
    {"too many ids", &optional, "{\"client_ids\": [1, 2, 3, 4]}",
     "client_ids: must not hold so many ids (at most 3)"},
    {"unknown members", &optional, "{\"strin\": 1, \"strings\": 1, \"\": 1}",
     ""},
    {"name in capitals", &optional, "{\"String\": 1, \"GENDER\": 7}", ""},
    {"repeated, last is good", &optional, "{\"gender\": 7, \"gender\": 1}", ""},
    {"repeated, last is bad", &optional, "{\"gender\": 1, \"gender\": 7}",
     "gender: must be an integer: 0, 1 or 2"},
    {"required, all given", &required, GOOD, ""},
    {"required, none given", &required, "{}",
     "string: is required; email: is required; phone: is required; "
     "date: is required; birthday: is required; gender: is required; "
     "client_ids: is required"},
    {"required, all null", &required,
     "{\"string\": null, \"email\": null, \"phone\": null, \"date\": null,"
     " \"birthday\": null, \"gender\": null, \"client_ids\": null}",
     "string: must not be null; email: must not be null; "
     "phone: must not be null; date: must not be null; "
     "birthday: must not be null; gender: must not be null; "
     "client_ids: must not be null"},
    {"required, text empty", &required,
     "{\"string\": \"\", \"email\": \"\", \"phone\": \"\", \"date\": \"\","
     " \"birthday\": \"\", \"gender\": 0, \"client_ids\": [1]}",
     ""},
    {"required, one missing, one null, one wrong", &required,
     "{\"email\": null, " GOOD_REST ", \"gender\": \"1\"}",
     "string: is required; email: must not be null; "
     "gender: must be an integer: 0, 1 or 2"},
};

TEST_CASES(walk, struct walk_case, walk_rows)
{
    struct json_object *object = value_new(c->json);
    struct kinds got = {.string = {NULL, 0}};
    struct field_faults faults = {.name_count = 0};
    enum field_error want = *c->faults == '\0' ? FIELD_OK : FIELD_MISSING;

    CU_ASSERT_EQUAL(fields_walk(c->table, object, &limits, &got, &faults),
                    want);
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&faults.text), bytes_of(c->faults)));
    free(got.client_ids.item);
    buf_free(&faults.text);
    json_object_put(object);
}

TEST_SINGLE(walk_stores, "every value where it belongs")
{
    struct json_object *object = value_new(GOOD);
    struct kinds got = {.string = {NULL, 0}};
    struct field_faults faults = {.name_count = 0};

    CU_ASSERT_EQUAL(fields_walk(&required, object, &limits, &got, &faults),
                    FIELD_OK);
    CU_ASSERT_TRUE(bytes_equal(got.string, bytes_of("x")));
    CU_ASSERT_TRUE(bytes_equal(got.email, bytes_of("a@b")));
    CU_ASSERT_TRUE(bytes_equal(got.phone, bytes_of("79175002040")));
    CU_ASSERT_TRUE(bytes_equal(got.date, bytes_of("20.07.2017")));
    CU_ASSERT_TRUE(bytes_equal(got.birthday, bytes_of("01.01.1990")));
    CU_ASSERT_TRUE(bytes_equal(got.gender, bytes_of("0")));
    CU_ASSERT_EQUAL(got.client_ids.count, 2);
    free(got.client_ids.item);
    buf_free(&faults.text);
    json_object_put(object);
}

TEST_SINGLE(walk_defaults, "stay where nothing is given")
{
    struct json_object *object =
        value_new("{\"string\": \"\", \"gender\": null, \"phone\": \"8\"}");
    struct kinds got = {.string = {untouched, 1}};
    struct field_faults faults = {.name_count = 0};

    CU_ASSERT_EQUAL(fields_walk(&optional, object, &limits, &got, &faults),
                    FIELD_MISSING);
    CU_ASSERT_PTR_EQUAL(got.string.at, untouched);
    CU_ASSERT_EQUAL(got.gender.length, 0);
    CU_ASSERT_EQUAL(got.phone.length, 0);
    CU_ASSERT_PTR_NULL(got.client_ids.item);
    buf_free(&faults.text);
    json_object_put(object);
}

TEST_SINGLE(walk_joins, "earlier faults come first")
{
    struct json_object *object = value_new("{\"email\": \"x\"}");
    struct kinds got = {.string = {NULL, 0}};
    struct field_faults faults = {.name_count = 0};
    struct bytes want = TEXT("method: is unknown; email: must contain @");

    buf_add_text(&faults.text, "method: is unknown");
    CU_ASSERT_EQUAL(fields_walk(&optional, object, &limits, &got, &faults),
                    FIELD_MISSING);
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&faults.text), want));
    buf_free(&faults.text);
    json_object_put(object);
}

TEST_SINGLE(walk_memory, "faults that have no room")
{
    struct json_object *object = value_new("{\"email\": \"x\"}");
    struct kinds got = {.string = {NULL, 0}};
    struct field_faults faults = {.text = {.failed = true}};

    CU_ASSERT_EQUAL(fields_walk(&optional, object, &limits, &got, &faults),
                    FIELD_MEMORY);
    buf_free(&faults.text);
    json_object_put(object);
}

TEST_SINGLE(texts, "every error has one")
{
    for (int error = FIELD_OK; error < FIELD__MAX; error++) {
        const char *text = field_error_text((enum field_error)error);

        CU_ASSERT_PTR_NOT_NULL(text);
        CU_ASSERT_TRUE(text != NULL && *text != '\0');
    }
}
