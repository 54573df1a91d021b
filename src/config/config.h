#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "redis/url.h"
#include "scoring/accounts.h"
#include "scoring/auth.h"
#include "scoring/model.h"
#include "telemetry/log.h"

/* How many of the salts of a setting are the published default. */
enum config_published { CONFIG_NONE, CONFIG_SOME, CONFIG_ALL };

/* The setting that names the file of settings; empty: no file (S24.1). */
#define CONFIG_FILE_NAME "SCORING_CONFIG_FILE"

/* The setting that names the file of accounts. */
#define CONFIG_ACCOUNTS_NAME "SCORING_ACCOUNTS_FILE"

/* A format for the log, if others may read that file; its mode is unsigned. */
#define CONFIG_ACCOUNTS_OPEN                                                   \
    "mode %04o lets others read the salts: give it 0640 or less"

/* The file of settings that is read, if it exists, when none is named. */
#define CONFIG_FILE_DEFAULT "/etc/scoring/scoring.conf"

/* The model in force, and its file. */
struct config_model {
    const char *path; /* NULL: none; the model is the published one */
    struct model model;
};

/*
 * All settings, checked. Nobody changes them later. Every pointer belongs to
 * the struct. Names, defaults and bounds: settings.c. Source: docs/protocol.md,
 * S24.
 */
struct config {
    struct redis_url redis;
    struct auth_secrets secrets;
    enum config_published salts_published, admin_salts_published;
    enum config_published cache_secret_published; /* if derived from a salt */
    int64_t workers;
    int64_t cores; /* that this process may use; at least 1 */
    int64_t store_attempts;
    int64_t store_connect_timeout_ms;
    int64_t store_timeout_ms;
    int64_t store_deadline_ms;
    int64_t cache_ttl_s;
    int64_t max_body_bytes;
    int64_t max_client_ids;
    int64_t max_clients; /* records of an online_scores request */
    struct config_model model;
    int64_t max_answer_bytes;  /* of all values of one request */
    int64_t rate_limit;        /* applied by nginx; only checked here */
    int64_t max_connections;   /* likewise */
    const char *accounts_file; /* NULL: none */
    struct accounts *accounts; /* the content of accounts_file, or NULL */
    unsigned accounts_mode;    /* see config_read_accounts() */
    struct log_plan log;
    const char *time_zone; /* NULL: the system's */
    /* For nginx and `make run`; the service does not look at them. */
    const char *http_port, *http_address, *https_port, *metrics_port, *run_dir;
    const char *tls_certificate, *tls_key, *tls_hsts_s, *trusted_proxies;
    size_t file_lines; /* lines with a name in the file of settings */
};

/* Which values must be valid. */
enum config_scope {
    CONFIG_OF_SERVICE = 0, /* those that the service itself uses */
    CONFIG_OF_ALL          /* those of nginx and of `make run`, too */
};

/*
 * Reads the settings from an environment ("NAME=value", NULL at the end), and
 * from the files that it names, or CONFIG_FILE_DEFAULT.
 *
 * errors   receives a line for each error, which names the setting and ends
 *          with '\n': all errors, not only the first. Never the value of a
 *          secret. Its `failed` is set if memory ran out: then the settings may
 *          be valid.
 *
 * Returns the settings, owned by the caller, or NULL with errors filled.
 */
struct config *config_load(char *const environment[], enum config_scope scope,
                           struct buf *errors);

/*
 * Reads a file of accounts.
 *
 * setting    the setting that names the file: each error begins with it; NULL:
 *            each error begins with the path.
 * errors     as for config_load().
 * ret_mode   set on success only: the mode of the file if it exceeds 0640
 *            (S11.7), else 0.
 *
 * Returns the accounts, owned by the caller, or NULL with errors filled.
 */
struct accounts *config_read_accounts(const char *setting, const char *path,
                                      const struct auth_salts *admin_salts,
                                      struct buf *errors, unsigned *ret_mode);

/* The account that has the published salt, or NULL. */
const struct account *config_published_account(const struct accounts *accounts);

/* Wipes and frees the secrets. Accepts NULL. */
void config_free(struct config *config);

/*
 * Whether new settings may replace the old ones while the service runs. They
 * may not if the file of settings has become empty, or if a secret would become
 * a published one. Source: docs/protocol.md, S25, HUP.
 *
 * errors   as for config_load().
 */
bool config_may_replace(const struct config *old, const struct config *config,
                        struct buf *errors);

/* Lists the names of changed settings that take effect only after a restart. */
void config_list_restart(const struct config *old, const struct config *config,
                         struct buf *out);

/*
 * Reads the file of a model.
 *
 * setting    the setting that names the file: each error begins with it; NULL:
 *            each error begins with the path.
 * ret_model  set on success only.
 * errors     as for config_load().
 */
bool config_read_model(const char *setting, const char *path,
                       struct model *ret_model, struct buf *errors);

/*
 * Sets the time zone of the whole process, by TZ in `environ`. The settings
 * must not be loaded from that array again, because the environment wins: keep
 * a copy of it. Returns false when out of memory.
 */
bool config_use_time_zone(const struct config *config);

/* Warnings about settings that are valid: lines, each ending with '\n'. */
struct bytes config_notes(const struct config *config);

/* Adds the settings in force as lines NAME=value, secrets masked. */
void config_print(const struct config *config, struct buf *out);

/*
 * Adds the value of a setting that is in force, for a script: not escaped, not
 * masked, salts one per line. REDIS_URL is added as by config_print().
 *
 * otherwise   replaces the default if the setting was not given, or was empty;
 *             NULL: the default.
 */
struct config_setting;
void config_get(const struct config *config,
                const struct config_setting *setting, const char *otherwise,
                struct buf *out);

/* Adds a table of all settings with their defaults and meanings, for --help. */
void config_help(struct buf *out);

#endif
