#ifndef REPLY_LINK_H
#define REPLY_LINK_H

#include <stdbool.h>
#include <stddef.h>

#include "redis/command.h"
#include "redis/stream.h"
#include "store/link.h"
#include "store/store.h"

/*
 * A store whose Redis is a script: the commands are made and the replies read
 * and understood by the service's own code, over a pair of sockets.
 */
struct reply_link {
    struct store_link base; /* first: a link begins with it */
    struct redis_commands commands;
    struct redis_stream *stream;
    int server; /* the other end */
};

/* Connects a zeroed link and its store; false without memory. */
bool reply_link_open(struct reply_link *link,
                     const struct store_config *config);

/*
 * Lets the server send bytes. Returns false when the store's side will have no
 * more of it: the connection is to be dropped.
 */
bool reply_link_serve(struct reply_link *link, const void *bytes,
                      size_t length);

/* Frees all of it, the store first: values outlive the connection. */
void reply_link_close(struct reply_link *link);

#endif
