/*
 * The strict scanner and the decoding after it: what is accepted, and what is
 * refused, where and why. Expected values are from RFC 8259 and
 * docs/protocol.md, S6.1; offsets are counted by hand.
 */
#include <json-c/json.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/json.h"
#include "support/cases.h"

/* A text with its length, for those that hold NULs. */
#define TEXT(text)                                                             \
    {                                                                          \
        text, sizeof(text) - 1                                                 \
    }

/* Outputs that must not change. */
static const struct json_fault untouched = {JSON__MAX, 4711};
static struct json_object *const no_value = (struct json_object *)&untouched;

static struct json_tokener *tokener; /* one for all rows, as in a worker */

static int
start(void)
{
    tokener = json_tokener_new_ex(JSON_TOKENER_DEPTH);
    return tokener == NULL;
}

static int
stop(void)
{
    json_tokener_free(tokener);
    return 0;
}

/* A copy of exactly this size, so that a sanitizer sees any overrun. */
static char *
copy_exactly(struct bytes text)
{
    char *copy = malloc(text.length > 0 ? text.length : 1);

    if (copy == NULL)
        abort();
    memcpy(copy, text.at, text.length);
    return copy;
}

static bool
check_copy(struct bytes text, struct json_fault *fault)
{
    char *copy = copy_exactly(text);
    bool is_good = json_check((struct bytes){copy, text.length}, fault);

    free(copy);
    return is_good;
}

static bool
decode_copy(struct bytes text, struct json_object **ret_value,
            struct json_fault *fault)
{
    char *copy = copy_exactly(text);
    bool is_good = json_find(copy, text.length, SIZE_MAX, NULL, 0, fault) &&
                   json_decode(tokener, copy, text.length, ret_value);

    free(copy);
    return is_good;
}

/* The value of a text that must be valid; NULL if it is not. */
static struct json_object *
decoded(struct bytes text)
{
    struct json_object *value = NULL;
    struct json_fault fault = untouched;
    bool is_good = decode_copy(text, &value, &fault);

    CU_ASSERT_TRUE(is_good);
    CU_ASSERT_EQUAL(fault.error, untouched.error);
    return value;
}

struct accept_case {
    const char *name;
    struct bytes text;
};

static const struct accept_case accept_rows[] = {
    {"null", TEXT("null")},
    {"true", TEXT("true")},
    {"false", TEXT("false")},
    {"empty object", TEXT("{}")},
    {"empty array", TEXT("[]")},
    {"empty string", TEXT("\"\"")},
    {"space before", TEXT("\t\n\r []")},
    {"space after", TEXT("[]\t\n\r ")},
    {"space in an empty object", TEXT("{ \n}")},
    {"space in an empty array", TEXT("[\t ]")},
    {"space around everything",
     TEXT("\n{ \"a\" \r:\t1 , \"b\" : [ 1 , 2 ] }\n")},
    {"one member", TEXT("{\"a\":1}")},
    {"two members", TEXT("{\"a\":1,\"b\":2}")},
    {"empty name", TEXT("{\"\":0}")},
    {"repeated name", TEXT("{\"a\":1,\"a\":2}")},
    {"repeated name and value", TEXT("{\"a\":1,\"a\":1}")},
    {"long name",
     TEXT("{\"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz\":1}")},
    {"escaped name", TEXT("{\"\\u0061\\n\":1}")},
    {"name with an escaped NUL", TEXT("{\"a\\u0000b\":1}")},
    {"name in Cyrillic", TEXT("{\"\xd0\xb8\xd0\xbc\xd1\x8f\":1}")},
    {"object in object", TEXT("{\"a\":{\"b\":{\"c\":{}}}}")},
    {"array in array", TEXT("[[[[]]]]")},
    {"object in array", TEXT("[{},{\"a\":[]}]")},
    {"array of all types", TEXT("[null,true,false,0,\"\",[],{}]")},
    {"array of one", TEXT("[1]")},
    {"array of nulls", TEXT("[null,null]")},
    {"number zero", TEXT("0")},
    {"number -0", TEXT("-0")},
    {"number 1", TEXT("1")},
    {"number -1", TEXT("-1")},
    {"number of one space less", TEXT("[ 1 ]")},
    {"two digits", TEXT("10")},
    {"many digits", TEXT("1234567890")},
    {"zero with fraction", TEXT("0.5")},
    {"minus zero with fraction", TEXT("-0.5")},
    {"fraction of zeros", TEXT("1.000")},
    {"long fraction", TEXT("3.14159265358979323846264338327950288")},
    {"exponent", TEXT("1e5")},
    {"capital exponent", TEXT("1E5")},
    {"exponent with plus", TEXT("1e+5")},
    {"exponent with minus", TEXT("1e-5")},
    {"capital exponent with plus", TEXT("1E+5")},
    {"capital exponent with minus", TEXT("1E-5")},
    {"exponent of zeros", TEXT("1e00")},
    {"exponent with leading zero", TEXT("1e07")},
    {"zero with exponent", TEXT("0e1")},
    {"minus zero with exponent", TEXT("-0E-1")},
    {"fraction and exponent", TEXT("1.25e2")},
    {"fraction and negative exponent", TEXT("-1.25E-2")},
    {"larger than a double", TEXT("1E400")},
    {"smaller than a double", TEXT("1e-400")},
    {"negative and larger than a double", TEXT("-1e400")},
    {"huge exponent", TEXT("1e99999999999999999999")},
    {"hugely small exponent", TEXT("0.1e-99999999999999999999")},
    {"largest int64", TEXT("9223372036854775807")},
    {"smallest int64", TEXT("-9223372036854775808")},
    {"one over int64", TEXT("9223372036854775808")},
    {"one under int64", TEXT("-9223372036854775809")},
    {"largest uint64", TEXT("18446744073709551615")},
    {"one over uint64", TEXT("18446744073709551616")},
    {"100 digits", TEXT("123456789012345678901234567890123456789012345678901234"
                        "5678901234567890123456789012345678901234567890")},
    {"number before a comma", TEXT("[0,1]")},
    {"number before a bracket", TEXT("[0]")},
    {"number before a brace", TEXT("{\"a\":0}")},
    {"number before space", TEXT("[0 ,1\n]")},
    {"numbers of all forms", TEXT("[-0,0.0,1e1,-1.5E+3]")},
    {"plain string", TEXT("\"abc\"")},
    {"string of a space", TEXT("\" \"")},
    {"escaped quote", TEXT("\"\\\"\"")},
    {"escaped backslash", TEXT("\"\\\\\"")},
    {"escaped slash", TEXT("\"\\/\"")},
    {"plain slash", TEXT("\"/\"")},
    {"escaped backspace", TEXT("\"\\b\"")},
    {"escaped form feed", TEXT("\"\\f\"")},
    {"escaped line feed", TEXT("\"\\n\"")},
    {"escaped return", TEXT("\"\\r\"")},
    {"escaped tab", TEXT("\"\\t\"")},
    {"all short escapes", TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"")},
    {"escaped backslash before a quote's end", TEXT("\"a\\\\\"")},
    {"escaped backslash before u", TEXT("\"\\\\u00\"")},
    {"escape in lower-case hex", TEXT("\"\\uabcd\"")},
    {"escape in upper-case hex", TEXT("\"\\uABCD\"")},
    {"escape in mixed hex", TEXT("\"\\uAbCd\"")},
    {"escape of digits", TEXT("\"\\u0123\"")},
    {"escaped NUL", TEXT("\"\\u0000\"")},
    {"escaped NUL in the middle", TEXT("\"a\\u0000b\"")},
    {"escaped control", TEXT("\"\\u001f\"")},
    {"escaped non-character", TEXT("\"\\uffff\"")},
    {"surrogate pair", TEXT("\"\\ud83d\\ude00\"")},
    {"surrogate pair in upper case", TEXT("\"\\uD83D\\uDE00\"")},
    {"first surrogate pair", TEXT("\"\\ud800\\udc00\"")},
    {"last surrogate pair", TEXT("\"\\udbff\\udfff\"")},
    {"lone high surrogate", TEXT("\"\\uD800\"")},
    {"lone low surrogate", TEXT("\"\\uDC00\"")},
    {"lone high surrogate before text", TEXT("\"\\uD800abc\"")},
    {"lone high surrogate before an escape", TEXT("\"\\uD800\\n\"")},
    {"two high surrogates", TEXT("\"\\uD800\\uD800\"")},
    {"high surrogate before another unit", TEXT("\"\\uD800\\u0041\"")},
    {"surrogates the wrong way round", TEXT("\"\\uDC00\\uD800\"")},
    {"two high surrogates and a low one", TEXT("\"\\uD800\\uD83D\\uDE00\"")},
    {"lone surrogate in a name", TEXT("{\"\\uD800\":1}")},
    {"DEL", TEXT("\"\x7f\"")},
    {"comment in a string", TEXT("\"/* a */ // b\"")},
    {"single quotes in a string", TEXT("\"'a'\"")},
    {"brackets in a string", TEXT("\"[{]}\"")},
    {"byte order mark in a string", TEXT("\"\xef\xbb\xbf\"")},
    {"U+0080", TEXT("\"\xc2\x80\"")},
    {"U+07FF", TEXT("\"\xdf\xbf\"")},
    {"U+0800", TEXT("\"\xe0\xa0\x80\"")},
    {"U+0FFF", TEXT("\"\xe0\xbf\xbf\"")},
    {"U+CFFF", TEXT("\"\xec\xbf\xbf\"")},
    {"U+D000", TEXT("\"\xed\x80\x80\"")},
    {"U+D7FF, before the surrogates", TEXT("\"\xed\x9f\xbf\"")},
    {"U+E000, after the surrogates", TEXT("\"\xee\x80\x80\"")},
    {"U+FFFE", TEXT("\"\xef\xbf\xbe\"")},
    {"U+FFFF", TEXT("\"\xef\xbf\xbf\"")},
    {"U+10000", TEXT("\"\xf0\x90\x80\x80\"")},
    {"U+3FFFF", TEXT("\"\xf0\xbf\xbf\xbf\"")},
    {"U+40000", TEXT("\"\xf1\x80\x80\x80\"")},
    {"U+FFFFF", TEXT("\"\xf3\xbf\xbf\xbf\"")},
    {"U+10FFFF, the last", TEXT("\"\xf4\x8f\xbf\xbf\"")},
    {"U+2028", TEXT("\"\xe2\x80\xa8\"")},
    {"Cyrillic", TEXT("\"\xd0\x9e\xd1\x82\xd1\x83\xd1\x81\"")},
    {"Chinese", TEXT("\"\xe4\xb8\xad\xe6\x96\x87\"")},
    {"emoji", TEXT("\"\xf0\x9f\x98\x80\"")},
    {"all lengths of UTF-8 together",
     TEXT("\"a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z\"")},
};

