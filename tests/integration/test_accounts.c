/*
 * Accounts, over the whole stack: which requests are let in, what is logged and
 * counted, what survives a reload, and that no account affects another. Source:
 * docs/protocol.md, S11.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/buffer.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/expect.h"
#include "support/load.h"
#include "support/request.h"
#include "support/stack.h"
#include "support/token.h"

#define IDS "{\"client_ids\": [1]}"

/*
 * The file of all rows: each row has its own accounts, or does not change them.
 */
static const char file_text[] =
    "{\n"
    "\"horns&hoofs\": {\"salts\": [\"new\", \"old\"]},\n"
    "\"acme\": {\"salts\": [\"acme's\"], \"methods\": [\"online_score\"]},\n"
    "\"gone\": {\"salts\": [\"gone's\"], \"disabled\": true},\n"
    "\"a \\\"quoted\\\" one\": {\"salts\": [\"quoted's\"]},\n"
    "\"\xd1\x8f\": {\"salts\": [\"ya's\"]},\n"
    "\"slow\": {\"salts\": [\"slow's\"], \"rate\": 1, \"burst\": 2},\n"
    "\"kept\": {\"salts\": [\"kept's\"], \"rate\": 1, \"burst\": 1},\n"
    "\"fast\": {\"salts\": [\"fast's\"], \"rate\": 100, \"burst\": 20}\n"
    "}\n";

static char accounts_setting[FILES_PATH_MAX + 32];
static char folder[FILES_PATH_MAX], path[FILES_PATH_MAX];

static const char *const environment[] = {accounts_setting, "SCORING_WORKERS=4",
                                          NULL};
static const struct stack_plan plan = {.store = STACK_REDIS_UNIX,
                                       .environment = environment};

static int
start(void)
{
    if (!files_folder_make(folder))
        return 1;
    files_path(path, "%.200s/accounts.json", folder);
    (void)snprintf(accounts_setting, sizeof(accounts_setting),
                   "SCORING_ACCOUNTS_FILE=%s", path);
    return files_write(path, file_text) ? 0 : 1;
}

static int
end(void)
{
    bool is_ended = stack_shared_end();

    files_folder_remove(folder);
    return is_ended ? 0 : 1;
}

/* A request with the token of this salt; the caller frees it. */
static char *
signed_request(const char *account, const char *salt, const char *method,
               const char *arguments)
{
    char token[TOKEN_LENGTH + 1], plain[64] = "";
    struct request_parts request = {.account = account,
                                    .login = "h&f",
                                    .token = token,
                                    .method = method,
                                    .arguments = arguments};

    /* The name without its JSON escapes. */
    for (size_t i = 0, j = 0; account[i] != '\0' && j < sizeof(plain) - 1;
         i++) {
        if (account[i] != '\\')
            plain[j++] = account[i];
    }
    token_user(plain, "h&f", salt, token);
    return request_text(&request);
}

static int
ask(const struct stack *stack, const char *account, const char *salt)
{
    struct http_answer answer =
        expect_post(stack->port, signed_request(account, salt, "online_score",
                                                REQUEST_NAMES));
    const int status = answer.status;

    http_answer_free(&answer);
    return status;
}

#define COUNTED "scoring_account_requests_total{account="

struct entry_case {
    const char *name;
    const char *account, *salt, *method, *arguments;
    int status;
    const char *logged; /* in its log line; NULL: no account= */
    const char *sample; /* that it increases; NULL: none */
};

static const struct entry_case entry_rows[] = {
    {"by the newest salt", "horns&hoofs", "new", "online_score", REQUEST_NAMES,
     200, "account=horns&hoofs code=200",
     COUNTED "\"horns&hoofs\",code=\"200\"}"},
    {"by the older salt", "horns&hoofs", "old", "online_score", REQUEST_NAMES,
     200, "account=horns&hoofs code=200", "scoring_tokens_total{salt=\"2\"}"},
    {"by the published salt", "horns&hoofs", "Otus", "online_score",
     REQUEST_NAMES, 403, "account=horns&hoofs code=403",
     COUNTED "\"horns&hoofs\",code=\"403\"}"},
    {"a method that it has", "acme", "acme's", "online_score", REQUEST_NAMES,
     200, "account=acme code=200", COUNTED "\"acme\",code=\"200\"}"},
    {"a method that it has not", "acme", "acme's", "clients_interests", IDS,
     403, "account=acme code=403", COUNTED "\"acme\",code=\"403\"}"},
    {"disabled", "gone", "gone's", "online_score", REQUEST_NAMES, 403,
     "account=gone code=403", COUNTED "\"gone\",code=\"403\"}"},
    {"not listed", "nobody", "new", "online_score", REQUEST_NAMES, 403, NULL,
     NULL},
    {"a name with quotes", "a \\\"quoted\\\" one", "quoted's", "online_score",
     REQUEST_NAMES, 200, "account=\"a \\\\\"quoted\\\\\" one\" code=200",
     COUNTED "\"a \\\"quoted\\\" one\",code=\"200\"}"},
    {"a name beyond ASCII", "\xd1\x8f", "ya's", "clients_interests", IDS, 200,
     "account=\"\\\\xd1\\\\x8f\" code=200",
     COUNTED "\"\xd1\x8f\",code=\"200\"}"},
};

