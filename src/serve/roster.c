/*
 * Which account has which place in the memory that all workers share.
 * Implements S11 of docs/protocol.md where it says what a reload keeps.
 */
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/hash.h"
#include "scoring/accounts.h"
#include "serve/roster.h"
#include "telemetry/metrics.h"

#define ROSTER_PLACES METRICS_ACCOUNTS

/* Those of the last settings are still served while new ones come. */
_Static_assert(ROSTER_PLACES > 2 * ACCOUNTS_MAX,
               "there is always a free place");

/* What is known of a place; only the parent looks at it. */
struct entry {
    uint64_t generation; /* that had the account last; 0: nobody's */
    struct limit limit;  /* that it had last */
    size_t length;
    char name[ACCOUNT_NAME_MAX];
};

struct roster {
    limit_used *used; /* ROSTER_PLACES of them, shared */
    uint64_t generation;
    uint64_t hashes[ROSTER_PLACES]; /* of the names: looked at first */
    struct entry entries[ROSTER_PLACES];
};

/* Names are the operator's: nobody makes them collide. */
static const struct hash_key no_key;

struct roster *
roster_new(void)
{
    struct roster *roster = calloc(1, sizeof(*roster));
    void *map;

    if (roster == NULL)
        return NULL;
    map = mmap(NULL, ROSTER_PLACES * sizeof(*roster->used),
               PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) {
        free(roster);
        return NULL;
    }
    roster->used = map;
    return roster;
}

void
roster_free(struct roster *roster)
{
    if (roster == NULL)
        return;
    (void)munmap(roster->used, ROSTER_PLACES * sizeof(*roster->used));
    free(roster);
}

/* The place that a name has had; ROSTER_PLACES if it is new. */
static size_t
place_find(const struct roster *roster, struct bytes name, uint64_t hash)
{
    for (size_t i = 0; i < ROSTER_PLACES; i++) {
        const struct entry *entry = &roster->entries[i];

        if (roster->hashes[i] == hash && entry->generation > 0 &&
            bytes_equal((struct bytes){entry->name, entry->length}, name))
            return i;
    }
    return ROSTER_PLACES;
}

/* The place that has been without an account for the longest time. */
static size_t
place_oldest(const struct roster *roster)
{
    size_t oldest = 0;

    for (size_t i = 0; i < ROSTER_PLACES; i++) {
        if (roster->entries[i].generation < roster->entries[oldest].generation)
            oldest = i;
        if (roster->entries[oldest].generation == 0)
            break;
    }
    return oldest;
}

static void
place_take(struct roster *roster, size_t place, struct bytes name,
           uint64_t hash, struct metrics *metrics)
{
    struct entry *entry = &roster->entries[place];

    if (entry->generation > 0)
        metrics_clear_account(metrics, place);
    atomic_store(&roster->used[place], 0);
    *entry = (struct entry){.length = name.length};
    if (name.length > 0)
        memcpy(entry->name, name.at, name.length);
    roster->hashes[place] = hash;
}

/* A limit that has become another one is used as much as before. */
static void
place_limit(struct roster *roster, size_t place, const struct limit *limit,
            int64_t now_ns)
{
    struct entry *entry = &roster->entries[place];

    limit_carry(&entry->limit, limit, &roster->used[place], now_ns);
    if (limit->interval_ns > 0)
        entry->limit = *limit;
}

/* All that have had a place keep it before anybody new gets one. */
static void
place_each(struct roster *roster, struct accounts *accounts, bool is_new,
           struct metrics *metrics, int64_t now_ns)
{
    for (size_t i = 0; i < accounts_count(accounts); i++) {
        const struct account *account = accounts_get(accounts, i);
        const uint64_t hash = hash_bytes(&no_key, account->name);
        size_t place;

        if (account->place != ACCOUNT_NO_PLACE)
            continue;
        place = place_find(roster, account->name, hash);
        if (place == ROSTER_PLACES) {
            if (!is_new)
                continue;
            place = place_oldest(roster);
            place_take(roster, place, account->name, hash, metrics);
        }
        roster->entries[place].generation = roster->generation;
        place_limit(roster, place, &account->limit, now_ns);
        accounts_set_place(accounts, i, place, &roster->used[place]);
    }
}

void
roster_place(struct roster *roster, struct accounts *accounts,
             struct metrics *metrics, int64_t now_ns)
{
    roster->generation++;
    if (accounts == NULL)
        return;
    place_each(roster, accounts, false, metrics, now_ns);
    place_each(roster, accounts, true, metrics, now_ns);
}
