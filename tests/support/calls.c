/*
 * Replaces calls of the C library and of libcrypto, and the clock.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "calls.h"
#include "shared_clock.h"

#define NS_PER_US 1000
#define US_PER_S  1000000
#define US_PER_MS 1000
#define NS_PER_MS 1000000
#define NS_PER_S  1000000000

#define LENGTHS_HELD 256

static int errors[CALL__MAX]; /* 0: the call is made */
static int before[CALL__MAX]; /* calls that are made before one fails */
static int64_t ahead_ms;
static struct timespec stopped_at; /* valid when is_stopped */
static bool is_stopped;
static int64_t step_ms;
static int alarm_ms;    /* 0: a second */
static int cpu_percent; /* 0: as it is */

/* The lengths of the last calls, and the number of all. */
static struct lengths {
    size_t held[LENGTHS_HELD], count;
} wipes, compares;

void
calls_fail(enum call call, int error)
{
    calls_fail_later(call, 0, error);
}

void
calls_fail_later(enum call call, int after, int error)
{
    errors[call] = error;
    before[call] = after;
}

bool
calls_has_failed(enum call call)
{
    bool has_failed = errors[call] == 0;

    errors[call] = 0;
    return has_failed;
}

void
calls_pass_ms(int64_t ms)
{
    ahead_ms += ms;
}

void
calls_stop_clock(void)
{
    (void)syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &stopped_at);
    is_stopped = true;
}

void
calls_let_clock_go(void)
{
    is_stopped = false;
}

void
calls_step_clock(int64_t ms)
{
    step_ms = ms;
}

void
calls_set_alarm_ms(int ms)
{
    alarm_ms = ms;
}

void
calls_set_cpu_percent(int percent)
{
    cpu_percent = percent;
}

/* Whether this call must fail, with errno set. */
static bool
fails(enum call call)
{
    if (errors[call] == 0 || before[call]-- > 0)
        return false;
    errno = errors[call];
    errors[call] = 0;
    return true;
}

static void
hold_length(struct lengths *lengths, size_t length)
{
    lengths->held[lengths->count++ % LENGTHS_HELD] = length;
}

static unsigned
take_lengths(struct lengths *lengths, size_t length)
{
    unsigned found = 0;

    for (size_t i = 0; i < lengths->count && i < LENGTHS_HELD; i++)
        found += lengths->held[i] == length;
    lengths->count = 0;
    return found;
}

unsigned
calls_wiped(size_t length)
{
    return take_lengths(&wipes, length);
}

unsigned
calls_compared(size_t length)
{
    return take_lengths(&compares, length);
}

/*
 * A call that fails on demand. The linker makes each call of NAME one of
 * __wrap_NAME, and __real_NAME the function itself: see WRAPPED in Makefile.
 */
#define WRAP(name, type, call, failed, parameters, arguments)                  \
    type __real_##name parameters;                                             \
    type __wrap_##name parameters;                                             \
    type __wrap_##name parameters                                              \
    {                                                                          \
        return fails(call) ? (failed) : __real_##name arguments;               \
    }

/* NAME64 is its name where off_t has been chosen to have 64 bits. */
#define WRAP_LARGE(name, ...)                                                  \
    WRAP(name, __VA_ARGS__) WRAP(name##64, __VA_ARGS__)

#define WRAP_OPEN(name)                                                        \
    int __real_##name(const char *path, int flags, ...);                       \
    int __wrap_##name(const char *path, int flags, ...);                       \
    int __wrap_##name(const char *path, int flags, ...)                        \
    {                                                                          \
        mode_t mode = 0;                                                       \
        va_list args;                                                          \
                                                                               \
        va_start(args, flags);                                                 \
        if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE)        \
            mode = va_arg(args, mode_t);                                       \
        va_end(args);                                                          \
        return fails(CALL_OPEN) ? -1 : __real_##name(path, flags, mode);       \
    }

/* A function that wipes memory: counted. */
#define WRAP_WIPE(name, parameters, arguments)                                 \
    void __real_##name parameters;                                             \
    void __wrap_##name parameters;                                             \
    void __wrap_##name parameters                                              \
    {                                                                          \
        hold_length(&wipes, length);                                           \
        __real_##name arguments;                                               \
    }

/* clang-format off */
WRAP(recv, ssize_t, CALL_RECV, -1,
     (int fd, void *bytes, size_t length, int flags),
     (fd, bytes, length, flags))
WRAP(send, ssize_t, CALL_SEND, -1,
     (int fd, const void *bytes, size_t length, int flags),
     (fd, bytes, length, flags))
WRAP(read, ssize_t, CALL_READ, -1,
     (int fd, void *bytes, size_t length), (fd, bytes, length))
/* What read() becomes with -D_FORTIFY_SOURCE if the buffer's size is known. */
WRAP(__read_chk, ssize_t, CALL_READ, -1,
     (int fd, void *bytes, size_t length, size_t room),
     (fd, bytes, length, room))
WRAP_OPEN(open)
WRAP_OPEN(open64)
WRAP(socket, int, CALL_SOCKET, -1,
     (int family, int type, int protocol), (family, type, protocol))
WRAP(accept4, int, CALL_ACCEPT, -1,
     (int fd, struct sockaddr *address, socklen_t *length, int flags),
     (fd, address, length, flags))
