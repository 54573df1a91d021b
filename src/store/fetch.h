#ifndef FETCH_H
#define FETCH_H

#include <stdbool.h>

#include "store/link.h"

/*
 * Adds the first commands of a read; their replies add more, until the last one
 * answers the read by store_link_reply(). Returns false, with nothing added,
 * only if memory runs out. Source: docs/protocol.md, S18.2.
 */
bool redis_fetch_send(struct store_link *link, struct store_fetch *fetch);

#endif
