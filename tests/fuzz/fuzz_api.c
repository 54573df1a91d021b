/*
 * Planning and answering: for any request, time and content of the store there
 * is a valid envelope, and a 500 only because of the store. The first byte of
 * the input chooses the kind of request, the second the state of the store, two
 * more the time; then comes the text and, after NULs, the values of the keys.
 */
#include <json-c/json.h>

#include "base/buf.h"
#include "base/json.h"
#include "fuzz.h"
#include "scoring/api.h"
#include "scoring/model.h"
#include "support/store_fake.h"
#include "support/token.h"

#define BODY_MAX    65536
#define IDS_MAX     64
#define CLIENTS_MAX 64
#define TIME_BASE   1790000000 /* September 2026 */
#define TIME_STEP   43201      /* half a day and a second: about 90 years */

/* Bits of the first byte. */
enum choice {
    CHOICE_WHOLE = 1 << 0, /* the text is the whole body, not its arguments */
    CHOICE_INTERESTS = 1 << 1,
    CHOICE_ADMIN = 1 << 2,
    CHOICE_SCORES = 1 << 3 /* many records */
};

static const struct api_config config = {
    .model = &model_published,
    .clients_max = CLIENTS_MAX,
    .secrets = TOKEN_SECRETS,
    .client_ids_max = IDS_MAX,
    .body_max_bytes = BODY_MAX,
};

static struct api *api;
static struct auth *auth;
static struct json_tokener *tokener;

static void
set_up(void)
{
    if (api != NULL)
        return;
    api = api_new(&config);
    auth = auth_new(&config.secrets);
    tokener = json_tokener_new_ex(JSON_TOKENER_DEPTH);
    FUZZ_CHECK(api != NULL && auth != NULL && tokener != NULL);
}

/* A request with a valid token and these arguments. */
static void
make_body(unsigned choice, struct bytes arguments, time_t now, struct buf *body)
{
    const char *login = choice & CHOICE_ADMIN ? "admin" : "h&f";
    char token[AUTH_TOKEN_LENGTH + 1];
    const struct auth_claim claim = {.account = bytes_of("a"),
                                     .login = bytes_of(login)};

    FUZZ_CHECK(auth_token(auth, &claim, NULL, now, token));
    buf_printf(body,
               "{\"account\": \"a\", \"login\": \"%s\", \"token\": \"%s\", "
               "\"method\": \"%s\", \"arguments\": ",
               login, token,
               choice & CHOICE_INTERESTS ? "clients_interests"
               : choice & CHOICE_SCORES  ? "online_scores"
                                         : "online_score");
    buf_add_bytes(body, arguments);
    buf_add_text(body, "}");
}

/* Makes one value per key; returns whether all are arrays of strings. */
static bool
make_values(struct fuzz_input *input, struct store_value *values, size_t count)
{
    bool are_good = true;

    for (size_t i = 0; i < count; i++) {
        struct bytes part = fuzz_part(input);

        values[i] = (struct store_value){.kind = STORE_STRING, .data = part};
        if (part.length == 1 && part.at[0] == '!')
            values[i] = (struct store_value){.kind = STORE_WRONG_TYPE};
        else if (part.length == 1 && part.at[0] == '?')
            values[i] = (struct store_value){.kind = STORE_ABSENT};
        else if (part.length == 0 || json_is_string_array(part))
            continue;
        are_good = are_good && values[i].kind == STORE_ABSENT;
    }
    return are_good;
}

/* Checks the status of a request that wanted keys. */
static void
check_wanted_code(int code, enum store_need need, enum store_status status,
                  bool are_good)
{
    static const int codes[STORE__MAX] = {
        [STORE_OK] = 200,      [STORE_DOWN] = 503,  [STORE_TIMEOUT] = 503,
        [STORE_REFUSED] = 503, [STORE_LARGE] = 422, [STORE_MEMORY] = 500,
    };
    int want = need == STORE_MUST ? codes[status] : 200;

    if (want == 200 && need == STORE_MUST && !are_good)
        want = 500;
    FUZZ_CHECK(code == want);
}

