#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/buf.h"
#include "config/config.h"

/* One command of the command line: it runs, or is a group of commands. */
struct command {
    const char *name;         /* in a group with that of the group before it */
    const char *arguments;    /* what may follow the name; NULL for nothing */
    const char *summary;      /* for the list of all commands */
    const char *details;      /* lines for its own --help; NULL for none */
    int words_min, words_max; /* of its arguments: those that are no options */
    const struct command *const *group; /* ends with NULL; NULL: it runs */

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
 * The command that a word names; commands ends with NULL. -h and -V are known.
 * NULL, with what was probably meant printed, if there is none.
 */
const struct command *command_find(const struct command *const *commands,
                                   const char *word);

/*
 * Runs a command, or that of its group which argv[1] names, or shows its help.
 * argv[0] is its name, and behind the last argument is NULL. Returns a status
 * of sysexits(3).
 */
int command_run(const struct command *command, int argc, char **argv);

/*
 * Says what is wrong with the arguments, and how they should be.
 *
 * at   the argument in question, or NULL.
 *
 * Returns EX_USAGE.
 */
int command_misused(const struct command *command, const char *problem,
                    const char *at);

/* One option: it takes a text, or turns a flag on. */
struct command_option {
    const char *name; /* NULL behind the last one */
    const char **text;
    bool *flag;
};

#define COMMAND_OPTIONS_MAX 8

/*
 * Reads the options of a command, and the words behind them, which are as many
 * as its row says. A negative number is a word.
 *
 * options   NULL: there are none.
 *
 * Returns the words, and NULL behind the last one; or NULL, with the reason
 * printed, if the arguments are wrong.
 */
char **command_read(const struct command *command, int argc, char **argv,
                    const struct command_option *options);

/*
 * Prints a text on standard output and frees it; what it held is wiped, as it
 * may be a secret. Returns the status of the command: EX_OSERR without memory.
 */
int command_print_text(struct buf *text);

/* EX_OK, or EX_IOERR with the reason printed if output has been lost. */
int command_output_status(void);

/* Each line about a mistake, on standard error. */
void command_print_mistakes(const struct buf *errors);

/*
 * The settings in force, owned by the caller; or NULL when each of their
 * mistakes has been printed: then exit with EX_CONFIG.
 */
struct config *command_load_config(void);

#endif