TEST_CASES(accept, struct accept_case, accept_rows)
{
    struct json_fault fault = untouched;
    struct json_object *value = no_value;
    bool is_decoded;

    CU_ASSERT_TRUE(check_copy(c->text, &fault));
    is_decoded = decode_copy(c->text, &value, &fault);
    CU_ASSERT_TRUE(is_decoded);
    CU_ASSERT_EQUAL(fault.error, untouched.error);
    CU_ASSERT_EQUAL(fault.offset, untouched.offset);
    if (is_decoded)
        json_object_put(value);
}

struct reject_case {
    const char *name;
    struct bytes text;
    enum json_error error;
    size_t offset;
};

static const struct reject_case reject_rows[] = {
    {"no byte", TEXT(""), JSON_EMPTY, 0},
    {"space only", TEXT("\x20"), JSON_EMPTY, 1},
    {"all kinds of space", TEXT("\t\n\r\x20"), JSON_EMPTY, 4},
    {"mark before a value", TEXT("\xef\xbb\xbf{}"), JSON_BOM, 0},
    {"mark alone", TEXT("\xef\xbb\xbf"), JSON_BOM, 0},
    {"part of a mark", TEXT("\xef\xbb"), JSON_VALUE, 0},
    {"mark after space", TEXT("\x20\xef\xbb\xbf{}"), JSON_VALUE, 1},
    {"mark after the value", TEXT("{}\xef\xbb\xbf"), JSON_TRAILING, 2},
    {"UTF-16 mark, little end", TEXT("\xff\xfe[\0]\0"), JSON_UTF16, 0},
    {"UTF-16 mark, big end", TEXT("\xfe\xff\0[\0]"), JSON_UTF16, 0},
    {"UTF-16 mark alone", TEXT("\xff\xfe"), JSON_UTF16, 0},
    {"UTF-16 without a mark", TEXT("[\0]\0"), JSON_UTF16, 1},
    {"UTF-16 without a mark, big end", TEXT("\0{\0\"\4\x3f\0\""), JSON_UTF16,
     0},
    {"UTF-16 without its last byte", TEXT("[\0]"), JSON_VALUE, 1},
    {"half a UTF-16 mark", TEXT("\xff[\0]"), JSON_VALUE, 0},
    {"NULs in front", TEXT("\0\0[]"), JSON_VALUE, 0},
    {"NUL after two letters", TEXT("ab\0\0"), JSON_VALUE, 0},
    {"NUL in one place", TEXT("[\0 ]"), JSON_VALUE, 1},
    {"single quotes", TEXT("'a'"), JSON_VALUE, 0},
    {"back quotes", TEXT("`a`"), JSON_VALUE, 0},
    {"block comment", TEXT("/**/{}"), JSON_VALUE, 0},
    {"line comment", TEXT("//\n{}"), JSON_VALUE, 0},
    {"hash comment", TEXT("#\n{}"), JSON_VALUE, 0},
    {"comment in an array", TEXT("[/**/1]"), JSON_VALUE, 1},
    {"NaN", TEXT("NaN"), JSON_VALUE, 0},
    {"Infinity", TEXT("Infinity"), JSON_VALUE, 0},
    {"NaN in an array", TEXT("[NaN]"), JSON_VALUE, 1},
    {"plus sign", TEXT("+1"), JSON_VALUE, 0},
    {"leading point", TEXT(".5"), JSON_VALUE, 0},
    {"capital True", TEXT("True"), JSON_VALUE, 0},
    {"capital NULL", TEXT("NULL"), JSON_VALUE, 0},
    {"bare word", TEXT("abc"), JSON_VALUE, 0},
    {"undefined", TEXT("undefined"), JSON_VALUE, 0},
    {"comma alone", TEXT(","), JSON_VALUE, 0},
    {"colon alone", TEXT(":"), JSON_VALUE, 0},
    {"closing bracket alone", TEXT("]"), JSON_VALUE, 0},
    {"closing brace alone", TEXT("}"), JSON_VALUE, 0},
    {"backslash alone", TEXT("\\"), JSON_VALUE, 0},
    {"escaped quote outside", TEXT("\\\""), JSON_VALUE, 0},
    {"NUL alone", TEXT("\0"), JSON_VALUE, 0},
    {"NUL before a value", TEXT("\0{}"), JSON_VALUE, 0},
    {"form feed for space", TEXT("\f{}"), JSON_VALUE, 0},
    {"vertical tab for space", TEXT("[\v1]"), JSON_VALUE, 1},
    {"no-break space", TEXT("\xc2\xa0{}"), JSON_VALUE, 0},
    {"line separator for space", TEXT("[\xe2\x80\xa8]"), JSON_VALUE, 1},
    {"DEL for space", TEXT("\x7f{}"), JSON_VALUE, 0},
    {"comma before the first item", TEXT("[,1]"), JSON_VALUE, 1},
    {"comma after the last item", TEXT("[1,]"), JSON_VALUE, 3},
    {"comma after the last item, and space", TEXT("[1, ]"), JSON_VALUE, 4},
    {"two commas", TEXT("[1,,2]"), JSON_VALUE, 3},
    {"only a comma", TEXT("[,]"), JSON_VALUE, 1},
    {"array closed by a brace", TEXT("[}"), JSON_VALUE, 1},
    {"no member value", TEXT("{\"a\":}"), JSON_VALUE, 5},
    {"comma for a member value", TEXT("{\"a\":,}"), JSON_VALUE, 5},
    {"two colons", TEXT("{\"a\"::1}"), JSON_VALUE, 5},
    {"NUL for an item", TEXT("[\0]"), JSON_VALUE, 1},
    {"raw UTF-8 outside a string", TEXT("[\xc3\xa9]"), JSON_VALUE, 1},
    {"bad byte outside a string", TEXT("[\xff]"), JSON_VALUE, 1},
    {"leading zero", TEXT("01"), JSON_NUMBER, 1},
    {"two zeros", TEXT("00"), JSON_NUMBER, 1},
    {"leading zero after minus", TEXT("-01"), JSON_NUMBER, 2},
    {"leading zero in an array", TEXT("[01]"), JSON_NUMBER, 2},
    {"leading zeros before a fraction", TEXT("00.5"), JSON_NUMBER, 1},
    {"no digit after the point", TEXT("[1.]"), JSON_NUMBER, 3},
    {"no digit between point and exponent", TEXT("1.e5"), JSON_NUMBER, 2},
    {"two points", TEXT("1.2.3"), JSON_NUMBER, 3},
    {"point after the exponent", TEXT("1e5.0"), JSON_NUMBER, 3},
    {"minus alone in an array", TEXT("[-]"), JSON_NUMBER, 2},
    {"minus and a word", TEXT("-a"), JSON_NUMBER, 1},
    {"two minus signs", TEXT("--1"), JSON_NUMBER, 1},
    {"minus and plus", TEXT("-+1"), JSON_NUMBER, 1},
    {"minus and space", TEXT("- 1"), JSON_NUMBER, 1},
    {"minus and point", TEXT("-.5"), JSON_NUMBER, 1},
    {"minus Infinity", TEXT("-Infinity"), JSON_NUMBER, 1},
    {"minus NaN", TEXT("-NaN"), JSON_NUMBER, 1},
    {"no digit after e", TEXT("[1e]"), JSON_NUMBER, 3},
    {"no digit after e and plus", TEXT("[1e+]"), JSON_NUMBER, 4},
    {"no digit after e and minus", TEXT("[1e-]"), JSON_NUMBER, 4},
    {"two signs after e", TEXT("1e+-5"), JSON_NUMBER, 3},
    {"two exponents", TEXT("1e5e5"), JSON_NUMBER, 3},
    {"two exponent letters", TEXT("1ee5"), JSON_NUMBER, 2},
    {"sign after a number", TEXT("1+2"), JSON_NUMBER, 1},
    {"minus after a number", TEXT("[1-2]"), JSON_NUMBER, 2},
    {"hexadecimal", TEXT("0x10"), JSON_NUMBER, 1},
    {"octal", TEXT("0o7"), JSON_NUMBER, 1},
    {"letter after a number", TEXT("[1a]"), JSON_NUMBER, 2},
    {"suffix f", TEXT("1.5f"), JSON_NUMBER, 3},
    {"suffix L", TEXT("1L"), JSON_NUMBER, 1},
    {"letter z after a number", TEXT("1z"), JSON_NUMBER, 1},
    {"capital letter Z after a number", TEXT("1Z"), JSON_NUMBER, 1},
    {"number and a literal", TEXT("[1true]"), JSON_NUMBER, 2},
    {"comma for a point", TEXT("1,5"), JSON_TRAILING, 1},
    {"grouped digits", TEXT("1_000"), JSON_TRAILING, 1},
    {"grouped digits in an array", TEXT("[1_000]"), JSON_SEPARATOR, 2},
    {"number and NUL", TEXT("1\0"), JSON_TRAILING, 1},
    {"NUL inside a number", TEXT("[1\0002]"), JSON_SEPARATOR, 2},
    {"full-width digit", TEXT("\xef\xbc\x91"), JSON_VALUE, 0},
    {"full-width digit after a digit", TEXT("[1\xef\xbc\x91]"), JSON_SEPARATOR,
     2},
    {"nul, wrong end", TEXT("nulx"), JSON_LITERAL, 3},
    {"lower-case nan", TEXT("nan"), JSON_LITERAL, 1},
    {"tru, wrong end", TEXT("[tru]"), JSON_LITERAL, 4},
    {"fals, wrong end", TEXT("[fals]"), JSON_LITERAL, 5},
    {"nul, closed", TEXT("[nul]"), JSON_LITERAL, 4},
    {"longer than null", TEXT("nulll"), JSON_LITERAL, 4},
    {"longer than true", TEXT("[truex]"), JSON_LITERAL, 5},
    {"digit after false", TEXT("false0"), JSON_LITERAL, 5},
    {"mixed case true", TEXT("tRUE"), JSON_LITERAL, 1},
    {"mixed case null", TEXT("nULL"), JSON_LITERAL, 1},
    {"NUL inside a literal", TEXT("nu\0l"), JSON_LITERAL, 2},
    {"two literals in one", TEXT("truefalse"), JSON_LITERAL, 4},
    {"literal and minus", TEXT("true-1"), JSON_LITERAL, 4},
    {"raw NUL", TEXT("\"\0\""), JSON_CONTROL, 1},
    {"raw NUL in the middle", TEXT("\"a\0b\""), JSON_CONTROL, 2},
    {"raw control 01", TEXT("\"\x01\""), JSON_CONTROL, 1},
    {"raw tab", TEXT("\"a\tb\""), JSON_CONTROL, 2},
    {"raw line feed", TEXT("\"a\nb\""), JSON_CONTROL, 2},
    {"raw return", TEXT("\"a\rb\""), JSON_CONTROL, 2},
    {"raw control 1F", TEXT("\"\x1f\""), JSON_CONTROL, 1},
    {"raw line feed in a name", TEXT("{\"a\n\":1}"), JSON_CONTROL, 3},
    {"raw NUL in a name", TEXT("{\"\0\":1}"), JSON_CONTROL, 2},
    {"raw tab at the end", TEXT("\"abcdefghijklmnop\t"), JSON_CONTROL, 17},
    {"escaped a", TEXT("\"\\a\""), JSON_ESCAPE, 2},
    {"escaped x", TEXT("\"\\x41\""), JSON_ESCAPE, 2},
    {"escaped 0", TEXT("\"\\0\""), JSON_ESCAPE, 2},
    {"escaped single quote", TEXT("\"\\'\""), JSON_ESCAPE, 2},
    {"escaped v", TEXT("\"\\v\""), JSON_ESCAPE, 2},
    {"escaped e", TEXT("\"\\e\""), JSON_ESCAPE, 2},
    {"capital escaped N", TEXT("\"\\N\""), JSON_ESCAPE, 2},
    {"capital escaped U", TEXT("\"\\U0041\""), JSON_ESCAPE, 2},
    {"escaped space", TEXT("\"\\ \""), JSON_ESCAPE, 2},
    {"escaped line feed, raw", TEXT("\"\\\n\""), JSON_ESCAPE, 2},
    {"escaped NUL, raw", TEXT("\"\\\0\""), JSON_ESCAPE, 2},
    {"escaped UTF-8", TEXT("\"\\\xc3\xa9\""), JSON_ESCAPE, 2},
    {"no hex digit", TEXT("\"\\u\""), JSON_ESCAPE, 3},
    {"one hex digit", TEXT("\"\\u0\""), JSON_ESCAPE, 4},
    {"two hex digits", TEXT("\"\\u00\""), JSON_ESCAPE, 5},
    {"three hex digits", TEXT("\"\\u000\""), JSON_ESCAPE, 6},
    {"first hex digit wrong", TEXT("\"\\ug000\""), JSON_ESCAPE, 3},
    {"second hex digit wrong", TEXT("\"\\u0g00\""), JSON_ESCAPE, 4},
    {"third hex digit wrong", TEXT("\"\\u00g0\""), JSON_ESCAPE, 5},
    {"last hex digit wrong", TEXT("\"\\u000g\""), JSON_ESCAPE, 6},
    {"hex digit G", TEXT("\"\\u000G\""), JSON_ESCAPE, 6},
    {"hex digit @", TEXT("\"\\u000@\""), JSON_ESCAPE, 6},
    {"hex digit `", TEXT("\"\\u000`\""), JSON_ESCAPE, 6},
    {"hex digit /", TEXT("\"\\u000/\""), JSON_ESCAPE, 6},
    {"hex digit :", TEXT("\"\\u000:\""), JSON_ESCAPE, 6},
    {"sign in the digits", TEXT("\"\\u+041\""), JSON_ESCAPE, 3},
    {"space in the digits", TEXT("\"\\u 041\""), JSON_ESCAPE, 3},
    {"NUL in the digits", TEXT("\"\\u00\0000\""), JSON_ESCAPE, 5},
    {"braces for the digits", TEXT("\"\\u{41}\""), JSON_ESCAPE, 3},
    {"full-width hex digit", TEXT("\"\\u004\xef\xbc\x91\""), JSON_ESCAPE, 6},
    {"high surrogate, low one broken", TEXT("\"\\uD83D\\uDE0\""), JSON_ESCAPE,
     12},
    {"high surrogate, bad escape", TEXT("\"\\uD800\\x\""), JSON_ESCAPE, 8},
    {"bad escape in a name", TEXT("{\"\\q\":1}"), JSON_ESCAPE, 3},
    {"bad unit in a name", TEXT("{\"\\u00zz\":1}"), JSON_ESCAPE, 6},
    {"stray continuation 80", TEXT("\"\x80\""), JSON_UTF8, 1},
    {"stray continuation BF", TEXT("\"\xbf\""), JSON_UTF8, 1},
    {"stray continuation after text", TEXT("\"ab\x80\""), JSON_UTF8, 3},
    {"stray continuation after a character", TEXT("\"\xc3\xa9\x80\""),
     JSON_UTF8, 3},
    {"C0, overlong NUL", TEXT("\"\xc0\x80\""), JSON_UTF8, 1},
    {"C0, overlong slash", TEXT("\"\xc0\xaf\""), JSON_UTF8, 1},
    {"C1, overlong U+007F", TEXT("\"\xc1\xbf\""), JSON_UTF8, 1},
    {"E0 80, overlong NUL", TEXT("\"\xe0\x80\x80\""), JSON_UTF8, 1},
    {"E0 9F, overlong U+07FF", TEXT("\"\xe0\x9f\xbf\""), JSON_UTF8, 1},
    {"F0 80, overlong NUL", TEXT("\"\xf0\x80\x80\x80\""), JSON_UTF8, 1},
    {"F0 8F, overlong U+FFFF", TEXT("\"\xf0\x8f\xbf\xbf\""), JSON_UTF8, 1},
    {"U+D800, encoded", TEXT("\"\xed\xa0\x80\""), JSON_UTF8, 1},
    {"U+DBFF, encoded", TEXT("\"\xed\xaf\xbf\""), JSON_UTF8, 1},
    {"U+DC00, encoded", TEXT("\"\xed\xb0\x80\""), JSON_UTF8, 1},
    {"U+DFFF, encoded", TEXT("\"\xed\xbf\xbf\""), JSON_UTF8, 1},
    {"encoded surrogate pair", TEXT("\"\xed\xa0\xbd\xed\xb8\x80\""), JSON_UTF8,
     1},
    {"U+110000", TEXT("\"\xf4\x90\x80\x80\""), JSON_UTF8, 1},
    {"F5", TEXT("\"\xf5\x80\x80\x80\""), JSON_UTF8, 1},
    {"F7", TEXT("\"\xf7\xbf\xbf\xbf\""), JSON_UTF8, 1},
    {"F8, five bytes", TEXT("\"\xf8\x88\x80\x80\x80\""), JSON_UTF8, 1},
    {"FC, six bytes", TEXT("\"\xfc\x84\x80\x80\x80\x80\""), JSON_UTF8, 1},
    {"FE", TEXT("\"\xfe\""), JSON_UTF8, 1},
    {"FF", TEXT("\"\xff\""), JSON_UTF8, 1},
    {"Latin-1", TEXT("\"caf\xe9\""), JSON_UTF8, 4},
    {"two bytes cut by the quote", TEXT("\"\xc3\""), JSON_UTF8, 1},
    {"three bytes cut after one", TEXT("\"\xe2\""), JSON_UTF8, 1},
    {"three bytes cut after two", TEXT("\"\xe2\x82\""), JSON_UTF8, 1},
    {"four bytes cut after one", TEXT("\"\xf0\""), JSON_UTF8, 1},
    {"four bytes cut after two", TEXT("\"\xf0\x9f\""), JSON_UTF8, 1},
    {"four bytes cut after three", TEXT("\"\xf0\x9f\x98\""), JSON_UTF8, 1},
    {"second byte too small", TEXT("\"\xe2\x7f\x80\""), JSON_UTF8, 1},
    {"second byte too large", TEXT("\"\xe2\xc0\x80\""), JSON_UTF8, 1},
    {"third byte too small", TEXT("\"\xe2\x82\x7f\""), JSON_UTF8, 1},
    {"third byte too large", TEXT("\"\xe2\x82\xc0\""), JSON_UTF8, 1},
    {"fourth byte too small", TEXT("\"\xf0\x9f\x98\x7f\""), JSON_UTF8, 1},
    {"fourth byte too large", TEXT("\"\xf0\x9f\x98\xc0\""), JSON_UTF8, 1},
    {"text ends after one byte of two", TEXT("\"\xc3"), JSON_UTF8, 1},
    {"text ends after two bytes of three", TEXT("\"\xe2\x82"), JSON_UTF8, 1},
    {"text ends after three bytes of four", TEXT("\"\xf0\x9f\x98"), JSON_UTF8,
     1},
    {"bad UTF-8 in a name", TEXT("{\"\xff\":1}"), JSON_UTF8, 2},
    {"CESU in a name", TEXT("{\"\xed\xa0\x80\":1}"), JSON_UTF8, 2},
    {"bad byte after good ones", TEXT("\"\xd0\xb8\xd0\xbc\xff\""), JSON_UTF8,
     5},
    {"bare name", TEXT("{a:1}"), JSON_NAME, 1},
    {"name in single quotes", TEXT("{'a':1}"), JSON_NAME, 1},
    {"number for a name", TEXT("{1:1}"), JSON_NAME, 1},
    {"null for a name", TEXT("{null:1}"), JSON_NAME, 1},
    {"array for a name", TEXT("{[]:1}"), JSON_NAME, 1},
    {"object for a name", TEXT("{{}:1}"), JSON_NAME, 1},
    {"comma before the first member", TEXT("{,\"a\":1}"), JSON_NAME, 1},
    {"comma after the last member", TEXT("{\"a\":1,}"), JSON_NAME, 7},
    {"comma after the last member, and space", TEXT("{\"a\":1, }"), JSON_NAME,
     8},
    {"two commas in an object", TEXT("{\"a\":1,,\"b\":2}"), JSON_NAME, 7},
    {"colon without a name", TEXT("{:1}"), JSON_NAME, 1},
    {"object closed by a bracket", TEXT("{]"), JSON_NAME, 1},
    {"comment in an object", TEXT("{/**/\"a\":1}"), JSON_NAME, 1},
    {"NUL for a name", TEXT("{\0}"), JSON_NAME, 1},
    {"no colon", TEXT("{\"a\" 1}"), JSON_COLON, 5},
    {"no colon and no value", TEXT("{\"a\"}"), JSON_COLON, 4},
    {"comma for a colon", TEXT("{\"a\",1}"), JSON_COLON, 4},
    {"equals sign", TEXT("{\"a\"=1}"), JSON_COLON, 4},
    {"two names", TEXT("{\"a\" \"b\"}"), JSON_COLON, 5},
    {"comment before the colon", TEXT("{\"a\"/**/:1}"), JSON_COLON, 4},
    {"no comma", TEXT("[1 2]"), JSON_SEPARATOR, 3},
    {"no comma between strings", TEXT("[\"a\"\"b\"]"), JSON_SEPARATOR, 4},
    {"no comma between arrays", TEXT("[[][]]"), JSON_SEPARATOR, 3},
    {"semicolon", TEXT("[1;2]"), JSON_SEPARATOR, 2},
    {"colon in an array", TEXT("[\"a\":1]"), JSON_SEPARATOR, 4},
    {"array closed by another brace", TEXT("[1}"), JSON_SEPARATOR, 2},
    {"object closed by another bracket", TEXT("{\"a\":1]"), JSON_SEPARATOR, 6},
    {"no comma between members", TEXT("{\"a\":1 \"b\":2}"), JSON_SEPARATOR, 7},
    {"semicolon in an object", TEXT("{\"a\":1;\"b\":2}"), JSON_SEPARATOR, 6},
    {"array closed by a parenthesis", TEXT("[1)"), JSON_SEPARATOR, 2},
    {"comment after an item", TEXT("[1/**/]"), JSON_SEPARATOR, 2},
    {"NUL after an item", TEXT("[1\0]"), JSON_SEPARATOR, 2},
    {"string with a suffix", TEXT("[\"a\"b]"), JSON_SEPARATOR, 4},
    {"crossed brackets", TEXT("[{\"a\":1]}"), JSON_SEPARATOR, 7},
    {"two values", TEXT("1 2"), JSON_TRAILING, 2},
    {"two objects", TEXT("{}{}"), JSON_TRAILING, 2},
    {"two objects on two lines", TEXT("{}\n{}"), JSON_TRAILING, 3},
    {"comma after the value", TEXT("{},"), JSON_TRAILING, 2},
    {"bracket after an array", TEXT("[]]"), JSON_TRAILING, 2},
    {"brace after an object", TEXT("{}}"), JSON_TRAILING, 2},
    {"word after a string", TEXT("\"a\"x"), JSON_TRAILING, 3},
    {"comment after the value", TEXT("{}/**/"), JSON_TRAILING, 2},
    {"line comment after the value", TEXT("{} //"), JSON_TRAILING, 3},
    {"NUL after the value", TEXT("{}\0"), JSON_TRAILING, 2},
    {"NUL after space", TEXT("{} \0"), JSON_TRAILING, 3},
    {"semicolon after the value", TEXT("{};"), JSON_TRAILING, 2},
    {"letter after literal and space", TEXT("null x"), JSON_TRAILING, 5},
    {"bad byte after the value", TEXT("{}\xff"), JSON_TRAILING, 2},
    {"open array", TEXT("["), JSON_END, 1},
    {"open array and space", TEXT("[\x20"), JSON_END, 2},
    {"open object", TEXT("{"), JSON_END, 1},
    {"open object and space", TEXT("{\x20"), JSON_END, 2},
    {"after an item", TEXT("[1"), JSON_END, 2},
    {"after an item and space", TEXT("[1\x20"), JSON_END, 3},
    {"after a comma", TEXT("[1,"), JSON_END, 3},
    {"after a name", TEXT("{\"a\""), JSON_END, 4},
    {"after a colon", TEXT("{\"a\":"), JSON_END, 5},
    {"after a member", TEXT("{\"a\":1"), JSON_END, 6},
    {"after a comma in an object", TEXT("{\"a\":1,"), JSON_END, 7},
    {"inside a name", TEXT("{\"a"), JSON_END, 3},
    {"inner array closed only", TEXT("[[]"), JSON_END, 3},
    {"inner object closed only", TEXT("{\"a\":{}"), JSON_END, 7},
    {"opening quote alone", TEXT("\""), JSON_END, 1},
    {"inside a string", TEXT("\"ab"), JSON_END, 3},
    {"after a backslash", TEXT("\"\\"), JSON_END, 2},
    {"after an escaped quote", TEXT("\"\\\""), JSON_END, 3},
    {"after u", TEXT("\"\\u"), JSON_END, 3},
    {"after one hex digit", TEXT("\"\\u0"), JSON_END, 4},
    {"after three hex digits", TEXT("\"\\u000"), JSON_END, 6},
    {"after a unit", TEXT("\"\\u0000"), JSON_END, 7},
    {"after a high surrogate", TEXT("\"\\ud800"), JSON_END, 7},
    {"after a high surrogate and backslash", TEXT("\"\\ud800\\"), JSON_END, 8},
    {"after n", TEXT("n"), JSON_END, 1},
    {"after nul", TEXT("nul"), JSON_END, 3},
    {"after tru", TEXT("tru"), JSON_END, 3},
    {"after fals", TEXT("fals"), JSON_END, 4},
    {"after t in an array", TEXT("[t"), JSON_END, 2},
    {"after minus", TEXT("-"), JSON_END, 1},
    {"after the point", TEXT("1."), JSON_END, 2},
    {"after minus, zero and point", TEXT("-0."), JSON_END, 3},
    {"after e", TEXT("1e"), JSON_END, 2},
    {"after e and plus", TEXT("1e+"), JSON_END, 3},
    {"after e and minus", TEXT("1E-"), JSON_END, 3},
};

