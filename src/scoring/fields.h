#ifndef FIELDS_H
#define FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/json.h"
#include "scoring/date.h"

enum field_error {
    FIELD_OK = 0,
    FIELD_EMPTY, /* null or "": valid where the field may be empty */
    FIELD_NOT_STRING,
    FIELD_NOT_OBJECT,
    FIELD_EMAIL,
    FIELD_PHONE_TYPE,
    FIELD_PHONE,
    FIELD_DATE,
    FIELD_FUTURE,
    FIELD_TOO_OLD,
    FIELD_GENDER,
    FIELD_IDS_TYPE,
    FIELD_IDS_EMPTY,
    FIELD_IDS_ITEM,
    FIELD_IDS_MANY,
    FIELD_IDS_LARGE, /* what is stored for them */
    FIELD_BOOLEAN,
    FIELD_RECORDS,
    FIELD_RECORDS_MANY,
    FIELD_MISSING,
    FIELD_NULL,   /* where a value is required */
    FIELD_MEMORY, /* not the caller's fault */
    FIELD__MAX
};

/* What is wrong, as it follows the field's name in an error; static text. */
const char *field_error_text(enum field_error error);

/* Rows of a table, at most; and so names at fault. */
#define FIELDS_MAX 16

/* What is wrong with a request: start with a zeroed struct. */
struct field_faults {
    struct buf text; /* for the caller: "name: what is wrong; ..." */
    const char *names[FIELDS_MAX]; /* for the log: each once; static */
    size_t name_count;
};

/* Adds a name alone: it is one of a table, never what somebody has sent. */
void field_blame(struct field_faults *faults, const char *name);

/* Adds both. Whether there was memory for it the text remembers. */
void field_add_fault(struct field_faults *faults, const char *name,
                     enum field_error error);

/* What the rules need besides the value. */
struct field_limits {
    struct date today; /* local */
    size_t client_ids_max;
    size_t records_max;
};

/* Ids as given: order and repetitions kept. Zeroed: none. */
struct field_ids {
    int64_t *item;
    size_t count;
};

/* Records as they are written, each to be read by itself. */
struct field_records {
    struct json_item array;
    size_t count; /* at least 1 */
};

#define FIELD_GENDER_UNKNOWN '0' /* a value like others, and not empty */

/*
 * Rules: each checks one value that is present, and stores it.
 *
 * item    a value of a text that has been checked, decoded where it stands: a
 *         rule is for once. Texts that are stored are lent by it.
 * dest    points to the type that stands beside the rule below.
 *
 * Returns FIELD_OK with *dest set; FIELD_EMPTY for null and, in text, "";
 * or what is wrong. *dest is set on FIELD_OK only.
 * Source: docs/protocol.md, S12.
 */
typedef enum field_error field_rule(const struct json_item *item,
                                    const struct field_limits *limits,
                                    void *dest);

typedef struct bytes field_string_dest;
typedef struct bytes field_email_dest;
typedef struct bytes field_phone_dest; /* digits; of a number too */
typedef struct bytes field_date_dest;  /* as given */
typedef struct bytes field_birthday_dest;
typedef struct bytes field_gender_dest;         /* one digit, static */
typedef struct field_ids field_client_ids_dest; /* allocated: free(item) */
typedef struct field_records field_records_dest;
typedef bool field_boolean_dest;

field_rule field_string, field_email, field_phone, field_date, field_birthday,
    field_gender, field_client_ids, field_records, field_boolean;

/* Each rule in the words of the documents, in Markdown. */
struct field_kind {
    field_rule *rule;
    const char *name;
    const char *schema; /* that says the same, in docs/openapi.json */
    const char *meaning;
};

extern const struct field_kind field_kinds[];
extern const size_t field_kinds_count;

enum field_flags {
    FIELD_OPTIONAL = 0, /* may be absent, null or "" */
    FIELD_REQUIRED = 1, /* must be present and not null; may be "" */
};

struct field {
    struct bytes name; /* ends with a NUL */
    field_rule *rule;
    size_t offset; /* of the destination in the request's struct */
    int flags;
};

/*
 * One row of a field table. A row whose member is not of the type that the
 * rule stores does not compile.
 */
#define FIELD(type, member, check, presence)                                   \
    {                                                                          \
        .name = {#member, sizeof(#member) - 1}, .rule = check,                 \
        .flags = presence,                                                     \
        .offset = offsetof(type, member) +                                     \
                  0 * sizeof((check##_dest *)0 == &((type *)0)->member),       \
    }

struct field_table {
    const struct field *rows;
    size_t count;
};

/*
 * Walks a table over the members of a JSON object: reads each row's member,
 * the last one of its name, into dest, and tells about every row that fails.
 * Members without a row are ignored, and so is an empty member that is
 * optional, or "" where text is required: its destination stays as it was.
 *
 * object   an object that has been checked, decoded where it stands: it is for
 *          once. What dest holds afterwards is lent by it.
 * dest     the request's struct, zeroed or with its defaults. After a failure
 *          too it may hold ids, which the caller frees.
 * faults   gets every row that fails, in the order of the table.
 *
 * Returns FIELD_OK; FIELD_MISSING when any row failed, whatever the reason;
 * FIELD_MEMORY without memory.
 */
enum field_error fields_walk(const struct field_table *table,
                             const struct json_item *object,
                             const struct field_limits *limits, void *dest,
                             struct field_faults *faults);

#endif
