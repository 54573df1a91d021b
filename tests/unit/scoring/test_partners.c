/*
 * What an account may do: which tokens are valid, which methods it may call,
 * and how often. Source: docs/protocol.md, S11.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "scoring/api.h"
#include "scoring/model.h"
#include "support/buffer.h"
#include "support/cases.h"
#include "support/request.h"
#include "support/store_fake.h"
#include "support/token.h"

#define START_NS (INT64_C(1000) * NS_PER_S)

static const char accounts_text[] =
    "{\"horns&hoofs\": {\"salts\": [\"new\", \"old\"]},"
    " \"acme\": {\"salts\": [\"acme's\"], \"methods\": [\"online_score\"]},"
    " \"gone\": {\"salts\": [\"gone's\"], \"disabled\": true},"
    " \"mute\": {\"salts\": [\"mute's\"], \"methods\": []},"
    " \"slow\": {\"salts\": [\"slow's\"], \"rate\": 2, \"burst\": 3,"
    "  \"methods\": [\"online_score\", \"online_scores\"]},"
    " \"\": {\"salts\": [\"nobody's\"]}}";

static const struct store_fake empty_store;

/* An API with these accounts, and the shared counts of their limits. */
struct world {
    struct api_config config;
    struct api *api;
    struct accounts *accounts;
    limit_used used[8];
};

static void
world_make(struct world *world)
{
    struct buf errors = {0};

    *world = (struct world){.config = {.model = &model_published,
                                       .clients_max = 10,
                                       .secrets = TOKEN_SECRETS,
                                       .client_ids_max = 10,
                                       .body_max_bytes = 4096}};
    world->accounts = accounts_read(
        bytes_of(accounts_text), &world->config.secrets.admin_salts, &errors);
    CU_ASSERT_PTR_NOT_NULL_FATAL(world->accounts);
    for (size_t i = 0; i < accounts_count(world->accounts); i++)
        accounts_set_place(world->accounts, i, 100 + i, &world->used[i]);
    world->config.accounts = world->accounts;
    world->api = api_new(&world->config);
    CU_ASSERT_PTR_NOT_NULL_FATAL(world->api);
}

static void
world_free(struct world *world)
{
    api_free(world->api);
    accounts_free(world->accounts);
}

/* A request; its texts need no escapes. */
struct asked {
    const char *account; /* NULL: not there */
    const char *login, *salt, *method, *arguments;
};

/* The outcome refers to the call, which the caller frees. */
static struct api_call *
world_ask(struct world *world, const struct asked *asked, int64_t after_ns,
          struct outcome *outcome)
{
    struct request request = {.verb = bytes_of("POST"),
                              .path = bytes_of("/method"),
                              .now = 1700000000,
                              .arrived_ns = START_NS + after_ns};
    const char *account = asked->account != NULL ? asked->account : "";
    char token[TOKEN_LENGTH + 1];
    struct buffer body = {0};
    struct api_call *call;
    size_t keys = 0;

    token_user(account, asked->login, asked->salt, token);
    if (strcmp(asked->login, "admin") == 0)
        token_admin(request.now, asked->salt, token);
    buffer_add_text(&body, "{");
    if (asked->account != NULL)
        buffer_printf(&body, "\"account\": \"%s\", ", account);
    buffer_printf(&body,
                  "\"login\": \"%s\", \"token\": \"%s\", \"method\": \"%s\", "
                  "\"arguments\": %s}",
                  asked->login, token, asked->method, asked->arguments);
    request.body = body.data;
    request.body_length = body.length;
    call = store_fake_run(&empty_store, world->api, &request, outcome, &keys);
    buffer_free(&body);
    return call;
}

struct entry_case {
    const char *name;
    struct asked asked;
    int code;
    const char *account; /* in log and metrics; NULL: none */
    size_t place, salt;
};

#define SCORE(account, salt)                                                   \
    {                                                                          \
        account, "h&f", salt, "online_score", REQUEST_NAMES                    \
    }
#define INTERESTS(account, salt)                                               \
    {                                                                          \
        account, "h&f", salt, "clients_interests", "{\"client_ids\": [1]}"     \
    }