TEST_CASES(reject, struct reject_case, reject_rows)
{
    struct json_fault checked = untouched, decode_fault = untouched;
    struct json_object *value = no_value;

    CU_ASSERT_FALSE(check_copy(c->text, &checked));
    CU_ASSERT_EQUAL(checked.error, c->error);
    CU_ASSERT_EQUAL(checked.offset, c->offset);
    CU_ASSERT_FALSE(decode_copy(c->text, &value, &decode_fault));
    CU_ASSERT_EQUAL(decode_fault.error, c->error);
    CU_ASSERT_EQUAL(decode_fault.offset, c->offset);
    CU_ASSERT_PTR_EQUAL(value, no_value);
}

TEST_SINGLE(no_text, "an empty text without an address")
{
    struct json_fault fault = untouched;

    CU_ASSERT_FALSE(json_check((struct bytes){NULL, 0}, &fault));
    CU_ASSERT_EQUAL(fault.error, JSON_EMPTY);
    CU_ASSERT_FALSE(json_is_string_array((struct bytes){NULL, 0}));
}

struct depth_case {
    const char *name;
    int opened;
    const char *opening, *inside, *closing;
    enum json_error error;
    size_t offset;
};

static const struct depth_case depth_rows[] = {
    {"31 arrays", 31, "[", "", "]", JSON_OK, 0},
    {"32 arrays", 32, "[", "", "]", JSON_OK, 0},
    {"33 arrays", 33, "[", "", "]", JSON_DEPTH, 32},
    {"34 arrays", 34, "[", "", "]", JSON_DEPTH, 32},
    {"10000 arrays", 10000, "[", "", "]", JSON_DEPTH, 32},
    {"33 open arrays, never closed", 33, "[", "", "", JSON_DEPTH, 32},
    {"32 open arrays, never closed", 32, "[", "", "", JSON_END, 32},
    {"32 arrays round a number", 32, "[", "1", "]", JSON_OK, 0},
    {"32 arrays round a null", 32, "[", "null", "]", JSON_OK, 0},
    {"32 arrays round a string", 32, "[", "\"a\"", "]", JSON_OK, 0},
    {"32 arrays round several", 32, "[", "1,\"a\",true", "]", JSON_OK, 0},
    {"32 arrays round an object", 32, "[", "{}", "]", JSON_DEPTH, 32},
    {"32 arrays round brackets in a string", 32, "[", "\"[[{{\"", "]", JSON_OK,
     0},
    {"31 arrays round siblings", 31, "[", "[],{},[1]", "]", JSON_OK, 0},
    {"31 arrays round nested siblings", 31, "[", "[],[[]]", "]", JSON_DEPTH,
     35},
    {"31 objects", 31, "{\"a\":", "1", "}", JSON_OK, 0},
    {"32 objects", 32, "{\"a\":", "1", "}", JSON_OK, 0},
    {"32 objects round an empty one", 32, "{\"a\":", "{}", "}", JSON_DEPTH,
     32 * 5},
    {"33 objects", 33, "{\"a\":", "1", "}", JSON_DEPTH, 32 * 5},
    {"32 of both kinds", 16, "[{\"a\":", "0", "}]", JSON_OK, 0},
    {"33 of both kinds", 16, "[{\"a\":", "[]", "}]", JSON_DEPTH, 16 * 6},
    {"32 arrays with space", 32, " [ ", "1", " ] ", JSON_OK, 0},
    {"33 arrays with space", 33, " [ ", "1", " ] ", JSON_DEPTH, 32 * 3 + 1},
};

