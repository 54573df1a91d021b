/*
 * The logs: one line per request, and nothing of what callers sent. Source:
 * docs/protocol.md, S28.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <json-c/json.h>

#include "support/cases.h"
#include "support/clock.h"
#include "support/expect.h"
#include "support/request.h"
#include "support/stack.h"
#include "support/token.h"

#define STAMP_SLACK_S 3 /* between a request and our look at the clock */
#define ROTATED_COUNT 20
#define DESCRIPTORS   64 /* more than a process of the service has */

static const struct stack_plan plan = {.store = STACK_REDIS_TCP};

static const char *const as_json[] = {"SCORING_LOG_FORMAT=json", NULL};
static const struct stack_plan json_plan = {.store = STACK_REDIS_TCP,
                                            .environment = as_json};

static const char *const errors_only[] = {"SCORING_LOG_LEVEL=error", NULL};
static const struct stack_plan error_plan = {.store = STACK_REDIS_TCP,
                                             .environment = errors_only};

/* Sends a request under an id. Returns the status. */
static int
send_as(const struct stack *stack, const char *id, const char *path,
        const char *body)
{
    char header[64];
    const char *const headers[] = {header, NULL};
    const struct http_request request = {
        .path = path, .body = body, .headers = headers};
    struct http *http = http_open(stack->port);
    struct http_answer answer;
    int status;

    CU_ASSERT_PTR_NOT_NULL_FATAL(http);
    (void)snprintf(header, sizeof(header), "X-Request-ID: %s", id);
    answer = http_send(http, &request);
    status = answer.status;
    http_answer_free(&answer);
    http_close(http);
    return status;
}

/* Which request gets which line. */
struct line_case {
    const char *name, *path;
    enum request_kind kind;
    const char *text;
    int code;
    const char *level, *method, *context;
};

#define ALL_SIX                                                                \
    "{\"phone\": \"79175002040\", \"email\": \"a@b\", \"first_name\": \"a\", " \
    "\"last_name\": \"b\", \"birthday\": \"01.01.1990\", \"gender\": 0}"

static const struct line_case line_rows[] = {
    {"score of all six", "/method", REQUEST_SCORE, ALL_SIX, 200, "I",
     "online_score", " has=phone,email,first_name,last_name,birthday,gender"},
    {"empty ones are not there", "/method", REQUEST_SCORE,
     "{\"phone\": \"79175002040\", \"email\": \"a@b\", \"first_name\": \"\", "
     "\"gender\": null}",
     200, "I", "online_score", " has=phone,email"},
    {"admin", "/method/", REQUEST_ADMIN_SCORE,
     "{\"gender\": 1, \"birthday\": "
     "\"01.01.1990\"}",
     200, "I", "online_score", " has=birthday,gender"},
    {"interests", "/method?q=1", REQUEST_INTERESTS,
     "{\"client_ids\": [1, 2, 3]}", 200, "I", "clients_interests",
     " nclients=3"},
    {"repeated ids are counted", "/method", REQUEST_INTERESTS,
     "{\"client_ids\": [1, 1]}", 200, "I", "clients_interests", " nclients=2"},
    {"no pair", "/method", REQUEST_SCORE, "{\"email\": \"a@b\"}", 422, "I",
     "online_score", " has=email bad=arguments"},
    {"field wrong", "/method", REQUEST_INTERESTS, "{\"client_ids\": []}", 422,
     "I", "clients_interests", " bad=client_ids"},
    {"no JSON", "/method", REQUEST_AS_IT_IS, "{", 400, "I", "-", ""},
    {"no request", "/method", REQUEST_AS_IT_IS, "{}", 422, "I", "-",
     " bad=login,token,arguments,method"},
    {"fields wrong", "/method", REQUEST_SCORE,
     "{\"phone\": \"89175002040\", \"email\": \"ab\", \"gender\": 1}", 422, "I",
     "online_score", " bad=phone,email"},
    {"wrong token", "/method", REQUEST_AS_IT_IS,
     "{\"login\": \"\", \"token\": \"\", \"method\": \"online_score\", "
     "\"arguments\": {}}",
     403, "I", "(-|online_score)", ""},
    {"store's value is broken", "/method", REQUEST_INTERESTS,
     "{\"client_ids\": [66]}", 500, "E", "clients_interests", " nclients=1"},
};

