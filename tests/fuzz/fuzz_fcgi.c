/*
 * The FastCGI exchange: the verdict does not depend on the size of the pieces,
 * and libfcgi reads an exchange that was found to be complete to its end, and
 * can answer it. The first byte chooses the size of the pieces.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "fcgi/fcgi.h"
#include "fcgi/scan.h"
#include "fuzz.h"

#define BODY_MAX 4096

static bool
scans_equal(const struct fcgi_scan *a, const struct fcgi_scan *b)
{
    return a->length == b->length && a->body_length == b->body_length &&
           a->id == b->id && a->keep == b->keep &&
           bytes_equal(buf_bytes(a->head), buf_bytes(b->head)) &&
           bytes_equal(buf_bytes(a->body), buf_bytes(b->body));
}

static enum fcgi_scan_verdict
scan_by(struct fcgi_scan *scan, const struct fuzz_input *input, size_t step)
{
    enum fcgi_scan_verdict verdict = FCGI_SCAN_MORE;

    for (size_t at = 0; at < input->left && verdict == FCGI_SCAN_MORE;
         at += step) {
        size_t rest = input->left - at;

        verdict = fcgi_scan(scan, input->at + at, rest < step ? rest : step);
    }
    return verdict;
}

static void
check_request(const struct request *request, size_t body_length)
{
    FUZZ_CHECK(request->id.length >= 1 && request->id.length <= 128);
    FUZZ_CHECK(strlen(request->verb.at) == request->verb.length);
    FUZZ_CHECK(strlen(request->path.at) == request->path.length);
    if (request->body_state != REQUEST_BODY_WHOLE)
        return;
    FUZZ_CHECK(request->body_length == body_length && body_length > 0);
    FUZZ_CHECK(body_length <= BODY_MAX);
}

/* Parses the exchange, and answers it on fd[1]. */
static void
exchange(const struct fcgi_scan *scan, const uint8_t *bytes, int fd[2])
{
    static const struct outcome outcome = {
        .code = 200, .reason = "OK", .type = "text/plain", .body = {"{}", 2}};
    const struct fcgi_stdin body = {.length = scan->body_length};
    struct fcgi *fcgi = fcgi_new();
    struct request request;
    char byte;

    FUZZ_CHECK(fcgi != NULL);
    FUZZ_CHECK(fcgi_read(fcgi, fd[0],
                         (struct bytes){(const char *)bytes, scan->length},
                         &body, BODY_MAX, &request) == FCGI_OK);
    check_request(&request, scan->body_length);
    FUZZ_CHECK(fcgi_answer(fcgi, fd[0], &outcome));
    FUZZ_CHECK(recv(fd[1], &byte, 1, MSG_DONTWAIT) == 1);
    fcgi_free(fcgi);
}

static void
try_exchange(const struct fcgi_scan *scan, const uint8_t *bytes)
{
    static bool is_ready;
    int fd[2];

    is_ready = is_ready || fcgi_init();
    FUZZ_CHECK(is_ready);
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
    exchange(scan, bytes, fd);
    (void)close(fd[0]);
    (void)close(fd[1]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf heads[2] = {{0}}, bodies[2] = {{0}};
    struct fcgi_scan whole = {.head = &heads[0], .body = &bodies[0]};
    struct fcgi_scan cut = {.head = &heads[1], .body = &bodies[1]};
    struct fuzz_input input = {data, size};
    size_t step = fuzz_byte(&input) + 1;
    enum fcgi_scan_verdict verdict = scan_by(&whole, &input, SIZE_MAX / 2);

    FUZZ_CHECK(scan_by(&cut, &input, step) == verdict);
    FUZZ_CHECK(verdict == FCGI_SCAN_BAD || verdict == FCGI_SCAN_ABORTED ||
               scans_equal(&whole, &cut));
    FUZZ_CHECK(whole.length <= input.left);
    FUZZ_CHECK(whole.body_length == bodies[0].length);
    if (verdict == FCGI_SCAN_COMPLETE)
        try_exchange(&whole, input.at);
    for (size_t i = 0; i < 2; i++) {
        buf_free(&heads[i]);
        buf_free(&bodies[i]);
    }
    return 0;
}
