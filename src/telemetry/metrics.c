/*
 * Counters, gauges and outage flags that the parent and its workers share, in
 * an anonymous mapping from before the first fork. Implements the counts of S23
 * of docs/protocol.md, and of S20.2 and S20.3 that something is logged once for
 * the whole service. There are no locks, which a killed worker would leave
 * locked.
 *
 * A sum is taken over the blocks of all slots that were ever used. Their
 * counters are never reset, so a sum never decreases when a worker dies. The
 * exceptions are the numbers of parked requests and of bytes that are held,
 * which are reset.
 */
#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "telemetry/metrics.h"

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2,
               "atomics must work between processes");

#define REFUSAL_READS                                                          \
    (1U << REFUSAL_READ | 1U << REFUSAL_MANY | 1U << REFUSAL_CACHE)

#define METRICS_LINE_BYTES 64 /* of a processor's cache */

/* The counts of the workers with one slot; the last block is the parent's. */
struct block {
    _Alignas(METRICS_LINE_BYTES) _Atomic uint64_t counters[METRIC__MAX];
    _Atomic uint64_t requests[METRICS_METHODS][METRICS_STATUSES];
    _Atomic uint64_t buckets[METRICS_METHODS][METRICS_BUCKETS];
    _Atomic uint64_t duration_us[METRICS_METHODS];
    _Atomic uint64_t tokens[METRICS_SALTS];
    _Atomic uint64_t parked, held;
    _Atomic uint64_t beats;
    _Atomic uint64_t log_waiting, log_untold; /* see metrics_set_log() */
};

/* A worker, until the parent has released its slot. */
struct slot {
    atomic_bool is_taken;
    _Atomic pid_t pid;              /* 0: has not started */
    atomic_bool is_in[OUTAGE__MAX]; /* the outages that it has entered */
};

/*
 * The address of a server. A worker claims a place by the hash, in one step,
 * and never gives it back: so all workers find the same place, the first that
 * is free or has their hash. The text follows; if the worker is killed before,
 * the outage is counted and logged, but has no label.
 */
struct address {
    _Atomic uint64_t hash; /* 0: free */
    atomic_bool has_text;
    char text[METRICS_ADDRESS_SIZE];
};

/* The last outage is that of all further addresses. */
#define ADDRESSES (OUTAGE__MAX - OUTAGE_SERVER - 1)

struct shared {
    int64_t started_s;
    pid_t parent;
    atomic_uint settings[METRICS_SETTINGS];
    _Atomic uint64_t cpu_ms; /* see metrics_at_least() */
    atomic_int phase;
    atomic_int used; /* how many slots were ever used */
    struct slot slots[METRICS_SLOTS];
    /*
     * Each outage in one word, so that a worker that enters it and one that
     * leaves it act one after the other. > 0: so many workers are in it; 0: it
     * never began; < 0: it is over, and this is -(2 * the ms when the last
     * worker left), or 1 less when this has been reported: REPORTED.
     */
    _Atomic int64_t outages[OUTAGE__MAX];
    struct address addresses[ADDRESSES];
    atomic_uint refused;                      /* bits 1 << enum refusal */
    _Atomic int64_t refused_ms[REFUSAL__MAX]; /* the time of the last one */
    _Atomic uint64_t master; /* a hash of its address; 0: none so far */
    _Atomic int64_t master_ms;
    _Atomic uint64_t switches, sentinels;
    /* Shared by all workers, to save memory: few accounts call at a time. */
    _Atomic uint64_t accounts[METRICS_ACCOUNTS][METRICS_STATUSES];
    struct block blocks[METRICS_SLOTS + 1];
};

struct metrics {
    struct shared *shared;
    struct block *own; /* that of this process */
};

/* From the time of a cached answer to the longest time of a request. */
static const int64_t bucket_us[METRICS_BUCKETS - 1] = {
    50,    100,   250,    500,    1000,   2500,    5000,    10000,
    25000, 50000, 100000, 250000, 500000, 1000000, 2500000,
};

static const char *const outage_texts[OUTAGE_SERVER + 1] = {
    [OUTAGE_STORE] = "the store is down",
    [OUTAGE_SERVER] = "a server of the store is down",
};

/* The kinds that are logged together, as bits 1 << enum refusal; their text. */
static const struct refusal_row {
    unsigned group;
    const char *text;
} refusal_rows[REFUSAL__MAX] = {
    [REFUSAL_READ] = {REFUSAL_READS, "the store answers with errors"},
    [REFUSAL_MANY] = {REFUSAL_READS, "the store answers with errors"},
    [REFUSAL_CACHE] = {REFUSAL_READS, "the store answers with errors"},
    [REFUSAL_WRITE] = {1U << REFUSAL_WRITE, "cache writes are lost"},
};