TEST_CASES(depth, struct depth_case, depth_rows)
{
    struct buf text = {0};
    struct json_fault fault = {JSON_OK, 0};
    struct json_object *value = NULL;

    for (int i = 0; i < c->opened; i++)
        buf_add_text(&text, c->opening);
    buf_add_text(&text, c->inside);
    for (int i = 0; i < c->opened; i++)
        buf_add_text(&text, c->closing);
    CU_ASSERT_EQUAL(check_copy(buf_bytes(&text), &fault), c->error == JSON_OK);
    CU_ASSERT_EQUAL(fault.error, c->error);
    CU_ASSERT_EQUAL(fault.offset, c->offset);
    fault = (struct json_fault){JSON_OK, 0};
    CU_ASSERT_EQUAL(decode_copy(buf_bytes(&text), &value, &fault),
                    c->error == JSON_OK);
    CU_ASSERT_EQUAL(fault.error, c->error);
    CU_ASSERT_EQUAL(fault.offset, c->offset);
    json_object_put(value);
    buf_free(&text);
}

struct integer_case {
    const char *name;
    struct bytes
        text; /* the number, or a container that json_first() takes it from */
    enum json_type type;
    int64_t want; /* of an integer */
};

static const struct integer_case integer_rows[] = {
    {"0", TEXT("0"), json_type_int, 0},
    {"-0", TEXT("-0"), json_type_int, 0},
    {"-1", TEXT("-1"), json_type_int, -1},
    {"18 digits", TEXT("999999999999999999"), json_type_int,
     INT64_C(999999999999999999)},
    {"smallest of 19 digits", TEXT("1000000000000000000"), json_type_int,
     INT64_C(1000000000000000000)},
    {"one less than the largest", TEXT("9223372036854775806"), json_type_int,
     INT64_MAX - 1},
    {"the largest", TEXT("9223372036854775807"), json_type_int, INT64_MAX},
    {"one more than the largest", TEXT("9223372036854775808"), json_type_double,
     0},
    {"larger in the first digits", TEXT("9300000000000000000"),
     json_type_double, 0},
    {"largest of 19 digits", TEXT("9999999999999999999"), json_type_double, 0},
    {"smallest of 20 digits", TEXT("10000000000000000000"), json_type_double,
     0},
    {"largest uint64", TEXT("18446744073709551615"), json_type_double, 0},
    {"one more than uint64", TEXT("18446744073709551616"), json_type_double, 0},
    {"2 to the 64th and 1", TEXT("18446744073709551617"), json_type_double, 0},
    {"40 digits", TEXT("1000000000000000000000000000000000000001"),
     json_type_double, 0},
    {"one more than the smallest", TEXT("-9223372036854775807"), json_type_int,
     -INT64_MAX},
    {"the smallest", TEXT("-9223372036854775808"), json_type_int, INT64_MIN},
    {"one less than the smallest", TEXT("-9223372036854775809"),
     json_type_double, 0},
    {"smallest of 19 digits and sign", TEXT("-9999999999999999999"),
     json_type_double, 0},
    {"20 digits and sign", TEXT("-10000000000000000000"), json_type_double, 0},
    {"minus uint64", TEXT("-18446744073709551615"), json_type_double, 0},
    {"the largest in an array", TEXT("[9223372036854775807]"), json_type_int,
     INT64_MAX},
    {"one more in an array", TEXT("[9223372036854775808,1]"), json_type_double,
     0},
    {"the smallest in an array", TEXT("[-9223372036854775808]"), json_type_int,
     INT64_MIN},
    {"one less in an array", TEXT("[-9223372036854775809]"), json_type_double,
     0},
    {"the largest in an object", TEXT("{\"a\":9223372036854775807}"),
     json_type_int, INT64_MAX},
    {"one more in an object", TEXT("{\"a\":9223372036854775808}"),
     json_type_double, 0},
    {"one more between space", TEXT(" [ 9223372036854775808 ] "),
     json_type_double, 0},
    {"one after one that is too large",
     TEXT("{\"b\":9223372036854775808,\"a\":1}"), json_type_int, 1},
    {"the largest as a fraction", TEXT("9223372036854775807.0"),
     json_type_double, 0},
    {"too large, with a fraction", TEXT("9223372036854775808.5"),
     json_type_double, 0},
    {"too large, with an exponent", TEXT("9223372036854775808e1"),
     json_type_double, 0},
    {"1.0", TEXT("1.0"), json_type_double, 0},
    {"1e0", TEXT("1e0"), json_type_double, 0},
    {"digits in a string", TEXT("\"9223372036854775808\""), json_type_string,
     0},
};

