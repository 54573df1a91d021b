#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include <stddef.h>

#include "config/kinds.h"

/* The published salts: everybody knows them, so they protect nothing. */
#define CONFIG_SALT       "Otus"
#define CONFIG_ADMIN_SALT "42"

/* The table of all settings, in the order in which they are read and shown. */
extern const struct config_setting config_settings[];
extern const size_t config_settings_count;

/* Finds a setting by its whole name; NULL if there is none. */
const struct config_setting *config_setting_find(struct bytes name);

#endif
