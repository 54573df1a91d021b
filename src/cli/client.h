#ifndef INTERESTS_CLIENT_H
#define INTERESTS_CLIENT_H

#include "cli/report.h"
#include "redis/url.h"

/*
 * Prints the interests of the plan's client as a line of interests_export();
 * or writes or deletes them. Everything that goes wrong is told on standard
 * error.
 *
 * redis   borrowed.
 *
 * Each returns an exit status.
 */
int interests_get(const struct interests_plan *plan,
                  const struct redis_url *redis);
int interests_set(const struct interests_plan *plan,
                  const struct redis_url *redis);
int interests_delete(const struct interests_plan *plan,
                     const struct redis_url *redis);

#endif
