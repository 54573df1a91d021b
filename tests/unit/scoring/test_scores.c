/*
 * Explained scores, and many at once: every mask of given inputs, with the
 * published model and others, alone and in a batch. The test calculates the
 * expected answers in another way than the code. Source: docs/protocol.md, S15
 * and S16.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "scoring/api.h"
#include "scoring/model.h"
#include "scoring/person.h"
#include "support/cases.h"
#include "support/store_fake.h"
#include "support/token.h"

#define RECORDS_MAX 300
#define BODY_MAX    (1 << 20)
#define NOW         1795000000 /* in November 2026 */

#define PATTERNS    64
#define GENDER_ZERO PATTERNS /* a bit more: the gender is 0, if it is given */

struct answer {
    int code;
    struct buf body, context;
    size_t records, bad_records, asked;
};

static struct api_config config = {
    .secrets = TOKEN_SECRETS,
    .model = &model_published,
    .clients_max = RECORDS_MAX,
    .client_ids_max = 10,
    .body_max_bytes = BODY_MAX,
};

static const struct store_fake empty_store;

static void
put_request(const char *login, const char *method, struct bytes arguments,
            struct buf *body)
{
    struct auth *auth = auth_new(&config.secrets);
    const struct auth_claim claim = {.login = bytes_of(login)};
    char token[AUTH_TOKEN_LENGTH + 1];

    CU_ASSERT_TRUE_FATAL(
        auth != NULL &&
        auth_token(auth, &claim, &config.secrets.salts, NOW, token));
    auth_free(auth);
    buf_printf(body,
               "{\"login\": \"%s\", \"token\": \"%s\", \"method\": \"%s\", "
               "\"arguments\": ",
               login, token, method);
    buf_add_bytes(body, arguments);
    buf_add_text(body, "}");
}

/* Asks; the answer is to be freed. */
static struct answer
ask_store(const struct store_fake *store, const char *login, const char *method,
          struct bytes arguments)
{
    struct api *api = api_new(&config);
    struct buf body = {0};
    struct request request = {
        .verb = bytes_of("POST"), .path = bytes_of("/method"), .now = NOW};
    struct answer answer = {0};
    struct outcome outcome;
    struct api_call *call;

    put_request(login, method, arguments, &body);
    request.body = body.data;
    request.body_length = body.length;
    call = store_fake_run(store, api, &request, &outcome, &answer.asked);
    memset(body.data, '#',
           body.length); /* the answer must not refer to the body */
    answer.code = outcome.code;
    store_fake_put_body(&outcome, &answer.body);
    CU_ASSERT_EQUAL(answer.body.length, outcome_length(&outcome));
    buf_add_bytes(&answer.context, outcome.context);
    buf_add(&answer.body, "", 1);
    buf_add(&answer.context, "", 1);
    answer.records = outcome.records;
    answer.bad_records = outcome.bad_records;
    api_call_free(call);
    api_free(api);
    buf_free(&body);
    return answer;
}

static struct answer
ask(const char *login, const char *method, struct bytes arguments)
{
    return ask_store(&empty_store, login, method, arguments);
}

static void
answer_free(struct answer *answer)
{
    buf_free(&answer->body);
    buf_free(&answer->context);
}

static void
expect(const char *login, const char *method, const char *arguments, int code,
       const char *body, const char *context)
{
    struct answer answer = ask(login, method, bytes_of(arguments));

    CU_ASSERT_EQUAL(answer.code, code);
    CU_ASSERT_STRING_EQUAL(answer.body.data, body);
    CU_ASSERT_STRING_EQUAL(answer.context.data, context);
    answer_free(&answer);
}

/* Arguments by pattern. */

static const char *const members[] = {
    "\"phone\": \"79175002040\"",   "\"email\": \"a@b\"",
    "\"first_name\": \"a\"",        "\"last_name\": \"b\"",
    "\"birthday\": \"01.01.1990\"", "\"gender\": 1",
};

static const char *const names[] = {
    "phone", "email", "first_name", "last_name", "birthday", "gender",
};

static void
put_arguments(unsigned pattern, const char *explain, struct buf *out)
{
    const char *comma = "";

    buf_add_text(out, "{");
    for (unsigned i = 0; i < 6; i++) {
        if ((pattern >> i & 1) == 0)
            continue;
        buf_add_text(out, comma);
        buf_add_text(out, i == 5 && (pattern & GENDER_ZERO) != 0
                              ? "\"gender\": 0"
                              : members[i]);
        comma = ", ";
    }
    if (*explain != '\0')
        buf_printf(out, "%s\"explain\": %s", comma, explain);
    buf_add_text(out, "}");
}

