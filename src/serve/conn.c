/*
 * The life of one FastCGI connection: wait, look, gather, plan, park, answer,
 * and again. Nothing here waits for a peer, not even for a hostile one.
 * Implements S2 of docs/protocol.md, between nginx and the service.
 *
 * The way of one request, down and up; other connections have their turn
 * wherever it waits (~):
 *
 *   nginx  serve/             fcgi/          scoring/         store/
 *     |
 *     +--> worker: accept
 *     +--> conn ~ look -----> scan: is it whole?
 *            | ~ gather <---- no
 *            |        yes --> read: parameters and body
 *            | <-- struct request
 *            +--------------------------> api_plan: envelope, token,
 *            |                              method, arguments, keys
 *            | <-- struct outcome, or the keys that are wanted
 *            +------------------------------------------> store_read
 *            ~ parked: at the end of the turn store_turn sends the
 *            ~ commands of all connections in one write
 *            | <-- values, or a status at the deadline
 *            +--------------------------> api_answer
 *            | <-- struct outcome
 *            +--> report: log and counters (telemetry/)
 *            +------------------------------------------> store_write
 *            +---------------> answer: the bytes
 *     <------+ ~ send what the socket does not take at once
 *
 * The states of a connection:
 *
 *     IDLE ---- a whole exchange has arrived ---------> plan
 *       |                                                | |
 *       +-- part of one --> GATHERING -- whole ----------+ |
 *                                                          v
 *     IDLE <-- small answer -- answer <-- PARKED <-- keys wanted
 *       ^                        |
 *       +------ SENDING <-- large answer
 *
 * libfcgi reads until it has what it wants. So it only gets exchanges of which
 * all bytes are there: at once, as with small ones, which nginx sends in one
 * write, or else gathered. Likewise it writes small answers to the socket,
 * which has room for them, and large ones to a memory file.
 *
 * What all of GATHERING keep has a budget. Beyond it only the oldest is read,
 * which then frees what it kept; the others' bytes stay where they are.
 *
 * A peer that sends its next exchange before it has the answer to the last one
 * is answered once and let go, if the two arrived together. nginx never does
 * this.
 */
#include <assert.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/outcome.h"
#include "base/request.h"
#include "base/units.h"
#include "config/config.h"
#include "fcgi/fcgi.h"
#include "fcgi/gather.h"
#include "fcgi/scan.h"
#include "scoring/api.h"
#include "serve/conn.h"
#include "serve/endpoint.h"
#include "serve/report.h"
#include "store/store.h"
#include "telemetry/metrics.h"

/* At once, per turn and connection: large enough for all but large bodies. */
#define CONN_READ_BYTES (64 * 1024)

/*
 * Of all requests that are not whole, in one worker. nginx sends each at once
 * and at full speed, so a few at a time make as much speed as all of them.
 */
#define CONN_GATHER_BYTES (8 * 1024 * 1024)

/* At once, when that is used up: enough for all but large requests. */
#define CONN_TIGHT_BYTES (16 * 1024)

/* More than that is worth giving back to the system. */
#define CONN_LARGE_BYTES CONN_READ_BYTES

/* For a whole request to arrive. nginx sends a request only when it has all of
 * it, so seconds mean that it is in trouble. */
#define CONN_GATHER_LIMIT_MS 10000

/* For the next part of a large answer to be taken, and for all of it besides
 * the time that its size takes: nginx reads it no faster than the caller does.
 * It lets go of a caller who takes nothing for 10 s, and is to be the first. */
#define CONN_SEND_LIMIT_MS     11000
#define CONN_SEND_BYTES_PER_MS 64

/* For the rest of a request when the worker is to end: within its own limit;
 * and when others cannot be read before it: within nginx's, for sending. */
#define CONN_DRAIN_LIMIT_MS 2000
#define CONN_HURRY_LIMIT_MS 2000

/* Between two requests. nginx lets go of a connection after 60 s, and is to
 * be the first: a request that crosses our closing costs it another try. */
#define CONN_IDLE_LIMIT_MS 75000

/* Less than any socket buffer: nginx reads the last answer before it asks. */
#define CONN_SMALL_ANSWER (48 * 1024)

