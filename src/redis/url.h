#ifndef REDIS_URL_H
#define REDIS_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/*
 * Where a Redis is, as one text:
 *
 *     redis://[[user][:password]@]host[:port][/database]
 *     rediss://...                          the same over TLS
 *     unix://[[user][:password]@]/path[?db=database]
 *     redis+sentinel://[[user][:password]@]host[:port][,host...]/master[/database]
 *     redis+cluster://[[user][:password]@]host[:port][,host...]
 *     rediss+sentinel://..., rediss+cluster://...    the same over TLS
 *
 * The hosts of redis+sentinel:// are sentinels. An IPv6 address stands in
 * brackets. User, password and path are percent-decoded; a user or password
 * with '/' or '?' in it must be encoded. What is empty counts as not given.
 * Texts are NUL-terminated, NULL where not given.
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

    /* Of all kinds but the first. */
    struct redis_url_host hosts[REDIS_URL_HOSTS_MAX];
    size_t host_count;
    const char *master; /* the name that the sentinels know it by */

    /* For the sentinels themselves; no part of the text. */
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
    REDIS_URL_SEVERAL,   /* hosts, where there can be one */
    REDIS_URL_TOO_MANY,  /* hosts */
    REDIS_URL_MASTER,    /* its name is missing, or none */
    REDIS_URL_DATABASES, /* a Cluster has no other than 0 */
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

/* Adds "host:port[,host:port...]", or the path of the socket, fit for the log.
 */
void redis_url_print_address(const struct redis_url *redis, struct buf *out);

/* Adds the URL without user and password, fit for the log. */
void redis_url_print(const struct redis_url *redis, struct buf *out);

#endif