/* The rules of the published model. */
static const struct {
    const char *reason;
    unsigned given;
    int tenths;
} published[] = {
    {"phone", 1, 15},
    {"email", 2, 15},
    {"age_and_gender", 16 | 32, 15},
    {"full_name", 4 | 8, 5},
};

static unsigned
known_of(unsigned pattern)
{
    return (pattern & GENDER_ZERO) != 0 ? pattern & 31 : pattern & 63;
}

static void
put_rules(unsigned known, bool do_count, struct buf *out)
{
    const char *comma = "";

    for (size_t i = 0; i < 4; i++) {
        const unsigned lacking = published[i].given & ~known;
        const char *between = "";

        if ((lacking == 0) != do_count)
            continue;
        buf_printf(out, "%s{\"reason\": \"%s\", \"points\": %d.%d", comma,
                   published[i].reason, published[i].tenths / 10,
                   published[i].tenths % 10);
        comma = ", ";
        if (do_count) {
            buf_add_text(out, "}");
            continue;
        }
        buf_add_text(out, ", \"needs\": [");
        for (unsigned n = 0; n < 6; n++) {
            if ((lacking >> n & 1) == 0)
                continue;
            buf_printf(out, "%s\"%s\"", between, names[n]);
            between = ", ";
        }
        buf_add_text(out, "]}");
    }
}

static bool
is_enough(unsigned pattern)
{
    return (pattern & 3) == 3 || (pattern & 12) == 12 || (pattern & 48) == 48;
}

/* Writes the expected object, or the error. */
static void
put_wanted(unsigned pattern, bool explain, bool is_record, struct buf *out)
{
    const unsigned known = known_of(pattern);
    int tenths = 0;

    for (size_t i = 0; i < 4; i++)
        tenths += (published[i].given & ~known) == 0 ? published[i].tenths : 0;
    if (!is_enough(pattern)) {
        buf_printf(out,
                   "{%s\"error\": \"arguments: at least one pair must be "
                   "complete: phone and email, or first_name and last_name, or "
                   "gender and birthday\"}",
                   is_record ? "" : "\"code\": 422, ");
        return;
    }
    if (!is_record)
        buf_add_text(out, "{\"code\": 200, \"response\": ");
    buf_printf(out, "{\"score\": %d.%d", tenths / 10, tenths % 10);
    if (explain) {
        buf_add_text(out, ", \"model\": \"published\", \"reasons\": [");
        put_rules(known, true, out);
        buf_add_text(out, "], \"missing\": [");
        put_rules(known, false, out);
        buf_add_text(out, "]");
    }
    buf_add_text(out, is_record ? "}" : "}}");
}

struct pattern_case {
    const char *name, *explain; /* its JSON; "": absent */
    bool is_explained;
};

static const struct pattern_case pattern_rows[] = {
    {"alone, plain", "", false},
    {"alone, explain", "true", true},
    {"alone, explain false", "false", false},
    {"alone, explain null", "null", false},
};

TEST_CASES(pattern, struct pattern_case, pattern_rows)
{
    for (unsigned pattern = 0; pattern < 2 * PATTERNS; pattern++) {
        struct buf arguments = {0}, want = {0};
        struct answer answer;

        put_arguments(pattern, c->explain, &arguments);
        put_wanted(pattern, c->is_explained, false, &want);
        buf_add(&want, "", 1);
        answer = ask("h&f", "online_score", buf_bytes(&arguments));
        CU_ASSERT_EQUAL(answer.code, is_enough(pattern) ? 200 : 422);
        CU_ASSERT_STRING_EQUAL(answer.body.data, want.data);
        CU_ASSERT_EQUAL(answer.asked,
                        is_enough(pattern) && !c->is_explained ? 1 : 0);
        answer_free(&answer);
        buf_free(&arguments);
        buf_free(&want);
    }
}

static const struct pattern_case batch_rows[] = {
    {"together, plain", "", false},
    {"together, explain", ", \"explain\": true", true},
    {"together, explain null", ", \"explain\": null", false},
};

