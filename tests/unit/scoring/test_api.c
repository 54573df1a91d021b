/*
 * The API: a request, the time and the content of the store become a status and
 * a body. Tokens were made with sha512sum.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "scoring/model.h"
#include "support/cases.h"
#include "support/store_fake.h"
#include "support/token.h"

/* printf 202611220942 | sha512sum */
#define ADMIN_TOKEN                                                            \
    "9e63c969a4dc191310ec44c047c0956bd1765e057014f994812fe6cd4c0d06696846096e" \
    "15fa902032d035ec924f77a50a34c7d9a1d8f56157f005c45aafc255"
#define NOW         "2026-11-22 09:30:00"
#define BODY_MAX    (128 * 1024)
#define IDS_MAX     3
#define CLIENTS_MAX 3

#define FORBIDDEN "{\"code\": 403, \"error\": \"Forbidden\"}"
#define PAIRS                                                                  \
    "{\"code\": 422, \"error\": \"arguments: at least one pair must be "       \
    "complete: phone and email, or first_name and last_name, or gender and "   \
    "birthday\"}"
#define SCORE(text) "{\"code\": 200, \"response\": {\"score\": " text "}}"
#define DOWN        "{\"code\": 503, \"error\": \"Service Unavailable\"}"
#define BROKEN      "{\"code\": 500, \"error\": \"Internal Server Error\"}"

static const struct api_config config = {
    .model = &model_published,
    .clients_max = CLIENTS_MAX,
    .secrets = TOKEN_SECRETS,
    .client_ids_max = IDS_MAX,
    .body_max_bytes = BODY_MAX,
};

static const struct store_fake empty_store;

static time_t
fixed_time(void)
{
    struct tm local = {.tm_isdst = -1};

    (void)strptime(NOW, "%Y-%m-%d %H:%M:%S", &local);
    return mktime(&local);
}

static void
assert_text(struct bytes got, const char *want)
{
    bool same = bytes_equal(got, bytes_of(want));

    if (!same)
        (void)printf("got:  %.*s\nwant: %s\n", (int)got.length, got.at, want);
    CU_ASSERT(same);
}

/* The expected result of a body; NULL members are not compared. */
struct expected {
    int code;
    const char *body, *context, *fault, *write;
    int asked; /* keys, or -1 */
};

static void
run(const struct store_fake *store, struct bytes body,
    const struct expected *want)
{
    struct api *api = api_new(&config);
    struct request request = {.verb = bytes_of("POST"),
                              .path = bytes_of("/method"),
                              .body = malloc(body.length + 1),
                              .body_length = body.length,
                              .now = fixed_time()};
    struct api_call *call;
    struct outcome outcome;
    size_t asked = 0;

    memcpy(request.body, body.at, body.length);
    call = store_fake_run(store, api, &request, &outcome, &asked);
    free(request.body);
    CU_ASSERT_EQUAL(outcome.code, want->code);
    if (want->body != NULL)
        assert_text(outcome.body, want->body);
    if (want->context != NULL)
        assert_text(outcome.context, want->context);
    if (want->fault != NULL)
        assert_text(outcome.fault_text, want->fault);
    if (want->write != NULL)
        assert_text(outcome.write_value, want->write);
    if (want->asked >= 0)
        CU_ASSERT_EQUAL((int)asked, want->asked);
    api_call_free(call);
    api_free(api);
}

static void
run_arguments(const struct store_fake *store, const char *login,
              const char *token, const char *method, const char *arguments,
              const struct expected *want)
{
    struct buf body = {0};

    buf_printf(&body,
               "{\"account\": \"horns&hoofs\", \"login\": \"%s\", "
               "\"token\": \"%s\", \"method\": \"%s\", \"arguments\": %s}",
               login, token, method, arguments);
    run(store, buf_bytes(&body), want);
    buf_free(&body);
}

struct score_case {
    const char *name, *arguments;
    int code;
    const char *body, *context;
};

