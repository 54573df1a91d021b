/*
 * Parses REDIS_URL, and prints it without its secrets. Implements S24.1 of
 * docs/protocol.md for this setting; S21 and S22 have two of its forms.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include "base/number.h"
#include "redis/url.h"

#define PORT_DEFAULT  6379
#define SENTINEL_PORT 26379
#define PORT_MAX      65535
#define DATABASE_MAX  65535 /* ample: by default a server has 16 databases */
#define HOST_MAX      253   /* characters of a DNS name */

/*
 * Leaves room for a NUL, which the kernel does not need, but other code does.
 */
#define UNIX_PATH_MAX_LENGTH                                                   \
    (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

#define ALPHANUMERIC                                                           \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static const char host_bytes[] = ALPHANUMERIC "._-";
static const char path_bytes[] = ALPHANUMERIC "._~-/";
static const char query_database[] = "db=";

static const struct scheme {
    const char *prefix;
    enum redis_url_kind kind;
    bool is_unix, has_tls;
} schemes[] = {
    {.prefix = "redis://"},
    {.prefix = "rediss://", .has_tls = true},
    {.prefix = "unix://", .is_unix = true},
    {.prefix = "redis+sentinel://", .kind = REDIS_URL_SENTINEL},
    {"rediss+sentinel://", REDIS_URL_SENTINEL, .has_tls = true},
    {.prefix = "redis+cluster://", .kind = REDIS_URL_CLUSTER},
    {"rediss+cluster://", REDIS_URL_CLUSTER, .has_tls = true},
};

static const char *const error_texts[REDIS_URL__MAX] = {
    [REDIS_URL_OK] = "good",
    [REDIS_URL_SCHEME] =
        "must begin with redis://, unix://, redis+sentinel:// or "
        "redis+cluster://; with TLS with rediss://, rediss+sentinel:// or "
        "rediss+cluster://",
    [REDIS_URL_ESCAPE] = "'%' must be followed by two hexadecimal digits, not "
                         "00; a '%' itself is written %25",
    [REDIS_URL_RESERVED] = "a '/' in the user or password must be written %2F, "
                           "'?' %3F, '#' %23, '@' %40, '%' %25",
    [REDIS_URL_HOST] = "the host must be a name, an IPv4 address, or an IPv6 "
                       "address in brackets",
    [REDIS_URL_PORT] = "the port must be an integer from 1 to 65535",
    [REDIS_URL_DATABASE] = "the database must be an integer from 0 to 65535",
    [REDIS_URL_PATH] = "unix:// must be followed by the path of a socket",
    [REDIS_URL_PATH_HOST] = "unix:// takes no host: write unix:///path",
    [REDIS_URL_PATH_LENGTH] = "the path of a socket has at most 107 bytes",
    [REDIS_URL_QUERY] = "only unix:// takes a query, which must be db=number",
    [REDIS_URL_SEVERAL] =
        "several hosts must be written redis+sentinel://host,host/MASTER or "
        "redis+cluster://host,host",
    [REDIS_URL_TOO_MANY] = "there can be 16 hosts at most",
    [REDIS_URL_MASTER] =
        "the name that the sentinels know the master by must follow, of "
        "letters, digits, '.', '-' and '_': redis+sentinel://host,host/MASTER",
    [REDIS_URL_DATABASES] =
        "a cluster has database 0 only: redis+cluster://host,host",
};

const char *
redis_url_error_text(enum redis_url_error error)
{
    assert(error < REDIS_URL__MAX);
    return error_texts[error];
}

/*
 * Whether a '/' or '?' in the user or password has ended the authority too
 * early: then an '@' follows. The path of a unix socket may contain an '@'.
 */
static bool
is_cut_short(const struct scheme *scheme, const char *authority,
             const char *rest)
{
    return strchr(rest, '@') != NULL &&
           (!scheme->is_unix ||
            (*authority != '\0' && strchr(authority, '@') == NULL));
}

/* The value of a hexadecimal digit, or -1. */
static int
hex_value(char digit)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = digit == '\0' ? NULL : strchr(digits, digit);

    return at == NULL ? -1 : (int)((at - digits) % 16);
}

/* Decodes in place. Refuses "%00", which would cut the text. */
static bool
percent_decode(char *text)
{
    char *to = text;

    for (const char *from = text; *from != '\0'; from++) {
        int high, low;

        if (*from != '%') {
            *to++ = *from;
            continue;
        }
        high = hex_value(from[1]);
        low = high < 0 ? -1 : hex_value(from[2]);
        if (low < 0 || high * 16 + low == 0)
            return false;
        *to++ = (char)(high * 16 + low);
        from += 2;
    }
    *to = '\0';
    return true;
}

