/*
 * `scoring token`: the token of a user, or the admin's of this hour, by the
 * salts in force. Implements S10 of docs/protocol.md.
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

/* Whose token is wanted; texts are NULL where not given. */
struct wish {
    const char *account;
    const char *login;
    bool is_admin;
};

/* What is wrong with it as a whole, or NULL. */
static const char *
wish_fault(const struct wish *wish)
{
    if (!wish->is_admin && wish->login == NULL)
        return "give --login or --admin";
    if (wish->is_admin && (wish->login != NULL || wish->account != NULL))
        return "--admin excludes --login and --account";
    return NULL;
}

/* False, with the reason printed, if the arguments are wrong. */
static bool
read_wish(const struct command *command, int argc, char **argv,
          struct wish *ret_wish)
{
    struct wish wish = {0};
    const struct command_option options[] = {
        {.name = "account", .text = &wish.account},
        {.name = "login", .text = &wish.login},
        {.name = "admin", .flag = &wish.is_admin},
        {.name = NULL},
    };
    const char *fault;

    if (command_read(command, argc, argv, options) == NULL)
        return false;
    fault = wish_fault(&wish);
    if (fault != NULL) {
        (void)command_misused(command, fault, NULL);
        return false;
    }
    *ret_wish = wish;
    return true;
}

/* How the token is made, or why it is not. */
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
print_token(const struct config *config, const struct wish *wish)
{
    const struct auth_claim claim = {
        .account = bytes_of(wish->account != NULL ? wish->account : ""),
        .login = bytes_of(wish->is_admin ? AUTH_ADMIN_LOGIN : wish->login)};
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