/* What a large one may need besides its body: libfcgi cuts it into records of
 * 8 KiB, with 8 bytes in front and 7 behind; and has headers. */
#define CONN_SPOOL_SHARE 256
#define CONN_SPOOL_EXTRA 4096

/* More than the longest reason of errno, and what it is the reason of. */
#define CONN_FAULT_SIZE 128

enum conn_state { CONN_IDLE = 0, CONN_GATHERING, CONN_PARKED, CONN_SENDING };

struct conn {
    TAILQ_ENTRY(conn) in_list, in_gathering;
    struct conn_shared *shared;
    struct fcgi *fcgi;
    ev_io readable;
    ev_io writable;
    ev_timer limit; /* fires at due_ms, or sooner and is set again */
    int64_t due_ms; /* when what the peer has to do is overdue */
    int fd;
    enum conn_state state;
    bool keep;    /* the peer will send another request */
    bool leaving; /* but it is not to be served any more */

    struct fcgi_gather gather; /* its scan serves for looking, too */
    size_t gathered;           /* as counted in shared->gathered */
    bool is_gathering;         /* it is in shared->gathering */
    int64_t whole_by_ms;       /* then, while nothing else is due sooner */

    struct request request;
    struct api_call *call; /* lends the wants and the outcome */
    struct api_wants wants;
    struct outcome outcome;
    int64_t arrived_us;

    int spool; /* memory file: a large answer; or -1 */
    size_t spool_left;
    int64_t spool_due_ms; /* all of it is to be taken by then */
};

static unsigned char look[CONN_READ_BYTES]; /* one thread, one look at a time */

static void
release(int *fd)
{
    if (*fd != -1)
        (void)close(*fd);
    *fd = -1;
}

static void forget_gathered(struct conn *conn);

static void
conn_close(struct conn *conn)
{
    struct conn_shared *shared = conn->shared;

    forget_gathered(conn);
    ev_io_stop(shared->loop, &conn->readable);
    ev_io_stop(shared->loop, &conn->writable);
    ev_timer_stop(shared->loop, &conn->limit);
    TAILQ_REMOVE(&shared->conns, conn, in_list);
    api_call_free(conn->call);
    fcgi_free(conn->fcgi);
    release(&conn->spool);
    release(&conn->fd);
    free(conn);
    if (TAILQ_EMPTY(&shared->conns))
        shared->emptied(shared->arg);
}

static void
conn_fault(struct conn *conn)
{
    metrics_add(conn->shared->metrics, METRIC_ERROR_FCGI, 1);
    conn_close(conn);
}

static void
start_timer(struct conn *conn, int64_t after_ms)
{
    struct ev_loop *loop = conn->shared->loop;

    ev_timer_stop(loop, &conn->limit);
    ev_timer_set(&conn->limit, (double)after_ms * S_PER_MS, 0.0);
    ev_timer_start(loop, &conn->limit);
}

/*
 * A timer that fires too early costs less than one that is moved for every
 * request.
 */
static void
set_limit(struct conn *conn, int64_t now_ms, int64_t limit_ms)
{
    int64_t before_ms = conn->due_ms;

    conn->due_ms = now_ms + limit_ms;
    if (!ev_is_active(&conn->limit) || conn->due_ms < before_ms)
        start_timer(conn, limit_ms);
}

/*
 * A peer that is gone has changed its mind, as its own caller may have; an
 * error that is none of a peer's is a fault.
 */
static void
conn_fail(struct conn *conn, int error)
{
    if (error == EPIPE || error == ECONNRESET)
        conn_close(conn);
    else
        conn_fault(conn);
}

/* The exchange is over: wait for the next one, if the peer wants that. */
static void
conn_rest(struct conn *conn)
{
    struct conn_shared *shared = conn->shared;

    if (!conn->keep || conn->leaving) {
        conn_close(conn);
        return;
    }
    conn->state = CONN_IDLE;
    forget_gathered(conn);
    conn->gather.scan = (struct fcgi_scan){0};
    set_limit(conn, conn->arrived_us / US_PER_MS, CONN_IDLE_LIMIT_MS);
    if (!ev_is_active(&conn->readable))
        ev_io_start(shared->loop, &conn->readable);
}

/* The budget of what is gathered. */

