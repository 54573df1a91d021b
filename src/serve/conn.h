#ifndef CONN_H
#define CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct api;
struct config;
struct conn;
struct ev_loop;
struct log;
struct metrics;
struct store;

TAILQ_HEAD(conn_list, conn);

/* What all connections of a worker share; everything is borrowed. */
struct conn_shared {
    struct ev_loop *loop;
    const struct config *config;
    struct api *api;
    struct store *store;
    struct log *log;
    struct metrics *metrics;
    struct conn_list conns;     /* TAILQ_INIT() it, and the next one */
    struct conn_list gathering; /* those within a large request, oldest first */
    size_t gathered;            /* bytes that these have kept so far */
    bool was_large; /* much memory was in use: set here, cleared by the owner */
    void (*emptied)(void *arg); /* the last connection is gone */
    void (*reload)(void *arg);  /* the settings are to be read again */
    void *arg;
};

/*
 * Takes over an accepted, non-blocking descriptor, which it closes in the end
 * (at once without memory, returning false).
 */
bool conn_open(struct conn_shared *shared, int fd);

size_t conn_count(const struct conn_shared *shared);

/*
 * Lets some more connections go, in the order of their age: at once, or when
 * what has arrived, or has begun to, is answered.
 */
void conn_drain(struct conn_shared *shared, size_t count);

/* Closes every connection, whatever it is doing; the store must be gone. */
void conn_close_all(struct conn_shared *shared);

#endif
