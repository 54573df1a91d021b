/*
 * Scripted servers of a Redis Cluster: the answer to a command depends only on
 * the command and the script.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

#include "cluster_fake.h"
#include "ports.h"

#define LAST_SLOT  16383
#define PIECE_MAX  4096
#define ANSWER_MAX 512

#define HELLO                                                                  \
    "*4\r\n$4\r\nmode\r\n$7\r\ncluster\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"

static int
port_of(const struct cluster_fake *fake, char name)
{
    return name == 'Z' ? fake->nobody : fake->list[name - 'A'].port;
}

static void
hang_up(struct cluster_fake_connection *connection)
{
    if (connection->reader == NULL)
        return;
    ev_io_stop(connection->server->fake->loop, &connection->readable);
    (void)close(connection->readable.fd);
    redisReaderFree(connection->reader);
    connection->reader = NULL;
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
answer(struct cluster_fake_connection *connection, const redisReply *command)
{
    char text[ANSWER_MAX];

    CU_ASSERT_FATAL(command->type == REDIS_REPLY_ARRAY &&
                    command->elements > 0);
    if (print_answer(connection->server, command->element[0]->str, text) &&
        send(connection->readable.fd, text, strlen(text), MSG_NOSIGNAL) < 0)
        hang_up(connection);
}

static void
on_piece(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct cluster_fake_connection *connection = watcher->data;
    char piece[PIECE_MAX];
    const ssize_t length = read(watcher->fd, piece, sizeof(piece));
    void *command = NULL;

    (void)loop;
    (void)events;
    if (length <= 0) {
        hang_up(connection);
        return;
    }
    (void)redisReaderFeed(connection->reader, piece, (size_t)length);
    while (connection->reader != NULL &&
           redisReaderGetReply(connection->reader, &command) == REDIS_OK &&
           command != NULL) {
        answer(connection, command);
        freeReplyObject(command);
    }
}

static void
on_accept(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct cluster_fake_server *server = watcher->data;
    struct cluster_fake *fake = server->fake;
    struct cluster_fake_connection *connection;
    int fd = accept(watcher->fd, NULL, NULL);

    (void)events;
    CU_ASSERT_FATAL(fd >= 0 && fake->count < CLUSTER_FAKE_CONNECTIONS);
    connection = &fake->connections[fake->count++];
    connection->server = server;
    connection->reader = redisReaderCreate();
    CU_ASSERT_PTR_NOT_NULL_FATAL(connection->reader);
    ev_io_init(&connection->readable, on_piece, fd, EV_READ);
    connection->readable.data = connection;
    ev_io_start(loop, &connection->readable);
}

static void
start_one(struct cluster_fake *fake, struct cluster_fake_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    const int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    server->fake = fake;
    server->port = ports_free();
    address.sin_port = htons((in_port_t)server->port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    CU_ASSERT_FATAL(
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0);
    CU_ASSERT_FATAL(listen(fd, CLUSTER_FAKE_CONNECTIONS) == 0);
    ev_io_init(&server->listener, on_accept, fd, EV_READ);
    server->listener.data = server;
    ev_io_start(fake->loop, &server->listener);
}

void
cluster_fake_start(
    struct cluster_fake *fake, struct ev_loop *loop,
    const struct cluster_fake_script scripts[CLUSTER_FAKE_SERVERS])
{
    *fake = (struct cluster_fake){.loop = loop, .nobody = ports_free()};
    for (size_t i = 0; i < CLUSTER_FAKE_SERVERS; i++) {
        fake->list[i].script = scripts[i];
        start_one(fake, &fake->list[i]);
    }
}

void
cluster_fake_end(struct cluster_fake *fake)
{
    for (size_t i = 0; i < CLUSTER_FAKE_SERVERS; i++) {
        ev_io_stop(fake->loop, &fake->list[i].listener);
        (void)close(fake->list[i].listener.fd);
    }
    for (size_t i = 0; i < fake->count; i++)
        hang_up(&fake->connections[i]);
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
