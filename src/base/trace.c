/*
 * Checks the header `traceparent`, and finds the trace's id in it. Implements
 * S2.7 of docs/protocol.md. Source of the format:
 * https://www.w3.org/TR/trace-context/, sections 3.2 and 4.3.
 */
#include <stddef.h>
#include <string.h>

#include "base/trace.h"

/* version "-" trace-id "-" parent-id "-" flags, in lower-case hex digits */
struct part {
    size_t at, length;
    bool may_be_zero;
};

enum { PART_VERSION = 0, PART_TRACE, PART_PARENT, PART_FLAGS, PART__MAX };

static const struct part parts[PART__MAX] = {
    [PART_VERSION] = {0, 2, true},
    [PART_TRACE] = {3, TRACE_ID_LENGTH, false},
    [PART_PARENT] = {36, 16, false},
    [PART_FLAGS] = {53, 2, true},
};

/* Of version 00; a later version may continue after a "-". */
#define TRACE_LENGTH 55

static bool
is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool
part_is_good(struct bytes header, const struct part *part)
{
    bool is_zero = true;

    for (size_t i = part->at; i < part->at + part->length; i++) {
        if (!is_hex(header.at[i]))
            return false;
        if (header.at[i] != '0')
            is_zero = false;
    }
    return part->may_be_zero || !is_zero;
}

/* Whether the length is right for the version. */
static bool
length_is_good(struct bytes header)
{
    if (memcmp(header.at, "ff", 2) == 0)
        return false;
    if (header.length == TRACE_LENGTH)
        return true;
    return memcmp(header.at, "00", 2) != 0 && header.at[TRACE_LENGTH] == '-';
}

bool
trace_parse(struct bytes header, struct bytes *ret_id)
{
    const struct part *trace = &parts[PART_TRACE];

    if (header.length < TRACE_LENGTH || !length_is_good(header))
        return false;
    for (size_t i = 0; i < PART__MAX; i++) {
        if (i > 0 && header.at[parts[i].at - 1] != '-')
            return false;
        if (!part_is_good(header, &parts[i]))
            return false;
    }
    *ret_id = (struct bytes){header.at + trace->at, trace->length};
    return true;
}
