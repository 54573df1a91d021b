/* Files of KEY=value lines: what a line may look like, and what is told. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/file.h"
#include "support/calls.h"
#include "support/cases.h"
#include "unit/suites.h"

#define PATH_TEMPLATE "/tmp/scoring-test-XXXXXX"
#define PATH_ROOM     64

/* Makes a file with this content; path is the template before, after a path. */
static void
file_make(char *path, const void *content, size_t length)
{
    int fd = mkstemp(path);

    CU_ASSERT_TRUE_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(write(fd, content, length), (ssize_t)length);
    (void)close(fd);
}

struct value_case {
    const char *name, *content;
    const char *want; /* of the key K; NULL: it is not there */
};

static const struct value_case value_rows[] = {
    {"plain", "K=v\n", "v"},
    {"without a newline at the end", "K=v", "v"},
    {"CRLF", "K=v\r\nL=w\r\n", "v"},
    {"empty", "K=\n", ""},
    {"empty file", "", NULL},
    {"blank lines", "\n \n\t\nK=v\n\n", "v"},
    {"spaces around all", "  K \t=  v  \n", "v"},
    {"spaces within", "K=a b\n", "a b"},
    {"equals sign in the value", "K=a=b\n", "a=b"},
    {"comment line", "#K=no\nL=w\n", NULL},
    {"indented comment line", "  # K=no\nL=w\n", NULL},
    {"comment line without equals sign", "# words\nK=v\n", "v"},
    {"comment after a value", "K=v # words\n", "v"},
    {"comment after a tab", "K=v\t# words\n", "v"},
    {"comment without a space", "K=v #words\n", "v"},
    {"number sign within a value", "K=v#w\n", "v#w"},
    {"number sign at the start", "K=#v\n", "#v"},
    {"comment instead of a value", "K= # words\n", ""},
    {"single quotes", "K='v'\n", "v"},
    {"double quotes", "K=\"v\"\n", "v"},
    {"empty quotes", "K=''\n", ""},
    {"spaces kept by quotes", "K=' v '\n", " v "},
    {"number sign kept by quotes", "K=\"a # b\"\n", "a # b"},
    {"other quotes within quotes", "K='say \"v\"'\n", "say \"v\""},
    {"comment after quotes", "K='v' # words\n", "v"},
    {"spaces after quotes", "K= 'v' \r\n", "v"},
    {"quote within a value", "K=it's\n", "it's"},
    {"nothing is expanded", "K=\"$HOME `id` \\n\"\n", "$HOME `id` \\n"},
    {"last one counts", "K=1\nL=w\nK=2\n", "2"},
    {"longer name", "KK=v\n", NULL},
    {"shorter name", "k=v\n", NULL},
    {"name of all sorts", "_a1=w\nK=v\n", "v"},
    {"bytes over 127", "K=\xd1\x8f\n", "\xd1\x8f"},
};

TEST_CASES(value, struct value_case, value_rows)
{
    char path[] = PATH_TEMPLATE;
    struct config_file file = {0};
    struct buf errors = {0};
    const char *got;

    file_make(path, c->content, strlen(c->content));
    CU_ASSERT_TRUE(config_file_read(&file, "FILE", path, &errors));
    CU_ASSERT_EQUAL(errors.length, 0);
    got = config_file_get(&file, "K");
    CU_ASSERT_EQUAL(got == NULL, c->want == NULL);
    if (got != NULL && c->want != NULL)
        CU_ASSERT_STRING_EQUAL(got, c->want);
    config_file_free(&file);
    CU_ASSERT_PTR_NULL(file.text);
    buf_free(&errors);
    (void)unlink(path);
}

struct line_case {
    const char *name, *content;
    const char *want; /* the errors, each after 'FILE: "path": ' */
};

#define NAME_FAULT "the name must be letters, digits and '_'"

