/*
 * The places of accounts in the memory that all workers share. Implements S11.6
 * of docs/protocol.md.
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

/* After a reload older workers still serve the accounts of the old settings. */
_Static_assert(ROSTER_PLACES > 2 * ACCOUNTS_MAX,
               "old and new accounts have places at the same time");

/* A place, as the parent knows it. */
struct entry {
    uint64_t generation; /* the last one that listed the account; 0: free */
    struct limit limit;  /* the last limit of the account */
    size_t length;       /* of name */
    char name[ACCOUNT_NAME_MAX];
};

struct roster {
    limit_used *used;               /* ROSTER_PLACES of them, shared */
    uint64_t generation;            /* number of roster_place() calls */
    uint64_t hashes[ROSTER_PLACES]; /* of the names; compared first */
    struct entry entries[ROSTER_PLACES];
};

/* The operator chooses the names, so nobody can make them collide. */
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

/* The place of a name; ROSTER_PLACES if the name is new. */
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

/* A free place, or that of the account that was removed the longest ago. */
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

/* If the limit has changed, the number of used requests stays. */
static void
place_limit(struct roster *roster, size_t place, const struct limit *limit,
            int64_t now_ns)
{
    struct entry *entry = &roster->entries[place];

    limit_carry(&entry->limit, limit, &roster->used[place], now_ns);
    if (limit->interval_ns > 0)
        entry->limit = *limit;
}

/* Gives places to accounts whose names have one or, if is_new, to the others.
 */
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
