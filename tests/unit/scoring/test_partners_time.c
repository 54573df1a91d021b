/*
 * The time of a refusal: an account that is not listed takes as long as a wrong
 * token, and neither depends on the number of accounts. Two kinds of requests
 * are sent alternately, many times, and the medians of their processor time are
 * compared, so that other load affects both equally. Source: docs/protocol.md,
 * S11.4.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/units.h"
#include "scoring/api.h"
#include "scoring/model.h"
#include "support/buffer.h"
#include "support/cases.h"
#include "support/store_fake.h"
#include "support/token.h"

#define TURNS      1501 /* odd: there is a middle */
#define PER_SAMPLE 8    /* requests: more than the resolution of the clock */
#define TRIES      5    /* a busy machine may need several */
#define MANY       1024

/*
 * The largest ratio of two equal medians. Without its digest one would be less
 * than four fifths of the other; a sanitizer slows some code more than other
 * code.
 */
#ifdef __SANITIZE_ADDRESS__
#define APART_MAX 1.6
#else
#define APART_MAX 1.3
#endif

static const struct store_fake empty_store;

struct world {
    struct api_config config;
    struct accounts *accounts;
    struct api *api;
};

/* Accounts "a0" to "a1023", each with its own salt. */
static void
world_make(struct world *world, int count)
{
    struct buffer text = {0};
    struct buf errors = {0};

    *world = (struct world){.config = {.model = &model_published,
                                       .clients_max = 10,
                                       .secrets = TOKEN_SECRETS,
                                       .client_ids_max = 10,
                                       .body_max_bytes = 4096}};
    for (int i = 0; i < count; i++)
        buffer_printf(&text, "%s\"a%d\": {\"salts\": [\"salt %d.\"]}",
                      i == 0 ? "{" : ", ", i, i);
    buffer_add_text(&text, "}");
    world->accounts =
        accounts_read((struct bytes){text.data, text.length},
                      &world->config.secrets.admin_salts, &errors);
    CU_ASSERT_PTR_NOT_NULL_FATAL(world->accounts);
    world->config.accounts = world->accounts;
    world->api = api_new(&world->config);
    CU_ASSERT_PTR_NOT_NULL_FATAL(world->api);
    buffer_free(&text);
}

static void
world_free(struct world *world)
{
    api_free(world->api);
    accounts_free(world->accounts);
}

static int64_t
cpu_ns(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* The processor time of a request with this account and a wrong token. */
static int64_t
refuse_ns(struct world *world, const char *account)
{
    struct request request = {.verb = bytes_of("POST"),
                              .path = bytes_of("/method"),
                              .now = 1700000000};
    char body[512];
    int64_t begin_ns;

    (void)snprintf(body, sizeof(body),
                   "{\"account\": \"%s\", \"login\": \"l\", \"token\": "
                   "\"%0128d\", \"method\": \"online_score\", "
                   "\"arguments\": {}}",
                   account, 0);
    request.body = body;
    request.body_length = strlen(body);
    begin_ns = cpu_ns();
    for (int i = 0; i < PER_SAMPLE; i++) {
        struct outcome outcome;
        size_t keys = 0;
        struct api_call *call =
            store_fake_run(&empty_store, world->api, &request, &outcome, &keys);

        CU_ASSERT_EQUAL(outcome.code, 403);
        api_call_free(call);
    }
    return cpu_ns() - begin_ns;
}

static int
compare(const void *a, const void *b)
{
    const int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

static double
median(int64_t samples[TURNS])
{
    qsort(samples, TURNS, sizeof(samples[0]), compare);
    return (double)samples[TURNS / 2];
}

struct time_case {
    const char *name;
    struct {
        int accounts;
        const char *account;
    } of[2];
};

static const struct time_case time_rows[] = {
    {"listed or not, of one", {{1, "a0"}, {1, "b0"}}},
    {"listed or not, of many", {{MANY, "a777"}, {MANY, "b777"}}},
    {"listed, of one or many", {{1, "a0"}, {MANY, "a9"}}},
    {"not listed, of one or many", {{1, "b0"}, {MANY, "b9"}}},
    {"the first or the last", {{MANY, "a0"}, {MANY, "a1023"}}},
};

/* The ratio of the two medians. */
static double
apart(struct world worlds[2], const struct time_case *c)
{
    static int64_t samples[2][TURNS];
    double medians[2];

    for (int turn = 0; turn < TURNS; turn++)
        for (int i = 0; i < 2; i++)
            samples[i][turn] = refuse_ns(&worlds[i], c->of[i].account);
    for (int i = 0; i < 2; i++)
        medians[i] = median(samples[i]);
    return medians[0] > medians[1] ? medians[0] / medians[1]
                                   : medians[1] / medians[0];
}

TEST_CASES(time, struct time_case, time_rows)
{
    struct world worlds[2];
    double best = APART_MAX + 1;

    for (int i = 0; i < 2; i++)
        world_make(&worlds[i], c->of[i].accounts);
    for (int i = 0; i < TRIES && best > APART_MAX; i++) {
        const double now = apart(worlds, c);

        if (now < best)
            best = now;
    }
    CU_ASSERT_TRUE(best <= APART_MAX);
    if (best > APART_MAX)
        (void)printf("one takes %.2f times as long as the other\n", best);
    for (int i = 0; i < 2; i++)
        world_free(&worlds[i]);
}
