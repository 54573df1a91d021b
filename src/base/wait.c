/*
 * Waits for a descriptor with a limit, outside of the loop of a worker. Used
 * for S24.3 of docs/protocol.md.
 */
#include <poll.h>

#include "base/clock.h"
#include "base/wait.h"

bool
wait_readable(int fd, int64_t *left_ms)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    const int64_t began_ms = clock_mono_ms();

    (void)poll(&readable, 1,
               (int)*left_ms); /* an error is one of read(), too */
    *left_ms -= clock_mono_ms() - began_ms;
    return *left_ms > 0;
}
