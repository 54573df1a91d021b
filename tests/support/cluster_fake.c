/*
 * Scripted servers of a Redis Cluster: the answer to a command depends only on
 * the command and the script.
 */
#include <hiredis/hiredis.h>
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
    return name == 'Z' ? fake->nobody : fake->list[name - 'A'].port;
}

/* Rows of CLUSTER SLOTS, without ids, as Redis 3.0 sends them. */
static void
print_map(const struct cluster_fake *fake, const char *map, char *ret_text)
{
    size_t length = 0, rows = map[0] != '\0';

    for (const char *at = map; *at != '\0'; at++)
        rows += *at == ',';
    length = (size_t)snprintf(ret_text, ANSWER_MAX, "*%zu\r\n", rows);
    for (; rows > 0; rows--) {
        unsigned first = 0, last = LAST_SLOT;

        (void)sscanf(map + 1, "%u-%u", &first, &last);
        length += (size_t)snprintf(
            ret_text + length, ANSWER_MAX - length,
            "*3\r\n:%u\r\n:%u\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n", first, last,
            port_of(fake, map[0]));
        map += strcspn(map, ",") + 1;
    }
}

static void
print_value(const struct cluster_fake *fake, const char *value, char *ret_text)
{
    if (value[0] == '>' || value[0] == '?')
        (void)snprintf(ret_text, ANSWER_MAX, "-%s 2518 127.0.0.1:%d\r\n",
                       value[0] == '>' ? "MOVED" : "ASK",
                       port_of(fake, value[1]));
    else
        (void)snprintf(ret_text, ANSWER_MAX, "$%zu\r\n%s\r\n", strlen(value),
                       value);
}

/* Returns false if the server stays silent. */
static bool
print_answer(struct cluster_fake_server *server, const char *command,
             char *ret_text)
{
    const bool is_map = strcmp(command, "CLUSTER") == 0;
    const bool is_read = strncmp(command, "GET", 3) == 0;
    const char *script = is_map ? server->script.map : server->script.value;

    server->maps += is_map;
    server->reads += is_read;
    if (!is_map && !is_read)
        (void)snprintf(ret_text, ANSWER_MAX, "%s",
                       strcmp(command, "HELLO") == 0 ? HELLO : "+OK\r\n");
    else if (script[0] == '~')
        return false;
    else if (script[0] == '!')
        (void)snprintf(ret_text, ANSWER_MAX, "-%s\r\n", script + 1);
    else if (script[0] == '#')
        (void)snprintf(ret_text, ANSWER_MAX, "*%d\r\n", LAST_SLOT + 2);
    else if (is_map)
        print_map(server->fake, script, ret_text);
    else
        print_value(server->fake, script, ret_text);
    return true;
}

static void
answer(struct script_connection *connection, const redisReply *command)
{
    char text[ANSWER_MAX];

    CU_ASSERT_FATAL(command->type == REDIS_REPLY_ARRAY &&
                    command->elements > 0);
    if (print_answer(connection->peer->data, command->element[0]->str, text))
        script_send(connection, text, strlen(text));
}

static void
opened(struct script_connection *connection)
{
    connection->data = redisReaderCreate();
    CU_ASSERT_PTR_NOT_NULL_FATAL(connection->data);
}

static void
got(struct script_connection *connection, const char *piece, size_t length)
{
    void *command = NULL;

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
    fake->nobody = ports_free();
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

size_t
cluster_fake_maps(const struct cluster_fake *fake)
{
    return fake->list[0].maps + fake->list[1].maps;
}

size_t
cluster_fake_reads(const struct cluster_fake *fake)
{
    return fake->list[0].reads + fake->list[1].reads;
}
