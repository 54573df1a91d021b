#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

/*
 * Gives the memory that has been freed back to the system. An allocator keeps
 * what it may need again: after a burst that is all that the burst needed, for
 * as long as the process lives. Takes a fraction of a millisecond.
 */
void memory_give_back(void);

#endif
