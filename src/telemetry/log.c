/*
 * Formats the lines of the log, as text or JSON, and buffers them until a sink
 * writes them without waiting. Counts and reports lines that are lost.
 * Implements S28 of docs/protocol.md.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/outcome.h"
#include "base/request.h"
#include "base/units.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"
#include "telemetry/sink.h"

#define LOG_FIELDS      5   /* id, trace_id, path, method, context */
#define LOG_FIELD_MAX   128 /* bytes of each of them */
#define LOG_TEXT_ESCAPE 4   /* bytes of an escaped byte as text: \xHH */
#define LOG_JSON_ESCAPE 5   /* bytes of an escaped byte as JSON: \\xHH */
#define LOG_TAIL_MAX    16  /* "..." and the end of a line, in any format */
#define LOG_FIXED_MAX   320 /* the other bytes of a request's line */
#define LOG_STAMP_MAX   64
#define LOG_DIGITS_MAX  20 /* of a 64-bit number */
#define LOG_LAST_MAX    128

/* For the journal. Source: sd-daemon(3). */
#define LOG_PRIORITY_ERROR "<3>"
#define LOG_PRIORITY_INFO  "<6>"

/* How long log_close() waits for the reader, and the interval of its tries. */
#define LOG_END_MS      500
#define LOG_END_TICK_MS 5

_Static_assert(LOG_LINE_MAX <= SINK_ATOMIC, "a line must be written whole");
_Static_assert((LOG_FIELDS * LOG_FIELD_MAX + LOG_ACCOUNT_MAX) *
                           LOG_TEXT_ESCAPE +
                       LOG_FIXED_MAX <
                   LOG_LINE_MAX - LOG_TAIL_MAX,
               "a request as text must fit into a line");
_Static_assert(LOG_FIELDS *LOG_FIELD_MAX *LOG_JSON_ESCAPE +
                       2 * LOG_ACCOUNT_MAX + LOG_FIXED_MAX <
                   LOG_LINE_MAX - LOG_TAIL_MAX,
               "a request as JSON must fit into a line");

/* The text before each part of a line. */
struct log_form {
    const char *stamp; /* for strftime() */
    struct bytes level, message, message_end, end;
    struct bytes request, trace_id, path, method, account, code, ms;
};

static const struct log_form log_forms[] = {
    [LOG_TEXT] =
        {
            .stamp = "[%Y.%m.%d %H:%M:%S] ",
            .level = BYTES_LITERAL(""),
            .message = BYTES_LITERAL(" "),
            .message_end = BYTES_LITERAL(""),
            .end = BYTES_LITERAL("\n"),
            .request = BYTES_LITERAL(" request id="),
            .trace_id = BYTES_LITERAL(" trace_id="),
            .path = BYTES_LITERAL(" path="),
            .method = BYTES_LITERAL(" method="),
            .account = BYTES_LITERAL(" account="),
            .code = BYTES_LITERAL(" code="),
            .ms = BYTES_LITERAL(" ms="),
        },
    [LOG_JSON] =
        {
            .stamp = "{\"time\":\"%Y-%m-%dT%H:%M:%S.000%z",
            .level = BYTES_LITERAL("\",\"level\":\""),
            .message = BYTES_LITERAL("\",\"message\":\""),
            .message_end = BYTES_LITERAL("\""),
            .end = BYTES_LITERAL("}\n"),
            .request = BYTES_LITERAL("\",\"message\":\"request\",\"id\":\""),
            .trace_id = BYTES_LITERAL("\",\"trace_id\":\""),
            .path = BYTES_LITERAL("\",\"path\":\""),
            .method = BYTES_LITERAL("\",\"method\":\""),
            .account = BYTES_LITERAL("\",\"account\":\""),
            .code = BYTES_LITERAL("\",\"code\":"),
            .ms = BYTES_LITERAL(",\"ms\":"),
        },
};

/* Sets of bytes that need no escape. */
enum log_charset {
    LOG_WORD = 1 << 0,    /* in a field of a request */
    LOG_CONTEXT = 1 << 1, /* in the context, as text */
    LOG_MESSAGE = 1 << 2  /* in a message: all that are printable */
};

#define LOG_PUNCTUATION (LOG_CONTEXT | LOG_MESSAGE)
#define LOG_ANYWHERE    (LOG_WORD | LOG_CONTEXT | LOG_MESSAGE)

