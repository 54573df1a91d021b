/*
 * What processes could reveal: secrets come from files, and are in no
 * environment and no command line; no process leaves a core dump; and files
 * with secrets are for their owner alone. Source: docs/protocol.md, S24.3.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "support/cases.h"
#include "support/clock.h"
#include "support/expect.h"
#include "support/request.h"
#include "support/stack.h"
#include "support/token.h"

#define PROC_MAX (256 * 1024) /* bytes of an environment */

#define FILES_FEW  512
#define FILES_MAX  65536
#define SENT_COUNT 20

/* Secrets, each in a file of its own, and no other. */
static const struct {
    const char *name, *value;
} secrets[] = {
    {"SCORING_SALT", "salt-from-a-file"},
    {"SCORING_ADMIN_SALT", "admin-salt-of-a-file"},
    {"SCORING_CACHE_SECRET", "cache-secret-from-a-file"},
    {"REDIS_PASSWORD", STACK_PASSWORD},
};

#define SECRETS  (sizeof(secrets) / sizeof(secrets[0]))
#define SALT     (&secrets[0])
#define NEW_SALT "another-salt"

static struct {
    struct stack stack;
    bool is_started;
    char files[SECRETS][FILES_PATH_MAX];
} own;

static struct rlimit files_before; /* of this process */

/* In this process, for the stack to begin with. */
static void
limit_files(rlim_t soft)
{
    struct rlimit few;

    CU_ASSERT_EQUAL(getrlimit(RLIMIT_NOFILE, &files_before), 0);
    few = (struct rlimit){soft, files_before.rlim_max};
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &few), 0);
}

/* The stack of this suite; its Redis is the private one of run.sh. */
static struct stack *
use_stack(void)
{
    static char variables[SECRETS][2 * FILES_PATH_MAX];
    static const char *environment[2 * SECRETS + 1];
    static const struct stack_plan plan = {.store = STACK_URL_GIVEN,
                                           .environment = environment};
    bool is_good;

    if (own.is_started)
        return &own.stack;
    CU_ASSERT_TRUE_FATAL(stack_init(&own.stack));
    for (size_t i = 0; i < SECRETS; i++) {
        files_path(own.files[i], "%.200s/secret-%zu", own.stack.folder, i);
        CU_ASSERT_TRUE(files_write(own.files[i], secrets[i].value));
        (void)snprintf(variables[i], sizeof(variables[i]), "%s_FILE=%s",
                       secrets[i].name, own.files[i]);
        environment[2 * i] = variables[i];
        environment[2 * i + 1] = secrets[i].name; /* not there */
    }
    limit_files(FILES_FEW);
    is_good = stack_launch(&own.stack, &plan) &&
              stack_is_ready(&own.stack, CLOCK_PATIENCE_MS);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &files_before), 0);
    if (!is_good) {
        stack_print_output(&own.stack);
        stack_discard(&own.stack);
        CU_FAIL_FATAL("the stack does not start");
    }
    own.is_started = true;
    return &own.stack;
}

static int
end_stack(void)
{
    if (!own.is_started)
        return 0;
    own.is_started = false;
    return stack_stop(&own.stack) ? 0 : 1;
}

/* The password is right if interests are found at all. */
TEST_SINGLE(from_files, "every secret is read from its file")
{
    const struct stack *stack = use_stack();
    char token[TOKEN_LENGTH + 1];
    struct request_parts request = {
        .login = "admin", .token = token, .method = "clients_interests"};
    struct http_answer answer;

    CU_ASSERT_EQUAL(expect_status(stack->port, request_salted(SALT->value)),
                    200);
    CU_ASSERT_EQUAL(expect_status(stack->port, request_salted(TOKEN_SALT)),
                    403);
    token_admin(clock_steady_now(), secrets[1].value, token);
    request.arguments = "{\"client_ids\": [1]}";
    answer = expect_post(stack->port, request_text(&request));
    expect_response(&answer, "{\"1\": []}");
    http_answer_free(&answer);
    CU_ASSERT_EQUAL(stack_log_count(stack, "published default salts"), 0);
}

/* Processes. */

static struct proc_found
all_processes(const struct stack *stack)
{
    static const char *const names[] = {"scoring", "nginx", "redis-server"};
    struct proc_found all = {0};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct proc_found masters =
            proc_find_masters(stack->proc.pid, names[i]);
        struct proc_found children;

        CU_ASSERT_EQUAL_FATAL(masters.count, 1);
        children = proc_find_children(masters.pid[0], names[i]);
        CU_ASSERT_TRUE_FATAL(all.count + children.count < PROC_FOUND_MAX);
        all.pid[all.count++] = masters.pid[0];
        for (size_t j = 0; j < children.count; j++)
            all.pid[all.count++] = children.pid[j];
    }
    all.pid[all.count++] = stack->proc.pid;
    return all;
}

/* A file of /proc with NULs made into line feeds; false if it has no end. */
static bool
read_proc(pid_t pid, const char *name, char text[PROC_MAX])
{
    char path[64];
    FILE *file;
    size_t length;

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    file = fopen(path, "r");
    if (file == NULL)
        return false;
    length = fread(text, 1, PROC_MAX - 1, file);
    (void)fclose(file);
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\0')
            text[i] = '\n';
    }
    text[length] = '\0';
    return length > 0 && length < PROC_MAX - 1;
}

struct proc_file_case {
    const char *name;
};

static const struct proc_file_case proc_file_rows[] = {
    {"environ"},
    {"cmdline"},
};

