/*
 * Runs tests in processes, so that there is a summary whatever they do:
 *
 *     runner ---- keeper of one suite ---- the suite's rows, one by one
 *            \--- keeper of another   ---- ...
 *
 * The runner starts keepers, several at a time, and counts results. A keeper
 * supervises the process that runs the rows. If that dies, or a row exceeds its
 * limit, the keeper fails the row, kills all processes below it, and starts a
 * new process for the next rows. All results are in shared memory. Rows that
 * failed can be run again at the end, one suite at a time.
 */
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CUnit/TestRun.h>

#include "cases_plan.h"
#include "clock.h"
#include "files.h"
#include "proc.h"

#define RUN_GRACE_MS    5000 /* for processes that end soon after their test */
#define RUN_SIGNALLED   128  /* plus the signal's number, as in a shell */
#define RUN_FOLDER_MODE 0755 /* other users must be able to enter it */
#define RUN_WHY_MAX     128
#define CALM_JOBS       4 /* each uses a tenth of a core */

enum row_state { ROW_WAITS, ROW_RUNS, ROW_PASSED, ROW_FAILED, ROW_SKIPPED };

struct row_note {
    enum row_state state;
    bool is_again;
    int64_t took_ms;
};

struct suite_note {
    pid_t keeper;    /* 0: not running */
    bool has_failed; /* itself, not one of its rows */
    bool is_again;
    int64_t since_ms; /* when its row, its start or its end began */
};

static const struct cases_plan *plan;
static struct row_note *row_notes;     /* shared */
static struct suite_note *suite_notes; /* shared */
static int results;                    /* where the runner prints */
static int turn;        /* a locked file: one suite prints at a time */
static int interrupted; /* the signal that ended the runner; 0: none */
static sigset_t usual_signals, watched_signals;

/* In a keeper: the file with everything that is printed while a row runs. */
static int output;

/* In the process that runs rows. */
static struct {
    const struct cases_suite *suite;
    size_t row;
} here;

static struct suite_note *
note_of(const struct cases_suite *suite)
{
    return &suite_notes[suite - plan->suites];
}

/* The first row of a suite in this state; the end of the suite if none is. */
static size_t
find_row(const struct cases_suite *suite, enum row_state state)
{
    size_t row = suite->first;

    while (row < suite->first + suite->count && row_notes[row].state != state)
        row++;
    return row;
}

static bool
has_row(const struct cases_suite *suite, enum row_state state)
{
    return find_row(suite, state) < suite->first + suite->count;
}

/* The system's clock, even if a test controls CLOCK_MONOTONIC. */
static int64_t
real_ms(void)
{
    struct timespec now = {0};

    (void)syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void *
share(size_t count, size_t size)
{
    void *memory = mmap(NULL, (count + 1) * size, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        perror("cases: mmap");
        exit(EXIT_FAILURE);
    }
    return memory;
}

static int
open_memory(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC);

    if (fd < 0) {
        perror("cases: memfd_create");
        exit(EXIT_FAILURE);
    }
    return fd;
}

static void
forget_output(void)
{
    (void)fflush(stdout);
    if (ftruncate(output, 0) == 0)
        (void)lseek(output, 0, SEEK_SET);
}

static void
copy_output(FILE *to)
{
    char part[4096];
    off_t at = 0;
    ssize_t length;

    (void)fflush(stdout);
    while ((length = pread(output, part, sizeof(part), at)) > 0) {
        (void)fwrite(part, 1, (size_t)length, to);
        at += length;
    }
}

/* Prints a text without lines of other suites in between; frees it. */
static void
print(char *text, size_t length)
{
    (void)lockf(turn, F_LOCK, 0);
    for (size_t done = 0; text != NULL && done < length;) {
        ssize_t written = write(results, text + done, length - done);

        if (written <= 0)
            break;
        done += (size_t)written;
    }
    (void)lockf(turn, F_ULOCK, 0);
    free(text);
}

/* Prints either why the process ended, or the failed assertions. */
static void
report_row(size_t index, const char *why, CU_pFailureRecord failure)
{
    const struct cases_row *row = &plan->rows[index];
    char *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);

    row_notes[index].state = ROW_FAILED;
    if (file == NULL)
        return;
    (void)fprintf(file, "FAILED: %s: %s:%u\n", row->name, row->table->file,
                  cases_row_line(row));
    if (why != NULL)
        (void)fprintf(file, "    %s\n", why);
    for (; failure != NULL; failure = failure->pNext)
        (void)fprintf(file, "    %s:%u: %s\n", failure->strFileName,
                      failure->uiLineNumber, failure->strCondition);
    copy_output(file);
    (void)fclose(file);
    print(text, length);
}

