/*
 * An import and an export with every allocation failing in turn: each succeeds
 * completely or reports why not, and the next one succeeds.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/scan.h"
#include "cli/session.h"
#include "cli/writer.h"
#include "support/cases.h"
#include "support/memory.h"
#include "support/reply_server.h"
#include "support/steps.h"

#define LIMIT_MS 10000 /* for a busy machine; the server answers at once */

#define MASTER              STEPS_MASTER
#define PAGE(cursor, count) "*2\r\n$1\r\n" cursor "\r\n*" count "\r\n"
#define KEY(digit)          "$3\r\ni:" digit "\r\n"
#define STRING              "$2\r\n[]\r\n"
#define NIL                 "$-1\r\n"
#define WRONG_KIND          "an answer of the wrong kind"

struct session_case {
    const char *name;
    const char *replies; /* including the handshake */
    int written;         /* keys of an import; 0: it is an export */
    int want;            /* keys that were found, or reported as written */
    const char *error;   /* the error; NULL: success */
};

static const struct session_case session_rows[] = {
    {"export of nothing", MASTER ":0\r\n:0\r\n" PAGE("0", "0"), 0, 0, NULL},
    {"export of a page",
     MASTER ":1\r\n:1\r\n" PAGE("0", "1") KEY("1") ":2\r\n" STRING, 0, 1, NULL},
    {"export of two pages",
     MASTER ":0\r\n:2\r\n" PAGE("5", "1") KEY("1") ":2\r\n" PAGE("0", "1")
         KEY("2") STRING ":2\r\n" STRING,
     0, 2, NULL},
    {"export with a key that is gone and one of another type",
     MASTER ":0\r\n:2\r\n" PAGE("0", "2") KEY("1")
         KEY("2") ":2\r\n"
                  "-WRONGTYPE no\r\n" NIL,
     0, 1, NULL},
    {"export with a key whose type changes",
     MASTER ":0\r\n:1\r\n" PAGE("0", "1") KEY("1") ":2\r\n-WRONGTYPE no\r\n", 0,
     1, NULL},
    {"export with a value of 1 MiB and a byte",
     MASTER ":0\r\n:2\r\n" PAGE("0", "2") KEY("1") KEY("2") ":1048577\r\n"
                                                            ":2\r\n" STRING,
     0, 2, NULL},
    {"export by a user who may not ask for lengths",
     MASTER ":0\r\n:1\r\n" PAGE("0", "1") KEY("1") "-NOPERM no\r\n" STRING, 0,
     1, NULL},
    {"export with a text for a length",
     MASTER ":0\r\n:1\r\n" PAGE("0", "1") KEY("1") STRING, 0, 0, WRONG_KIND},
    {"export with a length that is refused",
     MASTER ":0\r\n:1\r\n" PAGE("0", "1") KEY("1") "-OOM no\r\n", 0, 0,
     "the server is out of memory (OOM)"},
    {"export with a number for a value",
     MASTER ":0\r\n:1\r\n" PAGE("0", "1") KEY("1") ":2\r\n:1\r\n", 0, 0,
     WRONG_KIND},
    {"export of a page that is none", MASTER ":0\r\n:1\r\n+OK\r\n", 0, 0,
     WRONG_KIND},
    {"export of a page of one part", MASTER ":0\r\n:1\r\n*1\r\n$1\r\n0\r\n", 0,
     0, WRONG_KIND},
    {"export of a page of three",
     MASTER ":0\r\n:1\r\n*3\r\n$1\r\n0\r\n*0\r\n*0\r\n", 0, 0, WRONG_KIND},
    {"export with a number for a cursor",
     MASTER ":0\r\n:1\r\n*2\r\n:0\r\n*0\r\n", 0, 0, WRONG_KIND},
    {"export with a cursor of 24 digits",
     MASTER ":0\r\n:1\r\n*2\r\n$24\r\n000000000000000000000000\r\n*0\r\n", 0, 0,
     WRONG_KIND},
    {"export with a text for the keys",
     MASTER ":0\r\n:1\r\n*2\r\n$1\r\n0\r\n$1\r\nx\r\n", 0, 0, WRONG_KIND},
    {"export with a number for a key",
     MASTER ":0\r\n:1\r\n*2\r\n$1\r\n0\r\n*1\r\n:1\r\n", 0, 0, WRONG_KIND},
    {"export with a key that may not be read",
     MASTER ":0\r\n:1\r\n" PAGE("0", "1") KEY("1") ":2\r\n-NOPERM no\r\n", 0, 0,
     "the user lacks a permission (NOPERM)"},
    {"export to a server that gives status for integer", "+OK\r\n", 0, 0,
     WRONG_KIND},
    {"import", MASTER ":0\r\n+OK\r\n", 3, 3, NULL},
    {"import of two batches", MASTER ":0\r\n+OK\r\n+OK\r\n", 600, 600, NULL},
    {"import that is answered by a number", MASTER ":0\r\n:3\r\n", 3, 0,
     WRONG_KIND},
    {"import that is answered by nil", MASTER ":0\r\n" NIL, 3, 0, WRONG_KIND},
};

