#ifndef FETCH_H
#define FETCH_H

#include <stdbool.h>

#include "store/link.h"

struct redis_commands;

/*
 * Adds the commands of a read: one key is a GET, which tells a wrong type by
 * itself; more are chunks of MGET, all under way at once. The last reply
 * answers the read by store_link_reply(). Returns false, and has added nothing,
 * only without memory.
 */
bool redis_fetch_send(struct store_link *link, struct store_fetch *fetch);

/* Where the commands of a link are added. */
struct redis_commands *redis_link_commands(struct store_link *link);

#endif
