#ifndef CALLS_H
#define CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * System calls that fail, and time that passes at once: in a program that is
 * linked with calls.c these calls of its own and of its libraries go through
 * it. Works under ASan and valgrind. For one thread.
 */
enum call {
    CALL_RECV = 0,
    CALL_READ,
    CALL_OPEN,
    CALL_SOCKET,
    CALL_ACCEPT,
    CALL_CONNECT,
    CALL_SENDFILE,
    CALL_MEMFD_CREATE,
    CALL_FALLOCATE,
    CALL_MMAP,
    CALL_SEND,
    CALL_FORK,
    CALL_CRYPTO, /* whatever of libcrypto makes a digest */
    CALL__MAX
};

/* The next such call fails with this error, and none after it. */
void calls_fail(enum call call, int error);

/* The one after so many that do not. */
void calls_fail_later(enum call call, int after, int error);

/* Whether it has, and forgets it if it has not. */
bool calls_has_failed(enum call call);

/* From now on CLOCK_MONOTONIC is that much ahead of where it was. */
void calls_pass_ms(int64_t ms);

/* It stands still, but for calls_pass_ms(), until it is let go on. */
void calls_stop_clock(void);
void calls_let_clock_go(void);

/* While it stands each look at it moves it on by so much; 0: none does. */
void calls_step_clock(int64_t ms);

/*
 * CLOCK_PROCESS_CPUTIME_ID becomes that share of CLOCK_MONOTONIC, in this
 * process and those it forks; 0: it is what it was.
 */
void calls_set_cpu_percent(int percent);

/*
 * How often so many bytes were wiped, by explicit_bzero() or OPENSSL_cleanse(),
 * since this was last asked, of any length.
 */
unsigned calls_wiped(size_t length);

/*
 * For what stands before a call: whether it is to fail, with errno set, and
 * the function that has the name otherwise; what calls_wiped() counts.
 */
bool calls_fails(enum call call);
void calls_count_wipe(size_t length);
void calls_find(const char *name, void *ret_function);

#endif
