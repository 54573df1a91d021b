/*
 * The score of each kind of person. Points are from docs/protocol.md, S13,
 * added up by hand.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scoring/model.h"
#include "scoring/person.h"
#include "support/cases.h"

#define PHONE      PERSON_BIT(PHONE)
#define EMAIL      PERSON_BIT(EMAIL)
#define FIRST_NAME PERSON_BIT(FIRST_NAME)
#define LAST_NAME  PERSON_BIT(LAST_NAME)
#define BIRTHDAY   PERSON_BIT(BIRTHDAY)
#define GENDER     PERSON_BIT(GENDER)

struct score_case {
    const char *name;
    unsigned known;
    int want;
};

static const struct score_case score_rows[] = {
    {"nothing", 0, 0},
    {"phone", PHONE, 15},
    {"email", EMAIL, 15},
    {"phone and email", PHONE | EMAIL, 30},
    {"first name alone", FIRST_NAME, 0},
    {"last name alone", LAST_NAME, 0},
    {"both names", FIRST_NAME | LAST_NAME, 5},
    {"birthday alone", BIRTHDAY, 0},
    {"gender alone", GENDER, 0},
    {"birthday and gender", BIRTHDAY | GENDER, 15},
    {"halves of two pairs", FIRST_NAME | GENDER, 0},
    {"other halves", LAST_NAME | BIRTHDAY, 0},
    {"names, birthday, gender", FIRST_NAME | LAST_NAME | BIRTHDAY | GENDER, 20},
    {"phone and names", PHONE | FIRST_NAME | LAST_NAME, 20},
    {"email, birthday, gender", EMAIL | BIRTHDAY | GENDER, 30},
    {"all but the gender", PHONE | EMAIL | FIRST_NAME | LAST_NAME | BIRTHDAY,
     35},
    {"all but a name", PHONE | EMAIL | LAST_NAME | BIRTHDAY | GENDER, 45},
    {"everything", PHONE | EMAIL | FIRST_NAME | LAST_NAME | BIRTHDAY | GENDER,
     50},
};

TEST_CASES(score, struct score_case, score_rows)
{
    CU_ASSERT_EQUAL(model_tenths(&model_published, c->known), c->want);
}

/* Model files. */

#define FILE_MAX 65536

/* A copy, because reading modifies it; the caller frees it. */
static char *
copy_of(const char *text)
{
    char *copy = strdup(text);

    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    return copy;
}

static bool
read_text(const char *text, struct model *ret_model, struct buf *faults)
{
    char *copy = copy_of(text);
    const bool is_good = model_read(copy, strlen(text), ret_model, faults);

    free(copy);
    return is_good;
}

#define RULE_X    "{\"reason\": \"x\", \"given\": [\"phone\"], \"points\": 1}"
#define IN(rules) "{\"model\": \"m\", \"rules\": [" rules "]}"
#define POINTS(points)                                                         \
    IN("{\"reason\": \"x\", \"given\": [\"phone\"], \"points\": " points "}")
#define GIVEN(given)                                                           \
    IN("{\"reason\": \"x\", \"given\": " given ", \"points\": 1}")
#define REPEATED(member)                                                       \
    IN("{\"reason\": \"x\", \"given\": [\"phone\"], \"points\": 1, " member "}")
#define NAMED(name) "{\"model\": " name ", \"rules\": [" RULE_X "]}"
#define ALL                                                                    \
    "[\"phone\", \"email\", \"first_name\", \"last_name\", \"birthday\","      \
    " \"gender\"]"

#define X8(text)   text text text text text text text text
#define LONG_NAME  X8("abcdefgh")
#define NAME_FAULT "must be 1 to 64 characters of A-Z a-z 0-9 . _ -\n"
#define POINTS_FAULT                                                           \
    "line 1: rule 1: points: must be a multiple of 0.1 from 0 to 100\n"
#define INPUT_FAULT "line 1: rule 1: given: may only hold " /* all inputs */
#define GIVEN_FAULT                                                            \
    "line 1: rule 1: given: must be a non-empty array of arguments\n"
