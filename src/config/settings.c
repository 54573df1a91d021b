/*
 * The table of all settings: names, defaults, bounds and meanings. The
 * documents show it, see docs/tables.c. Implements S24.1 of docs/protocol.md.
 */
#include <stdint.h>

#include "config/settings.h"
#include "telemetry/metrics.h"

/* Bounds. Where no reason is given, a larger value is likely an error. */
#define ATTEMPTS_MAX   100
#define TIMEOUT_MAX_MS 5000      /* see S20.7 */
#define GRACE_MAX_S    3600      /* one hour: the next one is over, too */
#define TTL_MAX_S      INT32_MAX /* 68 years */
#define CLIENTS_MAX    1000 /* their values always fit into a body: S16.3 */
#define ANSWER_MAX     (1 << 30)
#define RATE_MAX       1000000
#define OPEN_MAX       65535 /* the most that nginx accepts */
#define PORT_MAX       65535
#define HSTS_MAX_S     INT32_MAX /* 68 years */

/* Bytes that a path cannot have in a configuration of nginx, or in a URL. */
#define NO_PATH_OF_NGINX "\"\\$"
#define NO_PATH_OF_RUN   NO_PATH_OF_NGINX "*?[%#"

/*
 * A worker is killed after 2 s of processor time in one turn of the loop
 * (S25.2). The largest body, or a million ids, takes one to two seconds in all,
 * but in several turns.
 */
#define BODY_MAX_BYTES (64 * 1024 * 1024)
#define IDS_MAX        1000000