/* "explain" in a record is ignored. */
TEST_CASES(batch, struct pattern_case, batch_rows)
{
    struct buf arguments = {0}, want = {0};
    struct answer answer;
    size_t good = 0;

    buf_add_text(&arguments, "{\"clients\": [");
    buf_add_text(&want, "{\"code\": 200, \"response\": {\"scores\": [");
    for (unsigned pattern = 0; pattern < 2 * PATTERNS; pattern++) {
        buf_add_text(&arguments, pattern > 0 ? "," : "");
        put_arguments(pattern, "7", &arguments);
        buf_add_text(&want, pattern > 0 ? ", " : "");
        put_wanted(pattern, c->is_explained, true, &want);
        good += is_enough(pattern) ? 1 : 0;
    }
    buf_printf(&arguments, "]%s}", c->explain);
    buf_add_text(&want, "]}}");
    buf_add(&want, "", 1);
    answer = ask("h&f", "online_scores", buf_bytes(&arguments));
    CU_ASSERT_EQUAL(answer.code, 200);
    CU_ASSERT_STRING_EQUAL(answer.body.data, want.data);
    CU_ASSERT_EQUAL(answer.records, good);
    CU_ASSERT_EQUAL(answer.bad_records, 2 * PATTERNS - good);
    CU_ASSERT_EQUAL(answer.asked, 0);
    answer_free(&answer);
    buf_free(&arguments);
    buf_free(&want);
}

/* Random records, each alone and in a batch. */

static const char *const values[6][8] = {
    {"\"79175002040\"", "79175002040", "\"7917\"", "\"\"", "null", "1.5", "-0",
     "\"\\u0037\\u0039175002040\""},
    {"\"a@b\"", "\"\xd0\x96@\"", "\"\\ud834\\udd1e@\"", "\"ab\"", "\"\"",
     "null", "1", "\"a\\u0000@\""},
    {"\"a\"", "\"\\n\"", "\"\"", "null", "false", "\"\\\\\"", "[]",
     "\"\\ud800\""},
    {"\"b\"", "\"\\\"\"", "\"\"", "null", "0", "{}", "\"x y\"", "\"\\/\""},
    {"\"01.01.1990\"", "\"29.02.2000\"", "\"29.02.2001\"", "\"01.01.2099\"",
     "\"01.01.1900\"", "\"\"", "null", "1990"},
    {"0", "1", "2", "3", "-0", "\"1\"", "null", "1.0"},
};

static void
put_random(struct buf *out)
{
    const char *comma = "";

    if (rand() % 20 == 0) {
        static const char *const others[] = {"null", "[]", "1", "\"x\"",
                                             "true"};

        buf_add_text(out, others[rand() % 5]);
        return;
    }
    buf_add_text(out, "{ ");
    for (int n = rand() % 10; n > 0; n--) {
        const int i = rand() % 6;

        buf_printf(out, "%s\"%s\" : %s", comma, names[i],
                   values[i][rand() % 8]);
        comma = "\n,";
    }
    buf_add_text(out, "}");
}

/* Converts the answer for one client to what a batch has for it. */
static void
put_as_record(const struct answer *answer, struct buf *out)
{
    const char *body = answer->body.data;
    const char *error = strstr(body, "\"error\": ");
    const char *response = strstr(body, "\"response\": ");

    if (error != NULL) {
        buf_add_text(out, "{");
        buf_add_text(out, error);
    } else {
        buf_add_text(out, response + strlen("\"response\": "));
        out->length--;
    }
}

static void
compare_random(const char *login, const char *explain)
{
    struct buf arguments = {0}, want = {0};
    struct answer answer;

    buf_printf(&arguments, "{\"explain\": %s, \"clients\": [", explain);
    buf_add_text(&want, "{\"code\": 200, \"response\": {\"scores\": [");
    for (int i = 0; i < 200; i++) {
        struct buf record = {0}, alone = {0};

        put_random(&record);
        buf_add_text(&arguments, i > 0 ? ", " : "");
        buf_add_bytes(&arguments, buf_bytes(&record));
        buf_add_bytes(&alone, buf_bytes(&record));
        if (alone.data[0] == '{') {
            alone.length--;
            buf_printf(&alone, "%s\"explain\": %s}",
                       alone.length > 2 ? ", " : "", explain);
        }
        buf_add_text(&want, i > 0 ? ", " : "");
        answer = ask(login, "online_score", buf_bytes(&alone));
        put_as_record(&answer, &want);
        answer_free(&answer);
        buf_free(&record);
        buf_free(&alone);
    }
    buf_add_text(&arguments, "]}");
    buf_add_text(&want, "]}}");
    buf_add(&want, "", 1);
    answer = ask(login, "online_scores", buf_bytes(&arguments));
    CU_ASSERT_EQUAL(answer.code, 200);
    CU_ASSERT_STRING_EQUAL(answer.body.data, want.data);
    answer_free(&answer);
    buf_free(&arguments);
    buf_free(&want);
}

