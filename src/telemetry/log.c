/*
 * The log lines and their way out. Implements the log of docs/protocol.md,
 * "Settings": two formats, two levels, one line per request, nothing personal.
 *
 * The descriptor must never make the process wait, and O_NONBLOCK belongs to
 * the open file, which standard output shares with strangers: it is opened
 * anew through /proc. Where that cannot be done (a socket, another user's
 * terminal) each write is asked for first.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "telemetry/log.h"

#define LOG_FIELD_MAX  128 /* bytes of one text of a request */
#define LOG_ESCAPE_MAX 5   /* bytes that one byte may become: \\xHH in JSON */
#define LOG_TAIL_MAX   16  /* "..." and the end of a line, in any format */
#define LOG_FIXED_MAX  512 /* of a request's line: all but its five texts */
#define LOG_STAMP_MAX  64
#define LOG_DIGITS_MAX 20 /* of a 64-bit number */
#define LOG_FILE_MODE  0640
#define LOG_FIRST_FD   3 /* a copy of standard output is no standard stream */

_Static_assert(LOG_LINE_MAX <= PIPE_BUF, "a line must be atomic in a pipe");
_Static_assert(5 * LOG_FIELD_MAX * LOG_ESCAPE_MAX + LOG_FIXED_MAX <
                   LOG_LINE_MAX - LOG_TAIL_MAX,
               "a request must fit a line, however it is escaped");

#define LITERAL(text)                                                          \
    {                                                                          \
        text, sizeof(text) - 1                                                 \
    }

/* What stands between the parts of a line. */
struct log_form {
    const char *stamp; /* for strftime() */
    struct bytes level, message, message_end, end;
    struct bytes request, trace_id, path, method, code, ms;
};

static const struct log_form log_forms[] = {
    [LOG_TEXT] =
        {
            .stamp = "[%Y.%m.%d %H:%M:%S] ",
            .level = LITERAL(""),
            .message = LITERAL(" "),
            .message_end = LITERAL(""),
            .end = LITERAL("\n"),
            .request = LITERAL(" request id="),
            .trace_id = LITERAL(" trace_id="),
            .path = LITERAL(" path="),
            .method = LITERAL(" method="),
            .code = LITERAL(" code="),
            .ms = LITERAL(" ms="),
        },
    [LOG_JSON] =
        {
            .stamp = "{\"time\":\"%Y-%m-%dT%H:%M:%S%z",
            .level = LITERAL("\",\"level\":\""),
            .message = LITERAL("\",\"message\":\""),
            .message_end = LITERAL("\""),
            .end = LITERAL("}\n"),
            .request = LITERAL("\",\"message\":\"request\",\"id\":\""),
            .trace_id = LITERAL("\",\"trace_id\":\""),
            .path = LITERAL("\",\"path\":\""),
            .method = LITERAL("\",\"method\":\""),
            .code = LITERAL("\",\"code\":"),
            .ms = LITERAL(",\"ms\":"),
        },
};

/* Where a byte needs no escape. */
enum log_charset {
    LOG_WORD = 1 << 0,    /* a word of a request */
    LOG_CONTEXT = 1 << 1, /* its context, as text */
    LOG_MESSAGE = 1 << 2  /* all that is printable */
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

enum log_sink {
    LOG_SINK_OWN = 0, /* our own open file: it does not block */
    LOG_SINK_POLLED,  /* shared: asked before each write */
    LOG_SINK_SOCKET   /* shared: told not to wait with each write */
};

struct log_target {
    int fd;
    enum log_sink sink;
    size_t write_max; /* bytes that are not torn by another writer */
};

struct log {
    char *file; /* NULL: standard output */
    const struct log_form *form;
    enum log_format format;
    enum log_level level;
    struct log_target target;
    bool is_torn;    /* the last byte written was inside a line */
    uint64_t lost;   /* lines, ever */
    uint64_t untold; /* of these, not yet said in the log */
    time_t second;   /* what stamp[] shows */
    size_t stamp_length;
    char stamp[LOG_STAMP_MAX];
    size_t line_limit; /* where the line being made must end */
    size_t length;
    char data[LOG_BUFFER_BYTES]; /* pages that are not used cost nothing */
};

/*
 * A pipe or terminal is opened anew, so that not to wait is not forced on
 * others who write to it. A regular file never waits, and is shared as it is:
 * opened anew, it would have another position than theirs.
 */
static bool
target_open_stdout(struct log_target *ret_target)
{
    struct log_target target = {.sink = LOG_SINK_OWN, .fd = -1};
    struct stat st = {0};
    bool is_file = fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode);