TEST_CASES(shown, struct proc_file_case, proc_file_rows)
{
    static char text[PROC_MAX];
    struct proc_found all = all_processes(use_stack());

    for (size_t i = 0; i < all.count; i++) {
        CU_ASSERT_TRUE(read_proc(all.pid[i], c->name, text));
        for (size_t j = 0; j < SECRETS; j++) {
            CU_ASSERT_PTR_NULL(strstr(text, secrets[j].value));
            if (strstr(text, secrets[j].value) != NULL)
                (void)printf("process %d shows %s\n", (int)all.pid[i],
                             secrets[j].name);
        }
    }
}

/*
 * A limit of 1 byte: less than any dump needs, and the kernel's word for not
 * even starting a program that collects dumps. Source: core(5).
 */
TEST_SINGLE(core, "dumps are off in the parent and in every worker")
{
    static char text[PROC_MAX];
    struct stack *stack = use_stack();
    struct proc_found all = stack_workers(stack);

    CU_ASSERT_TRUE(all.count > 0);
    all.pid[all.count++] = stack_parent(stack);
    for (size_t i = 0; i < all.count; i++) {
        CU_ASSERT_TRUE(read_proc(all.pid[i], "limits", text));
        CU_ASSERT_TRUE(expect_match(text, "\nMax core file size +1 "));
    }
}

TEST_SINGLE(files_open, "as many as there may be, or 65536")
{
    static char text[PROC_MAX];
    struct stack *stack = use_stack();
    struct proc_found workers = stack_workers(stack);
    rlim_t want =
        files_before.rlim_max < FILES_MAX ? files_before.rlim_max : FILES_MAX;
    char pattern[64];

    (void)snprintf(pattern, sizeof(pattern), "\nMax open files +%llu ",
                   (unsigned long long)want);
    CU_ASSERT_TRUE(workers.count > 0);
    for (size_t i = 0; i < workers.count; i++) {
        CU_ASSERT_TRUE(read_proc(workers.pid[i], "limits", text));
        CU_ASSERT_TRUE(expect_match(text, pattern));
    }
}

/* A log that may not grow loses its lines, but kills no worker. */
TEST_SINGLE(file_size, "a worker outlives a log that may not grow")
{
    const struct rlimit none = {0, RLIM_INFINITY};
    struct stack *stack = use_stack();
    struct proc_found before = stack_workers(stack), after;
    struct rlimit usual = {0, 0};

    CU_ASSERT_TRUE_FATAL(before.count > 0);
    for (size_t i = 0; i < before.count; i++)
        CU_ASSERT_EQUAL(prlimit(before.pid[i], RLIMIT_FSIZE, &none, &usual), 0);
    for (int i = 0; i < SENT_COUNT; i++)
        CU_ASSERT_EQUAL(expect_status(stack->port, request_salted(SALT->value)),
                        200);
    after = stack_workers(stack);
    CU_ASSERT_EQUAL_FATAL(after.count, before.count);
    for (size_t i = 0; i < before.count; i++) {
        CU_ASSERT_EQUAL(after.pid[i], before.pid[i]);
        CU_ASSERT_EQUAL(prlimit(after.pid[i], RLIMIT_FSIZE, &usual, NULL), 0);
    }
}

/*
 * A worker that crashes leaves no core dump. The signal has a dump by default,
 * and no sanitizer reports it.
 */
static bool
is_told(void *arg)
{
    return stack_log_count(arg, "worker .* died .*SIGSYS") == 1;
}

TEST_SINGLE(crash, "a worker's crash is told, without a dump")
{
    struct stack *stack = use_stack();
    struct proc_found workers = stack_workers(stack);

    CU_ASSERT_TRUE_FATAL(workers.count > 0);
    CU_ASSERT_EQUAL(kill(workers.pid[0], SIGSYS), 0);
    CU_ASSERT_TRUE(clock_wait(is_told, stack, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(expect_status(stack->port, request_salted(SALT->value)),
                    200);
}

/* Files that hold a password: for their owner alone. */
TEST_SINGLE(files, "nobody else reads the private Redis's settings")
{
    const struct stack *stack = use_stack();
    char path[FILES_PATH_MAX];
    struct stat status = {0};

    files_path(path, "%.200s/redis/redis.conf", stack->run_folder);
    CU_ASSERT_EQUAL(stat(path, &status), 0);
    CU_ASSERT_EQUAL(status.st_mode & 0777, 0600);
    CU_ASSERT_EQUAL(stat(stack->run_folder, &status), 0);
    CU_ASSERT_EQUAL(status.st_mode & 0077, 0);
}

/* Workers with the old one may be there for a while. */
static bool
is_new_salt(void *arg)
{
    const struct stack *stack = arg;

    return expect_status(stack->port, request_salted(NEW_SALT)) == 200 &&
           expect_status(stack->port, request_salted(SALT->value)) == 403;
}

/* SIGHUP: it comes last, as it changes the salt. */
TEST_SINGLE(read_again, "a secret's file is read again, unless it is gone")
{
    struct stack *stack = use_stack();

    CU_ASSERT_TRUE(files_write(own.files[0], NEW_SALT));
    CU_ASSERT_TRUE(stack_signal(stack, SIGHUP));
    CU_ASSERT_TRUE(clock_wait(is_new_salt, stack, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(remove(own.files[0]), 0);
    CU_ASSERT_TRUE(stack_signal(stack, SIGHUP));
    CU_ASSERT_TRUE(stack_log_wait(stack, "\\] E .*SCORING_SALT_FILE", 1));
    CU_ASSERT_TRUE(stack_log_wait(stack, "the old stay in force", 1));
    CU_ASSERT_TRUE(clock_wait(is_new_salt, stack, CLOCK_PATIENCE_MS));
    for (size_t i = 0; i < SECRETS; i++)
        CU_ASSERT_EQUAL(stack_log_count(stack, secrets[i].value), 0);
}

TEST_SUITE(.end = end_stack);
