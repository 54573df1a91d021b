#ifndef CLUSTER_FAKE_H
#define CLUSTER_FAKE_H

#include <stddef.h>

#include "script.h"

/*
 * Scripted servers of a Redis Cluster, on loopback ports, served by the loop of
 * the test. Their names are A, B and C; nobody listens at Z. A small letter is
 * the same server, with its port alone.
 *
 *     what CLUSTER SLOTS answers     what GETRANGE and GET answer
 *     A        all slots are A's     x     the value
 *     A0-99    some are              >B    MOVED to B; so does SET
 *     A+B      B is its replica      ?B    ASK at B; so does SET
 *     A#1+B#2  with ids
 *     A,B      two rows
 *     (empty)  no slot has a server
 *     !words   an error              !words
 *     ~        silence               ~
 *     #        more rows than slots
 */
#define CLUSTER_FAKE_SERVERS 3
#define CLUSTER_FAKE_TOLD    512

struct cluster_fake;

struct cluster_fake_script {
    const char *map, *value;
};

struct cluster_fake_server {
    struct cluster_fake *fake;
    struct cluster_fake_script script;
    int port;
    struct script_peer peer;
    char id;            /* what CLUSTER MYID answers; 0: nothing known */
    size_t maps, reads; /* commands so far */
};

struct cluster_fake {
    struct cluster_fake_server list[CLUSTER_FAKE_SERVERS];
    int nobody;   /* a port */
    size_t bytes; /* that all servers have received */

    /*
     * The commands in their order, each with the name of its server: "Am" is
     * CLUSTER SLOTS, "Ai" CLUSTER MYID, "Ag" a read, "Aw" SET, "Aa" ASKING. A
     * test may add its own words.
     */
    char told[CLUSTER_FAKE_TOLD];
};

void cluster_fake_start(
    struct cluster_fake *fake, struct ev_loop *loop,
    const struct cluster_fake_script scripts[CLUSTER_FAKE_SERVERS]);
void cluster_fake_end(struct cluster_fake *fake);

/* Adds a word to what is told, behind a space. */
void cluster_fake_tell(struct cluster_fake *fake, const char *word);

/* The name of the server with this port; 0: none of them. */
char cluster_fake_name(const struct cluster_fake *fake, int port);

/* Closes all connections of a server; it accepts new ones. */
void cluster_fake_hang_up(struct cluster_fake_server *server);

/* How many CLUSTER SLOTS, and how many reads, all servers have received. */
size_t cluster_fake_maps(const struct cluster_fake *fake);
size_t cluster_fake_reads(const struct cluster_fake *fake);

#endif
