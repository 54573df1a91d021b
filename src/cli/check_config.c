/*
 * `scoring check-config`: the settings as `scoring serve` would take them, or
 * every mistake in them; or one of them, for a script. Implements S26
 * of docs/protocol.md.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/buf.h"
#include "cli/command.h"
#include "config/settings.h"

/* What is wanted; texts are NULL where not given. */
struct question {
    const struct config_setting *setting; /* NULL: all of them */
    const char *name;
    const char *otherwise; /* instead of its default */
    bool may_be_secret;
};

/* What is wrong with it as a whole, or NULL. */
static const char *
question_fault(const struct question *question)
{
    if (question->name == NULL)
        return question->otherwise != NULL || question->may_be_secret
                   ? "--default and --secret need --get"
                   : NULL;
    if (question->setting == NULL)
        return "there is no such setting";
    if (question->setting->is_secret && !question->may_be_secret)
        return "this is a secret: add --secret";
    return NULL;
}

/* False, with the reason printed, if the arguments are wrong. */
static bool
read_question(const struct command *command, int argc, char **argv,
              struct question *ret_question)
{
    struct question question = {0};
    const struct command_option options[] = {
        {.name = "get", .text = &question.name},
        {.name = "default", .text = &question.otherwise},
        {.name = "secret", .flag = &question.may_be_secret},
        {.name = NULL},
    };
    const char *fault;

    if (command_read(command, argc, argv, options) == NULL)
        return false;
    if (question.name != NULL)
        question.setting = config_setting_find(bytes_of(question.name));
    fault = question_fault(&question);
    if (fault != NULL) {
        (void)command_misused(command, fault, question.name);
        return false;
    }
    *ret_question = question;
    return true;
}

/* The answer, and a line's end unless it has one. */
static int
print_answer(const struct config *config, const struct question *question)
{
    struct buf text = {0};

    if (question->setting == NULL) {
        config_print(config, &text);
    } else {
        config_get(config, question->setting, question->otherwise, &text);
        buf_add_text(&text, "\n");
    }
    return command_print_text(&text);
}

static void
print_notes(const struct config *config)
{
    const struct bytes notes = config_notes(config);
    const char *at = notes.length > 0 ? notes.at : "";
    const char *end = at + notes.length;

    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        int length = (int)((stop != NULL ? stop : end) - at);

        (void)fprintf(stderr, "scoring: note: %.*s\n", length, at);
        at += length + 1;
    }
    if (config->salts_published != CONFIG_NONE ||
        config->admin_salts_published != CONFIG_NONE)
        (void)fprintf(stderr, "scoring: note: a published default salt is in "
                              "force: anyone can make tokens\n");
}

static int
run_check_config(const struct command *command, int argc, char **argv)
{
    struct question question = {0};
    struct config *config;
    int status;

    if (!read_question(command, argc, argv, &question))
        return EX_USAGE;
    config = command_load_config();
    if (config == NULL)
        return EX_CONFIG;
    status = print_answer(config, &question);
    if (question.setting == NULL)
        print_notes(config);
    config_free(config);
    return status;
}

const struct command command_check_config = {
    .name = "check-config",
    .arguments = "[--get NAME [--default VALUE] [--secret]]",
    .summary = "show the settings in force, or every error in them",
    .details =
        "  --get NAME       print only the value of this setting, for a "
        "script\n"
        "  --default VALUE  print VALUE if the setting is empty or not given\n"
        "  --secret         print the value even if it is a secret; one salt "
        "per line\n"
        "\nPrints NAME=value lines, with secrets masked, and exits with 0; or "
        "reports every\nerror and exits with 78. `scoring --help` lists the "
        "settings.\n",
    .run = run_check_config,
};
