/*
 * Code that the commands share: finds a command, reads its arguments, prints
 * its usage, loads the settings, and checks that its output was written.
 * Implements S26 of docs/protocol.md.
 */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <string.h>
#include <sys/param.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "cli/command.h"

#define COMMAND_WORD_MAX 32 /* longer than any name */
#define COMMAND_SLIPS    2  /* edits between a name and a similar word */

/* The Levenshtein distance: letters to insert, delete or replace. */
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
            row[j] = MIN(replaced, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[length];
}

/* The last word of its name: "check" of "model check". */
static const char *
word_of(const struct command *command)
{
    const char *space = strrchr(command->name, ' ');

    return space != NULL ? space + 1 : command->name;
}

/* The name that is most similar to a word; NULL if none is similar. */
static const char *
nearest_of(const struct command *const *commands, const char *word)
{
    const char *nearest = NULL;
    size_t fewest = COMMAND_SLIPS + 1;

    if (strlen(word) > COMMAND_WORD_MAX)
        return NULL;
    for (; *commands != NULL; commands++) {
        const char *name = word_of(*commands);
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

/* The names that the tables have for -h and -V. */
static const char *
long_form(const char *word)
{
    if (strcmp(word, "-h") == 0)
        return COMMAND_HELP;
    return strcmp(word, "-V") == 0 ? COMMAND_VERSION : word;
}

const struct command *
command_find(const struct command *const *commands, const char *word)
{
    const char *nearest = nearest_of(commands, word);

    for (size_t i = 0; commands[i] != NULL; i++) {
        if (strcmp(word_of(commands[i]), long_form(word)) == 0)
            return commands[i];
    }
    (void)fprintf(stderr, "scoring: unknown command: %s\n", word);
    if (nearest != NULL)
        (void)fprintf(stderr, "scoring: did you mean %s?\n", nearest);
    return NULL;
}

static void
print_usage(const struct command *command, FILE *out)
{
    const struct command *const *group = command->group;

    (void)fprintf(out, "usage: scoring %s", command->name);
    for (size_t i = 0; group != NULL && group[i] != NULL; i++)
        (void)fprintf(out, "%s%s", i > 0 ? "|" : " ", word_of(group[i]));
    if (group != NULL)
        (void)fprintf(out, " ...");
    else if (command->arguments != NULL)
        (void)fprintf(out, " %s", command->arguments);
    (void)fprintf(out, "\n");
}

static int
print_help(const struct command *command)
{
    const struct command *const *group = command->group;

    print_usage(command, stdout);
    (void)printf("\n%s\n", command->summary);
    if (command->details != NULL)
        (void)printf("\n%s", command->details);
    for (size_t i = 0; group != NULL && group[i] != NULL; i++)
        (void)printf("%s  %-7s %s\n", i > 0 ? "" : "\n", word_of(group[i]),
                     group[i]->summary);
    if (group != NULL)
        (void)printf("\n`scoring %s COMMAND --help` explains one of them.\n",
                     command->name);
    return command_output_status();
}

int
command_run(const struct command *command, int argc, char **argv)
{
    const struct command *inner;

    if (argc == 2 && strcmp(long_form(argv[1]), COMMAND_HELP) == 0)
        return print_help(command);
    if (command->group == NULL)
        return command->run(command, argc, argv);
    if (argc < 2)
        return command_misused(command, "a command is missing", NULL);
    inner = command_find(command->group, argv[1]);
    if (inner != NULL)
        return command_run(inner, argc - 1, argv + 1);
    print_usage(command, stderr);
    return EX_USAGE;
}

int
command_misused(const struct command *command, const char *problem,
                const char *at)
{
    (void)fprintf(stderr, "scoring: %s: %s%s%s\n", command->name, problem,
                  at != NULL ? ": " : "", at != NULL ? at : "");
    print_usage(command, stderr);
    return EX_USAGE;
}

/* Fills the options of getopt_long(); ret_known is zeroed before. */
static void
list_options(const struct command_option *options,
             struct option ret_known[COMMAND_OPTIONS_MAX + 1])
{
    for (int i = 0; options != NULL && options[i].name != NULL; i++) {
        assert(i < COMMAND_OPTIONS_MAX);
        ret_known[i] = (struct option){
            .name = options[i].name,
            .has_arg =
                options[i].text != NULL ? required_argument : no_argument,
            .val = i + 1,
        };
    }
}

static bool
is_negative_number(const char *word)
{
    return word != NULL && word[0] == '-' && isdigit((unsigned char)word[1]);
}

/* Returns NULL, or an error; *at is then the argument at fault. */
static const char *
read_options(int argc, char **argv, const struct command_option *options,
             const char **at)
{
    struct option known[COMMAND_OPTIONS_MAX + 1] = {{0}};
    int option;

    list_options(options, known);
    optind = 0; /* resets getopt_long() */
    for (int next = 1;; next = optind) {
        *at = argv[next];
        if (is_negative_number(*at)) {
            optind = next;
            return NULL;
        }
        option = getopt_long(argc, argv, "+:", known, NULL);
        if (option == -1)
            return NULL;
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

char **
command_read(const struct command *command, int argc, char **argv,
             const struct command_option *options)
{
    const char *at, *fault = read_options(argc, argv, options, &at);
    const int words = argc - optind;

    if (fault == NULL && words > command->words_max) {
        fault = "unexpected argument";
        at = argv[optind + command->words_max];
    } else if (fault == NULL && words < command->words_min) {
        fault = "an argument is missing";
        at = NULL;
    }
    if (fault == NULL)
        return argv + optind;
    (void)command_misused(command, fault, at);
    return NULL;
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
command_print_lines(const char *prefix, struct bytes lines)
{
    while (lines.length > 0) {
        const struct bytes line = bytes_cut(&lines, '\n');

        (void)fprintf(stderr, "scoring: %s%.*s\n", prefix, (int)line.length,
                      line.at);
    }
}

void
command_print_errors(const struct buf *errors)
{
    command_print_lines("", errors->length > 0 ? buf_bytes(errors)
                                               : bytes_of("out of memory"));
}

int
command_file_status(const char *path, const struct buf *errors)
{
    if (errors->failed)
        return EX_OSERR;
    return access(path, R_OK) == 0 ? EX_DATAERR : EX_NOINPUT;
}

struct config *
command_load_config(enum config_scope scope, int *ret_status)
{
    struct buf errors = {0};
    struct config *config = config_load(environ, scope, &errors);

    if (config == NULL || !config_use_time_zone(config)) {
        command_print_errors(&errors);
        *ret_status = config != NULL || errors.failed ? EX_OSERR : EX_CONFIG;
        config_free(config);
        config = NULL;
    }
    buf_free(&errors);
    return config;
}
