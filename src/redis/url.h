#ifndef REDIS_URL_H
#define REDIS_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/*
 * REDIS_URL, the address of a Redis:
 *
 *     redis://[[user][:password]@]host[:port][/database] rediss://...
 *     the same over TLS unix://[[user][:password]@]/path[?db=database]
 *     redis+sentinel://[[user][:password]@]host[:port][,host...]/master[/database]
 *     redis+cluster://[[user][:password]@]host[:port][,host...]
 *     rediss+sentinel://..., rediss+cluster://...    the same over TLS
 *
 * The hosts of redis+sentinel:// are sentinels. An IPv6 address must be in
 * brackets. User, password and path are percent-decoded; '/' and '?' in a user
 * or password must be encoded. An empty part counts as not given. Texts are
 * NUL-terminated; NULL: not given.
 */
enum redis_url_kind {
    REDIS_URL_SINGLE = 0,
    REDIS_URL_SENTINEL,
    REDIS_URL_CLUSTER,
    REDIS_URL_KIND__MAX
};

#define REDIS_URL_HOSTS_MAX 16

struct redis_url_host {
    const char *host;
    int port;
};

struct redis_url {
    enum redis_url_kind kind;
    const char *host;      /* NULL for a unix socket; the first of several */
    const char *unix_path; /* NULL for TCP */
    const char *username;
    const char *password;
    int port;
    int database;
    bool tls;

    /* For Sentinel and Cluster. */
    struct redis_url_host hosts[REDIS_URL_HOSTS_MAX];
    size_t host_count;
    const char *master; /* the sentinels' name for the master */

    /* For the sentinels themselves; other settings, not parts of the URL. */
    const char *sentinel_username, *sentinel_password;
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
    REDIS_URL_SEVERAL,   /* more than one host in redis:// */
    REDIS_URL_TOO_MANY,  /* more than REDIS_URL_HOSTS_MAX hosts */
    REDIS_URL_MASTER,    /* the master's name is missing or invalid */
    REDIS_URL_DATABASES, /* a database other than 0 for a Cluster */
    REDIS_URL__MAX
};

/* A static text that describes the error, and contains no part of the URL. */
const char *redis_url_error_text(enum redis_url_error error);

/*
 * Parses a URL.
 *
 * url        altered in place, also on failure: the texts of *ret_redis point
 *            into it.
 * ret_redis  set on success only.
 */
enum redis_url_error redis_url_parse(char *url, struct redis_url *ret_redis);

/* Adds "host:port[,host:port...]", or the path of the socket. No secrets. */
void redis_url_print_address(const struct redis_url *redis, struct buf *out);

/* Adds the URL without user and password. */
void redis_url_print(const struct redis_url *redis, struct buf *out);

#endif
