/*
 * A name server whose answers are slow or missing. c-ares reads the machine's
 * resolv.conf, so its ares_init_options() is replaced here by one that then
 * sets this server. Source: RFC 1035, section 4.
 */
#include <ares.h>
#include <arpa/inet.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

#include "names.h"

#define PORT_TRIES  20
#define HEADER_SIZE 12
#define TYPE_A      1
#define MS_PER_S    1000

/* "ADDRESS:PORT,..." of the running servers, or "". */
static char server_text[64];

/* Before c-ares 1.20 its options are not const. */
int __real_ares_init_options(ares_channel *, const struct ares_options *, int);
int __wrap_ares_init_options(ares_channel *, const struct ares_options *, int);

int
__wrap_ares_init_options(ares_channel *ret_channel,
                         const struct ares_options *options, int set)
{
    int status = __real_ares_init_options(ret_channel, options, set);

    if (status == ARES_SUCCESS && server_text[0] != '\0')
        CU_ASSERT_EQUAL(ares_set_servers_ports_csv(*ret_channel, server_text),
                        ARES_SUCCESS);
    return status;
}

/* The offset of the type: after the name, which ends with an empty label. */
static size_t
type_at(const struct names_question *question)
{
    size_t at = HEADER_SIZE;

    while (at < question->length && question->bytes[at] != 0)
        at += question->bytes[at] + 1U;
    return at + 1;
}

static bool
is_for_ipv4(const struct names_question *question)
{
    size_t at = type_at(question);

    return at + 1 < question->length && question->bytes[at] == 0 &&
           question->bytes[at + 1] == TYPE_A;
}

/* Adds the record of 127.0.0.x to an answer. */
static void
add_address(struct names_question *question, unsigned char x)
{
    const unsigned char record[] = {
        0xc0, HEADER_SIZE,         /* the name: as in the question */
        0,    TYPE_A,      0,   1, /* an address of the Internet */
        0,    0,           0,   0, /* not to be remembered */
        0,    4,           127, 0, 0, x};

    CU_ASSERT_FATAL(question->length + sizeof(record) <=
                    sizeof(question->bytes));
    memcpy(&question->bytes[question->length], record, sizeof(record));
    question->length += sizeof(record);
    question->bytes[7]++; /* count of answers */
}

/* Turns a query into its answer: adds addresses, if they are of IPv4. */
static void
answer(struct names_question *question)
{
    const struct names_plan *plan = &question->server->plan;
    const unsigned char flags[] = {plan->is_cut ? 0x83 : 0x81, 0x80};
    bool is_ipv4 = is_for_ipv4(question) && !plan->is_cut;

    question->length = type_at(question) + 4; /* type and class */
    CU_ASSERT_FATAL(question->length <= sizeof(question->bytes));
    memcpy(&question->bytes[2], flags, sizeof(flags));
    memset(&question->bytes[6], 0, HEADER_SIZE - 6); /* counts of records */
    if (is_ipv4 && plan->has_two)
        add_address(question, 2);
    for (int i = 0; is_ipv4 && i <= plan->more; i++)
        add_address(question, 1);
}

static void
on_due(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct names_question *question = timer->data;

    (void)loop;
    (void)events;
    answer(question);
    (void)sendto(question->server->readable.fd, question->bytes,
                 question->length, 0, (const struct sockaddr *)&question->from,
                 sizeof(question->from));
}

static void
on_question(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct names_server *server = watcher->data;
    struct names_question *question;
    socklen_t length = sizeof(question->from);
    ssize_t got;
    int delay_ms;

    (void)events;
    CU_ASSERT_FATAL(server->count < NAMES_HELD);
    question = &server->questions[server->count];
    got = recvfrom(watcher->fd, question->bytes, sizeof(question->bytes), 0,
                   (struct sockaddr *)&question->from, &length);
    if (got < HEADER_SIZE)
        return;
    server->count++;
    question->server = server;
    question->length = (size_t)got;
    delay_ms = is_for_ipv4(question) ? server->plan.delay_ms
                                     : server->plan.delay_ipv6_ms;
    if (delay_ms < 0 || server->count <= server->plan.lost)
        return;
    ev_timer_init(&question->due, on_due, (ev_tstamp)delay_ms / MS_PER_S, 0.);
    question->due.data = question;
    ev_timer_start(loop, &question->due);
}

/* Binds to a free UDP port of 127.0.0.1. */
static int
open_datagrams(struct sockaddr_in *ret_address)
{
    socklen_t length = sizeof(*ret_address);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    *ret_address = (struct sockaddr_in){.sin_family = AF_INET};
    ret_address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CU_ASSERT_FATAL(
        bind(fd, (const struct sockaddr *)ret_address, length) == 0 &&
        getsockname(fd, (struct sockaddr *)ret_address, &length) == 0);
    return fd;
}

/* Listens on the TCP port, and never reads; -1: the port is taken. */
static int
listen_silently(const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 &&
        listen(fd, NAMES_HELD) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

/* Adds a server, which is asked after those before it. */
static void
add_server(const struct sockaddr_in *address)
{
    size_t length = strlen(server_text);

    (void)snprintf(&server_text[length], sizeof(server_text) - length,
                   "%s127.0.0.1:%u", length > 0 ? "," : "",
                   (unsigned)ntohs(address->sin_port));
}

void
names_start(struct names_server *server, struct ev_loop *loop,
            const struct names_plan *plan)
{
    struct sockaddr_in address, silent;
    int fd = open_datagrams(&address);

    *server = (struct names_server){
        .loop = loop, .plan = *plan, .tcp = -1, .silent = -1};
    /* A free UDP port may be in use as a TCP port. */
    for (int i = 0; plan->is_cut && server->tcp < 0; i++) {
        if (i > 0) {
            (void)close(fd);
            fd = open_datagrams(&address);
        }
        CU_ASSERT_FATAL(i < PORT_TRIES);
        server->tcp = listen_silently(&address);
    }
    if (plan->is_second) {
        server->silent = open_datagrams(&silent);
        add_server(&silent);
    }
    add_server(&address);
    ev_io_init(&server->readable, on_question, fd, EV_READ);
    server->readable.data = server;
    ev_io_start(loop, &server->readable);
}

void
names_end(struct names_server *server)
{
    server_text[0] = '\0';
    for (size_t i = 0; i < server->count; i++)
        ev_timer_stop(server->loop, &server->questions[i].due);
    ev_io_stop(server->loop, &server->readable);
    (void)close(server->readable.fd);
    if (server->tcp >= 0)
        (void)close(server->tcp);
    if (server->silent >= 0)
        (void)close(server->silent);
}
