/*
 * `scoring token`: prints the token of a user, or the admin's token of this
 * hour, made with the salts in force. Implements S10 of docs/protocol.md.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/command.h"
#include "config/settings.h"
#include "scoring/accounts.h"
#include "scoring/auth.h"

/* The values of the options; NULL: not given. */
struct wanted {
    const char *account;
    const char *login;
    bool is_admin;
};

/* Why the options are refused, or NULL. */
static const char *
wanted_fault(const struct wanted *wanted)
{
    if (!wanted->is_admin && wanted->login == NULL)
        return "give --login or --admin";
    if (wanted->is_admin && (wanted->login != NULL || wanted->account != NULL))
        return "--admin excludes --login and --account";
    return NULL;
}

/* Returns false after printing the reason if the arguments are wrong. */
static bool
read_wanted(const struct command *command, int argc, char **argv,
            struct wanted *ret_wanted)
{
    struct wanted wanted = {0};
    const struct command_option options[] = {
        {.name = "account", .text = &wanted.account},
        {.name = "login", .text = &wanted.login},
        {.name = "admin", .flag = &wanted.is_admin},
        {.name = NULL},
    };
    const char *fault;

    if (command_read(command, argc, argv, options) == NULL)
        return false;
    fault = wanted_fault(&wanted);
    if (fault != NULL) {
        (void)command_misused(command, fault, NULL);
        return false;
    }
    *ret_wanted = wanted;
    return true;
}

/* Finds the salts. Returns EX_OK; or prints the reason: EX_USAGE. */
static int
find_salts(const struct config *config, const struct auth_claim *claim,
           const struct auth_salts **ret_salts)
{
    const bool is_admin = auth_is_admin(claim->login);
    const struct account *account;
    struct buf name = {0};

    *ret_salts =
        is_admin ? &config->secrets.admin_salts : &config->secrets.salts;
    if (config->accounts == NULL || is_admin)
        return EX_OK;
    account = accounts_find(config->accounts, claim->account, ret_salts);
    if (account != NULL && !account->is_disabled)
        return EX_OK;
    json_add_string(&name, claim->account);
    (void)fprintf(stderr, "scoring: the account %.*s is %s in %s\n",
                  (int)name.length, name.data != NULL ? name.data : "",
                  account != NULL ? "disabled" : "not listed",
                  config->accounts_file);
    buf_free(&name);
    return account != NULL ? EX_OK : EX_USAGE;
}

static void
note_published(struct bytes salt, bool is_admin)
{
    const char *published = is_admin ? CONFIG_ADMIN_SALT : CONFIG_SALT;

    if (bytes_equal(salt, bytes_of(published)))
        (void)fprintf(stderr, "scoring: note: the salt of this token is the "
                              "published one: anyone can make it, and a "
                              "service with salts of its own refuses it\n");
}

static int
print_token(const struct config *config, const struct wanted *wanted)
{
    const struct auth_claim claim = {
        .account = bytes_of(wanted->account != NULL ? wanted->account : ""),
        .login = bytes_of(wanted->is_admin ? AUTH_ADMIN_LOGIN : wanted->login)};
    struct auth *auth = auth_new(&config->secrets);
    const struct auth_salts *salts;
    char token[AUTH_TOKEN_LENGTH + 1];
    int status = find_salts(config, &claim, &salts);

    if (status == EX_OK &&
        (auth == NULL ||
         !auth_token(auth, &claim, salts, clock_wall_s(), token))) {
        (void)fprintf(stderr, "scoring: the token cannot be made\n");
        status = EX_SOFTWARE;
    }
    auth_free(auth);
    if (status != EX_OK)
        return status;
    note_published(salts->item[0], auth_is_admin(claim.login));
    (void)printf("%s\n", token);
    return command_output_status();
}

static int
run_token(const struct command *command, int argc, char **argv)
{
    struct wanted wanted = {0};
    struct config *config;
    int status;

    if (!read_wanted(command, argc, argv, &wanted))
        return EX_USAGE;
    config = command_load_config(CONFIG_OF_SERVICE, &status);
    if (config == NULL)
        return status;
    status = print_token(config, &wanted);
    config_free(config);
    return status;
}

const struct command command_token = {
    .name = "token",
    .arguments = "--login LOGIN [--account ACCOUNT] | --admin",
    .summary = "print a token made with the salts in force",
    .details =
        "  --login LOGIN      the user's login\n"
        "  --account ACCOUNT  the user's account; empty if it is not given\n"
        "  --admin            print the admin's token, valid for this hour\n"
        "\nOf several salts, the first one, the newest, is used. An account "
        "of\nSCORING_ACCOUNTS_FILE has its own salts. If the salt is a "
        "published one, a note\non standard error says so.\n",
    .run = run_token,
};