    if (!is_file)
        target.fd = open("/proc/self/fd/1", O_WRONLY | O_APPEND | O_NONBLOCK |
                                                O_CLOEXEC | O_NOCTTY);
    if (target.fd < 0) {
        target.sink = is_file ? LOG_SINK_OWN : LOG_SINK_POLLED;
        target.fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, LOG_FIRST_FD);
    }
    if (target.fd < 0)
        return false;
    if (S_ISSOCK(st.st_mode))
        target.sink = LOG_SINK_SOCKET;
    *ret_target = target;
    return true;
}

static bool
target_open(const char *file, struct log_target *ret_target)
{
    struct log_target target = {.sink = LOG_SINK_OWN};
    struct stat st;

    if (file != NULL) {
        target.fd = open(file,
                         O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK |
                             O_CLOEXEC | O_NOCTTY,
                         LOG_FILE_MODE);
        if (target.fd < 0)
            return false;
    } else if (!target_open_stdout(&target)) {
        return false;
    }
    target.write_max = LOG_LINE_MAX;
    if (fstat(target.fd, &st) == 0 && S_ISREG(st.st_mode))
        target.write_max = LOG_BUFFER_BYTES; /* O_APPEND keeps it whole */
    *ret_target = target;
    return true;
}

struct log *
log_open(const char *file, enum log_format format, enum log_level level)
{
    struct log *log = calloc(1, sizeof(*log));

    if (log == NULL)
        return NULL;
    log->format = format;
    log->form = &log_forms[format];
    log->level = level;
    log->second = (time_t)-1;
    if (file != NULL) {
        log->file = strdup(file);
        if (log->file == NULL)
            goto out;
    }
    if (target_open(file, &log->target))
        return log;
out:
    free(log->file);
    free(log);
    return NULL;
}

void
log_close(struct log *log)
{
    if (log == NULL)
        return;
    log_flush(log);
    (void)close(log->target.fd);
    free(log->file);
    free(log);
}

bool
log_reopen(struct log *log)
{
    struct log_target target;

    if (log->file == NULL)
        return true;
    log_flush(log);
    if (!target_open(log->file, &target))
        return false;
    (void)close(log->target.fd);
    log->target = target;
    log->is_torn = false;
    return true;
}

static void
put(struct log *log, struct bytes text)
{
    memcpy(log->data + log->length, text.at, text.length);
    log->length += text.length;
}

static void
put_char(struct log *log, char c)
{
    log->data[log->length++] = c;
}

static void
put_number(struct log *log, uint64_t number)
{
    char digits[LOG_DIGITS_MAX];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    put(log, (struct bytes){digits + at, sizeof(digits) - at});
}

/* Microseconds as milliseconds with three decimals. */
static void
put_ms(struct log *log, int64_t us)
{
    uint64_t rest = us > 0 ? (uint64_t)us : 0;

    put_number(log, rest / 1000);
    put_char(log, '.');
    put_char(log, (char)('0' + rest / 100 % 10));
    put_char(log, (char)('0' + rest / 10 % 10));
    put_char(log, (char)('0' + rest % 10));
}

static bool
is_plain(unsigned char byte, enum log_charset set)
{
    return (log_plain[byte] & set) != 0;
}

static void
put_escape(struct log *log, unsigned char byte)
{
    static const char hex[] = "0123456789abcdef";

    if (log->format == LOG_JSON)
        put_char(log, '\\');
    put_char(log, '\\');
    put_char(log, 'x');
    put_char(log, hex[byte >> 4]);
    put_char(log, hex[byte & 15]);
}

