/*
 * Keys written in batches to a scripted Redis, in its own process: what is sent
 * when, and how soon a closed connection is noticed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/units.h"
#include "cli/session.h"
#include "cli/writer.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/files.h"
#include "support/ports.h"
#include "support/proc.h"
#include "support/steps.h"

#define BATCH_KEYS  512 /* of one MSET */
#define BATCH_BYTES (256 * 1024)
/* dozens of times what a socket takes */
#define FLOOD_BYTES (6 * 1024 * 1024)
#define LIMIT_MS    3000
#define FLOOD_MS    12000 /* a busy machine takes half; 80 slices, 16000 */

struct bench {
    char folder[FILES_PATH_MAX], path[FILES_PATH_MAX];
    struct redis_url config;
    struct proc peer;
    struct session *session;
    struct writer *writer;
};

/* How long the peer keeps the connection after the handshake. */
enum stay {
    GOES_AT_ONCE = 0,
    WAITS_FOR_BATCH,
    WAITS_FOR_FOUR,
    READS_FLOOD,
    REFUSES_THE_THIRD /* of the batches, and takes all others */
};

/* The replies of a master to ROLE and to a batch. */
struct replica_case {
    const char *name;
    const char *role;    /* to ROLE */
    const char *written; /* to the batch */
    bool waits;          /* the batch ends with a WAIT */
    int64_t confirmed;
    const char *error; /* "": the batch is written */
};

/* What the peer, a process of its own, has seen. */
struct visit {
    enum stay stay;
    size_t known;                 /* bytes of the name MSET */
    int batches;                  /* so far; no key or value contains MSET */
    int answered;                 /* of them */
    size_t bytes;                 /* of a flood */
    const struct replica_case *c; /* whose commands it expects, in order */
    bool is_good;                 /* they came */
};

static void
reply(struct script_connection *connection, const char *text)
{
    script_send(connection, text, strlen(text));
}

static void
count_batches(struct visit *visit, const char *piece, size_t length)
{
    static const char name[] = "MSET";

    for (size_t i = 0; i < length; i++) {
        visit->known = piece[i] == name[visit->known] ? visit->known + 1 : 0;
        if (name[visit->known] != '\0')
            continue;
        visit->known = 0;
        visit->batches++;
    }
}

/* All of a batch that is larger than a socket takes is confirmed. */
static void
take_flood(struct script_connection *connection, size_t length)
{
    struct visit *visit = connection->peer->data;
    const bool was_whole = visit->bytes >= FLOOD_BYTES;

    visit->bytes += length;
    if (!was_whole && visit->bytes >= FLOOD_BYTES)
        reply(connection, "+OK\r\n");
}

static void
answer_batches(struct script_connection *connection)
{
    struct visit *visit = connection->peer->data;

    while (visit->answered < visit->batches)
        reply(connection,
              ++visit->answered == 3 ? "-OOM memory is full\r\n" : "+OK\r\n");
}

/* The handshake, and then batches until its stay is over. */
static void
take_batches(struct script_connection *connection, const char *piece,
             size_t length)
{
    struct visit *visit = connection->peer->data;

    if (connection->pieces++ == 0) {
        reply(connection, STEPS_MASTER ":0\r\n");
        if (visit->stay == GOES_AT_ONCE)
            _exit(EXIT_SUCCESS);
        return;
    }
    if (visit->stay == READS_FLOOD) {
        take_flood(connection, length);
        return;
    }
    count_batches(visit, piece, length);
    if (visit->stay == REFUSES_THE_THIRD)
        answer_batches(connection);
    else if (visit->batches >= (visit->stay == WAITS_FOR_FOUR ? 4 : 1))
        _exit(EXIT_SUCCESS);
}

/* Expects the commands of the row, each in a piece. */
static void
take_commands(struct script_connection *connection, const char *piece,
              size_t length)
{
    struct visit *visit = connection->peer->data;
    const struct replica_case *c = visit->c;
    const char *const answers[] = {STEPS_MASTER ":0\r\n", c->role, c->written};
    const char *const wanted[] = {"HELLO", "ROLE", c->waits ? "WAIT" : "MSET"};
    const int i = connection->pieces++;

    visit->is_good =
        visit->is_good && i < 3 &&
        memmem(piece, length, wanted[i], strlen(wanted[i])) != NULL &&
        (c->waits || memmem(piece, length, "WAIT", 4) == NULL);
    if (i < 3)
        reply(connection, answers[i]);
}

static void
leave(struct script_connection *connection)
{
    const struct visit *visit = connection->peer->data;
    const bool is_good =
        visit->c != NULL
            ? visit->is_good && connection->pieces == 3
            : visit->stay == READS_FLOOD && visit->bytes >= FLOOD_BYTES;

    _exit(is_good ? EXIT_SUCCESS : EXIT_FAILURE);
}

static const struct script_ops batch_ops = {.got = take_batches,
                                            .closed = leave};
