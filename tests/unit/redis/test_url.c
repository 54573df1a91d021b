/*
 * REDIS_URL: each part, both sides of each bound, and that the printed URL has
 * no secrets.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis/url.h"
#include "support/cases.h"

#define X10  "xxxxxxxxxx"
#define X50  X10 X10 X10 X10 X10
#define X100 X50 X50

struct good_case {
    const char *name, *url;
    struct redis_url want;
    const char *printed;
};

static const struct good_case good_rows[] = {
    {"host alone",
     "redis://cache",
     {.host = "cache", .port = 6379},
     "redis://cache:6379/0"},
    {"slash without a database",
     "redis://cache/",
     {.host = "cache", .port = 6379},
     "redis://cache:6379/0"},
    {"host, port and database",
     "redis://127.0.0.1:6380/2",
     {.host = "127.0.0.1", .port = 6380, .database = 2},
     "redis://127.0.0.1:6380/2"},
    {"lowest port", "redis://h:1", {.host = "h", .port = 1}, "redis://h:1/0"},
    {"highest port",
     "redis://h:65535",
     {.host = "h", .port = 65535},
     "redis://h:65535/0"},
    {"highest database",
     "redis://h/65535",
     {.host = "h", .port = 6379, .database = 65535},
     "redis://h:6379/65535"},
    {"password alone",
     "redis://:secret@h:1/3",
     {.host = "h", .port = 1, .database = 3, .password = "secret"},
     "redis://h:1/3"},
    {"user and password",
     "redis://me:secret@h",
     {.host = "h", .port = 6379, .username = "me", .password = "secret"},
     "redis://h:6379/0"},
    {"user alone",
     "redis://me@h",
     {.host = "h", .port = 6379, .username = "me"},
     "redis://h:6379/0"},
    {"user and empty password",
     "redis://me:@h",
     {.host = "h", .port = 6379, .username = "me"},
     "redis://h:6379/0"},
    {"nothing before the at sign",
     "redis://@h",
     {.host = "h", .port = 6379},
     "redis://h:6379/0"},
    {"colon in a password",
     "redis://:a:b@h",
     {.host = "h", .port = 6379, .password = "a:b"},
     "redis://h:6379/0"},
    {"at sign in a password",
     "redis://:a@b@h",
     {.host = "h", .port = 6379, .password = "a@b"},
     "redis://h:6379/0"},
    {"encoded user and password",
     "redis://m%65:%40%2f%3F%25%C3%a9@h",
     {.host = "h", .port = 6379, .username = "me", .password = "@/?%\xc3\xa9"},
     "redis://h:6379/0"},
    {"encoded with a zero in front",
     "redis://:%01%0f@h",
     {.host = "h", .port = 6379, .password = "\x01\x0f"},
     "redis://h:6379/0"},
    {"IPv6",
     "redis://[::1]:6380/1",
     {.host = "::1", .port = 6380, .database = 1},
     "redis://[::1]:6380/1"},
    {"IPv6 without a port",
     "redis://:pw@[2001:db8::5]",
     {.host = "2001:db8::5", .port = 6379, .password = "pw"},
     "redis://[2001:db8::5]:6379/0"},
    {"TLS",
     "rediss://h",
     {.host = "h", .port = 6379, .tls = true},
     "rediss://h:6379/0"},
    {"longest host",
     "redis://" X100 X100 X50 "xxx",
     {.host = X100 X100 X50 "xxx", .port = 6379},
     "redis://" X100 X100 X50 "xxx:6379/0"},
    {"unix",
     "unix:///run/redis.sock",
     {.unix_path = "/run/redis.sock"},
     "unix:///run/redis.sock?db=0"},
    {"unix with a database",
     "unix:///run/redis.sock?db=7",
     {.unix_path = "/run/redis.sock", .database = 7},
     "unix:///run/redis.sock?db=7"},
    {"unix with user and password",
     "unix://me:secret@/r.sock",
     {.unix_path = "/r.sock", .username = "me", .password = "secret"},
     "unix:///r.sock?db=0"},
    {"unix with an encoded path",
     "unix:///a%20b%3fc",
     {.unix_path = "/a b?c"},
     "unix:///a%20b%3Fc?db=0"},
    {"unix with an at sign in the path",
     "unix:///a@b",
     {.unix_path = "/a@b"},
     "unix:///a%40b?db=0"},
    {"unix with user, password and an at sign in the path",
     "unix://me:secret@/a@b",
     {.unix_path = "/a@b", .username = "me", .password = "secret"},
     "unix:///a%40b?db=0"},
    {"number sign in a password",
     "redis://:a#b@h",
     {.host = "h", .port = 6379, .password = "a#b"},
     "redis://h:6379/0"},
    {"longest path", /* 107 bytes */
     "unix:///" X100 "xxxxxx",
     {.unix_path = "/" X100 "xxxxxx"},
     "unix:///" X100 "xxxxxx?db=0"},
    {"longest path, by what is decoded",
     "unix:///" X100 "xxxxx%78",
     {.unix_path = "/" X100 "xxxxxx"},
     "unix:///" X100 "xxxxxx?db=0"},
};