static const struct line_case line_rows[] = {
    {"no equals sign", "K=v\nwords\n", "line 2: must be NAME=value"},
    {"name alone", "SECRET\n", "line 1: must be NAME=value"},
    {"no name", "=v\n", "line 1: " NAME_FAULT},
    {"space in the name", "a b=v\n", "line 1: " NAME_FAULT},
    {"export", "export K=v\n", "line 1: " NAME_FAULT},
    {"digit first", "1K=v\n", "line 1: " NAME_FAULT},
    {"dash in the name", "a-b=v\n", "line 1: " NAME_FAULT},
    {"letters over 127", "\xd1\x8f=v\n", "line 1: " NAME_FAULT},
    {"quote not closed", "\n\nK='v\nL=w'\n",
     "line 3: the quote is not closed in this line"},
    {"quote closed by another", "K='v\"\n",
     "line 1: the quote is not closed in this line"},
    {"text after the quote", "K='v'w\n",
     "line 1: there must be nothing after the closing quote"},
    {"comment too close to the quote", "K='v'#w\n",
     "line 1: there must be nothing after the closing quote"},
};

TEST_CASES(line, struct line_case, line_rows)
{
    char path[] = PATH_TEMPLATE;
    struct config_file file = {0};
    struct buf errors = {0}, want = {0};

    file_make(path, c->content, strlen(c->content));
    buf_printf(&want, "FILE: \"%s\": %s\n", path, c->want);
    CU_ASSERT_FALSE(config_file_read(&file, "FILE", path, &errors));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&errors), buf_bytes(&want)));
    config_file_free(&file);
    buf_free(&errors);
    buf_free(&want);
    (void)unlink(path);
}

TEST_SINGLE(mistakes, "all are told, and the good lines kept")
{
    static const char content[] = "one\nK=v\ntwo\nL=w\n";
    char path[] = PATH_TEMPLATE;
    struct config_file file = {0};
    struct buf errors = {0}, want = {0};

    (void)c;
    file_make(path, content, strlen(content));
    buf_printf(&want,
               "FILE: \"%s\": line 1: must be NAME=value\n"
               "FILE: \"%s\": line 3: must be NAME=value\n",
               path, path);
    CU_ASSERT_FALSE(config_file_read(&file, "FILE", path, &errors));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&errors), buf_bytes(&want)));
    CU_ASSERT_EQUAL(file.count, 2);
    CU_ASSERT_PTR_NOT_NULL(config_file_get(&file, "L"));
    config_file_free(&file);
    buf_free(&errors);
    buf_free(&want);
    (void)unlink(path);
}

struct size_case {
    const char *name;
    size_t length;    /* of the text, all of one letter */
    size_t nul_at;    /* where to put a NUL; length: nowhere */
    const char *want; /* the problem; NULL: none */
};

static const struct size_case size_rows[] = {
    {"empty", 0, 0, NULL},
    {"one byte", 1, 1, NULL},
    {"largest", 65536, 65536, NULL},
    {"too large", 65537, 65537, "is larger than 64 KiB"},
    {"NUL at the start", 5, 0, "holds a NUL byte"},
    {"NUL at the end", 5, 4, "holds a NUL byte"},
};

TEST_CASES(size, struct size_case, size_rows)
{
    char path[] = PATH_TEMPLATE;
    char *content = malloc(c->length + 1), *text = NULL;
    const char *problem;

    CU_ASSERT_PTR_NOT_NULL_FATAL(content);
    memset(content, 'x', c->length);
    content[c->nul_at] = '\0';
    file_make(path, content, c->length);
    free(content);
    errno = EINTR; /* what failed before plays no part */
    (void)calls_wiped(0);
    problem = config_text_read(path, &text);
    CU_ASSERT_EQUAL(problem == NULL, c->want == NULL);
    CU_ASSERT_EQUAL(text == NULL, c->want != NULL);
    if (problem != NULL && c->want != NULL)
        CU_ASSERT_STRING_EQUAL(problem, c->want);
    if (text != NULL)
        CU_ASSERT_EQUAL(strlen(text), c->length);
    config_text_free(text);
    CU_ASSERT_EQUAL(calls_wiped(CONFIG_FILE_MAX_BYTES + 1), 1);
    (void)unlink(path);
}

/* Through a pipe of which each read() gets one piece, with a digit of its own.
 */
struct pieces_case {
    const char *name;
    size_t count, length; /* of each piece; at most PIPE_BUF */
    const char *want;     /* the problem; NULL: none */
};

