#ifndef TRACE_H
#define TRACE_H

#include <stdbool.h>

#include "base/bytes.h"

/* Hex digits of a trace's id. */
#define TRACE_ID_LENGTH 32

/*
 * Reads the header `traceparent` of W3C Trace Context, level 1: the whole of
 * version 00, and of later versions the part that the standard fixes.
 *
 * ret_id  the trace's id; points into header; set on success only.
 *
 * Returns false if the header is malformed, and must be ignored (S2.7).
 */
bool trace_parse(struct bytes header, struct bytes *ret_id);

#endif
