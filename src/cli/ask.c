/*
 * Sends one request to the service over FastCGI, and reads the answer. Used for
 * S26.3 and S26.5 of docs/protocol.md.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "cli/ask.h"

/* For the request and all repetitions. An answer takes less than 1 ms. */
#define ASK_LIMIT_MS 2000
#define ASK_PAUSE_MS 20 /* before a repetition */

#define ASK_PATH_MAX 64

/*
 * The records of FastCGI 1.0, sections 3.3 and 5: a header of version, type,
 * request id, length of the content, padding and a reserved byte; then the
 * content. Without the flag to keep it, the connection is closed after the
 * answer.
 */
static const char request_begin[] = "\1\1\0\1\0\10\0\0" /* BEGIN_REQUEST */
                                    "\0\1\0\0\0\0\0\0"; /* of a responder */
static const char request_params[] = "\1\4\0\1\0";
/* Ends with the length of request_path; the length of its value follows. */
static const char request_verb[] = "\16\3REQUEST_METHODGET\14";
static const char request_path[] = "DOCUMENT_URI";
static const char request_end[] = "\1\4\0\1\0\0\0\0"  /* of PARAMS */
                                  "\1\5\0\1\0\0\0\0"; /* no STDIN */

/* The beginning and the end of the answer. */
static const char answer_begin[] = "Status: 200 ";
static const char answer_end[] = "\1\3\0\1\0\10\0\0" /* END_REQUEST */
                                 "\0\0\0\0\0\0\0\0"; /* both statuses 0 */

#define TEXT_LENGTH(array) (sizeof(array) - 1)

#define RECORD_VERSION 1
#define RECORD_HEADER  8 /* bytes */

/* The request and its answer. */
struct exchange {
    int fd;
    int64_t deadline_ms; /* also for repetitions */
    bool may_repeat;     /* the service has not begun to answer */
    size_t length;       /* bytes in received[] */
    char received[ASK_ANSWER_MAX];
};

/* Whether the result of send() or recv() means that the peer has closed. */
static bool
says_closed(ssize_t result)
{
    return result == 0 ||
           (result < 0 && (errno == EPIPE || errno == ECONNRESET));
}

static const char *
drop(struct exchange *exchange)
{
    exchange->may_repeat = true;
    return "closed without an answer";
}

/* Waits for bytes to read. Returns NULL, or why there are none. */
static const char *
wait_for_more(const struct exchange *exchange)
{
    struct pollfd poller = {.fd = exchange->fd, .events = POLLIN};
    int64_t left = exchange->deadline_ms - clock_mono_ms();
    int ready = poll(&poller, 1, left > 0 ? (int)left : 0);

    if (ready == 0)
        return "no answer in time";
    return ready < 0 && errno != EINTR ? strerror(errno) : NULL;
}

/* connect() to a unix socket does not wait: a full queue is EAGAIN. */
static const char *
open_socket(struct exchange *exchange, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path))
        return "the path is too long for a socket";
    memcpy(address.sun_path, path, strlen(path));
    exchange->fd =
        socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (exchange->fd < 0 ||
        connect(exchange->fd, (const struct sockaddr *)&address,
                sizeof(address)) != 0) {
        exchange->may_repeat = errno == EAGAIN;
        return errno == EAGAIN ? "its queue is full" : strerror(errno);
    }
    return NULL;
}

static void
put_request(const char *path, struct buf *out)
{
    const size_t length = strlen(path);
    const size_t params =
        TEXT_LENGTH(request_verb) + 1 + TEXT_LENGTH(request_path) + length;
    const char header_end[] = {(char)params, 0, 0};
    const char path_length = (char)length;

    assert(length <= ASK_PATH_MAX);
    buf_add(out, request_begin, TEXT_LENGTH(request_begin));
    buf_add(out, request_params, TEXT_LENGTH(request_params));
    buf_add(out, header_end, sizeof(header_end));
    buf_add(out, request_verb, TEXT_LENGTH(request_verb));
    buf_add(out, &path_length, 1);
    buf_add(out, request_path, TEXT_LENGTH(request_path));
    buf_add(out, path, length);
    buf_add(out, request_end, TEXT_LENGTH(request_end));
}

