/*
 * Peers on the loop of the test: the connections, and the scripts: what they
 * answer, how slowly, and when they hang up.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ports.h"
#include "script.h"

#define PIECE_MAX 65536
#define DRIP_S    .02

/* Not by CUnit: fuzz targets and forked processes have peers, too. */
static void
need(bool is_there, const char *what)
{
    if (is_there)
        return;
    (void)fprintf(stderr, "script: %s: %s\n", what, strerror(errno));
    abort();
}

void
script_hang_up(struct script_connection *connection)
{
    struct script_peer *peer = connection->peer;

    if (peer == NULL || !ev_is_active(&connection->readable))
        return;
    ev_io_stop(peer->loop, &connection->readable);
    ev_io_stop(peer->loop, &connection->writable);
    ev_timer_stop(peer->loop, &connection->drip);
    (void)close(connection->readable.fd);
    if (peer->ops->closed != NULL)
        peer->ops->closed(connection);
}

/* Sends some of the rest, at most so many bytes. */
static void
send_rest(struct script_connection *connection, size_t most)
{
    const ssize_t sent = send(connection->readable.fd, connection->rest, most,
                              MSG_DONTWAIT | MSG_NOSIGNAL);

    if (sent < 0 && errno != EAGAIN) {
        script_hang_up(connection);
        return;
    }
    if (sent > 0) {
        connection->rest += sent;
        connection->left -= (size_t)sent;
    }
}

static void
on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct script_connection *connection = watcher->data;

    (void)events;
    send_rest(connection, connection->left);
    if (connection->left == 0)
        ev_io_stop(loop, watcher);
}

void
script_send(struct script_connection *connection, const char *text,
            size_t length)
{
    connection->rest = text;
    connection->left = length;
    send_rest(connection, length);
    if (connection->left > 0 && ev_is_active(&connection->readable))
        ev_io_start(connection->peer->loop, &connection->writable);
}

static void
on_drip(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct script_connection *connection = timer->data;

    (void)events;
    if (connection->left == 0)
        ev_timer_stop(loop, timer);
    else
        send_rest(connection, 1);
}

static void
on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    static char piece[PIECE_MAX];
    struct script_connection *connection = watcher->data;
    const ssize_t got = recv(watcher->fd, piece, sizeof(piece), 0);

    (void)loop;
    (void)events;
    if (got <= 0)
        script_hang_up(connection);
    else
        connection->peer->ops->got(connection, piece, (size_t)got);
}

static void
on_accept(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct script_peer *peer = watcher->data;
    struct script_connection *connection;
    int fd = accept(watcher->fd, NULL, NULL);

    (void)events;
    need(fd >= 0 && peer->count < SCRIPT_CONNECTIONS, "no connection");
    connection = &peer->connections[peer->count++];
    connection->peer = peer;
    ev_io_init(&connection->readable, on_readable, fd, EV_READ);
    ev_io_init(&connection->writable, on_writable, fd, EV_WRITE);
    ev_timer_init(&connection->drip, on_drip, 0., 0.);
    connection->readable.data = connection->writable.data = connection;
    connection->drip.data = connection;
    if (peer->ops->opened != NULL)
        peer->ops->opened(connection);
    ev_io_start(loop, &connection->readable);
}

void
script_serve(struct script_peer *peer, struct ev_loop *loop, int listener,
             const struct script_ops *ops, void *data)
{
    need(listener >= 0, "no listening socket");
    *peer = (struct script_peer){.loop = loop, .ops = ops, .data = data};
    ev_io_init(&peer->listener, on_accept, listener, EV_READ);
    peer->listener.data = peer;
    ev_io_start(loop, &peer->listener);
}

pid_t
script_fork(int listener, const struct script_ops *ops, void *data,
            unsigned limit_s)
{
    static struct script_peer peer;
    const pid_t pid = fork();

    if (pid != 0)
        return pid;
    (void)alarm(limit_s);
    script_serve(&peer, ev_loop_new(EVFLAG_AUTO), listener, ops, data);
    (void)ev_run(peer.loop, 0);
    _exit(EXIT_FAILURE);
}

void
script_end(struct script_peer *peer)
{
    if (peer->loop == NULL)
        return;
    ev_io_stop(peer->loop, &peer->listener);
    (void)close(peer->listener.fd);
    for (int i = 0; i < peer->count; i++)
        script_hang_up(&peer->connections[i]);
    peer->loop = NULL;
}

static void
follow(struct script_connection *connection, const char *piece, size_t length)
{
    const struct script *script = &connection->peer->script;
    const bool is_first = connection->pieces++ == 0;
    const bool is_closed =
        connection - connection->peer->connections < script->closed;
    const char *answer = connection->pieces <= SCRIPT_ANSWERS
                             ? script->answers[connection->pieces - 1]
                             : NULL;

    (void)piece;
    (void)length;
    if (is_closed && !is_first) {
        script_hang_up(connection);
    } else if (answer != NULL && script->drips && !is_first) {
        connection->rest = answer;
        connection->left = strlen(answer);
        ev_timer_stop(connection->peer->loop, &connection->drip);
        ev_timer_set(&connection->drip, 0., DRIP_S);
        ev_timer_start(connection->peer->loop, &connection->drip);
    } else if (answer != NULL) {
        script_send(connection, answer, strlen(answer));
        if (script->closes && !is_first)
            script_hang_up(connection);
    }
}

void
script_start(struct script_peer *peer, struct ev_loop *loop, int port,
             const struct script *script)
{
    static const struct script_ops ops = {.got = follow};

    script_serve(peer, loop, ports_listen_at(port, &port), &ops, NULL);
    peer->script = *script;
}
