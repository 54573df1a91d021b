#ifndef REPLY_SERVER_H
#define REPLY_SERVER_H

#include <stddef.h>

#include "config/config.h"

#define REPLY_SERVER_BYTES_MAX 65536

/*
 * A scripted Redis that sends the same replies on each connection, one for each
 * command, whatever it is, and then is silent. It runs in its own thread, which
 * allocates no memory after its start.
 */
struct reply_server;

/* Returns NULL if it cannot start. It runs until the process ends. */
struct reply_server *reply_server_start(void);

/* Its address, without credentials. */
struct redis_url reply_server_place(const struct reply_server *server);

/* Sets its replies, of at most REPLY_SERVER_BYTES_MAX; copied. */
void reply_server_set(struct reply_server *server, const void *bytes,
                      size_t length);

#endif
