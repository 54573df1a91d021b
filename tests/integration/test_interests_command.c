/*
 * `scoring interests`: import and export, with a real Redis that is also
 * killed, frozen, slow, or full of other keys. Source: docs/protocol.md, S19.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "support/buffer.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/expect.h"
#include "support/files.h"
#include "support/peer.h"
#include "support/proc.h"
#include "support/redis.h"
#include "support/request.h"
#include "support/stack.h"

#define PASSWORD  "s3cret-of-the-import"
#define LINES_MAX 16384 /* bytes of a command line */

/* 60 batches: with a slow proxy and four pending, more than two seconds. */
#define SLOW_CLIENTS 30720

#define CLIENT(id, json)                                                       \
    "\\{\"client_id\": " id ", \"interests\": " json "\\}\n"
#define LINE(id, json) "{\"client_id\": " id ", \"interests\": " json "}\n"

/* A folder with a Redis, a program that runs, and a proxy in between if there
 * is one. */
struct bench {
    char folder[FILES_PATH_MAX];
    char output[FILES_PATH_MAX]; /* both outputs of the program */
    char url[REDIS_URL_MAX];
    const char *username, *password;
    struct redis redis;
    struct peer *peer;
    struct proc proc;
};

static void
bench_start(struct bench *bench)
{
    *bench = (struct bench){.username = "", .password = PASSWORD};
    CU_ASSERT_TRUE_FATAL(files_folder_make(bench->folder));
    files_path(bench->output, "%s/output", bench->folder);
    CU_ASSERT_TRUE_FATAL(redis_init(&bench->redis, bench->folder, PASSWORD));
    CU_ASSERT_TRUE_FATAL(redis_start(&bench->redis));
    redis_url_unix(&bench->redis, bench->url);
}

static void
bench_end(struct bench *bench)
{
    peer_stop(bench->peer);
    redis_kill(&bench->redis);
    files_folder_remove(bench->folder);
}

/* From now on the program connects through a proxy. */
static void
bench_put_peer(struct bench *bench, enum peer_fault fault)
{
    bench->peer = peer_start(bench->redis.socket);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bench->peer);
    peer_set(bench->peer, fault);
    (void)snprintf(bench->url, sizeof(bench->url), "redis://127.0.0.1:%d",
                   peer_port(bench->peer));
}

/* Starts a shell command in the folder; $scoring is the program. */
static void
bench_begin(struct bench *bench, const char *line)
{
    const char *const binary = getenv("RUN_BINARY");
    char command[LINES_MAX], settings[3][REDIS_URL_MAX + 32];
    const char *const argv[] = {"sh", "-c", command, NULL};
    const char *const environment[] = {"PATH=/usr/bin:/bin", settings[0],
                                       settings[1], settings[2], NULL};
    const struct proc_plan plan = {
        .argv = argv, .environment = environment, .output = bench->output};

    CU_ASSERT_PTR_NOT_NULL_FATAL(binary);
    (void)snprintf(settings[0], sizeof(settings[0]), "REDIS_URL=%s",
                   bench->url);
    (void)snprintf(settings[1], sizeof(settings[1]), "REDIS_PASSWORD=%s",
                   bench->password);
    (void)snprintf(settings[2], sizeof(settings[2]), "REDIS_USERNAME=%s",
                   bench->username);
    (void)snprintf(command, sizeof(command), "cd '%s'; scoring='%s'; %s",
                   bench->folder, binary, line);
    (void)unlink(bench->output);
    CU_ASSERT_TRUE_FATAL(proc_start(&bench->proc, &plan));
}

/* Checks the exit status, and the whole output. */
static void
bench_expect(struct bench *bench, int status, const char *pattern)
{
    char *text;
    bool is_good;

    if (!proc_wait(&bench->proc, CLOCK_PATIENCE_MS))
        proc_kill(&bench->proc);
    text = files_read(bench->output);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    is_good =
        proc_exit_status(&bench->proc) == status && expect_says(text, pattern);
    CU_ASSERT_TRUE(is_good);
    if (!is_good)
        (void)printf("status %d, not %d: %s\n", proc_exit_status(&bench->proc),
                     status, text);
    free(text);
}

static void
bench_run(struct bench *bench, const char *line, int status,
          const char *pattern)
{
    bench_begin(bench, line);
    bench_expect(bench, status, pattern);
}

static void
bench_write(const struct bench *bench, const char *name, const char *text)
{
    char path[FILES_PATH_MAX];

    files_path(path, "%s/%s", bench->folder, name);
    CU_ASSERT_TRUE_FATAL(files_write(path, text));
}

