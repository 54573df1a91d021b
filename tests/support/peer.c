/*
 * A proxy with faults, in its own thread: a poll() loop over the listening
 * socket and pairs of connections. Delayed replies are in a queue of each pair.
 */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "peer.h"
#include "ports.h"

#define PEER_LINKS_MAX 64
#define PEER_TICK_MS   5 /* the precision of delays and of changes of fault */
#define PEER_READ_STEP (64 * 1024)
#define PEER_SEND_MS   1000 /* for a client that does not read */
#define PEER_FIRST_USE 2    /* pieces: a handshake, and what comes next */

/* Bytes of a reply that are forwarded at the same time. */
struct piece {
    struct piece *next;
    int64_t due_ms;
    size_t at, length;
    char data[];
};

struct link {
    int client, server; /* -1: none */
    int commands;       /* pieces that came from the client */
    bool is_stalled;
    struct piece *first, **last;
};

struct peer {
    pthread_t thread;
    char target[sizeof(((struct sockaddr_un *)0)->sun_path)];
    int listener, port;
    atomic_int fault;
    atomic_bool is_ending;
    struct link links[PEER_LINKS_MAX];
};

static void
link_close(struct link *link)
{
    while (link->first != NULL) {
        struct piece *piece = link->first;

        link->first = piece->next;
        free(piece);
    }
    if (link->client >= 0)
        (void)close(link->client);
    if (link->server >= 0)
        (void)close(link->server);
    link->client = link->server = -1;
}

