#ifndef REPLY_SERVER_H
#define REPLY_SERVER_H

#include <stddef.h>

#include "config/config.h"

#define REPLY_SERVER_BYTES_MAX 65536

/*
 * A Redis that says the same to every connection, one reply to each command
 * whatever it is, and then has no more to say. It is a thread of its own, which
 * allocates nothing once it runs.
 */
struct reply_server;

/* NULL when it cannot be started. It stays until the process ends. */
struct reply_server *reply_server_start(void);

/* Where it is, without credentials. */
struct redis_url reply_server_place(const struct reply_server *server);

/* What it says from now on, at most REPLY_SERVER_BYTES_MAX; copied. */
void reply_server_set(struct reply_server *server, const void *bytes,
                      size_t length);

#endif