static bool
is_tight(const struct conn_shared *shared)
{
    return shared->gathered >= CONN_GATHER_BYTES;
}

/* Others wait for it. */
static void
hurry(struct conn *conn)
{
    int64_t now_ms = clock_mono_ms();

    if (conn->due_ms > now_ms + CONN_HURRY_LIMIT_MS)
        set_limit(conn, now_ms, CONN_HURRY_LIMIT_MS);
}

/* The budget is used up: for all whose bytes do not come, others wait. */
static void
hurry_all(struct conn_shared *shared)
{
    struct conn *conn;

    TAILQ_FOREACH (conn, &shared->gathering, in_gathering) {
        if (ev_is_active(&conn->readable))
            hurry(conn);
    }
}

/*
 * Whether it is to be read now. Otherwise its bytes have come, and it is no
 * longer its peer that is waited for.
 */
static bool
may_read(struct conn *conn)
{
    struct conn_shared *shared = conn->shared;

    if (!is_tight(shared) || conn == TAILQ_FIRST(&shared->gathering))
        return true;
    ev_io_stop(shared->loop, &conn->readable);
    conn->due_ms = conn->whole_by_ms;
    return false;
}

/*
 * Lets be read what there is room for, in the order of age, and the oldest in
 * any case.
 */
static void
read_on(struct conn_shared *shared)
{
    size_t taken = shared->gathered;
    struct conn *conn;

    TAILQ_FOREACH (conn, &shared->gathering, in_gathering) {
        if (!ev_is_active(&conn->readable))
            ev_io_start(shared->loop, &conn->readable);
        taken += CONN_READ_BYTES;
        if (taken >= CONN_GATHER_BYTES)
            break;
    }
    if (is_tight(shared) && !TAILQ_EMPTY(&shared->gathering))
        hurry(TAILQ_FIRST(&shared->gathering));
}

/* What has been kept of a request has grown. */
static void
count_gathered(struct conn *conn)
{
    struct conn_shared *shared = conn->shared;
    size_t bytes = fcgi_gather_bytes(&conn->gather);
    bool was_tight = is_tight(shared);

    shared->gathered += bytes - conn->gathered;
    conn->gathered = bytes;
    if (!was_tight && is_tight(shared))
        hurry_all(shared);
}

/* What has been kept is not needed any more. */
static void
forget_gathered(struct conn *conn)
{
    struct conn_shared *shared = conn->shared;

    if (!conn->is_gathering)
        return;
    if (conn->gathered > CONN_LARGE_BYTES)
        shared->was_large = true;
    fcgi_gather_clear(&conn->gather);
    shared->gathered -= conn->gathered;
    conn->gathered = 0;
    conn->is_gathering = false;
    TAILQ_REMOVE(&shared->gathering, conn, in_gathering);
    read_on(shared);
}

/* Answering. */

static void
limit_sending(struct conn *conn)
{
    int64_t now_ms = clock_mono_ms();
    int64_t left_ms = conn->spool_due_ms - now_ms;

    set_limit(conn, now_ms,
              left_ms < CONN_SEND_LIMIT_MS ? left_ms : CONN_SEND_LIMIT_MS);
}

static void
send_some(struct conn *conn)
{
    ssize_t sent = sendfile(conn->fd, conn->spool, NULL, conn->spool_left);

    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (sent <= 0) {
        conn_fail(conn, sent < 0 ? errno : 0);
        return;
    }
    conn->spool_left -= (size_t)sent;
    if (conn->spool_left > 0) {
        limit_sending(conn);
        return;
    }
    release(&conn->spool);
    ev_io_stop(conn->shared->loop, &conn->writable);
    conn_rest(conn);
}

static void
on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    send_some(watcher->data);
}

/*
 * A small answer needs no more than the socket. For a large one a memory file
 * is made that has room for all of it: that is known before anybody is told how
 * the request ended. False with errno set.
 */
static bool
answer_fits(struct conn *conn, size_t length)
{
    off_t room = (off_t)(length + length / CONN_SPOOL_SHARE + CONN_SPOOL_EXTRA);
    int status;

    if (length <= CONN_SMALL_ANSWER)
        return true;
    conn->shared->was_large = true;
    conn->spool = memfd_create("answer", MFD_CLOEXEC);
    if (conn->spool == -1)
        return false;
    do
        status = fallocate(conn->spool, 0, 0, room);
    while (status != 0 && errno == EINTR);
    return status == 0;
}

