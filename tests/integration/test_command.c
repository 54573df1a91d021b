/*
 * The commands of the program beside `serve`: what they print, and how they
 * end. Source: docs/protocol.md, S26, S10, S24.
 */
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "support/cases.h"
#include "support/clock.h"
#include "support/expect.h"
#include "support/files.h"
#include "support/http.h"
#include "support/ports.h"
#include "support/proc.h"
#include "support/stack.h"
#include "support/token.h"

#define ACCEPT_PAUSE_MS 10
#define ARGUMENTS_MAX   6
#define VARIABLES_MAX   4

#define RELOAD_ANSWERS_MAX 4

/* `scoring healthcheck` gives up after 2 s. */
#define HEALTH_MIN_MS 1900
#define HEALTH_MAX_MS 3000

/* Both outputs of the program, and its exit status. */
struct outcome {
    int status;
    char *text;
};

/* A running program, and the file with its output. */
struct run {
    struct proc proc;
    char folder[FILES_PATH_MAX];
    char output[FILES_PATH_MAX];
};

static void
begin(struct run *run, const char *const *arguments,
      const char *const *environment)
{
    const char *argv[ARGUMENTS_MAX + 2] = {getenv("RUN_BINARY")};
    static const char *const none[] = {NULL};
    struct proc_plan plan = {.argv = argv, .output = run->output};

    plan.environment = environment != NULL ? environment : none;
    CU_ASSERT_PTR_NOT_NULL_FATAL(argv[0]);
    for (size_t i = 0; i < ARGUMENTS_MAX && arguments[i] != NULL; i++)
        argv[i + 1] = arguments[i];
    CU_ASSERT_TRUE_FATAL(files_folder_make(run->folder));
    files_path(run->output, "%s/output", run->folder);
    CU_ASSERT_TRUE(proc_start(&run->proc, &plan));
}

/* The caller frees the text. */
static struct outcome
finish(struct run *run)
{
    struct outcome outcome = {.status = -1};

    if (proc_wait(&run->proc, CLOCK_PATIENCE_MS))
        outcome.status = proc_exit_status(&run->proc);
    else
        proc_kill(&run->proc);
    outcome.text = files_read(run->output);
    files_folder_remove(run->folder);
    CU_ASSERT_PTR_NOT_NULL_FATAL(outcome.text);
    return outcome;
}

static void
check_outcome(struct run *run, int status, const char *pattern)
{
    struct outcome outcome = finish(run);

    CU_ASSERT_EQUAL(outcome.status, status);
    CU_ASSERT_TRUE(expect_says(outcome.text, pattern));
    if (outcome.status != status || !expect_says(outcome.text, pattern))
        (void)printf("status %d: %s\n", outcome.status, outcome.text);
    free(outcome.text);
}

struct command_case {
    const char *name;
    const char *arguments[ARGUMENTS_MAX];
    const char *environment[VARIABLES_MAX];
    int status;
    const char *pattern; /* of both outputs */
};

/* The address of a unix socket has at most 107 bytes of path, and a NUL. */
#define X10 "xxxxxxxxxx"
#define X50 X10 X10 X10 X10 X10

/* The note about a token of a published salt. */
#define NOTE                                                                   \
    "^scoring: note: the salt of this token is the published one[^\n]*\n"