struct several_case {
    const char *name, *url;
    enum redis_url_kind kind;
    size_t count;
    const char *last_host;
    int last_port;
    const char *master;
    int database;
    const char *printed;
};

static const struct several_case several_rows[] = {
    {"one sentinel", "redis+sentinel://h/m", REDIS_URL_SENTINEL, 1, "h", 26379,
     "m", 0, "redis+sentinel://h:26379/m/0"},
    {"three sentinels", "redis+sentinel://u:p@a,b:1,[::1]:2/my-m_a.1/3",
     REDIS_URL_SENTINEL, 3, "::1", 2, "my-m_a.1", 3,
     "redis+sentinel://a:26379,b:1,[::1]:2/my-m_a.1/3"},
    {"a slash behind the master", "redis+sentinel://h/m/", REDIS_URL_SENTINEL,
     1, "h", 26379, "m", 0, "redis+sentinel://h:26379/m/0"},
    {"sentinels over TLS", "rediss+sentinel://h/m", REDIS_URL_SENTINEL, 1, "h",
     26379, "m", 0, "rediss+sentinel://h:26379/m/0"},
    {"one node", "redis+cluster://h", REDIS_URL_CLUSTER, 1, "h", 6379, NULL, 0,
     "redis+cluster://h:6379"},
    {"two nodes and database 0", "redis+cluster://:a,b@x:7,y/0",
     REDIS_URL_CLUSTER, 2, "y", 6379, NULL, 0, "redis+cluster://x:7,y:6379"},
    {"16 nodes over TLS", "rediss+cluster://a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,b/",
     REDIS_URL_CLUSTER, 16, "b", 6379, NULL, 0,
     "rediss+cluster://a:6379,a:6379,a:6379,a:6379,a:6379,a:6379,a:6379,"
     "a:6379,a:6379,a:6379,a:6379,a:6379,a:6379,a:6379,a:6379,b:6379"},
};

static bool texts_equal(const char *a, const char *b);

TEST_CASES(several, struct several_case, several_rows)
{
    char *url = strdup(c->url);
    struct redis_url got = {0};
    struct buf printed = {0};

    CU_ASSERT_PTR_NOT_NULL_FATAL(url);
    CU_ASSERT_EQUAL(redis_url_parse(url, &got), REDIS_URL_OK);
    CU_ASSERT_EQUAL(got.kind, c->kind);
    CU_ASSERT_EQUAL(got.host_count, c->count);
    if (got.host_count == c->count) {
        CU_ASSERT_STRING_EQUAL(got.hosts[c->count - 1].host, c->last_host);
        CU_ASSERT_EQUAL(got.hosts[c->count - 1].port, c->last_port);
    }
    CU_ASSERT_TRUE(texts_equal(got.master, c->master));
    CU_ASSERT_EQUAL(got.database, c->database);
    redis_url_print(&got, &printed);
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&printed), bytes_of(c->printed)));
    buf_free(&printed);
    free(url);
}

static bool
texts_equal(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

TEST_CASES(good, struct good_case, good_rows)
{
    char *url = strdup(c->url);
    struct redis_url got = {0};
    struct buf printed = {0};

    CU_ASSERT_PTR_NOT_NULL_FATAL(url);
    CU_ASSERT_EQUAL(redis_url_parse(url, &got), REDIS_URL_OK);
    CU_ASSERT_TRUE(texts_equal(got.host, c->want.host));
    CU_ASSERT_TRUE(texts_equal(got.unix_path, c->want.unix_path));
    CU_ASSERT_TRUE(texts_equal(got.username, c->want.username));
    CU_ASSERT_TRUE(texts_equal(got.password, c->want.password));
    CU_ASSERT_EQUAL(got.port, c->want.port);
    CU_ASSERT_EQUAL(got.database, c->want.database);
    CU_ASSERT_EQUAL(got.tls, c->want.tls);
    if (got.host != NULL || got.unix_path != NULL)
        redis_url_print(&got, &printed);
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&printed), bytes_of(c->printed)));
    buf_free(&printed);
    free(url);
}

struct address_case {
    const char *name;
    struct redis_url redis;
    const char *want;
};

