/*
 * What the commands of the command line share: their usage, their settings,
 * and the check that their output has arrived. Implements S26 of
 * docs/protocol.md.
 */
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "cli/command.h"

#define COMMAND_WORD_MAX 32 /* longer than any name */
#define COMMAND_SLIPS    2  /* letters that may be wrong, missing or too many */

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many letters have to be put in, taken out or replaced (Levenshtein). */
static size_t
distance(const char *a, const char *b)
{
    size_t row[COMMAND_WORD_MAX + 1];
    const size_t length = strlen(b);

    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t above_left = row[0];

        row[0] = i + 1;
        for (size_t j = 1; j <= length; j++) {
            const size_t replaced = above_left + (a[i] != b[j - 1]);

            above_left = row[j];
            row[j] = least(replaced, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[length];
}

const char *
command_nearest(const struct command *const *commands, size_t count,
                const char *word)
{
    const char *nearest = NULL;
    size_t fewest = COMMAND_SLIPS + 1;

    if (strlen(word) > COMMAND_WORD_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        const char *name = commands[i]->name;
        const bool is_begun =
            *word != '\0' && strncmp(name, word, strlen(word)) == 0;
        const size_t slips = is_begun ? 0 : distance(name, word);

        if (slips >= fewest || slips >= strlen(word))
            continue;
        nearest = name;
        fewest = slips;
    }
    return nearest;
}

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

const char *
command_read_options(int argc, char **argv,
                     const struct command_option *options, const char **ret_at)
{
    struct option known[COMMAND_OPTIONS_MAX + 1] = {{0}};
    int option;

    for (int i = 0; options[i].name != NULL; i++) {
        assert(i < COMMAND_OPTIONS_MAX);
        known[i] = (struct option){
            .name = options[i].name,
            .has_arg =
                options[i].text != NULL ? required_argument : no_argument,
            .val = i + 1,
        };
    }
    for (;;) {
        *ret_at = argv[optind];
        option = getopt_long(argc, argv, "+:", known, NULL);
        if (option == -1)
            return optind < argc ? "unexpected argument" : NULL;
        if (option == ':')
            return "a value is missing";
        if (option == '?')
            return "no such option";
        if (options[option - 1].text != NULL)
            *options[option - 1].text = optarg;
        else
            *options[option - 1].flag = true;
    }
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

int
command_print_text(struct buf *text)
{
    int status = EX_OSERR;

    if (text->failed) {
        (void)fprintf(stderr, "scoring: out of memory\n");
    } else {
        (void)fwrite(text->data, 1, text->length, stdout);
        status = command_output_status();
    }
    if (text->data != NULL)
        explicit_bzero(text->data, text->length);
    buf_free(text);
    return status;
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