static const unsigned char log_plain[UCHAR_MAX + 1] = {
    [' ' ... '+'] = LOG_MESSAGE,  [','] = LOG_PUNCTUATION,
    ['-' ... '9'] = LOG_ANYWHERE, [':' ... '<'] = LOG_MESSAGE,
    ['='] = LOG_PUNCTUATION,      ['>' ... '@'] = LOG_MESSAGE,
    ['A' ... 'Z'] = LOG_ANYWHERE, ['[' ... '^'] = LOG_MESSAGE,
    ['_'] = LOG_ANYWHERE,         ['`'] = LOG_MESSAGE,
    ['a' ... 'z'] = LOG_ANYWHERE, ['{' ... '}'] = LOG_MESSAGE,
    ['~'] = LOG_ANYWHERE,
};

struct log {
    char *file; /* NULL: standard output */
    const struct log_form *form;
    enum log_format format;
    enum log_level level;
    enum log_requests requests;
    bool is_journal; /* the journal reads standard output */
    struct sink sink;
    struct metrics *metrics; /* of this process, or NULL: nothing is counted */
    bool is_torn;            /* the last write ended within a line */
    uint64_t waiting;        /* lines in out */
    uint64_t lost;           /* lines since the start */
    uint64_t untold;         /* those of them that no line has reported */
    uint64_t telling;        /* those that a line in out reports */
    time_t second;           /* the time that stamp[] shows */
    size_t stamp_length;
    char stamp[LOG_STAMP_MAX];
    size_t line_limit; /* out may be filled up to here by the current line */
    struct buf out; /* LOG_BUFFER_BYTES, of which unused pages cost nothing */
};

static bool
open_sink(const char *file, struct sink *ret_sink)
{
    return file != NULL
               ? sink_open_file(ret_sink, file, LOG_BUFFER_BYTES)
               : sink_open_stream(ret_sink, STDOUT_FILENO, LOG_BUFFER_BYTES);
}

/*
 * Whether the journal reads standard output: then a line begins with its
 * priority, and in text form has no time. Source: systemd.exec(5).
 */
static bool
journal_reads(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    uintmax_t device, inode;
    struct stat st;

    return stream != NULL && sscanf(stream, "%ju:%ju", &device, &inode) == 2 &&
           fstat(STDOUT_FILENO, &st) == 0 && (uintmax_t)st.st_dev == device &&
           (uintmax_t)st.st_ino == inode;
}

struct log *
log_open(const struct log_plan *plan)
{
    const char *file = plan->file;
    struct log *log = calloc(1, sizeof(*log));

    if (log == NULL)
        return NULL;
    log->format = plan->format;
    log->form = &log_forms[plan->format];
    log->level = plan->level;
    log->requests = plan->requests;
    log->second = (time_t)-1;
    log->is_journal = file == NULL && journal_reads();
    if (file != NULL) {
        log->file = strdup(file);
        if (log->file == NULL)
            goto out;
    }
    if (buf_reserve(&log->out, LOG_BUFFER_BYTES) && open_sink(file, &log->sink))
        return log;
out:
    buf_free(&log->out);
    free(log->file);
    free(log);
    return NULL;
}

/* Microseconds as milliseconds with three decimals. */
static void
put_ms(struct log *log, int64_t us)
{
    const int64_t rest = us > 0 ? us : 0;
    const char decimals[] = {'.', (char)('0' + rest / 100 % 10),
                             (char)('0' + rest / 10 % 10),
                             (char)('0' + rest % 10)};

    buf_add_int(&log->out, rest / US_PER_MS);
    buf_add(&log->out, decimals, sizeof(decimals));
}

static void
put_escape(struct log *log, unsigned char byte)
{
    static const char hex[] = "0123456789abcdef";
    const char escape[] = {'\\', '\\', 'x', hex[byte >> 4], hex[byte & 15]};
    const size_t skipped = log->format == LOG_JSON ? 0 : 1;

    buf_add(&log->out, escape + skipped, sizeof(escape) - skipped);
}

/*
 * Puts at most max bytes of a text, and "..." if it is cut there or by the
 * line. The bytes before the first escape, mostly all, are copied at once,
 * except in a message, in which JSON escapes printable bytes, too.
 */
static void
put_text(struct log *log, struct bytes text, size_t max, enum log_charset set)
{
    const size_t end = MIN(text.length, max);
    size_t i = 0;

    if (set != LOG_MESSAGE &&
        log->out.length + end + LOG_JSON_ESCAPE <= log->line_limit)
        while (i < end && (log_plain[(unsigned char)text.at[i]] & set) != 0)
            i++;
    buf_add(&log->out, text.at, i);
    for (; i < end; i++) {
        const unsigned char byte = (unsigned char)text.at[i];

        if (log->out.length + LOG_JSON_ESCAPE > log->line_limit)
            break;
        if ((log_plain[byte] & set) == 0) {
            put_escape(log, byte);
            continue;
        }
        if (log->format == LOG_JSON && (byte == '"' || byte == '\\'))
            buf_add(&log->out, "\\", 1);
        buf_add(&log->out, &text.at[i], 1);
    }
    if (i < text.length)
        buf_add_text(&log->out, "...");
}