#define RULES_FAULT "line 1: rules: must be an array of 1 to 64 rules\n"

struct file_case {
    const char *name, *text;
    int want;           /* tenths of its first rule; -1: not read */
    const char *faults; /* then */
};

static const struct file_case file_rows[] = {
    {"one rule", IN(RULE_X), 10, ""},
    {"members in another order",
     "{\"rules\": [{\"points\": 0.5, \"given\": [\"email\"], \"reason\": "
     "\"x\"}], \"model\": \"m\"}",
     5, ""},
    {"name of each kind of character", NAMED("\"aZ09._-\""), 10, ""},
    {"name of 64", NAMED("\"" LONG_NAME "\""), 10, ""},
    {"name of 65", NAMED("\"" LONG_NAME "a\""), -1,
     "line 1: model: " NAME_FAULT},
    {"name empty", NAMED("\"\""), -1, "line 1: model: " NAME_FAULT},
    {"name null", NAMED("null"), -1, "line 1: model: " NAME_FAULT},
    {"name a number", NAMED("1"), -1, "line 1: model: " NAME_FAULT},
    {"name with a space", NAMED("\"a b\""), -1, "line 1: model: " NAME_FAULT},
    {"name with a NUL", NAMED("\"a\\u0000\""), -1,
     "line 1: model: " NAME_FAULT},
    {"name not ASCII", NAMED("\"\xc3\xa9\""), -1, "line 1: model: " NAME_FAULT},
    {"no name", "{\"rules\": [" RULE_X "]}", -1,
     "line 1: model: is required\n"},
    {"nothing", "{}", -1,
     "line 1: model: is required\nline 1: rules: is required\n"},
    {"no object", "[]", -1, "line 1: must be an object\n"},
    {"no JSON", "{\n\"model\": nul}", -1,
     "line 2: expected true, false or null\n"},
    {"no text", "", -1, "line 1: no value in the text\n"},
    {"byte order mark", "\xef\xbb\xbf" IN(RULE_X), -1,
     "line 1: byte order mark\n"},
    {"member unknown", "{\"a\": 1, \"model\": \"m\", \"rules\": [" RULE_X "]}",
     -1, "line 1: \"a\": there is no such member\n"},
    {"member unknown, long and odd",
     "{\"\\u001b" LONG_NAME "\": 1, \"model\": \"m\", \"rules\": [" RULE_X "]}",
     -1,
     "line 1: \"\\u001babcdefghabcdefghabcdefghabcdefg\": there is no such "
     "member\n"},
    {"member repeated",
     "{\"model\": \"m\", \"model\": \"m\", \"rules\": [" RULE_X "]}", -1,
     "line 1: model: is repeated\n"},
    {"rules repeated",
     "{\"model\": \"m\", \"rules\": [" RULE_X "], \"rules\": []}", -1,
     "line 1: rules: is repeated\n"},
    {"no rules", IN(""), -1, RULES_FAULT},
    {"rules null", "{\"model\": \"m\", \"rules\": null}", -1, RULES_FAULT},
    {"rules an object", "{\"model\": \"m\", \"rules\": {\"a\": 1}}", -1,
     RULES_FAULT},
    {"rule null", IN("null"), -1, "line 1: rule 1: must be an object\n"},
    {"rule an array", IN(RULE_X ", []"), -1,
     "line 1: rule 2: must be an object\n"},
    {"rule empty", IN("{}"), -1,
     "line 1: rule 1: reason: is required\n"
     "line 1: rule 1: given: is required\n"
     "line 1: rule 1: points: is required\n"},
    {"member of a rule unknown",
     "{\"model\": \"m\",\n \"rules\": [\n" RULE_X ",\n{\"reason\": \"y\",\n "
     "\"given\": [\"email\"],\n \"point\": 1}]}",
     -1,
     "line 6: rule 2: \"point\": there is no such member\n"
     "line 4: rule 2: points: is required\n"},
    {"reason repeated", REPEATED("\"reason\": \"y\""), -1,
     "line 1: rule 1: reason: is repeated\n"},
    {"given repeated", REPEATED("\"given\": [\"email\"]"), -1,
     "line 1: rule 1: given: is repeated\n"},
    {"points repeated", REPEATED("\"points\": 2"), -1,
     "line 1: rule 1: points: is repeated\n"},
    {"reason twice", IN(RULE_X ", " RULE_X), -1,
     "line 1: rule 2: reason: another rule has the same\n"},
    {"reason empty",
     IN("{\"reason\": \"\", \"given\": [\"phone\"], \"points\": 1}"), -1,
     "line 1: rule 1: reason: " NAME_FAULT},
    {"given all", GIVEN(ALL), 10, ""},
    {"given none", GIVEN("[]"), -1, GIVEN_FAULT},
    {"given null", GIVEN("null"), -1, GIVEN_FAULT},
    {"given a text", GIVEN("\"phone\""), -1, GIVEN_FAULT},
    {"given an object", GIVEN("{\"phone\": 1}"), -1, GIVEN_FAULT},
    {"given another", GIVEN("[\"phone\", \"Phone\"]"), -1, INPUT_FAULT},
    {"given what starts so", GIVEN("[\"phon\"]"), -1, INPUT_FAULT},
    {"given with a NUL", GIVEN("[\"phone\\u0000\"]"), -1, INPUT_FAULT},
    {"given explain", GIVEN("[\"explain\"]"), -1, INPUT_FAULT},
    {"given a number", GIVEN("[1]"), -1, INPUT_FAULT},
    {"given twice", GIVEN("[\"phone\", \"phone\"]"), -1,
     "line 1: rule 1: given: holds an argument twice\n"},
    {"points 0", POINTS("0"), 0, ""},
    {"points 0.0", POINTS("0.0"), 0, ""},
    {"points -0", POINTS("-0"), 0, ""},
    {"points 0.1", POINTS("0.1"), 1, ""},
    {"points 0.3", POINTS("0.3"), 3, ""},
    {"points 0.7", POINTS("0.7"), 7, ""},
    {"points 1.50", POINTS("1.50"), 15, ""},
    {"points 15e-1", POINTS("15e-1"), 15, ""},
    {"points 99.9", POINTS("99.9"), 999, ""},
    {"points 100", POINTS("100"), 1000, ""},
    {"points 100.1", POINTS("100.1"), -1, POINTS_FAULT},
    {"points 1e400", POINTS("1e400"), -1, POINTS_FAULT},
    {"points beyond int64", POINTS("99999999999999999999"), -1, POINTS_FAULT},
    {"points -0.1", POINTS("-0.1"), -1, POINTS_FAULT},
    {"points 0.05", POINTS("0.05"), -1, POINTS_FAULT},
    {"points 0.15", POINTS("0.15"), -1, POINTS_FAULT},
    {"points a sum of floats", POINTS("0.30000000000000004"), -1, POINTS_FAULT},
    {"points 0.1, a long number", POINTS("0.100000000000000000000"), 1, ""},
    {"points nearly 0.1", POINTS("0.10000000000000000001"), -1, POINTS_FAULT},
    {"points below 100 as a double", POINTS("99.9999999999999999999"), -1,
     POINTS_FAULT},
    {"points 0 with an exponent", POINTS("0e-400"), 0, ""},
    {"points -0.0 with an exponent", POINTS("-0.0E99999999999999999999"), 0,
     ""},
    {"points 0 as a double", POINTS("1e-400"), -1, POINTS_FAULT},
    {"points -1e-400", POINTS("-1e-400"), -1, POINTS_FAULT},
    {"points 1E+2", POINTS("1E+2"), 1000, ""},
    {"points 0.1e3", POINTS("0.1e3"), 1000, ""},
    {"points 1000e-1", POINTS("1000e-1"), 1000, ""},
    {"points 10000e-4", POINTS("10000e-4"), 10, ""},
    {"points 1e-1", POINTS("1e-1"), 1, ""},
    {"points 1e-2", POINTS("1e-2"), -1, POINTS_FAULT},
    {"points 1e3", POINTS("1e3"), -1, POINTS_FAULT},
    {"points 1001e-1", POINTS("1001e-1"), -1, POINTS_FAULT},
    {"points with an exponent beyond int64", POINTS("1e99999999999999999999"),
     -1, POINTS_FAULT},
    {"points with an exponent below int64", POINTS("1e-99999999999999999999"),
     -1, POINTS_FAULT},
    {"points a text", POINTS("\"1\""), -1, POINTS_FAULT},
    {"points null", POINTS("null"), -1, POINTS_FAULT},
    {"points true", POINTS("true"), -1, POINTS_FAULT},
};

