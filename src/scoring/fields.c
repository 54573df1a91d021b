/*
 * The rules of the fields, and the reader of an object by a table of fields.
 * Implements S12 of docs/protocol.md; each method has its own table, and checks
 * itself which fields must come together.
 */
#include <assert.h>
#include <stdlib.h>

#include "scoring/fields.h"

#define PHONE_LENGTH       11
#define PHONE_FIRST        '7'
#define GENDER_MAX         2  /* 0 unknown, 1 male, 2 female */
#define BIRTHDAY_YEARS_MAX 70 /* S12.2 */

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
    [FIELD_IDS_EMPTY] = "must be a non-empty array of integers",
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

/* A JSON value that begins with n is null. */
static bool
is_null(const struct json_item *item)
{
    return *item->value == 'n';
}

static enum field_error
text_read(const struct json_item *item, struct bytes *ret_text)
{
    struct bytes text;

    if (is_null(item))
        return FIELD_EMPTY;
    if (!json_item_text(item, &text))
        return FIELD_NOT_STRING;
    if (text.length == 0)
        return FIELD_EMPTY;
    *ret_text = text;
    return FIELD_OK;
}

enum field_error
field_string(const struct json_item *item, const struct field_limits *limits,
             void *dest)
{
    (void)limits;
    return text_read(item, dest);
}

enum field_error
field_email(const struct json_item *item, const struct field_limits *limits,
            void *dest)
{
    struct bytes text;
    enum field_error error = text_read(item, &text);

    (void)limits;
    if (error != FIELD_OK)
        return error;
    if (memchr(text.at, '@', text.length) == NULL)
        return FIELD_EMAIL;
    *(field_email_dest *)dest = text;
    return FIELD_OK;
}

/* The text of an integer: of a number without fraction and exponent. */
static bool
integer_text_read(const struct json_item *item, struct bytes *ret_text)
{
    const char *at = item->value, *end = at + item->length;

    at += *at == '-' ? 1 : 0;
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    if (at < end)
        return false;
    *ret_text = (struct bytes){item->value, item->length};
    return true;
}

static bool
phone_is_valid(struct bytes text)
{
    if (text.length != PHONE_LENGTH || text.at[0] != PHONE_FIRST)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
    }
    return true;
}

enum field_error
field_phone(const struct json_item *item, const struct field_limits *limits,
            void *dest)
{
    struct bytes text;
    enum field_error error = text_read(item, &text);

    (void)limits;
    if (error == FIELD_NOT_STRING)
        error = integer_text_read(item, &text) ? FIELD_OK : FIELD_PHONE_TYPE;
    if (error != FIELD_OK)
        return error;
    if (!phone_is_valid(text))
        return FIELD_PHONE;
    *(field_phone_dest *)dest = text;
    return FIELD_OK;
}

static enum field_error
date_read(const struct json_item *item, struct bytes *ret_text,
          struct date *ret_date)
{
    struct bytes text;
    enum field_error error = text_read(item, &text);

    if (error != FIELD_OK)
        return error;
    if (!date_parse(text, ret_date))
        return FIELD_DATE;
    *ret_text = text;
    return FIELD_OK;
}

enum field_error
field_date(const struct json_item *item, const struct field_limits *limits,
           void *dest)
{
    struct date date;

    (void)limits;
    return date_read(item, dest, &date);
}

/*
 * S12.2: today is compared with a triple, which may not exist as a day: of a
 * birthday on 29 February, 28 February 70 years later is accepted, and 1 March
 * is not.
 */
