#ifndef REDIS_URL_H
#define REDIS_URL_H

#include <stdbool.h>

#include "base/buf.h"

/*
 * Where a Redis is, as one text:
 *
 *     redis://[[user][:password]@]host[:port][/database]
 *     rediss://...                          the same over TLS
 *     unix://[[user][:password]@]/path[?db=database]
 *
 * An IPv6 address stands in brackets. User, password and path are
 * percent-decoded; a user or password with '/' or '?' in it must be encoded.
 * What is empty counts as not given. Texts are NUL-terminated,
 * NULL where not given.
 */
struct redis_url {
    const char *host;      /* NULL for a unix socket */
    const char *unix_path; /* NULL for TCP */
    const char *username;
    const char *password;
    int port;
    int database;
    bool tls;
};

enum redis_url_error {
    REDIS_URL_OK = 0,
    REDIS_URL_SCHEME,
    REDIS_URL_ESCAPE,
    REDIS_URL_RESERVED, /* in the user or password */
    REDIS_URL_HOST,
    REDIS_URL_PORT,
    REDIS_URL_DATABASE,
    REDIS_URL_PATH,
    REDIS_URL_PATH_HOST,
    REDIS_URL_PATH_LENGTH,
    REDIS_URL_QUERY,
    REDIS_URL__MAX
};

/* What is wrong, in words that tell nothing of the URL; static. */
const char *redis_url_error_text(enum redis_url_error error);

/*
 * Takes a URL apart.
 *
 * url       is cut and decoded in place, on failure too; the texts of
 *           *ret_redis point into it.
 *
 * Sets *ret_redis on success only.
 */
enum redis_url_error redis_url_parse(char *url, struct redis_url *ret_redis);

/* Adds "host:port", or the path of the socket, fit for the log. */
void redis_url_print_address(const struct redis_url *redis, struct buf *out);

/* Adds the URL without user and password, fit for the log. */
void redis_url_print(const struct redis_url *redis, struct buf *out);

#endif