/* Tokens were made with: printf %s 'horns&hoofs' 'h&f' Otus | sha512sum */
static const struct command_case command_rows[] = {
    {"version", LIST("--version"), NONE, EX_OK, "^scoring [0-9.]+\n$"},
    {"help", LIST("--help"), NONE, EX_OK, "usage: .*healthcheck.*SCORING_SALT"},
    {"help, no salts needed", LIST("token", "--help"), LIST("SCORING_SALT="),
     EX_OK, "^usage: scoring token --login"},
    {"help of check-config", LIST("check-config", "--help"), NONE, EX_OK,
     "^usage: scoring check-config \\[--get NAME .*\\]\n"},
    {"help of healthcheck", LIST("healthcheck", "--help"), NONE, EX_OK,
     "^usage: scoring healthcheck \\[SOCKET\\]\n"},
    {"help of serve", LIST("serve", "--help"), NONE, EX_OK,
     "^usage: scoring serve.*\n.*listening unix socket"},
    {"help of a command without details", LIST("--version", "--help"), NONE,
     EX_OK, "^usage: scoring --version[^\n]*\n[^(]*$"},
    {"help, the socket by default", LIST("reload", "--help"), NONE, EX_OK,
     "asks the service on /run/scoring/scoring\\.sock\\."},
    {"unknown command", LIST("tokens"), NONE, EX_USAGE, "unknown command: tok"},
    {"part of a command", LIST("tok"), NONE, EX_USAGE, "unknown command: tok"},
    {"empty command", LIST(""), NONE, EX_USAGE, "unknown command"},
    {"version, for short", LIST("-V"), NONE, EX_OK, "^scoring [0-9.]+\n$"},
    {"help, for short", LIST("-h"), NONE, EX_OK, "usage: .*healthcheck"},
    {"help of a command, for short", LIST("token", "-h"), NONE, EX_OK,
     "usage: scoring token"},
    {"a slip", LIST("tokne"), NONE, EX_USAGE, "did you mean token\\?"},
    {"a beginning", LIST("check"), NONE, EX_USAGE, "did you mean check-config"},
    {"help with more", LIST("--help", "x"), NONE, EX_USAGE, "unexpected"},
    {"version with more", LIST("--version", "x"), NONE, EX_USAGE, "unexpected"},
    {"serve with more", LIST("serve", "x"), NONE, EX_USAGE, "unexpected"},
    {"serve without a socket", LIST("serve"), NONE, EX_USAGE,
     "listening socket"},
    {"no command, no socket", NONE, NONE, EX_USAGE, "listening socket"},

    {"token by the published salt",
     LIST("token", "--account", "horns&hoofs", "--login", "h&f"), NONE, EX_OK,
     NOTE TOKEN_KNOWN "\n$"},
    {"token, options in any form and order",
     LIST("token", "--login=h&f", "--account=horns&hoofs"), NONE, EX_OK,
     NOTE TOKEN_KNOWN "\n$"},
    {"token by the newest salt: sha512 of abc",
     LIST("token", "--account", "a", "--login", "b"),
     LIST("SCORING_SALT=c,old"), EX_OK, "^" TOKEN_ABC "\n$"},
    {"token of an empty login, no account: sha512 of abc",
     LIST("token", "--login", ""), LIST("SCORING_SALT=abc"), EX_OK,
     "^" TOKEN_ABC "\n$"},
    {"token of nobody", LIST("token"), NONE, EX_USAGE, "--login or --admin"},
    {"token of an account alone", LIST("token", "--account", "a"), NONE,
     EX_USAGE, "--login or --admin"},
    {"token of both", LIST("token", "--admin", "--login", "a"), NONE, EX_USAGE,
     "--admin excludes"},
    {"token of both, by the account",
     LIST("token", "--admin", "--account", "a"), NONE, EX_USAGE,
     "--admin excludes"},
    {"token, unknown option", LIST("token", "--salt", "x"), NONE, EX_USAGE,
     "no such option: --salt"},
    {"token, value missing", LIST("token", "--login"), NONE, EX_USAGE,
     "a value is missing: --login"},
    {"token, one word too many", LIST("token", "--login", "a", "b"), NONE,
     EX_USAGE, "unexpected argument: b"},
    {"token, wrong settings", LIST("token", "--admin"), LIST("SCORING_SALT="),
     EX_CONFIG, "^scoring: SCORING_SALT: "},

    {"check-config, defaults", LIST("check-config"), NONE, EX_OK,
     "REDIS_URL=redis://127.0.0.1:6379/0\n.*SCORING_CACHE_TTL_S=3600\n"},
    {"check-config, what was given", LIST("check-config"),
     LIST("SCORING_WORKERS=3", "SCORING_LOG_FORMAT=json"), EX_OK,
     "SCORING_WORKERS=3\n.*SCORING_LOG_FORMAT=json\n"},
    {"check-config, secrets masked", LIST("check-config"),
     LIST("REDIS_PASSWORD=secret", "SCORING_SALT=hidden",
          "SCORING_ADMIN_SALT=no"),
     EX_OK,
     "^REDIS_URL=[^\n]*\nREDIS_USERNAME=\nREDIS_PASSWORD=\\*\\*\\*\n"
     "REDIS_SENTINEL_USERNAME=\nREDIS_SENTINEL_PASSWORD=\n"
     "SCORING_SALT=\\*\\*\\*\nSCORING_ADMIN_SALT=\\*\\*\\*\n"},
    {"check-config, published salts are told", LIST("check-config"),
     LIST("SCORING_SALT=own"), EX_OK, "published default salt"},
    {"check-config, the published salt of users is told", LIST("check-config"),
     LIST("SCORING_ADMIN_SALT=own"), EX_OK, "published default salt"},
    {"--config after --, which ends the options",
     LIST("check-config", "--", "--config", "x"), NONE, EX_USAGE,
     "unexpected argument: --config\n"},
    {"--config and more", LIST("check-config", "--configure=x"), NONE, EX_USAGE,
     "no such option: --configure=x\n"},
    {"--config and no command", LIST("--config", "/none"), NONE, EX_USAGE,
     "listening socket"},
    {"check-config, of the service alone", LIST("check-config", "--service"),
     LIST("HTTP_PORT=tcp://10.0.0.1:80", "TLS_KEY=a"), EX_OK,
     "HTTP_PORT=tcp://10\\.0\\.0\\.1:80\n"},
    {"check-config, of nginx, too", LIST("check-config"),
     LIST("HTTP_PORT=tcp://10.0.0.1:80", "TLS_KEY=a"), EX_CONFIG,
     "^scoring: HTTP_PORT: [^\n]*\nscoring: TLS_CERTIFICATE: [^\n]*\n$"},
    {"--config, empty", LIST("check-config", "--config="), NONE, EX_USAGE,
     "^scoring: --config: a value is missing\n$"},
    {"--config twice: the last one counts",
     LIST("--config=/none", "check-config", "--config", "/dev/null"), NONE,
     EX_CONFIG, "\"/dev/null\": is not a regular file\n$"},
    {"check-config, every mistake", LIST("check-config"),
     LIST("SCORING_WORKERS=0", "SCORING_LOG_LEVEL=x", "SCORING_TYPO=1"),
     EX_CONFIG,
     "^scoring: SCORING_TYPO: [^\n]*\nscoring: SCORING_WORKERS: [^\n]*\n"
     "scoring: SCORING_LOG_LEVEL: [^\n]*\n$"},
    {"check-config with more", LIST("check-config", "x"), NONE, EX_USAGE,
     "unex"},
    {"check-config, a list of salts", LIST("check-config"),
     LIST("SCORING_SALT=a,b", "SCORING_ADMIN_SALT=own"), EX_OK,
     "SCORING_SALT=\\*\\*\\*,\\*\\*\\*\n.*"
     "scoring: note: SCORING_SALT: a list of 2 salts\n$"},
    {"check-config, the time zone", LIST("check-config"),
     LIST("TZ=Europe/Moscow"), EX_OK, "\nTZ=Europe/Moscow\n"},
    {"check-config, an unknown time zone", LIST("check-config"),
     LIST("TZ=Europe/Nowhere"), EX_CONFIG,
     "^scoring: TZ: \"Europe/Nowhere\": there is no such time zone"},
    {"token, an unknown time zone", LIST("token", "--admin"),
     LIST("TZ=Europe/Nowhere"), EX_CONFIG, "^scoring: TZ: "},
    {"check-config, equal salts", LIST("check-config"),
     LIST("SCORING_SALT=same", "SCORING_ADMIN_SALT=same"), EX_CONFIG,
     "^scoring: SCORING_SALT, SCORING_ADMIN_SALT: [^\n]*\n$"},
    {"one setting", LIST("check-config", "--get", "SCORING_CACHE_TTL_S"), NONE,
     EX_OK, "^3600\n$"},
    {"one setting that was given",
     LIST("check-config", "--get", "SCORING_RATE_LIMIT", "--default", "9"),
     LIST("SCORING_RATE_LIMIT=5"), EX_OK, "^5\n$"},
    {"one setting, another default",
     LIST("check-config", "--get=REDIS_URL", "--default="), NONE, EX_OK,
     "^\n$"},
    {"one setting of make run", LIST("check-config", "--get", "HTTP_PORT"),
     LIST("HTTP_PORT=8090"), EX_OK, "^8090\n$"},
    {"one secret", LIST("check-config", "--get", "REDIS_PASSWORD"),
     LIST("REDIS_PASSWORD=hidden"), EX_USAGE,
     "^scoring: check-config: this is a secret: add --secret: "
     "REDIS_PASSWORD\nusage: [^\n]*\n$"},
    {"one secret, to be shown",
     LIST("check-config", "--secret", "--get", "REDIS_PASSWORD"),
     LIST("REDIS_PASSWORD=p\"w\\ "), EX_OK, "^p\"w\\\\ \n$"},
    {"salts, to be shown",
     LIST("check-config", "--get", "SCORING_SALT", "--secret"),
     LIST("SCORING_SALT=a,b"), EX_OK, "^a\nb\n$"},
    {"one setting that does not exist",
     LIST("check-config", "--get", "SCORING_WORKER"), NONE, EX_USAGE,
     "there is no such setting: SCORING_WORKER\n"},
    {"one setting, another one is wrong",
     LIST("check-config", "--get", "HTTP_PORT"), LIST("SCORING_WORKERS=0"),
     EX_CONFIG, "^scoring: SCORING_WORKERS: [^\n]*\n$"},
    {"a default for no setting", LIST("check-config", "--default", "x"), NONE,
     EX_USAGE, "--default needs --get"},
    {"a secret of no setting", LIST("check-config", "--secret"), NONE, EX_USAGE,
     "--secret needs --get or --shell"},
    {"settings for a shell, quoted, and empty where not given",
     LIST("check-config", "--secret", "--shell", "HTTP_PORT,REDIS_PASSWORD,TZ"),
     LIST("REDIS_PASSWORD=i'$t\\\n\n", "HTTP_PORT=81"), EX_OK,
     "^HTTP_PORT='81'\nREDIS_PASSWORD='i'\\\\''\\$t\\\\\n\n'\nTZ=''\n$"},
    {"settings for a shell, a default is not given",
     LIST("check-config", "--shell", "HTTP_PORT,SCORING_WORKERS"), NONE, EX_OK,
     "^HTTP_PORT=''\nSCORING_WORKERS=''\n$"},
    {"settings for a shell, one at the end",
     LIST("check-config", "--shell=SCORING_LOG_FORMAT"),
     LIST("SCORING_LOG_FORMAT=json"), EX_OK, "^SCORING_LOG_FORMAT='json'\n$"},
    {"settings for a shell, a secret",
     LIST("check-config", "--shell", "HTTP_PORT,REDIS_PASSWORD"),
     LIST("REDIS_PASSWORD=hidden"), EX_USAGE,
     "^scoring: check-config: this is a secret: add --secret: "
     "REDIS_PASSWORD\nusage: [^\n]*\n$"},
    {"settings for a shell, one that does not exist",
     LIST("check-config", "--shell", "HTTP_PORT,HTTP_POR,TZ"), NONE, EX_USAGE,
     "there is no such setting: HTTP_POR,TZ\n"},
    {"settings for a shell, one without a name",
     LIST("check-config", "--shell", "HTTP_PORT,,TZ"), NONE, EX_USAGE,
     "there is no such setting: ,TZ\n"},
    {"settings for a shell, none", LIST("check-config", "--shell", ""), NONE,
     EX_USAGE, "there is no such setting: \n"},
    {"settings for a shell, another one is wrong",
     LIST("check-config", "--shell", "HTTP_PORT"), LIST("SCORING_WORKERS=0"),
     EX_CONFIG, "^scoring: SCORING_WORKERS: [^\n]*\n$"},
    {"settings for a shell, and one as it is",
     LIST("check-config", "--shell", "TZ", "--get", "TZ"), NONE, EX_USAGE,
     "--get and --shell exclude each other"},
    {"a name is missing", LIST("check-config", "--get"), NONE, EX_USAGE,
     "a value is missing: --get"},

    {"healthcheck, no socket", LIST("healthcheck", "/nonexistent"), NONE,
     EX_UNAVAILABLE,
     "^scoring: not healthy: /nonexistent: No such file or directory\n$"},
    {"healthcheck, no socket but a folder", LIST("healthcheck", "/"), NONE,
     EX_UNAVAILABLE, "^scoring: not healthy: /: Connection refused\n$"},
    {"healthcheck, a path of 107 bytes",
     LIST("healthcheck", "/" X50 X50 "xxxxxx"), NONE, EX_UNAVAILABLE,
     "^scoring: not healthy: /x*: No such file or directory\n$"},
    {"healthcheck, a path of 108 bytes",
     LIST("healthcheck", "/" X50 X50 "xxxxxxx"), NONE, EX_UNAVAILABLE,
     "^scoring: not healthy: /x*: the path is too long for a socket\n$"},
    {"reload, no socket", LIST("reload", "/nonexistent"), NONE, EX_UNAVAILABLE,
     "^scoring: not reloaded: /nonexistent: No such file or directory\n$"},
    {"reload, two sockets", LIST("reload", "a", "b"), NONE, EX_USAGE,
     "^scoring: reload: unexpected argument: b\nusage: scoring reload "
     "\\[SOCKET\\]\n$"},
    {"healthcheck, two sockets", LIST("healthcheck", "a", "b"), NONE, EX_USAGE,
     "unexpected argument: b"},
    {"healthcheck, option", LIST("healthcheck", "--socket"), NONE, EX_USAGE,
     "scoring: healthcheck: no such option: --socket"},
};

