/*
 * The first commands of a connection to Redis. They implement the checked
 * handshake of "Store" of docs/protocol.md.
 */
#include <stdio.h>

#include "redis/handshake.h"

/* A key that may be absent: only whether and how it is answered matters. */
static const struct bytes probe_key = {"i:0", 3};

static void
add_shake(struct redis_commands *commands, enum redis_command_kind kind,
          const char *name, size_t arguments)
{
    const struct redis_command command = {.kind = kind};

    redis_commands_add(commands, &command, name, arguments);
}

bool
redis_handshake_add(struct redis_commands *commands,
                    const struct redis_url *config)
{
    struct bytes username = bytes_of(config->username ? config->username : "");
    struct bytes password = bytes_of(config->password ? config->password : "");
    size_t bytes = 3 * (REDIS_COMMAND_ROOM + 2 * REDIS_ARGUMENT_ROOM);
    char database[16]; /* the digits of any int */

    bytes += username.length + password.length;
    if (!redis_commands_reserve(commands, 3, bytes))
        return false;
    if (config->password != NULL) {
        add_shake(commands, REDIS_COMMAND_AUTH, "AUTH",
                  config->username != NULL ? 2 : 1);
        if (config->username != NULL)
            redis_commands_add_argument(commands, username);
        redis_commands_add_argument(commands, password);
    }
    if (config->database != 0) {
        (void)snprintf(database, sizeof(database), "%d", config->database);
        add_shake(commands, REDIS_COMMAND_SELECT, "SELECT", 1);
        redis_commands_add_argument(commands, bytes_of(database));
    }
    add_shake(commands, REDIS_COMMAND_PROBE, "EXISTS", 1);
    redis_commands_add_argument(commands, probe_key);
    return true;
}
