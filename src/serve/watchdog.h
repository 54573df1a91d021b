#ifndef WATCHDOG_H
#define WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Whether a worker has stalled. Each worker counts heartbeats in memory that it
 * shares with the parent, which checks them periodically. Checks are counted,
 * not time: while the parent itself is stopped, or the machine is suspended,
 * nothing is checked. Source: docs/protocol.md, S25.2.
 */

/* An idle worker counts a heartbeat this often; the parent checks this often.
 */
#define WATCHDOG_BEAT_MS  500
#define WATCHDOG_CHECK_MS 250

/*
 * From the third check without a new heartbeat, the system is asked for the
 * state of the worker. If it is stopped or asleep at three of these checks, it
 * has stalled: so it is killed within 1.5 s, while nginx still sends its
 * pending requests to another worker (fastcgi_next_upstream_timeout, 2 s).
 */
#define WATCHDOG_SILENT_CHECKS 3
#define WATCHDOG_STALL_CHECKS  3

/*
 * A worker that has used this much processor time since the system was first
 * asked runs without end: no request takes a tenth of it. With the checks
 * before, it is more than the 2 s of nginx, so the request that made the worker
 * loop is not sent to another one.
 */
#define WATCHDOG_LOOP_MS 2000

enum watchdog_verdict {
    WATCHDOG_MOVES = 0, /* or the machine is too busy to run it */
    WATCHDOG_STOPPED,
    WATCHDOG_WAITS, /* in a place where a worker never waits */
    WATCHDOG_LOOPS,
    WATCHDOG__MAX
};

struct watchdog {
    uint64_t beats; /* heartbeats at the last change */
    int silent;     /* checks since then */
    int stalled;    /* of these, checks at which it could have moved */
    bool is_asked;  /* the system has been asked since then */
    int64_t cpu_ms; /* the first answer */
};

/* The state of a process. */
struct watchdog_sample {
    char state; /* as in /proc/PID/stat */
    int64_t cpu_ms;
};

/* Asks the system for the state of a process; returns false if it fails. */
bool watchdog_sample(pid_t pid, struct watchdog_sample *ret_sample);

/* Counts a check; returns whether the caller must judge a sample now. */
bool watchdog_is_silent(struct watchdog *watchdog, uint64_t beats);

enum watchdog_verdict watchdog_judge(struct watchdog *watchdog,
                                     const struct watchdog_sample *sample);

/* The verdict in words, for the log; static. Not for WATCHDOG_MOVES. */
const char *watchdog_text(enum watchdog_verdict verdict);

#endif