/* The first item, the member "a", or the value itself; lent. */
static struct json_object *
json_first(struct json_object *value)
{
    if (json_object_is_type(value, json_type_array))
        return json_object_array_get_idx(value, 0);
    if (json_object_is_type(value, json_type_object))
        return json_object_object_get(value, "a");
    return value;
}

TEST_CASES(integer, struct integer_case, integer_rows)
{
    struct json_object *value = decoded(c->text);
    struct json_object *first = json_first(value);

    CU_ASSERT_EQUAL(json_object_get_type(first), c->type);
    if (c->type == json_type_int)
        CU_ASSERT_EQUAL(json_object_get_int64(first), c->want);
    json_object_put(value);
}

struct string_case {
    const char *name;
    struct bytes text;
    struct bytes want;
};

/* EF BF BD is U+FFFD. */
static const struct string_case string_rows[] = {
    {"empty", TEXT("\"\""), TEXT("")},
    {"plain", TEXT("\"abc\""), TEXT("abc")},
    {"short escapes", TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
     TEXT("\"\\/\b\f\n\r\t")},
    {"escaped backslash before u", TEXT("\"\\\\u0041\""), TEXT("\\u0041")},
    {"escaped NUL", TEXT("\"\\u0000\""), TEXT("\0")},
    {"escaped NUL in the middle", TEXT("\"a\\u0000b\""), TEXT("a\0b")},
    {"U+007F", TEXT("\"\\u007f\""), TEXT("\x7f")},
    {"U+0080", TEXT("\"\\u0080\""), TEXT("\xc2\x80")},
    {"U+07FF", TEXT("\"\\u07FF\""), TEXT("\xdf\xbf")},
    {"U+0800", TEXT("\"\\u0800\""), TEXT("\xe0\xa0\x80")},
    {"U+D7FF", TEXT("\"\\ud7ff\""), TEXT("\xed\x9f\xbf")},
    {"U+E000", TEXT("\"\\ue000\""), TEXT("\xee\x80\x80")},
    {"U+FFFF", TEXT("\"\\uffff\""), TEXT("\xef\xbf\xbf")},
    {"Cyrillic, escaped", TEXT("\"\\u041e\\u0442\""), TEXT("\xd0\x9e\xd1\x82")},
    {"Cyrillic, raw", TEXT("\"\xd0\x9e\xd1\x82\""), TEXT("\xd0\x9e\xd1\x82")},
    {"U+10000", TEXT("\"\\ud800\\udc00\""), TEXT("\xf0\x90\x80\x80")},
    {"U+1F600", TEXT("\"\\uD83D\\uDE00\""), TEXT("\xf0\x9f\x98\x80")},
    {"U+1D7FF", TEXT("\"\\ud835\\udfff\""), TEXT("\xf0\x9d\x9f\xbf")},
    {"U+1D800, like a high surrogate", TEXT("\"\\ud836\\udc00\""),
     TEXT("\xf0\x9d\xa0\x80")},
    {"U+1DC00, like a low surrogate", TEXT("\"\\ud837\\udc00\""),
     TEXT("\xf0\x9d\xb0\x80")},
    {"U+1DFFF, like a low surrogate", TEXT("\"\\ud837\\udfff\""),
     TEXT("\xf0\x9d\xbf\xbf")},
    {"U+1E000", TEXT("\"\\ud838\\udc00\""), TEXT("\xf0\x9e\x80\x80")},
    {"U+2D800, Chinese", TEXT("\"\\ud876\\udc00\""), TEXT("\xf0\xad\xa0\x80")},
    {"U+10FFFF", TEXT("\"\\udbff\\udfff\""), TEXT("\xf4\x8f\xbf\xbf")},
    {"pairs in a row", TEXT("\"\\ud83d\\ude00\\ud836\\udc00\""),
     TEXT("\xf0\x9f\x98\x80\xf0\x9d\xa0\x80")},
    {"pairs between text", TEXT("\"a\\ud836\\udc00b\\ud836\\udc00c\""),
     TEXT("a\xf0\x9d\xa0\x80"
          "b\xf0\x9d\xa0\x80"
          "c")},
    {"pair after a backslash", TEXT("\"\\\\\\ud836\\udc00\""),
     TEXT("\\\xf0\x9d\xa0\x80")},
    {"escaped backslash before a pair's text",
     TEXT("\"\\ud836\\udc00\\\\ud836\\\\udc00\""),
     TEXT("\xf0\x9d\xa0\x80\\ud836\\udc00")},
    {"escaped backslash before a lone low one",
     TEXT("\"\\ud836\\udc00\\\\ud836\\udc00\""),
     TEXT("\xf0\x9d\xa0\x80\\ud836\xef\xbf\xbd")},
    {"pair before an escape", TEXT("\"\\ud836\\udc00\\n\""),
     TEXT("\xf0\x9d\xa0\x80\n")},
    {"lone high surrogate", TEXT("\"\\uD800\""), TEXT("\xef\xbf\xbd")},
    {"lone low surrogate", TEXT("\"\\uDC00\""), TEXT("\xef\xbf\xbd")},
    {"lone high surrogate before a unit", TEXT("\"\\uD800\\u0041\""),
     TEXT("\xef\xbf\xbd"
          "A")},
    {"lone high surrogate before an escape", TEXT("\"\\uD800\\n\""),
     TEXT("\xef\xbf\xbd\n")},
    {"lone high surrogate before text", TEXT("\"\\uDBFFabcdef\\u0041\""),
     TEXT("\xef\xbf\xbd"
          "abcdefA")},
    {"two high surrogates", TEXT("\"\\uD800\\uD800\""),
     TEXT("\xef\xbf\xbd\xef\xbf\xbd")},
    {"two low surrogates", TEXT("\"\\uDC00\\uDC00\""),
     TEXT("\xef\xbf\xbd\xef\xbf\xbd")},
    {"low before high", TEXT("\"\\uDC00\\uD800\""),
     TEXT("\xef\xbf\xbd\xef\xbf\xbd")},
    {"high before a pair", TEXT("\"\\uD800\\uD836\\uDC00\""),
     TEXT("\xef\xbf\xbd\xf0\x9d\xa0\x80")},
    {"pair before a low one", TEXT("\"\\uD836\\uDC00\\uDC00\""),
     TEXT("\xf0\x9d\xa0\x80\xef\xbf\xbd")},
    {"the last of repeated members", TEXT("{\"a\":1,\"a\":\"b\"}"), TEXT("b")},
    {"the last of three members", TEXT("{\"a\":1,\"a\":{},\"a\":\"c\"}"),
     TEXT("c")},
    {"repeated members, one escaped", TEXT("{\"a\":\"b\",\"\\u0061\":\"c\"}"),
     TEXT("c")},
    {"a pair in an earlier member", TEXT("{\"\\ud836\\udc00\":1,\"a\":\"b\"}"),
     TEXT("b")},
};