struct metrics *
metrics_new(void)
{
    struct metrics *metrics = malloc(sizeof(*metrics));
    void *map = MAP_FAILED;

    /* The kernel zeroes it. Pages of unused slots cost no memory. */
    if (metrics != NULL)
        map = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) {
        free(metrics);
        return NULL;
    }
    metrics->shared = map;
    metrics->shared->started_s = clock_wall_s();
    metrics->shared->parent = getpid();
    metrics->own = &metrics->shared->blocks[METRICS_SLOTS];
    return metrics;
}

void
metrics_free(struct metrics *metrics)
{
    if (metrics == NULL)
        return;
    (void)munmap(metrics->shared, sizeof(*metrics->shared));
    free(metrics);
}

void
metrics_use_slot(struct metrics *metrics, int slot)
{
    assert(slot >= 0 && slot < METRICS_SLOTS);
    metrics->own = &metrics->shared->blocks[slot];
    atomic_store(&metrics->shared->slots[slot].pid, getpid());
}

void
metrics_set(struct metrics *metrics, enum metrics_setting what, unsigned value)
{
    atomic_store(&metrics->shared->settings[what], value);
}

unsigned
metrics_get_setting(const struct metrics *metrics, enum metrics_setting what)
{
    return atomic_load(&metrics->shared->settings[what]);
}

uint64_t
metrics_at_least(const struct metrics *metrics, uint64_t cpu_ms)
{
    _Atomic uint64_t *most = &metrics->shared->cpu_ms;
    uint64_t before = atomic_load(most);

    while (before < cpu_ms &&
           !atomic_compare_exchange_weak(most, &before, cpu_ms))
        ;
    return before > cpu_ms ? before : cpu_ms;
}

size_t
metrics_list_pids(const struct metrics *metrics, pid_t *ret_pids, size_t max)
{
    const struct shared *shared = metrics->shared;
    const int used = atomic_load(&shared->used);
    size_t count = 0;

    if (count < max)
        ret_pids[count++] = shared->parent;
    for (int slot = 0; slot < used && count < max; slot++) {
        const pid_t pid = atomic_load(&shared->slots[slot].pid);

        if (pid != 0)
            ret_pids[count++] = pid;
    }
    return count;
}

