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
    struct conn_list conns; /* the owner calls TAILQ_INIT() for both lists */
    struct conn_list gathering; /* whose request is incomplete, oldest first */
    size_t gathered;            /* bytes of these incomplete requests */
    bool was_large; /* much memory was used: set here, cleared by the owner */
    void (*emptied)(void *arg); /* the last connection has been closed */
    void (*reload)(void *arg);  /* a request wants the settings read again */
    void *arg;
};

/*
 * Serves an accepted, non-blocking descriptor, which it owns and closes, also
 * on failure. Returns false if memory runs out.
 */
bool conn_open(struct conn_shared *shared, int fd);

size_t conn_count(const struct conn_shared *shared);

/*
 * Closes the count oldest connections that are not to be closed yet: each at
 * once, or when a request that has arrived, or begun to arrive, is answered.
 */
void conn_drain(struct conn_shared *shared, size_t count);

/*
 * Closes the oldest idle connection, so that its descriptor is free. If its
 * next request has just arrived, it is closed after the answer instead. Returns
 * false if none is idle.
 */
bool conn_close_idle(struct conn_shared *shared);

/* Closes all connections, in any state; the store must have been freed. */
void conn_close_all(struct conn_shared *shared);

#endif
