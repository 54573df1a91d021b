/*
 * `scoring accounts`: checks and lists accounts, and makes entries for new
 * ones. Implements S11 of docs/protocol.md. A salt is never shown, except a new
 * one.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "cli/command.h"
#include "config/settings.h"
#include "scoring/accounts.h"
#include "scoring/api.h"

#define SALT_BYTES 32 /* random bytes: 256 bits */

/* The settings, which have accounts; or NULL with *ret_status set. */
static struct config *
load_accounts(const struct command *command, int *ret_status)
{
    struct config *config = command_load_config(CONFIG_OF_SERVICE, ret_status);

    if (config == NULL || config->accounts != NULL)
        return config;
    *ret_status = EX_CONFIG;
    (void)fprintf(stderr, "scoring: %s: SCORING_ACCOUNTS_FILE is not set\n",
                  command->name);
    config_free(config);
    return NULL;
}

static int
print_checked(const char *path, const struct accounts *accounts, unsigned mode)
{
    if (mode != 0)
        (void)fprintf(stderr, "scoring: note: %s: " CONFIG_ACCOUNTS_OPEN "\n",
                      path, mode);
    if (config_published_account(accounts) != NULL)
        (void)fprintf(stderr,
                      "scoring: note: %s: one salt is the published "
                      "one: anyone can make its tokens\n",
                      path);
    (void)printf("%s: %zu account(s), no faults\n", path,
                 accounts_count(accounts));
    return command_output_status();
}

/* Ignores the file of accounts of the settings, which may be the broken one. */
static int
check_file(const char *path)
{
    struct buf errors = {0};
    struct accounts *accounts = NULL;
    struct config *config = NULL;
    unsigned mode = 0;
    int status;

    if (setenv(CONFIG_ACCOUNTS_NAME, "", 1) != 0) {
        (void)fprintf(stderr, "scoring: out of memory\n");
        return EX_OSERR;
    }
    config = command_load_config(CONFIG_OF_SERVICE, &status);
    if (config == NULL)
        return status;
    accounts = config_read_accounts(NULL, path, &config->secrets.admin_salts,
                                    &errors, &mode);
    if (accounts != NULL) {
        status = print_checked(path, accounts, mode);
    } else {
        command_print_errors(&errors);
        status = command_file_status(path, &errors);
    }
    accounts_free(accounts);
    config_free(config);
    buf_free(&errors);
    return status;
}

static int
run_check(const struct command *command, int argc, char **argv)
{
    char **words = command_read(command, argc, argv, NULL);
    struct config *config;
    int status;

    if (words == NULL)
        return EX_USAGE;
    if (words[0] != NULL)
        return check_file(words[0]);
    config = load_accounts(command, &status);
    if (config != NULL)
        status = print_checked(config->accounts_file, config->accounts,
                               config->accounts_mode);
    config_free(config);
    return status;
}

/*
 * Adds a random salt. It does not end with the published salt of the admin: a
 * service that uses that salt would refuse it (S24.4).
 */
static bool
add_salt(struct buf *out)
{
    const struct auth_salts admin_salts = {1, {bytes_of(CONFIG_ADMIN_SALT)}};
    unsigned char bytes[SALT_BYTES];
    const size_t from = out->length;

    do {
        out->length = from;
        if (getentropy(bytes, sizeof(bytes)) != 0)
            return false;
        for (size_t i = 0; i < sizeof(bytes); i++)
            buf_printf(out, "%02x", bytes[i]);
    } while (!out->failed && auth_salt_clashes(buf_bytes(out), &admin_salts));
    explicit_bzero(bytes, sizeof(bytes));
    return true;
}

/* Whether a service would accept the entry. Prints the reason if not. */
static bool
entry_is_good(const struct buf *entry)
{
    const struct auth_salts none = {0};
    struct buf errors = {0};
    struct accounts *accounts = accounts_read(buf_bytes(entry), &none, &errors);

    if (accounts == NULL)
        command_print_errors(&errors);
    buf_free(&errors);
    accounts_free(accounts);
    return accounts != NULL;
}

static int
run_new(const struct command *command, int argc, char **argv)
{
    char **words = command_read(command, argc, argv, NULL);
    struct buf entry = {0};

    if (words == NULL)
        return EX_USAGE;
    buf_add_text(&entry, "{");
    json_add_string(&entry, bytes_of(words[0]));
    buf_add_text(&entry, ": {\"salts\": [\"");
    if (!add_salt(&entry)) {
        (void)fprintf(stderr, "scoring: the system has no random bytes\n");
        buf_free(&entry);
        return EX_OSERR;
    }
    buf_add_text(&entry, "\"]}}\n");
    if (!entry.failed && !entry_is_good(&entry)) {
        buf_free(&entry);
        return EX_USAGE;
    }
    return command_print_text(&entry);
}

static void
put_methods(uint64_t methods, struct buf *out)
{
    const char *name, *between = "";

    if (methods == UINT64_MAX) {
        buf_add_text(out, "all");
        return;
    }
    for (size_t i = 0; (name = api_method_name(i)) != NULL; i++) {
        if ((methods >> i & 1) == 0)
            continue;
        buf_printf(out, "%s%s", between, name);
        between = ",";
    }
    if (*between == '\0')
        buf_add_text(out, "none");
}

static void
put_account(const struct account *account, struct buf *out)
{
    json_add_string(out, account->name);
    buf_add_text(out, " methods=");
    put_methods(account->methods, out);
    if (account->rate > 0)
        buf_printf(out, " rate=%lld burst=%lld", (long long)account->rate,
                   (long long)account->burst);
    else
        buf_add_text(out, " rate=none");
    buf_printf(out, " salts=%zu%s\n", account->salts.count,
               account->is_disabled ? " disabled" : "");
}

static int
run_list(const struct command *command, int argc, char **argv)
{
    struct buf text = {0};
    struct config *config;
    int status;

    if (command_read(command, argc, argv, NULL) == NULL)
        return EX_USAGE;
    config = load_accounts(command, &status);
    if (config == NULL)
        return status;
    for (size_t i = 0; i < accounts_count(config->accounts); i++)
        put_account(accounts_get(config->accounts, i), &text);
    config_free(config);
    return command_print_text(&text);
}

static const struct command check = {
    .name = "accounts check",
    .arguments = "[FILE]",
    .summary = "report every fault of a file of accounts",
    .details = "Without FILE, checks the file that SCORING_ACCOUNTS_FILE "
               "names. Exits with 65 if\nFILE has faults.\n",
    .words_max = 1,
    .run = run_check,
};
static const struct command new = {
    .name = "accounts new",
    .arguments = "NAME",
    .summary = "print an entry with a fresh salt for a file of accounts",
    .details =
        "The salt has 256 random bits. Nothing is written to any file.\n",
    .words_min = 1,
    .words_max = 1,
    .run = run_new,
};
static const struct command list = {
    .name = "accounts list",
    .summary = "show the accounts in force, without their salts",
    .run = run_list,
};

const struct command command_accounts = {
    .name = "accounts",
    .summary = "check, create or list accounts of partners",
    .group = (const struct command *const[]){&check, &new, &list, NULL},
};
