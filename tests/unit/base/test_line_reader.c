/*
 * Lines of a file in memory, of at most ten bytes here.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/line_reader.h"
#include "support/cases.h"

#define LINE_MAX   10
#define LINES_MAX  100 /* more than any row has: ends an endless loop */
#define PIECES_MAX 5

/* Lines are shown as "<line>", a line that is too long as "!". */
struct lines_case {
    const char *name, *text, *want;
};

static const struct lines_case lines_rows[] = {
    {"nothing", "", ""},
    {"one line", "one\n", "<one>"},
    {"last one without an end", "one\ntwo", "<one><two>"},
    {"empty lines", "\n\none\n\n", "<><><one><>"},
    {"line feed alone", "\n", "<>"},
    {"carriage returns stay", "one\r\ntwo\r\n", "<one\r><two\r>"},
    {"longest", "0123456789\nx\n", "<0123456789><x>"},
    {"one byte too long", "0123456789a\nx\n", "!<x>"},
    {"longest at the end", "x\n0123456789", "<x><0123456789>"},
    {"too long at the end", "x\n0123456789a", "<x>!"},
};

static struct line_reader *
reader_of(const char *text, size_t length, int *ret_fd)
{
    struct line_reader *reader;

    *ret_fd = memfd_create("lines", MFD_CLOEXEC);
    CU_ASSERT_EQUAL(write(*ret_fd, text, length), (ssize_t)length);
    CU_ASSERT_EQUAL(lseek(*ret_fd, 0, SEEK_SET), 0);
    reader = line_reader_new(*ret_fd, LINE_MAX);
    CU_ASSERT_PTR_NOT_NULL_FATAL(reader);
    return reader;
}

/* Reads all lines, and compares what they show. */
static void
expect_lines(struct line_reader *reader, const char *want)
{
    enum line_reader_result result = LINE_READER_LINE;
    struct buf got = {0};
    int64_t number = 0;

    while (number < LINES_MAX &&
           (result == LINE_READER_LINE || result == LINE_READER_LONG)) {
        struct line line = {0};

        CU_ASSERT_EQUAL(line_reader_number(reader), number++);
        result = line_reader_next(reader, &line);
        if (result == LINE_READER_LINE)
            buf_printf(&got, "<%.*s>", (int)line.length, line.at);
        else if (result == LINE_READER_LONG)
            buf_add_text(&got, "!");
    }
    CU_ASSERT_EQUAL(result, LINE_READER_END);
    CU_ASSERT(bytes_equal(buf_bytes(&got), bytes_of(want)));
    buf_free(&got);
}

TEST_CASES(lines, struct lines_case, lines_rows)
{
    int fd;
    struct line_reader *reader = reader_of(c->text, strlen(c->text), &fd);

    expect_lines(reader, c->want);
    CU_ASSERT_EQUAL(line_reader_offset(reader), (int64_t)strlen(c->text));
    line_reader_free(reader);
    (void)close(fd);
}

/* As from a pipe: each read() returns one piece. */
struct pieces_case {
    const char *name, *pieces[PIECES_MAX], *want;
};

static const struct pieces_case pieces_rows[] = {
    {"a line in three", {"ab", "cd", "e\nf\n"}, "<abcde><f>"},
    {"its end in the second", {"abc", "de\nf", "\n"}, "<abcde><f>"},
    {"behind what was taken before",
     {"a\nbb\nccc", "d", "e\n"},
     "<a><bb><cccde>"},
    {"its end alone", {"0123456789", "\n"}, "<0123456789>"},
    {"too long bit by bit", {"01234", "56789", "a", "b\n", "x"}, "!<x>"},
};

TEST_CASES(pieces, struct pieces_case, pieces_rows)
{
    struct line_reader *reader;
    int fds[2];

    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
    for (size_t i = 0; i < PIECES_MAX && c->pieces[i] != NULL; i++)
        CU_ASSERT_EQUAL(send(fds[1], c->pieces[i], strlen(c->pieces[i]), 0),
                        (ssize_t)strlen(c->pieces[i]));
    (void)close(fds[1]);
    reader = line_reader_new(fds[0], LINE_MAX);
    CU_ASSERT_PTR_NOT_NULL_FATAL(reader);
    expect_lines(reader, c->want);
    line_reader_free(reader);
    (void)close(fds[0]);
}

/*
 * Many times the size of one read, and lines across its boundaries: of each 64
 * KiB and a longest line 6 bytes are left.
 */
TEST_SINGLE(many, "lines, one of them of a megabyte")
{
    struct buf text = {0};
    struct line_reader *reader;
    struct line line;
    int fd;

    for (int i = 0; i < 100000; i++)
        buf_printf(&text, "%09d\n", i);
    for (int i = 0; i < 1 << 20; i++)
        buf_add_text(&text, "x");
    buf_add_text(&text, "\nlast");
    CU_ASSERT_FALSE_FATAL(text.failed);
    reader = reader_of(text.data, text.length, &fd);
    for (int i = 0; i < 100000; i++) {
        char want[16];

        (void)snprintf(want, sizeof(want), "%09d", i);
        CU_ASSERT_EQUAL_FATAL(line_reader_next(reader, &line),
                              LINE_READER_LINE);
        CU_ASSERT(bytes_equal(line_bytes(line), bytes_of(want)));
    }
    CU_ASSERT_EQUAL(line_reader_next(reader, &line), LINE_READER_LONG);
    CU_ASSERT_EQUAL(line_reader_next(reader, &line), LINE_READER_LINE);
    CU_ASSERT(bytes_equal(line_bytes(line), bytes_of("last")));
    CU_ASSERT_EQUAL(line_reader_number(reader), 100002);
    CU_ASSERT_EQUAL(line_reader_next(reader, &line), LINE_READER_END);
    CU_ASSERT_EQUAL(line_reader_next(reader, &line), LINE_READER_END);
    CU_ASSERT_EQUAL(line_reader_offset(reader), (int64_t)text.length);
    line_reader_free(reader);
    (void)close(fd);
    buf_free(&text);
}

TEST_SINGLE(unreadable, "file is told")
{
    struct line_reader *reader = line_reader_new(-1, LINE_MAX);
    struct line line;

    CU_ASSERT_PTR_NOT_NULL_FATAL(reader);
    CU_ASSERT_EQUAL(line_reader_next(reader, &line), LINE_READER_FAILED);
    line_reader_free(reader);
    line_reader_free(NULL);
}
