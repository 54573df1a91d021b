/*
 * `scoring check-config`: prints the settings that `scoring serve` would use,
 * or every error in them; or some settings, for a script. Implements S26.3 of
 * docs/protocol.md.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/buf.h"
#include "cli/command.h"
#include "config/settings.h"

/* The values of the options; NULL: not given. */
struct question {
    const char *name;      /* of one setting */
    const char *names;     /* of several, separated by commas */
    const char *otherwise; /* printed instead of the default */
    bool may_be_secret;
    bool is_of_service; /* not to check the settings of nginx */
};

/* Why a name is refused, or NULL. */
static const char *
name_fault(const struct question *question, struct bytes name)
{
    const struct config_setting *setting = config_setting_find(name);

    if (setting == NULL)
        return "there is no such setting";
    if (setting->is_secret && !question->may_be_secret)
        return "this is a secret: add --secret";
    return NULL;
}

/* Returns the first of the names, and steps over it and its comma. */
static struct bytes
next_name(const char **names)
{
    struct bytes name = {*names, strcspn(*names, ",")};

    *names += name.length + ((*names)[name.length] == ',');
    return name;
}

/* Why the options are refused, with the argument at fault; or NULL. */
static const char *
question_fault(const struct question *question, const char **ret_at)
{
    const char *rest = question->names, *fault;

    *ret_at = question->name;
    if (question->name != NULL && question->names != NULL)
        return "--get and --shell exclude each other";
    if (question->otherwise != NULL && question->name == NULL)
        return "--default needs --get";
    if (question->name != NULL)
        return name_fault(question, bytes_of(question->name));
    if (question->names == NULL)
        return question->may_be_secret ? "--secret needs --get or --shell"
                                       : NULL;
    do {
        *ret_at = rest;
        fault = name_fault(question, next_name(&rest));
    } while (fault == NULL && *rest != '\0');
    return fault;
}

/* Returns false after printing the reason if the arguments are wrong. */
static bool
read_question(const struct command *command, int argc, char **argv,
              struct question *ret_question)
{
    struct question question = {0};
    const struct command_option options[] = {
        {.name = "get", .text = &question.name},
        {.name = "default", .text = &question.otherwise},
        {.name = "shell", .text = &question.names},
        {.name = "secret", .flag = &question.may_be_secret},
        {.name = "service", .flag = &question.is_of_service},
        {.name = NULL},
    };
    const char *at, *fault;

    if (command_read(command, argc, argv, options) == NULL)
        return false;
    fault = question_fault(&question, &at);
    if (fault != NULL) {
        (void)command_misused(command, fault, at);
        return false;
    }
    *ret_question = question;
    return true;
}

/* Adds NAME='value', quoted so that a shell can evaluate it. */
static void
add_assignment(const struct config *config,
               const struct config_setting *setting, struct buf *text)
{
    struct buf value = {0};

    config_get(config, setting, "", &value);
    buf_printf(text, "%s='", setting->name);
    for (size_t i = 0; i < value.length; i++) {
        if (value.data[i] == '\'')
            buf_add_text(text, "'\\'");
        buf_add(text, &value.data[i], 1);
    }
    buf_add_text(text, "'\n");
    text->failed = text->failed || value.failed;
    if (value.data != NULL)
        explicit_bzero(value.data, value.length);
    buf_free(&value);
}

static int
print_answer(const struct config *config, const struct question *question)
{
    const struct config_setting *setting;
    struct buf text = {0};

    if (question->names != NULL) {
        for (const char *rest = question->names; *rest != '\0';) {
            setting = config_setting_find(next_name(&rest));
            assert(setting != NULL); /* read_question() has checked it */
            add_assignment(config, setting, &text);
        }
    } else if (question->name != NULL) {
        setting = config_setting_find(bytes_of(question->name));
        assert(setting != NULL);
        config_get(config, setting, question->otherwise, &text);
        buf_add_text(&text, "\n");
    } else {
        config_print(config, &text);
    }
    return command_print_text(&text);
}

static void
print_notes(const struct config *config)
{
    command_print_lines("note: ", config_notes(config));
    if (config->salts_published != CONFIG_NONE ||
        config->admin_salts_published != CONFIG_NONE)
        command_print_lines("note: ",
                            bytes_of("a published default salt is in force: "
                                     "anyone can make tokens"));
}

static int
run_check_config(const struct command *command, int argc, char **argv)
{
    struct question question = {0};
    struct config *config;
    int status;

    if (!read_question(command, argc, argv, &question))
        return EX_USAGE;
    config = command_load_config(
        question.is_of_service ? CONFIG_OF_SERVICE : CONFIG_OF_ALL, &status);
    if (config == NULL)
        return status;
    status = print_answer(config, &question);
    if (question.name == NULL && question.names == NULL)
        print_notes(config);
    config_free(config);
    return status;
}

const struct command command_check_config = {
    .name = "check-config",
    .arguments = "[--get NAME | --shell NAMES] [OPTION...]",
    .summary = "show the settings in force, or every error in them",
    .details =
        "  --get NAME       print only the value of this setting, for a "
        "script\n"
        "  --default VALUE  print VALUE if the setting is empty or not given\n"
        "  --shell NAMES    print these settings (commas between the names) "
        "as\n"
        "                   NAME='value' lines for a shell; empty if not "
        "given\n"
        "  --secret         print the value even if it is a secret; one salt "
        "per line\n"
        "  --service        do not check the settings of nginx and make run, "
        "as the\n"
        "                   service does not when it starts\n"
        "\nPrints NAME=value lines, with secrets masked, and exits with 0; or "
        "reports every\nerror and exits with 78. `scoring --help` lists the "
        "settings.\n",
    .run = run_check_config,
};