static const char *
text_or_null(const char *text)
{
    return text == NULL || *text == '\0' ? NULL : text;
}

/*
 * Parses "user:password@" at the beginning of the authority. It ends with the
 * last '@': one in a password should be encoded, but is not ambiguous.
 */
static enum redis_url_error
credentials_parse(char *authority, struct redis_url *redis, char **ret_rest)
{
    char *at = strrchr(authority, '@');
    char *password;

    *ret_rest = authority;
    if (at == NULL)
        return REDIS_URL_OK;
    *at = '\0';
    *ret_rest = at + 1;
    password = strchr(authority, ':');
    if (password != NULL)
        *password++ = '\0';
    if (!percent_decode(authority) ||
        (password != NULL && !percent_decode(password)))
        return REDIS_URL_ESCAPE;
    redis->username = text_or_null(authority);
    redis->password = text_or_null(password);
    return REDIS_URL_OK;
}

static enum redis_url_error
port_parse(const char *text, int *ret_port)
{
    int64_t port;

    if (!number_parse(text, 1, PORT_MAX, &port))
        return REDIS_URL_PORT;
    *ret_port = (int)port;
    return REDIS_URL_OK;
}

static enum redis_url_error
database_parse(const char *text, struct redis_url *redis)
{
    int64_t database;

    if (!number_parse(text, 0, DATABASE_MAX, &database))
        return REDIS_URL_DATABASE;
    redis->database = (int)database;
    return REDIS_URL_OK;
}

/* Ends "[address]" with a NUL. Returns the text after it; NULL if invalid. */
static char *
ipv6_cut(char *text)
{
    char *end = strchr(text, ']');
    struct in6_addr address;

    if (end == NULL)
        return NULL;
    *end = '\0';
    return inet_pton(AF_INET6, text + 1, &address) == 1 ? end + 1 : NULL;
}

static char *
host_cut(char *text)
{
    const size_t length = strspn(text, host_bytes);

    if (length == 0 || length > HOST_MAX)
        return NULL;
    return text + length;
}

static enum redis_url_error
host_parse(char *text, int port_default, struct redis_url_host *ret_host)
{
    const bool is_ipv6 = *text == '[';
    char *end = is_ipv6 ? ipv6_cut(text) : host_cut(text);

    if (end == NULL || (*end != '\0' && *end != ':'))
        return REDIS_URL_HOST;
    ret_host->host = is_ipv6 ? text + 1 : text;
    ret_host->port = port_default;
    if (*end == '\0')
        return REDIS_URL_OK;
    *end = '\0';
    return port_parse(end + 1, &ret_host->port);
}

/* path: "", "/" or "/database". */
static enum redis_url_error
single_parse(char *host, char *path, struct redis_url *redis)
{
    struct redis_url_host place = {NULL, 0};
    enum redis_url_error error;

    if (strchr(host, ',') != NULL)
        return REDIS_URL_SEVERAL;
    error = host_parse(host, PORT_DEFAULT, &place);
    redis->host = place.host;
    redis->port = place.port;
    if (error != REDIS_URL_OK || strlen(path) <= 1)
        return error;
    return database_parse(path + 1, redis);
}

static enum redis_url_error
hosts_parse(char *hosts, int port_default, struct redis_url *redis)
{
    enum redis_url_error error = REDIS_URL_OK;

    while (hosts != NULL && error == REDIS_URL_OK) {
        char *host = strsep(&hosts, ",");

        if (redis->host_count == REDIS_URL_HOSTS_MAX)
            return REDIS_URL_TOO_MANY;
        error =
            host_parse(host, port_default, &redis->hosts[redis->host_count++]);
    }
    redis->host = redis->hosts[0].host;
    redis->port = redis->hosts[0].port;
    return error;
}

/* path: "/master" or "/master/database". */
static enum redis_url_error
sentinel_parse(char *hosts, char *path, struct redis_url *redis)
{
    enum redis_url_error error = hosts_parse(hosts, SENTINEL_PORT, redis);
    char *database;

    if (error != REDIS_URL_OK)
        return error;
    if (*path == '\0')
        return REDIS_URL_MASTER;
    redis->master = path + 1;
    database = strchr(path + 1, '/');
    if (database != NULL)
        *database++ = '\0';
    if (*redis->master == '\0' ||
        redis->master[strspn(redis->master, host_bytes)] != '\0')
        return REDIS_URL_MASTER;
    return text_or_null(database) != NULL ? database_parse(database, redis)
                                          : REDIS_URL_OK;
}

/* path: "", "/" or "/0". */
static enum redis_url_error
cluster_parse(char *hosts, char *path, struct redis_url *redis)
{
    enum redis_url_error error = hosts_parse(hosts, PORT_DEFAULT, redis);

    if (error == REDIS_URL_OK && strlen(path) > 1 && strcmp(path, "/0") != 0)
        return REDIS_URL_DATABASES;
    return error;
}

