/*
 * A required read of a Cluster. It implements S22.3 of docs/protocol.md: the
 * parts for all nodes are sent in the same turn, and the answer has the values
 * of all of them, or none.
 *
 *     keys --route--> a part for each node --answers--> values of the read
 *                        ^                      |
 *                        +---- a new part <-- keys that are redirected
 */
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "store/reads.h"

#define HOPS_MAX 5 /* redirections of one key, S22.3 */

struct part {
    LIST_ENTRY(part) in_split;
    struct split *split;
    struct read *read; /* NULL: the part has been answered */
    void *kept;        /* the replies that its values point into */
    int hops;          /* redirections that led to this part */
    size_t count;
    size_t *places; /* of its keys among the keys of the whole read */
    struct bytes keys[];
};

struct split {
    struct store *store;
    struct read_plan plan;
    LIST_HEAD(, part) parts;
    size_t pending; /* parts that have not been answered */
    size_t bytes;   /* of all values that have arrived: the links count */
    struct store_value values[];
};

static struct part *
part_new(struct split *split, size_t count)
{
    struct part *part =
        calloc(1, sizeof(*part) + count * sizeof(part->keys[0]));

    if (part == NULL)
        return NULL;
    part->places = calloc(count, sizeof(part->places[0]));
    if (part->places == NULL) {
        free(part);
        return NULL;
    }
    part->split = split;
    LIST_INSERT_HEAD(&split->parts, part, in_split);
    return part;
}

static void
part_add(struct part *part, size_t place)
{
    part->places[part->count] = place;
    part->keys[part->count++] = part->split->plan.keys[place];
}

static void
part_free(struct part *part)
{
    LIST_REMOVE(part, in_split);
    if (part->read != NULL)
        read_abandon(part->split->store, part->read);
    read_free_kept(part->kept);
    free(part->places);
    free(part);
}

static void
split_free(struct split *split)
{
    struct part *part;

    while ((part = LIST_FIRST(&split->parts)) != NULL)
        part_free(part);
    free(split);
}

static void
split_finish(struct split *split, enum store_status status)
{
    store_count_pending(split->store, -1);
    split->plan.done(split->plan.arg, status,
                     status == STORE_OK ? split->values : NULL);
    split_free(split);
}

static store_done_fn on_part;

static bool
part_send(struct part *part, struct store_node *node, bool is_asking)
{
    struct split *split = part->split;
    struct read_plan plan = split->plan;

    plan.keys = part->keys;
    plan.count = part->count;
    plan.done = on_part;
    plan.arg = part;
    plan.node = node;
    plan.is_asking = is_asking;
    plan.sum = &split->bytes;
    part->read = read_begin(split->store, &plan);
    split->pending += part->read != NULL;
    return part->read != NULL;
}

/* Redirections. */

/* Where to send a redirected key of a part. */
struct target {
    struct store_node *node; /* NULL: not redirected, or sent already */
    bool is_asking;
};

/* Makes and sends a part of all keys, from i on, with the target of key i. */
static enum store_status
send_redirected(const struct part *part, struct target *targets, size_t i)
{
    const struct target target = targets[i];
    struct part *next = part_new(part->split, part->count - i);

    if (next == NULL)
        return STORE_MEMORY;
    next->hops = part->hops + 1;
    for (; i < part->count; i++) {
        if (targets[i].node != target.node ||
            targets[i].is_asking != target.is_asking)
            continue;
        targets[i].node = NULL;
        part_add(next, part->places[i]);
    }
    return part_send(next, target.node, target.is_asking) ? STORE_OK
                                                          : STORE_MEMORY;
}

/* A redirection that cannot be followed fails the read: STORE_DOWN. */
static enum store_status
find_targets(const struct part *part, struct store_node *from,
             const struct store_value *values, struct target *targets)
{
    struct store_route *route = store_get_route(part->split->store);
    size_t count = 0;

    for (size_t i = 0; i < part->count; i++) {
        if (values[i].kind != STORE_ELSEWHERE)
            continue;
        count++;
        targets[i].node = route->ops->follow(route, from, values[i].data,
                                             &targets[i].is_asking);
        if (targets[i].node == NULL)
            return STORE_DOWN;
    }
    store_count_redirections(part->split->store, count);
    return count > 0 && part->hops >= HOPS_MAX ? STORE_DOWN : STORE_OK;
}

static enum store_status
follow(const struct part *part, struct store_node *from,
       const struct store_value *values)
{
    struct target *targets = calloc(part->count, sizeof(targets[0]));
    enum store_status status = STORE_MEMORY;

    if (targets != NULL)
        status = find_targets(part, from, values, targets);
    for (size_t i = 0; i < part->count && status == STORE_OK; i++)
        if (targets[i].node != NULL)
            status = send_redirected(part, targets, i);
    free(targets);
    return status;
}

