#ifndef SINGLE_H
#define SINGLE_H

#include "store/route.h"

/*
 * Makes the route to one server, which has all keys. The route owns the link,
 * and frees it also on failure. Returns NULL if memory runs out.
 */
struct store_route *store_single_new(const struct store_config *config,
                                     struct store_link *link);

#endif
