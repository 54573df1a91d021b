#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stdint.h>

struct metrics;
struct outcome;
struct request;

/*
 * The log: lines "[2026.11.22 09:30:00] I message" in local time, or one JSON
 * object a line. Lines are gathered and written at log_flush(), many in one
 * write, whole lines only, never waiting for the reader: what cannot be
 * written in time is dropped, counted, and the number is told in the log.
 *
 * No text can break a line: what is not printable ASCII is escaped as \xHH.
 */
struct log;

enum log_format { LOG_TEXT = 0, LOG_JSON };
enum log_level { LOG_INFO = 0, LOG_ERROR };
enum log_requests { LOG_ALL = 0, LOG_ERRORS /* codes from 400 */ };

/* Where to, in which form, and what of it. */
struct log_plan {
    const char *file; /* NULL: standard output */
    enum log_format format;
    enum log_level level;       /* the lowest */
    enum log_requests requests; /* that have a line */
};

/* A line is at most so long, its end included: PIPE_BUF, so that the lines of
 * several processes do not mix in a pipe. A longer message is cut. */
#define LOG_LINE_MAX 4096

/* Lines that wait for their reader; when it is full, new ones are dropped. */
#define LOG_BUFFER_BYTES (256 * 1024)

/*
 * Opens the log. Its file is made with mode 0640; the folder must exist.
 * Returns NULL with errno set when it cannot be opened.
 */
struct log *log_open(const struct log_plan *plan);

/*
 * Writes what was gathered, for which it waits half a second at most, and
 * closes. Accepts NULL.
 *
 * Returns how many lines have been lost of which the log does not tell.
 */
uint64_t log_close(struct log *log);

/*
 * Says so on standard error, without waiting for it: the last resort.
 *
 * lines  lost since the start, by all processes.
 */
void log_say_lost(uint64_t lines);

/*
 * Goes on with what the old one has gathered and not been able to write, and
 * with its counts; the old one is closed without waiting.
 *
 * log  newly opened: no line has been logged.
 */
void log_take_over(struct log *log, struct log *old);

/*
 * From here on lost lines are counted there, and what would vanish with this
 * process is known there.
 *
 * metrics  borrowed, until the log is closed.
 */
void log_count_in(struct log *log, struct metrics *metrics);

/*
 * Opens the file again, by its name; what was gathered goes to the old one,
 * which stays, with errno set, if that fails. Standard output stays as it is.
 */
bool log_reopen(struct log *log);

void log_info(struct log *log, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void log_error(struct log *log, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * One line for a request, if it is to have one; of one that names a listed
 * account, with its name: level I, also if it ends in 4xx; E for codes of 500
 * and above. Texts may be empty (an empty trace_id is left out); each is cut at
 * 128 bytes, and escaped beyond [A-Za-z0-9/._~-]. The context is fields
 * "name=value" with a space between them: digits, or words joined by commas.
 */
void log_request(struct log *log, const struct request *request,
                 const struct outcome *outcome, int64_t duration_us);

/* Writes what was gathered. */
void log_flush(struct log *log);

/* Bytes that still wait for a reader: if any, flush again a little later. */
size_t log_pending(const struct log *log);

/*
 * Starts afresh: what waits is dropped uncounted, none is lost. For a child
 * after fork(), as its parent will write it.
 */
void log_forget(struct log *log);

/* Lines dropped so far. */
uint64_t log_lost(const struct log *log);

#endif
