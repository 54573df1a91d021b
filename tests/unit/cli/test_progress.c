/*
 * The line of progress for given figures, and the line at the end. Expected
 * values are calculated by hand.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "support/calls.h"
#include "support/cases.h"

struct progress_case {
    const char *name;
    struct progress_state state;
    int columns;
    const char *want;
};

/*
 * Of 61 columns the label takes 6, brackets and spaces 3, and the figures 42:
 * ten are left for the bar, the minimum.
 */
static const struct progress_case progress_rows[] = {
    {"half", LIST("work", "lines", 500, 50, 100, 1000), 61,
     "work  [#####.....]  50%  500 lines  500/s  0:01 left"},
    {"nothing yet", LIST("work", "lines", 0, 0, 100, 1000), 61,
     "work  [..........]   0%  0 lines  0/s"},
    {"all", LIST("work", "lines", 7, 100, 100, 1000), 61,
     "work  [##########] 100%  7 lines  7/s  0:00 left"},
    {"nearly all is not all", LIST("work", "lines", 7, 999, 1000, 1000), 61,
     "work  [#########.]  99%  7 lines  7/s  0:01 left"},
    {"more than all", LIST("work", "lines", 7, 120, 100, 1000), 61,
     "work  [##########] 100%  7 lines  7/s  0:00 left"},
    {"too early for a rate", LIST("work", "lines", 500, 50, 100, 499), 61,
     "work  [#####.....]  50%  500 lines"},
    {"just in time for a rate", LIST("work", "lines", 500, 50, 100, 500), 61,
     "work  [#####.....]  50%  500 lines  1000/s  0:01 left"},
    {"of one line", LIST("work", "lines", 0, 1, 1, 2000), 61,
     "work  [##########] 100%  0 lines  0/s  0:00 left"},
    {"total not known", LIST("work", "KiB", 500, 50, 0, 2000), 61,
     "work  500 KiB  250/s"},
    {"no room for a bar", LIST("work", "lines", 500, 50, 100, 1000), 60,
     "work   50%  500 lines  500/s  0:01 left"},
    {"no room for all", LIST("work", "lines", 500, 50, 100, 1000), 9,
     "work   50"},
    {"widest bar", LIST("work", "lines", 1, 1, 40, 100), 300,
     "work  [#.......................................]   2%  1 lines"},
    {"minutes", LIST("work", "lines", 10, 1, 100, 1000), 61,
     "work  [..........]   1%  10 lines  10/s  1:39 left"},
    {"a second less than an hour", LIST("work", "lines", 10, 1, 3600, 1000), 61,
     "work  [..........]   0%  10 lines  10/s  59:59 left"},
    {"an hour", LIST("work", "lines", 10, 1, 3601, 1000), 61,
     "work  [..........]   0%  10 lines  10/s  1:00:00 left"},
    {"hours", LIST("work", "lines", 10, 1, 10000, 1000), 61,
     "work  [..........]   0%  10 lines  10/s  2:46:39 left"},
    /* 47 columns of figures leave 14. */
    {"beyond 32 bits",
     LIST("work", "lines", 5000000000, 5000000000000, 10000000000000, 1000), 70,
     "work  [#######.......]  50%  5000000000 lines  5000000000/s  0:01 "
     "left"},
};

TEST_CASES(progress, struct progress_case, progress_rows)
{
    static const char before[] =
        "\r\033[K"; /* erases the line; takes no columns */
    struct buf out = {0};
    struct bytes line;

    buf_add_text(&out, before);
    progress_format(&c->state, c->columns, &out);
    line =
        (struct bytes){out.data + strlen(before), out.length - strlen(before)};
    CU_ASSERT(bytes_equal(line, bytes_of(c->want)));
    if (!bytes_equal(line, bytes_of(c->want)))
        (void)printf("got: %.*s\n", (int)line.length, line.at);
    buf_free(&out);
}

/* For any reported width of the terminal, and any label. */
TEST_SINGLE(columns, "are never exceeded")
{
    static const char front[] = "some text that is in the buffer already";
    static const struct progress_state state = {"checking", "lines", 123456789,
                                                3,          4,       5000};

    for (int columns = 0; columns < 200; columns++) {
        struct buf line = {0}, behind = {0};

        progress_format(&state, columns, &line);
        CU_ASSERT(line.length <= (size_t)columns);
        buf_add_text(&behind, front);
        progress_format(&state, columns, &behind);
        CU_ASSERT_EQUAL(behind.length, strlen(front) + line.length);
        CU_ASSERT_EQUAL(
            memcmp(behind.data + strlen(front), line.data, line.length), 0);
        buf_free(&behind);
        buf_free(&line);
    }
}

