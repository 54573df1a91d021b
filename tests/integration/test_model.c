/*
 * Models, and many scores at once, over the whole stack: a model that changes
 * under load, broken models, the largest batch, and the commands. Source:
 * docs/protocol.md, S15 and S16.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "support/buffer.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/expect.h"
#include "support/files.h"
#include "support/load.h"
#include "support/proc.h"
#include "support/request.h"
#include "support/stack.h"

#define PERSON "\"phone\": \"79175002040\", \"email\": \"a@b\""

/*
 * The points of the phone make the score, and the name shows which model it is.
 */
#define MODEL                                                                  \
    "{\"model\": \"m-%d\",\n \"rules\": [{\"reason\": \"phone\", \"given\": "  \
    "[\"phone\"],\n \"points\": %d}]}"

#define TURNS 6 /* models, one after the other */

static char model_path[FILES_PATH_MAX];

static void
write_model(int number)
{
    char text[512], path[FILES_PATH_MAX];

    (void)snprintf(text, sizeof(text), MODEL, number, number);
    files_path(path, "%s.new", model_path);
    CU_ASSERT_TRUE(files_write(path, text));
    CU_ASSERT_EQUAL(rename(path, model_path), 0);
}

/*
 * Starts a stack with its own model file. Workers that have not been up for a
 * moment are replaced by a reload without a line about them.
 */
static void
start(struct stack *stack)
{
    static char setting[FILES_PATH_MAX + sizeof("SCORING_MODEL_FILE=")];
    static const char *const environment[] = {"SCORING_WORKERS=2", setting,
                                              NULL};
    static const struct stack_plan plan = {.store = STACK_REDIS_UNIX,
                                           .environment = environment};

    CU_ASSERT_TRUE_FATAL(stack_init(stack));
    files_path(model_path, "%s/model.json", stack->folder);
    (void)snprintf(setting, sizeof(setting), "SCORING_MODEL_FILE=%s",
                   model_path);
    write_model(0);
    CU_ASSERT_TRUE_FATAL(stack_launch(stack, &plan));
    CU_ASSERT_TRUE_FATAL(stack_is_ready(stack, CLOCK_PATIENCE_MS));
    CU_ASSERT_TRUE(stack_log_wait(stack, "\\] I ready: 2 worker", 1));
}

static void
read_again(const struct stack *stack)
{
    CU_ASSERT_TRUE(stack_signal(stack, SIGHUP));
}

static void
expect_answer(const struct stack *stack, const char *method,
              const char *arguments, const char *response)
{
    const struct request_parts request = {.account = REQUEST_ACCOUNT,
                                          .login = REQUEST_LOGIN,
                                          .method = method,
                                          .arguments = arguments};
    struct http_answer answer =
        expect_post(stack->port, request_text(&request));

    expect_response(&answer, response);
    http_answer_free(&answer);
}

/* The number of the model that has answered, by its score; -1: wrong. */
static int
model_of(const struct http_answer *answer)
{
    int score = -1, length = 0;

    if (answer->status == 200 &&
        sscanf(answer->body, "{\"code\": 200, \"response\": {\"score\": %d.0%n",
               &score, &length) == 1 &&
        length > 0)
        return score;
    return -1;
}

static atomic_int newest; /* model that may answer now */

static bool
is_plain(const struct http_answer *answer)
{
    const int lowest = 0, highest = newest, number = model_of(answer);

    return number >= lowest && number <= highest;
}

/* Score and explanation are of the same model. */
static bool
is_explained(const struct http_answer *answer)
{
    char want[512];
    const int number = model_of(answer);

    if (number < 0)
        return false;
    (void)snprintf(want, sizeof(want),
                   "{\"code\": 200, \"response\": {\"score\": %d.0, "
                   "\"model\": \"m-%d\", \"reasons\": [{\"reason\": \"phone\", "
                   "\"points\": %d.0}], \"missing\": []}}",
                   number, number, number);
    return strcmp(answer->body, want) == 0;
}

/* The model of no older worker than those that may still finish. */
static bool
has_settled(void *arg)
{
    const struct stack *stack = arg;

    return stack_workers(stack).count == 2;
}

