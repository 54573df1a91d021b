#ifndef INTERESTS_IMPORT_H
#define INTERESTS_IMPORT_H

#include "cli/report.h"
#include "config/config.h"

/*
 * Checks all lines of a file, and then writes its clients to the store. Errors
 * are printed on standard error.
 *
 * redis   borrowed; not used by a dry run.
 *
 * Returns an exit status. Source: docs/protocol.md, S19.
 */
int interests_import(const struct interests_plan *plan,
                     const struct redis_url *redis);

#endif
