/*
 * SIGHUP, SIGINT and SIGTERM for commands that run for long. Used for S19 of
 * docs/protocol.md.
 *
 * A signal that arrives just before a call blocks does not interrupt that call.
 * ppoll() would solve this for poll(), but a command also blocks in read(),
 * write() and open(). So after the first signal an alarm interrupts blocking
 * calls each second, until the process exits.
 */
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "base/interrupt.h"

#define TICK_S 1 /* the shortest of alarm(), which a handler may call */

/*
 * A second SIGINT or SIGTERM kills the process. A second SIGHUP does not: when
 * a terminal closes, both the kernel and the shell may send one.
 */
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

/* Without SA_RESTART, so that blocking calls fail with EINTR. */
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
            before.sa_handler != SIG_IGN) /* nohup(1) ignores SIGHUP */
            handle(signals[i].number, on_signal, signals[i].flags);
    }
}

int
interrupt_signal(void)
{
    return caught;
}
