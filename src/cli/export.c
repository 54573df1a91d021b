/*
 * `scoring interests export`: writes all clients of the store as lines.
 * Implements S19.5, S19.6 and S19.8 of docs/protocol.md.
 */
#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "cli/export.h"
#include "cli/output.h"
#include "cli/scan.h"
#include "cli/session.h"
#include "cli/shards.h"
#include "cli/stream.h"
#include "scoring/interests.h"

#define WRITE_STEP ((size_t)64 << 10) /* bytes of one write() */

struct export
{
    struct report report;
    const struct redis_url *redis;
    struct shards *shards;
    bool has_moved; /* a slot of the Cluster has moved meanwhile */
    struct interests_output *output;
    struct buf text; /* lines that are not yet written */
    int64_t clients;
    bool is_output_lost; /* output_errno is the reason */
    int output_errno;
};

static const char *const kind_faults[] = {
    [SCAN_OTHER_TYPE] = INTERESTS_OTHER_TYPE,
    [SCAN_TOO_LARGE] = INTERESTS_TOO_LARGE,
};

static bool
write_out(struct export *export)
{
    if (export->text.failed)
        errno = ENOMEM;
    else if (interests_output_write(export->output, &export->text))
        return true;
    export->is_output_lost = true;
    export->output_errno = errno;
    return false;
}

/* Adds the line of a key; reports and leaves out a damaged one. */
static bool
found(void *arg, const struct scan_item *item)
{
    struct export *export = arg;
    enum interests_line_error error;
    int64_t client_id;

    if (!interests_key_parse(item->key, &client_id)) {
        report_key(&export->report, item->key, "there is no such client id");
        return true;
    }
    if (item->kind != SCAN_STRING) {
        report_key(&export->report, item->key, kind_faults[item->kind]);
        return true;
    }
    error = interests_line_print(client_id, item->value, &export->text);
    if (error != INTERESTS_LINE_OK) {
        report_key(&export->report, item->key,
                   interests_line_error_text(error));
        return true;
    }
    export->clients++;
    return export->text.length < WRITE_STEP || write_out(export);
}

static bool
moved(void *arg, int64_t visited, int64_t total)
{
    struct export *export = arg;

    export->report.progress.state.total = total;
    progress_set(&export->report.progress, visited, export->clients);
    return true;
}

/* EBADF: the path names a descriptor that is not open. */
static int
say_unopened(struct export *export)
{
    const int status = errno == EBADF ? EX_IOERR : EX_CANTCREAT;

    report_say(&export->report, "%s: %s", export->report.name,
               interrupt_signal() != 0 ? "interrupted" : strerror(errno));
    return report_status(status);
}

/* Reports that the scan or the output has failed. Returns the exit status. */
static int
say_failure(struct export *export)
{
    if (interrupt_signal() != 0)
        report_say(&export->report, "%s: interrupted", export->report.name);
    else if (export->is_output_lost)
        report_say(&export->report, "%s: %s", export->report.name,
                   strerror(export->output_errno));
    else
        report_store(&export->report, export->redis,
                     export->has_moved ? "slots of the cluster are being moved"
                                       : shards_error(export->shards),
                     export->has_moved ? ": run it again later" : "");
    if (export->has_moved)
        return report_status(EX_TEMPFAIL);
    return report_status(export->is_output_lost ? EX_IOERR : EX_UNAVAILABLE);
}

/* Scans one server after the other. Returns false also if slots have moved. */
static bool
scan_all(struct export *export, const struct scan *scan)
{
    for (size_t i = 0; i < shards_count(export->shards); i++) {
        struct session *session = shards_session(export->shards, i);

        if (!scan_run(session, scan)) {
            export->has_moved = session_has_moved(session);
            return false;
        }
    }
    return shards_check_moved(export->shards, &export->has_moved) &&
           !export->has_moved;
}

static int
write_clients(struct export *export)
{
    const struct scan scan = {.pattern = INTERESTS_KEY_PREFIX "*",
                              .found = found,
                              .moved = moved,
                              .arg = export};

    progress_start(&export->report.progress, "exporting", "clients", 0);
    if (!shards_open(export->shards) || !scan_all(export, &scan) ||
        !write_out(export))
        return say_failure(export);
    if (!interests_output_finish(export->output)) {
        export->is_output_lost = true;
        export->output_errno = errno;
        return say_failure(export);
    }
    report_rest(&export->report);
    if (export->report.faults == 0)
        return EX_OK;
    report_say(&export->report,
               "%lld keys are damaged and left out, %lld clients "
               "are exported",
               (long long)export->report.faults, (long long)export->clients);
    return EX_DATAERR;
}

int
interests_export(const struct interests_plan *plan,
                 const struct redis_url *redis)
{
    struct export export = {0};
    int status;

    export.redis = redis;
    export.report.began_ms = clock_mono_ms();
    export.report.name =
        stream_of_path(plan->path, STDOUT_FILENO) == STDOUT_FILENO
            ? "standard output"
            : plan->path;
    export.report.progress.is_shown = plan->shows_progress;
    export.output = interests_output_open(plan->path);
    if (export.output == NULL) {
        return say_unopened(&export);
    }
    export.shards = shards_new(redis, plan->limit_ms);
    if (export.shards == NULL) {
        report_say(&export.report, "out of memory");
        status = EX_OSERR;
    } else {
        status = write_clients(&export);
    }
    if (status == EX_OK && plan->shows_progress)
        report_end(&export.report, export.clients, "exported");
    progress_erase(&export.report.progress);
    shards_free(export.shards);
    interests_output_free(export.output);
    buf_free(&export.text);
    return status;
}
