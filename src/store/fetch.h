#ifndef REDIS_FETCH_H
#define REDIS_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "redis/command.h"
#include "store/link.h"

struct redisReply;

/*
 * Adds the commands of a read: one key is a GET, which tells a wrong type by
 * itself; more are chunks of MGET, all under way at once. Returns false, and
 * has added nothing, only without memory.
 */
bool redis_fetch_send(struct redis_commands *commands,
                      struct store_fetch *fetch, int64_t now_ms);

/*
 * Takes the reply to a command of a read; the reply is freed here. It may add
 * more commands, and the last one answers the read by store_link_reply().
 * Returns false if the reply does not fit its command at all; the connection
 * must end then.
 */
bool redis_fetch_take(struct redis_commands *commands, struct store *store,
                      const struct redis_command *command,
                      struct redisReply *reply);

/* Frees what a read holds that will not be answered. */
void redis_fetch_release(struct store_fetch *fetch);

#endif
