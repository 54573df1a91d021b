/*
 * Connects a socket to Redis: looks up the name, and tries its addresses one
 * after the other within one limit. Implements S20.1 (connecting) and S20.8 of
 * docs/protocol.md.
 */
#include <errno.h>
#include <ev.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/units.h"
#include "redis/connect.h"
#include "redis/resolver.h"

/* Enough for an error text with a host name of 253 characters. */
#define WORDS_SIZE 320

/* An idle connection to a lost host ends after 15 + 3 x 5 seconds. */
#define KEEPALIVE_IDLE_S     15
#define KEEPALIVE_INTERVAL_S 5
#define KEEPALIVE_PROBES     3

struct redis_connect {
    struct ev_loop *loop;
    const struct redis_url *config;
    int64_t limit_ms;
    redis_connect_done_fn *done;
    void *arg;

    struct resolver *resolver;
    struct resolver_addresses addresses;
    bool is_looked_up; /* the addresses are from a look-up */
    char *good_host;   /* a name, and its last address that worked; or NULL */
    struct sockaddr_storage good;
    size_t tried;     /* how many addresses this attempt has tried */
    size_t first_try; /* the first address to try, modulo their number */
    int fd;           /* the socket that is connecting; or -1 */
    ev_io writable;
    ev_timer limit;
};

void
redis_connect_cancel(struct redis_connect *attempt)
{
    resolver_cancel(attempt->resolver);
    ev_io_stop(attempt->loop, &attempt->writable);
    ev_timer_stop(attempt->loop, &attempt->limit);
    if (attempt->fd >= 0)
        (void)close(attempt->fd);
    attempt->fd = -1;
}

/* Ends the attempt with an error. */
static void __attribute__((format(printf, 3, 4)))
fail(struct redis_connect *attempt, enum redis_fault fault, const char *format,
     ...)
{
    char words[WORDS_SIZE];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    redis_connect_cancel(attempt);
    attempt->done(attempt->arg, -1, fault, words);
}

static void
fail_errno(struct redis_connect *attempt, int error)
{
    if (error == ECONNREFUSED)
        fail(attempt, REDIS_FAULT_REFUSED, "connection refused");
    else
        fail(attempt, REDIS_FAULT_UNREACHABLE, "connection failed: %s",
             strerror(error));
}

/* When out of memory, there is no address to fall back to. */
static void
note_good(struct redis_connect *attempt)
{
    const struct resolver_addresses *addresses = &attempt->addresses;

    if (!attempt->is_looked_up)
        return;
    attempt->good = addresses->item[(attempt->first_try + attempt->tried - 1) %
                                    addresses->count];
    if (attempt->good_host != NULL &&
        strcmp(attempt->good_host, attempt->config->host) == 0)
        return;
    free(attempt->good_host);
    attempt->good_host = strdup(attempt->config->host);
}

/* Ends the attempt; the socket now belongs to done(). */
static void
succeed(struct redis_connect *attempt)
{
    int fd = attempt->fd;

    note_good(attempt);
    attempt->fd = -1;
    redis_connect_cancel(attempt);
    attempt->done(attempt->arg, fd, REDIS_FAULT_BROKEN, NULL);
}

static socklen_t
address_length(const struct sockaddr_storage *address)
{
    switch (address->ss_family) {
    case AF_INET:
        return sizeof(struct sockaddr_in);
    case AF_INET6:
        return sizeof(struct sockaddr_in6);
    default:
        return sizeof(struct sockaddr_un);
    }
}

/* Errors are ignored: without these options it works, but less well. */
static void
tune_tcp(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES},
    };

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        (void)setsockopt(fd, options[i].level, options[i].name,
                         &options[i].value, sizeof(options[i].value));
}

