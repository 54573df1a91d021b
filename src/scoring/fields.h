#ifndef FIELDS_H
#define FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "scoring/date.h"

struct json_object;

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
    FIELD_IDS_ITEM,
    FIELD_IDS_MANY,
    FIELD_IDS_LARGE, /* their stored values are too large together */
    FIELD_BOOLEAN,
    FIELD_RECORDS,
    FIELD_RECORDS_MANY,
    FIELD_MISSING,
    FIELD_NULL,   /* of a required field */
    FIELD_MEMORY, /* out of memory; not the caller's fault */
    FIELD__MAX
};

/* The text that follows the field's name in an error message; static. */
const char *field_error_text(enum field_error error);

/* The most rows of a field table, and so the most names in field_faults. */
#define FIELDS_MAX 16

/* The faults of a request; starts as a zeroed struct. */
struct field_faults {
    struct buf text; /* for the caller: "name: what is wrong; ..." */
    const char *names[FIELDS_MAX]; /* for the log: each once; borrowed */
    size_t name_count;
};

/* Adds a name for the log: a static text, never one that a caller has sent. */
void field_blame(struct field_faults *faults, const char *name);

/* Adds a fault for the caller, and its name for the log. If memory runs out,
 * faults->text.failed is set. */
void field_add_fault(struct field_faults *faults, const char *name,
                     enum field_error error);

/* What the rules need besides the value. */
struct field_limits {
    struct date today; /* local */
    size_t client_ids_max;
    size_t records_max;
};

/* Ids in the order of the request, with repetitions. Zeroed: none. */
struct field_ids {
    int64_t *item;
    size_t count;
};

/* Records: each is read by itself. */
struct field_records {
    struct json_object *array; /* borrowed */
    size_t count;              /* at least 1 */
};

#define FIELD_GENDER_UNKNOWN '0' /* a value, not empty: S12.1 */

/*
 * A rule checks one value that is present, and stores it.
 *
 * value   borrowed; NULL is JSON's null. A stored text points into it.
 * dest    points to the type that stands beside the rule below.
 *
 * Returns FIELD_OK with *dest set; FIELD_EMPTY for null and, if the field is a
 * text, for ""; or the fault. *dest is set on FIELD_OK only.
 * Source: docs/protocol.md, S12.
 */
typedef enum field_error field_rule(struct json_object *value,
                                    const struct field_limits *limits,
                                    void *dest);

typedef struct bytes field_string_dest;
typedef struct bytes field_email_dest;
typedef struct bytes field_phone_dest; /* 11 digits, also of a number */
typedef struct bytes field_date_dest;  /* DD.MM.YYYY */
typedef struct bytes field_birthday_dest;
typedef struct bytes field_gender_dest;         /* one digit, static */
typedef struct field_ids field_client_ids_dest; /* allocated: free(item) */
typedef struct field_records field_records_dest;
typedef bool field_boolean_dest;

field_rule field_string, field_email, field_phone, field_date, field_birthday,
    field_gender, field_client_ids, field_records, field_boolean;

/* How the documents describe a rule. */
struct field_kind {
    field_rule *rule;
    const char *name;
    const char *schema;  /* its name in docs/openapi.json */
    const char *meaning; /* Markdown */
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
    size_t offset; /* of the destination in the struct of the request */
    int flags;     /* enum field_flags */
};

/*
 * A row of a field table. It does not compile if the member has another type
 * than the one that the rule stores.
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
 * Reads the members of a JSON object by a table of fields. Members without a
 * row are ignored. The destination of an empty field stays as it was.
 *
 * object   borrowed, not NULL; texts in dest point into it.
 * dest     the struct of the request, zeroed or with its defaults. It may hold
 *          allocated ids, which the caller frees, also after a failure.
 * faults   receives every wrong field, in the order of the table.
 *
 * Returns FIELD_OK; FIELD_MISSING if any field is wrong, for whatever reason;
 * or FIELD_MEMORY, and faults->text.failed is set.
 */
enum field_error fields_walk(const struct field_table *table,
                             struct json_object *object,
                             const struct field_limits *limits, void *dest,
                             struct field_faults *faults);

#endif
