#ifndef SCORING_PERSON_H
#define SCORING_PERSON_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "scoring/fields.h"

/*
 * The inputs of a score, one row each: what is known of a person. In this order
 * they are listed, and are part of the cache key. Everything else about them
 * follows from these rows.
 */
#define PERSON_FIELDS(ROW)                                                     \
    ROW(PHONE, phone, field_phone)                                             \
    ROW(EMAIL, email, field_email)                                             \
    ROW(FIRST_NAME, first_name, field_string)                                  \
    ROW(LAST_NAME, last_name, field_string)                                    \
    ROW(BIRTHDAY, birthday, field_birthday)                                    \
    ROW(GENDER, gender, field_gender)

#define PERSON_ENUM(input, name, rule) PERSON_##input,
enum person_input { PERSON_FIELDS(PERSON_ENUM) PERSON__MAX };

/* The bit of an input in a mask. */
#define PERSON_BIT(input) (1U << PERSON_##input)

struct person {
    struct bytes given[PERSON__MAX]; /* empty: not given */
};

/* A row of a field table; the struct of the request begins with a person. */
#define PERSON_ROW(input, member, check)                                       \
    {                                                                          \
        .name = {#member, sizeof(#member) - 1},                                \
        .rule = check,                                                         \
        .flags = FIELD_OPTIONAL,                                               \
        .offset = offsetof(struct person, given[PERSON_##input]) +             \
                  0 * sizeof((check##_dest *)0 ==                              \
                             &((struct person *)0)->given[PERSON_##input]),    \
    },

/* Each field is optional; person_is_enough() checks which come together. */
extern const struct field_table person_fields;

/*
 * Reads a person from a JSON value, and checks that it is an object with enough
 * fields. Returns false, with the faults that online_score would report; if
 * memory runs out, faults->text.failed is set.
 *
 * value    borrowed; NULL is JSON's null.
 * person   zeroed; its texts point into the value.
 */
bool person_read(struct json_object *value, const struct field_limits *limits,
                 struct person *person, struct field_faults *faults);

/* A mask of the inputs that are given. */
unsigned person_given(const struct person *person);

/* A mask of the inputs that are known: gender 0 is given, but unknown. */
unsigned person_known(const struct person *person);

/*
 * Whether a pair is complete: phone and email, first_name and last_name, or
 * gender and birthday (S13.1); if not, adds a fault that names the pairs.
 *
 * given   from person_given().
 */
bool person_is_enough(unsigned given, struct field_faults *faults);

/* Adds the names of the inputs in a mask, with a separator between them. */
void person_add_names(unsigned mask, const char *separator, struct buf *out);

#endif
