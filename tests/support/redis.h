#ifndef REDIS_H
#define REDIS_H

#include <hiredis/hiredis.h>
#include <stdbool.h>

#include "files.h"
#include "proc.h"

#define REDIS_URL_MAX (FILES_PATH_MAX + 32)

/* A Redis of our own, on a unix socket and on a port of the loopback. */
struct redis {
    char folder[FILES_PATH_MAX];
    char socket[FILES_PATH_MAX];
    char password[64]; /* "": none */
    int port;
    struct proc proc;
};

/* Chooses a free port and writes the settings; starts nothing. */
bool redis_init(struct redis *redis, const char *folder, const char *password);

/* Adds lines to its settings. */
bool redis_configure(const struct redis *redis, const char *lines);

/*
 * Makes it speak TLS on its port, also to its replicas and to the other nodes
 * of its Cluster; the unix socket stays as it is. The folder has NAME.pem and
 * NAME.key, and ca.pem.
 */
bool redis_use_tls(const struct redis *redis, const char *folder,
                   const char *name);

/* Starts it, again too, and waits until it answers. */
bool redis_start(struct redis *redis);

/* SIGKILL; its data are lost. Also ends a frozen one, or none. */
void redis_kill(struct redis *redis);

/* SIGSTOP: connections are still taken, and nothing answered. */
void redis_freeze(struct redis *redis);
void redis_thaw(struct redis *redis);

void redis_url_unix(const struct redis *redis, char ret_url[REDIS_URL_MAX]);
void redis_url_tcp(const struct redis *redis, char ret_url[REDIS_URL_MAX]);

/*
 * Runs one command on a connection of its own, formatted as redisCommand()
 * does. The reply belongs to the caller; NULL when there is no connection.
 */
redisReply *redis_run(const struct redis *redis, const char *format, ...);

/* Like redis_run(), when the reply does not matter but has to be no error. */
bool redis_do(const struct redis *redis, const char *format, ...);

/* As integers: the reply, or -1 without one. */
long long redis_number(const struct redis *redis, const char *format, ...);

/*
 * The one key that matches a pattern, waiting a second for it to come; to be
 * freed. NULL if there is none, or more than one.
 */
char *redis_only_key(const struct redis *redis, const char *pattern);

#endif
