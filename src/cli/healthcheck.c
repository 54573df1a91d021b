/*
 * `scoring healthcheck`: asks the service on its socket for /healthz, as nginx
 * would; that is in no log, and needs no store. Implements S26 of
 * docs/protocol.md.
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

#include "base/clock.h"
#include "cli/command.h"

/* Where the container image has it; deploy/serve.sh says the same. */
#define HEALTH_SOCKET "/run/scoring/scoring.sock"

/* For all of it: an answer takes less than a millisecond. */
#define HEALTH_LIMIT_MS 2000

/* Several times the answer; whoever sends more is not the service. */
#define HEALTH_ANSWER_MAX 1024

/*
 * GET /healthz as the records of FastCGI 1.0, sections 3.3 and 5: a header of
 * version, type, request id, length of the content, padding and a reserved
 * byte; then the content. Without the flag to keep it, the connection is
 * closed after the answer.
 */
static const char request[] = "\1\1\0\1\0\10\0\0" /* BEGIN_REQUEST */
                              "\0\1\0\0\0\0\0\0"  /* of a responder */
                              "\1\4\0\1\0\51\0\0" /* PARAMS */
                              "\16\3REQUEST_METHODGET"
                              "\14\10DOCUMENT_URI/healthz"
                              "\1\4\0\1\0\0\0\0"  /* their end */
                              "\1\5\0\1\0\0\0\0"; /* no STDIN */

/* What the answer begins with, has in it, and ends with. */
static const char answer_begin[] = "Status: 200 ";
static const char answer_body[] = "\r\n\r\n{\"status\": \"ok\"}";
static const char answer_end[] = "\1\3\0\1\0\10\0\0" /* END_REQUEST */
                                 "\0\0\0\0\0\0\0\0"; /* both statuses 0 */

#define TEXT_LENGTH(array) (sizeof(array) - 1)

#define RECORD_VERSION 1
#define RECORD_HEADER  8 /* bytes */

/* One check on its way. */
struct check {
    int fd;
    int64_t deadline_ms;
    size_t length; /* of what has been received */
    char received[HEALTH_ANSWER_MAX];
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
    if (send(check->fd, request, TEXT_LENGTH(request), MSG_NOSIGNAL) !=
        (ssize_t)TEXT_LENGTH(request))
        return "the request was not taken";
    return NULL;
}

/* Whether these bytes stand at a place of what has been received. */
static bool
has_at(const struct check *check, size_t at, const char *text, size_t length)
{
    return at <= check->length && length <= check->length - at &&
           memcmp(check->received + at, text, length) == 0;
}

static bool
has_end(const struct check *check)
{
    return has_at(check, check->length - TEXT_LENGTH(answer_end), answer_end,
                  TEXT_LENGTH(answer_end));
}

/* Takes what has come; sets *ret_done when no more is to be waited for. */
static const char *
receive_part(struct check *check, bool *ret_done)
{
    ssize_t got = recv(check->fd, check->received + check->length,
                       sizeof(check->received) - check->length, 0);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return NULL;
    if (got < 0)
        return strerror(errno);
    check->length += (size_t)got;
    *ret_done =
        got == 0 || check->length == sizeof(check->received) || has_end(check);
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

/* The answer is small, so that its header and body are in one record. */
static const char *
judge_answer(const struct check *check)
{
    if (check->length == 0)
        return "closed without an answer";
    if (check->received[0] != RECORD_VERSION)
        return "answered something that is not FastCGI";
    if (!has_end(check) ||
        !has_at(check, RECORD_HEADER, answer_begin,
                TEXT_LENGTH(answer_begin)) ||
        memmem(check->received, check->length, answer_body,
               TEXT_LENGTH(answer_body)) == NULL)
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
        problem = judge_answer(&check);
    if (check.fd >= 0)
        (void)close(check.fd);
    return problem;
}

static int
run_healthcheck(const struct command *command, int argc, char **argv)
{
    char **words = command_read(command, argc, argv, NULL);
    const char *path, *problem;

    if (words == NULL)
        return EX_USAGE;
    path = words[0] != NULL ? words[0] : HEALTH_SOCKET;
    problem = check_service(path);
    if (problem == NULL)
        return EX_OK;
    (void)fprintf(stderr, "scoring: not healthy: %s: %s\n", path, problem);
    return EX_UNAVAILABLE;
}

const struct command command_healthcheck = {
    .name = "healthcheck",
    .arguments = "[SOCKET]",
    .words_max = 1,
    .summary = "exit with 0 if the service answers on its socket",
    .details = "Without SOCKET, asks the service on " HEALTH_SOCKET
               ".\nIf GET /healthz is not answered correctly within 2 seconds, "
               "reports why, and\nexits with 69. The store plays no part.\n",
    .run = run_healthcheck,
};
