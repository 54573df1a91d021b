/*
 * `scoring interests import`: reads a file twice, first to check all lines,
 * then to write them. Implements S19.2 to S19.4 of docs/protocol.md.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "base/line_reader.h"
#include "cli/import.h"
#include "cli/input.h"
#include "cli/session.h"
#include "cli/shards.h"
#include "cli/stream.h"
#include "cli/writer.h"
#include "scoring/interests.h"

static const char changed[] = "the file has changed since it was checked";

struct import {
    const struct interests_plan *plan;
    struct report report;
    int fd;
    int64_t start; /* the offset of the first line */
    int64_t size;  /* bytes to read */
    int64_t lines; /* of the whole file */
    int64_t clients;
    uint64_t digest;  /* of all clients so far */
    bool has_changed; /* the file has changed since it was checked */
    const char *why;  /* describes why the import has stopped */
    struct shards *shards;
    struct writer **writers; /* one for each shard; NULL: first reading */
};

/* Reports a bad line; on the second reading, the file has changed: stops. */
static bool
take_fault(struct import *import, int64_t number,
           enum interests_line_error error, const struct json_fault *fault)
{
    import->has_changed = import->writers != NULL;
    if (!import->has_changed)
        report_line(&import->report, number, error, fault);
    return !import->has_changed;
}

static bool
write_client(struct import *import, const struct interests_line *line)
{
    char room[INTERESTS_KEY_MAX];
    const struct bytes key = interests_key(line->client_id, room);

    return writer_add(import->writers[shards_find(import->shards, key)], key,
                      line->interests);
}

/* Each digest is a key of the next: the order of the clients counts, too. */
static bool
take_client(struct import *import, const struct interests_line *line)
{
    const struct hash_key key = {{import->digest, (uint64_t)line->client_id}};

    import->clients++;
    import->digest = hash_bytes(&key, line->interests);
    return import->writers == NULL || write_client(import, line);
}

/*
 * Reports a bad line; counts the client of a valid one, and on the second
 * reading writes it. Returns false to stop.
 */
static bool
take_line(struct import *import, struct line text, int64_t number)
{
    struct interests_line line;
    struct json_fault fault;
    enum interests_line_error error;

    text = line_reader_strip(text, number == 1);
    if (interests_line_is_empty(text))
        return true;
    error = interests_line_parse(text, &line, &fault);
    if (error == INTERESTS_LINE_OK)
        return take_client(import, &line);
    return take_fault(import, number, error, &fault);
}

/* Sets the reason, unless a signal is the reason. Returns the exit status. */
static int
stop(struct import *import, const char *why, int status)
{
    import->why = interrupt_signal() != 0 ? "interrupted" : why;
    return report_status(status);
}

/* The store has failed. EX_TEMPFAIL if a Cluster is moving slots: try later. */
static int
stop_by_store(struct import *import)
{
    int status = EX_UNAVAILABLE;

    for (size_t i = 0; i < shards_count(import->shards); i++)
        if (session_has_moved(shards_session(import->shards, i)))
            status = EX_TEMPFAIL;
    return stop(import, shards_error(import->shards), status);
}

/*
 * Handles every line, up to the size that the file had at the beginning.
 * Returns EX_OK even if lines are bad.
 */
static int
read_lines(struct import *import, struct line_reader *reader)
{
    enum line_reader_result result = LINE_READER_LINE;
    bool is_going_on = true;
    struct line text;

    while (is_going_on && line_reader_offset(reader) < import->size) {
        errno = EINTR;
        result = interrupt_signal() != 0 ? LINE_READER_FAILED
                                         : line_reader_next(reader, &text);
        if (result == LINE_READER_END || result == LINE_READER_FAILED)
            break;
        if (result == LINE_READER_LONG)
            is_going_on = take_fault(import, line_reader_number(reader),
                                     INTERESTS_LINE_LONG, NULL);
        else
            is_going_on = take_line(import, text, line_reader_number(reader));
        progress_set(&import->report.progress, line_reader_offset(reader),
                     line_reader_number(reader));
    }
    import->lines = line_reader_number(reader);
    if (import->has_changed)
        return stop(import, changed, EX_DATAERR);
    if (!is_going_on)
        return stop_by_store(import);
    if (result == LINE_READER_FAILED)
        return stop(import, strerror(errno), EX_IOERR);
    return EX_OK;
}

