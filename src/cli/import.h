#ifndef INTERESTS_IMPORT_H
#define INTERESTS_IMPORT_H

#include "cli/report.h"
#include "config/config.h"

/*
 * Writes the clients of a file to the store, after all of its lines have been
 * found good. Everything that goes wrong is told on standard error.
 *
 * redis   borrowed; not looked at by a dry run.
 *
 * Returns an exit status.
 */
int interests_import(const struct interests_plan *plan,
                     const struct redis_url *redis);

#endif
