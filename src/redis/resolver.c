/*
 * Looks up host names by c-ares, on the loop. Implements S20.8 of
 * docs/protocol.md.
 */

/* c-ares 1.18 does not have the successor of ares_get_servers_ports(). */
#define CARES_NO_DEPRECATED

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

/*
 * Unanswered questions are repeated at this interval, because a datagram may be
 * lost, or a name server unavailable. c-ares can do this by itself, but 1.34
 * then closes the socket of the previous try, and so ignores a name server that
 * is slower than one interval. Here each try has its own channel, which lives
 * until the look-up ends.
 */
#define TRY_MS    250
#define TRIES_MAX ((RESOLVER_LIMIT_MS + TRY_MS - 1) / TRY_MS)

/* Each try has a UDP and a TCP socket for each name server, mostly up to 3. */
#define SOCKETS_MAX (TRIES_MAX * 3 * 2)

/*
 * When the addresses of one family are known, the look-up waits this long for
 * the other: some name servers never answer for IPv6. Source: RFC 8305, 3.
 */
#define SECOND_FAMILY_MS 50

/* IPv4 first: most servers listen on it, also on "localhost". */
static const int families[] = {AF_INET, AF_INET6};
#define FAMILIES (sizeof(families) / sizeof(families[0]))

/* The question for one family, repeated in each try; the first answer wins. */
struct question {
    struct resolver *resolver;
    bool is_open;
};

struct resolver {
    struct ev_loop *loop;
    resolver_done_fn *done;
    void *arg;
    char *host; /* NULL: no look-up is pending */
    int port;
    ares_channel tries[TRIES_MAX];
    size_t tried;
    struct question questions[FAMILIES];
    bool in_time;
    struct resolver_addresses found;
    int64_t next_try_ms, end_ms;
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

    /* Source: RFC 6761, section 6.3. */
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
 * A channel must not be destroyed in its callback: the answer is only noted
 * here, and settle() calls done(). Destroying a channel also calls this
 * function.
 */
static void
on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *result)
{
    struct question *question = arg;
    struct resolver *resolver = question->resolver;

    (void)timeouts;
    if (status != ARES_EDESTRUCTION && question->is_open) {
        question->is_open = false;
        if (status != ARES_ETIMEOUT)
            resolver->in_time = true;
        if (status == ARES_SUCCESS) {
            int64_t end_ms = clock_mono_ms() + SECOND_FAMILY_MS;

            take_addresses(resolver, result);
            if (end_ms < resolver->end_ms)
                resolver->end_ms = end_ms;
        }
    }
    if (result != NULL)
        ares_freeaddrinfo(result);
}

static bool
is_open(const struct resolver *resolver)
{
    for (size_t i = 0; i < FAMILIES; i++) {
        if (resolver->questions[i].is_open)
            return true;
    }
    return false;
}

/*
 * Ends the look-up if all is answered or the time is over; else sets the timer.
 */
static void
settle(struct resolver *resolver)
{
    int64_t next_ms = resolver->end_ms, now_ms = clock_mono_ms();

    if (!is_open(resolver) || next_ms <= now_ms) {
        resolver_cancel(resolver);
        resolver->done(resolver->arg, &resolver->found, resolver->in_time);
        return;
    }
    if (resolver->tried < TRIES_MAX && resolver->next_try_ms < next_ms)
        next_ms = resolver->next_try_ms;
    ev_timer_stop(resolver->loop, &resolver->timer);
    ev_timer_set(&resolver->timer, (double)(next_ms - now_ms) * S_PER_MS, 0.);
    ev_timer_start(resolver->loop, &resolver->timer);
}

/* A channel ignores descriptors that are not its own. */
static void
on_socket(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct resolver *resolver = watcher->data;
    ares_socket_t readable = events & EV_READ ? watcher->fd : ARES_SOCKET_BAD;
    ares_socket_t writable = events & EV_WRITE ? watcher->fd : ARES_SOCKET_BAD;

    (void)loop;
    for (size_t i = 0; i < resolver->tried; i++)
        ares_process_fd(resolver->tries[i], readable, writable);
    settle(resolver);
}

