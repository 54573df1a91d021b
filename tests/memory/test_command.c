/*
 * Commands with every allocation failing in turn: they report in one line that
 * memory ran out, and exit as after any other error.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/command.h"
#include "support/cases.h"
#include "support/memory.h"

#define SAID_MAX 4096

static char said[SAID_MAX]; /* standard error of the last run */

struct command_case {
    const char *name;
    int (*run)(void); /* returns the status of the command */
    int status, memory_status;
    const char *said; /* standard error if no allocation fails */
};

static int
load_settings(char *setting)
{
    char *environment[] = {setting, NULL}, **kept = environ;
    struct config *config;
    int status;

    environ = environment;
    config = command_load_config(CONFIG_OF_SERVICE, &status);
    environ = kept;
    if (config == NULL)
        return status;
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
    {"settings", load_good, EX_OK, EX_OSERR, ""},
    {"a mistake in the settings", load_bad, EX_CONFIG, EX_OSERR, MISTAKE},
};

/* Runs it, with its standard error in said[]. */
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

TEST_CASES(starved, struct command_case, command_rows)
{
    memory_fail_each(try, c);
}
