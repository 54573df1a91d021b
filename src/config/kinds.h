#ifndef CONFIG_KIND_H
#define CONFIG_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "config/config.h"
#include "scoring/auth.h"

/* Stands for a secret wherever settings are shown. */
#define CONFIG_MASK "***"

struct config_kind;

/* One row of the table of settings. */
struct config_setting {
    const char *name;
    const struct config_kind *kind;
    size_t offset;          /* in struct config */
    const char *initial;    /* the default, as it would be given */
    const char *no_value;   /* without a default: what holds, in words */
    int64_t min, max;       /* of numbers; 0 and 0 for all else */
    const char *choices[2]; /* by their values; NULL for all else */
    bool is_secret;         /* never shown; may be given by a file */
    bool needs_restart;  /* a SIGHUP does not bring it into force everywhere */
    const char *meaning; /* on one line, for --help and all documents */
    const char *note;    /* a sentence more for documents, or NULL */
    const char *example; /* its line of .env.example, where that is neither
                            the default nor commented out for want of one */
};

/* What was given for a setting; without anything, text is NULL. */
struct config_given {
    char *text;   /* may be cut up; lives as long as the settings */
    bool is_file; /* it was the content of a file of its own */
};

/*
 * Reads what was given into a member of struct config, of the type that stands
 * beside the kind below. dest is set on success only; else there is one more
 * line in errors and the result is false.
 */
typedef bool config_kind_read(const struct config_setting *setting,
                              const struct config_given *given, void *dest,
                              struct buf *errors);

enum config_view {
    CONFIG_LISTED = 0, /* on one line; a secret as CONFIG_MASK */
    CONFIG_RAW         /* as it is; salts one per line */
};

/* Adds a member as it would be given. */
typedef void config_kind_print(const struct config_setting *setting,
                               const void *dest, enum config_view view,
                               struct buf *out);

struct config_kind {
    config_kind_read *read;
    config_kind_print *print;
    bool empty_is_none; /* an empty text stands for the default */
};

typedef int64_t config_number_dest;
typedef const char *config_text_dest;
typedef const char *config_zone_dest;
typedef struct bytes config_bytes_dest;
typedef struct auth_salts config_salts_dest;
typedef struct redis_url config_redis_dest;
typedef struct config_model config_model_dest;
typedef unsigned config_choice_dest; /* or an enum without negative values */

extern const struct config_kind config_number, config_text, config_bytes,
    config_salts, config_redis, config_model, config_choice, config_zone;

/* Does not compile if the member is not of the kind's type. */
#define CONFIG_TO(kind_name, member)                                           \
    .kind = &kind_name, .offset = offsetof(struct config, member) +            \
                                  0 * sizeof((kind_name##_dest *)0 ==          \
                                             &((struct config *)0)->member)

#endif
