/*
 * Parses and prints a client as a line of JSON Lines, and parses keys of the
 * store. Implements S19.2 and S19.5 of docs/protocol.md.
 *
 * json_check() checks a line first, so that the functions below need not look
 * for errors. json-c is not used: it would take more time than the rest of an
 * import, and would not keep the array as it is written.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/line.h"
#include "scoring/interests.h"

#define ID_DIGITS_MAX 20 /* of an int64, with its sign */
#define UNIT_LENGTH   6  /* of an escape like \u20ac */

enum member { MEMBER_ID = 0, MEMBER_INTERESTS, MEMBER__MAX };

static const char *const names[MEMBER__MAX] = {
    [MEMBER_ID] = "client_id",
    [MEMBER_INTERESTS] = "interests",
};

static const char *const error_texts[] = {
    [INTERESTS_LINE_OK] = "good",
    [INTERESTS_LINE_JSON] = "invalid JSON",
    [INTERESTS_LINE_NO_OBJECT] = "must be a JSON object",
    [INTERESTS_LINE_UNKNOWN] = "a member other than client_id and interests",
    [INTERESTS_LINE_REPEATED] = "a member is repeated",
    [INTERESTS_LINE_NO_ID] = "client_id: is missing",
    [INTERESTS_LINE_BAD_ID] = "client_id: must be an integer of 64 bits",
    [INTERESTS_LINE_NO_INTERESTS] = "interests: is missing",
    [INTERESTS_LINE_BAD_INTERESTS] = "interests: must be an array of strings",
    [INTERESTS_LINE_LONG] = "is longer than 131072 bytes",
};
_Static_assert(sizeof(error_texts) / sizeof(error_texts[0]) ==
                   INTERESTS_LINE__MAX,
               "one text per error");
_Static_assert(INTERESTS_LINE_MAX == 131072, "as the text says");

/* A position in a text that json_check() has accepted. */
struct walk {
    const char *at, *end;
};

const char *
interests_line_error_text(enum interests_line_error error)
{
    assert(error < INTERESTS_LINE__MAX);
    return error_texts[error];
}

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct bytes
trim(struct bytes text)
{
    while (text.length > 0 && is_space(*text.at)) {
        text.at++;
        text.length--;
    }
    while (text.length > 0 && is_space(text.at[text.length - 1]))
        text.length--;
    return text;
}

bool
interests_line_is_empty(struct bytes text)
{
    return trim(text).length == 0;
}

static void
skip_space(struct walk *walk)
{
    while (walk->at < walk->end && is_space(*walk->at))
        walk->at++;
}

/*
 * Steps over white space, and over this mark. Returns false if it is missing.
 */
static bool
take(struct walk *walk, char mark)
{
    skip_space(walk);
    if (walk->at == walk->end || *walk->at != mark)
        return false;
    walk->at++;
    return true;
}

/* Steps over a string, from its opening quote to behind the closing one. */
static void
skip_string(struct walk *walk)
{
    walk->at++;
    while (*walk->at != '"')
        walk->at += *walk->at == '\\' ? 2 : 1;
    walk->at++;
}

/* Steps over a container, or a number or literal outside of any. */
static void
skip_unquoted(struct walk *walk)
{
    int depth = 0;

    while (walk->at < walk->end) {
        const char c = *walk->at;

        if (depth == 0 && (c == ',' || c == '}' || is_space(c)))
            return;
        if (c == '"') {
            skip_string(walk);
            continue;
        }
        walk->at++;
        if (c == '[' || c == '{')
            depth++;
        else if ((c == ']' || c == '}') && --depth == 0)
            return;
    }
}

/* Returns the next string, with its quotes, or the next value. */
static struct bytes
take_value(struct walk *walk)
{
    const char *from;

    skip_space(walk);
    from = walk->at;
    if (*from == '"')
        skip_string(walk);
    else
        skip_unquoted(walk);
    return (struct bytes){from, (size_t)(walk->at - from)};
}

/*
 * Steps over one character of a string, which may be escaped. Returns 0 for one
 * that cannot be in a member's name.
 */
static char
take_character(struct walk *walk)
{
    char digits[UNIT_LENGTH - 1] = {0};
    unsigned long unit;

    if (*walk->at != '\\')
        return *walk->at++;
    if (walk->at[1] != 'u') {
        walk->at += 2;
        return '\0';
    }
    memcpy(digits, walk->at + 2, sizeof(digits) - 1);
    walk->at += UNIT_LENGTH;
    unit = strtoul(digits, NULL, 16);
    return (char)(unit < 0x80 ? unit : 0);
}

/* Whether a JSON string, with its quotes, decodes to this name. */
static bool
is_name(struct bytes string, const char *name)
{
    struct walk walk = {string.at + 1, string.at + string.length - 1};

    for (; *name != '\0'; name++) {
        if (walk.at == walk.end || take_character(&walk) != *name)
            return false;
    }
    return walk.at == walk.end;
}

