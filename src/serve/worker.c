/*
 * One worker: an event loop over the listening socket, the FastCGI connections
 * and the connections to the store. It accepts connections, calls store_turn()
 * at the end of every turn of the loop, logs and counts the events of the
 * store, and drains at the end. Implements S20.2, S20.3 and S25 of
 * docs/protocol.md, as far as they concern one worker.
 */
#include <errno.h>
#include <ev.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/units.h"
#include "config/config.h"
#include "fcgi/fcgi.h"
#include "scoring/api.h"
#include "scoring/interests.h"
#include "serve/conn.h"
#include "serve/watchdog.h"
#include "serve/worker.h"
#include "store/store.h"
#include "store/store_redis.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

/* How long a worker without descriptors or memory accepts no connections. */
#define ACCEPT_PAUSE_S 0.1

/* How long a worker of the reserve leaves a new connection to the others: more
 * than a turn of their loops takes. */
#define STANDBY_PAUSE_S 0.05

/*
 * A worker that uses more than LOAD_HIGH_PERCENT of a processor during
 * LOAD_WINDOW_US closes one of LOAD_SHARE connections, because nginx would keep
 * using them, and leaves new ones to the reserve for LOAD_PAUSE_S.
 */
#define LOAD_WINDOW_US    (250 * US_PER_MS)
#define LOAD_HIGH_PERCENT 80
#define LOAD_SHARE        16
#define LOAD_PAUSE_S      (2 * STANDBY_PAUSE_S)

/*
 * Log lines are written together: when they are enough for one write, or after
 * this time. If the reader is too slow, the next try is also after this time.
 */
#define LOG_PAUSE_S 0.01

/* When memory is given back after a large request: not at once, because the
 * next requests may need it; and several times, because memory_give_back()
 * leaves a part for later calls. */
#define MEMORY_PAUSE_S 0.2
#define MEMORY_TURNS   6

/* An idle worker wakes up this often, so that the parent sees a heartbeat. */
#define BEAT_S (WATCHDOG_BEAT_MS * S_PER_MS)

/* How long draining may take: less than SUPERVISOR_DRAIN_MS. */
#define DRAIN_LIMIT_S 7.0

/*
 * At the end, idle connections are closed one by one, so that nginx notices
 * each: a request that is sent on a closed one is tried only on as many others
 * as nginx has upstream entries. If there are many, several are closed at a
 * time, so that all are closed within half a second.
 */
#define DRAIN_TURN_S 0.005
#define DRAIN_TURNS  100

struct worker {
    struct ev_loop *loop;
    struct log *log;
    struct metrics *metrics;
    int slot;
    enum worker_duty duty;
    pid_t parent;
    int64_t load_from_us, load_cpu_us; /* at the beginning of the window */
    bool accept_failing;               /* and logged, until accept() succeeds */
    bool is_draining;
    size_t sentinels;   /* reachable ones, as last reported to the metrics */
    size_t drain_share; /* connections to close each DRAIN_TURN_S */
    int memory_turns;   /* how often to give memory back */
    struct api_config api_config;
    struct conn_shared shared;
    ev_io listening;
    ev_timer accept_pause, store_due, log_due, memory_due, beat;
    ev_timer drain_turn, drain_limit;
    ev_prepare turn;
    ev_signal term, usr1;
};

/* The worker of this process: on_loop_failed() gets no argument for it. */
static const struct worker *started;

/* Events of the store: each is counted, and logged once for the service. */

typedef void event_fn(struct worker *worker, int what, const char *server,
                      const char *detail);

static event_fn on_store_down, on_store_up, on_master, on_refused, on_done;

struct event_row {
    event_fn *act; /* NULL: the event is only counted */
    int what;      /* for act(): enum refusal */
    bool is_counted;
    enum metric metric;
};

#define COUNTED(metric)                                                        \
    {                                                                          \
        NULL, 0, true, metric                                                  \
    }
