/*
 * When a worker is taken to stand still. A look is a letter: a dot is a beat,
 * others are the state that the system tells of a worker without one, ? that
 * it does not tell.
 */
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/units.h"
#include "serve/watch.h"
#include "support/cases.h"
#include "support/clock.h"

struct judge_case {
    const char *name, *looks;
    int64_t cpu_ms; /* used between two looks */
    enum watch_verdict verdict;
    size_t at; /* the look that comes to it, from 1; 0: none */
};

static const struct judge_case judge_rows[] = {
    {"idle", ".S.S.S.S.S.S", 0, WATCH_MOVES, 0},
    {"idle, and the parent early", ".SS.SS.SS.SS.SS", 0, WATCH_MOVES, 0},
    {"stopped", ".TTTTTTT", 0, WATCH_STOPPED, 6},
    {"stopped when it had not beaten for long", "TTTTTTT", 0, WATCH_STOPPED, 5},
    {"stopped for a second", ".TTTT.TTTT.", 0, WATCH_MOVES, 0},
    {"waits", ".SSSSSSS", 0, WATCH_WAITS, 6},
    {"stopped after it had waited", ".SSSST", 0, WATCH_STOPPED, 6},
    {"ready, and gets no processor", ".RRRRRRRRRRRRRRRRRRRRRRRR", 0,
     WATCH_MOVES, 0},
    {"waits for a page", ".DDDDDDDDDDDDDDDDDDDDDDDD", 0, WATCH_MOVES, 0},
    {"is traced", ".tttttttttttttttttttttttt", 0, WATCH_MOVES, 0},
    {"waits when it gets its turn", ".RRRRRSRRRRRSRRRRR", 0, WATCH_MOVES, 0},
    /* Known from the third silent look on: 8 x 250 ms later it is too long. */
    {"loops", ".RRRRRRRRRRRRRRRR", 250, WATCH_LOOPS, 12},
    {"loops, at a fiftieth of a processor", ".RRRRRRRRRRRRRRRR", 5, WATCH_MOVES,
     0},
    {"is at work for as long as may be", ".RRRRRRRRRR.RRRRRRRRRR.", 250,
     WATCH_MOVES, 0},
    {"cannot be looked at, at first", ".RR???RRRRRRRR", 200, WATCH_MOVES, 0},
    {"just below what is too much", ".RRRR", 1999, WATCH_MOVES, 0},
    {"just what is too much", ".RRRR", 2000, WATCH_LOOPS, 5},
};

TEST_CASES(judge, struct judge_case, judge_rows)
{
    struct watch watch = {.beats = 0};
    struct watch_sample sample = {.cpu_ms = 60000};
    enum watch_verdict verdict = WATCH_MOVES;
    uint64_t beats = 0;
    size_t at = 0;

    for (; c->looks[at] != '\0' && verdict == WATCH_MOVES; at++) {
        beats += c->looks[at] == '.';
        sample.state = c->looks[at];
        sample.cpu_ms += c->cpu_ms;
        if (watch_is_silent(&watch, beats) && sample.state != '?')
            verdict = watch_judge(&watch, &sample);
    }
    CU_ASSERT_EQUAL(verdict, c->verdict);
    CU_ASSERT_EQUAL(verdict == WATCH_MOVES ? 0 : at, c->at);
    if (verdict != WATCH_MOVES)
        CU_ASSERT(strlen(watch_text(verdict)) > 0);
}

/* A process in a state, and what it is called. */
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
    {"is called as if it were something else", "x) Z 1 (", wait_for_ever, 'S'},
};

struct sampled {
    pid_t pid;
    char state;
};

static bool
is_in_state(void *arg)
{
    const struct sampled *sampled = arg;
    struct watch_sample sample = {.cpu_ms = -1};

    return watch_sample(sampled->pid, &sample) && sample.cpu_ms >= 0 &&
           sample.state == sampled->state;
}

TEST_CASES(sample, struct sample_case, sample_rows)
{
    struct sampled sampled = {fork(), c->state};
    struct watch_sample sample = {'?', -1};

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
    CU_ASSERT_FALSE(watch_sample(sampled.pid, &sample));
    CU_ASSERT_EQUAL(sample.state, '?');
}

TEST_SINGLE(cpu, "is what it has used, to a hundredth of a second")
{
    struct watch_sample sample = {'?', -1};
    int64_t used_ms;

    CU_ASSERT_TRUE(watch_sample(getpid(), &sample));
    used_ms = clock_cpu_us() / US_PER_MS;
    CU_ASSERT_EQUAL(sample.state, 'R');
    CU_ASSERT(sample.cpu_ms <= used_ms + 20 && sample.cpu_ms >= used_ms - 50);
}
