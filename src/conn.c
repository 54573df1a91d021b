/*
 * The life of one FastCGI connection: wait, look, gather, plan, park, answer,
 * and again. Nothing here waits for a peer, not even for a hostile one.
 * Implements "Transport" of docs/protocol.md, between nginx and the service.
 *
 *     IDLE ---- a whole exchange is in the socket ----> plan
 *       |                                                | |
 *       +-- part of one --> GATHERING -- whole ----------+ |
 *                                                          v
 *     IDLE <-- small answer -- answer <-- PARKED <-- keys wanted
 *       ^                        |
 *       +------ SENDING <-- large answer
 *
 * libfcgi reads a descriptor until it has what it wants. So it only gets one
 * on which all bytes are there: the socket itself, after a look with MSG_PEEK
 * (which small requests always pass: nginx sends them in one write), or else a
 * memory file with what was gathered. Likewise it writes small answers to the
 * socket, which has room for them, and large ones to a memory file.
 */
#include <assert.h>
#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "api.h"
#include "buf.h"
#include "config.h"
#include "conn.h"
#include "fcgi.h"
#include "fcgi_scan.h"
#include "log.h"
#include "metrics.h"
#include "store.h"

/* At once, per turn and connection: large enough for all but large bodies. */
#define CONN_READ_BYTES (64 * 1024)

/* For a whole request to arrive, or a whole answer to be taken. nginx sends a
 * request only when it has all of it, so seconds mean that it is in trouble. */
#define CONN_GATHER_LIMIT_S 10.0
#define CONN_SEND_LIMIT_S   10.0

/* Less than any socket buffer: nginx reads the last answer before it asks. */
#define CONN_SMALL_ANSWER (48 * 1024)

/* Records around a body: 8 bytes and some padding per 8 to 64 KiB. */
#define CONN_RECORD_SHARE 64

#define MS_PER_S  1000
#define US_PER_MS 1000
#define NS_PER_US 1000

enum conn_state { CONN_IDLE = 0, CONN_GATHERING, CONN_PARKED, CONN_SENDING };

struct conn {
    TAILQ_ENTRY(conn) in_list;
    struct conn_shared *shared;
    struct fcgi *fcgi;
    ev_io readable;
    ev_io writable;
    ev_timer limit; /* of gathering or sending */
    int fd;
    enum conn_state state;
    bool keep; /* the peer will send another request */

    struct fcgi_scan scan;
    struct buf gathered;
    bool overflowed; /* gathered only up to the limit */

    struct fcgi_request request;
    struct api_call *call;
    int64_t arrived_us;

    int spool; /* memory file with a large answer, or -1 */
    size_t spool_left;
};

static unsigned char look[CONN_READ_BYTES]; /* one thread, one look at a time */

int64_t
conn_now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * MS_PER_S * US_PER_MS + now.tv_nsec / NS_PER_US;
}

int64_t
conn_now_ms(void)
{
    return conn_now_us() / US_PER_MS;
}

static void
conn_close(struct conn *conn)
{
    struct conn_shared *shared = conn->shared;

    ev_io_stop(shared->loop, &conn->readable);
    ev_io_stop(shared->loop, &conn->writable);
    ev_timer_stop(shared->loop, &conn->limit);
    TAILQ_REMOVE(&shared->conns, conn, in_list);
    api_call_free(conn->call);
    fcgi_free(conn->fcgi);
    buf_free(&conn->gathered);
    if (conn->spool != -1)
        (void)close(conn->spool);
    if (conn->fd != -1)
        (void)close(conn->fd);
    free(conn);
    if (TAILQ_EMPTY(&shared->conns))
        shared->emptied(shared->arg);
}

static void
conn_fault(struct conn *conn)
{
    metrics_add(conn->shared->metrics, METRIC_FCGI_FAULTS, 1);
    conn_close(conn);
}

static void
set_limit(struct conn *conn, double limit_s)
{
    ev_now_update(conn->shared->loop);
    ev_timer_set(&conn->limit, limit_s, 0.0);
    ev_timer_start(conn->shared->loop, &conn->limit);
}

/* The exchange is over: wait for the next one, if the peer wants that. */
static void
conn_rest(struct conn *conn)
{
    struct conn_shared *shared = conn->shared;

    if (!conn->keep || shared->draining) {
        conn_close(conn);
        return;
    }
    ev_timer_stop(shared->loop, &conn->limit);
    conn->state = CONN_IDLE;
    conn->scan = (struct fcgi_scan){0};
    conn->overflowed = false;
    buf_free(&conn->gathered);
    if (!ev_is_active(&conn->readable))
        ev_io_start(shared->loop, &conn->readable);
}

/* Answering. */

