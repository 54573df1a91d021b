/*
 * A ceiling of `make bench`: the minimal FastCGI service with libfcgi and
 * libev. Like the service it has several processes, each with a loop over the
 * listening socket (descriptor 0) and the kept connections, and lets libfcgi
 * parse one exchange from a descriptor. But it checks nothing, blocks for slow
 * peers, logs nothing, and always gives the same answer. For measurements only.
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
#define BODY_CHUNK       4096 /* bytes that are read at a time */
#define SHORTEST_REQUEST 3    /* a shorter body: a health request */

#define HEADER(length)                                                         \
    "Status: 200 OK\r\nContent-Type: application/json\r\n"                     \
    "Content-Length: " #length "\r\n\r\n"
#define SCORE  "{\"code\": 200, \"response\": {\"score\": 5.0}}"
#define HEALTH "{\"status\": \"ok\"}"

_Static_assert(sizeof(SCORE) == 41 + 1, "as long as Content-Length says");
_Static_assert(sizeof(HEALTH) == 16 + 1, "as long as Content-Length says");

/* A score; and the answer for which deploy/run.sh waits. */
static const char answer[] = HEADER(41) SCORE;
static const char answer_to_start[] = HEADER(16) HEALTH;

static FCGX_Request request; /* the current exchange */

static void
conn_close(struct ev_loop *loop, ev_io *readable, int fd)
{
    ev_io_stop(loop, readable);
    if (fd != -1)
        (void)close(fd);
    free(readable);
}

/* Reads and drops the whole body. Returns its length. */
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
    request.keepConnection = 1; /* otherwise libfcgi closes it at once */
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

    /* Or libfcgi waits up to 2 s for nginx when it closes a connection. */
    if (setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "0", 1) != 0)
        return;
    if (loop == NULL || FCGX_Init() != 0)
        return;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGTERM, SIG_DFL); /* libfcgi's handler does not exit */
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
    /* SIGTERM ends this process, and then the kernel ends the workers. */
    (void)wait(NULL);
    return EXIT_FAILURE;
}