static const struct script_ops command_ops = {.got = take_commands,
                                              .closed = leave};

/* Listens at the path of the bench, for the peer. */
static int
bench_listen(struct bench *bench)
{
    int listener;

    *bench = (struct bench){.session = NULL};
    CU_ASSERT_TRUE_FATAL(files_folder_make(bench->folder));
    files_path(bench->path, "%s/redis", bench->folder);
    bench->config.unix_path = bench->path;
    listener = ports_listen_unix(bench->path);
    CU_ASSERT_FATAL(listener >= 0);
    (void)fflush(stdout);
    return listener;
}

static void
bench_connect(struct bench *bench, int listener, int64_t limit_ms)
{
    (void)close(listener);
    bench->session = session_new(&bench->config, limit_ms);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bench->session);
    CU_ASSERT_TRUE(session_open(bench->session));
    bench->writer = writer_new(bench->session, WRITER_MSET);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bench->writer);
}

static void
bench_start(struct bench *bench, enum stay stay)
{
    const int limit_ms = stay == READS_FLOOD ? FLOOD_MS : LIMIT_MS;
    const int listener = bench_listen(bench);
    struct visit visit = {.stay = stay};

    bench->peer.pid = script_fork(listener, &batch_ops, &visit,
                                  (unsigned)limit_ms / MS_PER_S);
    bench_connect(bench, listener, limit_ms);
}

static void
bench_end(struct bench *bench)
{
    writer_free(bench->writer);
    session_free(bench->session);
    proc_kill(&bench->peer);
    files_folder_remove(bench->folder);
}

struct batch_case {
    const char *name;
    size_t keys, value_length;
    bool is_sent; /* before the writer is told that there are no more keys */
};

static const struct batch_case batch_rows[] = {
    {"511 keys wait", BATCH_KEYS - 1, 2, false},
    {"512 keys go out", BATCH_KEYS, 2, true},
    {"256 KiB but a byte wait", 1, BATCH_BYTES - 2, false},
    {"256 KiB go out", 1, BATCH_BYTES - 1, true},
    {"two halves of 256 KiB go out", 2, BATCH_BYTES / 2, true},
};

/* A full batch is sent at once, so that the server works meanwhile. */
TEST_CASES(batch, struct batch_case, batch_rows)
{
    static char value[BATCH_BYTES];
    struct bench bench;

    memset(value, 'v', sizeof(value));
    bench_start(&bench, WAITS_FOR_BATCH);
    for (size_t i = 0; i < c->keys; i++)
        CU_ASSERT_TRUE(writer_add(bench.writer, (struct bytes){"k", 1},
                                  (struct bytes){value, c->value_length}));
    CU_ASSERT_EQUAL(proc_wait(&bench.peer, c->is_sent ? LIMIT_MS : 50),
                    c->is_sent);
    if (c->is_sent)
        CU_ASSERT_EQUAL(proc_exit_status(&bench.peer), 0);
    CU_ASSERT_EQUAL(writer_confirmed(bench.writer), 0);
    bench_end(&bench);
}

/* At most four batches are pending: docs/protocol.md, S19.4. */
TEST_SINGLE(under_way, "the fourth batch waits until the first is written")
{
    struct bench bench;
    bool is_good = true;

    bench_start(&bench, WAITS_FOR_FOUR);
    for (int i = 1; i < 4 * BATCH_KEYS; i++)
        is_good =
            is_good && writer_add(bench.writer, bytes_of("k"), bytes_of("[]"));
    CU_ASSERT_TRUE(is_good);
    CU_ASSERT_FALSE(proc_wait(&bench.peer, 0));
    CU_ASSERT_FALSE(writer_add(bench.writer, bytes_of("k"), bytes_of("[]")));
    CU_ASSERT_TRUE(proc_wait(&bench.peer, LIMIT_MS));
    CU_ASSERT_EQUAL(proc_exit_status(&bench.peer), 0);
    bench_end(&bench);
}

/* What comes behind a refused batch does not count: it is not the beginning. */
TEST_SINGLE(beginning, "the batches before the one that is refused are written")
{
    struct bench bench;
    bool is_good = true;

    bench_start(&bench, REFUSES_THE_THIRD);
    for (int i = 0; i < 4 * BATCH_KEYS && is_good; i++)
        is_good = writer_add(bench.writer, bytes_of("k"), bytes_of("[]"));
    CU_ASSERT_FALSE(is_good && writer_finish(bench.writer));
    CU_ASSERT_EQUAL(writer_confirmed(bench.writer), 2 * BATCH_KEYS);
    CU_ASSERT_PTR_NOT_NULL(strstr(session_error(bench.session), "OOM"));
    bench_end(&bench);
}