static const struct address_case address_rows[] = {
    {"a host",
     {.host = "cache",
      .port = 1,
      .database = 3,
      .username = "u",
      .password = "p",
      .tls = true},
     "cache:1"},
    {"IPv6", {.host = "::1", .port = 65535}, "[::1]:65535"},
    {"a socket",
     {.unix_path = "/run/redis.sock", .database = 3, .password = "p"},
     "/run/redis.sock"},
};

TEST_CASES(address, struct address_case, address_rows)
{
    struct buf printed = {0};

    redis_url_print_address(&c->redis, &printed);
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&printed), bytes_of(c->want)));
    buf_free(&printed);
}

struct bad_case {
    const char *name, *url;
    enum redis_url_error want;
};

static const struct bad_case bad_rows[] = {
    {"empty", "", REDIS_URL_SCHEME},
    {"no scheme", "127.0.0.1:6379", REDIS_URL_SCHEME},
    {"another scheme", "http://h", REDIS_URL_SCHEME},
    {"scheme that goes on", "redisx://h", REDIS_URL_SCHEME},
    {"one slash", "redis:/h", REDIS_URL_SCHEME},
    {"one slash for unix", "unix:/path", REDIS_URL_SCHEME},
    {"space before", " redis://h", REDIS_URL_SCHEME},
    {"scheme alone", "redis://", REDIS_URL_HOST},
    {"no host", "redis://:6379", REDIS_URL_HOST},
    {"password without host", "redis://:pw@/0", REDIS_URL_HOST},
    {"space in the host", "redis://a b", REDIS_URL_HOST},
    {"encoded host", "redis://%68", REDIS_URL_HOST},
    {"host too long", "redis://" X100 X100 X50 "xxxx", REDIS_URL_HOST},
    {"IPv6 without brackets", "redis://::1", REDIS_URL_HOST},
    {"IPv6 not closed", "redis://[::1", REDIS_URL_HOST},
    {"IPv6 followed by text", "redis://[::1]x", REDIS_URL_HOST},
    {"no IPv6 in brackets", "redis://[localhost]", REDIS_URL_HOST},
    {"empty brackets", "redis://[]", REDIS_URL_HOST},
    {"port 0", "redis://h:0", REDIS_URL_PORT},
    {"port 65536", "redis://h:65536", REDIS_URL_PORT},
    {"port of letters", "redis://h:redis", REDIS_URL_PORT},
    {"empty port", "redis://h:", REDIS_URL_PORT},
    {"two ports", "redis://h:1:2", REDIS_URL_PORT},
    {"slash in a password", "redis://:a/b@h", REDIS_URL_RESERVED},
    {"slash in a password that looks like a port", "redis://u:1/0@h",
     REDIS_URL_RESERVED},
    {"slash and at sign in a password", "redis://:a@b/c@h:1/0",
     REDIS_URL_RESERVED},
    {"question mark in a password", "redis://:a?b@h", REDIS_URL_RESERVED},
    {"slash in a user", "redis://a/b:c@h", REDIS_URL_RESERVED},
    {"slash in a password over TLS", "rediss://:a/b@h", REDIS_URL_RESERVED},
    {"slash in a password of a socket", "unix://:a/b@/path",
     REDIS_URL_RESERVED},
    {"at sign behind the database", "redis://h/0@", REDIS_URL_RESERVED},
    {"database 65536", "redis://h/65536", REDIS_URL_DATABASE},
    {"negative database", "redis://h/-1", REDIS_URL_DATABASE},
    {"database of letters", "redis://h/x", REDIS_URL_DATABASE},
    {"two slashes", "redis://h//1", REDIS_URL_DATABASE},
    {"slash after the database", "redis://h/1/", REDIS_URL_DATABASE},
    {"query for TCP", "redis://h?db=1", REDIS_URL_QUERY},
    {"empty query for TCP", "redis://h/1?", REDIS_URL_QUERY},
    {"percent at the end", "redis://:a%@h", REDIS_URL_ESCAPE},
    {"percent and one digit", "redis://:a%4@h", REDIS_URL_ESCAPE},
    {"percent and no digits", "redis://:a%zz@h", REDIS_URL_ESCAPE},
    {"encoded NUL", "redis://:a%00@h", REDIS_URL_ESCAPE},
    {"bad escape in the user", "redis://%x:a@h", REDIS_URL_ESCAPE},
    {"bad escape in the path", "unix:///a%2", REDIS_URL_ESCAPE},
    {"unix with a host", "unix://h/path", REDIS_URL_PATH_HOST},
    {"unix with a relative path", "unix://path", REDIS_URL_PATH_HOST},
    {"unix without a path", "unix://", REDIS_URL_PATH},
    {"unix with only a slash", "unix:///", REDIS_URL_PATH},
    {"unix with only a query", "unix://?db=0", REDIS_URL_PATH},
    {"path too long", "unix:///" X100 "xxxxxxx", REDIS_URL_PATH_LENGTH},
    {"unknown key", "unix:///p?timeout=1", REDIS_URL_QUERY},
    {"key that begins alike", "unix:///p?dbx=1", REDIS_URL_QUERY},
    {"empty query", "unix:///p?", REDIS_URL_QUERY},
    {"key without value", "unix:///p?db", REDIS_URL_QUERY},
    {"empty database", "unix:///p?db=", REDIS_URL_DATABASE},
    {"two databases", "unix:///p?db=1&db=2", REDIS_URL_DATABASE},
    {"two hosts", "redis://a,b", REDIS_URL_SEVERAL},
    {"two hosts over TLS", "rediss://a:1,b:2/0", REDIS_URL_SEVERAL},
    {"sentinel alone", "sentinel://h/m", REDIS_URL_SCHEME},
    {"sentinel with a hyphen", "redis-sentinel://h/m", REDIS_URL_SCHEME},
    {"cluster alone", "cluster://h", REDIS_URL_SCHEME},
    {"sentinels without a master", "redis+sentinel://h", REDIS_URL_MASTER},
    {"sentinels with an empty one", "redis+sentinel://h/", REDIS_URL_MASTER},
    {"sentinels with a database alone", "redis+sentinel://h//0",
     REDIS_URL_MASTER},
    {"a space in the master's name", "redis+sentinel://h/a b",
     REDIS_URL_MASTER},
    {"a database of letters behind the master", "redis+sentinel://h/m/x",
     REDIS_URL_DATABASE},
    {"an empty host of several", "redis+sentinel://a,,b/m", REDIS_URL_HOST},
    {"a comma at the end", "redis+cluster://a,", REDIS_URL_HOST},
    {"the port of the second", "redis+cluster://a:1,b:0", REDIS_URL_PORT},
    {"17 hosts", "redis+cluster://a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a",
     REDIS_URL_TOO_MANY},
    {"a cluster's database 1", "redis+cluster://a/1", REDIS_URL_DATABASES},
    {"a query for sentinels", "redis+sentinel://h/m?db=1", REDIS_URL_QUERY},
    {"database 65536 for unix", "unix:///p?db=65536", REDIS_URL_DATABASE},
};