TEST_CASES(entry, struct entry_case, entry_rows)
{
    const struct stack *stack = stack_shared(&plan);
    const double before =
        c->sample != NULL ? stack_metric(stack, c->sample) : -1;
    char pattern[128];
    size_t lines = 0;
    struct http_answer answer;

    (void)snprintf(pattern, sizeof(pattern), " %s ",
                   c->logged != NULL ? c->logged : "account=");
    lines = stack_log_count(stack, pattern);
    answer = expect_post(stack->port, signed_request(c->account, c->salt,
                                                     c->method, c->arguments));
    CU_ASSERT_EQUAL(answer.status, c->status);
    if (c->status == 403)
        expect_error_text(&answer, 403, "Forbidden");
    http_answer_free(&answer);
    if (c->sample != NULL)
        CU_ASSERT_EQUAL(stack_metric(stack, c->sample), before + 1);
    if (c->logged != NULL)
        CU_ASSERT_TRUE(stack_log_wait(stack, pattern, lines + 1));
    if (c->logged == NULL) {
        CU_ASSERT_EQUAL(stack_metric(stack, COUNTED "\"nobody\",code=\"403\"}"),
                        -1);
        CU_ASSERT_TRUE(stack_log_wait(stack, "method=- code=403 ", 1));
        CU_ASSERT_EQUAL(stack_log_count(stack, "nobody"), 0);
    }
}

TEST_SINGLE(admin, "is as before, with an account or without")
{
    const struct stack *stack = stack_shared(&plan);
    struct http_answer answer =
        expect_post(stack->port, request_admin("online_score", REQUEST_NAMES));

    expect_score(&answer, 42);
    http_answer_free(&answer);
}

TEST_SINGLE(limit, "429 with Retry-After, and its end")
{
    const struct stack *stack = stack_shared(&plan);
    char *body =
        signed_request("slow", "slow's", "online_score", REQUEST_NAMES);
    struct http *http = http_open(stack->port);
    int counts[600] = {0};
    struct http_answer answer;

    CU_ASSERT_PTR_NOT_NULL_FATAL(http);
    for (int i = 0; i < 4; i++) {
        answer = http_post(http, body);
        counts[answer.status < 600 ? answer.status : 0]++;
        if (answer.status == 429) {
            expect_error_text(&answer, 429, "Too Many Requests");
            expect_header(&answer, "Retry-After", "1");
        }
        http_answer_free(&answer);
    }
    CU_ASSERT_TRUE(counts[200] >= 2 && counts[429] >= 1);
    CU_ASSERT_EQUAL(counts[200] + counts[429], 4);
    clock_sleep_ms(1100);
    answer = http_post(http, body);
    CU_ASSERT_EQUAL(answer.status, 200);
    http_answer_free(&answer);
    http_close(http);
    free(body);
}

/*
 * Another file is in force: its settings have been read, and new workers serve.
 */

struct reload {
    const struct stack *stack;
    size_t lines;
};

static bool
is_served(void *arg)
{
    const struct reload *reload = arg;

    return stack_log_count(reload->stack, "\\] I ready: ") >= reload->lines;
}

static void
reload(const struct stack *stack, const char *text)
{
    struct reload wanted = {.stack = stack};

    CU_ASSERT_TRUE(stack_log_wait(stack, "\\] I ready: ", 1));
    wanted.lines = stack_log_count(stack, "\\] I ready: ") + 1;
    CU_ASSERT_TRUE(files_write(path, text));
    CU_ASSERT_EQUAL(kill(stack_parent(stack), SIGHUP), 0);
    CU_ASSERT_TRUE(clock_wait(is_served, &wanted, CLOCK_PATIENCE_MS));
}

/* The text with each "from" replaced; the caller frees it. */
static char *
replaced(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    struct buffer out = {0};

    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    buffer_add(&out, text, (size_t)(at - text));
    buffer_add_text(&out, to);
    buffer_add_text(&out, at + strlen(from));
    return buffer_take(&out);
}