TEST_CASES(line, struct line_case, line_rows)
{
    const struct stack *stack = stack_shared(&plan);
    char id[32], pattern[256];
    char *body = request_of(c->kind, c->text);

    CU_ASSERT_PTR_NOT_NULL_FATAL(body);
    CU_ASSERT_TRUE(redis_do(&stack->redis, "SET i:66 broken"));
    (void)snprintf(id, sizeof(id), "line-%d", (int)(c - line_rows));
    CU_ASSERT_EQUAL(send_as(stack, id, c->path, body), c->code);
    (void)snprintf(pattern, sizeof(pattern),
                   "\\] %s request id=%s path=/method/? method=%s code=%d "
                   "ms=[0-9]+\\.[0-9]+%s$",
                   c->level, id, c->method, c->code, c->context);
    CU_ASSERT_TRUE(stack_log_wait(stack, pattern, 1));
    (void)snprintf(pattern, sizeof(pattern), "request id=%s path=", id);
    CU_ASSERT_EQUAL(stack_log_count(stack, pattern), 1);
    free(body);
}

/* The caller's trace id, if its header is well-formed. */
struct trace_case {
    const char *name;
    const char *header;
    const char *want; /* between id and path */
};

#define TRACE       "4bf92f3577b34da6a3ce929d0e0e4736"
#define TRACEPARENT "traceparent: 00-" TRACE "-00f067aa0ba902b7-01"

static const struct trace_case trace_rows[] = {
    {"none", NULL, " "},
    {"well formed", TRACEPARENT, " trace_id=" TRACE " "},
    {"of a higher version",
     "Traceparent: 42-" TRACE "-00f067aa0ba902b7-01-more",
     " trace_id=" TRACE " "},
    {"ill formed", TRACEPARENT "-more", " "},
    {"empty", "traceparent;", " "},
};

TEST_CASES(trace, struct trace_case, trace_rows)
{
    const struct stack *stack = stack_shared(&plan);
    char id[48], pattern[256];
    const char *const headers[] = {id, c->header, NULL};
    const struct http_request request = {.body = "{}", .headers = headers};
    struct http *http = http_open(stack->port);
    struct http_answer answer;

    CU_ASSERT_PTR_NOT_NULL_FATAL(http);
    (void)snprintf(id, sizeof(id), "X-Request-ID: trace-%d",
                   (int)(c - trace_rows));
    answer = http_send(http, &request);
    CU_ASSERT_EQUAL(answer.status, 422);
    CU_ASSERT_PTR_NULL(strstr(answer.headers, TRACE));
    CU_ASSERT_PTR_NULL(strstr(answer.body, TRACE));
    http_answer_free(&answer);
    http_close(http);
    (void)snprintf(pattern, sizeof(pattern), "id=trace-%d%spath=/method ",
                   (int)(c - trace_rows), c->want);
    CU_ASSERT_TRUE(stack_log_wait(stack, pattern, 1));
}

/* Every line, whatever it is about, with the local time of now. */
TEST_SINGLE(form, "of every line")
{
    const struct stack *stack = stack_shared(&plan);
    char stamp[64], *log;
    struct tm written = {.tm_isdst = -1};
    double age_s;

    (void)send_as(stack, "form", "/method", "{}");
    CU_ASSERT_TRUE(stack_log_wait(stack, "id=form ", 1));
    CU_ASSERT_EQUAL(
        stack_log_count(stack, "."),
        stack_log_count(stack, "^\\[[0-9]{4}\\.[0-9]{2}\\.[0-9]{2} [0-9]{2}:"
                               "[0-9]{2}:[0-9]{2}\\] [IE] [ -~]+$"));
    log = files_read(stack->log);
    CU_ASSERT_PTR_NOT_NULL_FATAL(log);
    (void)snprintf(stamp, sizeof(stamp), "%s",
                   strrchr(log, '[') != NULL ? strrchr(log, '[') : "");
    free(log);
    CU_ASSERT_PTR_NOT_NULL(strptime(stamp, "[%Y.%m.%d %H:%M:%S]", &written));
    age_s = difftime(time(NULL), mktime(&written));
    CU_ASSERT_TRUE(age_s >= -1 && age_s <= STAMP_SLACK_S);
}