static struct redis_url redis;

static bool
on_found(void *arg, const struct scan_item *item)
{
    int *count = arg;

    CU_ASSERT_EQUAL(item->key.length, strlen("i:1"));
    (*count)++;
    return true;
}

static int64_t total_told; /* the total that was reported */

static bool
on_moved(void *arg, int64_t visited, int64_t total)
{
    (void)arg;
    CU_ASSERT(visited <= total);
    total_told = total;
    return true;
}

static bool
export_keys(struct session *session, int *ret_count)
{
    const struct scan scan = {.pattern = "i:*",
                              .found = on_found,
                              .moved = on_moved,
                              .arg = ret_count};

    return scan_run(session, &scan);
}

static bool
import_keys(struct session *session, int count, int *ret_count)
{
    struct writer *writer = writer_new(session, WRITER_MSET);
    bool is_good = true;

    if (writer == NULL)
        return session_fail(session, "out of memory");
    for (int i = 0; is_good && i < count; i++)
        is_good = writer_add(writer, bytes_of("i:1"), bytes_of("[]"));
    is_good = is_good && writer_finish(writer);
    *ret_count = (int)writer_confirmed(writer);
    writer_free(writer);
    return is_good;
}

static void
check_end(const struct session_case *c, bool is_good, int count,
          const char *error, bool has_failed)
{
    int total = -1; /* from the second reply */

    CU_ASSERT(is_good == (c->error == NULL) || (has_failed && !is_good));
    CU_ASSERT(!is_good || count == c->want);
    CU_ASSERT(is_good || error[0] != '\0');
    if (has_failed)
        return;
    CU_ASSERT_EQUAL(count, c->want);
    if (c->error == NULL && c->written == 0) {
        (void)sscanf(c->replies + strlen(MASTER), ":%*d\r\n:%d", &total);
        CU_ASSERT_EQUAL(total_told, total);
    }
    if (c->error != NULL)
        CU_ASSERT_STRING_EQUAL(error, c->error);
}

static void
run(const struct session_case *c)
{
    struct session *session = session_new(&redis, LIMIT_MS);
    int count = 0;
    bool is_good = false, has_failed;

    if (session != NULL)
        is_good = session_open(session) &&
                  (c->written > 0 ? import_keys(session, c->written, &count)
                                  : export_keys(session, &count));
    has_failed = memory_stop();
    CU_ASSERT(session != NULL || has_failed);
    if (session != NULL)
        check_end(c, is_good, count, session_error(session), has_failed);
    session_free(session);
}

static void
run_twice(const void *row)
{
    run(row);
    run(row); /* with no failure */
}

TEST_CASES(session, struct session_case, session_rows)
{
    struct reply_server *server = reply_server_start();

    CU_ASSERT_PTR_NOT_NULL_FATAL(server);
    (void)signal(SIGPIPE, SIG_IGN);
    redis = reply_server_place(server);
    reply_server_set(server, c->replies, strlen(c->replies));
    memory_fail_each(run_twice, c);
}
