/*
 * Strict decoding. A scanner checks a whole text against RFC 8259, reports
 * where and why it fails, counts its values and finds members. It runs before
 * json-c, which accepts more than the RFC, differs from version to version, and
 * needs hundreds of bytes for each value. Implements S6 of docs/protocol.md.
 */
#include <json-c/json.h>
#include <limits.h>
#include <locale.h>
#include <stdint.h>

#include "base/json.h"

#define INT64_DIGITS   19 /* of the largest and of the smallest int64 */
#define INT64_LARGEST  "9223372036854775807"
#define INT64_SMALLEST "9223372036854775808" /* without its sign */

#define UNIT_DIGITS 4  /* of an escape like \u20ac */
#define UNIT_LENGTH 6  /* of such an escape */
#define PAIR_LENGTH 12 /* of an escaped surrogate pair */

#define REPLACEMENT 0xfffd /* U+FFFD, which replaces a lone surrogate */

/* The strict mode of this version refuses strings that are not ASCII. */
#define JSON_C_0_18 (18 << 8)

/* What a byte means in a string, where no character is unfinished. */
enum byte_class {
    BYTE_PLAIN = 0,
    BYTE_QUOTE,
    BYTE_BACKSLASH,
    BYTE_CONTROL,
    BYTE_LEAD_2, /* the first byte of a character of that many bytes */
    BYTE_LEAD_3,
    BYTE_LEAD_3_LOW,
    BYTE_LEAD_3_SURROGATE,
    BYTE_LEAD_4,
    BYTE_LEAD_4_LOW,
    BYTE_LEAD_4_HIGH,
    BYTE_NEVER_LEADS,
    BYTE__MAX
};

/* The bytes after the first of a character; those after the second: 80..BF. */
struct utf8_rule {
    unsigned char length; /* of the character; 0: no character begins so */
    unsigned char second_min, second_max;
};

struct scan {
    const unsigned char *start, *at, *end;
    char *edit; /* the same text as start, if it may be altered; else NULL */
    unsigned depth;
    size_t values_left;         /* how many more are allowed */
    struct json_member *wanted; /* in the outermost object; needs edit */
    size_t wanted_count;
    struct json_fault fault;
};

typedef bool scan_fn(struct scan *scan);

static const char *const error_texts[] = {
    [JSON_OK] = "no error",
    [JSON_EMPTY] = "no value in the text",
    [JSON_END] = "unexpected end of the text",
    [JSON_BOM] = "byte order mark",
    [JSON_UTF16] = "this looks like UTF-16, and must be UTF-8",
    [JSON_VALUE] = "a value was expected",
    [JSON_NUMBER] = "malformed number",
    [JSON_LITERAL] = "expected true, false or null",
    [JSON_CONTROL] = "raw control character in a string",
    [JSON_ESCAPE] = "invalid escape in a string",
    [JSON_UTF8] = "invalid UTF-8",
    [JSON_NAME] = "a member name in double quotes was expected",
    [JSON_COLON] = "a colon was expected",
    [JSON_SEPARATOR] = "a comma or a closing bracket was expected",
    [JSON_DEPTH] = "nested too deeply",
    [JSON_TRAILING] = "text after the value",
    [JSON_MANY] = "too many values",
};
_Static_assert(sizeof(error_texts) / sizeof(error_texts[0]) == JSON__MAX,
               "one text per error");

static const unsigned char byte_classes[UCHAR_MAX + 1] = {
    [0x00 ... 0x1f] = BYTE_CONTROL,
    ['"'] = BYTE_QUOTE,
    ['\\'] = BYTE_BACKSLASH,
    [0x80 ... 0xc1] = BYTE_NEVER_LEADS,
    [0xc2 ... 0xdf] = BYTE_LEAD_2,
    [0xe0] = BYTE_LEAD_3_LOW,
    [0xe1 ... 0xec] = BYTE_LEAD_3,
    [0xed] = BYTE_LEAD_3_SURROGATE,
    [0xee ... 0xef] = BYTE_LEAD_3,
    [0xf0] = BYTE_LEAD_4_LOW,
    [0xf1 ... 0xf3] = BYTE_LEAD_4,
    [0xf4] = BYTE_LEAD_4_HIGH,
    [0xf5 ... 0xff] = BYTE_NEVER_LEADS,
};

