#ifndef CONN_H
#define CONN_H

#include <stdbool.h>
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
    struct conn_list conns;
    bool draining;              /* close instead of waiting for more */
    void (*emptied)(void *arg); /* the last connection is gone */
    void *arg;
};

/* Milliseconds and microseconds of CLOCK_MONOTONIC. */
int64_t conn_now_ms(void);
int64_t conn_now_us(void);

/*
 * Takes over an accepted, non-blocking descriptor, which it closes in the end
 * (at once without memory, returning false).
 */
bool conn_open(struct conn_shared *shared, int fd);

/*
 * With shared->draining set: serves what has arrived, and closes the
 * connections on which nothing has.
 */
void conn_drain_all(struct conn_shared *shared);

/* Closes every connection, whatever it is doing; the store must be gone. */
void conn_close_all(struct conn_shared *shared);

#endif
