#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "redis/error.h"

/*
 * The store as the rest of the service sees it: reads under a deadline, each
 * answered exactly once; writes that nobody waits for. Pure: time is a
 * parameter everywhere, in milliseconds of CLOCK_MONOTONIC. Source:
 * docs/protocol.md, S20.
 */
struct store;

enum store_need {
    STORE_MUST, /* the answer depends on it: retried on new connections */
    STORE_CACHE /* one try, and only while the breaker is closed */
};

enum store_status {
    STORE_OK = 0,
    STORE_DOWN,    /* no connection within the attempts, or breaker open */
    STORE_TIMEOUT, /* the deadline passed */
    STORE_REFUSED, /* the server answered with an error */
    STORE_LARGE,   /* the values come to more than one read may have */
    STORE_MEMORY,
    STORE__MAX
};

const char *store_status_text(enum store_status status);

enum store_value_kind {
    STORE_ABSENT = 0, /* no such key; read alone by STORE_MUST: or empty */
    STORE_STRING,
    STORE_WRONG_TYPE, /* there is such a key, and it holds no string */
    STORE_ELSEWHERE,  /* of a Cluster, below the store only: data is the
                         redirection */
    STORE_LARGE_VALUE /* a string of more than STORE_VALUE_BYTES_MAX; the values
                         of other keys may be missing then */
};

#define STORE_VALUE_BYTES_MAX ((size_t)1 << 20)

struct store_value {
    enum store_value_kind kind;
    struct bytes data; /* of STORE_STRING */
};

/*
 * arg      as given to store_read().
 * values   one per key, in order, when status is STORE_OK; lent for this call.
 */
typedef void store_done_fn(void *arg, enum store_status status,
                           const struct store_value *values);

/*
 * Ask for the values of some keys.
 *
 * keys      count of them, at least one; borrowed, with their bytes, until
 *           done() has been called.
 * need      see enum store_need.
 * deadline  absolute milliseconds; a cache read ends at the command's time
 *           limit if that comes first.
 * done      called exactly once: not before this call returns, and at the
 *           latest in the store_turn() at the deadline. It may read and write
 *           again, but neither take a turn nor free the store.
 *
 * Returns false, and never calls done(), only without memory.
 */
bool store_read(struct store *store, const struct bytes *keys, size_t count,
                enum store_need need, int64_t now_ms, int64_t deadline_ms,
                store_done_fn *done, void *arg);

/*
 * Write a value that lives for ttl_s seconds; best effort, nobody is told.
 * Everything is copied.
 */
void store_write(struct store *store, struct bytes key, struct bytes value,
                 int64_t ttl_s);

/*
 * Called once at the end of every turn of the loop: sends what was asked for
 * in one write, ends what is overdue, starts connections that are due.
 *
 * Returns the milliseconds until it must be called again at the latest, or
 * -1 if only new work or the link can change anything.
 */
int64_t store_turn(struct store *store, int64_t now_ms);

/* Reads not yet answered. */
size_t store_pending(const struct store *store);

/* Whether a read sent now would go out at once, on a trusted connection. */
bool store_is_up(const struct store *store);

/*
 * What the server says that it is, in one word; NULL where it does not matter:
 * with one server, which is the master, or with several.
 */
const char *store_role(const struct store *store);

/* Sentinels that can be reached; 0 without any. */
size_t store_sentinels(const struct store *store);

/*
 * Milliseconds until the next connection is tried; 0 while one is tried, or
 * when there is one.
 */
int64_t store_next_try_ms(const struct store *store, int64_t now_ms);

/* Answers what is still pending with STORE_DOWN. Accepts NULL. */
void store_free(struct store *store);

enum store_event {
    STORE_EVENT_DOWN,          /* breaker opened, once an outage; detail */
    STORE_EVENT_UP,            /* breaker closed again */
    STORE_EVENT_REFUSED,       /* a required read of one key got an error */
    STORE_EVENT_MANY_REFUSED,  /* one of several keys */
    STORE_EVENT_CACHE_REFUSED, /* a cache read */
    STORE_EVENT_READ_OK,       /* one of such a kind was answered well */
    STORE_EVENT_MANY_OK,
    STORE_EVENT_CACHE_OK,
    STORE_EVENT_WRITE_FAILED,   /* a cache write was lost */
    STORE_EVENT_WROTE,          /* a cache write went well */
    STORE_EVENT_MASTER,         /* sentinels name another one: its address */
    STORE_EVENT_RETRY,          /* a read moves to a new connection */
    STORE_EVENT_REDIRECTED,     /* a key is asked for at another server */
    STORE_EVENT_CONNECTED,      /* one is built and shaken hands on */
    STORE_EVENT_CONNECT_FAILED, /* one is not; enum redis_fault is added */
    STORE_EVENT__MAX = STORE_EVENT_CONNECT_FAILED + REDIS_FAULT__MAX
};

/*
 * What happened, to be counted, and logged if it changes anything. DOWN and UP
 * come only on a change.
 *
 * server   lent; the address of the one of several servers that it happened to;
 *          NULL: that of the URL, or it is a matter of no single server.
 * detail   lent; a reason in words, without values or keys; may be NULL.
 */
typedef void store_event_fn(void *arg, enum store_event event,
                            const char *server, const char *detail);

struct store_config {
    int attempts; /* N */
    int64_t connect_timeout_ms;
    int64_t command_timeout_ms;
    int64_t deadline_ms;     /* of all store work of one request; failing for as
                                long opens the breaker */
    size_t answer_bytes_max; /* of all values of one read */
    struct bytes probe_key;  /* read to see whether the server is well; it may
                                be absent; borrowed */
    store_event_fn *event;
    void *event_arg;
};

#endif