TEST_SINGLE(change, "under load: no score of another model, and none lost")
{
    struct stack stack;
    char *plain = request_score("{" PERSON "}");
    char *explained = request_score("{" PERSON ", \"explain\": true}");
    struct load_plan plans[] = {
        {.body = plain, .is_right = is_plain, .callers = 4, .is_kept = true},
        {.body = explained, .is_right = is_explained, .callers = 4},
    };
    struct load *loads[2];

    start(&stack);
    newest = 0;
    for (int i = 0; i < 2; i++) {
        plans[i].port = stack.port;
        loads[i] = load_start(&plans[i]);
    }
    for (int turn = 1; turn <= TURNS; turn++) {
        struct http_answer answer;

        newest = turn;
        write_model(turn);
        read_again(&stack);
        CU_ASSERT_TRUE(stack_log_wait(&stack, "\\] I the model changes from m-",
                                      (size_t)turn));
        CU_ASSERT_TRUE(
            stack_log_wait(&stack, "\\] I ready: 2 worker", (size_t)turn + 1));
        CU_ASSERT_TRUE(clock_wait(has_settled, &stack, CLOCK_PATIENCE_MS));
        /* Cached by an older model or not. */
        for (int i = 0; i < 20; i++) {
            answer = expect_post(stack.port, request_score("{" PERSON "}"));
            CU_ASSERT_EQUAL(model_of(&answer), turn);
            http_answer_free(&answer);
        }
    }
    for (int i = 0; i < 2; i++)
        load_expect(load_stop(loads[i]), "scores");
    free(plain);
    free(explained);
    CU_ASSERT_EQUAL(
        stack_log_count(&stack,
                        "\\] I started: .* model m-0 \\([0-9a-f]{8}\\)"),
        1);
    CU_ASSERT_EQUAL(
        stack_log_count(&stack, "\\] I settings read again: .* model m-6 "), 1);
    CU_ASSERT_TRUE(stack_stop(&stack));
}

/* Only the name of the model is in the metrics. */
static void
expect_metric(const struct stack *stack, const char *line)
{
    struct http *http = http_open(stack->metrics_port);
    const struct http_request request = {.verb = "GET", .path = "/metrics"};
    struct http_answer answer;

    CU_ASSERT_PTR_NOT_NULL_FATAL(http);
    answer = http_send(http, &request);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer.body, line));
    http_answer_free(&answer);
    http_close(http);
}

TEST_SINGLE(broken, "leaves the old one in force, is named, and mends")
{
    struct stack stack;

    start(&stack);
    CU_ASSERT_TRUE(files_write(
        model_path, "{\"model\": \"m-1\",\n \"rules\": [{\"reason\": \"x\", "
                    "\"given\": [\"phone\"],\n \"points\": 0.55}]}"));
    read_again(&stack);
    CU_ASSERT_TRUE(stack_log_wait(
        &stack,
        "\\] E settings: SCORING_MODEL_FILE: \".*/model.json\": line 3: rule "
        "1: points: must be a multiple of 0.1 from 0 to 100",
        1));
    CU_ASSERT_TRUE(stack_log_wait(
        &stack, "\\] E settings not read again: the old stay in force", 1));
    expect_answer(
        &stack, "online_score", "{" PERSON ", \"explain\": true}",
        "{\"score\": 0.0, \"model\": \"m-0\", \"reasons\": "
        "[{\"reason\": \"phone\", \"points\": 0.0}], \"missing\": []}");
    CU_ASSERT_EQUAL(remove(model_path), 0);
    read_again(&stack);
    CU_ASSERT_TRUE(
        stack_log_wait(&stack, "SCORING_MODEL_FILE: .*No such file", 1));
    write_model(7);
    read_again(&stack);
    CU_ASSERT_TRUE(stack_log_wait(&stack, "\\] I ready: 2 worker", 2));
    CU_ASSERT_TRUE(clock_wait(has_settled, &stack, CLOCK_PATIENCE_MS));
    expect_answer(&stack, "online_scores", "{\"clients\": [{" PERSON "}]}",
                  "{\"scores\": [{\"score\": 7.0}]}");
    expect_metric(&stack, "\nscoring_model_info{model=\"m-7\"} 1\n");
    expect_metric(&stack, "\nscoring_records_total{result=\"ok\"} 1\n");
    CU_ASSERT_TRUE(stack_stop(&stack));
}