static int
read_file(struct import *import, const char *label)
{
    struct line_reader *reader;
    int status;

    if (lseek(import->fd, import->start, SEEK_SET) < 0)
        return stop(import, strerror(errno), EX_IOERR);
    reader =
        line_reader_new(import->fd, INTERESTS_LINE_MAX + LINE_READER_AROUND);
    if (reader == NULL)
        return stop(import, strerror(errno), EX_OSERR);
    progress_start(&import->report.progress, label, "lines", import->size);
    import->clients = 0;
    import->digest = 0;
    status = read_lines(import, reader);
    line_reader_free(reader);
    return status;
}

/* The first reading. Returns EX_DATAERR if any line is bad. */
static int
check_file(struct import *import)
{
    int status = read_file(import, "checking");

    report_rest(&import->report);
    if (status != EX_OK)
        report_say(&import->report, "%s: %s; nothing is written",
                   import->report.name, import->why);
    if (status != EX_OK || import->report.faults == 0)
        return status;
    report_say(&import->report,
               "%s: %lld of %lld lines are bad; nothing is written",
               import->report.name, (long long)import->report.faults,
               (long long)import->lines);
    return EX_DATAERR;
}

static bool
finish_writers(struct import *import)
{
    for (size_t i = 0; i < shards_count(import->shards); i++)
        if (!writer_finish(import->writers[i]))
            return false;
    return true;
}

static int64_t
confirmed(const struct import *import)
{
    int64_t sum = 0;

    for (size_t i = 0; i < shards_count(import->shards); i++)
        sum += writer_confirmed(import->writers[i]);
    return sum;
}

/* The second reading. */
static int
write_file(struct import *import)
{
    const uint64_t checked = import->digest;
    int status = read_file(import, "writing");

    if (status == EX_OK && !finish_writers(import))
        status = stop_by_store(import);
    if (status == EX_OK && import->digest != checked)
        status = stop(import, changed, EX_DATAERR);
    if (status != EX_OK)
        report_say(&import->report,
                   "%s: %s; at least %s%lld clients are written: run it again",
                   import->report.name, import->why,
                   shards_count(import->shards) == 1 ? "the first " : "",
                   (long long)confirmed(import));
    return status;
}

/* Makes a writer for each server. Returns false if one cannot be made. */
static bool
make_writers(struct import *import)
{
    const size_t count = shards_count(import->shards);
    bool is_good = true;

    import->writers = calloc(count, sizeof(import->writers[0]));
    if (import->writers == NULL)
        return false;
    for (size_t i = 0; i < count && is_good; i++) {
        struct session *session = shards_session(import->shards, i);

        import->writers[i] = writer_new(
            session, session_is_node(session) ? WRITER_SET : WRITER_MSET);
        is_good =
            import->writers[i] != NULL &&
            writer_ask_replicas(import->writers[i], import->plan->limit_ms / 2);
    }
    return is_good;
}

static void
free_writers(struct import *import)
{
    for (size_t i = 0;
         import->writers != NULL && i < shards_count(import->shards); i++)
        writer_free(import->writers[i]);
    free(import->writers);
}

static int
write_to_store(struct import *import, const struct redis_url *redis)
{
    int status = EX_OSERR;

    import->shards = shards_new(redis, import->plan->limit_ms);
    if (import->shards != NULL && shards_open(import->shards) &&
        make_writers(import)) {
        status = write_file(import);
    } else if (import->shards == NULL ||
               shards_error(import->shards)[0] == '\0') {
        report_say(&import->report, "out of memory");
    } else {
        status = stop_by_store(import);
        report_store(&import->report, redis, shards_error(import->shards),
                     "; nothing is written");
    }
    free_writers(import);
    shards_free(import->shards);
    return status;
}

int
interests_import(const struct interests_plan *plan,
                 const struct redis_url *redis)
{
    struct import import = {.plan = plan, .fd = -1};
    int status;

    import.report.began_ms = clock_mono_ms();
    import.report.name =
        stream_of_path(plan->path, STDIN_FILENO) == STDIN_FILENO
            ? "standard input"
            : plan->path;
    import.report.progress.is_shown = plan->shows_progress;
    status = input_open(plan, &import.report, &import.fd, &import.size);
    if (status != EX_OK)
        return status;
    import.start = lseek(import.fd, 0, SEEK_CUR);
    status = check_file(&import);
    if (status == EX_OK && !plan->is_dry_run)
        status = write_to_store(&import, redis);
    if (status == EX_OK && plan->shows_progress)
        report_end(&import.report, import.clients,
                   plan->is_dry_run ? "checked" : "written");
    progress_erase(&import.report.progress);
    (void)close(import.fd);
    return status;
}
