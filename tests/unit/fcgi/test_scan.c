/*
 * The structure of a FastCGI exchange, and that libfcgi reads exactly what was
 * found to be complete. Records are in hexadecimal: version, type, request,
 * length of content, padding, reserved; then the content.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "fcgi/fcgi.h"
#include "fcgi/scan.h"
#include "support/cases.h"
#include "support/fcgi_peer.h"
#include "support/files.h"

#define BEGIN      "01 01 0001 0008 00 00  0001 01 0000000000 "
#define PARAMS_END "01 04 0001 0000 00 00 "
#define STDIN_END  "01 05 0001 0000 00 00 "
#define PARAMS     "01 04 0001 0004 00 00  01 01 41 42 " /* A=B */
#define HEAD       BEGIN PARAMS PARAMS_END
#define WHOLE      HEAD STDIN_END

struct scan_case {
    const char *name;
    const char *hex;
    enum fcgi_scan_verdict want;
};

#define MORE     FCGI_SCAN_MORE
#define COMPLETE FCGI_SCAN_COMPLETE
#define ABORTED  FCGI_SCAN_ABORTED
#define BAD      FCGI_SCAN_BAD

static const struct scan_case scan_rows[] = {
    {"nothing", "", MORE},
    {"no params, no body", BEGIN PARAMS_END STDIN_END, COMPLETE},
    {"params, no body", WHOLE, COMPLETE},
    {"params and body", HEAD "01 05 0001 0002 00 00 7b7d " STDIN_END, COMPLETE},
    {"body in two records",
     HEAD "01 05 0001 0001 00 00 7b 01 05 0001 0001 00 00 7d " STDIN_END,
     COMPLETE},
    {"padding in params and body",
     BEGIN "01 04 0001 0004 02 00 01014142 ffff " PARAMS_END
           "01 05 0001 0001 03 00 7b ffffff " STDIN_END,
     COMPLETE},
    {"another request id",
     "01 01 ffff 0008 00 00 0001 01 0000000000 "
     "01 04 ffff 0000 00 00 01 05 ffff 0000 00 00",
     COMPLETE},
    {"reserved byte of the header",
     "01 01 0001 0008 00 ff 0001 01 0000000000 " PARAMS_END STDIN_END,
     COMPLETE},
    {"something after the end", WHOLE "ff", COMPLETE},
    {"without the end of the body", HEAD "01 05 0001 0002 00 00 7b7d ", MORE},
    {"without the end of the params", BEGIN PARAMS, MORE},
    {"cut in padding", HEAD "01 05 0001 0001 02 00 7b ff", MORE},

    {"version 0", "00 01 0001 0008 00 00", BAD},
    {"version 2", "02 01 0001 0008 00 00", BAD},
    {"request 0", "01 01 0000 0008 00 00", BAD},
    {"begin of 7 bytes", "01 01 0001 0007 00 00", BAD},
    {"begin of 9 bytes", "01 01 0001 0009 00 00", BAD},
    {"begin with padding", "01 01 0001 0008 01 00", BAD},
    {"authorizer", "01 01 0001 0008 00 00  0002 01 0000000000", BAD},
    {"filter", "01 01 0001 0008 00 00  0003 01 0000000000", BAD},
    {"role 0", "01 01 0001 0008 00 00  0000 01 0000000000", BAD},
    {"role 257", "01 01 0001 0008 00 00  0101 01 0000000000", BAD},
    {"params first", PARAMS, BAD},
    {"body without params", BEGIN STDIN_END, BAD},
    {"second begin", BEGIN BEGIN, BAD},
    {"begin within the body", HEAD BEGIN, BAD},
    {"params within the body", HEAD PARAMS, BAD},
    {"params of another request", BEGIN "01 04 0002 0004 00 00", BAD},
    {"body of another request", HEAD "01 05 0002 0004 00 00", BAD},
    {"abort first", "01 02 0001 0000 00 00", ABORTED},
    {"abort within the params", BEGIN PARAMS "01 02 0001 0000 00 00", ABORTED},
    {"abort within the body",
     HEAD "01 05 0001 0001 00 00 7b 01 02 0001 0000 00 00", ABORTED},
    {"abort within a record",
     HEAD "01 05 0001 0010 00 00 01 02 0001 0000 00 00", MORE},
    {"abort of another request", HEAD "01 02 0002 0000 00 00", BAD},
    {"abort with content", HEAD "01 02 0001 0001 00 00 00", BAD},
    {"abort of version 2", HEAD "02 02 0001 0000 00 00", BAD},
    {"abort behind the end", WHOLE "01 02 0001 0000 00 00", COMPLETE},
    {"data", HEAD "01 08 0001 0000 00 00", BAD},
    {"management: get values", "01 09 0000 0000 00 00", BAD},
    {"management within the params", BEGIN "01 09 0000 0000 00 00", BAD},
    {"management within the body", HEAD "01 09 0000 0000 00 00", BAD},
    {"unknown type 0", HEAD "01 00 0001 0000 00 00", BAD},
    {"unknown type 12", HEAD "01 0c 0001 0000 00 00", BAD},
    {"unknown type 255", HEAD "01 ff 0001 0000 00 00", BAD},
    {"padding after the params", BEGIN "01 04 0001 0000 01 00", BAD},
    {"padding after the body", HEAD "01 05 0001 0000 01 00", BAD},

    {"pair without name and value",
     BEGIN "01 04 0001 0002 00 00 0000 " PARAMS_END STDIN_END, COMPLETE},
    {"pair with long lengths",
     BEGIN
     "01 04 0001 000a 00 00 80000001 80000001 41 42 " PARAMS_END STDIN_END,
     COMPLETE},
    {"pair over two records",
     BEGIN "01 04 0001 0002 00 00 0101 01 04 0001 0002 00 00 4142 " PARAMS_END
         STDIN_END,
     COMPLETE},
    {"length over two records",
     BEGIN
     "01 04 0001 0002 00 00 8000 01 04 0001 0005 00 00 0001 01 4142 " PARAMS_END
         STDIN_END,
     COMPLETE},
    {"end within a name", BEGIN "01 04 0001 0003 00 00 020141 " PARAMS_END,
     BAD},
    {"end within a value", BEGIN "01 04 0001 0003 00 00 010141 " PARAMS_END,
     BAD},
    {"end between the lengths", BEGIN "01 04 0001 0001 00 00 01 " PARAMS_END,
     BAD},
    {"end within a length", BEGIN "01 04 0001 0003 00 00 800000 " PARAMS_END,
     BAD},
    {"NUL in a name", BEGIN "01 04 0001 0004 00 00 0101 00 42", BAD},
    {"NUL in a value", BEGIN "01 04 0001 0004 00 00 0101 41 00", BAD},
    {"NUL in the body", HEAD "01 05 0001 0001 00 00 00 " STDIN_END, COMPLETE},
    {"name of 65536", BEGIN "01 04 0001 0004 00 00 80010000", MORE},
    {"name of 65537", BEGIN "01 04 0001 0004 00 00 80010001", BAD},
    {"value of 65536", BEGIN "01 04 0001 0005 00 00 00 80010000", MORE},
    {"value of 65537", BEGIN "01 04 0001 0005 00 00 00 80010001", BAD},
    {"largest length", BEGIN "01 04 0001 0004 00 00 ffffffff", BAD},
};

