/*
 * `scoring healthcheck`: asks the service on its socket, as nginx would, for
 * an answer that only it can give and that needs no store. Implements
 * "Starting it" of docs/protocol.md.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "cli/command.h"
#include "fcgi/client.h"

/* Where the container image has it; deploy/serve.sh says the same. */
#define HEALTH_SOCKET "/run/scoring/scoring.sock"

/* For all of it: an answer takes less than a millisecond. */
#define HEALTH_LIMIT_MS 2000

/* Many times the answer; whoever sends more is not the service. */
#define HEALTH_ANSWER_MAX (16 * 1024)

/* Nothing is given, so that every required member is named as missing. */
#define HEALTH_BODY "{}"

static const struct fcgi_client_param params[] = {
    {"REQUEST_METHOD", "POST"},
    {"DOCUMENT_URI", "/method"},
    {"CONTENT_LENGTH", "2"},
    {"REQUEST_ID", "healthcheck"},
};

#define PARAM_COUNT (sizeof(params) / sizeof(params[0]))

/* One check on its way. */
struct check {
    int fd;
    int64_t deadline_ms;
    struct buf received;
    struct buf answer; /* headers and body, once it is whole */
};

/* NULL when it is worth while to read, else why not. */
static const char *
wait_for_more(const struct check *check)
{
    struct pollfd poller = {.fd = check->fd, .events = POLLIN};
    int64_t left = check->deadline_ms - clock_mono_ms();
    int ready = poll(&poller, 1, left > 0 ? (int)left : 0);

    if (ready == 0)
        return "no answer in time";
    return ready < 0 && errno != EINTR ? strerror(errno) : NULL;
}

/* A full queue of connections is refused by a unix socket at once. */
static const char *
open_socket(struct check *check, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path))
        return "the path is too long for a socket";
    memcpy(address.sun_path, path, strlen(path));
    check->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (check->fd < 0 || connect(check->fd, (const struct sockaddr *)&address,
                                 sizeof(address)) != 0)
        return strerror(errno);
    return NULL;
}

/* It fits into the buffer of a socket that was just opened. */
static const char *
send_request(const struct check *check)
{
    struct buf request = {0};
    const char *problem = NULL;

    fcgi_client_put(&request, params, PARAM_COUNT, bytes_of(HEALTH_BODY));
    if (request.failed)
        problem = strerror(ENOMEM);
    else if (send(check->fd, request.data, request.length, MSG_NOSIGNAL) !=
             (ssize_t)request.length)
        problem = "the request was not taken";
    buf_free(&request);
    return problem;
}

/* Takes what has come; sets *ret_done when the answer is whole. */
static const char *
receive_part(struct check *check, bool *ret_done)
{
    char part[4096];
    ssize_t got = recv(check->fd, part, sizeof(part), 0);
    enum fcgi_client_verdict verdict;

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return NULL;
    if (got < 0)
        return strerror(errno);
    if (got == 0)
        return "closed without an answer";
    buf_add(&check->received, part, (size_t)got);
    verdict = fcgi_client_take(buf_bytes(&check->received), &check->answer);
    if (check->received.failed || check->answer.failed)
        return strerror(ENOMEM);
    if (verdict == FCGI_CLIENT_BAD ||
        check->received.length > HEALTH_ANSWER_MAX)
        return "answered something that is not FastCGI";
    *ret_done = verdict == FCGI_CLIENT_COMPLETE;
    return NULL;
}

static const char *
receive_answer(struct check *check)
{
    const char *problem = NULL;
    bool is_done = false;

    while (problem == NULL && !is_done) {
        problem = wait_for_more(check);
        if (problem == NULL)
            problem = receive_part(check, &is_done);
    }
    return problem;
}

/* Status and envelope both say that the request is understood and refused. */
static const char *
judge_answer(struct bytes answer)
{
    static const char status[] = "Status: 422 ";
    static const char body[] = "\r\n\r\n{\"code\": 422, ";

    if (answer.length < sizeof(status) ||
        memcmp(answer.at, status, sizeof(status) - 1) != 0 ||
        memmem(answer.at, answer.length, body, sizeof(body) - 1) == NULL)
        return "answered, but not as the service does";
    return NULL;
}

/* NULL if the service is well, else what is wrong. */
static const char *
check_service(const char *path)
{
    struct check check = {.fd = -1,
                          .deadline_ms = clock_mono_ms() + HEALTH_LIMIT_MS};
    const char *problem = open_socket(&check, path);

    if (problem == NULL)
        problem = send_request(&check);
    if (problem == NULL)
        problem = receive_answer(&check);
    if (problem == NULL)
        problem = judge_answer(buf_bytes(&check.answer));
    if (check.fd >= 0)
        (void)close(check.fd);
    buf_free(&check.received);
    buf_free(&check.answer);
    return problem;
}

static int
run_healthcheck(const struct command *command, int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : HEALTH_SOCKET;
    const char *problem;

    if (argc > 2)
        return command_misused(command, "unexpected argument", argv[2]);
    if (*path == '-')
        return command_misused(command, "no such option", path);
    problem = check_service(path);
    if (problem == NULL)
        return EX_OK;
    (void)fprintf(stderr, "scoring: not healthy: %s: %s\n", path, problem);
    return EX_UNAVAILABLE;
}

const struct command command_healthcheck = {
    .name = "healthcheck",
    .arguments = "[SOCKET]",
    .summary = "exit with 0 if the service answers on its socket",
    .details = "SOCKET is " HEALTH_SOCKET " unless given. Without the right "
               "answer\nwithin 2 seconds it says why, and exits with 69. The "
               "store plays no part.\n",
    .run = run_healthcheck,
};
