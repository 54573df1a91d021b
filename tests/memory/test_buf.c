/* A buffer with every allocation failing in turn: it reports the failure until
 * it is cleared. */
#include <string.h>

#include "base/buf.h"
#include "support/cases.h"
#include "support/memory.h"

#define LONG_LENGTH 3000

static char letters[LONG_LENGTH + 1];

struct buf_case {
    const char *name;
    void (*add)(struct buf *buf);
    size_t want; /* bytes that the row adds */
};

static void
add_text(struct buf *buf)
{
    buf_add_text(buf, letters);
}

static void
add_int(struct buf *buf)
{
    buf_add_int(buf, -10);
}

static void
add_printed(struct buf *buf)
{
    buf_printf(buf, "%s!", letters);
}

static const struct buf_case buf_rows[] = {
    {"bytes", add_text, LONG_LENGTH},
    {"a number", add_int, 3},
    {"a format", add_printed, LONG_LENGTH + 1},
};

/* The content stays; after a failure even a short text is not added. */
static void
try(const void *row)
{
    const struct buf_case *c = row;
    struct buf buf = {0};
    size_t before;
    bool has_failed;

    buf_add_text(&buf, "abc");
    before = buf.length;
    c->add(&buf);
    buf_add_text(&buf, "d");
    has_failed = memory_stop();
    CU_ASSERT_EQUAL(buf.failed, has_failed);
    CU_ASSERT_EQUAL(buf.length, has_failed ? before : 3 + c->want + 1);
    CU_ASSERT_EQUAL(memcmp(buf.length > 0 ? buf.data : "abc", "abc", 3), 0);
    buf_clear(&buf);
    buf_add_text(&buf, "abc");
    CU_ASSERT_FALSE(buf.failed);
    CU_ASSERT_EQUAL(buf.length, 3);
    buf_free(&buf);
}

TEST_CASES(buf, struct buf_case, buf_rows)
{
    memset(letters, 'x', LONG_LENGTH);
    memory_fail_each(try, c);
}
