/*
 * A suite whose rows pass, but whose end fails, and leaves a process.
 */
#include <signal.h>
#include <unistd.h>

#include "support/cases.h"

static int
refuse(void)
{
    return 1;
}

TEST_SUITE(.end = refuse);

TEST_SINGLE(row, "passes")
{
    if (fork() == 0) {
        (void)execlp("sleep", "sleep", "1000", (char *)NULL);
        _exit(1);
    }
}