static void
report_suite(const struct cases_suite *suite, const char *why)
{
    char *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);

    note_of(suite)->has_failed = true;
    if (file == NULL)
        return;
    (void)fprintf(file, "FAILED: %s: %s: beside its rows\n    %s\n",
                  suite->name, suite->words.file, why);
    copy_output(file);
    (void)fclose(file);
    print(text, length);
}

void
cases_skip(const char *reason)
{
    char *text = NULL;
    int length =
        asprintf(&text, "skipped: %s: %s\n", plan->rows[here.row].name, reason);

    row_notes[here.row].state = ROW_SKIPPED;
    if (length >= 0)
        print(text, (size_t)length);
}

static void
run_row(void)
{
    const struct cases_row *row = &plan->rows[here.row];

    row->table->run(row->row);
}

/* CUnit runs rows in the order in which they were registered. */
static void
on_start(const CU_pTest test, const CU_pSuite suite)
{
    (void)test;
    (void)suite;
    here.row = find_row(here.suite, ROW_WAITS);
    row_notes[here.row].state = ROW_RUNS;
    note_of(here.suite)->since_ms = real_ms();
    clock_be_patient();
}

static void
on_complete(const CU_pTest test, const CU_pSuite suite,
            const CU_pFailureRecord failure)
{
    struct row_note *row = &row_notes[here.row];
    struct suite_note *note = note_of(here.suite);

    (void)test;
    (void)suite;
    row->took_ms = real_ms() - note->since_ms;
    if (failure != NULL)
        report_row(here.row, NULL, failure);
    else if (row->state == ROW_RUNS)
        row->state = ROW_PASSED;
    forget_output();
    note->since_ms = real_ms();
}

static bool
register_rows(const struct cases_suite *suite)
{
    CU_pSuite registered;

    if (CU_initialize_registry() != CUE_SUCCESS)
        return false;
    registered =
        CU_add_suite(suite->name, suite->words.start, suite->words.end);
    for (size_t i = 0; registered != NULL && i < suite->count; i++) {
        size_t row = suite->first + i;

        if (row_notes[row].state == ROW_WAITS &&
            CU_add_test(registered, plan->rows[row].name, run_row) == NULL)
            return false;
    }
    CU_set_test_start_handler(on_start);
    CU_set_test_complete_handler(on_complete);
    return registered != NULL;
}

/* Runs all waiting rows, in a process of its own. */
static void __attribute__((noreturn))
run_suite(const struct cases_suite *suite, pid_t keeper)
{
    bool is_well;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != keeper)
        _exit(EXIT_FAILURE);
    (void)sigprocmask(SIG_SETMASK, &usual_signals, NULL);
    proc_adopt_orphans();
    here.suite = suite;
    is_well = register_rows(suite) && CU_run_all_tests() == CUE_SUCCESS &&
              CU_get_number_of_suites_failed() == 0;
    if (plan->program->end != NULL && !plan->program->end())
        is_well = false;
    CU_cleanup_registry();
    exit(is_well ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* Gives the suite its own loopback interface, and so all ports. */
static void
take_own_network(void)
{
    struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd;

    if (unshare(CLONE_NEWNET) != 0)
        return; /* only root may; ports_free() shares one interface */
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (ioctl(fd, SIOCSIFFLAGS, &loopback) != 0)
        perror("cases: the loopback");
    (void)close(fd);
}

static bool
has_no_child(void *arg)
{
    (void)arg;
    for (;;) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);

        if (pid <= 0)
            return pid < 0;
    }
}

/* Ends all processes below; returns whether any had to be killed. Most end when
 * their parent has ended. */
static bool
end_what_is_left(void)
{
    size_t ended = 0, more;

    (void)clock_wait(has_no_child, NULL, RUN_GRACE_MS);
    do { /* we adopt the children of each process that dies */
        more = proc_end_orphans();
        ended += more;
    } while (more > 0);
    return ended > 0;
}

enum outcome { OUTCOME_ENDED, OUTCOME_LATE, OUTCOME_INTERRUPTED };

