/*
 * The setting SCORING_ACCOUNTS_FILE: the errors about its file, and which
 * changes a reload accepts. For the content of the file see scoring/accounts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "config/settings.h"
#include "support/calls.h"
#include "support/cases.h"
#include "support/files.h"

#define SETTING_MAX 512

/* Settings with a file of this content; NULL: no file. */
static struct config *
load(const char *content, mode_t mode, char *salt, struct buf *errors)
{
    const char *text = content != NULL ? content : "";
    char path[FILES_PATH_MAX], setting[SETTING_MAX];
    char *const environment[] = {"SCORING_CONFIG_FILE=", setting,
                                 "SCORING_ADMIN_SALT=hidden", salt, NULL};
    struct config *config;

    CU_ASSERT_TRUE_FATAL(files_make(path, text, strlen(text)));
    (void)snprintf(setting, sizeof(setting), "SCORING_ACCOUNTS_FILE=%s",
                   content != NULL ? path : "");
    CU_ASSERT_EQUAL(chmod(path, mode), 0);
    config = config_load(environment, CONFIG_OF_SERVICE, errors);
    (void)unlink(path);
    return config;
}

/* An account with these salts. */
#define ACCOUNT(name, salts) "\"" name "\": {\"salts\": [" salts "]}"
#define OWN                  "{" ACCOUNT("acme", "\"own\"") "}"

struct mode_case {
    const char *name;
    mode_t mode;
    unsigned want; /* 0: no error */
};

static const struct mode_case mode_rows[] = {
    {"its owner's", 0600, 0},        {"its group's, too", 0640, 0},
    {"only to be read", 0440, 0},    {"the group may write", 0660, 0660},
    {"others may read", 0644, 0644}, {"others may read alone", 0604, 0604},
    {"a program", 0700, 0700},
};

TEST_CASES(mode, struct mode_case, mode_rows)
{
    struct buf errors = {0};
    struct config *config = load(OWN, c->mode, NULL, &errors);

    CU_ASSERT_PTR_NOT_NULL_FATAL(config);
    CU_ASSERT_EQUAL(config->accounts_mode, c->want);
    CU_ASSERT_EQUAL(accounts_count(config->accounts), 1);
    config_free(config);
}

