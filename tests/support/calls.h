#ifndef CALLS_H
#define CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Calls that fail on demand, and a clock that tests control. In a program that
 * is linked with calls.c and WRAPPED of Makefile, these calls of the program go
 * through calls.c; those of its libraries only for the clock. Works under ASan
 * and valgrind. For one thread.
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
    CALL_FSYNC,
    CALL_CRYPTO, /* any call of libcrypto that makes a digest */
    CALL__MAX
};

/* Makes the next such call fail with this error. */
void calls_fail(enum call call, int error);

/* Makes the call after this many such calls fail. */
void calls_fail_later(enum call call, int after, int error);

/* Whether the call has failed; if not, it no longer will. */
bool calls_has_failed(enum call call);

/* Advances CLOCK_MONOTONIC. */
void calls_pass_ms(int64_t ms);

/* Stops CLOCK_MONOTONIC, except for calls_pass_ms(), and lets it run again. */
void calls_stop_clock(void);
void calls_let_clock_go(void);

/* While the clock is stopped, each reading advances it by this much. */
void calls_step_clock(int64_t ms);

/* Makes a second of alarm() this long; 0: a second. */
void calls_set_alarm_ms(int ms);

/*
 * Makes CLOCK_PROCESS_CPUTIME_ID this percentage of CLOCK_MONOTONIC, in this
 * process and in those that it forks; 0: the real processor time.
 */
void calls_set_cpu_percent(int percent);

/*
 * How often explicit_bzero() or OPENSSL_cleanse() wiped this many bytes since
 * the last call of this function with any length.
 */
unsigned calls_wiped(size_t length);

/*
 * How often CRYPTO_memcmp() compared this many bytes since the last call of
 * this function with any length.
 */
unsigned calls_compared(size_t length);

#endif
