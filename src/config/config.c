/*
 * Loads and shows the settings of the table in settings.c. Each value comes
 * from the environment, from the file that SCORING_CONFIG_FILE names, from the
 * own file of a secret, or from the table. Implements S24 of docs/protocol.md.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "config/config.h"
#include "config/error.h"
#include "config/file.h"
#include "config/kinds.h"
#include "config/nginx.h"
#include "config/settings.h"
#include "config/text.h"
#include "telemetry/metrics.h"

#define NAME_PREFIX    "SCORING_" /* unknown names with it are an error */
#define NAME_SUFFIX    "_FILE"    /* after a secret's name: names its file */
#define NAME_SIZE      64         /* for any name, the suffix and a NUL */
#define NAME_TIME_ZONE "TZ"       /* libc reads it, too */

/* Two, so that a core is busy while one of its workers waits. */
#define WORKERS_PER_CORE 2

#define HELP_COLUMNS 80 /* of a terminal */
#define HELP_INDENT  6

/* The largest mode of the file of accounts. Source: docs/protocol.md, S11.7. */
#define ACCOUNTS_MODE 0640U
#define MODE_BITS     07777U

/* Where values come from, in the order of precedence. */
enum source { SOURCE_ENVIRONMENT = 0, SOURCE_FILE, SOURCE__MAX };

/*
 * A text that the settings point to, in a list: config_free() wipes them all.
 */
struct text {
    struct text *next;
    size_t size;
    char bytes[];
};

struct owner {
    struct config config;
    struct text *texts;
    struct buf notes;
    uint64_t given; /* a bit for each row of the table */
};

_Static_assert(offsetof(struct owner, config) == 0,
               "config_free() casts a config to its owner");

struct loader {
    char *const *environment;
    enum config_scope scope;
    struct config_file file;
    struct owner *owner;
    struct buf *errors;
};

/*
 * The cores that this process may use. If the machine has more than a cpu_set_t
 * holds, all that are online.
 */
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

/* Copies a value; the copy lives as long as the settings. */
static bool
given_keep(struct loader *loader, const char *name, const char *value,
           struct config_given *ret_given)
{
    const size_t size = strlen(value) + 1;
    struct text *kept = malloc(sizeof(*kept) + size);

    if (kept == NULL)
        return config_out_of_memory(loader->errors, name, NULL);
    kept->size = size;
    kept->next = loader->owner->texts;
    loader->owner->texts = kept;
    memcpy(kept->bytes, value, size);
    *ret_given = (struct config_given){.text = kept->bytes};
    return true;
}

/* Like getenv(): if a name is repeated, the first one wins. */
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

/* ret_value is left alone if the source does not have the name. */
static bool
source_get(struct loader *loader, enum source source, const char *name,
           const char **ret_value)
{
    const struct config_line *line;

    if (source == SOURCE_ENVIRONMENT) {
        *ret_value = environment_get(loader->environment, name);
        return true;
    }
    line = config_file_get(&loader->file, name);
    if (line == NULL)
        return true;
    if (line->fault != NULL)
        return config_error(loader->errors, name, NULL, "line %zu: %s",
                            line->number, line->fault);
    if (line->is_hidden)
        buf_printf(&loader->owner->notes,
                   "%s: line %zu: docker compose takes this comment for a "
                   "part of the value: put the value into quotes\n",
                   name, line->number);
    *ret_value = line->value;
    return true;
}

/* Removes one line end from the end; from a list of salts all of them. */
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
    const char *problem = config_text_read(path, CONFIG_TEXT_ANY, &content);
    bool is_kept;

    if (problem != NULL)
        return config_text_error(loader->errors, file_name, path, problem);
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
 * Looks for a setting in one source, where NAME_FILE of a secret precedes NAME,
 * unless it is empty. ret_given is left alone if the source has neither.
 */
static bool
setting_find(struct loader *loader, const struct config_setting *setting,
             enum source source, struct config_given *ret_given)
{
    char file_name[NAME_SIZE];
    const char *value = NULL;

    (void)snprintf(file_name, sizeof(file_name), "%s" NAME_SUFFIX,
                   setting->name);
    if (setting->is_secret && !source_get(loader, source, file_name, &value))
        return false;
    if (value != NULL && *value != '\0')
        return secret_read(loader, setting, file_name, value, ret_given);

