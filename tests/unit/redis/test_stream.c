/*
 * Writing to a peer that does not read: what the socket does not take is sent
 * later, in order, before what is written meanwhile. And the start of TLS.
 */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "redis/stream.h"
#include "support/buffer.h"
#include "support/calls.h"
#include "support/cases.h"

/* the size that is set; the socket takes more */
#define SOCKET_BYTES (16 * 1024)
#define REPLY_MAX    (256 * 1024)
#define TOTAL_MAX    (1024 * 1024) /* more than any socket takes then */

#ifdef HAVE_HIREDIS_SSL
#define HAS_TLS true
#else
#define HAS_TLS false /* and nothing is sent: there is no stream */
#endif

static const struct redis_url plain;

struct write_case {
    const char *name;
    size_t first, second; /* bytes of the two writes, the peer reading none */
    bool waits;           /* whether some of it is left after both */
};

static const struct write_case write_rows[] = {
    {"nothing", 0, 0, false},
    {"one byte", 1, 0, false},
    {"two small writes", 10, 20, false},
    {"more than is taken", TOTAL_MAX, 0, true},
    {"more than is taken, and then more", TOTAL_MAX - 1, 1, true},
    {"little, and then more than is taken", 1, TOTAL_MAX - 1, true},
};

/* Reads all that has arrived; returns the length read so far. */
static size_t
drain(int fd, char *to, size_t length)
{
    ssize_t got;

    while (length < TOTAL_MAX &&
           (got = recv(fd, to + length, TOTAL_MAX - length, 0)) > 0)
        length += (size_t)got;
    return length;
}