TEST_SINGLE(errors, "each line names the setting and the file")
{
    struct buf errors = {0};
    char *at;

    CU_ASSERT_PTR_NULL(load("{\"a\":\n1,\n\"b\": 2}", 0600, NULL, &errors));
    buf_add(&errors, "", 1);
    at = strstr(errors.data, "XXXXXX");
    CU_ASSERT_PTR_NULL(at);
    CU_ASSERT_PTR_EQUAL(
        strstr(errors.data, "SCORING_ACCOUNTS_FILE: \"/tmp/scoring-test-"),
        errors.data);
    CU_ASSERT_PTR_NOT_NULL(strstr(
        errors.data, "\": line 2: account \"a\": must be an object\nSCORING_"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(errors.data, "\": line 3: account \"b\": must be an object\n"));
    buf_free(&errors);
}

struct size_case {
    const char *name;
    size_t length;
    const char *want; /* in the error; NULL: none */
};

static const struct size_case size_rows[] = {
    {"1 MiB", 1048576, NULL},
    {"a byte more", 1048577, "is larger than 1 MiB"},
};

TEST_CASES(size, struct size_case, size_rows)
{
    char *content = malloc(c->length + 1);
    struct buf errors = {0};
    struct config *config;

    CU_ASSERT_PTR_NOT_NULL_FATAL(content);
    (void)snprintf(content, c->length + 1, "%-*s", (int)c->length, OWN);
    config = load(content, 0600, NULL, &errors);
    CU_ASSERT_EQUAL(config != NULL, c->want == NULL);
    buf_add(&errors, "", 1);
    CU_ASSERT(strstr(errors.data, c->want != NULL ? c->want : "") != NULL);
    config_free(config);
    buf_free(&errors);
    free(content);
}

TEST_SINGLE(named, "a file that no setting names is itself named")
{
    const struct auth_salts none = {0};
    char path[FILES_PATH_MAX], want[3 * FILES_PATH_MAX];
    struct buf errors = {0};
    unsigned mode;

    CU_ASSERT_TRUE_FATAL(files_make(path, "{\"a\": 1}", 8));
    CU_ASSERT_PTR_NULL(config_read_accounts(NULL, path, &none, &errors, &mode));
    (void)unlink(path);
    CU_ASSERT_PTR_NULL(config_read_accounts(NULL, path, &none, &errors, &mode));
    buf_add(&errors, "", 1);
    (void)snprintf(want, sizeof(want),
                   "%s: line 1: account \"a\": must be an object\n"
                   "%s: No such file or directory\n",
                   path, path);
    CU_ASSERT_STRING_EQUAL(errors.data, want);
    CU_ASSERT_FALSE(errors.failed);
    buf_free(&errors);
}

TEST_SINGLE(missing, "a file that cannot be read")
{
    char *const environment[] = {
        "SCORING_CONFIG_FILE=", "SCORING_ACCOUNTS_FILE=/none/at.all", NULL};
    struct buf errors = {0};

    CU_ASSERT_PTR_NULL(config_load(environment, CONFIG_OF_SERVICE, &errors));
    buf_add(&errors, "", 1);
    CU_ASSERT_STRING_EQUAL(errors.data,
                           "SCORING_ACCOUNTS_FILE: \"/none/at.all\": No such "
                           "file or directory\n");
    buf_free(&errors);
}

TEST_SINGLE(admin, "the admin's salts are those of the settings")
{
    struct buf errors = {0};

    CU_ASSERT_PTR_NULL(
        load("{" ACCOUNT("a", "\"hidden\"") "}", 0600, NULL, &errors));
    CU_ASSERT_TRUE(errors.length > 0);
    buf_free(&errors);
}

/* Where a published salt is used: for all partners, or for an account. */
struct published_case {
    const char *name, *content;
    char *salt;
    enum config_published want;
};

static const struct published_case published_rows[] = {
    {"no accounts", NULL, NULL, CONFIG_ALL},
    {"no accounts, an own salt", NULL, "SCORING_SALT=own", CONFIG_NONE},
    {"accounts with own salts", OWN, NULL, CONFIG_NONE},
    {"no account at all", "{}", NULL, CONFIG_NONE},
    {"an account with the published one",
     "{" ACCOUNT("a", "\"own\"") "," ACCOUNT("b", "\"s\", \"Otus\"") "}", NULL,
     CONFIG_ALL},
};

TEST_CASES(published, struct published_case, published_rows)
{
    struct buf errors = {0};
    struct config *config = load(c->content, 0600, c->salt, &errors);

    CU_ASSERT_PTR_NOT_NULL_FATAL(config);
    CU_ASSERT_EQUAL(config->salts_published, c->want);
    config_free(config);
}

struct reload_case {
    const char *name;
    const char *before, *after; /* of the file; NULL: none */
    char *salt;
    const char *want; /* the name in the error; NULL: accepted */
};

#define PUBLISHED_A "{" ACCOUNT("a", "\"Otus\"") "," ACCOUNT("b", "\"own\"") "}"
#define PUBLISHED_B "{" ACCOUNT("a", "\"own\"") "," ACCOUNT("b", "\"Otus\"") "}"

static const struct reload_case reload_rows[] = {
    {"another file", OWN, "{" ACCOUNT("acme", "\"other\"") "}", NULL, NULL},
    {"no account is left", OWN, "{}", NULL, NULL},
    {"accounts from now on", NULL, OWN, NULL, NULL},
    {"accounts from now on, one with the published salt of all before", NULL,
     PUBLISHED_A, NULL, NULL},
    {"accounts from now on, one with the published salt", NULL, PUBLISHED_A,
     "SCORING_SALT=own", "SCORING_ACCOUNTS_FILE"},
    {"no accounts any more, and the published salt", OWN, NULL, NULL,
     "SCORING_SALT"},
    {"no accounts any more, and an own salt", OWN, NULL, "SCORING_SALT=own",
     NULL},
    {"a published salt comes", OWN, PUBLISHED_A, NULL, "SCORING_ACCOUNTS_FILE"},
    {"a published salt stays", PUBLISHED_A, PUBLISHED_A, NULL, NULL},
    {"a published salt goes", PUBLISHED_A, OWN, NULL, NULL},
    {"a published salt moves", PUBLISHED_A, PUBLISHED_B, NULL,
     "SCORING_ACCOUNTS_FILE"},
};

TEST_CASES(reload, struct reload_case, reload_rows)
{
    struct buf errors = {0};
    struct config *before = load(c->before, 0600, c->salt, &errors);
    struct config *after = load(c->after, 0600, c->salt, &errors);

    CU_ASSERT_PTR_NOT_NULL_FATAL(before);
    CU_ASSERT_PTR_NOT_NULL_FATAL(after);
    CU_ASSERT_EQUAL(config_may_replace(before, after, &errors),
                    c->want == NULL);
    buf_add(&errors, "", 1);
    CU_ASSERT_EQUAL(strncmp(errors.data, c->want != NULL ? c->want : "",
                            c->want != NULL ? strlen(c->want) : 1),
                    0);
    buf_free(&errors);
    config_free(before);
    config_free(after);
}