static const struct entry_case entry_rows[] = {
    {"by the newest salt", SCORE("horns&hoofs", "new"), 200, "horns&hoofs", 100,
     1},
    {"by the older salt", SCORE("horns&hoofs", "old"), 200, "horns&hoofs", 100,
     2},
    {"by the salt of all", SCORE("horns&hoofs", "Otus"), 403, "horns&hoofs",
     100, 0},
    {"by another account's salt", SCORE("horns&hoofs", "acme's"), 403,
     "horns&hoofs", 100, 0},
    {"by the admin's salt", SCORE("horns&hoofs", "42"), 403, "horns&hoofs", 100,
     0},
    {"not listed, by the salt of all", SCORE("nobody", "Otus"), 403, NULL, 0,
     0},
    {"another case of letters", SCORE("Acme", "acme's"), 403, NULL, 0, 0},
    {"a part of the name", SCORE("acm", "acme's"), 403, NULL, 0, 0},
    {"text after a NUL", SCORE("acme\\u0000", "acme's"), 403, NULL, 0, 0},
    {"no account, which is an empty name", SCORE(NULL, "nobody's"), 200, "",
     105, 1},
    {"an empty name", SCORE("", "nobody's"), 200, "", 105, 1},
    {"disabled", SCORE("gone", "gone's"), 403, "gone", 102, 0},
    {"a method that it has", SCORE("acme", "acme's"), 200, "acme", 101, 1},
    {"a method that it has not", INTERESTS("acme", "acme's"), 403, "acme", 101,
     1},
    {"no method at all", SCORE("mute", "mute's"), 403, "mute", 103, 1},
    {"a method that there is not", LIST("acme", "h&f", "acme's", "score", "{}"),
     422, "acme", 101, 1},
    {"arguments at fault", LIST("acme", "h&f", "acme's", "online_score", "{}"),
     422, "acme", 101, 1},
    {"the admin, of no account",
     LIST(NULL, "admin", "42", "online_score", REQUEST_NAMES), 200, NULL, 0, 1},
    {"the admin, of a disabled account",
     LIST("gone", "admin", "42", "clients_interests", "{\"client_ids\": [1]}"),
     200, NULL, 0, 1},
    {"the admin, by an account's salt",
     LIST("acme", "admin", "acme's", "online_score", REQUEST_NAMES), 403, NULL,
     0, 0},
};

TEST_CASES(entry, struct entry_case, entry_rows)
{
    struct outcome outcome;
    struct world world;
    struct api_call *call;

    world_make(&world);
    call = world_ask(&world, &c->asked, 0, &outcome);
    CU_ASSERT_EQUAL(outcome.code, c->code);
    CU_ASSERT_EQUAL(outcome.account.at != NULL, c->account != NULL);
    CU_ASSERT_TRUE(bytes_equal(outcome.account,
                               bytes_of(c->account != NULL ? c->account : "")));
    CU_ASSERT_EQUAL(outcome.account_place, c->place);
    CU_ASSERT_EQUAL(outcome.salt, c->salt);
    if (c->code == 403)
        CU_ASSERT_TRUE(
            bytes_equal(outcome.body,
                        bytes_of("{\"code\": 403, \"error\": \"Forbidden\"}")));
    api_call_free(call);
    world_free(&world);
}

/* The token of an account that is not listed is checked with the salts of
 * another one, but never accepted. */
TEST_SINGLE(strangers, "no salt of any account is good for one not listed")
{
    static const char *const salts[] = {"new",    "old",    "acme's",  "gone's",
                                        "mute's", "slow's", "nobody's"};
    struct world world;

    world_make(&world);
    for (int i = 0; i < 50; i++) {
        char name[24]; /* with any int */

        (void)snprintf(name, sizeof(name), "stranger %d", i);
        for (size_t j = 0; j < sizeof(salts) / sizeof(salts[0]); j++) {
            const struct asked asked = SCORE(name, salts[j]);
            struct outcome outcome;
            struct api_call *call = world_ask(&world, &asked, 0, &outcome);

            CU_ASSERT_EQUAL(outcome.code, 403);
            CU_ASSERT_PTR_NULL(outcome.account.at);
            CU_ASSERT_EQUAL(outcome.salt, 0);
            api_call_free(call);
        }
    }
    world_free(&world);
}

/* The account "slow": 2 a second, 3 at once. */
struct rate_case {
    const char *name;
    struct asked before; /* so many requests at once */
    int times;
    int64_t after_ms; /* when the next one is sent */
    int code;
    const char *header; /* NULL: none */
};

#define BATCH(records)                                                         \
    {                                                                          \
        "slow", "h&f", "slow's", "online_scores",                              \
            "{\"clients\": [" records "]}"                                     \
    }

