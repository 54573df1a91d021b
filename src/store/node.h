#ifndef NODE_H
#define NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/link.h"
#include "store/store.h"

/*
 * One server: its connection, its health and its breaker. The node decides when
 * to connect, and which reads may wait meanwhile. It knows neither keys nor
 * requests, and reports to its owner what becomes of the reads and writes that
 * it sent. Pure: every time is a parameter, in milliseconds of CLOCK_MONOTONIC.
 * Source: docs/protocol.md, S20.
 */
struct store_node;

/* What happened to the reads of a node. */
enum store_loss {
    STORE_LOSS_SENT,   /* those that were sent are lost with the connection */
    STORE_LOSS_WAITED, /* those that waited: the connection attempt failed */
    STORE_LOSS_AGAIN,  /* the connection ended, but the server is healthy: all
                          reads but the blamed one are to be sent again */
    STORE_LOSS_MOVED,  /* the node ends: its reads go to another node */
    STORE_LOSS__MAX
};

struct store_node_owner {
    /* As store_event_fn. */
    void (*event)(void *arg, enum store_event event, const char *server,
                  const char *detail);

    /* A fetch is answered; as store_link_reply(). */
    void (*answered)(void *arg, struct store_fetch *fetch,
                     enum store_status status, const char *refusal);

    /*
     * Reads are lost; see enum store_loss.
     *
     * fault     why the connection ended.
     * reason    the same in words; lent.
     * blamed    with STORE_LOSS_AGAIN: the fetch whose reply ended the
     *           connection, or NULL.
     */
    void (*lost)(void *arg, struct store_node *node, enum store_loss loss,
                 enum redis_fault fault, const char *reason,
                 struct store_fetch *blamed);
};

/* Makes a node that owns the link, and frees it also on failure. Returns NULL
 * if memory runs out. */
struct store_node *store_node_new(const struct store_config *config,
                                  struct store_link *link);

/* To be called once, before anything else. owner is borrowed. */
void store_node_set_owner(struct store_node *node,
                          const struct store_node_owner *owner, void *arg);

/* Sets the address that the owner's event() receives; borrowed. NULL: the
 * server of the URL. */
void store_node_set_address(struct store_node *node, const char *address);

/*
 * The three parts of a turn: apply what the link has reported; apply what is
 * due by now; send what was added since the last flush.
 */
void store_node_settle(struct store_node *node, int64_t now_ms);
void store_node_advance(struct store_node *node, int64_t now_ms);
void store_node_flush(struct store_node *node, int64_t now_ms);

/* When a turn is due at the latest; INT64_MAX: only if something happens. */
int64_t store_node_due_ms(const struct store_node *node);

/* What a read of this node may do; 0: it fails at once. */
enum store_way {
    STORE_WAY_SEND = 1,       /* be sent now */
    STORE_WAY_WAIT = 2,       /* if required, wait for its answer, or for a
                                 connection */
    STORE_WAY_WAIT_CACHE = 4, /* the same for a cache read */
};

/* The bits of enum store_way that are allowed now. */
unsigned store_node_way(const struct store_node *node);

/* Whether there is a connection that commands can be sent over. */
bool store_node_is_usable(const struct store_node *node);

/* The role that the last server that was reached has reported. */
enum redis_role store_node_role(const struct store_node *node);

/* Whether the breaker is open: no read waits for this server. */
bool store_node_is_down(const struct store_node *node);

/* The deadline of a required read has passed: opens the breaker if there is no
 * connection. */
void store_node_give_up(struct store_node *node);

/* Send a fetch, or a write, over a usable connection; as the operations of the
 * link. */
bool store_node_read(struct store_node *node, struct store_fetch *fetch);
bool store_node_write(struct store_node *node, struct bytes key,
                      struct bytes value, int64_t ttl_s);

/* As store_next_try_ms(), for this server. */
int64_t store_node_next_try_ms(const struct store_node *node, int64_t now_ms);

/* The name of the state, from the table in node.c; static. For tests. */
const char *store_node_state(const struct store_node *node);

/* Closes the connection, reports STORE_LOSS_MOVED to the owner, and frees the
 * node. */
void store_node_retire(struct store_node *node);

/* Frees the node without reporting anything. Accepts NULL. */
void store_node_free(struct store_node *node);

#endif
