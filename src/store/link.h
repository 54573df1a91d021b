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
 * The link between a node and its server. The node decides when to connect and
 * when to give up, the store decides what to send; the link owns one
 * connection, knows the protocol, and applies the time limits of connecting
 * and of commands.
 */
struct store_link;
struct store_node;

/* One read as the link sees it; owned by its sender. */
struct store_fetch {
    const struct bytes *keys;
    size_t count;
    struct store_value *values; /* one per key; the link fills them */
    size_t bytes_max;           /* of all values; more: STORE_LARGE */
    size_t *sum; /* of the bytes of all parts of a split read, counted by their
                    links; NULL: there are no other parts, or abandoned */
    bool is_guarded;   /* never request too large a reply: the value of one key
                          is cut off, the lengths of several are read first */
    bool is_abandoned; /* nobody waits for it: keys may have been freed */
    bool is_asking;    /* in a Cluster: send ASKING before each key */
    bool is_kept;      /* the replies that the values point into outlive the
                          answer: store_fetch_release() frees them */

    /* For the link alone; all 0 when the sender hands the fetch over. */
    struct store_link *link;
    size_t waiting;       /* replies to come */
    size_t next;          /* the first key that has not been requested */
    size_t taken;         /* how many keys have been answered */
    size_t chunks;        /* pending, of one or several keys each */
    size_t flight;        /* estimated bytes of the pending chunks */
    size_t bytes;         /* of the values that have arrived, or are measured */
    size_t again;         /* keys to request again, in the next pass */
    unsigned pass;        /* how single keys are requested */
    bool is_repeated;     /* in this pass, only values that were cut off */
    bool is_denied;       /* GETRANGE was: the next pass uses GET */
    bool is_measured;     /* the lengths of the values are known */
    bool has_large_value; /* one is STORE_LARGE_VALUE: the read is decided */
    bool is_lost;         /* the connection ended before the last reply */
    enum store_status status;
    char refusal[REDIS_ERROR_WORDS]; /* the reason of STORE_REFUSED */
    void *kept; /* the replies that the values point into */
};

struct store_link_ops {
    /*
     * Begins to open a connection. The link reports the result with
     * store_link_up() or store_link_down(), within connect_timeout_ms and
     * command_timeout_ms.
     */
    void (*open)(struct store_link *link);

    /*
     * Sends a read over a connection that is up. Its answer comes through
     * store_link_reply(), unless the connection ends before that. Returns
     * false, with nothing sent, only if memory runs out.
     */
    bool (*read)(struct store_link *link, struct store_fetch *fetch);

    /* Sends a write in the same way; store_link_wrote() answers it. Key and
     * value are copied. */
    bool (*write)(struct store_link *link, struct bytes key, struct bytes value,
                  int64_t ttl_s);

    /* Sends a PING in the same way; store_link_checked() answers it. */
    bool (*check)(struct store_link *link);

    /* Writes everything that was sent since the last flush to the socket. */
    void (*flush)(struct store_link *link);

    void (*free)(struct store_link *link);
};

/* Each implementation's struct begins with this. */
struct store_link {
    const struct store_link_ops *ops;
    struct store_node *node;    /* set by store_node_new() */
    struct store_fetch *blamed; /* the read whose reply ends the connection */
    struct redis_commands *commands; /* of its connection */
    enum redis_role role;            /* of the last server that was reached */
    bool has_no_range; /* this server refuses GETRANGE, but accepts GET */
    bool is_single;    /* in a Cluster: one command per key */
};

/*
 * The link reports that its connection is up, or down: it could not be opened,
 * was closed, broke the protocol, or was silent for too long. When
 * store_link_down() is called, the link has already forgotten all fetches. Both
 * may be called at any time; they take effect in the next turn.
 *
 * fault     REDIS_FAULT_HANDSHAKE opens the breaker at once. LARGE and SLOW do
 *           not count as a failure of the server: at most link->blamed fails.
 * reason    in words, without keys or values; copied.
 */
void store_link_up(struct store_link *link);
void store_link_down(struct store_link *link, enum redis_fault fault,
                     const char *reason);

/*
 * The link answers a fetch, which may have been freed when this returns. Never
 * called from within one of the operations above.
 *
 * refusal   with STORE_REFUSED: the server's error, in words.
 */
void store_link_reply(struct store_link *link, struct store_fetch *fetch,
                      enum store_status status, const char *refusal);

/* Frees the replies that the values of an answered, kept fetch point into. */
void store_fetch_release(struct store_fetch *fetch);

/* The link answers its oldest pending write; error is NULL on success. */
void store_link_wrote(struct store_link *link, const char *error);

/* The link answers the pending check; an error reply is an answer, too. */
void store_link_checked(struct store_link *link);

struct ev_loop;

/*
 * Makes a link to one Redis, served by the loop. SIGPIPE must be ignored.
 *
 * redis     borrowed until the link is freed.
 *
 * Returns NULL if memory runs out, or if TLS is required but not available.
 */
struct store_link *store_link_redis(struct ev_loop *loop,
                                    const struct redis_url *redis,
                                    const struct store_config *config);

/*
 * Makes a link to one server of a Cluster, in the same way.
 *
 * id        the server's, borrowed; "": not known. A server with another id is
 *           refused.
 */
struct store_link *store_link_cluster(struct ev_loop *loop,
                                      const struct redis_url *redis,
                                      const char *id,
                                      const struct store_config *config);

#endif
