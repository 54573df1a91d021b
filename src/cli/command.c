/*
 * What the commands of the command line share: their usage, their settings,
 * and the check that their output has arrived. Implements S26 of
 * docs/protocol.md.
 */
#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "cli/command.h"

void
command_print_help(const struct command *command, FILE *out)
{
    (void)fprintf(out, "usage: scoring %s%s%s\n", command->name,
                  *command->arguments != '\0' ? " " : "", command->arguments);
    (void)fprintf(out, "\n%s\n", command->summary);
    if (command->details != NULL)
        (void)fprintf(out, "\n%s", command->details);
}

int
command_misused(const struct command *command, const char *problem,
                const char *at)
{
    (void)fprintf(stderr, "scoring: %s: %s%s%s\n", command->name, problem,
                  at != NULL ? ": " : "", at != NULL ? at : "");
    (void)fprintf(stderr, "usage: scoring %s%s%s\n", command->name,
                  *command->arguments != '\0' ? " " : "", command->arguments);
    return EX_USAGE;
}

int
command_takes_nothing(const struct command *command, int argc, char **argv)
{
    if (argc > 1)
        return command_misused(command, "unexpected argument", argv[1]);
    return EX_OK;
}

int
command_output_status(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EX_OK;
    (void)fprintf(stderr, "scoring: standard output: %s\n", strerror(errno));
    return EX_IOERR;
}

void
command_print_mistakes(const struct buf *errors)
{
    const char *at = errors->data, *end = at + errors->length;

    if (errors->length == 0)
        (void)fprintf(stderr, "scoring: no memory for the settings\n");
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        int length = (int)((stop != NULL ? stop : end) - at);

        (void)fprintf(stderr, "scoring: %.*s\n", length, at);
        at += length + 1;
    }
}

struct config *
command_load_config(void)
{
    struct buf errors = {0};
    struct config *config = config_load(environ, &errors);

    if (config == NULL || !config_use_time_zone(config)) {
        command_print_mistakes(&errors);
        config_free(config);
        config = NULL;
    }
    buf_free(&errors);
    return config;
}