/* Source: The Unicode Standard, table 3-7, "Well-Formed UTF-8". */
static const struct utf8_rule utf8_rules[BYTE__MAX] = {
    [BYTE_LEAD_2] = {2, 0x80, 0xbf},
    [BYTE_LEAD_3] = {3, 0x80, 0xbf},
    [BYTE_LEAD_3_LOW] = {3, 0xa0, 0xbf},       /* less is overlong */
    [BYTE_LEAD_3_SURROGATE] = {3, 0x80, 0x9f}, /* more is a surrogate */
    [BYTE_LEAD_4] = {4, 0x80, 0xbf},
    [BYTE_LEAD_4_LOW] = {4, 0x90, 0xbf},  /* less is overlong */
    [BYTE_LEAD_4_HIGH] = {4, 0x80, 0x8f}, /* more is beyond U+10FFFF */
    [BYTE_NEVER_LEADS] = {0, 0, 0},
};

/* The value of a hexadecimal digit plus 1; 0 for any other byte. */
static const unsigned char hex_values[UCHAR_MAX + 1] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,
    ['6'] = 7,  ['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
    ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16, ['A'] = 11, ['B'] = 12,
    ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

/* What the letter after a backslash stands for; 'u' marks \u20ac. */
static const char escaped_bytes[UCHAR_MAX + 1] = {
    ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b', ['f'] = '\f',
    ['n'] = '\n', ['r'] = '\r',  ['t'] = '\t', ['u'] = 'u',
};

const char *
json_error_text(enum json_error error)
{
    return error_texts[error];
}

static struct scan
scan_start(struct bytes text)
{
    const unsigned char *start =
        (const unsigned char *)(text.length > 0 ? text.at : "");

    return (struct scan){.start = start,
                         .at = start,
                         .end = start + text.length,
                         .values_left = SIZE_MAX};
}

/* Records an error at the next byte, or JSON_END if there is none. */
static bool
scan_fail(struct scan *scan, enum json_error error)
{
    scan->fault.error = scan->at == scan->end ? JSON_END : error;
    scan->fault.offset = (size_t)(scan->at - scan->start);
    return false;
}

/* The next byte, or -1 at the end. */
static int
scan_peek(const struct scan *scan)
{
    return scan->at < scan->end ? *scan->at : -1;
}

static void
scan_space(struct scan *scan)
{
    const unsigned char *at = scan->at;

    while (at < scan->end &&
           (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    scan->at = at;
}

/* Steps over a punctuation mark and the space before it, if it comes next. */
static bool
scan_take(struct scan *scan, char mark)
{
    scan_space(scan);
    if (scan_peek(scan) != mark)
        return false;
    scan->at++;
    return true;
}

/* Whether a byte directly after a number or a literal would belong to it. */
static bool
is_word(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') || c == '.' || c == '+' || c == '-';
}

static bool
is_high_surrogate(unsigned unit)
{
    return unit >= 0xd800 && unit <= 0xdbff;
}

static bool
is_low_surrogate(unsigned unit)
{
    return unit >= 0xdc00 && unit <= 0xdfff;
}

/* Scans the rest of an escape from behind the 'u'. */
static bool
scan_unit(struct scan *scan, bool is_name)
{
    const unsigned char *digits = scan->at, *at = digits;

    while (at < digits + UNIT_DIGITS && at < scan->end && hex_values[*at] > 0)
        at++;
    scan->at = at;
    if (at < digits + UNIT_DIGITS)
        return scan_fail(scan, JSON_ESCAPE);
    if (is_name && scan->edit != NULL &&
        memcmp(digits, "0000", UNIT_DIGITS) == 0)
        memcpy(scan->edit + (digits - scan->start), "ffff", UNIT_DIGITS);
    return true;
}

/* Scans an escape from behind the backslash. */
static bool
scan_escape(struct scan *scan, bool is_name)
{
    int letter = scan_peek(scan);

    if (letter < 0)
        return scan_fail(scan, JSON_END);
    if (escaped_bytes[letter] == '\0')
        return scan_fail(scan, JSON_ESCAPE);
    scan->at++;
    return letter != 'u' || scan_unit(scan, is_name);
}

static bool
is_continuation(unsigned char byte)
{
    return byte >= 0x80 && byte <= 0xbf;
}

/*
 * The length of a character of several bytes; 0 if it is malformed. It returns
 * constants, so that a CPU that predicts the branches need not wait for the
 * table.
 */
static ptrdiff_t
utf8_length(const unsigned char *at, const unsigned char *end,
            enum byte_class lead)
{
    const struct utf8_rule *rule = &utf8_rules[lead];

    if (rule->length == 0 || end - at < rule->length)
        return 0;
    if (at[1] < rule->second_min || at[1] > rule->second_max)
        return 0;
    if (rule->length == 2)
        return 2;
    if (!is_continuation(at[2]))
        return 0;
    if (rule->length == 3)
        return 3;
    return is_continuation(at[3]) ? 4 : 0;
}

/*
 * Scans to the next quote, fault, or escape with digits, and returns its class.
 * At the end of the text the class is not meaningful.
 */
static enum byte_class
scan_plain(struct scan *scan)
{
    const unsigned char *at = scan->at, *end = scan->end;
    enum byte_class class = BYTE_PLAIN;
    ptrdiff_t length = 1;

    while (length > 0 || (at < end && class == BYTE_PLAIN)) {
        while (at < end && byte_classes[*at] == BYTE_PLAIN)
            at++;
        while (end - at >= 2 && at[0] == '\\' && at[1] != 'u' &&
               escaped_bytes[at[1]] != '\0')
            at += 2; /* an escape without digits */
        class = at < end ? byte_classes[*at] : BYTE_PLAIN;
        length = class >= BYTE_LEAD_2 ? utf8_length(at, end, class) : 0;
        at += length;
    }
    scan->at = at;
    return class;
}

/*
 * Scans from behind the opening quote to behind the closing one. The offset of
 * a fault is that of the first byte of the character.
 */
static bool
scan_string(struct scan *scan, bool is_name)
{
    for (;;) {
        enum byte_class class = scan_plain(scan);

        if (scan->at == scan->end)
            return scan_fail(scan, JSON_END);
        if (class == BYTE_CONTROL)
            return scan_fail(scan, JSON_CONTROL);
        if (class != BYTE_QUOTE && class != BYTE_BACKSLASH)
            return scan_fail(scan, JSON_UTF8);
        scan->at++;
        if (class == BYTE_QUOTE)
            return true;
        if (!scan_escape(scan, is_name))
            return false;
    }
}

/* Scans one digit or more. */
static bool
scan_digits(struct scan *scan)
{
    const unsigned char *at = scan->at;

    while (at < scan->end && *at >= '0' && *at <= '9')
        at++;
    if (at == scan->at)
        return scan_fail(scan, JSON_NUMBER);
    scan->at = at;
    return true;
}

static bool
scan_exponent(struct scan *scan)
{
    scan->at++;
    if (scan_peek(scan) == '+' || scan_peek(scan) == '-')
        scan->at++;
    return scan_digits(scan);
}

static bool
scan_number(struct scan *scan)
{
    const bool is_negative = *scan->at == '-';
    const char *limit = is_negative ? INT64_SMALLEST : INT64_LARGEST;
    bool is_integer = true;
    const unsigned char *digits = scan->at + is_negative;
    ptrdiff_t count;

    scan->at = digits;
    if (scan_peek(scan) == '0')
        scan->at++;
    else if (!scan_digits(scan))
        return false;
    count = scan->at - digits;
    if (scan_peek(scan) == '.') {
        is_integer = false;
        scan->at++;
        if (!scan_digits(scan))
            return false;
    }
    if (scan_peek(scan) == 'e' || scan_peek(scan) == 'E') {
        is_integer = false;
        if (!scan_exponent(scan))
            return false;
    }
    if (is_word(scan_peek(scan)))
        return scan_fail(scan, JSON_NUMBER);
    if (is_integer && scan->edit != NULL &&
        (count > INT64_DIGITS ||
         (count == INT64_DIGITS && memcmp(digits, limit, INT64_DIGITS) > 0)))
        scan->edit[digits + 1 - scan->start] = '.';
    return true;
}

static bool
scan_literal(struct scan *scan, const char *word)
{
    for (; *word != '\0'; word++, scan->at++) {
        if (scan_peek(scan) != *word)
            return scan_fail(scan, JSON_LITERAL);
    }
    return !is_word(scan_peek(scan)) || scan_fail(scan, JSON_LITERAL);
}

/* The UTF-16 unit of an escape like \u20ac; 0 for other escapes. */
static unsigned
escaped_unit(const char *escape)
{
    const unsigned char *digits = (const unsigned char *)escape + 2;

    if (escape[1] != 'u')
        return 0;
    return ((unsigned)hex_values[digits[0]] << 12) +
           ((unsigned)hex_values[digits[1]] << 8) +
           ((unsigned)hex_values[digits[2]] << 4) + hex_values[digits[3]] -
           0x1111; /* each is its value plus 1 */
}

/*
 * The character that the two escapes at the beginning of length bytes encode,
 * or 0 if they are not a surrogate pair. high is the unit of the first one. All
 * escapes are well-formed.
 */
static unsigned
escaped_pair(unsigned high, const char *escapes, size_t length)
{
    unsigned low;

    if (!is_high_surrogate(high) || length < PAIR_LENGTH ||
        escapes[UNIT_LENGTH] != '\\')
        return 0;
    low = escaped_unit(escapes + UNIT_LENGTH);
    if (!is_low_surrogate(low))
        return 0;
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

/* The character of the escape at the beginning of length bytes; its length. */
static unsigned
escaped_character(const char *escape, size_t length, size_t *ret_length)
{
    unsigned unit, character;

    *ret_length = 2;
    if (escape[1] != 'u')
        return (unsigned char)escaped_bytes[(unsigned char)escape[1]];
    *ret_length = UNIT_LENGTH;
    unit = escaped_unit(escape);
    if (is_low_surrogate(unit))
        return REPLACEMENT;
    if (!is_high_surrogate(unit))
        return unit;
    character = escaped_pair(unit, escape, length);
    if (character == 0)
        return REPLACEMENT;
    *ret_length = PAIR_LENGTH;
    return character;
}

/* Writes a character in UTF-8. Returns the position after it. */
static char *
put_utf8(char *to, unsigned character)
{
    if (character < 0x80) {
        *to++ = (char)character;
        return to;
    }
    if (character < 0x800) {
        *to++ = (char)(0xc0 | character >> 6);
    } else if (character < 0x10000) {
        *to++ = (char)(0xe0 | character >> 12);
        *to++ = (char)(0x80 | (character >> 6 & 0x3f));
    } else {
        *to++ = (char)(0xf0 | character >> 18);
        *to++ = (char)(0x80 | (character >> 12 & 0x3f));
        *to++ = (char)(0x80 | (character >> 6 & 0x3f));
    }
    *to++ = (char)(0x80 | (character & 0x3f));
    return to;
}

size_t
json_unescape(char *text, size_t length)
{
    size_t from = bytes_find((struct bytes){text, length}, '\\'), taken;
    char *to = text + from;

    while (from < length) {
        if (text[from] != '\\') {
            *to++ = text[from++];
            continue;
        }
        to =
            put_utf8(to, escaped_character(text + from, length - from, &taken));
        from += taken;
    }
    return (size_t)(to - text);
}

/*
 * Decodes the escaped surrogate pairs of a checked text in place, because
 * json-c before 0.19 takes U+1D800..U+1DFFF, and the same range of each higher
 * plane, for surrogates and replaces them. In a checked text each backslash
 * begins an escape. Returns the new length, which is not larger.
 */
static size_t
join_surrogates(char *text, size_t length)
{
    size_t from = bytes_find((struct bytes){text, length}, '\\');
    char *to = text + from;

    while (from < length) {
        bool is_escape = text[from] == '\\';
        unsigned character = is_escape
                                 ? escaped_pair(escaped_unit(text + from),
                                                text + from, length - from)
                                 : 0;

        if (character != 0) {
            to = put_utf8(to, character);
            from += PAIR_LENGTH;
            continue;
        }
        *to++ = text[from++];
        if (is_escape) /* this may be another backslash, which begins none */
            *to++ = text[from++];
    }
    return (size_t)(to - text);
}

/* Scans a container from its opening bracket; item scans one of its items. */
static bool
scan_container(struct scan *scan, scan_fn *item, char closing)
{
    if (scan->depth == JSON_DEPTH_MAX)
        return scan_fail(scan, JSON_DEPTH);
    scan->depth++;
    scan->at++;
    if (!scan_take(scan, closing)) {
        do {
            scan_space(scan);
            if (!item(scan))
                return false;
        } while (scan_take(scan, ','));
        if (!scan_take(scan, closing))
            return scan_fail(scan, JSON_SEPARATOR);
    }
    scan->depth--;
    return true;
}

static scan_fn scan_member;

/* Recursion is bounded by JSON_DEPTH_MAX. */
static bool
scan_value(struct scan *scan)
{
    if (scan->values_left-- == 0)
        return scan_fail(scan, JSON_MANY);
    switch (scan_peek(scan)) {
    case '{':
        return scan_container(scan, scan_member, '}');
    case '[':
        return scan_container(scan, scan_value, ']');
    case '"':
        scan->at++;
        return scan_string(scan, false);
    case 't':
        return scan_literal(scan, "true");
    case 'f':
        return scan_literal(scan, "false");
    case 'n':
        return scan_literal(scan, "null");
    case '-':
    case '0' ... '9':
        return scan_number(scan);
    default:
        return scan_fail(scan, JSON_VALUE);
    }
}

/*
 * Notes the value of a member of the outermost object, if it is wanted. The
 * name is then decoded in place: nothing reads it again.
 */
static bool
scan_member(struct scan *scan)
{
    const unsigned char *name = scan->at + 1, *name_end, *value;
    char *text;
    size_t length;

    if (scan_peek(scan) != '"')
        return scan_fail(scan, JSON_NAME);
    scan->at++;
    if (!scan_string(scan, true))
        return false;
    name_end = scan->at - 1;
    if (!scan_take(scan, ':'))
        return scan_fail(scan, JSON_COLON);
    scan_space(scan);
    value = scan->at;
    if (!scan_value(scan))
        return false;
    if (scan->depth > 1 || scan->wanted_count == 0)
        return true;
    text = scan->edit + (name - scan->start);
    length = json_unescape(text, (size_t)(name_end - name));
    for (size_t i = 0; i < scan->wanted_count; i++) {
        struct json_member *member = &scan->wanted[i];

        if (!bytes_equal(member->name, (struct bytes){text, length}))
            continue;
        member->value = scan->edit + (value - scan->start);
        member->length = (size_t)(scan->at - value);
    }
    return true;
}

static bool
scan_string_value(struct scan *scan)
{
    return scan_peek(scan) == '"' ? scan_value(scan)
                                  : scan_fail(scan, JSON_VALUE);
}

static bool
scan_text(struct scan *scan)
{
    static const unsigned char mark[] = {0xef, 0xbb, 0xbf};

    if ((size_t)(scan->end - scan->at) >= sizeof(mark) &&
        memcmp(scan->at, mark, sizeof(mark)) == 0)
        return scan_fail(scan, JSON_BOM);
    scan_space(scan);
    if (scan->at == scan->end) {
        (void)scan_fail(scan, JSON_EMPTY);
        scan->fault.error = JSON_EMPTY;
        return false;
    }
    if (!scan_value(scan))
        return false;
    scan_space(scan);
    return scan->at == scan->end || scan_fail(scan, JSON_TRAILING);
}

/*
 * Whether a text that is not JSON looks like UTF-16: every second of its first
 * bytes is NUL, because JSON begins with two ASCII characters. Source: RFC
 * 4627, section 3.
 */
static bool
scan_is_utf16(const struct scan *scan)
{
    const unsigned char *at = scan->start;
    size_t length = (size_t)(scan->end - scan->start);

    if (length < 2 || length % 2 != 0)
        return false;
    if ((at[0] == 0xff && at[1] == 0xfe) || (at[0] == 0xfe && at[1] == 0xff))
        return true;
    return length >= 4 && (at[0] == 0) != (at[1] == 0) &&
           (at[0] == 0) == (at[2] == 0) && (at[1] == 0) == (at[3] == 0);
}

static bool
scan_whole(struct scan *scan, struct json_fault *fault)
{
    if (scan_text(scan))
        return true;
    if (scan_is_utf16(scan))
        scan->fault.error = JSON_UTF16;
    *fault = scan->fault;
    return false;
}

bool
json_check(struct bytes text, struct json_fault *fault)
{
    struct scan scan = scan_start(text);

    return scan_whole(&scan, fault);
}

bool
json_is_string_array(struct bytes text)
{
    struct scan scan = scan_start(text);

    scan_space(&scan);
    if (scan_peek(&scan) != '[' ||
        !scan_container(&scan, scan_string_value, ']'))
        return false;
    scan_space(&scan);
    return scan.at == scan.end;
}

bool
json_find(char *text, size_t length, size_t values_max,
          struct json_member *members, size_t count, struct json_fault *fault)
{
    struct scan scan = scan_start((struct bytes){text, length});

    scan.edit = text;
    scan.values_left = values_max;
    scan.wanted = members;
    scan.wanted_count = count;
    return scan_whole(&scan, fault);
}

/*
 * The control character at this byte, or -1; and the number of bytes to step
 * over.
 */
static int
control_at(const char *at, const char *end, size_t *ret_length)
{
    const unsigned char *byte = (const unsigned char *)at;

    *ret_length = 1;
    if (byte[0] < 0x20 || byte[0] == 0x7f)
        return byte[0];
    if (byte[0] != 0xc2 || end - at < 2 || byte[1] > 0x9f)
        return -1;
    *ret_length = 2;
    return byte[1];
}

void
json_add_string(struct buf *out, struct bytes text)
{
    const char *at = text.at, *end = at + text.length;

    buf_add_text(out, "\"");
    while (at < end) {
        size_t length;
        int control = control_at(at, end, &length);

        if (control >= 0)
            buf_printf(out, "\\u%04x", (unsigned)control);
        else if (*at == '"' || *at == '\\')
            buf_add_text(out, *at == '"' ? "\\\"" : "\\\\");
        else
            buf_add(out, at, length);
        at += length;
    }
    buf_add_text(out, "\"");
}

bool
json_has_control(struct bytes text)
{
    const char *at = text.at, *end = at + text.length;
    size_t length;

    for (; at < end; at += length) {
        if (control_at(at, end, &length) >= 0)
            return true;
    }
    return false;
}

bool
json_is_utf8(struct bytes text)
{
    struct scan scan = scan_start(text);

    while (scan_plain(&scan) < BYTE_LEAD_2) {
        if (scan.at == scan.end)
            return true;
        scan.at++;
    }
    return false;
}

static size_t
count_lines(const char *from, const char *to)
{
    size_t count = 0;

    while (from < to && (from = memchr(from, '\n', (size_t)(to - from)))) {
        from++;
        count++;
    }
    return count;
}

size_t
json_line(struct bytes text, size_t offset)
{
    return 1 + count_lines(text.at, text.at + offset);
}

/*
 * The functions below iterate over texts that have been checked. They only find
 * the end of each value, and report no errors.
 */

static char *
skip_space(char *at, const char *end)
{
    while (at < end &&
           (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

/* Whether an odd number of backslashes precedes the quote. */
static bool
is_escaped(const char *from, const char *quote)
{
    const char *at = quote;

    while (at > from && at[-1] == '\\')
        at--;
    return (quote - at) % 2 != 0;
}

/* Returns the position after the closing quote; from follows the opening one.
 */
static char *
skip_string(char *from, const char *end)
{
    char *at = from, *quote;

    do {
        quote = memchr(at, '"', (size_t)(end - at));
        at = quote + 1;
    } while (is_escaped(from, quote));
    return at;
}

static char *
skip_value(char *at, const char *end)
{
    size_t depth = 0;

    if (is_word((unsigned char)*at)) {
        while (at < end && is_word((unsigned char)*at))
            at++;
        return at;
    }
    do {
        const char byte = *at++;

        if (byte == '"')
            at = skip_string(at, end);
        else if (byte == '{' || byte == '[')
            depth++;
        else if (byte == '}' || byte == ']')
            depth--;
    } while (depth > 0);
    return at;
}

struct json_walk
json_walk(char *text, size_t length, size_t line)
{
    struct json_walk walk = {.end = text + length, .line = line};

    walk.at = skip_space(text, walk.end);
    if (line > 0)
        walk.line += count_lines(text, walk.at);
    if (walk.at < walk.end && *walk.at == '{')
        walk.closing = '}';
    else if (walk.at < walk.end && *walk.at == '[')
        walk.closing = ']';
    return walk;
}

/*
 * Steps over the opening bracket, or over the comma after an item, to the next
 * item. Returns NULL if there is none.
 */
static char *
walk_step(const struct json_walk *walk)
{
    char *at = skip_space(walk->at, walk->end);

    if (walk->closing == '\0' || *at == walk->closing)
        return NULL;
    at = skip_space(at + 1, walk->end);
    return *at == walk->closing ? NULL : at;
}

/* Lines are counted before the name is decoded, which may add line feeds. */
bool
json_walk_next(struct json_walk *walk, struct json_item *ret_item)
{
    char *const from = walk->at;
    char *at = walk_step(walk), *name = NULL;
    struct json_item item = {.line = walk->line};
    size_t name_length = 0;

    if (at == NULL)
        return false;
    if (walk->closing == '}') {
        name = at + 1;
        at = skip_string(name, walk->end);
        name_length = (size_t)(at - 1 - name);
        at = skip_space(skip_space(at, walk->end) + 1, walk->end);
    }
    item.value = at;
    walk->at = skip_value(at, walk->end);
    item.length = (size_t)(walk->at - at);
    if (walk->line > 0) {
        item.line += count_lines(from, at);
        walk->line = item.line + count_lines(at, walk->at);
    }
    if (name != NULL)
        item.name = (struct bytes){name, json_unescape(name, name_length)};
    *ret_item = item;
    return true;
}

bool
json_item_text(const struct json_item *item, struct bytes *ret_text)
{
    if (*item->value != '"')
        return false;
    *ret_text = (struct bytes){
        item->value + 1, json_unescape(item->value + 1, item->length - 2)};
    return true;
}

void
json_prepare(void)
{
    (void)uselocale(newlocale(LC_ALL_MASK, "C", (locale_t)0));
}

/*
 * When it is out of memory, json-c before 0.17 reports success, and stops
 * before the end with a part of the value.
 */
bool
json_decode(struct json_tokener *tokener, char *text, size_t length,
            struct json_object **ret_value)
{
    const bool is_strict = json_c_version_num() != JSON_C_0_18;
    struct json_object *value;
    bool is_whole;

    length = join_surrogates(text, length);
    if (length > INT_MAX)
        return false;
    json_tokener_set_flags(tokener, is_strict ? JSON_TOKENER_STRICT : 0);
    value = json_tokener_parse_ex(tokener, text, (int)length);
    is_whole = json_tokener_get_parse_end(tokener) == length;
    if (json_tokener_get_error(tokener) == json_tokener_continue) {
        /* json-c ends a number or a literal only at the next byte. */
        value = json_tokener_parse_ex(tokener, " ", 1);
        is_whole = json_tokener_get_parse_end(tokener) == 1;
    }
    if (json_tokener_get_error(tokener) != json_tokener_success || !is_whole) {
        json_object_put(value);
        json_tokener_reset(tokener);
        return false;
    }
    *ret_value = value;
    return true;
}
