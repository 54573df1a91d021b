#ifndef CLUSTER_H
#define CLUSTER_H

#include <stdbool.h>
#include <stddef.h>

#include "redis.h"

#define CLUSTER_MASTERS   3
#define CLUSTER_NODES_MAX (2 * CLUSTER_MASTERS)
#define CLUSTER_ID_SIZE   64

/* A real Redis Cluster on the loopback: masters, and a replica of each. */
struct cluster {
    char folder[FILES_PATH_MAX];
    struct redis nodes[CLUSTER_NODES_MAX]; /* masters first */
    char ids[CLUSTER_NODES_MAX][CLUSTER_ID_SIZE];
    size_t count;
};

struct cluster_plan {
    bool has_replicas;
    const char *password; /* of all; NULL: none */
    const char *settings; /* more lines of redis.conf; NULL: none */
    const char *tls;      /* folder of redis_use_tls(); NULL: no TLS */
};

/*
 * Starts the servers and makes a Cluster of them, in which each master has a
 * third of the slots. Waits until all nodes agree; on failure stops all.
 */
bool cluster_start(struct cluster *cluster, const struct cluster_plan *plan);

/* Whether all nodes report that the Cluster is healthy; for clock_wait(). */
bool cluster_is_well(void *cluster);

/* Ends all servers and removes their folder. Accepts a zeroed struct. */
void cluster_stop(struct cluster *cluster);

/* REDIS_URL with the addresses of all nodes. */
#define CLUSTER_URL_MAX 512
void cluster_url(const struct cluster *cluster, char ret_url[CLUSTER_URL_MAX]);

/* The master of a slot now, as the node `node` reports it; NULL: none. */
struct redis *cluster_owner(struct cluster *cluster, size_t node,
                            unsigned slot);

/* A replica of a master; NULL: none. */
struct redis *cluster_replica(struct cluster *cluster,
                              const struct redis *master);

/* Sets a key at the master that has it. */
bool cluster_set(struct cluster *cluster, unsigned slot, const char *key,
                 const char *value);

/* Moves a slot, with its keys, from one master to another, step by step. */
bool cluster_move_begin(struct cluster *cluster, size_t from, size_t to,
                        unsigned slot);
bool cluster_move_keys(struct cluster *cluster, size_t from, size_t to,
                       unsigned slot);
bool cluster_move_end(struct cluster *cluster, size_t from, size_t to,
                      unsigned slot);

#endif