/* Batches. */

static const char *const one_worker[] = {"SCORING_WORKERS=1", NULL};
static const struct stack_plan single = {.store = STACK_REDIS_UNIX,
                                         .environment = one_worker};

/* A request with so many records; each tenth is wrong. To be freed. */
static char *
make_batch(size_t count, bool explain)
{
    const size_t size = 256 * count + 64;
    char *arguments = malloc(size), *text;
    size_t at;
    struct request_parts request = {.account = REQUEST_ACCOUNT,
                                    .login = REQUEST_LOGIN,
                                    .method = "online_scores"};

    CU_ASSERT_PTR_NOT_NULL_FATAL(arguments);
    at = (size_t)snprintf(arguments, size, "{\"explain\": %s, \"clients\": [",
                          explain ? "true" : "false");
    for (size_t i = 0; i < count; i++)
        at += (size_t)snprintf(
            arguments + at, size - at,
            "%s{\"phone\": \"%s\", \"email\": \"u%zu@example.org\", "
            "\"first_name\": \"Stan\", \"last_name\": \"Stupnikov\", "
            "\"birthday\": \"01.01.1990\", \"gender\": 1}",
            i == 0 ? "" : ", ", i % 10 == 9 ? "8" : "79175002040", i);
    (void)snprintf(arguments + at, size - at, "]}");
    request.arguments = arguments;
    text = request_text(&request);
    free(arguments);
    return text;
}

static size_t
count_of(const char *text, const char *part)
{
    size_t count = 0;

    while ((text = strstr(text, part)) != NULL) {
        text += strlen(part);
        count++;
    }
    return count;
}

struct batch_case {
    const char *name;
    size_t count;
    bool explain;
};

static const struct batch_case batch_rows[] = {
    {"10 at once", 10, false},
    {"1,000 at once", 1000, false},
    {"1,000 at once, explained", 1000, true},
};

TEST_CASES(batch, struct batch_case, batch_rows)
{
    struct stack *stack = stack_shared(&single);
    struct http_answer answer =
        expect_post(stack->port, make_batch(c->count, c->explain));
    char pattern[128];

    CU_ASSERT_EQUAL(answer.status, 200);
    CU_ASSERT_EQUAL(count_of(answer.body, "{\"score\": 5.0"),
                    c->count - c->count / 10);
    CU_ASSERT_EQUAL(count_of(answer.body, "\"missing\": []"),
                    c->explain ? c->count - c->count / 10 : 0);
    CU_ASSERT_EQUAL(count_of(answer.body, "{\"error\": \"phone: must be 11 "),
                    c->count / 10);
    http_answer_free(&answer);
    (void)snprintf(pattern, sizeof(pattern),
                   "method=online_scores code=200 .* nclients=%zu nfaults=%zu "
                   "bad=phone$",
                   c->count, c->count / 10);
    CU_ASSERT_TRUE(stack_log_wait(stack, pattern, 1));
}

TEST_SINGLE(batch_long, "1,001 are refused")
{
    struct stack *stack = stack_shared(&single);
    struct http_answer answer =
        expect_post(stack->port, make_batch(1001, false));

    expect_error_text(&answer, 422,
                      "clients: must not hold so many records (at most 1000)");
    http_answer_free(&answer);
}

/*
 * The only worker answers small requests while it handles the largest batches.
 */
#define SMALL_P99_S 0.1 /* 20 ms, and what the machine is busy with besides */

static bool
is_batch(const struct http_answer *answer)
{
    return answer->status == 200 &&
           count_of(answer->body, "{\"score\": 5.0, \"model\"") == 900;
}

