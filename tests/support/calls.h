#ifndef CALLS_H
#define CALLS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * System calls that fail, and time that passes at once: in a program that is
 * linked with calls.c these calls of its own and of its libraries go through
 * it. Works under ASan and valgrind. For one thread.
 */
enum call {
    CALL_RECV = 0,
    CALL_SENDFILE,
    CALL_MEMFD_CREATE,
    CALL_MMAP,
    CALL__MAX
};

/* The next such call fails with this error, and none after it. */
void calls_fail(enum call call, int error);

/* Whether it has, and forgets it if it has not. */
bool calls_has_failed(enum call call);

/* From now on CLOCK_MONOTONIC is that much ahead of where it was. */
void calls_pass_ms(int64_t ms);

#endif
