/*
 * The commands of `scoring interests` as the program runs them, with one
 * scripted server, in its own process, that keeps what it receives: the limits
 * of the options, what a replica must confirm, and which servers are needed.
 * Source: docs/protocol.md, S19.4, S19.7, S19.9 and S21.6.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/units.h"
#include "cli/command.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/files.h"
#include "support/ports.h"
#include "support/proc.h"
#include "support/script.h"

#define HOST      "127.0.0.1"
#define ID        "012345678901234567890123456789012345678" /* and a digit */
#define GOT_MAX   4096
#define WORDS_MAX 6

/* What the server is, by the number of the connection. */
enum kind {
    IS_MASTER = 0,
    IS_NODE,         /* of a Cluster whose other server is gone */
    IS_SENTINEL,     /* the first time; it names itself, and is the master */
    IS_REPLICA_FIRST /* the same; the second time it is a replica */
};

/* In memory that the server shares with the row. */
struct record {
    size_t length;
    char got[GOT_MAX];
};

struct server {
    enum kind kind;
    int port, nobody;     /* at the latter nobody listens */
    int master;           /* the port that a sentinel names; 0: its own */
    int epoch, late_ms;   /* of a sentinel; before it greets */
    const char *replicas; /* how many have a write, in the reply to WAIT */
    struct record *record;
};

#define HELLO(mode, role) "*4\r\n+mode\r\n+" mode "\r\n+role\r\n+" role "\r\n"
#define REPLICA           "*3\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\n0\r\n"

/* In the order in which they may share a piece. NULL: see answer_of(). */
static const struct {
    const char *name, *answer;
} answers[] = {
    {"AUTH", "+OK\r\n"},
    {"HELLO", NULL},
    {"SELECT", "+OK\r\n"},
    {"EXISTS", ":0\r\n"},
    {"PING", "+PONG\r\n"},
    {"MASTER", NULL},
    {"GET-MASTER-ADDR-BY-NAME", NULL},
    {"SENTINELS", "*0\r\n"},
    {"MYID", "$2\r\nme\r\n"},
    {"SLOTS", NULL},
    {"DBSIZE", ":1\r\n"},
    {"SCAN", "*2\r\n$1\r\n0\r\n*1\r\n$3\r\ni:1\r\n"},
    {"ROLE", "*3\r\n$6\r\nmaster\r\n:0\r\n*1\r\n" REPLICA},
    {"STRLEN", ":5\r\n"},
    {"GET", "$5\r\n[\"a\"]\r\n"},
    {"MSET", "+OK\r\n"},
    {"SET", "+OK\r\n"},
    {"DEL", ":1\r\n"},
    {"WAIT", NULL},
};
#define ANSWERS (sizeof(answers) / sizeof(answers[0]))

static const char *
greeting(const struct script_connection *connection)
{
    const struct server *server = connection->peer->data;
    const long number = connection - connection->peer->connections;

    clock_sleep_ms(number == 0 ? server->late_ms : 0);
    if (server->kind == IS_NODE)
        return HELLO("cluster", "master");
    if (server->kind >= IS_SENTINEL && number == 0)
        return HELLO("sentinel", "sentinel");
    if (server->kind == IS_REPLICA_FIRST && number == 1)
        return HELLO("standalone", "replica");
    return HELLO("standalone", "master");
}

/* Slots up to 8191 are here, the others at the port of nobody. */
static void
put_map(const struct server *server, char ret_text[GOT_MAX])
{
    (void)snprintf(ret_text, GOT_MAX,
                   "*2\r\n"
                   "*3\r\n:0\r\n:8191\r\n*3\r\n$9\r\n" HOST
                   "\r\n:%d\r\n$40\r\n" ID "1\r\n"
                   "*3\r\n:8192\r\n:16383\r\n*3\r\n$9\r\n" HOST
                   "\r\n:%d\r\n$40\r\n" ID "2\r\n",
                   server->port, server->nobody);
}

