#ifndef LOST_H
#define LOST_H

#include <stddef.h>
#include <stdint.h>

#define LOST_MAX 64 /* processes */

/*
 * The time that a machine with other work has kept this thread, and every
 * program that this process has started, from running although they could. What
 * is promised about an answer's time is promised for the rest: who waits for
 * the store, or for another request, sleeps, and none of that is time lost
 * here.
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
 * What has been lost since then: by this thread, and by the one program that
 * has lost most. All together would be too much, as they wait at the same time.
 */
int64_t lost_since_us(const struct lost *before);

#endif