static const struct pieces_case pieces_rows[] = {
    {"three", 3, 5, NULL},
    {"as much as allowed", 16, 4096, NULL},
    {"too much by a piece", 17, 4096, "is larger than 64 KiB"},
};

TEST_CASES(pieces, struct pieces_case, pieces_rows)
{
    char path[PATH_ROOM], piece[PIPE_BUF], *text = NULL;
    const char *problem;
    int ends[2];

    CU_ASSERT_EQUAL_FATAL(pipe2(ends, O_DIRECT | O_CLOEXEC), 0);
    CU_ASSERT(fcntl(ends[1], F_SETPIPE_SZ, 2 * CONFIG_FILE_MAX_BYTES) > 0);
    for (size_t i = 0; i < c->count; i++) {
        memset(piece, '0' + (int)(i % 10), c->length);
        CU_ASSERT_EQUAL(write(ends[1], piece, c->length), (ssize_t)c->length);
    }
    (void)close(ends[1]);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
    problem = config_text_read(path, &text);
    CU_ASSERT_EQUAL(problem == NULL, c->want == NULL);
    if (problem != NULL && c->want != NULL)
        CU_ASSERT_STRING_EQUAL(problem, c->want);
    if (text != NULL) {
        CU_ASSERT_EQUAL(strlen(text), c->count * c->length);
        for (size_t i = 0; i < c->count * c->length; i++)
            CU_ASSERT_FATAL(text[i] == '0' + (int)(i / c->length % 10));
    }
    config_text_free(text);
    (void)close(ends[0]);
}

struct read_case {
    const char *name;
    int error; /* of the first read */
    const char *want;
};

static const struct read_case read_rows[] = {
    {"interrupted by a signal", EINTR, NULL},
    {"a disk that fails", EIO, "Input/output error"},
};

TEST_CASES(read, struct read_case, read_rows)
{
    char path[] = PATH_TEMPLATE, *text = NULL;
    const char *problem;

    file_make(path, "K=v", 3);
    calls_fail(CALL_READ, c->error);
    problem = config_text_read(path, &text);
    CU_ASSERT_TRUE(calls_has_failed(CALL_READ));
    CU_ASSERT_EQUAL(problem == NULL, c->want == NULL);
    CU_ASSERT_EQUAL(text == NULL, c->want != NULL);
    if (problem != NULL && c->want != NULL)
        CU_ASSERT_STRING_EQUAL(problem, c->want);
    if (text != NULL)
        CU_ASSERT_STRING_EQUAL(text, "K=v");
    config_text_free(text);
    (void)unlink(path);
}

struct place_case {
    const char *name, *path, *want;
};

static const struct place_case place_rows[] = {
    {"missing", "/nonexistent/x", "No such file or directory"},
    {"directory", "/tmp", "Is a directory"},
    {"under a file", "/dev/null/x", "Not a directory"},
};

TEST_CASES(place, struct place_case, place_rows)
{
    char *text = NULL;
    const char *problem = config_text_read(c->path, &text);

    CU_ASSERT_PTR_NULL(text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(problem);
    CU_ASSERT_STRING_EQUAL(problem, c->want);
}

TEST_SINGLE(pipe, "a named pipe without a writer does not hold up")
{
    char folder[] = PATH_TEMPLATE;
    char path[sizeof(folder) + sizeof("/pipe")];
    char *text = NULL;

    (void)c;
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/pipe", folder);
    CU_ASSERT_EQUAL(mkfifo(path, S_IRUSR | S_IWUSR), 0);
    CU_ASSERT_PTR_NULL(config_text_read(path, &text));
    if (text != NULL)
        CU_ASSERT_STRING_EQUAL(text, "");
    config_text_free(text);
    (void)unlink(path);
    (void)rmdir(folder);
}

void
suite_config_file(void)
{
    CU_pSuite suite = cases_suite("config_file");

    cases_add(suite, &value_cases);
    cases_add(suite, &line_cases);
    cases_add(suite, &mistakes_cases);
    cases_add(suite, &size_cases);
    cases_add(suite, &pieces_cases);
    cases_add(suite, &read_cases);
    cases_add(suite, &place_cases);
    cases_add(suite, &pipe_cases);
}