/* A large answer: written to memory now, sent as the peer takes it. */
static bool
answer_spooled(struct conn *conn)
{
    off_t size;

    if (!fcgi_answer(conn->fcgi, conn->spool, &conn->outcome))
        return false;
    size = lseek(conn->spool, 0, SEEK_CUR);
    if (size <= 0 || lseek(conn->spool, 0, SEEK_SET) != 0)
        return false;
    conn->spool_left = (size_t)size;
    conn->state = CONN_SENDING;
    conn->spool_due_ms =
        clock_mono_ms() + CONN_SEND_LIMIT_MS + size / CONN_SEND_BYTES_PER_MS;
    limit_sending(conn);
    ev_io_start(conn->shared->loop, &conn->writable);
    return true;
}

/* Of a length that answer_fits() has taken. */
static void
conn_send(struct conn *conn)
{
    const bool is_small = conn->spool == -1;
    bool good;
    int error;

    /* With the last answer in hand the peer might ask again, before we close:
     * its writes are to fail instead. */
    if (conn->leaving)
        (void)shutdown(conn->fd, SHUT_RD);
    good = is_small ? fcgi_answer(conn->fcgi, conn->fd, &conn->outcome)
                    : answer_spooled(conn);
    error = errno;
    api_call_free(conn->call);
    conn->call = NULL;
    if (!good)
        conn_fail(conn, error);
    else if (is_small)
        conn_rest(conn);
}

/* There is no room for the answer. text receives the reason. */
static void
conn_unfit(struct conn *conn, int error, char text[CONN_FAULT_SIZE])
{
    release(&conn->spool);
    (void)snprintf(text, CONN_FAULT_SIZE,
                   "no memory file for a large answer: %s", strerror(error));
    outcome_break(&conn->outcome,
                  error == ENOMEM ? OUTCOME_FAULT_MEMORY : OUTCOME_FAULT_SYSTEM,
                  bytes_of(text));
}

/* The outcome is known: it is reported, written to the cache, and sent. */
static void
conn_end(struct conn *conn)
{
    const struct conn_shared *shared = conn->shared;
    struct outcome *outcome = &conn->outcome;
    char text[CONN_FAULT_SIZE];

    if (!answer_fits(conn, outcome_length(outcome)))
        conn_unfit(conn, errno, text);
    if (!outcome->is_routine || outcome->fault != OUTCOME_FAULT_NONE)
        report_outcome(shared->log, shared->metrics, &conn->request, outcome,
                       clock_mono_us() - conn->arrived_us);
    if (outcome->write_key.length > 0)
        store_write(shared->store, outcome->write_key, outcome->write_value,
                    shared->config->cache_ttl_s);
    if (outcome->wants_reload)
        shared->reload(shared->arg);
    conn_send(conn);
}

/* Health, metrics and reloads. Returns false if the API has to answer. */
static bool
answer_endpoint(struct conn *conn)
{
    const struct conn_shared *shared = conn->shared;
    const struct endpoint_view view = {
        .metrics = shared->metrics,
        .store_is_up = store_is_up(shared->store),
        .model = shared->config->model.model.name,
        .role = store_role(shared->store),
        .accounts = shared->config->accounts,
    };
    struct buf body = {0};

    if (!endpoint_answer(&conn->request, &view, &body, &conn->outcome))
        return false;
    conn_end(conn);
    buf_free(&body);
    return true;
}

/* Planning. */

static void
on_values(void *arg, enum store_status status, const struct store_value *values)
{
    struct conn *conn = arg;

    assert(conn->state == CONN_PARKED);
    report_read(conn->shared->metrics, conn->wants.need, status);
    api_answer(conn->call, status, values, &conn->outcome);
    conn_end(conn);
}

