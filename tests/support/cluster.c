/*
 * A real Redis Cluster for the integration tests, whose nodes they may kill,
 * freeze, fail over and reshard.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "cluster.h"
#include "ports.h"

#define SLOTS         16384
#define FORM_LIMIT_MS 30000
#define NODE_TIMEOUT  2000 /* ms; CLUSTER's own health check */
#define MOVE_KEYS     100
#define MOVE_LIMIT_MS 1000

static bool
append_settings(struct redis *node, const struct cluster_plan *plan)
{
    char lines[1024];
    int length;

    length = snprintf(lines, sizeof(lines),
                      "cluster-enabled yes\ncluster-port %d\n"
                      "cluster-node-timeout %d\n"
                      "cluster-config-file nodes.conf\n"
                      "repl-diskless-sync-delay 0\n%s",
                      ports_free(), NODE_TIMEOUT,
                      plan->settings != NULL ? plan->settings : "");
    if (plan->password != NULL)
        (void)snprintf(lines + length, sizeof(lines) - (size_t)length,
                       "masterauth %s\n", plan->password);
    return redis_configure(node, lines) &&
           (plan->tls == NULL || redis_use_tls(node, plan->tls, "good"));
}

/* Reads a node's id into ret_id, without the line end. */
static bool
read_id(struct redis *node, char ret_id[CLUSTER_ID_SIZE])
{
    redisReply *reply = redis_run(node, "CLUSTER MYID");
    bool is_good = reply != NULL && reply->type == REDIS_REPLY_STRING;

    if (is_good)
        (void)snprintf(ret_id, CLUSTER_ID_SIZE, "%s", reply->str);
    freeReplyObject(reply);
    return is_good;
}

static bool
start_node(struct cluster *cluster, size_t i, const struct cluster_plan *plan)
{
    struct redis *node = &cluster->nodes[i];
    char folder[FILES_PATH_MAX];

    files_path(folder, "%s/%zu", cluster->folder, i);
    if (mkdir(folder, S_IRWXU) != 0 ||
        !redis_init(node, folder, plan->password ? plan->password : "") ||
        !append_settings(node, plan) || !redis_start(node))
        return false;
    cluster->count = i + 1;
    return read_id(node, cluster->ids[i]);
}

/* The port of the cluster bus, as the server itself reports it. */
static int
bus_port(const struct redis *node)
{
    redisReply *reply = redis_run(node, "CONFIG GET cluster-port");
    int port = 0;

    if (reply != NULL && reply->type == REDIS_REPLY_ARRAY &&
        reply->elements == 2)
        port = atoi(reply->element[1]->str);
    freeReplyObject(reply);
    return port;
}

static bool
give_slots(struct cluster *cluster)
{
    for (int i = 0; i < CLUSTER_MASTERS; i++) {
        struct redis *node = &cluster->nodes[i];

        if (!redis_do(node, "CLUSTER SET-CONFIG-EPOCH %d", i + 1) ||
            !redis_do(node, "CLUSTER ADDSLOTSRANGE %d %d",
                      i * SLOTS / CLUSTER_MASTERS,
                      (i + 1) * SLOTS / CLUSTER_MASTERS - 1))
            return false;
    }
    for (size_t i = 1; i < cluster->count; i++)
        if (!redis_do(&cluster->nodes[0], "CLUSTER MEET 127.0.0.1 %d %d",
                      cluster->nodes[i].port, bus_port(&cluster->nodes[i])))
            return false;
    return true;
}

static bool
info_has(const struct redis *node, const char *command, const char *text)
{
    redisReply *reply = redis_run(node, command);
    bool has = reply != NULL && reply->type == REDIS_REPLY_STRING &&
               strstr(reply->str, text) != NULL;

    freeReplyObject(reply);
    return has;
}

static bool
all_know(void *arg)
{
    const struct cluster *cluster = arg;
    char text[64];

    (void)snprintf(text, sizeof(text), "cluster_known_nodes:%zu\r",
                   cluster->count);
    for (size_t i = 0; i < cluster->count; i++)
        if (!info_has(&cluster->nodes[i], "CLUSTER INFO", text))
            return false;
    return true;
}

bool
cluster_is_well(void *arg)
{
    const struct cluster *cluster = arg;

    for (size_t i = 0; i < cluster->count; i++)
        if (!info_has(&cluster->nodes[i], "CLUSTER INFO", "cluster_state:ok") ||
            (!info_has(&cluster->nodes[i], "INFO replication", "role:master") &&
             !info_has(&cluster->nodes[i], "INFO replication",
                       "master_link_status:up")))
            return false;
    return true;
}

struct follower {
    struct redis *node;
    const char *master_id;
};

/* Makes a node a replica; fails while it does not know its master. */
static bool
follows(void *arg)
{
    struct follower *follower = arg;

    return redis_do(follower->node, "CLUSTER REPLICATE %s",
                    follower->master_id);
}

static bool
form(struct cluster *cluster)
{
    if (!give_slots(cluster) || !clock_wait(all_know, cluster, FORM_LIMIT_MS))
        return false;
    for (size_t i = CLUSTER_MASTERS; i < cluster->count; i++) {
        struct follower follower = {&cluster->nodes[i],
                                    cluster->ids[i - CLUSTER_MASTERS]};

        if (!clock_wait(follows, &follower, FORM_LIMIT_MS))
            return false;
    }
    return clock_wait(cluster_is_well, cluster, FORM_LIMIT_MS);
}