/* Waits for the process that runs rows, and kills it at the limit. */
static enum outcome
watch(const struct cases_suite *suite, pid_t pid, int limit_s, int *ret_status)
{
    enum outcome outcome = OUTCOME_ENDED;

    while (waitpid(pid, ret_status, WNOHANG) == 0) {
        int64_t left_ms =
            note_of(suite)->since_ms + limit_s * 1000LL - real_ms();
        struct timespec left = {left_ms / 1000, left_ms % 1000 * 1000000};

        if (left_ms <= 0)
            outcome = OUTCOME_LATE;
        else if (sigtimedwait(&watched_signals, NULL, &left) == SIGTERM)
            outcome = OUTCOME_INTERRUPTED;
        if (outcome == OUTCOME_ENDED)
            continue;
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, ret_status, 0);
        break;
    }
    return outcome;
}

static void
explain(enum outcome outcome, int status, int limit_s, char why[RUN_WHY_MAX])
{
    if (outcome == OUTCOME_LATE)
        (void)snprintf(why, RUN_WHY_MAX, "took longer than %d s", limit_s);
    else if (WIFSIGNALED(status))
        (void)snprintf(why, RUN_WHY_MAX, "ended by signal %d: %s",
                       WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        (void)snprintf(why, RUN_WHY_MAX, "ended with status %d",
                       WEXITSTATUS(status));
}

/* Runs the waiting rows of a suite; returns whether any are left to run. */
static bool
run_on(const struct cases_suite *suite)
{
    int limit_s =
        suite->words.limit_s > 0 ? suite->words.limit_s : plan->limit_s;
    char why[RUN_WHY_MAX];
    enum outcome outcome;
    bool is_left;
    int status = 0;
    pid_t keeper = getpid(), pid;

    note_of(suite)->since_ms = real_ms();
    pid = fork();
    if (pid == 0)
        run_suite(suite, keeper);
    outcome = watch(suite, pid, limit_s, &status);
    is_left = end_what_is_left();
    if (outcome == OUTCOME_INTERRUPTED)
        return false;
    explain(outcome, status, limit_s, why);
    if (has_row(suite, ROW_RUNS)) {
        report_row(find_row(suite, ROW_RUNS), why, NULL);
        forget_output();
        return has_row(suite, ROW_WAITS);
    }
    if (status != 0 || has_row(suite, ROW_WAITS))
        report_suite(suite, why);
    else if (is_left && !has_row(suite, ROW_FAILED))
        report_suite(suite, "left something running");
    return false;
}

static void __attribute__((noreturn))
keep(const struct cases_suite *suite, pid_t runner)
{
    char folder[FILES_PATH_MAX];

    (void)setpgid(0, 0); /* so that only the runner gets Ctrl-C */
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    proc_adopt_orphans();
    if (getppid() != runner || !files_folder_make(folder))
        _exit(EXIT_FAILURE);
    (void)chmod(folder, RUN_FOLDER_MODE);
    (void)setenv("TMPDIR", folder, 1);
    if (plan->program->has_network)
        take_own_network();
    output = open_memory("output");
    (void)dup2(output, STDOUT_FILENO);
    (void)dup2(output, STDERR_FILENO);
    while (run_on(suite))
        continue;
    files_folder_remove(folder);
    _exit(EXIT_SUCCESS);
}

static void
start_keeper(const struct cases_suite *suite)
{
    pid_t runner = getpid(), pid;

    (void)fflush(NULL);
    pid = fork();
    if (pid == 0)
        keep(suite, runner);
    note_of(suite)->keeper = pid;
    if (pid < 0)
        perror("cases: fork");
}

static const struct cases_suite *
find_keeper(pid_t pid)
{
    for (size_t i = 0; i < plan->suite_count; i++) {
        if (suite_notes[i].keeper == pid)
            return &plan->suites[i];
    }
    return NULL;
}

/* Reaps keepers; returns how many have ended. */
static size_t
take_ended(void)
{
    size_t count = 0;
    pid_t pid;

    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
        const struct cases_suite *suite = find_keeper(pid);

        if (suite == NULL)
            continue;
        note_of(suite)->keeper = 0;
        count++;
    }
    return count;
}

static void
interrupt_keepers(int number)
{
    interrupted = number;
    for (size_t i = 0; i < plan->suite_count; i++) {
        if (suite_notes[i].keeper > 0)
            (void)kill(suite_notes[i].keeper, SIGTERM);
    }
}

