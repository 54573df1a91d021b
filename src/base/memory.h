#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

/*
 * Gives memory that has been freed back to the system. An allocator keeps what
 * it may need again: after a burst that is all that the burst needed, for as
 * long as the process lives. It takes an even number of calls, over a second,
 * for all of it: what was freed just now is left for the next ones. Each takes
 * a fraction of a millisecond. For one thread.
 */
void memory_give_back(void);

#endif
