/*
 * One FastCGI connection: receive a request, gather the rest of it if
 * necessary, plan it, park it while keys are read, answer it, and again. The
 * worker never waits for a peer, not even for a hostile one. Implements S1.2,
 * S1.3 and S2.4 of docs/protocol.md between nginx and the service.
 *
 * The way of one request, down and up; wherever it waits (~), other connections
 * are served:
 *
 *   nginx  serve/             fcgi/          scoring/         store/
 *     |
 *     +--> worker: accept
 *     +--> conn ~ recv -----> scan: is it whole?
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
 * libfcgi blocks until it has read what it needs. So it only gets exchanges
 * that have arrived completely: at once, as small ones do, which nginx sends in
 * one write, or gathered. It writes small answers to the socket, which has room
 * for them, and large ones to a memory file.
 *
 * All connections in GATHERING share a budget (S1.3). When it is used up, only
 * the oldest one is read; when its request is complete, its bytes are freed.
 * The bytes of the others stay in their sockets.
 *
 * If a peer sends its next exchange together with the last one, before it has
 * an answer, one is answered and the connection is closed. nginx never does
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
#include <sys/param.h>
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

/* The most to read at once: enough for any request without a large body. */
#define CONN_READ_BYTES (64 * 1024)

/*
 * The budget of all incomplete requests of a worker (S1.3). nginx sends each
 * request at once and at full speed, so reading a few at a time is as fast as
 * reading all of them.
 */
#define CONN_GATHER_BYTES (8 * 1024 * 1024)

/* The most to read of a new request when the budget is used up: S1.3. */
#define CONN_TIGHT_BYTES (16 * 1024)

/* When so much has been freed, the worker gives memory back to the system. */
#define CONN_LARGE_BYTES CONN_READ_BYTES

/* For a request to arrive completely (S1.3). nginx sends a request only when it
 * has all of it. */
#define CONN_GATHER_LIMIT_MS 10000

/* For the peer to take the next part of a large answer; and for all of it, in
 * addition to the time for its size (S4.1). nginx takes it as fast as its
 * caller does. nginx closes a connection to a caller who takes nothing for
 * 10 s; the service must not do so earlier. */
#define CONN_SEND_LIMIT_MS     11000
#define CONN_SEND_BYTES_PER_MS 64

/* For the rest of a request to arrive when the worker drains, within its limit;
 * and when other requests wait for it, within nginx's limit for sending. */
#define CONN_DRAIN_LIMIT_MS 2000
#define CONN_HURRY_LIMIT_MS 2000

/* Between two requests. nginx closes an idle connection after 60 s; the service
 * must not do so earlier: a request that is sent meanwhile must be repeated. */
#define CONN_IDLE_LIMIT_MS 75000

/* Less than any socket buffer, which is empty: nginx has read the last answer
 * before it sends a request. */
#define CONN_SMALL_ANSWER (48 * 1024)

/* What a large answer may need besides its body: libfcgi divides it into
 * records of 8 KiB, each with 8 bytes before and up to 7 after it; and the
 * headers. */
#define CONN_SPOOL_SHARE 256
#define CONN_SPOOL_EXTRA 4096

/*
 * The most that all workers hold of large answers (S4.2): so many times the
 * largest sum of interests, and not less than what a worker keeps of requests,
 * because other answers are large, too.
 */
#define CONN_HELD_ANSWERS   16
#define CONN_HELD_MIN_BYTES CONN_GATHER_BYTES

#define CONN_HELD_BODY                                                         \
    "{\"code\": 503, \"error\": \"too many large answers are still being "     \
    "read\"}"

/* Enough for the text of spool_failed() and any text of strerror(). */
#define CONN_FAULT_SIZE 128

enum conn_state { CONN_IDLE = 0, CONN_GATHERING, CONN_PARKED, CONN_SENDING };

struct conn {
    TAILQ_ENTRY(conn) in_list, in_gathering;
    struct conn_shared *shared;
    struct fcgi *fcgi;
    ev_io readable;
    ev_io writable;
    ev_timer limit; /* fires at due_ms, or earlier and is set again */
    int64_t due_ms; /* when the peer is too slow */
    int fd;
    enum conn_state state;
    bool keep;    /* the peer wants to send another request */
    bool leaving; /* but the connection is to be closed */

    struct fcgi_gather gather; /* in IDLE only its scan is used */
    size_t gathered;           /* as counted in shared->gathered */
    bool is_gathering;         /* it is in shared->gathering */
    int64_t whole_by_ms;       /* when the request must have arrived */

    struct request request;
    struct api_call *call; /* owns what wants and outcome refer to */
    struct api_wants wants;
    struct outcome outcome;
    int64_t arrived_us;

    int spool;   /* memory file of a large answer; or -1 */
    size_t held; /* bytes of it, as counted by metrics_hold() */
    size_t spool_left;
    int64_t spool_due_ms; /* when the peer must have taken all of it */
};

/* Shared by all connections: it is not used after the callback that fills it.
 */
static unsigned char received[CONN_READ_BYTES];