static void
log_answer(const struct conn *conn, int code)
{
    struct conn_shared *shared = conn->shared;
    const struct api_call *call = conn->call;
    struct bytes fault = {NULL, 0};
    struct log_request line = {
        .id = conn->request.id,
        .path = conn->request.path,
        .code = code,
        .duration_us = conn_now_us() - conn->arrived_us,
    };

    if (call != NULL) {
        line.method = api_call_method(call);
        line.context = api_call_context(call);
        fault = api_call_fault(call);
    }
    if (fault.length > 0)
        log_error(shared->log, "request id=%.*s: %.*s",
                  (int)conn->request.id.length, conn->request.id.at,
                  (int)fault.length, fault.at);
    log_request(shared->log, &line);
    metrics_add(shared->metrics, METRIC_REQUESTS, 1);
}

static void
send_some(struct conn *conn)
{
    ssize_t sent = sendfile(conn->fd, conn->spool, NULL, conn->spool_left);

    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (sent <= 0) {
        conn_fault(conn);
        return;
    }
    conn->spool_left -= (size_t)sent;
    if (conn->spool_left > 0)
        return;
    (void)close(conn->spool);
    conn->spool = -1;
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

/* A large answer: written to memory now, sent as the peer takes it. */
static bool
answer_spooled(struct conn *conn, const struct fcgi_answer *answer)
{
    off_t size;

    conn->spool = memfd_create("answer", MFD_CLOEXEC);
    if (conn->spool == -1)
        return false;
    if (fcgi_answer(conn->fcgi, conn->spool, answer) != FCGI_OK)
        return false;
    size = lseek(conn->spool, 0, SEEK_CUR);
    if (size <= 0 || lseek(conn->spool, 0, SEEK_SET) != 0)
        return false;
    conn->spool_left = (size_t)size;
    conn->state = CONN_SENDING;
    set_limit(conn, CONN_SEND_LIMIT_S);
    ev_io_start(conn->shared->loop, &conn->writable);
    return true;
}

static void
write_back(struct conn *conn)
{
    const struct conn_shared *shared = conn->shared;
    struct api_write write = {.key = {NULL, 0}};

    if (conn->call != NULL)
        write = api_call_write(conn->call);
    if (write.key.length > 0)
        store_write(shared->store, write.key, write.value,
                    shared->config->cache_ttl_s, conn_now_ms());
}

static void
conn_answer(struct conn *conn)
{
    struct api_answer answer =
        conn->call != NULL ? api_call_answer(conn->call) : api_answer_memory();
    const struct fcgi_answer out = {answer.code, answer.reason, answer.header,
                                    answer.body};
    enum fcgi_result result = FCGI_OK;
    bool is_small = answer.body.length <= CONN_SMALL_ANSWER;

    log_answer(conn, answer.code);
    write_back(conn);
    if (is_small)
        result = fcgi_answer(conn->fcgi, conn->fd, &out);
    else if (!answer_spooled(conn, &out))
        result = FCGI_FAULT;
    api_call_free(conn->call);
    conn->call = NULL;
    if (result == FCGI_CLOSED)
        conn->fd = -1;
    if (result != FCGI_OK)
        conn_fault(conn);
    else if (is_small)
        conn_rest(conn);
}

/* Planning. */

static void
on_values(void *arg, enum store_status status, const struct store_value *values)
{
    struct conn *conn = arg;

    assert(conn->state == CONN_PARKED);
    if (status != STORE_OK)
        metrics_add(conn->shared->metrics, METRIC_STORE_READ_FAILURES, 1);
    api_answer(conn->call, status, values);
    conn_answer(conn);
}

static void
conn_park(struct conn *conn, const struct api_wants *wants)
{
    struct conn_shared *shared = conn->shared;
    int64_t arrived_ms = conn->arrived_us / US_PER_MS;

    conn->state = CONN_PARKED;
    if (store_read(shared->store, wants->keys, wants->count, wants->need,
                   conn_now_ms(),
                   arrived_ms + shared->config->store_deadline_ms, on_values,
                   conn))
        return;
    api_answer(conn->call, STORE_MEMORY, NULL);
    conn_answer(conn);
}

static const enum api_body body_states[] = {
    [FCGI_BODY_WHOLE] = API_BODY_WHOLE,
    [FCGI_BODY_NONE] = API_BODY_EMPTY_LENGTH,
    [FCGI_BODY_OTHER] = API_BODY_SHORT,
    [FCGI_BODY_TOO_LARGE] = API_BODY_TOO_LARGE,
};

static void
conn_plan(struct conn *conn)
{
    const struct fcgi_request *request = &conn->request;
    const struct api_input input = {
        .verb = request->verb,
        .path = request->path,
        .body_state = conn->overflowed ? API_BODY_TOO_LARGE
                                       : body_states[request->body_state],
        .body = request->body,
        .body_length = request->body_length,
        .now = time(NULL),
    };
    struct api_wants wants = {.count = 0};

    conn->call = api_plan(conn->shared->api, &input);
    if (conn->call != NULL)
        wants = api_call_wants(conn->call);
    if (wants.count > 0)
        conn_park(conn, &wants);
    else
        conn_answer(conn);
}

/* Reading. */

/* Lets libfcgi read one exchange, all of which is in fd, and plans it. */
static void
conn_take(struct conn *conn, int fd, size_t body_length, bool is_last)
{
    enum fcgi_result result;

    conn->keep = conn->scan.keep && !is_last;
    result =
        fcgi_read(conn->fcgi, fd, body_length,
                  (size_t)conn->shared->config->max_body_bytes, &conn->request);
    if (result == FCGI_CLOSED && fd == conn->fd)
        conn->fd = -1;
    if (result != FCGI_OK)
        conn_fault(conn);
    else
        conn_plan(conn);
}

/*
 * What was gathered, as libfcgi is to see it: all of it, or of a body over the
 * limit nothing but the end.
 */
static bool
write_gathered(const struct conn *conn, int fd)
{
    const struct fcgi_scan *scan = &conn->scan;
    const unsigned char end[FCGI_SCAN_HEADER_LENGTH] = {
        [0] = 1, /* version */
        [1] = 5, /* stdin */
        [2] = (unsigned char)(scan->id >> 8),
        [3] = (unsigned char)(scan->id & 0xff),
    };
    size_t length =
        conn->overflowed ? scan->params_length : conn->gathered.length;

    if (write(fd, conn->gathered.data, length) != (ssize_t)length)
        return false;
    if (conn->overflowed && write(fd, end, sizeof(end)) != sizeof(end))
        return false;
    return lseek(fd, 0, SEEK_SET) == 0;
}

static void
conn_take_gathered(struct conn *conn, bool is_last)
{
    size_t body_length = conn->overflowed ? 0 : (size_t)conn->scan.body_length;
    int fd = memfd_create("request", MFD_CLOEXEC);
    bool good = fd != -1 && write_gathered(conn, fd);

    ev_timer_stop(conn->shared->loop, &conn->limit);
    buf_free(&conn->gathered);
    if (good)
        conn_take(conn, fd, body_length, is_last);
    else
        conn_fault(conn);
    if (fd != -1)
        (void)close(fd);
}

static size_t
gather_max(const struct conn *conn)
{
    size_t body_max = (size_t)conn->shared->config->max_body_bytes;

    return 2 * FCGI_SCAN_PARAMS_MAX + body_max + body_max / CONN_RECORD_SHARE +
           CONN_READ_BYTES;
}

/* The body over the limit is read to its end, and dropped. */
static void
gather(struct conn *conn, const void *bytes, size_t length)
{
    if (!conn->overflowed &&
        conn->gathered.length + length > gather_max(conn)) {
        conn->overflowed = true;
        if (conn->gathered.length > conn->scan.params_length)
            conn->gathered.length = conn->scan.params_length;
    }
    if (!conn->overflowed)
        buf_add(&conn->gathered, bytes, length);
}

static void
gather_more(struct conn *conn)
{
    ssize_t got = recv(conn->fd, look, sizeof(look), MSG_DONTWAIT);
    size_t before = conn->scan.length;
    enum fcgi_scan_verdict verdict;

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        conn_fault(conn);
        return;
    }
    verdict = fcgi_scan(&conn->scan, look, (size_t)got);
    if (verdict == FCGI_SCAN_BAD) {
        conn_fault(conn);
        return;
    }
    gather(conn, look, conn->scan.length - before);
    if (conn->gathered.failed)
        conn_fault(conn);
    else if (verdict == FCGI_SCAN_COMPLETE)
        conn_take_gathered(conn, conn->scan.length - before < (size_t)got);
}

