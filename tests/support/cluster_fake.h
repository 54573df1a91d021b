#ifndef CLUSTER_FAKE_H
#define CLUSTER_FAKE_H

#include <stddef.h>

#include "script.h"

/*
 * Scripted servers of a Redis Cluster, on loopback ports, served by the loop of
 * the test. Their names are A and B; nobody listens at Z.
 *
 *     what CLUSTER SLOTS answers     what GETRANGE and GET answer
 *     A        all slots are A's     x     the value
 *     A0-99    some are              >B    MOVED to B
 *     A,B      two rows              ?B    ASK at B
 *     (empty)  no slot has a server
 *     !words   an error              !words
 *     ~        silence               ~
 *     #        more rows than slots
 */
#define CLUSTER_FAKE_SERVERS 2

struct cluster_fake;

struct cluster_fake_script {
    const char *map, *value;
};

struct cluster_fake_server {
    struct cluster_fake *fake;
    struct cluster_fake_script script;
    int port;
    struct script_peer peer;
    size_t maps, reads; /* commands so far */
};

struct cluster_fake {
    struct cluster_fake_server list[CLUSTER_FAKE_SERVERS];
    int nobody; /* a port */
};

void cluster_fake_start(
    struct cluster_fake *fake, struct ev_loop *loop,
    const struct cluster_fake_script scripts[CLUSTER_FAKE_SERVERS]);
void cluster_fake_end(struct cluster_fake *fake);

/* How many CLUSTER SLOTS, and how many reads, all servers have received. */
size_t cluster_fake_maps(const struct cluster_fake *fake);
size_t cluster_fake_reads(const struct cluster_fake *fake);

#endif