/* The request always fits into the empty buffer of a new socket. */
static const char *
send_request(struct exchange *exchange, const char *path)
{
    const char *problem = NULL;
    struct buf request = {0};
    ssize_t sent;

    put_request(path, &request);
    if (request.failed) {
        problem = "out of memory";
    } else {
        sent = send(exchange->fd, request.data, request.length, MSG_NOSIGNAL);
        if (says_closed(sent))
            problem = drop(exchange);
        else if (sent != (ssize_t)request.length)
            problem = "the request was not taken";
    }
    buf_free(&request);
    return problem;
}

/* Whether the answer has these bytes at this offset. */
static bool
has_at(const struct exchange *exchange, size_t at, const char *text,
       size_t length)
{
    return at <= exchange->length && length <= exchange->length - at &&
           memcmp(exchange->received + at, text, length) == 0;
}

static bool
has_end(const struct exchange *exchange)
{
    return has_at(exchange, exchange->length - TEXT_LENGTH(answer_end),
                  answer_end, TEXT_LENGTH(answer_end));
}

/* Receives some bytes. Sets *ret_done when the answer has ended. */
static const char *
receive_part(struct exchange *exchange, bool *ret_done)
{
    ssize_t got = recv(exchange->fd, exchange->received + exchange->length,
                       sizeof(exchange->received) - exchange->length, 0);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return NULL;
    if (exchange->length == 0 && says_closed(got))
        return drop(exchange);
    if (got < 0)
        return strerror(errno);
    exchange->length += (size_t)got;
    *ret_done = got == 0 || exchange->length == sizeof(exchange->received) ||
                has_end(exchange);
    return NULL;
}

static const char *
receive_answer(struct exchange *exchange)
{
    const char *problem = NULL;
    bool is_done = false;

    while (problem == NULL && !is_done) {
        problem = wait_for_more(exchange);
        if (problem == NULL)
            problem = receive_part(exchange, &is_done);
    }
    return problem;
}

/* The answer is small: its headers and body are in one record. */
static const char *
read_answer(const struct exchange *exchange, char ret_body[ASK_ANSWER_MAX])
{
    static const char wrong[] = "answered, but not as the service does";
    const unsigned char *header = (const unsigned char *)exchange->received;
    const char *end, *body;

    if (header[0] != RECORD_VERSION)
        return "answered something that is not FastCGI";
    if (!has_end(exchange) || !has_at(exchange, RECORD_HEADER, answer_begin,
                                      TEXT_LENGTH(answer_begin)))
        return wrong;
    end = exchange->received + RECORD_HEADER + (header[4] << 8 | header[5]);
    body = memmem(exchange->received, exchange->length, "\r\n\r\n", 4);
    if (body == NULL || body + 4 > end ||
        end > exchange->received + exchange->length)
        return wrong;
    body += 4;
    (void)snprintf(ret_body, ASK_ANSWER_MAX, "%.*s", (int)(end - body), body);
    return NULL;
}

static const char *
ask_once(struct exchange *exchange, const char *socket_path, const char *path,
         char ret_body[ASK_ANSWER_MAX])
{
    const char *problem = open_socket(exchange, socket_path);

    if (problem == NULL)
        problem = send_request(exchange, path);
    if (problem == NULL)
        problem = receive_answer(exchange);
    if (problem == NULL)
        problem = read_answer(exchange, ret_body);
    if (exchange->fd >= 0)
        (void)close(exchange->fd);
    return problem;
}

const char *
ask_service(const char *socket_path, const char *path,
            char ret_body[ASK_ANSWER_MAX])
{
    const int64_t deadline_ms = clock_mono_ms() + ASK_LIMIT_MS;

    for (;;) {
        struct exchange exchange = {.fd = -1, .deadline_ms = deadline_ms};
        const char *problem = ask_once(&exchange, socket_path, path, ret_body);

        if (!exchange.may_repeat ||
            clock_mono_ms() + ASK_PAUSE_MS >= deadline_ms)
            return problem;
        (void)poll(NULL, 0, ASK_PAUSE_MS);
    }
}
