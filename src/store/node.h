#ifndef NODE_H
#define NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/link.h"
#include "store/store.h"

/*
 * One server: its connection, its health and its breaker. It decides when to
 * connect, and whom the server may serve meanwhile; it knows neither keys nor
 * requests, and tells its owner what becomes of what was sent. Pure: time is a
 * parameter, in milliseconds of CLOCK_MONOTONIC. Source: docs/protocol.md,
 * S20.
 */
struct store_node;

/* What has become of the reads of a node. */
enum store_loss {
    STORE_LOSS_SENT,   /* they were lost with the connection */
    STORE_LOSS_WAITED, /* the connection that they waited for did not come */
    STORE_LOSS_AGAIN,  /* the connection ended for no fault of the server: all
                          but the read that is blamed are to be sent again */
    STORE_LOSS_MOVED,  /* the node ends: what it had is asked for elsewhere */
    STORE_LOSS__MAX
};

struct store_node_owner {
    /* As store_event_fn. */
    void (*event)(void *arg, enum store_event event, const char *server,
                  const char *detail);

    /* A fetch has its answer, as store_link_reply() says. */
    void (*answered)(void *arg, struct store_fetch *fetch,
                     enum store_status status, const char *refusal);

    /*
     * fault     why the connection ended.
     * reason    the same in words; lent.
     * blamed    of STORE_LOSS_AGAIN: the fetch whose answer ended it, if any.
     */
    void (*lost)(void *arg, struct store_node *node, enum store_loss loss,
                 enum redis_fault fault, const char *reason,
                 struct store_fetch *blamed);
};

/* Owns the link from now on, and frees it too when it returns NULL. */
struct store_node *store_node_new(const struct store_config *config,
                                  struct store_link *link);

/* To be called once, before anything else. owner is borrowed. */
void store_node_set_owner(struct store_node *node,
                          const struct store_node_owner *owner, void *arg);

/* Its address, for the owner's event(); borrowed. NULL: that of the URL. */
void store_node_set_address(struct store_node *node, const char *address);

/*
 * A turn, in three parts: what the link has reported takes effect; time does;
 * and what was sent since goes out.
 */
void store_node_settle(struct store_node *node, int64_t now_ms);
void store_node_advance(struct store_node *node, int64_t now_ms);
void store_node_flush(struct store_node *node, int64_t now_ms);

/* When a turn is due at the latest; INT64_MAX: only if something happens. */
int64_t store_node_due_ms(const struct store_node *node);

/* What a read may expect; none of these: it fails at once. */
enum store_way {
    STORE_WAY_SEND = 1,       /* it may be sent now */
    STORE_WAY_WAIT = 2,       /* a required read waits for its answer, or for
                                 a connection */
    STORE_WAY_WAIT_CACHE = 4, /* so does one of the cache */
};

unsigned store_node_way(const struct store_node *node);

/* Whether there is a connection that commands can be sent over. */
bool store_node_is_usable(const struct store_node *node);

/* What the server that was reached last has said that it is. */
enum redis_role store_node_role(const struct store_node *node);

/* Whether the breaker is open: nobody waits for this server. */
bool store_node_is_down(const struct store_node *node);

/* A required read ran out of time: without a connection, that is enough. */
void store_node_give_up(struct store_node *node);

/*
 * Sends a fetch, or a write, over a usable connection; as the link's
 * operations.
 */
bool store_node_read(struct store_node *node, struct store_fetch *fetch);
bool store_node_write(struct store_node *node, struct bytes key,
                      struct bytes value, int64_t ttl_s);

/* Milliseconds until the next connection is tried; 0: now, or there is one. */
int64_t store_node_next_try_ms(const struct store_node *node, int64_t now_ms);

/* The name of its state, as the table in node.c has it. */
const char *store_node_state(const struct store_node *node);

/* Ends the node for good: the owner is told of STORE_LOSS_MOVED. */
void store_node_retire(struct store_node *node);

/* Ends the connection, and tells nobody. Accepts NULL. */
void store_node_free(struct store_node *node);

#endif
