/*
 * The places of accounts across reloads: which accounts keep theirs, get it
 * back, or lose it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "scoring/accounts.h"
#include "serve/roster.h"
#include "support/buffer.h"
#include "support/calls.h"
#include "support/cases.h"
#include "telemetry/metrics.h"

#define START_NS (INT64_C(1000) * NS_PER_S)

static struct accounts *
read_text(const char *text)
{
    const struct auth_salts none = {0};
    struct buf errors = {0};
    struct accounts *accounts = accounts_read(bytes_of(text), &none, &errors);

    CU_ASSERT_PTR_NOT_NULL_FATAL(accounts);
    return accounts;
}

static const struct account *
find(const struct accounts *accounts, const char *name)
{
    const struct auth_salts *salts;
    const struct account *account =
        accounts_find(accounts, bytes_of(name), &salts);

    CU_ASSERT_PTR_NOT_NULL_FATAL(account);
    return account;
}

#define A      "\"a\": {\"salts\": [\"1\"], \"rate\": 1}"
#define B      "\"b\": {\"salts\": [\"2\"], \"rate\": 1}"
#define FAST_A "\"a\": {\"salts\": [\"1\"], \"rate\": 10, \"burst\": 1}"
#define FREE_A "\"a\": {\"salts\": [\"1\"]}"

TEST_SINGLE(stays, "what is counted of an account over two reloads")
{
    struct roster *roster = roster_new();
    struct metrics *metrics = metrics_new();
    struct accounts *first = read_text("{" A "," B "}");
    struct accounts *second = read_text("{" B "}");
    struct accounts *third =
        read_text("{\"new\": {\"salts\": [\"3\"]}," B "," A "}");
    const struct account *a = NULL;
    size_t place_a, place_b;

    CU_ASSERT_TRUE_FATAL(roster != NULL && metrics != NULL);
    roster_place(roster, first, metrics, START_NS);
    a = find(first, "a");
    place_a = a->place;
    place_b = find(first, "b")->place;
    CU_ASSERT_NOT_EQUAL(place_a, place_b);
    CU_ASSERT_EQUAL(limit_take(&a->limit, a->used, START_NS), 0);
    metrics_add_account(metrics, place_a, 0);
    roster_place(roster, second, metrics, START_NS);
    roster_place(roster, NULL, metrics, START_NS);
    roster_place(roster, third, metrics, START_NS);
    a = find(third, "a");
    CU_ASSERT_EQUAL(a->place, place_a);
    CU_ASSERT_EQUAL(find(third, "b")->place, place_b);
    CU_ASSERT_NOT_EQUAL(find(third, "new")->place, place_a);
    CU_ASSERT_NOT_EQUAL(find(third, "new")->place, place_b);
    CU_ASSERT_EQUAL(limit_take(&a->limit, a->used, START_NS), NS_PER_S);
    CU_ASSERT_EQUAL(metrics_get_account(metrics, place_a, 0), 1);
    accounts_free(first);
    accounts_free(second);
    accounts_free(third);
    metrics_free(metrics);
    roster_free(roster);
}

TEST_SINGLE(rate, "another rate is used as much as the one before")
{
    struct roster *roster = roster_new();
    struct metrics *metrics = metrics_new();
    const char *const texts[] = {"{" A "}", "{" FREE_A "}", "{" FAST_A "}"};
    const int64_t want_ns[] = {NS_PER_S, 0, NS_PER_S / 10};

    for (size_t i = 0; i < 3; i++) {
        struct accounts *accounts = read_text(texts[i]);
        const struct account *a = find(accounts, "a");

        roster_place(roster, accounts, metrics, START_NS);
        if (i == 0)
            (void)limit_take(&a->limit, a->used, START_NS);
        CU_ASSERT_EQUAL(limit_take(&a->limit, a->used, START_NS), want_ns[i]);
        accounts_free(accounts);
    }
    metrics_free(metrics);
    roster_free(roster);
}

/* Adds accounts whose names no other generation has. */
static void
put_some(struct buffer *text, int generation, int count)
{
    for (int i = 0; i < count; i++)
        buffer_printf(text,
                      "%c\"%d.%d\": {\"salts\": [\"%d.%d\"], \"rate\": 1, "
                      "\"burst\": 1}",
                      text->length == 0 ? '{' : ',', generation, i, generation,
                      i);
}

static struct accounts *
read_built(struct buffer *text)
{
    struct accounts *accounts;

    buffer_add_text(text, "}");
    accounts = read_text(buffer_text(text));
    buffer_free(text);
    return accounts;
}

