/*
 * Host names to addresses, through c-ares on the loop. It implements "name
 * lookup never holds up requests" of "Store" in docs/protocol.md.
 */
#include <ares.h>
#include <arpa/inet.h>
#include <ev.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/units.h"
#include "redis/resolver.h"

/* Short, so that a name server that comes back is noticed soon. */
#define QUERY_TIMEOUT_MS 250
#define QUERY_TRIES      3

/* c-ares opens one UDP and one TCP socket per name server, mostly. */
#define SOCKETS_MAX 16

/*
 * How long the addresses of one family wait for those of the other: some name
 * servers never answer for IPv6. Source: RFC 8305, section 3.
 */
#define SECOND_FAMILY_MS 50

/* IPv4 first: most servers listen on that one, also at "localhost". */
static const int families[] = {AF_INET, AF_INET6};
#define FAMILIES (sizeof(families) / sizeof(families[0]))

struct resolver {
    struct ev_loop *loop;
    resolver_done_fn *done;
    void *arg;
    ares_channel channel;
    bool active;    /* channel is valid */
    size_t waiting; /* families still to be answered */
    bool in_time;
    int port;
    struct resolver_addresses found;
    int64_t end_ms; /* of the whole look-up */
    ev_timer timer;
    ev_io sockets[SOCKETS_MAX]; /* in use when active */
};

static in_port_t
port_of(int port)
{
    return htons((in_port_t)port);
}

bool
resolver_known(const char *host, int port,
               struct resolver_addresses *ret_addresses)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = port_of(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                              .sin6_port = port_of(port)};

    /* Needs no looking up. Source: RFC 6761, section 6.3. */
    if (strcasecmp(host, "localhost") == 0) {
        v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        v6.sin6_addr = in6addr_loopback;
        memcpy(&ret_addresses->item[0], &v4, sizeof(v4));
        memcpy(&ret_addresses->item[1], &v6, sizeof(v6));
        ret_addresses->count = 2;
        return true;
    }
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1)
        memcpy(&ret_addresses->item[0], &v4, sizeof(v4));
    else if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1)
        memcpy(&ret_addresses->item[0], &v6, sizeof(v6));
    else
        return false;
    ret_addresses->count = 1;
    return true;
}

static void
take_addresses(struct resolver *resolver, const struct ares_addrinfo *result)
{
    struct resolver_addresses *found = &resolver->found;

    for (const struct ares_addrinfo_node *node = result->nodes; node != NULL;
         node = node->ai_next) {
        struct sockaddr_storage *item = &found->item[found->count];

        if (found->count == RESOLVER_ADDRESSES_MAX)
            return;
        if ((size_t)node->ai_addrlen > sizeof(*item))
            continue;
        memcpy(item, node->ai_addr, (size_t)node->ai_addrlen);
        if (node->ai_family == AF_INET6)
            ((struct sockaddr_in6 *)item)->sin6_port = port_of(resolver->port);
        else
            ((struct sockaddr_in *)item)->sin_port = port_of(resolver->port);
        found->count++;
    }
}

/*
 * c-ares forbids to destroy a channel from here, so the answer is only noted;
 * settle() gives it away. Destroying a channel calls this too.
 */
static void
on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *result)
{
    struct resolver *resolver = arg;

    (void)timeouts;
    if (status == ARES_EDESTRUCTION)
        return;
    resolver->waiting--;
    if (status != ARES_ETIMEOUT)
        resolver->in_time = true;
    if (status == ARES_SUCCESS) {
        int64_t end_ms = clock_mono_ms() + SECOND_FAMILY_MS;

        take_addresses(resolver, result);
        if (end_ms < resolver->end_ms)
            resolver->end_ms = end_ms;
    }
    if (result != NULL)
        ares_freeaddrinfo(result);
}