    value = NULL;
    if (!source_get(loader, source, setting->name, &value))
        return false;
    return value == NULL || given_keep(loader, setting->name, value, ret_given);
}

/* What the service does not use is stored as it is. */
static const struct config_kind *
kind_in_scope(const struct loader *loader, const struct config_setting *setting)
{
    if (setting->kind->is_of_nginx && loader->scope == CONFIG_OF_SERVICE)
        return &config_text;
    return setting->kind;
}

static bool
setting_load(struct loader *loader, size_t index)
{
    const struct config_setting *setting = &config_settings[index];
    const struct config_kind *kind = kind_in_scope(loader, setting);
    char *config = (char *)&loader->owner->config;
    struct config_given given = {0};

    for (int i = 0; i < SOURCE__MAX && given.text == NULL; i++) {
        if (!setting_find(loader, setting, (enum source)i, &given))
            return false;
    }
    if (given.text != NULL && *given.text == '\0' && kind->empty_is_none)
        given.text = NULL;
    if (given.text != NULL)
        loader->owner->given |= UINT64_C(1) << index;
    else if (setting->initial != NULL &&
             !given_keep(loader, setting->name, setting->initial, &given))
        return false;
    if (given.text == NULL)
        return true;
    return kind->read(setting, &given, config + setting->offset,
                      loader->errors);
}

/* Whether this is the name of a setting, or of a secret's file. */
static bool
name_is_known(struct bytes name)
{
    const struct bytes suffix = bytes_of(NAME_SUFFIX);
    const struct config_setting *secret;
    struct bytes stem;

    if (config_setting_find(name) != NULL)
        return true;
    if (name.length < suffix.length)
        return false;
    stem = (struct bytes){name.at, name.length - suffix.length};
    secret = config_setting_find(stem);
    return secret != NULL && secret->is_secret &&
           memcmp(name.at + stem.length, suffix.at, suffix.length) == 0;
}

static bool
name_has_prefix(const char *name)
{
    return strncmp(name, NAME_PREFIX, strlen(NAME_PREFIX)) == 0;
}

/*
 * Whether Kubernetes gives this variable to every container because of a
 * Service object that is called "scoring". No setting has such a name (S24.1).
 */
static bool
name_is_of_kubernetes(struct bytes name)
{
    static const char *const prefixes[] = {"SCORING_SERVICE_", "SCORING_PORT_"};

    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        const struct bytes prefix = bytes_of(prefixes[i]);

        if (name.length > prefix.length &&
            memcmp(name.at, prefix.at, prefix.length) == 0)
            return true;
    }
    return bytes_equal(name, bytes_of("SCORING_PORT"));
}

/* A misspelt name is an error, or the default would silently be in force. */
static bool
environment_names_check(char *const environment[], struct buf *errors)
{
    bool is_good = true;

    for (size_t i = 0; environment[i] != NULL; i++) {
        const struct bytes name = {environment[i],
                                   strcspn(environment[i], "=")};
        char *shown;

        if (!name_has_prefix(name.at) || name_is_known(name) ||
            bytes_equal(name, bytes_of(CONFIG_FILE_NAME)) ||
            name_is_of_kubernetes(name))
            continue;
        shown = strndup(name.at, name.length);
        is_good = config_error(errors, shown == NULL ? NAME_PREFIX : shown,
                               NULL, "there is no such setting");
        free(shown);
    }
    return is_good;
}

/* CONFIG_FILE_NAME in the file itself would have no effect: it is an error. */
static bool
file_names_check(const struct config_file *file, struct buf *errors)
{
    bool is_good = true;

    for (size_t i = 0; i < file->count; i++) {
        const char *name = file->lines[i].name;

        if (!name_has_prefix(name) || name_is_known(bytes_of(name)))
            continue;
        is_good = config_error(errors, name, NULL,
                               strcmp(name, CONFIG_FILE_NAME) == 0
                                   ? "only works in the environment"
                                   : "there is no such setting");
    }
    return is_good;
}

/*
 * A file that exists but cannot be examined is not missing, nor is a link to
 * nothing: without its salts the service would accept tokens made with the
 * published ones.
 */