static const struct score_case score_rows[] = {
    {"everything gives 5.0",
     "{\"phone\": \"79175002040\", \"email\": \"a@b\", \"first_name\": \"a\", "
     "\"last_name\": \"b\", \"birthday\": \"01.01.1990\", \"gender\": 1}",
     200, SCORE("5.0"), "has=phone,email,first_name,last_name,birthday,gender"},
    {"phone and email", "{\"phone\": \"79175002040\", \"email\": \"a@b\"}", 200,
     SCORE("3.0"), "has=phone,email"},
    {"phone as a number", "{\"phone\": 79175002040, \"email\": \"a@b\"}", 200,
     SCORE("3.0"), "has=phone,email"},
    {"names", "{\"first_name\": \"a\", \"last_name\": \"b\"}", 200,
     SCORE("0.5"), "has=first_name,last_name"},
    {"gender and birthday", "{\"gender\": 2, \"birthday\": \"01.01.2000\"}",
     200, SCORE("1.5"), "has=birthday,gender"},
    {"gender 0 completes the pair and adds nothing",
     "{\"gender\": 0, \"birthday\": \"01.01.2000\"}", 200, SCORE("0.0"),
     "has=birthday,gender"},
    {"a lone phone beside a pair",
     "{\"phone\": \"79175002040\", \"first_name\": \"a\", \"last_name\": "
     "\"b\"}",
     200, SCORE("2.0"), "has=phone,first_name,last_name"},
    {"a lone first name adds nothing",
     "{\"phone\": \"79175002040\", \"email\": \"a@b\", \"first_name\": \"a\"}",
     200, SCORE("3.0"), "has=phone,email,first_name"},
    {"no arguments", "{}", 422, PAIRS, "has= bad=arguments"},
    {"only a phone", "{\"phone\": \"79175002040\"}", 422, PAIRS,
     "has=phone bad=arguments"},
    {"one of each pair",
     "{\"phone\": \"79175002040\", \"first_name\": \"a\", \"gender\": 1}", 422,
     PAIRS, NULL},
    {"an empty member completes nothing",
     "{\"phone\": \"79175002040\", \"email\": \"\"}", 422, PAIRS,
     "has=phone bad=arguments"},
    {"a null member completes nothing",
     "{\"gender\": null, \"birthday\": \"01.01.2000\"}", 422, PAIRS,
     "has=birthday bad=arguments"},
    {"unknown members are ignored",
     "{\"first_name\": \"a\", \"last_name\": \"b\", \"x\": [1]}", 200,
     SCORE("0.5"), NULL},
    {"the last of repeated members counts",
     "{\"phone\": 1, \"phone\": \"79175002040\", \"email\": \"a@b\"}", 200,
     SCORE("3.0"), NULL},
    {"one invalid field spoils a valid pair",
     "{\"phone\": \"79175002040\", \"email\": \"a@b\", \"gender\": 3}", 422,
     NULL, "bad=gender"},
    {"70 years old today", "{\"gender\": 1, \"birthday\": \"22.11.1956\"}", 200,
     SCORE("1.5"), NULL},
    {"70 years old yesterday", "{\"gender\": 1, \"birthday\": \"21.11.1956\"}",
     422, NULL, NULL},
    {"born today", "{\"gender\": 1, \"birthday\": \"22.11.2026\"}", 200,
     SCORE("1.5"), NULL},
    {"born tomorrow", "{\"gender\": 1, \"birthday\": \"23.11.2026\"}", 422,
     NULL, NULL},
};

TEST_CASES(score, struct score_case, score_rows)
{
    const struct expected want = {c->code, c->body, c->context,
                                  NULL,    NULL,    c->code == 200 ? 1 : 0};

    run_arguments(&empty_store, "h&f", TOKEN_KNOWN, "online_score",
                  c->arguments, &want);
}

TEST_CASES(score_without_store, struct score_case, score_rows)
{
    const struct store_fake down = {.status = STORE_DOWN};
    const struct expected want = {c->code, c->body, c->context, NULL, NULL, -1};

    run_arguments(&down, "h&f", TOKEN_KNOWN, "online_score", c->arguments,
                  &want);
}

struct failing_case {
    const char *name;
    enum store_status status;
};

static const struct failing_case failing_rows[] = {
    {"down", STORE_DOWN},        {"late", STORE_TIMEOUT},
    {"refused", STORE_REFUSED},  {"too large", STORE_LARGE},
    {"no memory", STORE_MEMORY},
};

/* Whatever happens to the store, the score is answered: S14.3. */
TEST_CASES(score_failing, struct failing_case, failing_rows)
{
    const struct store_fake store = {.status = c->status};
    const struct expected want = {200, SCORE("0.5"), "has=first_name,last_name",
                                  "",  "0.5",        1};

    run_arguments(&store, "h&f", TOKEN_KNOWN, "online_score",
                  "{\"first_name\": \"a\", \"last_name\": \"b\"}", &want);
}

/* The status for a birthday, in an API that lives on to the next day. */
static int
status_at(struct api *api, const char *birthday, time_t now)
{
    struct buf body = {0};
    struct request request = {
        .verb = bytes_of("POST"), .path = bytes_of("/method"), .now = now};
    struct api_call *call;
    struct outcome outcome;

    buf_printf(&body,
               "{\"account\": \"horns&hoofs\", \"login\": \"h&f\", "
               "\"token\": \"%s\", \"method\": \"online_score\", "
               "\"arguments\": {\"gender\": 1, \"birthday\": \"%s\"}}",
               TOKEN_KNOWN, birthday);
    request.body = body.data;
    request.body_length = body.length;
    call = store_fake_run(&empty_store, api, &request, &outcome, NULL);
    api_call_free(call);
    buf_free(&body);
    return outcome.code;
}

TEST_SINGLE(next_day, "today is that of each request")
{
    struct api *api = api_new(&config);
    const time_t now = fixed_time(), tomorrow = now + 24 * 60 * 60;

    CU_ASSERT_EQUAL(status_at(api, "23.11.2026", now), 422);
    CU_ASSERT_EQUAL(status_at(api, "22.11.1956", now), 200);
    CU_ASSERT_EQUAL(status_at(api, "23.11.2026", tomorrow), 200);
    CU_ASSERT_EQUAL(status_at(api, "22.11.1956", tomorrow), 422);
    CU_ASSERT_EQUAL(status_at(api, "23.11.2026", now), 422);
    api_free(api);
}

/* Every wrong field is named, with its fault. */
/* As a request of which method it is counted: S23.2. */
struct method_case {
    const char *name;
    const char *token, *method, *arguments;
    const char *want; /* NULL: of none */
};

