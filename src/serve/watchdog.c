/*
 * Distinguishes a worker that has stalled from one that is busy, or that gets
 * no processor. Implements S25.2 of docs/protocol.md.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"
#include "serve/watchdog.h"

#define WATCHDOG_STAT_MAX 512 /* the part of /proc/PID/stat that is used */

static const char *const texts[WATCHDOG__MAX] = {
    [WATCHDOG_STOPPED] = "it is stopped",
    [WATCHDOG_WAITS] = "it waits for something",
    [WATCHDOG_LOOPS] = "it runs without end",
};

/* The name of the process comes first, in brackets, and may contain brackets.
 */
static bool
parse(const char *text, struct watchdog_sample *ret_sample)
{
    const char *at = strrchr(text, ')');
    unsigned long long user, system;
    char state;

    /* state, 10 fields, and then utime and stime in ticks */
    if (at == NULL ||
        sscanf(at, ") %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %llu",
               &state, &user, &system) != 3)
        return false;
    ret_sample->state = state;
    ret_sample->cpu_ms =
        (int64_t)(user + system) * MS_PER_S / sysconf(_SC_CLK_TCK);
    return true;
}

bool
watchdog_sample(pid_t pid, struct watchdog_sample *ret_sample)
{
    char text[WATCHDOG_STAT_MAX];
    size_t length;
    FILE *file;

    (void)snprintf(text, sizeof(text), "/proc/%d/stat", (int)pid);
    file = fopen(text, "re");
    if (file == NULL)
        return false;
    length = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    text[length] = '\0';
    return parse(text, ret_sample);
}

bool
watchdog_is_silent(struct watchdog *watchdog, uint64_t beats)
{
    if (watchdog->beats != beats)
        *watchdog = (struct watchdog){.beats = beats};
    else
        watchdog->silent++;
    return watchdog->silent >= WATCHDOG_SILENT_CHECKS;
}

/*
 * A worker that waits for a processor (R), for a page of memory (D), or for a
 * debugger (t) has not stalled.
 */
enum watchdog_verdict
watchdog_judge(struct watchdog *watchdog, const struct watchdog_sample *sample)
{
    if (!watchdog->is_asked)
        watchdog->cpu_ms = sample->cpu_ms;
    watchdog->is_asked = true;
    if (sample->cpu_ms - watchdog->cpu_ms >= WATCHDOG_LOOP_MS)
        return WATCHDOG_LOOPS;
    if (sample->state != 'S' && sample->state != 'T')
        return WATCHDOG_MOVES;
    if (++watchdog->stalled < WATCHDOG_STALL_CHECKS)
        return WATCHDOG_MOVES;
    return sample->state == 'T' ? WATCHDOG_STOPPED : WATCHDOG_WAITS;
}

const char *
watchdog_text(enum watchdog_verdict verdict)
{
    return texts[verdict];
}
