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
#include "support/ports.h"
#include "support/script.h"

#define LIMIT_MS 1000
#define HELLO    "*4\r\n+mode\r\n+sentinel\r\n+role\r\n+master\r\n+PONG\r\n"

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

/* The handshake, then the input; a second connection gets nothing. */
static void
got(struct script_connection *connection, const char *piece, size_t length)
{
    const struct fuzz_input *input = connection->peer->data;

    (void)piece;
    (void)length;
    if (connection != connection->peer->connections) {
        script_hang_up(connection);
    } else if (connection->pieces++ == 0) {
        script_send(connection, HELLO, sizeof(HELLO) - 1);
    } else {
        script_send(connection, (const char *)input->at, input->left);
        (void)shutdown(connection->readable.fd, SHUT_WR);
    }
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
    static const struct script_ops ops = {.got = got};
    static struct script_peer peer;
    struct fuzz_input input = {data, size};
    struct redis_url url = {.host_count = 1, .master = "mymaster"};
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    struct sentinels *sentinels;

    FUZZ_CHECK(loop != NULL);
    script_serve(&peer, loop, ports_listen(&port), &ops, &input);
    url.hosts[0] = (struct redis_url_host){"127.0.0.1", port};
    sentinels = sentinels_new(loop, &url, LIMIT_MS, LIMIT_MS);
    FUZZ_CHECK(sentinels != NULL);
    while (!sentinels_take_news(sentinels))
        (void)ev_run(loop, EVRUN_ONCE);
    check_votes(sentinels);
    check_words(sentinels);
    FUZZ_CHECK(sentinels_known(sentinels) >= 1);
    FUZZ_CHECK(sentinels_known(sentinels) <= SENTINELS_MAX);
    FUZZ_CHECK(sentinels_reachable(sentinels) <= 1);
    sentinels_free(sentinels);
    script_end(&peer);
    ev_loop_destroy(loop);
    return 0;
}