static const struct method_case method_rows[] = {
    {"a score", TOKEN_KNOWN, "online_score", "{\"phone\": 1}", "online_score"},
    {"interests", TOKEN_KNOWN, "clients_interests", "{\"client_ids\": [1]}",
     "clients_interests"},
    {"scores", TOKEN_KNOWN, "online_scores", "{}", "online_scores"},
    {"a method that does not exist", TOKEN_KNOWN, "online_scor", "{}", NULL},
    {"a wrong token", "x", "online_score", "{}", NULL},
};

TEST_CASES(method, struct method_case, method_rows)
{
    struct api *api = api_new(&config);
    struct buf body = {0};
    struct request request = {.verb = bytes_of("POST"),
                              .path = bytes_of("/method"),
                              .now = fixed_time()};
    struct outcome outcome;
    struct api_call *call;
    const char *counted;

    buf_printf(&body,
               "{\"account\": \"horns&hoofs\", \"login\": \"h&f\", "
               "\"token\": \"%s\", \"method\": \"%s\", \"arguments\": %s}",
               c->token, c->method, c->arguments);
    request.body = body.data;
    request.body_length = body.length;
    call = store_fake_run(&empty_store, api, &request, &outcome, NULL);
    counted = api_method_name(outcome.method_number);
    CU_ASSERT_STRING_EQUAL(counted != NULL ? counted : "none",
                           c->want != NULL ? c->want : "none");
    buf_free(&body);
    api_call_free(call);
    api_free(api);
}

TEST_SINGLE(all_faults, "every failing field is named")
{
    const struct expected want = {.code = 422, .asked = 0};
    struct buf body = {0};
    struct api *api = api_new(&config);
    struct request request = {.verb = bytes_of("POST"),
                              .path = bytes_of("/method"),
                              .now = fixed_time()};
    static const char *const names[] = {"phone",     "email",    "first_name",
                                        "last_name", "birthday", "gender"};
    struct api_call *call;
    struct outcome outcome;

    buf_printf(&body, "%s%s%s",
               "{\"login\": \"h&f\", \"account\": \"horns&hoofs\", \"token\": "
               "\"",
               TOKEN_KNOWN,
               "\", \"method\": \"online_score\", \"arguments\": {\"phone\": "
               "true, \"email\": \"ab\", \"first_name\": 1, \"last_name\": "
               "[], \"birthday\": \"x\", \"gender\": \"1\"}}");
    request.body = body.data;
    request.body_length = body.length;
    call = store_fake_run(&empty_store, api, &request, &outcome, NULL);
    buf_add(&body, "", 1);
    CU_ASSERT_EQUAL(outcome.code, want.code);
    assert_text(outcome.context,
                "bad=phone,email,first_name,last_name,birthday,gender");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct bytes text = outcome.body;

        CU_ASSERT_PTR_NOT_NULL(
            memmem(text.at, text.length, names[i], strlen(names[i])));
    }
    api_call_free(call);
    api_free(api);
    buf_free(&body);
}

TEST_SINGLE(admin, "the admin's score is 42 and touches no cache")
{
    const struct expected good = {200,  SCORE("42"), "has=first_name,last_name",
                                  NULL, "",          0};
    const struct expected bad = {.code = 422, .body = PAIRS, .asked = 0};

    run_arguments(&empty_store, "admin", ADMIN_TOKEN, "online_score",
                  "{\"first_name\": \"a\", \"last_name\": \"b\"}", &good);
    run_arguments(&empty_store, "admin", ADMIN_TOKEN, "online_score", "{}",
                  &bad);
}

struct cache_case {
    const char *name, *cached;
    const char *body, *write;
};

#define HIT(text) SCORE(text), ""
#define MISS      SCORE("0.5"), "0.5"

static const struct cache_case cache_rows[] = {
    {"a hit is answered and not written again", "3.5", HIT("3.5")},
    {"score 0 is a hit like any other", "0.0", HIT("0.0")},
    {"no tenths", "3", MISS},
    {"two decimals", "3.00", MISS},
    {"an exponent", "3e0", MISS},
    {"a comma", "3,0", MISS},
    {"no number before the point", "x.0", MISS},
    {"no number behind the point", "3.x", MISS},
    {"the highest score", "5.0", HIT("5.0")},
    {"above the highest score", "5.1", MISS},
    {"negative", "-1.0", MISS},
    {"empty", "", MISS},
    {"words", "abc", MISS},
    {"not a number", "nan", MISS},
    {"infinite", "inf", MISS},
    {"hexadecimal", "0x1", MISS},
    {"leading zero", "03.0", MISS},
    {"trailing text", "3.0x", MISS},
    {"leading space", " 3.0", MISS},
    {"trailing space", "3.0 ", MISS},
    {"a string", "\"3.0\"", MISS},
    {"of another type", "!", MISS},
};

