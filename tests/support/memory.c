/*
 * Failing memory: replaces the allocator of the C library, or of ASan, in the
 * whole program.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "memory.h"

#define FAILURES_MAX 20000 /* a scenario with more allocations loops */
#define RUNS_MAX     40    /* more than the 16 errors that OpenSSL keeps */

/* The replaced allocator: with ASan, ASan's. */
#define BEHIND(name, result, ...)                                              \
    extern result __libc_##name(__VA_ARGS__);                                  \
    extern result __interceptor_##name(__VA_ARGS__) __attribute__((weak))

BEHIND(malloc, void *, size_t size);
BEHIND(calloc, void *, size_t count, size_t size);
BEHIND(realloc, void *, void *block, size_t size);
BEHIND(free, void, void *block);

#define CALLER __builtin_return_address(0)
#define CALL(name, ...)                                                        \
    (__interceptor_##name != NULL ? __interceptor_##name(__VA_ARGS__)          \
                                  : __libc_##name(__VA_ARGS__))

static size_t left; /* allocations until the one that fails; 0: none does */
static bool failed, was_stopped;
static long live;

/*
 * These libraries end the process if memory runs out, so their allocations
 * never fail here. A worker that ends so is replaced: the integration tests
 * kill workers, also with requests pending.
 */
static const char *const spared[] = {"/libfcgi.so", "/libev.so"};

/*
 * json-c's copy of a member's name never fails either: versions before 0.17
 * would crash, and later ones leak the member's value.
 */
static const char json_c[] = "/libjson-c.so";

/* Not inlined into malloc(), which is called before ASan can check its frame.
 */
static bool __attribute__((noinline))
is_from(const void *caller, const char *library)
{
    Dl_info info;

    return dladdr(caller, &info) != 0 && info.dli_fname != NULL &&
           strstr(info.dli_fname, library) != NULL;
}

static bool
is_spared(const void *caller)
{
    for (size_t i = 0; i < sizeof(spared) / sizeof(spared[0]); i++) {
        if (is_from(caller, spared[i]))
            return true;
    }
    return false;
}

/* Whether this allocation must fail. */
static bool
fails(const void *caller)
{
    if (left == 0 || is_spared(caller) || --left > 0)
        return false;
    failed = true;
    errno = ENOMEM;
    return true;
}

static void *
counted(void *block)
{
    live += block != NULL;
    return block;
}

void *
malloc(size_t size)
{
    return fails(CALLER) ? NULL : counted(CALL(malloc, size));
}

void *
calloc(size_t count, size_t size)
{
    return fails(CALLER) ? NULL : counted(CALL(calloc, count, size));
}

void *
realloc(void *block, size_t size)
{
    void *moved;

    if (fails(CALLER))
        return NULL;
    moved = CALL(realloc, block, size);
    live += (moved != NULL) - (block != NULL);
    return moved;
}

void
free(void *block)
{
    live -= block != NULL;
    CALL(free, block);
}

char *
strdup(const char *text)
{
    const size_t size = strlen(text) + 1;
    char *copy = !is_from(CALLER, json_c) && fails(CALLER)
                     ? NULL
                     : counted(CALL(malloc, size));

    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

/* libc keeps a time zone that it has read, and goes on without one that it
 * cannot read. */
void __real_tzset(void);
void __wrap_tzset(void);
void
__wrap_tzset(void)
{
    const size_t kept_left = left;
    const long kept_live = live;

    left = 0;
    __real_tzset();
    live = kept_live;
    left = kept_left;
}

void
memory_fail_at(size_t n)
{
    left = n;
    failed = was_stopped = false;
}

bool
memory_has_failed(void)
{
    return failed && !was_stopped;
}

bool
memory_stop(void)
{
    bool has_failed = memory_has_failed();

    left = 0;
    was_stopped = true;
    return has_failed;
}

/* Runs a scenario with the n-th allocation failing; returns how many
 * allocations it left. */
static long
run_failing(void (*run)(const void *row), const void *row, size_t n)
{
    long before = live;

    memory_fail_at(n);
    run(row);
    (void)memory_stop();
    return live - before;
}

/* Whether a scenario leaves memory allocated each time. */
static bool
leaks(void (*run)(const void *row), const void *row, size_t n)
{
    for (int i = 0; i < RUNS_MAX; i++) {
        if (run_failing(run, row, n) <= 0)
            return false;
    }
    return true;
}

void
memory_fail_each(void (*run)(const void *row), const void *row)
{
    size_t n = 0;

    (void)run_failing(run, row, 0);
    do {
        bool has_leak = leaks(run, row, ++n);

        if (has_leak)
            (void)printf("allocation %zu leaves something behind\n", n);
        CU_ASSERT_FALSE(has_leak);
    } while (failed && n < FAILURES_MAX);
    CU_ASSERT_TRUE(n > 1); /* else nothing was tested */
    CU_ASSERT_TRUE(n < FAILURES_MAX);
}
