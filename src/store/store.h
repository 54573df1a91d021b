#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "redis/error.h"

/*
 * The store as the rest of the service sees it: reads with a deadline, each
 * answered exactly once, and writes whose result nobody waits for. Pure: every
 * time is a parameter, in milliseconds of CLOCK_MONOTONIC. Source:
 * docs/protocol.md, S20.
 */
struct store;

enum store_need {
    STORE_MUST, /* a required read: tried again on new connections */
    STORE_CACHE /* a cache read: one try, and only while the breaker is closed
                 */
};

enum store_status {
    STORE_OK = 0,
    STORE_DOWN,    /* no attempt is left, or the breaker is open */
    STORE_TIMEOUT, /* the deadline has passed */
    STORE_REFUSED, /* the server answered with an error */
    STORE_LARGE,   /* the values exceed answer_bytes_max together */
    STORE_MEMORY,  /* out of memory */
    STORE__MAX
};

const char *store_status_text(enum store_status status);

enum store_value_kind {
    STORE_ABSENT = 0, /* the key does not exist; a required read of one key
                         also reports an empty value so */
    STORE_STRING,
    STORE_WRONG_TYPE, /* the key exists, but does not hold a string */
    STORE_ELSEWHERE,  /* only within store/: the server of a Cluster redirected
                         the key; data is its error reply */
    STORE_LARGE_VALUE /* a string of more than STORE_VALUE_BYTES_MAX; values of
                         other keys of the same read may be missing */
};

/* Source: docs/protocol.md, S18.3. */
#define STORE_VALUE_BYTES_MAX ((size_t)1 << 20)

struct store_value {
    enum store_value_kind kind;
    struct bytes data; /* of STORE_STRING */
};

/*
 * Receives the result of a read.
 *
 * arg      as given to store_read().
 * values   one per key, in the order of the keys, if status is STORE_OK, else
 *          NULL; lent for this call.
 */
typedef void store_done_fn(void *arg, enum store_status status,
                           const struct store_value *values);

/*
 * Reads the values of some keys.
 *
 * keys          count of them, at least one; borrowed, with their bytes, until
 *               done() has been called.
 * deadline_ms   absolute; a cache read ends after command_timeout_ms if that
 *               comes first.
 * done          called exactly once: after this call has returned, and at the
 *               latest in the first store_turn() at or after the deadline. It
 *               may call store_read() and store_write(), but neither
 *               store_turn() nor store_free().
 *
 * Returns false only if memory runs out; done() is then never called.
 */
bool store_read(struct store *store, const struct bytes *keys, size_t count,
                enum store_need need, int64_t now_ms, int64_t deadline_ms,
                store_done_fn *done, void *arg);

/*
 * Writes a value that expires after ttl_s seconds. Key and value are copied.
 * One try; only the events STORE_EVENT_WROTE and STORE_EVENT_WRITE_FAILED
 * report the result.
 */
void store_write(struct store *store, struct bytes key, struct bytes value,
                 int64_t ttl_s);

/*
 * To be called at the end of every turn of the loop: sends the commands of all
 * new reads and writes in one write per connection, ends overdue reads, and
 * begins connections that are due.
 *
 * Returns the milliseconds until it must be called again, or -1 if only a new
 * read or an event of a connection makes another call necessary.
 */
int64_t store_turn(struct store *store, int64_t now_ms);

/* How many reads have not been answered yet. */
size_t store_pending(const struct store *store);

/* Whether every server has a usable connection and a closed breaker. */
bool store_is_up(const struct store *store);

/*
 * The role that the server has reported, in one word; static. NULL if the role
 * says nothing: a single server that is the master, or a Cluster.
 */
const char *store_role(const struct store *store);

/* How many sentinels are reachable; 0 without sentinels. */
size_t store_sentinels(const struct store *store);

/*
 * Milliseconds until the next connection attempt; 0 if one is running, or if
 * there is a connection.
 */
int64_t store_next_try_ms(const struct store *store, int64_t now_ms);

/* Answers all pending reads with STORE_DOWN. Accepts NULL. */
void store_free(struct store *store);

enum store_event {
    STORE_EVENT_DOWN,          /* a breaker opened; detail is the reason */
    STORE_EVENT_UP,            /* that breaker closed */
    STORE_EVENT_REFUSED,       /* a required read of one key got an error */
    STORE_EVENT_MANY_REFUSED,  /* a required read of several keys did */
    STORE_EVENT_CACHE_REFUSED, /* a cache read did */
    STORE_EVENT_READ_OK,       /* a required read of one key succeeded */
    STORE_EVENT_MANY_OK,       /* a required read of several keys did */
    STORE_EVENT_CACHE_OK,      /* a cache read did */
    STORE_EVENT_WRITE_FAILED,  /* a cache write was lost */
    STORE_EVENT_WRITE_DROPPED, /* a cache write was pending on a server that
                                  is no longer used */
    STORE_EVENT_WROTE,         /* a cache write succeeded */
    STORE_EVENT_MASTER,        /* the sentinels name a new master; detail is its
                                  address */
    STORE_EVENT_RETRY,         /* a read is sent again on a new connection */
    STORE_EVENT_REDIRECTED,    /* a key was redirected to another server */
    STORE_EVENT_CONNECTED,     /* a connection is up, with its handshake done */
    STORE_EVENT_CONNECT_FAILED, /* a connection attempt failed; the event is
                                   this plus the enum redis_fault */
    STORE_EVENT__MAX = STORE_EVENT_CONNECT_FAILED + REDIS_FAULT__MAX
};

/*
 * Receives every event, to count it and, if it changes the state of the store,
 * to log it. DOWN and UP come only when the breaker changes.
 *
 * server   lent; the address of the server of a Cluster that it happened to.
 *          NULL: the server of the URL, or no single server.
 * detail   lent; a reason in words, without values or keys; may be NULL.
 */
typedef void store_event_fn(void *arg, enum store_event event,
                            const char *server, const char *detail);

struct store_config {
    int attempts; /* of a required read; and failures that open the breaker */
    int64_t connect_timeout_ms;
    int64_t command_timeout_ms;
    int64_t deadline_ms;     /* of all store work of one request; a server that
                                fails for as long opens its breaker */
    size_t answer_bytes_max; /* of all values of one read */
    struct bytes probe_key;  /* read to check a server; it need not exist;
                                borrowed */
    store_event_fn *event;   /* may be NULL */
    void *event_arg;
};

#endif
