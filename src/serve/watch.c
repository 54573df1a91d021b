/*
 * How the parent tells a worker that stands still from one that is busy, or
 * that the machine is too busy for. Implements S25 of docs/protocol.md
 * where it says that such a worker is replaced.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"
#include "serve/watch.h"

#define WATCH_STAT_MAX 512 /* of /proc/PID/stat, up to what is read of it */

static const char *const texts[WATCH__MAX] = {
    [WATCH_STOPPED] = "it is stopped",
    [WATCH_WAITS] = "it waits for something",
    [WATCH_LOOPS] = "it runs without end",
};

/* The name in front may have anything in it, also brackets. */
static bool
parse(const char *text, struct watch_sample *ret_sample)
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
watch_sample(pid_t pid, struct watch_sample *ret_sample)
{
    char text[WATCH_STAT_MAX];
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
watch_is_silent(struct watch *watch, uint64_t beats)
{
    if (watch->beats != beats)
        *watch = (struct watch){.beats = beats};
    else
        watch->silent++;
    return watch->silent >= WATCH_SILENT_LOOKS;
}

/*
 * A worker that is ready to run and gets no processor, or waits for a page
 * (D), or for whoever traces it (t), may move as soon as it can.
 */
enum watch_verdict
watch_judge(struct watch *watch, const struct watch_sample *sample)
{
    if (!watch->is_asked)
        watch->cpu_ms = sample->cpu_ms;
    watch->is_asked = true;
    if (sample->cpu_ms - watch->cpu_ms >= WATCH_LOOP_MS)
        return WATCH_LOOPS;
    if (sample->state != 'S' && sample->state != 'T')
        return WATCH_MOVES;
    if (++watch->still < WATCH_STILL_LOOKS)
        return WATCH_MOVES;
    return sample->state == 'T' ? WATCH_STOPPED : WATCH_WAITS;
}

const char *
watch_text(enum watch_verdict verdict)
{
    return texts[verdict];
}