TEST_CASES(cache, struct cache_case, cache_rows)
{
    /*
     * The key is taken from a first request: it depends on the derived secret.
     */
    struct api *api = api_new(&config);
    const char *text =
        "{\"account\": \"horns&hoofs\", \"login\": \"h&f\", \"token\": "
        "\"" TOKEN_KNOWN "\", \"method\": \"online_score\", \"arguments\": "
        "{\"first_name\": \"a\", \"last_name\": \"b\"}}";
    char body[BODY_MAX];
    struct request request = {.verb = bytes_of("POST"),
                              .path = bytes_of("/method"),
                              .body = body,
                              .body_length = strlen(text),
                              .now = fixed_time()};
    struct api_call *call;
    struct api_wants wants;
    struct outcome outcome;
    struct buf entry = {0};
    const char *entries[2] = {NULL, NULL};
    const struct store_fake store = {.entries = entries};
    const struct expected want = {200, c->body, NULL, NULL, c->write, 1};

    memcpy(body, text, strlen(text));
    call = api_plan(api, &request, &wants, &outcome);
    CU_ASSERT_EQUAL(wants.need, STORE_CACHE);
    CU_ASSERT_EQUAL(wants.keys[0].length, strlen("uid:") + AUTH_KEY_LENGTH);
    buf_add_bytes(&entry, wants.keys[0]);
    buf_add_text(&entry, "=");
    buf_add_text(&entry, c->cached);
    buf_add(&entry, "", 1);
    entries[0] = entry.data;
    api_call_free(call);
    api_free(api);
    run(&store, bytes_of(text), &want);
    buf_free(&entry);
}

struct key_case {
    const char *name, *a, *b;
    bool same;
};

static const struct key_case key_rows[] = {
    {"phone as number and as text",
     "{\"phone\": 79175002040, \"email\": \"a@b\"}",
     "{\"phone\": \"79175002040\", \"email\": \"a@b\"}", true},
    {"order of members", "{\"first_name\": \"a\", \"last_name\": \"b\"}",
     "{\"last_name\": \"b\", \"first_name\": \"a\"}", true},
    {"absent, null and empty are the same",
     "{\"first_name\": \"a\", \"last_name\": \"b\", \"phone\": null}",
     "{\"first_name\": \"a\", \"last_name\": \"b\", \"email\": \"\"}", true},
    {"another e-mail", "{\"phone\": 79175002040, \"email\": \"a@b\"}",
     "{\"phone\": 79175002040, \"email\": \"a@c\"}", false},
    {"another phone", "{\"phone\": 79175002040, \"email\": \"a@b\"}",
     "{\"phone\": 79175002041, \"email\": \"a@b\"}", false},
    {"another gender", "{\"gender\": 1, \"birthday\": \"01.01.2000\"}",
     "{\"gender\": 2, \"birthday\": \"01.01.2000\"}", false},
    {"gender 0 and none",
     "{\"gender\": 0, \"first_name\": \"a\", \"last_name\": \"b\"}",
     "{\"first_name\": \"a\", \"last_name\": \"b\"}", false},
    {"another birthday", "{\"gender\": 1, \"birthday\": \"01.01.2000\"}",
     "{\"gender\": 1, \"birthday\": \"02.01.2000\"}", false},
    {"first and last name exchanged",
     "{\"first_name\": \"a\", \"last_name\": \"b\"}",
     "{\"first_name\": \"b\", \"last_name\": \"a\"}", false},
    {"the border between the names moved",
     "{\"first_name\": \"ab\", \"last_name\": \"c\"}",
     "{\"first_name\": \"a\", \"last_name\": \"bc\"}", false},
    {"lengths that a value imitates",
     "{\"first_name\": \"a1:b\", \"last_name\": \"c\"}",
     "{\"first_name\": \"a\", \"last_name\": \"b1:c\"}", false},
    {"text after a NUL",
     "{\"first_name\": \"a\\u0000b\", \"last_name\": \"c\"}",
     "{\"first_name\": \"a\\u0000d\", \"last_name\": \"c\"}", false},
};

/* The key that a request wants, as a text that the caller frees. */
static char *
key_of(const char *arguments)
{
    struct api *api = api_new(&config);
    struct buf body = {0};
    struct request request = {.verb = bytes_of("POST"),
                              .path = bytes_of("/method/"),
                              .now = fixed_time()};
    struct api_call *call;
    struct api_wants wants;
    struct outcome outcome;
    char *key;

    buf_printf(&body,
               "{\"account\": \"horns&hoofs\", \"login\": \"h&f\", \"token\": "
               "\"%s\", \"method\": \"online_score\", \"arguments\": %s}",
               TOKEN_KNOWN, arguments);
    request.body = body.data;
    request.body_length = body.length;
    call = api_plan(api, &request, &wants, &outcome);
    CU_ASSERT_EQUAL_FATAL(wants.count, 1);
    key = strndup(wants.keys[0].at, wants.keys[0].length);
    api_call_free(call);
    api_free(api);
    buf_free(&body);
    return key;
}

TEST_CASES(key, struct key_case, key_rows)
{
    char *a = key_of(c->a), *b = key_of(c->b);

    CU_ASSERT_EQUAL(strcmp(a, b) == 0, c->same);
    CU_ASSERT_EQUAL(strncmp(a, "uid:", strlen("uid:")), 0);
    free(a);
    free(b);
}

/*
 * Python's hmac.new(hmac.new(b"Otus", b"scoring cache secret", "sha256")
 * .digest(), b"11:791750020403:a@b4:Stan9:Stupnikov10:01.01.19901:1",
 * "sha256"): another key would empty everybody's cache with an upgrade.
 */
TEST_SINGLE(known_key, "the key is that of the releases before")
{
    char *key = key_of("{\"phone\": 79175002040, \"email\": \"a@b\", "
                       "\"first_name\": \"Stan\", \"last_name\": "
                       "\"Stupnikov\", \"birthday\": \"01.01.1990\", "
                       "\"gender\": 1}");

    CU_ASSERT_STRING_EQUAL(key, "uid:"
                                "8c1069bd52341be7c7f93570ef7ca5fe"
                                "4dce8332d0bf5224c469caa2e008a087");
    free(key);
}