TEST_SINGLE(random, "one by one as all at once")
{
    srand(26);
    for (int i = 0; i < 4; i++) {
        compare_random("h&f", "false");
        compare_random("h&f", "true");
    }
}

/* Another model, with overlapping rules. */

static void
use_model(const char *text, struct model *model)
{
    struct buf faults = {0};
    char *copy = strdup(text);

    CU_ASSERT_TRUE_FATAL(copy != NULL);
    CU_ASSERT_TRUE_FATAL(model_read(copy, strlen(copy), model, &faults));
    free(copy);
    buf_free(&faults);
    config.model = model;
}

TEST_SINGLE(other_model, "explains itself, alone and among others")
{
    static const char model_text[] =
        "{\"model\": \"risk-4\", \"rules\": ["
        "{\"reason\": \"b\", \"given\": [\"gender\", \"phone\"], \"points\": "
        "100},"
        "{\"reason\": \"a\", \"given\": [\"phone\"], \"points\": 0}]}";
    static const char wanted[] =
        "{\"score\": 0.0, \"model\": \"risk-4\", \"reasons\": [{\"reason\": "
        "\"a\", \"points\": 0.0}], \"missing\": [{\"reason\": \"b\", "
        "\"points\": 100.0, \"needs\": [\"gender\"]}]}";
    struct model model;
    char body[1024];

    use_model(model_text, &model);
    (void)snprintf(body, sizeof(body), "{\"code\": 200, \"response\": %s}",
                   wanted);
    expect("h&f", "online_score",
           "{\"phone\": 79175002040, \"birthday\": \"01.01.1990\", "
           "\"gender\": 0, \"explain\": true}",
           200, body, "has=phone,birthday,gender");
    (void)snprintf(body, sizeof(body),
                   "{\"code\": 200, \"response\": {\"scores\": [%s, %s]}}",
                   wanted, wanted);
    expect("h&f", "online_scores",
           "{\"clients\": [{\"phone\": 79175002040, \"email\": \"@\"}, "
           "{\"phone\": 79999999999, \"email\": \"a@\"}], \"explain\": true}",
           200, body, "nclients=2 nfaults=0");
    expect("h&f", "online_score",
           "{\"phone\": 79175002040, \"birthday\": \"01.01.1990\", "
           "\"gender\": 2}",
           200, "{\"code\": 200, \"response\": {\"score\": 100.0}}",
           "has=phone,birthday,gender");
    compare_random("h&f", "true");
    config.model = &model_published;
}

/* The key of a score, as hexadecimal digits behind its prefix. */
static void
key_of(const char *arguments, char ret_key[80])
{
    struct api *api = api_new(&config);
    struct buf body = {0};
    struct request request = {
        .verb = bytes_of("POST"), .path = bytes_of("/method"), .now = NOW};
    struct api_wants wants;
    struct outcome outcome;
    struct api_call *call;

    put_request("h&f", "online_score", bytes_of(arguments), &body);
    request.body = body.data;
    request.body_length = body.length;
    call = api_plan(api, &request, &wants, &outcome);
    CU_ASSERT_EQUAL_FATAL(wants.count, 1);
    (void)snprintf(ret_key, 80, "%.*s", (int)wants.keys[0].length,
                   wants.keys[0].at);
    api_call_free(call);
    api_free(api);
    buf_free(&body);
}

/* The keys of the published model must never change. */
TEST_SINGLE(keys, "each model has its own")
{
    static const char pair[] = "{\"first_name\": \"a\", \"last_name\": \"b\"}";
    char published_key[80], key[80], other_key[80];
    struct model model, other;

    key_of(pair, published_key);
    CU_ASSERT_STRING_EQUAL(
        published_key,
        "uid:2859df0af72b6ed9744a888fdf29e3e8e0138a61696512107840c9d4fd9962af");
    use_model("{\"model\": \"m\", \"rules\": [{\"reason\": \"x\", \"given\": "
              "[\"phone\"], \"points\": 1}]}",
              &model);
    key_of(pair, key);
    use_model("{\"model\": \"m\", \"rules\": [{\"reason\": \"x\", \"given\": "
              "[\"phone\"], \"points\": 1.1}]}",
              &other);
    key_of(pair, other_key);
    config.model = &model_published;
    CU_ASSERT_STRING_NOT_EQUAL(key, published_key);
    CU_ASSERT_STRING_NOT_EQUAL(key, other_key);
    CU_ASSERT_STRING_NOT_EQUAL(other_key, published_key);
}

