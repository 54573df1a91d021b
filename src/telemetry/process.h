#ifndef PROCESS_H
#define PROCESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What several processes use, in all. */
struct process_usage {
    uint64_t cpu_ms;       /* includes their children that have ended */
    uint64_t memory_bytes; /* resident; shared memory counts for each process */
    uint64_t files;        /* open descriptors */
};

/* Adds up the processes; leaves out those that have ended. */
struct process_usage process_sum(const pid_t *pids, size_t count);

#endif