#define FAILED(fault)                                                          \
    [(int)STORE_EVENT_CONNECT_FAILED + (int)REDIS_FAULT_##fault]

static const struct event_row event_rows[STORE_EVENT__MAX] = {
    [STORE_EVENT_DOWN] = {on_store_down, 0, true, METRIC_BREAKER_OPENED},
    [STORE_EVENT_UP] = {.act = on_store_up},
    [STORE_EVENT_MASTER] = {.act = on_master},
    [STORE_EVENT_REFUSED] = {.act = on_refused, .what = REFUSAL_READ},
    [STORE_EVENT_MANY_REFUSED] = {.act = on_refused, .what = REFUSAL_MANY},
    [STORE_EVENT_CACHE_REFUSED] = {.act = on_refused, .what = REFUSAL_CACHE},
    [STORE_EVENT_WRITE_FAILED] = {on_refused, REFUSAL_WRITE, true,
                                  METRIC_CACHE_WRITE_LOST},
    [STORE_EVENT_WRITE_DROPPED] = COUNTED(METRIC_CACHE_WRITE_LOST),
    [STORE_EVENT_READ_OK] = {.act = on_done, .what = REFUSAL_READ},
    [STORE_EVENT_MANY_OK] = {.act = on_done, .what = REFUSAL_MANY},
    [STORE_EVENT_CACHE_OK] = {.act = on_done, .what = REFUSAL_CACHE},
    [STORE_EVENT_WROTE] = {on_done, REFUSAL_WRITE, true, METRIC_CACHE_WRITE_OK},
    [STORE_EVENT_RETRY] = COUNTED(METRIC_STORE_RETRIES),
    [STORE_EVENT_REDIRECTED] = COUNTED(METRIC_REDIRECTIONS),
    [STORE_EVENT_CONNECTED] = COUNTED(METRIC_CONNECTED),
    FAILED(BROKEN) = COUNTED(METRIC_CONNECT_BROKEN),
    FAILED(REFUSED) = COUNTED(METRIC_CONNECT_REFUSED),
    FAILED(UNREACHABLE) = COUNTED(METRIC_CONNECT_UNREACHABLE),
    FAILED(TIMEOUT) = COUNTED(METRIC_CONNECT_TIMEOUT),
    FAILED(NAME) = COUNTED(METRIC_CONNECT_NAME),
    FAILED(TLS) = COUNTED(METRIC_CONNECT_TLS),
    FAILED(HANDSHAKE) = COUNTED(METRIC_CONNECT_HANDSHAKE),
    FAILED(ROLE) = COUNTED(METRIC_CONNECT_ROLE),
};

/*
 * The line has the address of the server, and nothing else of the URL.
 *
 * server   NULL: that of the URL; "": the line is that of several servers, and
 *          has no address.
 */
static void
log_outage(struct worker *worker, const char *what, const char *server,
           const char *detail, const char *then)
{
    struct buf address = {0};

    if (server != NULL)
        buf_add_text(&address, server);
    else
        redis_url_print_address(&worker->shared.config->redis, &address);
    log_error(worker->log, "%s%s%.*s: %s%s", what,
              address.length > 0 ? ": " : "", (int)address.length,
              address.data != NULL ? address.data : "",
              detail != NULL ? detail : "-", then);
    buf_free(&address);
}

static void
on_store_down(struct worker *worker, int what, const char *server,
              const char *detail)
{
    const enum outage outage = metrics_outage_of(worker->metrics, server);
    const int64_t next_ms =
        store_next_try_ms(worker->shared.store, clock_mono_ms());
    char then[64] = "; a connection is being tried";

    (void)what;
    if (!metrics_outage_enter(worker->metrics, worker->slot, outage))
        return;
    if (next_ms > 0)
        (void)snprintf(then, sizeof(then), "; next try in %lld ms",
                       (long long)next_ms);
    if (outage == METRICS_OUTAGE_SHARED)
        server = "";
    log_outage(worker, metrics_outage_text(outage), server, detail, then);
}

static void
on_store_up(struct worker *worker, int what, const char *server,
            const char *detail)
{
    (void)what;
    (void)detail;
    metrics_outage_leave(worker->metrics, worker->slot,
                         metrics_outage_of(worker->metrics, server),
                         clock_mono_ms());
}

static void
on_master(struct worker *worker, int what, const char *server,
          const char *detail)
{
    static const char *const words[] = {
        [MASTER_FIRST] = "the store's master is",
        [MASTER_CHANGED] = "the store's master is now",
    };
    const enum metrics_master news =
        metrics_set_master(worker->metrics, detail, clock_mono_ms());

    (void)what;
    (void)server;
    if (news != MASTER_SAME)
        log_info(worker->log, "%s %s", words[news], detail);
}

static void
on_refused(struct worker *worker, int what, const char *server,
           const char *detail)
{
    if (metrics_refusal_begin(worker->metrics, (enum refusal)what,
                              clock_mono_ms()))
        log_outage(worker, metrics_refusal_text((enum refusal)what), server,
                   detail, "");
}

/* Called for each read and write, so the usual case must be cheap. */
static void
on_done(struct worker *worker, int what, const char *server, const char *detail)
{
    (void)server;
    (void)detail;
    if (metrics_refusal_is_on(worker->metrics) &&
        metrics_refusal_end(worker->metrics, (enum refusal)what,
                            clock_mono_ms()))
        log_info(worker->log, "%s: over",
                 metrics_refusal_text((enum refusal)what));
}

static void
on_store_event(void *arg, enum store_event event, const char *server,
               const char *detail)
{
    struct worker *worker = arg;
    const struct event_row *row = &event_rows[event];

    if (row->is_counted)
        metrics_add(worker->metrics, row->metric, 1);
    if (row->act != NULL)
        row->act(worker, row->what, server, detail);
}

/* Watchers. */

static void
arm(struct ev_loop *loop, ev_timer *timer, double after_s)
{
    ev_timer_stop(loop, timer);
    ev_timer_set(timer, after_s, 0.0);
    ev_timer_start(loop, timer);
}

static void
pause_accepting(struct worker *worker, double pause_s)
{
    ev_io_stop(worker->loop, &worker->listening);
    arm(worker->loop, &worker->accept_pause, pause_s);
}

/* If descriptors are missing, an idle connection makes room (S1.2). Otherwise
 * without a pause the socket would stay readable, and the loop busy. */
static void
accept_failed(struct worker *worker, int error)
{
    const bool needs_room = error == EMFILE || error == ENFILE;

    metrics_add(worker->metrics, METRIC_ERROR_ACCEPT, 1);
    if (needs_room && conn_close_idle(&worker->shared))
        return;
    if (!worker->accept_failing)
        log_error(worker->log, "cannot accept connections: %s",
                  strerror(error));
    worker->accept_failing = true;
    pause_accepting(worker, ACCEPT_PAUSE_S);
}

static bool
is_transient(int error)
{
    return error == EAGAIN || error == EINTR || error == ECONNABORTED;
}

/* Returns whether a connection has been accepted. */
static bool
accept_one(struct worker *worker)
{
    int fd =
        accept4(worker->listening.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd == -1) {
        if (!is_transient(errno))
            accept_failed(worker, errno);
        return false;
    }
    if (!conn_open(&worker->shared, fd)) {
        accept_failed(worker, ENOMEM);
        return false;
    }
    worker->accept_failing = false;
    return true;
}

/* One per turn, so that connections spread over the workers. */
static void
on_listening(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct worker *worker = watcher->data;

    (void)loop;
    (void)events;
    if (worker->duty == WORKER_RESERVE)
        pause_accepting(worker, STANDBY_PAUSE_S);
    else
        (void)accept_one(worker);
}

/* A connection that still waits after the pause is more than the others can
 * accept: the reserve takes it. */
static void
on_accept_pause(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct worker *worker = timer->data;

    (void)events;
    if (worker->is_draining)
        return;
    if (worker->duty == WORKER_RESERVE && accept_one(worker))
        arm(loop, timer, 0.0);
    else if (!ev_is_active(timer))
        ev_io_start(loop, &worker->listening);
}

/* Only wakes the loop: on_turn() does the work. */
static void
on_due(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)timer;
    (void)events;
}

