/*
 * The parent process: starts as many workers as the settings require, replaces
 * each that dies or stalls, reads settings again without losing a request, and
 * ends in good order. Implements S25 of docs/protocol.md. The parent has no
 * connections and handles no requests. Its signals are blocked, and taken by
 * sigtimedwait() only, so none interrupts other work.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/units.h"
#include "serve/answers.h"
#include "serve/notify.h"
#include "serve/roster.h"
#include "serve/supervisor.h"
#include "serve/watchdog.h"
#include "serve/worker.h"
#include "telemetry/metrics.h"

/*
 * A worker that dies before this time is replaced after a backoff, which
 * doubles (S25.1). Its maximum is short: nginx waits 8 s for an answer, and 3 s
 * for that of a health request, so none fails even if all workers die.
 */
#define SUPERVISOR_LIVED_MS       1000
#define SUPERVISOR_BACKOFF_MIN_MS 100
#define SUPERVISOR_BACKOFF_MAX_MS 900

/* New workers that have lived this long serve: older ones may end. */
#define SUPERVISOR_STEADY_MS 200

/* How long a worker may take to exit. By default Docker kills a container after
 * 10 s. */
#define SUPERVISOR_DRAIN_MS 8000

/* How often to check while workers start, or while log lines are pending. */
#define SUPERVISOR_TICK_MS 50

#define SUPERVISOR_NEVER INT64_MAX

/* A process; its index in the table is its slot of the metrics. */
struct worker {
    pid_t pid; /* 0: none */
    int seat;
    int generation; /* of its settings */
    int64_t started_ms;
    int64_t kill_ms; /* when it will be killed; 0: it was not asked to exit */
    bool is_stalled; /* it has been killed because it stalled */
    struct watchdog watchdog;
};

/* One of the workers that the settings require; its process may change. */
struct seat {
    bool is_taken;
    int64_t due_ms;     /* when to start the next process */
    int64_t backoff_ms; /* the last one; 0 after a worker that lived */
};

struct supervisor {
    int listen_fd;
    char *const *environment;
    struct config *config;
    struct log *log;
    struct metrics *metrics;
    struct roster *roster;
    struct answers answers; /* that nginx makes by itself */
    sigset_t signals;
    int own_slot;   /* in the process of a worker; -1 in the parent */
    int own_seat;   /* in the process of a worker */
    bool is_orphan; /* in the process of a worker: it must not serve */
    bool is_stopping;
    bool is_settled;  /* all seats are served, older workers asked to exit */
    int generation;   /* of the settings: how often they were read */
    int live;         /* workers of any generation */
    int64_t check_ms; /* when to check the workers again */
    int seat_count;
    struct seat seats[METRICS_WORKERS_MAX];
    struct worker workers[METRICS_SLOTS];
};

static void
log_accounts(struct supervisor *s)
{
    const struct config *config = s->config;

    if (config->accounts == NULL)
        return;
    log_info(s->log, "accounts: %zu", accounts_count(config->accounts));
    if (config->accounts_mode != 0)
        log_error(s->log, CONFIG_ACCOUNTS_NAME ": %s: " CONFIG_ACCOUNTS_OPEN,
                  config->accounts_file, config->accounts_mode);
    if (config->cache_secret_published != CONFIG_NONE)
        log_error(s->log, "the key of the cache is made of the published salt; "
                          "set SCORING_CACHE_SECRET");
}

static void
log_settings(struct supervisor *s, const char *what)
{
    struct buf parts = {0};
    struct bytes shown;

    buf_add_text(&parts, "model ");
    model_print_name(&s->config->model.model, &parts);
    buf_add_text(&parts, ", store ");
    redis_url_print(&s->config->redis, &parts);
    shown = parts.failed ? bytes_of("not shown: no memory") : buf_bytes(&parts);
    log_info(s->log, "%s: version %s, %d worker(s), %.*s", what,
             SCORING_VERSION, s->seat_count, (int)shown.length, shown.at);
    if (s->config->salts_published != CONFIG_NONE ||
        s->config->admin_salts_published != CONFIG_NONE)
        log_error(s->log, "running with the published default salts: anyone "
                          "can make tokens; set SCORING_SALT and "
                          "SCORING_ADMIN_SALT");
    buf_free(&parts);
    log_accounts(s);
}