TEST_CASES(string, struct string_case, string_rows)
{
    struct json_object *value = decoded(c->text);
    struct json_object *first = json_first(value);

    CU_ASSERT_TRUE(json_object_is_type(first, json_type_string));
    if (json_object_is_type(first, json_type_string)) {
        struct bytes got = {json_object_get_string(first),
                            (size_t)json_object_get_string_len(first)};

        CU_ASSERT_TRUE(bytes_equal(got, c->want));
    }
    json_object_put(value);
}

struct name_case {
    const char *name;
    struct bytes text;
    const char *member;
    int want; /* its value; 0: there is no such member */
};

static const struct name_case name_rows[] = {
    {"plain", TEXT("{\"a\":1}"), "a", 1},
    {"escaped", TEXT("{\"\\u0061\":1}"), "a", 1},
    {"empty", TEXT("{\"\":1}"), "", 1},
    {"NUL behind", TEXT("{\"a\\u0000\":1}"), "a", 0},
    {"NUL and more behind", TEXT("{\"a\\u0000b\":1}"), "a", 0},
    {"NUL alone is not empty", TEXT("{\"\\u0000\":1}"), "", 0},
    {"NUL in front", TEXT("{\"\\u0000a\":1}"), "", 0},
    {"NUL in front of a", TEXT("{\"\\u0000a\":1}"), "a", 0},
    {"NUL does not replace", TEXT("{\"a\":1,\"a\\u0000\":2}"), "a", 1},
    {"NUL is not replaced", TEXT("{\"a\\u0000\":2,\"a\":1}"), "a", 1},
    {"NUL is read as U+FFFF", TEXT("{\"a\\u0000\":1}"), "a\xef\xbf\xbf", 1},
    {"two NULs", TEXT("{\"\\u0000\\u0000\":1}"), "\xef\xbf\xbf\xef\xbf\xbf", 1},
    {"escaped backslash, no NUL", TEXT("{\"\\\\u0000\":1}"), "\\u0000", 1},
    {"NUL in an earlier value", TEXT("{\"b\":\"\\u0000\",\"a\":1}"), "a", 1},
    {"high surrogate", TEXT("{\"\\ud800\":1}"), "\xef\xbf\xbd", 1},
    {"pair", TEXT("{\"\\ud836\\udc00\":1}"), "\xf0\x9d\xa0\x80", 1},
    {"another case", TEXT("{\"A\":1}"), "a", 0},
};

TEST_CASES(name, struct name_case, name_rows)
{
    struct json_object *value = decoded(c->text);
    struct json_object *member = NULL;
    bool is_there = json_object_object_get_ex(value, c->member, &member);

    CU_ASSERT_EQUAL(is_there, c->want != 0);
    if (is_there)
        CU_ASSERT_EQUAL(json_object_get_int(member), c->want);
    json_object_put(value);
}

struct array_case {
    const char *name;
    struct bytes text;
    bool want;
};