TEST_SINGLE(published, "salts are told at the start")
{
    const struct stack *stack = stack_shared(&plan);

    CU_ASSERT_EQUAL(stack_log_count(stack, "published.*salt"), 1);
}

/*
 * Nothing that callers send gets into any log: the tests mark everything with
 * zq7, except phone and birthday.
 */
#define MARK          "zq7"
#define MARK_PHONE    "79160000777"
#define MARK_BIRTHDAY "03.04.1985"

struct secret_case {
    const char *name, *path;
    enum request_kind kind;
    const char *text;
};

static const struct secret_case secret_rows[] = {
    {"good score", "/method?token=zq7&phone=79160000777", REQUEST_SCORE,
     "{\"phone\": \"79160000777\", \"email\": \"zq7@zq7\", \"first_name\": "
     "\"zq7\", \"last_name\": \"zq7\", \"birthday\": \"03.04.1985\", "
     "\"gender\": 1, \"zq7\": \"zq7\"}"},
    {"bad fields", "/method?zq7", REQUEST_SCORE,
     "{\"phone\": \"79160000777zq7\", \"email\": \"zq7\", \"first_name\": "
     "[\"zq7\"], \"last_name\": {\"zq7\": 1}, \"birthday\": \"03.04.1985zq7\", "
     "\"gender\": \"zq7\"}"},
    {"bad interests", "/method", REQUEST_INTERESTS,
     "{\"client_ids\": [\"zq7\"], \"date\": \"zq7\"}"},
    {"broken value in the store", "/method", REQUEST_INTERESTS,
     "{\"client_ids\": [77]}"},
    {"unknown method", "/method", REQUEST_AS_IT_IS,
     "{\"account\": \"zq7\", \"login\": \"zq7\", \"token\": \"zq7\", "
     "\"method\": \"zq7\", \"arguments\": {\"zq7\": \"zq7\"}}"},
    {"no JSON", "/method", REQUEST_AS_IT_IS, "{\"zq7\": \"79160000777\", zq7"},
    {"bad UTF-8", "/method", REQUEST_AS_IT_IS, "{\"zq7\": \"zq7\xff\"}"},
    {"not found", "/nope?zq7", REQUEST_AS_IT_IS, "zq7"},
};

/* Malformed requests, which a correct client never sends. */
static const char *const secret_raws[] = {
    "POST /method?zq7 HTTP/1.1\r\nHost: zq7 zq7\r\n\r\n",
    "POST /method?zq7 HTTP/9.9\r\n\r\n",
    "zq7 /method?zq7 HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /method?zq7 HTTP/1.1\r\nHost: a\r\nReferer: http://zq7/\r\n"
    "User-Agent: zq7\r\nCookie: zq7\r\nAuthorization: zq7\r\n"
    "Connection: close\r\n\r\n",
    "POST /method?zq7 HTTP/1.1\r\nHost: a\r\nX-Request-ID: zq7 zq7\r\n"
    "Connection: close\r\nContent-Length: 99999999\r\n\r\nzq7",
    "POST /method?zq7 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    "Transfer-Encoding: chunked\r\n\r\nzq7\r\n",
    "POST /method HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nzq7",
};

static void
check_no_secret(const char *path)
{
    const char *const secrets[] = {MARK, MARK_PHONE, MARK_BIRTHDAY};
    char *text = files_read(path);

    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        bool is_told = text != NULL && strstr(text, secrets[i]) != NULL;

        CU_ASSERT_FALSE(is_told);
        if (is_told)
            (void)printf("%s holds %.200s\n", path, strstr(text, secrets[i]));
    }
    free(text);
}

static void
check_logs(const struct stack *stack)
{
    char access[FILES_PATH_MAX], error[FILES_PATH_MAX];

    files_path(access, "%s/nginx/access.log", stack->run_folder);
    files_path(error, "%s/nginx/error.log", stack->run_folder);
    check_no_secret(stack->log);
    check_no_secret(stack->output);
    check_no_secret(access);
    check_no_secret(error);
}