static struct redis_stream *
open_stream(int *ret_peer)
{
    const int size = SOCKET_BYTES;
    struct redis_stream *stream = redis_stream_new(&plain, REPLY_MAX, 0);
    int fd[2];

    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    CU_ASSERT_EQUAL_FATAL(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    (void)setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    CU_ASSERT_TRUE(redis_stream_open(stream, fd[0]));
    *ret_peer = fd[1];
    return stream;
}

/* Bytes that differ at all places that could be confused. */
static char *
make_bytes(void)
{
    char *bytes = malloc(TOTAL_MAX);

    if (bytes == NULL)
        abort();
    for (size_t i = 0; i < TOTAL_MAX; i++)
        bytes[i] = (char)(i * 7 + i / 251);
    return bytes;
}

TEST_CASES(write, struct write_case, write_rows)
{
    static const struct bytes none = {NULL, 0};
    char *bytes = make_bytes(), *received = make_bytes();
    size_t total = c->first + c->second, length = 0;
    int peer;
    struct redis_stream *stream = open_stream(&peer);
    bool waits = !c->waits;

    CU_ASSERT_TRUE(
        redis_stream_write(stream, (struct bytes){bytes, c->first}, &waits));
    CU_ASSERT_TRUE(redis_stream_write(
        stream, (struct bytes){bytes + c->first, c->second}, &waits));
    CU_ASSERT_EQUAL(waits, c->waits);
    memset(received, 0, TOTAL_MAX);
    while (waits && length < total) {
        length = drain(peer, received, length);
        CU_ASSERT_TRUE(redis_stream_write(stream, none, &waits));
    }
    length = drain(peer, received, length);
    CU_ASSERT_FALSE(waits);
    CU_ASSERT_EQUAL(length, total);
    CU_ASSERT_EQUAL(memcmp(received, bytes, total), 0);
    redis_stream_free(stream);
    (void)close(peer);
    free(received);
    free(bytes);
}

/* A socket that takes nothing for a while. */
struct refusal_case {
    const char *name;
    const char *text;
    int error;
    const char *failure; /* NULL: what was written waits */
};

static const struct refusal_case refusal_rows[] = {
    {"one byte waits", "x", EAGAIN, NULL},
    {"two bytes wait", "xy", EAGAIN, NULL},
    {"interrupted", "xyz", EINTR, NULL},
    {"reset", "x", ECONNRESET, "the connection broke"},
};

TEST_CASES(refusal, struct refusal_case, refusal_rows)
{
    const size_t length = strlen(c->text);
    char received[8] = "";
    int peer;
    struct redis_stream *stream = open_stream(&peer);
    bool waits = false;

    for (int i = 0; i < 3 && (i == 0 || c->failure == NULL); i++) {
        struct bytes bytes = i == 0 ? bytes_of(c->text) : bytes_of("");

        calls_fail(CALL_SEND, c->error);
        CU_ASSERT_EQUAL(redis_stream_write(stream, bytes, &waits),
                        c->failure == NULL);
        CU_ASSERT_TRUE(calls_has_failed(CALL_SEND));
        CU_ASSERT_EQUAL(waits, c->failure == NULL);
    }
    if (c->failure != NULL) {
        CU_ASSERT_STRING_EQUAL(redis_stream_error(stream), c->failure);
    } else {
        CU_ASSERT_TRUE(redis_stream_write(stream, bytes_of(""), &waits));
        CU_ASSERT_FALSE(waits);
        CU_ASSERT_EQUAL(recv(peer, received, sizeof(received), 0),
                        (ssize_t)length);
        CU_ASSERT_EQUAL(memcmp(received, c->text, length), 0);
    }
    redis_stream_free(stream);
    (void)close(peer);
}

TEST_SINGLE(anew, "what a connection did not take is none of the next one's")
{
    char got[8] = "";
    int peer, fd[2];
    struct redis_stream *stream = open_stream(&peer);
    bool waits;

    calls_fail(CALL_SEND, EAGAIN);
    CU_ASSERT_TRUE(redis_stream_write(stream, bytes_of("x"), &waits));
    CU_ASSERT_TRUE(waits);
    redis_stream_close(stream);
    CU_ASSERT_EQUAL_FATAL(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    CU_ASSERT_TRUE(redis_stream_open(stream, fd[0]));
    CU_ASSERT_TRUE(redis_stream_write(stream, bytes_of("y"), &waits));
    CU_ASSERT_EQUAL(recv(fd[1], got, sizeof(got), 0), 1);
    CU_ASSERT_EQUAL(got[0], 'y');
    redis_stream_free(stream);
    (void)close(fd[1]);
    (void)close(peer);
}

/* Feeds a reply in pieces of this size; returns whether it is accepted. */
static bool
feed(struct redis_stream *stream, int peer, const struct buffer *text,
     size_t piece, bool *ret_replied)
{
    struct redisReply *reply = NULL;
    size_t bytes, sum = 0;
    bool is_good = true;

    *ret_replied = false;
    for (size_t at = 0; is_good && at < text->length; at += piece) {
        size_t part = text->length - at < piece ? text->length - at : piece;

        CU_ASSERT_EQUAL(send(peer, text->data + at, part, MSG_NOSIGNAL),
                        (ssize_t)part);
        is_good = redis_stream_read(stream, &bytes) &&
                  redis_stream_next(stream, &reply);
        sum += is_good ? bytes : 0;
        if (is_good && reply != NULL)
            *ret_replied = true;
        if (is_good && reply != NULL)
            freeReplyObject(reply);
    }
    CU_ASSERT(!is_good || sum == text->length);
    return is_good;
}

struct bound_case {
    const char *name;
    size_t count;  /* of values; 0: one alone, no array */
    size_t length; /* of each */
    size_t cut;    /* bytes missing at the end */
    bool is_good, replied;
};

/* 256 KiB, of which each element of an array takes what hiredis makes of it. */
#define ARRAY_LENGTH ((REPLY_MAX - 100 * sizeof(redisReply)) / 100)

static const struct bound_case bound_rows[] = {
    {"a text of the bound", 0, REPLY_MAX, 0, true, true},
    {"a text over it", 0, REPLY_MAX + 1, 0, false, false},
    {"a text over it, which has not all come", 0, 2 * REPLY_MAX,
     2 * REPLY_MAX - REPLY_MAX - 100, false, false},
    {"a text over it that has begun", 0, 2 * REPLY_MAX, REPLY_MAX + 100, true,
     false},
    {"an array of the bound in all", 100, ARRAY_LENGTH, 0, true, true},
    {"an array over it in all", 100, ARRAY_LENGTH + 100, 0, false, false},
    {"an array over it, which has not all come", 100, ARRAY_LENGTH + 5000, 2000,
     false, false},
};

/* hiredis forgets the bytes that it has parsed; the stream counts them. */
TEST_CASES(bound, struct bound_case, bound_rows)
{
    static char value[2 * REPLY_MAX + 1];
    struct buffer text = {0};
    int peer;
    struct redis_stream *stream = open_stream(&peer);
    bool replied = false;

    memset(value, 'v', sizeof(value) - 1);
    if (c->count > 0)
        buffer_printf(&text, "*%zu\r\n", c->count);
    for (size_t i = 0; i < c->count + (c->count == 0); i++) {
        buffer_printf(&text, "$%zu\r\n", c->length);
        buffer_add(&text, value, c->length);
        buffer_add_text(&text, "\r\n");
    }
    text.length -= c->cut;
    CU_ASSERT_EQUAL(feed(stream, peer, &text, 8192, &replied), c->is_good);
    CU_ASSERT_EQUAL(replied, c->replied);
    if (!c->is_good) {
        CU_ASSERT_EQUAL(redis_stream_fault(stream), REDIS_FAULT_LARGE);
        CU_ASSERT_STRING_EQUAL(redis_stream_error(stream),
                               "too large an answer");
    }
    redis_stream_free(stream);
    (void)close(peer);
    buffer_free(&text);
}

TEST_SINGLE(bound_each, "the bound is that of each reply")
{
    struct buffer text = {0};
    int peer;
    struct redis_stream *stream = open_stream(&peer);
    bool replied = false;

    buffer_printf(&text, "$%d\r\n%0*d\r\n", REPLY_MAX - 10, REPLY_MAX - 10, 7);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_TRUE(feed(stream, peer, &text, 8192, &replied) && replied);
    redis_stream_free(stream);
    (void)close(peer);
    buffer_free(&text);
}

TEST_SINGLE(broken, "a peer that is gone is told")
{
    int peer;
    struct redis_stream *stream = open_stream(&peer);
    bool waits;

    (void)close(peer);
    CU_ASSERT_FALSE(redis_stream_write(stream, bytes_of("x"), &waits));
    CU_ASSERT_STRING_EQUAL(redis_stream_error(stream), "the connection broke");
    redis_stream_free(stream);
}

TEST_SINGLE(last_words, "of a peer that is gone are read before its end")
{
    static const char said[] = "-ERR max number of clients reached\r\n";
    struct redisReply *reply = NULL;
    int peer;
    struct redis_stream *stream = open_stream(&peer);
    bool waits = true;
    size_t bytes = 0;

    CU_ASSERT_EQUAL(send(peer, said, sizeof(said) - 1, MSG_NOSIGNAL),
                    (ssize_t)sizeof(said) - 1);
    (void)close(peer);
    CU_ASSERT_TRUE(redis_stream_write(stream, bytes_of("x"), &waits));
    CU_ASSERT_FALSE(waits);
    CU_ASSERT_TRUE(redis_stream_read(stream, &bytes));
    CU_ASSERT_EQUAL(bytes, sizeof(said) - 1);
    CU_ASSERT_TRUE(redis_stream_next(stream, &reply));
    CU_ASSERT_PTR_NOT_NULL_FATAL(reply);
    CU_ASSERT_EQUAL(reply->type, REDIS_REPLY_ERROR);
    freeReplyObject(reply);
    CU_ASSERT_FALSE(redis_stream_write(stream, bytes_of("x"), &waits));
    CU_ASSERT_FALSE(redis_stream_read(stream, &bytes));
    redis_stream_free(stream);
}

/* How a connection ends after unexpected bytes. */
struct ending_case {
    const char *name;
    const char *path; /* of a socket; NULL: over TCP */
    const char *said; /* before the end */
    enum redis_fault fault;
    const char *want;
};

#define CLOSED "the connection broke: Server closed the connection"

static const struct ending_case ending_rows[] = {
    {"without a word", NULL, "", REDIS_FAULT_BROKEN,
     CLOSED ", before any answer: does the server want TLS?"},
    {"without a word, on a socket", "/run/redis.sock", "", REDIS_FAULT_BROKEN,
     CLOSED},
    {"after an answer", NULL, "+OK\r\n", REDIS_FAULT_BROKEN, CLOSED},
    {"by an alert of TLS", NULL, "\x15\x03\x03", REDIS_FAULT_TLS,
     "TLS failed: the server speaks TLS there: rediss://"},
    {"by the beginning of TLS", NULL, "\x16\x03\x03", REDIS_FAULT_BROKEN,
     "not an answer of Redis"},
};

TEST_CASES(ending, struct ending_case, ending_rows)
{
    const struct redis_url server = {.unix_path = c->path, .host = "h"};
    struct redis_stream *stream = redis_stream_new(&server, REPLY_MAX, 0);
    struct redisReply *reply = NULL;
    size_t bytes = 0;
    int fd[2];

    CU_ASSERT_EQUAL_FATAL(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    CU_ASSERT_TRUE(redis_stream_open(stream, fd[0]));
    CU_ASSERT_EQUAL(send(fd[1], c->said, strlen(c->said), MSG_NOSIGNAL),
                    (ssize_t)strlen(c->said));
    (void)close(fd[1]);
    while (redis_stream_read(stream, &bytes) &&
           redis_stream_next(stream, &reply)) {
        freeReplyObject(reply);
        reply = NULL;
    }
    CU_ASSERT_STRING_EQUAL(redis_stream_error(stream), c->want);
    CU_ASSERT_EQUAL(redis_stream_fault(stream), c->fault);
    redis_stream_free(stream);
}

/* The name is sent in the SNI, which has room for 255 bytes. */
static const struct tls_case {
    const char *name, *address; /* NULL: a name of so many letters */
    size_t length;
    bool starts;
} tls_rows[] = {
    {"a name", NULL, 5, true},
    {"an address", "127.0.0.1", 0, true},
    {"the longest name", NULL, 255, true},
    {"a name too long", NULL, 256, false},
};

/* Without TLS nothing is written; with TLS nothing readable. */
TEST_CASES(tls, struct tls_case, tls_rows)
{
    static const char secret[] = "AUTH secret";
    static const unsigned char handshake = 22; /* RFC 8446, section 5.1 */
    char host[300] = "", got[4096] = "";
    struct redis_url config = {.host = host, .tls = true};
    struct redis_stream *stream = redis_stream_new(&config, REPLY_MAX, 0);
    int fd[2];
    ssize_t length;
    bool waits;

    CU_ASSERT_EQUAL(stream != NULL, HAS_TLS);
    if (stream == NULL)
        return;
    memset(host, 'a', c->length);
    if (c->address != NULL)
        (void)snprintf(host, sizeof(host), "%s", c->address);
    CU_ASSERT_EQUAL_FATAL(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    CU_ASSERT_EQUAL(redis_stream_open(stream, fd[0]), c->starts);
    if (c->starts) {
        CU_ASSERT_TRUE(redis_stream_write(stream, bytes_of(secret), &waits));
    } else {
        CU_ASSERT_EQUAL(strncmp(redis_stream_error(stream), "TLS failed: ", 12),
                        0);
    }
    length = recv(fd[1], got, sizeof(got), 0);
    CU_ASSERT_EQUAL(length > 0, c->starts);
    CU_ASSERT(length <= 0 || (unsigned char)got[0] == handshake);
    CU_ASSERT_PTR_NULL(memmem(got, sizeof(got), "secret", 6));
    redis_stream_free(stream);
    (void)close(fd[1]);
}
