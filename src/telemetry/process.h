#ifndef PROCESS_H
#define PROCESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What processes have used, and hold; sums over those that still live. */
struct process_usage {
    uint64_t cpu_ms;       /* also of children that have ended */
    uint64_t memory_bytes; /* resident; what they share counts for each */
    uint64_t files;        /* open descriptors */
};

struct process_usage process_sum(const pid_t *pids, size_t count);

#endif
