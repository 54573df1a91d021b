#ifndef REDIS_COMMAND_H
#define REDIS_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct store_fetch;

/*
 * Keys of one MGET or EXISTS. Redis answers a command in one go, so this
 * bounds how long others wait for it: about half a millisecond.
 */
#define REDIS_COMMAND_KEYS_MAX 512

enum redis_command_kind {
    REDIS_COMMAND_AUTH = 0,
    REDIS_COMMAND_SELECT,
    REDIS_COMMAND_PROBE,
    REDIS_COMMAND_GET,
    REDIS_COMMAND_MGET,
    REDIS_COMMAND_EXISTS,
    REDIS_COMMAND_TYPE,
    REDIS_COMMAND_SET,
    REDIS_COMMAND_PING,
    REDIS_COMMAND_MSET,
    REDIS_COMMAND_SCAN,
    REDIS_COMMAND_DBSIZE,
    REDIS_COMMAND__MAX
};

/* One command under way; of a read, with its keys [first, first + count). */
struct redis_command {
    enum redis_command_kind kind;
    int64_t sent_ms;
    struct store_fetch *fetch; /* NULL: no read */
    size_t first, count;
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

/* When the oldest command was sent; INT64_MAX: there is none. */
int64_t redis_commands_oldest_ms(const struct redis_commands *commands);

#endif
