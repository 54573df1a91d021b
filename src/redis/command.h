#ifndef REDIS_COMMAND_H
#define REDIS_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct redisReply;
struct redis_command;

/*
 * Keys of one MGET or EXISTS. Redis answers a command in one go, so this
 * bounds how long others wait for it: about half a millisecond.
 */
#define REDIS_COMMAND_KEYS_MAX 512

/*
 * Takes the reply to a command; called exactly once for each. It may add
 * commands, but neither close nor free their connection.
 *
 * reply     lent; set to NULL, it is the callee's. NULL from the beginning: the
 *           connection has ended before the reply, and nothing may be added.
 *
 * Returns false if the reply is not one to this command: the connection ends.
 */
typedef bool redis_reply_fn(void *arg, const struct redis_command *command,
                            struct redisReply **reply);

/* One command under way; of several keys, those of [first, first + count). */
struct redis_command {
    redis_reply_fn *done;
    void *arg;
    size_t first, count;
    bool is_blamed; /* its answer is why the connection has ended */
};

/*
 * The commands of one connection: a ring of those under way, and the bytes of
 * those not yet sent. Replies come in the order of the commands.
 */
struct redis_commands {
    struct buf out; /* formatted since it was last cleared */
    struct redis_command *ring;
    size_t size, head, count; /* of the ring; size is a power of 2 */
};

/* Room for "*N\r\n$4\r\nMGET\r\n" or SET's options; for "$N\r\n" and "\r\n". */
#define REDIS_COMMAND_ROOM  96
#define REDIS_ARGUMENT_ROOM 32

/* False without memory. */
bool redis_commands_init(struct redis_commands *commands);

/* Accepts a zeroed struct. */
void redis_commands_free(struct redis_commands *commands);

/*
 * Makes room for so many more commands and bytes, so that adding them cannot
 * fail half-way. False, with nothing changed, without memory.
 */
bool redis_commands_reserve(struct redis_commands *commands, size_t count,
                            size_t bytes);

/*
 * Begins a command, for which there must be room; so many arguments follow by
 * redis_commands_add_argument().
 */
void redis_commands_add(struct redis_commands *commands,
                        const struct redis_command *command, const char *name,
                        size_t arguments);
void redis_commands_add_argument(struct redis_commands *commands,
                                 struct bytes argument);

/* Takes the oldest command off the ring; false if there is none. */
bool redis_commands_take(struct redis_commands *commands,
                         struct redis_command *ret_command);

#endif
