#ifndef SCORING_PERSON_H
#define SCORING_PERSON_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "scoring/fields.h"

/*
 * What is known of a person: the arguments that a score is made of, one row
 * each, in the order in which they are named and make the key of the cache.
 * All else follows from these rows.
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

/* A row of a table of fields, whose destination begins with a person. */
#define PERSON_ROW(input, member, check)                                       \
    {                                                                          \
        .name = {#member, sizeof(#member) - 1},                                \
        .rule = check,                                                         \
        .flags = FIELD_OPTIONAL,                                               \
        .offset = offsetof(struct person, given[PERSON_##input]) +             \
                  0 * sizeof((check##_dest *)0 ==                              \
                             &((struct person *)0)->given[PERSON_##input]),    \
    },

/* Each may be absent; person_is_enough() says which must come together. */
extern const struct field_table person_fields;

/*
 * Reads the arguments of a score from any JSON value: an object, with enough in
 * it. False, with the faults that online_score would have added; without memory
 * their text has failed.
 */
bool person_read(const struct json_item *item,
                 const struct field_limits *limits, struct person *person,
                 struct field_faults *faults);

/* A mask of the inputs that are given. */
unsigned person_given(const struct person *person);

/* The same without what counts for nothing: gender 0, which is unknown. */
unsigned person_known(const struct person *person);

/*
 * Whether a pair is complete: phone and email, first_name and last_name, or
 * gender and birthday; if not, adds words that name them.
 */
bool person_is_enough(unsigned given, struct field_faults *faults);

/* Adds the names of the inputs of a mask, with a separator between them. */
void person_add_names(unsigned mask, const char *separator, struct buf *out);

#endif