TEST_SINGLE(beside, "small requests do not wait for large batches")
{
    struct stack *stack = stack_shared(&single);
    char *large = make_batch(1000, true);
    char *small = request_score("{" PERSON "}");
    const struct load_plan batches = {.port = stack->port,
                                      .body = large,
                                      .is_right = is_batch,
                                      .callers = 1,
                                      .is_kept = true};
    const struct load_plan scores = {.port = stack->port,
                                     .body = small,
                                     .is_right = load_is_three,
                                     .callers = 1,
                                     .is_kept = true};
    struct load *load = load_start(&batches);
    struct load_result result, of_batches;
    double p99_s;

    CU_ASSERT_PTR_NOT_NULL_FATAL(load);
    p99_s = load_p99(&scores, 300, 2, &result);
    of_batches = load_stop(load);
    CU_ASSERT_EQUAL(result.failures, 0);
    CU_ASSERT_EQUAL(of_batches.failures, 0);
    CU_ASSERT_TRUE(of_batches.requests > 0);
    CU_ASSERT_TRUE(p99_s >= 0 && p99_s <= SMALL_P99_S);
    (void)printf("beside %zu batches: p99 %.4f s\n", of_batches.requests,
                 p99_s);
    free(large);
    free(small);
}

/* In KiB: the most that a process has had, from /proc. */
static long
peak_kib(pid_t pid)
{
    char path[FILES_PATH_MAX], *text;
    const char *at;
    long kib = -1;

    files_path(path, "/proc/%d/status", (int)pid);
    text = files_read(path);
    at = text != NULL ? strstr(text, "VmHWM:") : NULL;
    if (at != NULL)
        kib = strtol(at + strlen("VmHWM:"), NULL, 10);
    free(text);
    return kib;
}

/* Under ASan each small allocation takes much more. */
#ifdef __SANITIZE_ADDRESS__
#define BATCH_KIB (4 * 8192)
#else
#define BATCH_KIB 8192
#endif

TEST_SINGLE(memory, "the largest batch takes a worker at most 8 MiB more")
{
    struct stack stack;
    struct http_answer answer;
    long before, after;

    CU_ASSERT_TRUE_FATAL(stack_start(&stack, &single));
    answer = expect_post(stack.port, make_batch(2, true));
    http_answer_free(&answer);
    before = peak_kib(stack_workers(&stack).pid[0]);
    for (int i = 0; i < 5; i++) {
        answer = expect_post(stack.port, make_batch(1000, true));
        CU_ASSERT_EQUAL(answer.status, 200);
        http_answer_free(&answer);
    }
    after = peak_kib(stack_workers(&stack).pid[0]);
    CU_ASSERT_TRUE(before > 0);
    if (after - before > BATCH_KIB)
        (void)printf("from %ld to %ld KiB\n", before, after);
    CU_ASSERT_TRUE(after - before <= BATCH_KIB);
    CU_ASSERT_TRUE(stack_stop(&stack));
}

/* The commands. */

struct command_case {
    const char *name;
    const char *arguments[5]; /* "@old" and so on: files of the test */
    int status;
    const char *pattern; /* of all that it says */
};

#define LINES                                                                  \
    "\xef\xbb\xbf{\"phone\": \"79175002040\", \"email\": \"@\"}\r\n\n"         \
    "{\"first_name\": \"a\", \"last_name\": \"b\", \"explain\": 7}\n"          \
    " {\"birthday\": \"01.01.1990\", \"gender\": 0}\n"                         \
    "{\"phone\": 79175002040, \"email\": \"@\"}"

/* Twenty people whose scores are told apart at the rank of each quantile. */
#define RAMP_LINE(more)                                                        \
    "{\"first_name\": \"a\", \"last_name\": \"b\"" more "}\n"
