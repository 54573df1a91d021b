/*
 * Loads and shows the settings by walking over their table: each value is
 * taken from the environment, from the file that SCORING_CONFIG_FILE names,
 * from a secret's own file, or from the table. The only part that looks at the
 * environment. Implements "Settings" of docs/protocol.md.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "config/error.h"
#include "config/file.h"
#include "config/kinds.h"
#include "config/settings.h"
#include "telemetry/metrics.h"

#define NAME_PREFIX      "SCORING_" /* any such name must be known */
#define NAME_CONFIG_FILE "SCORING_CONFIG_FILE"
#define NAME_SUFFIX      "_FILE" /* a secret's name with it names a file */
#define NAME_SIZE        64      /* of the longest name, its suffix and a NUL */

/* Two per core: one can work while another one is kept from it. */
#define WORKERS_PER_CORE 2

/* Where values come from; the first place where there is one counts. */
enum source { SOURCE_ENVIRONMENT = 0, SOURCE_FILE, SOURCE__MAX };

/* A text that the settings point to; listed, so that all can be wiped. */
struct text {
    struct text *next;
    size_t size;
    char bytes[];
};

struct owner {
    struct config config;
    struct text *texts;
};

_Static_assert(offsetof(struct owner, config) == 0,
               "config_free() finds the owner behind its config");

struct loader {
    char *const *environment;
    struct config_file file;
    struct owner *owner;
    struct buf *errors;
};

/* Of a machine with more cores than a cpu_set_t holds, those that are up. */
static int64_t
count_cores(void)
{
    cpu_set_t cores;
    int64_t count;

    if (sched_getaffinity(0, sizeof(cores), &cores) == 0)
        count = CPU_COUNT(&cores);
    else
        count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? count : 1;
}

static int64_t
workers_default(int64_t cores)
{
    int64_t count = cores * WORKERS_PER_CORE;

    return count < METRICS_WORKERS_MAX ? count : METRICS_WORKERS_MAX;
}

/* Keeps a copy for as long as the settings live. */
static bool
given_keep(struct loader *loader, const char *name, const char *value,
           struct config_given *ret_given)
{
    const size_t size = strlen(value) + 1;
    struct text *kept = malloc(sizeof(*kept) + size);

    if (kept == NULL)
        return config_error(loader->errors, name, NULL, "out of memory");
    kept->size = size;
    kept->next = loader->owner->texts;
    loader->owner->texts = kept;
    memcpy(kept->bytes, value, size);
    *ret_given = (struct config_given){.text = kept->bytes};
    return true;
}

/* Like getenv(): of a repeated name the first one counts. */
static const char *
environment_get(char *const environment[], const char *name)
{
    const size_t length = strlen(name);

    for (size_t i = 0; environment[i] != NULL; i++) {
        if (strncmp(environment[i], name, length) == 0 &&
            environment[i][length] == '=')
            return environment[i] + length + 1;
    }
    return NULL;
}

static const char *
source_get(const struct loader *loader, enum source source, const char *name)
{
    return source == SOURCE_ENVIRONMENT
               ? environment_get(loader->environment, name)
               : config_file_get(&loader->file, name);
}

/* Takes one line's end off; off a list of salts all of them. */
static void
line_ends_strip(char *content, bool is_list)
{
    size_t length = strlen(content);

    while (length > 0 && content[length - 1] == '\n') {
        length--;
        if (length > 0 && content[length - 1] == '\r')
            length--;
        if (!is_list)
            break;
    }
    content[length] = '\0';
}

static bool
secret_read(struct loader *loader, const struct config_setting *setting,
            const char *file_name, const char *path,
            struct config_given *ret_given)
{
    struct config_given given = {0};
    char *content = NULL;
    const char *problem = config_text_read(path, &content);
    bool is_kept;

    if (problem != NULL)
        return config_error(loader->errors, file_name, path, "%s", problem);
    line_ends_strip(content, setting->kind == &config_salts);
    is_kept = *content == '\0'
                  ? config_error(loader->errors, file_name, path, "is empty")
                  : given_keep(loader, file_name, content, &given);
    config_text_free(content);
    if (!is_kept)
        return false;
    given.is_file = true;
    *ret_given = given;
    return true;
}