/*
 * Python's hmac.new(hmac.new(b"Otus", b"scoring cache secret", "sha256")
 * .digest(), b"model:" + hashlib.sha256(shown).digest() +
 * b"0:0:1:a1:b0:0:", "sha256"), where shown is what `scoring model show`
 * prints: another key would empty everybody's cache with an upgrade.
 */
TEST_SINGLE(known_key, "the key of another model stays as it is")
{
    struct model model;
    char key[80];

    use_model("{\"model\": \"m\", \"rules\": [{\"reason\": \"x\", \"given\": "
              "[\"phone\"], \"points\": 1}]}",
              &model);
    key_of("{\"first_name\": \"a\", \"last_name\": \"b\"}", key);
    config.model = &model_published;
    CU_ASSERT_STRING_EQUAL(
        key,
        "uid:9f8405522aa453789cfe8d8f7313a2da790353cf7fd7daed893d7a86ada6a137");
}

struct cached_case {
    const char *name, *points; /* of the only rule, that for the phone */
    const char *cached, *want;
};

/* What is higher than any score of the model is not trusted: S14.1. */
static const struct cached_case cached_rows[] = {
    {"the highest score", "7.5", "7.5", "7.5"},
    {"above it", "7.5", "7.6", "0.0"},
    {"above it, and a score of the published model", "1.0", "1.1", "0.0"},
    {"of two digits before the point", "30", "29.9", "29.9"},
};

TEST_CASES(cached, struct cached_case, cached_rows)
{
    static const char pair[] = "{\"first_name\": \"a\", \"last_name\": \"b\"}";
    char text[160], key[80], entry[96], want[64];
    const char *const entries[] = {entry, NULL};
    const struct store_fake store = {.entries = entries};
    struct answer answer;
    struct model model;

    (void)snprintf(text, sizeof(text),
                   "{\"model\": \"m\", \"rules\": [{\"reason\": \"x\", "
                   "\"given\": [\"phone\"], \"points\": %s}]}",
                   c->points);
    use_model(text, &model);
    key_of(pair, key);
    (void)snprintf(entry, sizeof(entry), "%s=%s", key, c->cached);
    (void)snprintf(want, sizeof(want),
                   "{\"code\": 200, \"response\": {\"score\": %s}}", c->want);
    answer = ask_store(&store, "h&f", "online_score", bytes_of(pair));
    CU_ASSERT_STRING_EQUAL(answer.body.data, want);
    answer_free(&answer);
    config.model = &model_published;
}

TEST_SINGLE(admin, "42 without a reason, and each fault all the same")
{
    expect("admin", "online_score",
           "{\"first_name\": \"a\", \"last_name\": \"b\", \"explain\": true}",
           200,
           "{\"code\": 200, \"response\": {\"score\": 42, \"model\": "
           "\"published\", \"reasons\": [], \"missing\": []}}",
           "has=first_name,last_name");
    expect("admin", "online_scores",
           "{\"clients\": [{\"phone\": \"79175002040\", \"email\": \"@\"}, "
           "{\"gender\": 3}]}",
           200,
           "{\"code\": 200, \"response\": {\"scores\": [{\"score\": 42}, "
           "{\"error\": \"gender: must be an integer: 0, 1 or 2\"}]}}",
           "nclients=2 nfaults=1 bad=gender");
    expect("admin", "online_scores",
           "{\"clients\": [{\"phone\": \"79175002040\", \"email\": \"@\"}], "
           "\"explain\": true}",
           200,
           "{\"code\": 200, \"response\": {\"scores\": [{\"score\": 42, "
           "\"model\": \"published\", \"reasons\": [], \"missing\": []}]}}",
           "nclients=1 nfaults=0");
}

/* The names of all records together, and nothing of their values. */
TEST_SINGLE(bad, "each name is logged once")
{
    struct answer answer =
        ask("h&f", "online_scores",
            bytes_of("{\"clients\": [{\"phone\": 1}, {\"phone\": 2, "
                     "\"email\": \"x\"}, 3, {\"gender\": 1}]}"));

    CU_ASSERT_EQUAL(answer.code, 200);
    CU_ASSERT_STRING_EQUAL(answer.context.data,
                           "nclients=4 nfaults=4 bad=phone,email,arguments");
    answer_free(&answer);
}