static void
expect_file(const struct bench *bench, const char *name, const char *want)
{
    char path[FILES_PATH_MAX];
    char *text;

    files_path(path, "%s/%s", bench->folder, name);
    text = files_read(path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_STRING_EQUAL(text, want);
    if (strcmp(text, want) != 0)
        (void)printf("%s: %s\n", name, text);
    free(text);
}

static int
compare_texts(const void *a, const void *b)
{
    const redisReply *const *x = a, *const *y = b;

    return strcmp((*x)->str, (*y)->str);
}

/* All keys with their values, "key value\n", in order; to be freed. */
static char *
dump(const struct redis *redis)
{
    redisReply *keys = redis_run(redis, "KEYS *");
    struct buffer text = {0};

    CU_ASSERT_PTR_NOT_NULL_FATAL(keys);
    if (keys->elements > 0)
        qsort(keys->element, keys->elements, sizeof(keys->element[0]),
              compare_texts);
    for (size_t i = 0; i < keys->elements; i++) {
        redisReply *value = redis_run(redis, "GET %s", keys->element[i]->str);

        buffer_printf(&text, "%s %s\n", keys->element[i]->str,
                      value != NULL ? value->str : "(none)");
        freeReplyObject(value);
    }
    freeReplyObject(keys);
    return buffer_take(&text);
}

static void
expect_dump(const struct bench *bench, const char *want)
{
    char *text = dump(&bench->redis);

    CU_ASSERT_STRING_EQUAL(text, want);
    if (strcmp(text, want) != 0)
        (void)printf("the store has: %s\n", text);
    free(text);
}

/* Import. */

/* Before each row the store has i:1 ["old"]. */
#define OLD "i:1 [\"old\"]\n"

struct import_case {
    const char *name, *file;
    int status;
    const char *pattern; /* of the whole output */
    const char *want;    /* the store afterwards */
};

static const struct import_case import_rows[] = {
    {"one client", LINE("2", "[\"books\", \"hi-tech\"]"), EX_OK, "^$",
     OLD "i:2 [\"books\", \"hi-tech\"]\n"},
    {"client known before", LINE("1", "[]"), EX_OK, "^$", "i:1 []\n"},
    {"last line without an end",
     LINE("2", "[]") "{\"client_id\": 3, "
                     "\"interests\": []}",
     EX_OK, "^$", OLD "i:2 []\ni:3 []\n"},
    {"lines of Windows",
     "\xef\xbb\xbf{\"client_id\": 2, \"interests\": []}\r\n\r\n"
     "{\"client_id\": 3, \"interests\": []}\r\n",
     EX_OK, "^$", OLD "i:2 []\ni:3 []\n"},
    {"empty lines", "\n \n" LINE("2", "[]") "\n\n", EX_OK, "^$",
     OLD "i:2 []\n"},
    {"empty file", "", EX_OK, "^$", OLD},
    {"byte order mark alone", "\xef\xbb\xbf", EX_OK, "^$", OLD},
    {"repeated id: the last line counts",
     LINE("2", "[\"a\"]") LINE("3", "[]") LINE("2", "[\"b\"]"), EX_OK, "^$",
     OLD "i:2 [\"b\"]\ni:3 []\n"},
    {"smallest and largest id",
     LINE("-9223372036854775808", "[]") LINE("9223372036854775807", "[]"),
     EX_OK, "^$",
     "i:-9223372036854775808 []\n" OLD "i:9223372036854775807 []\n"},
    {"not ASCII", LINE("2", "[\"\xd0\xba\xd0\xb8\xd0\xbd\xd0\xbe\"]"), EX_OK,
     "^$", OLD "i:2 [\"\xd0\xba\xd0\xb8\xd0\xbd\xd0\xbe\"]\n"},

    {"one bad line among good ones",
     LINE("2", "[]") "\n{\"client_id\": 3}\n" LINE("4", "[]"), EX_DATAERR,
     "^scoring: file:3: interests: is required\n"
     "scoring: file: 1 of 4 lines are bad; nothing is written\n$",
     OLD},
    {"every bad line",
     "x\n" LINE("1.5", "[]") LINE("2", "[1]") "{\"interests\": []}\n[]",
     EX_DATAERR,
     "^scoring: file:1: invalid JSON at byte 0: a value was expected\n"
     "scoring: file:2: client_id: must be an integer of 64 bits\n"
     "scoring: file:3: interests: must be an array of strings\n"
     "scoring: file:4: client_id: is required\n"
     "scoring: file:5: must be a JSON object\n"
     "scoring: file: 5 of 5 lines are bad; nothing is written\n$",
     OLD},
    {"last line cut off", LINE("2", "[]") "{\"client_id\": 3, \"inter",
     EX_DATAERR, "^scoring: file:2: invalid JSON at byte 23: unexpected end",
     OLD},
    {"byte order mark in a later line", LINE("2", "[]") "\xef\xbb\xbf{}",
     EX_DATAERR, "^scoring: file:2: invalid JSON at byte 0: byte order mark\n",
     OLD},
    {"20 bad lines are all shown",
     "1\n1\n1\n1\n1\n1\n1\n1\n1\n1\n"
     "1\n1\n1\n1\n1\n1\n1\n1\n1\n1\n",
     EX_DATAERR, "file:20: must be a JSON object\nscoring: file: 20 of 20 lin",
     OLD},
    {"of 21 bad lines one is not",
     "1\n1\n1\n1\n1\n1\n1\n1\n1\n1\n"
     "1\n1\n1\n1\n1\n1\n1\n1\n1\n1\n1\n",
     EX_DATAERR,
     "file:20: must be a JSON object\nscoring: and 1 more like these\n"
     "scoring: file: 21 of 21 lines are bad; nothing is written\n$",
     OLD},
    {"nothing of a client is told",
     LINE("2", "[\"private\"], \"name\": \"private\""), EX_DATAERR,
     "^scoring: file:1: a member other than client_id and interests\n"
     "scoring: file: 1 of 1 lines",
     OLD},
};

static struct bench shared;

/* One Redis for all rows that do not change it. */
static struct bench *
shared_bench(void)
{
    if (shared.folder[0] == '\0')
        bench_start(&shared);
    redis_url_unix(&shared.redis, shared.url);
    CU_ASSERT_TRUE_FATAL(redis_do(&shared.redis, "FLUSHALL"));
    return &shared;
}

TEST_CASES(import, struct import_case, import_rows)
{
    struct bench *bench = shared_bench();

    CU_ASSERT_TRUE(redis_do(&bench->redis, "SET i:1 [\"old\"]"));
    bench_write(bench, "file", c->file);
    bench_run(bench, "\"$scoring\" interests import file", c->status,
              c->pattern);
    expect_dump(bench, c->want);
}

/* The same two lines from each kind of source. */
struct way_case {
    const char *name, *line;
    int status;
    const char *pattern, *want;
};

#define BOTH "i:2 [\"a\"]\ni:3 []\n"

/* The folder itself, with so many bytes of name; 22 more make a file in it. */
#define SPOOL(bytes)                                                           \
    "TMPDIR=$(printf '%s%*s' \"$PWD\" $((" #bytes                              \
    " - ${#PWD})) '' | tr ' ' /); export TMPDIR; "                             \
    "cat file | \"$scoring\" interests import -"

static const struct way_case way_rows[] = {
    {"redirected", "\"$scoring\" interests import - <file", EX_OK, "^$", BOTH},
    {"from where it stands",
     "{ read -r line; \"$scoring\" interests import -; } <file", EX_OK, "^$",
     "i:3 []\n"},
    {"piped", "cat file | \"$scoring\" interests import -", EX_OK, "^$", BOTH},
    {"piped in pieces",
     "{ head -c 10 file; sleep 0.3; tail -c +11 file; } | "
     "\"$scoring\" interests import -",
     EX_OK, "^$", BOTH},
    {"as a device", "cat file | \"$scoring\" interests import /dev/stdin",
     EX_OK, "^$", BOTH},
    {"piped, with a bad line",
     "{ cat file; echo x; } | \"$scoring\" interests import -", EX_DATAERR,
     "^scoring: standard input:3: invalid JSON at byte 0: a value was "
     "expected\nscoring: standard input: 1 of 3 lines are bad; nothing",
     ""},
    {"piped, more than can be kept",
     "trap '' XFSZ; ulimit -f 2048; head -c 2M /dev/zero | "
     "\"$scoring\" interests import -",
     EX_IOERR,
     "^scoring: the copy of what was sent: File too large; nothing is "
     "written\n$",
     ""},
    {"piped, without a folder to keep it",
     "cat file | TMPDIR=/nonexistent \"$scoring\" interests import -",
     EX_CANTCREAT, "^scoring: /nonexistent: No such file[^\n]*\n$", ""},
    {"piped, to a folder of the longest name", SPOOL(4073), EX_OK, "^$", BOTH},
    {"piped, to a folder of one byte more", SPOOL(4074), EX_CANTCREAT,
     "^scoring: /[^\n]*: File name too long: needed to read [^\n]*\n$", ""},
    {"dry run", "\"$scoring\" interests import --dry-run file", EX_OK, "^$",
     ""},
    {"dry run without a store",
     "REDIS_URL=unix:///nonexistent \"$scoring\" interests import --dry-run "
     "file",
     EX_OK, "^$", ""},
    {"dry run of a bad line",
     "echo x | \"$scoring\" interests import --dry-run -", EX_DATAERR,
     "standard input:1: ", ""},
    {"options in any form", "\"$scoring\" interests import --timeout=7 file",
     EX_OK, "^$", BOTH},
    {"database of the URL",
     "REDIS_URL=$REDIS_URL?db=3 \"$scoring\" interests import file", EX_OK,
     "^$", ""},
    {"no such file", "\"$scoring\" interests import nonexistent", EX_NOINPUT,
     "^scoring: nonexistent: No such file or directory\n$", ""},
    {"a folder", "\"$scoring\" interests import .", EX_NOINPUT,
     "^scoring: \\.: Is a directory\n$", ""},
    {"standard input closed", "\"$scoring\" interests import - <&-", EX_IOERR,
     "^scoring: standard input: Bad file descriptor\n$", ""},
    {"standard input closed, by its path",
     "\"$scoring\" interests import /dev/stdin <&-", EX_IOERR,
     "^scoring: standard input: Bad file descriptor\n$", ""},
    {"standard input that is not for reading",
     "\"$scoring\" interests import - 0>file2", EX_IOERR,
     "^scoring: standard input: Bad file descriptor\n$", ""},
    {"a descriptor", "\"$scoring\" interests import /dev/fd/4 4<file", EX_OK,
     "^$", BOTH},
    {"a descriptor that is closed", "\"$scoring\" interests import /dev/fd/9",
     EX_IOERR, "^scoring: /dev/fd/9: Bad file descriptor\n$", ""},
    {"standard error closed", "\"$scoring\" interests import file 2>&-", EX_OK,
     "^$", BOTH},

    {"no command", "\"$scoring\" interests", EX_USAGE, "command is missing",
     ""},
    {"unknown command", "\"$scoring\" interests move", EX_USAGE,
     "unknown command: move", ""},
    {"no file", "\"$scoring\" interests import", EX_USAGE,
     "an argument is missing", ""},
    {"two files", "\"$scoring\" interests import file file", EX_USAGE,
     "unexpected argument: file", ""},
    {"export to two files", "\"$scoring\" interests export a b", EX_USAGE,
     "unexpected argument: b", ""},
    {"export, dry", "\"$scoring\" interests export --dry-run", EX_USAGE,
     "no such option: --dry-run", ""},
    {"unknown option", "\"$scoring\" interests import --force file", EX_USAGE,
     "no such option: --force", ""},
    {"time limit missing", "\"$scoring\" interests import --timeout", EX_USAGE,
     "a value is missing: --timeout", ""},
    {"time limit of 0", "\"$scoring\" interests import --timeout 0 file",
     EX_USAGE, "integer from 1 to 3600", ""},
    {"time limit of 3600", "\"$scoring\" interests import --timeout 3600 file",
     EX_OK, "^$", BOTH},
    {"time limit of 3601", "\"$scoring\" interests import --timeout 3601 file",
     EX_USAGE, "integer from 1 to 3600", ""},
    {"help", "\"$scoring\" interests --help", EX_OK,
     "^usage: scoring interests import\\|export", ""},
    {"help of import", "\"$scoring\" interests import --help", EX_OK,
     "^usage: scoring interests import .*--dry-run.*--timeout", ""},
    {"help of export", "\"$scoring\" interests export --help", EX_OK,
     "^usage: scoring interests export ", ""},
    {"wrong settings", "REDIS_URL=http://x \"$scoring\" interests import file",
     EX_CONFIG, "^scoring: REDIS_URL: ", ""},
};

TEST_CASES(way, struct way_case, way_rows)
{
    struct bench *bench = shared_bench();

    bench_write(bench, "file", LINE("2", "[\"a\"]") LINE("3", "[]"));
    bench_run(bench, c->line, c->status, c->pattern);
    expect_dump(bench, c->want);
}

/*
 * A line of this length: what surrounds it does not count. Export prints what
 * import has accepted, and import accepts that again.
 */
struct long_case {
    const char *name;
    int length;
    const char *before, *head, *end; /* of the line */
    int status;
};

#define USUAL   "{\"client_id\": 2, \"interests\": [\""
#define COMPACT "{\"client_id\":2,\"interests\":[\""
#define MARK    "\xef\xbb\xbf"

static const struct long_case long_rows[] = {
    {"longest", 131072, "", USUAL, "\n", EX_OK},
    {"one byte longer", 131073, "", USUAL, "\n", EX_DATAERR},
    {"longest, of Windows", 131072, "", USUAL, "\r\n", EX_OK},
    {"one byte longer, of Windows", 131073, "", USUAL, "\r\n", EX_DATAERR},
    {"longest, two carriage returns", 131072, "", USUAL, "\r\r\n", EX_DATAERR},
    {"longest, after a mark", 131072, MARK, USUAL, "\r\n", EX_OK},
    {"one byte longer, after a mark", 131073, MARK, USUAL, "\n", EX_DATAERR},
    {"longest, without spaces", 131072, "", COMPACT, "\n", EX_OK},
    {"longest, without spaces, of Windows", 131072, "", COMPACT, "\r\n", EX_OK},
    {"one byte longer, without spaces", 131073, "", COMPACT, "\n", EX_DATAERR},
    {"longest, without an end", 131072, "", COMPACT, "", EX_OK},
    {"longest, with half an end", 131072, "", COMPACT, "\r", EX_OK},
    {"one byte longer, without an end", 131073, "", COMPACT, "", EX_DATAERR},
    {"a megabyte", 1 << 20, "", USUAL, "\n", EX_DATAERR},
};

TEST_CASES(long_line, struct long_case, long_rows)
{
    struct bench *bench = shared_bench();
    struct buffer file = {0};

    buffer_printf(&file, "%s%s%0*d\"]}%s", c->before, c->head,
                  c->length - (int)strlen(c->head) - 3, 0, c->end);
    bench_write(bench, "file", buffer_text(&file));
    bench_run(bench, "\"$scoring\" interests import file", c->status,
              c->status == EX_OK
                  ? "^$"
                  : "^scoring: file:1: is longer than 131072 bytes\n"
                    "scoring: file: 1 of 1 lines are bad");
    CU_ASSERT_EQUAL(redis_number(&bench->redis, "DBSIZE"), c->status == EX_OK);
    if (c->status == EX_OK)
        bench_run(bench,
                  "\"$scoring\" interests export copy && "
                  "\"$scoring\" interests import copy && "
                  "\"$scoring\" interests export | cmp - copy && "
                  "tr -d ' \\r\\n\\357\\273\\277' <file >a && "
                  "tr -d ' \\n' <copy | cmp - a",
                  EX_OK, "^$");
    buffer_free(&file);
}

/* Clients from 1 to count, each with so many bytes of interests. */
static void
write_many(const struct bench *bench, int count, int width)
{
    struct buffer file = {0};

    for (int i = 1; i <= count; i++)
        buffer_printf(&file, "{\"client_id\": %d, \"interests\": [\"%0*d\"]}\n",
                      i, width, i);
    bench_write(bench, "file", buffer_text(&file));
    buffer_free(&file);
}

#ifdef __SANITIZE_ADDRESS__
#define LIMITED /* ASan has more data than that of its own */
#else
#define LIMITED "ulimit -d 49152; "
#endif

#define MANY 150000 /* of 440 bytes */

/* 68 MB, imported and exported by a process that may have 48 MB of data. */
TEST_SINGLE(many, "clients: there and back in constant memory")
{
    struct bench *bench = shared_bench();

    write_many(bench, MANY, 400);
    bench_run(bench, LIMITED "\"$scoring\" interests import file", EX_OK, "^$");
    CU_ASSERT_EQUAL(redis_number(&bench->redis, "DBSIZE"), MANY);
    bench_run(bench, LIMITED "\"$scoring\" interests export copy", EX_OK, "^$");
    bench_run(bench, "sort -u copy >sorted", EX_OK, "^$");
    bench_run(bench, "sort file | cmp - sorted", EX_OK, "^$");
    CU_ASSERT_TRUE(redis_do(&bench->redis, "FLUSHALL"));
    bench_run(bench, LIMITED "cat copy | \"$scoring\" interests import -",
              EX_OK, "^$");
    CU_ASSERT_EQUAL(redis_number(&bench->redis, "DBSIZE"), MANY);
    bench_write(bench, "copy", "");
}

static const struct stack_plan stack = {.store = STACK_REDIS_TCP};

/* The service answers what was imported. */
TEST_SINGLE(service, "answers what has been imported")
{
    struct bench *bench = shared_bench();
    const struct redis *redis = &stack_shared(&stack)->redis;
    struct http_answer answer;

    redis_url_tcp(redis, bench->url);
    bench->password = STACK_PASSWORD;
    bench_write(bench, "file",
                LINE("2", "[\"books\"]") LINE("-3", "[\"\\u20ac\"]"));
    bench_run(bench, "\"$scoring\" interests import file", EX_OK, "^$");
    bench->password = PASSWORD;
    answer = expect_post(stack_shared(&stack)->port,
                         request_interests("{\"client_ids\": [2, -3, 4]}"));
    expect_response(&answer, "{\"2\": [\"books\"], \"-3\": [\"\xe2\x82\xac\"], "
                             "\"4\": []}");
    http_answer_free(&answer);
}

/* One client. */

struct client_case {
    const char *name;
    const char *before; /* a command to the store, which has i:1 ["old"] */
    const char *arguments;
    int status;
    const char *pattern, *want;
};

#define MAX "9223372036854775807"
#define MIN "-9223372036854775808"

/* A value that makes a line of so many bytes; 32 are around it. */
#define WIDE(bytes) "1 $(head -c $((" #bytes " - 32)) /dev/zero | tr '\\0' x)"

static const struct client_case client_rows[] = {
    {"get", NULL, "get 1", EX_OK, "^" CLIENT("1", "\\[\"old\"\\]") "$", OLD},
    {"get, the smallest id", "SET i:" MIN " []", "get " MIN, EX_OK,
     "^" CLIENT(MIN, "\\[\\]") "$", "i:" MIN " []\n" OLD},
    {"get, behind the end of options", NULL, "get -- 1", EX_OK,
     "^" CLIENT("1", "\\[\"old\"\\]") "$", OLD},
    {"get what is not there", NULL, "get " MAX, EX_OK,
     "^scoring: note: the store has no interests of client " MAX
     "\n" CLIENT(MAX, "\\[\\]") "$",
     OLD},
    {"get what is not there: the note is no part of the output", NULL,
     "get 5 2>/dev/null", EX_OK, "^" CLIENT("5", "\\[\\]") "$", OLD},
    {"get what is damaged", "SET i:2 {}", "get 2", EX_DATAERR,
     "^scoring: i:2: interests: must be an array of strings\n$",
     OLD "i:2 {}\n"},
    {"get, and import it again", NULL,
     "get 1 | \"$scoring\" interests import -", EX_OK, "^$", OLD},
    {"set", NULL, "set 2 books hi-tech", EX_OK, "^$",
     OLD "i:2 [\"books\", \"hi-tech\"]\n"},
    {"set what was something else", NULL, "set 1 new", EX_OK, "^$",
     "i:1 [\"new\"]\n"},
    {"set, values of every kind", NULL, "set -1 'a\"b' -x '' --timeout", EX_OK,
     "^$", "i:-1 [\"a\\\"b\", \"-x\", \"\", \"--timeout\"]\n" OLD},
    {"set, with a time limit", NULL, "set --timeout 5 1 new", EX_OK, "^$",
     "i:1 [\"new\"]\n"},
    {"delete", NULL, "delete 1", EX_OK, "^$", ""},
    {"delete what is not there", NULL, "delete 2", EX_OK,
     "^scoring: note: the store has no interests of client 2\n$", OLD},
    {"delete what is damaged", "SET i:2 {}", "delete 2", EX_OK, "^$", OLD},

    {"no id", NULL, "get", EX_USAGE, "^scoring: interests get: an argument is",
     OLD},
    {"two ids", NULL, "delete 1 2", EX_USAGE, "unexpected argument: 2", OLD},
    {"an empty id", NULL, "delete ''", EX_USAGE, "ID must be an integer", OLD},
    {"an id that is none", NULL, "delete 1x", EX_USAGE, "ID must be an integer",
     OLD},
    {"an id that no key has", NULL, "delete 01", EX_USAGE,
     "without leading zeros: 01\nusage: ", OLD},
    {"an id too large", NULL, "get 9223372036854775808", EX_USAGE,
     "integer of 64 bits", OLD},
    {"an option that is none", NULL, "delete -x 1", EX_USAGE,
     "no such option: -x", OLD},
    {"set to nothing", NULL, "set 1", EX_USAGE, "an argument is missing", OLD},
    {"set to JSON", NULL, "set 1 '[\"new\"]'", EX_USAGE,
     "each interest as an argument, not as JSON", OLD},
    {"set to what is not UTF-8", NULL, "set 1 \"$(printf '\\377')\"", EX_USAGE,
     "must be UTF-8", OLD},
    {"set to one byte too many", NULL, "set " WIDE(131073), EX_USAGE,
     "too long for a line of export", OLD},
};

TEST_CASES(client, struct client_case, client_rows)
{
    struct bench *bench = shared_bench();
    char line[LINES_MAX];

    CU_ASSERT_TRUE(redis_do(&bench->redis, "SET i:1 [\"old\"]"));
    if (c->before != NULL)
        CU_ASSERT_TRUE(redis_do(&bench->redis, c->before));
    (void)snprintf(line, sizeof(line), "\"$scoring\" interests %s",
                   c->arguments);
    bench_run(bench, line, c->status, c->pattern);
    expect_dump(bench, c->want);
}

TEST_SINGLE(client_limits, "of length and type")
{
    struct bench *bench = shared_bench();

    bench_run(bench,
              "\"$scoring\" interests set " WIDE(
                  131072) " && "
                          "test \"$(\"$scoring\" interests get 1 | wc -c)\" "
                          "-eq 131073",
              EX_OK, "^$");
    CU_ASSERT_TRUE(redis_do(&bench->redis, "SET i:3 %s", ""));
    bench_run(bench, "\"$scoring\" interests get 3", EX_OK,
              "^" CLIENT("3", "\\[\\]") "$");
    CU_ASSERT_TRUE(redis_do(&bench->redis, "RPUSH i:2 x"));
    bench_run(bench, "\"$scoring\" interests get 2", EX_DATAERR,
              "^scoring: i:2: is not a string, but of another type\n$");
    bench_run(bench, "\"$scoring\" interests set 2 x", EX_OK, "^$");
    bench_run(bench, "\"$scoring\" interests get 2", EX_OK, "\\[\"x\"\\]");
}

#define MIB 1048576

/* An array without interests: brackets, and line feeds between them. */
static void
set_wide(struct bench *bench, int bytes)
{
    CU_ASSERT_TRUE(redis_do(&bench->redis, "EVAL %s 0 %d",
                            "redis.call('SET', 'i:1', '[' .. "
                            "string.rep('\\n', ARGV[1] - 2) .. ']')",
                            bytes));
}

struct wide_case {
    const char *name;
    int bytes;
    int status;
    const char *pattern;
};

#define TOO_LARGE "^scoring: i:1: is longer than 1 MiB\n"

static const struct wide_case wide_rows[] = {
    {"1 MiB", MIB, EX_OK, "^" CLIENT("1", "\\[\\]") "$"},
    {"a byte more", MIB + 1, EX_DATAERR, TOO_LARGE},
};

/*
 * What the service could not read is the value's fault, and not the store's:
 * S18.3 and S19.9. Export reads without the right to STRLEN.
 */
TEST_CASES(wide, struct wide_case, wide_rows)
{
    struct bench *bench = shared_bench();

    set_wide(bench, c->bytes);
    bench_run(bench, "\"$scoring\" interests get 1", c->status, c->pattern);
    CU_ASSERT_TRUE(redis_do(&bench->redis, "ACL SETUSER importer on >" PASSWORD
                                           " ~i:* -@all +get +scan"));
    bench->username = "importer";
    bench_run(bench, "\"$scoring\" interests export", c->status, c->pattern);
    bench->username = "";
}

/* Without the lengths GET is the first to meet a key of another type. */
TEST_SINGLE(unmeasured, "a key of another type is left out, too")
{
    struct bench *bench = shared_bench();

    CU_ASSERT_TRUE(redis_do(&bench->redis, "RPUSH i:1 x"));
    CU_ASSERT_TRUE(redis_do(&bench->redis, "SET i:2 []"));
    CU_ASSERT_TRUE(redis_do(&bench->redis, "ACL SETUSER importer on >" PASSWORD
                                           " ~i:* -@all +get +scan"));
    bench->username = "importer";
    bench_run(bench, "\"$scoring\" interests export copy", EX_DATAERR,
              "^scoring: i:1: is not a string, but of another type\n"
              "scoring: 1 keys are damaged and left out, 1 clients are "
              "exported\n$");
    bench->username = "";
    expect_file(bench, "copy", LINE("2", "[]"));
}

TEST_SINGLE(overfull, "a value that no reply may have is at fault, too")
{
    struct bench *bench = shared_bench();

    CU_ASSERT_TRUE(redis_do(&bench->redis, "SETRANGE i:1 70000000 x"));
    bench_run(bench, "\"$scoring\" interests get 1", EX_DATAERR, TOO_LARGE "$");
}

/* Each with the one command that it needs, and without it. */
TEST_SINGLE(client_permission, "needed, and no other")
{
    struct bench *bench = shared_bench();

    CU_ASSERT_TRUE(redis_do(&bench->redis, "ACL SETUSER keeper on >" PASSWORD
                                           " ~i:* +get +set +del"));
    bench->username = "keeper";
    bench_run(bench,
              "\"$scoring\" interests set 2 a && \"$scoring\" interests get 2 "
              "&& \"$scoring\" interests delete 2",
              EX_OK, "^" CLIENT("2", "\\[\"a\"\\]") "$");
    CU_ASSERT_TRUE(redis_do(&bench->redis, "ACL SETUSER keeper -del -set"));
    bench_run(bench, "\"$scoring\" interests delete 2", EX_UNAVAILABLE,
              "^scoring: the store: [^ ]*: the user lacks a permission "
              "\\(NOPERM\\)");
    bench_run(bench, "\"$scoring\" interests set 2 a", EX_UNAVAILABLE,
              "\\(NOPERM\\)");
    bench->username = "";
}

/* Export. */

struct export_case {
    const char *name;
    const char *command[4]; /* to fill the store */
    int status;
    const char *pattern;
    const char *want; /* the file; NULL: its lines come in any order */
};

#define KEY_OF_31 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define KEY_OF_62 KEY_OF_31 KEY_OF_31
#define KEY_OF_64 "xx" KEY_OF_62

static const struct export_case export_rows[] = {
    {"nothing", {NULL}, EX_OK, "^$", ""},
    {"one client", {"SET i:1 [\"a\"]"}, EX_OK, "^$", LINE("1", "[\"a\"]")},
    {"other keys are not looked at",
     {"SET uid:1 5.0", "SET x 1", "RPUSH ii:1 1", "SET i:1 []"},
     EX_OK,
     "^$",
     LINE("1", "[]")},
    {"not JSON",
     {"SET i:1 books", "SET i:2 []"},
     EX_DATAERR,
     "^scoring: i:1: interests: must be an array of strings\n"
     "scoring: 1 keys are damaged and left out, 1 clients are exported\n$",
     LINE("2", "[]")},
    {"number in it",
     {"SET i:1 [1]"},
     EX_DATAERR,
     "^scoring: i:1: interests: must be",
     ""},
    {"another type",
     {"RPUSH i:1 books", "SET i:2 []"},
     EX_DATAERR,
     "^scoring: i:1: is not a string, but of another type\nscoring: 1 keys",
     LINE("2", "[]")},
    {"no id",
     {"SET i:x []"},
     EX_DATAERR,
     "^scoring: i:x: there is no such",
     ""},
    {"no id, of another type",
     {"RPUSH i:01 x"},
     EX_DATAERR,
     "^scoring: i:01: there is no such client id\n",
     ""},
    {"what a terminal would obey",
     {"SET i:\033]0;x []"},
     EX_DATAERR,
     "^scoring: i:\\?\\]0;x: there is no such client id\n",
     ""},
    {"a long key, which may be anything",
     {"SET i:" KEY_OF_64 KEY_OF_64 KEY_OF_64 " []", "SET i:2 []"},
     EX_DATAERR,
     "^scoring: i:" KEY_OF_62 "\\.\\.\\.: there is no such client id\n",
     LINE("2", "[]")},
    {"a key of 64 bytes",
     {"SET i:" KEY_OF_62 " []"},
     EX_DATAERR,
     "^scoring: i:" KEY_OF_62 ": there is no such client id\n",
     ""},
    {"of 1 MiB: read, and too long for a line",
     {"SETRANGE i:1 1048575 x", "SET i:2 []"},
     EX_DATAERR,
     "^scoring: i:1: interests: must be an array of strings\n",
     LINE("2", "[]")},
    {"of one byte more",
     {"SETRANGE i:1 1048576 x", "SET i:2 []"},
     EX_DATAERR,
     "^scoring: i:1: is longer than 1 MiB\nscoring: 1 keys are damaged",
     LINE("2", "[]")},
    {"of 70 MB, and the rest is there",
     {"SETRANGE i:1 70000000 x", "SET i:2 []", "SET i:3 []"},
     EX_DATAERR,
     "^scoring: i:1: is longer than 1 MiB\n"
     "scoring: 1 keys are damaged and left out, 2 clients are exported\n$",
     NULL},
    {"several at once",
     {"RPUSH i:1 a", "HSET i:2 a b", "SADD i:3 a", "SET i:4 []"},
     EX_DATAERR,
     "scoring: 3 keys are damaged and left out, 1 clients are exported\n$",
     LINE("4", "[]")},
};

TEST_CASES(export, struct export_case, export_rows)
{
    struct bench *bench = shared_bench();

    for (size_t i = 0; i < 4 && c->command[i] != NULL; i++)
        CU_ASSERT_TRUE(redis_do(&bench->redis, c->command[i]));
    bench_run(bench, "\"$scoring\" interests export copy", c->status,
              c->pattern);
    if (c->want != NULL)
        expect_file(bench, "copy", c->want);
}

/* A page of valid values, of 70 MB together. */
TEST_SINGLE(large_page, "comes in parts, in constant memory")
{
    struct bench *bench = shared_bench();

    CU_ASSERT_TRUE(redis_do(
        &bench->redis, "EVAL %s 0",
        "local text = '[' .. string.rep(string.rep(' ', 1000), 700) .. "
        "']' for i = 1, 100 do redis.call('SET', 'i:' .. i, text) "
        "end"));
    bench_run(bench,
              LIMITED "\"$scoring\" interests export copy 2>said; "
                      "grep -c 'is longer than 131072' said; "
                      "tail -n +21 said; wc -l <copy",
              EX_OK,
              "^20\nscoring: and 80 more like these\n"
              "scoring: 100 keys are damaged and left out, 0 clients are "
              "exported\n0\n$");
    bench_write(bench, "copy", "");
}

/* redis_do() would cut there. */
TEST_SINGLE(space, "in a key is shown as what a terminal would obey")
{
    struct bench *bench = shared_bench();

    CU_ASSERT_TRUE(redis_do(&bench->redis, "SET %s []", "i: !"));
    bench_run(bench, "\"$scoring\" interests export copy", EX_DATAERR,
              "^scoring: i:\\?!: there is no such client id\n");
}

/* Values with what redis_do() would cut at: as they are set by hand. */
TEST_SINGLE(round_trip, "of all that the service reads")
{
    static const char *const values[][2] = {
        {"i:1", ""},
        {"i:2", " [ \"a\" ,\n\t\"b\" ]\r\n"},
        {"i:3", "[\"\\u20ac\", \"\\ud800\", \"\\u0000\", \"\xe2\x82\xac\"]"},
        {"i:-4", "[\"\\\"\\\\\\n]\"]"},
    };
    static const char want[] = LINE("-4", "[\"\\\"\\\\\\n]\"]") LINE("1", "[]")
        LINE("2", "[ \"a\" ,\t\"b\" ]")
            LINE("3", "[\"\\u20ac\", \"\\ud800\", \"\\u0000\", "
                      "\"\xe2\x82\xac\"]");
    struct bench *bench = shared_bench();

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        CU_ASSERT_TRUE(
            redis_do(&bench->redis, "SET %s %s", values[i][0], values[i][1]));
    bench_run(bench, "\"$scoring\" interests export | LC_ALL=C sort >copy",
              EX_OK, "^$");
    expect_file(bench, "copy", want);
    CU_ASSERT_TRUE(redis_do(&bench->redis, "FLUSHALL"));
    bench_run(bench,
              "\"$scoring\" interests import copy && "
              "\"$scoring\" interests export - | LC_ALL=C sort >copy2",
              EX_OK, "^$");
    expect_file(bench, "copy2", want);
}

/*
 * Destinations of an export. The store has client 1; the file copy has "old".
 */
struct file_case {
    const char *name, *line;
    int status;
    const char *pattern, *want;
};

#define ONE LINE("1", "[]")

/* A path of so many bytes, below a folder that there is not. */
#define NAME(bytes)                                                            \
    "\"$scoring\" interests export "                                           \
    "\"none$(printf '%*s' $((" #bytes " - 5)) '' | tr ' ' /)x\""
#define TOO_LONG "^scoring: none/*x: File name too long\n$"

static const struct file_case file_rows[] = {
    {"a file, replaced", "\"$scoring\" interests export copy", EX_OK, "^$",
     ONE},
    {"its owner's alone",
     "chmod 644 copy; umask 0; \"$scoring\" interests export copy; "
     "stat -c %a copy",
     EX_OK, "^600\n$", ONE},
    {"behind a link",
     "ln -s copy link; \"$scoring\" interests export link; readlink link",
     EX_OK, "^copy\n$", ONE},
    {"standard output", "\"$scoring\" interests export >copy", EX_OK, "^$",
     ONE},
    {"standard output by its name", "\"$scoring\" interests export - >copy",
     EX_OK, "^$", ONE},
    {"a device", "\"$scoring\" interests export /dev/stdout | cat >copy", EX_OK,
     "^$", ONE},
    {"standard output, appended to",
     "\"$scoring\" interests export /dev/stdout >>copy", EX_OK, "^$",
     "old" ONE},
    {"a descriptor", "\"$scoring\" interests export /dev/fd/4 4>>copy", EX_OK,
     "^$", "old" ONE},
    {"standard output closed", "\"$scoring\" interests export >&-", EX_IOERR,
     "^scoring: standard output: Bad file descriptor\n$", "old"},
    {"standard output closed, by its path",
     "\"$scoring\" interests export /dev/stdout >&-", EX_IOERR,
     "^scoring: standard output: Bad file descriptor\n$", "old"},
    {"standard output that is not for writing",
     "\"$scoring\" interests export 1<copy", EX_IOERR,
     "^scoring: standard output: Bad file descriptor\n$", "old"},
    {"a pipe without a reader",
     "{ \"$scoring\" interests export 2>said; echo $? >>said; } | sleep 0; "
     "sleep 0.2; cat said",
     EX_OK, "^$|Broken pipe\n74\n$|^0\n$", "old"},
    {"a named pipe",
     "mkfifo link; cat link >copy & \"$scoring\" interests export link; wait",
     EX_OK, "^$", ONE},
    {"a hard link, which is no more",
     "ln copy link; \"$scoring\" interests export copy; cat link", EX_OK,
     "^old$", ONE},
    {"behind a link to nothing",
     "rm copy; ln -s copy link; \"$scoring\" interests export link; "
     "readlink link",
     EX_OK, "^copy\n$", ONE},
    {"behind two links, of which one is relative",
     "mkdir d; ln -s ../copy d/a; ln -s \"$PWD/d/a\" link; "
     "\"$scoring\" interests export link; rm -r d",
     EX_OK, "^$", ONE},
    {"no name", "\"$scoring\" interests export ''", EX_CANTCREAT,
     "^scoring: : No such file or directory\n$", "old"},
    {"a file that is ours, in a folder for all",
     "mkdir -m 1777 d; mv copy d; \"$scoring\" interests export d/copy; "
     "mv d/copy .; rmdir d",
     EX_OK, "^$", ONE},
    {"a file as large as may be",
     "ulimit -f 0; \"$scoring\" interests export copy", EX_IOERR, "^$",
     "old"}, /* so is what it says */
    {"no such folder", "\"$scoring\" interests export none/copy", EX_CANTCREAT,
     "^scoring: none/copy: No such file or directory\n$", "old"},
    {"a folder", "\"$scoring\" interests export .", EX_CANTCREAT,
     "^scoring: \\.: Is a directory\n$", "old"},
    {"a link in a circle",
     "ln -s link link; \"$scoring\" interests export link; readlink link",
     EX_OK, "^scoring: link: Too many levels of symbolic links\nlink\n$",
     "old"},
    {"a file as a folder", "\"$scoring\" interests export copy/copy",
     EX_CANTCREAT, "^scoring: copy/copy: Not a directory\n$", "old"},
    {"a name of 4095 bytes", NAME(4095), EX_CANTCREAT, TOO_LONG, "old"},
    {"a name of 4096 bytes", NAME(4096), EX_CANTCREAT, TOO_LONG, "old"},
    {"a name of 9000 bytes", NAME(9000), EX_CANTCREAT, TOO_LONG, "old"},
    {"a full disk", "\"$scoring\" interests export >/dev/full", EX_IOERR,
     "^scoring: standard output: No space left on device\n$", "old"},
    {"a full disk by its name", "\"$scoring\" interests export /dev/full",
     EX_IOERR, "^scoring: /dev/full: No space left on device\n$", "old"},
    {"a file too large",
     "ulimit -f 0; trap '' XFSZ; exec 2>&-; \"$scoring\" interests export copy",
     EX_IOERR, "^$", "old"},
    {"without a store",
     "REDIS_URL=unix:///nonexistent \"$scoring\" interests export copy",
     EX_UNAVAILABLE,
     "^scoring: the store: /nonexistent: connection failed: No such file or "
     "directory\n$",
     "old"},
};

/* In any case no other file is left. */
TEST_CASES(file, struct file_case, file_rows)
{
    struct bench *bench = shared_bench();
    char line[LINES_MAX];

    CU_ASSERT_TRUE(redis_do(&bench->redis, "SET i:1 []"));
    bench_write(bench, "copy", "old");
    bench_run(bench, c->line, c->status, c->pattern);
    expect_file(bench, "copy", c->want);
    (void)snprintf(line, sizeof(line), "rm -f link; ls -A | grep 'copy\\.'");
    bench_run(bench, line, 1, "^$");
}

/*
 * A file that another user has placed in a folder for all, to misuse root or
 * another user. It is not touched.
 */
struct planted_case {
    const char *name;
    const char *plant; /* in the folder d, by a user who is nobody of ours */
    const char *user;  /* who exports; "": root */
    const char *pattern;
};

#define NOBODY "setpriv --reuid 65534 --regid 65534 --clear-groups "
#define DENIED "^scoring: d/copy: Permission denied\n$"

static const struct planted_case planted_rows[] = {
    {"a file", "echo his >d/copy; chmod 666 d/copy", "", DENIED},
    {"a link to a file of ours", "ln -s ../copy d/copy", "", DENIED},
    {"a link to nothing", "ln -s ../new d/copy", "", DENIED},
    {"a pipe", "mkfifo -m 666 d/copy", "", DENIED},
    {"a link, for a third user", "ln -s ../copy d/copy",
     "setpriv --reuid 65533 --regid 65533 --clear-groups ", DENIED},
};

TEST_CASES(planted, struct planted_case, planted_rows)
{
    struct bench *bench = shared_bench();
    char line[LINES_MAX];

    if (geteuid() != 0) {
        cases_skip("only root can be somebody else");
        return;
    }
    CU_ASSERT_TRUE(redis_do(&bench->redis, "SET i:1 []"));
    bench_write(bench, "copy", "old");
    (void)snprintf(
        line, sizeof(line),
        "umask 0; chmod 711 .; mkdir -m 1777 d; " NOBODY
        "sh -c '%s'; ls -l d >before; %s\"$scoring\" interests export "
        "d/copy; status=$?; ls -l d | cmp before - || exit 1; "
        "exit $status",
        c->plant, c->user);
    bench_run(bench, line, EX_CANTCREAT, c->pattern);
    expect_file(bench, "copy", "old");
    bench_run(bench, "ls new; rm -r d before", EX_OK, "No such file");
}

/* Files of others that are replaced, because who made them is trusted, or the
 * folder is not for all. */
struct trusted_case {
    const char *name;
    const char *folder; /* commands that make the folder d */
};

#define HIS "echo his >d/copy; chown 65534 d/copy"

static const struct trusted_case trusted_rows[] = {
    {"a file of the folder's owner", "mkdir -m 1777 d; chown 65534 d; " HIS},
    {"in a folder without the sticky bit", "mkdir -m 777 d; " HIS},
    {"in a folder that only its owner may write to", "mkdir -m 1755 d; " HIS},
};

TEST_CASES(trusted, struct trusted_case, trusted_rows)
{
    struct bench *bench = shared_bench();
    char line[LINES_MAX];

    if (geteuid() != 0) {
        cases_skip("only root can be somebody else");
        return;
    }
    CU_ASSERT_TRUE(redis_do(&bench->redis, "SET i:1 []"));
    (void)snprintf(line, sizeof(line),
                   "umask 0; %s; \"$scoring\" interests export d/copy; "
                   "status=$?; cat d/copy; rm -r d; exit $status",
                   c->folder);
    bench_run(bench, line, EX_OK, "^" CLIENT("1", "\\[\\]") "$");
}

TEST_SINGLE(unwritable, "a folder keeps its file, though that could be written")
{
    struct bench *bench = shared_bench();

    if (geteuid() != 0) {
        cases_skip("only root can be somebody else");
        return;
    }
    CU_ASSERT_TRUE(redis_do(&bench->redis, "SET i:1 []"));
    bench_run(bench,
              "chmod 711 .; chmod 777 redis.sock; mkdir d; echo old >d/copy; "
              "chmod 666 d/copy; " NOBODY
              "\"$scoring\" interests export d/copy; "
              "echo $?; cat d/copy; ls d; rm -r d",
              EX_OK, "^scoring: d/copy: Permission denied\n73\nold\ncopy\n$");
}

/* A store that refuses or fails. */

struct refusal_case {
    const char *name;
    const char *before, *after; /* commands to the Redis; or NULL */
    const char *username, *password;
    const char *line;
    const char *pattern;
};

#define IMPORT "\"$scoring\" interests import file"
#define EXPORT "\"$scoring\" interests export"

static const struct refusal_case refusal_rows[] = {
    {"wrong password, import", NULL, NULL, "", "wrong", IMPORT,
     "^scoring: the store: [^ ]*: the password was refused \\(WRONGPASS\\); "
     "nothing "
     "is written\n$"},
    {"wrong password, export", NULL, NULL, "", "wrong", EXPORT,
     "^scoring: the store: [^ ]*: the password was refused \\(WRONGPASS\\)\n$"},
    {"no password", NULL, NULL, "", "", IMPORT,
     "^scoring: the store: [^ ]*: a password is needed \\(NOAUTH\\); nothing"},
    {"user who may only read",
     "ACL SETUSER reader on >" PASSWORD " ~i:* +get +mget +exists", NULL,
     "reader", PASSWORD, IMPORT,
     "^scoring: file: the user lacks a permission \\(NOPERM\\): MSET; at least "
     "the "
     "first 0 clients are written: run it again\n$"},
    {"user who may not scan",
     "ACL SETUSER reader on >" PASSWORD " ~i:* +get +mget +exists", NULL,
     "reader", PASSWORD, EXPORT,
     "^scoring: the store: [^ ]*: the user lacks a permission \\(NOPERM\\): "
     "SCAN\n$"},
    {"full store", "CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "",
     PASSWORD, IMPORT,
     "^scoring: file: the server is out of memory \\(OOM\\); at least the "
     "first 0 clients are written"},
    {"database out of range", NULL, NULL, "", PASSWORD,
     "REDIS_URL=$REDIS_URL?db=99 " IMPORT,
     "^scoring: the store: [^ ]*: the database number was refused; nothing"},
    {"nothing listens", NULL, NULL, "", PASSWORD,
     "REDIS_URL=redis://127.0.0.1:1 " IMPORT,
     "^scoring: the store: 127\\.0\\.0\\.1:1: connection refused; nothing is "
     "written\n$"},
    {"name unknown", NULL, NULL, "", PASSWORD,
     "REDIS_URL=redis://name.invalid " EXPORT,
     "^scoring: the store: name.invalid:6379: host name name.invalid does not "
     "resolve[^\n]*\n$"},
};

TEST_CASES(refusal, struct refusal_case, refusal_rows)
{
    struct bench *bench = shared_bench();

    if (c->before != NULL)
        CU_ASSERT_TRUE(redis_do(&bench->redis, c->before));
    bench->username = c->username;
    bench->password = c->password;
    bench_write(bench, "file", LINE("2", "[]"));
    bench_run(bench, c->line, EX_UNAVAILABLE, c->pattern);
    bench->username = "";
    bench->password = PASSWORD;
    if (c->after != NULL)
        CU_ASSERT_TRUE(redis_do(&bench->redis, c->after));
    expect_dump(bench, "");
}

/* A user with exactly these permissions can do it. */
TEST_SINGLE(permission, "needed, and no other")
{
    struct bench *bench = shared_bench();

    CU_ASSERT_TRUE(redis_do(&bench->redis, "ACL SETUSER importer on >" PASSWORD
                                           " ~i:* +mset +get +scan"));
    bench->username = "importer";
    bench_write(bench, "file", LINE("2", "[]"));
    bench_run(bench, IMPORT, EX_OK, "^$");
    bench_run(bench, EXPORT, EX_OK,
              "^"
              "\\{\"client_id\": 2, ");
    bench->username = "";
}

struct fault_case {
    const char *name;
    enum peer_fault fault;
    const char *pattern; /* what the store is said to do */
};

static const struct fault_case fault_rows[] = {
    {"silent", PEER_SILENT, "no answer within 1000 ms"},
    {"closes", PEER_CLOSE, "the connection broke"},
    {"garbage", PEER_GARBAGE, "not an answer of Redis"},
    {"half a reply", PEER_HALF, "the connection broke"},
};

/* In one line, and at once or at the time limit. */
TEST_CASES(fault, struct fault_case, fault_rows)
{
    static const char *const lines[] = {
        "\"$scoring\" interests import --timeout 1 file",
        "\"$scoring\" interests export --timeout 1 copy",
        "\"$scoring\" interests get --timeout 1 2",
        "\"$scoring\" interests set --timeout 1 2 a",
        "\"$scoring\" interests delete --timeout 1 2"};
    char pattern[256];
    struct bench bench;
    int64_t began_ms;

    bench_start(&bench);
    bench_put_peer(&bench, c->fault);
    bench_write(&bench, "file", LINE("2", "[]"));
    (void)snprintf(pattern, sizeof(pattern),
                   "^scoring: the store: [^ ]*: %s[^\n]*\n$", c->pattern);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        began_ms = clock_ms();
        bench_run(&bench, lines[i], EX_UNAVAILABLE, pattern);
        CU_ASSERT_TRUE(clock_ms() - began_ms < CLOCK_PATIENCE_MS);
    }
    bench_end(&bench);
}