/*
 * c-ares reports what it waits for on a socket; neither: it closes the socket.
 */
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
    /* If there is no watcher left, the query of this socket times out. */
    if (watcher == NULL || (!readable && !writable))
        return;
    ev_io_set(watcher, fd,
              (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
    ev_io_start(resolver->loop, watcher);
}

/* Each try begins with another name server. */
static void
rotate_servers(ares_channel channel, size_t turns)
{
    struct ares_addr_port_node *first = NULL, *last;

    if (turns == 0 || ares_get_servers_ports(channel, &first) != ARES_SUCCESS)
        return;
    for (last = first; last != NULL && last->next != NULL; last = last->next)
        ;
    for (; turns > 0 && first != last; turns--) {
        last->next = first;
        last = first;
        first = first->next;
        last->next = NULL;
    }
    /* When out of memory, the order does not change. */
    (void)ares_set_servers_ports(channel, first);
    ares_free_data(first);
}

/* Asks the open questions. When out of memory, this try is skipped. */
static void
start_try(struct resolver *resolver)
{
    struct ares_options options = {
        .timeout = RESOLVER_LIMIT_MS,
        .tries = 1,
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = resolver,
    };
    ares_channel *channel = &resolver->tries[resolver->tried];

    resolver->next_try_ms = clock_mono_ms() + TRY_MS;
    if (ares_init_options(channel, &options,
                          ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                              ARES_OPT_SOCK_STATE_CB) != ARES_SUCCESS)
        return;
    rotate_servers(*channel, resolver->tried++);
    for (size_t i = 0; i < FAMILIES; i++) {
        const struct ares_addrinfo_hints hints = {
            .ai_family = families[i],
            .ai_socktype = SOCK_STREAM,
            .ai_flags = ARES_AI_NOSORT,
        };

        if (resolver->questions[i].is_open)
            ares_getaddrinfo(*channel, resolver->host, NULL, &hints, on_answer,
                             &resolver->questions[i]);
    }
}

static void
on_timer(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct resolver *resolver = watcher->data;
    int64_t now_ms = clock_mono_ms();

    (void)loop;
    (void)events;
    if (resolver->tried < TRIES_MAX && now_ms >= resolver->next_try_ms &&
        now_ms < resolver->end_ms)
        start_try(resolver);
    settle(resolver);
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
    for (size_t i = 0; i < FAMILIES; i++)
        resolver->questions[i].resolver = resolver;
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
    resolver_cancel(resolver);
    resolver->port = port;
    resolver->found.count = 0;
    resolver->in_time = false;
    for (size_t i = 0; i < FAMILIES; i++)
        resolver->questions[i].is_open = true;
    ev_now_update(resolver->loop);
    resolver->end_ms = clock_mono_ms() + RESOLVER_LIMIT_MS;
    resolver->host = strdup(host);
    if (resolver->host != NULL)
        start_try(resolver);
    if (resolver->tried == 0) {
        resolver_cancel(resolver);
        resolver->done(resolver->arg, &resolver->found, false);
        return;
    }
    settle(resolver);
}

void
resolver_cancel(struct resolver *resolver)
{
    ev_timer_stop(resolver->loop, &resolver->timer);
    for (size_t i = 0; i < resolver->tried; i++)
        ares_destroy(resolver->tries[i]);
    resolver->tried = 0;
    for (size_t i = 0; i < SOCKETS_MAX; i++)
        ev_io_stop(resolver->loop, &resolver->sockets[i]);
    free(resolver->host);
    resolver->host = NULL;
}

void
resolver_free(struct resolver *resolver)
{
    if (resolver == NULL)
        return;
    resolver_cancel(resolver);
    free(resolver);
}