static void
put_word(struct log *log, struct bytes word)
{
    put_text(log, word.length > 0 ? word : bytes_of("-"), LOG_FIELD_MAX,
             LOG_WORD);
}

/* Whether an account's name needs no quotes in text form. Source: S28.1. */
static bool
is_bare(struct bytes name)
{
    for (size_t i = 0; i < name.length; i++) {
        if ((log_plain[(unsigned char)name.at[i]] & LOG_MESSAGE) == 0 ||
            strchr(" \"\\=", name.at[i]) != NULL)
            return false;
    }
    return name.length > 0;
}

/*
 * Puts the name of an account: UTF-8 without control characters, so that JSON
 * needs few escapes. It is never cut: names are the operator's own, and
 * bounded.
 */
static void
put_account(struct log *log, struct bytes name)
{
    const bool is_quoted = log->format == LOG_TEXT && !is_bare(name);

    if (is_quoted)
        buf_add(&log->out, "\"", 1);
    for (size_t i = 0; i < name.length; i++) {
        const char c = name.at[i];

        if (log->format == LOG_TEXT &&
            (log_plain[(unsigned char)c] & LOG_MESSAGE) == 0) {
            put_escape(log, (unsigned char)c);
            continue;
        }
        if (c == '"' || c == '\\')
            buf_add(&log->out, "\\", 1);
        buf_add(&log->out, &name.at[i], 1);
    }
    if (is_quoted)
        buf_add(&log->out, "\"", 1);
}

static bool
is_number(struct bytes text)
{
    if (text.length == 0 || text.length > LOG_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
    }
    return text.length == 1 || text.at[0] != '0'; /* JSON has no 007 */
}

/* Puts "phone,email" as the items of a JSON array. */
static void
put_items(struct log *log, struct bytes items)
{
    const char *separator = "\"";

    while (items.length > 0) {
        const struct bytes item = bytes_cut(&items, ',');

        buf_add_text(&log->out, separator);
        put_text(log, item, item.length, LOG_WORD);
        buf_add(&log->out, "\"", 1);
        separator = ",\"";
    }
}

/*
 * Puts "name=value" as a member, whose value is a number or an array of words.
 */
static void
put_context_json(struct log *log, struct bytes value)
{
    const struct bytes name = bytes_cut(&value, '=');

    buf_add_text(&log->out, ",\"");
    put_text(log, name, name.length, LOG_WORD);
    buf_add_text(&log->out, "\":");
    if (is_number(value)) {
        buf_add_bytes(&log->out, value);
        return;
    }
    buf_add(&log->out, "[", 1);
    put_items(log, value);
    buf_add(&log->out, "]", 1);
}

/* Puts the fields of a context, which are separated by spaces. */
static void
put_context(struct log *log, struct bytes context)
{
    context.length = MIN(context.length, LOG_FIELD_MAX);
    while (context.length > 0) {
        const struct bytes field = bytes_cut(&context, ' ');

        if (log->format == LOG_JSON) {
            put_context_json(log, field);
            continue;
        }
        buf_add(&log->out, " ", 1);
        put_text(log, field, LOG_FIELD_MAX, LOG_CONTEXT);
    }
}

/* Formats the time of a line, without its milliseconds. */
static void
make_stamp(struct log *log, time_t now)
{
    struct tm tm = {0};
    char *at;

    (void)localtime_r(&now, &tm);
    log->second = now;
    log->stamp_length =
        strftime(log->stamp, sizeof(log->stamp) - 1, log->form->stamp, &tm);
    if (log->format != LOG_JSON || log->stamp_length < 2)
        return;
    at = log->stamp + log->stamp_length - 2; /* +0300 becomes +03:00 */
    memmove(at + 1, at, 2);
    *at = ':';
    log->stamp_length++;
}

static void
put_stamp(struct log *log)
{
    const bool has_ms = log->format == LOG_JSON;
    const int64_t now_ms =
        has_ms ? clock_wall_ms() : (int64_t)clock_wall_s() * MS_PER_S;
    const time_t second = (time_t)(now_ms / MS_PER_S);
    char *ms;

    if (second != log->second)
        make_stamp(log, second);
    buf_add(&log->out, log->stamp, log->stamp_length);
    if (!has_ms || log->stamp_length < sizeof("000+00:00"))
        return;
    ms = log->out.data + log->out.length - sizeof("000+00:00") + 1;
    ms[0] = (char)('0' + now_ms / 100 % 10);
    ms[1] = (char)('0' + now_ms / 10 % 10);
    ms[2] = (char)('0' + now_ms % 10);
}

