#ifndef CONFIG_ZONE_H
#define CONFIG_ZONE_H

#include <stdbool.h>

#define ZONE_FOLDER "/usr/share/zoneinfo"
#define ZONE_UTC    "UTC"

/*
 * Whether libc understands this value of TZ: the name of a file below
 * ZONE_FOLDER, the absolute path of such a file, UTC, or a POSIX rule such as
 * CET-1. It silently takes any other value for UTC. Source: docs/protocol.md,
 * S24.5.
 */
bool zone_is_known(const char *zone);

#endif