static void
run_suites(enum cases_room room, size_t jobs)
{
    size_t next = 0, running = 0;

    for (;;) {
        for (; !interrupted && next < plan->suite_count && running < jobs;
             next++) {
            if (plan->suites[next].words.room != room)
                continue;
            start_keeper(&plan->suites[next]);
            if (suite_notes[next].keeper > 0)
                running++;
        }
        if (running == 0)
            return;
        int number = sigwaitinfo(&watched_signals, NULL);

        if (number > 0 && number != SIGCHLD)
            interrupt_keepers(number);
        running -= take_ended();
    }
}

static size_t
count_failures(void)
{
    size_t count = 0;

    for (size_t i = 0; i < plan->row_count; i++)
        count += row_notes[i].state == ROW_FAILED;
    for (size_t i = 0; i < plan->suite_count; i++)
        count += suite_notes[i].has_failed;
    return count;
}

/* Marks rows to be run again; returns whether there are any. If a suite itself
 * failed, these are all its rows. */
static bool
let_wait_again(const struct cases_suite *suite)
{
    struct suite_note *note = note_of(suite);
    bool is_any = false;

    for (size_t i = suite->first; i < suite->first + suite->count; i++) {
        if (row_notes[i].state != ROW_FAILED && !note->has_failed)
            continue;
        row_notes[i].is_again = row_notes[i].state == ROW_FAILED;
        row_notes[i].state = ROW_WAITS;
        is_any = true;
    }
    note->is_again = note->has_failed;
    note->has_failed = false;
    return is_any;
}

/*
 * Runs failed rows again: one that reads a clock may have failed because the
 * machine was busy; one that finds a fault fails again. Both are reported.
 */
static void
run_failed_again(void)
{
    size_t failed = count_failures();

    if (interrupted || failed == 0 || failed > plan->again_max)
        return;
    for (size_t i = 0; i < plan->suite_count && !interrupted; i++) {
        if (!let_wait_again(&plan->suites[i]))
            continue;
        start_keeper(&plan->suites[i]);
        while (suite_notes[i].keeper > 0) {
            int number = sigwaitinfo(&watched_signals, NULL);

            if (number > 0 && number != SIGCHLD)
                interrupt_keepers(number);
            (void)take_ended();
        }
    }
    for (size_t i = 0; i < plan->row_count; i++) {
        if (row_notes[i].is_again && row_notes[i].state == ROW_PASSED)
            (void)printf("UNSTEADY: %s: passed when run again, alone\n",
                         plan->rows[i].name);
    }
    for (size_t i = 0; i < plan->suite_count; i++) {
        if (suite_notes[i].is_again && !suite_notes[i].has_failed)
            (void)printf("UNSTEADY: %s: passed when run again, alone\n",
                         plan->suites[i].name);
    }
}

static void
prepare(void)
{
    static const int numbers[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP};
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    row_notes = share(plan->row_count, sizeof(*row_notes));
    suite_notes = share(plan->suite_count, sizeof(*suite_notes));
    results = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
    turn = open_memory("turn");
    (void)dup2(null, STDIN_FILENO);
    (void)close(null);
    (void)sigemptyset(&watched_signals);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        (void)sigaddset(&watched_signals, numbers[i]);
    (void)sigprocmask(SIG_BLOCK, &watched_signals, &usual_signals);
}

static int
sum_up(void)
{
    size_t counts[ROW_SKIPPED + 1] = {0}, failed = count_failures();

    for (size_t i = 0; i < plan->row_count; i++) {
        counts[row_notes[i].state]++;
        if (plan->is_timed)
            (void)printf("%8.3f s  %s\n", (double)row_notes[i].took_ms / 1000,
                         plan->rows[i].name);
    }
    if (interrupted)
        (void)printf("interrupted by signal %d\n", interrupted);
    else
        failed += counts[ROW_WAITS] + counts[ROW_RUNS];
    if (plan->row_count == 0)
        (void)printf("no test fits\n");
    (void)printf("%zu passed, %zu failed", counts[ROW_PASSED], failed);
    if (counts[ROW_SKIPPED] > 0)
        (void)printf(", %zu skipped", counts[ROW_SKIPPED]);
    (void)printf("\n");
    if (interrupted)
        return RUN_SIGNALLED + interrupted;
    return failed == 0 && plan->row_count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
cases_run(const struct cases_plan *wanted)
{
    plan = wanted;
    prepare();
    proc_adopt_orphans(); /* of a killed keeper */
    run_suites(CASES_CROWDED, plan->jobs);
    run_suites(CASES_CALM, plan->jobs < CALM_JOBS ? plan->jobs : CALM_JOBS);
    run_suites(CASES_ALONE, 1);
    run_failed_again();
    (void)proc_end_orphans();
    return sum_up();
}
