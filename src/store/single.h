#ifndef SINGLE_H
#define SINGLE_H

#include "store/route.h"

/*
 * One server, which has all keys. Owns the link from now on, and frees it too
 * when it returns NULL, for want of memory.
 */
struct store_route *store_single_new(const struct store_config *config,
                                     struct store_link *link);

#endif