static void
on_log_due(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct worker *worker = timer->data;

    (void)loop;
    (void)events;
    log_flush(worker->log);
}

static void
on_memory_due(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct worker *worker = timer->data;

    (void)events;
    if (worker->shared.was_large)
        worker->memory_turns = MEMORY_TURNS;
    worker->shared.was_large = false;
    memory_give_back();
    if (--worker->memory_turns > 0)
        arm(loop, timer, MEMORY_PAUSE_S);
}

/* A window ends with the first turn after LOAD_WINDOW_US, so while the worker
 * is idle it may be longer. */
static void
share_load(struct worker *worker, int64_t now_us)
{
    const int64_t passed_us = now_us - worker->load_from_us;
    int64_t used_us;

    if (worker->duty != WORKER_FIRST || passed_us < LOAD_WINDOW_US)
        return;
    used_us = clock_cpu_us() - worker->load_cpu_us;
    worker->load_from_us += passed_us;
    worker->load_cpu_us += used_us;
    if (used_us < passed_us / 100 * LOAD_HIGH_PERCENT || worker->is_draining ||
        conn_count(&worker->shared) < 2)
        return;
    conn_drain(&worker->shared, 1 + conn_count(&worker->shared) / LOAD_SHARE);
    pause_accepting(worker, LOAD_PAUSE_S);
}

static void
log_ended_outages(struct worker *worker, int64_t now_ms)
{
    const int end = metrics_outages_end(worker->metrics);

    for (int i = 0; i < end; i++) {
        const enum outage what = (enum outage)i;
        const char *server = metrics_outage_address(worker->metrics, what);

        if (metrics_outage_is_over(worker->metrics, what, now_ms))
            log_info(worker->log, "%s%s%s: over", metrics_outage_text(what),
                     server != NULL ? ": " : "", server != NULL ? server : "");
    }
}

