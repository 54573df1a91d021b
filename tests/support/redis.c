/*
 * A real Redis for the integration tests, which they may kill, freeze, restart,
 * and send commands to.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "ports.h"
#include "redis.h"

#define REDIS_CONNECT_MS 500
#define REDIS_COMMAND_MS 10000 /* tens of MiB, on a busy machine */

static const struct timeval connect_limit = {0, REDIS_CONNECT_MS * 1000};
static const struct timeval command_limit = {REDIS_COMMAND_MS / 1000, 0};

bool
redis_init(struct redis *redis, const char *folder, const char *password)
{
    char path[FILES_PATH_MAX], text[4 * FILES_PATH_MAX];
    int length;

    *redis = (struct redis){.port = ports_free()};
    files_path(redis->folder, "%s", folder);
    files_path(redis->socket, "%s/redis.sock", folder);
    (void)snprintf(redis->password, sizeof(redis->password), "%s", password);
    length = snprintf(text, sizeof(text),
                      "bind 127.0.0.1\nport %d\nunixsocket %s\n"
                      "unixsocketperm 600\ndir %s\nsave \"\"\n",
                      redis->port, redis->socket, folder);
    if (password[0] != '\0')
        (void)snprintf(text + length, sizeof(text) - (size_t)length,
                       "requirepass %s\n", password);
    files_path(path, "%s/redis.conf", folder);
    return redis->port > 0 && files_write(path, text);
}

bool
redis_configure(const struct redis *redis, const char *lines)
{
    char path[FILES_PATH_MAX];
    FILE *file;
    bool is_good;

    files_path(path, "%s/redis.conf", redis->folder);
    file = fopen(path, "a");
    if (file == NULL)
        return false;
    is_good = fputs(lines, file) >= 0;
    return fclose(file) == 0 && is_good;
}

/* If a setting has two lines, the last one wins. */
bool
redis_use_tls(const struct redis *redis, const char *folder, const char *name)
{
    char lines[8 * FILES_PATH_MAX];

    (void)snprintf(lines, sizeof(lines),
                   "port 0\ntls-port %d\ntls-cert-file %s/%s.pem\n"
                   "tls-key-file %s/%s.key\ntls-ca-cert-file %s/ca.pem\n"
                   "tls-auth-clients no\ntls-replication yes\n"
                   "tls-cluster yes\n",
                   redis->port, folder, name, folder, name, folder);
    return redis_configure(redis, lines);
}

static redisContext *
connect_checked(const struct redis *redis)
{
    redisContext *context =
        redisConnectUnixWithTimeout(redis->socket, connect_limit);
    redisReply *reply;
    bool is_good;

    if (context == NULL)
        return NULL;
    is_good = context->err == 0 &&
              redisSetTimeout(context, command_limit) == REDIS_OK;
    if (is_good && redis->password[0] != '\0') {
        reply = redisCommand(context, "AUTH %s", redis->password);
        is_good = reply != NULL && reply->type != REDIS_REPLY_ERROR;
        freeReplyObject(reply);
    }
    if (is_good)
        return context;
    redisFree(context);
    return NULL;
}

static redisReply *
run_list(const struct redis *redis, const char *format, va_list list)
{
    redisContext *context = connect_checked(redis);
    redisReply *reply;

    if (context == NULL)
        return NULL;
    reply = redisvCommand(context, format, list);
    redisFree(context);
    return reply;
}

redisReply *
redis_run(const struct redis *redis, const char *format, ...)
{
    redisReply *reply;
    va_list list;

    va_start(list, format);
    reply = run_list(redis, format, list);
    va_end(list);
    return reply;
}

bool
redis_do(const struct redis *redis, const char *format, ...)
{
    redisReply *reply;
    va_list list;
    bool is_good;

    va_start(list, format);
    reply = run_list(redis, format, list);
    va_end(list);
    is_good = reply != NULL && reply->type != REDIS_REPLY_ERROR;
    freeReplyObject(reply);
    return is_good;
}

long long
redis_number(const struct redis *redis, const char *format, ...)
{
    redisReply *reply;
    va_list list;
    long long number = -1;

    va_start(list, format);
    reply = run_list(redis, format, list);
    va_end(list);
    if (reply != NULL && reply->type == REDIS_REPLY_INTEGER)
        number = reply->integer;
    freeReplyObject(reply);
    return number;
}

static bool
is_answering(void *arg)
{
    return redis_do(arg, "PING");
}

bool
redis_start(struct redis *redis)
{
    char config[FILES_PATH_MAX], output[FILES_PATH_MAX];
    const char *const argv[] = {"redis-server", config, NULL};
    const struct proc_plan plan = {
        .argv = argv, .output = output, .death_signal = SIGKILL};

    files_path(config, "%s/redis.conf", redis->folder);
    files_path(output, "%s/redis.log", redis->folder);
    (void)unlink(redis->socket);
    if (!proc_start(&redis->proc, &plan))
        return false;
    if (clock_wait(is_answering, redis, CLOCK_PATIENCE_MS))
        return true;
    redis_kill(redis);
    return false;
}

void
redis_kill(struct redis *redis)
{
    proc_kill(&redis->proc);
}

void
redis_freeze(struct redis *redis)
{
    proc_signal(&redis->proc, SIGSTOP);
}

void
redis_thaw(struct redis *redis)
{
    proc_signal(&redis->proc, SIGCONT);
}

void
redis_url_unix(const struct redis *redis, char ret_url[REDIS_URL_MAX])
{
    (void)snprintf(ret_url, REDIS_URL_MAX, "unix://%s", redis->socket);
}

void
redis_url_tcp(const struct redis *redis, char ret_url[REDIS_URL_MAX])
{
    (void)snprintf(ret_url, REDIS_URL_MAX, "redis://127.0.0.1:%d/0",
                   redis->port);
}

struct key_search {
    const struct redis *redis;
    const char *pattern;
    char *key;
    size_t count;
};

static bool
find_key(void *arg)
{
    struct key_search *search = arg;
    redisReply *reply = redis_run(search->redis, "KEYS %s", search->pattern);

    search->count = 0;
    if (reply != NULL && reply->type == REDIS_REPLY_ARRAY)
        search->count = reply->elements;
    if (search->count == 1)
        search->key = strdup(reply->element[0]->str);
    freeReplyObject(reply);
    return search->count > 0;
}

char *
redis_only_key(const struct redis *redis, const char *pattern)
{
    struct key_search search = {.redis = redis, .pattern = pattern};

    (void)clock_wait(find_key, &search, CLOCK_PATIENCE_MS);
    return search.key;
}
