/*
 * The rules of the fields, and the reader of an object by a table of fields.
 * Implements S12 of docs/protocol.md; each method has its own table, and checks
 * itself which fields must come together.
 */
#include <assert.h>
#include <json-c/json.h>
#include <stdlib.h>

#include "scoring/fields.h"

#define PHONE_LENGTH       11
#define PHONE_FIRST        '7'
#define GENDER_MAX         2  /* 0 unknown, 1 male, 2 female */
#define BIRTHDAY_YEARS_MAX 70 /* S12.2 */

static const char genders[] = {FIELD_GENDER_UNKNOWN, '1', '2'};

_Static_assert(sizeof(genders) == GENDER_MAX + 1, "a digit for each");

static const char *const error_texts[] = {
    [FIELD_OK] = "is valid",
    [FIELD_EMPTY] = "must not be empty",
    [FIELD_NOT_STRING] = "must be a string",
    [FIELD_NOT_OBJECT] = "must be an object",
    [FIELD_EMAIL] = "must contain @",
    [FIELD_PHONE_TYPE] = "must be a string or an integer of 11 digits",
    [FIELD_PHONE] = "must be 11 digits and start with 7",
    [FIELD_DATE] = "must be a date that exists, DD.MM.YYYY",
    [FIELD_FUTURE] = "must not be in the future",
    [FIELD_TOO_OLD] = "must not be more than 70 years ago",
    [FIELD_GENDER] = "must be an integer: 0, 1 or 2",
    [FIELD_IDS_TYPE] = "must be a non-empty array of integers",
    [FIELD_IDS_ITEM] = ("must hold only integers of 64 bits, not in "
                        "quotes and without a fraction"),
    [FIELD_IDS_MANY] = "must not hold so many ids",
    [FIELD_IDS_LARGE] =
        "their interests are too large together: ask for fewer at once",
    [FIELD_BOOLEAN] = "must be true or false",
    [FIELD_RECORDS] = "must be a non-empty array of objects",
    [FIELD_RECORDS_MANY] = "must not hold so many records",
    [FIELD_MISSING] = "is required",
    [FIELD_NULL] = "must not be null",
    [FIELD_MEMORY] = "could not be read",
};

_Static_assert(sizeof(error_texts) / sizeof(error_texts[0]) == FIELD__MAX,
               "every error has a text");

const char *
field_error_text(enum field_error error)
{
    assert(error < FIELD__MAX);
    return error_texts[error];
}

/* json-c's value of JSON's null is NULL. */
enum field_error
field_string(struct json_object *value, const struct field_limits *limits,
             void *dest)
{
    size_t length;

    (void)limits;
    if (value == NULL)
        return FIELD_EMPTY;
    if (!json_object_is_type(value, json_type_string))
        return FIELD_NOT_STRING;
    length = (size_t)json_object_get_string_len(value);
    if (length == 0)
        return FIELD_EMPTY;
    *(field_string_dest *)dest =
        (struct bytes){json_object_get_string(value), length};
    return FIELD_OK;
}

enum field_error
field_email(struct json_object *value, const struct field_limits *limits,
            void *dest)
{
    struct bytes text;
    enum field_error error = field_string(value, limits, &text);

    if (error != FIELD_OK)
        return error;
    if (memchr(text.at, '@', text.length) == NULL)
        return FIELD_EMAIL;
    *(field_email_dest *)dest = text;
    return FIELD_OK;
}

/* json-c keeps the text of a number in the number. */
static enum field_error
integer_text_read(struct json_object *value, struct bytes *ret_text)
{
    const char *text;

    if (!json_object_is_type(value, json_type_int))
        return FIELD_PHONE_TYPE;
    text = json_object_get_string(value);
    if (text == NULL)
        return FIELD_MEMORY;
    *ret_text = bytes_of(text);
    return FIELD_OK;
}