/* Runs before the loop waits, after all other callbacks: store_turn() sends the
 * commands that they have added. */
static void
on_turn(struct ev_loop *loop, ev_prepare *watcher, int events)
{
    struct worker *worker = watcher->data;
    const int64_t now_us = clock_mono_us();
    int64_t due_ms;

    (void)events;
    metrics_beat(worker->metrics);
    if (metrics_outage_is_ending(worker->metrics))
        log_ended_outages(worker, now_us / US_PER_MS);
    share_load(worker, now_us);
    due_ms = store_turn(worker->shared.store, now_us / US_PER_MS);
    ev_timer_stop(loop, &worker->store_due);
    if (due_ms >= 0) {
        ev_now_update(loop);
        arm(loop, &worker->store_due, (double)due_ms * S_PER_MS);
    }
    metrics_set_parked(worker->metrics, store_pending(worker->shared.store));
    if (worker->sentinels != store_sentinels(worker->shared.store)) {
        worker->sentinels = store_sentinels(worker->shared.store);
        metrics_set_sentinels(worker->metrics, worker->sentinels);
    }
    if (log_pending(worker->log) >= LOG_LINE_MAX)
        log_flush(worker->log);
    if (log_pending(worker->log) > 0 && !ev_is_active(&worker->log_due))
        arm(loop, &worker->log_due, LOG_PAUSE_S);
    if (worker->shared.was_large && !ev_is_active(&worker->memory_due))
        arm(loop, &worker->memory_due, MEMORY_PAUSE_S);
}

/* Sends SIGHUP to the parent, unless it has ended. */
static void
on_reload(void *arg)
{
    const struct worker *worker = arg;

    if (getppid() == worker->parent)
        (void)kill(worker->parent, SIGHUP);
}

static void
on_emptied(void *arg)
{
    struct worker *worker = arg;

    if (worker->is_draining)
        ev_break(worker->loop, EVBREAK_ALL);
}

static void
on_drain_limit(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct worker *worker = timer->data;

    (void)events;
    log_error(worker->log, "worker %d: stops with requests unanswered",
              worker->slot);
    ev_break(loop, EVBREAK_ALL);
}

static void
on_drain_turn(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct worker *worker = timer->data;

    (void)loop;
    (void)events;
    conn_drain(&worker->shared, worker->drain_share);
}

static void
on_term(struct ev_loop *loop, ev_signal *watcher, int events)
{
    struct worker *worker = watcher->data;

    (void)events;
    if (worker->is_draining)
        return;
    worker->is_draining = true;
    worker->drain_share = 1 + conn_count(&worker->shared) / DRAIN_TURNS;
    ev_io_stop(loop, &worker->listening);
    ev_timer_start(loop, &worker->drain_turn);
    arm(loop, &worker->drain_limit, DRAIN_LIMIT_S);
    if (TAILQ_EMPTY(&worker->shared.conns))
        ev_break(loop, EVBREAK_ALL);
}

static void
on_usr1(struct ev_loop *loop, ev_signal *watcher, int events)
{
    struct worker *worker = watcher->data;

    (void)loop;
    (void)events;
    if (!log_reopen(worker->log))
        log_error(worker->log, "cannot open the log file again: %s",
                  strerror(errno));
}

/* Start and end. */

/*
 * The signals of the loop are blocked until it has handlers: since the fork by
 * the parent, and here while libfcgi installs its own handlers.
 */
static void
mask_signals(int how)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGUSR1);
    (void)sigprocmask(how, &set, NULL);
}

/*
 * A worker that wakes up must not interrupt a process that is running: on a
 * busy machine this is nginx or Redis, which then send many requests or replies
 * at a time. It costs nothing if a processor is idle, and failing does no harm.
 * Source: sched(7), SCHED_BATCH.
 */
static void
use_batch_scheduling(void)
{
    const struct sched_param none = {.sched_priority = 0};

    (void)sched_setscheduler(0, SCHED_BATCH, &none);
}

