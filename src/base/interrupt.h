#ifndef INTERRUPT_H
#define INTERRUPT_H

/*
 * Catches SIGHUP, SIGINT and SIGTERM, except those that are ignored, so that a
 * command can clean up. After such a signal interrupt_signal() returns it, and
 * blocking calls fail with EINTR within a second, also those that begin later.
 * So a command may check interrupt_signal() and then block without a time
 * limit. A second SIGINT or SIGTERM kills the process.
 */
void interrupt_catch(void);

/* The last signal caught, or 0. */
int interrupt_signal(void);

#endif