static void
lose(struct log *log, uint64_t lines)
{
    log->lost += lines;
    log->untold += lines;
    if (log->metrics != NULL)
        metrics_add(log->metrics, METRIC_LOG_LINES_LOST, lines);
}

/* Tells the parent how many lines would be lost if this process died. */
static void
publish(struct log *log)
{
    if (log->metrics != NULL)
        metrics_set_log(log->metrics, log->waiting, log->untold + log->telling);
}

/*
 * Puts the beginning of a line, up to its level. Returns false if data is full.
 */
static bool
line_begin(struct log *log, char level)
{
    if (log->out.capacity - log->out.length < LOG_LINE_MAX) {
        lose(log, 1);
        publish(log);
        return false;
    }
    log->line_limit = log->out.length + LOG_LINE_MAX - LOG_TAIL_MAX;
    if (log->is_journal)
        buf_add_text(&log->out,
                     level == 'E' ? LOG_PRIORITY_ERROR : LOG_PRIORITY_INFO);
    if (!log->is_journal || log->format == LOG_JSON)
        put_stamp(log);
    buf_add_bytes(&log->out, log->form->level);
    buf_add(&log->out, &level, 1);
    return true;
}

static void
line_end(struct log *log)
{
    buf_add_bytes(&log->out, log->form->end);
    log->waiting++;
    publish(log);
}

static void
log_message(struct log *log, char level, const char *format, va_list args)
{
    char text[LOG_LINE_MAX]; /* more than a line has: put_text() cuts it */
    int length = vsnprintf(text, sizeof(text), format, args);

    if (length < 0)
        length = 0;
    if ((size_t)length >= sizeof(text))
        length = sizeof(text) - 1;
    if (!line_begin(log, level))
        return;
    buf_add_bytes(&log->out, log->form->message);
    put_text(log, (struct bytes){text, (size_t)length}, SIZE_MAX, LOG_MESSAGE);
    buf_add_bytes(&log->out, log->form->message_end);
    line_end(log);
}

void
log_info(struct log *log, const char *format, ...)
{
    va_list args;

    if (log->level == LOG_ERROR)
        return;
    va_start(args, format);
    log_message(log, 'I', format, args);
    va_end(args);
}

void
log_error(struct log *log, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_message(log, 'E', format, args);
    va_end(args);
}

void
log_request(struct log *log, const struct request *request,
            const struct outcome *outcome, int64_t duration_us)
{
    const struct log_form *form = log->form;
    bool is_fault = outcome->code >= 500;

    if (!is_fault && log->level == LOG_ERROR)
        return;
    if (outcome->code < 400 && log->requests == LOG_ERRORS)
        return;
    if (!line_begin(log, is_fault ? 'E' : 'I'))
        return;
    buf_add_bytes(&log->out, form->request);
    put_word(log, request->id);
    if (request->trace_id.length > 0) {
        buf_add_bytes(&log->out, form->trace_id);
        put_word(log, request->trace_id);
    }
    buf_add_bytes(&log->out, form->path);
    put_word(log, request->path);
    buf_add_bytes(&log->out, form->method);
    put_word(log, outcome->method);
    if (outcome->account.at != NULL) {
        buf_add_bytes(&log->out, form->account);
        put_account(log, outcome->account);
    }
    buf_add_bytes(&log->out, form->code);
    buf_add_int(&log->out, MAX(outcome->code, 0));
    buf_add_bytes(&log->out, form->ms);
    put_ms(log, duration_us);
    put_context(log, outcome->context);
    line_end(log);
}

/* How many bytes of the buffer to write at once: whole lines, if possible. */
static size_t
whole_lines(const struct log *log, size_t from)
{
    const char *start = log->out.data + from;
    size_t length = log->out.length - from;
    const char *end;

    if (length <= log->sink.write_max)
        return length;
    end = memrchr(start, '\n', log->sink.write_max);
    return end != NULL ? (size_t)(end - start) + 1 : log->sink.write_max;
}