TEST_CASES(secret, struct secret_case, secret_rows)
{
    const struct stack *stack = stack_shared(&plan);
    char id[32], pattern[64];
    char *body = request_of(c->kind, c->text);

    CU_ASSERT_PTR_NOT_NULL_FATAL(body);
    CU_ASSERT_TRUE(redis_do(&stack->redis, "SET i:77 %s", "[\"zq7"));
    (void)snprintf(id, sizeof(id), "secret-%d", (int)(c - secret_rows));
    CU_ASSERT_TRUE(send_as(stack, id, c->path, body) >= 200);
    (void)snprintf(pattern, sizeof(pattern), "id=%s ", id);
    if (strncmp(c->path, "/method", strlen("/method")) == 0)
        CU_ASSERT_TRUE(stack_log_wait(stack, pattern, 1));
    check_logs(stack);
    free(body);
}

/* Of a signed request the token itself is a secret too. */
TEST_SINGLE(token_secret, "no token in any log")
{
    const struct stack *stack = stack_shared(&plan);
    char token[TOKEN_LENGTH + 1];

    token_user(REQUEST_ACCOUNT, REQUEST_LOGIN, TOKEN_SALT, token);
    CU_ASSERT_EQUAL(stack_log_count(stack, token), 0);
    token_admin(clock_steady_now(), TOKEN_ADMIN_SALT, token);
    CU_ASSERT_EQUAL(stack_log_count(stack, token), 0);
    CU_ASSERT_EQUAL(stack_log_count(stack, STACK_PASSWORD), 0);
}

TEST_SINGLE(raw_secret, "requests that are none")
{
    const struct stack *stack = stack_shared(&plan);

    for (size_t i = 0; i < sizeof(secret_raws) / sizeof(secret_raws[0]); i++) {
        struct http_answer answer =
            http_raw(stack->port, secret_raws[i], strlen(secret_raws[i]), 300);

        http_answer_free(&answer);
    }
    clock_sleep_ms(100);
    check_logs(stack);
}

/* nginx's own log: a line with the id, and the path without its query. */
static bool
has_access_line(void *arg)
{
    const struct stack *stack = arg;
    char path[FILES_PATH_MAX], *text;
    bool is_there;

    files_path(path, "%s/nginx/access.log", stack->run_folder);
    text = files_read(path);
    is_there = text != NULL &&
               expect_match(text, "id=access-1 .*path=/method code=422 ") &&
               strchr(text, '?') == NULL;
    free(text);
    return is_there;
}

TEST_SINGLE(access_log, "has the path without its query")
{
    struct stack *stack = stack_shared(&plan);

    CU_ASSERT_EQUAL(send_as(stack, "access-1", "/method?secret=1", "{}"), 422);
    CU_ASSERT_TRUE(clock_wait(has_access_line, stack, CLOCK_PATIENCE_MS));
}

/* SIGUSR1 after the file was moved: what comes later is in a new one. */
static bool
has_open(pid_t pid, const char *path)
{
    char link[FILES_PATH_MAX];
    struct stat file, open_file;
    bool is_open = false;

    if (stat(path, &file) != 0)
        return false;
    for (int fd = 0; fd < DESCRIPTORS && !is_open; fd++) {
        files_path(link, "/proc/%d/fd/%d", (int)pid, fd);
        is_open = stat(link, &open_file) == 0 &&
                  open_file.st_dev == file.st_dev &&
                  open_file.st_ino == file.st_ino;
    }
    return is_open;
}

/* All processes of the service write to the new file. */
static bool
is_reopened(void *arg)
{
    const struct stack *stack = arg;
    struct proc_found workers = stack_workers(stack);
    bool is_done = has_open(stack_parent(stack), stack->log);

    for (size_t i = 0; i < workers.count; i++)
        is_done = is_done && has_open(workers.pid[i], stack->log);
    return is_done && workers.count > 0;
}