static const struct rate_case rate_rows[] = {
    {"the last of the burst", SCORE("slow", "slow's"), 2, 0, 200, NULL},
    {"one more", SCORE("slow", "slow's"), 3, 0, 429, "Retry-After: 1"},
    {"just before its time", SCORE("slow", "slow's"), 3, 499, 429,
     "Retry-After: 1"},
    {"in time", SCORE("slow", "slow's"), 3, 500, 200, NULL},
    {"what is refused takes nothing", SCORE("slow", "slow's"), 30, 500, 200,
     NULL},
    {"faults in arguments take one, too",
     LIST("slow", "h&f", "slow's", "online_score", "{}"), 3, 0, 429,
     "Retry-After: 1"},
    {"wrong tokens take none", SCORE("slow", "wrong"), 30, 0, 200, NULL},
    {"another account takes none", SCORE("acme", "acme's"), 30, 0, 200, NULL},
    {"a batch of one takes one", BATCH("{}"), 2, 0, 200, NULL},
    {"and three of them all", BATCH("{}"), 3, 0, 429, "Retry-After: 1"},
    {"a batch of two takes two, also where one is left", BATCH("{}, {}"), 2,
     999, 429, "Retry-After: 1"},
    {"and no more than two", BATCH("{}, {}"), 2, 1000, 200, NULL},
    {"a batch takes as many as it has records",
     LIST("slow", "h&f", "slow's", "online_scores",
          "{\"clients\": [{}, {}, " REQUEST_NAMES ", {}, {}, {}, {}, {}, {}]}"),
     1, 3499, 429, "Retry-After: 1"},
    {"and no more",
     LIST("slow", "h&f", "slow's", "online_scores",
          "{\"clients\": [{}, {}, " REQUEST_NAMES ", {}, {}, {}, {}, {}, {}]}"),
     1, 3500, 200, NULL},
    {"how long the next has to wait after it",
     LIST("slow", "h&f", "slow's", "online_scores",
          "{\"clients\": [{}, {}, " REQUEST_NAMES ", {}, {}, {}, {}, {}, {}]}"),
     1, 0, 429, "Retry-After: 4"},
    {"whole seconds are not rounded up", BATCH("{}, {}, {}, {}, {}, {}"), 1, 0,
     429, "Retry-After: 2"},
    {"the admin takes none",
     LIST("slow", "admin", "42", "online_score", REQUEST_NAMES), 30, 0, 200,
     NULL},
    {"a method that it has not takes none", INTERESTS("slow", "slow's"), 30, 0,
     200, NULL},
    {"a method that there is not takes none",
     LIST("slow", "h&f", "slow's", "score", "{}"), 30, 0, 200, NULL},
};

TEST_CASES(rate, struct rate_case, rate_rows)
{
    const struct asked own = SCORE("slow", "slow's");
    struct outcome outcome;
    struct world world;
    struct api_call *call;

    world_make(&world);
    for (int i = 0; i < c->times; i++)
        api_call_free(world_ask(&world, &c->before, 0, &outcome));
    call = world_ask(&world, &own, c->after_ms * NS_PER_MS, &outcome);
    CU_ASSERT_EQUAL(outcome.code, c->code);
    CU_ASSERT_STRING_EQUAL(outcome.header != NULL ? outcome.header : "none",
                           c->header != NULL ? c->header : "none");
    if (c->code == 429)
        CU_ASSERT_TRUE(bytes_equal(
            outcome.body,
            bytes_of("{\"code\": 429, \"error\": \"Too Many Requests\"}")));
    api_call_free(call);
    world_free(&world);
}

/* When the account "slow" has no request left. */
struct order_case {
    const char *name;
    struct asked asked;
    int code;
};

/* The order of the checks: S7.2. */
static const struct order_case order_rows[] = {
    {"the token comes before the rate", SCORE("slow", "wrong"), 403},
    {"the name of the method comes before it",
     LIST("slow", "h&f", "slow's", "score", "{}"), 422},
    {"the account's methods come before it", INTERESTS("slow", "slow's"), 403},
    {"it comes before the arguments",
     LIST("slow", "h&f", "slow's", "online_score", "{}"), 429},
};

TEST_CASES(order, struct order_case, order_rows)
{
    const struct asked score = SCORE("slow", "slow's");
    struct outcome outcome;
    struct world world;

    world_make(&world);
    for (int i = 0; i < 3; i++)
        api_call_free(world_ask(&world, &score, 0, &outcome));
    api_call_free(world_ask(&world, &c->asked, 0, &outcome));
    CU_ASSERT_EQUAL(outcome.code, c->code);
    world_free(&world);
}

/* Without a limit nothing is counted. */
TEST_SINGLE(unlimited, "nothing is counted of an account without a rate")
{
    const struct asked asked = SCORE("acme", "acme's");
    struct outcome outcome;
    struct world world;

    world_make(&world);
    for (int i = 0; i < 100; i++) {
        api_call_free(world_ask(&world, &asked, 0, &outcome));
        CU_ASSERT_EQUAL(outcome.code, 200);
    }
    CU_ASSERT_EQUAL(world.used[1], 0);
    world_free(&world);
}