static bool
file_is_missing(const char *path)
{
    struct stat st;

    return lstat(path, &st) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

static bool
file_load(struct loader *loader)
{
    const char *path = environment_get(loader->environment, CONFIG_FILE_NAME);

    if (path == NULL && !file_is_missing(CONFIG_FILE_DEFAULT))
        path = CONFIG_FILE_DEFAULT;
    if (path == NULL || *path == '\0')
        return true;
    return config_file_read(&loader->file, CONFIG_FILE_NAME, path,
                            loader->errors);
}

static bool
settings_load(struct loader *loader)
{
    bool is_good = true;

    for (size_t i = 0; i < config_settings_count; i++) {
        if (!setting_load(loader, i))
            is_good = false;
    }
    return is_good;
}

/*
 * AUTH takes a user only together with a password. If REDIS_URL is invalid, it
 * may contain the password: then only REDIS_URL is reported.
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
sentinel_credentials_check(const struct redis_url *redis, struct buf *errors)
{
    if (redis->sentinel_username == NULL || redis->sentinel_password != NULL)
        return true;
    return config_error(errors, "REDIS_SENTINEL_USERNAME", NULL,
                        "a user was given without a password");
}

static enum config_published
salts_published(const struct auth_salts *salts, const char *published)
{
    size_t count = 0;

    for (size_t i = 0; i < salts->count; i++)
        count += bytes_equal(salts->item[i], bytes_of(published)) ? 1 : 0;
    if (count == 0)
        return CONFIG_NONE;
    return count < salts->count ? CONFIG_SOME : CONFIG_ALL;
}

/* A partner must not be able to make the admin's token. */
static bool
salts_check(const struct auth_secrets *secrets, struct buf *errors)
{
    for (size_t i = 0; i < secrets->salts.count; i++) {
        if (auth_salt_clashes(secrets->salts.item[i], &secrets->admin_salts))
            return config_error(errors, "SCORING_SALT, SCORING_ADMIN_SALT",
                                NULL,
                                "no salt of one may be equal to, or the end "
                                "of, a salt of the other: a partner could make "
                                "the admin's token");
    }
    return true;
}

struct accounts *
config_read_accounts(const char *setting, const char *path,
                     const struct auth_salts *admin_salts, struct buf *errors,
                     unsigned *ret_mode)
{
    const char *name = setting != NULL ? setting : path;
    const char *given = setting != NULL ? path : NULL;
    struct buf lines = {0};
    char *text = NULL;
    const char *problem = config_text_read(path, CONFIG_TEXT_JSON, &text);
    struct accounts *accounts;
    struct stat st;

    if (problem != NULL) {
        (void)config_text_error(errors, name, given, problem);
        return NULL;
    }
    accounts = accounts_read(bytes_of(text), admin_salts, &lines);
    config_text_free(text);
    config_error_lines(errors, name, given, &lines);
    buf_free(&lines);
    if (accounts == NULL)
        return NULL;
    *ret_mode = 0;
    if (stat(path, &st) == 0 && (st.st_mode & MODE_BITS & ~ACCOUNTS_MODE) != 0)
        *ret_mode = st.st_mode & MODE_BITS;
    return accounts;
}

static bool
accounts_load(struct config *config, struct buf *errors)
{
    if (config->accounts_file == NULL)
        return true;
    config->accounts = config_read_accounts(
        CONFIG_ACCOUNTS_NAME, config->accounts_file,
        &config->secrets.admin_salts, errors, &config->accounts_mode);
    return config->accounts != NULL;
}

const struct account *
config_published_account(const struct accounts *accounts)
{
    return accounts_with_salt(accounts, bytes_of(CONFIG_SALT));
}

static void
salts_note(const char *name, const struct auth_salts *salts, struct buf *notes)
{
    if (salts->count > 1)
        buf_printf(notes, "%s: a list of %zu salts\n", name, salts->count);
}

/* Sets the members that are derived from other settings. */
static void
config_finish(struct owner *owner, const struct config_file *file)
{
    struct config *config = &owner->config;
    const struct auth_secrets *secrets = &config->secrets;
    const bool is_derived = secrets->cache_secret.length == 0;

    config->file_lines = file->count;
    config->salts_published = salts_published(&secrets->salts, CONFIG_SALT);
    if (config->accounts != NULL) /* they replace secrets->salts */
        config->salts_published =
            config_published_account(config->accounts) != NULL ? CONFIG_ALL
                                                               : CONFIG_NONE;
    config->admin_salts_published =
        salts_published(&secrets->admin_salts, CONFIG_ADMIN_SALT);
    config->cache_secret_published =
        is_derived && bytes_equal(secrets->salts.item[0], bytes_of(CONFIG_SALT))
            ? CONFIG_ALL
            : CONFIG_NONE;
    salts_note("SCORING_SALT", &secrets->salts, &owner->notes);
    salts_note("SCORING_ADMIN_SALT", &secrets->admin_salts, &owner->notes);
}

struct config *
config_load(char *const environment[], enum config_scope scope,
            struct buf *errors)
{
    struct owner *owner = calloc(1, sizeof(*owner));
    struct loader loader = {.environment = environment,
                            .scope = scope,
                            .owner = owner,
                            .errors = errors};
    struct config *config;
    bool is_good;

    if (owner == NULL) {
        (void)config_out_of_memory(errors, "settings", NULL);
        return NULL;
    }
    config = &owner->config;
    config->cores = count_cores();
    config->workers = workers_default(config->cores);
    config->model.model = model_published;

    /* No check depends on another's result: all errors are reported. */
    is_good = file_load(&loader);
    is_good &= environment_names_check(environment, errors);
    is_good &= file_names_check(&loader.file, errors);
    is_good &= settings_load(&loader);
    is_good &= credentials_check(&config->redis, errors);
    is_good &= sentinel_credentials_check(&config->redis, errors);
    is_good &= salts_check(&config->secrets, errors);
    if (scope == CONFIG_OF_ALL)
        is_good &= config_nginx_check(config, errors);
    is_good &= accounts_load(config, errors);
    if (is_good)
        config_finish(owner, &loader.file);
    config_file_free(&loader.file);
    if (!is_good) {
        config_free(config);
        return NULL;
    }
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
    accounts_free(owner->config.accounts);
    buf_free(&owner->notes);
    free(owner);
}

/* Secrets that must not become published ones while the service runs. */
static const struct {
    const char *name;
    size_t published; /* the offset of its enum in struct config */
} guarded[] = {
    {"SCORING_SALT", offsetof(struct config, salts_published)},
    {"SCORING_ADMIN_SALT", offsetof(struct config, admin_salts_published)},
    {"SCORING_CACHE_SECRET", offsetof(struct config, cache_secret_published)},
};

/* With a file of accounts, it has the partners' salts. */
static const char *
guarded_name(const struct config *config, size_t i)
{
    if (config->accounts != NULL &&
        guarded[i].published == offsetof(struct config, salts_published))
        return CONFIG_ACCOUNTS_NAME;
    return guarded[i].name;
}

static enum config_published
published_of(const struct config *config, size_t at)
{
    return *(const enum config_published *)((const char *)config + at);
}

/* The published salt may not move from one account to another, either. */
static bool
accounts_may_replace(const struct config *old, const struct config *config,
                     struct buf *errors)
{
    const struct account *before, *after;

    if (old->accounts == NULL || config->accounts == NULL)
        return true;
    before = config_published_account(old->accounts);
    after = config_published_account(config->accounts);
    if (before == NULL || after == NULL ||
        bytes_equal(before->name, after->name))
        return true;
    return config_error(errors, CONFIG_ACCOUNTS_NAME, NULL,
                        "a salt would become a published one, which is refused "
                        "while the service runs");
}

bool
config_may_replace(const struct config *old, const struct config *config,
                   struct buf *errors)
{
    bool is_good = true;

    if (old->file_lines > 0 && config->file_lines == 0)
        is_good = config_error(errors, CONFIG_FILE_NAME, NULL,
                               "holds no setting any more");
    for (size_t i = 0; i < sizeof(guarded) / sizeof(guarded[0]); i++) {
        const size_t at = guarded[i].published;

        if (published_of(config, at) > published_of(old, at))
            is_good = config_error(errors, guarded_name(config, i), NULL,
                                   "would become a published one, which is "
                                   "refused while the service runs");
    }
    return is_good && accounts_may_replace(old, config, errors);
}

static void
setting_print(const struct config *config, const struct config_setting *setting,
              enum config_view view, struct buf *out)
{
    setting->kind->print(setting, (const char *)config + setting->offset, view,
                         out);
}

void
config_list_restart(const struct config *old, const struct config *config,
                    struct buf *out)
{
    const char *comma = "";

    for (size_t i = 0; i < config_settings_count; i++) {
        const struct config_setting *setting = &config_settings[i];
        struct buf before = {0}, after = {0};

        if (!setting->needs_restart)
            continue;
        setting_print(old, setting, CONFIG_LISTED, &before);
        setting_print(config, setting, CONFIG_LISTED, &after);
        if (!bytes_equal(buf_bytes(&before), buf_bytes(&after))) {
            buf_printf(out, "%s%s", comma, setting->name);
            comma = ", ";
        }
        buf_free(&before);
        buf_free(&after);
    }
}

/* Leaves TZ alone if it has the value: the environment then keeps its own. */
bool
config_use_time_zone(const struct config *config)
{
    const char *in_use = getenv(NAME_TIME_ZONE);
    bool is_set = true;

    if (config->time_zone == NULL)
        is_set = unsetenv(NAME_TIME_ZONE) == 0;
    else if (in_use == NULL || strcmp(in_use, config->time_zone) != 0)
        is_set = setenv(NAME_TIME_ZONE, config->time_zone, 1) == 0;
    tzset(); /* localtime_r() need not do it */
    return is_set;
}

struct bytes
config_notes(const struct config *config)
{
    return buf_bytes(&((const struct owner *)config)->notes);
}

void
config_get(const struct config *config, const struct config_setting *setting,
           const char *otherwise, struct buf *out)
{
    const size_t index = (size_t)(setting - config_settings);
    const uint64_t given = ((const struct owner *)config)->given;

    if (otherwise != NULL && (given >> index & 1) == 0)
        buf_add_text(out, otherwise);
    else
        setting_print(config, setting, CONFIG_RAW, out);
}

void
config_print(const struct config *config, struct buf *out)
{
    for (size_t i = 0; i < config_settings_count; i++) {
        const struct config_setting *setting = &config_settings[i];

        buf_printf(out, "%s=", setting->name);
        setting_print(config, setting, CONFIG_LISTED, out);
        buf_add_text(out, "\n");
    }
}

static const char *
setting_default(const struct config_setting *setting)
{
    return setting->initial != NULL ? setting->initial : setting->no_value;
}

/* Adds words, in lines of at most HELP_COLUMNS. */
static void
add_wrapped(struct buf *out, const char *words)
{
    size_t column = HELP_COLUMNS;

    while (*words != '\0') {
        const size_t length = strcspn(words, " ");

        if (column + 1 + length > HELP_COLUMNS) {
            buf_printf(out, "\n%*s", HELP_INDENT, "");
            column = HELP_INDENT;
        } else {
            buf_add_text(out, " ");
            column++;
        }
        buf_add(out, words, length);
        column += length;
        words += length;
        words += strspn(words, " ");
    }
    buf_add_text(out, "\n");
}

/* Adds the meaning, the bounds, and a mark if the setting is secret. */
static void
help_setting(const struct config_setting *setting, struct buf *out)
{
    struct buf words = {0};

    buf_add_text(&words, setting->meaning);
    if (setting->max > 0)
        buf_printf(&words, " (%lld to %lld)", (long long)setting->min,
                   (long long)setting->max);
    if (setting->is_secret)
        buf_add_text(&words, " (*)");
    buf_add(&words, "", 1);
    add_wrapped(out, words.failed ? setting->meaning : words.data);
    buf_free(&words);
}

void
config_help(struct buf *out)
{
    size_t width = 0;

    for (size_t i = 0; i < config_settings_count; i++) {
        const size_t length = strlen(config_settings[i].name);

        width = length > width ? length : width;
    }
    for (size_t i = 0; i < config_settings_count; i++) {
        const struct config_setting *setting = &config_settings[i];

        buf_printf(out, "  %-*s  %s", (int)width, setting->name,
                   setting_default(setting));
        help_setting(setting, out);
    }
    buf_add_text(out,
                 "\n(*) or in a file: NAME" NAME_SUFFIX " gives its path\n"
                 "\n" CONFIG_FILE_NAME " names a file of NAME=value lines, as "
                 "--config does; without\neither it is " CONFIG_FILE_DEFAULT
                 ", if that exists. The environment wins.\n");
}
