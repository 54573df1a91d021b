/*
 * An export from a scripted Redis Cluster of one server, in its own process,
 * that ends at some command, or to a disk that takes no file: what is reported,
 * and the exit status. Source: docs/protocol.md, S19.6, S22.8 and S26.4.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/units.h"
#include "cli/export.h"
#include "support/buffer.h"
#include "support/calls.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/files.h"
#include "support/ports.h"
#include "support/proc.h"
#include "support/script.h"

#define HOST "127.0.0.1"
#define ID   "012345678901234567890123456789012345678" /* and one more digit */

/* What the server does instead of answering a command. */
enum deed {
    GOES_ON = 0,
    IS_SECOND, /* the same; nobody listens at the first host of the URL */
    ENDS,
    ENDS_AFTER, /* it answers, and ends */
    REFUSES,
    HAS_MOVED, /* another server has all slots */
    HAS_HOLE,  /* nobody has the last slot */
};

struct end_case {
    const char *name;
    const char *command;
    size_t time; /* counted from 1 */
    enum deed deed;
    int status;
    bool names_host;   /* the message has the address of the asked host, too */
    const char *words; /* the end of the message; NULL: there is none */
};

#define BROKE   "the connection broke"
#define REFUSED "connection refused"

static const struct end_case end_rows[] = {
    {"goes on", "", 1, GOES_ON, EX_OK, false, NULL},
    {"is the second host", "", 1, IS_SECOND, EX_OK, false, NULL},
    {"ends at the map", "SLOTS", 1, ENDS, EX_UNAVAILABLE, true, BROKE},
    {"ends after the map", "SLOTS", 1, ENDS_AFTER, EX_UNAVAILABLE, false,
     REFUSED},
    {"has too few slots", "SLOTS", 1, HAS_HOLE, EX_UNAVAILABLE, false,
     "some slots of the cluster have no server"},
    {"ends at the handshake", "HELLO", 2, ENDS, EX_UNAVAILABLE, false, BROKE},
    {"ends at the count", "DBSIZE", 1, ENDS, EX_UNAVAILABLE, false, BROKE},
    {"ends at the page", "SCAN", 1, ENDS, EX_UNAVAILABLE, false, BROKE},
    {"ends after the page", "SCAN", 1, ENDS_AFTER, EX_UNAVAILABLE, false,
     BROKE},
    {"ends at the length", "STRLEN", 1, ENDS, EX_UNAVAILABLE, false, BROKE},
    {"ends after the length", "STRLEN", 1, ENDS_AFTER, EX_UNAVAILABLE, false,
     BROKE},
    {"ends at the value", "GET", 1, ENDS, EX_UNAVAILABLE, false, BROKE},
    {"ends after the last value", "GET", 1, ENDS_AFTER, EX_UNAVAILABLE, true,
     REFUSED},
    {"ends at the last map", "SLOTS", 2, ENDS, EX_UNAVAILABLE, true, BROKE},
    {"refuses the last map", "SLOTS", 2, REFUSES, EX_UNAVAILABLE, true,
     "the user lacks a permission (NOPERM)"},
    {"has too few slots in the last map", "SLOTS", 2, HAS_HOLE, EX_TEMPFAIL,
     false, "slots of the cluster are being moved: run it again later"},
    {"has other slots in the last map", "SLOTS", 2, HAS_MOVED, EX_TEMPFAIL,
     false, "slots of the cluster are being moved: run it again later"},
};

/* In the order in which they may share a piece. */
static const struct {
    const char *name, *answer;
} answers[] = {
    {"HELLO", "*4\r\n$4\r\nmode\r\n$7\r\ncluster\r\n"
              "$4\r\nrole\r\n$6\r\nmaster\r\n"},
    {"PING", "+PONG\r\n"},
    {"SLOTS", NULL},
    {"DBSIZE", ":1\r\n"},
    {"SCAN", "*2\r\n$1\r\n0\r\n*1\r\n$3\r\ni:1\r\n"},
    {"STRLEN", ":2\r\n"},
    {"GET", "$2\r\n[]\r\n"},
};
#define ANSWERS (sizeof(answers) / sizeof(answers[0]))

/* The server, a process of its own. */
struct server {
    const struct end_case *c;
    int port;
    size_t times; /* so often the command of the row has come */
};

/* All slots up to the last one are at this port, and belong to the server with
 * this id. */
static void
add_map(struct buffer *out, int last, int port, int id)
{
    buffer_printf(out,
                  "*1\r\n*3\r\n:0\r\n:%d\r\n*3\r\n$9\r\n" HOST
                  "\r\n:%d\r\n$40\r\n" ID "%d\r\n",
                  last, port, id);
}

/* What the row wants at this command. */
static enum deed
deed_at(struct server *server, const char *name)
{
    const struct end_case *c = server->c;

    if (strcmp(name, c->command) != 0)
        return GOES_ON;
    return ++server->times == c->time ? c->deed : GOES_ON;
}

static void
answer(struct script_connection *connection, size_t number)
{
    struct server *server = connection->peer->data;
    const enum deed deed = deed_at(server, answers[number].name);
    struct buffer text = {0};

    if (deed == ENDS)
        _exit(EXIT_SUCCESS);
    if (deed == ENDS_AFTER) /* from now on connections are refused */
        (void)close(connection->peer->listener.fd);
    if (deed == REFUSES)
        buffer_add_text(&text, "-NOPERM this user has no permissions\r\n");
    else if (answers[number].answer == NULL)
        add_map(&text, deed == HAS_HOLE ? 16382 : 16383, server->port,
                deed == HAS_MOVED);
    else
        buffer_add_text(&text, answers[number].answer);
    script_send(connection, buffer_text(&text), text.length);
    if (deed == ENDS_AFTER)
        _exit(EXIT_SUCCESS);
    buffer_free(&text);
}

