#ifndef CONFIG_ZONE_H
#define CONFIG_ZONE_H

#include <stdbool.h>

#define ZONE_FOLDER "/usr/share/zoneinfo"
#define ZONE_UTC    "UTC"

/*
 * Whether libc takes this value of TZ for what it says: the name of a file
 * below ZONE_FOLDER, the path of one, UTC, or a rule of POSIX such as CET-1.
 * It takes anything else for UTC, without a word.
 */
bool zone_is_known(const char *zone);

#endif