/*
 * Looks in one place. There a secret's _FILE goes before the secret itself,
 * unless it is empty.
 *
 * ret_given   left alone if there is nothing.
 */
static bool
setting_find(struct loader *loader, const struct config_setting *setting,
             enum source source, struct config_given *ret_given)
{
    char file_name[NAME_SIZE];
    const char *value = NULL;

    (void)snprintf(file_name, sizeof(file_name), "%s" NAME_SUFFIX,
                   setting->name);
    if (setting->is_secret)
        value = source_get(loader, source, file_name);
    if (value != NULL && *value != '\0')
        return secret_read(loader, setting, file_name, value, ret_given);

    value = source_get(loader, source, setting->name);
    return value == NULL || given_keep(loader, setting->name, value, ret_given);
}

static bool
setting_load(struct loader *loader, const struct config_setting *setting)
{
    char *config = (char *)&loader->owner->config;
    struct config_given given = {0};

    for (int i = 0; i < SOURCE__MAX && given.text == NULL; i++) {
        if (!setting_find(loader, setting, (enum source)i, &given))
            return false;
    }
    if (given.text == NULL && setting->initial != NULL &&
        !given_keep(loader, setting->name, setting->initial, &given))
        return false;
    if (given.text == NULL)
        return true;
    return setting->kind->read(setting, &given, config + setting->offset,
                               loader->errors);
}

static const struct config_setting *
setting_of(struct bytes name)
{
    for (size_t i = 0; i < config_settings_count; i++) {
        if (bytes_equal(name, bytes_of(config_settings[i].name)))
            return &config_settings[i];
    }
    return NULL;
}

/* Whether it names a setting, or the file of a secret one. */
static bool
name_is_known(struct bytes name)
{
    const struct bytes suffix = bytes_of(NAME_SUFFIX);
    const struct config_setting *secret;
    struct bytes stem;

    if (setting_of(name) != NULL)
        return true;
    if (name.length < suffix.length)
        return false;
    stem = (struct bytes){name.at, name.length - suffix.length};
    secret = setting_of(stem);
    return secret != NULL && secret->is_secret &&
           memcmp(name.at + stem.length, suffix.at, suffix.length) == 0;
}

static bool
name_is_ours(const char *name)
{
    return strncmp(name, NAME_PREFIX, strlen(NAME_PREFIX)) == 0;
}

/* So that a slip of the pen does not leave a default in force. */
static bool
environment_names_check(char *const environment[], struct buf *errors)
{
    bool is_good = true;

    for (size_t i = 0; environment[i] != NULL; i++) {
        const struct bytes name = {environment[i],
                                   strcspn(environment[i], "=")};
        char *shown;

        if (!name_is_ours(name.at) || name_is_known(name) ||
            bytes_equal(name, bytes_of(NAME_CONFIG_FILE)))
            continue;
        shown = strndup(name.at, name.length);
        is_good = config_error(errors, shown == NULL ? NAME_PREFIX : shown,
                               NULL, "there is no such setting");
        free(shown);
    }
    return is_good;
}

/* In the file, NAME_CONFIG_FILE would come too late to have any effect. */
static bool
file_names_check(const struct config_file *file, struct buf *errors)
{
    bool is_good = true;

    for (size_t i = 0; i < file->count; i++) {
        const char *name = file->lines[i].name;

        if (!name_is_ours(name) || name_is_known(bytes_of(name)))
            continue;
        is_good = config_error(errors, name, NULL,
                               strcmp(name, NAME_CONFIG_FILE) == 0
                                   ? "only works in the environment"
                                   : "there is no such setting");
    }
    return is_good;
}

static bool
file_load(struct loader *loader)
{
    const char *path = environment_get(loader->environment, NAME_CONFIG_FILE);

    if (path == NULL || *path == '\0')
        return true;
    return config_file_read(&loader->file, NAME_CONFIG_FILE, path,
                            loader->errors);
}

