#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

/*
 * Returns freed memory to the system. Without it, an allocator keeps what a
 * burst of requests needed as long as the process lives. Memory that was freed
 * just now is left for later calls: it takes an even number of calls, over more
 * than a second, to return all. A call takes a fraction of a millisecond. Not
 * thread-safe.
 */
void memory_give_back(void);

#endif