/* As many accounts as possible, with different names in each generation. */
static struct accounts *
read_many(int generation)
{
    struct buffer text = {0};

    put_some(&text, generation, ACCOUNTS_MAX);
    return read_built(&text);
}

TEST_SINGLE(room, "is made by those that are gone the longest, and no others")
{
    struct roster *roster = roster_new();
    struct metrics *metrics = metrics_new();
    struct accounts *last = NULL;

    for (int generation = 0; generation < 6; generation++) {
        struct accounts *accounts = read_many(generation);
        bool is_taken[METRICS_ACCOUNTS] = {false};

        roster_place(roster, accounts, metrics, START_NS);
        for (size_t i = 0; i < ACCOUNTS_MAX; i++) {
            const size_t place = accounts_get(accounts, i)->place;

            CU_ASSERT_TRUE_FATAL(place < METRICS_ACCOUNTS);
            CU_ASSERT_FALSE(is_taken[place]);
            CU_ASSERT_EQUAL(metrics_get_account(metrics, place, 0), 0);
            is_taken[place] = true;
            metrics_add_account(metrics, place, 0);
        }
        for (size_t i = 0; last != NULL && i < ACCOUNTS_MAX; i++)
            CU_ASSERT_FALSE(is_taken[accounts_get(last, i)->place]);
        accounts_free(last);
        last = accounts;
    }
    accounts_free(last);
    metrics_free(metrics);
    roster_free(roster);
}

/* Four generations have room; the fifth takes the places of the one that has
 * not been listed for the longest time. */
struct step {
    int generation;
    bool is_kept; /* what was counted and used before */
};

static const struct step steps[] = {
    {0, false}, {1, false}, {2, false}, {3, false}, {0, true},
    {4, false}, {2, true},  {3, true},  {0, true},  {1, false},
};

/* Counts a request of each account from a number on; checks whether it is the
 * first one. */
static void
count_each(const struct accounts *accounts, size_t from,
           struct metrics *metrics, bool is_kept)
{
    size_t right = 0;

    for (size_t i = from; i < accounts_count(accounts); i++) {
        const struct account *account = accounts_get(accounts, i);
        const int64_t wait_ns =
            limit_take(&account->limit, account->used, START_NS);

        right +=
            wait_ns == (is_kept ? NS_PER_S : 0) &&
            (metrics_get_account(metrics, account->place, 0) > 0) == is_kept;
        metrics_add_account(metrics, account->place, 0);
    }
    CU_ASSERT_EQUAL(right, accounts_count(accounts) - from);
}

TEST_SINGLE(kept, "of 4096 names is all, and the oldest are forgotten first")
{
    struct roster *roster = roster_new();
    struct metrics *metrics = metrics_new();

    CU_ASSERT_TRUE_FATAL(roster != NULL && metrics != NULL);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct accounts *accounts = read_many(steps[i].generation);

        roster_place(roster, accounts, metrics, START_NS);
        count_each(accounts, 0, metrics, steps[i].is_kept);
        accounts_free(accounts);
    }
    metrics_free(metrics);
    roster_free(roster);
}

#define FULL 4 /* generations */

TEST_SINGLE(back,
            "one that is listed again loses nothing to new ones before it")
{
    struct roster *roster = roster_new();
    struct metrics *metrics = metrics_new();
    struct buffer text = {0};
    struct accounts *accounts;

    CU_ASSERT_TRUE_FATAL(roster != NULL && metrics != NULL);
    for (int i = 0; i < FULL; i++) {
        accounts = read_many(i);
        roster_place(roster, accounts, metrics, START_NS);
        count_each(accounts, 0, metrics, false);
        accounts_free(accounts);
    }
    put_some(&text, FULL, ACCOUNTS_MAX / 2);
    put_some(&text, 0, ACCOUNTS_MAX / 2);
    accounts = read_built(&text);
    roster_place(roster, accounts, metrics, START_NS);
    count_each(accounts, ACCOUNTS_MAX / 2, metrics, true);
    accounts_free(accounts);
    metrics_free(metrics);
    roster_free(roster);
}

TEST_SINGLE(no_memory, "that can be shared: there is none")
{
    calls_fail(CALL_MMAP, ENOMEM);
    CU_ASSERT_PTR_NULL(roster_new());
    CU_ASSERT_TRUE(calls_has_failed(CALL_MMAP));
}