/* Frees all seats for workers with the settings in force. */
static void
start_generation(struct supervisor *s, int64_t now)
{
    s->generation++;
    s->is_settled = false;
    s->seat_count = (int)s->config->workers;
    if (s->seat_count > METRICS_WORKERS_MAX)
        s->seat_count = METRICS_WORKERS_MAX;
    for (int i = 0; i < s->seat_count; i++)
        s->seats[i] = (struct seat){.due_ms = now};
    metrics_set(s->metrics, METRICS_WANTED, (unsigned)s->seat_count);
    metrics_set(
        s->metrics, METRICS_PUBLISHED,
        (s->config->salts_published != CONFIG_NONE ? 1U : 0U) +
            (s->config->admin_salts_published != CONFIG_NONE ? 1U : 0U));
}

/* Makes the new process a worker. */
static void
become_worker(struct supervisor *s, int slot, pid_t parent)
{
    sigset_t blocked;

    s->own_slot = slot;
    metrics_use_slot(s->metrics, slot);
    log_forget(s->log);
    /* A terminal sends these to all processes; only the parent handles them. */
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0) {
        log_error(s->log, "worker %d: cannot start: prctl: %s", slot,
                  strerror(errno));
        s->is_orphan = true; /* it would not notice the parent's end */
    }
    s->is_orphan = s->is_orphan || getppid() != parent;
    /* Blocked until the worker's loop handles them. */
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGUSR1);
    (void)sigaddset(&blocked, SIGTERM);
    (void)sigprocmask(SIG_SETMASK, &blocked, NULL);
}

/* Frees a seat; the next worker starts after a backoff, or at once if this one
 * had lived for a while. */
static void
free_seat(struct seat *seat, int64_t lived_ms, int64_t now)
{
    int64_t backoff_ms = 2 * seat->backoff_ms;

    if (backoff_ms < SUPERVISOR_BACKOFF_MIN_MS)
        backoff_ms = SUPERVISOR_BACKOFF_MIN_MS;
    if (backoff_ms > SUPERVISOR_BACKOFF_MAX_MS)
        backoff_ms = SUPERVISOR_BACKOFF_MAX_MS;
    seat->is_taken = false;
    seat->backoff_ms = lived_ms >= SUPERVISOR_LIVED_MS ? 0 : backoff_ms;
    seat->due_ms = now + seat->backoff_ms;
}

static void
start_worker(struct supervisor *s, int index, int64_t now)
{
    struct seat *seat = &s->seats[index];
    int slot = metrics_slot_take(s->metrics);
    pid_t parent = getpid(), pid;

    if (slot < 0) { /* older workers still have all slots */
        seat->due_ms = now + SUPERVISOR_BACKOFF_MIN_MS;
        return;
    }
    pid = fork();
    if (pid == 0) {
        s->own_seat = index;
        become_worker(s, slot, parent);
        return;
    }
    if (pid < 0) {
        int fault = errno;

        free_seat(seat, 0, now);
        metrics_slot_release(s->metrics, slot, clock_mono_ms());
        log_error(s->log, "no new worker: %s; next try in %d ms",
                  strerror(fault), (int)seat->backoff_ms);
        return;
    }
    seat->is_taken = true;
    s->live++;
    s->workers[slot] = (struct worker){
        .pid = pid,
        .seat = index,
        .generation = s->generation,
        .started_ms = now,
        .watchdog = {.beats = metrics_get_beats(s->metrics, slot)},
    };
}