TEST_CASES(file, struct file_case, file_rows)
{
    struct model model = {.name = "untouched"};
    struct buf faults = {0}, want = {0};
    const bool is_good = read_text(c->text, &model, &faults);

    buf_add_text(&want, c->faults);
    if (strcmp(c->faults, INPUT_FAULT) == 0) {
        person_add_names(~0U, ", ", &want);
        buf_add_text(&want, "\n");
    }
    CU_ASSERT_EQUAL(is_good, c->want >= 0);
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&faults), buf_bytes(&want)));
    if (is_good)
        CU_ASSERT_EQUAL(model.rules[0].tenths, c->want);
    else
        CU_ASSERT_STRING_EQUAL(model.name, "untouched");
    buf_free(&faults);
    buf_free(&want);
}

/* A model with so many rules, each of the phone and a point. */
static void
put_model(int rules, struct buf *out)
{
    buf_add_text(out, "{\"model\": \"m\", \"rules\": [");
    for (int i = 0; i < rules; i++)
        buf_printf(out,
                   "%s{\"reason\": \"r%d\", \"given\": [\"phone\"], "
                   "\"points\": 100}",
                   i == 0 ? "" : ",\n", i);
    buf_add_text(out, "]}");
    buf_add(out, "", 1);
}

TEST_SINGLE(rules_most, "64 rules, and not one more")
{
    struct buf text = {0}, faults = {0};
    struct model model;

    put_model(MODEL_RULES_MAX, &text);
    CU_ASSERT_TRUE(read_text(text.data, &model, &faults));
    CU_ASSERT_EQUAL(model.rule_count, MODEL_RULES_MAX);
    CU_ASSERT_EQUAL(model_tenths(&model, PHONE), 64000);
    CU_ASSERT_EQUAL(model_tenths(&model, EMAIL), 0);
    buf_clear(&text);
    put_model(MODEL_RULES_MAX + 1, &text);
    CU_ASSERT_FALSE(read_text(text.data, &model, &faults));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&faults), bytes_of(RULES_FAULT)));
    buf_free(&text);
    buf_free(&faults);
}

