#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/buf.h"
#include "config/config.h"

/* A command, or a group of commands. */
struct command {
    const char *name;         /* in a group "GROUP NAME" */
    const char *arguments;    /* after the name, for --help; NULL: none */
    const char *summary;      /* for the list of all commands */
    const char *details;      /* lines of its own --help; NULL: none */
    int words_min, words_max; /* number of arguments that are not options */
    const struct command *const *group; /* ends with NULL; NULL: not a group */

    /* argv[0] is the command's name. Returns a status of sysexits(3). */
    int (*run)(const struct command *command, int argc, char **argv);
};

#define COMMAND_HELP    "--help"
#define COMMAND_VERSION "--version"

extern const struct command command_accounts;
extern const struct command command_check_config;
extern const struct command command_healthcheck;
extern const struct command command_interests;
extern const struct command command_model;
extern const struct command command_reload;
extern const struct command command_token;

/*
 * Finds a command by its name; -h and -V are --help and --version. If there is
 * none, prints this and the most similar name, and returns NULL.
 *
 * commands   ends with NULL.
 */
const struct command *command_find(const struct command *const *commands,
                                   const char *word);

/*
 * Runs a command, or the one of its group that argv[1] names, or shows its
 * help.
 *
 * argv   argv[0] is the command's name; ends with NULL.
 *
 * Returns a status of sysexits(3).
 */
int command_run(const struct command *command, int argc, char **argv);

/*
 * Prints an error in the arguments, and the usage.
 *
 * at   the argument at fault, or NULL.
 *
 * Returns EX_USAGE.
 */
int command_misused(const struct command *command, const char *problem,
                    const char *at);

/* An option. It has a value, or sets a flag: one of the pointers is NULL. */
struct command_option {
    const char *name; /* without "--"; NULL: the end of the list */
    const char **text;
    bool *flag;
};

#define COMMAND_OPTIONS_MAX 8

/*
 * Reads the options of a command, and the other arguments, the words, of which
 * there must be words_min to words_max. A negative number is a word.
 *
 * options   NULL: none.
 *
 * Returns the words, ended by NULL. If the arguments are wrong, prints the
 * reason and returns NULL.
 */
char **command_read(const struct command *command, int argc, char **argv,
                    const struct command_option *options);

/*
 * Prints a text on standard output, wipes it, because it may be a secret, and
 * frees it. Returns a status of sysexits(3): EX_OSERR if the text has failed.
 */
int command_print_text(struct buf *text);

/* Flushes standard output. Returns EX_OK, or prints the error: EX_IOERR. */
int command_output_status(void);

/* Prints the lines on standard error, each with a prefix after "scoring: ". */
void command_print_lines(const char *prefix, struct bytes lines);

/* Prints the lines on standard error; no lines mean that memory ran out. */
void command_print_errors(const struct buf *errors);

/* The exit status after the errors of a file that is an argument. */
int command_file_status(const char *path, const struct buf *errors);

/*
 * Loads the settings, which the caller owns. If they are wrong, or memory runs
 * out, prints every error and returns NULL.
 *
 * ret_status   set on failure only: EX_CONFIG, or EX_OSERR without memory.
 */
struct config *command_load_config(enum config_scope scope, int *ret_status);

#endif