static int
hex_digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

static void
put_hex(struct buffer *out, const char *hex)
{
    while (*hex != '\0') {
        unsigned char byte;

        if (*hex == ' ') {
            hex++;
            continue;
        }
        byte = (unsigned char)(hex_digit(hex[0]) << 4 | hex_digit(hex[1]));
        buffer_add(out, &byte, 1);
        hex += 2;
    }
}

/* Feeds so many bytes at a time, until the verdict is not MORE. */
static enum fcgi_scan_verdict
scan_by(struct fcgi_scan *scan, const struct buffer *bytes, size_t step)
{
    enum fcgi_scan_verdict verdict = FCGI_SCAN_MORE;

    for (size_t at = 0; at < bytes->length && verdict == FCGI_SCAN_MORE;
         at += step) {
        size_t rest = bytes->length - at;

        verdict = fcgi_scan(scan, bytes->data + at, rest < step ? rest : step);
    }
    return verdict;
}

/* The verdict does not depend on the size of the pieces. */
TEST_CASES(scan, struct scan_case, scan_rows)
{
    struct buffer bytes = {0};

    put_hex(&bytes, c->hex);
    for (size_t step = 1; step <= bytes.length + 1; step++) {
        struct fcgi_scan scan = {0};

        CU_ASSERT_EQUAL(scan_by(&scan, &bytes, step), c->want);
    }
    buffer_free(&bytes);
}

TEST_SINGLE(prefixes, "no part of a whole exchange is bad or whole")
{
    struct buffer bytes = {0};

    put_hex(&bytes, HEAD "01 05 0001 0001 03 00 7b ffffff " STDIN_END);
    for (size_t length = 0; length < bytes.length; length++) {
        struct fcgi_scan scan = {0};

        CU_ASSERT_EQUAL(fcgi_scan(&scan, bytes.data, length), FCGI_SCAN_MORE);
        CU_ASSERT_EQUAL(scan.length, length);
    }
    buffer_free(&bytes);
}

