/*
 * Formats commands to Redis, and keeps the pending ones in a ring, so that each
 * reply goes to its own command. Implements a part of S20.1 of
 * docs/protocol.md.
 *
 * Commands are formatted here and not by hiredis, which needs arrays of
 * pointers and lengths, and even then takes 1.4 times (100 keys) to twice (1
 * key) as long.
 */
#include <assert.h>
#include <stdlib.h>

#include "redis/command.h"

#define RING_FIRST 64 /* the first size of the ring: a power of 2 */

bool
redis_commands_init(struct redis_commands *commands)
{
    struct redis_command *ring = calloc(RING_FIRST, sizeof(*ring));

    if (ring == NULL)
        return false;
    *commands = (struct redis_commands){.ring = ring, .size = RING_FIRST};
    return true;
}

void
redis_commands_free(struct redis_commands *commands)
{
    buf_free(&commands->out);
    free(commands->ring);
    *commands = (struct redis_commands){0};
}

static struct redis_command *
ring_at(const struct redis_commands *commands, size_t i)
{
    return &commands->ring[(commands->head + i) & (commands->size - 1)];
}

bool
redis_commands_reserve(struct redis_commands *commands, size_t count,
                       size_t bytes)
{
    size_t size = commands->size;
    struct redis_command *ring;

    if (!buf_reserve(&commands->out, bytes)) {
        commands->out.failed = false; /* its content is still valid */
        return false;
    }
    while (size < commands->count + count)
        size *= 2;
    if (size == commands->size)
        return true;
    ring = calloc(size, sizeof(*ring));
    if (ring == NULL)
        return false;
    for (size_t i = 0; i < commands->count; i++)
        ring[i] = *ring_at(commands, i);
    free(commands->ring);
    commands->ring = ring;
    commands->size = size;
    commands->head = 0;
    return true;
}

/* Fast for one digit, which most lengths have: a copy of a constant size. */
static void
add_length(struct buf *out, char type, size_t length)
{
    const char text[] = {type, (char)('0' + length % 10), '\r', '\n'};

    if (length < 10) {
        buf_add(out, text, sizeof(text));
        return;
    }
    buf_add(out, &type, 1);
    buf_add_int(out, (long long)length);
    buf_add(out, "\r\n", 2);
}

void
redis_commands_add(struct redis_commands *commands,
                   const struct redis_command *command, const char *name,
                   size_t arguments)
{
    assert(commands->count < commands->size);
    *ring_at(commands, commands->count++) = *command;
    add_length(&commands->out, '*', arguments + 1);
    redis_commands_add_argument(commands, bytes_of(name));
}

void
redis_commands_add_argument(struct redis_commands *commands,
                            struct bytes argument)
{
    add_length(&commands->out, '$', argument.length);
    buf_add_bytes(&commands->out, argument);
    buf_add(&commands->out, "\r\n", 2);
}

bool
redis_commands_take(struct redis_commands *commands,
                    struct redis_command *ret_command)
{
    if (commands->count == 0)
        return false;
    *ret_command = *ring_at(commands, 0);
    commands->head++;
    commands->count--;
    return true;
}
