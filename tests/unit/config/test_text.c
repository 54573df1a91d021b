/* Small text files: size, type, and what is removed from the content. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "config/text.h"
#include "support/calls.h"
#include "support/cases.h"
#include "support/files.h"

#define PATH_TEMPLATE "/tmp/scoring-test-XXXXXX"
#define PATH_ROOM     64

struct size_case {
    const char *name;
    enum config_text_kind kind;
    size_t length;    /* of the text, all of one letter */
    size_t nul_at;    /* where to put a NUL; length: nowhere */
    const char *want; /* the problem; NULL: none */
};

static const struct size_case size_rows[] = {
    {"empty", CONFIG_TEXT_ANY, 0, 0, NULL},
    {"one byte", CONFIG_TEXT_ANY, 1, 1, NULL},
    {"largest", CONFIG_TEXT_ANY, 65536, 65536, NULL},
    {"too large", CONFIG_TEXT_ANY, 65537, 65537, "is larger than 64 KiB"},
    {"largest of JSON", CONFIG_TEXT_JSON, 1048576, 1048576, NULL},
    {"too large for JSON", CONFIG_TEXT_JSON, 1048577, 1048577,
     "is larger than 1 MiB"},
    {"NUL at the start", CONFIG_TEXT_ANY, 5, 0, "holds a NUL byte"},
    {"NUL at the end", CONFIG_TEXT_ANY, 5, 4, "holds a NUL byte"},
};

TEST_CASES(size, struct size_case, size_rows)
{
    char path[FILES_PATH_MAX];
    char *content = malloc(c->length + 1), *text = NULL;
    const char *problem;

    CU_ASSERT_PTR_NOT_NULL_FATAL(content);
    memset(content, 'x', c->length);
    content[c->nul_at] = '\0';
    CU_ASSERT_TRUE_FATAL(files_make(path, content, c->length));
    free(content);
    errno = EINTR; /* an old error must not matter */
    (void)calls_wiped(0);
    problem = config_text_read(path, c->kind, &text);
    CU_ASSERT_EQUAL(problem == NULL, c->want == NULL);
    CU_ASSERT_EQUAL(text == NULL, c->want != NULL);
    if (problem != NULL && c->want != NULL)
        CU_ASSERT_STRING_EQUAL(problem, c->want);
    if (text != NULL)
        CU_ASSERT_EQUAL(strlen(text), c->length);
    config_text_free(text);
    CU_ASSERT_EQUAL(calls_wiped(c->kind == CONFIG_TEXT_JSON
                                    ? CONFIG_JSON_MAX_BYTES + 1
                                    : CONFIG_TEXT_MAX_BYTES + 1),
                    1);
    (void)unlink(path);
}

/* Through a pipe: each read() returns one piece, filled with its own digit. */
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
    CU_ASSERT(fcntl(ends[1], F_SETPIPE_SZ, 2 * CONFIG_TEXT_MAX_BYTES) > 0);
    for (size_t i = 0; i < c->count; i++) {
        memset(piece, '0' + (int)(i % 10), c->length);
        CU_ASSERT_EQUAL(write(ends[1], piece, c->length), (ssize_t)c->length);
    }
    (void)close(ends[1]);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
    problem = config_text_read(path, CONFIG_TEXT_ANY, &text);
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

/*
 * The writer of a pipe is late: the first read finds nothing. With each reading
 * of the clock some time passes.
 */
struct late_case {
    const char *name;
    int64_t step_ms;
    const char *written;
    bool has_ended; /* the writer */
    const char *want, *problem;
};

#define TOO_SLOW "has not been written completely within 2 s"

static const struct late_case late_rows[] = {
    {"it comes in time", 1999, "late", true, "late", NULL},
    {"it comes in time, and writes nothing", 1999, "", true, "", NULL},
    {"it does not come in time", 2000, "late", true, NULL, TOO_SLOW},
    {"it does not end in time", 1999, "begun", false, NULL, TOO_SLOW},
};

TEST_CASES(late, struct late_case, late_rows)
{
    const size_t length = strlen(c->written);
    char path[PATH_ROOM], *text = NULL;
    const char *problem;
    int ends[2];

    CU_ASSERT_EQUAL_FATAL(pipe2(ends, O_CLOEXEC), 0);
    CU_ASSERT_EQUAL(write(ends[1], c->written, length), (ssize_t)length);
    if (c->has_ended)
        (void)close(ends[1]);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
    calls_stop_clock();
    calls_step_clock(c->step_ms);
    calls_fail(CALL_READ, EAGAIN);
    problem = config_text_read(path, CONFIG_TEXT_ANY, &text);
    calls_let_clock_go();
    CU_ASSERT_TRUE(calls_has_failed(CALL_READ));
    CU_ASSERT_EQUAL(problem == NULL, c->problem == NULL);
    if (problem != NULL && c->problem != NULL)
        CU_ASSERT_STRING_EQUAL(problem, c->problem);
    CU_ASSERT_EQUAL(text == NULL, c->want == NULL);
    if (text != NULL && c->want != NULL)
        CU_ASSERT_STRING_EQUAL(text, c->want);
    config_text_free(text);
    if (!c->has_ended)
        (void)close(ends[1]);
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
    char path[FILES_PATH_MAX], *text = NULL;
    const char *problem;

    CU_ASSERT_TRUE_FATAL(files_make(path, "K=v", 3));
    calls_fail(CALL_READ, c->error);
    problem = config_text_read(path, CONFIG_TEXT_ANY, &text);
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
    const char *name;
    enum config_text_kind kind;
    const char *path;
    const char *want; /* the problem; NULL: none */
};

