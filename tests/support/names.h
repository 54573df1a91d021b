#ifndef NAMES_H
#define NAMES_H

#include <ev.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#define NAMES_HELD      64 /* the most queries of one server */
#define NAMES_BYTES_MAX 512

struct names_plan {
    size_t lost;       /* how many queries, the first ones, get no answer */
    int delay_ms;      /* of each answer; below 0: no answer */
    int delay_ipv6_ms; /* the same for queries of IPv6 addresses */
    int more;          /* how many more records of 127.0.0.1 an answer has */
    bool has_two;      /* 127.0.0.2 comes before 127.0.0.1 */
    bool is_cut;       /* truncated: the rest is over TCP, and never comes */
    bool is_second;    /* another server, which is silent, is asked first */
};

struct names_server;

/* A query, which is turned into its answer in place. */
struct names_question {
    struct names_server *server;
    ev_timer due;
    struct sockaddr_in from;
    unsigned char bytes[NAMES_BYTES_MAX];
    size_t length;
};

/*
 * A name server on the loop: each name has the address 127.0.0.1, and no IPv6
 * address. While it runs, all lookups of the program through c-ares ask it.
 */
struct names_server {
    struct ev_loop *loop;
    struct names_plan plan;
    ev_io readable;
    int tcp;    /* a listening socket on the same port, or -1 */
    int silent; /* the socket of the server that is asked first, or -1 */
    struct names_question questions[NAMES_HELD];
    size_t count; /* queries so far */
};

void names_start(struct names_server *server, struct ev_loop *loop,
                 const struct names_plan *plan);
void names_end(struct names_server *server);

#endif
