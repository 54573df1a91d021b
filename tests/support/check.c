/*
 * CUnit's assertions with both values in what they say. A text is made only
 * for what fails, and without allocating: tests let memory fail.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

#define CHECK_TEXT_MAX   4096 /* of one failure */
#define CHECK_QUOTED_MAX 1000 /* characters of a value that are shown */
#define CHECK_BEFORE     40   /* of these, before the first difference */

struct sentence {
    size_t length;
    char text[CHECK_TEXT_MAX];
};

static void __attribute__((format(printf, 2, 3)))
add(struct sentence *sentence, const char *format, ...)
{
    size_t room = sizeof(sentence->text) - sentence->length;
    va_list list;
    int length;

    va_start(list, format);
    length = vsnprintf(sentence->text + sentence->length, room, format, list);
    va_end(list);
    if (length > 0)
        sentence->length += (size_t)length < room ? (size_t)length : room - 1;
}

struct check_value
check_signed(long long number)
{
    return (struct check_value){CHECK_SIGNED, {.number = number}};
}

struct check_value
check_unsigned(unsigned long long natural)
{
    return (struct check_value){CHECK_UNSIGNED, {.natural = natural}};
}

struct check_value
check_unsigned_int(unsigned natural)
{
    return check_unsigned(natural);
}

struct check_value
check_unsigned_long(unsigned long natural)
{
    return check_unsigned(natural);
}

struct check_value
check_bool(bool is_true)
{
    return (struct check_value){CHECK_BOOL, {.natural = is_true}};
}

struct check_value
check_real(double real)
{
    return (struct check_value){CHECK_REAL, {.real = real}};
}

struct check_value
check_pointer(const void *pointer)
{
    return (struct check_value){CHECK_POINTER, {.natural = (uintptr_t)pointer}};
}

static bool
is_negative(struct check_value value)
{
    return value.kind == CHECK_SIGNED && value.as.number < 0;
}

static double
as_real(struct check_value value)
{
    if (value.kind == CHECK_REAL)
        return value.as.real;
    return value.kind == CHECK_SIGNED ? (double)value.as.number
                                      : (double)value.as.natural;
}

/* Of what is not negative: all members of the union have the same bits. */
static bool
are_equal(struct check_value a, struct check_value b)
{
    if (a.kind == CHECK_REAL || b.kind == CHECK_REAL)
        return as_real(a) == as_real(b);
    return is_negative(a) == is_negative(b) && a.as.natural == b.as.natural;
}

static void
add_value(struct sentence *sentence, struct check_value value)
{
    switch (value.kind) {
    case CHECK_SIGNED:
        add(sentence, "%lld", value.as.number);
        break;
    case CHECK_UNSIGNED:
        add(sentence, "%llu", value.as.natural);
        break;
    case CHECK_BOOL:
        add(sentence, "%s", value.as.natural != 0 ? "true" : "false");
        break;
    case CHECK_REAL:
        add(sentence, "%.17g", value.as.real);
        break;
    case CHECK_POINTER:
        add(sentence, value.as.natural == 0 ? "NULL" : "0x%llx",
            value.as.natural);
        break;
    }
}

/* As C writes it, from some character on. */
static void
add_quoted(struct sentence *sentence, const char *text, size_t from)
{
    size_t end = from + CHECK_QUOTED_MAX;

    if (text == NULL) {
        add(sentence, "NULL");
        return;
    }
    add(sentence, from > 0 ? "...\"" : "\"");
    for (; text[from] != '\0' && from < end; from++) {
        unsigned char byte = (unsigned char)text[from];

        if (byte == '\n')
            add(sentence, "\\n");
        else if (byte == '"' || byte == '\\')
            add(sentence, "\\%c", byte);
        else if (isprint(byte))
            add(sentence, "%c", byte);
        else
            add(sentence, "\\x%02x", byte);
    }
    add(sentence, text[from] != '\0' ? "\"..." : "\"");
}

/* What stands in the source says more than its value, unless it is that. */
static void
add_source(struct sentence *sentence, const char *source, size_t value_at)
{
    if (strcmp(sentence->text + value_at, source) != 0)
        add(sentence, " (%s)", source);
}

static void
conclude(struct check_at at, const struct sentence *sentence)
{
    (void)CU_assertImplementation(CU_FALSE, at.line, sentence->text, at.file,
                                  "", at.is_fatal);
}

static void
pass(struct check_at at)
{
    (void)CU_assertImplementation(CU_TRUE, at.line, at.actual, at.file, "",
                                  at.is_fatal);
}

void
check_equal(struct check_value actual, struct check_value expected,
            bool is_wanted, struct check_at at)
{
    struct sentence sentence = {0};
    size_t value_at;

    if (are_equal(actual, expected) == is_wanted) {
        pass(at);
        return;
    }
    add(&sentence, "%s is ", at.actual);
    add_value(&sentence, actual);
    add(&sentence, is_wanted ? ", wanted " : ", wanted anything but ");
    value_at = sentence.length;
    add_value(&sentence, expected);
    add_source(&sentence, at.expected, value_at);
    conclude(at, &sentence);
}

static size_t
first_difference(const char *a, const char *b)
{
    size_t at = 0;

    while (a != NULL && b != NULL && a[at] != '\0' && a[at] == b[at])
        at++;
    return at;
}

void
check_text(const char *actual, const char *expected, bool is_wanted,
           struct check_at at)
{
    struct sentence sentence = {0};
    bool is_equal = actual == expected || (actual != NULL && expected != NULL &&
                                           strcmp(actual, expected) == 0);
    size_t difference = first_difference(actual, expected);
    size_t from = difference < CHECK_QUOTED_MAX / 2 || is_equal
                      ? 0
                      : difference - CHECK_BEFORE;
    size_t value_at;

    if (is_equal == is_wanted) {
        pass(at);
        return;
    }
    add(&sentence, "%s is ", at.actual);
    add_quoted(&sentence, actual, from);
    add(&sentence, is_wanted ? ", wanted " : ", wanted anything but ");
    value_at = sentence.length;
    add_quoted(&sentence, expected, from);
    add_source(&sentence, at.expected, value_at);
    conclude(at, &sentence);
}

void
check_true(bool actual, bool wanted, struct check_at at)
{
    struct sentence sentence = {0};

    if (actual == wanted) {
        pass(at);
        return;
    }
    add(&sentence, "%s is %s", at.actual, actual ? "true" : "false");
    conclude(at, &sentence);
}