static const struct array_case array_rows[] = {
    {"none", TEXT("[]"), true},
    {"none, with space", TEXT(" [ ] \n"), true},
    {"one", TEXT("[\"a\"]"), true},
    {"two", TEXT("[\"a\",\"b\"]"), true},
    {"two, with space", TEXT("\t[ \"a\" ,\r\n\"b\" ] "), true},
    {"empty strings", TEXT("[\"\",\"\"]"), true},
    {"repeated", TEXT("[\"a\",\"a\"]"), true},
    {"escapes", TEXT("[\"\\u0000\\n\",\"\\ud800\"]"), true},
    {"UTF-8", TEXT("[\"\xd0\xb8\"]"), true},
    {"brackets in a string", TEXT("[\"]\"]"), true},
    {"nothing", TEXT(""), false},
    {"space", TEXT(" "), false},
    {"a string", TEXT("\"a\""), false},
    {"an object", TEXT("{}"), false},
    {"an object of strings", TEXT("{\"a\":\"b\"}"), false},
    {"null", TEXT("null"), false},
    {"a number", TEXT("1"), false},
    {"a number within", TEXT("[1]"), false},
    {"a number at the end", TEXT("[\"a\",1]"), false},
    {"a null within", TEXT("[\"a\",null]"), false},
    {"a boolean within", TEXT("[true]"), false},
    {"an array within", TEXT("[[]]"), false},
    {"an array of strings within", TEXT("[\"a\",[\"b\"]]"), false},
    {"an object within", TEXT("[{}]"), false},
    {"comma behind", TEXT("[\"a\",]"), false},
    {"comma in front", TEXT("[,\"a\"]"), false},
    {"comma alone", TEXT("[,]"), false},
    {"no comma", TEXT("[\"a\" \"b\"]"), false},
    {"not closed", TEXT("[\"a\""), false},
    {"open bracket", TEXT("["), false},
    {"string not closed", TEXT("[\"a"), false},
    {"closed by a brace", TEXT("[\"a\"}"), false},
    {"text behind", TEXT("[\"a\"]x"), false},
    {"another array behind", TEXT("[][]"), false},
    {"NUL behind", TEXT("[\"a\"]\0"), false},
    {"NUL within", TEXT("[\"\0\"]"), false},
    {"raw control", TEXT("[\"a\n\"]"), false},
    {"bad escape", TEXT("[\"\\x\"]"), false},
    {"bad UTF-8", TEXT("[\"\xff\"]"), false},
    {"encoded surrogate", TEXT("[\"\xed\xa0\x80\"]"), false},
    {"single quotes", TEXT("['a']"), false},
    {"byte order mark", TEXT("\xef\xbb\xbf[]"), false},
    {"Python's repr", TEXT("['books', 'hi-tech']"), false},
};

TEST_CASES(array, struct array_case, array_rows)
{
    char *copy = copy_exactly(c->text);

    CU_ASSERT_EQUAL(json_is_string_array((struct bytes){copy, c->text.length}),
                    c->want);
    free(copy);
}

/* How many strings of one byte, after this text, are accepted. */
static int
count_good_bytes(const char *format_head, const char *format_tail)
{
    int good = 0;

    for (int byte = 0; byte <= UINT8_MAX; byte++) {
        struct buf text = {0};
        struct json_fault fault;
        char raw = (char)byte;

        buf_add_text(&text, format_head);
        buf_add(&text, &raw, 1);
        buf_add_text(&text, format_tail);
        good += json_check(buf_bytes(&text), &fault);
        buf_free(&text);
    }
    return good;
}

struct every_byte_case {
    const char *name, *head, *tail;
    int want;
};

static const struct every_byte_case every_byte_rows[] = {
    {"as the text: a digit", "", "", 10},
    {"in a string: 20 to 7F less quote and backslash", "\"", "\"", 94},
    {"after a backslash: the short escapes", "\"\\", "\"", 8},
    {"as a hex digit", "\"\\u000", "\"", 22},
    {"in front of a value: space, minus, digits 1 to 9", "", "1", 14},
    {"behind a value: space, digits", "1", "", 14},
    {"in an array: space, a digit", "[", "]", 14},
    {"between items: a comma, a digit, point, e and E", "[1", "1]", 14},
    {"between two characters of two bytes", "\"\xd0\xb8", "\xd0\xb8\"", 94},
};

TEST_CASES(every_byte, struct every_byte_case, every_byte_rows)
{
    CU_ASSERT_EQUAL(count_good_bytes(c->head, c->tail), c->want);
}

/* All UTF-8 sequences with this number of continuation bytes. */
struct every_utf8_case {
    const char *name;
    int first_min, first_max;
    int length;
    int want;
};

/* How many characters have this length, without the 2048 surrogates. */
static const struct every_utf8_case every_utf8_rows[] = {
    {"two bytes", 0x80, 0xff, 2, 0x800 - 0x80},
    {"three bytes", 0xe0, 0xef, 3, 0x10000 - 0x800 - 2048},
    {"four bytes, ending in 80", 0xf0, 0xff, 4, (0x110000 - 0x10000) / 64},
};

TEST_CASES(every_utf8, struct every_utf8_case, every_utf8_rows)
{
    int free_bytes = c->length < 4 ? c->length - 1 : 2;
    int good = 0;

    for (int first = c->first_min; first <= c->first_max; first++) {
        for (int rest = 0; rest < 1 << 8 * free_bytes; rest++) {
            char text[] = {
                '"',        (char)first, (char)(rest & 0xff), (char)(rest >> 8),
                (char)0x80, '"'};
            struct json_fault fault;

            text[c->length + 1] = '"';
            good +=
                json_check((struct bytes){text, (size_t)c->length + 2}, &fault);
        }
    }
    CU_ASSERT_EQUAL(good, c->want);
}

TEST_SINGLE(long_text, "a string and a number of 1 MiB")
{
    struct buf text = {0};
    struct json_object *value;

    buf_add_text(&text, "[\"");
    for (int i = 0; i < 1 << 16; i++)
        buf_add_text(&text, "0123456789abcdef");
    buf_add_text(&text, "\",-");
    for (int i = 0; i < 1 << 16; i++)
        buf_add_text(&text, "9876543210987654");
    buf_add_text(&text, "]");
    value = decoded(buf_bytes(&text));
    CU_ASSERT_EQUAL(json_object_get_string_len(json_first(value)), 1 << 20);
    CU_ASSERT_TRUE(json_object_is_type(json_object_array_get_idx(value, 1),
                                       json_type_double));
    json_object_put(value);
    buf_free(&text);
}

/* A limit of values. */

struct many_case {
    const char *name;
    struct bytes text;
    size_t values; /* values in the text, up to the fault if there is one */
    enum json_error error; /* with that limit */
};

static const struct many_case many_rows[] = {
    {"a scalar", TEXT("1"), 1, JSON_OK},
    {"null", TEXT("null"), 1, JSON_OK},
    {"a string", TEXT("\"[1,2]\""), 1, JSON_OK},
    {"an empty object", TEXT(" {} "), 1, JSON_OK},
    {"names are none", TEXT("{\"a\": 1, \"b\": 2}"), 3, JSON_OK},
    {"repeated members", TEXT("{\"a\": 1, \"a\": 1}"), 3, JSON_OK},
    {"items", TEXT("[true, false, null, \"\", 0]"), 6, JSON_OK},
    {"containers in one another", TEXT("[[[]], {\"a\": {}}]"), 5, JSON_OK},
    {"a fault at the last one", TEXT("[1, 2, x, 4"), 4, JSON_VALUE},
    {"a fault behind the last one", TEXT("[1, 2} "), 3, JSON_SEPARATOR},
};

static bool
find_none(struct bytes text, size_t values_max, struct json_fault *fault)
{
    char *copy = copy_exactly(text);
    bool is_good = json_find(copy, text.length, values_max, NULL, 0, fault);

    free(copy);
    return is_good;
}

/* With a limit of one less, JSON_MANY is reported, whatever follows. */
TEST_CASES(many, struct many_case, many_rows)
{
    struct json_fault fault = {JSON_OK, 0};

    CU_ASSERT_EQUAL(find_none(c->text, c->values, &fault), c->error == JSON_OK);
    CU_ASSERT_EQUAL(fault.error, c->error);
    CU_ASSERT_FALSE(find_none(c->text, c->values - 1, &fault));
    CU_ASSERT_EQUAL(fault.error, JSON_MANY);
}

TEST_SINGLE(many_offset, "the value that is too many is the byte at fault")
{
    struct json_fault fault = untouched;

    CU_ASSERT_FALSE(find_none((struct bytes){"[1, 22, 333]", 12}, 3, &fault));
    CU_ASSERT_EQUAL(fault.offset, 8);
}

/* Members that are found. */

struct find_case {
    const char *name;
    struct bytes text;
    const char *a, *b; /* the texts of these two values; NULL: absent */
};

static const struct find_case find_rows[] = {
    {"both", TEXT("{\"a\": 1, \"b\": [2, {}]}"), "1", "[2, {}]"},
    {"none", TEXT("{}"), NULL, NULL},
    {"one, and others", TEXT("{\"c\": 1, \"b\" : \"x\" , \"d\": 2}"), NULL,
     "\"x\""},
    {"the last of them", TEXT("{\"a\": 1, \"b\": 2, \"a\": null}"), "null",
     "2"},
    {"space around", TEXT("\n{\t\"a\"\r:\n\"\" \t}"), "\"\"", NULL},
    {"names as values", TEXT("{\"c\": \"a\", \"d\": [\"b\"]}"), NULL, NULL},
    {"within an object", TEXT("{\"c\": {\"a\": 1}, \"b\": {\"b\": 2}}"), NULL,
     "{\"b\": 2}"},
    {"within an array", TEXT("[{\"a\": 1}]"), NULL, NULL},
    {"no container", TEXT("\"a\""), NULL, NULL},
    {"an escaped name", TEXT("{\"\\u0061\": 1, \"\\u0062\": 2}"), "1", "2"},
    {"an escaped name before one that is not",
     TEXT("{\"\\u0061\": 1, \"a\": 2}"), "2", NULL},
    {"longer names", TEXT("{\"aa\": 1, \"ab\": 2, \"\": 3}"), NULL, NULL},
    {"a name with a NUL", TEXT("{\"a\\u0000\": 1}"), NULL, NULL},
    {"a name in another case", TEXT("{\"A\": 1}"), NULL, NULL},
};

