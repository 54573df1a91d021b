/*
 * The five members of a request: a table of their names and types. Implements
 * S6.3 and S9 of docs/protocol.md.
 */
#include <assert.h>

#include "scoring/envelope.h"
#include "scoring/fields.h"

enum member { ACCOUNT = 0, LOGIN, TOKEN, ARGUMENTS, METHOD };

const struct envelope_member envelope_members[ENVELOPE_MEMBERS] = {
    [ACCOUNT] = {"account", '"', FIELD_NOT_STRING, FIELD_OPTIONAL,
                 "yes; absent, `null` and `\"\"` all count as `\"\"`"},
    [LOGIN] = {"login", '"', FIELD_NOT_STRING, FIELD_REQUIRED,
               "yes, but not `null`"},
    [TOKEN] = {"token", '"', FIELD_NOT_STRING, FIELD_REQUIRED,
               "yes, but not `null`"},
    [ARGUMENTS] = {"arguments", '{', FIELD_NOT_OBJECT, FIELD_REQUIRED,
                   "yes (`{}`), but not `null`"},
    [METHOD] = {"method", '"', FIELD_NOT_STRING, FIELD_REQUIRED,
                "no method has an empty name"},
};

/* Adds a fault for each wrong member. A value that begins with n is null. */
static bool
members_check(const struct json_member members[ENVELOPE_MEMBERS],
              struct field_faults *faults)
{
    bool are_good = true;

    for (size_t i = 0; i < ENVELOPE_MEMBERS; i++) {
        const struct envelope_member *row = &envelope_members[i];
        const struct json_member *member = &members[i];
        const bool is_required = row->flags == FIELD_REQUIRED;
        enum field_error error = FIELD_OK;

        if (member->length == 0)
            error = is_required ? FIELD_MISSING : FIELD_OK;
        else if (*member->value == 'n')
            error = is_required ? FIELD_NULL : FIELD_OK;
        else if (*member->value != row->opening)
            error = row->otherwise;
        if (error == FIELD_OK)
            continue;
        field_add_fault(faults, row->name, error);
        are_good = false;
    }
    return are_good;
}

/* The text of a member that is a string; empty if it is null or absent. */
static struct bytes
member_text(const struct json_member *member)
{
    char *text;

    if (member->length == 0 || *member->value != '"')
        return (struct bytes){NULL, 0};
    text = member->value + 1;
    return (struct bytes){text, json_unescape(text, member->length - 2)};
}

enum envelope_result
envelope_read(char *text, size_t length, size_t values_max,
              struct envelope *ret_envelope, struct json_fault *fault,
              struct field_faults *faults)
{
    struct json_member members[ENVELOPE_MEMBERS] = {{.length = 0}};

    for (size_t i = 0; i < ENVELOPE_MEMBERS; i++)
        members[i].name = bytes_of(envelope_members[i].name);
    if (!json_find(text, length, values_max, members, ENVELOPE_MEMBERS, fault))
        return ENVELOPE_JSON;
    if (text[strspn(text, " \t\r\n")] != '{') { /* there is a value */
        buf_add_text(&faults->text, "the request must be a JSON object");
        return ENVELOPE_FIELDS;
    }
    if (!members_check(members, faults))
        return ENVELOPE_FIELDS;
    *ret_envelope = (struct envelope){
        .account = member_text(&members[ACCOUNT]),
        .login = member_text(&members[LOGIN]),
        .token = member_text(&members[TOKEN]),
        .method = member_text(&members[METHOD]),
        .arguments = members[ARGUMENTS].value,
        .arguments_length = members[ARGUMENTS].length,
    };
    return ENVELOPE_OK;
}
