#ifndef REDIS_COMMAND_H
#define REDIS_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct redisReply;
struct redis_command;

/*
 * The most keys of one MGET or EXISTS. Redis serves nobody else while it
 * executes a command; with so many keys this takes about half a millisecond.
 */
#define REDIS_COMMAND_KEYS_MAX 512

/*
 * Receives the reply to a command; called exactly once for each command. It may
 * add commands, but must not close or free the connection.
 *
 * reply     lent; a callee that sets it to NULL owns the reply. If it is NULL,
 *           the connection has ended without a reply, and no command may be
 *           added.
 *
 * Returns false if the command cannot have this reply: the connection is
 * closed.
 */
typedef bool redis_reply_fn(void *arg, const struct redis_command *command,
                            struct redisReply **reply);

/* A pending command: its reply has not arrived. */
struct redis_command {
    redis_reply_fn *done;
    void *arg;
    size_t first, count; /* for arg: the keys [first, first + count) */
    bool is_blamed;      /* the connection has ended because of its reply */
};

/*
 * The commands of one connection: a ring of the pending ones, and the bytes of
 * those not yet sent. Replies arrive in the order of the commands.
 */
struct redis_commands {
    struct buf out; /* formatted commands that have not been sent */
    struct redis_command *ring;
    size_t size, head, count; /* of the ring; size is a power of 2 */
};

/*
 * Upper bounds in bytes: of "*N\r\n", a command's name and SET's options; and
 * of what an argument has besides its text, "$N\r\n" and "\r\n".
 */
#define REDIS_COMMAND_ROOM  96
#define REDIS_ARGUMENT_ROOM 32

/* Returns false when out of memory. */
bool redis_commands_init(struct redis_commands *commands);

/* Accepts a zeroed struct. */
void redis_commands_free(struct redis_commands *commands);

/*
 * Reserves memory for that many more commands and bytes, so that adding them
 * cannot fail. When out of memory, returns false and changes nothing.
 */
bool redis_commands_reserve(struct redis_commands *commands, size_t count,
                            size_t bytes);

/*
 * Adds a command without its arguments. Call redis_commands_reserve() before,
 * and redis_commands_add_argument() exactly `arguments` times after it.
 */
void redis_commands_add(struct redis_commands *commands,
                        const struct redis_command *command, const char *name,
                        size_t arguments);
void redis_commands_add_argument(struct redis_commands *commands,
                                 struct bytes argument);

/* Removes the oldest command from the ring. Returns false if there is none. */
bool redis_commands_take(struct redis_commands *commands,
                         struct redis_command *ret_command);

#endif