typedef enum redis_url_error place_parse_fn(char *host, char *path,
                                            struct redis_url *redis);

static place_parse_fn *const parsers[REDIS_URL_KIND__MAX] = {
    [REDIS_URL_SINGLE] = single_parse,
    [REDIS_URL_SENTINEL] = sentinel_parse,
    [REDIS_URL_CLUSTER] = cluster_parse,
};

static enum redis_url_error
tcp_parse(char *host, char *path, const char *query, struct redis_url *redis)
{
    enum redis_url_error error = parsers[redis->kind](host, path, redis);

    if (error != REDIS_URL_OK)
        return error;
    return query != NULL ? REDIS_URL_QUERY : REDIS_URL_OK;
}

static enum redis_url_error
unix_parse(const char *host, char *path, const char *query,
           struct redis_url *redis)
{
    const size_t key_length = strlen(query_database);

    if (*host != '\0')
        return REDIS_URL_PATH_HOST;
    if (!percent_decode(path))
        return REDIS_URL_ESCAPE;
    if (strlen(path) <= 1)
        return REDIS_URL_PATH;
    if (strlen(path) > UNIX_PATH_MAX_LENGTH)
        return REDIS_URL_PATH_LENGTH;
    redis->unix_path = path;
    if (query == NULL)
        return REDIS_URL_OK;
    if (strncmp(query, query_database, key_length) != 0)
        return REDIS_URL_QUERY;
    return database_parse(query + key_length, redis);
}

static const struct scheme *
scheme_find(const char *url)
{
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (strncmp(url, schemes[i].prefix, strlen(schemes[i].prefix)) == 0)
            return &schemes[i];
    }
    return NULL;
}

enum redis_url_error
redis_url_parse(char *url, struct redis_url *ret_redis)
{
    const struct scheme *scheme = scheme_find(url);
    struct redis_url redis = {0};
    enum redis_url_error error;
    char *authority, *host, *path, *query;
    size_t length;

    if (scheme == NULL)
        return REDIS_URL_SCHEME;
    /* Moved left by one byte: this leaves room for a NUL before the path. */
    path = url + strlen(scheme->prefix);
    length = strcspn(path, "/?");
    authority = memmove(path - 1, path, length);
    authority[length] = '\0';
    path += length;
    if (is_cut_short(scheme, authority, path))
        return REDIS_URL_RESERVED;
    query = strchr(path, '?');
    if (query != NULL)
        *query++ = '\0';

    redis.kind = scheme->kind;
    redis.tls = scheme->has_tls;
    error = credentials_parse(authority, &redis, &host);
    if (error == REDIS_URL_OK)
        error = scheme->is_unix ? unix_parse(host, path, query, &redis)
                                : tcp_parse(host, path, query, &redis);
    if (error == REDIS_URL_OK)
        *ret_redis = redis;
    return error;
}

static void
path_print(const char *path, struct buf *out)
{
    for (const char *at = path; *at != '\0'; at++) {
        if (strchr(path_bytes, *at) != NULL)
            buf_add(out, at, 1);
        else
            buf_printf(out, "%%%02X", (unsigned char)*at);
    }
}

static void
host_print(const char *host, int port, struct buf *out)
{
    buf_printf(out, strchr(host, ':') != NULL ? "[%s]:%d" : "%s:%d", host,
               port);
}

void
redis_url_print_address(const struct redis_url *redis, struct buf *out)
{
    if (redis->unix_path != NULL)
        buf_add_text(out, redis->unix_path);
    else if (redis->kind == REDIS_URL_SINGLE)
        host_print(redis->host, redis->port, out);
    for (size_t i = 0; i < redis->host_count; i++) {
        buf_add_text(out, i > 0 ? "," : "");
        host_print(redis->hosts[i].host, redis->hosts[i].port, out);
    }
}

static const char *
prefix_of(const struct redis_url *redis)
{
    size_t i = 0;

    while (schemes[i].kind != redis->kind || schemes[i].has_tls != redis->tls ||
           schemes[i].is_unix != (redis->unix_path != NULL))
        i++;
    return schemes[i].prefix;
}

void
redis_url_print(const struct redis_url *redis, struct buf *out)
{
    buf_add_text(out, prefix_of(redis));
    if (redis->unix_path != NULL) {
        path_print(redis->unix_path, out);
        buf_printf(out, "?db=%d", redis->database);
        return;
    }
    redis_url_print_address(redis, out);
    if (redis->master != NULL)
        buf_printf(out, "/%s", redis->master);
    if (redis->kind != REDIS_URL_CLUSTER)
        buf_printf(out, "/%d", redis->database);
}
