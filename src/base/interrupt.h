#ifndef INTERRUPT_H
#define INTERRUPT_H

/*
 * Lets a command end in good order when SIGINT or SIGTERM comes: it is told by
 * interrupt_signal(), and calls that wait end with EINTR. A second signal of
 * the same kind ends the process as it always would.
 */
void interrupt_catch(void);

/* The signal that has come, or 0. */
int interrupt_signal(void);

/*
 * At most so long may a wait last before the question above is asked again: a
 * signal may have come just before the wait began.
 */
#define INTERRUPT_SLICE_MS 200

#endif