static void
release(int *fd)
{
    if (*fd != -1)
        (void)close(*fd);
    *fd = -1;
}

static void
release_spool(struct conn *conn)
{
    release(&conn->spool);
    metrics_release(conn->shared->metrics, conn->held);
    conn->held = 0;
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
    release_spool(conn);
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

/* A timer is only moved to fire earlier: that it fires too early costs less
 * than moving it for every request. */
static void
set_limit(struct conn *conn, int64_t now_ms, int64_t limit_ms)
{
    int64_t before_ms = conn->due_ms;

    conn->due_ms = now_ms + limit_ms;
    if (!ev_is_active(&conn->limit) || conn->due_ms < before_ms)
        start_timer(conn, limit_ms);
}

/* That the peer closed the connection is no fault: its caller may have closed
 * his. Any other error is one. */
static void
conn_fail(struct conn *conn, int error)
{
    if (error == EPIPE || error == ECONNRESET)
        conn_close(conn);
    else
        conn_fault(conn);
}

/* The exchange is over: waits for the next one, if the peer wants it. */
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

/* The budget of incomplete requests. */

static bool
is_tight(const struct conn_shared *shared)
{
    return shared->gathered >= CONN_GATHER_BYTES;
}

/* Shortens the limit of a connection that others wait for. */
static void
hurry(struct conn *conn)
{
    int64_t now_ms = clock_mono_ms();

    if (conn->due_ms > now_ms + CONN_HURRY_LIMIT_MS)
        set_limit(conn, now_ms, CONN_HURRY_LIMIT_MS);
}

/* The budget is used up: shortens the limit of all that are being read. */
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
 * Whether to read the connection now. If not, its bytes have arrived, so its
 * peer is not the one who is slow: its limit is the long one again.
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

/* Resumes reading: always of the oldest connection, and in the order of age of
 * as many as the budget has room for. */
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

/* Updates the budget: more of the request has arrived. */
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

/* Frees the gathered bytes, and removes the connection from the budget. */
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
    release_spool(conn);
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

/* Counts the answer among those that are held. Metrics always have room: an
 * operator needs them most when there is none for others. */
static bool
conn_hold(struct conn *conn, size_t bytes)
{
    const struct conn_shared *shared = conn->shared;
    const uint64_t most =
        MAX(CONN_HELD_ANSWERS * (uint64_t)shared->config->max_answer_bytes,
            (uint64_t)CONN_HELD_MIN_BYTES);

    if (conn->outcome.is_routine)
        return true;
    if (!metrics_hold(shared->metrics, bytes, most))
        return false;
    conn->held = bytes;
    return true;
}

/* Makes a memory file with so much room. Returns false, with errno set, if that
 * fails. */
static bool
spool_open(struct conn *conn, size_t room)
{
    int status;

    conn->spool = memfd_create("answer", MFD_CLOEXEC);
    if (conn->spool == -1)
        return false;
    do
        status = fallocate(conn->spool, 0, 0, (off_t)room);
    while (status != 0 && errno == EINTR);
    return status == 0;
}

/* There is no memory file for the answer: it becomes a 500. text receives the
 * reason, to which the outcome refers. */
static void
spool_failed(struct conn *conn, int error, char text[CONN_FAULT_SIZE])
{
    release_spool(conn);
    (void)snprintf(text, CONN_FAULT_SIZE,
                   "no memory file for a large answer: %s", strerror(error));
    outcome_break(&conn->outcome,
                  error == ENOMEM ? OUTCOME_FAULT_MEMORY : OUTCOME_FAULT_SYSTEM,
                  bytes_of(text));
}

/*
 * A small answer fits the socket. For a large one this makes a memory file with
 * room for all of it, before the outcome is reported; if it must not or cannot,
 * the outcome becomes an error, which is small.
 */
static void
make_room(struct conn *conn, size_t length, char text[CONN_FAULT_SIZE])
{
    const size_t room = length + length / CONN_SPOOL_SHARE + CONN_SPOOL_EXTRA;

    if (length <= CONN_SMALL_ANSWER)
        return;
    conn->shared->was_large = true;
    if (!conn_hold(conn, room))
        outcome_refuse(&conn->outcome, bytes_of(CONN_HELD_BODY));
    else if (!spool_open(conn, room))
        spool_failed(conn, errno, text);
}

/* A large answer: written to memory now, sent as fast as the peer takes it. */
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

/* Sends the answer, for which make_room() has made room. */
static void
conn_send(struct conn *conn)
{
    const bool is_small = conn->spool == -1;
    bool good;
    int error;

    /* After the last answer the peer could send another request before the
     * connection is closed: let its writes fail instead. */
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

/* Reports the outcome, writes to the cache, and sends the answer. */
static void
conn_end(struct conn *conn)
{
    const struct conn_shared *shared = conn->shared;
    struct outcome *outcome = &conn->outcome;
    char text[CONN_FAULT_SIZE];

    make_room(conn, outcome_length(outcome), text);
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

/* Health, metrics and reloads. */
static void
answer_endpoint(struct conn *conn, const struct endpoint *endpoint)
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

    endpoint_answer(endpoint, &conn->request, &view, &body, &conn->outcome);
    conn_end(conn);
    buf_free(&body);
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
conn_plan(struct conn *conn)
{
    const struct conn_shared *shared = conn->shared;
    const struct endpoint *endpoint = endpoint_find(&conn->request);
    const struct api_wants *wants = &conn->wants;

    if (endpoint != NULL) {
        answer_endpoint(conn, endpoint);
        return;
    }
    conn->request.now = clock_wall_s();
    conn->request.arrived_ns = conn->arrived_us * NS_PER_US;
    conn->call =
        api_plan(shared->api, &conn->request, &conn->wants, &conn->outcome);
    conn->request.body = NULL;
    fcgi_forget_body(conn->fcgi);
    forget_gathered(conn);
    if (wants->count == 0) {
        conn_end(conn);
        return;
    }
    conn->state = CONN_PARKED;
    if (!store_read(shared->store, wants->keys, wants->count, wants->need,
                    clock_mono_ms(),
                    conn->arrived_us / US_PER_MS +
                        shared->config->store_deadline_ms,
                    on_values, conn))
        on_values(conn, STORE_MEMORY, NULL);
}

/* Reading. */

/* Lets libfcgi parse one complete exchange, and plans the request. */
static void
conn_take(struct conn *conn, struct bytes exchange,
          const struct fcgi_stdin *body)
{
    const size_t body_max = (size_t)conn->shared->config->max_body_bytes;

    switch (fcgi_read(conn->fcgi, conn->fd, exchange, body, body_max,
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

/* The request counts as arrived now, so a slow peer does not shorten its
 * deadline. */
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
    const size_t body_max = (size_t)conn->shared->config->max_body_bytes;
    const size_t before = conn->gather.scan.length;
    enum fcgi_scan_verdict verdict;
    ssize_t got;

    if (!may_read(conn))
        return;
    got = recv(conn->fd, received, sizeof(received), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        conn_fail(conn, got < 0 ? errno : ECONNRESET);
        return;
    }
    verdict = fcgi_gather_take(&conn->gather, received, (size_t)got, body_max);
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

/* Limits the time in which the rest of the request must arrive. */
static void
set_whole_by(struct conn *conn, int64_t limit_ms)
{
    int64_t now_ms = clock_mono_ms();

    set_limit(conn, now_ms, limit_ms);
    conn->whole_by_ms = now_ms + limit_ms;
}

/* The first bytes are scanned again, because now they are kept. */
static void
start_gathering(struct conn *conn, size_t got)
{
    const size_t body_max = (size_t)conn->shared->config->max_body_bytes;

    fcgi_gather_start(&conn->gather);
    (void)fcgi_gather_take(&conn->gather, received, got, body_max);
    conn->state = CONN_GATHERING;
    set_whole_by(conn, CONN_GATHER_LIMIT_MS);
    conn->is_gathering = true;
    TAILQ_INSERT_TAIL(&conn->shared->gathering, conn, in_gathering);
    count_gathered(conn);
}

/* Receives the beginning of a request, or all of it. Returns false if nothing
 * has arrived. */
static bool
conn_receive(struct conn *conn)
{
    size_t most = is_tight(conn->shared) ? CONN_TIGHT_BYTES : sizeof(received);
    ssize_t got = recv(conn->fd, received, most, MSG_DONTWAIT);
    const struct fcgi_scan *scan = &conn->gather.scan;
    struct fcgi_stdin body = {.length = 0};

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (got <= 0) {
        conn_close(conn);
        return true;
    }
    conn->arrived_us = clock_mono_us();
    switch (fcgi_scan(&conn->gather.scan, received, (size_t)got)) {
    case FCGI_SCAN_COMPLETE:
        conn->keep = scan->keep && scan->length == (size_t)got;
        body.length = scan->body_length;
        conn_take(conn, (struct bytes){(const char *)received, scan->length},
                  &body);
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
        (void)conn_receive(conn);
        break;
    case CONN_GATHERING:
        gather_more(conn);
        break;
    case CONN_PARKED:
    case CONN_SENDING:
        /* Closed, or another request: handled after the answer. */
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
    else if (conn->state == CONN_PARKED) /* the store's deadline applies */
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
 * Closing at once could drop a request that arrives after recv(). With reading
 * shut down the peer's writes fail, so it sends its request elsewhere, and what
 * has arrived before can still be read and answered.
 */
static void
leave_idle(struct conn *conn)
{
    if (conn_receive(conn))
        return;
    (void)shutdown(conn->fd, SHUT_RD);
    if (!conn_receive(conn))
        conn_close(conn);
}

/* Begins to close a connection. Returns false if that had begun before. */
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

bool
conn_close_idle(struct conn_shared *shared)
{
    struct conn *conn;

    TAILQ_FOREACH (conn, &shared->conns, in_list) {
        if (conn->state == CONN_IDLE && conn_leave(conn))
            return true;
    }
    return false;
}

void
conn_close_all(struct conn_shared *shared)
{
    struct conn *conn;

    while ((conn = TAILQ_FIRST(&shared->conns)) != NULL)
        conn_close(conn);
}