struct interests_case {
    const char *name, *arguments;
    int code;
    const char *body, *context, *fault;
    int asked;
};

static const char *const interests_entries[] = {
    "i:1=[\"books\",\"travel\"]",
    "i:2=[]",
    "i:3=",
    "i:-4=[ \"a\\\"b\" ]",
    "i:5=[1]",
    "i:6={}",
    "i:7=books",
    "i:8=!",
    "i:9=[\"a\"",
    "i:10=\"a\"",
    "i:12=<",
    "i:9223372036854775807=[\"max\"]",
    NULL};

#define ANSWER(members) "{\"code\": 200, \"response\": {" members "}}"
#define FAULT(key)                                                             \
    500, BROKEN, NULL,                                                         \
        "the value of the key " key " is not a JSON array of strings", 1

static const struct interests_case interests_rows[] = {
    {"one", "{\"client_ids\": [1]}", 200,
     ANSWER("\"1\": [\"books\",\"travel\"]"), "nclients=1", "", 1},
    {"a date is checked only",
     "{\"client_ids\": [1], \"date\": \"01.01.2000\"}", 200,
     ANSWER("\"1\": [\"books\",\"travel\"]"), "nclients=1", "", 1},
    {"an impossible date", "{\"client_ids\": [1], \"date\": \"31.02.2000\"}",
     422,
     "{\"code\": 422, \"error\": \"date: must be a date that exists, "
     "DD.MM.YYYY\"}",
     "bad=date", "", 0},
    {"none known, none stored, an empty value", "{\"client_ids\": [11, 2, 3]}",
     200, ANSWER("\"2\": [], \"3\": [], \"11\": []"), "nclients=3", "", 3},
    {"repeated ids are one member", "{\"client_ids\": [1, 1, 1]}", 200,
     ANSWER("\"1\": [\"books\",\"travel\"]"), "nclients=3", "", 1},
    {"a negative id", "{\"client_ids\": [-4]}", 200,
     ANSWER("\"-4\": [ \"a\\\"b\" ]"), "nclients=1", "", 1},
    {"the largest id", "{\"client_ids\": [9223372036854775807]}", 200,
     ANSWER("\"9223372036854775807\": [\"max\"]"), "nclients=1", "", 1},
    {"the smallest id", "{\"client_ids\": [-9223372036854775808]}", 200,
     ANSWER("\"-9223372036854775808\": []"), "nclients=1", "", 1},
    {"above the largest id", "{\"client_ids\": [9223372036854775808]}", 422,
     NULL, "bad=client_ids", "", 0},
    {"below the smallest id", "{\"client_ids\": [-9223372036854775809]}", 422,
     NULL, "bad=client_ids", "", 0},
    {"as many as allowed", "{\"client_ids\": [2, 3, 11]}", 200, NULL,
     "nclients=3", "", 3},
    {"one more than allowed", "{\"client_ids\": [1, 1, 1, 1]}", 422, NULL,
     "bad=client_ids", "", 0},
    {"no ids at all", "{\"date\": \"01.01.2000\"}", 422, NULL, "bad=client_ids",
     "", 0},
    {"null for ids", "{\"client_ids\": null}", 422, NULL, "bad=client_ids", "",
     0},
    {"an empty array", "{\"client_ids\": []}", 422, NULL, "bad=client_ids", "",
     0},
    {"stored numbers", "{\"client_ids\": [5]}", FAULT("i:5")},
    {"a stored object", "{\"client_ids\": [6]}", FAULT("i:6")},
    {"stored words", "{\"client_ids\": [7]}", FAULT("i:7")},
    {"a key of another type", "{\"client_ids\": [8]}", FAULT("i:8")},
    {"a stored half", "{\"client_ids\": [9]}", FAULT("i:9")},
    {"a stored string", "{\"client_ids\": [10]}", FAULT("i:10")},
    {"a value of more than 1 MiB", "{\"client_ids\": [1, 12]}", 500, BROKEN,
     "nclients=2", "the value of the key i:12 is larger than 1 MiB", 2},
};

TEST_CASES(interests, struct interests_case, interests_rows)
{
    const struct store_fake store = {.entries = interests_entries};
    const struct expected want = {c->code,  c->body, c->context,
                                  c->fault, "",      c->asked};

    run_arguments(&store, "h&f", TOKEN_KNOWN, "clients_interests", c->arguments,
                  &want);
}

struct down_case {
    const char *name;
    enum store_status status;
    int code;
    const char *body, *context;
};

static const struct down_case down_rows[] = {
    {"down", STORE_DOWN, 503, DOWN, "nclients=1"},
    {"late", STORE_TIMEOUT, 503, DOWN, "nclients=1"},
    {"refused", STORE_REFUSED, 503, DOWN, "nclients=1"},
    {"no memory", STORE_MEMORY, 500, BROKEN, "nclients=1"},
    {"too large together", STORE_LARGE, 422,
     "{\"code\": 422, \"error\": \"client_ids: their interests are too large "
     "together: ask for fewer at once\"}",
     "nclients=1 bad=client_ids"},
};

TEST_CASES(interests_down, struct down_case, down_rows)
{
    const struct store_fake store = {.status = c->status};
    const struct expected want = {c->code, c->body, c->context, NULL, "", 1};

    run_arguments(&store, "h&f", TOKEN_KNOWN, "clients_interests",
                  "{\"client_ids\": [1]}", &want);
}