TEST_SINGLE(stops, "it takes nothing behind the end")
{
    struct fcgi_scan scan = {0};
    struct buffer bytes = {0};
    size_t length;

    put_hex(&bytes, WHOLE);
    length = bytes.length;
    put_hex(&bytes, WHOLE);
    CU_ASSERT_EQUAL(fcgi_scan(&scan, bytes.data, bytes.length),
                    FCGI_SCAN_COMPLETE);
    CU_ASSERT_EQUAL(scan.length, length);
    buffer_free(&bytes);
}

struct keep_case {
    const char *name;
    const char *begin;
    bool want;
};

static const struct keep_case keep_rows[] = {
    {"no flag", "01 01 0001 0008 00 00 0001 00 0000000000 ", false},
    {"keep", "01 01 0001 0008 00 00 0001 01 0000000000 ", true},
    {"another flag", "01 01 0001 0008 00 00 0001 02 0000000000 ", false},
    {"all flags", "01 01 0001 0008 00 00 0001 ff 0000000000 ", true},
};

TEST_CASES(keep, struct keep_case, keep_rows)
{
    struct fcgi_scan scan = {0};
    struct buffer bytes = {0};

    put_hex(&bytes, c->begin);
    put_hex(&bytes, PARAMS_END STDIN_END);
    CU_ASSERT_EQUAL(scan_by(&scan, &bytes, 1), FCGI_SCAN_COMPLETE);
    CU_ASSERT_EQUAL(scan.keep, c->want);
    buffer_free(&bytes);
}

/* Limits that need many bytes. */

struct id_case {
    const char *name, *begin;
    uint16_t id;
};

static const struct id_case id_rows[] = {
    {"1", "01 01 0001 0008 00 00 0001 01 0000000000 ", 1},
    {"255", "01 01 00ff 0008 00 00 0001 01 0000000000 ", 255},
    {"256", "01 01 0100 0008 00 00 0001 01 0000000000 ", 256},
    {"both bytes", "01 01 8102 0008 00 00 0001 01 0000000000 ", 0x8102},
};

TEST_CASES(id, struct id_case, id_rows)
{
    struct fcgi_scan scan = {0};
    struct buffer bytes = {0};

    put_hex(&bytes, c->begin);
    CU_ASSERT_EQUAL(fcgi_scan(&scan, (unsigned char *)bytes.data, bytes.length),
                    FCGI_SCAN_MORE);
    CU_ASSERT_EQUAL(scan.id, c->id);
    buffer_free(&bytes);
}

struct params_case {
    const char *name;
    size_t total; /* of the content of all params */
    enum fcgi_scan_verdict want;
};

static const struct params_case params_rows[] = {
    {"65535 bytes", 65535, MORE},
    {"65536 bytes", 65536, MORE},
    {"65537 bytes", 65537, BAD},
};

/* Empty pairs, in two records. */
TEST_CASES(params, struct params_case, params_rows)
{
    static const char zeros[FCGI_PEER_RECORD_MAX];
    struct fcgi_scan scan = {0};
    struct buffer bytes = {0};

    put_hex(&bytes, BEGIN);
    fcgi_peer_record(&bytes, FCGI_PEER_PARAMS, 1, zeros, 1000, 0);
    fcgi_peer_record(&bytes, FCGI_PEER_PARAMS, 1, zeros, c->total - 1000, 0);
    CU_ASSERT_EQUAL(scan_by(&scan, &bytes, bytes.length), c->want);
    buffer_free(&bytes);
}

struct weight_case {
    const char *name;
    size_t last; /* padding of the last record */
    size_t step;
    enum fcgi_scan_verdict want;
};

/*
 * 16 bytes of BEGIN, 496 records of 8 + 1 + 255 bytes, one of 8 + 1 + 103:
 * 131072 bytes, twice the limit of the content.
 */
static const struct weight_case weight_rows[] = {
    {"131072 bytes at once", 103, SIZE_MAX / 2, MORE},
    {"131073 bytes at once", 104, SIZE_MAX / 2, BAD},
    {"131072 bytes one by one", 103, 1, MORE},
    {"131073 bytes one by one", 104, 1, BAD},
};

