#ifndef SHARDS_H
#define SHARDS_H

#include <ev.h>
#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Scripted servers of a Redis Cluster, on loopback ports and on the loop of
 * whoever talks to them. Their names are A and B; nobody listens at Z.
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
#define SHARDS             2
#define SHARDS_CONNECTIONS 64

struct shards;

struct shards_script {
    const char *map, *value;
};

struct shard {
    struct shards *shards;
    struct shards_script script;
    int port;
    ev_io listener;
    size_t maps, reads; /* commands so far */
};

struct shards_connection {
    struct shard *shard;
    ev_io readable;
    redisReader *reader;
};

struct shards {
    struct ev_loop *loop;
    struct shard list[SHARDS];
    int nobody; /* a port */
    struct shards_connection connections[SHARDS_CONNECTIONS];
    size_t count; /* of connections so far */
};

void shards_start(struct shards *shards, struct ev_loop *loop,
                  const struct shards_script scripts[SHARDS]);
void shards_end(struct shards *shards);

/* Commands that all of them have had. */
size_t shards_maps(const struct shards *shards);
size_t shards_reads(const struct shards *shards);

#endif
