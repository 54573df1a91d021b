/*
 * The handshake of a session that waits, with a Redis by script in a process
 * of its own: what is sent, and what is made of each answer.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "redis/session.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/files.h"
#include "support/proc.h"

#define LIMIT_MS  200
#define ENOUGH_MS 3000 /* where an answer comes */
#define PIECE_MAX 4096

#define PROBE     "*2\r\n$6\r\nEXISTS\r\n$3\r\ni:0\r\n"
#define AUTH_PW   "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n"
#define AUTH_USER "*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$2\r\npw\r\n"
#define SELECT_7  "*2\r\n$6\r\nSELECT\r\n$1\r\n7\r\n"
#define WRONG     "an answer of the wrong kind"

struct open_case {
    const char *name;
    const char *username, *password;
    int database;
    const char *want;   /* of the session */
    const char *answer; /* and then nothing more */
    const char *error;  /* how it ends; NULL: well */
};

static const struct open_case open_rows[] = {
    {"the probe alone", NULL, NULL, 0, PROBE, ":0\r\n", NULL},
    {"the probed key is there", NULL, NULL, 0, PROBE, ":1\r\n", NULL},
    {"a password", NULL, "pw", 0, AUTH_PW PROBE, "+OK\r\n:0\r\n", NULL},
    {"all of it", "me", "pw", 7, AUTH_USER SELECT_7 PROBE,
     "+OK\r\n+OK\r\n:0\r\n", NULL},
    {"the probe forbidden, and alive", NULL, NULL, 0, PROBE,
     "-NOPERM no permissions\r\n", NULL},
    {"the probe refused", NULL, NULL, 0, PROBE, "-LOADING no\r\n",
     "the server is loading its data (LOADING)"},
    {"the probe by a status", NULL, NULL, 0, PROBE, "+OK\r\n", WRONG},
    {"the password forbidden", NULL, "pw", 0, AUTH_PW PROBE,
     "-NOPERM no permissions\r\n:0\r\n",
     "the user lacks a permission (NOPERM)"},
    {"the password refused", NULL, "pw", 0, AUTH_PW PROBE,
     "-WRONGPASS no\r\n:0\r\n", "the password was refused (WRONGPASS)"},
    {"the password by a number", NULL, "pw", 0, AUTH_PW PROBE, ":1\r\n:0\r\n",
     WRONG},
    {"the password alone answered", NULL, "pw", 0, AUTH_PW PROBE, "+OK\r\n",
     "no answer within 200 ms"},
    {"no answer", NULL, NULL, 0, PROBE, "", "no answer within 200 ms"},
    {"half an answer", NULL, NULL, 0, PROBE, ":0", "no answer within 200 ms"},
    {"garbage", NULL, NULL, 0, PROBE, "HTTP/1.1\r\n", "not an answer of Redis"},
};

/* The peer: 0 if it has got just that before the session ended. */
static int
serve(int listener, const struct open_case *c)
{
    char got[PIECE_MAX] = "";
    int fd = accept(listener, NULL, NULL);
    size_t length = strlen(c->answer);

    (void)alarm(3);
    if (recv(fd, got, sizeof(got) - 1, 0) <= 0 || strcmp(got, c->want) != 0)
        return 1;
    if (send(fd, c->answer, length, MSG_NOSIGNAL) != (ssize_t)length)
        return 2;
    return recv(fd, got, sizeof(got), 0) == 0 ? 0 : 3;
}

static void
start_peer(struct proc *peer, const char *path, const struct open_case *c)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", path);
    CU_ASSERT_FATAL(
        bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        listen(listener, 1) == 0);
    (void)fflush(stdout);
    *peer = (struct proc){.pid = fork()};
    if (peer->pid == 0)
        _exit(serve(listener, c));
    (void)close(listener);
}

TEST_CASES(open, struct open_case, open_rows)
{
    char folder[FILES_PATH_MAX], path[FILES_PATH_MAX];
    struct redis_url config = {.unix_path = path,
                               .username = (char *)c->username,
                               .password = (char *)c->password,
                               .database = c->database};
    struct redis_session *session;
    struct proc peer;
    int64_t start_ms;
    bool is_silent;

    CU_ASSERT_TRUE_FATAL(files_folder_make(folder));
    files_path(path, "%.100s/redis", folder);
    start_peer(&peer, path, c); /* which is to have nothing of ours */
    is_silent = c->error != NULL && strncmp(c->error, "no answer", 9) == 0;
    session = redis_session_new(&config, is_silent ? LIMIT_MS : ENOUGH_MS);
    CU_ASSERT_PTR_NOT_NULL_FATAL(session);
    start_ms = clock_ms();
    CU_ASSERT_EQUAL(redis_session_open(session), c->error == NULL);
    CU_ASSERT_STRING_EQUAL(redis_session_error(session),
                           c->error != NULL ? c->error : "");
    if (is_silent)
        CU_ASSERT(clock_ms() - start_ms >= LIMIT_MS - 5);
    redis_session_free(session);
    CU_ASSERT_TRUE(proc_wait(&peer, 3000));
    CU_ASSERT_EQUAL(proc_exit_status(&peer), 0);
    proc_kill(&peer);
    files_folder_remove(folder);
}

TEST_SINGLE(unasked, "an answer that nobody asked for ends it")
{
    static const struct open_case twice = {
        .name = "twice", .want = PROBE, .answer = ":0\r\n:1\r\n"};
    char folder[FILES_PATH_MAX], path[FILES_PATH_MAX];
    struct redis_url config = {.unix_path = path};
    struct redis_session *session;
    struct redis_command command;
    struct redisReply *reply = NULL;
    struct proc peer;

    CU_ASSERT_TRUE_FATAL(files_folder_make(folder));
    files_path(path, "%.100s/redis", folder);
    start_peer(&peer, path, &twice);
    session = redis_session_new(&config, ENOUGH_MS);
    CU_ASSERT_PTR_NOT_NULL_FATAL(session);
    CU_ASSERT_TRUE(redis_session_open(session));
    CU_ASSERT_FALSE(redis_session_receive(session, &command, &reply));
    CU_ASSERT_PTR_NULL(reply);
    CU_ASSERT_STRING_EQUAL(redis_session_error(session),
                           "an answer that nobody asked for");
    redis_session_free(session);
    proc_kill(&peer);
    files_folder_remove(folder);
}

TEST_SINGLE(away, "nobody is there")
{
    struct redis_url config = {.unix_path = (char *)"/nonexistent/redis"};
    struct redis_session *session = redis_session_new(&config, LIMIT_MS);

    CU_ASSERT_PTR_NOT_NULL_FATAL(session);
    CU_ASSERT_FALSE(redis_session_open(session));
    CU_ASSERT_STRING_EQUAL(redis_session_error(session),
                           "connection failed: No such file or directory");
    redis_session_free(session);
}