static void
answer(struct script_connection *connection, const char *name,
       const char *usual)
{
    const struct server *server = connection->peer->data;
    char text[GOT_MAX], port[16];
    const int digits =
        snprintf(port, sizeof(port), "%d",
                 server->master != 0 ? server->master : server->port);

    if (usual != NULL)
        (void)snprintf(text, sizeof(text), "%s", usual);
    else if (strcmp(name, "HELLO") == 0)
        (void)snprintf(text, sizeof(text), "%s", greeting(connection));
    else if (strcmp(name, "MASTER") == 0)
        (void)snprintf(text, sizeof(text),
                       "*2\r\n$12\r\nconfig-epoch\r\n$1\r\n%d\r\n",
                       server->epoch);
    else if (strcmp(name, "SLOTS") == 0)
        put_map(server, text);
    else if (strcmp(name, "WAIT") == 0)
        (void)snprintf(text, sizeof(text), ":%s\r\n", server->replicas);
    else
        (void)snprintf(text, sizeof(text),
                       "*2\r\n$9\r\n" HOST "\r\n$%d\r\n%s\r\n", digits, port);
    script_send(connection, text, strlen(text));
}

static void
take(struct script_connection *connection, const char *piece, size_t length)
{
    const struct server *server = connection->peer->data;
    struct record *record = server->record;

    if (length >= GOT_MAX - record->length)
        _exit(EXIT_FAILURE);
    memcpy(record->got + record->length, piece, length);
    record->length += length;
    for (size_t i = 0; i < ANSWERS; i++) {
        char word[32];
        const int size =
            snprintf(word, sizeof(word), "\r\n%s\r\n", answers[i].name);

        if (memmem(piece, length, word, (size_t)size) != NULL)
            answer(connection, answers[i].name, answers[i].answer);
    }
}

static const struct script_ops ops = {.got = take};

