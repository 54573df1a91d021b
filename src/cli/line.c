/*
 * Parses and prints a client as a line of JSON Lines, and parses keys of the
 * store. Implements S19.2 and S19.5 of docs/protocol.md.
 *
 * json-c is not used: it would take more time than the rest of an import, and
 * would not keep the array as it is written.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "cli/line.h"
#include "scoring/document.h"
#include "scoring/interests.h"

#define ID_DIGITS_MAX 20 /* of an int64, with its sign */

enum member { MEMBER_ID = 0, MEMBER_INTERESTS, MEMBER__MAX };

static const struct document_row rows[MEMBER__MAX] = {
    [MEMBER_ID] = {.name = "client_id"},
    [MEMBER_INTERESTS] = {.name = "interests"},
};

static const char *const error_texts[] = {
    [INTERESTS_LINE_OK] = "good",
    [INTERESTS_LINE_JSON] = "invalid JSON",
    [INTERESTS_LINE_NO_OBJECT] = "must be a JSON object",
    [INTERESTS_LINE_UNKNOWN] = "a member other than client_id and interests",
    [INTERESTS_LINE_REPEATED] = "a member is repeated",
    [INTERESTS_LINE_NO_ID] = "client_id: is required",
    [INTERESTS_LINE_BAD_ID] = "client_id: must be an integer of 64 bits",
    [INTERESTS_LINE_NO_INTERESTS] = "interests: is required",
    [INTERESTS_LINE_BAD_INTERESTS] = "interests: must be an array of strings",
    [INTERESTS_LINE_LONG] = "is longer than 131072 bytes",
};
_Static_assert(sizeof(error_texts) / sizeof(error_texts[0]) ==
                   INTERESTS_LINE__MAX,
               "one text per error");
_Static_assert(INTERESTS_LINE_MAX == 131072, "as the text says");

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
interests_line_is_empty(struct line text)
{
    return trim(line_bytes(text)).length == 0;
}

/* Finds the two members. values[] must be zeroed before. */
static enum interests_line_error
find_members(struct line text, struct bytes values[MEMBER__MAX])
{
    static const enum interests_line_error errors[] = {
        [DOCUMENT_END] = INTERESTS_LINE_OK,
        [DOCUMENT_REPEATED] = INTERESTS_LINE_REPEATED,
        [DOCUMENT_UNKNOWN] = INTERESTS_LINE_UNKNOWN,
    };
    struct document_members members = {rows, MEMBER__MAX,
                                       json_walk(text.at, text.length, 0), 0};
    enum document_next next;
    struct json_item item;
    size_t i = 0;

    if (members.walk.closing != '}')
        return INTERESTS_LINE_NO_OBJECT;
    while ((next = document_next(&members, &item, &i)) == DOCUMENT_MEMBER)
        values[i] = (struct bytes){item.value, item.length};
    return errors[next];
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
interests_line_parse(struct line text, struct interests_line *ret_line,
                     struct json_fault *ret_fault)
{
    struct bytes values[MEMBER__MAX] = {0};
    enum interests_line_error error;
    int64_t client_id = 0;

    if (text.length > INTERESTS_LINE_MAX)
        return INTERESTS_LINE_LONG;
    if (!json_check(line_bytes(text), ret_fault))
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
interests_id_parse(struct bytes text, int64_t *ret_client_id)
{
    const size_t sign = text.length > 0 && *text.at == '-';

    if (text.length > sign && text.at[sign] == '0' && text.length > 1)
        return false;
    return parse_id(text, ret_client_id);
}

bool
interests_key_parse(struct bytes key, int64_t *ret_client_id)
{
    const size_t prefix = sizeof(INTERESTS_KEY_PREFIX) - 1;

    if (key.length < prefix ||
        memcmp(key.at, INTERESTS_KEY_PREFIX, prefix) != 0)
        return false;
    return interests_id_parse(
        (struct bytes){key.at + prefix, key.length - prefix}, ret_client_id);
}