/* Returns 0 if it is connected, EINPROGRESS, or another errno. */
static int
try_address(struct redis_connect *attempt,
            const struct sockaddr_storage *address)
{
    int fd = socket(address->ss_family,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return errno;
    attempt->fd = fd;
    if (address->ss_family != AF_UNIX)
        tune_tcp(fd);
    ev_io_set(&attempt->writable, fd, EV_WRITE);
    if (connect(fd, (const struct sockaddr *)address,
                address_length(address)) == 0)
        return 0;
    return errno;
}

/*
 * Tries the next addresses; if there are none, the attempt fails with this
 * error. Because all of them share one time limit, first_try lets another
 * attempt begin with another address.
 */
static void
try_next(struct redis_connect *attempt, int error)
{
    const struct resolver_addresses *addresses = &attempt->addresses;

    while (attempt->tried < addresses->count) {
        size_t at = (attempt->first_try + attempt->tried++) % addresses->count;

        if (attempt->fd >= 0)
            (void)close(attempt->fd);
        attempt->fd = -1;
        error = try_address(attempt, &addresses->item[at]);
        if (error == 0) {
            succeed(attempt);
            return;
        }
        if (error == EINPROGRESS) {
            ev_io_start(attempt->loop, &attempt->writable);
            return;
        }
    }
    fail_errno(attempt, error);
}

static void
on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct redis_connect *attempt = watcher->data;
    int error = 0;
    socklen_t length = sizeof(error);

    (void)events;
    ev_io_stop(loop, watcher);
    if (getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        error = errno;
    if (error == 0)
        succeed(attempt);
    else
        try_next(attempt, error);
}

static void
on_limit(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct redis_connect *attempt = watcher->data;

    (void)loop;
    (void)events;
    fail(attempt, REDIS_FAULT_TIMEOUT, "no connection within %lld ms",
         (long long)attempt->limit_ms);
}

static void
try_first(struct redis_connect *attempt)
{
    attempt->tried = 0;
    ev_now_update(attempt->loop);
    ev_timer_set(&attempt->limit, (ev_tstamp)attempt->limit_ms / MS_PER_S, 0.);
    ev_timer_start(attempt->loop, &attempt->limit);
    try_next(attempt, 0);
}

static void
on_resolved(void *arg, const struct resolver_addresses *found, bool in_time)
{
    struct redis_connect *attempt = arg;
    const char *good_host = attempt->good_host;

    if (found->count == 0 && good_host != NULL &&
        strcmp(good_host, attempt->config->host) == 0) {
        attempt->addresses.item[0] = attempt->good;
        attempt->addresses.count = 1;
        try_first(attempt);
        return;
    }
    if (found->count == 0) {
        fail(attempt, REDIS_FAULT_NAME, "host name %s does not resolve%s",
             attempt->config->host, in_time ? "" : " in time");
        return;
    }
    attempt->addresses = *found;
    attempt->is_looked_up = true;
    try_first(attempt);
}

static bool
take_path(struct redis_connect *attempt, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path))
        return false;
    memcpy(address.sun_path, path, strlen(path));
    memcpy(&attempt->addresses.item[0], &address, sizeof(address));
    attempt->addresses.count = 1;
    return true;
}

void
redis_connect_start(struct redis_connect *attempt)
{
    const struct redis_url *config = attempt->config;

    attempt->is_looked_up = false;
    if (config->unix_path != NULL) {
        if (take_path(attempt, config->unix_path))
            try_first(attempt);
        else
            fail(attempt, REDIS_FAULT_UNREACHABLE,
                 "the socket's path is too long");
    } else if (resolver_known(config->host, config->port,
                              &attempt->addresses)) {
        try_first(attempt);
    } else {
        resolver_start(attempt->resolver, config->host, config->port);
    }
}

void
redis_connect_move_on(struct redis_connect *attempt)
{
    attempt->first_try++;
}

struct redis_connect *
redis_connect_new(struct ev_loop *loop, const struct redis_url *config,
                  int64_t limit_ms, redis_connect_done_fn *done, void *arg)
{
    struct redis_connect *attempt = calloc(1, sizeof(*attempt));

    if (attempt == NULL)
        return NULL;
    *attempt = (struct redis_connect){.loop = loop,
                                      .config = config,
                                      .limit_ms = limit_ms,
                                      .done = done,
                                      .arg = arg,
                                      .fd = -1};
    ev_io_init(&attempt->writable, on_writable, -1, EV_WRITE);
    ev_timer_init(&attempt->limit, on_limit, 0., 0.);
    attempt->writable.data = attempt;
    attempt->limit.data = attempt;
    attempt->resolver = resolver_new(loop, on_resolved, attempt);
    if (attempt->resolver != NULL)
        return attempt;
    free(attempt);
    return NULL;
}

void
redis_connect_free(struct redis_connect *attempt)
{
    if (attempt == NULL)
        return;
    redis_connect_cancel(attempt);
    resolver_free(attempt->resolver);
    free(attempt->good_host);
    free(attempt);
}
