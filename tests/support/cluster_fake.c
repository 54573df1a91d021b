/*
 * Scripted servers of a Redis Cluster: the answer to a command depends only on
 * the command and the script.
 */
#include <ctype.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

#include "cluster_fake.h"
#include "ports.h"

#define LAST_SLOT  16383
#define ANSWER_MAX 512

#define HELLO                                                                  \
    "*4\r\n$4\r\nmode\r\n$7\r\ncluster\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"

static int
port_of(const struct cluster_fake *fake, char name)
{
    return name == 'Z' ? fake->nobody : fake->list[toupper(name) - 'A'].port;
}

char
cluster_fake_name(const struct cluster_fake *fake, int port)
{
    for (int i = 0; i < CLUSTER_FAKE_SERVERS; i++)
        if (fake->list[i].port == port)
            return (char)('A' + i);
    return port == fake->nobody ? 'Z' : '\0';
}

void
cluster_fake_tell(struct cluster_fake *fake, const char *word)
{
    const size_t length = strlen(fake->told);

    (void)snprintf(fake->told + length, sizeof(fake->told) - length, " %s",
                   word);
}

static void __attribute__((format(printf, 2, 3)))
add(char *text, const char *format, ...)
{
    const size_t length = strlen(text);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text + length, ANSWER_MAX - length, format, args);
    va_end(args);
}

/* A server of a row: endpoint and port, as Redis 3.0 sends them, or with an id.
 * Returns where the row goes on. */
static const char *
add_server(const struct cluster_fake *fake, const char *at, char *text)
{
    const bool has_id = at[0] != '\0' && at[1] == '#';

    add(text, "*%d\r\n%s:%d\r\n", has_id ? 3 : 2,
        islower(at[0]) ? "$-1\r\n" : "$9\r\n127.0.0.1\r\n",
        port_of(fake, at[0]));
    if (has_id)
        add(text, "$1\r\n%c\r\n", at[2]);
    return at + (has_id ? 3 : 1);
}

/* A row of CLUSTER SLOTS. The slots of a row stand behind its master. */
static void
add_row(const struct cluster_fake *fake, const char *row, char *text)
{
    unsigned first = 0, last = LAST_SLOT;
    const char *replica = row + strcspn(row, "+,");
    const size_t name = row[0] != '\0' && row[1] == '#' ? 3 : 1;

    (void)sscanf(row + name, "%u-%u", &first, &last);
    add(text, "*%d\r\n:%u\r\n:%u\r\n", *replica == '+' ? 4 : 3, first, last);
    (void)add_server(fake, row, text);
    if (*replica == '+')
        (void)add_server(fake, replica + 1, text);
}

static void
add_map(const struct cluster_fake *fake, const char *map, char *text)
{
    size_t rows = map[0] != '\0';

    for (const char *at = map; *at != '\0'; at++)
        rows += *at == ',';
    add(text, "*%zu\r\n", rows);
    for (; rows > 0; rows--) {
        add_row(fake, map, text);
        map += strcspn(map, ",") + 1;
    }
}

static bool
is_redirection(const char *value)
{
    return value[0] == '>' || value[0] == '?';
}

static void
add_redirection(const struct cluster_fake *fake, const char *value, char *text)
{
    add(text, "-%s 2518 %s:%d\r\n", value[0] == '>' ? "MOVED" : "ASK",
        islower(value[1]) ? "" : "127.0.0.1", port_of(fake, value[1]));
}

/* Returns false if the server stays silent. */
typedef bool answer_fn(struct cluster_fake_server *server, char *text);

/* An error, silence, or more rows than slots. */
static bool
answer_oddly(const char *script, char *text)
{
    if (script[0] == '!')
        add(text, "-%s\r\n", script + 1);
    else if (script[0] == '#')
        add(text, "*%d\r\n", LAST_SLOT + 2);
    return script[0] != '~';
}

static bool
is_odd(const char *script)
{
    return script[0] != '\0' && strchr("~!#", script[0]) != NULL;
}

static bool
answer_map(struct cluster_fake_server *server, char *text)
{
    server->maps++;
    if (is_odd(server->script.map))
        return answer_oddly(server->script.map, text);
    add_map(server->fake, server->script.map, text);
    return true;
}

static bool
answer_id(struct cluster_fake_server *server, char *text)
{
    if (server->id != '\0')
        add(text, "$1\r\n%c\r\n", server->id);
    else
        add(text, "-ERR unknown subcommand\r\n");
    return true;
}

static bool
answer_read(struct cluster_fake_server *server, char *text)
{
    const char *value = server->script.value;

    server->reads++;
    if (is_odd(value))
        return answer_oddly(value, text);
    if (is_redirection(value))
        add_redirection(server->fake, value, text);
    else
        add(text, "$%zu\r\n%s\r\n", strlen(value), value);
    return true;
}

