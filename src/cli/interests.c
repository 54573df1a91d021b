/*
 * `scoring interests`: its two sub-commands and their options. Implements
 * S19 of docs/protocol.md.
 */
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
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

#define STANDARD_STREAM "-"

typedef int work_fn(const struct interests_plan *plan,
                    const struct redis_url *redis);

/* A sub-command, and what differs. */
struct job {
    struct command command;
    bool has_dry_run;
    bool needs_path;
    work_fn *work;
};

enum { OPTION_DRY_RUN = 1, OPTION_TIMEOUT };

static const struct option options[] = {
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
    {0},
};

static const struct job jobs[] = {
    {.command = {.name = "interests import",
                 .arguments = "[--dry-run] [--timeout SECONDS] FILE|-",
                 .summary = "write the interests of a file to the store",
                 .details =
                     "A line of FILE is one client:\n"
                     "  {\"client_id\": 1, \"interests\": [\"books\"]}\n\n"
                     "  --dry-run          only check the lines\n"
                     "  --timeout SECONDS  for connecting, and for each answer "
                     "(default 5)\n\n"
                     "All lines are checked first: if one is bad, nothing is "
                     "written, and it exits\nwith 65.\n"},
     .has_dry_run = true,
     .needs_path = true,
     .work = interests_import},
    {.command = {.name = "interests export",
                 .arguments = "[--timeout SECONDS] [FILE|-]",
                 .summary = "write all interests of the store to a file",
                 .details =
                     "FILE, standard output if it is not given, is as import "
                     "reads it, and has its\nname only once it is whole.\n\n"
                     "  --timeout SECONDS  for connecting, and for each answer "
                     "(default 5)\n\n"
                     "What the store has damaged is named and left out; then "
                     "it exits with 65.\n"},
     .work = interests_export},
};

#define JOB_COUNT (sizeof(jobs) / sizeof(jobs[0]))

/* The line must not get between the data. */
static bool
can_show_progress(const struct job *job)
{
    return progress_is_possible() &&
           (job->needs_path || !isatty(STDOUT_FILENO));
}

/* NULL, or what is wrong with an option. */
static const char *
take_option(const struct job *job, int option, struct interests_plan *plan)
{
    int64_t seconds;

    switch (option) {
    case OPTION_TIMEOUT:
        if (!number_parse(optarg, 1, TIMEOUT_MAX_S, &seconds))
            return "the seconds must be an integer from 1 to 3600";
        plan->limit_ms = seconds * MS_PER_S;
        return NULL;
    case OPTION_DRY_RUN:
        plan->is_dry_run = true;
        return job->has_dry_run ? NULL : "no such option";
    case ':':
        return "a value is missing";
    default:
        return "no such option";
    }
}

/* False, with the reason printed, if the arguments are wrong. */
static bool
read_plan(const struct job *job, int argc, char **argv,
          struct interests_plan *plan)
{
    const char *fault = NULL, *at = NULL;

    while (fault == NULL) {
        int option;

        at = argv[optind];
        option = getopt_long(argc, argv, "+:", options, NULL);
        if (option == -1)
            break;
        fault = take_option(job, option, plan);
    }
    if (fault == NULL && optind < argc)
        plan->path = argv[optind++];
    if (fault == NULL && optind < argc) {
        fault = "unexpected argument";
        at = argv[optind];
    } else if (fault == NULL && plan->path == NULL) {
        fault = job->needs_path ? "which file? - is standard input" : NULL;
        at = NULL;
        plan->path = STANDARD_STREAM;
    }
    if (fault == NULL)
        return true;
    (void)command_misused(&job->command, fault, at);
    return false;
}

static int
run_job(const struct job *job, int argc, char **argv)
{
    const char *folder = getenv("TMPDIR");
    struct interests_plan plan = {.limit_ms = TIMEOUT_DEFAULT_S * MS_PER_S};
    struct config *config;
    int status;

    if (!read_plan(job, argc, argv, &plan))
        return EX_USAGE;
    plan.spool_folder = folder != NULL && *folder != '\0' ? folder : "/tmp";
    plan.shows_progress = can_show_progress(job);
    config = command_load_config();
    if (config == NULL)
        return EX_CONFIG;
    (void)signal(SIGPIPE, SIG_IGN); /* a reader that is gone is an error */
    (void)signal(SIGXFSZ, SIG_IGN); /* so is a file at its largest size */
    interrupt_catch();
    status = job->work(&plan, &config->redis);
    config_free(config);
    return status;
}

static int
run_interests(const struct command *command, int argc, char **argv)
{
    if (argc < 2)
        return command_misused(command, "import or export?", NULL);
    for (size_t i = 0; i < JOB_COUNT; i++) {
        const struct job *job = &jobs[i];

        if (strcmp(argv[1], strrchr(job->command.name, ' ') + 1) != 0)
            continue;
        if (argc == 3 && strcmp(argv[2], "--help") == 0) {
            command_print_help(&job->command, stdout);
            return command_output_status();
        }
        return run_job(job, argc - 1, argv + 1);
    }
    return command_misused(command, "no such command", argv[1]);
}

const struct command command_interests = {
    .name = "interests",
    .arguments = "import|export ...",
    .summary = "import or export the interests of clients",
    .details = "  import [--dry-run] [--timeout SECONDS] FILE|-\n"
               "  export [--timeout SECONDS] [FILE|-]\n\n"
               "`scoring interests import --help` tells more, and so does "
               "export's.\n",
    .run = run_interests,
};
