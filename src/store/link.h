#ifndef STORE_LINK_H
#define STORE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redis/conn.h"
#include "redis/error.h"
#include "redis/url.h"
#include "store/store.h"

/*
 * What lies between a node and its server. The node decides when to connect and
 * when to give up, the store what to send; a link keeps one connection and
 * knows the protocol, and the time limits of both.
 */
struct store_link;
struct store_node;

/* One read as the link sees it; it belongs to whoever sends it. */
struct store_fetch {
    const struct bytes *keys;
    size_t count;
    struct store_value *values; /* one per key, for the link to fill */
    size_t bytes_max;           /* of all values; more: STORE_LARGE */
    bool is_guarded;   /* ask for no answer that is too large: one key's are
                          cut off, of more the sizes are learnt first */
    bool is_abandoned; /* nobody waits any more: keys may be gone by now */
    bool is_asking;    /* of a Cluster: each key with ASKING before it */
    bool is_kept;      /* what the values point into is not freed with the
                          answer, but by store_fetch_release() */

    /* For the link alone; all 0 when the fetch is handed over. */
    struct store_link *link;
    size_t waiting;     /* replies still to come */
    size_t next, taken; /* keys that have been asked for, and that have come */
    size_t chunks;      /* under way */
    size_t flight, bytes; /* of these, by estimate; of what has come */
    bool is_measured;     /* the sizes are known */
    bool has_large_value; /* which is the answer */
    bool is_lost;         /* the connection ended before one of the replies */
    enum store_status status;
    char refusal[REDIS_ERROR_WORDS]; /* of STORE_REFUSED: why */
    void *kept;                      /* what the values point into */
};

struct store_link_ops {
    /*
     * Begins to build a connection. It ends with store_link_up() or
     * store_link_down(), within time limits that are the link's own.
     */
    void (*open)(struct store_link *link);

    /*
     * Sends a read over a connection that is up. Its answer comes through
     * store_link_reply(), unless the connection ends before that. Returns
     * false, and has sent nothing, only without memory.
     */
    bool (*read)(struct store_link *link, struct store_fetch *fetch);

    /* Likewise a write, of which everything is copied. */
    bool (*write)(struct store_link *link, struct bytes key, struct bytes value,
                  int64_t ttl_s);

    /* Likewise a command that asks for nothing but an answer. */
    bool (*check)(struct store_link *link);

    /* Puts on the wire, in one go, what was sent since the last flush. */
    void (*flush)(struct store_link *link);

    void (*free)(struct store_link *link);
};

/* Every backend's struct begins with this. */
struct store_link {
    const struct store_link_ops *ops;
    struct store_node *node;    /* set by store_node_new() */
    struct store_fetch *blamed; /* whose answer ends the connection */
    enum redis_role role;       /* of the server that was reached last */
    bool has_no_range; /* the server of this connection cuts nothing off */
    bool is_single;    /* of a Cluster: keys are asked for one by one */
};

/*
 * The connection is ready for commands, or it is gone: could not be made, was
 * closed, broke the protocol, or was silent for too long. After down the link
 * knows no fetch any more. Both may be called at any time; they take effect in
 * the next turn.
 *
 * fault     REDIS_FAULT_HANDSHAKE opens the breaker at once; LARGE and SLOW
 *           are no failure, but that of the read that link->blamed is, if any.
 * reason    in words, without keys or values; copied.
 */
void store_link_up(struct store_link *link);
void store_link_down(struct store_link *link, enum redis_fault fault,
                     const char *reason);

/*
 * Answers a fetch, which is gone when this returns. Never called from within
 * one of the operations above.
 *
 * refusal   of STORE_REFUSED: what the server's answer was, in words.
 */
void store_link_reply(struct store_link *link, struct store_fetch *fetch,
                      enum store_status status, const char *refusal);

/* Frees what the values of an answered fetch point into, if it is_kept. */
void store_fetch_release(struct store_fetch *fetch);

/* Answers the oldest unanswered write; error is NULL if it went well. */
void store_link_wrote(struct store_link *link, const char *error);

/* Answers the check under way; an error is an answer, too. */
void store_link_checked(struct store_link *link);

struct ev_loop;

/*
 * A link to a Redis, served by the loop. SIGPIPE must be ignored.
 *
 * redis     borrowed until the link is freed.
 *
 * NULL without memory, or with TLS asked for and not to be had.
 */
struct store_link *store_link_redis(struct ev_loop *loop,
                                    const struct redis_url *redis,
                                    const struct store_config *config);

/*
 * The same to one server of a Cluster.
 *
 * id        its own, borrowed; "": not known. Another server is not taken.
 */
struct store_link *store_link_cluster(struct ev_loop *loop,
                                      const struct redis_url *redis,
                                      const char *id,
                                      const struct store_config *config);

#endif
