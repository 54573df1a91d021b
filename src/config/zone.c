/*
 * Which time zones there are. Implements TZ in "Settings" of docs/protocol.md.
 */
#include <fcntl.h>
#include <limits.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/zone.h"

#define MAGIC "TZif" /* the first bytes of a file of tzfile(5) */

/* Source: POSIX.1, "Environment Variables", TZ; hours up to 167 by tzfile. */
#define NAME   "([A-Za-z]{3,}|<[-+A-Za-z0-9]{3,}>)"
#define TIME   "[-+]?[0-9]{1,3}(:[0-5]?[0-9]){0,2}"
#define OFFSET "[-+]?(1?[0-9]|2[0-4])(:[0-5]?[0-9]){0,2}"
#define DAY    "(J?[0-9]{1,3}|M(1[0-2]|[1-9])\\.[1-5]\\.[0-6])(/" TIME ")?"

static const char rule_pattern[] =
    "^" NAME OFFSET "(" NAME "(" OFFSET ")?(," DAY "," DAY ")?)?$";

static bool
is_rule(const char *zone)
{
    regex_t rule;
    bool is_match;

    if (regcomp(&rule, rule_pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    is_match = regexec(&rule, zone, 0, NULL, 0) == 0;
    regfree(&rule);
    return is_match;
}

static bool
is_zone_file(const char *path)
{
    char magic[sizeof(MAGIC) - 1];
    struct stat st;
    bool is_good;
    int fd;

    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    is_good = read(fd, magic, sizeof(magic)) == (ssize_t)sizeof(magic) &&
              memcmp(magic, MAGIC, sizeof(magic)) == 0;
    (void)close(fd);
    return is_good;
}

bool
zone_is_known(const char *zone)
{
    char path[PATH_MAX];
    int length;

    if (*zone == ':') /* which libc passes over */
        zone++;
    if (strcmp(zone, ZONE_UTC) == 0)
        return true; /* with or without a file */
    length = snprintf(path, sizeof(path), "%s%s",
                      *zone == '/' ? "" : ZONE_FOLDER "/", zone);
    if (length > 0 && (size_t)length < sizeof(path) && is_zone_file(path))
        return true;
    return is_rule(zone);
}
