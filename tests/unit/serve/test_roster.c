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

/* As many accounts as possible, with different names in each generation. */
static struct accounts *
read_many(int generation)
{
    struct buffer text = {0};
    struct accounts *accounts;

    for (int i = 0; i < ACCOUNTS_MAX; i++)
        buffer_printf(&text, "%c\"%d.%d\": {\"salts\": [\"%d.%d\"]}",
                      i == 0 ? '{' : ',', generation, i, generation, i);
    buffer_add_text(&text, "}");
    accounts = read_text(buffer_text(&text));
    buffer_free(&text);
    return accounts;
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

TEST_SINGLE(no_memory, "that can be shared: there is none")
{
    calls_fail(CALL_MMAP, ENOMEM);
    CU_ASSERT_PTR_NULL(roster_new());
    CU_ASSERT_TRUE(calls_has_failed(CALL_MMAP));
}
