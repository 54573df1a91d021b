/*
 * Load at a constant rate, for `make bench`: each request is due at its time,
 * even if earlier ones have not been answered. A latency is counted from the
 * time when the request was due, not from the time when it could be sent, so
 * that a server that stalls cannot hide it by delaying the load (coordinated
 * omission). wrk, a closed loop, cannot measure this.
 *
 *     rate PORT CONNECTIONS PER_SECOND SECONDS BODIES
 *
 * BODIES is a file with one body per line; they are sent in turn by POST to
 * /method, over kept connections to the loopback. Prints one JSON object, in
 * microseconds. "tenth_spread" is p99 divided by p50 within a tenth of a
 * second, the median of all tenths: a virtual machine that is paused for a
 * moment affects only some of them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define US_PER_S        1000000
#define NS_PER_US       1000
#define HEAD_MAX        4096 /* bytes of an answer's head; more is an error */
#define READ_BYTES      65536
#define GRACE_S         5.0 /* for requests that are unanswered at the end */
#define TICK_US         250
#define TENTHS_PER_S    10
#define REQUESTS_MAX    50000000
#define CONNECTIONS_MAX 8192
#define STATUS_AT       9 /* behind "HTTP/1.1 " */
#define STATUS_OK       "200"

struct request {
    char *text;
    size_t length;
};

struct conn {
    TAILQ_ENTRY(conn) in_list;
    ev_io readable;
    bool is_busy;
    size_t number; /* of the current request */
    char head[HEAD_MAX];
    size_t got;   /* bytes of the answer so far */
    size_t total; /* bytes of the answer; 0: its head is incomplete */
};

TAILQ_HEAD(conns, conn);

static struct plan {
    int port;
    size_t connections, count;
    double per_s;
    struct request *requests;
    size_t request_count;
} plan;

static struct conns idle = TAILQ_HEAD_INITIALIZER(idle);
static ev_io tick;
static int64_t start_us;
static size_t sent, answered, refused;
static uint32_t *latencies_us; /* in the order of sending */

/* The latency of a request that was not answered: the longest. */
static const uint32_t unanswered = UINT32_MAX;

static void __attribute__((noreturn)) fail(const char *what)
{
    (void)fprintf(stderr, "rate: %s\n", what);
    exit(EXIT_FAILURE);
}

static int64_t
now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / NS_PER_US;
}

/* When the n-th request is due. */
static int64_t
due_us_of(size_t n)
{
    return start_us + (int64_t)((double)n * US_PER_S / plan.per_s);
}

/* Sending. */

static void
send_on(struct conn *conn)
{
    const struct request *request = &plan.requests[sent % plan.request_count];

    TAILQ_REMOVE(&idle, conn, in_list);
    conn->number = sent++;
    conn->is_busy = true;
    conn->got = conn->total = 0;
    if (send(conn->readable.fd, request->text, request->length, MSG_NOSIGNAL) !=
        (ssize_t)request->length)
        fail("cannot send");
}

/* Sends the requests that are due, as long as a connection is idle. */
static void
send_due(void)
{
    int64_t at_us = now_us();

    while (sent < plan.count && due_us_of(sent) <= at_us && !TAILQ_EMPTY(&idle))
        send_on(TAILQ_FIRST(&idle));
}

/*
 * Starts a timer for requests that are due while no answers arrive. On a
 * virtual machine, setting a timer for each request would take more time than
 * the rest of its work; libev's timers have milliseconds only, and would send
 * in bursts.
 */
static void
start_tick(void)
{
    const struct timespec every = {.tv_nsec = TICK_US * NS_PER_US};
    const struct itimerspec at = {.it_value = every, .it_interval = every};

    if (timerfd_settime(tick.fd, 0, &at, NULL) != 0)
        fail("no timer");
}

static void
on_tick(struct ev_loop *loop, ev_io *watcher, int events)
{
    uint64_t times;

    (void)loop;
    (void)events;
    if (read(watcher->fd, &times, sizeof(times)) == sizeof(times))
        send_due();
}

/* Answers. */

/* The length of the whole answer; 0 if its head is incomplete. */
static size_t
answer_length(const struct conn *conn)
{
    static const char name[] = "\r\nContent-Length:";
    const char *end = strstr(conn->head, "\r\n\r\n");
    const char *field;

    if (end == NULL)
        return 0;
    field = strcasestr(conn->head, name);
    if (field == NULL || field > end)
        fail("an answer without a Content-Length");
    return (size_t)(end - conn->head) + strlen("\r\n\r\n") +
           strtoul(field + strlen(name), NULL, 10);
}

static void
finish(struct ev_loop *loop, struct conn *conn)
{
    latencies_us[conn->number] = (uint32_t)(now_us() - due_us_of(conn->number));
    answered++;
    if (strncmp(conn->head + STATUS_AT, STATUS_OK, strlen(STATUS_OK)) != 0)
        refused++;
    conn->is_busy = false;
    TAILQ_INSERT_TAIL(&idle, conn, in_list);
    if (answered == plan.count)
        ev_break(loop, EVBREAK_ALL);
    else
        send_due();
}