TEST_CASES(bad, struct bad_case, bad_rows)
{
    char *url = strdup(c->url);
    struct redis_url got = {.port = -1};

    CU_ASSERT_PTR_NOT_NULL_FATAL(url);
    CU_ASSERT_EQUAL(redis_url_parse(url, &got), c->want);
    CU_ASSERT_EQUAL(got.port, -1);
    CU_ASSERT_TRUE(strlen(redis_url_error_text(c->want)) > 0);
    free(url);
}

struct text_case {
    const char *name;
    enum redis_url_error error;
    const char *want;
};

static const struct text_case text_rows[] = {
    {"scheme", REDIS_URL_SCHEME,
     "must begin with redis://, unix://, redis+sentinel:// or "
     "redis+cluster://; with TLS with rediss://, rediss+sentinel:// or "
     "rediss+cluster://"},
    {"several hosts", REDIS_URL_SEVERAL,
     "several hosts must be written redis+sentinel://host,host/MASTER or "
     "redis+cluster://host,host"},
    {"databases", REDIS_URL_DATABASES,
     "a cluster has database 0 only: redis+cluster://host,host"},
    {"escape", REDIS_URL_ESCAPE,
     "'%' must be followed by two hexadecimal digits, not 00; a '%' itself is "
     "written %25"},
    {"reserved", REDIS_URL_RESERVED,
     "a '/' in the user or password must be written %2F, '?' %3F, '#' %23, "
     "'@' %40, '%' %25"},
    {"host", REDIS_URL_HOST,
     "the host must be a name, an IPv4 address, or an IPv6 address in "
     "brackets"},
    {"port", REDIS_URL_PORT, "the port must be an integer from 1 to 65535"},
    {"database", REDIS_URL_DATABASE,
     "the database must be an integer from 0 to 65535"},
    {"path", REDIS_URL_PATH,
     "unix:// must be followed by the path of a socket"},
    {"path with a host", REDIS_URL_PATH_HOST,
     "unix:// takes no host: write unix:///path"},
    {"length of a path", REDIS_URL_PATH_LENGTH,
     "the path of a socket has at most 107 bytes"},
    {"query", REDIS_URL_QUERY,
     "only unix:// takes a query, which must be db=number"},
};

TEST_CASES(text, struct text_case, text_rows)
{
    CU_ASSERT_STRING_EQUAL(redis_url_error_text(c->error), c->want);
}