/* At most max bytes of a text, "..." if that, or the line, cuts it. */
static void
put_escaped(struct log *log, struct bytes text, size_t max,
            enum log_charset set)
{
    size_t i;

    for (i = 0; i < text.length && i < max; i++) {
        unsigned char byte = (unsigned char)text.at[i];

        if (log->length + LOG_ESCAPE_MAX > log->line_limit)
            break;
        if (!is_plain(byte, set)) {
            put_escape(log, byte);
            continue;
        }
        if (log->format == LOG_JSON && (byte == '"' || byte == '\\'))
            put_char(log, '\\');
        put_char(log, (char)byte);
    }
    if (i < text.length)
        put(log, bytes_of("..."));
}

/* Whether all of a text stands for itself, also as JSON. */
static bool
is_verbatim(struct bytes text, enum log_charset set)
{
    for (size_t i = 0; i < text.length; i++) {
        if (!is_plain((unsigned char)text.at[i], set))
            return false;
    }
    return set != LOG_MESSAGE; /* which has quotes */
}

static void
put_word(struct log *log, struct bytes word)
{
    if (word.length == 0)
        put_char(log, '-');
    else if (word.length <= LOG_FIELD_MAX && is_verbatim(word, LOG_WORD))
        put(log, word);
    else
        put_escaped(log, word, LOG_FIELD_MAX, LOG_WORD);
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

/* "phone,email" as the items of a JSON array. */
static void
put_items(struct log *log, struct bytes items)
{
    const char *separator = "\"";

    while (items.length > 0) {
        const char *comma = memchr(items.at, ',', items.length);
        size_t length =
            comma != NULL ? (size_t)(comma - items.at) : items.length;
        size_t used = comma != NULL ? length + 1 : length;

        put(log, bytes_of(separator));
        put_escaped(log, (struct bytes){items.at, length}, length, LOG_WORD);
        put_char(log, '"');
        separator = ",\"";
        items.at += used;
        items.length -= used;
    }
}

/* "name=value" as a member: a number, or an array of words. */
static void
put_context_json(struct log *log, struct bytes context)
{
    const char *equals = memchr(context.at, '=', context.length);
    size_t length =
        equals != NULL ? (size_t)(equals - context.at) : context.length;
    size_t used = equals != NULL ? length + 1 : length;
    struct bytes value = {context.at + used, context.length - used};

    put(log, bytes_of(",\""));
    put_escaped(log, (struct bytes){context.at, length}, length, LOG_WORD);
    put(log, bytes_of("\":"));
    if (is_number(value)) {
        put(log, value);
        return;
    }
    put_char(log, '[');
    put_items(log, value);
    put_char(log, ']');
}

static void
put_context(struct log *log, struct bytes context)
{
    if (context.length == 0)
        return;
    if (context.length > LOG_FIELD_MAX)
        context.length = LOG_FIELD_MAX;
    switch (log->format) {
    case LOG_TEXT:
        put_char(log, ' ');
        if (is_verbatim(context, LOG_CONTEXT))
            put(log, context);
        else
            put_escaped(log, context, LOG_FIELD_MAX, LOG_CONTEXT);
        break;
    case LOG_JSON:
        put_context_json(log, context);
        break;
    }
}

/* Makes the time in front of a line anew when the second has changed. */
static void
refresh_stamp(struct log *log)
{
    const time_t now = clock_wall_s();
    struct tm tm = {0};
    char *at;

    if (now == log->second)
        return;
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

/* Starts a line, up to its level; false when there is no room for it. */
static bool
line_begin(struct log *log, char level)
{
    if (sizeof(log->data) - log->length < LOG_LINE_MAX) {
        log->lost++;
        log->untold++;
        return false;
    }
    log->line_limit = log->length + LOG_LINE_MAX - LOG_TAIL_MAX;
    refresh_stamp(log);
    put(log, (struct bytes){log->stamp, log->stamp_length});
    put(log, log->form->level);
    put_char(log, level);
    return true;
}

static void
log_message(struct log *log, char level, const char *format, va_list args)
{
    char text[LOG_LINE_MAX]; /* more than fits: a cut shows as "..." */
    int length = vsnprintf(text, sizeof(text), format, args);

    if (length < 0)
        length = 0;
    if ((size_t)length >= sizeof(text))
        length = sizeof(text) - 1;
    if (!line_begin(log, level))
        return;
    put(log, log->form->message);
    put_escaped(log, (struct bytes){text, (size_t)length}, SIZE_MAX,
                LOG_MESSAGE);
    put(log, log->form->message_end);
    put(log, log->form->end);
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
log_request(struct log *log, const struct log_request *request)
{
    const struct log_form *form = log->form;
    bool is_fault = request->code >= 500;

    if (!is_fault && log->level == LOG_ERROR)
        return;
    if (!line_begin(log, is_fault ? 'E' : 'I'))
        return;
    put(log, form->request);
    put_word(log, request->id);
    if (request->trace_id.length > 0) {
        put(log, form->trace_id);
        put_word(log, request->trace_id);
    }
    put(log, form->path);
    put_word(log, request->path);
    put(log, form->method);
    put_word(log, request->method);
    put(log, form->code);
    put_number(log, request->code > 0 ? (uint64_t)request->code : 0);
    put(log, form->ms);
    put_ms(log, request->duration_us);
    put_context(log, request->context);
    put(log, form->end);
}

/* Writes without waiting; as write(), with EAGAIN where it would have to. */
static ssize_t
target_write(const struct log_target *target, const char *data, size_t length)
{
    struct pollfd ready = {.fd = target->fd, .events = POLLOUT};
    ssize_t written = -1;

    switch (target->sink) {
    case LOG_SINK_OWN:
        written = write(target->fd, data, length);
        break;
    case LOG_SINK_SOCKET:
        written = send(target->fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        break;
    case LOG_SINK_POLLED:
        if (poll(&ready, 1, 0) == 1)
            written = write(target->fd, data, length);
        else
            errno = EAGAIN;
        break;
    }
    return written;
}

/* How much of what waits goes out in one write: whole lines. */
static size_t
whole_lines(const struct log *log, size_t from)
{
    const char *start = log->data + from;
    size_t length = log->length - from;
    const char *end;

    if (length <= log->target.write_max)
        return length;
    end = memrchr(start, '\n', log->target.write_max);
    return end != NULL ? (size_t)(end - start) + 1 : log->target.write_max;
}

/* Forgets what stands before, and whether it ended inside a line. */
static void
consume(struct log *log, size_t length)
{
    if (length == 0)
        return;
    log->is_torn = log->data[length - 1] != '\n';
    log->length -= length;
    memmove(log->data, log->data + length, log->length);
}

/* Nothing can be written: drops all, but for the end that a torn line needs. */
static void
drop_all(struct log *log)
{
    /* No line is empty: a line end in front has lost its line already. */
    for (size_t i = 1; i < log->length; i++) {
        if (log->data[i] != '\n')
            continue;
        log->lost++;
        log->untold++;
    }
    log->data[0] = '\n';
    log->length = log->is_torn ? 1 : 0;
}

/* Returns true if something was written, and nothing is left. */
static bool
drain(struct log *log)
{
    size_t done = 0;
    bool is_broken = false;

    while (done < log->length && !is_broken) {
        ssize_t written = target_write(&log->target, log->data + done,
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
    return done > 0 && !is_broken && log->length == 0;
}

void
log_flush(struct log *log)
{
    uint64_t untold;

    if (!drain(log) || log->untold == 0)
        return;
    untold = log->untold;
    log->untold = 0;
    log_error(log, "log: %" PRIu64 " lines lost, %" PRIu64 " since the start",
              untold, log->lost);
    (void)drain(log);
}

size_t
log_pending(const struct log *log)
{
    return log->length;
}

void
log_forget(struct log *log)
{
    log->length = 0;
    log->lost = 0;
    log->untold = 0;
}

uint64_t
log_lost(const struct log *log)
{
    return log->lost;
}