static void
on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    static char look[READ_BYTES];
    struct conn *conn = watcher->data;
    ssize_t got = recv(watcher->fd, look, sizeof(look), MSG_DONTWAIT);

    (void)events;
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0)
        fail("a connection was closed");
    if (!conn->is_busy)
        fail("an answer to no request");
    if (conn->total == 0) {
        size_t room = sizeof(conn->head) - 1 - conn->got;
        size_t part = (size_t)got < room ? (size_t)got : room;

        memcpy(conn->head + conn->got, look, part);
        conn->head[conn->got + part] = '\0';
        conn->total = answer_length(conn);
        if (conn->total == 0 && part == room)
            fail("an answer with too long a head");
    }
    conn->got += (size_t)got;
    if (conn->total > 0 && conn->got >= conn->total)
        finish(loop, conn);
}

/* Start and end. */

static void
conn_open(struct ev_loop *loop)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)plan.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct conn *conn = calloc(1, sizeof(*conn));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (conn == NULL || fd == -1 ||
        connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0)
        fail("cannot connect");
    ev_io_init(&conn->readable, on_readable, fd, EV_READ);
    conn->readable.data = conn;
    ev_io_start(loop, &conn->readable);
    TAILQ_INSERT_TAIL(&idle, conn, in_list);
}

static void
add_request(const char *body, size_t length)
{
    struct request *request;

    plan.requests = reallocarray(plan.requests, plan.request_count + 1,
                                 sizeof(*plan.requests));
    if (plan.requests == NULL)
        fail("no memory");
    request = &plan.requests[plan.request_count++];
    request->length = (size_t)asprintf(&request->text,
                                       "POST /method HTTP/1.1\r\n"
                                       "Host: localhost\r\n"
                                       "Content-Type: application/json\r\n"
                                       "Content-Length: %zu\r\n\r\n%.*s",
                                       length, (int)length, body);
    if (request->length == (size_t)-1)
        fail("no memory");
}

static void
read_bodies(const char *path)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t size = 0;
    ssize_t length;

    if (file == NULL)
        fail("cannot read the bodies");
    while ((length = getline(&line, &size, file)) > 0) {
        length -= line[length - 1] == '\n';
        if (length > 0)
            add_request(line, (size_t)length);
    }
    free(line);
    (void)fclose(file);
    if (plan.request_count == 0)
        fail("no bodies");
}

static void
read_plan(char **arguments)
{
    double count;

    plan.port = atoi(arguments[0]);
    plan.connections = strtoul(arguments[1], NULL, 10);
    plan.per_s = strtod(arguments[2], NULL);
    count = plan.per_s * strtod(arguments[3], NULL);
    if (plan.connections < 1 || plan.connections > CONNECTIONS_MAX ||
        count < 1 || count > REQUESTS_MAX)
        fail("connections, rate or time make no sense");
    plan.count = (size_t)count;
    read_bodies(arguments[4]);
    latencies_us = calloc(plan.count, sizeof(*latencies_us));
    if (latencies_us == NULL)
        fail("no memory");
    for (size_t i = 0; i < plan.count; i++)
        latencies_us[i] = unanswered;
}

static void
on_late(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)timer;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static int
compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static int
compare_ratios(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The latency that this part of the requests did not exceed. */
static uint32_t
percentile(const uint32_t *ordered, size_t count, double part)
{
    return ordered[(size_t)((double)(count - 1) * part)];
}

/*
 * Sorts the latencies within each tenth of a second, and then all. Returns the
 * median of p99/p50 of the tenths.
 */
static double
order(void)
{
    size_t size = (size_t)(plan.per_s / TENTHS_PER_S) + 1, tenths = 0;
    double *ratios = calloc(plan.count / size + 1, sizeof(*ratios)), middle;

    if (ratios == NULL)
        fail("no memory");
    for (size_t at = 0; at < plan.count; at += size) {
        size_t count = plan.count - at < size ? plan.count - at : size;
        uint32_t *tenth = latencies_us + at;

        qsort(tenth, count, sizeof(*tenth), compare);
        ratios[tenths++] = (double)percentile(tenth, count, 0.99) /
                           (double)percentile(tenth, count, 0.5);
    }
    qsort(ratios, tenths, sizeof(*ratios), compare_ratios);
    middle = ratios[tenths / 2];
    free(ratios);
    qsort(latencies_us, plan.count, sizeof(*latencies_us), compare);
    return middle;
}

static void
report(int64_t took_us)
{
    double tenth_spread = order();

    (void)printf("{\"requests\":%zu,\"us\":%lld,\"refused\":%zu,"
                 "\"errors\":%zu,\"p50\":%u,\"p99\":%u,\"p999\":%u,"
                 "\"max\":%u,\"tenth_spread\":%.3f}\n",
                 answered, (long long)took_us, refused, plan.count - answered,
                 percentile(latencies_us, plan.count, 0.5),
                 percentile(latencies_us, plan.count, 0.99),
                 percentile(latencies_us, plan.count, 0.999),
                 percentile(latencies_us, plan.count, 1.0), tenth_spread);
}

int
main(int argc, char **argv)
{
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    ev_timer late;

    if (argc != 6)
        fail("usage: rate PORT CONNECTIONS PER_SECOND SECONDS BODIES");
    if (loop == NULL)
        fail("no event loop");
    read_plan(argv + 1);
    for (size_t i = 0; i < plan.connections; i++)
        conn_open(loop);
    ev_io_init(&tick, on_tick,
               timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
               EV_READ);
    start_us = now_us();
    ev_timer_init(&late, on_late, (double)plan.count / plan.per_s + GRACE_S,
                  0.0);
    ev_now_update(loop);
    ev_timer_start(loop, &late);
    ev_io_start(loop, &tick);
    start_tick();
    (void)ev_run(loop, 0);
    report(now_us() - start_us);
    return EXIT_SUCCESS;
}