TEST_CASES(command, struct command_case, command_rows)
{
    struct run run = {0};

    begin(&run, c->arguments, c->environment);
    check_outcome(&run, c->status, c->pattern);
}

TEST_SINGLE(admin_token, "is that of the local hour")
{
    static const char *const arguments[] = {"token", "--admin", NULL};
    static const char *const environment[] = {"TZ=XXX-5",
                                              "SCORING_ADMIN_SALT=own", NULL};
    time_t there = clock_steady_now() + 5 * 3600;
    char text[32], want[TOKEN_LENGTH + 1], pattern[TOKEN_LENGTH + 4];
    struct run run = {0};
    struct tm utc;

    CU_ASSERT_PTR_NOT_NULL_FATAL(gmtime_r(&there, &utc));
    CU_ASSERT_NOT_EQUAL(strftime(text, sizeof(text), "%Y%m%d%Hown", &utc), 0);
    token_digest(text, strlen(text), want);
    (void)snprintf(pattern, sizeof(pattern), "^%s\n$", want);
    begin(&run, arguments, environment);
    check_outcome(&run, EX_OK, pattern);
}

/* Every command, and every command of a group. */
TEST_SINGLE(columns, "of every --help are 80 at most")
{
    static const char line[] =
        "names() { sed -nE '/^Settings/q; s/^  ([a-z][a-z-]+) .*/\\1/p'; }; "
        "scoring() { \"$RUN_BINARY\" \"$@\" --help; }; "
        "{ scoring; for command in $(scoring | names); do "
        "    scoring \"$command\"; "
        "    scoring \"$command\" | grep -q '^usage: .*|.* \\.\\.\\.$' || "
        "continue; "
        "    for inner in $(scoring \"$command\" | names); do "
        "        scoring \"$command\" \"$inner\"; "
        "    done; "
        "done; } | awk '/^usage: /{helps++} "
        "length > 80 {print; wide = 1} "
        "END {exit wide || helps < 20}'";
    const char *const argv[] = {"bash", "-c", line, NULL};
    struct proc proc = {0};

    CU_ASSERT_TRUE_FATAL(proc_start(&proc, &(struct proc_plan){.argv = argv}));
    CU_ASSERT_TRUE(proc_wait(&proc, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(proc_exit_status(&proc), 0);
}

TEST_SINGLE(full_disk, "or a closed output is an error of all that print")
{
    static const char *const lines[] = {
        "--help >/dev/full",
        "--version >/dev/full",
        "check-config >/dev/full",
        "token --admin >/dev/full",
        "token --help >/dev/full",
        "--help >&-",
        "--version >&-",
        "check-config >&-",
        "token --admin >&-",
        "check-config --get REDIS_URL >&-",
        "interests export --help >&-",
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        char line[FILES_PATH_MAX];
        const char *const argv[] = {"sh", "-c", line, NULL};
        struct proc proc = {0};

        files_path(line, "\"$RUN_BINARY\" %s", lines[i]);
        CU_ASSERT_TRUE_FATAL(
            proc_start(&proc, &(struct proc_plan){.argv = argv}));
        CU_ASSERT_TRUE(proc_wait(&proc, CLOCK_PATIENCE_MS));
        CU_ASSERT_EQUAL(proc_exit_status(&proc), EX_IOERR);
    }
}

static const struct stack_plan without_store = {.store = STACK_REDIS_ABSENT};

TEST_SINGLE(health, "is good while the service runs, with no store at all")
{
    struct stack *stack = stack_shared(&without_store);
    char socket[FILES_PATH_MAX];
    const char *const arguments[] = {"healthcheck", socket, NULL};
    struct run run = {0};

    files_path(socket, "%s/scoring.sock", stack->run_folder);
    begin(&run, arguments, NULL);
    check_outcome(&run, EX_OK, "^$");
}

static void
reload(const struct stack *stack, const char *settings, int status,
       const char *pattern)
{
    char socket[FILES_PATH_MAX];
    const char *const arguments[] = {"reload", socket, NULL};
    struct run run = {0};

    CU_ASSERT_TRUE(files_write(stack->settings, settings));
    files_path(socket, "%s/scoring.sock", stack->run_folder);
    begin(&run, arguments, NULL);
    check_outcome(&run, status, pattern);
}

#define RELOADS 10 /* while workers of the reload before are being replaced */

/* No path of HTTP reloads the settings. */
TEST_SINGLE(reload, "ends when the settings are read, and says if they are not")
{
    struct stack *stack = stack_shared(&without_store);
    const size_t before = stack_log_count(stack, "settings read again");
    const struct http_request request = {.verb = "GET", .path = "/reload"};
    struct http *http = http_open(stack->port);
    struct http_answer answer;

    reload(stack, "SCORING_LOG_REQUESTS=errors\n", EX_OK, "^$");
    CU_ASSERT_TRUE(stack_log_wait(stack, "settings read again", before + 1));
    reload(stack, "SCORING_LOG_LEVEL=x\n", EX_CONFIG,
           "^scoring: not reloaded: the settings are broken[^\n]*\n$");
    for (int i = 0; i < RELOADS; i++)
        reload(stack, "SCORING_LOG_REQUESTS=all\n", EX_OK, "^$");
    CU_ASSERT_TRUE(
        stack_log_wait(stack, "settings read again", before + 1 + RELOADS));
    CU_ASSERT_PTR_NOT_NULL_FATAL(http);
    answer = http_send(http, &request);
    CU_ASSERT_EQUAL(answer.status, 404);
    http_answer_free(&answer);
    http_close(http);
}

/* A peer behind the socket instead of the service. */
struct peer_case {
    const char *name;
    bool is_full;     /* others wait in its queue, which takes no more */
    int closes;       /* how many connections are closed first, unanswered */
    const char *sent; /* NULL: the connection is not even accepted */
    size_t length;
    int min_ms, max_ms;
    int status;
    const char *pattern;
};

#define SENT(text) text, sizeof(text) - 1
#define END        "\1\3\0\1\0\10\0\0\0\0\0\0\0\0\0\0"

/* 64 bytes; an answer of 16 of them is not read further. */
#define X64  "0123456789012345678901234567890123456789012345678901234567890123"
#define X256 X64 X64 X64 X64

#define STDOUT(length) "\1\6\0\1\0" length "\0\0"
#define TYPE           "Content-Type: x\r\n\r\n"
#define GOOD           STDOUT("\62") "Status: 200 O\r\n" TYPE "{\"status\": \"ok\"}"
#define BAD            STDOUT("\62") "Status: 500 O\r\n" TYPE "{\"status\": \"ok\"}"

#define CLOSES_ALL INT_MAX

static const struct peer_case peer_rows[] = {
    {"accepts nothing", false, 0, NULL, 0, HEALTH_MIN_MS, HEALTH_MAX_MS,
     EX_UNAVAILABLE, "no answer in time"},
    {"closes one connection, and answers the next", false, 1, SENT(GOOD END), 0,
     HEALTH_MAX_MS, EX_OK, "^$"},
    {"closes two, and answers the next", false, 2, SENT(GOOD END), 0,
     HEALTH_MAX_MS, EX_OK, "^$"},
    {"closes one, and answers 500", false, 1, SENT(BAD END), 0, HEALTH_MAX_MS,
     EX_UNAVAILABLE, "not as the service does"},
    {"closes one, and accepts nothing more", false, 1, NULL, 0, HEALTH_MIN_MS,
     HEALTH_MAX_MS, EX_UNAVAILABLE, "no answer in time"},
    {"closes all", false, CLOSES_ALL, NULL, 0, HEALTH_MIN_MS, HEALTH_MAX_MS,
     EX_UNAVAILABLE, "closed without an answer|no answer in time"},
    {"has a full queue", true, 0, NULL, 0, HEALTH_MIN_MS, HEALTH_MAX_MS,
     EX_UNAVAILABLE, "its queue is full"},
    {"speaks HTTP", false, 0,
     SENT("HTTP/1.1 200 X\r\n\r\n{\"status\": \"ok\"}"), 0, HEALTH_MIN_MS,
     EX_UNAVAILABLE, "not FastCGI"},
    {"answers 500", false, 0, SENT(BAD END), 0, HEALTH_MIN_MS, EX_UNAVAILABLE,
     "not as the service does"},
    {"answers 200 with another body", false, 0,
     SENT(STDOUT("\62") "Status: 200 O\r\n" TYPE "{\"status\": \"no\"}" END), 0,
     HEALTH_MIN_MS, EX_UNAVAILABLE, "not as the service does"},
    {"answers with nothing", false, 0, SENT(END), 0, HEALTH_MIN_MS,
     EX_UNAVAILABLE, "not as the service does"},
    {"answers without an end", false, 0, SENT(GOOD X256 X256 X256 X256), 0,
     HEALTH_MIN_MS, EX_UNAVAILABLE, "not as the service does"},
    {"gives the request up", false, 0,
     SENT(GOOD "\1\3\0\1\0\10\0\0\0\0\0\0\1\0\0\0"), 0, HEALTH_MIN_MS,
     EX_UNAVAILABLE, "not as the service does"},
    {"stops half-way", false, 0, SENT(GOOD), 0, HEALTH_MIN_MS, EX_UNAVAILABLE,
     "not as the service does"},
};

/* The next connection; -1 when the program has ended. */
static int
accept_next(int listen_fd, struct run *run)
{
    struct pollfd poller = {.fd = listen_fd, .events = POLLIN};

    while (poll(&poller, 1, ACCEPT_PAUSE_MS) == 0)
        if (proc_wait(&run->proc, 0))
            return -1;
    return accept(listen_fd, NULL, NULL);
}

/* The request of every second one is read first; the others are reset. */
static void
close_some(int listen_fd, struct run *run, int closes)
{
    char request[1024];

    for (int i = 0; i < closes; i++) {
        int fd = accept_next(listen_fd, run);

        if (fd < 0)
            return;
        if (i % 2 == 0)
            (void)recv(fd, request, sizeof(request), 0);
        (void)close(fd);
    }
}

/* Receives one request, and sends the answer of the row. */
static void
play(int listen_fd, struct run *run, const struct peer_case *c)
{
    char request[1024];
    int fd;

    close_some(listen_fd, run, c->closes);
    if (c->sent == NULL)
        return;
    fd = accept_next(listen_fd, run);
    CU_ASSERT_TRUE(fd >= 0);
    if (fd < 0)
        return;
    CU_ASSERT_TRUE(recv(fd, request, sizeof(request), 0) > 0);
    CU_ASSERT_EQUAL(send(fd, c->sent, c->length, MSG_NOSIGNAL),
                    (ssize_t)c->length);
    (void)close(fd);
}

/* A connection that takes the one place in the queue. */
static int
fill_queue(int listen_fd, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%.107s", path);
    CU_ASSERT_EQUAL(listen(listen_fd, 0), 0);
    CU_ASSERT_EQUAL(
        connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

TEST_CASES(healthcheck, struct peer_case, peer_rows)
{
    char folder[FILES_PATH_MAX], path[FILES_PATH_MAX];
    const char *const arguments[] = {"healthcheck", path, NULL};
    struct run run = {0};
    int64_t began_ms;
    int fd, waiting = -1;

    CU_ASSERT_TRUE_FATAL(files_folder_make(folder));
    files_path(path, "%s/socket", folder);
    fd = ports_listen_unix(path);
    CU_ASSERT_TRUE(fd >= 0);
    if (c->is_full)
        waiting = fill_queue(fd, path);
    began_ms = clock_ms();
    begin(&run, arguments, NULL);
    play(fd, &run, c);
    check_outcome(&run, c->status, c->pattern);
    CU_ASSERT_TRUE(clock_ms() - began_ms >= c->min_ms);
    CU_ASSERT_TRUE(clock_ms() - began_ms <= c->max_ms);
    if (waiting >= 0)
        (void)close(waiting);
    (void)close(fd);
    files_folder_remove(folder);
}

/* What the peer answers to `scoring reload`, one after the other. */
struct reload_case {
    const char *name;
    const char *bodies[RELOAD_ANSWERS_MAX + 1];
    int status;
    const char *pattern;
};

#define COUNTS(ok, failed) "{\"ok\": " #ok ", \"failed\": " #failed "}"

static const struct reload_case reload_rows[] = {
    {"read at once", {COUNTS(1, 0), COUNTS(2, 0)}, EX_OK, "^$"},
    {"read after a while",
     {COUNTS(1, 0), COUNTS(1, 0), COUNTS(1, 0), COUNTS(2, 0)},
     EX_OK,
     "^$"},
    {"broken after a while",
     {COUNTS(1, 0), COUNTS(1, 0), COUNTS(1, 1)},
     EX_CONFIG,
     "^scoring: not reloaded: the settings are broken"},
    {"read, as those before were not",
     {COUNTS(3, 5), COUNTS(3, 5), COUNTS(4, 5)},
     EX_OK,
     "^$"},
    {"read twice, and broken once",
     {COUNTS(1, 0), COUNTS(2, 1)},
     EX_CONFIG,
     "^scoring: not reloaded: the settings are broken"},
    {"no counts", {"{}"}, EX_UNAVAILABLE, "not as the service does"},
    {"no counts after a while",
     {COUNTS(1, 0), COUNTS(1, 0), "{\"ok\": 2}"},
     EX_UNAVAILABLE,
     "not as the service does"},
};

/* Answers the first request, for "reload", and each next one, for "reloads". */
static void
play_reload(int listen_fd, struct run *run, const struct reload_case *c)
{
    char request[1024], answer[256];

    for (int i = 0; c->bodies[i] != NULL; i++) {
        const int content =
            snprintf(answer + 8, sizeof(answer) - 8,
                     "Status: 200 O\r\n" TYPE "%s", c->bodies[i]);
        const size_t length = 8 + (size_t)content;
        const int fd = accept_next(listen_fd, run);
        const bool asks_on = fd >= 0; /* it waits */
        ssize_t got;

        CU_ASSERT_TRUE(asks_on);
        if (!asks_on)
            return;
        got = recv(fd, request, sizeof(request), 0);
        CU_ASSERT_TRUE(got > 0);
        CU_ASSERT_EQUAL(
            memmem(request, (size_t)(got > 0 ? got : 0), "reloads", 7) != NULL,
            i > 0);
        memcpy(answer, STDOUT("x"), 8);
        answer[5] = (char)content;
        memcpy(answer + length, END, sizeof(END) - 1);
        CU_ASSERT_EQUAL(
            send(fd, answer, length + sizeof(END) - 1, MSG_NOSIGNAL),
            (ssize_t)(length + sizeof(END) - 1));
        (void)close(fd);
    }
}

TEST_CASES(reload_waits, struct reload_case, reload_rows)
{
    char folder[FILES_PATH_MAX], path[FILES_PATH_MAX];
    const char *const arguments[] = {"reload", path, NULL};
    struct run run = {0};
    int fd;

    CU_ASSERT_TRUE_FATAL(files_folder_make(folder));
    files_path(path, "%s/socket", folder);
    fd = ports_listen_unix(path);
    CU_ASSERT_TRUE(fd >= 0);
    begin(&run, arguments, NULL);
    play_reload(fd, &run, c);
    check_outcome(&run, c->status, c->pattern);
    (void)close(fd);
    files_folder_remove(folder);
}

/* The source of the settings, with a private /etc. */
struct source_case {
    const char *name;
    const char *variable; /* of the environment */
    const char *options;  /* options, for a shell; $1 is the folder */
    const char *target;   /* of a link instead of the file; NULL: no link */
    int status;
    const char *pattern;
};

#define PACKAGED "/etc/scoring/scoring.conf"

static const struct source_case source_rows[] = {
    {"the file of the package", "A=", "", NULL, EX_OK, "^package\n$"},
    {"a link to the file", "A=", "", "other", EX_OK, "^other\n$"},
    {"a link to nothing", "A=", "", "nothing", EX_CONFIG,
     "\"" PACKAGED "\": No such file or directory\n$"},
    {"no file", "SCORING_CONFIG_FILE=", "", NULL, EX_OK, "^Otus\n$"},
    {"the environment", "SCORING_SALT=nearer", "", NULL, EX_OK, "^nearer\n$"},
    {"--config", "SCORING_CONFIG_FILE=" PACKAGED,
     "--config \"$1/etc/scoring/other\"", NULL, EX_OK, "^other\n$"},
};

#define SOURCE_SCRIPT                                                          \
    "set -e; mkdir \"$1/etc\"; cp /etc/passwd /etc/group \"$1/etc\"; "         \
    "mkdir \"$1/etc/scoring\"; "                                               \
    "echo SCORING_SALT=package >\"$1/etc/scoring/scoring.conf\"; "             \
    "echo SCORING_SALT=other >\"$1/etc/scoring/other\"; "                      \
    "[ -z \"$3\" ] || ln -sf \"$3\" \"$1" PACKAGED                             \
    "\"; mount --bind \"$1/etc\" /etc; "                                       \
    "exec \"$2\" check-config %s --secret --get SCORING_SALT"

static bool
may_mount(void)
{
    static const char *const argv[] = {"unshare", "-m", "true", NULL};
    const struct proc_plan plan = {.argv = argv, .output = "/dev/null"};
    struct proc proc;

    return proc_start(&proc, &plan) && proc_wait(&proc, CLOCK_PATIENCE_MS) &&
           proc_exit_status(&proc) == 0;
}

TEST_CASES(source, struct source_case, source_rows)
{
    struct run run;
    char script[1024];
    const char *argv[] = {"unshare",
                          "-m",
                          "sh",
                          "-c",
                          script,
                          "sh",
                          run.folder,
                          getenv("RUN_BINARY"),
                          c->target != NULL ? c->target : "",
                          NULL};
    const char *const environment[] = {"PATH=/usr/bin:/bin:/usr/sbin:/sbin",
                                       c->variable, NULL};
    const struct proc_plan plan = {
        .argv = argv, .environment = environment, .output = run.output};

    if (!may_mount()) {
        cases_skip("only root may mount another /etc");
        return;
    }
    CU_ASSERT_TRUE_FATAL(files_folder_make(run.folder));
    files_path(run.output, "%s/output", run.folder);
    (void)snprintf(script, sizeof(script), SOURCE_SCRIPT, c->options);
    CU_ASSERT_TRUE_FATAL(proc_start(&run.proc, &plan));
    check_outcome(&run, c->status, c->pattern);
}
