/*
 * Replaces the calls that wait, in processes that follow the clock of the row.
 * They wait in short slices of real time, so no wake-up can be missed.
 */
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "shared_clock.h"

#define US_PER_MS   1000
#define NS_PER_MS   1000000
#define MS_PER_S    1000
#define SLICE_MS    2
#define LOOP_US     1
#define OVER_US     1
#define POLL_MS     1
#define WAITERS_MAX 4096 /* processes of one test program */

/* A process that has waited, and the last pass of the clock that it knew. */
struct waiter {
    _Atomic pid_t pid;
    atomic_uint known, waits;
};

struct page {
    /* Twice the time in microseconds and 1 if the clock is stopped; otherwise
     * twice its distance from the real clock. */
    _Atomic int64_t state;
    atomic_uint passes;
    atomic_uint count;
    struct waiter waiters[WAITERS_MAX];
};

static struct page *page;
static bool has_joined;
static struct waiter *own; /* the entry of the process own_pid */
static pid_t own_pid;

static int64_t
real_us(void)
{
    struct timespec now;

    (void)syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * MS_PER_S * US_PER_MS + now.tv_nsec / 1000;
}

static int64_t
time_us(int64_t real)
{
    const int64_t state = atomic_load(&page->state);

    return (state & 1) != 0 ? (state - 1) / 2 : real + state / 2;
}

void
shared_clock_start(void)
{
    if (page == NULL)
        page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        abort();
    atomic_store(&page->state, 0);
}

void
shared_clock_join(void)
{
    has_joined = true;
}

void
shared_clock_stop(void)
{
    const int64_t us = time_us(real_us());

    atomic_store(&page->state, 2 * (us - us % US_PER_MS + US_PER_MS) + 1);
}

void
shared_clock_go(void)
{
    const int64_t real = real_us();

    atomic_store(&page->state, 2 * (time_us(real) - real));
}

bool
shared_clock_read_us(int64_t real, int64_t *ret_us)
{
    if (has_joined)
        *ret_us = time_us(real);
    return has_joined;
}

static struct waiter *
find(pid_t pid)
{
    for (unsigned i = atomic_load(&page->count); i-- > 0;) {
        if (atomic_load(&page->waiters[i].pid) == pid)
            return &page->waiters[i];
    }
    return NULL;
}

unsigned
shared_clock_waits(pid_t pid)
{
    struct waiter *waiter = find(pid);

    return waiter != NULL ? atomic_load(&waiter->waits) : 0;
}

struct awaited {
    pid_t pid;
    unsigned passes;
    bool has_ended;
};

/* Whether the process waits and knows the pass, or has ended. */
static bool
is_handled(struct awaited *awaited)
{
    struct waiter *waiter = find(awaited->pid);
    siginfo_t end = {0};

    if (waiter != NULL && atomic_load(&waiter->known) >= awaited->passes)
        return true;
    awaited->has_ended = kill(awaited->pid, 0) != 0 ||
                         (waitid(P_PID, (id_t)awaited->pid, &end,
                                 WEXITED | WNOHANG | WNOWAIT) == 0 &&
                          end.si_pid == awaited->pid);
    return awaited->has_ended;
}

/*
 * To libev a timer is due when its time is over, and it keeps times as seconds
 * in a double: whether a timer of 0.1 s is due after exactly 100 ms depends on
 * how the uptime of the machine is rounded.
 */
bool
shared_clock_pass(pid_t pid, int64_t ms)
{
    const int64_t limit_us = real_us() + CLOCK_PATIENCE_MS * US_PER_MS;
    const int64_t us = ms > 0 ? ms * US_PER_MS + OVER_US : 0;
    struct awaited awaited = {.pid = pid};

    (void)atomic_fetch_add(&page->state, 2 * us);
    awaited.passes = atomic_fetch_add(&page->passes, 1) + 1;
    while (pid != 0 && !is_handled(&awaited)) {
        if (real_us() > limit_us)
            return false;
        clock_sleep_ms(POLL_MS);
    }
    return !awaited.has_ended;
}