/* Within a process of its own. Returns the exit status. */
static int
run_here(const char *url, const char *const words[WORDS_MAX],
         const char *output)
{
    static char name[] = "interests", text[WORDS_MAX][FILES_PATH_MAX];
    char *argv[WORDS_MAX + 2] = {name};
    const int fd = open(output, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    int argc = 1, status;

    for (; words[argc - 1] != NULL; argc++) {
        argv[argc] = text[argc - 1];
        (void)snprintf(argv[argc], FILES_PATH_MAX, "%s", words[argc - 1]);
    }
    (void)dup2(fd, STDOUT_FILENO);
    (void)dup2(fd, STDERR_FILENO);
    (void)close(fd);
    if (clearenv() != 0 || setenv("REDIS_URL", url, 1) != 0 ||
        setenv("SCORING_CONFIG_FILE", "", 1) != 0)
        return EXIT_FAILURE;
    status = command_run(&command_interests, argc, argv);
    (void)fflush(stdout);
    return status;
}

static int
run(const char *url, const char *const words[WORDS_MAX], const char *output)
{
    struct proc proc = {.pid = 0};

    (void)fflush(stdout);
    proc.pid = fork();
    if (proc.pid == 0)
        _exit(run_here(url, words, output));
    CU_ASSERT_TRUE(proc_wait(&proc, CLOCK_PATIENCE_MS));
    return proc_exit_status(&proc);
}

/* A folder with a file, and what the server has received. */
struct bench {
    char folder[FILES_PATH_MAX], file[FILES_PATH_MAX], said[FILES_PATH_MAX];
    struct record *record;
};

#define FILE_WORD "FILE" /* the path of a file with client 1 */
#define WRITTEN   "$3\r\ni:1\r\n$5\r\n[\"a\"]\r\n"
#define SET       "*3\r\n$3\r\nSET\r\n" WRITTEN
#define MSET      "*3\r\n$4\r\nMSET\r\n" WRITTEN
#define DEL       "*2\r\n$3\r\nDEL\r\n$3\r\ni:1\r\n"
#define GET       "*2\r\n$3\r\nGET\r\n$3\r\ni:1\r\n"
#define WAIT(ms)  "*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$4\r\n" ms "\r\n"
#define LINE      "{\"client_id\": 1, \"interests\": [\"a\"]}\n"
#define NOBODY    "no replica has confirmed in time"

struct client_case {
    const char *name;
    enum kind kind;
    const char *words[WORDS_MAX];
    const char *replicas; /* that confirm a write */
    int status;
    const char *sent, *said; /* parts of all */
};

/* A replica has half of the limit, which is 5 s by default. */
static const struct client_case client_rows[] = {
    {"set", IS_MASTER, {"set", "1", "a"}, "1", EX_OK, SET WAIT("2500"), ""},
    {"set, with a limit",
     IS_MASTER,
     {"set", "--timeout", "7", "1", "a"},
     "1",
     EX_OK,
     SET WAIT("3500"),
     ""},
    {"set, and no replica has it",
     IS_MASTER,
     {"set", "1", "a"},
     "0",
     EX_UNAVAILABLE,
     SET WAIT("2500"),
     NOBODY},
    {"delete", IS_MASTER, {"delete", "1"}, "1", EX_OK, DEL WAIT("2500"), ""},
    {"delete, and no replica knows",
     IS_MASTER,
     {"delete", "1"},
     "0",
     EX_UNAVAILABLE,
     DEL WAIT("2500"),
     NOBODY},
    {"import",
     IS_MASTER,
     {"import", FILE_WORD},
     "1",
     EX_OK,
     MSET WAIT("2500"),
     ""},
    {"import, with a limit",
     IS_MASTER,
     {"import", "--timeout", "7", FILE_WORD},
     "1",
     EX_OK,
     MSET WAIT("3500"),
     ""},
    {"import, and no replica has it",
     IS_MASTER,
     {"import", FILE_WORD},
     "0",
     EX_UNAVAILABLE,
     MSET WAIT("2500"),
     NOBODY "; at least the first 0 clients are written"},

    {"get, while another server is gone",
     IS_NODE,
     {"get", "1"},
     "1",
     EX_OK,
     GET,
     LINE},
    {"set, while another server is gone",
     IS_NODE,
     {"set", "1", "a"},
     "1",
     EX_OK,
     SET WAIT("2500"),
     ""},
    {"delete, while another server is gone",
     IS_NODE,
     {"delete", "1"},
     "1",
     EX_OK,
     DEL WAIT("2500"),
     ""},
    {"get, of the server that is gone",
     IS_NODE,
     {"get", "2"},
     "1",
     EX_UNAVAILABLE,
     "SLOTS",
     "connection refused"},
    {"import, while a server is gone",
     IS_NODE,
     {"import", FILE_WORD},
     "1",
     EX_UNAVAILABLE,
     "SLOTS",
     "connection refused; nothing is written"},
    {"export, while a server is gone",
     IS_NODE,
     {"export"},
     "1",
     EX_UNAVAILABLE,
     "SLOTS",
     "connection refused"},

    {"get, from the master of the sentinels",
     IS_SENTINEL,
     {"get", "1"},
     "1",
     EX_OK,
     GET,
     LINE},
    {"import to the master of the sentinels",
     IS_SENTINEL,
     {"import", FILE_WORD},
     "1",
     EX_OK,
     MSET WAIT("2500"),
     ""},
    {"export from the master of the sentinels",
     IS_SENTINEL,
     {"export"},
     "1",
     EX_OK,
     GET,
     LINE},
    {"get, from a master that was no master yet",
     IS_REPLICA_FIRST,
     {"get", "1"},
     "1",
     EX_OK,
     GET,
     LINE},
};

/* The whole output, if there should be none. */
static void
check_said(const char *path, const char *want)
{
    char *said = files_read(path);

    CU_ASSERT_PTR_NOT_NULL_FATAL(said);
    if (*want == '\0')
        CU_ASSERT_STRING_EQUAL(said, "");
    CU_ASSERT_PTR_NOT_NULL(strstr(said, want));
    if (strstr(said, want) == NULL)
        (void)printf("it said: %s\n", said);
    free(said);
}

static void
bench_start(struct bench *bench)
{
    bench->record = mmap(NULL, sizeof(*bench->record), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CU_ASSERT_FATAL(bench->record != MAP_FAILED &&
                    files_folder_make(bench->folder));
    files_path(bench->file, "%s/file", bench->folder);
    files_path(bench->said, "%s/said", bench->folder);
    CU_ASSERT_TRUE(files_write(bench->file, LINE));
}

static void
bench_end(struct bench *bench)
{
    (void)munmap(bench->record, sizeof(*bench->record));
    files_folder_remove(bench->folder);
}

/* Starts the server on a port of its own. */
static struct proc
serve(struct bench *bench, struct server *server)
{
    const int listener = ports_listen(&server->port);
    struct proc peer = {.pid = 0};

    CU_ASSERT_FATAL(listener >= 0);
    server->nobody = ports_free();
    server->record = bench->record;
    (void)fflush(stdout);
    peer.pid =
        script_fork(listener, &ops, server, 2 * CLOCK_PATIENCE_MS / MS_PER_S);
    (void)close(listener);
    return peer;
}

TEST_CASES(client, struct client_case, client_rows)
{
    static const char *const urls[] = {
        [IS_MASTER] = "redis://" HOST ":%d",
        [IS_NODE] = "redis+cluster://" HOST ":%d",
        [IS_SENTINEL] = "redis+sentinel://" HOST ":%d/m",
        [IS_REPLICA_FIRST] = "redis+sentinel://" HOST ":%d/m"};
    struct server server = {.kind = c->kind, .replicas = c->replicas};
    const char *words[WORDS_MAX];
    struct bench bench;
    struct proc peer;
    char url[64];

    bench_start(&bench);
    peer = serve(&bench, &server);
    for (size_t i = 0; i < WORDS_MAX; i++)
        words[i] = c->words[i] != NULL && strcmp(c->words[i], FILE_WORD) == 0
                       ? bench.file
                       : c->words[i];
    (void)snprintf(url, sizeof(url), urls[c->kind], server.port);
    CU_ASSERT_EQUAL(run(url, words, bench.said), c->status);
    check_said(bench.said, c->said);
    CU_ASSERT_PTR_NOT_NULL(strstr(bench.record->got, c->sent));
    proc_kill(&peer);
    bench_end(&bench);
}

/* Another sentinel names a server that is not there. */
TEST_SINGLE(late, "a sentinel that answers later, and knows a newer master")
{
    static const char *const words[WORDS_MAX] = {"get", "1"};
    struct server late = {.kind = IS_SENTINEL, .epoch = 2, .late_ms = 200};
    struct server early = {.kind = IS_SENTINEL, .epoch = 1};
    struct proc late_peer, early_peer;
    struct bench bench;
    char url[96];

    bench_start(&bench);
    early.master = ports_free();
    late_peer = serve(&bench, &late);
    early_peer = serve(&bench, &early);
    (void)snprintf(url, sizeof(url),
                   "redis+sentinel://" HOST ":%d," HOST ":%d/m", early.port,
                   late.port);
    CU_ASSERT_EQUAL(run(url, words, bench.said), EX_OK);
    check_said(bench.said, LINE);
    proc_kill(&late_peer);
    proc_kill(&early_peer);
    bench_end(&bench);
}

TEST_SINGLE(login, "user, password and database are for the master")
{
    static const char *const words[WORDS_MAX] = {"get", "1"};
    struct server server = {.kind = IS_SENTINEL, .epoch = 1};
    struct bench bench;
    struct proc peer;
    char url[96];

    bench_start(&bench);
    peer = serve(&bench, &server);
    (void)snprintf(url, sizeof(url), "redis+sentinel://me:pw@" HOST ":%d/m/3",
                   server.port);
    CU_ASSERT_EQUAL(run(url, words, bench.said), EX_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(bench.record->got,
                                  "*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$2\r\npw\r\n"
                                  "*2\r\n$5\r\nHELLO\r\n$1\r\n2\r\n"
                                  "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n"));
    proc_kill(&peer);
    bench_end(&bench);
}

/* With a full backlog connections wait. */
TEST_SINGLE(connecting, "has the same limit as an answer")
{
    static const char *const words[WORDS_MAX] = {"get", "--timeout", "1", "1"};
    struct bench bench;
    int port, waiting;
    const int listener = ports_listen(&port);
    char url[64];

    CU_ASSERT_FATAL(listener >= 0 && listen(listener, 0) == 0);
    bench_start(&bench);
    waiting = ports_connect(port, CLOCK_PATIENCE_MS);
    (void)snprintf(url, sizeof(url), "redis://" HOST ":%d", port);
    CU_ASSERT_EQUAL(run(url, words, bench.said), EX_UNAVAILABLE);
    check_said(bench.said, "no connection within 1000 ms\n");
    (void)close(waiting);
    (void)close(listener);
    bench_end(&bench);
}
