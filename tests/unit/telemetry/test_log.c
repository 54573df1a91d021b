/*
 * The format of log lines, that no text breaks it, and what happens to lines
 * that cannot be written. The time is checked once, and otherwise skipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include "base/clock.h"
#include "base/outcome.h"
#include "base/request.h"
#include "base/units.h"
#include "support/calls.h"
#include "support/cases.h"
#include "support/clock.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

#define STAMP_TEXT "[2026.11.22 09:30:00] "
#define STAMP_JSON "{\"time\":\"2026-11-22T09:30:00.000+03:00\","
#define OUTPUT_MAX (2 * LOG_BUFFER_BYTES)
#define PATH_ROOM  128
#define FDS_MAX    256
#define X8         "xxxxxxxx"
#define X32        X8 X8 X8 X8
#define X128       X32 X32 X32 X32

static char output[OUTPUT_MAX];

static struct bytes
text(const char *words)
{
    return bytes_of(words);
}

/* A path of a descriptor: opening it makes a new open file. */
static const char *
name_of(int fd)
{
    static char name[PATH_ROOM];

    (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    return name;
}

/* The content of a memory file, in output[]. */
static const char *
content(int fd)
{
    ssize_t length = pread(fd, output, sizeof(output) - 1, 0);

    output[length > 0 ? length : 0] = '\0';
    return output;
}

/* The content without the time of its first line. */
static const char *
first_line(int fd, enum log_format format)
{
    size_t stamp = strlen(format == LOG_JSON ? STAMP_JSON : STAMP_TEXT);

    return strlen(content(fd)) < stamp ? "" : output + stamp;
}

static unsigned
count_lines(const char *at)
{
    unsigned count = 0;

    for (; *at != '\0'; at++)
        count += *at == '\n';
    return count;
}

static struct log *
open_memory(enum log_format format, enum log_level level, int *ret_fd)
{
    struct log *log;

    *ret_fd = memfd_create("log", MFD_CLOEXEC);
    CU_ASSERT_FATAL(*ret_fd >= 0);
    log = log_open(&(struct log_plan){
        .file = name_of(*ret_fd), .format = format, .level = level});
    CU_ASSERT_PTR_NOT_NULL_FATAL(log);
    return log;
}

struct request_case {
    const char *name;
    const char *id, *path, *method, *context;
    int code;
    int64_t us;
    const char *want_text, *want_json;
};

static const struct request_case request_rows[] = {
    {"scores", "4f-a._", "/method", "online_score", "has=phone,email", 200, 412,
     "I request id=4f-a._ path=/method method=online_score code=200 ms=0.412 "
     "has=phone,email\n",
     "\"level\":\"I\",\"message\":\"request\",\"id\":\"4f-a._\","
     "\"path\":\"/method\",\"method\":\"online_score\",\"code\":200,"
     "\"ms\":0.412,\"has\":[\"phone\",\"email\"]}\n"},
    {"interests", "1", "/method/", "clients_interests", "nclients=3", 200,
     12034,
     "I request id=1 path=/method/ method=clients_interests code=200 "
     "ms=12.034 nclients=3\n",
     "\"level\":\"I\",\"message\":\"request\",\"id\":\"1\","
     "\"path\":\"/method/\",\"method\":\"clients_interests\",\"code\":200,"
     "\"ms\":12.034,\"nclients\":3}\n"},
    {"nothing known", "", "", "", "", 400, 0,
     "I request id=- path=- method=- code=400 ms=0.000\n",
     "\"level\":\"I\",\"message\":\"request\",\"id\":\"-\",\"path\":\"-\","
     "\"method\":\"-\",\"code\":400,\"ms\":0.000}\n"},
    {"499 is no fault of ours", "1", "/", "", "", 499, 999,
     "I request id=1 path=/ method=- code=499 ms=0.999\n",
     "\"level\":\"I\",\"message\":\"request\",\"id\":\"1\",\"path\":\"/\","
     "\"method\":\"-\",\"code\":499,\"ms\":0.999}\n"},
    {"500 is one", "1", "/", "", "", 500, 1000,
     "E request id=1 path=/ method=- code=500 ms=1.000\n",
     "\"level\":\"E\",\"message\":\"request\",\"id\":\"1\",\"path\":\"/\","
     "\"method\":\"-\",\"code\":500,\"ms\":1.000}\n"},
    {"a duration below zero", "1", "/", "", "", 200, -1,
     "I request id=1 path=/ method=- code=200 ms=0.000\n",
     "\"level\":\"I\",\"message\":\"request\",\"id\":\"1\",\"path\":\"/\","
     "\"method\":\"-\",\"code\":200,\"ms\":0.000}\n"},
    {"a path that would break the line", "1", "/a\r\n[2026] I b%\"\\", "", "",
     404, 1,
     "I request id=1 "
     "path=/a\\x0d\\x0a\\x5b2026\\x5d\\x20I\\x20b\\x25\\x22\\x5c "
     "method=- code=404 ms=0.001\n",
     "\"level\":\"I\",\"message\":\"request\",\"id\":\"1\",\"path\":\"/a\\\\x0d"
     "\\\\x0a\\\\x5b2026\\\\x5d\\\\x20I\\\\x20b\\\\x25\\\\x22\\\\x5c\","
     "\"method\":\"-\",\"code\":404,\"ms\":0.001}\n"},
    {"a path with bytes that need none", "1", "/AZaz09._~-", "", "", 404, 1,
     "I request id=1 path=/AZaz09._~- method=- code=404 ms=0.001\n",
     "\"level\":\"I\",\"message\":\"request\",\"id\":\"1\","
     "\"path\":\"/AZaz09._~-\",\"method\":\"-\",\"code\":404,\"ms\":0.001}\n"},
    {"a path beyond ASCII", "1", "/\xd0\xb9\x7f", "", "", 404, 1,
     "I request id=1 path=/\\xd0\\xb9\\x7f method=- code=404 ms=0.001\n",
     "\"level\":\"I\",\"message\":\"request\",\"id\":\"1\","
     "\"path\":\"/\\\\xd0\\\\xb9\\\\x7f\",\"method\":\"-\",\"code\":404,"
     "\"ms\":0.001}\n"},
    {"an id that was not checked", "a b\n", "/", "", "", 200, 1,
     "I request id=a\\x20b\\x0a path=/ method=- code=200 ms=0.001\n",
     "\"level\":\"I\",\"message\":\"request\",\"id\":\"a\\\\x20b\\\\x0a\","
     "\"path\":\"/\",\"method\":\"-\",\"code\":200,\"ms\":0.001}\n"},
    {"a path of 128 bytes", "1", X128, "", "", 404, 1,
     "I request id=1 path=" X128 " method=- code=404 ms=0.001\n",
     "\"level\":\"I\",\"message\":\"request\",\"id\":\"1\",\"path\":\"" X128
     "\",\"method\":\"-\",\"code\":404,\"ms\":0.001}\n"},
    {"a path of 129 bytes", "1", X128 "y", "", "", 404, 1,
     "I request id=1 path=" X128 "... method=- code=404 ms=0.001\n",
     "\"level\":\"I\",\"message\":\"request\",\"id\":\"1\",\"path\":\"" X128
     "...\",\"method\":\"-\",\"code\":404,\"ms\":0.001}\n"},
    {"a context without words", "1", "/", "m", "has=", 422, 1,
     "I request id=1 path=/ method=m code=422 ms=0.001 has=\n",
     "\"level\":\"I\",\"message\":\"request\",\"id\":\"1\",\"path\":\"/\","
     "\"method\":\"m\",\"code\":422,\"ms\":0.001,\"has\":[]}\n"},
    {"a context of 0", "1", "/", "m", "nclients=0", 200, 1,
     "I request id=1 path=/ method=m code=200 ms=0.001 nclients=0\n",
     "\"level\":\"I\",\"message\":\"request\",\"id\":\"1\",\"path\":\"/\","
     "\"method\":\"m\",\"code\":200,\"ms\":0.001,\"nclients\":0}\n"},
    {"a context that is no JSON number", "1", "/", "m", "n=007", 200, 1,
     "I request id=1 path=/ method=m code=200 ms=0.001 n=007\n",
     "\"level\":\"I\",\"message\":\"request\",\"id\":\"1\",\"path\":\"/\","
     "\"method\":\"m\",\"code\":200,\"ms\":0.001,\"n\":[\"007\"]}\n"},
    {"an id with what parts a context", "a,b=c", "/", "m", "", 200, 1,
     "I request id=a\\x2cb\\x3dc path=/ method=m code=200 ms=0.001\n",
     "\"level\":\"I\",\"message\":\"request\",\"id\":\"a\\\\x2cb\\\\x3dc\","
     "\"path\":\"/\","
     "\"method\":\"m\",\"code\":200,\"ms\":0.001}\n"},
    {"fields at fault", "1", "/", "m", "has=phone bad=arguments", 422, 1,
     "I request id=1 path=/ method=m code=422 ms=0.001 has=phone "
     "bad=arguments\n",
     "\"level\":\"I\",\"message\":\"request\",\"id\":\"1\",\"path\":\"/\","
     "\"method\":\"m\",\"code\":422,\"ms\":0.001,\"has\":[\"phone\"],"
     "\"bad\":[\"arguments\"]}\n"},
    {"a context of two fields", "1", "/", "m", "nclients=2 nfaults=1", 200, 1,
     "I request id=1 path=/ method=m code=200 ms=0.001 nclients=2 nfaults=1\n",
     "\"level\":\"I\",\"message\":\"request\",\"id\":\"1\",\"path\":\"/\","
     "\"method\":\"m\",\"code\":200,\"ms\":0.001,\"nclients\":2,\"nfaults\":1}"
     "\n"},
    {"a context with a colon", "1", "/", "m", "has=a:b", 200, 1,
     "I request id=1 path=/ method=m code=200 ms=0.001 has=a\\x3ab\n",
     "\"level\":\"I\",\"message\":\"request\",\"id\":\"1\",\"path\":\"/\","
     "\"method\":\"m\",\"code\":200,\"ms\":0.001,\"has\":["
     "\"a\\\\x3ab\"]}\n"},
    {"a context of 20 digits", "1", "/", "m", "n=12345678901234567890", 200, 1,
     "I request id=1 path=/ method=m code=200 ms=0.001 "
     "n=12345678901234567890\n",
     "\"level\":\"I\",\"message\":\"request\",\"id\":\"1\",\"path\":\"/\","
     "\"method\":\"m\",\"code\":200,\"ms\":0.001,\"n\":12345678901234567890}"
     "\n"},
    {"a context of 21 digits", "1", "/", "m", "n=123456789012345678901", 200, 1,
     "I request id=1 path=/ method=m code=200 ms=0.001 "
     "n=123456789012345678901\n",
     "\"level\":\"I\",\"message\":\"request\",\"id\":\"1\",\"path\":\"/\","
     "\"method\":\"m\",\"code\":200,\"ms\":0.001,\"n\":["
     "\"123456789012345678901\"]}\n"},
};

static void
log_row(const struct request_case *c, enum log_format format, const char *want)
{
    const struct request request = {.id = text(c->id), .path = text(c->path)};
    const struct outcome outcome = {.method = text(c->method),
                                    .context = text(c->context),
                                    .code = c->code};
    int fd;
    struct log *log = open_memory(format, LOG_INFO, &fd);

    log_request(log, &request, &outcome, c->us);
    log_close(log);
    CU_ASSERT_STRING_EQUAL(first_line(fd, format), want);
    (void)close(fd);
}

TEST_CASES(request, struct request_case, request_rows)
{
    log_row(c, LOG_TEXT, c->want_text);
    log_row(c, LOG_JSON, c->want_json);
}

/* Standard output, and the value of JOURNAL_STREAM. */
struct journal_case {
    const char *name;
    const char *stream; /* NULL: the value for standard output */
    enum log_format format;
    const char *want;       /* how it begins */
    unsigned device, inode; /* added to those of standard output */
    bool has_file;          /* the log is this file by its name */
};

static const struct journal_case journal_rows[] = {
    {"text", NULL, LOG_TEXT, "<6>I one\n<3>E two\n", 0, 0, false},
    {"json", NULL, LOG_JSON, "<6>{\"time\":\"", 0, 0, false},
    {"another file", "1:2", LOG_TEXT, "[", 0, 0, false},
    {"another file of the same device", NULL, LOG_TEXT, "[", 0, 1, false},
    {"a file of another device", NULL, LOG_TEXT, "[", 1, 0, false},
    {"a file beside standard output", NULL, LOG_TEXT, "[", 0, 0, true},
    {"no two numbers", "1", LOG_TEXT, "[", 0, 0, false},
    {"empty", "", LOG_TEXT, "[", 0, 0, false},
};

TEST_CASES(journal, struct journal_case, journal_rows)
{
    char stream[PATH_ROOM];
    const int kept = dup(STDOUT_FILENO), fd = memfd_create("log", MFD_CLOEXEC);
    struct stat st;
    struct log *log;

    CU_ASSERT_FATAL(kept >= 0 && fd >= 0 && fstat(fd, &st) == 0);
    (void)snprintf(stream, sizeof(stream), "%ju:%ju",
                   (uintmax_t)st.st_dev + c->device,
                   (uintmax_t)st.st_ino + c->inode);
    (void)fflush(stdout);
    (void)setenv("JOURNAL_STREAM", c->stream != NULL ? c->stream : stream, 1);
    (void)dup2(fd, STDOUT_FILENO);
    log = log_open(&(struct log_plan){.file = c->has_file ? name_of(fd) : NULL,
                                      .format = c->format});
    if (log != NULL) {
        log_info(log, "one");
        log_error(log, "two");
        log_close(log);
    }
    (void)dup2(kept, STDOUT_FILENO);
    (void)close(kept);
    (void)unsetenv("JOURNAL_STREAM");
    CU_ASSERT_PTR_NOT_NULL(log);
    CU_ASSERT_EQUAL(strncmp(content(fd), c->want, strlen(c->want)), 0);
    (void)close(fd);
}

struct trace_case {
    const char *name, *trace_id;
    const char *want_text, *want_json;
};

static const struct trace_case trace_rows[] = {
    {"none", "", "I request id=1 path=/ method=- code=200 ms=0.000\n",
     "\"level\":\"I\",\"message\":\"request\",\"id\":\"1\",\"path\":\"/\","
     "\"method\":\"-\",\"code\":200,\"ms\":0.000}\n"},
    {"one", "4bf92f3577b34da6a3ce929d0e0e4736",
     "I request id=1 trace_id=4bf92f3577b34da6a3ce929d0e0e4736 path=/ "
     "method=- code=200 ms=0.000\n",
     "\"level\":\"I\",\"message\":\"request\",\"id\":\"1\","
     "\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"path\":\"/\","
     "\"method\":\"-\",\"code\":200,\"ms\":0.000}\n"},
};

TEST_CASES(trace, struct trace_case, trace_rows)
{
    const enum log_format formats[] = {LOG_TEXT, LOG_JSON};
    const char *const want[] = {c->want_text, c->want_json};
    const struct request request = {
        .id = text("1"), .trace_id = text(c->trace_id), .path = text("/")};
    const struct outcome outcome = {.code = 200};

    for (size_t i = 0; i < 2; i++) {
        int fd;
        struct log *log = open_memory(formats[i], LOG_INFO, &fd);

        log_request(log, &request, &outcome, 0);
        log_close(log);
        CU_ASSERT_STRING_EQUAL(first_line(fd, formats[i]), want[i]);
        (void)close(fd);
    }
}

struct account_case {
    const char *name;
    struct bytes account;
    const char *want_text, *want_json; /* from the method to the code */
};

#define LITERAL_BYTES(text)                                                    \
    {                                                                          \
        text, sizeof(text) - 1                                                 \
    }
#define X256 X128 X128

static const struct account_case account_rows[] = {
    {"none", {NULL, 0}, "m code", "m\",\"code\""},
    {"a word", LITERAL_BYTES("acme"), "m account=acme code",
     "m\",\"account\":\"acme\",\"code\""},
    {"a word with marks", LITERAL_BYTES("horns&hoofs,'(x)"),
     "m account=horns&hoofs,'(x) code",
     "m\",\"account\":\"horns&hoofs,'(x)\",\"code\""},
    {"an empty one", LITERAL_BYTES(""), "m account=\"\" code",
     "m\",\"account\":\"\",\"code\""},
    {"a blank", LITERAL_BYTES("a b"), "m account=\"a b\" code",
     "m\",\"account\":\"a b\",\"code\""},
    {"an equals sign", LITERAL_BYTES("a=b"), "m account=\"a=b\" code",
     "m\",\"account\":\"a=b\",\"code\""},
    {"a quote", LITERAL_BYTES("a\"b"), "m account=\"a\\\"b\" code",
     "m\",\"account\":\"a\\\"b\",\"code\""},
    {"a backslash", LITERAL_BYTES("a\\b"), "m account=\"a\\\\b\" code",
     "m\",\"account\":\"a\\\\b\",\"code\""},
    {"a quote and a backslash", LITERAL_BYTES("\"\\"),
     "m account=\"\\\"\\\\\" code", "m\",\"account\":\"\\\"\\\\\",\"code\""},
    {"beyond ASCII", LITERAL_BYTES("\xd1\x8f"), "m account=\"\\xd1\\x8f\" code",
     "m\",\"account\":\"\xd1\x8f\",\"code\""},
    {"the longest", LITERAL_BYTES(X256), "m account=" X256 " code",
     "m\",\"account\":\"" X256 "\",\"code\""},
};

TEST_CASES(account, struct account_case, account_rows)
{
    const enum log_format formats[] = {LOG_TEXT, LOG_JSON};
    const char *const want[] = {c->want_text, c->want_json};
    const struct request request = {.id = text("1"), .path = text("/")};
    const struct outcome outcome = {
        .code = 200, .method = text("m"), .account = c->account};

    for (size_t i = 0; i < 2; i++) {
        int fd;
        struct log *log = open_memory(formats[i], LOG_INFO, &fd);

        log_request(log, &request, &outcome, 0);
        log_close(log);
        CU_ASSERT_PTR_NOT_NULL(strstr(first_line(fd, formats[i]), want[i]));
        (void)close(fd);
    }
}

/*
 * The JSON line, read by json-c, has the same as the text line.
 */
struct same_case {
    const char *name;
    const char *dirt; /* the value of each text of the request */
};

static const struct same_case same_rows[] = {
    {"plain", "plain"},
    {"quotes", "\"quotes\" and 'others'"},
    {"a backslash", "\\"},
    {"escapes spelled out", "\\u0041 and \\n"},
    {"line ends", "\n line ends \r\n"},
    {"control characters", "\x01\x02\x1f\x7f"},
    {"no UTF-8", "\xff\xfe \xc3"},
    {"UTF-8", "\xd0\xb9 \xf0\x9f\x98\x80"},
    {"JSON", "{\"id\": [1], null}"},
    {"HTML", "</script>&amp;"},
    {"separators", "a=b,c=d"},
};

/* The object of a text that is one object and a line end; else NULL. */
static struct json_object *
decode(const char *line)
{
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *object;

    json_tokener_set_flags(tokener,
                           JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    object = json_tokener_parse_ex(tokener, line, (int)strlen(line));
    CU_ASSERT_EQUAL(line[json_tokener_get_parse_end(tokener)], '\0');
    json_tokener_free(tokener);
    return object;
}

static void
check_member(struct json_object *object, const char *name, const char *line)
{
    struct json_object *member = NULL;
    char want[LOG_LINE_MAX];

    CU_ASSERT_TRUE(json_object_object_get_ex(object, name, &member));
    (void)snprintf(want, sizeof(want), " %s=%s", name,
                   json_object_get_string(member));
    CU_ASSERT_PTR_NOT_NULL(strstr(line, want));
}

TEST_CASES(same, struct same_case, same_rows)
{
    static const char *const names[] = {"id",     "trace_id", "path",
                                        "method", "code",     "ms"};
    const struct bytes dirt = text(c->dirt);
    const struct request request = {.id = dirt, .trace_id = dirt, .path = dirt};
    const struct outcome outcome = {.method = dirt, .code = 200};
    char line[LOG_LINE_MAX];
    struct json_object *object;
    int fd;
    struct log *log = open_memory(LOG_TEXT, LOG_INFO, &fd);

    log_request(log, &request, &outcome, 1234);
    log_close(log);
    (void)snprintf(line, sizeof(line), "%.4000s", first_line(fd, LOG_TEXT));
    (void)close(fd);
    log = open_memory(LOG_JSON, LOG_INFO, &fd);
    log_request(log, &request, &outcome, 1234);
    log_close(log);
    object = decode(content(fd));
    (void)close(fd);
    CU_ASSERT_TRUE_FATAL(json_object_is_type(object, json_type_object));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        check_member(object, names[i], line);
    json_object_put(object);
}

TEST_SINGLE(worst, "a request of nothing but escapes fits its line")
{
    static char dirt[1024];
    const struct bytes all = {dirt, sizeof(dirt)};
    const struct request request = {.id = all, .trace_id = all, .path = all};
    static char quotes[256];
    const struct outcome outcome = {.method = all,
                                    .context = all,
                                    .account = {quotes, sizeof(quotes)},
                                    .code = 200};
    int fd;
    struct log *log = open_memory(LOG_JSON, LOG_INFO, &fd);

    memset(quotes, '"', sizeof(quotes));
    memset(dirt, '\n', sizeof(dirt));
    log_request(log, &request, &outcome, INT64_MAX);
    memset(dirt, ',', sizeof(dirt));
    log_request(log, &request, &outcome, INT64_MAX);
    log_close(log);
    (void)content(fd);
    CU_ASSERT_PTR_EQUAL(strchr(output, '\n'),
                        strstr(output, "]}\n{\"time") + 2);
    CU_ASSERT((size_t)(strchr(output, '\n') - output) < LOG_LINE_MAX);
    (void)close(fd);
}

struct message_case {
    const char *name;
    const char *message, *want_text, *want_json;
};

static const struct message_case message_rows[] = {
    {"plain", "started", "E started\n",
     "\"level\":\"E\",\"message\":\"started\"}\n"},
    {"empty", "", "E \n", "\"level\":\"E\",\"message\":\"\"}\n"},
    {"a line end", "a\nb", "E a\\x0ab\n",
     "\"level\":\"E\",\"message\":\"a\\\\x0ab\"}\n"},
    {"a terminal's escape", "\033[2J", "E \\x1b[2J\n",
     "\"level\":\"E\",\"message\":\"\\\\x1b[2J\"}\n"},
    {"quotes and backslashes", "\"\\", "E \"\\\n",
     "\"level\":\"E\",\"message\":\"\\\"\\\\\"}\n"},
    {"all printable", " !#$%&'()*+,-./:;<=>?@[]^_`{|}~",
     "E  !#$%&'()*+,-./:;<=>?@[]^_`{|}~\n",
     "\"level\":\"E\",\"message\":\" !#$%&'()*+,-./:;<=>?@[]^_`{|}~\"}\n"},
};

static void
log_message_row(const struct message_case *c, enum log_format format,
                const char *want)
{
    int fd;
    struct log *log = open_memory(format, LOG_INFO, &fd);

    log_error(log, "%s", c->message);
    log_close(log);
    CU_ASSERT_STRING_EQUAL(first_line(fd, format), want);
    (void)close(fd);
}

TEST_CASES(message, struct message_case, message_rows)
{
    log_message_row(c, LOG_TEXT, c->want_text);
    log_message_row(c, LOG_JSON, c->want_json);
}

struct long_case {
    const char *name;
    enum log_format format;
    char byte;
    const char *end;
};

static const struct long_case long_rows[] = {
    {"letters as text", LOG_TEXT, 'x', "x...\n"},
    {"letters as JSON", LOG_JSON, 'x', "x...\"}\n"},
    {"line ends as text", LOG_TEXT, '\n', "\\x0a...\n"},
    {"line ends as JSON", LOG_JSON, '\n', "\\\\x0a...\"}\n"},
    {"quotes as JSON", LOG_JSON, '"', "\\\"...\"}\n"},
};

TEST_CASES(cut, struct long_case, long_rows)
{
    static char words[2 * LOG_LINE_MAX];
    size_t length, end = strlen(c->end);
    int fd;
    struct log *log = open_memory(c->format, LOG_INFO, &fd);

    memset(words, c->byte, sizeof(words) - 1);
    log_info(log, "%s", words);
    log_close(log);
    length = strlen(content(fd));
    CU_ASSERT(length > LOG_LINE_MAX - 32);
    CU_ASSERT(length <= LOG_LINE_MAX);
    CU_ASSERT_STRING_EQUAL(output + length - end, c->end);
    (void)close(fd);
}

struct level_case {
    const char *name;
    enum log_level level;
    const char *want; /* the levels of the lines that are written */
};

static const struct level_case level_rows[] = {
    {"info keeps all", LOG_INFO, "IEIE"},
    {"error drops I", LOG_ERROR, "EE"},
};

TEST_CASES(level, struct level_case, level_rows)
{
    const struct request request = {.path = {NULL, 0}};
    const struct outcome good = {.code = 499}, bad = {.code = 500};
    int fd;
    struct log *log = open_memory(LOG_TEXT, c->level, &fd);
    const char *line;

    log_info(log, "one");
    log_error(log, "two");
    log_request(log, &request, &good, 0);
    log_request(log, &request, &bad, 0);
    CU_ASSERT_EQUAL(log_lost(log), 0);
    log_close(log);
    line = content(fd);
    CU_ASSERT_EQUAL_FATAL(count_lines(line), strlen(c->want));
    for (const char *want = c->want; *want != '\0'; want++) {
        CU_ASSERT_EQUAL(line[strlen(STAMP_TEXT)], *want);
        line = strchr(line, '\n') + 1;
    }
    CU_ASSERT_STRING_EQUAL(line, "");
    (void)close(fd);
}

struct requests_case {
    const char *name;
    enum log_requests requests;
    enum log_level level;
    int code;
    bool is_logged;
};

static const struct requests_case requests_rows[] = {
    {"all, 200", LOG_ALL, LOG_INFO, 200, true},
    {"all, 422", LOG_ALL, LOG_INFO, 422, true},
    {"errors, 200", LOG_ERRORS, LOG_INFO, 200, false},
    {"errors, 399", LOG_ERRORS, LOG_INFO, 399, false},
    {"errors, 400", LOG_ERRORS, LOG_INFO, 400, true},
    {"errors, 500", LOG_ERRORS, LOG_INFO, 500, true},
    {"errors of level E, 499", LOG_ERRORS, LOG_ERROR, 499, false},
    {"errors of level E, 500", LOG_ERRORS, LOG_ERROR, 500, true},
};

TEST_CASES(requests, struct requests_case, requests_rows)
{
    const struct request request = {.path = {NULL, 0}};
    const struct outcome outcome = {.code = c->code};
    int fd = memfd_create("log", MFD_CLOEXEC);
    struct log *log = log_open(&(struct log_plan){
        .file = name_of(fd), .level = c->level, .requests = c->requests});

    CU_ASSERT_PTR_NOT_NULL_FATAL(log);
    log_request(log, &request, &outcome, 0);
    CU_ASSERT_EQUAL(log_lost(log), 0);
    log_close(log);
    CU_ASSERT_EQUAL(count_lines(content(fd)), c->is_logged);
    (void)close(fd);
}

struct stamp_case {
    const char *name;
    const char *zone; /* as in POSIX: with the opposite sign */
    enum log_format format;
    const char *form; /* for strftime() */
};

static const struct stamp_case stamp_rows[] = {
    {"text in local time", "AAA-3", LOG_TEXT, "[%Y.%m.%d %H:%M:%S] I m\n"},
    {"JSON east", "AAA-3", LOG_JSON,
     "{\"time\":\"%Y-%m-%dT%H:%M:%S.000+03:00\",\"level\":\"I\","
     "\"message\":\"m\"}\n"},
    {"JSON west, half hours", "AAA+3:30", LOG_JSON,
     "{\"time\":\"%Y-%m-%dT%H:%M:%S.000-03:30\",\"level\":\"I\","
     "\"message\":\"m\"}\n"},
};

static void
set_zone(const char *zone)
{
    if (zone != NULL)
        (void)setenv("TZ", zone, 1);
    else
        (void)unsetenv("TZ");
    tzset();
}

/* The milliseconds, which are replaced by zeros; -1: there are none. */
static int
take_ms(char *line)
{
    char *dot = strchr(line, '.');
    int ms = -1;

    if (dot == NULL || sscanf(dot, ".%3d", &ms) != 1)
        return -1;
    memcpy(dot + 1, "000", 3);
    return ms;
}

TEST_CASES(stamp, struct stamp_case, stamp_rows)
{
    const char *zone = getenv("TZ");
    char *old_zone = zone != NULL ? strdup(zone) : NULL;
    bool is_found = false;
    time_t before, after;
    struct log *log;
    int fd;

    set_zone(c->zone);
    before = time(NULL) - 1; /* the coarse clock may be late */
    log = open_memory(c->format, LOG_INFO, &fd);
    log_info(log, "m");
    log_close(log);
    after = time(NULL);
    (void)content(fd);
    if (c->format == LOG_JSON)
        CU_ASSERT_TRUE(take_ms(output) >= 0);
    for (time_t t = before; t <= after && !is_found; t++) {
        char want[PATH_ROOM];
        struct tm tm;

        (void)localtime_r(&t, &tm);
        CU_ASSERT(strftime(want, sizeof(want), c->form, &tm) > 0);
        is_found = strcmp(output, want) == 0;
    }
    CU_ASSERT_TRUE(is_found);
    (void)close(fd);
    set_zone(old_zone);
    free(old_zone);
}

/* The time of day cannot be stopped: this waits for its next second. */
TEST_SINGLE(stamp_anew, "a line of another second has another time")
{
    const size_t length = strlen(STAMP_TEXT);
    const char *second;
    struct log *log;
    time_t at;
    int fd;

    log = open_memory(LOG_TEXT, LOG_INFO, &fd);
    log_info(log, "one");
    at = time(NULL);
    while (time(NULL) <= at)
        clock_sleep_ms(5);
    log_info(log, "two");
    log_close(log);
    second = strchr(content(fd), '\n');
    CU_ASSERT_PTR_NOT_NULL_FATAL(second);
    CU_ASSERT_NOT_EQUAL(strncmp(output, second + 1, length), 0);
    CU_ASSERT_STRING_EQUAL(second + 1 + length, "I two\n");
    (void)close(fd);
}

/* The time of a line is between two readings of the clock. */
static void
check_ms(void)
{
    int fd;
    struct log *log = open_memory(LOG_JSON, LOG_INFO, &fd);
    const int64_t before_ms = clock_wall_ms();
    int64_t after_ms, ms;

    log_info(log, "m");
    after_ms = clock_wall_ms();
    log_close(log);
    (void)content(fd);
    ms = take_ms(output);
    CU_ASSERT_TRUE(ms >= 0);
    if (after_ms - before_ms < MS_PER_S)
        CU_ASSERT_TRUE((ms - before_ms % MS_PER_S + MS_PER_S) % MS_PER_S <=
                       after_ms - before_ms);
    (void)close(fd);
}

/* Often enough that no two digits are always the same. */
TEST_SINGLE(stamp_ms, "is the time of the line")
{
    for (int i = 0; i < 10; i++) {
        check_ms();
        clock_sleep_ms(7);
    }
}

/* Reads all from a pipe or socket; returns the number of bytes in output[]. */
static size_t
read_all(int fd)
{
    size_t length = 0;
    ssize_t got;

    do {
        got = read(fd, output + length, sizeof(output) - 1 - length);
        length += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    output[length] = '\0';
    return length;
}

/* Far less than these writes would take if each waited. */
#define STUCK_MS 30000

TEST_SINGLE(stuck, "a full pipe is never waited for, and lost lines are told")
{
    const int64_t start_ms = clock_ms();
    unsigned made = 0, came;
    char want[PATH_ROOM];
    struct log *log;
    int ends[2];

    CU_ASSERT_EQUAL_FATAL(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    log = log_open(&(struct log_plan){.file = name_of(ends[1])});
    CU_ASSERT_PTR_NOT_NULL_FATAL(log);
    for (; log_lost(log) < 10 && made < 100000; made++) {
        log_info(log, "line %05u", made);
        log_flush(log);
    }
    CU_ASSERT(clock_ms() - start_ms < STUCK_MS);
    CU_ASSERT_EQUAL(log_lost(log), 10);
    CU_ASSERT(log_pending(log) > 0);

    (void)read_all(ends[0]);
    came = count_lines(output);
    CU_ASSERT(came > 1000);
    CU_ASSERT_PTR_NULL(strstr(output, "lost"));
    for (int i = 0; i < 100 && log_pending(log) > 0; i++) {
        log_flush(log);
        (void)read_all(ends[0]);
        came += count_lines(output);
    }
    CU_ASSERT_EQUAL(came,
                    made - 10 + 1); /* the last line reports the lost ones */
    (void)snprintf(want, sizeof(want), "line %05u\n%s", made - 11,
                   output + strlen(output) -
                       strlen(STAMP_TEXT "E log: 10 "
                                         "lines lost, 10 "
                                         "since the "
                                         "start\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, want));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(want, "] E log: 10 lines lost, 10 since the start\n"));
    log_close(log);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* Opens a log with standard output replaced; fflush() keeps CUnit's output in
 * order. */
static struct log *
open_as_stdout(int fd)
{
    struct log *log;
    int saved;

    (void)fflush(stdout);
    saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    CU_ASSERT_FATAL(saved >= 0);
    (void)dup2(fd, STDOUT_FILENO);
    log = log_open(&(struct log_plan){.file = NULL});
    (void)dup2(saved, STDOUT_FILENO);
    (void)close(saved);
    CU_ASSERT_PTR_NOT_NULL_FATAL(log);
    return log;
}

struct pipe_case {
    const char *name;
    int error; /* of opening it again, as for a pipe of another user */
};

static const struct pipe_case pipe_rows[] = {
    {"never waited for, and its own flags stay", 0},
    {"nor if it cannot be opened anew", EACCES},
};

TEST_CASES(stdout_pipe, struct pipe_case, pipe_rows)
{
    struct log *log;
    int ends[2];

    CU_ASSERT_EQUAL_FATAL(pipe2(ends, O_CLOEXEC), 0);
    calls_fail(CALL_OPEN, c->error);
    log = open_as_stdout(ends[1]);
    CU_ASSERT_TRUE(calls_has_failed(CALL_OPEN) || c->error == 0);
    CU_ASSERT_EQUAL(fcntl(ends[1], F_GETFL) & (O_NONBLOCK | O_APPEND), 0);
    log_info(log, "here");
    CU_ASSERT_TRUE(log_reopen(log));
    log_flush(log);
    CU_ASSERT_EQUAL(log_pending(log), 0);
    for (int i = 0; i < 1000; i++) /* more than a pipe holds: 64 KiB */
        log_info(log, "%s", X128);
    log_flush(log);
    CU_ASSERT(log_pending(log) > 0);
    log_close(log);
    (void)close(ends[1]);
    (void)read_all(ends[0]);
    CU_ASSERT_EQUAL(strncmp(output + strlen(STAMP_TEXT), "I here\n", 7), 0);
    (void)close(ends[0]);
}

/* A private folder, and paths in it. */
static char folder[] = "/tmp/scoring-log-XXXXXX";

static const char *
in_folder(const char *name)
{
    static char paths[2][PATH_ROOM];
    static unsigned next;
    char *path = paths[next++ % 2];

    (void)snprintf(path, PATH_ROOM, "%s/%s", folder, name);
    return path;
}

static void
folder_make(void)
{
    memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
}

static void
folder_remove(void)
{
    (void)unlink(in_folder("log"));
    (void)unlink(in_folder("old"));
    (void)rmdir(folder);
}

/*
 * Destinations that are shared with other writers, and cannot be opened again,
 * as if another user had made them.
 */
enum shared { SHARED_PIPE = 0, SHARED_FIFO, SHARED_TERMINAL };

static void
shared_open(enum shared kind, int *ret_reader, int *ret_writer)
{
    int ends[2] = {-1, -1};

    switch (kind) {
    case SHARED_PIPE:
        CU_ASSERT_EQUAL(pipe2(ends, O_CLOEXEC), 0);
        break;
    case SHARED_FIFO:
        CU_ASSERT_EQUAL(mkfifo(in_folder("log"), 0600), 0);
        ends[0] = open(in_folder("log"), O_RDWR | O_CLOEXEC);
        ends[1] = open(in_folder("log"), O_WRONLY | O_CLOEXEC);
        break;
    case SHARED_TERMINAL:
        ends[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        CU_ASSERT_EQUAL(unlockpt(ends[0]), 0);
        ends[1] = open(ptsname(ends[0]), O_RDWR | O_NOCTTY | O_CLOEXEC);
        break;
    }
    CU_ASSERT_FATAL(ends[0] >= 0 && ends[1] >= 0);
    *ret_reader = ends[0];
    *ret_writer = ends[1];
}

struct meet_case {
    const char *name;
    enum shared kind;
};

static const struct meet_case meet_rows[] = {
    {"in a pipe", SHARED_PIPE},
    {"in a pipe that has a name", SHARED_FIFO},
    {"on a terminal", SHARED_TERMINAL},
};

#define MEET_WRITERS 6
#define MEET_READS   200
#define MEET_HELD    1024 /* messages: more than a socket holds */

/* A process that writes forever, and reports that it is not blocked. */
static pid_t
meet_writer(int fd, int beats)
{
    struct log *log;
    pid_t pid;

    calls_fail(CALL_OPEN, EACCES);
    log = open_as_stdout(fd);
    CU_ASSERT_TRUE(calls_has_failed(CALL_OPEN));
    pid = fork();
    if (pid != 0) {
        (void)log_close(log);
        return pid;
    }
    for (;;) {
        log_info(log, "%s", X128);
        log_flush(log);
        (void)send(beats, "", 1, MSG_DONTWAIT);
    }
}

/* Whether a writer goes on: earlier reports are discarded. */
static bool
meet_goes_on(int beats)
{
    struct pollfd ready = {.fd = beats, .events = POLLIN};

    for (int i = 0; i < MEET_HELD; i++)
        (void)recv(beats, output, sizeof(output), MSG_DONTWAIT);
    return poll(&ready, 1, CLOCK_PATIENCE_MS) == 1;
}

/* The reader repeatedly reads a little, for which all writers compete, and
 * stops. */
TEST_CASES(meet, struct meet_case, meet_rows)
{
    int reader, writer, beats[MEET_WRITERS][2];
    pid_t pids[MEET_WRITERS];

    folder_make();
    shared_open(c->kind, &reader, &writer);
    for (size_t i = 0; i < MEET_WRITERS; i++) {
        CU_ASSERT_EQUAL_FATAL(
            socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                       beats[i]),
            0);
        pids[i] = meet_writer(writer, beats[i][1]);
    }
    for (int i = 0; i < MEET_READS; i++) {
        (void)poll(NULL, 0, 1);
        (void)!read(reader, output, LOG_LINE_MAX);
    }
    for (size_t i = 0; i < MEET_WRITERS; i++) {
        CU_ASSERT_TRUE(meet_goes_on(beats[i][0]));
        (void)kill(pids[i], SIGKILL);
        (void)waitpid(pids[i], NULL, 0);
        (void)close(beats[i][0]);
        (void)close(beats[i][1]);
    }
    (void)close(writer);
    (void)close(reader);
    folder_remove();
}

/*
 * Closing a log whose reader is late: waits half a second; what it has not read
 * by then is counted as lost.
 */
struct late_case {
    const char *name;
    int error;    /* of opening the pipe again */
    int after_ms; /* when the reader begins; -1: never */
    unsigned lost_min, lost_max;
};

#define LATE_LINES 1000
#define LATE_HELD  (1000 - 420) /* a pipe holds 428 of 153 bytes, or 416 */

static const struct late_case late_rows[] = {
    {"reads in time", 0, 50, 0, 0},
    {"reads in time a pipe that cannot be opened anew", EACCES, 50, 0, 0},
    {"does not read", 0, -1, LATE_HELD - 20, LATE_HELD + 20},
    {"does not read a pipe that cannot be opened anew", EACCES, -1,
     LATE_HELD - 20, LATE_HELD + 20},
};

/* A child reads to the end; its status is 0 if no line is missing. */
static pid_t
late_reader(int fd, int writer, int after_ms)
{
    unsigned lines = 0;
    ssize_t got = 1;
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    (void)close(writer);
    (void)poll(NULL, 0, after_ms);
    while (got > 0) {
        got = read(fd, output, sizeof(output) - 1);
        output[got > 0 ? got : 0] = '\0';
        lines += count_lines(output);
    }
    _exit(lines == LATE_LINES ? 0 : 1);
}

TEST_CASES(late, struct late_case, late_rows)
{
    struct metrics *metrics = metrics_new();
    struct log *log;
    int ends[2], status = -1;
    int64_t start_ms, took_ms;
    uint64_t lost;
    pid_t pid = -1;

    CU_ASSERT_EQUAL_FATAL(pipe2(ends, O_CLOEXEC), 0);
    if (c->after_ms >= 0)
        pid = late_reader(ends[0], ends[1], c->after_ms);
    calls_fail(CALL_OPEN, c->error);
    log = open_as_stdout(ends[1]);
    (void)calls_has_failed(CALL_OPEN);
    log_count_in(log, metrics);
    for (int i = 0; i < LATE_LINES; i++)
        log_info(log, "%s", X128);
    log_flush(log);
    start_ms = clock_mono_ms();
    lost = log_close(log);
    took_ms = clock_mono_ms() - start_ms;
    (void)close(ends[1]);
    CU_ASSERT(lost >= c->lost_min && lost <= c->lost_max);
    CU_ASSERT_EQUAL(metrics_get(metrics, METRIC_LOG_LINES_LOST), lost);
    if (c->after_ms < 0) {
        CU_ASSERT(took_ms >= 500);
        (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
        (void)read_all(ends[0]);
        CU_ASSERT_EQUAL(count_lines(output) + lost, LATE_LINES);
    } else {
        CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
        CU_ASSERT_EQUAL(status, 0);
    }
    (void)close(ends[0]);
    metrics_free(metrics);
}

TEST_SINGLE(last_words, "on standard error, if it is read")
{
    static const char words[] = "scoring: the end of the log has no reader: "
                                "1582 lines lost since the start\n";
    int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    int ends[2];

    CU_ASSERT_EQUAL_FATAL(pipe2(ends, O_CLOEXEC), 0);
    calls_fail(CALL_OPEN, EACCES);
    (void)dup2(ends[1], STDERR_FILENO);
    log_say_lost(1582);
    for (int i = 0; i < 100; i++) /* more than the pipe holds: 16 pages */
        log_say_lost(3);
    (void)dup2(saved, STDERR_FILENO);
    (void)close(saved);
    (void)close(ends[1]);
    (void)read_all(ends[0]);
    CU_ASSERT_EQUAL(strncmp(output, words, strlen(words)), 0);
    (void)close(ends[0]);
}

/* Another process can read how many lines a dead process lost. */
TEST_SINGLE(vanished, "lines of a process that is gone are known")
{
    struct metrics *metrics = metrics_new();
    struct log *log;
    int ends[2];
    unsigned made = 0;
    uint64_t vanished;

    CU_ASSERT_EQUAL(metrics_slot_take(metrics), 0);
    metrics_use_slot(metrics, 0);
    CU_ASSERT_EQUAL_FATAL(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    log = log_open(&(struct log_plan){.file = name_of(ends[1])});
    log_count_in(log, metrics);
    log_info(log, "written");
    log_flush(log);
    CU_ASSERT_EQUAL(metrics_take_log(metrics, 0), 0);
    log_info(log, "waits");
    CU_ASSERT_EQUAL(metrics_take_log(metrics, 0), 1);
    CU_ASSERT_EQUAL(metrics_get(metrics, METRIC_LOG_LINES_LOST), 1);
    for (made = 2; log_lost(log) < 10; made++) {
        log_info(log, "line %05u", made);
        log_flush(log);
    }
    vanished = metrics_take_log(metrics, 0);
    CU_ASSERT_EQUAL(metrics_get(metrics, METRIC_LOG_LINES_LOST), vanished + 1);
    (void)read_all(ends[0]);
    CU_ASSERT_EQUAL(count_lines(output) + vanished, (uint64_t)made);
    CU_ASSERT_EQUAL(metrics_take_log(metrics, 0), 0); /* reported only once */
    (void)log_close(log);
    (void)close(ends[0]);
    (void)close(ends[1]);
    metrics_free(metrics);
}

#define TOLD_MAX 100 /* bytes of a line about lost lines; others are longer */

TEST_SINGLE(vanished_full, "lines that the buffer did not take are known, too")
{
    struct metrics *metrics = metrics_new();
    struct log *log;
    uint64_t made = 0;
    int fd;

    metrics_use_slot(metrics, metrics_slot_take(metrics));
    log = open_memory(LOG_TEXT, LOG_INFO, &fd);
    log_count_in(log, metrics);
    for (; log_lost(log) < 10; made++)
        log_info(log, "%s", X128);
    CU_ASSERT_EQUAL(metrics_take_log(metrics, 0), made);
    log_close(log);
    (void)close(fd);
    metrics_free(metrics);
}

/* A new log replaces one whose reader is slow. */
TEST_SINGLE(take_over, "what the old log could not write the new one does")
{
    struct metrics *metrics = metrics_new();
    unsigned made = 0, came;
    struct log *log, *old;
    uint64_t vanished;
    int ends[2];

    metrics_use_slot(metrics, metrics_slot_take(metrics));
    CU_ASSERT_EQUAL_FATAL(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    old = log_open(&(struct log_plan){.file = name_of(ends[1])});
    log_count_in(old, metrics);
    for (; log_lost(old) < 10; made++) {
        log_info(old, "line %05u", made);
        log_flush(old);
    }
    log = log_open(&(struct log_plan){.file = name_of(ends[1])});
    log_take_over(log, old);
    CU_ASSERT_EQUAL(log_lost(log), 10);
    CU_ASSERT(log_pending(log) > 0);
    vanished = metrics_take_log(metrics, 0); /* if it died now */
    (void)read_all(ends[0]);
    came = count_lines(output);
    CU_ASSERT_EQUAL(came + vanished, made);
    for (int i = 0; i < 100 && log_pending(log) > 0; i++) {
        log_flush(log);
        (void)read_all(ends[0]);
        came += count_lines(output);
    }
    CU_ASSERT_EQUAL(came, made - 10 + 1);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(output, "] E log: 10 lines lost, 10 since the start\n"));
    CU_ASSERT_EQUAL(log_close(log), 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
    metrics_free(metrics);
}

/*
 * The pipe has room for one write, and cannot be opened again: behind the last
 * lines the one that reports the lost ones has to wait.
 */
TEST_SINGLE(take_over_told,
            "a line about lost lines that waits is not forgotten")
{
    struct metrics *metrics = metrics_new();
    struct log *log, *old;
    int ends[2];

    metrics_use_slot(metrics, metrics_slot_take(metrics));
    CU_ASSERT_EQUAL_FATAL(pipe2(ends, O_CLOEXEC), 0);
    CU_ASSERT(fcntl(ends[1], F_SETPIPE_SZ, 1) > 0); /* a page */
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    calls_fail(CALL_OPEN, EACCES);
    old = open_as_stdout(ends[1]);
    log_count_in(old, metrics);
    while (log_lost(old) < 10) {
        log_info(old, "%s", X128);
        log_flush(old);
    }
    while (log_pending(old) > TOLD_MAX) {
        (void)!read(ends[0], output, sizeof(output));
        log_flush(old);
    }
    CU_ASSERT(log_pending(old) > 0);
    log = open_as_stdout(ends[1]);
    log_take_over(log, old);
    CU_ASSERT_EQUAL(metrics_take_log(metrics, 0), 1 + 10); /* if it died now */
    (void)read_all(ends[0]);
    CU_ASSERT_EQUAL(log_close(log), 0);
    (void)read_all(ends[0]);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "] E log: 10 lines lost, 10 since "));
    (void)close(ends[0]);
    (void)close(ends[1]);
    metrics_free(metrics);
}

TEST_SINGLE(stdout_file, "is written where others are who have it open, too")
{
    int fd = memfd_create("out", MFD_CLOEXEC);
    struct log *log;

    CU_ASSERT_EQUAL(write(fd, "before\n", 7), 7);
    log = open_as_stdout(fd);
    log_info(log, "here");
    log_flush(log);
    CU_ASSERT_EQUAL(write(fd, "after\n", 6), 6);
    log_close(log);
    CU_ASSERT_EQUAL(strncmp(content(fd), "before\n[", 8), 0);
    CU_ASSERT_STRING_EQUAL(output + strlen("before\n" STAMP_TEXT),
                           "I here\nafter\n");
    (void)close(fd);
}

/* A program that this one starts must not inherit the log. */
TEST_SINGLE(stdout_copy, "takes the place of no standard stream")
{
    int fd = memfd_create("out", MFD_CLOEXEC);
    int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    struct log *log;

    (void)close(STDERR_FILENO);
    log = open_as_stdout(fd);
    CU_ASSERT_EQUAL(fcntl(STDERR_FILENO, F_GETFD), -1);
    (void)dup2(saved, STDERR_FILENO);
    (void)close(saved);
    log_close(log);
    (void)close(fd);
}

TEST_SINGLE(stdout_closed, "is an error")
{
    struct log *log;
    int saved, error;

    (void)fflush(stdout);
    saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    (void)close(STDOUT_FILENO);
    log = log_open(&(struct log_plan){.file = NULL});
    error = errno;
    (void)dup2(saved, STDOUT_FILENO);
    (void)close(saved);
    CU_ASSERT_PTR_NULL(log);
    CU_ASSERT_EQUAL(error, EBADF);
}

TEST_SINGLE(chunks, "each write holds whole lines, at most one line's bound")
{
    unsigned came = 0;
    struct log *log;
    int ends[2];
    ssize_t got;

    /* A datagram is one write. */
    CU_ASSERT_EQUAL_FATAL(
        socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
    log = open_as_stdout(ends[1]);
    for (int i = 0; i < 100; i++)
        log_info(log, "%s", X128);
    log_flush(log);
    CU_ASSERT_EQUAL(log_pending(log), 0);
    for (int i = 0; i < 6; i++) { /* 26 lines of 153 bytes fit 4096 */
        got = recv(ends[0], output, sizeof(output) - 1, MSG_DONTWAIT);
        if (got <= 0)
            break;
        output[got] = '\0';
        came += count_lines(output);
        CU_ASSERT(got <= LOG_LINE_MAX);
        CU_ASSERT_EQUAL(output[0], '[');
        CU_ASSERT_EQUAL(output[got - 1], '\n');
    }
    CU_ASSERT_EQUAL(came, 100);

    for (int i = 0; i < 20000; i++) {
        log_info(log, "%s", X128);
        log_flush(log);
    }
    CU_ASSERT(log_lost(log) > 0); /* and no write blocked */
    log_close(log);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static const char *
file_content(const char *name)
{
    int fd = open(in_folder(name), O_RDONLY | O_CLOEXEC);

    (void)content(fd);
    (void)close(fd);
    return output;
}

static unsigned
count_fds(void)
{
    unsigned count = 0;

    for (int fd = 0; fd < FDS_MAX; fd++)
        count += fcntl(fd, F_GETFD) != -1;
    return count;
}

TEST_SINGLE(reopen, "lines go to the file that has the name")
{
    struct log *log;
    struct stat st;
    mode_t mask = umask(0);
    unsigned count;

    folder_make();
    log = log_open(&(struct log_plan){.file = in_folder("log")});
    (void)umask(mask);
    CU_ASSERT_PTR_NOT_NULL_FATAL(log);
    CU_ASSERT_EQUAL(stat(in_folder("log"), &st), 0);
    CU_ASSERT_EQUAL(st.st_mode & 07777, 0640);

    log_info(log, "one");
    CU_ASSERT_EQUAL(rename(in_folder("log"), in_folder("old")), 0);
    count = count_fds();
    CU_ASSERT_TRUE(log_reopen(log));
    log_info(log, "two");
    log_flush(log);
    CU_ASSERT_EQUAL(count_fds(), count); /* the old file is closed */
    CU_ASSERT_STRING_EQUAL(file_content("old") + strlen(STAMP_TEXT), "I one\n");
    CU_ASSERT_STRING_EQUAL(file_content("log") + strlen(STAMP_TEXT), "I two\n");

    (void)unlink(in_folder("log"));
    CU_ASSERT_EQUAL(mkdir(in_folder("log"), 0700), 0);
    CU_ASSERT_FALSE(
        log_reopen(log)); /* a folder is no file: the old file stays in use */
    CU_ASSERT_EQUAL(errno, EISDIR);
    log_info(log, "three");
    log_flush(log);
    CU_ASSERT_EQUAL(log_lost(log), 0);
    log_close(log);
    (void)rmdir(in_folder("log"));
    folder_remove();
}

TEST_SINGLE(no_folder, "a folder that is not there is an error")
{
    errno = 0;
    CU_ASSERT_PTR_NULL(
        log_open(&(struct log_plan){.file = "/nonexistent/log"}));
    CU_ASSERT_EQUAL(errno, ENOENT);
    log_close(NULL);
}

TEST_SINGLE(no_space, "lines that find no space are counted, and told later")
{
    struct log *log;
    const char *line;

    folder_make();
    CU_ASSERT_EQUAL(symlink("/dev/full", in_folder("log")), 0);
    log = log_open(&(struct log_plan){.file = in_folder("log")});
    CU_ASSERT_PTR_NOT_NULL_FATAL(log);
    log_info(log, "one");
    log_info(log, "two");
    log_flush(log);
    CU_ASSERT_EQUAL(log_lost(log), 2);
    CU_ASSERT_EQUAL(log_pending(log), 0);

    (void)unlink(in_folder("log"));
    CU_ASSERT_TRUE(log_reopen(log));
    log_info(log, "three");
    log_flush(log);
    log_info(log, "four");
    log_close(log);
    line = file_content("log");
    CU_ASSERT_EQUAL(count_lines(line), 3);
    CU_ASSERT_PTR_NOT_NULL(strstr(line, "] I three\n"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(line, "] E log: 2 lines lost, 2 since the start\n"));
    folder_remove();
}

/* From now on the log is this file. */
static void
link_to(struct log *log, const char *target)
{
    (void)unlink(in_folder("log"));
    CU_ASSERT_EQUAL(symlink(target, in_folder("log")), 0);
    CU_ASSERT_TRUE(log_reopen(log));
}

TEST_SINGLE(no_space_again, "both the new losses and all of them are told")
{
    struct log *log;

    folder_make();
    CU_ASSERT_EQUAL(symlink("/dev/full", in_folder("log")), 0);
    log = log_open(&(struct log_plan){.file = in_folder("log")});
    CU_ASSERT_PTR_NOT_NULL_FATAL(log);
    log_info(log, "one");
    log_info(log, "two");
    log_flush(log);
    link_to(log, "old");
    log_info(log, "three");
    log_flush(log);
    link_to(log, "/dev/full");
    log_info(log, "four");
    log_flush(log);
    link_to(log, "old");
    log_info(log, "five");
    log_close(log);
    CU_ASSERT_PTR_NOT_NULL(strstr(
        file_content("old"), "] E log: 2 lines lost, 2 since the start\n"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(output, "] E log: 1 lines lost, 3 since the start\n"));
    folder_remove();
}

static void
limit_files(rlim_t bytes)
{
    struct rlimit limit;

    CU_ASSERT_EQUAL(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* If the line that reports lost lines is lost, its number is reported later. */
TEST_SINGLE(told_in_vain, "what a lost line told is still to be told")
{
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    struct rlimit old;
    struct log *log;
    int fd;

    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_FSIZE, &old), 0);
    log = open_memory(LOG_TEXT, LOG_INFO, &fd);
    limit_files(0);
    log_info(log, "one");
    log_info(log, "two");
    log_flush(log);
    CU_ASSERT_EQUAL(log_lost(log), 2);
    limit_files((rlim_t)strlen(STAMP_TEXT "I three\n"));
    log_info(log, "three");
    log_flush(log);
    CU_ASSERT_EQUAL(log_lost(log), 3);
    CU_ASSERT_EQUAL(log_close(log), 3);
    CU_ASSERT_STRING_EQUAL(first_line(fd, LOG_TEXT), "I three\n");
    limit_files(old.rlim_cur);
    (void)signal(SIGXFSZ, handler);
    (void)close(fd);
}

TEST_SINGLE(torn, "after half a line the next one starts on its own")
{
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    struct rlimit old;
    struct log *log;
    int fd;

    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_FSIZE, &old), 0);
    log = open_memory(LOG_TEXT, LOG_INFO, &fd);
    limit_files((rlim_t)strlen(STAMP_TEXT "I on"));
    log_info(log, "one");
    log_info(log, "two");
    log_flush(log);
    CU_ASSERT_EQUAL(log_lost(log), 2);
    limit_files(old.rlim_cur);
    (void)signal(SIGXFSZ, handler);

    log_info(log, "three");
    log_close(log);
    (void)content(fd);
    CU_ASSERT_EQUAL(strncmp(output + strlen(STAMP_TEXT), "I on\n[", 6), 0);
    CU_ASSERT_EQUAL(count_lines(output), 3);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "] I three\n"));
    (void)close(fd);
}

struct torn_case {
    const char *name;
    bool is_full; /* the old file still is when the log is opened again */
};

static const struct torn_case torn_rows[] = {
    {"whose file has room again", false},
    {"whose file is still full", true},
};

/* Half a line in the old file is not ended in the new one. */
TEST_CASES(torn_old, struct torn_case, torn_rows)
{
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    struct rlimit old;
    struct log *log;

    folder_make();
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_FSIZE, &old), 0);
    log = log_open(&(struct log_plan){.file = in_folder("log")});
    CU_ASSERT_PTR_NOT_NULL_FATAL(log);
    limit_files((rlim_t)strlen(STAMP_TEXT "I on"));
    log_info(log, "one");
    log_flush(log);
    CU_ASSERT_EQUAL(log_lost(log), 1);
    if (!c->is_full)
        limit_files(old.rlim_cur);
    CU_ASSERT_EQUAL(rename(in_folder("log"), in_folder("old")), 0);
    CU_ASSERT_TRUE(log_reopen(log));
    limit_files(old.rlim_cur);
    (void)signal(SIGXFSZ, handler);
    log_info(log, "two");
    log_close(log);
    (void)file_content("log");
    CU_ASSERT_EQUAL(*output, '[');
    if (c->is_full) /* then the new file reports the lost line */
        CU_ASSERT_EQUAL(strncmp(output + strlen(STAMP_TEXT), "I two\n[", 7), 0);
    else
        CU_ASSERT_STRING_EQUAL(output + strlen(STAMP_TEXT), "I two\n");
    folder_remove();
}

TEST_SINGLE(forget, "a child does not repeat its parent's lines")
{
    int fd;
    struct log *log = open_memory(LOG_TEXT, LOG_INFO, &fd);

    log_info(log, "the parent's");
    log_forget(log);
    log_info(log, "mine");
    log_close(log);
    CU_ASSERT_STRING_EQUAL(first_line(fd, LOG_TEXT), "I mine\n");
    (void)close(fd);
}

/* A pipe that cannot be opened again: a part of the line is on its way. */
TEST_SINGLE(forget_staged, "a child writes, whatever its parent was writing")
{
    struct log *log;
    int ends[2];

    CU_ASSERT_EQUAL_FATAL(pipe2(ends, O_CLOEXEC), 0);
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    calls_fail(CALL_OPEN, EACCES);
    log = open_as_stdout(ends[1]);
    for (int i = 0; i < 1000; i++) /* more than a pipe holds: 64 KiB */
        log_info(log, "%s", X128);
    log_flush(log);
    CU_ASSERT(log_pending(log) > 0);
    log_forget(log);
    (void)read_all(ends[0]);
    log_info(log, "mine");
    log_flush(log);
    (void)read_all(ends[0]);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "] I mine\n"));
    log_close(log);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

TEST_SINGLE(forget_lost, "a child does not repeat its parent's losses")
{
    struct log *log;

    folder_make();
    CU_ASSERT_EQUAL(symlink("/dev/full", in_folder("log")), 0);
    log = log_open(&(struct log_plan){.file = in_folder("log")});
    CU_ASSERT_PTR_NOT_NULL_FATAL(log);
    log_info(log, "the parent's");
    log_flush(log);
    CU_ASSERT_EQUAL(log_lost(log), 1);
    log_forget(log);
    CU_ASSERT_EQUAL(log_lost(log), 0);

    (void)unlink(in_folder("log"));
    CU_ASSERT_TRUE(log_reopen(log));
    log_info(log, "mine");
    log_close(log);
    CU_ASSERT_EQUAL(count_lines(file_content("log")), 1);
    folder_remove();
}