/* Finds the two members. values[] must be zeroed before. */
static enum interests_line_error
find_members(struct bytes text, struct bytes values[MEMBER__MAX])
{
    struct walk walk = {text.at, text.at + text.length};

    if (!take(&walk, '{'))
        return INTERESTS_LINE_NO_OBJECT;
    if (take(&walk, '}'))
        return INTERESTS_LINE_OK;
    do {
        const struct bytes name = take_value(&walk);
        size_t i = 0;

        while (i < MEMBER__MAX && !is_name(name, names[i]))
            i++;
        if (i == MEMBER__MAX)
            return INTERESTS_LINE_UNKNOWN;
        if (values[i].at != NULL)
            return INTERESTS_LINE_REPEATED;
        (void)take(&walk, ':');
        values[i] = take_value(&walk);
    } while (take(&walk, ','));
    return INTERESTS_LINE_OK;
}

/* Parses the id in a line or a key. Leading zeros are accepted. */
static bool
parse_id(struct bytes text, int64_t *ret_client_id)
{
    char digits[ID_DIGITS_MAX + 1] = {0};
    long long number;
    char *end;

    if (text.length == 0 || text.length > ID_DIGITS_MAX)
        return false;
    if (*text.at != '-' && (*text.at < '0' || *text.at > '9'))
        return false; /* strtoll() accepts space and '+' */
    memcpy(digits, text.at, text.length);
    errno = 0;
    number = strtoll(digits, &end, 10);
    if (errno != 0 || end != digits + text.length)
        return false;
    *ret_client_id = number;
    return true;
}

enum interests_line_error
interests_line_parse(struct bytes text, struct interests_line *ret_line,
                     struct json_fault *ret_fault)
{
    struct bytes values[MEMBER__MAX] = {0};
    enum interests_line_error error;
    int64_t client_id = 0;

    if (text.length > INTERESTS_LINE_MAX)
        return INTERESTS_LINE_LONG;
    if (!json_check(text, ret_fault))
        return INTERESTS_LINE_JSON;
    error = find_members(text, values);
    if (error != INTERESTS_LINE_OK)
        return error;
    if (values[MEMBER_ID].at == NULL)
        return INTERESTS_LINE_NO_ID;
    if (!parse_id(values[MEMBER_ID], &client_id))
        return INTERESTS_LINE_BAD_ID;
    if (values[MEMBER_INTERESTS].at == NULL)
        return INTERESTS_LINE_NO_INTERESTS;
    if (!json_is_string_array(values[MEMBER_INTERESTS]))
        return INTERESTS_LINE_BAD_INTERESTS;
    *ret_line = (struct interests_line){.client_id = client_id,
                                        .interests = values[MEMBER_INTERESTS]};
    return INTERESTS_LINE_OK;
}

/*
 * In a JSON array of strings line breaks are white space, and can be left out.
 */
static void
add_one_line(struct buf *out, struct bytes value)
{
    const char *at = value.at, *end = value.at + value.length;

    while (at < end) {
        const char *from = at;

        while (at < end && *at != '\n' && *at != '\r')
            at++;
        buf_add(out, from, (size_t)(at - from));
        at += at < end;
    }
}

/*
 * space: " " or "". Without spaces the line is not longer than the line that
 * import has accepted for this client.
 */
static void
add_client(struct buf *out, int64_t client_id, struct bytes interests,
           const char *space)
{
    buf_printf(out, "{\"client_id\":%s%lld,%s\"interests\":%s", space,
               (long long)client_id, space, space);
    add_one_line(out, interests);
    buf_add_text(out, "}");
}

enum interests_line_error
interests_line_print(int64_t client_id, struct bytes value, struct buf *out)
{
    const size_t before = out->length;
    struct bytes text = trim(value);

    if (value.length == 0)
        text = bytes_of(INTERESTS_NONE);
    if (!json_is_string_array(text))
        return INTERESTS_LINE_BAD_INTERESTS;
    add_client(out, client_id, text, " ");
    if (out->length - before > INTERESTS_LINE_MAX) {
        out->length = before;
        add_client(out, client_id, text, "");
    }
    if (out->length - before > INTERESTS_LINE_MAX) {
        out->length = before;
        return INTERESTS_LINE_LONG;
    }
    buf_add_text(out, "\n");
    return INTERESTS_LINE_OK;
}

bool
interests_key_parse(struct bytes key, int64_t *ret_client_id)
{
    const size_t prefix = sizeof(INTERESTS_KEY_PREFIX) - 1;
    char canonical[INTERESTS_KEY_MAX + 1];
    int64_t client_id;
    int length;

    if (key.length <= prefix ||
        memcmp(key.at, INTERESTS_KEY_PREFIX, prefix) != 0 ||
        !parse_id((struct bytes){key.at + prefix, key.length - prefix},
                  &client_id))
        return false;
    length = snprintf(canonical, sizeof(canonical), INTERESTS_KEY_PREFIX "%lld",
                      (long long)client_id);
    if (!bytes_equal(key, (struct bytes){canonical, (size_t)length}))
        return false;
    *ret_client_id = client_id;
    return true;
}
