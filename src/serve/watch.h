#ifndef WATCH_H
#define WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Whether a worker stands still. It beats in the memory that it shares with the
 * parent, who looks at it again and again. What counts is looks, not time: a
 * parent that was stopped itself, or a machine that slept, has not looked.
 */

/* A worker without anything to do beats so often; the parent looks so often. */
#define WATCH_BEAT_MS 500
#define WATCH_LOOK_MS 250

/*
 * From the third look without a beat on the system is asked what the worker
 * does. If that should have ended long ago, three times, it stands still: so it
 * is replaced within 1.5 s. By then nginx still asks another one for the
 * requests that were waiting (fastcgi_next_upstream_timeout, 2 s).
 */
#define WATCH_SILENT_LOOKS 3
#define WATCH_STILL_LOOKS  3

/*
 * A worker that has used so much of a processor since it was first asked about
 * runs without end; no request takes a tenth of that. It is more than the 2 s
 * above: what made this worker loop is not handed to the next.
 */
#define WATCH_LOOP_MS 2000

enum watch_verdict {
    WATCH_MOVES = 0, /* or would, if the machine let it */
    WATCH_STOPPED,
    WATCH_WAITS, /* for something that a worker never waits for */
    WATCH_LOOPS,
    WATCH__MAX
};

struct watch {
    uint64_t beats; /* at the last look */
    int silent;     /* looks since then that saw no other */
    int still;      /* of these, looks at which it could have moved */
    bool is_asked;  /* the system has been asked since then */
    int64_t cpu_ms; /* what it said first */
};

/* What the system says of a process. */
struct watch_sample {
    char state; /* as in /proc/PID/stat */
    int64_t cpu_ms;
};

/* False if it cannot be told. */
bool watch_sample(pid_t pid, struct watch_sample *ret_sample);

/* Takes note of a worker's beats; true if its sample has to be judged now. */
bool watch_is_silent(struct watch *watch, uint64_t beats);

enum watch_verdict watch_judge(struct watch *watch,
                               const struct watch_sample *sample);

/* In words for the log; not of WATCH_MOVES. */
const char *watch_text(enum watch_verdict verdict);

#endif