static bool
is_found(const struct json_member *member, const char *want)
{
    if (want == NULL)
        return member->length == 0;
    return bytes_equal((struct bytes){member->value, member->length},
                       bytes_of(want));
}

TEST_CASES(find, struct find_case, find_rows)
{
    struct json_member members[] = {{.name = bytes_of("a")},
                                    {.name = bytes_of("b")}};
    struct json_fault fault = untouched;
    char *copy = copy_exactly(c->text);

    CU_ASSERT_TRUE(
        json_find(copy, c->text.length, SIZE_MAX, members, 2, &fault));
    CU_ASSERT_EQUAL(fault.error, untouched.error);
    CU_ASSERT_TRUE(is_found(&members[0], c->a));
    CU_ASSERT_TRUE(is_found(&members[1], c->b));
    free(copy);
}

/*
 * Strings at the limits of Unicode; what json-c makes of them is tested above.
 */
struct unescape_case {
    const char *name;
    struct bytes text, want;
};

static const struct unescape_case unescape_rows[] = {
    {"nothing", TEXT(""), TEXT("")},
    {"no escape", TEXT("abc"), TEXT("abc")},
    {"all letters", TEXT("\\\"\\\\\\/\\b\\f\\n\\r\\t"),
     TEXT("\"\\/\b\f\n\r\t")},
    {"first, amid and last", TEXT("\\na\\nbc\\n"), TEXT("\na\nbc\n")},
    {"a backslash before a letter", TEXT("\\\\n\\\\u0041"), TEXT("\\n\\u0041")},
    {"NUL", TEXT("a\\u0000b"), TEXT("a\0b")},
    {"U+007F", TEXT("\\u007f"), TEXT("\x7f")},
    {"U+0080", TEXT("\\u0080"), TEXT("\xc2\x80")},
    {"U+07FF", TEXT("\\u07fF"), TEXT("\xdf\xbf")},
    {"U+0800", TEXT("\\u0800"), TEXT("\xe0\xa0\x80")},
    {"U+D7FF", TEXT("\\ud7ff"), TEXT("\xed\x9f\xbf")},
    {"U+E000", TEXT("\\ue000"), TEXT("\xee\x80\x80")},
    {"U+FFFF", TEXT("\\uffff"), TEXT("\xef\xbf\xbf")},
    {"U+10000", TEXT("\\ud800\\udc00"), TEXT("\xf0\x90\x80\x80")},
    {"U+1D800", TEXT("\\ud836\\udc00"), TEXT("\xf0\x9d\xa0\x80")},
    {"U+10FFFF", TEXT("\\udbff\\udfff"), TEXT("\xf4\x8f\xbf\xbf")},
    {"a lone high surrogate", TEXT("\\ud800x"), TEXT("\xef\xbf\xbdx")},
    {"a lone low surrogate", TEXT("\\udfff"), TEXT("\xef\xbf\xbd")},
    {"two high ones and a low one", TEXT("\\ud800\\ud800\\udc00"),
     TEXT("\xef\xbf\xbd\xf0\x90\x80\x80")},
    {"a high one before a letter", TEXT("\\udbff\\n"), TEXT("\xef\xbf\xbd\n")},
    {"plain bytes of UTF-8", TEXT("\xc3\xa9\\u00e9"), TEXT("\xc3\xa9\xc3\xa9")},
};

TEST_CASES(unescape, struct unescape_case, unescape_rows)
{
    char *copy = copy_exactly(c->text);
    size_t length = json_unescape(copy, c->text.length);

    CU_ASSERT_TRUE(bytes_equal((struct bytes){copy, length}, c->want));
    free(copy);
}

/* The items as "line:name=value", with names and strings decoded. */
struct walk_case {
    const char *name;
    struct bytes text, want;
};

static const struct walk_case walk_rows[] = {
    {"no container", TEXT("\"a\""), TEXT("")},
    {"an empty object", TEXT("{}"), TEXT("")},
    {"an empty array with blanks", TEXT(" \n[ \n ] "), TEXT("")},
    {"an object", TEXT("{\"a\":1,\"b\":[2,{}]}"), TEXT("1:a=1;1:b=[2,{}];")},
    {"blanks everywhere", TEXT(" { \"a\" : 1 , \"b\" : null } "),
     TEXT("1:a=1;1:b=null;")},
    {"lines", TEXT("\n{\n\"a\":\n1\n,\"b\":[\n2]\n,\n\"c\":3}"),
     TEXT("4:a=1;5:b=[\n2];8:c=3;")},
    {"an array", TEXT("[1, \"x\",\ntrue]"), TEXT("1:=1;1:=x;2:=true;")},
    {"a repeated member", TEXT("{\"a\":1,\"a\":2}"), TEXT("1:a=1;1:a=2;")},
    {"escapes", TEXT("{\"\\u0061\\n\":\"\\n\\u0062\",\"c\":\"]}\"}"),
     TEXT("1:a\n=\nb;1:c=]};")},
    {"a NUL in a name", TEXT("{\"a\\u0000\":0}"), TEXT("1:a\0=0;")},
};

TEST_CASES(walk, struct walk_case, walk_rows)
{
    char *copy = copy_exactly(c->text);
    struct json_walk walk = json_walk(copy, c->text.length, 1);
    struct json_item item;
    struct buf got = {0};

    while (json_walk_next(&walk, &item)) {
        struct bytes value = {item.value, item.length};

        (void)json_item_text(&item, &value);
        buf_printf(&got, "%zu:", item.line);
        buf_add_bytes(&got, item.name);
        buf_add_text(&got, "=");
        buf_add_bytes(&got, value);
        buf_add_text(&got, ";");
    }
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&got), c->want));
    buf_free(&got);
    free(copy);
}

TEST_SINGLE(walk_nested, "lines go on within what is walked over")
{
    char text[] = "{\"a\":\n{\n\"b\": 1},\n\"c\": 2}";
    struct json_walk walk = json_walk(text, sizeof(text) - 1, 1), inner;
    struct json_item item;

    CU_ASSERT_TRUE(json_walk_next(&walk, &item));
    CU_ASSERT_EQUAL(item.line, 2);
    inner = json_walk(item.value, item.length, item.line);
    CU_ASSERT_TRUE(json_walk_next(&inner, &item));
    CU_ASSERT_EQUAL(item.line, 3);
    CU_ASSERT_FALSE(json_walk_next(&inner, &item));
    CU_ASSERT_TRUE(json_walk_next(&walk, &item));
    CU_ASSERT_EQUAL(item.line, 4);
    CU_ASSERT_FALSE(json_walk_next(&walk, &item));
}

struct written_case {
    const char *name;
    struct bytes text, want;
    bool has_control;
};

static const struct written_case written_rows[] = {
    {"nothing", TEXT(""), TEXT("\"\""), false},
    {"letters", TEXT("a/b'"), TEXT("\"a/b'\""), false},
    {"a quote and a backslash", TEXT("\"\\"), TEXT("\"\\\"\\\\\""), false},
    {"NUL", TEXT("a\0b"), TEXT("\"a\\u0000b\""), true},
    {"U+001F", TEXT("\x1f"), TEXT("\"\\u001f\""), true},
    {"a blank", TEXT(" "), TEXT("\" \""), false},
    {"U+007E", TEXT("~"), TEXT("\"~\""), false},
    {"U+007F", TEXT("\x7f"), TEXT("\"\\u007f\""), true},
    {"U+0080", TEXT("\xc2\x80"), TEXT("\"\\u0080\""), true},
    {"U+009F", TEXT("\xc2\x9f"), TEXT("\"\\u009f\""), true},
    {"U+00A0", TEXT("\xc2\xa0"), TEXT("\"\xc2\xa0\""), false},
    {"U+00C2", TEXT("\xc3\x82"), TEXT("\"\xc3\x82\""), false},
    {"Cyrillic", TEXT("\xd1\x80"), TEXT("\"\xd1\x80\""), false},
    {"cut off", TEXT("\xc2"), TEXT("\"\xc2\""), false},
};

TEST_CASES(written, struct written_case, written_rows)
{
    struct buf got = {0};

    json_add_string(&got, c->text);
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&got), c->want));
    CU_ASSERT_EQUAL(json_has_control(c->text), c->has_control);
    buf_free(&got);
}

TEST_SINGLE(line, "a line feed ends its own line")
{
    CU_ASSERT_EQUAL(json_line(bytes_of("a\nb"), 1), 1);
    CU_ASSERT_EQUAL(json_line(bytes_of("a\nb"), 2), 2);
    CU_ASSERT_EQUAL(json_line(bytes_of(""), 0), 1);
}

TEST_SINGLE(texts, "every error has words of its own")
{
    for (int i = 0; i < JSON__MAX; i++) {
        CU_ASSERT_TRUE(strlen(json_error_text((enum json_error)i)) > 0);
        for (int j = 0; j < i; j++)
            CU_ASSERT_STRING_NOT_EQUAL(json_error_text((enum json_error)i),
                                       json_error_text((enum json_error)j));
    }
}

TEST_SUITE(.start = start, .end = stop);
