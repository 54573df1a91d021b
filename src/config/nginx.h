#ifndef CONFIG_NGINX_H
#define CONFIG_NGINX_H

#include <stdbool.h>

#include "base/buf.h"
#include "config/config.h"

/*
 * Checks which settings of nginx must come together, and which ports must
 * differ; a port that is no number has been reported already. Source:
 * docs/protocol.md, S24.6.
 *
 * errors   as for config_load().
 */
bool config_nginx_check(const struct config *config, struct buf *errors);

#endif
