#ifndef LOST_H
#define LOST_H

#include <stddef.h>
#include <stdint.h>

#define LOST_MAX 64 /* processes */

/*
 * The time for which this thread, and each program that this process has
 * started, was ready to run but had no processor, because the machine was busy.
 * A promised time excludes it. Sleeping, as in waiting for the store or for
 * another request, is not part of it.
 */
struct lost {
    int64_t own_us;
    size_t count;
    struct {
        int pid;
        int64_t us;
    } of[LOST_MAX];
};

void lost_look(struct lost *lost);

/*
 * The same, but of the programs, it may be a look that another thread began at
 * most age_us ago: one takes as long as several requests. Returns when it
 * began, as clock_us().
 */
int64_t lost_look_shared(struct lost *lost, int64_t age_us);

/*
 * The time lost between two looks of this thread, or since one: by the thread,
 * and by the one program that lost the most. The sum of all programs would be
 * too much: they waited at the same time.
 */
int64_t lost_between_us(const struct lost *before, const struct lost *now);
int64_t lost_since_us(const struct lost *before);

#endif
