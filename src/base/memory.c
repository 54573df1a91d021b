/*
 * The one place that knows which allocator is linked: mimalloc, or libc's own.
 *
 * mimalloc 2 gives memory up some time after it was freed, but only when a page
 * beside it is freed then. So one is held from each call to the next but one.
 */
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/memory.h"

#define MEMORY_PAGE_BYTES                                                      \
    (128 * 1024) /* more than its pages of small blocks                        \
                  */

/* Of mimalloc; without it there is none. */
void mi_collect(bool force) __attribute__((weak));

void
memory_give_back(void)
{
    static void *held;

    if (mi_collect == NULL) {
        (void)malloc_trim(0);
        return;
    }
    mi_collect(true);
    if (held == NULL) {
        held =
            malloc(MEMORY_PAGE_BYTES); /* or not: then it is given back later */
    } else {
        free(held);
        held = NULL;
    }
}
