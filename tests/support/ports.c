/*
 * Loopback ports for the integration tests.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ports.h"

#define PORTS_BACKLOG 128

#define FREE_FROM  20000
#define FREE_COUNT 12000U
#define FREE_TRIES 100

static struct sockaddr_in
loopback(int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
}

int
ports_listen(int *ret_port)
{
    return ports_listen_at(0, ret_port);
}

int
ports_listen_at(int port, int *ret_port)
{
    struct sockaddr_in address = loopback(port);
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;

    if (fd < 0)
        return -1;
    /* Connections of an earlier listener do not make the port taken. */
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, PORTS_BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
        (void)close(fd);
        return -1;
    }
    *ret_port = ntohs(address.sin_port);
    return fd;
}

int
ports_listen_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof(address.sun_path))
        return -1;
    memcpy(address.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 &&
        (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
         listen(fd, PORTS_BACKLOG) != 0)) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

/*
 * Reserves a port for the life of this process, also against test programs that
 * run at the same time: binds an abstract unix socket, whose name belongs to
 * the same network namespace as the port. The port itself stays free.
 */
static bool
reserve(int port)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int length = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1,
                          "scoring-test-port-%d", port);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && bind(fd, (const struct sockaddr *)&name,
                        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                                    (size_t)length)) == 0)
        return true;
    if (fd >= 0)
        (void)close(fd);
    return false;
}

/*
 * Chooses a port below those that the kernel gives to outgoing connections:
 * otherwise one of these may have it when a server is restarted on it.
 */
int
ports_free(void)
{
    for (int tries = 0; tries < FREE_TRIES; tries++) {
        uint32_t chance = 0;
        int port, fd;

        if (getrandom(&chance, sizeof(chance), 0) != sizeof(chance))
            return -1;
        port = FREE_FROM + (int)(chance % FREE_COUNT);
        if (!reserve(port))
            continue;
        fd = ports_listen_at(port, &port);
        if (fd < 0)
            continue;
        (void)close(fd);
        return port;
    }
    return -1;
}

static bool
bind_to(int fd, const char *address)
{
    struct sockaddr_in own = loopback(0);

    return inet_pton(AF_INET, address, &own.sin_addr) == 1 &&
           bind(fd, (struct sockaddr *)&own, sizeof(own)) == 0;
}

int
ports_connect_from(const char *address, int port, int limit_ms)
{
    struct sockaddr_in peer = loopback(port);
    struct timeval limit = {limit_ms / 1000, limit_ms % 1000 * 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if ((address == NULL || bind_to(fd, address)) &&
        connect(fd, (struct sockaddr *)&peer, sizeof(peer)) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

int
ports_connect(int port, int limit_ms)
{
    return ports_connect_from(NULL, port, limit_ms);
}
