/*
 * `make run` reads its settings as the service does, for any content of the
 * file and any kind of file; and it uses no folder but its own. Source:
 * docs/protocol.md, S24 and S26.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "support/cases.h"
#include "support/clock.h"
#include "support/expect.h"
#include "support/files.h"
#include "support/redis.h"
#include "support/request.h"
#include "support/stack.h"
#include "support/token.h"

#define LISTING_MAX 4096
#define MARK        ".scoring-run"
#define STRANGER    65534 /* another user */

/* A Redis of its own; what it asks for comes from the file of settings. */
static const char *const from_file[] = {"REDIS_PASSWORD", "TZ", NULL};
static const struct stack_plan private_plan = {.store = STACK_URL_GIVEN,
                                               .environment = from_file};
static const struct stack_plan absent_plan = {.store = STACK_REDIS_ABSENT};

/* The line after "ready:". */
static bool
says_where(void *arg)
{
    const struct stack *stack = arg;
    char *output = files_read(stack->output);
    bool is_there =
        output != NULL &&
        expect_match(output, "^Ctrl-C ends all of it\\. Logs: the service, "
                             "[^;]*/service\\.log; nginx, "
                             "/[^;]*/nginx/error\\.log; Redis, "
                             "/[^;]*/redis/redis\\.log$");

    free(output);
    return is_there;
}

/* What may exist at the path of the stack's folder. */

static void
write_in(const char *folder, const char *name, const char *text)
{
    char path[FILES_PATH_MAX];

    files_path(path, "%.200s/%s", folder, name);
    CU_ASSERT_TRUE(files_write(path, text));
}

static void
remove_in(const char *folder, const char *name)
{
    char path[FILES_PATH_MAX];

    files_path(path, "%.200s/%s", folder, name);
    CU_ASSERT_EQUAL(remove(path), 0);
}

static void
folder_in(const char *folder, const char *name)
{
    char path[FILES_PATH_MAX];

    files_path(path, "%.200s/%s", folder, name);
    CU_ASSERT_EQUAL(mkdir(path, 0755), 0);
}

static void
make_nothing(const char *path)
{
    (void)path;
}

static void
make_empty(const char *path)
{
    CU_ASSERT_EQUAL(mkdir(path, 0755), 0);
}

static void
make_web(const char *path)
{
    make_empty(path);
    folder_in(path, "web");
    write_in(path, "web/a", "x");
}

static void
make_hidden(const char *path)
{
    make_empty(path);
    write_in(path, ".hidden", "");
}

static void
make_marked(const char *path)
{
    make_hidden(path);
    write_in(path, MARK, "");
}

static void
make_mark_folder(const char *path)
{
    make_hidden(path);
    folder_in(path, MARK);
}

static void
make_mark_strangers(const char *path)
{
    char mark[FILES_PATH_MAX];

    make_marked(path);
    files_path(mark, "%.200s/%s", path, MARK);
    CU_ASSERT_EQUAL(chown(mark, STRANGER, STRANGER), 0);
}

/* The target of the link must not be written to, nor count as a mark. */
static void
make_mark_link(const char *path)
{
    char link[FILES_PATH_MAX];

    make_web(path);
    files_path(link, "%.200s/%s", path, MARK);
    CU_ASSERT_EQUAL(symlink("web/a", link), 0);
}

static void
make_lock_link(const char *path)
{
    char link[FILES_PATH_MAX];

    make_web(path);
    files_path(link, "%.200s/lock", path);
    CU_ASSERT_EQUAL(symlink("web/a", link), 0);
}

static void
make_link(const char *path)
{
    char target[FILES_PATH_MAX];

    files_path(target, "%.200s.target", path);
    make_empty(target);
    CU_ASSERT_EQUAL(symlink(target, path), 0);
}

static void
make_dangling(const char *path)
{
    CU_ASSERT_EQUAL(symlink("nothing", path), 0);
}

static void
make_file(const char *path)
{
    CU_ASSERT_TRUE(files_write(path, ""));
}

static void
make_strangers(const char *path)
{
    make_empty(path);
    CU_ASSERT_EQUAL(chown(path, STRANGER, STRANGER), 0);
}

