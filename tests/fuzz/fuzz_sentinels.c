/*
 * Replies of a sentinel: any bytes give at most one vote, for a valid address;
 * a limited number of other sentinels; and texts that are safe to log. The
 * input is sent after the handshake; then the sentinel closes the connection.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "fuzz.h"
#include "store/sentinels.h"

#define LIMIT_MS 1000
#define HELLO    "*4\r\n+mode\r\n+sentinel\r\n+role\r\n+master\r\n+PONG\r\n"

/* The sentinel, and its one connection. */
struct peer {
    struct ev_loop *loop;
    ev_io listener, readable;
    const struct fuzz_input *input;
    unsigned pieces;
};

static int port; /* of the sentinel */

/* Replaces the function of libc: no other address is connected to. */
int
connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t length)
{
    const struct sockaddr_in *to = (const void *)address.__sockaddr__;

    if (to->sin_family == AF_INET && ntohs(to->sin_port) == port &&
        to->sin_addr.s_addr == htonl(INADDR_LOOPBACK))
        return (int)syscall(SYS_connect, fd, to, length);
    errno = ENETUNREACH;
    return -1;
}

static void
on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct peer *peer = watcher->data;
    const struct fuzz_input *input = peer->input;
    char piece[4096];

    (void)events;
    if (recv(watcher->fd, piece, sizeof(piece), 0) <= 0) {
        ev_io_stop(loop, watcher);
        return;
    }
    if (peer->pieces++ == 0) {
        (void)send(watcher->fd, HELLO, sizeof(HELLO) - 1, MSG_NOSIGNAL);
        return;
    }
    (void)send(watcher->fd, input->at, input->left,
               MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)shutdown(watcher->fd, SHUT_WR);
}

static void
on_connection(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct peer *peer = watcher->data;
    int fd = accept4(watcher->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)events;
    if (fd < 0)
        return;
    if (ev_is_active(&peer->readable)) { /* a second connection is ignored */
        (void)close(fd);
        return;
    }
    ev_io_init(&peer->readable, on_readable, fd, EV_READ);
    peer->readable.data = peer;
    ev_io_start(loop, &peer->readable);
}

static int
listen_somewhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    FUZZ_CHECK(bind(fd, (struct sockaddr *)&address, length) == 0);
    FUZZ_CHECK(listen(fd, 16) == 0);
    FUZZ_CHECK(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    port = ntohs(address.sin_port);
    return fd;
}

static void
check_votes(const struct sentinels *sentinels)
{
    struct master votes[SENTINELS_MAX];
    const size_t count = sentinels_votes(sentinels, votes);

    FUZZ_CHECK(count <= 1); /* no other sentinel is reachable */
    for (size_t i = 0; i < count; i++) {
        FUZZ_CHECK(votes[i].host[0] != '\0');
        FUZZ_CHECK(memchr(votes[i].host, '\0', sizeof(votes[i].host)) != NULL);
        FUZZ_CHECK(votes[i].port >= 1 && votes[i].port <= 65535);
        FUZZ_CHECK(votes[i].epoch >= 0);
    }
}

static void
check_words(const struct sentinels *sentinels)
{
    struct buf words = {0};

    sentinels_put_reason(sentinels, &words);
    FUZZ_CHECK(words.length > 0 && !words.failed);
    FUZZ_CHECK(!json_has_control((struct bytes){words.data, words.length}));
    buf_free(&words);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int listener = -1;
    const struct fuzz_input input = {data, size};
    struct peer peer = {.input = &input};
    struct redis_url url = {.host_count = 1, .master = "mymaster"};
    struct sentinels *sentinels;

    if (listener < 0)
        listener = listen_somewhere();
    url.hosts[0] = (struct redis_url_host){"127.0.0.1", port};
    peer.loop = ev_loop_new(EVFLAG_AUTO);
    FUZZ_CHECK(peer.loop != NULL);
    ev_io_init(&peer.listener, on_connection, listener, EV_READ);
    peer.listener.data = &peer;
    ev_io_start(peer.loop, &peer.listener);
    sentinels = sentinels_new(peer.loop, &url, LIMIT_MS, LIMIT_MS);
    FUZZ_CHECK(sentinels != NULL);
    while (!sentinels_take_news(sentinels))
        (void)ev_run(peer.loop, EVRUN_ONCE);
    check_votes(sentinels);
    check_words(sentinels);
    FUZZ_CHECK(sentinels_known(sentinels) >= 1);
    FUZZ_CHECK(sentinels_known(sentinels) <= SENTINELS_MAX);
    FUZZ_CHECK(sentinels_reachable(sentinels) <= 1);
    sentinels_free(sentinels);
    if (peer.pieces > 0)
        (void)close(peer.readable.fd);
    ev_io_stop(peer.loop, &peer.listener);
    ev_loop_destroy(peer.loop);
    return 0;
}