struct body_case {
    const char *name, *body;
    int code;
    const char *want;
};

#define ENVELOPE(account, login, token, method, arguments)                     \
    "{" account login token method arguments "\"x\": 0}"
#define A       "\"account\": \"horns&hoofs\", "
#define L       "\"login\": \"h&f\", "
#define T       "\"token\": \"" TOKEN_KNOWN "\", "
#define M       "\"method\": \"online_score\", "
#define R       "\"arguments\": {\"first_name\": \"a\", \"last_name\": \"b\"}, "
#define E(text) "{\"code\": 422, \"error\": \"" text "\"}"

/* The names of all methods follow, in the order of their table. */
#define NO_METHOD "{\"code\": 422, \"error\": \"method: must be one of "

static const struct body_case body_rows[] = {
    {"whole", ENVELOPE(A, L, T, M, R), 200, SCORE("0.5")},
    {"no account", ENVELOPE("", L, T, M, R), 403, FORBIDDEN},
    {"account null", ENVELOPE("\"account\": null, ", L, T, M, R), 403,
     FORBIDDEN},
    {"account a number", ENVELOPE("\"account\": 1, ", L, T, M, R), 422,
     E("account: must be a string")},
    {"no login", ENVELOPE(A, "", T, M, R), 422, E("login: is required")},
    {"login a number", ENVELOPE(A, "\"login\": 1, ", T, M, R), 422,
     E("login: must be a string")},
    {"login null", ENVELOPE(A, "\"login\": null, ", T, M, R), 422,
     E("login: must not be null")},
    {"login empty", ENVELOPE(A, "\"login\": \"\", ", T, M, R), 403, FORBIDDEN},
    {"no token", ENVELOPE(A, L, "", M, R), 422, E("token: is required")},
    {"token null", ENVELOPE(A, L, "\"token\": null, ", M, R), 422,
     E("token: must not be null")},
    {"token empty", ENVELOPE(A, L, "\"token\": \"\", ", M, R), 403, FORBIDDEN},
    {"no method", ENVELOPE(A, L, T, "", R), 422, E("method: is required")},
    {"method a number", ENVELOPE(A, L, T, "\"method\": 1, ", R), 422,
     E("method: must be a string")},
    {"method null", ENVELOPE(A, L, T, "\"method\": null, ", R), 422,
     E("method: must not be null")},
    {"method empty", ENVELOPE(A, L, T, "\"method\": \"\", ", R), 422,
     NO_METHOD},
    {"method with more behind it",
     ENVELOPE(A, L, T, "\"method\": \"online_scorex\", ", R), 422, NULL},
    {"method with a NUL",
     ENVELOPE(A, L, T, "\"method\": \"online_score\\u0000\", ", R), 422, NULL},
    {"no arguments", ENVELOPE(A, L, T, M, ""), 422,
     E("arguments: is required")},
    {"arguments null", ENVELOPE(A, L, T, M, "\"arguments\": null, "), 422,
     E("arguments: must not be null")},
    {"arguments an array", ENVELOPE(A, L, T, M, "\"arguments\": [], "), 422,
     E("arguments: must be an object")},
    {"arguments empty", ENVELOPE(A, L, T, M, "\"arguments\": {}, "), 422,
     PAIRS},
    {"several faults", ENVELOPE(A, "", "\"token\": 1, ", M, ""), 422,
     E("login: is required; token: must be a string; arguments: is required")},
    {"an unknown method needs a token first",
     ENVELOPE(A, L, "\"token\": \"\", ", "\"method\": \"x\", ", R), 403,
     FORBIDDEN},
    {"wrong arguments need a method first",
     ENVELOPE(A, L, T, "\"method\": \"x\", ", "\"arguments\": {}, "), 422,
     NO_METHOD},
    {"a name that goes on after a NUL is another name",
     ENVELOPE(A, "\"login\\u0000\": \"h&f\", ", T, M, R), 422,
     E("login: is required")},
    {"an escaped name", ENVELOPE(A, "\"l\\u006fgin\": \"h&f\", ", T, M, R), 200,
     SCORE("0.5")},
    {"an escaped string", ENVELOPE(A, "\"login\": \"h\\u0026f\", ", T, M, R),
     200, SCORE("0.5")},
    {"of repeated members the last one counts",
     ENVELOPE("\"account\": 1, \"login\": null, \"arguments\": [], " A, L, T,
              "\"method\": \"x\", " M, R),
     200, SCORE("0.5")},
    {"of a member within another none counts",
     ENVELOPE(A, "\"x\": {\"login\": \"h&f\"}, ", T, M, R), 422,
     E("login: is required")},
    {"a wrong token, and arguments with faults",
     ENVELOPE(A, L, "\"token\": \"\", ", M, "\"arguments\": {\"phone\": 1}, "),
     403, FORBIDDEN},
    {"a wrong token, and arguments of a wrong type",
     ENVELOPE(A, L, "\"token\": \"\", ", M, "\"arguments\": \"\", "), 422,
     E("arguments: must be an object")},
    {"a wrong token, and arguments that are broken",
     ENVELOPE(A, L, "\"token\": \"\", ", M, "\"arguments\": {\"a\": 01}, "),
     400, NULL},
    {"an array", "[1]", 422, E("the request must be a JSON object")},
    {"null", "null", 422, E("the request must be a JSON object")},
    {"a string", "\"x\"", 422, E("the request must be a JSON object")},
    {"nothing but space", " ", 400, NULL},
    {"single quotes", "{'a': 1}", 400, NULL},
    {"text after the value", "{} x", 400, NULL},
    {"32 brackets",
     "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", 422,
     NULL},
    {"33 brackets",
     "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", 400,
     NULL},
};

