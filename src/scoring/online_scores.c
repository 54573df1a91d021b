/*
 * The method online_scores: many records, each scored by itself. Implements
 * S16 of docs/protocol.md.
 *
 * The answer to a valid record depends only on the mask of its known inputs, so
 * each different answer is written once, and the body refers to it as often as
 * records have it.
 */
#include <json-c/json.h>
#include <stdlib.h>

#include "base/json.h"
#include "scoring/method.h"
#include "scoring/person.h"
#include "scoring/score.h"

#define PATTERNS  (1U << PERSON__MAX) /* masks of known inputs */
#define SEPARATOR ", "

struct online_scores {
    struct field_records clients;
    bool explain;
};

static const struct field fields[] = {
    FIELD(struct online_scores, clients, field_records, FIELD_REQUIRED),
    FIELD(struct online_scores, explain, field_boolean, FIELD_OPTIONAL),
};

/* A text in the plan's pool, by its offset: the pool may still be moved. */
struct piece {
    size_t at, length; /* length 0: not written yet */
};

struct batch {
    struct method_plan *plan;
    struct score_terms terms;
    struct piece known[PATTERNS]; /* answers, by mask */
};

static void
context(const void *request, struct buf *text)
{
    const struct online_scores *scores = request;

    buf_add_text(text, "nclients=");
    buf_add_int(text, (long long)scores->clients.count);
}

static struct piece
write_score(struct batch *batch, unsigned known)
{
    struct buf *pool = &batch->plan->pool;
    struct piece *piece = &batch->known[known];

    if (piece->length > 0)
        return *piece;
    piece->at = pool->length;
    buf_add_text(pool, SEPARATOR);
    score_add(&batch->terms, known, pool);
    piece->length = pool->length - piece->at;
    return *piece;
}

static struct piece
write_fault(struct batch *batch)
{
    struct buf *pool = &batch->plan->pool;
    const size_t at = pool->length;

    buf_add_text(pool, SEPARATOR "{\"error\": ");
    json_add_string(pool, buf_bytes(&batch->plan->faults.text));
    buf_add_text(pool, "}");
    return (struct piece){at, pool->length - at};
}

static struct piece
take_record(struct batch *batch, struct json_object *record)
{
    struct field_faults *faults = &batch->plan->faults;
    struct person person = {.given = {{NULL, 0}}};

    buf_clear(&faults->text);
    if (person_read(record, batch->plan->limits, &person, faults)) {
        batch->plan->records++;
        return write_score(batch, person_known(&person));
    }
    if (faults->text.failed)
        batch->plan->pool.failed = true;
    batch->plan->bad_records++;
    return write_fault(batch);
}

/* Makes the parts of the answer, when the pool is complete and stays where it
 * is. */
static void
set_parts(struct method_plan *plan, const struct piece *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++)
        plan->parts[i] =
            (struct bytes){plan->pool.data + pieces[i].at, pieces[i].length};
    /* The first part has no separator. */
    plan->parts[0].at += sizeof(SEPARATOR) - 1;
    plan->parts[0].length -= sizeof(SEPARATOR) - 1;
    plan->part_count = count;
}

static enum method_result
answer(const void *request, struct method_plan *plan, enum store_status status,
       const struct store_value *values, struct buf *response)
{
    const struct online_scores *scores = request;
    const struct field_records *clients = &scores->clients;
    const size_t count = clients->count;
    struct piece *pieces = calloc(count, sizeof(*pieces));
    struct batch batch = {
        .plan = plan,
        .terms = {plan->model, plan->is_admin, scores->explain},
    };

    (void)status;
    (void)values;
    plan->parts = calloc(count, sizeof(*plan->parts));
    if (pieces == NULL || plan->parts == NULL)
        plan->pool.failed = true;
    for (size_t i = 0; !plan->pool.failed && i < count; i++)
        pieces[i] =
            take_record(&batch, json_object_array_get_idx(clients->array, i));
    if (!plan->pool.failed)
        set_parts(plan, pieces, count);
    free(pieces);
    buf_add_text(&plan->context, " nfaults=");
    buf_add_int(&plan->context, (long long)plan->bad_records);
    buf_add_text(response, "{\"scores\": [");
    buf_add_text(&plan->end, "]}");
    return plan->pool.failed ? METHOD_MEMORY : METHOD_OK;
}

const struct method method_online_scores = {
    .name = "online_scores",
    .meaning = "the scores of many clients at once",
    .request_size = sizeof(struct online_scores),
    .fields = {fields, sizeof(fields) / sizeof(fields[0])},
    .context = context,
    .answer = answer,
};