static void
take(struct script_connection *connection, const char *piece, size_t length)
{
    for (size_t i = 0; i < ANSWERS; i++) {
        char word[16];
        const int size =
            snprintf(word, sizeof(word), "\r\n%s\r\n", answers[i].name);

        if (memmem(piece, length, word, (size_t)size) != NULL)
            answer(connection, i);
    }
}

static const struct script_ops server_ops = {.got = take};

/* Runs an export with its messages in a file. Returns its status. */
static int
run_export(const struct interests_plan *plan, const struct redis_url *url,
           const char *messages)
{
    const int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    const int fd = open(messages, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    int status;

    (void)fflush(stderr);
    (void)dup2(fd, STDERR_FILENO);
    status = interests_export(plan, url);
    (void)fflush(stderr);
    (void)dup2(saved, STDERR_FILENO);
    (void)close(saved);
    (void)close(fd);
    return status;
}

static void
expect_text(const char *path, const char *want)
{
    char *text = files_read(path);

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_STRING_EQUAL(text, want);
    free(text);
}

/* One line; what the system says of a broken connection may follow. */
static void
expect_message(const char *path, const struct end_case *c, int port)
{
    char want[256], host[64] = "", *text = files_read(path);

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    if (c->names_host)
        (void)snprintf(host, sizeof(host), HOST ":%d: ", port);
    (void)snprintf(want, sizeof(want), "scoring: the store: " HOST ":%d: %s%s",
                   port, host, c->words != NULL ? c->words : "");
    if (c->words == NULL) {
        CU_ASSERT_STRING_EQUAL(text, "");
    } else {
        CU_ASSERT_EQUAL(strcspn(text, "\n") + 1, strlen(text));
        text[strlen(want) < strlen(text) ? strlen(want) : 0] = '\0';
        CU_ASSERT_STRING_EQUAL(text, want);
    }
    free(text);
}

/* A folder with the file "copy", and a server. */
struct bench {
    char folder[FILES_PATH_MAX], copy[FILES_PATH_MAX], said[FILES_PATH_MAX];
    struct server server;
    struct proc peer;
};

#define OLD_TEXT "old\n"
#define NEW_TEXT "{\"client_id\": 1, \"interests\": []}\n"

static void
bench_start(struct bench *bench, const struct end_case *c)
{
    int listener;

    *bench = (struct bench){.server = {.c = c}};
    CU_ASSERT_TRUE_FATAL(files_folder_make(bench->folder));
    files_path(bench->copy, "%s/copy", bench->folder);
    files_path(bench->said, "%s/said", bench->folder);
    CU_ASSERT_TRUE(files_write(bench->copy, OLD_TEXT));
    listener = ports_listen(&bench->server.port);
    CU_ASSERT_FATAL(listener >= 0);
    (void)fflush(stdout);
    bench->peer.pid = script_fork(listener, &server_ops, &bench->server,
                                  2 * CLOCK_PATIENCE_MS / MS_PER_S);
    (void)close(listener);
}

static int
bench_export(const struct bench *bench)
{
    const struct interests_plan plan = {.path = bench->copy,
                                        .limit_ms = CLOCK_PATIENCE_MS};
    struct redis_url url = {.kind = REDIS_URL_CLUSTER};

    if (bench->server.c->deed == IS_SECOND)
        url.hosts[url.host_count++] =
            (struct redis_url_host){HOST, ports_free()};
    url.hosts[url.host_count++] =
        (struct redis_url_host){HOST, bench->server.port};
    return run_export(&plan, &url, bench->said);
}

static void
bench_end(struct bench *bench)
{
    proc_kill(&bench->peer);
    files_folder_remove(bench->folder);
}

/* Whatever happens, the previous file stays unless all has been exported. */
TEST_CASES(end, struct end_case, end_rows)
{
    struct bench bench;

    bench_start(&bench, c);
    CU_ASSERT_EQUAL(bench_export(&bench), c->status);
    expect_message(bench.said, c, bench.server.port);
    expect_text(bench.copy, c->status == EX_OK ? NEW_TEXT : OLD_TEXT);
    bench_end(&bench);
}

/* The file is on the disk before it gets its name, and the name afterwards. */
struct disk_case {
    const char *name;
    int taken; /* calls of fsync() before the one that fails */
    const char *copy;
};

static const struct disk_case disk_rows[] = {
    {"the file cannot be on the disk", 0, OLD_TEXT},
    {"its name cannot be", 1, NEW_TEXT},
};

TEST_CASES(disk, struct disk_case, disk_rows)
{
    char want[FILES_PATH_MAX + 64];
    struct bench bench;

    bench_start(&bench, &end_rows[0]);
    calls_fail_later(CALL_FSYNC, c->taken, EIO);
    CU_ASSERT_EQUAL(bench_export(&bench), EX_IOERR);
    CU_ASSERT_TRUE(calls_has_failed(CALL_FSYNC));
    (void)snprintf(want, sizeof(want), "scoring: %s: Input/output error\n",
                   bench.copy);
    expect_text(bench.said, want);
    expect_text(bench.copy, c->copy);
    bench_end(&bench);
}
