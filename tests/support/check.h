#ifndef CHECK_H
#define CHECK_H

#include <CUnit/CUnit.h>
#include <stdbool.h>

/*
 * CUnit's assertions, with messages that show the actual and the expected
 * value. They are used as CUnit documents them; each argument is evaluated
 * once, and the FATAL ones leave the test. Include this header instead of
 * CUnit's.
 */

/* A number, a Boolean or a pointer, of any type. */
struct check_value {
    enum {
        CHECK_SIGNED,
        CHECK_UNSIGNED,
        CHECK_BOOL,
        CHECK_REAL,
        CHECK_POINTER
    } kind;
    union {
        long long number;
        unsigned long long natural;
        double real;
    } as;
};

/* The place of an assertion, and the source text of its arguments. */
struct check_at {
    const char *file;
    unsigned line;
    const char *actual, *expected;
    bool is_fatal;
};

/* One function for each type: gcc warns of a cast that is converted again. */
struct check_value check_signed(long long number);
struct check_value check_unsigned(unsigned long long natural);
struct check_value check_unsigned_int(unsigned natural);
struct check_value check_unsigned_long(unsigned long natural);
struct check_value check_bool(bool is_true);
struct check_value check_real(double real);
struct check_value check_pointer(const void *pointer);

/* Compares mathematically: -1 is not the largest unsigned number. */
void check_equal(struct check_value actual, struct check_value expected,
                 bool is_wanted, struct check_at at);
void check_text(const char *actual, const char *expected, bool is_wanted,
                struct check_at at);
void check_true(bool actual, bool wanted, struct check_at at);

#define CHECK_VALUE(x)                                                         \
    _Generic((x), _Bool                                                        \
             : check_bool, char                                                \
             : check_signed, signed char                                       \
             : check_signed, short                                             \
             : check_signed, int                                               \
             : check_signed, long                                              \
             : check_signed, long long                                         \
             : check_signed, unsigned char                                     \
             : check_unsigned, unsigned short                                  \
             : check_unsigned, unsigned                                        \
             : check_unsigned_int, unsigned long                               \
             : check_unsigned_long, unsigned long long                         \
             : check_unsigned, float                                           \
             : check_real, double                                              \
             : check_real, default                                             \
             : check_pointer)(x)

/* The source texts are made before the arguments are expanded. */
#define CHECK_SAME(actual, expected, is_wanted, ...)                           \
    check_equal(CHECK_VALUE(actual), CHECK_VALUE(expected), is_wanted,         \
                (struct check_at){__FILE__, __LINE__, __VA_ARGS__})
#define CHECK_TEXT(actual, expected, is_wanted, ...)                           \
    check_text(actual, expected, is_wanted,                                    \
               (struct check_at){__FILE__, __LINE__, __VA_ARGS__})
#define CHECK_TRUTH(actual, wanted, ...)                                       \
    check_true(actual, wanted,                                                 \
               (struct check_at){__FILE__, __LINE__, __VA_ARGS__})

#undef CU_ASSERT
#undef CU_ASSERT_FATAL
#undef CU_ASSERT_TRUE
#undef CU_ASSERT_TRUE_FATAL
#undef CU_ASSERT_FALSE
#undef CU_ASSERT_FALSE_FATAL
#undef CU_ASSERT_EQUAL
#undef CU_ASSERT_EQUAL_FATAL
#undef CU_ASSERT_NOT_EQUAL
#undef CU_ASSERT_NOT_EQUAL_FATAL
#undef CU_ASSERT_PTR_EQUAL
#undef CU_ASSERT_PTR_EQUAL_FATAL
#undef CU_ASSERT_PTR_NULL
#undef CU_ASSERT_PTR_NULL_FATAL
#undef CU_ASSERT_PTR_NOT_NULL
#undef CU_ASSERT_PTR_NOT_NULL_FATAL
#undef CU_ASSERT_STRING_EQUAL
#undef CU_ASSERT_STRING_EQUAL_FATAL
#undef CU_ASSERT_STRING_NOT_EQUAL
#undef CU_ASSERT_STRING_NOT_EQUAL_FATAL

#define CU_ASSERT(actual)       CHECK_TRUTH(actual, true, #actual, NULL, false)
#define CU_ASSERT_FATAL(actual) CHECK_TRUTH(actual, true, #actual, NULL, true)
#define CU_ASSERT_TRUE(actual)  CHECK_TRUTH(actual, true, #actual, NULL, false)
#define CU_ASSERT_TRUE_FATAL(actual)                                           \
    CHECK_TRUTH(actual, true, #actual, NULL, true)
#define CU_ASSERT_FALSE(actual) CHECK_TRUTH(actual, false, #actual, NULL, false)
#define CU_ASSERT_FALSE_FATAL(actual)                                          \
    CHECK_TRUTH(actual, false, #actual, NULL, true)
#define CU_ASSERT_EQUAL(actual, expected)                                      \
    CHECK_SAME(actual, expected, true, #actual, #expected, false)
#define CU_ASSERT_EQUAL_FATAL(actual, expected)                                \
    CHECK_SAME(actual, expected, true, #actual, #expected, true)
#define CU_ASSERT_NOT_EQUAL(actual, expected)                                  \
    CHECK_SAME(actual, expected, false, #actual, #expected, false)
#define CU_ASSERT_NOT_EQUAL_FATAL(actual, expected)                            \
    CHECK_SAME(actual, expected, false, #actual, #expected, true)
#define CU_ASSERT_PTR_EQUAL(actual, expected)                                  \
    CHECK_SAME(actual, expected, true, #actual, #expected, false)
#define CU_ASSERT_PTR_EQUAL_FATAL(actual, expected)                            \
    CHECK_SAME(actual, expected, true, #actual, #expected, true)
#define CU_ASSERT_PTR_NULL(actual)                                             \
    CHECK_SAME(actual, NULL, true, #actual, "NULL", false)
#define CU_ASSERT_PTR_NULL_FATAL(actual)                                       \
    CHECK_SAME(actual, NULL, true, #actual, "NULL", true)
#define CU_ASSERT_PTR_NOT_NULL(actual)                                         \
    CHECK_SAME(actual, NULL, false, #actual, "NULL", false)
#define CU_ASSERT_PTR_NOT_NULL_FATAL(actual)                                   \
    CHECK_SAME(actual, NULL, false, #actual, "NULL", true)
#define CU_ASSERT_STRING_EQUAL(actual, expected)                               \
    CHECK_TEXT(actual, expected, true, #actual, #expected, false)
#define CU_ASSERT_STRING_EQUAL_FATAL(actual, expected)                         \
    CHECK_TEXT(actual, expected, true, #actual, #expected, true)
#define CU_ASSERT_STRING_NOT_EQUAL(actual, expected)                           \
    CHECK_TEXT(actual, expected, false, #actual, #expected, false)
#define CU_ASSERT_STRING_NOT_EQUAL_FATAL(actual, expected)                     \
    CHECK_TEXT(actual, expected, false, #actual, #expected, true)

#endif