/* Each wait for the socket would take 200 ms if it did not end earlier. */
TEST_SINGLE(flood, "a batch goes out as fast as the peer reads")
{
    char *value = malloc(FLOOD_BYTES);
    struct bench bench;

    CU_ASSERT_PTR_NOT_NULL_FATAL(value);
    memset(value, 'v', FLOOD_BYTES);
    bench_start(&bench, READS_FLOOD);
    CU_ASSERT_TRUE(writer_add(bench.writer, bytes_of("k"),
                              (struct bytes){value, FLOOD_BYTES}));
    CU_ASSERT_TRUE(writer_finish(bench.writer));
    CU_ASSERT_EQUAL(writer_confirmed(bench.writer), 1);
    bench_end(&bench);
    free(value);
}

TEST_SINGLE(gone, "a peer that is gone is told by the batch that meets it")
{
    struct bench bench;
    bool is_good = true;

    bench_start(&bench, GOES_AT_ONCE);
    CU_ASSERT_TRUE(proc_wait(&bench.peer, LIMIT_MS));
    for (int i = 1; i < BATCH_KEYS; i++)
        is_good =
            is_good && writer_add(bench.writer, bytes_of("k"), bytes_of("[]"));
    CU_ASSERT_TRUE(is_good);
    CU_ASSERT_FALSE(writer_add(bench.writer, bytes_of("k"), bytes_of("[]")));
    CU_ASSERT_STRING_EQUAL(session_error(bench.session),
                           "the connection broke");
    bench_end(&bench);
}

#define ROLE(replicas) "*3\r\n$6\r\nmaster\r\n:0\r\n" replicas
#define REPLICA        "*3\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\n0\r\n"
#define ONE            ROLE("*1\r\n" REPLICA)
#define NOPERM         "-NOPERM this user has no permissions\r\n"
#define OK             "+OK\r\n"

static const struct replica_case replica_rows[] = {
    {"one replica has it", ONE, OK ":1\r\n", true, 1, ""},
    {"two have it", ROLE("*2\r\n" REPLICA REPLICA), OK ":2\r\n", true, 1, ""},
    {"none has it in time", ONE, OK ":0\r\n", true, 0,
     "no replica has confirmed in time"},
    {"there is none", ROLE("*0\r\n"), OK, false, 1, ""},
    {"ROLE is refused", NOPERM, OK, false, 1, ""},
    {"ROLE of a replica", "*3\r\n$5\r\nslave\r\n$1\r\na\r\n:1\r\n", OK, false,
     1, ""},
    {"ROLE of two elements", "*2\r\n$6\r\nmaster\r\n:0\r\n", OK, false, 1, ""},
    {"ROLE is no list", OK, OK, false, 1, ""},
    {"WAIT is refused", ONE, OK NOPERM, true, 1, ""},
    {"WAIT is unknown", ONE, OK "-ERR unknown command 'WAIT', with args\r\n",
     true, 1, ""},
    {"demoted in a WAIT", ONE,
     OK "-UNBLOCKED force unblock from blocking operation\r\n", true, 0,
     "UNBLOCKED"},
    {"demoted before a WAIT", ONE,
     OK "-ERR WAIT cannot be used with replica instances.\r\n", true, 0,
     "the server is a replica"},
    {"WAIT is no number", ONE, OK OK, true, 0, "an answer of the wrong kind"},
    {"the batch is refused", ONE, "-OOM memory is full\r\n:1\r\n", true, 0,
     "OOM"},
    {"the batch is refused, without a replica", ROLE("*0\r\n"),
     "-OOM memory is full\r\n", false, 0, "OOM"},
};

/* If there is a replica, a key is written when it has it: S19.4. */
TEST_CASES(replica, struct replica_case, replica_rows)
{
    struct bench bench;
    const int listener = bench_listen(&bench);
    struct visit visit = {.c = c, .is_good = true};

    bench.peer.pid =
        script_fork(listener, &command_ops, &visit, LIMIT_MS / MS_PER_S);
    bench_connect(&bench, listener, LIMIT_MS);
    CU_ASSERT_TRUE(writer_ask_replicas(bench.writer, LIMIT_MS));
    CU_ASSERT_TRUE(writer_add(bench.writer, bytes_of("k"), bytes_of("[]")));
    CU_ASSERT_EQUAL(writer_finish(bench.writer), *c->error == '\0');
    CU_ASSERT_EQUAL(writer_confirmed(bench.writer), c->confirmed);
    CU_ASSERT_PTR_NOT_NULL(strstr(session_error(bench.session), c->error));
    session_close(bench.session);
    CU_ASSERT_TRUE(proc_wait(&bench.peer, LIMIT_MS));
    CU_ASSERT_EQUAL(proc_exit_status(&bench.peer), 0);
    bench_end(&bench);
}

TEST_SINGLE(away, "nobody is there")
{
    struct redis_url config = {.unix_path = "/nonexistent/redis"};
    struct session *session = session_new(&config, LIMIT_MS);

    CU_ASSERT_PTR_NOT_NULL_FATAL(session);
    CU_ASSERT_FALSE(session_open(session));
    CU_ASSERT_STRING_EQUAL(session_error(session),
                           "connection failed: No such file or directory");
    session_free(session);
}