/* The names of all inputs, each with a comma after it. */
#define INPUT_NAME(id, name, rule) #name ", "
#define INPUT_NAMES                PERSON_FIELDS(INPUT_NAME)

/* Faults beyond the 20th are only counted. */
struct many_case {
    const char *name;
    int faults;
    const char *want; /* the last line; %.*s: the names, without the comma */
};

static const struct many_case many_rows[] = {
    {"as many as are reported", 20,
     "line 20: rule 1: given: may only hold %.*s\n"},
    {"one more", 21, "1 more faults\n"},
    {"as many as a file holds", 20020, "20000 more faults\n"},
};

TEST_CASES(many, struct many_case, many_rows)
{
    struct buf text = {0}, faults = {0};
    struct model model;
    size_t lines = 0, length;
    char want[256];

    buf_add_text(&text, "{\"model\": \"m\", \"rules\": [{\"reason\": \"x\", "
                        "\"points\": 1, \"given\": [0");
    for (int i = 1; i < c->faults; i++)
        buf_add_text(&text, ",\n0");
    buf_add(&text, "]}]}", sizeof("]}]}"));
    CU_ASSERT_FALSE(read_text(text.data, &model, &faults));
    for (size_t i = 0; i < faults.length; i++)
        lines += faults.data[i] == '\n';
    CU_ASSERT_EQUAL(lines, c->faults > 20 ? 21 : 20);
    (void)snprintf(want, sizeof(want), c->want,
                   (int)(strlen(INPUT_NAMES) - strlen(", ")), INPUT_NAMES);
    length = strlen(want);
    CU_ASSERT_TRUE_FATAL(faults.length >= length);
    CU_ASSERT_EQUAL(memcmp(faults.data + faults.length - length, want, length),
                    0);
    buf_free(&text);
    buf_free(&faults);
}

