/*
 * Commands with every allocation failing in turn: they say in one line that
 * there is no memory, and end as after any other error.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/command.h"
#include "suites.h"
#include "support/cases.h"
#include "support/files.h"
#include "support/memory.h"

#define SAID_MAX 4096

static char folder[FILES_PATH_MAX], path[FILES_PATH_MAX];
static char said[SAID_MAX]; /* on standard error, the last time */

struct command_case {
    const char *name;
    int (*run)(void); /* returns what the command would */
    int status, memory_status;
    const char *said; /* with memory */
};

static int
check_health(void)
{
    char *argv[] = {"healthcheck", path, NULL};

    return command_healthcheck.run(&command_healthcheck, 2, argv);
}

static int
load_settings(char *setting)
{
    char *environment[] = {setting, NULL}, **kept = environ;
    struct config *config;

    environ = environment;
    config = command_load_config();
    environ = kept;
    if (config == NULL)
        return EX_CONFIG;
    config_free(config);
    return EX_OK;
}

static int
load_good(void)
{
    char setting[] = "SCORING_WORKERS=1";

    return load_settings(setting);
}

static int
load_bad(void)
{
    char setting[] = "SCORING_WORKERS=x";

    return load_settings(setting);
}

#define MISTAKE                                                                \
    "scoring: SCORING_WORKERS: \"x\": must be an integer from 1 to 1024\n"

static const struct command_case command_rows[] = {
    {"healthcheck", check_health, EX_OK, EX_UNAVAILABLE, ""},
    {"settings", load_good, EX_OK, EX_CONFIG, ""},
    {"a mistake in the settings", load_bad, EX_CONFIG, EX_CONFIG, MISTAKE},
};

/* Runs it, with what it says on standard error in said[]. */
static int
listen_to(int (*run)(void), bool *ret_has_failed)
{
    int fd = memfd_create("said", MFD_CLOEXEC), kept = dup(STDERR_FILENO);
    ssize_t length;
    int status;

    (void)dup2(fd, STDERR_FILENO);
    status = run();
    *ret_has_failed = memory_stop();
    (void)dup2(kept, STDERR_FILENO);
    length = pread(fd, said, sizeof(said) - 1, 0);
    said[length > 0 ? length : 0] = '\0';
    (void)close(kept);
    (void)close(fd);
    return status;
}

static void
try(const void *row)
{
    const struct command_case *c = row;
    bool has_failed;
    int status = listen_to(c->run, &has_failed);

    CU_ASSERT_EQUAL(status, has_failed ? c->memory_status : c->status);
    if (has_failed) {
        CU_ASSERT_EQUAL(strncmp(said, "scoring: ", strlen("scoring: ")), 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(said, "memory"));
    } else {
        CU_ASSERT_STRING_EQUAL(said, c->said);
    }
}

/* Answers as the service does, one connection after the other. */
static void
serve(int listen_fd)
{
    static const char answer[] = "\1\6\0\1\0\45\0\0"
                                 "Status: 422 X\r\n"
                                 "A: b\r\n\r\n"
                                 "{\"code\": 422, "
                                 "\1\3\0\1\0\10\0\0\0\0\0\0\0\0\0\0";
    char request[1024];

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        int fd = accept(listen_fd, NULL, NULL);

        if (recv(fd, request, sizeof(request), 0) > 0)
            (void)send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
        (void)close(fd);
    }
}

static pid_t
start_service(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pid_t pid;

    CU_ASSERT_TRUE_FATAL(files_folder_make(folder));
    files_path(path, "%s/socket", folder);
    CU_ASSERT_FATAL(strlen(path) < sizeof(address.sun_path));
    memcpy(address.sun_path, path, strlen(path));
    CU_ASSERT_EQUAL_FATAL(
        bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    CU_ASSERT_EQUAL_FATAL(listen(fd, 8), 0);
    pid = fork();
    if (pid == 0)
        serve(fd);
    CU_ASSERT_FATAL(pid > 0);
    (void)close(fd);
    return pid;
}

TEST_CASES(command, struct command_case, command_rows)
{
    pid_t pid = start_service();

    memory_fail_each(try, c);
    (void)kill(pid, SIGKILL);
    CU_ASSERT_EQUAL(waitpid(pid, NULL, 0), pid);
    files_folder_remove(folder);
}

void
suite_command(void)
{
    CU_pSuite suite = cases_suite("memory_command");

    cases_add(suite, &command_cases);
}
