/*
 * The inputs of a score: their field table, and the pairs of which one must be
 * complete. Implements S13.1 of docs/protocol.md.
 */
#include <json-c/json.h>

#include "scoring/person.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct field fields[PERSON__MAX] = {PERSON_FIELDS(PERSON_ROW)};

const struct field_table person_fields = {fields, COUNT(fields)};

static const struct pair {
    enum person_input first, second;
} pairs[] = {
    {PERSON_PHONE, PERSON_EMAIL},
    {PERSON_FIRST_NAME, PERSON_LAST_NAME},
    {PERSON_GENDER, PERSON_BIRTHDAY},
};

unsigned
person_given(const struct person *person)
{
    unsigned mask = 0;

    for (unsigned i = 0; i < PERSON__MAX; i++)
        mask |= (person->given[i].length > 0 ? 1U : 0U) << i;
    return mask;
}

unsigned
person_known(const struct person *person)
{
    const struct bytes gender = person->given[PERSON_GENDER];
    unsigned mask = person_given(person);

    if (gender.length > 0 && gender.at[0] == FIELD_GENDER_UNKNOWN)
        mask &= ~PERSON_BIT(GENDER);
    return mask;
}

bool
person_is_enough(unsigned given, struct field_faults *faults)
{
    struct buf *text = &faults->text;

    for (size_t i = 0; i < COUNT(pairs); i++) {
        const unsigned pair = 1U << pairs[i].first | 1U << pairs[i].second;

        if ((given & pair) == pair)
            return true;
    }
    field_blame(faults, "arguments");
    buf_add_text(text, "arguments: at least one pair must be complete: ");
    for (size_t i = 0; i < COUNT(pairs); i++) {
        buf_add_text(text, i == 0 ? "" : ", or ");
        buf_add_bytes(text, fields[pairs[i].first].name);
        buf_add_text(text, " and ");
        buf_add_bytes(text, fields[pairs[i].second].name);
    }
    return false;
}

void
person_add_names(unsigned mask, const char *separator, struct buf *out)
{
    const char *between = "";

    for (unsigned i = 0; i < PERSON__MAX; i++) {
        if ((mask >> i & 1U) == 0)
            continue;
        buf_add_text(out, between);
        buf_add_bytes(out, fields[i].name);
        between = separator;
    }
}

bool
person_read(struct json_object *value, const struct field_limits *limits,
            struct person *person, struct field_faults *faults)
{
    if (!json_object_is_type(value, json_type_object)) {
        field_add_fault(faults, "arguments",
                        value == NULL ? FIELD_NULL : FIELD_NOT_OBJECT);
        return false;
    }
    return fields_walk(&person_fields, value, limits, person, faults) ==
               FIELD_OK &&
           person_is_enough(person_given(person), faults);
}