static void
start_gathering(struct conn *conn)
{
    conn->scan = (struct fcgi_scan){0};
    conn->state = CONN_GATHERING;
    set_limit(conn, CONN_GATHER_LIMIT_S);
    gather_more(conn);
}

/* Returns false if nothing has arrived. */
static bool
look_at(struct conn *conn)
{
    ssize_t got = recv(conn->fd, look, sizeof(look), MSG_PEEK | MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (got <= 0) {
        conn_close(conn);
        return true;
    }
    conn->arrived_us = conn_now_us();
    switch (fcgi_scan(&conn->scan, look, (size_t)got)) {
    case FCGI_SCAN_COMPLETE:
        conn_take(conn, conn->fd, (size_t)conn->scan.body_length,
                  conn->scan.length < (size_t)got);
        break;
    case FCGI_SCAN_MORE:
        start_gathering(conn);
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
    (void)loop;
    (void)events;
    conn_fault(watcher->data);
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
    ev_io_start(shared->loop, &conn->readable);
    return true;
}

void
conn_drain_all(struct conn_shared *shared)
{
    struct conn *next;

    assert(shared->draining);
    for (struct conn *conn = TAILQ_FIRST(&shared->conns); conn != NULL;
         conn = next) {
        next = TAILQ_NEXT(conn, in_list);
        if (conn->state == CONN_IDLE && !look_at(conn))
            conn_close(conn);
    }
}

void
conn_close_all(struct conn_shared *shared)
{
    struct conn *conn;

    while ((conn = TAILQ_FIRST(&shared->conns)) != NULL)
        conn_close(conn);
}