WRAP(connect, int, CALL_CONNECT, -1,
     (int fd, const struct sockaddr *address, socklen_t length),
     (fd, address, length))
WRAP(fork, pid_t, CALL_FORK, -1, (void), ())
WRAP(fsync, int, CALL_FSYNC, -1, (int fd), (fd))
WRAP_LARGE(sendfile, ssize_t, CALL_SENDFILE, -1,
     (int to, int from, off_t *offset, size_t length),
     (to, from, offset, length))
WRAP(memfd_create, int, CALL_MEMFD_CREATE, -1,
     (const char *name, unsigned flags), (name, flags))
WRAP_LARGE(fallocate, int, CALL_FALLOCATE, -1,
     (int fd, int mode, off_t offset, off_t length),
     (fd, mode, offset, length))
WRAP_LARGE(mmap, void *, CALL_MMAP, MAP_FAILED,
     (void *address, size_t length, int access, int flags, int fd, off_t at),
     (address, length, access, flags, fd, at))

WRAP(EVP_DigestInit_ex2, int, CALL_CRYPTO, 0,
     (EVP_MD_CTX *digest, const EVP_MD *type, const OSSL_PARAM *params),
     (digest, type, params))
WRAP(EVP_DigestUpdate, int, CALL_CRYPTO, 0,
     (EVP_MD_CTX *digest, const void *bytes, size_t length),
     (digest, bytes, length))
WRAP(EVP_DigestFinal_ex, int, CALL_CRYPTO, 0,
     (EVP_MD_CTX *digest, unsigned char *ret_sum, unsigned *ret_length),
     (digest, ret_sum, ret_length))
WRAP(EVP_MAC_init, int, CALL_CRYPTO, 0,
     (EVP_MAC_CTX *mac, const unsigned char *key, size_t length,
      const OSSL_PARAM *params),
     (mac, key, length, params))
WRAP(EVP_MAC_update, int, CALL_CRYPTO, 0,
     (EVP_MAC_CTX *mac, const unsigned char *bytes, size_t length),
     (mac, bytes, length))
WRAP(EVP_MAC_final, int, CALL_CRYPTO, 0,
     (EVP_MAC_CTX *mac, unsigned char *ret_mac, size_t *ret_length,
      size_t size),
     (mac, ret_mac, ret_length, size))

WRAP_WIPE(OPENSSL_cleanse, (void *bytes, size_t length), (bytes, length))
WRAP_WIPE(explicit_bzero, (void *bytes, size_t length), (bytes, length))
WRAP_WIPE(__explicit_bzero_chk, (void *bytes, size_t length, size_t room),
          (bytes, length, room))
/* clang-format on */

int __real_CRYPTO_memcmp(const void *a, const void *b, size_t length);
int __wrap_CRYPTO_memcmp(const void *a, const void *b, size_t length);

int
__wrap_CRYPTO_memcmp(const void *a, const void *b, size_t length)
{
    hold_length(&compares, length);
    return __real_CRYPTO_memcmp(a, b, length);
}

unsigned __real_alarm(unsigned seconds);
unsigned __wrap_alarm(unsigned seconds);

unsigned
__wrap_alarm(unsigned seconds)
{
    const int64_t us = (int64_t)seconds * alarm_ms * US_PER_MS;
    const struct itimerval timer = {
        .it_value = {.tv_sec = us / US_PER_S, .tv_usec = us % US_PER_S}};

    if (alarm_ms == 0)
        return __real_alarm(seconds);
    (void)setitimer(ITIMER_REAL, &timer, NULL);
    return 0;
}

static void
add_ns(struct timespec *time, int64_t ns)
{
    ns += time->tv_nsec;
    time->tv_sec += ns / NS_PER_S;
    time->tv_nsec = ns % NS_PER_S;
}

static void
take_share(struct timespec *time)
{
    const int64_t ns = (int64_t)time->tv_sec * NS_PER_S + time->tv_nsec;

    *time = (struct timespec){0};
    add_ns(time, ns / 100 * cpu_percent);
}

/* Whether this process follows the clock of its row. */
static bool
take_shared(struct timespec *time)
{
    int64_t us = (int64_t)time->tv_sec * US_PER_S + time->tv_nsec / NS_PER_US;

    if (!shared_clock_read_us(us, &us))
        return false;
    *time = (struct timespec){us / US_PER_S, us % US_PER_S * NS_PER_US};
    return true;
}

/*
 * Replaces the function for libraries, too. Calls the kernel, because ASan
 * reads the clock before dlsym() works. The time of day is never changed.
 */
int
clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    const bool is_share = clock == CLOCK_PROCESS_CPUTIME_ID && cpu_percent != 0;
    int status = (int)syscall(SYS_clock_gettime,
                              is_share ? CLOCK_MONOTONIC : clock, ret_time);

    if (status != 0 || (clock != CLOCK_MONOTONIC && !is_share))
        return status;
    if (!take_shared(ret_time) && is_stopped) {
        *ret_time = stopped_at;
        ahead_ms += step_ms;
    }
    add_ns(ret_time, ahead_ms * NS_PER_MS);
    if (is_share)
        take_share(ret_time);
    return 0;
}