/*
 * Older workers still serve kept connections for a moment after new ones serve.
 */
struct answered {
    const struct stack *stack;
    const char *account, *salt;
    int status;
};

static bool
is_answered(void *arg)
{
    const struct answered *wanted = arg;

    return ask(wanted->stack, wanted->account, wanted->salt) == wanted->status;
}

TEST_SINGLE(keep, "counts and limits over reloads, also of who was away")
{
    const struct stack *stack = stack_shared(&plan);
    struct answered away = {stack, "kept", "kept's", 403};
    char *without =
        replaced(file_text, "\"kept\": {\"salts\"", "\"other\": {\"salts\"");
    double before = stack_metric(stack, COUNTED "\"kept\",code=\"200\"}");
    double acme = stack_metric(stack, COUNTED "\"acme\",code=\"200\"}");
    char *batch = signed_request(
        "kept", "kept's", "online_scores",
        "{\"clients\": [{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, "
        "{}, "
        "{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, "
        "{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}]}");
    struct http_answer answer = expect_post(stack->port, batch);

    CU_ASSERT_EQUAL(answer.status, 200);
    http_answer_free(&answer);
    CU_ASSERT_EQUAL(ask(stack, "kept", "kept's"), 429);
    reload(stack, without);
    CU_ASSERT_TRUE(clock_wait(is_answered, &away, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(stack_metric(stack, COUNTED "\"kept\",code=\"200\"}"), -1);
    CU_ASSERT_EQUAL(stack_metric(stack, COUNTED "\"acme\",code=\"200\"}"),
                    acme);
    reload(stack, file_text);
    away.status = 429;
    CU_ASSERT_TRUE(clock_wait(is_answered, &away, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(stack_metric(stack, COUNTED "\"kept\",code=\"200\"}"),
                    before + 1);
    free(without);
}

/* What was used before the reload is some milliseconds, not years (S11.6). */
TEST_SINGLE(slower, "half the rate: a limit that is hardly used stays so")
{
    const struct stack *stack = stack_shared(&plan);
    char *text = replaced(file_text, "\"rate\": 100", "\"rate\": 50");

    CU_ASSERT_EQUAL(ask(stack, "fast", "fast's"), 200);
    reload(stack, text);
    CU_ASSERT_EQUAL(ask(stack, "fast", "fast's"), 200);
    reload(stack, file_text);
    free(text);
}

struct broken_case {
    const char *name, *text, *logged;
};

static const struct broken_case broken_rows[] = {
    {"no JSON", "{\n\"acme\"}", "line 2: a colon was expected"},
    {"a fault of an account", "{\"acme\": {\"salts\": []}}",
     "line 1: account \"acme\": salts: must be at least one text"},
    {"a published salt", "{\"acme\": {\"salts\": [\"Otus\"]}}",
     "SCORING_ACCOUNTS_FILE: would become a published one"},
    {"a salt of the admin's", "{\"acme\": {\"salts\": [\"42\"]}}",
     "account \"acme\": salts: no salt may be equal to"},
};

TEST_CASES(broken, struct broken_case, broken_rows)
{
    const struct stack *stack = stack_shared(&plan);
    const size_t before =
        stack_log_count(stack, "settings not read again: the old stay");

    CU_ASSERT_TRUE(files_write(path, c->text));
    CU_ASSERT_EQUAL(kill(stack_parent(stack), SIGHUP), 0);
    CU_ASSERT_TRUE(stack_log_wait(
        stack, "settings not read again: the old stay", before + 1));
    CU_ASSERT_TRUE(stack_log_count(stack, c->logged) > 0);
    CU_ASSERT_EQUAL(ask(stack, "acme", "acme's"), 200);
    CU_ASSERT_TRUE(files_write(path, file_text));
}

TEST_SINGLE(open_file, "a mode beyond 0640 is said")
{
    const struct stack *stack = stack_shared(&plan);

    CU_ASSERT_EQUAL(
        stack_log_count(stack, "\\] E SCORING_ACCOUNTS_FILE: .* mode"), 0);
    CU_ASSERT_EQUAL(chmod(path, 0644), 0);
    reload(stack, file_text);
    CU_ASSERT_EQUAL(
        stack_log_count(stack, "\\] E SCORING_ACCOUNTS_FILE: .*: mode 0644 "),
        1);
    CU_ASSERT_EQUAL(chmod(path, 0600), 0);
}

/*
 * Load on one account, while another one is changed, limited and disabled, the
 * file is broken, and workers are killed.
 */
TEST_SINGLE(neighbours, "no request of one is lost by what is done to another")
{
    static const char *const others[] = {
        "\"acme\": {\"salts\": [\"newer\", \"acme's\"]",
        "\"acme\": {\"salts\": [\"newer\"], \"rate\": 1",
        "\"acme\": {\"salts\": [\"newer\"], \"disabled\": true",
        "\"other\": {\"salts\": [\"newer\"]",
        "\"acme\": {\"salts\": []",
        "\"acme\": {\"salts\": [\"acme's\"]",
    };
    const struct stack *stack = stack_shared(&plan);
    char *body =
        signed_request("horns&hoofs", "new", "online_score", REQUEST_NAMES);
    const struct load_plan load_plan = {.port = stack->port,
                                        .body = body,
                                        .is_right = load_is_half,
                                        .callers = 4,
                                        .is_kept = true};
    struct load *load = load_start(&load_plan);

    CU_ASSERT_PTR_NOT_NULL_FATAL(load);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        char *text = replaced(file_text, "\"acme\": {\"salts\": [\"acme's\"]",
                              others[i]);
        struct proc_found workers = stack_workers(stack);

        CU_ASSERT_TRUE(files_write(path, text));
        CU_ASSERT_EQUAL(kill(stack_parent(stack), SIGHUP), 0);
        clock_sleep_ms(250);
        if (workers.count > 0)
            (void)kill(workers.pid[0], SIGKILL);
        (void)ask(stack, "acme", "newer");
        clock_sleep_ms(250);
        free(text);
    }
    load_expect(load_stop(load), "scores");
    free(body);
    reload(stack, file_text);
}

/*
 * All workers share one limit: within a few per cent, the burst and the rate
 * for the elapsed time are let in, and never more. It is less if the machine
 * pauses for longer than the burst lasts, so one of several rounds must be
 * right.
 */
#define SHARED_MS     2000
#define SHARED_RATE   100
#define SHARED_BURST  20
#define SHARED_ROUNDS 5

static atomic_size_t let_in;

static bool
is_limited(const struct http_answer *answer)
{
    let_in += answer->status == 200;
    return answer->status == 200 || answer->status == 429;
}

/* Returns the most requests that may have been let in. */
static int64_t
ask_too_often(const struct load_plan *load_plan)
{
    int64_t from_ms = clock_ms();
    struct load *load;

    let_in = 0;
    load = load_start(load_plan);
    CU_ASSERT_PTR_NOT_NULL_FATAL(load);
    clock_sleep_ms(SHARED_MS);
    CU_ASSERT_EQUAL(load_stop(load).failures, 0);
    return SHARED_BURST + (clock_ms() - from_ms) * SHARED_RATE / 1000;
}

TEST_SINGLE(shared, "one limit for all workers, to a few in a hundred")
{
    const struct stack *stack = stack_shared(&plan);
    char *body =
        signed_request("fast", "fast's", "online_score", REQUEST_NAMES);
    const struct load_plan load_plan = {.port = stack->port,
                                        .body = body,
                                        .is_right = is_limited,
                                        .callers = 8,
                                        .is_kept = false};
    bool is_enough = false;

    for (int i = 0; i < SHARED_ROUNDS && !is_enough; i++) {
        int64_t most;

        clock_sleep_ms(SHARED_BURST * 1000 / SHARED_RATE); /* the whole burst */
        most = ask_too_often(&load_plan);
        (void)printf("let in: %zu of at most %lld\n", (size_t)let_in,
                     (long long)most);
        CU_ASSERT_TRUE((int64_t)let_in <= most + 1);
        is_enough = (int64_t)let_in >= most * 9 / 10;
    }
    CU_ASSERT_TRUE(is_enough);
    free(body);
}

/* The commands; $F is the file of the row. */
struct command_case {
    const char *name, *text; /* of the file; mode 0600 */
    const char *line;        /* for a shell; $S is the program */
    int status;
    const char *pattern; /* of all that it says */
};

static const struct command_case command_rows[] = {
    {"a good file", file_text, "$S accounts check $F", 0,
     ": 8 account\\(s\\), no faults$"},
    {"a good file that others may read", file_text,
     "chmod 644 $F; $S accounts check $F", 0, "mode 0644 lets others read"},
    {"the file of the settings", file_text,
     "SCORING_ACCOUNTS_FILE=$F $S accounts check", 0, "8 account"},
    {"a bad file", "{\"a\": {}}", "$S accounts check $F", 65,
     "line 1: account \"a\": salts: is required$"},
    {"a bad file of the settings", "{\"a\": {}}",
     "SCORING_ACCOUNTS_FILE=$F $S accounts check", 78,
     "line 1: account \"a\": salts: is required$"},
    {"a bad file of the settings is no matter", "{\"a\": {}}",
     "$S accounts new a >$F.2; SCORING_ACCOUNTS_FILE=$F $S accounts check $F.2",
     0, "1 account"},
    {"a file that is not there", "", "$S accounts check $F.none", 66,
     "No such file"},
    {"no file at all", "", "$S accounts check", 78, "is not set"},
    {"a new one", "", "$S accounts new 'a\"b'", 0,
     "^\\{\"a\\\\\"b\": \\{\"salts\": \\[\"[0-9a-f]{64}\"\\]\\}\\}$"},
    {"two new ones are not the same", "",
     "test \"$($S accounts new a)\" != \"$($S accounts new a)\"", 0, "^$"},
    {"a new one of a bad name", "", "$S accounts new \"$(printf 'a\\nb')\"", 64,
     "control character"},
    {"a new one without a name", "", "$S accounts new", 64,
     "an argument is missing"},
    {"an option", "", "$S accounts list --salts", 64, "no such option"},
    {"the list", file_text, "SCORING_ACCOUNTS_FILE=$F $S accounts list", 0,
     "^\"acme\" methods=online_score rate=none salts=1$"},
    {"the list, of a limit", file_text,
     "SCORING_ACCOUNTS_FILE=$F $S accounts list", 0,
     "^\"fast\" methods=all rate=100 burst=20 salts=1$"},
    {"the list has no salt", file_text,
     "SCORING_ACCOUNTS_FILE=$F $S accounts list | grep -c \"'s\\|new\"", 1,
     "^0$"},
    {"a token by the newest salt: sha512 of abc",
     "{\"a\": {\"salts\": [\"c\", \"old\"]}}",
     "SCORING_ACCOUNTS_FILE=$F $S token --account a --login b", 0,
     "^" TOKEN_ABC "$"},
    {"a token of one that is not listed", "{}",
     "SCORING_ACCOUNTS_FILE=$F $S token --account a --login b", 64,
     "^scoring: the account \"a\" is not listed"},
    {"a token of one that is disabled",
     "{\"a\": {\"salts\": [\"c\"], \"disabled\": true}}",
     "SCORING_ACCOUNTS_FILE=$F $S token --account a --login b", 0,
     "^scoring: the account \"a\" is disabled in .*\n" TOKEN_ABC "$"},
    {"settings by --config", "SCORING_SALT=c",
     "$S token --config $F --account a --login b", 0, "^" TOKEN_ABC "$"},
    {"settings by --config= before the command", "SCORING_SALT=c",
     "$S --config=$F token --account a --login b", 0, "^" TOKEN_ABC "$"},
    {"--config goes before SCORING_CONFIG_FILE", "SCORING_SALT=c",
     "SCORING_CONFIG_FILE=/none $S token --account a --login b --config $F", 0,
     "^" TOKEN_ABC "$"},
    {"--config without a file", "", "$S token --login b --config", 64,
     "--config: a value is missing"},
    {"--config of a file that is not there", "",
     "$S healthcheck --config $F.none; $S check-config --config $F.none", 78,
     "No such file"},
};

TEST_CASES(command, struct command_case, command_rows)
{
    char work[FILES_PATH_MAX], file[FILES_PATH_MAX], output[FILES_PATH_MAX];
    struct buffer line = {0};
    struct proc proc = {0};
    char *said;

    CU_ASSERT_TRUE_FATAL(files_folder_make(work));
    files_path(file, "%.200s/file", work);
    files_path(output, "%.200s/output", work);
    CU_ASSERT_TRUE(files_write(file, c->text));
    buffer_printf(&line,
                  "unset SCORING_CONFIG_FILE; F=%s; S=\"$RUN_BINARY\"; %s",
                  file, c->line);
    {
        const char *const argv[] = {"sh", "-c", buffer_text(&line), NULL};

        CU_ASSERT_TRUE_FATAL(proc_start(
            &proc, &(struct proc_plan){.argv = argv, .output = output}));
    }
    CU_ASSERT_TRUE(proc_wait(&proc, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(proc_exit_status(&proc), c->status);
    said = files_read(output);
    CU_ASSERT_PTR_NOT_NULL_FATAL(said);
    if (!expect_match(said, c->pattern) && strcmp(c->pattern, "^$") != 0) {
        size_t lines = expect_count_lines(said, c->pattern);

        CU_ASSERT_TRUE(lines > 0);
    }
    free(said);
    buffer_free(&line);
    files_folder_remove(work);
}

TEST_SUITE(.start = start, .end = end);
