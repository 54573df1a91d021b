/*
 * A scripted Redis in its own thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "reply_server.h"

#define BACKLOG   16
#define ITEMS_MAX 65536 /* of an array; scripts have no larger one */
#define PATH_SIZE 64

struct reply_server {
    int listener;
    int place; /* O_PATH of the socket's file, which has been unlinked */
    char path[PATH_SIZE];
    pthread_mutex_t lock;                   /* over what follows */
    char bytes[REPLY_SERVER_BYTES_MAX + 1]; /* ended by a NUL */
    size_t length;
};

/* The end of a line; NULL: it is incomplete. */
static const char *
line_end(const char *at, const char *end)
{
    const char *found = memmem(at, (size_t)(end - at), "\r\n", 2);

    return found != NULL ? found + 2 : NULL;
}

/*
 * The end of a command or a reply; NULL: it is incomplete. Bytes that are
 * neither end with the text.
 */
static const char *
item_end(const char *at, const char *end)
{
    long left = 1;

    while (at != NULL && left > 0 && at < end) {
        const char type = *at;
        const long number = strtol(at + 1, NULL, 10);

        left--;
        at = line_end(at, end);
        if (type == '$' && number >= 0 && at != NULL)
            at = number <= end - at - 2 ? at + number + 2 : NULL;
        if (type == '*' && number > 0)
            left += number < ITEMS_MAX ? number : ITEMS_MAX;
    }
    return left == 0 ? at : NULL;
}

struct talk {
    const char *at, *end;                 /* what is not yet said */
    char got[REPLY_SERVER_BYTES_MAX + 1]; /* likewise */
    size_t length;                        /* of commands */
};

/* Sends one reply for each command that has arrived. */
static void
answer(struct talk *talk, int fd)
{
    const char *command = talk->got, *end = talk->got + talk->length, *next;

    while (talk->at < talk->end && (next = item_end(command, end)) != NULL) {
        const char *said = item_end(talk->at, talk->end);

        if (said == NULL)
            said = talk->end;
        /* the client may have closed the connection */
        (void)send(fd, talk->at, (size_t)(said - talk->at), MSG_NOSIGNAL);
        talk->at = said;
        command = next;
    }
    talk->length = (size_t)(end - command);
    memmove(talk->got, command, talk->length);
}

static void
serve(struct reply_server *server, int fd)
{
    static struct talk talk;
    ssize_t length;

    (void)pthread_mutex_lock(&server->lock);
    talk.at = server->bytes;
    talk.end = server->bytes + server->length;
    talk.length = 0;
    while (talk.at < talk.end &&
           (length = recv(fd, talk.got + talk.length,
                          REPLY_SERVER_BYTES_MAX - talk.length, 0)) > 0) {
        talk.length += (size_t)length;
        talk.got[talk.length] = '\0';
        answer(&talk, fd);
    }
    (void)pthread_mutex_unlock(&server->lock);
    (void)shutdown(fd, SHUT_WR);
    while (recv(fd, talk.got, sizeof(talk.got), 0) > 0)
        continue;
    (void)close(fd);
}

static void *
run(void *arg)
{
    struct reply_server *server = arg;
    int fd;

    do {
        fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd != -1)
            serve(server, fd);
    } while (fd != -1 || errno == EINTR);
    return NULL;
}

/* The file is unlinked at once, because the process may be killed. */
static bool
bind_unnamed(struct reply_server *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char folder[] = "/tmp/scoring-test-XXXXXX";
    bool is_bound;

    if (mkdtemp(folder) == NULL)
        return false;
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", folder);
    is_bound = bind(server->listener, (struct sockaddr *)&address,
                    sizeof(address)) == 0;
    if (is_bound)
        server->place = open(address.sun_path, O_PATH | O_CLOEXEC);
    (void)unlink(address.sun_path);
    (void)rmdir(folder);
    (void)snprintf(server->path, sizeof(server->path), "/proc/self/fd/%d",
                   server->place);
    return is_bound && server->place != -1;
}

static bool
start(struct reply_server *server)
{
    pthread_t thread;

    server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return server->listener != -1 &&
           pthread_mutex_init(&server->lock, NULL) == 0 &&
           bind_unnamed(server) && listen(server->listener, BACKLOG) == 0 &&
           pthread_create(&thread, NULL, run, server) == 0 &&
           pthread_detach(thread) == 0;
}

struct reply_server *
reply_server_start(void)
{
    static struct reply_server server;
    static bool is_started;

    is_started = is_started || start(&server);
    return is_started ? &server : NULL;
}

struct redis_url
reply_server_place(const struct reply_server *server)
{
    return (struct redis_url){.unix_path = server->path};
}

void
reply_server_set(struct reply_server *server, const void *bytes, size_t length)
{
    (void)pthread_mutex_lock(&server->lock);
    memcpy(server->bytes, bytes, length);
    server->bytes[length] = '\0';
    server->length = length;
    (void)pthread_mutex_unlock(&server->lock);
}
