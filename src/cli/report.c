/*
 * Prints the messages of `scoring interests` and `scoring model diff` on
 * standard error, without the content of lines. Implements the messages of S19
 * of docs/protocol.md.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/units.h"
#include "cli/report.h"

#define SHOWN_MAX     20 /* faults: S19.3 */
#define KEY_SHOWN_MAX 64 /* bytes of a key */

#define SIGNAL_STATUS 128 /* plus the signal's number, as in shells */

/* Counts a fault. Returns whether to print it; erases the line of progress. */
static bool
next_fault(struct report *report)
{
    progress_erase(&report->progress);
    return report->faults++ < SHOWN_MAX;
}

void
report_words(struct report *report, int64_t number, struct bytes words)
{
    if (!next_fault(report))
        return;
    (void)fprintf(stderr, "scoring: %s:%lld: %.*s\n", report->name,
                  (long long)number, (int)words.length, words.at);
}

void
report_line(struct report *report, int64_t number,
            enum interests_line_error error, const struct json_fault *fault)
{
    if (!next_fault(report))
        return;
    (void)fprintf(stderr, "scoring: %s:%lld: %s", report->name,
                  (long long)number, interests_line_error_text(error));
    if (error == INTERESTS_LINE_JSON)
        (void)fprintf(stderr, " at byte %zu: %s", fault->offset,
                      json_error_text(fault->error));
    (void)fprintf(stderr, "\n");
}

/* Bytes of a key that are not printable ASCII are shown as '?'. */
void
report_key(struct report *report, struct bytes key, const char *words)
{
    const size_t shown =
        key.length < KEY_SHOWN_MAX ? key.length : KEY_SHOWN_MAX;

    if (!next_fault(report))
        return;
    (void)fprintf(stderr, "scoring: ");
    for (size_t i = 0; i < shown; i++)
        (void)fputc(key.at[i] > ' ' && key.at[i] <= '~' ? key.at[i] : '?',
                    stderr);
    (void)fprintf(stderr, "%s: %s\n", shown < key.length ? "..." : "", words);
}

void
report_rest(struct report *report)
{
    if (report->faults > SHOWN_MAX)
        (void)fprintf(stderr, "scoring: and %lld more like these\n",
                      (long long)(report->faults - SHOWN_MAX));
}

void
report_say(struct report *report, const char *format, ...)
{
    va_list args;

    progress_erase(&report->progress);
    (void)fprintf(stderr, "scoring: ");
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fprintf(stderr, "\n");
}

void
report_end(struct report *report, int64_t clients, const char *outcome)
{
    const int64_t tenths = (clock_mono_ms() - report->began_ms) * 10 / MS_PER_S;

    report_say(report, "%s: %lld clients are %s in %lld.%lld s", report->name,
               (long long)clients, outcome, (long long)(tenths / 10),
               (long long)(tenths % 10));
}

void
report_store(struct report *report, const struct redis_url *redis,
             const char *why, const char *outcome)
{
    struct buf address = {0};

    redis_url_print_address(redis, &address);
    report_say(report, "the store: %.*s: %s%s", (int)address.length,
               address.data != NULL ? address.data : "", why, outcome);
    buf_free(&address);
}

int
report_status(int status)
{
    const int number = interrupt_signal();

    return number != 0 ? SIGNAL_STATUS + number : status;
}
