/*
 * One FastCGI exchange through libfcgi: its parameters, its body, its answer.
 * Implements S2.3 (lengths), S2.6 and S2.7 of docs/protocol.md. The only file
 * that includes libfcgi's headers.
 *
 * libfcgi (2.4.2 to 2.4.7) reads and writes through ipcFd, a public member of
 * FCGX_Request. If it is set, FCGX_Accept_r() parses one exchange from it
 * without accepting; a test checks this. It closes the descriptor only when it
 * finds a fault, and does not linger because `detached` is set. An exchange
 * ends with FCGX_FClose() and FCGX_Free(): this is FCGX_Finish_r() without
 * closing.
 *
 * libfcgi's parser gets all bytes from OS_Read(), declared in fcgios.h. Because
 * it is a shared library, it calls the OS_Read() that this file defines, which
 * reads from memory. So libfcgi never waits, and bytes that fcgi_scan() has
 * received are not received twice. fcgi_init() checks that this works.
 */
#include <errno.h>
#include <fcgiapp.h>
#include <fcgios.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/trace.h"
#include "fcgi/fcgi.h"

#define FCGI_ID_MAX      128 /* characters of a request id */
#define FCGI_LENGTH_MAX  18  /* any number of 18 digits fits into 64 bits */
#define FCGI_ID_UNUSABLE "-"

/* More than the headers of any answer: answering allocates no memory. */
#define FCGI_HEADERS_ROOM 512

struct fcgi {
    FCGX_Request request;
    char *body;
    struct buf headers; /* of an answer; its memory is kept for the next */
};

/* The part of the current exchange that libfcgi has not read yet. */
static struct bytes unread;

/* Replaces libfcgi's function. Returns 0, end of file, after the exchange. */
int
OS_Read(int fd, char *buf, size_t len)
{
    size_t part = unread.length < len ? unread.length : len;

    (void)fd;
    if (part == 0)
        return 0;
    memcpy(buf, unread.at, part);
    unread = (struct bytes){unread.at + part, unread.length - part};
    return (int)part;
}

struct fcgi *
fcgi_new(void)
{
    struct fcgi *fcgi = calloc(1, sizeof(*fcgi));

    if (fcgi == NULL || !buf_reserve(&fcgi->headers, FCGI_HEADERS_ROOM)) {
        free(fcgi);
        return NULL;
    }
    (void)FCGX_InitRequest(&fcgi->request, -1, 0);
    return fcgi;
}

void
fcgi_forget_body(struct fcgi *fcgi)
{
    free(fcgi->body);
    fcgi->body = NULL;
}

void
fcgi_free(struct fcgi *fcgi)
{
    if (fcgi == NULL)
        return;
    FCGX_Free(&fcgi->request, 0);
    fcgi_forget_body(fcgi);
    buf_free(&fcgi->headers);
    free(fcgi);
}

static struct bytes
param(const struct fcgi *fcgi, const char *name)
{
    const char *value = FCGX_GetParam(name, fcgi->request.envp);

    return bytes_of(value != NULL ? value : "");
}

static const char id_characters[] = "0123456789abcdefghijklmnopqrstuvwxyz"
                                    "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-";

static struct bytes
request_id(const struct fcgi *fcgi)
{
    struct bytes id = param(fcgi, "REQUEST_ID");

    if (id.length == 0 || id.length > FCGI_ID_MAX ||
        strspn(id.at, id_characters) != id.length)
        return bytes_of(FCGI_ID_UNUSABLE);
    return id;
}

static enum request_body
body_state(const struct fcgi *fcgi, size_t got, size_t body_max)
{
    struct bytes text = param(fcgi, "CONTENT_LENGTH");
    uint64_t announced = 0;

    if (got > body_max)
        return REQUEST_BODY_TOO_LARGE;
    if (text.length == 0)
        return got == 0 ? REQUEST_BODY_NONE : REQUEST_BODY_MISMATCH;
    if (text.length > FCGI_LENGTH_MAX)
        return REQUEST_BODY_MISMATCH;
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return REQUEST_BODY_MISMATCH;
        announced = announced * 10 + (uint64_t)(text.at[i] - '0');
    }
    if (announced > body_max)
        return REQUEST_BODY_TOO_LARGE;
    if (announced != got)
        return REQUEST_BODY_MISMATCH;
    return got == 0 ? REQUEST_BODY_NONE : REQUEST_BODY_WHOLE;
}

/* Ends the exchange, without closing its descriptor. */
static void
forget(struct fcgi *fcgi)
{
    FCGX_Free(&fcgi->request, 0);
    fcgi->request.ipcFd = -1;
    fcgi_forget_body(fcgi);
}

/*
 * Parses an exchange, with the whole of stdin: libfcgi would take the rest for
 * the beginning of the next exchange.
 */
