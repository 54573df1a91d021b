/*
 * Rows that fail, die, hang and skip, each between rows that pass.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/cases.h"

struct way_case {
    const char *name;
    void (*go)(void);
};

static void
pass(void)
{
    CU_ASSERT_EQUAL(1, 1);
    (void)printf("what a row that passes says is of no interest\n");
}

static void
fail(void)
{
    const char *text = "abc";
    size_t length = 3;
    bool is_well = false;

    CU_ASSERT_EQUAL(length, 4);
    CU_ASSERT_EQUAL(-1, 0xffffffff);
    CU_ASSERT_STRING_EQUAL(text, "a\"d");
    CU_ASSERT_PTR_NULL(text - (size_t)text + 16);
    CU_ASSERT_TRUE(is_well);
    CU_ASSERT_EQUAL((double)length / 2, 1.25);
    (void)printf("what it has said\n");
    CU_ASSERT_NOT_EQUAL_FATAL(length, 3);
    CU_FAIL("not reached");
}

static void
raise_signal(void)
{
    (void)raise(SIGSEGV);
}

static void
leave(void)
{
    exit(0);
}

static void
leave_at_once(void)
{
    _exit(3);
}

/*
 * Starts a process that would outlive the test, in its own group. HANGS names a
 * file that reports that the row has come this far.
 */
static void
hang(void)
{
    const char *flag = getenv("HANGS");

    if (fork() == 0) {
        (void)setsid();
        (void)execlp("sleep", "sleep", "1000", (char *)NULL);
        _exit(1);
    }
    if (flag != NULL)
        (void)close(creat(flag, 0600));
    (void)pause();
}

static void
skip(void)
{
    cases_skip("for a reason");
}

static const struct way_case way_rows[] = {
    {"passes first", pass},
    {"fails", fail},
    {"passes after a failure", pass},
    {"aborts", abort},
    {"passes after an abort", pass},
    {"SIGSEGV, \"quoted\"", raise_signal},
    {"exits", leave},
    {"exits at once", leave_at_once},
    {"hangs", hang},
    {"skips", skip},
    {"passes at last", pass},
};

TEST_CASES(way, struct way_case, way_rows)
{
    c->go();
}

TEST_SINGLE(single, "fails without a table")
{
    CU_FAIL("as it is to");
}

/* FAILS_ONCE names a file that exists if the row has run before. */
TEST_SINGLE(once, "fails the first time")
{
    const char *flag = getenv("FAILS_ONCE");
    bool is_there = flag == NULL || access(flag, F_OK) == 0;

    if (flag != NULL)
        (void)close(creat(flag, 0600));
    CU_ASSERT_TRUE(is_there);
}

TEST_SUITE(.limit_s = 3, .parts = 3);