static int
connect_target(const struct peer *peer)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path, peer->target, sizeof(address.sun_path));
    if (fd >= 0 &&
        connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

static void
accept_one(struct peer *peer)
{
    const struct timeval limit = {PEER_SEND_MS / 1000, 0};
    int fd = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC);
    struct link *link = NULL;

    if (fd < 0)
        return;
    for (size_t i = 0; i < PEER_LINKS_MAX && link == NULL; i++) {
        if (peer->links[i].client < 0)
            link = &peer->links[i];
    }
    if (link == NULL || peer->fault == PEER_CLOSE) {
        (void)close(fd);
        return;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    link->client = fd;
    link->server = connect_target(peer);
    link->commands = 0;
    link->is_stalled = false;
    link->first = NULL;
    link->last = &link->first;
    if (link->server < 0)
        link_close(link);
}

/* Handles what the client sends; returns false if the connection must end. */
static bool
take_commands(const struct peer *peer, struct link *link)
{
    static const char garbage[] = "\x7f\x01 nothing\r\n";
    char data[PEER_READ_STEP];
    ssize_t got = recv(link->client, data, sizeof(data), MSG_DONTWAIT);

    if (got <= 0)
        return false;
    link->commands++;
    switch ((enum peer_fault)peer->fault) {
    case PEER_SILENT:
        return true;
    case PEER_CLOSE:
        return false;
    case PEER_GARBAGE:
        return send(link->client, garbage, sizeof(garbage) - 1, MSG_NOSIGNAL) >
               0;
    case PEER_CUT:
        if (link->commands > PEER_FIRST_USE)
            return false;
        break;
    case PEER_NONE:
    case PEER_HALF:
    case PEER_STALL:
    case PEER_DRIP:
    case PEER_LATE:
    case PEER_SLOW:
    case PEER__MAX:
        break;
    }
    return send(link->server, data, (size_t)got, MSG_NOSIGNAL) == got;
}

static bool
hold(struct link *link, const char *data, size_t length, int64_t due_ms)
{
    struct piece *piece = malloc(sizeof(*piece) + length);

    if (piece == NULL)
        return false;
    *piece = (struct piece){.due_ms = due_ms, .length = length};
    memcpy(piece->data, data, length);
    *link->last = piece;
    link->last = &piece->next;
    return true;
}

/* Handles what Redis answers; returns false if the connection must end. */
static bool
take_replies(const struct peer *peer, struct link *link)
{
    static const int64_t delays_ms[PEER__MAX] = {
        [PEER_LATE] = PEER_LATE_MS, [PEER_SLOW] = PEER_SLOW_MS};
    char data[PEER_READ_STEP];
    ssize_t got = recv(link->server, data, sizeof(data), MSG_DONTWAIT);

    if (got <= 0)
        return false;
    if (peer->fault == PEER_SILENT || link->is_stalled)
        return true;
    if (peer->fault == PEER_STALL && link->commands > 1) {
        link->is_stalled = true;
        got /= 2;
    }
    if (peer->fault == PEER_HALF) {
        (void)send(link->client, data, (size_t)got / 2, MSG_NOSIGNAL);
        return false;
    }
    return hold(link, data, (size_t)got, clock_ms() + delays_ms[peer->fault]);
}

/* Forwards what is due; returns false if the client does not take it. */
static bool
pass_on(const struct peer *peer, struct link *link)
{
    int64_t now = clock_ms();

    while (link->first != NULL && link->first->due_ms <= now) {
        struct piece *piece = link->first;
        size_t length = piece->length - piece->at;
        bool is_dripping = peer->fault == PEER_DRIP;

        if (is_dripping)
            length = 1;
        if (send(link->client, piece->data + piece->at, length, MSG_NOSIGNAL) !=
            (ssize_t)length)
            return false;
        piece->at += length;
        piece->due_ms = now + PEER_DRIP_MS;
        if (piece->at < piece->length)
            continue;
        link->first = piece->next;
        if (link->first == NULL)
            link->last = &link->first;
        else if (is_dripping)
            link->first->due_ms = now + PEER_DRIP_MS;
        free(piece);
    }
    return true;
}

static void
link_turn(const struct peer *peer, struct link *link, short client_ready,
          short server_ready)
{
    bool is_alive = peer->fault != PEER_CLOSE;

    if (is_alive && client_ready != 0)
        is_alive = take_commands(peer, link);
    if (is_alive && server_ready != 0)
        is_alive = take_replies(peer, link);
    if (is_alive)
        is_alive = pass_on(peer, link);
    if (!is_alive)
        link_close(link);
}

static void *
run(void *arg)
{
    struct peer *peer = arg;
    struct pollfd fds[1 + 2 * PEER_LINKS_MAX];

    while (!peer->is_ending) {
        fds[0] = (struct pollfd){.fd = peer->listener, .events = POLLIN};
        for (size_t i = 0; i < PEER_LINKS_MAX; i++) {
            const struct link *link = &peer->links[i];

            fds[1 + 2 * i] =
                (struct pollfd){.fd = link->client, .events = POLLIN};
            fds[2 + 2 * i] =
                (struct pollfd){.fd = link->server, .events = POLLIN};
        }
        if (poll(fds, 1 + 2 * PEER_LINKS_MAX, PEER_TICK_MS) < 0)
            continue;
        for (size_t i = 0; i < PEER_LINKS_MAX; i++) {
            if (peer->links[i].client >= 0)
                link_turn(peer, &peer->links[i], fds[1 + 2 * i].revents,
                          fds[2 + 2 * i].revents);
        }
        if (fds[0].revents != 0)
            accept_one(peer);
    }
    for (size_t i = 0; i < PEER_LINKS_MAX; i++)
        link_close(&peer->links[i]);
    return NULL;
}

struct peer *
peer_start(const char *target)
{
    struct peer *peer = calloc(1, sizeof(*peer));

    if (peer == NULL)
        return NULL;
    (void)snprintf(peer->target, sizeof(peer->target), "%s", target);
    for (size_t i = 0; i < PEER_LINKS_MAX; i++)
        peer->links[i].client = peer->links[i].server = -1;
    peer->listener = ports_listen(&peer->port);
    if (peer->listener >= 0 &&
        pthread_create(&peer->thread, NULL, run, peer) == 0)
        return peer;
    if (peer->listener >= 0)
        (void)close(peer->listener);
    free(peer);
    return NULL;
}

void
peer_stop(struct peer *peer)
{
    if (peer == NULL)
        return;
    peer->is_ending = true;
    (void)pthread_join(peer->thread, NULL);
    (void)close(peer->listener);
    free(peer);
}

int
peer_port(const struct peer *peer)
{
    return peer->port;
}

void
peer_set(struct peer *peer, enum peer_fault fault)
{
    peer->fault = (int)fault;
}
