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
 * redirection"; docs/protocol.md, S20.
 */
#define SLOTS_COUNT 16384

/* More servers than Redis recommends for one Cluster. */
#define SLOTS_SERVERS_MAX 1024

#define SLOTS_HOST_SIZE 254 /* a host name of 253 characters, and its NUL */

#define SLOTS_ID_SIZE 41 /* of a server: 40 digits, and a NUL */

struct slots_server {
    char host[SLOTS_HOST_SIZE]; /* name or address, without brackets */
    int port;
    char id[SLOTS_ID_SIZE]; /* "": not known, as by Redis 3 */
};

enum slots_error {
    SLOTS_OK = 0,
    SLOTS_SHAPE, /* no answer to CLUSTER SLOTS */
    SLOTS_EMPTY, /* no slot has an owner */
    SLOTS_MANY,  /* more than SLOTS_SERVERS_MAX servers */
    SLOTS_MEMORY,
    SLOTS__MAX
};

const char *slots_error_text(enum slots_error error);

/* The slot of a key: of what stands between its first {}, if that is not
 * empty, else of the whole. */
unsigned slots_of_key(struct bytes key);

/* The map. Servers have numbers that stay as they are. */
struct slots;

/*
 * Reads the answer to CLUSTER SLOTS, of any version since Redis 3.0.
 *
 * source    the host that answered: stands for endpoints that are NULL, empty
 *           or "?".
 *
 * Sets *ret_slots, which is the caller's, on success only.
 */
enum slots_error slots_read(const struct redisReply *reply, const char *source,
                            struct slots **ret_slots);

/* Accepts NULL. */
void slots_free(struct slots *slots);

/* How many servers there are, masters and replicas. */
size_t slots_server_count(const struct slots *slots);

/* Lent, until the map is freed or another server is added. */
const struct slots_server *slots_server(const struct slots *slots,
                                        size_t number);

bool slots_is_master(const struct slots *slots, size_t number);

/* The number of the server that has a slot, or -1. */
int slots_owner(const struct slots *slots, unsigned slot);

/* Makes a server, new or known, the owner of one slot; false if there is no
 * room for it. */
bool slots_set_owner(struct slots *slots, unsigned slot,
                     const struct slots_server *server);

/*
 * Whether any server is in both. The id tells a server: an address may have
 * been given to that of another Cluster since.
 */
bool slots_share_server(const struct slots *a, const struct slots *b);

/* Whether every slot has the same server in both. */
bool slots_have_same_owners(const struct slots *a, const struct slots *b);

/* Whether host and port are the same. */
bool slots_is_same_address(const struct slots_server *a,
                           const struct slots_server *b);

enum slots_redirection {
    SLOTS_REDIRECTION_NONE = 0, /* another error */
    SLOTS_REDIRECTION_MOVED,
    SLOTS_REDIRECTION_ASK
};

/*
 * Reads an error reply. Sets the other outputs for a redirection only; one
 * that makes no sense is none.
 *
 * source    as for slots_read().
 */
enum slots_redirection slots_redirection(const char *error, const char *source,
                                         unsigned *ret_slot,
                                         struct slots_server *ret_server);

#endif