#define REGULAR CONFIG_TEXT_REGULAR
#define ANY     CONFIG_TEXT_ANY

/* In a folder of its own, made by the test: */
static const struct place_case place_rows[] = {
    {"missing", REGULAR, "none", "No such file or directory"},
    {"under a file", REGULAR, "file/x", "Not a directory"},
    {"folder", REGULAR, "folder", "is not a regular file"},
    {"named pipe without a writer", REGULAR, "pipe", "is not a regular file"},
    {"socket", REGULAR, "socket", "is not a regular file"},
    {"link to a file", REGULAR, "link", NULL},
    {"link to nothing", REGULAR, "dangling", "No such file or directory"},
    {"link to itself", REGULAR, "loop", "Too many levels of symbolic links"},
    {"link to a device", REGULAR, "device", "is not a regular file"},
    {"JSON: missing", CONFIG_TEXT_JSON, "none", "No such file or directory"},
    {"JSON: named pipe", CONFIG_TEXT_JSON, "pipe", "is not a regular file"},
    {"JSON: link to a file", CONFIG_TEXT_JSON, "link", NULL},
    {"any: missing", ANY, "none", "No such file or directory"},
    {"any: folder", ANY, "folder", "Is a directory"},
    {"any: named pipe without a writer, which does not hold up", ANY, "pipe",
     NULL},
    {"any: device", ANY, "device", NULL},
};

/* Makes the files that symlink() alone cannot make. */
static void
places_make(const char *folder)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[PATH_ROOM];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/folder", folder);
    CU_ASSERT_EQUAL(mkdir(path, S_IRWXU), 0);
    (void)snprintf(path, sizeof(path), "%s/file", folder);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
    CU_ASSERT_TRUE(fd >= 0 && close(fd) == 0);
    (void)snprintf(path, sizeof(path), "%s/pipe", folder);
    CU_ASSERT_EQUAL(mkfifo(path, S_IRUSR | S_IWUSR), 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket",
                   folder);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL(
        bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    (void)close(fd);
}

static const struct {
    const char *name, *target;
} links[] = {
    {"link", "file"},
    {"dangling", "none"},
    {"loop", "loop"},
    {"device", "/dev/null"},
};

#define LINKS (sizeof(links) / sizeof(links[0]))

TEST_CASES(place, struct place_case, place_rows)
{
    char folder[] = PATH_TEMPLATE, path[PATH_ROOM], *text = NULL;
    const char *problem;

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    places_make(folder);
    for (size_t i = 0; i < LINKS; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", folder, links[i].name);
        CU_ASSERT_EQUAL(symlink(links[i].target, path), 0);
    }
    (void)snprintf(path, sizeof(path), "%s/%s", folder, c->path);
    problem = config_text_read(path, c->kind, &text);
    CU_ASSERT_EQUAL(problem == NULL, c->want == NULL);
    CU_ASSERT_EQUAL(text == NULL, c->want != NULL);
    if (problem != NULL && c->want != NULL)
        CU_ASSERT_STRING_EQUAL(problem, c->want);
    config_text_free(text);
    files_folder_remove(folder);
}

struct mark_case {
    const char *name, *content, *want;
    enum config_text_kind kind;
};

static const struct mark_case mark_rows[] = {
    {"at the start", "\xef\xbb\xbfK=v\n", "K=v\n", REGULAR},
    {"alone", "\xef\xbb\xbf", "", REGULAR},
    {"only the first one goes", "\xef\xbb\xbf\xef\xbb\xbfv", "\xef\xbb\xbfv",
     REGULAR},
    {"not at the start", "v\xef\xbb\xbf", "v\xef\xbb\xbf", REGULAR},
    {"cut off", "\xef\xbb", "\xef\xbb", REGULAR},
    {"of another encoding", "\xff\xfev", "\xff\xfev", REGULAR},
    {"of JSON, which tells", "\xef\xbb\xbf{}", "\xef\xbb\xbf{}",
     CONFIG_TEXT_JSON},
};

TEST_CASES(mark, struct mark_case, mark_rows)
{
    char path[FILES_PATH_MAX], *text = NULL;

    CU_ASSERT_TRUE_FATAL(files_make(path, c->content, strlen(c->content)));
    CU_ASSERT_PTR_NULL(config_text_read(path, c->kind, &text));
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_STRING_EQUAL(text, c->want);
    config_text_free(text);
    (void)unlink(path);
}
