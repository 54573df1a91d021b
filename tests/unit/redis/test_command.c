/*
 * The framing of commands, and the ring of pending ones. Source: the Redis
 * serialization protocol, "Sending commands to a Redis server".
 */
#include "redis/command.h"
#include "support/cases.h"

struct frame_case {
    const char *name, *command;
    struct bytes argument, want;
};

#define BYTES(text)                                                            \
    {                                                                          \
        text, sizeof(text) - 1                                                 \
    }

static const struct frame_case frame_rows[] = {
    {"text", "GET", BYTES("i:1"), BYTES("*2\r\n$3\r\nGET\r\n$3\r\ni:1\r\n")},
    {"nothing", "GET", BYTES(""), BYTES("*2\r\n$3\r\nGET\r\n$0\r\n\r\n")},
    {"NUL and a line end", "GET", BYTES("\0\r\n"),
     BYTES("*2\r\n$3\r\nGET\r\n$3\r\n\0\r\n\r\n")},
    {"nine bytes", "EXISTS", BYTES("012345678"),
     BYTES("*2\r\n$6\r\nEXISTS\r\n$9\r\n012345678\r\n")},
    {"ten bytes", "EXISTS", BYTES("0123456789"),
     BYTES("*2\r\n$6\r\nEXISTS\r\n$10\r\n0123456789\r\n")},
};

TEST_CASES(frame, struct frame_case, frame_rows)
{
    const struct redis_command command = {.count = 1};
    struct redis_commands commands;

    CU_ASSERT_FATAL(redis_commands_init(&commands));
    CU_ASSERT(redis_commands_reserve(&commands, 1, 100));
    redis_commands_add(&commands, &command, c->command, 1);
    redis_commands_add_argument(&commands, c->argument);
    CU_ASSERT(bytes_equal(buf_bytes(&commands.out), c->want));
    redis_commands_free(&commands);
}

/* Adds so many commands, with consecutive numbers. */
static void
add(struct redis_commands *commands, size_t *number, int count)
{
    for (; count > 0; count--) {
        const struct redis_command command = {.first = (*number)++};

        CU_ASSERT(redis_commands_reserve(commands, 1, REDIS_COMMAND_ROOM));
        redis_commands_add(commands, &command, "GET", 0);
    }
}

static void
take(struct redis_commands *commands, size_t *number, int count)
{
    for (; count > 0; count--) {
        struct redis_command command = {0};

        CU_ASSERT(redis_commands_take(commands, &command));
        CU_ASSERT_EQUAL(command.first, (*number)++);
    }
}

struct ring_case {
    const char *name;
    int first, taken, second; /* added, taken, added; then all are taken */
};

/* The ring begins with room for 64. */
static const struct ring_case ring_rows[] = {
    {"none", 0, 0, 0},
    {"one", 1, 0, 0},
    {"full", 64, 0, 0},
    {"grows", 65, 0, 0},
    {"goes round", 64, 40, 40},
    {"goes round and grows", 64, 40, 41},
    {"grows often", 10, 5, 1000},
    {"empty in between", 64, 64, 64},
};

/* The oldest command always comes first. */
TEST_CASES(ring, struct ring_case, ring_rows)
{
    struct redis_commands commands;
    struct redis_command untouched = {.first = 7};
    size_t added = 1000, taken = 1000;

    CU_ASSERT_FATAL(redis_commands_init(&commands));
    add(&commands, &added, c->first);
    take(&commands, &taken, c->taken);
    add(&commands, &added, c->second);
    take(&commands, &taken, c->first - c->taken + c->second);
    CU_ASSERT_FALSE(redis_commands_take(&commands, &untouched));
    CU_ASSERT_EQUAL(untouched.first, 7);
    redis_commands_free(&commands);
}

TEST_SINGLE(no_memory, "leaves what is there")
{
    const struct redis_command command = {.count = 1};
    struct redis_commands commands;

    CU_ASSERT_FATAL(redis_commands_init(&commands));
    CU_ASSERT(redis_commands_reserve(&commands, 1, REDIS_COMMAND_ROOM));
    redis_commands_add(&commands, &command, "GET", 0);
    CU_ASSERT_FALSE(redis_commands_reserve(&commands, 1, SIZE_MAX));
    CU_ASSERT(
        bytes_equal(buf_bytes(&commands.out), bytes_of("*1\r\n$3\r\nGET\r\n")));
    CU_ASSERT(redis_commands_reserve(&commands, 1, REDIS_COMMAND_ROOM));
    CU_ASSERT_FALSE(commands.out.failed);
    redis_commands_free(&commands);
}
