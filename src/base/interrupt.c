/*
 * SIGHUP, SIGINT and SIGTERM for commands that take a while. It serves "Import
 * and export" of docs/protocol.md.
 *
 * A signal may come just before a wait begins, which it then does not end.
 * ppoll() would close that gap for waits that are polls, but a command also
 * reads, writes and opens what may block. So once a signal has come, an alarm
 * ends whatever waits, and repeats until the process is gone.
 */
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "base/interrupt.h"

#define TICK_S 1 /* alarm() is safe in a handler, and knows nothing shorter */

static const int signals[] = {SIGHUP, SIGINT, SIGTERM};

static volatile sig_atomic_t caught;

static void
on_signal(int number)
{
    caught = number;
    (void)alarm(TICK_S);
}

static void
on_tick(int number)
{
    (void)number;
    (void)alarm(TICK_S);
}

/* Without SA_RESTART, so that reading and waiting end. */
static void
handle(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};

    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(number, &action, NULL);
}

void
interrupt_catch(void)
{
    struct sigaction before;

    handle(SIGALRM, on_tick);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        if (sigaction(signals[i], NULL, &before) == 0 &&
            before.sa_handler != SIG_IGN) /* as of nohup(1) */
            handle(signals[i], on_signal);
    }
}

int
interrupt_signal(void)
{
    return caught;
}
