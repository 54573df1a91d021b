#ifndef INTERRUPT_H
#define INTERRUPT_H

/*
 * Lets a command end in good order when SIGHUP, SIGINT or SIGTERM comes, unless
 * it is ignored: the command is told by interrupt_signal(), and calls that wait
 * end with EINTR, also those that begin after the signal: within a second,
 * again and again. So none is lost between a look and a wait, and every wait
 * may be as long as it likes. A second SIGINT or SIGTERM ends the process as it
 * always would.
 */
void interrupt_catch(void);

/* The signal that has come, or 0. */
int interrupt_signal(void);

#endif
