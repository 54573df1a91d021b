/*
 * The one place that knows which allocator is linked: mimalloc, or libc's own.
 */
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"

/* Of mimalloc; without it there is none. */
void mi_collect(bool force) __attribute__((weak));

void
memory_give_back(void)
{
    if (mi_collect != NULL)
        mi_collect(true);
    else
        (void)malloc_trim(0);
}