/* Returns in the parent, and in each new worker with own_slot set. */
static void
start_due(struct supervisor *s, int64_t now)
{
    for (int i = 0; i < s->seat_count && s->own_slot < 0; i++) {
        if (!s->seats[i].is_taken && s->seats[i].due_ms <= now)
            start_worker(s, i, now);
    }
}

/* Asks a worker to finish its requests and exit. */
static void
end_worker(struct worker *worker, int64_t now)
{
    if (worker->pid == 0 || worker->kill_ms != 0)
        return;
    (void)kill(worker->pid, SIGTERM);
    worker->kill_ms = now + SUPERVISOR_DRAIN_MS;
}

/* Whether every seat has a worker that has lived for a while. */
static bool
are_steady(const struct supervisor *s, int64_t now)
{
    for (int i = 0; i < s->seat_count; i++) {
        if (!s->seats[i].is_taken)
            return false;
    }
    for (int slot = 0; slot < METRICS_SLOTS; slot++) {
        const struct worker *worker = &s->workers[slot];

        if (worker->pid != 0 && worker->generation == s->generation &&
            now - worker->started_ms < SUPERVISOR_STEADY_MS)
            return false;
    }
    return true;
}

/*
 * When all new workers serve, the older ones are asked to exit. With settings
 * that kill every new worker, the older ones go on.
 */
static void
settle(struct supervisor *s, int64_t now)
{
    if (s->is_settled || !are_steady(s, now))
        return;
    s->is_settled = true;
    metrics_set_phase(s->metrics, METRICS_SERVING);
    log_info(s->log, "ready: %d worker(s)", s->seat_count);
    notify_send("READY=1");
    for (int slot = 0; slot < METRICS_SLOTS; slot++) {
        if (s->workers[slot].generation != s->generation)
            end_worker(&s->workers[slot], now);
    }
}

/* Kills a worker that has stalled: nginx sends its requests to others. */
static void
check_worker(struct supervisor *s, int slot)
{
    struct worker *worker = &s->workers[slot];
    enum watchdog_verdict verdict;
    struct watchdog_sample sample;

    if (!watchdog_is_silent(&worker->watchdog,
                            metrics_get_beats(s->metrics, slot)) ||
        !watchdog_sample(worker->pid, &sample))
        return;
    verdict = watchdog_judge(&worker->watchdog, &sample);
    if (verdict == WATCHDOG_MOVES)
        return;
    log_error(s->log, "worker %d stands still: %s; killed", (int)worker->pid,
              watchdog_text(verdict));
    worker->is_stalled = true;
    (void)kill(worker->pid, SIGKILL);
}

static void
check_workers(struct supervisor *s, int64_t now)
{
    if (now < s->check_ms)
        return;
    s->check_ms = now + WATCHDOG_CHECK_MS;
    answers_count(&s->answers, s->metrics, s->log);
    for (int slot = 0; slot < METRICS_SLOTS; slot++) {
        if (s->workers[slot].pid != 0 && !s->workers[slot].is_stalled)
            check_worker(s, slot);
    }
}

static void
kill_overdue(struct supervisor *s, int64_t now)
{
    for (int slot = 0; slot < METRICS_SLOTS; slot++) {
        struct worker *worker = &s->workers[slot];

        if (worker->pid == 0 || worker->kill_ms == 0 || worker->kill_ms > now)
            continue;
        log_error(s->log, "worker %d has not ended within %d ms: killed",
                  (int)worker->pid, SUPERVISOR_DRAIN_MS);
        (void)kill(worker->pid, SIGKILL);
        worker->kill_ms = SUPERVISOR_NEVER;
    }
}

static void
put_cause(int status, struct buf *out)
{
    const char *name;

    if (!WIFSIGNALED(status)) {
        buf_printf(out, "status %d", WEXITSTATUS(status));
    } else {
        name = sigabbrev_np(WTERMSIG(status));
        buf_printf(out, "signal %d (SIG%s)", WTERMSIG(status),
                   name != NULL ? name : "?");
    }
    buf_add(out, "", 1);
}