TEST_CASES(weight, struct weight_case, weight_rows)
{
    struct fcgi_scan scan = {0};
    struct buffer bytes = {0};

    put_hex(&bytes, BEGIN);
    for (int i = 0; i < 496; i++)
        fcgi_peer_record(&bytes, FCGI_PEER_PARAMS, 1, "", 1, 255);
    fcgi_peer_record(&bytes, FCGI_PEER_PARAMS, 1, "", 1, c->last);
    CU_ASSERT_EQUAL(scan_by(&scan, &bytes, c->step), c->want);
    buffer_free(&bytes);
}

TEST_SINGLE(copies, "head and body are copied without what is between")
{
    struct buffer head = {0}, bytes = {0};

    put_hex(&head, HEAD);
    put_hex(&bytes, HEAD "01 05 0001 0002 03 00 6162 ffffff "
                         "01 05 0001 0001 00 00 63 " STDIN_END "ff");
    for (size_t step = 1; step <= bytes.length; step++) {
        struct buf got_head = {0}, got_body = {0};
        struct fcgi_scan scan = {.head = &got_head, .body = &got_body};

        CU_ASSERT_EQUAL(scan_by(&scan, &bytes, step), FCGI_SCAN_COMPLETE);
        CU_ASSERT_EQUAL(scan.body_length, 3);
        CU_ASSERT_TRUE(bytes_equal(buf_bytes(&got_body), bytes_of("abc")));
        CU_ASSERT_TRUE(bytes_equal(buf_bytes(&got_head),
                                   (struct bytes){head.data, head.length}));
        buf_free(&got_head);
        buf_free(&got_body);
    }
    buffer_free(&head);
    buffer_free(&bytes);
}

/* How libfcgi reads it: src/fcgi/fcgi.c relies on all of this. */

#define BODY_MAX 100

static struct fcgi *
open_pair(int ret_fd[2])
{
    struct fcgi *fcgi = fcgi_init() ? fcgi_new() : NULL;

    if (fcgi == NULL ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ret_fd) != 0)
        abort();
    return fcgi;
}

static struct bytes
all_of(const struct buffer *bytes)
{
    return (struct bytes){bytes->data, bytes->length};
}

/* Whether the byte that was sent before is unread. */
static bool
is_unread(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_PEEK) == 1;
}

TEST_SINGLE(start, "libfcgi's start leaves no descriptor open")
{
    int before = files_lowest_free();

    CU_ASSERT_TRUE(fcgi_init());
    CU_ASSERT_EQUAL(files_lowest_free(), before);
}

/*
 * There is no listening socket, so accept() would fail. What is in the socket
 * stays there.
 */
TEST_SINGLE(one, "libfcgi reads one exchange from memory and accepts nothing")
{
    static const struct fcgi_peer_exchange exchange = {.body = "{}",
                                                       .body_length = 2};
    static const struct outcome outcome = {
        .code = 200, .reason = "OK", .type = "text/plain"};
    const struct fcgi_stdin body = {.length = 2};
    struct request request;
    struct buffer bytes = {0};
    struct fcgi *fcgi;
    int fd[2];

    fcgi = open_pair(fd);
    fcgi_peer_whole(&bytes, &exchange);
    CU_ASSERT_EQUAL(send(fd[1], "x", 1, MSG_NOSIGNAL), 1);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(
            fcgi_read(fcgi, fd[0], all_of(&bytes), &body, BODY_MAX, &request),
            FCGI_OK);
        CU_ASSERT_TRUE(bytes_equal(request.verb, bytes_of("POST")));
        CU_ASSERT_TRUE(bytes_equal(request.path, bytes_of("/method")));
        CU_ASSERT_TRUE(bytes_equal(request.id, bytes_of("peer-1")));
        CU_ASSERT_EQUAL(request.body_state, REQUEST_BODY_WHOLE);
        CU_ASSERT_EQUAL(request.body_length, 2);
        CU_ASSERT_EQUAL(request.body_length, 2);
        CU_ASSERT_EQUAL(memcmp(request.body, "{}", 2), 0);
        CU_ASSERT_TRUE(is_unread(fd[0]));
        CU_ASSERT_TRUE(fcgi_answer(fcgi, fd[0], &outcome));
        CU_ASSERT_EQUAL(fcgi_peer_status(fd[1], 1000), 200);
    }
    fcgi_free(fcgi);
    CU_ASSERT_TRUE(is_unread(fd[0]));
    CU_ASSERT_FALSE(fcgi_peer_is_closed(fd[1], 0));
    (void)close(fd[0]);
    (void)close(fd[1]);
    buffer_free(&bytes);
}

struct broken_case {
    const char *name;
    const char *hex;
};

