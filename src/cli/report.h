#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include <stdint.h>

#include "base/bytes.h"
#include "cli/line.h"
#include "cli/progress.h"
#include "redis/url.h"

/* The arguments of a command of `scoring interests`. */
struct interests_plan {
    int64_t client_id;
    struct bytes interests; /* JSON, for set; borrowed */
    const char *path;       /* of the file; "-": a standard stream */
    bool is_dry_run;
    int64_t limit_ms;         /* for connecting, and for each answer */
    const char *spool_folder; /* for a copy of what a pipe sends */
    bool shows_progress;
};

/*
 * The messages of a command on standard error. Only the first 20 faults are
 * printed. Start with a zeroed struct, with name and began_ms set.
 */
struct report {
    const char *name; /* of the file */
    struct progress progress;
    int64_t faults;
    int64_t began_ms;
};

#define INTERESTS_OTHER_TYPE "is not a string, but of another type"
#define INTERESTS_TOO_LARGE  "is longer than 1 MiB"

/* Report a fault of a line, with its number from 1, or of a key. */
void report_line(struct report *report, int64_t number,
                 enum interests_line_error error,
                 const struct json_fault *fault);
void report_words(struct report *report, int64_t number, struct bytes words);
void report_key(struct report *report, struct bytes key, const char *words);

/* Reports how many faults have not been printed, if any. */
void report_rest(struct report *report);

/* Prints a line. */
void report_say(struct report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Reports success: "NAME: 3 clients are OUTCOME in 0.1 s". */
void report_end(struct report *report, int64_t clients, const char *outcome);

/* Reports a failure of the store: its address, the reason, and the outcome. */
void report_store(struct report *report, const struct redis_url *redis,
                  const char *why, const char *outcome);

/*
 * The exit status of a command that has failed: 128 plus the signal that has
 * ended it (S26.4), else the given status.
 */
int report_status(int status);

#endif
