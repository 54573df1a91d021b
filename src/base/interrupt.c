/*
 * SIGINT and SIGTERM for commands that take a while. It serves "Import and
 * export" of docs/protocol.md.
 */
#include <signal.h>
#include <stddef.h>

#include "base/interrupt.h"

static volatile sig_atomic_t caught;

static void
on_signal(int number)
{
    caught = number;
}

void
interrupt_catch(void)
{
    /* Without SA_RESTART, so that reading and waiting end. */
    struct sigaction action = {.sa_handler = on_signal,
                               .sa_flags = (int)SA_RESETHAND};

    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

int
interrupt_signal(void)
{
    return caught;
}
