/*
 * A scripted server that checks each byte.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "support/clock.h"
#include "support/steps.h"

#define PIECE_MAX 65536

const char steps_hang_up[] = "hang up";

static void
hang_up(struct steps *server)
{
    ev_io_stop(server->loop, &server->client);
    ev_io_stop(server->loop, &server->writable);
    (void)close(server->client.fd);
}

static void
answer(struct steps *server)
{
    const ssize_t sent =
        send(server->client.fd, server->rest, strlen(server->rest),
             MSG_DONTWAIT | MSG_NOSIGNAL);

    if (sent > 0)
        server->rest += sent;
    if (server->rest[0] != '\0')
        ev_io_start(server->loop, &server->writable);
    else
        ev_io_stop(server->loop, &server->writable);
}

static void
on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    answer(watcher->data);
}

static void
serve_step(struct steps *server)
{
    const struct step *step = &server->steps[server->done];

    if (server->done == STEPS_MAX || step->want == NULL ||
        strncmp(step->want, buffer_text(&server->got), server->got.length) !=
            0) {
        server->is_strange = true;
        return;
    }
    if (strlen(step->want) > server->got.length)
        return;
    buffer_free(&server->got);
    server->done++;
    clock_sleep_ms(server->slow_ms);
    if (step->answer == steps_hang_up) {
        hang_up(server);
    } else if (step->answer != NULL) {
        server->rest = step->answer;
        answer(server);
    }
}

static void
on_piece(struct ev_loop *loop, ev_io *watcher, int events)
{
    static char piece[PIECE_MAX];
    struct steps *server = watcher->data;
    ssize_t got = recv(watcher->fd, piece, sizeof(piece), 0);

    (void)events;
    (void)loop;
    if (got <= 0) {
        hang_up(server);
        return;
    }
    buffer_add(&server->got, piece, (size_t)got);
    serve_step(server);
}

/* Each connection starts with the first step. */
static void
on_accept(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct steps *server = watcher->data;
    int fd = accept(watcher->fd, NULL, NULL);

    (void)events;
    server->accepted++;
    server->done = 0;
    buffer_free(&server->got);
    if (ev_is_active(&server->client))
        hang_up(server);
    ev_io_set(&server->client, fd, EV_READ);
    ev_io_set(&server->writable, fd, EV_WRITE);
    ev_io_start(loop, &server->client);
}

void
steps_init(struct steps *server, struct ev_loop *loop, const struct step *steps)
{
    *server = (struct steps){.loop = loop, .steps = steps};
    CU_ASSERT_FATAL(files_folder_make(server->folder));
    files_path(server->path, "%s/redis.sock", server->folder);
    ev_io_init(&server->client, on_piece, -1, EV_READ);
    ev_io_init(&server->writable, on_writable, -1, EV_WRITE);
    server->client.data = server->writable.data = server;
}

void
steps_listen(struct steps *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%.100s",
                   server->path);
    CU_ASSERT_FATAL(fd >= 0 &&
                    bind(fd, (struct sockaddr *)&address, sizeof(address)) ==
                        0 &&
                    listen(fd, 8) == 0);
    ev_io_init(&server->listener, on_accept, fd, EV_READ);
    server->listener.data = server;
    ev_io_start(server->loop, &server->listener);
}

void
steps_check(const struct steps *server)
{
    size_t count = 0;

    while (count < STEPS_MAX && server->steps[count].want != NULL)
        count++;
    CU_ASSERT_FALSE(server->is_strange);
    CU_ASSERT(server->done == count || server->accepted > 1);
    if (server->is_strange)
        (void)printf("the server got: %s\n", buffer_text(&server->got));
}

void
steps_end(struct steps *server)
{
    if (ev_is_active(&server->client))
        hang_up(server);
    if (ev_is_active(&server->listener)) {
        ev_io_stop(server->loop, &server->listener);
        (void)close(server->listener.fd);
    }
    buffer_free(&server->got);
    files_folder_remove(server->folder);
}