/* REDIS_URL precedes the settings that replace parts of it. */
const struct config_setting config_settings[] = {
    {.name = "REDIS_URL",
     CONFIG_TO(config_redis, redis),
     .initial = "redis://127.0.0.1:6379/0",
     .meaning = "where the store is; also unix:///path?db=0, rediss://host, "
                "redis+sentinel://host,host/MASTER, "
                "redis+cluster://host,host",
     .note =
         "In a user name or a password write / as %2F, ? as %3F, # as %23, @ "
         "as "
         "%40, % as %25. `make run` starts its own Redis unless you set this.",
     .example = "#REDIS_URL=redis://127.0.0.1:6379/0"},
    {.name = "REDIS_USERNAME",
     CONFIG_TO(config_text, redis.username),
     .no_value = "none",
     .meaning = "user name; replaces the one in REDIS_URL"},
    {.name = "REDIS_PASSWORD",
     CONFIG_TO(config_text, redis.password),
     .no_value = "none",
     .is_secret = true,
     .meaning = "password; replaces the one in REDIS_URL",
     .note = "The Redis that `make run` or docker compose starts requires it.",
     .example = "REDIS_PASSWORD=change-me"},
    {.name = "REDIS_SENTINEL_USERNAME",
     CONFIG_TO(config_text, redis.sentinel_username),
     .no_value = "none",
     .meaning = "user name for the sentinels themselves"},
    {.name = "REDIS_SENTINEL_PASSWORD",
     CONFIG_TO(config_text, redis.sentinel_password),
     .no_value = "none",
     .is_secret = true,
     .meaning = "password for the sentinels themselves"},
    {.name = "SCORING_SALT",
     CONFIG_TO(config_salts, secrets.salts),
     .initial = CONFIG_SALT,
     .is_secret = true,
     .meaning = "salts of the users' tokens, newest first, separated by commas",
     .note = "The default is published: choose your own. To change the salt "
             "set both for a while: new,old."},
    {.name = "SCORING_ADMIN_SALT",
     CONFIG_TO(config_salts, secrets.admin_salts),
     .initial = CONFIG_ADMIN_SALT,
     .is_secret = true,
     .meaning = "salts of the admin's token, in the same form"},
    {.name = "SCORING_ADMIN_GRACE_S",
     CONFIG_TO(config_number, secrets.admin_grace_s),
     .initial = "0",
     .min = 0,
     .max = GRACE_MAX_S,
     .meaning = "seconds for which last hour's admin token stays valid"},
    {.name = "SCORING_CACHE_SECRET",
     CONFIG_TO(config_bytes, secrets.cache_secret),
     .no_value = "derived from the first salt",
     .is_secret = true,
     .meaning = "secret with which the keys of cached scores are hashed",
     .note = "A new secret makes all cached scores unreachable."},
    {.name = "SCORING_ACCOUNTS_FILE",
     CONFIG_TO(config_text, accounts_file),
     .no_value = "none",
     .meaning = "JSON file of the partners, each with its own salts",
     .note = "Without it all partners share SCORING_SALT. In docker compose: a "
             "path on the host."},
    {.name = "SCORING_WORKERS",
     CONFIG_TO(config_number, workers),
     .no_value = "2 x cores",
     .min = 1,
     .max = METRICS_WORKERS_MAX,
     .meaning = "number of worker processes"},
    {.name = "SCORING_STORE_ATTEMPTS",
     CONFIG_TO(config_number, store_attempts),
     .initial = "3",
     .min = 1,
     .max = ATTEMPTS_MAX,
     .meaning = "attempts at a read that an answer depends on"},
    {.name = "SCORING_STORE_CONNECT_TIMEOUT_MS",
     CONFIG_TO(config_number, store_connect_timeout_ms),
     .initial = "200",
     .min = 1,
     .max = TIMEOUT_MAX_MS,
     .meaning = "milliseconds to connect to the store"},
    {.name = "SCORING_STORE_TIMEOUT_MS",
     CONFIG_TO(config_number, store_timeout_ms),
     .initial = "300",
     .min = 1,
     .max = TIMEOUT_MAX_MS,
     .meaning = "milliseconds to answer one command"},
    {.name = "SCORING_STORE_DEADLINE_MS",
     CONFIG_TO(config_number, store_deadline_ms),
     .initial = "800",
     .min = 1,
     .max = TIMEOUT_MAX_MS,
     .meaning = "milliseconds for all store work of one request",
     .note = "The smallest limit that applies counts. They do not apply to "
             "the command `interests`, which has --timeout."},
    {.name = "SCORING_CACHE_TTL_S",
     CONFIG_TO(config_number, cache_ttl_s),
     .initial = "3600",
     .min = 1,
     .max = TTL_MAX_S,
     .meaning = "seconds for which a score is cached"},
    {.name = "SCORING_MAX_BODY_BYTES",
     CONFIG_TO(config_number, max_body_bytes),
     .initial = "1048576",
     .min = 1,
     .max = BODY_MAX_BYTES,
     .needs_restart = true,
     .meaning = "largest body of a request, in bytes; nginx has the same limit",
     .note = "A larger one is answered with 413."},
    {.name = "SCORING_MAX_CLIENT_IDS",
     CONFIG_TO(config_number, max_client_ids),
     .initial = "10000",
     .min = 1,
     .max = IDS_MAX,
     .meaning = "largest number of client_ids in a request",
     .note = "More are answered with 422. A body may hold 10,000 JSON values, "
             "and two more for each of these ids."},
    {.name = "SCORING_MAX_CLIENTS",
     CONFIG_TO(config_number, max_clients),
     .initial = "1000",
     .min = 1,
     .max = CLIENTS_MAX,
     .meaning = "largest number of records in a request for many scores",
     .note =
         "More are answered with 422. The most is 1000, because all of them "
         "must fit into the JSON values of a body."},
    {.name = "SCORING_MODEL_FILE",
     CONFIG_TO(config_model, model),
     .no_value = "the published model",
     .meaning = "JSON file with the rules of the score",
     .note =
         "The published model is share/models/published.json. The file is read "
         "again on SIGHUP. In docker compose: a path on the host."},
    {.name = "SCORING_MAX_ANSWER_BYTES",
     CONFIG_TO(config_number, max_answer_bytes),
     .initial = "16777216",
     .min = 1,
     .max = ANSWER_MAX,
     .meaning = "largest sum of the interests of a request, in bytes as stored",
     .note = "More is answered with 422."},
    {.name = "SCORING_RATE_LIMIT",
     CONFIG_TO(config_number, rate_limit),
     .initial = "0",
     .min = 0,
     .max = RATE_MAX,
     .needs_restart = true,
     .meaning = "requests per second from one address, in nginx; 0: no limit",
     .note = "More is answered with 429."},
    {.name = "SCORING_MAX_CONNECTIONS",
     CONFIG_TO(config_number, max_connections),
     .initial = "0",
     .min = 0,
     .max = OPEN_MAX,
     .needs_restart = true,
     .meaning = "open requests from one address, in nginx; 0: no limit",
     .note = "More is answered with 429."},
    {.name = "SCORING_LOG_FILE",
     CONFIG_TO(config_text, log.file),
     .no_value = "standard output",
     .meaning = "file of the log; it is opened again on SIGUSR1"},
    {.name = "SCORING_LOG_FORMAT",
     CONFIG_TO(config_choice, log.format),
     .choices = {[LOG_TEXT] = "text", [LOG_JSON] = "json"},
     .initial = "text",
     .meaning = "format of the log: text or json"},
    {.name = "SCORING_LOG_LEVEL",
     CONFIG_TO(config_choice, log.level),
     .choices = {[LOG_INFO] = "info", [LOG_ERROR] = "error"},
     .initial = "info",
     .meaning = "lowest level that is logged: info or error"},
    {.name = "SCORING_LOG_REQUESTS",
     CONFIG_TO(config_choice, log.requests),
     .choices = {[LOG_ALL] = "all", [LOG_ERRORS] = "errors"},
     .initial = "all",
     .meaning = "requests that are logged: all or errors",
     .note = "errors: those answered with 400 to 599. All are counted."},
    {.name = "TZ",
     CONFIG_TO(config_zone, time_zone),
     .no_value = "the system's",
     .meaning = "time zone of the log, birthdays and the admin's token",
     .note = "A zone that does not exist is an error. The default of docker "
             "compose is UTC."},
    {.name = "HTTP_PORT",
     CONFIG_TO(config_number_text, http_port),
     .initial = "8080",
     .min = 1,
     .max = PORT_MAX,
     .needs_restart = true,
     .meaning = "port on which nginx serves HTTP"},
    {.name = "HTTP_ADDRESS",
     CONFIG_TO(config_addresses, http_address),
     .initial = "127.0.0.1",
     .needs_restart = true,
     .meaning = "addresses on which nginx listens, separated by commas"},
    {.name = "HTTPS_PORT",
     CONFIG_TO(config_number_text, https_port),
     .initial = "8443",
     .min = 1,
     .max = PORT_MAX,
     .needs_restart = true,
     .meaning = "port on which nginx serves HTTPS"},
    {.name = "TLS_CERTIFICATE",
     CONFIG_TO(config_path, tls_certificate),
     .no_value = "none",
     .refused = NO_PATH_OF_NGINX,
     .needs_restart = true,
     .meaning =
         "PEM file of nginx's certificate; with TLS_KEY it turns HTTPS on",
     .note = "In docker compose: a file in TLS_FOLDER or below it."},
    {.name = "TLS_KEY",
     CONFIG_TO(config_path, tls_key),
     .no_value = "none",
     .refused = NO_PATH_OF_NGINX,
     .needs_restart = true,
     .meaning = "PEM file of the certificate's key"},
    {.name = "TLS_HSTS_S",
     CONFIG_TO(config_number_text, tls_hsts_s),
     .initial = "0",
     .min = 0,
     .max = HSTS_MAX_S,
     .needs_restart = true,
     .meaning = "max-age of Strict-Transport-Security; 0: no such header"},
    {.name = "TRUSTED_PROXIES",
     CONFIG_TO(config_networks, trusted_proxies),
     .no_value = "none",
     .needs_restart = true,
     .meaning = "proxies whose X-Forwarded-For nginx believes",
     .note = "Addresses and networks: 10.0.0.0/8,::1."},
    {.name = "METRICS_PORT",
     CONFIG_TO(config_number_text, metrics_port),
     .no_value = "HTTP_PORT + 1",
     .min = 1,
     .max = PORT_MAX,
     .needs_restart = true,
     .meaning = "port of the metrics, for `make run`",
     .note = "In docker compose: 8081 on the network `metrics`."},
    {.name = "RUN_DIR",
     CONFIG_TO(config_path, run_dir),
     .no_value = "build/run",
     .refused = NO_PATH_OF_RUN,
     .needs_restart = true,
     .meaning = "folder for everything that `make run` creates",
     .note =
         "The folder must be new, empty, or created by an earlier `make run`."},
};

const size_t config_settings_count =
    sizeof(config_settings) / sizeof(config_settings[0]);

_Static_assert(sizeof(config_settings) / sizeof(config_settings[0]) <= 64,
               "owner.given of config.c has a bit for each setting");

const struct config_setting *
config_setting_find(struct bytes name)
{
    for (size_t i = 0; i < config_settings_count; i++) {
        if (bytes_equal(name, bytes_of(config_settings[i].name)))
            return &config_settings[i];
    }
    return NULL;
}
