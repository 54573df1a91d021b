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
 * The time lost since then: by this thread, and by the one program that lost
 * the most. The sum of all programs would be too much: they waited at the same
 * time.
 */
int64_t lost_since_us(const struct lost *before);

#endif
