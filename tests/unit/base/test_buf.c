/*
 * The growable buffer: its content after each kind of addition, its growth, and
 * its content after a failure.
 */
#include <stdint.h>

#include "base/buf.h"
#include "support/cases.h"

#define MANY 10000 /* additions: more than any buffer holds at first */

static bool
holds(const struct buf *buf, const char *want)
{
    return bytes_equal(buf_bytes(buf), bytes_of(want));
}

struct int_case {
    const char *name;
    long long number;
    const char *want;
};

static const struct int_case int_rows[] = {
    {"0", 0, "0"},
    {"1", 1, "1"},
    {"-1", -1, "-1"},
    {"9", 9, "9"},
    {"10", 10, "10"},
    {"-10", -10, "-10"},
    {"largest int64", INT64_MAX, "9223372036854775807"},
    {"smallest int64", INT64_MIN, "-9223372036854775808"},
};

TEST_CASES(add_int, struct int_case, int_rows)
{
    struct buf buf = {0};

    buf_add_int(&buf, c->number);
    CU_ASSERT_TRUE(holds(&buf, c->want));
    buf_add_text(&buf, "|");
    buf_add_int(&buf, 7);
    CU_ASSERT_EQUAL(buf.length, strlen(c->want) + 2);
    buf_free(&buf);
}

TEST_SINGLE(zeroed, "a zeroed buffer is empty")
{
    struct buf buf = {0};

    CU_ASSERT_EQUAL(buf_bytes(&buf).length, 0);
    CU_ASSERT_FALSE(buf.failed);
    buf_free(&buf);
}

TEST_SINGLE(nothing, "adding nothing needs no memory")
{
    struct buf buf = {0};

    buf_add(&buf, NULL, 0);
    buf_add_text(&buf, "");
    buf_add_bytes(&buf, (struct bytes){NULL, 0});
    CU_ASSERT_PTR_NULL(buf.data);
    CU_ASSERT_EQUAL(buf.length, 0);
    CU_ASSERT_FALSE(buf.failed);
}

TEST_SINGLE(order, "additions of all kinds follow each other")
{
    struct buf buf = {0};

    buf_add(&buf, "abc", 2);
    buf_add_text(&buf, "cd");
    buf_add_bytes(&buf, (struct bytes){"efg", 1});
    buf_add_int(&buf, -5);
    buf_printf(&buf, "%s=%03d", "x", 7);
    CU_ASSERT_TRUE(holds(&buf, "abcde-5x=007"));
    buf_free(&buf);
}

TEST_SINGLE(nul, "NULs are bytes like others")
{
    struct buf buf = {0};

    buf_add(&buf, "a\0b", 3);
    buf_add_text(&buf, "c");
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&buf), (struct bytes){"a\0bc", 4}));
    buf_free(&buf);
}

TEST_SINGLE(growth, "contents survive growth")
{
    struct buf buf = {0};
    bool is_right = true;

    for (int i = 0; i < MANY; i++)
        buf_add(&buf, &"0123456789"[i % 10], 1);
    CU_ASSERT_EQUAL(buf.length, MANY);
    for (size_t i = 0; i < buf.length; i++)
        is_right = is_right && buf.data[i] == "0123456789"[i % 10];
    CU_ASSERT_TRUE(is_right);
    buf_free(&buf);
}

struct printf_case {
    const char *name;
    int width; /* of the printed text */
};

/* Around the initial capacity of a buffer, and its double. */
static const struct printf_case printf_rows[] = {
    {"nothing", 0}, {"one", 1},        {"one less than 256", 255},
    {"256", 256},   {"one more", 257}, {"one less than 512", 511},
    {"512", 512},   {"10000", 10000},
};

TEST_CASES(printf, struct printf_case, printf_rows)
{
    struct buf buf = {0};

    buf_printf(&buf, "%.*s", 0, "x");
    CU_ASSERT_EQUAL(buf.length, 0);
    if (c->width > 0)
        buf_printf(&buf, "%*s", c->width, "x");
    CU_ASSERT_EQUAL(buf.length, (size_t)c->width);
    buf_add_text(&buf, "y");
    CU_ASSERT_EQUAL(buf.data[c->width], 'y');
    CU_ASSERT_FALSE(buf.failed);
    buf_free(&buf);
}

TEST_SINGLE(reserve, "reserved room takes additions without moving")
{
    struct buf buf = {0};
    const char *data;

    CU_ASSERT_TRUE(buf_reserve(&buf, MANY));
    CU_ASSERT_EQUAL(buf.length, 0);
    data = buf.data;
    for (int i = 0; i < MANY; i++)
        buf_add_text(&buf, "x");
    CU_ASSERT_PTR_EQUAL(buf.data, data);
    buf_free(&buf);
}

struct failure_case {
    const char *name;
    size_t more;
};

static const struct failure_case failure_rows[] = {
    {"all there is", SIZE_MAX},
    {"half of it", SIZE_MAX / 2},
    {"one more than fits beside 3 bytes", SIZE_MAX / 2 - 2},
};

TEST_CASES(failure, struct failure_case, failure_rows)
{
    struct buf buf = {0};

    buf_add_text(&buf, "abc");
    CU_ASSERT_FALSE(buf_reserve(&buf, c->more));
    CU_ASSERT_TRUE(buf.failed);
    buf_add_text(&buf, "def");
    buf_add_int(&buf, 1);
    buf_printf(&buf, "%d", 2);
    CU_ASSERT_FALSE(buf_reserve(&buf, 1));
    CU_ASSERT_TRUE(holds(&buf, "abc"));
    buf_clear(&buf);
    CU_ASSERT_FALSE(buf.failed);
    buf_add_text(&buf, "ghi");
    CU_ASSERT_TRUE(holds(&buf, "ghi"));
    buf_free(&buf);
}

TEST_SINGLE(clear, "clearing keeps the memory")
{
    struct buf buf = {0};
    const char *data;

    buf_add_text(&buf, "abc");
    data = buf.data;
    buf_clear(&buf);
    CU_ASSERT_EQUAL(buf.length, 0);
    buf_add_text(&buf, "d");
    CU_ASSERT_PTR_EQUAL(buf.data, data);
    CU_ASSERT_TRUE(holds(&buf, "d"));
    buf_free(&buf);
}

TEST_SINGLE(free, "freeing leaves a zeroed struct, and takes NULL")
{
    struct buf buf = {0};

    buf_add_text(&buf, "abc");
    CU_ASSERT_FALSE(buf_reserve(&buf, SIZE_MAX));
    buf_free(&buf);
    CU_ASSERT_PTR_NULL(buf.data);
    CU_ASSERT_EQUAL(buf.length, 0);
    CU_ASSERT_EQUAL(buf.capacity, 0);
    CU_ASSERT_FALSE(buf.failed);
    buf_free(&buf);
    buf_free(NULL);
}
