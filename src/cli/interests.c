/*
 * `scoring interests`: its commands and their options. Implements S19 of
 * docs/protocol.md.
 */
#include <signal.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/number.h"
#include "base/units.h"
#include "cli/command.h"
#include "cli/export.h"
#include "cli/import.h"

#define TIMEOUT_DEFAULT_S 5 /* of a Redis that is also busy otherwise */
#define TIMEOUT_MAX_S     3600

#define TIMEOUT_HELP                                                           \
    "  --timeout SECONDS  for connecting, and for each answer (default 5)\n"

typedef int work_fn(const struct interests_plan *plan,
                    const struct redis_url *redis);

/* NULL, with the reason printed, if the arguments are wrong. */
static char **
read_plan(const struct command *command, int argc, char **argv,
          bool *is_dry_run, struct interests_plan *plan)
{
    const char *timeout = NULL;
    const struct command_option options[] = {
        {.name = "timeout", .text = &timeout},
        {.name = is_dry_run != NULL ? "dry-run" : NULL, .flag = is_dry_run},
        {.name = NULL},
    };
    char **words = command_read(command, argc, argv, options);
    int64_t seconds = TIMEOUT_DEFAULT_S;

    if (words != NULL && timeout != NULL &&
        !number_parse(timeout, 1, TIMEOUT_MAX_S, &seconds)) {
        (void)command_misused(
            command, "--timeout must be an integer from 1 to 3600", timeout);
        return NULL;
    }
    plan->limit_ms = seconds * MS_PER_S;
    return words;
}

static int
run_work(work_fn *work, const struct interests_plan *plan)
{
    struct config *config = command_load_config();
    int status;

    if (config == NULL)
        return EX_CONFIG;
    (void)signal(SIGPIPE, SIG_IGN); /* a reader that is gone is an error */
    (void)signal(SIGXFSZ, SIG_IGN); /* so is a file at its largest size */
    interrupt_catch();
    status = work(plan, &config->redis);
    config_free(config);
    return status;
}

static int
run_import(const struct command *command, int argc, char **argv)
{
    const char *folder = getenv("TMPDIR");
    struct interests_plan plan = {
        .spool_folder = folder != NULL && *folder != '\0' ? folder : "/tmp",
        .shows_progress = progress_is_possible(),
    };
    char **words = read_plan(command, argc, argv, &plan.is_dry_run, &plan);

    if (words == NULL)
        return EX_USAGE;
    plan.path = words[0];
    return run_work(interests_import, &plan);
}

/* The line of progress must not get between the data. */
static int
run_export(const struct command *command, int argc, char **argv)
{
    struct interests_plan plan = {
        .shows_progress = progress_is_possible() && !isatty(STDOUT_FILENO),
    };
    char **words = read_plan(command, argc, argv, NULL, &plan);

    if (words == NULL)
        return EX_USAGE;
    plan.path = words[0] != NULL ? words[0] : "-";
    return run_work(interests_export, &plan);
}

static const struct command import = {
    .name = "interests import",
    .arguments = "[--dry-run] [--timeout SECONDS] FILE|-",
    .summary = "write the interests of a file to the store",
    .details = "A line of FILE is one client:\n"
               "  {\"client_id\": 1, \"interests\": [\"books\"]}\n\n"
               "  --dry-run          only check the lines\n" TIMEOUT_HELP
               "\nAll lines are checked first. If one is bad, nothing is "
               "written, and the exit\nstatus is 65.\n",
    .words_min = 1,
    .words_max = 1,
    .run = run_import,
};
static const struct command export = {
    .name = "interests export",
    .arguments = "[--timeout SECONDS] [FILE|-]",
    .summary = "write all interests of the store to a file",
    .details = "Without FILE, writes to standard output. The lines are those "
               "that import reads.\nFILE gets its name only once it is "
               "complete.\n\n" TIMEOUT_HELP
               "\nDamaged clients are named and left out; then the exit "
               "status is 65.\n",
    .words_max = 1,
    .run = run_export,
};

const struct command command_interests = {
    .name = "interests",
    .summary = "import or export the interests of clients",
    .group = (const struct command *const[]){&import, &export, NULL},
};