static enum fcgi_result
parse(struct fcgi *fcgi, int fd, size_t length)
{
    FCGX_Request *request = &fcgi->request;

    request->ipcFd = fd;
    request->keepConnection = 1; /* otherwise libfcgi closes it at once */
    request->detached = 1;
    if (FCGX_Accept_r(request) != 0)
        return request->ipcFd == -1 ? FCGI_CLOSED : FCGI_FAULT;
    if (length < INT_MAX)
        fcgi->body = malloc(length > 0 ? length : 1);
    if (FCGX_GetError(request->in) == 0 && fcgi->body != NULL &&
        FCGX_GetStr(fcgi->body, (int)length, request->in) == (int)length &&
        FCGX_GetChar(request->in) == EOF && FCGX_GetError(request->in) == 0)
        return FCGI_OK;
    forget(fcgi);
    return FCGI_FAULT;
}

enum fcgi_result
fcgi_read(struct fcgi *fcgi, int fd, struct bytes exchange,
          const struct fcgi_stdin *body, size_t body_max,
          struct request *ret_request)
{
    enum fcgi_result result;
    enum request_body state;
    struct bytes trace_header, trace = {NULL, 0}; /* if it is malformed */

    unread = exchange;
    result = parse(fcgi, fd, body->is_apart ? 0 : body->length);
    unread = (struct bytes){NULL, 0};
    if (result != FCGI_OK)
        return result;
    state = body_state(fcgi, body->length, body_max);
    trace_header = param(fcgi, "TRACEPARENT");
    if (trace_header.length > 0)
        (void)trace_parse(trace_header, &trace);
    *ret_request = (struct request){
        .verb = param(fcgi, "REQUEST_METHOD"),
        .path = param(fcgi, "DOCUMENT_URI"),
        .listener = param(fcgi, "SCORING_LISTENER"),
        .id = request_id(fcgi),
        .trace_id = trace,
        .body_state = state,
        .body = body->is_apart ? body->bytes : fcgi->body,
        .body_length = state == REQUEST_BODY_WHOLE ? body->length : 0,
    };
    return FCGI_OK;
}

/*
 * Parses the shortest exchange, with a descriptor that has no data. It fails
 * with a libfcgi that was linked with -Bsymbolic, which calls its own
 * OS_Read().
 */
static bool
reads_from_memory(void)
{
    static const char shortest[] = "\1\1\0\1\0\10\0\0"
                                   "\0\1\1\0\0\0\0\0"
                                   "\1\4\0\1\0\0\0\0"
                                   "\1\5\0\1\0\0\0\0";
    const struct fcgi_stdin body = {.length = 0};
    struct request request;
    struct fcgi *fcgi = fcgi_new();
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    enum fcgi_result result = FCGI_FAULT;

    if (fcgi != NULL && fd != -1)
        result =
            fcgi_read(fcgi, fd, (struct bytes){shortest, sizeof(shortest) - 1},
                      &body, 0, &request);
    if (fcgi != NULL && fd != -1)
        errno = 0; /* no system call has failed */
    if (fd != -1 && result != FCGI_CLOSED)
        (void)close(fd);
    fcgi_free(fcgi);
    return result == FCGI_OK;
}

bool
fcgi_init(void)
{
    /* Or libfcgi waits up to 2 s for the peer when it closes a connection. */
    return setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "0", 1) == 0 &&
           FCGX_Init() == 0 && reads_from_memory();
}

static bool
put(struct fcgi *fcgi, struct bytes text)
{
    size_t done = 0;

    while (done < text.length) {
        size_t rest = text.length - done;
        int part = rest > INT_MAX ? INT_MAX : (int)rest;

        if (FCGX_PutStr(text.at + done, part, fcgi->request.out) != part)
            return false;
        done += (size_t)part;
    }
    return true;
}

/* Takes a tenth of the time of FCGX_FPrintF(). */
static void
add_headers(struct buf *text, const struct outcome *outcome)
{
    buf_add_text(text, "Status: ");
    buf_add_int(text, outcome->code);
    buf_add_text(text, " ");
    buf_add_text(text, outcome->reason);
    buf_add_text(text, "\r\nContent-Type: ");
    buf_add_text(text, outcome->type);
    buf_add_text(text, "\r\nContent-Length: ");
    buf_add_int(text, (long long)outcome_length(outcome));
    buf_add_text(text, "\r\n");
    if (outcome->header != NULL) {
        buf_add_text(text, outcome->header);
        buf_add_text(text, "\r\n");
    }
    buf_add_text(text, "\r\n");
}

bool
fcgi_answer(struct fcgi *fcgi, int fd, const struct outcome *outcome)
{
    FCGX_Request *request = &fcgi->request;
    int error;
    bool good;

    request->ipcFd = fd;
    buf_clear(&fcgi->headers);
    add_headers(&fcgi->headers, outcome);
    good = !fcgi->headers.failed && put(fcgi, buf_bytes(&fcgi->headers)) &&
           put(fcgi, outcome->body);
    for (size_t i = 0; i < outcome->part_count && good; i++)
        good = put(fcgi, outcome->parts[i]);
    good = good && put(fcgi, outcome->end);
    /* In this order the end of the request is in the same write(). */
    good = FCGX_FClose(request->err) == 0 && good;
    good = FCGX_FClose(request->out) == 0 && good;
    error = FCGX_GetError(request->out);
    forget(fcgi);
    errno = error > 0 ? error : EIO; /* libfcgi's own codes are negative */
    return good;
}
