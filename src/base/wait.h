#ifndef BASE_WAIT_H
#define BASE_WAIT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Waits until a descriptor has bytes or an end, or until a signal.
 *
 * left_ms   the most to wait, positive; the time that has passed is subtracted.
 *
 * Returns whether any time is left.
 */
bool wait_readable(int fd, int64_t *left_ms);

#endif
