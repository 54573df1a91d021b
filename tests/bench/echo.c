/*
 * The ceiling of `make bench`: the least that a FastCGI service on libfcgi and
 * libev can do. Prefork, one loop per process over the listening socket
 * (descriptor 0) and the kept connections, libfcgi parsing one exchange from a
 * descriptor that it is given, as src/fcgi/fcgi.c has it; but it believes every
 * byte, waits for slow peers, checks nothing, logs nothing and always says the
 * same. Not for anything but measuring.
 */
#include <ev.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LISTEN_FD        STDIN_FILENO
#define WORKERS_MAX      256
#define WORKERS_PER_CORE 2    /* the service's default */
#define BODY_CHUNK       4096 /* read at a time, and dropped */
#define SHORTEST_REQUEST 3    /* what has less is a look at the health */

#define HEADER(length)                                                         \
    "Status: 200 OK\r\nContent-Type: application/json\r\n"                     \
    "Content-Length: " #length "\r\n\r\n"
#define SCORE  "{\"code\": 200, \"response\": {\"score\": 5.0}}"
#define HEALTH "{\"status\": \"ok\"}"

_Static_assert(sizeof(SCORE) == 41 + 1, "as long as Content-Length says");
_Static_assert(sizeof(HEALTH) == 16 + 1, "as long as Content-Length says");

/* A score; and what deploy/run.sh waits for. */
static const char answer[] = HEADER(41) SCORE;
static const char answer_to_start[] = HEADER(16) HEALTH;

static FCGX_Request request; /* of the exchange at hand: one at a time */

static void
conn_close(struct ev_loop *loop, ev_io *readable, int fd)
{
    ev_io_stop(loop, readable);
    if (fd != -1)
        (void)close(fd);
    free(readable);
}

/* The whole body; returns its length. */
static size_t
drop_body(void)
{
    char chunk[BODY_CHUNK];
    size_t length = 0;
    int got;

    while ((got = FCGX_GetStr(chunk, sizeof(chunk), request.in)) > 0)
        length += (size_t)got;
    return length;
}

static bool
send_answer(size_t body_length)
{
    bool is_start = body_length < SHORTEST_REQUEST;
    bool good = FCGX_PutS(is_start ? answer_to_start : answer, request.out) > 0;

    good = FCGX_FClose(request.err) == 0 && good;
    return FCGX_FClose(request.out) == 0 && good;
}

static void
on_readable(struct ev_loop *loop, ev_io *readable, int events)
{
    bool good;

    (void)events;
    request.ipcFd = readable->fd;
    request.keepConnection = 1; /* else it is closed before it is read */
    request.detached = 1;
    if (FCGX_Accept_r(&request) != 0) {
        conn_close(loop, readable, request.ipcFd);
        return;
    }
    good = send_answer(drop_body());
    FCGX_Free(&request, 0);
    if (!good)
        conn_close(loop, readable, readable->fd);
}

static void
on_listening(struct ev_loop *loop, ev_io *listening, int events)
{
    int fd = accept4(listening->fd, NULL, NULL, SOCK_CLOEXEC);
    ev_io *readable;

    (void)events;
    if (fd == -1)
        return;
    readable = calloc(1, sizeof(*readable));
    if (readable == NULL) {
        (void)close(fd);
        return;
    }
    ev_io_init(readable, on_readable, fd, EV_READ);
    ev_io_start(loop, readable);
}

static void
work(void)
{
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    ev_io listening;

    /* Closing must not wait for nginx: its default is two seconds. */
    if (setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "0", 1) != 0)
        return;
    if (loop == NULL || FCGX_Init() != 0)
        return;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGTERM, SIG_DFL); /* libfcgi's only takes note */
    (void)FCGX_InitRequest(&request, -1, 0);
    ev_io_init(&listening, on_listening, LISTEN_FD, EV_READ);
    ev_io_start(loop, &listening);
    (void)ev_run(loop, 0);
}

static long
worker_count(void)
{
    const char *text = getenv("SCORING_WORKERS");
    long count = text != NULL ? strtol(text, NULL, 10) : 0;

    if (count < 1)
        count = WORKERS_PER_CORE * sysconf(_SC_NPROCESSORS_ONLN);
    return count < WORKERS_MAX ? count : WORKERS_MAX;
}

int
main(void)
{
    long count = worker_count();

    /* Another worker may have been faster: accepting must not wait. */
    if (fcntl(LISTEN_FD, F_SETFL, O_NONBLOCK) != 0)
        return EXIT_FAILURE;
    for (long i = 0; i < count; i++) {
        if (fork() != 0)
            continue;
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        work();
        _exit(EXIT_FAILURE);
    }
    /* TERM ends this process, and with it the workers. */
    (void)wait(NULL);
    return EXIT_FAILURE;
}
