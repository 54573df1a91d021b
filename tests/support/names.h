#ifndef NAMES_H
#define NAMES_H

#include <ev.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#define NAMES_HELD      64 /* questions, at most, in the life of a server */
#define NAMES_BYTES_MAX 512

struct names_plan {
    size_t lost;       /* so many questions, the first, are not answered */
    int delay_ms;      /* of each answer; below 0: there is none */
    int delay_ipv6_ms; /* likewise, to questions for IPv6 addresses */
    int more;          /* so often 127.0.0.1 comes again */
    bool has_two;      /* 127.0.0.2 comes before 127.0.0.1 */
    bool is_cut;       /* the rest comes over TCP, where nobody answers */
    bool is_second;    /* another server, which is silent, is asked first */
};

struct names_server;

/* A question on the way to being its own answer. */
struct names_question {
    struct names_server *server;
    ev_timer due;
    struct sockaddr_in from;
    unsigned char bytes[NAMES_BYTES_MAX];
    size_t length;
};

/*
 * A name server on the loop, for which every name is 127.0.0.1 and has no
 * IPv6 address. While it runs the program's look-ups through c-ares ask it.
 */
struct names_server {
    struct ev_loop *loop;
    struct names_plan plan;
    ev_io readable;
    int tcp;    /* listens on the same port; -1: nobody does */
    int silent; /* the server before this one; -1: there is none */
    struct names_question questions[NAMES_HELD];
    size_t count; /* questions so far */
};

void names_start(struct names_server *server, struct ev_loop *loop,
                 const struct names_plan *plan);
void names_end(struct names_server *server);

#endif