#define UNKNOWN                                                                \
    ", \"Phone\": 1, \"phone \": 2, \"a\": 3, \"b\": null, \"c\": [4], "       \
    "\"d\": {\"e\": 5}, \"scores\": [], \"client_ids\": 6, \"\": 7"

/* More of them than a record can have known ones: S9.1. */
TEST_SINGLE(unknown, "members are ignored, however many there are")
{
    struct answer answer =
        ask("h&f", "online_scores",
            bytes_of("{\"clients\": [{\"phone\": \"79175002040\", "
                     "\"email\": \"@\"" UNKNOWN "}]" UNKNOWN "}"));

    CU_ASSERT_EQUAL(answer.code, 200);
    CU_ASSERT_STRING_EQUAL(
        answer.body.data,
        "{\"code\": 200, \"response\": {\"scores\": [{\"score\": 3.0}]}}");
    answer_free(&answer);
}

struct refused_case {
    const char *name, *method, *arguments, *error, *context;
};

#define CLIENTS_FAULT "clients: must be a non-empty array of objects"

static const struct refused_case refused_rows[] = {
    {"no clients", "online_scores", "{}", "clients: is required",
     "bad=clients"},
    {"clients null", "online_scores", "{\"clients\": null}",
     "clients: must not be null", "bad=clients"},
    {"clients none", "online_scores", "{\"clients\": []}", CLIENTS_FAULT,
     "bad=clients"},
    {"clients an object", "online_scores", "{\"clients\": {}}", CLIENTS_FAULT,
     "bad=clients"},
    {"clients a text", "online_scores", "{\"clients\": \"[]\"}", CLIENTS_FAULT,
     "bad=clients"},
    {"clients false", "online_scores", "{\"clients\": false}", CLIENTS_FAULT,
     "bad=clients"},
    {"explain a number", "online_scores", "{\"clients\": [{}], \"explain\": 1}",
     "explain: must be true or false", "bad=explain"},
    {"both at fault", "online_scores", "{\"clients\": 0, \"explain\": \"\"}",
     CLIENTS_FAULT "; explain: must be true or false", "bad=clients,explain"},
    {"explain 0, alone", "online_score",
     "{\"phone\": \"79175002040\", \"email\": \"@\", \"explain\": 0}",
     "explain: must be true or false", "bad=explain"},
    {"explain text, alone", "online_score",
     "{\"phone\": \"79175002040\", \"email\": \"@\", \"explain\": \"true\"}",
     "explain: must be true or false", "bad=explain"},
    {"explain an object, alone", "online_score",
     "{\"gender\": 3, \"explain\": {}}",
     "gender: must be an integer: 0, 1 or 2; explain: must be true or false",
     "bad=gender,explain"},
};

TEST_CASES(refused, struct refused_case, refused_rows)
{
    char body[512];

    (void)snprintf(body, sizeof(body), "{\"code\": 422, \"error\": \"%s\"}",
                   c->error);
    expect("h&f", c->method, c->arguments, 422, body, c->context);
}

/* So many records that are no objects. */
static void
put_many(size_t count, struct buf *out)
{
    buf_add_text(out, "{\"clients\": [");
    for (size_t i = 0; i < count; i++)
        buf_add_text(out, i == 0 ? "1" : ",1");
    buf_add_text(out, "]}");
}

TEST_SINGLE(most, "as many as may be, and not one more")
{
    struct buf arguments = {0};
    struct answer answer;

    put_many(RECORDS_MAX, &arguments);
    answer = ask("h&f", "online_scores", buf_bytes(&arguments));
    CU_ASSERT_EQUAL(answer.code, 200);
    CU_ASSERT_EQUAL(answer.bad_records, RECORDS_MAX);
    answer_free(&answer);
    buf_clear(&arguments);
    put_many(RECORDS_MAX + 1, &arguments);
    answer = ask("h&f", "online_scores", buf_bytes(&arguments));
    CU_ASSERT_EQUAL(answer.code, 422);
    CU_ASSERT_STRING_EQUAL(answer.body.data,
                           "{\"code\": 422, \"error\": \"clients: must not "
                           "hold so many records (at most 300)\"}");
    CU_ASSERT_EQUAL(answer.records + answer.bad_records, 0);
    answer_free(&answer);
    buf_free(&arguments);
}
