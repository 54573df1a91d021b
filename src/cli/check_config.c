/*
 * `scoring check-config`: the settings as `scoring serve` would take them, or
 * every mistake in them. Implements "Starting it" of docs/protocol.md.
 */
#include <stdio.h>
#include <sysexits.h>

#include "base/buf.h"
#include "cli/command.h"

static int
print_settings(const struct config *config)
{
    struct buf text = {0};
    int status = EX_OSERR;

    config_print(config, &text);
    if (text.failed) {
        (void)fprintf(stderr, "scoring: no memory to show the settings\n");
    } else {
        (void)fwrite(text.data, 1, text.length, stdout);
        status = command_output_status();
    }
    buf_free(&text);
    return status;
}

static int
run_check_config(const struct command *command, int argc, char **argv)
{
    struct config *config;
    int status = command_takes_nothing(command, argc, argv);

    if (status != EX_OK)
        return status;
    config = command_load_config();
    if (config == NULL)
        return EX_CONFIG;
    status = print_settings(config);
    if (config->salts_are_published)
        (void)fprintf(stderr, "scoring: note: a published default salt is in "
                              "force: anyone can make tokens\n");
    config_free(config);
    return status;
}

const struct command command_check_config = {
    .name = "check-config",
    .arguments = "",
    .summary = "show the settings in force, or every mistake in them",
    .details = "Prints NAME=value lines, secrets masked, and exits with 0; or "
               "names each\nmistake and exits with 78. `scoring --help` lists "
               "the settings.\n",
    .run = run_check_config,
};
