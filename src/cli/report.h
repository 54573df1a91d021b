#ifndef INTERESTS_REPORT_H
#define INTERESTS_REPORT_H

#include <stdint.h>

#include "base/bytes.h"
#include "cli/line.h"
#include "cli/progress.h"
#include "redis/url.h"

/* What is to be done, as the arguments say. */
struct interests_plan {
    int64_t client_id;
    struct bytes interests; /* JSON, for set; borrowed */
    const char *path;       /* of the file; "-": a standard stream */
    bool is_dry_run;
    int64_t limit_ms;         /* of connecting, and of each answer */
    const char *spool_folder; /* for what a pipe sends */
    bool shows_progress;
};

/*
 * What a command tells on standard error: faults, of which only the first are
 * shown, and how it ended. Start with a zeroed struct, a name and the time.
 */
struct interests_report {
    const char *name; /* of the file */
    struct progress progress;
    int64_t faults;
    int64_t began_ms;
};

#define INTERESTS_OTHER_TYPE "is not a string, but of another type"

/* A fault of a line, or of a key: what is wrong with it. */
void interests_report_line(struct interests_report *report, int64_t number,
                           enum interests_line_error error,
                           const struct json_fault *fault);
void interests_report_words(struct interests_report *report, int64_t number,
                            struct bytes words);
void interests_report_key(struct interests_report *report, struct bytes key,
                          const char *words);

/* How many faults have not been shown, if there are any. */
void interests_report_rest(struct interests_report *report);

/* A line about the whole. */
void interests_report_say(struct interests_report *report, const char *format,
                          ...) __attribute__((format(printf, 2, 3)));

/* All went well: how many clients are what, and in how many seconds. */
void interests_report_end(struct interests_report *report, int64_t clients,
                          const char *outcome);

/* The store has failed: its address, why, and what came of it. */
void interests_report_store(struct interests_report *report,
                            const struct redis_url *redis, const char *why,
                            const char *outcome);

/*
 * The exit status of a command that could not go on: that of a signal if one
 * has come, as a shell gives it, else the one given.
 */
int interests_report_status(int status);

#endif