#define RAMP_PHONE    ", \"phone\": \"79175002040\""
#define RAMP_EMAIL    ", \"email\": \"@\""
#define RAMP_BIRTHDAY ", \"birthday\": \"01.01.1990\""
#define RAMP_GENDER   ", \"gender\": 1"
#define RAMP_1        RAMP_LINE(RAMP_PHONE)
#define RAMP_3        RAMP_LINE(RAMP_PHONE RAMP_EMAIL)
#define RAMP_5        RAMP_LINE(RAMP_PHONE RAMP_BIRTHDAY)
#define RAMP_7        RAMP_LINE(RAMP_PHONE RAMP_EMAIL RAMP_BIRTHDAY)
#define RAMP                                                                   \
    RAMP_LINE("")                                                              \
    RAMP_1 RAMP_1 RAMP_1 RAMP_LINE(RAMP_EMAIL)                                 \
    RAMP_3 RAMP_3 RAMP_3 RAMP_3 RAMP_LINE(RAMP_BIRTHDAY)                       \
    RAMP_5 RAMP_5 RAMP_5 RAMP_5 RAMP_LINE(RAMP_EMAIL RAMP_BIRTHDAY)            \
        RAMP_7 RAMP_7 RAMP_7                                                   \
        RAMP_LINE(RAMP_GENDER) RAMP_LINE(RAMP_PHONE RAMP_GENDER)
#define RAMP_RULE(name, points)                                                \
    "{\"reason\": \"" name "\", \"given\": [\"" name                           \
    "\"], \"points\": " points "}"

static const struct {
    const char *name, *text;
} command_files[] = {
    {"ramp",
     "{\"model\": \"ramp\", \"rules\": [" RAMP_RULE(
         "phone",
         "0.1") ", " RAMP_RULE("email",
                               "0.2") ", " RAMP_RULE("birthday",
                                                     "0.4") ", " RAMP_RULE("gen"
                                                                           "de"
                                                                           "r",
                                                                           "0."
                                                                           "8") "]}"},
    {"twenty", RAMP},
    {"good", "{\"model\": \"risk-4\", \"rules\": ["
             "{\"reason\": \"phone\", \"given\": [\"phone\"], \"points\": 2},"
             "{\"reason\": \"name\", \"given\": [\"first_name\"], \"points\": "
             "0.2}]}"},
    {"bad", "{\"model\": \"m\",\n\"rules\": [],\n\"a\": 1}"},
    {"lines", LINES},
    {"faults", "{\"phone\": \"7\"}\n[]\n{\n"
               "{\"phone\": \"79175002040\", \"email\": \"@\"}\n"},
    {"nothing", "\n \n"},
    {"mixed",
     "{\"model\": \"mixed\", \"rules\": ["
     "{\"reason\": \"extra\", \"given\": [\"gender\"], \"points\": 1.2},"
     "{\"reason\": \"email\", \"given\": [\"email\"], \"points\": 0.5},"
     "{\"reason\": \"phone\", \"given\": [\"phone\"], \"points\": 2.5},"
     "{\"reason\": \"full_name\", \"given\": [\"first_name\", \"last_name\"], "
     "\"points\": 0.5}]}"},
    {"people",
     "{\"phone\": 79175002040, \"email\": \"@\"}\n"
     "{\"phone\": 79175002040, \"first_name\": \"a\", \"last_name\": \"b\"}\n"
     "{\"email\": \"@\", \"first_name\": \"a\", \"last_name\": \"b\"}\n"
     "{\"birthday\": \"01.01.1990\", \"gender\": 1}\n"
     "{\"phone\": 79175002040, \"first_name\": \"a\", \"last_name\": \"b\", "
     "\"gender\": 2}\n"},
};

/*
 * By hand, for the people in their order: old 3.0 2.0 2.0 1.5 2.0, new 3.0 3.0
 * 1.0 1.2 4.2, and the changes 0.0 +1.0 -1.0 -0.3 +2.2.
 */
#define MIXED                                                                  \
    "^old +published: 0.0 to 5.0\n"                                            \
    "new +mixed \\([0-9a-f]{8}\\): 0.0 to 4.7\n\n"                             \
    "scores +5\nrise +2 +40.0 %\nfall +2 +40.0 %\nstay +1 +20.0 %\n\n"         \
    " +old +new +change\n"                                                     \
    "least +1.5 +1.0 +-1.0\n"                                                  \
    "p5 +1.5 +1.0 +-1.0\n"                                                     \
    "p25 +2.0 +1.2 +-0.3\n"                                                    \
    "median +2.0 +3.0 +\\+0.0\n"                                               \
    "p75 +2.0 +3.0 +\\+1.0\n"                                                  \
    "p95 +3.0 +4.2 +\\+2.2\n"                                                  \
    "most +3.0 +4.2 +\\+2.2\n"                                                 \
    "mean +2.10 +2.48 +\\+0.38\n\n"                                            \
    " +old +new +raises +lowers +points in all +rule\n"                        \
    " +1.5 +2.5 +3 +0 +\\+3.0 +phone\n"                                        \
    " +- +1.2 +2 +0 +\\+2.4 +extra\n"                                          \
    " +1.5 +0.5 +0 +2 +-2.0 +email\n"                                          \
    " +1.5 +- +0 +1 +-1.5 +age_and_gender\n$"

