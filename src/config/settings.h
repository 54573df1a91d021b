#ifndef CONFIG_TABLE_H
#define CONFIG_TABLE_H

#include <stddef.h>

#include "config/kinds.h"

/* The published salts: known to everybody, so not for use in earnest. */
#define CONFIG_SALT       "Otus"
#define CONFIG_ADMIN_SALT "42"

/* In the order in which they are read and shown. */
extern const struct config_setting config_settings[];
extern const size_t config_settings_count;

/* By the whole name; NULL if there is none. */
const struct config_setting *config_setting_find(struct bytes name);

#endif
