/*
 * Checks time zones. Implements S24.5 of docs/protocol.md.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/zone.h"

#define MAGIC "TZif" /* the first bytes of a file of tzfile(5) */

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS  "0123456789"

#define NAME_MIN   3
#define OFFSET_MAX 24  /* hours */
#define TIME_MAX   167 /* hours, an extension by tzfile(5) */
#define DAY_MAX    365

/*
 * The functions take_...() parse a rule: std offset [dst [offset]
 * [,day[/time],day[/time]]]. Each steps *at over the part that it accepts.
 * Source: POSIX.1, "Environment Variables", TZ.
 */

static bool
take(const char **at, char byte)
{
    if (**at != byte)
        return false;
    (*at)++;
    return true;
}

static bool
take_number(const char **at, int min, int max)
{
    int number = 0;
    size_t length = strspn(*at, DIGITS);

    if (length == 0 || length > 3)
        return false;
    for (size_t i = 0; i < length; i++)
        number = number * 10 + (*at)[i] - '0';
    *at += length;
    return number >= min && number <= max;
}

static bool
take_name(const char **at)
{
    const bool is_quoted = take(at, '<');
    const size_t length =
        strspn(*at, is_quoted ? LETTERS DIGITS "+-" : LETTERS);

    *at += length;
    return length >= NAME_MIN && (!is_quoted || take(at, '>'));
}

static bool
take_time(const char **at, int hours_max)
{
    if (!take(at, '-'))
        (void)take(at, '+');
    if (!take_number(at, 0, hours_max))
        return false;
    for (int part = 0; part < 2 && take(at, ':'); part++) {
        if (!take_number(at, 0, 59))
            return false;
    }
    return true;
}

/* ",Mm.w.d", ",Jn" or ",n", and perhaps a time of day. */
static bool
take_day(const char **at)
{
    bool is_good;

    if (!take(at, ','))
        return false;
    if (take(at, 'M'))
        is_good = take_number(at, 1, 12) && take(at, '.') &&
                  take_number(at, 1, 5) && take(at, '.') &&
                  take_number(at, 0, 6);
    else
        is_good = take_number(at, take(at, 'J') ? 1 : 0, DAY_MAX);
    return is_good && (!take(at, '/') || take_time(at, TIME_MAX));
}

static bool
is_rule(const char *zone)
{
    if (!take_name(&zone) || !take_time(&zone, OFFSET_MAX))
        return false;
    if (*zone == '\0')
        return true;
    if (!take_name(&zone))
        return false;
    if (*zone != '\0' && *zone != ',' && !take_time(&zone, OFFSET_MAX))
        return false;
    if (*zone == '\0')
        return true;
    if (!take_day(&zone)) /* summer time begins */
        return false;
    return take_day(&zone) && *zone == '\0'; /* summer time ends */
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

    if (*zone == ':') /* libc ignores it */
        zone++;
    if (strcmp(zone, ZONE_UTC) == 0)
        return true; /* even without a file */
    length = snprintf(path, sizeof(path), "%s%s",
                      *zone == '/' ? "" : ZONE_FOLDER "/", zone);
    if (length > 0 && (size_t)length < sizeof(path) && is_zone_file(path))
        return true;
    return is_rule(zone);
}
