/*
 * `scoring accounts`: checks, lists and begins files of accounts. Implements
 * the commands of S11 of docs/protocol.md. No salt is ever shown but one
 * that has just been made.
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

#define SALT_BYTES 32 /* of the system's random bytes: 256 bits */

typedef int work_fn(const struct command *command, const char *argument);

static work_fn work_check, work_new, work_list;

/* A sub-command, and how many arguments it takes. */
struct job {
    struct command command;
    int arguments_min, arguments_max;
    work_fn *work;
};

static const struct job jobs[] = {
    {{.name = "accounts check",
      .arguments = "[FILE]",
      .summary = "name every fault of a file of accounts",
      .details = "Without FILE it is that of the settings in force, "
                 "SCORING_ACCOUNTS_FILE. Exits with\n65 if FILE has faults.\n"},
     0,
     1,
     work_check},
    {{.name = "accounts new",
      .arguments = "NAME",
      .summary = "print an entry with a fresh salt for a file of accounts",
      .details = "The salt has 256 random bits. Nothing is written to any "
                 "file.\n"},
     1,
     1,
     work_new},
    {{.name = "accounts list",
      .arguments = "",
      .summary = "show the accounts in force, without their salts"},
     0,
     0,
     work_list},
};

#define JOB_COUNT (sizeof(jobs) / sizeof(jobs[0]))

/* The settings with accounts, or NULL with a status set. */
static struct config *
load_accounts(const struct command *command, int *ret_status)
{
    struct config *config = command_load_config();

    *ret_status = EX_CONFIG;
    if (config == NULL || config->accounts != NULL)
        return config;
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

/* The accounts of the settings may be what is to be mended by this file. */
static int
check_file(const char *path)
{
    struct buf errors = {0};
    struct accounts *accounts = NULL;
    struct config *config = NULL;
    unsigned mode = 0;
    int status = EX_CONFIG;

    if (setenv(CONFIG_ACCOUNTS_NAME, "", 1) == 0)
        config = command_load_config();
    if (config == NULL)
        return status;
    accounts = config_read_accounts(path, &config->secrets.admin_salts, &errors,
                                    &mode);
    if (accounts != NULL) {
        status = print_checked(path, accounts, mode);
    } else {
        command_print_mistakes(&errors);
        status = access(path, R_OK) == 0 ? EX_DATAERR : EX_NOINPUT;
    }
    accounts_free(accounts);
    config_free(config);
    buf_free(&errors);
    return status;
}

static int
work_check(const struct command *command, const char *argument)
{
    struct config *config;
    int status;

    if (argument != NULL)
        return check_file(argument);
    config = load_accounts(command, &status);
    if (config != NULL)
        status = print_checked(config->accounts_file, config->accounts,
                               config->accounts_mode);
    config_free(config);
    return status;
}

/* Not one that ends with the published salt of the admin: it would be refused
 * where that is in force. */
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

/* What is read again is sure to be taken. */
static bool
entry_is_good(const struct buf *entry)
{
    const struct auth_salts none = {0};
    struct buf errors = {0};
    struct accounts *accounts = accounts_read(buf_bytes(entry), &none, &errors);

    if (accounts == NULL)
        command_print_mistakes(&errors);
    buf_free(&errors);
    accounts_free(accounts);
    return accounts != NULL;
}

static int
work_new(const struct command *command, const char *argument)
{
    struct buf entry = {0};

    (void)command;
    buf_add_text(&entry, "{");
    json_add_string(&entry, bytes_of(argument));
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
work_list(const struct command *command, const char *argument)
{
    struct buf text = {0};
    int status;
    struct config *config = load_accounts(command, &status);

    (void)argument;
    if (config == NULL)
        return status;
    for (size_t i = 0; i < accounts_count(config->accounts); i++)
        put_account(accounts_get(config->accounts, i), &text);
    config_free(config);
    return command_print_text(&text);
}

/* argv[0] is the sub-command's name. */
static int
run_job(const struct job *job, int argc, char **argv)
{
    const int first = argc > 1 && strcmp(argv[1], "--") == 0 ? 2 : 1;
    const int count = argc - first;

    if (first == 1 && count == 1 && strcmp(argv[1], "--help") == 0) {
        command_print_help(&job->command, stdout);
        return command_output_status();
    }
    if (first == 1 && count > 0 && argv[1][0] == '-' && argv[1][1] != '\0')
        return command_misused(&job->command, "no such option", argv[1]);
    if (count < job->arguments_min)
        return command_misused(&job->command, "which name?", NULL);
    if (count > job->arguments_max)
        return command_misused(&job->command, "unexpected argument",
                               argv[first + job->arguments_max]);
    return job->work(&job->command, count > 0 ? argv[first] : NULL);
}

static int
run_accounts(const struct command *command, int argc, char **argv)
{
    if (argc < 2)
        return command_misused(command, "check, new or list?", NULL);
    for (size_t i = 0; i < JOB_COUNT; i++) {
        if (strcmp(argv[1], strrchr(jobs[i].command.name, ' ') + 1) == 0)
            return run_job(&jobs[i], argc - 1, argv + 1);
    }
    return command_misused(command, "no such command", argv[1]);
}

const struct command command_accounts = {
    .name = "accounts",
    .arguments = "check|new|list ...",
    .summary = "check, begin or show a file of accounts",
    .details = "  check [FILE]\n"
               "  new NAME\n"
               "  list\n\n"
               "`scoring accounts check --help` tells more, and so do the "
               "others'.\n",
    .run = run_accounts,
};
