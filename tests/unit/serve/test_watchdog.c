/*
 * When a worker counts as stalled. Each check of the parent is a letter: a dot
 * means a new heartbeat, any other letter the state of the worker without one;
 * ? means that the system does not report it.
 */
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/units.h"
#include "serve/watchdog.h"
#include "support/cases.h"
#include "support/clock.h"

struct judge_case {
    const char *name, *checks;
    int64_t cpu_ms; /* used between two checks */
    enum watchdog_verdict verdict;
    size_t at; /* the check with that verdict, from 1; 0: none */
};

static const struct judge_case judge_rows[] = {
    {"idle", ".S.S.S.S.S.S", 0, WATCHDOG_MOVES, 0},
    {"idle, and the parent checks twice as often", ".SS.SS.SS.SS.SS", 0,
     WATCHDOG_MOVES, 0},
    {"stopped", ".TTTTTTT", 0, WATCHDOG_STOPPED, 6},
    {"stopped before the first heartbeat", "TTTTTTT", 0, WATCHDOG_STOPPED, 5},
    {"stopped for a second", ".TTTT.TTTT.", 0, WATCHDOG_MOVES, 0},
    {"waits", ".SSSSSSS", 0, WATCHDOG_WAITS, 6},
    {"stopped after it had waited", ".SSSST", 0, WATCHDOG_STOPPED, 6},
    {"ready, and gets no processor", ".RRRRRRRRRRRRRRRRRRRRRRRR", 0,
     WATCHDOG_MOVES, 0},
    {"waits for a page", ".DDDDDDDDDDDDDDDDDDDDDDDD", 0, WATCHDOG_MOVES, 0},
    {"is traced", ".tttttttttttttttttttttttt", 0, WATCHDOG_MOVES, 0},
    {"waits at two checks only", ".RRRRRSRRRRRSRRRRR", 0, WATCHDOG_MOVES, 0},
    /* Counted from the third silent check on: 8 x 250 ms are the limit. */
    {"loops", ".RRRRRRRRRRRRRRRR", 250, WATCHDOG_LOOPS, 12},
    {"loops, at a fiftieth of a processor", ".RRRRRRRRRRRRRRRR", 5,
     WATCHDOG_MOVES, 0},
    {"is busy for as long as a worker may", ".RRRRRRRRRR.RRRRRRRRRR.", 250,
     WATCHDOG_MOVES, 0},
    {"the system reports nothing at first", ".RR???RRRRRRRR", 200,
     WATCHDOG_MOVES, 0},
    {"just below the limit", ".RRRR", 1999, WATCHDOG_MOVES, 0},
    {"at the limit", ".RRRR", 2000, WATCHDOG_LOOPS, 5},
};

TEST_CASES(judge, struct judge_case, judge_rows)
{
    struct watchdog watchdog = {.beats = 0};
    struct watchdog_sample sample = {.cpu_ms = 60000};
    enum watchdog_verdict verdict = WATCHDOG_MOVES;
    uint64_t beats = 0;
    size_t at = 0;

    for (; c->checks[at] != '\0' && verdict == WATCHDOG_MOVES; at++) {
        beats += c->checks[at] == '.';
        sample.state = c->checks[at];
        sample.cpu_ms += c->cpu_ms;
        if (watchdog_is_silent(&watchdog, beats) && sample.state != '?')
            verdict = watchdog_judge(&watchdog, &sample);
    }
    CU_ASSERT_EQUAL(verdict, c->verdict);
    CU_ASSERT_EQUAL(verdict == WATCHDOG_MOVES ? 0 : at, c->at);
    if (verdict != WATCHDOG_MOVES)
        CU_ASSERT(strlen(watchdog_text(verdict)) > 0);
}

/* A process, its name, and the state that it is in. */
struct sample_case {
    const char *name, *called;
    void (*act)(void);
    char state;
};

static void
spin(void)
{
    for (;;)
        continue;
}

static void
wait_for_ever(void)
{
    for (;;)
        (void)pause();
}

static void
stand_still(void)
{
    (void)raise(SIGSTOP);
}

static const struct sample_case sample_rows[] = {
    {"runs", "scoring", spin, 'R'},
    {"waits", "scoring", wait_for_ever, 'S'},
    {"is stopped", "scoring", stand_still, 'T'},
    {"has a name that looks like a state", "x) Z 1 (", wait_for_ever, 'S'},
};

struct sampled {
    pid_t pid;
    char state;
};

static bool
is_in_state(void *arg)
{
    const struct sampled *sampled = arg;
    struct watchdog_sample sample = {.cpu_ms = -1};

    return watchdog_sample(sampled->pid, &sample) && sample.cpu_ms >= 0 &&
           sample.state == sampled->state;
}

TEST_CASES(sample, struct sample_case, sample_rows)
{
    struct sampled sampled = {fork(), c->state};
    struct watchdog_sample sample = {'?', -1};

    CU_ASSERT_FATAL(sampled.pid >= 0);
    if (sampled.pid == 0) {
        (void)prctl(PR_SET_NAME, c->called);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        c->act();
        _exit(1);
    }
    CU_ASSERT_TRUE(clock_wait(is_in_state, &sampled, CLOCK_PATIENCE_MS));
    (void)kill(sampled.pid, SIGKILL);
    (void)waitpid(sampled.pid, NULL, 0);
    CU_ASSERT_FALSE(watchdog_sample(sampled.pid, &sample));
    CU_ASSERT_EQUAL(sample.state, '?');
}

TEST_SINGLE(cpu, "is the processor time used, to a few ticks")
{
    struct watchdog_sample sample = {'?', -1};
    int64_t used_ms;

    CU_ASSERT_TRUE(watchdog_sample(getpid(), &sample));
    used_ms = clock_cpu_us() / US_PER_MS;
    CU_ASSERT_EQUAL(sample.state, 'R');
    CU_ASSERT(sample.cpu_ms <= used_ms + 20 && sample.cpu_ms >= used_ms - 50);
}
