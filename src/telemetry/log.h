#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stdint.h>

struct metrics;
struct outcome;
struct request;

/*
 * The log: lines "[2026.11.22 09:30:00] I message" in local time, or one JSON
 * object per line. Lines are buffered, and log_flush() writes many of them in
 * one write. It never waits for the reader: lines that do not fit into the
 * buffer are dropped and counted, and the log reports their number.
 *
 * A text cannot end a line: bytes that are not printable ASCII are escaped as
 * \xHH. Source: docs/protocol.md, S28.
 */
struct log;

enum log_format { LOG_TEXT = 0, LOG_JSON };
enum log_level { LOG_INFO = 0, LOG_ERROR };
enum log_requests { LOG_ALL = 0, LOG_ERRORS /* codes from 400 */ };

/* The settings of the log. */
struct log_plan {
    const char *file; /* NULL: standard output */
    enum log_format format;
    enum log_level level;       /* the lowest that is logged */
    enum log_requests requests; /* the requests that are logged */
};

/*
 * The most bytes of a line with its end: PIPE_BUF, so that lines of several
 * processes do not mix in a pipe. A longer message is cut.
 */
#define LOG_LINE_MAX 4096

#define LOG_ACCOUNT_MAX 256 /* bytes of an account's name, which is not cut */

/* The size of the buffer. While it is full, new lines are dropped. */
#define LOG_BUFFER_BYTES (256 * 1024)

/*
 * Opens the log, and creates its file with mode 0640; the folder must exist.
 * Returns NULL with errno set on failure. Close it with log_close().
 */
struct log *log_open(const struct log_plan *plan);

/*
 * Writes the buffered lines, for which it waits half a second at most, and
 * closes the log. Accepts NULL.
 *
 * Returns how many lines were lost without a line of the log that says so.
 */
uint64_t log_close(struct log *log);

/*
 * Reports lost lines on standard error, as a last resort. Never waits.
 *
 * lines  lost since the start, by all processes.
 */
void log_say_lost(uint64_t lines);

/*
 * Takes over the buffered lines and the counts of an old log, and closes it
 * without waiting.
 *
 * log  newly opened: nothing has been logged.
 */
void log_take_over(struct log *log, struct log *old);

/*
 * From now on counts lost lines in metrics, and keeps there the number of lines
 * that would be lost if this process died.
 *
 * metrics  borrowed until the log is closed.
 */
void log_count_in(struct log *log, struct metrics *metrics);

/*
 * Opens the file again by its name, after writing the buffered lines to the old
 * one. If this fails, returns false with errno set, and the old file stays
 * open. Does nothing for standard output.
 */
bool log_reopen(struct log *log);

void log_info(struct log *log, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void log_error(struct log *log, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Logs a request, unless the settings exclude it: level E for codes of 500 and
 * above, else I. Texts may be empty (an empty trace_id is left out); each is
 * cut at 128 bytes, and bytes outside [A-Za-z0-9/._~-] are escaped. The context
 * consists of fields "name=value", separated by spaces; a value consists of
 * digits, or of words separated by commas. Source: docs/protocol.md, S28.1.
 */
void log_request(struct log *log, const struct request *request,
                 const struct outcome *outcome, int64_t duration_us);

/* Writes the buffered lines, as far as possible without waiting. */
void log_flush(struct log *log);

/* The bytes that are still buffered: if any, flush again a little later. */
size_t log_pending(const struct log *log);

/*
 * Empties the buffer and resets the counts. Call it in a child after fork():
 * the parent writes the buffered lines.
 */
void log_forget(struct log *log);

/* The lines lost so far. */
uint64_t log_lost(const struct log *log);

#endif