static void
conn_park(struct conn *conn)
{
    struct conn_shared *shared = conn->shared;
    const struct api_wants *wants = &conn->wants;
    int64_t arrived_ms = conn->arrived_us / US_PER_MS;

    conn->state = CONN_PARKED;
    if (!store_read(shared->store, wants->keys, wants->count, wants->need,
                    clock_mono_ms(),
                    arrived_ms + shared->config->store_deadline_ms, on_values,
                    conn))
        on_values(conn, STORE_MEMORY, NULL);
}

static void
conn_plan(struct conn *conn)
{
    if (answer_endpoint(conn))
        return;
    conn->request.now = clock_wall_s();
    conn->request.arrived_ns = conn->arrived_us * NS_PER_US;
    conn->call = api_plan(conn->shared->api, &conn->request, &conn->wants,
                          &conn->outcome);
    conn->request.body = NULL;
    fcgi_forget_body(conn->fcgi);
    forget_gathered(conn);
    if (conn->wants.count > 0)
        conn_park(conn);
    else
        conn_end(conn);
}

/* Reading. */

static size_t
body_max(const struct conn *conn)
{
    return (size_t)conn->shared->config->max_body_bytes;
}

/* Lets libfcgi take one exchange apart, and plans it. */
static void
conn_take(struct conn *conn, struct bytes exchange,
          const struct fcgi_stdin *body)
{
    switch (fcgi_read(conn->fcgi, conn->fd, exchange, body, body_max(conn),
                      &conn->request)) {
    case FCGI_OK:
        conn_plan(conn);
        return;
    case FCGI_CLOSED:
        conn->fd = -1;
        break;
    case FCGI_FAULT:
        break;
    }
    conn_fault(conn);
}

/* The request counts as arrived now: its peer's slowness is not its own. */
static void
conn_take_gathered(struct conn *conn, bool is_last)
{
    struct fcgi_gather *gather = &conn->gather;
    struct fcgi_stdin body = {.length = gather->scan.body_length,
                              .is_apart = true};

    conn->arrived_us = clock_mono_us();
    conn->keep = gather->scan.keep && !is_last;
    if (!fcgi_gather_end(gather)) {
        conn_fault(conn);
        return;
    }
    body.bytes = gather->body.data;
    conn_take(conn, buf_bytes(&gather->head), &body);
}

static void
gather_more(struct conn *conn)
{
    size_t before = conn->gather.scan.length;
    enum fcgi_scan_verdict verdict;
    ssize_t got;

    if (!may_read(conn))
        return;
    got = recv(conn->fd, look, sizeof(look), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        conn_fail(conn, got < 0 ? errno : ECONNRESET);
        return;
    }
    verdict =
        fcgi_gather_take(&conn->gather, look, (size_t)got, body_max(conn));
    switch (verdict) {
    case FCGI_SCAN_MORE:
        count_gathered(conn);
        break;
    case FCGI_SCAN_COMPLETE:
        conn_take_gathered(conn,
                           conn->gather.scan.length - before < (size_t)got);
        break;
    case FCGI_SCAN_ABORTED:
        conn_close(conn);
        break;
    case FCGI_SCAN_BAD:
        conn_fault(conn);
        break;
    }
}

/* How long the rest of a request may take. */
static void
set_whole_by(struct conn *conn, int64_t limit_ms)
{
    int64_t now_ms = clock_mono_ms();

    set_limit(conn, now_ms, limit_ms);
    conn->whole_by_ms = now_ms + limit_ms;
}

/* The first bytes are scanned anew, now that they are to be kept. */
static void
start_gathering(struct conn *conn, size_t got)
{
    fcgi_gather_start(&conn->gather);
    (void)fcgi_gather_take(&conn->gather, look, got, body_max(conn));
    conn->state = CONN_GATHERING;
    set_whole_by(conn, CONN_GATHER_LIMIT_MS);
    conn->is_gathering = true;
    TAILQ_INSERT_TAIL(&conn->shared->gathering, conn, in_gathering);
    count_gathered(conn);
}

static void
conn_take_whole(struct conn *conn, size_t got)
{
    const struct fcgi_scan *scan = &conn->gather.scan;
    const struct fcgi_stdin body = {.length = scan->body_length};

    conn->keep = scan->keep && scan->length == got;
    conn_take(conn, (struct bytes){(const char *)look, scan->length}, &body);
}

