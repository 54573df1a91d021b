/*
 * The HTTP statuses of all answers, with their reason phrases and headers.
 * Implements S2 and S7 of docs/protocol.md.
 */
#include <assert.h>

#include "base/outcome.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define OUTCOME_TYPE "application/json"

struct status {
    int code;
    const char *reason;
    const char *header; /* sent with this status, or NULL */
};

static const struct status statuses[] = {
    {200, "OK", NULL},
    {400, "Bad Request", NULL},
    {403, "Forbidden", NULL},
    {404, "Not Found", NULL},
    {405, "Method Not Allowed", "Allow: POST"},
    {413, "Payload Too Large", NULL},
    {422, "Invalid Request", NULL},
    {429, "Too Many Requests", NULL}, /* api.c computes Retry-After */
    {500, "Internal Server Error", NULL},
    {503, "Service Unavailable", "Retry-After: 1"},
};

_Static_assert(COUNT(statuses) <= OUTCOME_STATUSES_MAX,
               "each status has a counter");

int
outcome_status_code(size_t number)
{
    return number < COUNT(statuses) ? statuses[number].code : 0;
}

void
outcome_set_code(struct outcome *outcome, int code)
{
    const struct status *status = statuses;

    while (status->code != code) {
        status++;
        assert(status < statuses + COUNT(statuses));
    }
    outcome->code = code;
    outcome->status = (size_t)(status - statuses);
    outcome->reason = status->reason;
    outcome->header = status->header;
    outcome->type = OUTCOME_TYPE;
}

static void
replace(struct outcome *outcome, int code, struct bytes body)
{
    outcome_set_code(outcome, code);
    outcome->body = body;
    outcome->part_count = 0;
    outcome->end.length = 0;
    outcome->records = outcome->bad_records = 0;
    outcome->cache = OUTCOME_CACHE_UNUSED;
    outcome->write_key.length = 0;
}

void
outcome_break(struct outcome *outcome, enum outcome_fault fault,
              struct bytes text)
{
    replace(outcome, 500,
            bytes_of("{\"code\": 500, \"error\": \"Internal Server Error\"}"));
    outcome->fault = fault;
    outcome->fault_text = text;
}

void
outcome_refuse(struct outcome *outcome, struct bytes body)
{
    replace(outcome, 503, body);
}

size_t
outcome_length(const struct outcome *outcome)
{
    size_t length = outcome->body.length + outcome->end.length;

    for (size_t i = 0; i < outcome->part_count; i++)
        length += outcome->parts[i].length;
    return length;
}