static bool
settings_load(struct loader *loader)
{
    bool is_good = true;

    for (size_t i = 0; i < config_settings_count; i++) {
        if (!setting_load(loader, &config_settings[i]))
            is_good = false;
    }
    return is_good;
}

/*
 * AUTH takes a user only together with a password, which may be part of a
 * REDIS_URL that could not be read: then there is nothing to say.
 */
static bool
credentials_check(const struct redis_url *redis, struct buf *errors)
{
    const bool has_place = redis->host != NULL || redis->unix_path != NULL;

    if (!has_place || redis->username == NULL || redis->password != NULL)
        return true;
    return config_error(errors, "REDIS_USERNAME", NULL,
                        "a user was given without a password");
}

static bool
salts_hold(const struct auth_salts *salts, const char *salt)
{
    for (size_t i = 0; i < salts->count; i++) {
        if (bytes_equal(salts->item[i], bytes_of(salt)))
            return true;
    }
    return false;
}

struct config *
config_load(char *const environment[], struct buf *errors)
{
    struct owner *owner = calloc(1, sizeof(*owner));
    struct loader loader = {
        .environment = environment, .owner = owner, .errors = errors};
    struct config *config;
    bool is_good;

    if (owner == NULL) {
        (void)config_error(errors, "settings", NULL, "out of memory");
        return NULL;
    }
    config = &owner->config;
    config->cores = count_cores();
    config->workers = workers_default(config->cores);

    /* Each of these runs whatever the others found: all mistakes are told. */
    is_good = file_load(&loader);
    is_good &= environment_names_check(environment, errors);
    is_good &= file_names_check(&loader.file, errors);
    is_good &= settings_load(&loader);
    is_good &= credentials_check(&config->redis, errors);
    config_file_free(&loader.file);
    if (!is_good) {
        config_free(config);
        return NULL;
    }
    config->salts_are_published =
        salts_hold(&config->secrets.salts, CONFIG_SALT) ||
        salts_hold(&config->secrets.admin_salts, CONFIG_ADMIN_SALT);
    return config;
}

void
config_free(struct config *config)
{
    struct owner *owner = (struct owner *)config;

    if (owner == NULL)
        return;
    while (owner->texts != NULL) {
        struct text *text = owner->texts;

        owner->texts = text->next;
        explicit_bzero(text->bytes, text->size);
        free(text);
    }
    free(owner);
}

void
config_print(const struct config *config, struct buf *out)
{
    for (size_t i = 0; i < config_settings_count; i++) {
        const struct config_setting *setting = &config_settings[i];

        buf_printf(out, "%s=", setting->name);
        setting->kind->print(setting, (const char *)config + setting->offset,
                             out);
        buf_add_text(out, "\n");
    }
}

static const char *
setting_default(const struct config_setting *setting)
{
    return setting->initial != NULL ? setting->initial : setting->no_value;
}

void
config_help(struct buf *out)
{
    size_t name_width = 0, default_width = 0;

    for (size_t i = 0; i < config_settings_count; i++) {
        const size_t name = strlen(config_settings[i].name);
        const size_t value = strlen(setting_default(&config_settings[i]));

        name_width = name > name_width ? name : name_width;
        default_width = value > default_width ? value : default_width;
    }
    for (size_t i = 0; i < config_settings_count; i++) {
        const struct config_setting *setting = &config_settings[i];

        buf_printf(out, "  %-*s  %-*s  %s", (int)name_width, setting->name,
                   (int)default_width, setting_default(setting),
                   setting->meaning);
        if (setting->max > 0)
            buf_printf(out, " (%lld to %lld)", (long long)setting->min,
                       (long long)setting->max);
        if (setting->is_secret)
            buf_add_text(out, " (*)");
        buf_add_text(out, "\n");
    }
    buf_add_text(out, "  (*) or in a file that NAME" NAME_SUFFIX " names\n"
                      "  " NAME_CONFIG_FILE " names a file of NAME=value "
                      "lines; the environment goes first\n");
}