/* Ends the look-up when it is over, else waits for what comes next. */
static void
settle(struct resolver *resolver)
{
    const int64_t rest_ms = resolver->end_ms - clock_mono_ms();
    ev_tstamp rest = (ev_tstamp)rest_ms * S_PER_MS;
    struct timeval buffer;
    const struct timeval *wait;

    if (resolver->waiting == 0 || rest_ms <= 0) {
        resolver_cancel(resolver);
        resolver->done(resolver->arg, &resolver->found, resolver->in_time);
        return;
    }
    wait = ares_timeout(resolver->channel, NULL, &buffer);
    if (wait != NULL) {
        ev_tstamp next =
            (ev_tstamp)wait->tv_sec + (ev_tstamp)wait->tv_usec * 1e-6;

        if (next < rest)
            rest = next;
    }
    ev_timer_stop(resolver->loop, &resolver->timer);
    ev_timer_set(&resolver->timer, rest, 0.);
    ev_timer_start(resolver->loop, &resolver->timer);
}

static void
on_socket(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct resolver *resolver = watcher->data;

    (void)loop;
    ares_process_fd(resolver->channel,
                    events & EV_READ ? watcher->fd : ARES_SOCKET_BAD,
                    events & EV_WRITE ? watcher->fd : ARES_SOCKET_BAD);
    settle(resolver);
}

static void
on_timer(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct resolver *resolver = watcher->data;

    (void)loop;
    (void)events;
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    settle(resolver);
}

/* c-ares says what it waits for on a socket; nothing: it is being closed. */
static void
on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct resolver *resolver = arg;
    ev_io *unused = NULL, *watcher = NULL;

    for (size_t i = 0; i < SOCKETS_MAX && watcher == NULL; i++) {
        ev_io *item = &resolver->sockets[i];

        if (!ev_is_active(item))
            unused = item;
        else if (item->fd == fd)
            watcher = item;
    }
    if (watcher != NULL)
        ev_io_stop(resolver->loop, watcher);
    else
        watcher = unused;
    /* A socket too many only makes its query time out. */
    if (watcher == NULL || (!readable && !writable))
        return;
    ev_io_set(watcher, fd,
              (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
    ev_io_start(resolver->loop, watcher);
}

struct resolver *
resolver_new(struct ev_loop *loop, resolver_done_fn *done, void *arg)
{
    struct resolver *resolver = calloc(1, sizeof(*resolver));

    if (resolver == NULL)
        return NULL;
    resolver->loop = loop;
    resolver->done = done;
    resolver->arg = arg;
    ev_timer_init(&resolver->timer, on_timer, 0., 0.);
    resolver->timer.data = resolver;
    for (size_t i = 0; i < SOCKETS_MAX; i++) {
        ev_io_init(&resolver->sockets[i], on_socket, -1, 0);
        resolver->sockets[i].data = resolver;
    }
    return resolver;
}

void
resolver_start(struct resolver *resolver, const char *host, int port)
{
    struct ares_options options = {
        .timeout = QUERY_TIMEOUT_MS,
        .tries = QUERY_TRIES,
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = resolver,
    };

    resolver_cancel(resolver);
    resolver->port = port;
    resolver->found.count = 0;
    resolver->waiting = FAMILIES;
    resolver->in_time = false;
    if (ares_init_options(&resolver->channel, &options,
                          ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                              ARES_OPT_SOCK_STATE_CB) != ARES_SUCCESS) {
        resolver->done(resolver->arg, &resolver->found, false);
        return;
    }
    resolver->active = true;
    ev_now_update(resolver->loop);
    resolver->end_ms = clock_mono_ms() + RESOLVER_LIMIT_MS;
    for (size_t i = 0; i < FAMILIES; i++) {
        const struct ares_addrinfo_hints hints = {
            .ai_family = families[i],
            .ai_socktype = SOCK_STREAM,
            .ai_flags = ARES_AI_NOSORT,
        };

        ares_getaddrinfo(resolver->channel, host, NULL, &hints, on_answer,
                         resolver);
    }
    settle(resolver);
}

void
resolver_cancel(struct resolver *resolver)
{
    if (!resolver->active)
        return;
    resolver->active = false;
    ev_timer_stop(resolver->loop, &resolver->timer);
    ares_destroy(resolver->channel);
    for (size_t i = 0; i < SOCKETS_MAX; i++)
        ev_io_stop(resolver->loop, &resolver->sockets[i]);
}

void
resolver_free(struct resolver *resolver)
{
    if (resolver == NULL)
        return;
    resolver_cancel(resolver);
    free(resolver);
}
