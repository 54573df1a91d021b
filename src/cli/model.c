/*
 * `scoring model`: checks, shows and compares models. Implements S15.3 of
 * docs/protocol.md.
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

/* Returns EX_OK; or prints each fault, and returns another exit status. */
static int
load_model(const char *path, struct model *ret_model)
{
    struct buf errors = {0};
    int status = EX_OK;

    if (strcmp(path, model_published.name) == 0) {
        *ret_model = model_published;
    } else if (!config_read_model(NULL, path, ret_model, &errors)) {
        command_print_errors(&errors);
        status = command_file_status(path, &errors);
    }
    buf_free(&errors);
    return status;
}

static int
run_check(const struct command *command, int argc, char **argv)
{
    char **words = command_read(command, argc, argv, NULL);
    struct buf text = {0};
    struct model model;
    int status;

    if (words == NULL)
        return EX_USAGE;
    status = load_model(words[0], &model);
    if (status != EX_OK)
        return status;
    buf_printf(&text, "%s: model ", words[0]);
    model_print_name(&model, &text);
    buf_printf(&text, ", %zu rule(s), scores 0.0 to ", model.rule_count);
    model_add_points(model_tenths(&model, MODEL_ALL_KNOWN), &text);
    buf_add_text(&text, ", no faults\n");
    return command_print_text(&text);
}

static int
run_show(const struct command *command, int argc, char **argv)
{
    struct config *config;
    struct buf text = {0};
    int status;

    if (command_read(command, argc, argv, NULL) == NULL)
        return EX_USAGE;
    config = command_load_config(CONFIG_OF_SERVICE, &status);
    if (config == NULL)
        return status;
    model_print(&config->model.model, &text);
    config_free(config);
    return command_print_text(&text);
}

/*
 * Of the settings it needs only the time zone: today's date checks birthdays.
 */
static int
run_diff(const struct command *command, int argc, char **argv)
{
    char **words = command_read(command, argc, argv, NULL);
    struct model old, new;
    struct config *config;
    int status;

    if (words == NULL)
        return EX_USAGE;
    status = load_model(words[0], &old);
    if (status == EX_OK)
        status = load_model(words[1], &new);
    if (status != EX_OK)
        return status;
    config = command_load_config(CONFIG_OF_SERVICE, &status);
    if (config == NULL)
        return status;
    config_free(config);
    (void)signal(SIGPIPE, SIG_IGN); /* write() fails with EPIPE instead */
    interrupt_catch();
    return model_diff(&old, &new, words[2], progress_is_possible());
}

static const struct command check = {
    .name = "model check",
    .arguments = "FILE",
    .summary = "report every fault of a model",
    .details = "Exits with 65 if FILE has faults.\n",
    .words_min = 1,
    .words_max = 1,
    .run = run_check,
};
static const struct command show = {
    .name = "model show",
    .summary = "print the model in force, in the format of a file",
    .run = run_show,
};
static const struct command diff = {
    .name = "model diff",
    .arguments = "OLD NEW FILE|-",
    .summary = "report how another model changes scores",
    .details =
        "OLD and NEW are files of models; \"published\" is the built-in one. A "
        "line of\nFILE has the arguments of one online_score:\n"
        "  {\"phone\": \"79175002040\", \"email\": \"a@b.ru\"}\n\n"
        "The report says how many scores rise, fall and stay, by how much, "
        "and which\nrules cause it. Lines that online_score would refuse are "
        "named and left out;\nthen the exit status is 65.\n",
    .words_min = 3,
    .words_max = 3,
    .run = run_diff,
};

const struct command command_model = {
    .name = "model",
    .summary = "check, show or compare the rules of scores",
    .group = (const struct command *const[]){&check, &show, &diff, NULL},
};
