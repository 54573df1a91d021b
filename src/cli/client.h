#ifndef INTERESTS_CLIENT_H
#define INTERESTS_CLIENT_H

#include "cli/report.h"
#include "redis/url.h"

/*
 * Prints, replaces or deletes the interests of the client of the plan. They are
 * printed as a line of interests_export(). Errors are printed on standard
 * error.
 *
 * redis   borrowed.
 *
 * Each returns an exit status. Source: docs/protocol.md, S19.9.
 */
int interests_get(const struct interests_plan *plan,
                  const struct redis_url *redis);
int interests_set(const struct interests_plan *plan,
                  const struct redis_url *redis);
int interests_delete(const struct interests_plan *plan,
                     const struct redis_url *redis);

#endif
