#ifndef STORE_SLOTS_H
#define STORE_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct redisReply;

/*
 * Which server of a Redis Cluster has a key: the hash slot of a key, the map
 * of slots to servers, and redirections. Pure. Source: Redis Cluster
 * specification, "Key distribution model", "MOVED redirection", "ASK
 * redirection"; docs/protocol.md, S22.
 */
#define SLOTS_COUNT 16384

/* The largest Cluster that Redis recommends: about 1000 nodes. */
#define SLOTS_SERVERS_MAX 1024

#define SLOTS_HOST_SIZE 254 /* a host name of 253 characters, and a NUL */

#define SLOTS_ID_SIZE 41 /* a server's id of 40 digits, and a NUL */

struct slots_server {
    char host[SLOTS_HOST_SIZE]; /* name or address, without brackets */
    int port;
    char id[SLOTS_ID_SIZE]; /* "": not known; Redis 3.0 does not report it */
};

enum slots_error {
    SLOTS_OK = 0,
    SLOTS_SHAPE, /* the reply is no answer to CLUSTER SLOTS */
    SLOTS_EMPTY, /* no slot has a server */
    SLOTS_MANY,  /* more than SLOTS_SERVERS_MAX servers */
    SLOTS_MEMORY,
    SLOTS__MAX
};

const char *slots_error_text(enum slots_error error);

/* The slot of a key: that of the text between its first { and the next }, if
 * there is any, else that of the whole key. */
unsigned slots_of_key(struct bytes key);

/* The map. Each server has a number, from 0, which never changes. */
struct slots;

/*
 * Reads the answer to CLUSTER SLOTS of any version since Redis 3.0.
 *
 * source      the host that answered; it replaces endpoints that are NULL,
 *             empty or "?".
 * ret_slots   set on success only; the caller frees it with slots_free().
 */
enum slots_error slots_read(const struct redisReply *reply, const char *source,
                            struct slots **ret_slots);

/* Accepts NULL. */
void slots_free(struct slots *slots);

/* The number of servers, masters and replicas. */
size_t slots_server_count(const struct slots *slots);

/* Lent until the map is freed or a server is added. */
const struct slots_server *slots_server(const struct slots *slots,
                                        size_t number);

bool slots_is_master(const struct slots *slots, size_t number);

/* The number of the server that has a slot, or -1 if none has it. */
int slots_owner(const struct slots *slots, unsigned slot);

/* Makes a server the owner of one slot, and adds it to the map if it is new.
 * Returns false if there is no room or memory for it. */
bool slots_set_owner(struct slots *slots, unsigned slot,
                     const struct slots_server *server);

/*
 * Whether any server is in both maps. A server is known by its id, if both maps
 * have one: its address may now belong to a server of another Cluster.
 */
bool slots_share_server(const struct slots *a, const struct slots *b);

/* Whether each slot has the same server in both maps. */
bool slots_have_same_owners(const struct slots *a, const struct slots *b);

/* Whether host and port are equal. */
bool slots_is_same_address(const struct slots_server *a,
                           const struct slots_server *b);

enum slots_redirection {
    SLOTS_REDIRECTION_NONE = 0, /* another error */
    SLOTS_REDIRECTION_MOVED,
    SLOTS_REDIRECTION_ASK
};

/*
 * Reads an error reply. A redirection without a valid slot, host and port is
 * none.
 *
 * source      as for slots_read().
 * ret_slot, ret_server   set for a redirection only.
 */
enum slots_redirection slots_redirection(const char *error, const char *source,
                                         unsigned *ret_slot,
                                         struct slots_server *ret_server);

#endif
