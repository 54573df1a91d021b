/*
 * Replaces the C library's wrappers of system calls in the whole program.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "calls.h"

#define NS_PER_MS 1000000
#define NS_PER_S  1000000000

#define WIPES_HELD 256

static int errors[CALL__MAX]; /* 0: the call is made */
static int before[CALL__MAX]; /* calls that are made before one fails */
static int64_t ahead_ms;
static struct timespec stopped_at; /* valid when is_stopped */
static bool is_stopped;
static int64_t step_ms;
static size_t wipes[WIPES_HELD], wipe_count; /* the last ones, and all */
static int cpu_percent;                      /* 0: as it is */

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
calls_set_cpu_percent(int percent)
{
    cpu_percent = percent;
}

bool
calls_fails(enum call call)
{
    if (errors[call] == 0 || before[call]-- > 0)
        return false;
    errno = errors[call];
    errors[call] = 0;
    return true;
}

unsigned
calls_wiped(size_t length)
{
    unsigned found = 0;

    for (size_t i = 0; i < wipe_count && i < WIPES_HELD; i++)
        found += wipes[i] == length;
    wipe_count = 0;
    return found;
}

void
calls_count_wipe(size_t length)
{
    wipes[wipe_count++ % WIPES_HELD] = length;
}

/* With ASan this finds ASan's function. */
void
calls_find(const char *name, void *ret_function)
{
    *(void **)ret_function = dlsym(RTLD_NEXT, name);
}

ssize_t
recv(int fd, void *bytes, size_t length, int flags)
{
    static ssize_t (*behind)(int, void *, size_t, int);

    if (calls_fails(CALL_RECV))
        return -1;
    if (behind == NULL)
        calls_find("recv", &behind);
    return behind(fd, bytes, length, flags);
}

ssize_t
send(int fd, const void *bytes, size_t length, int flags)
{
    static ssize_t (*behind)(int, const void *, size_t, int);

    if (calls_fails(CALL_SEND))
        return -1;
    if (behind == NULL)
        calls_find("send", &behind);
    return behind(fd, bytes, length, flags);
}

/* What read() becomes with -D_FORTIFY_SOURCE if the buffer's size is known. */
ssize_t __read_chk(int fd, void *bytes, size_t length, size_t room);
ssize_t
__read_chk(int fd, void *bytes, size_t length, size_t room)
{
    static ssize_t (*behind)(int, void *, size_t, size_t);

    if (calls_fails(CALL_READ))
        return -1;
    if (behind == NULL)
        calls_find("__read_chk", &behind);
    return behind(fd, bytes, length, room);
}

ssize_t
read(int fd, void *bytes, size_t length)
{
    static ssize_t (*behind)(int, void *, size_t);

    if (calls_fails(CALL_READ))
        return -1;
    if (behind == NULL)
        calls_find("read", &behind);
    return behind(fd, bytes, length);
}

int
open(const char *path, int flags, ...)
{
    static int (*behind)(const char *, int, ...);
    const bool has_mode =
        (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
    mode_t mode = 0;
    va_list args;

    if (calls_fails(CALL_OPEN))
        return -1;
    if (behind == NULL)
        calls_find("open", &behind);
    va_start(args, flags);
    if (has_mode)
        mode = va_arg(args, mode_t);
    va_end(args);
    return has_mode ? behind(path, flags, mode) : behind(path, flags);
}

int
socket(int family, int type, int protocol)
{
    static int (*behind)(int, int, int);

    if (calls_fails(CALL_SOCKET))
        return -1;
    if (behind == NULL)
        calls_find("socket", &behind);
    return behind(family, type, protocol);
}

int
accept4(int fd, __SOCKADDR_ARG address, socklen_t *length, int flags)
{
    static int (*behind)(int, __SOCKADDR_ARG, socklen_t *, int);

    if (calls_fails(CALL_ACCEPT))
        return -1;
    if (behind == NULL)
        calls_find("accept4", &behind);
    return behind(fd, address, length, flags);
}

int
connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t length)
{
    static int (*behind)(int, __CONST_SOCKADDR_ARG, socklen_t);

    if (calls_fails(CALL_CONNECT))
        return -1;
    if (behind == NULL)
        calls_find("connect", &behind);
    return behind(fd, address, length);
}

pid_t
fork(void)
{
    static pid_t (*behind)(void);

    if (calls_fails(CALL_FORK))
        return -1;
    if (behind == NULL)
        calls_find("fork", &behind);
    return behind();
}

ssize_t
sendfile(int to, int from, off_t *offset, size_t length)
{
    static ssize_t (*behind)(int, int, off_t *, size_t);

    if (calls_fails(CALL_SENDFILE))
        return -1;
    if (behind == NULL)
        calls_find("sendfile", &behind);
    return behind(to, from, offset, length);
}

int
memfd_create(const char *name, unsigned flags)
{
    static int (*behind)(const char *, unsigned);

    if (calls_fails(CALL_MEMFD_CREATE))
        return -1;
    if (behind == NULL)
        calls_find("memfd_create", &behind);
    return behind(name, flags);
}

int
fallocate(int fd, int mode, off_t offset, off_t length)
{
    static int (*behind)(int, int, off_t, off_t);

    if (calls_fails(CALL_FALLOCATE))
        return -1;
    if (behind == NULL)
        calls_find("fallocate", &behind);
    return behind(fd, mode, offset, length);
}

void
explicit_bzero(void *bytes, size_t length)
{
    static void (*behind)(void *, size_t);

    calls_count_wipe(length);
    if (behind == NULL)
        calls_find("explicit_bzero", &behind);
    behind(bytes, length);
}

void __explicit_bzero_chk(void *bytes, size_t length, size_t room);
void
__explicit_bzero_chk(void *bytes, size_t length, size_t room)
{
    (void)room;
    explicit_bzero(bytes, length);
}

/* Calls the kernel: the loader and ASan use mmap() before dlsym() works. */
void *
mmap(void *address, size_t length, int protection, int flags, int fd,
     off_t offset)
{
    if (calls_fails(CALL_MMAP))
        return MAP_FAILED;
    return (void *)syscall(SYS_mmap, address, length, protection, flags, fd,
                           offset);
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

/* Calls the kernel, as mmap() does. The time of day is never changed. */
int
clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    const bool is_share = clock == CLOCK_PROCESS_CPUTIME_ID && cpu_percent != 0;
    int status = (int)syscall(SYS_clock_gettime,
                              is_share ? CLOCK_MONOTONIC : clock, ret_time);

    if (status != 0 || (clock != CLOCK_MONOTONIC && !is_share))
        return status;
    if (is_stopped) {
        *ret_time = stopped_at;
        ahead_ms += step_ms;
    }
    add_ns(ret_time, ahead_ms * NS_PER_MS);
    if (is_share)
        take_share(ret_time);
    return 0;
}