static bool
has_keys(void *arg)
{
    return redis_number(arg, "DBSIZE") > 0;
}

/* What happens in the middle of an import. */
struct midway_case {
    const char *name;
    void (*act)(struct bench *bench);
    int status;
    const char *pattern;
};

static void
kill_store(struct bench *bench)
{
    redis_kill(&bench->redis);
}

static void
freeze_store(struct bench *bench)
{
    redis_freeze(&bench->redis);
}

static void
press_ctrl_c(struct bench *bench)
{
    proc_signal(&bench->proc, SIGINT);
}

static void
terminate(struct bench *bench)
{
    proc_signal(&bench->proc, SIGTERM);
}

static void
hang_up(struct bench *bench)
{
    proc_signal(&bench->proc, SIGHUP);
    proc_signal(&bench->proc, SIGHUP); /* a shell adds its own */
}

static void
fill_store(struct bench *bench)
{
    CU_ASSERT_TRUE(redis_do(&bench->redis, "CONFIG SET maxmemory 1"));
}

static void
empty_file(struct bench *bench)
{
    bench_write(bench, "file", "");
}

/* To a length that ends with a line, of which not all has been read yet. */
static void
cut_file(struct bench *bench)
{
    char path[FILES_PATH_MAX], *text, *end;

    files_path(path, "%s/file", bench->folder);
    text = files_read(path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    end = strstr(text, "{\"client_id\": 30000,");
    CU_ASSERT_PTR_NOT_NULL_FATAL(end);
    CU_ASSERT_EQUAL(truncate(path, end - text), 0);
    free(text);
}

/* A client that has not been read again yet gets another id. */
static void
change_client(struct bench *bench)
{
    char path[FILES_PATH_MAX], *text;
    const char *client;
    int fd;

    files_path(path, "%s/file", bench->folder);
    text = files_read(path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    client = strstr(text, "30000,");
    CU_ASSERT_PTR_NOT_NULL_FATAL(client);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    CU_ASSERT_EQUAL(pwrite(fd, "39999,", 6, client - text), 6);
    (void)close(fd);
    free(text);
}

#define FAR "; at least the first [0-9]+ clients are written: run it again\n$"

static const struct midway_case midway_rows[] = {
    {"store killed", kill_store, EX_UNAVAILABLE,
     "^scoring: file: the connection broke[^\n]*" FAR},
    {"store frozen", freeze_store, EX_UNAVAILABLE,
     "^scoring: file: no answer within 2000 ms" FAR},
    {"store full", fill_store, EX_UNAVAILABLE,
     "^scoring: file: the server is out of memory \\(OOM\\)" FAR},
    {"SIGINT", press_ctrl_c, 128 + SIGINT, "^scoring: file: interrupted" FAR},
    {"SIGTERM", terminate, 128 + SIGTERM, "^scoring: file: interrupted" FAR},
    {"SIGHUP", hang_up, 128 + SIGHUP, "^scoring: file: interrupted" FAR},
    {"file cut behind a line", cut_file, EX_DATAERR,
     "^scoring: file: the file has changed since it was checked" FAR},
    {"file with another client", change_client, EX_DATAERR,
     "^scoring: file: the file has changed since it was checked" FAR},
    {"file emptied", empty_file, EX_DATAERR,
     "^scoring: file: the file has changed since it was checked" FAR},
};

/* Import reports how far it came, and a second run writes everything. */
TEST_CASES(midway, struct midway_case, midway_rows)
{
    struct bench bench;

    bench_start(&bench);
    bench_put_peer(&bench, PEER_SLOW);
    write_many(&bench, SLOW_CLIENTS, 8);
    bench_begin(&bench, "exec \"$scoring\" interests import --timeout 2 file");
    CU_ASSERT_TRUE(clock_wait(has_keys, &bench.redis, CLOCK_PATIENCE_MS));
    c->act(&bench);
    bench_expect(&bench, c->status, c->pattern);

    redis_kill(&bench.redis);
    CU_ASSERT_TRUE_FATAL(redis_start(&bench.redis));
    peer_set(bench.peer, PEER_NONE);
    write_many(&bench, SLOW_CLIENTS, 8);
    bench_run(&bench, IMPORT, EX_OK, "^$");
    CU_ASSERT_EQUAL(redis_number(&bench.redis, "DBSIZE"), SLOW_CLIENTS);
    bench_end(&bench);
}

static bool
has_temporary(void *arg)
{
    const struct bench *bench = arg;
    DIR *folder = opendir(bench->folder);
    const struct dirent *item;
    bool is_there = false;

    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    while ((item = readdir(folder)) != NULL)
        is_there = is_there || strncmp(item->d_name, "copy.", 5) == 0;
    (void)closedir(folder);
    return is_there;
}

/* An export to "copy" that takes long, and has begun. */
static void
begin_export(struct bench *bench, int clients, const char *first)
{
    char line[LINES_MAX];

    write_many(bench, clients, 8);
    bench_run(bench, IMPORT, EX_OK, "^$");
    bench_put_peer(bench, PEER_SLOW);
    (void)snprintf(line, sizeof(line),
                   "%sexec \"$scoring\" interests export copy", first);
    bench_begin(bench, line);
    CU_ASSERT_TRUE(clock_wait(has_temporary, bench, CLOCK_PATIENCE_MS));
}

struct ended_case {
    const char *name;
    void (*act)(struct bench *bench);
    int status;
    const char *pattern;
};

static const struct ended_case ended_rows[] = {
    {"store killed", kill_store, EX_UNAVAILABLE,
     "^scoring: the store: [^ ]*: the connection broke[^\n]*\n$"},
    {"SIGINT", press_ctrl_c, 128 + SIGINT, "^scoring: copy: interrupted\n$"},
    {"SIGTERM", terminate, 128 + SIGTERM, "^scoring: copy: interrupted\n$"},
    {"SIGHUP", hang_up, 128 + SIGHUP, "^scoring: copy: interrupted\n$"},
};

/* An export that ends early leaves the previous file. */
TEST_CASES(ended, struct ended_case, ended_rows)
{
    struct bench bench;

    bench_start(&bench);
    bench_write(&bench, "copy", "old");
    begin_export(&bench, SLOW_CLIENTS, "");
    c->act(&bench);
    bench_expect(&bench, c->status, c->pattern);
    expect_file(&bench, "copy", "old");
    CU_ASSERT_FALSE(has_temporary(&bench));
    bench_end(&bench);
}

TEST_SINGLE(nohup, "what is told to ignore SIGHUP goes on")
{
    struct bench bench;

    bench_start(&bench);
    begin_export(&bench, SLOW_CLIENTS, "trap '' HUP; ");
    hang_up(&bench);
    peer_set(bench.peer, PEER_NONE);
    bench_expect(&bench, EX_OK, "^$");
    bench_end(&bench);
}

static void
make_folder(struct bench *bench)
{
    struct bench change = *bench;

    files_path(change.output, "%s/change", bench->folder);
    bench_begin(&change, "rm copy && mkdir copy");
    bench_expect(&change, EX_OK, "^$");
}

TEST_SINGLE(unfinished, "an export that cannot take its name says so")
{
    struct bench bench;

    bench_start(&bench);
    bench_write(&bench, "copy", "old");
    begin_export(&bench, SLOW_CLIENTS, "");
    make_folder(&bench);
    peer_set(bench.peer, PEER_NONE); /* fast from here on */
    bench_expect(&bench, EX_IOERR, "^scoring: copy: Is a directory\n$");
    CU_ASSERT_FALSE(has_temporary(&bench));
    bench_end(&bench);
}

/* Keys that are deleted between SCAN and GET are left out. */
TEST_SINGLE(vanishing, "keys are left out of an export")
{
    struct bench bench;

    bench_start(&bench);
    begin_export(&bench, 2560, "");
    clock_sleep_ms(3 * PEER_SLOW_MS);
    CU_ASSERT_TRUE(redis_do(&bench.redis, "FLUSHALL"));
    bench_expect(&bench, EX_OK, "^$");
    bench_run(&bench, "\"$scoring\" interests import --dry-run copy", EX_OK,
              "^$");
    bench_end(&bench);
}

static bool
catches_term(void *arg)
{
    const struct proc *proc = arg;
    char path[FILES_PATH_MAX];
    unsigned long long mask = 0;
    const char *at;
    char *text;

    files_path(path, "/proc/%d/status", (int)proc->pid);
    text = files_read(path);
    at = text != NULL ? strstr(text, "SigCgt:") : NULL;
    if (at != NULL)
        mask = strtoull(at + strlen("SigCgt:"), NULL, 16);
    free(text);
    return (mask >> (SIGTERM - 1) & 1) != 0;
}

/* A named pipe that nobody writes to: it cannot even be opened. */
TEST_SINGLE(opening, "a pipe ends by a signal, too")
{
    struct bench *bench = shared_bench();
    char path[FILES_PATH_MAX];

    files_path(path, "%s/fifo", bench->folder);
    CU_ASSERT_EQUAL_FATAL(mkfifo(path, 0600), 0);
    bench_begin(bench, "exec \"$scoring\" interests import fifo");
    CU_ASSERT_TRUE(clock_wait(catches_term, &bench->proc, CLOCK_PATIENCE_MS));
    proc_signal(&bench->proc, SIGTERM);
    bench_expect(bench, 128 + SIGTERM, "^scoring: fifo: interrupted\n$");
    (void)unlink(path);
}

/* Where input is copied that can be read only once. */
struct spool_case {
    const char *name;
    const char *setting; /* before the command */
    bool is_ours;        /* the folder of the row; else /tmp */
};

static const struct spool_case spool_rows[] = {
    {"to TMPDIR", "TMPDIR=\"$PWD\"; export TMPDIR; ", true},
    {"to /tmp", "", false},
    {"to /tmp, as TMPDIR is empty", "TMPDIR=; export TMPDIR; ", false},
};

/* The file in the process's descriptor table that has no name any more. */
struct spool {
    const struct proc *proc;
    char want[FILES_PATH_MAX]; /* the beginning of its path */
};

static bool
has_spool(void *arg)
{
    static const char end[] = " (deleted)";
    const struct spool *spool = arg;
    bool is_there = false;

    for (int fd = STDERR_FILENO + 1; fd < 20 && !is_there; fd++) {
        char path[FILES_PATH_MAX], target[2 * FILES_PATH_MAX] = "";
        ssize_t length;

        files_path(path, "/proc/%d/fd/%d", (int)spool->proc->pid, fd);
        length = readlink(path, target, sizeof(target) - 1);
        is_there = length > (ssize_t)sizeof(end) &&
                   strncmp(target, spool->want, strlen(spool->want)) == 0 &&
                   strcmp(target + length - (ssize_t)sizeof(end) + 1, end) == 0;
    }
    return is_there;
}

TEST_CASES(spool, struct spool_case, spool_rows)
{
    struct bench *bench = shared_bench();
    struct spool spool = {.proc = &bench->proc};
    char path[FILES_PATH_MAX], line[LINES_MAX];
    char *folder = realpath(c->is_ours ? bench->folder : "/tmp", NULL);
    int fd;

    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    files_path(spool.want, "%s/scoring-import-", folder);
    files_path(path, "%s/fifo", bench->folder);
    CU_ASSERT_EQUAL_FATAL(mkfifo(path, 0600), 0);
    fd = open(path, O_RDWR | O_CLOEXEC);
    (void)snprintf(line, sizeof(line),
                   "%sexec \"$scoring\" interests import - <fifo", c->setting);
    bench_begin(bench, line);
    CU_ASSERT_TRUE(clock_wait(has_spool, &spool, CLOCK_PATIENCE_MS));
    proc_signal(&bench->proc, SIGTERM);
    bench_expect(bench, 128 + SIGTERM, "interrupted; nothing is written\n$");
    (void)close(fd);
    (void)unlink(path);
    free(folder);
}

/* Nothing comes through the pipe, and nothing ever would. */
TEST_SINGLE(waiting, "for input ends by a signal, too")
{
    struct bench *bench = shared_bench();
    char path[FILES_PATH_MAX];
    int fd;

    files_path(path, "%s/fifo", bench->folder);
    CU_ASSERT_EQUAL_FATAL(mkfifo(path, 0600), 0);
    fd = open(path, O_RDWR | O_CLOEXEC);
    bench_begin(bench, "exec \"$scoring\" interests import - <fifo");
    CU_ASSERT_TRUE(clock_wait(catches_term, &bench->proc, CLOCK_PATIENCE_MS));
    proc_signal(&bench->proc, SIGTERM);
    bench_expect(bench, 128 + SIGTERM,
                 "^scoring: standard input: interrupted; nothing is written");
    (void)close(fd);
    (void)unlink(path);
}

/* On a terminal, which script(1) makes. */
struct terminal_case {
    const char *name, *line, *pattern;
};

#define TERMINAL(term, line)                                                   \
    "TERM=" term " scoring=\"$scoring\" script -qec '" line "' /dev/null"

static const struct terminal_case terminal_rows[] = {
    {"shows how far it is",
     TERMINAL("xterm", "stty cols 80; \"$scoring\" interests import file"),
     "\r\033\\[Kwriting  \\[#*\\.*\\]  *[0-9]+%  [0-9]+ lines.*"
     "\r\033\\[Kscoring: file: 30720 clients are written in [0-9]+\\.[0-9] "
     "s\r\n$"},
    {"a narrow one",
     TERMINAL("xterm", "stty cols 20; \"$scoring\" interests import file"),
     "\r\033\\[Kwriting  +[0-9]+%  [^\r]*\r\033\\[K.*clients are written"},
    {"of a dry run",
     TERMINAL("xterm", "\"$scoring\" interests import --dry-run file"),
     "scoring: file: 30720 clients are checked in [0-9]+\\.[0-9] s\r\n$"},
    {"one that cannot", TERMINAL("dumb", "\"$scoring\" interests import file"),
     "^$"},
    {"one of no name", TERMINAL("", "\"$scoring\" interests import file"),
     "^$"},
    {"one of which nothing is known",
     "scoring=\"$scoring\" script -qec '\"$scoring\" interests import file' "
     "/dev/null",
     "^$"},
    {"none", "TERM=xterm \"$scoring\" interests import file", "^$"},
};

TEST_CASES(terminal, struct terminal_case, terminal_rows)
{
    struct bench bench;

    bench_start(&bench);
    bench_put_peer(&bench, PEER_SLOW);
    write_many(&bench, SLOW_CLIENTS, 8);
    bench_run(&bench, c->line, EX_OK, c->pattern);
    bench_end(&bench);
}

#define EXPORTED      5120
#define EXPORT_FAULTS 10 /* fewer than are shown */

/* Of the keys of another type some are found when the line stands there. */
TEST_SINGLE(terminal_export, "a line makes way for what is said, and for data")
{
    struct bench bench;

    bench_start(&bench);
    write_many(&bench, EXPORTED, 8);
    bench_run(&bench, IMPORT, EX_OK, "^$");
    bench_put_peer(&bench, PEER_SLOW);
    bench_run(
        &bench, TERMINAL("xterm", "\"$scoring\" interests export >out"), EX_OK,
        "\r\033\\[Kexporting  \\[#*\\.*\\]  *[0-9]+%  [0-9]+ clients.*"
        "\r\033\\[Kscoring: standard output: 5120 clients are exported in "
        "[0-9]+\\.[0-9] s\r\n");
    bench_run(
        &bench,
        TERMINAL(
            "xterm",
            "\"$scoring\" interests export") " >shown; grep -c interests "
                                             "shown; ! grep exporting shown",
        EX_OK, "^5120\n$");
    for (int i = 1; i <= EXPORTED; i += EXPORTED / EXPORT_FAULTS) {
        CU_ASSERT_TRUE(redis_do(&bench.redis, "DEL i:%d", i));
        CU_ASSERT_TRUE(redis_do(&bench.redis, "RPUSH i:%d x", i));
    }
    bench_run(&bench, TERMINAL("xterm", "\"$scoring\" interests export >out"),
              EX_DATAERR,
              "clients[^\n]*\r\033\\[Kscoring: i:[0-9]+: is not a string");
    bench_end(&bench);
}

static int
clean_up(void)
{
    if (shared.folder[0] != '\0')
        bench_end(&shared);
    shared = (struct bench){0};
    return 0;
}

TEST_SUITE(.parts = 4, .end = clean_up);
