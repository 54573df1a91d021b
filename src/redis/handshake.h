#ifndef REDIS_HANDSHAKE_H
#define REDIS_HANDSHAKE_H

#include <stdbool.h>

#include "redis/command.h"
#include "redis/url.h"

/*
 * Adds whatever of AUTH and SELECT the settings ask for, and last a read that
 * shows whether the server is ready (REDIS_COMMAND_PROBE). They travel at
 * once; the reply to each is to be checked. False, with nothing added, without
 * memory.
 */
bool redis_handshake_add(struct redis_commands *commands,
                         const struct redis_url *config);

#endif
