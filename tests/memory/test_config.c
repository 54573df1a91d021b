/*
 * Settings with every allocation failing in turn: they are complete, or there
 * are none, and nothing leaks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "support/cases.h"
#include "support/files.h"
#include "support/memory.h"

#define ENV_MAX     4
#define SETTING_MAX 512

struct config_case {
    const char *name;
    char *env[ENV_MAX];
    const char *file; /* content; NULL: none */
    bool is_good;
    const char *accounts; /* content of the file of accounts; NULL: none */
};

static const struct config_case config_rows[] = {
    {"defaults", {NULL}, NULL, true, NULL},
    {"a file",
     {"SCORING_SALT=a,b"},
     "SCORING_WORKERS=3\nREDIS_URL=redis://me:pw@h:1/2\nX=y\n"
     "TZ=CET-1\nMETRICS_PORT= # c\n",
     true,
     NULL},
    {"mistakes",
     {"SCORING_WORKERS=x", "SCORING_NO=1"},
     "SCORING_SALT\n",
     false,
     NULL},
    {"a file that is not there",
     {"SCORING_CONFIG_FILE=/nonexistent"},
     NULL,
     false,
     NULL},
    {"accounts",
     {NULL},
     NULL,
     true,
     "{\"a\": {\"salts\": [\"s\", \"t\"]}, \"b\": {\"salts\": [\"u\"]}}"},
    {"accounts with mistakes",
     {NULL},
     NULL,
     false,
     "{\"a\": {\"salts\": [\"s\"], \"X\": 1}, \"b\": {\"salts\": []}}"},
};

static struct buf expected; /* the printed settings, or nothing */
static char setting[SETTING_MAX], accounts_setting[SETTING_MAX];

static struct config *
load(const struct config_case *c, struct buf *errors)
{
    char *environment[ENV_MAX + 1] = {NULL};
    size_t count = 0;

    while (c->env[count] != NULL) {
        environment[count] = c->env[count];
        count++;
    }
    if (c->accounts != NULL)
        environment[count++] = accounts_setting;
    environment[count] = c->file != NULL ? setting : NULL;
    return config_load(environment, CONFIG_OF_SERVICE, errors);
}

static void
try(const void *row)
{
    const struct config_case *c = row;
    struct buf errors = {0}, printed = {0};
    struct config *config = load(c, &errors);
    bool has_failed = memory_stop();

    CU_ASSERT((config != NULL) == c->is_good || has_failed);
    CU_ASSERT(config == NULL || c->is_good);
    CU_ASSERT(config != NULL || errors.length > 0 || errors.failed);
    CU_ASSERT(config != NULL || !c->is_good || errors.failed);
    if (config != NULL)
        config_print(config, &printed);
    if (config != NULL && expected.length == 0)
        buf_add_bytes(&expected, buf_bytes(&printed));
    if (config != NULL)
        CU_ASSERT(bytes_equal(buf_bytes(&printed), buf_bytes(&expected)));
    config_free(config);
    buf_free(&errors);
    buf_free(&printed);
}

static bool
make_file(char *ret_path, const char *content)
{
    return files_make(ret_path, content, content != NULL ? strlen(content) : 0);
}

TEST_CASES(config, struct config_case, config_rows)
{
    char path[FILES_PATH_MAX], accounts_path[FILES_PATH_MAX];

    CU_ASSERT_TRUE_FATAL(make_file(path, c->file));
    CU_ASSERT_TRUE_FATAL(make_file(accounts_path, c->accounts));
    (void)snprintf(setting, sizeof(setting), "SCORING_CONFIG_FILE=%s", path);
    (void)snprintf(accounts_setting, sizeof(accounts_setting),
                   "SCORING_ACCOUNTS_FILE=%s", accounts_path);
    memory_fail_each(try, c);
    buf_free(&expected);
    (void)unlink(path);
    (void)unlink(accounts_path);
}
