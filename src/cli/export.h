#ifndef INTERESTS_EXPORT_H
#define INTERESTS_EXPORT_H

#include "cli/report.h"
#include "config/config.h"

/*
 * Writes all clients of the store to a file that interests_import() can read.
 * Leaves out damaged values. Errors are printed on standard error.
 *
 * redis   borrowed.
 *
 * Returns an exit status. Source: docs/protocol.md, S19.
 */
int interests_export(const struct interests_plan *plan,
                     const struct redis_url *redis);

#endif