static const struct command_case command_rows[] = {
    {"check a good one", LIST("model", "check", "@good"), EX_OK,
     "good: model risk-4 \\([0-9a-f]{8}\\), 2 rule\\(s\\), scores 0.0 to 2.2, "
     "no faults\n$"},
    {"check the published one",
     LIST("model", "check", "share/models/published.json"), EX_OK,
     "json: model published, 4 rule\\(s\\), scores 0.0 to 5.0, no faults\n$"},
    {"check a bad one", LIST("model", "check", "@bad"), EX_DATAERR,
     "bad: line 2: rules: must be an array of 1 to 64 rules\n"
     "scoring: [^\n]*bad: line 3: \"a\": there is no such member\n$"},
    {"check none", LIST("model", "check", "@none"), EX_NOINPUT, "No such file"},
    {"check a folder", LIST("model", "check", "/tmp"), EX_DATAERR,
     "is not a regular file"},
    {"check what?", LIST("model", "check"), EX_USAGE,
     "usage: scoring model check"},
    {"show", LIST("model", "show"), EX_OK,
     "^\\{\n  \"model\": \"published\",\n"},
    {"show what?", LIST("model", "show", "x"), EX_USAGE,
     "unexpected argument: x"},
    {"a slip", LIST("model", "chek"), EX_USAGE,
     "^scoring: unknown command: chek\nscoring: did you mean check\\?\n"
     "usage: scoring model check\\|show\\|diff \\.\\.\\.\n$"},
    {"help of one, for short", LIST("model", "diff", "-h"), EX_OK,
     "^usage: scoring model diff OLD NEW FILE\\|-\n"},
    {"no such command", LIST("model", "drop"), EX_USAGE,
     "unknown command: drop"},
    {"no command", LIST("model"), EX_USAGE, "a command is missing"},
    {"diff of a million lines, and so on",
     LIST("model", "diff", "published", "@good", "@lines"), EX_OK,
     "scores +4\nrise +0 +0.0 %\nfall +3 +75.0 %\nstay +1 +25.0 %\n"},
    {"diff by rules", LIST("model", "diff", "published", "@good", "@lines"),
     EX_OK, "1.5       -             0             2            -3.0  email\n"},
    {"diff, all of it", LIST("model", "diff", "published", "@mixed", "@people"),
     EX_OK, MIXED},
    {"diff, each quantile", LIST("model", "diff", "@good", "@ramp", "@twenty"),
     EX_OK,
     "\nleast +[0-9.]+ +0.0 [^\n]+\np5 +[0-9.]+ +0.0 [^\n]+\n"
     "p25 +[0-9.]+ +0.2 [^\n]+\nmedian +[0-9.]+ +0.4 [^\n]+\n"
     "p75 +[0-9.]+ +0.6 [^\n]+\np95 +[0-9.]+ +0.8 [^\n]+\n"
     "most +[0-9.]+ +0.9 [^\n]+\n"},
    {"diff of the same", LIST("model", "diff", "@good", "@good", "@lines"),
     EX_OK, "stay +4 +100.0 %\n(.|\n)*no rule changes any of these scores\n$"},
    {"diff of lines at fault",
     LIST("model", "diff", "published", "@good", "@faults"), EX_DATAERR,
     "faults:1: phone: must be 11 digits and start with 7\n"
     "scoring: [^\n]*faults:2: arguments: must be an object\n"
     "scoring: [^\n]*faults:3: invalid JSON at byte 1: unexpected end of the "
     "text\n(.|\n)*scores +1\n(.|\n)*3 lines are not the arguments of a score"},
    {"diff of nothing", LIST("model", "diff", "published", "@good", "@nothing"),
     EX_OK, "scores +0\n$"},
    {"diff without a file",
     LIST("model", "diff", "published", "@good", "@none"), EX_NOINPUT,
     "No such file"},
    {"diff with a bad model",
     LIST("model", "diff", "@bad", "published", "@lines"), EX_DATAERR,
     "bad: line 2: rules"},
};