static void
log_death(struct supervisor *s, const struct worker *worker, int status,
          int64_t now)
{
    const struct seat *seat = &s->seats[worker->seat];
    struct buf cause = {0};
    const char *text;

    put_cause(status, &cause);
    text = cause.failed ? "?" : cause.data;
    if (worker->kill_ms != 0)
        log_error(s->log, "worker %d ended badly: %s", (int)worker->pid, text);
    else if (worker->generation != s->generation)
        log_error(s->log, "worker %d of the old settings died: %s",
                  (int)worker->pid, text);
    else
        log_error(s->log, "worker %d died after %lld ms: %s; next in %d ms",
                  (int)worker->pid, (long long)(now - worker->started_ms), text,
                  (int)seat->backoff_ms);
    buf_free(&cause);
}

/* Counts why a dead worker is replaced, or has been replaced already. */
static void
count_replaced(struct supervisor *s, const struct worker *worker, int status)
{
    enum metric reason =
        WIFSIGNALED(status) ? METRIC_RESTART_SIGNAL : METRIC_RESTART_EXIT;

    if (s->is_stopping)
        return;
    if (worker->is_stalled)
        reason = METRIC_RESTART_STALLED;
    else if (worker->kill_ms != 0 || worker->generation != s->generation)
        reason = METRIC_RESTART_RELOAD;
    metrics_add(s->metrics, reason, 1);
}

/* Logs how many log lines a dead worker has lost, and frees its slot. */
static void
log_lost_lines(struct supervisor *s, int slot, pid_t pid, int64_t now)
{
    const uint64_t lines = metrics_take_log(s->metrics, slot);

    metrics_slot_release(s->metrics, slot, now);
    if (lines > 0)
        log_error(s->log, "log: the last %" PRIu64 " lines of worker %d lost",
                  lines, (int)pid);
}

static void
remove_worker(struct supervisor *s, int slot, int status, int64_t now)
{
    struct worker worker = s->workers[slot];
    bool is_clean = WIFEXITED(status) ? WEXITSTATUS(status) == EX_OK
                                      : WTERMSIG(status) == SIGTERM;

    s->workers[slot] = (struct worker){0};
    s->live--;
    if (worker.kill_ms == 0 && worker.generation == s->generation)
        free_seat(&s->seats[worker.seat], now - worker.started_ms, now);
    count_replaced(s, &worker, status);
    if (!worker.is_stalled && (worker.kill_ms == 0 || !is_clean))
        log_death(s, &worker, status, now);
    log_lost_lines(s, slot, worker.pid, now);
}

static void
on_child(struct supervisor *s, int64_t now)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        int slot = 0;

        while (slot < METRICS_SLOTS && s->workers[slot].pid != pid)
            slot++;
        if (slot < METRICS_SLOTS) /* else, as process 1, we reaped an orphan */
            remove_worker(s, slot, status, now);
    }
}

static void
on_stop(struct supervisor *s, int64_t now)
{
    if (s->is_stopping)
        return;
    s->is_stopping = true;
    metrics_set_phase(s->metrics, METRICS_DRAINING);
    log_info(s->log, "stopping: %d worker(s) finish what runs", s->live);
    notify_send("STOPPING=1");
    for (int slot = 0; slot < METRICS_SLOTS; slot++)
        end_worker(&s->workers[slot], now);
}

/* Logs each error of the settings in its own line. */
static void
log_errors(struct log *log, const struct buf *errors)
{
    struct bytes rest = buf_bytes(errors);

    while (rest.length > 0) {
        const struct bytes line = bytes_cut(&rest, '\n');

        log_error(log, "settings: %.*s", (int)line.length, line.at);
    }
}

