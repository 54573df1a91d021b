#ifndef REDIS_H
#define REDIS_H

#include <hiredis/hiredis.h>
#include <stdbool.h>

#include "files.h"
#include "proc.h"

#define REDIS_URL_MAX (FILES_PATH_MAX + 32)

/* A private Redis, on a unix socket and on a loopback port. */
struct redis {
    char folder[FILES_PATH_MAX];
    char socket[FILES_PATH_MAX];
    char password[64]; /* "": none */
    int port;
    struct proc proc;
};

/* Chooses a free port, and writes redis.conf; does not start it. */
bool redis_init(struct redis *redis, const char *folder, const char *password);

/* Adds lines to redis.conf. */
bool redis_configure(const struct redis *redis, const char *lines);

/*
 * Makes it speak TLS on its port, also to its replicas and to the other nodes
 * of its Cluster; the unix socket stays as it is. The folder has NAME.pem and
 * NAME.key, and ca.pem.
 */
bool redis_use_tls(const struct redis *redis, const char *folder,
                   const char *name);

/* Starts or restarts it, and waits until it answers. */
bool redis_start(struct redis *redis);

/* Sends SIGKILL: its data are lost. It may be frozen, or not running. */
void redis_kill(struct redis *redis);

/* Sends SIGSTOP: connections are still accepted, but nothing is answered. */
void redis_freeze(struct redis *redis);
void redis_thaw(struct redis *redis);

void redis_url_unix(const struct redis *redis, char ret_url[REDIS_URL_MAX]);
void redis_url_tcp(const struct redis *redis, char ret_url[REDIS_URL_MAX]);

/*
 * Runs one command, formatted as by redisCommand(), on a new connection. The
 * caller frees the reply; NULL if there is no connection.
 */
redisReply *redis_run(const struct redis *redis, const char *format, ...);

/* Runs a command; returns false if the reply is an error, or does not come. */
bool redis_do(const struct redis *redis, const char *format, ...);

/* Runs a command; returns its reply as an integer, or -1. */
long long redis_number(const struct redis *redis, const char *format, ...);

/*
 * The only key that matches a pattern, which the caller frees; waits a second
 * for it. NULL if there is none, or more than one.
 */
char *redis_only_key(const struct redis *redis, const char *pattern);

#endif
