/*
 * A scripted server that checks each byte.
 */
#include <stdio.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "support/ports.h"
#include "support/steps.h"

const char steps_hang_up[] = "hang up";

static void
serve_step(struct script_connection *connection)
{
    struct steps *server = connection->peer->data;
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
    if (step->answer == steps_hang_up)
        script_hang_up(connection);
    else if (step->answer != NULL)
        script_send(connection, step->answer, strlen(step->answer));
}

static void
got(struct script_connection *connection, const char *piece, size_t length)
{
    struct steps *server = connection->peer->data;

    buffer_add(&server->got, piece, length);
    serve_step(connection);
}

/* Each connection starts with the first step. */
static void
opened(struct script_connection *connection)
{
    struct steps *server = connection->peer->data;

    server->done = 0;
    buffer_free(&server->got);
    if (connection->peer->count > 1)
        script_hang_up(connection - 1);
}

static const struct script_ops ops = {.opened = opened, .got = got};

void
steps_init(struct steps *server, struct ev_loop *loop, const struct step *steps)
{
    *server = (struct steps){.loop = loop, .steps = steps};
    CU_ASSERT_FATAL(files_folder_make(server->folder));
    files_path(server->path, "%s/redis.sock", server->folder);
}

void
steps_listen(struct steps *server)
{
    script_serve(&server->peer, server->loop, ports_listen_unix(server->path),
                 &ops, server);
}

int
steps_client(const struct steps *server)
{
    const struct script_peer *peer = &server->peer;
    const ev_io *last;

    if (peer->count == 0)
        return -1;
    last = &peer->connections[peer->count - 1].readable;
    return ev_is_active(last) ? last->fd : -1;
}

void
steps_check(const struct steps *server)
{
    size_t count = 0;

    while (count < STEPS_MAX && server->steps[count].want != NULL)
        count++;
    CU_ASSERT_FALSE(server->is_strange);
    CU_ASSERT(server->done == count || server->peer.count > 1);
    if (server->is_strange)
        (void)printf("the server got: %s\n", buffer_text(&server->got));
}

void
steps_end(struct steps *server)
{
    script_end(&server->peer);
    buffer_free(&server->got);
    files_folder_remove(server->folder);
}