TEST_CASES(body, struct body_case, body_rows)
{
    struct expected want = {c->code, c->want, NULL, NULL, NULL, -1};
    struct buf names = {0};

    if (c->want != NULL && strcmp(c->want, NO_METHOD) == 0) {
        buf_add_text(&names, NO_METHOD);
        for (size_t i = 0; api_method_name(i) != NULL; i++)
            buf_printf(&names, "%s%s", i == 0 ? "" : ", ", api_method_name(i));
        buf_add(&names, "\"}", sizeof("\"}"));
        want.body = names.data;
    }
    run(&empty_store, bytes_of(c->body), &want);
    buf_free(&names);
}

/* The logged names of wrong fields, and nothing of their values. */
static const struct body_case bad_rows[] = {
    {"no login", ENVELOPE(A, "", T, M, R), 422, "bad=login"},
    {"several, in the order of their table",
     ENVELOPE("\"account\": 1, ", "\"login\": null, ", "", M, ""), 422,
     "bad=account,login,token,arguments"},
    {"an unknown method", ENVELOPE(A, L, T, "\"method\": \"x\", ", R), 422,
     "bad=method"},
    {"unknown members",
     ENVELOPE(A, L, T, M, "\"arguments\": {\"phone\": \"1\", \"secret\": 1}, "),
     422, "bad=phone"},
    {"no request at all", "[1]", 422, ""},
    {"no JSON", "{", 400, ""},
    {"a wrong token", ENVELOPE(A, L, "\"token\": \"\", ", M, R), 403, ""},
};

TEST_CASES(bad, struct body_case, bad_rows)
{
    const struct expected want = {c->code, NULL, c->want, NULL, NULL, -1};

    run(&empty_store, bytes_of(c->body), &want);
}

/* As many values as a body may have, and one more, at any place. */

#define VALUES_MAX (10000 + 2 * IDS_MAX)
#define MANY       "{\"code\": 413, \"error\": \"too many values\"}"

struct many_case {
    const char *name;
    const char *start, *item, *end;
    int around; /* values besides the items */
    int code;   /* of as many as there may be */
    const char *body;
};

#define G A L T M /* a good token */
#define W A L "\"token\": \"\", " M

static const struct many_case many_rows[] = {
    {"in an array", "[", "1", "]", 1, 422,
     E("the request must be a JSON object")},
    {"in an unknown member", "{\"x\": [", "{}", "]}", 2, 422,
     E("login: is required; token: is required; arguments: is required; "
       "method: is required")},
    {"as members", "{", "\"\": null", "}", 1, 422, NULL},
    {"with a wrong token", "{" W R "\"x\": [", "[]", "]}", 9, 403, FORBIDDEN},
    {"in the arguments with a wrong token", "{" W "\"arguments\": {\"x\": [",
     "\"\"", "]}}", 7, 403, FORBIDDEN},
    {"in the arguments with a good token", "{" G "\"arguments\": {\"x\": [",
     "{}", "]}}", 7, 422, PAIRS},
    {"before text that is broken", "{\"x\": [", "0", "]", 2, 400, NULL},
};

static void
run_many(const struct many_case *c, int values)
{
    const struct expected as_many = {c->code, c->body, NULL, NULL, NULL, -1};
    const struct expected more = {413, MANY, "", "", "", 0};
    struct buf body = {0};

    buf_add_text(&body, c->start);
    for (int i = c->around; i < values; i++) {
        buf_add_text(&body, i == c->around ? "" : ",");
        buf_add_text(&body, c->item);
    }
    buf_add_text(&body, c->end);
    run(&empty_store, buf_bytes(&body), values > VALUES_MAX ? &more : &as_many);
    buf_free(&body);
}

TEST_CASES(many, struct many_case, many_rows)
{
    run_many(c, VALUES_MAX);
    run_many(c, VALUES_MAX + 1);
}

TEST_SINGLE(many_behind, "broken text before the value that is too many is 400")
{
    const struct many_case row = {
        .start = "{\"x\": [01, ", .item = "0", .end = "]}", .code = 400};

    run_many(&row, VALUES_MAX);
}

struct transport_case {
    const char *name, *verb, *path;
    enum request_body state;
    size_t length;
    int code;
    const char *header;
    const char *error; /* its words */
};

/* The body is of NULs. */
#define NOT_JSON "invalid JSON at byte 0: a value was expected"

