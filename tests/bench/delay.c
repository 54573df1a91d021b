/*
 * A proxy in front of Redis, for `make bench`: delays the replies of Redis.
 *
 *     delay LISTEN_SOCKET REDIS_SOCKET MICROSECONDS
 *
 * Both are unix sockets. It blocks while a peer does not read.
 */
#include <errno.h>
#include <ev.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define US_PER_S   1000000
#define NS_PER_US  1000
#define READ_BYTES 65536
#define BACKLOG    128

/* One connection through the proxy. */
struct pair {
    ev_io client, redis;
};

/* A part of Redis's replies that is delayed. */
struct chunk {
    STAILQ_ENTRY(chunk) in_queue;
    struct pair *pair; /* NULL: closed meanwhile */
    int64_t due_us;
    size_t length;
    char bytes[];
};

/* In the order of due_us, because all have the same delay. */
static STAILQ_HEAD(chunks, chunk) queue = STAILQ_HEAD_INITIALIZER(queue);
static const char *redis_socket;
static int64_t delay_us;
static ev_io due;
static char look[READ_BYTES];

static void __attribute__((noreturn)) fail(const char *what)
{
    (void)fprintf(stderr, "delay: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static int64_t
now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / NS_PER_US;
}

static void
pair_close(struct ev_loop *loop, struct pair *pair)
{
    struct chunk *chunk;

    STAILQ_FOREACH (chunk, &queue, in_queue)
        if (chunk->pair == pair)
            chunk->pair = NULL;
    ev_io_stop(loop, &pair->client);
    ev_io_stop(loop, &pair->redis);
    (void)close(pair->client.fd);
    (void)close(pair->redis.fd);
    free(pair);
}

static bool
send_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

/* With a timerfd, because libev's timers have milliseconds only. */
static void
arm(int64_t at_us)
{
    const struct itimerspec at = {
        .it_value = {.tv_sec = at_us / US_PER_S,
                     .tv_nsec = at_us % US_PER_S * NS_PER_US}};

    if (timerfd_settime(due.fd, TFD_TIMER_ABSTIME, &at, NULL) != 0)
        fail("timer");
}

static void
send_due(struct ev_loop *loop)
{
    int64_t at_us = now_us();
    struct chunk *chunk;

    while ((chunk = STAILQ_FIRST(&queue)) != NULL && chunk->due_us <= at_us) {
        STAILQ_REMOVE_HEAD(&queue, in_queue);
        if (chunk->pair != NULL &&
            !send_all(chunk->pair->client.fd, chunk->bytes, chunk->length))
            pair_close(loop, chunk->pair);
        free(chunk);
    }
    if (chunk != NULL)
        arm(chunk->due_us);
}

static void
on_due(struct ev_loop *loop, ev_io *watcher, int events)
{
    uint64_t times;

    (void)events;
    if (read(watcher->fd, &times, sizeof(times)) == sizeof(times))
        send_due(loop);
}

/* Returns the number of bytes in look; 0 if there are none for now. */
static size_t
receive(struct ev_loop *loop, struct pair *pair, int fd)
{
    ssize_t got = recv(fd, look, sizeof(look), MSG_DONTWAIT);

    if (got > 0)
        return (size_t)got;
    if (got == 0 || (errno != EAGAIN && errno != EINTR))
        pair_close(loop, pair);
    return 0;
}

static void
on_client(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct pair *pair = watcher->data;
    size_t got = receive(loop, pair, watcher->fd);

    (void)events;
    if (got > 0 && !send_all(pair->redis.fd, look, got))
        pair_close(loop, pair);
}

static void
on_redis(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct pair *pair = watcher->data;
    size_t got = receive(loop, pair, watcher->fd);
    struct chunk *chunk;

    (void)events;
    if (got == 0)
        return;
    chunk = malloc(sizeof(*chunk) + got);
    if (chunk == NULL)
        fail("memory");
    *chunk = (struct chunk){
        .pair = pair, .due_us = now_us() + delay_us, .length = got};
    memcpy(chunk->bytes, look, got);
    STAILQ_INSERT_TAIL(&queue, chunk, in_queue);
    if (delay_us == 0 || STAILQ_FIRST(&queue) == chunk)
        send_due(loop);
}

static struct sockaddr_un
address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    errno = ENAMETOOLONG;
    if (strlen(path) >= sizeof(address.sun_path))
        fail(path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    return address;
}

static int
connect_redis(void)
{
    const struct sockaddr_un to = address_of(redis_socket);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd != -1 && connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
        return fd;
    if (fd != -1)
        (void)close(fd);
    return -1;
}

static void
on_listening(struct ev_loop *loop, ev_io *watcher, int events)
{
    int client = accept4(watcher->fd, NULL, NULL, SOCK_CLOEXEC);
    int redis = connect_redis();
    struct pair *pair = calloc(1, sizeof(*pair));

    (void)events;
    if (client == -1 || redis == -1 || pair == NULL)
        fail("cannot connect");
    ev_io_init(&pair->client, on_client, client, EV_READ);
    ev_io_init(&pair->redis, on_redis, redis, EV_READ);
    pair->client.data = pair->redis.data = pair;
    ev_io_start(loop, &pair->client);
    ev_io_start(loop, &pair->redis);
}

static int
listen_on(const char *path)
{
    const struct sockaddr_un at = address_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd == -1 || bind(fd, (const struct sockaddr *)&at, sizeof(at)) != 0 ||
        listen(fd, BACKLOG) != 0)
        fail(path);
    return fd;
}

int
main(int argc, char **argv)
{
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    ev_io listening;

    errno = EINVAL;
    if (argc != 4 || loop == NULL)
        fail("usage: delay LISTEN_SOCKET REDIS_SOCKET MICROSECONDS");
    redis_socket = argv[2];
    delay_us = atoll(argv[3]);
    ev_io_init(&due, on_due,
               timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
               EV_READ);
    ev_io_start(loop, &due);
    ev_io_init(&listening, on_listening, listen_on(argv[1]), EV_READ);
    ev_io_start(loop, &listening);
    (void)ev_run(loop, 0);
    return EXIT_FAILURE;
}
