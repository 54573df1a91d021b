/*
 * What is sent to the service manager, and that nothing happens without one.
 * Source: sd_notify(3).
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "serve/notify.h"
#include "support/cases.h"
#include "support/files.h"

#define TEXT_MAX 64

/* The socket of a manager, at a path or an abstract name "@..."; or -1. */
static int
manager_open(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t length = strlen(path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path, path, length);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    if (bind(fd, (struct sockaddr *)&address,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) != 0)
        return -1;
    return fd;
}

struct notify_case {
    const char *name;
    bool is_abstract;
};

static const struct notify_case notify_rows[] = {
    {"by a path", false},
    {"by an abstract name", true},
};

TEST_CASES(notify, struct notify_case, notify_rows)
{
    char folder[FILES_PATH_MAX], path[FILES_PATH_MAX], text[TEXT_MAX] = {0};
    int fd;

    CU_ASSERT_TRUE_FATAL(files_folder_make(folder));
    if (c->is_abstract)
        files_path(path, "@%s", folder);
    else
        files_path(path, "%s/notify", folder);
    fd = manager_open(path);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(setenv("NOTIFY_SOCKET", path, 1), 0);
    notify_send("READY=1");
    CU_ASSERT_EQUAL(unsetenv("NOTIFY_SOCKET"), 0);
    CU_ASSERT_EQUAL(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT), 7);
    CU_ASSERT_STRING_EQUAL(text, "READY=1");
    notify_send("STOPPING=1"); /* there is no manager any more */
    CU_ASSERT_EQUAL(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT), -1);
    (void)close(fd);
    files_folder_remove(folder);
}

static const struct single_case nobody_rows[] = {
    {""},
    {"/"},
    {"notify"},
    {"/nonexistent/notify"},
    {"/a-path-of-108-bytes-and-one-more/"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
};

TEST_CASES(nobody, struct single_case, nobody_rows)
{
    const int lowest = files_lowest_free();

    CU_ASSERT_EQUAL(setenv("NOTIFY_SOCKET", c->name, 1), 0);
    notify_send("READY=1");
    CU_ASSERT_EQUAL(unsetenv("NOTIFY_SOCKET"), 0);
    CU_ASSERT_EQUAL(files_lowest_free(), lowest);
}