static void
init_watchers(struct worker *worker, int listen_fd)
{
    struct ev_loop *loop = worker->loop;

    ev_io_init(&worker->listening, on_listening, listen_fd, EV_READ);
    ev_timer_init(&worker->accept_pause, on_accept_pause, 0.0, 0.0);
    ev_timer_init(&worker->store_due, on_due, 0.0, 0.0);
    ev_timer_init(&worker->log_due, on_log_due, 0.0, 0.0);
    ev_timer_init(&worker->memory_due, on_memory_due, 0.0, 0.0);
    ev_timer_init(&worker->beat, on_due, BEAT_S, BEAT_S);
    ev_timer_init(&worker->drain_turn, on_drain_turn, 0.0, DRAIN_TURN_S);
    ev_timer_init(&worker->drain_limit, on_drain_limit, 0.0, 0.0);
    ev_prepare_init(&worker->turn, on_turn);
    ev_signal_init(&worker->term, on_term, SIGTERM);
    ev_signal_init(&worker->usr1, on_usr1, SIGUSR1);
    worker->listening.data = worker->accept_pause.data = worker;
    worker->log_due.data = worker->memory_due.data = worker;
    worker->drain_limit.data = worker;
    worker->drain_turn.data = worker->turn.data = worker;
    worker->term.data = worker->usr1.data = worker;
    ev_io_start(loop, &worker->listening);
    ev_timer_start(loop, &worker->beat);
    ev_prepare_start(loop, &worker->turn);
    ev_signal_start(loop, &worker->term);
    ev_signal_start(loop, &worker->usr1);
    mask_signals(SIG_UNBLOCK);
}

/* libev cannot continue: by default it would abort without naming the cause. */
static void
on_loop_failed(const char *what)
{
    const int error = errno;

    log_error(started->log, "worker %d: %s: %s", started->slot, what,
              strerror(error));
    (void)log_close(started->log);
    _exit(EX_OSERR);
}

/*
 * Returns NULL on success, or the name of what could not be made, with errno
 * set; errno is 0 if a library did not report a reason.
 */
static const char *
start(struct worker *worker, const struct config *config)
{
    const struct store_config store_config = {
        .attempts = (int)config->store_attempts,
        .connect_timeout_ms = config->store_connect_timeout_ms,
        .command_timeout_ms = config->store_timeout_ms,
        .deadline_ms = config->store_deadline_ms,
        .answer_bytes_max = (size_t)config->max_answer_bytes,
        .probe_key = bytes_of(INTERESTS_KEY_ANY),
        .event = on_store_event,
        .event_arg = worker,
    };

    worker->api_config = (struct api_config){
        .secrets = config->secrets,
        .model = &config->model.model,
        .accounts = config->accounts,
        .client_ids_max = (size_t)config->max_client_ids,
        .clients_max = (size_t)config->max_clients,
        .body_max_bytes = (size_t)config->max_body_bytes,
    };
    started = worker;
    ev_set_syserr_cb(on_loop_failed);
    mask_signals(SIG_BLOCK);
    if (!fcgi_init())
        return "FastCGI";
    (void)signal(SIGPIPE, SIG_IGN); /* after libfcgi has put its own there */
    worker->loop = ev_loop_new(EVFLAG_AUTO);
    if (worker->loop == NULL)
        return "the event loop";
    worker->shared.loop = worker->loop;
    errno = 0;
    worker->shared.api = api_new(&worker->api_config);
    if (worker->shared.api == NULL)
        return "the digests";
    errno = 0;
    worker->shared.store =
        store_redis_new(worker->loop, &config->redis, &store_config);
    return worker->shared.store != NULL ? NULL : "the store's connection";
}

/* The store is freed first: it answers the parked requests. */
static void
stop(struct worker *worker)
{
    store_free(worker->shared.store);
    conn_close_all(&worker->shared);
    api_free(worker->shared.api);
    if (worker->loop != NULL)
        ev_loop_destroy(worker->loop);
}

int
worker_run(int listen_fd, const struct config *config, struct log *log,
           struct metrics *metrics, int slot, enum worker_duty duty)
{
    struct worker worker = {
        .log = log,
        .metrics = metrics,
        .slot = slot,
        .duty = duty,
        .parent = getppid(),
        .shared = {.config = config,
                   .log = log,
                   .metrics = metrics,
                   .emptied = on_emptied,
                   .reload = on_reload},
    };
    const char *missing;

    use_batch_scheduling();
    TAILQ_INIT(&worker.shared.conns);
    TAILQ_INIT(&worker.shared.gathering);
    worker.shared.arg = &worker;
    missing = start(&worker, config);
    if (missing == NULL) {
        init_watchers(&worker, listen_fd);
        (void)ev_run(worker.loop, 0);
    } else {
        log_error(log, "worker %d: cannot start: %s: %s", slot, missing,
                  errno != 0 ? strerror(errno) : "its library refuses");
    }
    stop(&worker);
    return missing == NULL ? EX_OK : EX_OSERR;
}
