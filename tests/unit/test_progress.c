/*
 * The line of progress, for given figures. The arithmetic is done by hand.
 */
#include "../../src/progress.h"
#include "../support/cases.h"
#include "suites.h"

struct progress_case {
    const char *name;
    struct progress_state state;
    int columns;
    const char *want;
};

/*
 * Of 61 columns the label takes 6, brackets and space 3, the figures 42: ten
 * are left for the bar, which is the least.
 */
static const struct progress_case progress_rows[] = {
    {"half",
     {"work", "lines", 500, 50, 100, 1000},
     61,
     "work  [#####.....]  50%  500 lines  500/s  0:01 left"},
    {"nothing yet",
     {"work", "lines", 0, 0, 100, 1000},
     61,
     "work  [..........]   0%  0 lines  0/s"},
    {"all",
     {"work", "lines", 7, 100, 100, 1000},
     61,
     "work  [##########] 100%  7 lines  7/s  0:00 left"},
    {"nearly all is not all",
     {"work", "lines", 7, 999, 1000, 1000},
     61,
     "work  [#########.]  99%  7 lines  7/s  0:01 left"},
    {"more than all",
     {"work", "lines", 7, 120, 100, 1000},
     61,
     "work  [##########] 100%  7 lines  7/s  0:00 left"},
    {"too early for a rate",
     {"work", "lines", 500, 50, 100, 499},
     61,
     "work  [#####.....]  50%  500 lines"},
    {"total not known",
     {"work", "KiB", 500, 50, 0, 2000},
     61,
     "work  500 KiB  250/s"},
    {"no room for a bar",
     {"work", "lines", 500, 50, 100, 1000},
     60,
     "work   50%  500 lines  500/s  0:01 left"},
    {"no room for all", {"work", "lines", 500, 50, 100, 1000}, 9, "work   50"},
    {"widest bar",
     {"work", "lines", 1, 1, 40, 100},
     300,
     "work  [#.......................................]   2%  1 lines"},
    {"minutes",
     {"work", "lines", 10, 1, 100, 1000},
     61,
     "work  [..........]   1%  10 lines  10/s  1:39 left"},
    {"hours",
     {"work", "lines", 10, 1, 10000, 1000},
     61,
     "work  [..........]   0%  10 lines  10/s  2:46:39 left"},
    /* 47 columns of figures leave 14. */
    {"beyond 32 bits",
     {"work", "lines", 5000000000, 5000000000000, 10000000000000, 1000},
     70,
     "work  [#######.......]  50%  5000000000 lines  5000000000/s  0:01 "
     "left"},
};

TEST_CASES(progress, struct progress_case, progress_rows)
{
    struct buf line = {0};

    progress_format(&c->state, c->columns, &line);
    CU_ASSERT(bytes_equal(buf_bytes(&line), bytes_of(c->want)));
    if (!bytes_equal(buf_bytes(&line), bytes_of(c->want)))
        (void)printf("got: %.*s\n", (int)line.length, line.data);
    buf_free(&line);
}

/* Whatever the terminal says that its width is. */
TEST_SINGLE(columns, "are never exceeded")
{
    static const struct progress_state state = {"checking", "lines", 123456789,
                                                3,          4,       5000};

    (void)c;
    for (int columns = 0; columns < 200; columns++) {
        struct buf line = {0};

        progress_format(&state, columns, &line);
        CU_ASSERT(line.length <= (size_t)columns);
        buf_free(&line);
    }
}

void
suite_progress(void)
{
    CU_pSuite suite = cases_suite("progress");

    cases_add(suite, &progress_cases);
    cases_add(suite, &columns_cases);
}
