/*
 * The time that programs waited for a processor: the second number of
 * /proc/PID/schedstat, which the scheduler counts.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "lost.h"

#define TEXT_MAX  512
#define NS_PER_US 1000

/* "" if it cannot be read. */
static void
read_text(const char *path, char text[TEXT_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, text, TEXT_MAX - 1) : 0;

    text[length > 0 ? length : 0] = '\0';
    if (fd >= 0)
        (void)close(fd);
}

static int64_t
waited_us(const char *path)
{
    char text[TEXT_MAX], *rest;

    read_text(path, text);
    (void)strtoll(text, &rest, 10);
    return strtoll(rest, NULL, 10) / NS_PER_US;
}

static void
add(struct lost *lost, int pid)
{
    char path[64];

    if (lost->count == LOST_MAX)
        return;
    (void)snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
    lost->of[lost->count].pid = pid;
    lost->of[lost->count++].us = waited_us(path);
}

static void
add_children(struct lost *lost, int pid)
{
    char path[64], text[TEXT_MAX], *at = text, *rest;

    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
    read_text(path, text);
    for (;; at = rest) {
        long child = strtol(at, &rest, 10);

        if (rest == at)
            return;
        add(lost, (int)child);
    }
}

static void
look_at_own(struct lost *lost)
{
    lost->own_us = waited_us("/proc/thread-self/schedstat");
}

static void
look_at_programs(struct lost *lost)
{
    lost->count = 0;
    add_children(lost, (int)getpid());
    for (size_t i = 0; i < lost->count; i++)
        add_children(lost, lost->of[i].pid);
}

void
lost_look(struct lost *lost)
{
    look_at_own(lost);
    look_at_programs(lost);
}

/* The last look of any thread, and when it began. */
static pthread_mutex_t last_lock = PTHREAD_MUTEX_INITIALIZER;
static struct lost last;
static int64_t last_us;

int64_t
lost_look_shared(struct lost *lost, int64_t age_us)
{
    const int64_t oldest_us = clock_us() - age_us;
    int64_t began_us;

    (void)pthread_mutex_lock(&last_lock);
    if (last_us < oldest_us) {
        last_us = clock_us();
        look_at_programs(&last);
    }
    *lost = last;
    began_us = last_us;
    (void)pthread_mutex_unlock(&last_lock);
    look_at_own(lost);
    return began_us;
}

int64_t
lost_between_us(const struct lost *before, const struct lost *now)
{
    int64_t most_us = 0;

    for (size_t i = 0; i < now->count; i++) {
        size_t at = 0;
        int64_t us;

        while (at < before->count && before->of[at].pid != now->of[i].pid)
            at++;
        us = now->of[i].us - (at < before->count ? before->of[at].us : 0);
        if (us > most_us)
            most_us = us;
    }
    return now->own_us - before->own_us + most_us;
}

int64_t
lost_since_us(const struct lost *before)
{
    struct lost now;

    lost_look(&now);
    return lost_between_us(before, &now);
}
