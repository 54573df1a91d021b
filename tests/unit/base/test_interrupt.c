/*
 * A signal that arrives between the check for it and a wait ends the wait, in
 * each kind of wait.
 */
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "support/calls.h"
#include "support/cases.h"
#include "support/clock.h"

#define ALARM_MS 10 /* instead of a second, so that the rows do not wait */

enum { ENDED = 0, NOT_ENDED, WRONG_SIGNAL };

struct wait_case {
    const char *name;
    bool (*wait)(int reader,
                 int writer); /* returns whether a signal ended it */
};

static bool
by_read(int reader, int writer)
{
    char byte;

    (void)writer;
    return read(reader, &byte, 1) < 0 && errno == EINTR;
}

static bool
by_write(int reader, int writer)
{
    static const char bytes[4096];
    ssize_t written;

    (void)reader;
    do
        written = write(writer, bytes, sizeof(bytes));
    while (written > 0);
    return errno == EINTR;
}

static bool
by_poll(int reader, int writer)
{
    struct pollfd ready = {.fd = reader, .events = POLLIN};

    (void)writer;
    return poll(&ready, 1, -1) < 0 && errno == EINTR;
}

static void
on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)watcher;
    (void)events;
}

static bool
by_loop(int reader, int writer)
{
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    ev_io readable;

    (void)writer;
    ev_io_init(&readable, on_readable, reader, EV_READ);
    ev_io_start(loop, &readable);
    (void)ev_run(loop, EVRUN_ONCE);
    ev_loop_destroy(loop);
    return true;
}

static const struct wait_case wait_rows[] = {
    {"in read()", by_read},
    {"in write()", by_write},
    {"in poll()", by_poll},
    {"in a turn of a loop", by_loop},
};

struct waiting {
    pid_t pid;
    int status;
};

static bool
has_ended(void *arg)
{
    struct waiting *waiting = arg;

    return waitpid(waiting->pid, &waiting->status, WNOHANG) == waiting->pid;
}

/* The signal has arrived before the wait, and must end two waits. */
TEST_CASES(wait, struct wait_case, wait_rows)
{
    struct waiting waiting = {.status = -1};
    int ends[2];

    CU_ASSERT_EQUAL_FATAL(pipe2(ends, O_CLOEXEC), 0);
    waiting.pid = fork();
    if (waiting.pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        calls_set_alarm_ms(ALARM_MS);
        interrupt_catch();
        (void)raise(SIGTERM);
        if (interrupt_signal() != SIGTERM)
            _exit(WRONG_SIGNAL);
        _exit(c->wait(ends[0], ends[1]) && c->wait(ends[0], ends[1])
                  ? ENDED
                  : NOT_ENDED);
    }
    CU_ASSERT_TRUE(clock_wait(has_ended, &waiting, CLOCK_PATIENCE_MS));
    CU_ASSERT_TRUE(WIFEXITED(waiting.status));
    CU_ASSERT_EQUAL(WEXITSTATUS(waiting.status), ENDED);
    (void)kill(waiting.pid, SIGKILL);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

TEST_SINGLE(second, "a second signal ends the process as ever")
{
    struct waiting waiting = {.status = -1};

    waiting.pid = fork();
    if (waiting.pid == 0) {
        (void)signal(SIGINT,
                     SIG_DFL); /* whatever these tests were started with */
        interrupt_catch();
        (void)raise(SIGINT);
        (void)raise(SIGINT);
        _exit(NOT_ENDED);
    }
    CU_ASSERT_TRUE(clock_wait(has_ended, &waiting, CLOCK_PATIENCE_MS));
    CU_ASSERT_TRUE(WIFSIGNALED(waiting.status));
    CU_ASSERT_EQUAL(WTERMSIG(waiting.status), SIGINT);
}

TEST_SINGLE(hang_up, "twice ends nothing at once")
{
    struct waiting waiting = {.status = -1};

    waiting.pid = fork();
    if (waiting.pid == 0) {
        (void)signal(SIGHUP,
                     SIG_DFL); /* whatever these tests were started with */
        interrupt_catch();
        (void)raise(SIGHUP);
        (void)raise(SIGHUP);
        _exit(interrupt_signal() == SIGHUP ? ENDED : WRONG_SIGNAL);
    }
    CU_ASSERT_TRUE(clock_wait(has_ended, &waiting, CLOCK_PATIENCE_MS));
    CU_ASSERT_TRUE(WIFEXITED(waiting.status));
    CU_ASSERT_EQUAL(WEXITSTATUS(waiting.status), ENDED);
}

TEST_SINGLE(ignored, "before it stays so")
{
    struct waiting waiting = {.status = -1};

    waiting.pid = fork();
    if (waiting.pid == 0) {
        (void)signal(SIGHUP, SIG_IGN);
        interrupt_catch();
        (void)raise(SIGHUP);
        _exit(interrupt_signal() == 0 ? ENDED : WRONG_SIGNAL);
    }
    CU_ASSERT_TRUE(clock_wait(has_ended, &waiting, CLOCK_PATIENCE_MS));
    CU_ASSERT_TRUE(WIFEXITED(waiting.status));
    CU_ASSERT_EQUAL(WEXITSTATUS(waiting.status), ENDED);
}