static const struct transport_case transport_rows[] = {
    {"the path", "POST", "/method", REQUEST_BODY_WHOLE, 1, 400, NULL, NOT_JSON},
    {"the path with a slash", "POST", "/method/", REQUEST_BODY_WHOLE, 1, 400,
     NULL, NOT_JSON},
    {"another path", "POST", "/methods", REQUEST_BODY_WHOLE, 1, 404, NULL,
     "Not Found"},
    {"a longer path", "POST", "/method/x", REQUEST_BODY_WHOLE, 1, 404, NULL,
     "Not Found"},
    {"two slashes", "POST", "/method//", REQUEST_BODY_WHOLE, 1, 404, NULL,
     "Not Found"},
    {"upper case", "POST", "/METHOD", REQUEST_BODY_WHOLE, 1, 404, NULL,
     "Not Found"},
    {"no path", "POST", "", REQUEST_BODY_WHOLE, 1, 404, NULL, "Not Found"},
    {"another verb", "GET", "/method", REQUEST_BODY_WHOLE, 1, 405,
     "Allow: POST", "Method Not Allowed"},
    {"a verb in lower case", "post", "/method", REQUEST_BODY_WHOLE, 1, 405,
     "Allow: POST", "Method Not Allowed"},
    {"path before verb", "GET", "/x", REQUEST_BODY_WHOLE, 1, 404, NULL,
     "Not Found"},
    {"verb before body", "GET", "/method", REQUEST_BODY_TOO_LARGE, 1, 405,
     "Allow: POST", "Method Not Allowed"},
    {"too large", "POST", "/method", REQUEST_BODY_TOO_LARGE, 1, 413, NULL,
     "Payload Too Large"},
    {"no length", "POST", "/method", REQUEST_BODY_NONE, 0, 400, NULL,
     "the request has no body"},
    {"shorter than announced", "POST", "/method", REQUEST_BODY_MISMATCH, 1, 400,
     NULL, "the body is not as long as its length says"},
    {"as large as allowed", "POST", "/method", REQUEST_BODY_WHOLE, BODY_MAX,
     400, NULL, NOT_JSON},
    {"larger than allowed", "POST", "/method", REQUEST_BODY_WHOLE, BODY_MAX + 1,
     413, NULL, "Payload Too Large"},
};

TEST_CASES(transport, struct transport_case, transport_rows)
{
    struct api *api = api_new(&config);
    struct request request = {.verb = bytes_of(c->verb),
                              .path = bytes_of(c->path),
                              .body_state = c->state,
                              .body = calloc(1, c->length + 1),
                              .body_length = c->length,
                              .now = fixed_time()};
    struct api_wants wants;
    struct outcome outcome;
    struct api_call *call = api_plan(api, &request, &wants, &outcome);
    char want[128];

    (void)snprintf(want, sizeof(want), "{\"code\": %d, \"error\": \"%s\"}",
                   c->code, c->error);
    CU_ASSERT_EQUAL(outcome.code, c->code);
    assert_text(outcome.body, want);
    if (c->header == NULL) {
        CU_ASSERT_PTR_NULL(outcome.header);
    } else {
        CU_ASSERT_STRING_EQUAL(outcome.header, c->header);
    }
    CU_ASSERT_EQUAL(wants.count, 0);
    free(request.body);
    api_call_free(call);
    api_free(api);
}

TEST_SINGLE(retry_after, "503 says when to come again")
{
    struct api *api = api_new(&config);
    char body[BODY_MAX];
    struct request request = {.verb = bytes_of("POST"),
                              .path = bytes_of("/method"),
                              .body = body,
                              .now = fixed_time()};
    const struct store_fake down = {.status = STORE_DOWN};
    struct api_call *call;
    struct outcome outcome;

    request.body_length =
        (size_t)snprintf(body, sizeof(body), "{%s%s%s%s%s\"x\": 1}", A, L, T,
                         "\"method\": \"clients_interests\", ",
                         "\"arguments\": {\"client_ids\": [1]}, ");
    call = store_fake_run(&down, api, &request, &outcome, NULL);
    CU_ASSERT_STRING_EQUAL(outcome.header, "Retry-After: 1");
    CU_ASSERT(bytes_equal(outcome.method, bytes_of("clients_interests")));
    api_call_free(call);
    api_free(api);
}

/* localtime_r() fails for a year that is too large. */
TEST_SINGLE(no_date, "without a date there is no answer but 500")
{
    struct api *api = api_new(&config);
    char body[BODY_MAX] = "{}";
    const struct request request = {.verb = bytes_of("POST"),
                                    .path = bytes_of("/method"),
                                    .body = body,
                                    .body_length = strlen(body),
                                    .now = (time_t)INT64_MAX};
    struct api_wants wants;
    struct outcome outcome;
    struct api_call *call = api_plan(api, &request, &wants, &outcome);

    CU_ASSERT_EQUAL(outcome.code, 500);
    api_call_free(call);
    api_free(api);
}

TEST_SINGLE(no_memory, "the prepared answer is a whole envelope")
{
    struct outcome outcome = {.code = 200,
                              .cache = OUTCOME_CACHE_MISS,
                              .write_key = bytes_of("uid:1"),
                              .context = bytes_of("n=1")};

    outcome_break(&outcome, OUTCOME_FAULT_MEMORY, bytes_of("why"));
    CU_ASSERT_EQUAL(outcome.code, 500);
    CU_ASSERT_STRING_EQUAL(outcome.reason, "Internal Server Error");
    CU_ASSERT_PTR_NULL(outcome.header);
    CU_ASSERT_EQUAL(outcome.fault, OUTCOME_FAULT_MEMORY);
    CU_ASSERT_EQUAL(outcome.cache, OUTCOME_CACHE_UNUSED);
    CU_ASSERT_EQUAL(outcome.write_key.length, 0);
    assert_text(outcome.fault_text, "why");
    assert_text(outcome.context, "n=1");
    assert_text(outcome.body, BROKEN);
}
