/*
 * `scoring token`: the token of a user, or the admin's of this hour, by the
 * salts in force. Implements "Token" of docs/protocol.md.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "cli/command.h"
#include "scoring/auth.h"

/* Whose token is wanted; texts are NULL where not given. */
struct wish {
    const char *account;
    const char *login;
    bool is_admin;
};

enum { OPTION_ACCOUNT = 1, OPTION_LOGIN, OPTION_ADMIN };

static const struct option options[] = {
    {"account", required_argument, NULL, OPTION_ACCOUNT},
    {"login", required_argument, NULL, OPTION_LOGIN},
    {"admin", no_argument, NULL, OPTION_ADMIN},
    {0},
};

/* What is wrong with it as a whole, or NULL. */
static const char *
wish_fault(const struct wish *wish)
{
    if (!wish->is_admin && wish->login == NULL)
        return "whose? give --login or --admin";
    if (wish->is_admin && (wish->login != NULL || wish->account != NULL))
        return "--admin goes without --login and --account";
    return NULL;
}

/* False, with the reason printed, if the arguments make no sense. */
static bool
read_wish(const struct command *command, int argc, char **argv,
          struct wish *ret_wish)
{
    struct wish wish = {0};
    const char *fault = NULL, *at = NULL;
    int option;

    while (fault == NULL) {
        at = argv[optind];
        option = getopt_long(argc, argv, "+:", options, NULL);
        if (option == -1)
            break;
        if (option == OPTION_ACCOUNT)
            wish.account = optarg;
        else if (option == OPTION_LOGIN)
            wish.login = optarg;
        else if (option == OPTION_ADMIN)
            wish.is_admin = true;
        else
            fault = option == ':' ? "a value is missing" : "no such option";
    }
    if (fault == NULL && optind < argc)
        fault = "unexpected argument";
    else if (fault == NULL)
        fault = wish_fault(&wish); /* of all, and at is NULL */
    if (fault != NULL) {
        (void)command_misused(command, fault, at);
        return false;
    }
    *ret_wish = wish;
    return true;
}

static int
print_token(const struct config *config, const struct wish *wish)
{
    const char *account = wish->account != NULL ? wish->account : "";
    const char *login = wish->is_admin ? AUTH_ADMIN_LOGIN : wish->login;
    const struct auth_claim claim = {.account = bytes_of(account),
                                     .login = bytes_of(login)};
    struct auth *auth = auth_new(&config->secrets);
    char token[AUTH_TOKEN_LENGTH + 1];
    bool is_made;

    is_made =
        auth != NULL && auth_token(auth, &claim, NULL, clock_wall_s(), token);
    auth_free(auth);
    if (!is_made) {
        (void)fprintf(stderr, "scoring: the token cannot be made\n");
        return EX_SOFTWARE;
    }
    (void)printf("%s\n", token);
    return command_output_status();
}

static int
run_token(const struct command *command, int argc, char **argv)
{
    struct wish wish = {0};
    struct config *config;
    int status;

    if (!read_wish(command, argc, argv, &wish))
        return EX_USAGE;
    config = command_load_config();
    if (config == NULL)
        return EX_CONFIG;
    status = print_token(config, &wish);
    config_free(config);
    return status;
}

const struct command command_token = {
    .name = "token",
    .arguments = "--login LOGIN [--account ACCOUNT] | --admin",
    .summary = "print a token, by the salts in force",
    .details =
        "  --login LOGIN      of this user\n"
        "  --account ACCOUNT  of this account; without it, of none\n"
        "  --admin            the admin's, which is good for this "
        "hour\n\nOf several salts the first one, the newest, is taken.\n",
    .run = run_token,
};