/* Checks that there are exactly two members: the code, and a response or an
 * error. */
static void
check_envelope(const struct outcome *outcome)
{
    const bool is_good = outcome->code == 200;
    struct json_object *envelope = NULL, *code = NULL, *rest = NULL;
    struct json_fault fault;
    struct buf body = {0};

    store_fake_put_body(outcome, &body);
    FUZZ_CHECK(json_find(body.data, body.length, SIZE_MAX, NULL, 0, &fault));
    FUZZ_CHECK(json_decode(tokener, body.data, body.length, &envelope));
    FUZZ_CHECK(json_object_object_length(envelope) == 2);
    FUZZ_CHECK(json_object_object_get_ex(envelope, "code", &code));
    FUZZ_CHECK(json_object_get_int(code) == outcome->code);
    FUZZ_CHECK(json_object_object_get_ex(
        envelope, is_good ? "response" : "error", &rest));
    FUZZ_CHECK(json_object_is_type(rest, is_good ? json_type_object
                                                 : json_type_string));
    FUZZ_CHECK(is_good || json_object_get_string_len(rest) > 0);
    FUZZ_CHECK(outcome->reason[0] != '\0');
    FUZZ_CHECK((outcome->code == 503) == (outcome->header != NULL));
    json_object_put(envelope);
    buf_free(&body);
}

/* The logged context has nothing of the request but numbers. */
static void
check_context(struct bytes context)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz_=,0123456789 ";

    FUZZ_CHECK(context.length <= 64);
    for (size_t i = 0; i < context.length; i++)
        FUZZ_CHECK(strchr(allowed, context.at[i]) != NULL);
}

static void
check_write(const struct outcome *outcome, bool was_cached)
{
    if (outcome->write_key.length == 0)
        return;
    FUZZ_CHECK(was_cached && outcome->code == 200);
    FUZZ_CHECK(outcome->cache == OUTCOME_CACHE_MISS);
    FUZZ_CHECK(outcome->write_value.length == strlen("0.0"));
}

static void
run(const struct request *request, struct fuzz_input *input,
    enum store_status status)
{
    struct store_value values[IDS_MAX] = {{0}};
    struct api_wants wants;
    struct outcome outcome;
    struct api_call *call = api_plan(api, request, &wants, &outcome);

    FUZZ_CHECK(call != NULL);
    free(request->body); /* only api_plan() needs it */
    FUZZ_CHECK(wants.count <= IDS_MAX);
    FUZZ_CHECK((wants.count > 0) == (outcome.code == 0));
    if (wants.count > 0) {
        bool are_good = make_values(input, values, wants.count);

        api_answer(call, status, status == STORE_OK ? values : NULL, &outcome);
        check_wanted_code(outcome.code, wants.need, status, are_good);
    } else {
        FUZZ_CHECK(outcome.code < 500);
    }
    check_envelope(&outcome);
    check_context(outcome.context);
    check_write(&outcome, wants.count > 0 && wants.need == STORE_CACHE);
    FUZZ_CHECK((outcome.fault != OUTCOME_FAULT_NONE) == (outcome.code == 500));
    FUZZ_CHECK((outcome.fault_text.length > 0) == (outcome.code == 500));
    api_call_free(call);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    unsigned choice = fuzz_byte(&input);
    enum store_status status = fuzz_byte(&input) % STORE__MAX;
    int days = (int)(fuzz_byte(&input) << 8 | fuzz_byte(&input)) - 0x8000;
    time_t now = TIME_BASE + (time_t)days * TIME_STEP;
    struct bytes text = fuzz_part(&input);
    struct buf body = {0};
    struct request request = {
        .verb = bytes_of("POST"), .path = bytes_of("/method"), .now = now};

    set_up();
    if (choice & CHOICE_WHOLE)
        buf_add_bytes(&body, text);
    else
        make_body(choice, text, now, &body);
    request.body = fuzz_copy(buf_bytes(&body));
    request.body_length = body.length;
    run(&request, &input, status);
    buf_free(&body);
    return 0;
}
