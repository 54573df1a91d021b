/*
 * The only file that knows which allocator is linked: mimalloc or libc's.
 *
 * mimalloc 2 returns freed memory to the system after a delay, but only when it
 * frees another page nearby. So every second call frees a page that the call
 * before it has allocated.
 */
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/memory.h"

/* Larger than mimalloc's pages of small blocks. */
#define MEMORY_PAGE_BYTES (128 * 1024)

/* NULL unless mimalloc is linked. */
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
        held = malloc(MEMORY_PAGE_BYTES); /* NULL only delays the return */
    } else {
        free(held);
        held = NULL;
    }
}