bool
cluster_start(struct cluster *cluster, const struct cluster_plan *plan)
{
    const size_t count =
        plan->has_replicas ? CLUSTER_NODES_MAX : CLUSTER_MASTERS;
    bool is_good;

    *cluster = (struct cluster){.count = 0};
    is_good = files_folder_make(cluster->folder);
    for (size_t i = 0; i < count && is_good; i++)
        is_good = start_node(cluster, i, plan);
    if (is_good && form(cluster))
        return true;
    cluster_stop(cluster);
    return false;
}

void
cluster_stop(struct cluster *cluster)
{
    for (size_t i = 0; i < CLUSTER_NODES_MAX; i++)
        redis_kill(&cluster->nodes[i]);
    if (cluster->folder[0] != '\0')
        files_folder_remove(cluster->folder);
    *cluster = (struct cluster){.count = 0};
}

void
cluster_url(const struct cluster *cluster, char ret_url[CLUSTER_URL_MAX])
{
    int length = snprintf(ret_url, CLUSTER_URL_MAX, "redis+cluster://");

    for (size_t i = 0; i < cluster->count; i++)
        length += snprintf(ret_url + length, CLUSTER_URL_MAX - (size_t)length,
                           "%s127.0.0.1:%d", i > 0 ? "," : "",
                           cluster->nodes[i].port);
}

/* A row of CLUSTER SLOTS: first, last, [host, port, id, ...]. */
static struct redis *
row_owner(struct cluster *cluster, const redisReply *row, unsigned slot)
{
    if (row->element[0]->integer > slot || row->element[1]->integer < slot)
        return NULL;
    for (size_t i = 0; i < cluster->count; i++)
        if (strcmp(cluster->ids[i], row->element[2]->element[2]->str) == 0)
            return &cluster->nodes[i];
    return NULL;
}

struct redis *
cluster_owner(struct cluster *cluster, size_t node, unsigned slot)
{
    redisReply *reply = redis_run(&cluster->nodes[node], "CLUSTER SLOTS");
    struct redis *owner = NULL;

    if (reply != NULL && reply->type == REDIS_REPLY_ARRAY)
        for (size_t i = 0; i < reply->elements && owner == NULL; i++)
            owner = row_owner(cluster, reply->element[i], slot);
    freeReplyObject(reply);
    return owner;
}

struct redis *
cluster_replica(struct cluster *cluster, const struct redis *master)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "master_port:%d\r", master->port);
    for (size_t i = 0; i < cluster->count; i++)
        if (&cluster->nodes[i] != master &&
            info_has(&cluster->nodes[i], "INFO replication", text))
            return &cluster->nodes[i];
    return NULL;
}

bool
cluster_set(struct cluster *cluster, unsigned slot, const char *key,
            const char *value)
{
    struct redis *owner = cluster_owner(cluster, 0, slot);

    return owner != NULL && redis_do(owner, "SET %s %s", key, value);
}

bool
cluster_move_begin(struct cluster *cluster, size_t from, size_t to,
                   unsigned slot)
{
    return redis_do(&cluster->nodes[to], "CLUSTER SETSLOT %u IMPORTING %s",
                    slot, cluster->ids[from]) &&
           redis_do(&cluster->nodes[from], "CLUSTER SETSLOT %u MIGRATING %s",
                    slot, cluster->ids[to]);
}

/* Moves one key with MIGRATE, with AUTH if servers have a password. */
static bool
move_key(const struct redis *source, const struct redis *target,
         const char *key)
{
    if (target->password[0] == '\0')
        return redis_do(source, "MIGRATE 127.0.0.1 %d %s 0 %d", target->port,
                        key, MOVE_LIMIT_MS);
    return redis_do(source, "MIGRATE 127.0.0.1 %d %s 0 %d AUTH %s",
                    target->port, key, MOVE_LIMIT_MS, target->password);
}

bool
cluster_move_keys(struct cluster *cluster, size_t from, size_t to,
                  unsigned slot)
{
    const struct redis *source = &cluster->nodes[from];
    bool is_good = true, is_empty = false;

    while (is_good && !is_empty) {
        redisReply *keys =
            redis_run(source, "CLUSTER GETKEYSINSLOT %u %d", slot, MOVE_KEYS);

        is_good = keys != NULL && keys->type == REDIS_REPLY_ARRAY;
        is_empty = is_good && keys->elements == 0;
        for (size_t i = 0; is_good && i < keys->elements; i++)
            is_good =
                move_key(source, &cluster->nodes[to], keys->element[i]->str);
        freeReplyObject(keys);
    }
    return is_good;
}

/* CLUSTER SETSLOT NODE goes to the new owner first, then to all others. */
bool
cluster_move_end(struct cluster *cluster, size_t from, size_t to, unsigned slot)
{
    bool is_good = redis_do(&cluster->nodes[to], "CLUSTER SETSLOT %u NODE %s",
                            slot, cluster->ids[to]) &&
                   redis_do(&cluster->nodes[from], "CLUSTER SETSLOT %u NODE %s",
                            slot, cluster->ids[to]);

    for (size_t i = 0; i < CLUSTER_MASTERS && is_good; i++)
        if (i != from && i != to)
            is_good = redis_do(&cluster->nodes[i], "CLUSTER SETSLOT %u NODE %s",
                               slot, cluster->ids[to]);
    return is_good;
}
