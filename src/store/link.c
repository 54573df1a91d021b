/*
 * The link to one Redis: adapts redis/conn to struct store_link. It implements
 * S20 of docs/protocol.md except for the decisions, which node.c and store.c
 * make.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#include "redis/conn.h"
#include "redis/error.h"
#include "store/fetch.h"
#include "store/link.h"

/*
 * Of one reply (S20.5): more than a chunk usually has, and little enough to
 * read in vain. A read with a larger reply is sent again in smaller chunks,
 * after the lengths of its values have been read.
 */
#define REPLY_BYTES_MAX ((size_t)4 << 20)

struct redis_link {
    struct store_link base;
    struct redis_conn *conn;
};

static void
link_open(struct store_link *base)
{
    const struct redis_link *link = (struct redis_link *)base;

    redis_conn_open(link->conn);
}

static void
on_up(void *arg)
{
    struct redis_link *link = arg;

    link->base.has_no_range = false;
    link->base.role = redis_conn_role(link->conn);
    store_link_up(&link->base);
}

static void
on_down(void *arg, enum redis_fault fault, const char *words)
{
    struct redis_link *link = arg;

    link->base.role = redis_conn_role(link->conn);
    store_link_down(arg, fault, words);
}

/* Writes. */

static bool
on_set(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct redis_link *link = arg;
    char words[REDIS_ERROR_WORDS];

    (void)command;
    if (*reply == NULL)
        return true; /* the node reports all lost writes */
    if ((*reply)->type == REDIS_REPLY_ERROR) {
        redis_error_words((*reply)->str, words);
        store_link_wrote(&link->base, words);
        return true;
    }
    if ((*reply)->type != REDIS_REPLY_STATUS)
        return false;
    store_link_wrote(&link->base, NULL);
    return true;
}

static bool
link_write(struct store_link *base, struct bytes key, struct bytes value,
           int64_t ttl_s)
{
    const struct redis_command command = {.done = on_set, .arg = base};
    struct redis_commands *commands = base->commands;
    size_t bytes = REDIS_COMMAND_ROOM + 2 * REDIS_ARGUMENT_ROOM + key.length +
                   value.length;
    char ttl[24]; /* the digits of any int64_t */

    if (!redis_commands_reserve(commands, 1, bytes))
        return false;
    (void)snprintf(ttl, sizeof(ttl), "%lld", (long long)ttl_s);
    redis_commands_add(commands, &command, "SET", 4);
    redis_commands_add_argument(commands, key);
    redis_commands_add_argument(commands, value);
    redis_commands_add_argument(commands, bytes_of("EX"));
    redis_commands_add_argument(commands, bytes_of(ttl));
    return true;
}

/* Checks. */

static bool
on_ping(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct redis_link *link = arg;

    (void)command;
    if (*reply == NULL)
        return true;
    if ((*reply)->type != REDIS_REPLY_STATUS &&
        (*reply)->type != REDIS_REPLY_ERROR)
        return false;
    store_link_checked(&link->base);
    return true;
}

static bool
link_check(struct store_link *base)
{
    const struct redis_command command = {.done = on_ping, .arg = base};
    struct redis_commands *commands = base->commands;

    if (!redis_commands_reserve(commands, 1, REDIS_COMMAND_ROOM))
        return false;
    redis_commands_add(commands, &command, "PING", 0);
    return true;
}

static void
link_flush(struct store_link *base)
{
    const struct redis_link *link = (struct redis_link *)base;

    redis_conn_flush(link->conn);
}

/* Making and freeing. */

static void
link_free(struct store_link *base)
{
    struct redis_link *link = (struct redis_link *)base;

    redis_conn_free(link->conn);
    free(link);
}

static const struct store_link_ops link_ops = {
    .open = link_open,
    .read = redis_fetch_send,
    .write = link_write,
    .check = link_check,
    .flush = link_flush,
    .free = link_free,
};

static struct store_link *
link_new(struct ev_loop *loop, const struct redis_url *redis,
         const char *node_id, const struct store_config *config)
{
    struct redis_link *link = calloc(1, sizeof(*link));
    const struct redis_conn_config conn_config = {
        .server = redis,
        .probe_key = config->probe_key,
        .wants_cluster = node_id != NULL,
        .node_id = node_id,
        .connect_limit_ms = config->connect_timeout_ms,
        .answer_limit_ms = config->command_timeout_ms,
        .reply_bytes_max = REPLY_BYTES_MAX,
        .up = on_up,
        .down = on_down,
        .arg = link,
    };

    if (link == NULL)
        return NULL;
    link->base.ops = &link_ops;
    link->base.is_single = node_id != NULL;
    link->conn = redis_conn_new(loop, &conn_config);
    if (link->conn == NULL) {
        link_free(&link->base);
        return NULL;
    }
    link->base.commands = redis_conn_commands(link->conn);
    return &link->base;
}

struct store_link *
store_link_redis(struct ev_loop *loop, const struct redis_url *redis,
                 const struct store_config *config)
{
    return link_new(loop, redis, NULL, config);
}

struct store_link *
store_link_cluster(struct ev_loop *loop, const struct redis_url *redis,
                   const char *id, const struct store_config *config)
{
    return link_new(loop, redis, id, config);
}
