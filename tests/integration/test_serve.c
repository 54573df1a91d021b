/*
 * The entry point of the container image, with stubs of the programs that
 * report how they were called. Source: docs/protocol.md, S1.1 and S26.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "support/cases.h"
#include "support/clock.h"
#include "support/files.h"
#include "support/proc.h"

#define ARGUMENTS_MAX 3
#define SOCKET        "/run/scoring/scoring.sock"
#define SERVICE       "spawn-fcgi -n -s " SOCKET " -M 0660 -- /usr/local/bin/scoring"

struct entry_case {
    const char *name;
    const char *arguments[ARGUMENTS_MAX + 1];
    const char *says; /* in a line for each program */
};

static const struct entry_case entry_rows[] = {
    {"the service, on a socket of mode 0660",
     {NULL},
     "rm -f " SOCKET "\n" SERVICE "\n"},
    {"the service by its name",
     {"serve"},
     "rm -f " SOCKET "\n" SERVICE " serve\n"},
    {"another command",
     {"token", "--login", "a b"},
     "scoring token --login a b\n"},
    {"help", {"--help"}, "scoring --help\n"},
};

static void
put_stand_in(const char *folder, const char *name)
{
    char path[FILES_PATH_MAX], text[128];

    files_path(path, "%.200s/%s", folder, name);
    (void)snprintf(text, sizeof(text), "#!/bin/sh\necho %s \"$@\"\n", name);
    CU_ASSERT_TRUE(files_write(path, text));
    CU_ASSERT_EQUAL(chmod(path, 0755), 0);
}

TEST_CASES(entry, struct entry_case, entry_rows)
{
    char folder[FILES_PATH_MAX], output[FILES_PATH_MAX], path[FILES_PATH_MAX];
    const char *argv[ARGUMENTS_MAX + 3] = {"/bin/sh", "deploy/serve.sh"};
    const char *const environment[] = {path, NULL};
    const struct proc_plan plan = {.argv = argv,
                                   .environment = environment,
                                   .output = output,
                                   .death_signal = SIGKILL};
    struct proc proc;
    char *said;

    CU_ASSERT_TRUE_FATAL(files_folder_make(folder));
    files_path(path, "PATH=%.200s", folder);
    files_path(output, "%.200s/output", folder);
    put_stand_in(folder, "rm");
    put_stand_in(folder, "spawn-fcgi");
    put_stand_in(folder, "scoring");
    for (size_t i = 0; c->arguments[i] != NULL; i++)
        argv[i + 2] = c->arguments[i];
    CU_ASSERT_TRUE_FATAL(proc_start(&proc, &plan));
    CU_ASSERT_TRUE(proc_wait(&proc, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(proc_exit_status(&proc), 0);
    said = files_read(output);
    CU_ASSERT_STRING_EQUAL(said, c->says);
    free(said);
    files_folder_remove(folder);
}