enum field_error
field_phone(struct json_object *value, const struct field_limits *limits,
            void *dest)
{
    struct bytes text;
    enum field_error error = field_string(value, limits, &text);

    if (error == FIELD_NOT_STRING)
        error = integer_text_read(value, &text);
    if (error != FIELD_OK)
        return error;
    if (text.length != PHONE_LENGTH || text.at[0] != PHONE_FIRST)
        return FIELD_PHONE;
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return FIELD_PHONE;
    }
    *(field_phone_dest *)dest = text;
    return FIELD_OK;
}

static enum field_error
date_read(struct json_object *value, const struct field_limits *limits,
          struct bytes *ret_text, struct date *ret_date)
{
    struct bytes text;
    enum field_error error = field_string(value, limits, &text);

    if (error != FIELD_OK)
        return error;
    if (!date_parse(text, ret_date))
        return FIELD_DATE;
    *ret_text = text;
    return FIELD_OK;
}

enum field_error
field_date(struct json_object *value, const struct field_limits *limits,
           void *dest)
{
    struct date date;

    return date_read(value, limits, dest, &date);
}

/*
 * S12.2: today is compared with a triple, which may not exist as a day: of a
 * birthday on 29 February, 28 February 70 years later is accepted, and 1 March
 * is not.
 */
enum field_error
field_birthday(struct json_object *value, const struct field_limits *limits,
               void *dest)
{
    struct bytes text;
    struct date date;
    enum field_error error = date_read(value, limits, &text, &date);

    if (error != FIELD_OK)
        return error;
    if (date_compare(date, limits->today) > 0)
        return FIELD_FUTURE;
    date.year += BIRTHDAY_YEARS_MAX;
    if (date_compare(limits->today, date) > 0)
        return FIELD_TOO_OLD;
    *(field_birthday_dest *)dest = text;
    return FIELD_OK;
}

enum field_error
field_gender(struct json_object *value, const struct field_limits *limits,
             void *dest)
{
    int64_t gender;

    (void)limits;
    if (value == NULL)
        return FIELD_EMPTY;
    if (!json_object_is_type(value, json_type_int))
        return FIELD_GENDER;
    gender = json_object_get_int64(value);
    if (gender < 0 || gender > GENDER_MAX)
        return FIELD_GENDER;
    *(field_gender_dest *)dest = (struct bytes){&genders[gender], 1};
    return FIELD_OK;
}

/*
 * json-c may hold an integer above INT64_MAX, which it would return as
 * INT64_MAX: the id of another client.
 */
static bool
id_read(struct json_object *value, int64_t *ret_id)
{
    if (!json_object_is_type(value, json_type_int) ||
        json_object_get_uint64(value) > INT64_MAX)
        return false;
    *ret_id = json_object_get_int64(value);
    return true;
}

enum field_error
field_client_ids(struct json_object *value, const struct field_limits *limits,
                 void *dest)
{
    struct field_ids ids = {.count = 0};

    if (value == NULL)
        return FIELD_EMPTY;
    if (!json_object_is_type(value, json_type_array))
        return FIELD_IDS_TYPE;
    ids.count = json_object_array_length(value);
    if (ids.count == 0)
        return FIELD_IDS_TYPE;
    if (ids.count > limits->client_ids_max)
        return FIELD_IDS_MANY;
    ids.item = calloc(ids.count, sizeof(*ids.item));
    if (ids.item == NULL)
        return FIELD_MEMORY;
    for (size_t i = 0; i < ids.count; i++) {
        if (!id_read(json_object_array_get_idx(value, i), &ids.item[i])) {
            free(ids.item);
            return FIELD_IDS_ITEM;
        }
    }
    *(field_client_ids_dest *)dest = ids;
    return FIELD_OK;
}

enum field_error
field_records(struct json_object *value, const struct field_limits *limits,
              void *dest)
{
    struct field_records records = {.array = value};

    if (value == NULL)
        return FIELD_EMPTY;
    if (!json_object_is_type(value, json_type_array))
        return FIELD_RECORDS;
    records.count = json_object_array_length(value);
    if (records.count == 0)
        return FIELD_RECORDS;
    if (records.count > limits->records_max)
        return FIELD_RECORDS_MANY;
    *(field_records_dest *)dest = records;
    return FIELD_OK;
}