/* Logs each change of the model, even if its name stays. */
static void
log_model_change(struct supervisor *s, const struct model *old,
                 const struct model *new)
{
    struct buf names[2] = {{0}, {0}};

    model_print_name(old, &names[0]);
    model_print_name(new, &names[1]);
    if (names[0].failed || names[1].failed ||
        !bytes_equal(buf_bytes(&names[0]), buf_bytes(&names[1])))
        log_info(s->log, "the model changes from %.*s to %.*s",
                 (int)names[0].length, names[0].data, (int)names[1].length,
                 names[1].data);
    buf_free(&names[0]);
    buf_free(&names[1]);
}

/* Takes over settings and log; running workers keep their copies. */
static void
replace_settings(struct supervisor *s, struct config *config, struct log *log,
                 int64_t now)
{
    log_take_over(log, s->log);
    s->log = log;
    log_model_change(s, &s->config->model.model, &config->model.model);
    config_free(s->config);
    s->config = config;
    roster_place(s->roster, config->accounts, s->metrics,
                 clock_mono_us() * NS_PER_US);
    if (!config_use_time_zone(config))
        log_error(log, "settings: TZ: out of memory");
    /* New workers that do not serve yet exit at once: older ones still serve.
     */
    for (int slot = 0; slot < METRICS_SLOTS && !s->is_settled; slot++) {
        if (s->workers[slot].generation == s->generation)
            end_worker(&s->workers[slot], now);
    }
    start_generation(s, now);
    log_settings(s, "settings read again");
}

/* Reads the settings again; NULL, with the errors logged, if they are broken.
 */
static struct config *
read_settings(struct supervisor *s)
{
    struct buf errors = {0};
    struct config *config =
        config_load(s->environment, CONFIG_OF_SERVICE, &errors);

    if (config != NULL && !config_may_replace(s->config, config, &errors)) {
        config_free(config);
        config = NULL;
    }
    if (config == NULL)
        log_errors(s->log, &errors);
    buf_free(&errors);
    return config;
}

static void
on_reload(struct supervisor *s, int64_t now)
{
    struct buf restart = {0}; /* names */
    struct config *config;
    struct log *log = NULL;

    if (s->is_stopping)
        return;
    config = read_settings(s);
    if (config == NULL)
        goto out;
    log = log_open(&config->log);
    if (log == NULL) {
        log_error(s->log, "settings: SCORING_LOG_FILE: %s", strerror(errno));
        goto out;
    }
    config_list_restart(s->config, config, &restart);
    replace_settings(s, config, log, now);
    if (restart.length > 0)
        log_error(s->log,
                  "settings changed that need scoring-nginx, or a restart of "
                  "make run: %.*s",
                  (int)restart.length, restart.data);
    config = NULL;
out:
    metrics_add(s->metrics,
                log != NULL ? METRIC_RELOAD_OK : METRIC_RELOAD_FAILED, 1);
    if (log == NULL)
        log_error(s->log, "settings not read again: the old stay in force");
    config_free(config);
    buf_free(&restart);
}

static void
on_reopen(struct supervisor *s, int64_t now)
{
    (void)now;
    if (!log_reopen(s->log))
        log_error(s->log, "log not opened again: %s", strerror(errno));
    for (int slot = 0; slot < METRICS_SLOTS; slot++) {
        if (s->workers[slot].pid != 0)
            (void)kill(s->workers[slot].pid, SIGUSR1);
    }
}

static const struct {
    int number;
    void (*act)(struct supervisor *s, int64_t now);
} signal_table[] = {
    {SIGCHLD, on_child}, {SIGTERM, on_stop},   {SIGINT, on_stop},
    {SIGHUP, on_reload}, {SIGUSR1, on_reopen},
};

#define SIGNAL_COUNT (sizeof(signal_table) / sizeof(signal_table[0]))

static void
block_signals(struct supervisor *s)
{
    (void)sigemptyset(&s->signals);
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        (void)sigaddset(&s->signals, signal_table[i].number);
    (void)sigprocmask(SIG_BLOCK, &s->signals, NULL);
    /* If SIGCHLD were inherited as ignored, waitpid() would find no workers. */
    (void)signal(SIGCHLD, SIG_DFL);
}

