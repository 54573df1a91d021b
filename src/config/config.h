#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "redis/url.h"
#include "scoring/auth.h"
#include "telemetry/log.h"

/*
 * All settings, checked, as one value that never changes. Every pointer
 * belongs to the struct. Names, defaults and bounds: docs/protocol.md,
 * "Settings", and settings.c.
 */
struct config {
    struct redis_url redis;
    struct auth_secrets secrets;
    bool salts_are_published; /* one of the two default salts is in force */
    int64_t workers;
    int64_t cores; /* that this process may use; at least 1 */
    int64_t store_attempts;
    int64_t store_connect_timeout_ms;
    int64_t store_timeout_ms;
    int64_t store_deadline_ms;
    int64_t cache_ttl_s;
    int64_t max_body_bytes;
    int64_t max_client_ids;
    int64_t rate_limit;   /* used by nginx; checked here */
    const char *log_file; /* NULL: standard output */
    enum log_format log_format;
    enum log_level log_level;
};

/*
 * Reads the settings from an environment ("NAME=value", NULL at the end) and
 * the files it names.
 *
 * errors   receives one line per mistake, each ending in '\n' and naming the
 *          setting; all mistakes, not just the first; never a secret's value.
 *
 * Returns the settings, owned by the caller, or NULL with errors filled.
 */
struct config *config_load(char *const environment[], struct buf *errors);

/* Accepts NULL; wipes the secrets before it frees them. */
void config_free(struct config *config);

/* The effective settings as NAME=value lines, secrets masked. */
void config_print(const struct config *config, struct buf *out);

/* A table of all settings with defaults and meanings, for --help. */
void config_help(struct buf *out);

#endif