enum field_error
field_boolean(struct json_object *value, const struct field_limits *limits,
              void *dest)
{
    (void)limits;
    if (value == NULL)
        return FIELD_EMPTY;
    if (!json_object_is_type(value, json_type_boolean))
        return FIELD_BOOLEAN;
    *(field_boolean_dest *)dest = json_object_get_boolean(value);
    return FIELD_OK;
}

/* A required field has different faults if it is missing and if it is null. */
static enum field_error
member_read(const struct field *field, struct json_object *object,
            const struct field_limits *limits, void *dest)
{
    bool is_required = (field->flags & FIELD_REQUIRED) != 0;
    struct json_object *value;
    enum field_error error;

    if (!json_object_object_get_ex(object, field->name.at, &value))
        return is_required ? FIELD_MISSING : FIELD_OK;
    if (value == NULL && is_required)
        return FIELD_NULL;
    error = field->rule(value, limits, (char *)dest + field->offset);
    return error == FIELD_EMPTY ? FIELD_OK : error;
}

void
field_blame(struct field_faults *faults, const char *name)
{
    for (size_t i = 0; i < faults->name_count; i++) {
        if (strcmp(faults->names[i], name) == 0)
            return;
    }
    if (faults->name_count < FIELDS_MAX)
        faults->names[faults->name_count++] = name;
}

void
field_add_fault(struct field_faults *faults, const char *name,
                enum field_error error)
{
    if (faults->text.length > 0)
        buf_add_text(&faults->text, "; ");
    buf_add_text(&faults->text, name);
    buf_add_text(&faults->text, ": ");
    buf_add_text(&faults->text, field_error_text(error));
    field_blame(faults, name);
}

enum field_error
fields_walk(const struct field_table *table, struct json_object *object,
            const struct field_limits *limits, void *dest,
            struct field_faults *faults)
{
    enum field_error result = FIELD_OK;

    assert(json_object_is_type(object, json_type_object));
    for (size_t i = 0; i < table->count; i++) {
        const struct field *field = &table->rows[i];
        enum field_error error = member_read(field, object, limits, dest);

        if (error == FIELD_OK)
            continue;
        if (error == FIELD_MEMORY) {
            faults->text.failed = true;
            return FIELD_MEMORY;
        }
        field_add_fault(faults, field->name.at, error);
        if (error == FIELD_IDS_MANY || error == FIELD_RECORDS_MANY)
            buf_printf(&faults->text, " (at most %zu)",
                       error == FIELD_IDS_MANY ? limits->client_ids_max
                                               : limits->records_max);
        result = FIELD_MISSING;
    }
    return faults->text.failed ? FIELD_MEMORY : result;
}

const struct field_kind field_kinds[] = {
    {field_string, "string", "PlainText", "a JSON string"},
    {field_email, "email", "Email", "a string with at least one `@`"},
    {field_phone, "phone", "Phone",
     "a string or an integer: 11 ASCII digits, the first is 7"},
    {field_date, "date", "CalendarDate",
     "`DD.MM.YYYY`: 2 + 2 + 4 ASCII digits, a day that exists, years 1 to "
     "9999"},
    {field_birthday, "birthday", "Birthday",
     "a date that is not in the future, and at most 70 years ago to the day"},
    {field_gender, "gender", "Gender",
     "the JSON integer 0 (unknown), 1 (male) or 2 (female)"},
    {field_client_ids, "client_ids", "ClientIds",
     "a non-empty array of integers of 64 bits, at most "
     "`SCORING_MAX_CLIENT_IDS` (10000)"},
    {field_records, "records", "Records",
     "a non-empty array of records, at most `SCORING_MAX_CLIENTS` (1000)"},
    {field_boolean, "boolean", "Boolean", "`true` or `false`"},
};

const size_t field_kinds_count = sizeof(field_kinds) / sizeof(field_kinds[0]);
