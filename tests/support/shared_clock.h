#ifndef SHARED_CLOCK_H
#define SHARED_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * A clock that a row owns, in memory that it shares with the processes that it
 * forks. In a process that has joined, CLOCK_MONOTONIC is this clock, and
 * epoll_wait(), poll() and sigtimedwait() end at its time: so the row does not
 * wait for a time, it passes it. The row itself, and its limits of waiting, are
 * on the real clock. There is one such clock in a test program.
 */

/* In the row, before it forks: the real time, and it runs. */
void shared_clock_start(void);

/* In a forked process, which its children then follow. */
void shared_clock_join(void);

/*
 * In the row: only shared_clock_pass() advances a clock that is stopped, at a
 * whole millisecond; it goes on from there. A loop that polls without a wait
 * takes a microsecond, and so does a pass, besides its milliseconds.
 */
void shared_clock_stop(void);
void shared_clock_go(void);

/*
 * In the row: advances the clock, and returns when this process has handled
 * what was due or ready, and waits again. 0 ms: only what is ready, as bytes
 * are that have been sent to it. pid 0: waits for no process. False: the
 * process has ended, or does not wait again within CLOCK_PATIENCE_MS.
 */
bool shared_clock_pass(pid_t pid, int64_t ms);

/* How often a process that has joined has called a function that waits. */
unsigned shared_clock_waits(pid_t pid);

/* For the function that replaces clock_gettime(). */
bool shared_clock_read_us(int64_t real_us, int64_t *ret_us);

#endif