static const struct broken_case broken_rows[] = {
    {"nothing", ""},
    {"cut in the params", BEGIN "01 04 0001 0004 00 00 0101"},
    {"cut in the body", HEAD "01 05 0001 0002 00 00 7b"},
    {"version 2", "02 01 0001 0008 00 00"},
};

/* libfcgi never waits for more, and reports who closed the descriptor. */
TEST_CASES(broken, struct broken_case, broken_rows)
{
    const struct fcgi_stdin body = {.length = 2};
    struct request request;
    struct buffer bytes = {0};
    enum fcgi_result result;
    struct fcgi *fcgi;
    int fd[2];

    fcgi = open_pair(fd);
    put_hex(&bytes, c->hex);
    result = fcgi_read(fcgi, fd[0], all_of(&bytes), &body, BODY_MAX, &request);
    CU_ASSERT_NOT_EQUAL(result, FCGI_OK);
    CU_ASSERT_EQUAL(result == FCGI_CLOSED, fcgi_peer_is_closed(fd[1], 0));
    fcgi_free(fcgi);
    if (result != FCGI_CLOSED)
        (void)close(fd[0]);
    (void)close(fd[1]);
    buffer_free(&bytes);
}

struct length_case {
    const char *name;
    const char *announced; /* "": no CONTENT_LENGTH */
    size_t length;         /* of the body that is sent */
    enum request_body want;
};

static const struct length_case length_rows[] = {
    {"as announced", "2", 2, REQUEST_BODY_WHOLE},
    {"as announced, at the limit", "100", 100, REQUEST_BODY_WHOLE},
    {"leading zeros", "002", 2, REQUEST_BODY_WHOLE},
    {"one byte short", "3", 2, REQUEST_BODY_MISMATCH},
    {"one byte more", "1", 2, REQUEST_BODY_MISMATCH},
    {"none of one byte", "1", 0, REQUEST_BODY_MISMATCH},
    {"a byte of none", "0", 1, REQUEST_BODY_MISMATCH},
    {"not announced", "", 2, REQUEST_BODY_MISMATCH},
    {"not announced, none", "", 0, REQUEST_BODY_NONE},
    {"0 announced, none", "0", 0, REQUEST_BODY_NONE},
    {"announced over the limit", "101", 2, REQUEST_BODY_TOO_LARGE},
    {"over the limit", "101", 101, REQUEST_BODY_TOO_LARGE},
    {"over the limit, not as announced", "2", 101, REQUEST_BODY_TOO_LARGE},
    {"over the limit, not announced", "", 101, REQUEST_BODY_TOO_LARGE},
    {"18 digits", "999999999999999999", 2, REQUEST_BODY_TOO_LARGE},
    {"19 digits", "1000000000000000000", 2, REQUEST_BODY_MISMATCH},
    {"2^64 and 2", "18446744073709551618", 2, REQUEST_BODY_MISMATCH},
    {"negative", "-2", 2, REQUEST_BODY_MISMATCH},
    {"plus sign", "+2", 2, REQUEST_BODY_MISMATCH},
    {"blank", " 2", 2, REQUEST_BODY_MISMATCH},
    {"hexadecimal", "0x2", 2, REQUEST_BODY_MISMATCH},
    {"no number", "two", 2, REQUEST_BODY_MISMATCH},
};

/* The same, if libfcgi reads the body and if it was taken out before. */
TEST_CASES(length, struct length_case, length_rows)
{
    char text[BODY_MAX + 2];
    struct fcgi_peer_exchange exchange = {.body = text,
                                          .content_length = c->announced};

    memset(text, 'x', sizeof(text));
    for (int is_taken_out = 0; is_taken_out < 2; is_taken_out++) {
        const struct fcgi_stdin body = {.length = c->length,
                                        .is_apart = is_taken_out,
                                        .bytes = is_taken_out ? text : NULL};
        struct request request = {.body_state = REQUEST_BODY_MISMATCH};
        struct buffer bytes = {0};
        struct fcgi *fcgi;
        int fd[2];

        fcgi = open_pair(fd);
        exchange.body_length = is_taken_out ? 0 : c->length;
        fcgi_peer_whole(&bytes, &exchange);
        CU_ASSERT_EQUAL(
            fcgi_read(fcgi, fd[0], all_of(&bytes), &body, BODY_MAX, &request),
            FCGI_OK);
        CU_ASSERT_EQUAL(request.body_state, c->want);
        fcgi_free(fcgi);
        (void)close(fd[0]);
        (void)close(fd[1]);
        buffer_free(&bytes);
    }
}