#define DRAWN_MAX 256

/* Standard error, and the file that replaces it. */
static int usual, file;

static void
capture(void)
{
    usual = dup(STDERR_FILENO);
    file = memfd_create("standard error", MFD_CLOEXEC);
    CU_ASSERT_FATAL(usual != -1 && file != -1);
    CU_ASSERT_EQUAL(dup2(file, STDERR_FILENO), STDERR_FILENO);
}

static void
release(char ret_drawn[DRAWN_MAX])
{
    ssize_t length = pread(file, ret_drawn, DRAWN_MAX - 1, 0);

    CU_ASSERT_EQUAL(dup2(usual, STDERR_FILENO), STDERR_FILENO);
    ret_drawn[length > 0 ? length : 0] = '\0';
    (void)close(file);
    (void)close(usual);
}

/*
 * Each row has two pieces of work: 60 s of a first one, of which nothing may be
 * left, then a second one with two calls, the second after so many ms.
 */
struct draw_case {
    const char *name;
    bool is_shown;
    int ms; /* until the last call, which has 50 done of 100 */
    const char *want;
};

static const struct draw_case draw_rows[] = {
    {"not on a terminal", false, 1000, ""},
    {"too soon", true, 99, ""},
    {"soon enough", true, 100, "\r\033[Kb  [" /* no rate yet */},
    {"a second later", true, 1000, "\r\033[Kb  ["},
};

TEST_CASES(draw, struct draw_case, draw_rows)
{
    struct progress progress = {.is_shown = c->is_shown};
    char drawn[DRAWN_MAX];

    capture();
    calls_stop_clock();
    progress_start(&progress, "a", "bytes", 7);
    progress_set(&progress, 3, 3);
    calls_pass_ms(60000);
    progress_start(&progress, "b", "lines", 100);
    progress_set(&progress, 1, 2);
    calls_pass_ms(c->ms);
    progress_set(&progress, 50, 500);
    calls_let_clock_go();
    release(drawn);
    CU_ASSERT_EQUAL(progress.is_drawn, c->want[0] != '\0');
    CU_ASSERT_EQUAL(strncmp(drawn, c->want, strlen(c->want)), 0);
    CU_ASSERT_EQUAL(drawn[0] == '\0', c->want[0] == '\0');
    CU_ASSERT_EQUAL(strstr(drawn, "500/s  0:01 left") != NULL,
                    c->want[0] != '\0' && c->ms == 1000);
}

/* Exactly what was drawn is erased, once. */
TEST_SINGLE(erase, "takes away what was drawn, once")
{
    struct progress progress = {.is_shown = true};
    char drawn[DRAWN_MAX];

    capture();
    calls_stop_clock();
    progress_start(&progress, "b", "lines", 0);
    progress_erase(&progress);
    calls_pass_ms(100);
    progress_set(&progress, 1, 1);
    progress_set(&progress, 2, 2); /* too soon */
    progress_erase(&progress);
    progress_erase(&progress);
    calls_let_clock_go();
    release(drawn);
    CU_ASSERT_STRING_EQUAL(drawn, "\r\033[Kb  1 lines\r\033[K");
}

struct end_case {
    const char *name;
    int64_t ms; /* that the command took */
    const char *want;
};

static const struct end_case end_rows[] = {
    {"no time", 0, "scoring: file: 7 clients are written in 0.0 s\n"},
    {"nearly a tenth", 99, "scoring: file: 7 clients are written in 0.0 s\n"},
    {"a tenth", 100, "scoring: file: 7 clients are written in 0.1 s\n"},
    {"a while", 62345, "scoring: file: 7 clients are written in 62.3 s\n"},
};

TEST_CASES(end, struct end_case, end_rows)
{
    struct report report = {.name = "file"};
    char drawn[DRAWN_MAX];

    calls_stop_clock();
    report.began_ms = clock_mono_ms();
    calls_pass_ms(c->ms);
    capture();
    report_end(&report, 7, "written");
    (void)fflush(stderr);
    release(drawn);
    calls_let_clock_go();
    CU_ASSERT_STRING_EQUAL(drawn, c->want);
}