static void
add(_Atomic uint64_t *counter, uint64_t by)
{
    (void)atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

/* Adds up the counter at this offset of all blocks that were ever used. */
static uint64_t
sum(const struct metrics *metrics, size_t offset)
{
    const struct shared *shared = metrics->shared;
    int used = atomic_load(&shared->used);
    uint64_t total = 0;

    for (int i = -1; i < used; i++) {
        const struct block *block = &shared->blocks[i < 0 ? METRICS_SLOTS : i];
        const void *number = (const char *)block + offset;

        total += atomic_load_explicit((const _Atomic uint64_t *)number,
                                      memory_order_relaxed);
    }
    return total;
}

void
metrics_add(struct metrics *metrics, enum metric metric, uint64_t by)
{
    add(&metrics->own->counters[metric], by);
}

uint64_t
metrics_get(const struct metrics *metrics, enum metric metric)
{
    return sum(metrics, offsetof(struct block, counters[metric]));
}

int64_t
metrics_bucket_us(size_t bucket)
{
    assert(bucket < METRICS_BUCKETS - 1);
    return bucket_us[bucket];
}

void
metrics_add_request(struct metrics *metrics, size_t method, size_t status,
                    int64_t duration_us)
{
    struct block *own = metrics->own;
    size_t bucket = 0;

    method = MIN(method, METRICS_METHODS - 1);
    status = MIN(status, METRICS_STATUSES - 1);
    while (bucket < METRICS_BUCKETS - 1 && duration_us > bucket_us[bucket])
        bucket++;
    add(&own->requests[method][status], 1);
    add(&own->buckets[method][bucket], 1);
    add(&own->duration_us[method], duration_us > 0 ? (uint64_t)duration_us : 0);
    metrics_beat(metrics);
}

uint64_t
metrics_get_requests(const struct metrics *metrics, size_t method,
                     size_t status)
{
    assert(method < METRICS_METHODS && status < METRICS_STATUSES);
    return sum(metrics, offsetof(struct block, requests[method][status]));
}

void
metrics_add_account(struct metrics *metrics, size_t place, size_t status)
{
    status = MIN(status, METRICS_STATUSES - 1);
    if (place < METRICS_ACCOUNTS)
        add(&metrics->shared->accounts[place][status], 1);
}

uint64_t
metrics_get_account(const struct metrics *metrics, size_t place, size_t status)
{
    if (place >= METRICS_ACCOUNTS)
        return 0;
    return atomic_load_explicit(&metrics->shared->accounts[place][status],
                                memory_order_relaxed);
}

void
metrics_clear_account(struct metrics *metrics, size_t place)
{
    assert(place < METRICS_ACCOUNTS);
    for (size_t i = 0; i < METRICS_STATUSES; i++)
        atomic_store(&metrics->shared->accounts[place][i], 0);
}

void
metrics_add_token(struct metrics *metrics, size_t salt)
{
    assert(salt >= 1 && salt <= METRICS_SALTS);
    add(&metrics->own->tokens[salt - 1], 1);
}

uint64_t
metrics_get_tokens(const struct metrics *metrics, size_t salt)
{
    assert(salt >= 1 && salt <= METRICS_SALTS);
    return sum(metrics, offsetof(struct block, tokens[salt - 1]));
}

struct metrics_durations
metrics_get_durations(const struct metrics *metrics, size_t method)
{
    struct metrics_durations durations;

    assert(method < METRICS_METHODS);
    for (size_t i = 0; i < METRICS_BUCKETS; i++)
        durations.buckets[i] =
            sum(metrics, offsetof(struct block, buckets[method][i]));
    durations.sum_us =
        sum(metrics, offsetof(struct block, duration_us[method]));
    return durations;
}

void
metrics_set_parked(struct metrics *metrics, uint64_t parked)
{
    atomic_store_explicit(&metrics->own->parked, parked, memory_order_relaxed);
}

uint64_t
metrics_get_parked(const struct metrics *metrics)
{
    return sum(metrics, offsetof(struct block, parked));
}

/* The bytes are added before the sum is taken: of two workers that do this at
 * the same time, at least one sees the bytes of both. */
bool
metrics_hold(struct metrics *metrics, uint64_t bytes, uint64_t most)
{
    uint64_t total;

    (void)atomic_fetch_add(&metrics->own->held, bytes);
    atomic_thread_fence(memory_order_seq_cst);
    total = metrics_get_held(metrics);
    if (total == bytes || total + bytes <= most)
        return true;
    metrics_release(metrics, bytes);
    return false;
}

void
metrics_release(struct metrics *metrics, uint64_t bytes)
{
    (void)atomic_fetch_sub(&metrics->own->held, bytes);
}

uint64_t
metrics_get_held(const struct metrics *metrics)
{
    return sum(metrics, offsetof(struct block, held));
}

/* No other process writes it: this needs no atomic addition. */
void
metrics_beat(struct metrics *metrics)
{
    _Atomic uint64_t *beats = &metrics->own->beats;

    atomic_store_explicit(beats,
                          atomic_load_explicit(beats, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

uint64_t
metrics_get_beats(const struct metrics *metrics, int slot)
{
    assert(slot >= 0 && slot < METRICS_SLOTS);
    return atomic_load_explicit(&metrics->shared->blocks[slot].beats,
                                memory_order_relaxed);
}

void
metrics_set_log(struct metrics *metrics, uint64_t waiting, uint64_t untold)
{
    struct block *own = metrics->own;

    atomic_store_explicit(&own->log_waiting, waiting, memory_order_relaxed);
    atomic_store_explicit(&own->log_untold, untold, memory_order_relaxed);
}

uint64_t
metrics_take_log(struct metrics *metrics, int slot)
{
    struct block *block = &metrics->shared->blocks[slot];
    uint64_t waiting = atomic_exchange(&block->log_waiting, 0);

    metrics_add(metrics, METRIC_LOG_LINES_LOST, waiting);
    return waiting + atomic_exchange(&block->log_untold, 0);
}

void
metrics_set_phase(struct metrics *metrics, enum metrics_phase phase)
{
    atomic_store(&metrics->shared->phase, (int)phase);
}

enum metrics_phase
metrics_get_phase(const struct metrics *metrics)
{
    return (enum metrics_phase)atomic_load(&metrics->shared->phase);
}

/* Stands for an address, which does not come from a caller; never 0. */
static uint64_t
hash_of(const char *address)
{
    static const struct hash_key key;

    return hash_bytes(&key, bytes_of(address)) | 1;
}

enum metrics_master
metrics_set_master(struct metrics *metrics, const char *address, int64_t now_ms)
{
    struct shared *shared = metrics->shared;
    const uint64_t master = hash_of(address);
    const uint64_t before = atomic_exchange(&shared->master, master);

    if (before == master)
        return MASTER_SAME;
    atomic_store(&shared->master_ms, now_ms);
    if (before == 0)
        return MASTER_FIRST;
    add(&shared->switches, 1);
    return MASTER_CHANGED;
}

uint64_t
metrics_get_switches(const struct metrics *metrics)
{
    return atomic_load(&metrics->shared->switches);
}

int64_t
metrics_master_age_ms(const struct metrics *metrics, int64_t now_ms)
{
    return atomic_load(&metrics->shared->master) != 0
               ? now_ms - atomic_load(&metrics->shared->master_ms)
               : 0;
}

void
metrics_set_sentinels(struct metrics *metrics, uint64_t count)
{
    atomic_store_explicit(&metrics->shared->sentinels, count,
                          memory_order_relaxed);
}

uint64_t
metrics_get_sentinels(const struct metrics *metrics)
{
    return atomic_load(&metrics->shared->sentinels);
}

int64_t
metrics_started_s(const struct metrics *metrics)
{
    return metrics->shared->started_s;
}

unsigned
metrics_workers(const struct metrics *metrics)
{
    int used = atomic_load(&metrics->shared->used);
    unsigned count = 0;

    for (int slot = 0; slot < used; slot++)
        count += atomic_load(&metrics->shared->slots[slot].is_taken);
    return count;
}

int
metrics_outages_end(const struct metrics *metrics)
{
    const struct address *addresses = metrics->shared->addresses;
    int i = 0;

    while (i < ADDRESSES &&
           atomic_load_explicit(&addresses[i].hash, memory_order_relaxed) != 0)
        i++;
    return i < ADDRESSES ? OUTAGE_SERVER + i : OUTAGE__MAX;
}

unsigned
metrics_outage_count(const struct metrics *metrics, enum outage what)
{
    const int64_t state = atomic_load(&metrics->shared->outages[what]);

    return state > 0 ? (unsigned)state : 0;
}

bool
metrics_is_in_outage(const struct metrics *metrics)
{
    const int end = metrics_outages_end(metrics);

    for (int i = 0; i < end; i++) {
        if (metrics_outage_count(metrics, (enum outage)i) > 0)
            return true;
    }
    return false;
}

const char *
metrics_outage_text(enum outage what)
{
    assert(what < OUTAGE__MAX);
    return outage_texts[what < OUTAGE_SERVER ? what : OUTAGE_SERVER];
}

/* The lowest bit of the state of an outage that is over, and is reported. */
#define REPORTED 1

static int64_t
ended_at(int64_t now_ms)
{
    return now_ms > 0 ? -2 * now_ms : -2;
}

static int64_t
end_ms(int64_t state)
{
    return -state / 2;
}

bool
metrics_outage_enter(struct metrics *metrics, int slot, enum outage what)
{
    _Atomic int64_t *outage = &metrics->shared->outages[what];
    int64_t state = atomic_load(outage);

    assert(slot >= 0 && slot < METRICS_SLOTS);
    if (atomic_exchange(&metrics->shared->slots[slot].is_in[what], true))
        return false;
    while (!atomic_compare_exchange_weak(outage, &state,
                                         state > 0 ? state + 1 : 1))
        continue;
    return state == 0 || (state < 0 && (state & REPORTED) != 0);
}

/*
 * If a worker is killed between is_in[] and the number, the number is one too
 * low until all have left, so it must not fall below zero.
 */
void
metrics_outage_leave(struct metrics *metrics, int slot, enum outage what,
                     int64_t now_ms)
{
    _Atomic int64_t *outage = &metrics->shared->outages[what];
    int64_t state = atomic_load(outage);

    assert(slot >= 0 && slot < METRICS_SLOTS);
    if (!atomic_load(&metrics->shared->slots[slot].is_in[what]))
        return;
    while (state > 0 &&
           !atomic_compare_exchange_weak(
               outage, &state, state > 1 ? state - 1 : ended_at(now_ms)))
        continue;
    atomic_store(&metrics->shared->slots[slot].is_in[what], false);
}

bool
metrics_outage_is_over(struct metrics *metrics, enum outage what,
                       int64_t now_ms)
{
    _Atomic int64_t *outage = &metrics->shared->outages[what];
    int64_t state = atomic_load_explicit(outage, memory_order_relaxed);

    return state < 0 && (state & REPORTED) == 0 &&
           now_ms - end_ms(state) >= METRICS_OUTAGE_QUIET_MS &&
           atomic_compare_exchange_strong(outage, &state, state - 1);
}

bool
metrics_outage_is_ending(const struct metrics *metrics)
{
    const int end = metrics_outages_end(metrics);

    for (int i = 0; i < end; i++) {
        const int64_t state = atomic_load_explicit(&metrics->shared->outages[i],
                                                   memory_order_relaxed);

        if (state < 0 && (state & REPORTED) == 0)
            return true;
    }
    return false;
}

bool
metrics_outage_is_shown(const struct metrics *metrics, enum outage what,
                        int64_t now_ms)
{
    const int64_t state = atomic_load(&metrics->shared->outages[what]);

    return state > 0 ||
           (state < 0 && now_ms - end_ms(state) < METRICS_OUTAGE_SHOWN_MS);
}

/* Whether the place is that of the address, or was free and is now. */
static bool
claim(struct address *place, uint64_t hash, const char *address)
{
    uint64_t before = 0;

    if (!atomic_compare_exchange_strong(&place->hash, &before, hash))
        return before == hash;
    (void)snprintf(place->text, sizeof(place->text), "%s", address);
    atomic_store(&place->has_text, true);
    return true;
}

enum outage
metrics_outage_of(struct metrics *metrics, const char *address)
{
    struct address *addresses = metrics->shared->addresses;
    uint64_t hash;
    int i = 0;

    if (address == NULL)
        return OUTAGE_STORE;
    hash = hash_of(address);
    while (i < ADDRESSES && !claim(&addresses[i], hash, address))
        i++;
    return (enum outage)(OUTAGE_SERVER + i);
}

const char *
metrics_outage_address(const struct metrics *metrics, enum outage what)
{
    const int i = (int)what - OUTAGE_SERVER;

    if (i < 0 || i >= ADDRESSES ||
        !atomic_load(&metrics->shared->addresses[i].has_text))
        return NULL;
    return metrics->shared->addresses[i].text;
}

const char *
metrics_refusal_text(enum refusal what)
{
    assert(what < REFUSAL__MAX);
    return refusal_rows[what].text;
}

bool
metrics_refusal_begin(struct metrics *metrics, enum refusal what,
                      int64_t now_ms)
{
    struct shared *shared = metrics->shared;
    unsigned before;

    assert(what < REFUSAL__MAX);
    atomic_store(&shared->refused_ms[what], now_ms);
    before = atomic_fetch_or(&shared->refused, 1U << what);
    return (before & refusal_rows[what].group) == 0;
}

bool
metrics_refusal_is_on(const struct metrics *metrics)
{
    return atomic_load_explicit(&metrics->shared->refused,
                                memory_order_relaxed) != 0;
}

bool
metrics_refusal_end(struct metrics *metrics, enum refusal what, int64_t now_ms)
{
    struct shared *shared = metrics->shared;
    const unsigned bit = 1U << what;
    unsigned before;

    assert(what < REFUSAL__MAX);
    if ((atomic_load(&shared->refused) & bit) == 0 ||
        now_ms - atomic_load(&shared->refused_ms[what]) <
            METRICS_REFUSAL_QUIET_MS)
        return false;
    before = atomic_fetch_and(&shared->refused, ~bit);
    return (before & refusal_rows[what].group) == bit;
}

int
metrics_slot_take(struct metrics *metrics)
{
    for (int slot = 0; slot < METRICS_SLOTS; slot++) {
        if (atomic_exchange(&metrics->shared->slots[slot].is_taken, true))
            continue;
        if (slot >= atomic_load(&metrics->shared->used))
            atomic_store(&metrics->shared->used, slot + 1);
        return slot;
    }
    return -1;
}

void
metrics_slot_release(struct metrics *metrics, int slot, int64_t now_ms)
{
    for (int what = 0; what < OUTAGE__MAX; what++)
        metrics_outage_leave(metrics, slot, (enum outage)what, now_ms);
    atomic_store(&metrics->shared->blocks[slot].parked, 0);
    atomic_store(&metrics->shared->blocks[slot].held, 0);
    atomic_store(&metrics->shared->slots[slot].pid, 0);
    atomic_store(&metrics->shared->slots[slot].is_taken, false);
}