/* As version 0.1.0 left its folder. */
static void
make_older(const char *path)
{
    make_empty(path);
    CU_ASSERT_EQUAL(chmod(path, 0700), 0);
    folder_in(path, "redis");
    folder_in(path, "nginx");
    folder_in(path, "web");
    write_in(path, "lock", "");
    write_in(path, "nginx/nginx.conf",
             "daemon off;\npid /x/nginx/nginx.pid;\n");
}

static void
make_older_open(const char *path)
{
    make_older(path);
    CU_ASSERT_EQUAL(chmod(path, 0755), 0);
}

static void
make_older_and_more(const char *path)
{
    make_older(path);
    write_in(path, "notes", "x");
}

static void
make_older_of_others(const char *path)
{
    make_older(path);
    write_in(path, "nginx/nginx.conf", "daemon off;\n");
}

static void
make_older_lock_full(const char *path)
{
    make_older(path);
    write_in(path, "lock", "x");
}

static void
make_older_without_lock(const char *path)
{
    make_older(path);
    remove_in(path, "lock");
}

static void
make_older_link(const char *path)
{
    char link[FILES_PATH_MAX];

    make_older(path);
    files_path(link, "%.200s/scoring.sock", path);
    CU_ASSERT_EQUAL(symlink("web", link), 0);
}

/* Its lock is taken for as long as this process lives, or till the next row. */
static void
make_older_locked(const char *path)
{
    static int fd = -1;
    char lock[FILES_PATH_MAX];

    make_older(path);
    files_path(lock, "%.200s/lock", path);
    if (fd >= 0)
        (void)close(fd);
    fd = open(lock, O_RDONLY | O_CLOEXEC);
    CU_ASSERT_EQUAL(flock(fd, LOCK_EX), 0);
}

struct folder_case {
    const char *name;
    void (*make)(const char *path);
    const char *suffix; /* of RUN_DIR, behind the path */
    const char *words;  /* NULL: it is taken */
};

static const struct folder_case folder_rows[] = {
    {"new, with its parents", make_nothing, "/deep/er", NULL},
    {"empty", make_empty, "", NULL},
    {"empty, and a slash", make_empty, "//", NULL},
    {"empty, and back and forth", make_empty, "/../run/.", NULL},
    {"marked", make_marked, "", NULL},
    {"a link to an empty one", make_link, "", NULL},
    {"of an earlier version", make_older, "", NULL},
    {"with a web of its own", make_web, "", "RUN_DIR: "},
    {"with a web of its own, and back and forth", make_web, "/web/..",
     "RUN_DIR: "},
    {"with a hidden file", make_hidden, "", "RUN_DIR: "},
    {"with a link for a mark", make_mark_link, "", "RUN_DIR: "},
    {"with a link for a lock", make_lock_link, "", "RUN_DIR: "},
    {"with a folder for a mark", make_mark_folder, "", "RUN_DIR: "},
    {"with a mark of another user", make_mark_strangers, "", "RUN_DIR: "},
    {"a link to nothing", make_dangling, "", "is a link to nothing"},
    {"a link to nothing, and a slash", make_dangling, "/",
     "is a link to nothing"},
    {"a file", make_file, "", "is not a folder"},
    {"of another user", make_strangers, "", "belongs to another user"},
    {"of an earlier version, and open to all", make_older_open, "",
     "RUN_DIR: "},
    {"of an earlier version, and more", make_older_and_more, "", "RUN_DIR: "},
    {"of something like an earlier version", make_older_of_others, "",
     "RUN_DIR: "},
    {"of an earlier version, with a lock that holds something",
     make_older_lock_full, "", "RUN_DIR: "},
    {"of an earlier version, without a lock", make_older_without_lock, "",
     "RUN_DIR: "},
    {"of an earlier version, with a link", make_older_link, "", "RUN_DIR: "},
    {"of an earlier version that runs", make_older_locked, "",
     "another stack runs there"},
};

