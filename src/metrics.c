/*
 * Counters and outage flags shared by the parent and its workers, in one
 * anonymous mapping made before the first fork. Implements "Store" of
 * docs/protocol.md where it says that an outage is logged once for the whole
 * service. Nothing here locks: a worker that is killed leaves no lock behind.
 */
#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>

#include "metrics.h"

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2,
               "atomics must work between processes");

/* Bit of a slot, after those of the outages: a worker has it. */
#define METRICS_TAKEN (1U << OUTAGE__MAX)

struct metrics {
    _Atomic uint64_t counters[METRIC__MAX];
    atomic_uint inside[OUTAGE__MAX];  /* workers in the outage */
    atomic_uint slots[METRICS_SLOTS]; /* bits 1 << enum outage */
};

static const char *const metric_names[METRIC__MAX] = {
    [METRIC_REQUESTS] = "requests",
    [METRIC_CACHE_HITS] = "cache_hits",
    [METRIC_CACHE_MISSES] = "cache_misses",
    [METRIC_STORE_RETRIES] = "store_retries",
    [METRIC_STORE_READ_FAILURES] = "store_read_failures",
    [METRIC_STORE_WRITE_FAILURES] = "store_write_failures",
    [METRIC_STORE_OUTAGES] = "store_outages",
    [METRIC_FCGI_FAULTS] = "fcgi_faults",
    [METRIC_LOG_LINES_LOST] = "log_lines_lost",
    [METRIC_WORKER_RESTARTS] = "worker_restarts",
};

static const char *const outage_texts[OUTAGE__MAX] = {
    [OUTAGE_STORE] = "the store is down",
    [OUTAGE_REFUSED] = "the store answers with errors",
    [OUTAGE_WRITES] = "cache writes are lost",
};

struct metrics *
metrics_new(void)
{
    void *map = mmap(NULL, sizeof(struct metrics), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return map == MAP_FAILED ? NULL : map; /* zeroed by the kernel */
}

void
metrics_free(struct metrics *metrics)
{
    if (metrics != NULL)
        (void)munmap(metrics, sizeof(*metrics));
}

void
metrics_add(struct metrics *metrics, enum metric metric, uint64_t by)
{
    (void)atomic_fetch_add_explicit(&metrics->counters[metric], by,
                                    memory_order_relaxed);
}

uint64_t
metrics_get(const struct metrics *metrics, enum metric metric)
{
    return atomic_load_explicit(&metrics->counters[metric],
                                memory_order_relaxed);
}

const char *
metrics_name(enum metric metric)
{
    assert(metric < METRIC__MAX);
    return metric_names[metric];
}

const char *
metrics_outage_text(enum outage what)
{
    assert(what < OUTAGE__MAX);
    return outage_texts[what];
}

/*
 * One worker less in an outage; true if it was the last. Never below zero: a
 * worker killed between its flag and the count leaves the count one too low
 * (see enter and leave), which is right again when all have left.
 */
static bool
outage_decrement(struct metrics *metrics, enum outage what)
{
    unsigned inside = atomic_load(&metrics->inside[what]);

    while (inside > 0 && !atomic_compare_exchange_weak(&metrics->inside[what],
                                                       &inside, inside - 1))
        continue;
    return inside == 1;
}

bool
metrics_outage_enter(struct metrics *metrics, int slot, enum outage what)
{
    unsigned bit = 1U << what;

    assert(slot >= 0 && slot < METRICS_SLOTS);
    if (atomic_fetch_or(&metrics->slots[slot], bit) & bit)
        return false;
    return atomic_fetch_add(&metrics->inside[what], 1) == 0;
}

bool
metrics_outage_leave(struct metrics *metrics, int slot, enum outage what)
{
    unsigned bit = 1U << what;
    bool is_last;

    assert(slot >= 0 && slot < METRICS_SLOTS);
    if (!(atomic_load(&metrics->slots[slot]) & bit))
        return false;
    is_last = outage_decrement(metrics, what);
    (void)atomic_fetch_and(&metrics->slots[slot], ~bit);
    return is_last;
}

int
metrics_slot_take(struct metrics *metrics)
{
    for (int slot = 0; slot < METRICS_SLOTS; slot++) {
        if (atomic_load(&metrics->slots[slot]) & METRICS_TAKEN)
            continue;
        atomic_store(&metrics->slots[slot], METRICS_TAKEN);
        return slot;
    }
    return -1;
}

unsigned
metrics_slot_release(struct metrics *metrics, int slot)
{
    unsigned ended = 0;

    for (int what = 0; what < OUTAGE__MAX; what++) {
        if (metrics_outage_leave(metrics, slot, (enum outage)what))
            ended |= 1U << what;
    }
    atomic_store(&metrics->slots[slot], 0);
    return ended;
}
