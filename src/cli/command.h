#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/buf.h"
#include "config/config.h"

/* One command of the command line. */
struct command {
    const char *name;
    const char *arguments; /* what may follow the name; "" for nothing */
    const char *summary;   /* for the list of all commands */
    const char *details;   /* lines for its own --help; NULL for none */

    /* argv[0] is the command's name. Returns a status of sysexits(3). */
    int (*run)(const struct command *command, int argc, char **argv);
};

extern const struct command command_accounts;
extern const struct command command_check_config;
extern const struct command command_healthcheck;
extern const struct command command_interests;
extern const struct command command_model;
extern const struct command command_token;

/* The name that a word was probably meant to be; NULL if it is like none. */
const char *command_nearest(const struct command *const *commands, size_t count,
                            const char *word);

/* Its line of usage and its details. */
void command_print_help(const struct command *command, FILE *out);

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
 * Reads the options of a command that takes nothing else.
 *
 * ret_at   of a fault: the argument in question.
 *
 * Returns NULL, or what is wrong.
 */
const char *command_read_options(int argc, char **argv,
                                 const struct command_option *options,
                                 const char **ret_at);

/* EX_OK, or EX_USAGE with the reason printed if anything follows the name. */
int command_takes_nothing(const struct command *command, int argc, char **argv);

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
