/*
 * Paths that name descriptors. Source: docs/protocol.md, S19.6.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cli/stream.h"
#include "support/cases.h"

#define STANDARD 7

struct path_case {
    const char *name, *path;
    int want;
};

static const struct path_case path_rows[] = {
    {"the standard stream", "-", STANDARD},
    {"standard input", "/dev/stdin", 0},
    {"standard output", "/dev/stdout", 1},
    {"standard error", "/dev/stderr", 2},
    {"a descriptor", "/dev/fd/12", 12},
    {"a descriptor of the process", "/proc/self/fd/0", 0},
    {"the largest", "/dev/fd/2147483647", 2147483647},
    {"one more", "/dev/fd/2147483648", -1},
    {"no number", "/dev/fd/x", -1},
    {"none at all", "/dev/fd/", -1},
    {"a negative one", "/dev/fd/-1", -1},
    {"a file in there", "/dev/fd/1/x", -1},
    {"another device", "/dev/null", -1},
    {"a longer name", "/dev/stdout2", -1},
    {"a file", "stdout", -1},
    {"a file that begins with it", "-x", -1},
    {"no name", "", -1},
};

TEST_CASES(path, struct path_case, path_rows)
{
    CU_ASSERT_EQUAL(stream_of_path(c->path, STANDARD), c->want);
}

struct dup_case {
    const char *name;
    int flags, wrong_way;
    int error; /* 0: there is another descriptor */
};

static const struct dup_case dup_rows[] = {
    {"for reading, to read", O_RDONLY, O_WRONLY, 0},
    {"for both, to read", O_RDWR, O_WRONLY, 0},
    {"for writing, to read", O_WRONLY, O_WRONLY, EBADF},
    {"for writing, to write", O_WRONLY, O_RDONLY, 0},
    {"for both, to write", O_RDWR, O_RDONLY, 0},
    {"for reading, to write", O_RDONLY, O_RDONLY, EBADF},
};

TEST_CASES(dup, struct dup_case, dup_rows)
{
    int stream = open("/dev/null", c->flags | O_CLOEXEC);
    int fd = stream_dup(stream, c->wrong_way);

    CU_ASSERT_EQUAL(fd >= 0, c->error == 0);
    if (c->error != 0)
        CU_ASSERT_EQUAL(errno, c->error);
    if (fd >= 0)
        (void)close(fd);
    (void)close(stream);
    CU_ASSERT_EQUAL(stream_dup(stream, c->wrong_way), -1);
    CU_ASSERT_EQUAL(errno, EBADF);
}
