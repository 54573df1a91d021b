#ifndef CONFIG_KINDS_H
#define CONFIG_KINDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "config/config.h"
#include "scoring/auth.h"

/* Shown instead of a secret. */
#define CONFIG_MASK "***"

struct config_kind;

/* One row of the table of settings. */
struct config_setting {
    const char *name;
    const struct config_kind *kind;
    size_t offset;          /* in struct config */
    const char *initial;    /* the default, written as a value; or NULL */
    const char *no_value;   /* describes what applies if initial is NULL */
    int64_t min, max;       /* for the kinds of numbers; else 0 */
    const char *refused;    /* for config_path: bytes that it must not hold */
    const char *choices[2]; /* for config_choice: the names of its values */
    bool is_secret;         /* never shown; may be given as NAME_FILE */
    bool needs_restart;     /* SIGHUP does not apply it everywhere */
    const char *meaning;    /* one line, for --help and all documents */
    const char *note;       /* one more sentence for documents, or NULL */
    const char *example;    /* its line of .env.example; NULL: the default, or a
                               comment if there is none */
};

/* The value that was given for a setting. */
struct config_given {
    char *text;   /* NULL: none; may be altered; lives with the settings */
    bool is_file; /* it is the content of the file that NAME_FILE names */
};

/*
 * Parses a value into a member of struct config, of the type of its kind (see
 * below). On success sets *dest and returns true; otherwise adds a line to
 * errors and returns false. Kinds of nginx also set *dest on failure.
 */
typedef bool config_kind_read(const struct config_setting *setting,
                              const struct config_given *given, void *dest,
                              struct buf *errors);

enum config_view {
    CONFIG_LISTED = 0, /* on one line; a secret as CONFIG_MASK */
    CONFIG_RAW         /* not escaped or masked; salts one per line */
};

/* Adds a member as a value that could be given. */
typedef void config_kind_print(const struct config_setting *setting,
                               const void *dest, enum config_view view,
                               struct buf *out);

struct config_kind {
    config_kind_read *read;
    config_kind_print *print;
    bool empty_is_none; /* an empty value means the default */
    bool is_of_nginx;   /* the service does not look at the value, which is
                           stored as it is: see enum config_scope */
};

typedef int64_t config_number_dest;
typedef const char *config_text_dest;
typedef const char *config_zone_dest;
typedef struct bytes config_bytes_dest;
typedef struct auth_salts config_salts_dest;
typedef struct redis_url config_redis_dest;
typedef struct config_model config_model_dest;
typedef const char *config_number_text_dest;
typedef const char *config_path_dest;
typedef const char *config_addresses_dest;
typedef const char *config_networks_dest;
typedef unsigned config_choice_dest; /* or an enum without negative values */

extern const struct config_kind config_number, config_text, config_bytes,
    config_salts, config_redis, config_model, config_choice, config_zone,
    config_number_text, config_path, config_addresses, config_networks;

/* For kinds whose member is a text; NULL: none. */
config_kind_print config_text_print;

/* Does not compile unless the member has the type of the kind. */
#define CONFIG_TO(kind_name, member)                                           \
    .kind = &kind_name, .offset = offsetof(struct config, member) +            \
                                  0 * sizeof((kind_name##_dest *)0 ==          \
                                             &((struct config *)0)->member)

#endif
