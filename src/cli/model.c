/*
 * `scoring model`: checks, shows and compares the rules of scores. Implements
 * the commands of S15 of docs/protocol.md.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "cli/command.h"
#include "cli/model_diff.h"
#include "cli/progress.h"

typedef int work_fn(char **arguments);

static work_fn work_check, work_show, work_diff;

/* A sub-command, and how many arguments it takes. */
struct job {
    struct command command;
    int arguments;
    work_fn *work;
};

static const struct job jobs[] = {
    {{.name = "model check",
      .arguments = "FILE",
      .summary = "name every fault of a model",
      .details = "Exits with 65 if FILE has faults.\n"},
     1,
     work_check},
    {{.name = "model show",
      .arguments = "",
      .summary = "print the model in force, as a file has it"},
     0,
     work_show},
    {{.name = "model diff",
      .arguments = "OLD NEW FILE|-",
      .summary = "tell what another model does to scores",
      .details =
          "OLD and NEW are files of models; published is the built-in one. A "
          "line of FILE has\nthe arguments of one online_score:\n"
          "  {\"phone\": \"79175002040\", \"email\": \"a@b.ru\"}\n\n"
          "Told are how many scores rise, fall and stay, by how much, and "
          "which "
          "rules do it.\nLines that online_score would refuse are named and "
          "left out; then it exits with 65.\n"},
     3,
     work_diff},
};

#define JOB_COUNT (sizeof(jobs) / sizeof(jobs[0]))

/* EX_OK, or a status with each fault printed. */
static int
load_model(const char *path, struct model *ret_model)
{
    struct buf errors = {0};
    int status = EX_OK;

    if (strcmp(path, model_published.name) == 0) {
        *ret_model = model_published;
    } else if (!config_read_model(NULL, path, ret_model, &errors)) {
        command_print_mistakes(&errors);
        status = access(path, R_OK) == 0 ? EX_DATAERR : EX_NOINPUT;
    }
    buf_free(&errors);
    return status;
}

static int
work_check(char **arguments)
{
    struct buf text = {0};
    struct model model;
    int status = load_model(arguments[0], &model);

    if (status != EX_OK)
        return status;
    buf_printf(&text, "%s: model ", arguments[0]);
    model_print_name(&model, &text);
    buf_printf(&text, ", %zu rule(s), scores 0.0 to ", model.rule_count);
    model_add_points(model_tenths_max(&model), &text);
    buf_add_text(&text, ", no faults\n");
    return command_print_text(&text);
}

static int
work_show(char **arguments)
{
    struct config *config = command_load_config();
    struct buf text = {0};

    (void)arguments;
    if (config == NULL)
        return EX_CONFIG;
    model_print(&config->model.model, &text);
    config_free(config);
    return command_print_text(&text);
}

/* The settings are those of the time zone, by which a birthday is judged. */
static int
work_diff(char **arguments)
{
    struct model old, new;
    struct config *config;
    int status = load_model(arguments[0], &old);

    if (status == EX_OK)
        status = load_model(arguments[1], &new);
    if (status != EX_OK)
        return status;
    config = command_load_config();
    if (config == NULL)
        return EX_CONFIG;
    config_free(config);
    (void)signal(SIGPIPE, SIG_IGN); /* a reader that is gone is an error */
    interrupt_catch();
    return model_diff(&old, &new, arguments[2], progress_is_possible());
}

static int
run_job(const struct job *job, int argc, char **argv)
{
    if (argc > 1 && argv[1][0] == '-' && argv[1][1] != '\0')
        return command_misused(&job->command, "no such option", argv[1]);
    if (argc - 1 > job->arguments)
        return command_misused(&job->command, "unexpected argument",
                               argv[job->arguments + 1]);
    if (argc - 1 < job->arguments)
        return command_misused(&job->command, "too few arguments", NULL);
    return job->work(argv + 1);
}

static int
run_model(const struct command *command, int argc, char **argv)
{
    if (argc < 2)
        return command_misused(command, "check, show or diff?", NULL);
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

const struct command command_model = {
    .name = "model",
    .arguments = "check|show|diff ...",
    .summary = "check, show or compare the rules of scores",
    .details =
        "  check FILE\n"
        "  show \n"
        "  diff OLD NEW FILE|-\n\n"
        "`scoring model check --help` tells more, and so do the others'.\n",
    .run = run_model,
};