static bool
answer_ok(struct cluster_fake_server *server, char *text)
{
    (void)server;
    add(text, "+OK\r\n");
    return true;
}

static bool
answer_write(struct cluster_fake_server *server, char *text)
{
    if (!is_redirection(server->script.value))
        return answer_ok(server, text);
    add_redirection(server->fake, server->script.value, text);
    return true;
}

static bool
answer_hello(struct cluster_fake_server *server, char *text)
{
    (void)server;
    add(text, "%s", HELLO);
    return true;
}

/* Other commands are answered with OK. */
static const struct {
    const char *name, *argument; /* NULL: whatever it has */
    char letter;                 /* in what is told; 0: it is not told */
    answer_fn *answer;
} commands[] = {
    {"HELLO", NULL, '\0', answer_hello}, {"CLUSTER", "SLOTS", 'm', answer_map},
    {"CLUSTER", "MYID", 'i', answer_id}, {"GETRANGE", NULL, 'g', answer_read},
    {"GET", NULL, 'g', answer_read},     {"SET", NULL, 'w', answer_write},
    {"ASKING", NULL, 'a', answer_ok},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static bool
is_command(size_t i, const redisReply *command)
{
    return strcmp(commands[i].name, command->element[0]->str) == 0 &&
           (commands[i].argument == NULL ||
            (command->elements > 1 &&
             strcmp(commands[i].argument, command->element[1]->str) == 0));
}

static bool
print_answer(struct cluster_fake_server *server, const redisReply *command,
             char *text)
{
    const char name = cluster_fake_name(server->fake, server->port);
    size_t i = 0;

    while (i < COMMANDS && !is_command(i, command))
        i++;
    if (i == COMMANDS)
        return answer_ok(server, text);
    if (commands[i].letter != '\0')
        cluster_fake_tell(server->fake,
                          (const char[]){name, commands[i].letter, '\0'});
    return commands[i].answer(server, text);
}

static void
answer(struct script_connection *connection, const redisReply *command)
{
    char text[ANSWER_MAX] = "";

    CU_ASSERT_FATAL(command->type == REDIS_REPLY_ARRAY &&
                    command->elements > 0);
    if (print_answer(connection->peer->data, command, text))
        script_send(connection, text, strlen(text));
}

/* Each answer is sent at once, also behind another one. */
static void
opened(struct script_connection *connection)
{
    const int on = 1;

    CU_ASSERT_EQUAL(setsockopt(connection->readable.fd, IPPROTO_TCP,
                               TCP_NODELAY, &on, sizeof(on)),
                    0);
    connection->data = redisReaderCreate();
    CU_ASSERT_PTR_NOT_NULL_FATAL(connection->data);
}

static void
got(struct script_connection *connection, const char *piece, size_t length)
{
    const struct cluster_fake_server *server = connection->peer->data;
    void *command = NULL;

    server->fake->bytes += length;
    (void)redisReaderFeed(connection->data, piece, length);
    while (connection->data != NULL &&
           redisReaderGetReply(connection->data, &command) == REDIS_OK &&
           command != NULL) {
        answer(connection, command);
        freeReplyObject(command);
    }
}

static void
closed(struct script_connection *connection)
{
    redisReaderFree(connection->data);
    connection->data = NULL;
}

static const struct script_ops ops = {opened, got, closed};

void
cluster_fake_start(
    struct cluster_fake *fake, struct ev_loop *loop,
    const struct cluster_fake_script scripts[CLUSTER_FAKE_SERVERS])
{
    *fake = (struct cluster_fake){.nobody = ports_free()};
    for (size_t i = 0; i < CLUSTER_FAKE_SERVERS; i++) {
        struct cluster_fake_server *server = &fake->list[i];

        *server = (struct cluster_fake_server){fake, .script = scripts[i]};
        script_serve(&server->peer, loop, ports_listen(&server->port), &ops,
                     server);
    }
}

void
cluster_fake_end(struct cluster_fake *fake)
{
    for (size_t i = 0; i < CLUSTER_FAKE_SERVERS; i++)
        script_end(&fake->list[i].peer);
}

void
cluster_fake_hang_up(struct cluster_fake_server *server)
{
    for (int i = 0; i < server->peer.count; i++)
        script_hang_up(&server->peer.connections[i]);
}

size_t
cluster_fake_maps(const struct cluster_fake *fake)
{
    size_t maps = 0;

    for (size_t i = 0; i < CLUSTER_FAKE_SERVERS; i++)
        maps += fake->list[i].maps;
    return maps;
}

size_t
cluster_fake_reads(const struct cluster_fake *fake)
{
    size_t reads = 0;

    for (size_t i = 0; i < CLUSTER_FAKE_SERVERS; i++)
        reads += fake->list[i].reads;
    return reads;
}