TEST_SINGLE(published, "the file is the model that is built in")
{
    struct buf shown = {0}, faults = {0};
    char text[FILE_MAX];
    struct model model;
    FILE *file = fopen("share/models/published.json", "re");
    size_t length;

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    length = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    text[length] = '\0';
    model_print(&model_published, &shown);
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&shown), bytes_of(text)));
    CU_ASSERT_TRUE_FATAL(model_read(text, length, &model, &faults));
    CU_ASSERT_EQUAL(model.digest_length, 0);
    for (unsigned known = 0; known < 1U << PERSON__MAX; known++)
        CU_ASSERT_EQUAL(model_tenths(&model, known),
                        model_tenths(&model_published, known));
    buf_free(&shown);
    buf_free(&faults);
}

/* The digest is a part of stored keys, so it must never change; made with
 * sha256sum. */
TEST_SINGLE(digest, "stays, whatever the file looks like")
{
    static const unsigned char want[] = {
        0xaf, 0x8f, 0x21, 0xfb, 0xae, 0xd2, 0x07, 0xc6,
    };
    struct buf faults = {0}, shown = {0}, name = {0};
    struct model model, again, other;

    CU_ASSERT_TRUE_FATAL(read_text(IN(RULE_X), &model, &faults));
    CU_ASSERT_EQUAL(model.digest_length, MODEL_DIGEST_BYTES);
    CU_ASSERT_EQUAL(memcmp(model.digest, want, sizeof(want)), 0);
    model_print(&model, &shown);
    buf_add(&shown, "", 1);
    CU_ASSERT_TRUE_FATAL(read_text(shown.data, &again, &faults));
    CU_ASSERT_EQUAL(memcmp(model.digest, again.digest, sizeof(model.digest)),
                    0);
    CU_ASSERT_TRUE_FATAL(read_text(POINTS("1.1"), &other, &faults));
    CU_ASSERT_NOT_EQUAL(
        memcmp(model.digest, other.digest, sizeof(model.digest)), 0);
    model_print_name(&model_published, &name);
    buf_add_text(&name, "; ");
    model_print_name(&model, &name);
    CU_ASSERT_TRUE(
        bytes_equal(buf_bytes(&name), bytes_of("published; m (af8f21fb)")));
    buf_free(&faults);
    buf_free(&shown);
    buf_free(&name);
}

struct written_case {
    const char *name;
    bool want; /* of the published model, whose highest score is 5.0 */
};

static const struct written_case written_rows[] = {
    {"0.0", true},  {"0.5", true},   {"5.0", true},   {"5.1", false},
    {"9.9", false}, {"10.0", false}, {"00.0", false}, {"0.00", false},
    {"5", false},   {"5.", false},   {".5", false},   {"-.5", false},
    {"a.0", false}, {"0.a", false},  {"", false},     {"0", false},
    {"0,0", false}, {" 0.0", false}, {"0.0 ", false}, {"99999999999.9", false},
};

TEST_CASES(written, struct written_case, written_rows)
{
    CU_ASSERT_EQUAL(model_is_score(&model_published, bytes_of(c->name)),
                    c->want);
}

TEST_SINGLE(written_all, "every score that any model has")
{
    struct buf text = {0}, faults = {0};
    struct model model;

    put_model(MODEL_RULES_MAX, &text);
    CU_ASSERT_TRUE_FATAL(read_text(text.data, &model, &faults));
    for (int tenths = 0; tenths <= 64000; tenths++) {
        buf_clear(&text);
        model_add_points(tenths, &text);
        CU_ASSERT_TRUE(model_is_score(&model, buf_bytes(&text)));
    }
    buf_clear(&text);
    model_add_points(64001, &text);
    CU_ASSERT_FALSE(model_is_score(&model, buf_bytes(&text)));
    buf_free(&text);
    buf_free(&faults);
}