/* Every file below a path: name, kind, mode, owner, size, target, time. */
static void
list(const char *path, char ret_text[LISTING_MAX])
{
    char command[2 * FILES_PATH_MAX];
    size_t length;
    FILE *found;

    (void)snprintf(command, sizeof(command),
                   "find '%s' -printf '%%p %%y %%m %%U %%s %%l %%T@\\n' | sort",
                   path);
    found = popen(command, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    length = fread(ret_text, 1, LISTING_MAX - 1, found);
    ret_text[length] = '\0';
    CU_ASSERT_EQUAL(pclose(found), 0);
}

static void
check_taken(struct stack *stack)
{
    struct stat st = {0};

    CU_ASSERT_TRUE(stack_is_ready(stack, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(stat(stack->run_folder, &st), 0);
    CU_ASSERT_EQUAL(st.st_mode & 0777, 0700);
    CU_ASSERT_TRUE(stack_stop(stack));
}

TEST_CASES(folder, struct folder_case, folder_rows)
{
    char before[LISTING_MAX], after[LISTING_MAX], path[FILES_PATH_MAX];
    struct stack stack;

    if ((c->make == make_strangers || c->make == make_mark_strangers) &&
        geteuid() != 0) {
        cases_skip("only root can give a file away");
        return;
    }
    CU_ASSERT_TRUE_FATAL(stack_init(&stack));
    files_path(path, "%s", stack.run_folder);
    c->make(path);
    files_path(stack.run_folder, "%.200s%s", path, c->suffix);
    if (c->words == NULL) {
        CU_ASSERT_TRUE(stack_launch(&stack, &absent_plan));
        check_taken(&stack);
        return;
    }
    list(path, before);
    CU_ASSERT_TRUE(stack_launch(&stack, &absent_plan));
    stack_expect_refused(&stack, c->words);
    list(path, after);
    CU_ASSERT_STRING_EQUAL(before, after);
    stack_discard(&stack);
}

/* What may exist at the path of the file of settings. */

static void
make_pipe(const char *path)
{
    CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
}

static void
make_device(const char *path)
{
    CU_ASSERT_EQUAL(symlink("/dev/null", path), 0);
}

static void
make_large(const char *path)
{
    CU_ASSERT_TRUE(files_write(path, ""));
    CU_ASSERT_EQUAL(truncate(path, 1024 * 1024), 0);
}

struct place_case {
    const char *name;
    void (*make)(const char *path);
    const char *words;
};

static const struct place_case place_rows[] = {
    {"nothing", make_nothing, "No such file or directory"},
    {"a folder", make_empty, "is not a regular file"},
    {"a named pipe", make_pipe, "is not a regular file"},
    {"a device", make_device, "is not a regular file"},
    {"a link to nothing", make_dangling, "No such file or directory"},
    {"a large file", make_large, "is larger than 64 KiB"},
};

/* "NAME ARGUMENT", both may be none. */
static const char *const commands[][4] = {
    {"check-config"},
    {"check-config", "--get", "HTTP_PORT"},
    {"token", "--admin"},
    {"interests", "export"},
};

static void
check_command(const char *const *arguments, const char *setting,
              const char *folder, const char *words)
{
    const char *argv[] = {getenv("RUN_BINARY"), arguments[0], arguments[1],
                          arguments[2], NULL};
    const char *const environment[] = {setting, NULL};
    char output[FILES_PATH_MAX], *said;
    struct proc proc = {0};
    const struct proc_plan plan = {
        .argv = argv, .environment = environment, .output = output};

    files_path(output, "%.200s/said", folder);
    CU_ASSERT_TRUE_FATAL(proc_start(&proc, &plan));
    CU_ASSERT_TRUE(proc_wait(&proc, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(proc_exit_status(&proc), EX_CONFIG);
    proc_kill(&proc);
    said = files_read(output);
    CU_ASSERT_PTR_NOT_NULL_FATAL(said);
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "scoring: SCORING_CONFIG_FILE: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, words));
    free(said);
    (void)unlink(output);
}

TEST_CASES(place, struct place_case, place_rows)
{
    char setting[2 * FILES_PATH_MAX];
    struct stack stack;

    CU_ASSERT_TRUE_FATAL(stack_init(&stack));
    CU_ASSERT_EQUAL(unlink(stack.settings), 0);
    c->make(stack.settings);
    CU_ASSERT_TRUE(stack_launch(&stack, &absent_plan));
    stack_expect_refused(&stack, c->words);
    CU_ASSERT_EQUAL(access(stack.run_folder, F_OK), -1);
    (void)snprintf(setting, sizeof(setting), "SCORING_CONFIG_FILE=%s",
                   stack.settings);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        check_command(commands[i], setting, stack.folder, c->words);
    stack_discard(&stack);
}

/* Lines of the file, and the password that they give the private Redis. */
struct line_case {
    const char *name, *lines;
    const char *password; /* NULL: none */
    const char *file;     /* of REDIS_PASSWORD_FILE; NULL: not given */
};

static const struct line_case line_rows[] = {
    {"double quotes", "REDIS_PASSWORD=\"secret\"\n", "secret", NULL},
    {"all that is odd",
     "\xef\xbb\xbf# c\r\nexport REDIS_PASSWORD='it\\'s \"$x\" %41 \\n #' # "
     "c\r\n",
     "it's \"$x\" %41 \\n #", NULL},
    {"escapes and a comment", "REDIS_PASSWORD=\"a\\n\\\"b\\\\ \\$x\\t\" # c\n",
     "a\n\"b\\ $x\t", NULL},
    {"other settings with comments",
     "SCORING_RATE_LIMIT=500 # per second\nSCORING_MAX_BODY_BYTES=\"1000\"\n"
     "METRICS_PORT= # none\nREDIS_PASSWORD= # none\nREDIS_URL=\n"
     "NGINX_IMAGE=$OTHER\n",
     NULL, NULL},
    {"a file with a byte order mark and CRLF", "", "secret",
     "\xef\xbb\xbfsecret\r\n"},
    {"a file of two lines, with an end that stays", "", "one\ntwo\n",
     "one\ntwo\n\n"},
};

static void
check_private_store(const struct stack *stack, const char *password)
{
    struct redis redis = stack->redis;
    struct http_answer answer =
        expect_post(stack->port, request_interests(REQUEST_IDS));
    redisReply *reply;

    expect_response(&answer, "{\"1\": [], \"2\": []}");
    http_answer_free(&answer);
    files_path(redis.socket, "%s/redis/redis.sock", stack->run_folder);
    (void)snprintf(redis.password, sizeof(redis.password), "%s",
                   password != NULL ? password : "");
    reply = redis_run(&redis, "SET i:1 []");
    CU_ASSERT_TRUE(reply != NULL && reply->type == REDIS_REPLY_STATUS);
    freeReplyObject(reply);
    (void)snprintf(redis.password, sizeof(redis.password), "wrong");
    reply = redis_run(&redis, "SET i:1 []");
    CU_ASSERT_TRUE(password == NULL || reply == NULL ||
                   reply->type == REDIS_REPLY_ERROR);
    freeReplyObject(reply);
}

TEST_CASES(line, struct line_case, line_rows)
{
    char secret[FILES_PATH_MAX], lines[2 * FILES_PATH_MAX];
    struct stack stack;

    CU_ASSERT_TRUE_FATAL(stack_init(&stack));
    stack.metrics_port = 0;
    files_path(secret, "%.200s/secret", stack.folder);
    (void)snprintf(lines, sizeof(lines), "%s", c->lines);
    if (c->file != NULL) {
        CU_ASSERT_TRUE(files_write(secret, c->file));
        (void)snprintf(lines, sizeof(lines), "REDIS_PASSWORD_FILE='%s'\n",
                       secret);
    }
    CU_ASSERT_TRUE(files_write(stack.settings, lines));
    CU_ASSERT_TRUE(stack_launch(&stack, &private_plan));
    CU_ASSERT_TRUE(stack_is_ready(&stack, CLOCK_PATIENCE_MS));
    CU_ASSERT_TRUE(clock_wait(says_where, &stack, CLOCK_PATIENCE_MS));
    check_private_store(&stack, c->password);
    CU_ASSERT_TRUE(stack_stop(&stack));
}

/* The local hour, there. */
static void
token_of_zone(int hours_east, char ret_token[TOKEN_LENGTH + 1])
{
    time_t there = clock_steady_now() + (time_t)hours_east * 3600;
    char text[16];
    struct tm utc;

    CU_ASSERT_PTR_NOT_NULL_FATAL(gmtime_r(&there, &utc));
    CU_ASSERT_NOT_EQUAL(strftime(text, sizeof(text), "%Y%m%d%H42", &utc), 0);
    token_digest(text, strlen(text), ret_token);
}

static bool
is_admin_of(void *arg)
{
    const struct stack *stack = arg;
    char token[TOKEN_LENGTH + 1];
    const struct request_parts request = {.login = "admin",
                                          .token = token,
                                          .method = "online_score",
                                          .arguments = REQUEST_NAMES};
    struct http_answer answer;
    bool is_good;

    token_of_zone(-7, token);
    answer = expect_post(stack->port, request_text(&request));
    is_good = expect_score_of(&answer) == 42.0;
    http_answer_free(&answer);
    return is_good;
}

/* nginx keeps the zone with which it started, and writes its log each second.
 */
static bool
has_zone_of_nginx(void *arg)
{
    const struct stack *stack = arg;
    char path[FILES_PATH_MAX], *text;
    bool is_there;

    files_path(path, "%.200s/nginx/access.log", stack->run_folder);
    text = files_read(path);
    is_there = text != NULL && strstr(text, "+09:00] id=") != NULL;
    free(text);
    return is_there;
}

TEST_SINGLE(zone, "of the file is that of all, also when read again")
{
    struct stack stack;

    CU_ASSERT_TRUE_FATAL(stack_init(&stack));
    CU_ASSERT_TRUE(files_write(stack.settings, "TZ=XXX-9\n"));
    CU_ASSERT_TRUE(stack_launch(&stack, &private_plan));
    CU_ASSERT_TRUE_FATAL(stack_is_ready(&stack, CLOCK_PATIENCE_MS));
    CU_ASSERT_FALSE(is_admin_of(&stack));
    CU_ASSERT_TRUE(files_write(stack.settings, "TZ=XXX7\n"));
    CU_ASSERT_TRUE(stack_signal(&stack, SIGHUP));
    CU_ASSERT_TRUE(clock_wait(is_admin_of, &stack, CLOCK_PATIENCE_MS));
    CU_ASSERT_TRUE(clock_wait(has_zone_of_nginx, &stack, CLOCK_PATIENCE_MS));
    CU_ASSERT_TRUE(stack_stop(&stack));
}

/* How the file is changed before SIGHUP, and why it is refused. */
struct reload_case {
    const char *name;
    void (*make)(const char *path);
    const char *pattern;
};

static void
make_salt_gone(const char *path)
{
    CU_ASSERT_TRUE(files_write(path, "SCORING_ADMIN_SALT=mine\n"));
}

static const struct reload_case reload_rows[] = {
    {"emptied", make_file, "SCORING_CONFIG_FILE: holds no setting any more"},
    {"gone", make_nothing, "No such file or directory"},
    {"a folder", make_empty, "is not a regular file"},
    {"a named pipe", make_pipe, "is not a regular file"},
    {"without its salt", make_salt_gone,
     "SCORING_SALT: would become a published one"},
};

TEST_CASES(reload, struct reload_case, reload_rows)
{
    char pattern[FILES_PATH_MAX];
    struct stack stack;

    CU_ASSERT_TRUE_FATAL(stack_init(&stack));
    CU_ASSERT_TRUE(files_write(stack.settings,
                               "SCORING_SALT=own\nSCORING_ADMIN_SALT=mine\n"));
    CU_ASSERT_TRUE(stack_launch(&stack, &absent_plan));
    CU_ASSERT_TRUE_FATAL(stack_is_ready(&stack, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(unlink(stack.settings), 0);
    c->make(stack.settings);
    CU_ASSERT_TRUE(stack_signal(&stack, SIGHUP));
    files_path(pattern, "\\] E settings: .*%s", c->pattern);
    CU_ASSERT_TRUE(stack_log_wait(&stack, pattern, 1));
    CU_ASSERT_TRUE(stack_log_wait(&stack, "the old stay in force", 1));
    CU_ASSERT_EQUAL(expect_status(stack.port, request_salted("own")), 200);
    CU_ASSERT_EQUAL(expect_status(stack.port, request_salted(TOKEN_SALT)), 403);
    CU_ASSERT_TRUE(stack_stop(&stack));
}

TEST_SINGLE(store, "that does not start says why")
{
    struct stack stack;

    CU_ASSERT_TRUE_FATAL(stack_init(&stack));
    make_marked(stack.run_folder);
    folder_in(stack.run_folder, "redis");
    write_in(stack.run_folder, "redis/appendonlydir", "no folder");
    CU_ASSERT_TRUE(stack_launch(&stack, &private_plan));
    stack_expect_refused(&stack, "run: Redis did not start: Can't open");
    stack_discard(&stack);
}

TEST_SUITE(.parts = 2);