/* Answers. */

/* Takes the values of a part. Returns whether they decide the whole read: one
 * of them is too large. */
static bool
take_values(struct part *part, const struct store_value *values,
            bool *ret_is_redirected)
{
    struct split *split = part->split;
    bool is_decided = false;

    *ret_is_redirected = false;
    for (size_t i = 0; i < part->count; i++) {
        if (values[i].kind == STORE_ELSEWHERE)
            *ret_is_redirected = true;
        else
            split->values[part->places[i]] = values[i];
        is_decided = is_decided || values[i].kind == STORE_LARGE_VALUE;
    }
    return is_decided;
}

static void
on_part(void *arg, enum store_status status, const struct store_value *values)
{
    struct part *part = arg;
    struct split *split = part->split;
    struct store_node *from = read_node(part->read);
    bool is_redirected = false, is_decided = false;

    split->pending--;
    if (status == STORE_OK) {
        part->kept = read_take_kept(part->read);
        is_decided = take_values(part, values, &is_redirected);
    }
    part->read = NULL;
    if (status == STORE_OK && !is_decided) {
        if (split->bytes > store_get_bytes_max(split->store))
            status = STORE_LARGE;
        else if (is_redirected)
            status = follow(part, from, values);
    }
    if (status != STORE_OK || is_decided || split->pending == 0)
        split_finish(split, status);
}

/* Beginning. */

/* The place of a node in the route; route->count for NULL, no node. */
static size_t
node_number(const struct store_route *route, const struct store_node *node)
{
    size_t i = 0;

    while (i < route->count && route->nodes[i] != node)
        i++;
    return i;
}

struct sorting {
    size_t *numbers;     /* for each key: the place of its node */
    size_t *counts;      /* for each node: how many keys it has */
    struct part **parts; /* for each node: its part, or NULL */
};

static void
sorting_free(struct sorting *sorting)
{
    free(sorting->numbers);
    free(sorting->counts);
    free(sorting->parts);
}

/* The first pass counts the keys of each node, to size the parts. */
static enum store_status
count_keys(const struct split *split, struct sorting *sorting)
{
    struct store_route *route = store_get_route(split->store);
    const struct read_plan *plan = &split->plan;
    const struct store_node *last = NULL;
    size_t number = 0;

    sorting->numbers = calloc(plan->count, sizeof(sorting->numbers[0]));
    sorting->counts = calloc(route->count + 1, sizeof(sorting->counts[0]));
    sorting->parts = calloc(route->count + 1, sizeof(sorting->parts[0]));
    if (sorting->numbers == NULL || sorting->counts == NULL ||
        sorting->parts == NULL)
        return STORE_MEMORY;
    for (size_t i = 0; i < plan->count; i++) {
        const struct store_node *node =
            route->ops->node_of(route, plan->keys[i]);

        if (i == 0 || node != last)
            number = node_number(route, node);
        last = node;
        sorting->numbers[i] = number;
        sorting->counts[number]++;
    }
    return STORE_OK;
}

/* The second pass fills the parts; then all are sent. */
static enum store_status
fill_parts(struct split *split, struct sorting *sorting)
{
    struct part *part;

    for (size_t i = 0; i < split->plan.count; i++) {
        const size_t number = sorting->numbers[i];

        if (sorting->parts[number] == NULL)
            sorting->parts[number] = part_new(split, sorting->counts[number]);
        if (sorting->parts[number] == NULL)
            return STORE_MEMORY;
        part_add(sorting->parts[number], i);
    }
    LIST_FOREACH(part, &split->parts, in_split)
    if (!part_send(part, NULL, false))
        return STORE_MEMORY;
    return STORE_OK;
}

bool
split_begin(struct store *store, const struct read_plan *plan)
{
    struct sorting sorting = {NULL, NULL, NULL};
    enum store_status status;
    struct split *split;

    if (plan->count > (SIZE_MAX - sizeof(*split)) / sizeof(struct store_value))
        return false;
    split = calloc(1, sizeof(*split) + plan->count * sizeof(split->values[0]));
    if (split == NULL)
        return false;
    split->store = store;
    split->plan = *plan;
    LIST_INIT(&split->parts);
    status = count_keys(split, &sorting);
    if (status == STORE_OK)
        status = fill_parts(split, &sorting);
    sorting_free(&sorting);
    if (status != STORE_OK) {
        split_free(split);
        return false;
    }
    store_count_pending(store, 1);
    return true;
}
