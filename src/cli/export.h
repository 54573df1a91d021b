#ifndef INTERESTS_EXPORT_H
#define INTERESTS_EXPORT_H

#include "cli/report.h"
#include "config/config.h"

/*
 * Writes all clients of the store to a file, as interests_import() reads them.
 * What the store has damaged is left out. Everything that goes wrong is told
 * on standard error.
 *
 * redis   borrowed.
 *
 * Returns an exit status.
 */
int interests_export(const struct interests_plan *plan,
                     const struct redis_url *redis);

#endif