TEST_SINGLE(rotated, "without losing a line")
{
    struct stack *stack = stack_shared(&plan);
    char old[FILES_PATH_MAX], *text;
    size_t count;

    files_path(old, "%s.1", stack->log);
    CU_ASSERT_EQUAL(rename(stack->log, old), 0);
    for (int i = 0; i < ROTATED_COUNT; i++)
        (void)send_as(stack, "rotated", "/method", "{}");
    CU_ASSERT_TRUE(stack_signal(stack, SIGUSR1));
    CU_ASSERT_TRUE(clock_wait(is_reopened, stack, CLOCK_PATIENCE_MS));
    for (int i = 0; i < ROTATED_COUNT; i++)
        (void)send_as(stack, "rotated", "/method", "{}");
    CU_ASSERT_TRUE(stack_log_wait(stack, "id=rotated ", ROTATED_COUNT));
    count = stack_log_count(stack, "id=rotated ");
    CU_ASSERT_EQUAL(count, ROTATED_COUNT);
    text = files_read(old);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    count = 0;
    for (const char *at = text; (at = strstr(at, "id=rotated ")) != NULL; at++)
        count++;
    CU_ASSERT_EQUAL(count, ROTATED_COUNT);
    free(text);
}

/* Each line is one object; a request's has its members typed. */
static void
check_json_line(const char *line)
{
    struct json_object *object = json_tokener_parse(line);
    struct json_object *message;
    bool is_request;

    CU_ASSERT_TRUE(json_object_is_type(object, json_type_object));
    CU_ASSERT_TRUE(json_object_object_get_ex(object, "time", NULL));
    CU_ASSERT_TRUE(json_object_object_get_ex(object, "level", NULL));
    CU_ASSERT_TRUE(json_object_object_get_ex(object, "message", &message));
    is_request = strstr(line, "\"id\"") != NULL;
    if (is_request) {
        CU_ASSERT_TRUE(json_object_is_type(
            json_object_object_get(object, "code"), json_type_int));
        CU_ASSERT_TRUE(json_object_is_type(json_object_object_get(object, "ms"),
                                           json_type_double));
        CU_ASSERT_STRING_EQUAL(
            json_object_get_string(json_object_object_get(object, "path")),
            "/method");
    }
    json_object_put(object);
}

TEST_SINGLE(json_trace, "is a member of its own")
{
    static const char *const headers[] = {TRACEPARENT, NULL};
    static const struct http_request request = {.body = "{}",
                                                .headers = headers};
    const struct stack *stack = stack_shared(&json_plan);
    struct http *http = http_open(stack->port);
    struct http_answer answer;

    CU_ASSERT_PTR_NOT_NULL_FATAL(http);
    answer = http_send(http, &request);
    CU_ASSERT_EQUAL(answer.status, 422);
    http_answer_free(&answer);
    http_close(http);
    CU_ASSERT_TRUE(
        stack_log_wait(stack, "\"trace_id\":\"" TRACE "\",\"path\"", 1));
}

TEST_SINGLE(json, "is one object a line")
{
    const struct stack *stack = stack_shared(&json_plan);
    char *body = request_interests(REQUEST_IDS);
    char *log, *rest, *line;

    CU_ASSERT_EQUAL(send_as(stack, "json-1", "/method", body), 200);
    free(body);
    CU_ASSERT_TRUE(stack_log_wait(
        stack, "\"id\":\"json-1\".*\"clients_interests\".*\"nclients\":2", 1));
    log = rest = files_read(stack->log);
    while (rest != NULL && (line = strsep(&rest, "\n")) != NULL) {
        if (line[0] != '\0')
            check_json_line(line);
    }
    free(log);
}

TEST_SINGLE(level, "error drops the rest")
{
    const struct stack *stack = stack_shared(&error_plan);
    char *body = request_interests("{\"client_ids\": [66]}");

    CU_ASSERT_TRUE(redis_do(&stack->redis, "SET i:66 broken"));
    CU_ASSERT_EQUAL(send_as(stack, "level-1", "/method", "{}"), 422);
    CU_ASSERT_EQUAL(send_as(stack, "level-2", "/method", body), 500);
    free(body);
    CU_ASSERT_TRUE(stack_log_wait(stack, "\\] E .*id=level-2 path", 1));
    CU_ASSERT_EQUAL(stack_log_count(stack, "id=level-1"), 0);
    CU_ASSERT_EQUAL(stack_log_count(stack, "\\] I "), 0);
}