enum field_error
field_birthday(const struct json_item *item, const struct field_limits *limits,
               void *dest)
{
    struct bytes text;
    struct date date;
    enum field_error error = date_read(item, &text, &date);

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

/* The last byte of the number is its digit: "-0" is 0, too. */
enum field_error
field_gender(const struct json_item *item, const struct field_limits *limits,
             void *dest)
{
    int64_t gender;

    (void)limits;
    if (is_null(item))
        return FIELD_EMPTY;
    if (!json_item_int64(item, &gender) || gender < 0 || gender > GENDER_MAX)
        return FIELD_GENDER;
    *(field_gender_dest *)dest =
        (struct bytes){item->value + item->length - 1, 1};
    return FIELD_OK;
}

static size_t
count_items(const struct json_item *array)
{
    struct json_walk walk = json_walk(array->value, array->length, array->line);
    struct json_item item;
    size_t count = 0;

    while (json_walk_next(&walk, &item))
        count++;
    return count;
}

enum field_error
field_client_ids(const struct json_item *item,
                 const struct field_limits *limits, void *dest)
{
    struct json_walk walk = json_walk(item->value, item->length, item->line);
    struct field_ids ids = {.count = 0};
    struct json_item id;

    if (is_null(item))
        return FIELD_EMPTY;
    if (*item->value != '[')
        return FIELD_IDS_TYPE;
    ids.count = count_items(item);
    if (ids.count == 0)
        return FIELD_IDS_EMPTY;
    if (ids.count > limits->client_ids_max)
        return FIELD_IDS_MANY;
    ids.item = calloc(ids.count, sizeof(*ids.item));
    if (ids.item == NULL)
        return FIELD_MEMORY;
    for (size_t i = 0; json_walk_next(&walk, &id); i++) {
        if (!json_item_int64(&id, &ids.item[i])) {
            free(ids.item);
            return FIELD_IDS_ITEM;
        }
    }
    *(field_client_ids_dest *)dest = ids;
    return FIELD_OK;
}

enum field_error
field_records(const struct json_item *item, const struct field_limits *limits,
              void *dest)
{
    struct field_records records = {.array = *item};

    if (is_null(item))
        return FIELD_EMPTY;
    if (*item->value != '[')
        return FIELD_RECORDS;
    records.count = count_items(item);
    if (records.count == 0)
        return FIELD_RECORDS;
    if (records.count > limits->records_max)
        return FIELD_RECORDS_MANY;
    *(field_records_dest *)dest = records;
    return FIELD_OK;
}

/* A JSON value that begins with t is true, one with f false. */
enum field_error
field_boolean(const struct json_item *item, const struct field_limits *limits,
              void *dest)
{
    (void)limits;
    if (is_null(item))
        return FIELD_EMPTY;
    if (*item->value != 't' && *item->value != 'f')
        return FIELD_BOOLEAN;
    *(field_boolean_dest *)dest = *item->value == 't';
    return FIELD_OK;
}

/* A required field has different faults if it is missing and if it is null. */
static enum field_error
member_read(const struct field *field, const struct json_item *item,
            const struct field_limits *limits, void *dest)
{
    bool is_required = (field->flags & FIELD_REQUIRED) != 0;
    enum field_error error;

    if (item->value == NULL)
        return is_required ? FIELD_MISSING : FIELD_OK;
    if (is_null(item) && is_required)
        return FIELD_NULL;
    error = field->rule(item, limits, (char *)dest + field->offset);
    return error == FIELD_EMPTY ? FIELD_OK : error;
}

/* Finds the member of each row: the last one with its name. */
static void
find_members(const struct field_table *table, const struct json_item *object,
             struct json_item *ret_items)
{
    struct json_walk walk =
        json_walk(object->value, object->length, object->line);
    struct json_item item;

    while (json_walk_next(&walk, &item)) {
        for (size_t i = 0; i < table->count; i++) {
            if (bytes_equal(item.name, table->rows[i].name))
                ret_items[i] = item;
        }
    }
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
fields_walk(const struct field_table *table, const struct json_item *object,
            const struct field_limits *limits, void *dest,
            struct field_faults *faults)
{
    struct json_item items[FIELDS_MAX] = {{.value = NULL}};
    enum field_error result = FIELD_OK;

    assert(table->count <= FIELDS_MAX && *object->value == '{');
    find_members(table, object, items);
    for (size_t i = 0; i < table->count; i++) {
        const struct field *field = &table->rows[i];
        enum field_error error = member_read(field, &items[i], limits, dest);

        if (error == FIELD_OK)
            continue;
        if (error == FIELD_MEMORY)
            return FIELD_MEMORY;
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
