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

/* Whether a secret, or each of several, is a default that anyone knows. */
enum config_published { CONFIG_NONE, CONFIG_SOME, CONFIG_ALL };

/* Names the file of settings; given as empty: there is none. */
#define CONFIG_FILE_NAME "SCORING_CONFIG_FILE"

/* Names the file of accounts. */
#define CONFIG_ACCOUNTS_NAME "SCORING_ACCOUNTS_FILE"

/* What is said of its mode, an unsigned, when others may read it. */
#define CONFIG_ACCOUNTS_OPEN                                                   \
    "mode %04o lets others read the salts: give it 0640 or less"

/* The file of settings when nothing names one, if it is there. */
#define CONFIG_FILE_DEFAULT "/etc/scoring/scoring.conf"

/* The model in force, and the file that it is from; without: published. */
struct config_model {
    const char *path; /* NULL: none */
    struct model model;
};

/*
 * All settings, checked, as one value that never changes. Every pointer
 * belongs to the struct. Names, defaults and bounds: docs/protocol.md,
 * S24, and settings.c.
 */
struct config {
    struct redis_url redis;
    struct auth_secrets secrets;
    enum config_published salts_published, admin_salts_published;
    enum config_published cache_secret_published; /* derived from such a salt */
    int64_t workers;
    int64_t cores; /* that this process may use; at least 1 */
    int64_t store_attempts;
    int64_t store_connect_timeout_ms;
    int64_t store_timeout_ms;
    int64_t store_deadline_ms;
    int64_t cache_ttl_s;
    int64_t max_body_bytes;
    int64_t max_client_ids;
    int64_t max_clients; /* records of a batch */
    struct config_model model;
    int64_t max_answer_bytes;  /* of the values of one request */
    int64_t rate_limit;        /* used by nginx; checked here */
    int64_t max_connections;   /* likewise */
    const char *accounts_file; /* NULL: there are no accounts */
    struct accounts *accounts; /* what it holds */
    unsigned accounts_mode;    /* the file's, where others may read it; or 0 */
    struct log_plan log;
    const char *time_zone; /* NULL: the system's */
    /* Of nginx and `make run` alone, which check them. */
    const char *http_port, *http_address, *https_port, *metrics_port, *run_dir;
    const char *tls_certificate, *tls_key, *tls_hsts_s, *trusted_proxies;
    size_t file_lines; /* with a setting, in the file of settings */
};

/*
 * Reads the settings from an environment ("NAME=value", NULL at the end) and
 * the files it names, or CONFIG_FILE_DEFAULT.
 *
 * errors   receives one line per mistake, each ending in '\n' and naming the
 *          setting; all mistakes, not just the first; never a secret's value.
 *
 * Returns the settings, owned by the caller, or NULL with errors filled.
 */
struct config *config_load(char *const environment[], struct buf *errors);

/*
 * Reads a file of accounts as the setting SCORING_ACCOUNTS_FILE does.
 *
 * errors     as above.
 * ret_mode   set on success only: the mode of a file that others may read;
 *            else 0.
 *
 * Returns the accounts, owned by the caller, or NULL with errors filled.
 */
struct accounts *config_read_accounts(const char *path,
                                      const struct auth_salts *admin_salts,
                                      struct buf *errors, unsigned *ret_mode);

/* The account that has the published salt, or NULL. */
const struct account *config_published_account(const struct accounts *accounts);

/* Accepts NULL; wipes the secrets before it frees them. */
void config_free(struct config *config);

/*
 * Whether settings that were read while the service runs may take the place of
 * the old ones. They may not open it: a file of settings that has been emptied,
 * or a secret that would become a published one, is a mistake.
 *
 * errors   as for config_load().
 */
bool config_may_replace(const struct config *old, const struct config *config,
                        struct buf *errors);

/* Lists the settings that differ but are in force only after a restart. */
void config_list_restart(const struct config *old, const struct config *config,
                         struct buf *out);

/*
 * Reads the file of a model.
 *
 * setting    its name, with which each mistake begins; NULL: with the path.
 * ret_model  set on success only.
 * errors     as for config_load().
 */
bool config_read_model(const char *setting, const char *path,
                       struct model *ret_model, struct buf *errors);

/*
 * Makes local time that of the settings, for the whole process. It changes
 * the environment: what was `environ` before stays as it was. False without
 * memory.
 */
bool config_use_time_zone(const struct config *config);

/* What is no mistake, but may not be meant: lines, each ending in '\n'. */
struct bytes config_notes(const struct config *config);

/* The effective settings as NAME=value lines, secrets masked. */
void config_print(const struct config *config, struct buf *out);

/*
 * Adds one setting as it is in force, for a script: nothing escaped or masked,
 * salts one per line; of REDIS_URL what config_print() shows.
 *
 * otherwise   takes the default's place if the setting was not given, or was
 *             given as empty; NULL: the default.
 */
struct config_setting;
void config_get(const struct config *config,
                const struct config_setting *setting, const char *otherwise,
                struct buf *out);

/* A table of all settings with defaults and meanings, for --help. */
void config_help(struct buf *out);

#endif
