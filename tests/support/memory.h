#ifndef MEMORY_H
#define MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Failing memory: in a program that is linked with memory.c every allocation,
 * also of libraries, goes through it and can be made to fail. Works under ASan,
 * but not under valgrind, which replaces the allocator itself. For one thread.
 * Allocations of libfcgi and libev never fail; see memory.c.
 */

/* The n-th allocation from now, counted from 1, fails; the others do not. */
void memory_fail_at(size_t n);

/* Whether an allocation has failed since memory_fail_at(). */
bool memory_has_failed(void);

/* Lets all allocations succeed again; false if none had failed. */
bool memory_stop(void);

/*
 * Runs a scenario again and again, with another allocation failing each time,
 * until none fails. Asserts through CUnit.
 *
 * run     does everything and frees everything; calls memory_stop() before the
 *         part that must succeed.
 *
 * Memory that a scenario leaves allocated is a leak if it happens each time:
 * libraries keep a few things the first times.
 */
void memory_fail_each(void (*run)(const void *row), const void *row);

#endif
