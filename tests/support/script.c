/*
 * Scripted peers on the loop of the test: what they answer, how slowly, and
 * when they hang up.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

#include "script.h"

#define PIECE_MAX 4096
#define DRIP_S    .02

static void
hang_up(struct script_connection *connection)
{
    struct ev_loop *loop = connection->peer->loop;

    if (!ev_is_active(&connection->readable))
        return;
    ev_io_stop(loop, &connection->readable);
    ev_timer_stop(loop, &connection->drip);
    (void)close(connection->readable.fd);
}

void
script_send(struct script_connection *connection, const char *text,
            size_t length)
{
    if (write(connection->readable.fd, text, length) < 0)
        hang_up(connection);
}

static void
on_drip(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct script_connection *connection = timer->data;

    (void)events;
    if (connection->rest[0] == '\0')
        ev_timer_stop(loop, timer);
    else
        script_send(connection, connection->rest++, 1);
}

static void
on_piece(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct script_connection *connection = watcher->data;
    const struct script *script = &connection->peer->script;
    bool is_closed =
        connection - connection->peer->connections < script->closed;
    char piece[PIECE_MAX];
    const char *answer = NULL;

    (void)events;
    if (read(watcher->fd, piece, sizeof(piece)) <= 0 ||
        (is_closed && connection->pieces > 0)) {
        hang_up(connection);
        return;
    }
    if (connection->pieces < SCRIPT_ANSWERS)
        answer = script->answers[connection->pieces];
    connection->pieces++;
    if (answer == NULL)
        return;
    if (script->drips && connection->pieces > 1) {
        connection->rest = answer;
        ev_timer_set(&connection->drip, 0., DRIP_S);
        ev_timer_start(loop, &connection->drip);
        return;
    }
    script_send(connection, answer, strlen(answer));
    if (script->closes && connection->pieces > 1)
        hang_up(connection);
}

static void
on_accept(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct script_peer *peer = watcher->data;
    struct script_connection *connection;
    int fd = accept(watcher->fd, NULL, NULL);

    (void)events;
    CU_ASSERT_FATAL(fd >= 0 && peer->count < SCRIPT_CONNECTIONS);
    connection = &peer->connections[peer->count++];
    connection->peer = peer;
    ev_io_init(&connection->readable, on_piece, fd, EV_READ);
    ev_timer_init(&connection->drip, on_drip, 0., 0.);
    connection->readable.data = connection;
    connection->drip.data = connection;
    ev_io_start(loop, &connection->readable);
}

void
script_start(struct script_peer *peer, struct ev_loop *loop, int port,
             const struct script *script)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((in_port_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    const int on = 1;

    *peer = (struct script_peer){.loop = loop, .script = *script};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    CU_ASSERT_FATAL(
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0);
    CU_ASSERT_FATAL(listen(fd, 16) == 0);
    ev_io_init(&peer->listener, on_accept, fd, EV_READ);
    peer->listener.data = peer;
    ev_io_start(loop, &peer->listener);
}

void
script_end(struct script_peer *peer)
{
    ev_io_stop(peer->loop, &peer->listener);
    (void)close(peer->listener.fd);
    for (int i = 0; i < peer->count; i++)
        hang_up(&peer->connections[i]);
}
