#ifndef TRACE_H
#define TRACE_H

#include <stdbool.h>

#include "base/bytes.h"

/* Hex digits of a trace's id. */
#define TRACE_ID_LENGTH 32

/*
 * Reads the header `traceparent` of W3C Trace Context, level 1: version 00
 * whole, higher versions as far as they are bound to be like it.
 *
 * ret_id   the trace's id within header, set only on success.
 *
 * Returns false if the header is not well formed: it is to be ignored then.
 */
bool trace_parse(struct bytes header, struct bytes *ret_id);

#endif