static struct waiter *
find_own(void)
{
    unsigned index;

    if (own_pid == getpid())
        return own;
    index = atomic_fetch_add(&page->count, 1);
    if (index >= WAITERS_MAX)
        abort();
    own_pid = getpid();
    own = &page->waiters[index];
    atomic_store(&own->pid, own_pid);
    return own;
}

/* One of the calls below, with its arguments: waits for so long. */
struct call_wait {
    int (*wait)(const struct call_wait *call, int ms);
    int fd, max;
    void *events;
    nfds_t count;
    const sigset_t *set;
    siginfo_t *info;
};

/*
 * The second look is for a signal: if it was sent before the pass, the first
 * look is interrupted by its handler, which may make something ready.
 */
static int
wait_until(const struct call_wait *call, int64_t end_us)
{
    for (;;) {
        const unsigned passes = atomic_load(&page->passes);
        const bool is_due = time_us(real_us()) >= end_us;
        int ready = call->wait(call, 0);

        if (ready == 0)
            ready = call->wait(call, 0);
        if (ready != 0 || is_due)
            return ready;
        atomic_store(&find_own()->known, passes);
        ready = call->wait(call, SLICE_MS);
        if (ready != 0)
            return ready;
    }
}

/*
 * ms   negative: no limit.
 *
 * Not even a loop that does not wait is free: to libev a timer is due when its
 * time is over, and until then libev would poll for ever.
 */
static int
wait_for(const struct call_wait *call, int64_t ms)
{
    if (!has_joined)
        return call->wait(call, (int)ms);
    (void)atomic_fetch_add(&find_own()->waits, 1);
    if (ms == 0) {
        (void)atomic_fetch_add(&page->state, 2 * LOOP_US);
        return call->wait(call, 0);
    }
    return wait_until(call,
                      ms < 0 ? INT64_MAX : time_us(real_us()) + ms * US_PER_MS);
}

/* The replaced function; with ASan, ASan's. */
static void
find_behind(const char *name, void *ret_function)
{
    *(void **)ret_function = dlsym(RTLD_NEXT, name);
}

static int
really_epoll(const struct call_wait *call, int ms)
{
    static int (*behind)(int, struct epoll_event *, int, int);

    if (behind == NULL)
        find_behind("epoll_wait", &behind);
    return behind(call->fd, call->events, call->max, ms);
}

int
epoll_wait(int fd, struct epoll_event *events, int max, int ms)
{
    const struct call_wait call = {
        .wait = really_epoll, .fd = fd, .events = events, .max = max};

    return wait_for(&call, ms);
}

static int
really_poll(const struct call_wait *call, int ms)
{
    static int (*behind)(struct pollfd *, nfds_t, int);

    if (behind == NULL)
        find_behind("poll", &behind);
    return behind(call->events, call->count, ms);
}

int
poll(struct pollfd *polled, nfds_t count, int ms)
{
    const struct call_wait call = {
        .wait = really_poll, .events = polled, .count = count};

    return wait_for(&call, ms);
}

/* 0 at the limit, as of the other calls. */
static int
really_sigtimedwait(const struct call_wait *call, int ms)
{
    static int (*behind)(const sigset_t *, siginfo_t *,
                         const struct timespec *);
    const struct timespec limit = {ms / MS_PER_S, ms % MS_PER_S * NS_PER_MS};
    int number;

    if (behind == NULL)
        find_behind("sigtimedwait", &behind);
    number = behind(call->set, call->info, ms < 0 ? NULL : &limit);
    return number == -1 && errno == EAGAIN ? 0 : number;
}

int
sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *limit)
{
    const struct call_wait call = {
        .wait = really_sigtimedwait, .set = set, .info = info};
    int number =
        wait_for(&call, limit == NULL ? -1
                                      : (int64_t)limit->tv_sec * MS_PER_S +
                                            limit->tv_nsec / NS_PER_MS);

    if (number != 0)
        return number;
    errno = EAGAIN;
    return -1;
}
