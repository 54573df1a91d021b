/*
 * SIGHUP, SIGINT and SIGTERM for commands that take a while. It serves S19 of
 * docs/protocol.md.
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

/* A terminal that closes hangs up, and so does the shell: twice is no haste. */
static const struct {
    int number, flags;
} signals[] = {
    {SIGHUP, 0},
    {SIGINT, (int)SA_RESETHAND},
    {SIGTERM, (int)SA_RESETHAND},
};

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
handle(int number, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(number, &action, NULL);
}

void
interrupt_catch(void)
{
    struct sigaction before;

    handle(SIGALRM, on_tick, 0);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        if (sigaction(signals[i].number, NULL, &before) == 0 &&
            before.sa_handler != SIG_IGN) /* as of nohup(1) */
            handle(signals[i].number, on_signal, signals[i].flags);
    }
}

int
interrupt_signal(void)
{
    return caught;
}
