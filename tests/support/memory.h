#ifndef MEMORY_H
#define MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Failing memory: in a program that is linked with memory.c every allocation,
 * also that of a library, goes through it and can be made to fail. Works under
 * ASan too, but not under valgrind, which puts its own in the place. For one
 * thread. Spared are libraries that end the process without memory: libfcgi and
 * libev; see there.
 */

/* The n-th allocation from now, counted from 1, fails; the others do not. */
void memory_fail_at(size_t n);

/* Whether an allocation has failed since, before memory_stop(). */
bool memory_has_failed(void);

/* Lets all allocations succeed again; false if none had failed. */
bool memory_stop(void);

/*
 * Fails every allocation of a scenario in turn, until it comes to its end with
 * none failing.
 *
 * run     does all and frees all; calls memory_stop() when it has come to
 *         what must work.
 *
 * What it leaves behind is a leak if it does so again and again: libraries keep
 * a few things of their own the first times. Failures are CUnit's.
 */
void memory_fail_each(void (*run)(const void *row), const void *row);

#endif