/* Removes so many bytes from the beginning of the buffer. */
static void
consume(struct log *log, size_t length)
{
    if (length == 0)
        return;
    log->is_torn = log->out.data[length - 1] != '\n';
    log->out.length -= length;
    memmove(log->out.data, log->out.data + length, log->out.length);
    log->waiting = 0;
    for (size_t i = 0; i < log->out.length; i++)
        log->waiting += log->out.data[i] == '\n';
    if (log->out.length == 0)
        log->telling = 0;
}

/* Drops all buffered lines, except the line feed that a torn line needs. */
static void
drop_all(struct log *log)
{
    lose(log, log->waiting);
    log->untold += log->telling;
    log->waiting = log->telling = 0;
    log->out.data[0] = '\n';
    log->out.length = log->is_torn ? 1 : 0;
    sink_restart(&log->sink);
}

/*
 * Drops the rest of a torn line, which must not follow lines of another file.
 */
static void
drop_rest(struct log *log)
{
    const char *end = memchr(log->out.data, '\n', log->out.length);

    if (!log->is_torn || end == NULL)
        return;
    if (end != log->out.data) /* else only its line feed was left */
        lose(log, 1);
    consume(log, (size_t)(end - log->out.data) + 1);
}

/* Returns true if it has written something, and the buffer is empty. */
static bool
drain(struct log *log)
{
    size_t done = 0;
    bool is_broken = false;

    while (done < log->out.length && !is_broken) {
        ssize_t written = sink_write(&log->sink, log->out.data + done,
                                     whole_lines(log, done));

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0 && errno == EAGAIN)
            break;
        if (written > 0)
            done += (size_t)written;
        else
            is_broken = true;
    }
    consume(log, done);
    if (is_broken)
        drop_all(log);
    return done > 0 && !is_broken && log->out.length == 0;
}

static void
tell_lost(struct log *log)
{
    log->telling = log->untold;
    log->untold = 0;
    log_error(log, "log: %" PRIu64 " lines lost, %" PRIu64 " since the start",
              log->telling, log->lost);
    (void)drain(log);
}

void
log_flush(struct log *log)
{
    if (drain(log) && log->untold > 0)
        tell_lost(log);
    publish(log);
}

size_t
log_pending(const struct log *log)
{
    return log->out.length;
}

bool
log_reopen(struct log *log)
{
    struct sink sink;

    if (log->file == NULL)
        return true;
    log_flush(log);
    if (!open_sink(log->file, &sink))
        return false;
    drop_rest(log);
    sink_close(&log->sink);
    log->sink = sink;
    log->is_torn = false;
    return true;
}

void
log_count_in(struct log *log, struct metrics *metrics)
{
    log->metrics = metrics;
    publish(log);
}

void
log_forget(struct log *log)
{
    log->out.length = 0;
    log->lost = log->untold = log->telling = log->waiting = 0;
    sink_restart(&log->sink);
    publish(log);
}

uint64_t
log_lost(const struct log *log)
{
    return log->lost;
}

static void
log_free(struct log *log)
{
    sink_close(&log->sink);
    buf_free(&log->out);
    free(log->file);
    free(log);
}

void
log_take_over(struct log *log, struct log *old)
{
    const bool is_same = log->file == NULL && old->file == NULL;

    assert(log->out.length == 0);
    log_flush(old);
    if (!is_same)
        drop_rest(old);
    log->is_torn = is_same && old->is_torn;
    memcpy(log->out.data, old->out.data, old->out.length);
    log->out.length = old->out.length;
    log->lost = old->lost;
    log->untold = old->untold;
    log->telling = old->telling;
    log->waiting = old->waiting;
    log_count_in(log, old->metrics);
    log_free(old);
}

/* Tries at intervals: poll() does not report how much a sink can take. */
static void
await_reader(struct log *log)
{
    const int64_t end_ms = clock_mono_ms() + LOG_END_MS;

    log_flush(log);
    while (log->out.length > 0 && clock_mono_ms() < end_ms) {
        (void)poll(NULL, 0, LOG_END_TICK_MS);
        log_flush(log);
    }
}

uint64_t
log_close(struct log *log)
{
    uint64_t untold;

    if (log == NULL)
        return 0;
    await_reader(log);
    drop_all(log);
    publish(log);
    untold = log->untold;
    log_free(log);
    return untold;
}

void
log_say_lost(uint64_t lines)
{
    char text[LOG_LAST_MAX];
    struct sink sink;
    int length = snprintf(text, sizeof(text),
                          "scoring: the end of the log has no reader: %" PRIu64
                          " lines lost since the start\n",
                          lines);

    if (!sink_open_stream(&sink, STDERR_FILENO, LOG_LAST_MAX))
        return;
    (void)sink_write(&sink, text, (size_t)length);
    sink_close(&sink);
}