/* When the next work without a signal is due. */
static int64_t
next_due_ms(const struct supervisor *s, int64_t now)
{
    int64_t due = s->live > 0 ? s->check_ms : SUPERVISOR_NEVER;

    if (log_pending(s->log) > 0 || (!s->is_settled && !s->is_stopping))
        due = MIN(due, now + SUPERVISOR_TICK_MS);
    for (int i = 0; i < s->seat_count && !s->is_stopping; i++) {
        if (!s->seats[i].is_taken)
            due = MIN(due, s->seats[i].due_ms);
    }
    for (int slot = 0; slot < METRICS_SLOTS; slot++) {
        if (s->workers[slot].pid != 0 && s->workers[slot].kill_ms != 0)
            due = MIN(due, s->workers[slot].kill_ms);
    }
    return due;
}

/* Sleeps until a signal comes, and acts on it, or until something is due. */
static void
await_signal(struct supervisor *s)
{
    int64_t now = clock_mono_ms(), due = next_due_ms(s, now);
    int64_t wait_ms = due > now ? due - now : 0;
    struct timespec limit = {.tv_sec = wait_ms / MS_PER_S,
                             .tv_nsec = wait_ms % MS_PER_S * NS_PER_MS};
    int number = sigtimedwait(&s->signals, NULL,
                              due == SUPERVISOR_NEVER ? NULL : &limit);

    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        if (signal_table[i].number == number)
            signal_table[i].act(s, clock_mono_ms());
    }
}

/* Returns in the parent when all workers have ended, and in each new worker. */
static void
supervise(struct supervisor *s)
{
    while (!s->is_stopping || s->live > 0) {
        int64_t now = clock_mono_ms();

        if (!s->is_stopping) {
            start_due(s, now);
            if (s->own_slot >= 0)
                return;
            settle(s, now);
        }
        check_workers(s, now);
        kill_overdue(s, now);
        log_flush(s->log);
        await_signal(s);
    }
    log_info(s->log, "stopped");
}

static enum worker_duty
own_duty(const struct supervisor *s)
{
    const int64_t takers = (s->config->cores + 1) / 2;

    if (s->own_seat >= takers)
        return WORKER_RESERVE;
    return s->config->workers > takers ? WORKER_FIRST : WORKER_ALONE;
}

int
supervisor_run(int listen_fd, char *const environment[], struct config *config,
               struct log *log)
{
    struct supervisor *s = calloc(1, sizeof(*s));
    int status = EX_OSERR;
    uint64_t lost_lines;

    if (s == NULL) {
        log_error(log, "no memory to start");
        (void)log_close(log);
        config_free(config);
        return status;
    }
    s->listen_fd = listen_fd;
    s->environment = environment;
    s->config = config;
    s->log = log;
    s->own_slot = -1;
    s->metrics = metrics_new();
    if (s->metrics != NULL)
        s->roster = roster_new();
    if (s->roster == NULL) {
        log_error(s->log, "no shared memory: %s", strerror(errno));
        goto out;
    }
    roster_place(s->roster, config->accounts, s->metrics,
                 clock_mono_us() * NS_PER_US);
    log_count_in(s->log, s->metrics);
    answers_init(&s->answers, listen_fd);
    block_signals(s);
    start_generation(s, clock_mono_ms());
    log_settings(s, "started");
    supervise(s);
    if (s->own_slot < 0)
        status = EX_OK;
    else if (!s->is_orphan)
        status = worker_run(s->listen_fd, s->config, s->log, s->metrics,
                            s->own_slot, own_duty(s));
out:
    lost_lines = log_close(s->log);
    if (lost_lines > 0 && s->own_slot < 0) /* the parent reports a worker's */
        log_say_lost(metrics_get(s->metrics, METRIC_LOG_LINES_LOST));
    metrics_free(s->metrics);
    roster_free(s->roster);
    config_free(s->config);
    free(s);
    return status;
}