/* Returns false if nothing has arrived. */
static bool
look_at(struct conn *conn)
{
    size_t most = is_tight(conn->shared) ? CONN_TIGHT_BYTES : sizeof(look);
    ssize_t got = recv(conn->fd, look, most, MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (got <= 0) {
        conn_close(conn);
        return true;
    }
    conn->arrived_us = clock_mono_us();
    switch (fcgi_scan(&conn->gather.scan, look, (size_t)got)) {
    case FCGI_SCAN_COMPLETE:
        conn_take_whole(conn, (size_t)got);
        break;
    case FCGI_SCAN_MORE:
        start_gathering(conn, (size_t)got);
        break;
    case FCGI_SCAN_ABORTED:
        conn_close(conn);
        break;
    case FCGI_SCAN_BAD:
        conn_fault(conn);
        break;
    }
    return true;
}

static void
on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct conn *conn = watcher->data;

    (void)events;
    switch (conn->state) {
    case CONN_IDLE:
        (void)look_at(conn);
        break;
    case CONN_GATHERING:
        gather_more(conn);
        break;
    case CONN_PARKED:
    case CONN_SENDING:
        /* Closed, or impatient: looked at when the answer is out. */
        ev_io_stop(loop, watcher);
        break;
    }
}

static void
on_limit(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct conn *conn = watcher->data;
    int64_t left_ms = conn->due_ms - clock_mono_ms();

    (void)loop;
    (void)events;
    if (left_ms > 0)
        start_timer(conn, left_ms);
    else if (conn->state == CONN_PARKED) /* the store's limits hold */
        set_limit(conn, clock_mono_ms(), CONN_IDLE_LIMIT_MS);
    else if (conn->state == CONN_IDLE)
        conn_close(conn);
    else
        conn_fault(conn);
}

bool
conn_open(struct conn_shared *shared, int fd)
{
    struct conn *conn = calloc(1, sizeof(*conn));

    if (conn == NULL || (conn->fcgi = fcgi_new()) == NULL) {
        free(conn);
        (void)close(fd);
        return false;
    }
    conn->shared = shared;
    conn->fd = fd;
    conn->spool = -1;
    ev_io_init(&conn->readable, on_readable, fd, EV_READ);
    ev_io_init(&conn->writable, on_writable, fd, EV_WRITE);
    ev_timer_init(&conn->limit, on_limit, 0.0, 0.0);
    conn->readable.data = conn;
    conn->writable.data = conn;
    conn->limit.data = conn;
    TAILQ_INSERT_TAIL(&shared->conns, conn, in_list);
    set_limit(conn, clock_mono_ms(), CONN_IDLE_LIMIT_MS);
    ev_io_start(shared->loop, &conn->readable);
    return true;
}

size_t
conn_count(const struct conn_shared *shared)
{
    const struct conn *conn;
    size_t count = 0;

    TAILQ_FOREACH (conn, &shared->conns, in_list)
        count++;
    return count;
}

/*
 * Closing at once would drop a request that arrives after the look. Once
 * reading is shut down the peer's writes fail, so that it knows to ask
 * elsewhere, while what came before can still be read and answered.
 */
static void
leave_idle(struct conn *conn)
{
    if (look_at(conn))
        return;
    (void)shutdown(conn->fd, SHUT_RD);
    if (!look_at(conn))
        conn_close(conn);
}

/* Returns whether it was not leaving before. */
static bool
conn_leave(struct conn *conn)
{
    if (conn->leaving)
        return false;
    conn->leaving = true;
    if (conn->state == CONN_GATHERING)
        set_whole_by(conn, CONN_DRAIN_LIMIT_MS);
    else if (conn->state == CONN_IDLE)
        leave_idle(conn);
    return true;
}

void
conn_drain(struct conn_shared *shared, size_t count)
{
    struct conn *next;

    for (struct conn *conn = TAILQ_FIRST(&shared->conns);
         conn != NULL && count > 0; conn = next) {
        next = TAILQ_NEXT(conn, in_list);
        if (conn_leave(conn))
            count--;
    }
}

void
conn_close_all(struct conn_shared *shared)
{
    struct conn *conn;

    while ((conn = TAILQ_FIRST(&shared->conns)) != NULL)
        conn_close(conn);
}