TEST_CASES(command, struct command_case, command_rows)
{
    char folder[FILES_PATH_MAX], output[FILES_PATH_MAX];
    char paths[5][FILES_PATH_MAX];
    const char *argv[7] = {getenv("RUN_BINARY")};
    static const char *const none[] = {NULL};
    struct proc_plan plan = {
        .argv = argv, .output = output, .environment = none};
    struct proc proc;
    char *text;

    CU_ASSERT_TRUE_FATAL(files_folder_make(folder));
    files_path(output, "%s/output", folder);
    for (size_t i = 0; i < sizeof(command_files) / sizeof(*command_files);
         i++) {
        char path[FILES_PATH_MAX];

        files_path(path, "%s/%s", folder, command_files[i].name);
        CU_ASSERT_TRUE(files_write(path, command_files[i].text));
    }
    for (size_t i = 0; i < 5 && c->arguments[i] != NULL; i++) {
        files_path(paths[i], "%s/%s", folder, c->arguments[i] + 1);
        argv[i + 1] = *c->arguments[i] == '@' ? paths[i] : c->arguments[i];
    }
    CU_ASSERT_TRUE_FATAL(proc_start(&proc, &plan));
    CU_ASSERT_TRUE(proc_wait(&proc, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(proc_exit_status(&proc), c->status);
    text = files_read(output);
    CU_ASSERT_TRUE(text != NULL && expect_match(text, c->pattern));
    if (text != NULL && !expect_match(text, c->pattern))
        (void)printf("%s\n", text);
    free(text);
    files_folder_remove(folder);
}

/* A model of the settings, for a shell; $F is its file. */
struct line_case {
    const char *name, *line;
    int status;
    const char *want; /* all that it says */
};

#define SHOWN                                                                  \
    "{\n  \"model\": \"m\",\n  \"rules\": [\n    {\"reason\": \"x\", "         \
    "\"given\": [\"phone\", \"gender\"], \"points\": 1.5}\n  ]\n}\n"

static const struct line_case line_rows[] = {
    {"show one of a file", "SCORING_MODEL_FILE=$F \"$RUN_BINARY\" model show",
     EX_OK, SHOWN},
    {"diff on the day of the settings' zone, a day ahead of UTC",
     "printf 'TZ=XXX-24\\n' >\"$F.conf\"; "
     "printf '{\"gender\": 1, \"birthday\": \"%s\"}\\n' "
     "\"$(TZ=XXX-24 date +%d.%m.%Y)\" | env -u TZ \"$RUN_BINARY\" model diff "
     "--config \"$F.conf\" published published - | grep ^scores",
     EX_OK, "scores             1\n"},
    {"diff on a terminal, until a line of progress is there",
     "cd \"${F%/*}\"; TERM=xterm script -qfec '"
     "for i in $(seq 500); do grep -qs \"scoring  [0-9]* lines\" shown && "
     "break; echo \"{}\"; sleep 0.02; done | "
     "\"$RUN_BINARY\" model diff published published -' shown >/dev/null; "
     "grep -qs 'scoring  [0-9]* lines' shown && echo drawn",
     EX_OK, "drawn\n"},
    {"diff of standard input",
     "printf '{\"phone\": 8}\\n[]\\n' | \"$RUN_BINARY\" model diff published "
     "published - 2>&1 >/dev/null",
     EX_DATAERR,
     "scoring: standard input:1: phone: must be 11 digits and start with 7\n"
     "scoring: standard input:2: arguments: must be an object\n"
     "scoring: standard input: 2 lines are not the arguments of a score, and "
     "are left out\n"},
};

TEST_CASES(line, struct line_case, line_rows)
{
    char folder[FILES_PATH_MAX], file[FILES_PATH_MAX], output[FILES_PATH_MAX];
    char line[1024], *text;
    const char *const argv[] = {"sh", "-c", line, NULL};
    const struct proc_plan plan = {.argv = argv, .output = output};
    struct proc proc;

    CU_ASSERT_TRUE_FATAL(files_folder_make(folder));
    files_path(file, "%.200s/model.json", folder);
    files_path(output, "%.200s/output", folder);
    CU_ASSERT_TRUE(files_write(
        file, "{\"rules\": [{\"given\": [\"gender\", \"phone\"], \"points\": "
              "15e-1, \"reason\": \"x\"}], \"model\": \"m\"}"));
    (void)snprintf(line, sizeof(line), "F=%s; %s", file, c->line);
    CU_ASSERT_TRUE_FATAL(proc_start(&proc, &plan));
    CU_ASSERT_TRUE(proc_wait(&proc, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(proc_exit_status(&proc), c->status);
    text = files_read(output);
    CU_ASSERT_STRING_EQUAL(text != NULL ? text : "", c->want);
    free(text);
    files_folder_remove(folder);
}

/* A line of so many bytes, without what is around it. */
struct width_case {
    const char *name;
    size_t bytes;
    const char *before, *after;
    int status;
};

#define MIB  ((size_t)1 << 20)
#define MARK "\xef\xbb\xbf"

static const struct width_case width_rows[] = {
    {"1 MiB", MIB, "", "\n", EX_OK},
    {"a byte more", MIB + 1, "", "\n", EX_DATAERR},
    {"1 MiB, of Windows", MIB, "", "\r\n", EX_OK},
    {"a byte more, of Windows", MIB + 1, "", "\r\n", EX_DATAERR},
    {"1 MiB, of Windows, after a mark", MIB, MARK, "\r\n", EX_OK},
    {"a byte more, after a mark", MIB + 1, MARK, "\n", EX_DATAERR},
    {"1 MiB, without an end", MIB, "", "", EX_OK},
    {"a byte more, without an end", MIB + 1, "", "", EX_DATAERR},
};

/* `scoring model diff` takes it, or names it: S15.3. */
TEST_CASES(width, struct width_case, width_rows)
{
    static const char person[] =
        "{\"phone\": \"79175002040\", \"email\": \"@\"";
    static const char *const none[] = {NULL};
    char path[FILES_PATH_MAX];
    const char *const argv[] = {
        getenv("RUN_BINARY"), "model", "diff", "published",
        "published",          path,    NULL};
    const struct proc_plan plan = {
        .argv = argv, .output = "/dev/null", .environment = none};
    struct buffer text = {0};
    struct proc proc;

    buffer_printf(&text, "%s%s%*s}%s", c->before, person,
                  (int)(c->bytes - sizeof(person)), "", c->after);
    CU_ASSERT_TRUE_FATAL(files_make(path, text.data, text.length));
    CU_ASSERT_TRUE_FATAL(proc_start(&proc, &plan));
    CU_ASSERT_TRUE(proc_wait(&proc, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(proc_exit_status(&proc), c->status);
    (void)unlink(path);
    buffer_free(&text);
}

static const char *const broken_model[] = {
    "SCORING_MODEL_FILE=tests/integration/main.c", NULL};

TEST_SINGLE(start, "a broken model ends it")
{
    static const struct stack_plan broken_plan = {.store = STACK_REDIS_UNIX,
                                                  .environment = broken_model};
    struct stack stack;
    char *said;

    CU_ASSERT_TRUE_FATAL(stack_init(&stack));
    CU_ASSERT_TRUE_FATAL(stack_launch(&stack, &broken_plan));
    CU_ASSERT_TRUE(proc_wait(&stack.proc, CLOCK_PATIENCE_MS));
    CU_ASSERT_NOT_EQUAL(proc_exit_status(&stack.proc), 0);
    said = files_read(stack.output);
    CU_ASSERT_TRUE(said != NULL &&
                   strstr(said, "SCORING_MODEL_FILE: ") != NULL &&
                   strstr(said, "line 1: a value was expected") != NULL);
    free(said);
    stack_discard(&stack);
}

TEST_SUITE(.parts = 2);
