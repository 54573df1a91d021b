/*
 * Writing to a peer that does not read: what its socket does not take goes out
 * later, in order, with what was written meanwhile behind it. And the start of
 * TLS.
 */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "redis/stream.h"
#include "support/calls.h"
#include "support/cases.h"

#define SOCKET_BYTES (16 * 1024) /* asked for; more than that is taken */
#define REPLY_MAX    (64 * 1024 * 1024)
#define TOTAL_MAX    (1024 * 1024) /* more than any socket takes then */

#ifdef HAVE_HIREDIS_SSL
#define HAS_TLS true
#else
#define HAS_TLS false /* and nothing goes out instead: there is no stream */
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

/* Reads what is there to be read; returns the length read so far. */
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
    struct redis_stream *stream = redis_stream_new(&plain);
    int fd[2];

    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    CU_ASSERT_EQUAL_FATAL(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    (void)setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    CU_ASSERT_TRUE(redis_stream_open(stream, fd[0]));
    *ret_peer = fd[1];
    return stream;
}

/* Different bytes in every place that could be mistaken for another one. */
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

/* Feeds it, until nothing more is to come or it has failed. */
static bool
feed(struct redis_stream *stream, int peer, size_t length)
{
    static const char zeros[SOCKET_BYTES];
    struct redisReply *reply = NULL;
    bool is_good = true;

    while (is_good && length > 0) {
        size_t part = length < sizeof(zeros) ? length : sizeof(zeros);
        ssize_t sent = send(peer, zeros, part, MSG_NOSIGNAL);

        length -= sent > 0 ? (size_t)sent : 0;
        is_good =
            redis_stream_read(stream) && redis_stream_next(stream, &reply);
        CU_ASSERT_PTR_NULL(reply);
    }
    return is_good;
}

TEST_SINGLE(huge, "an answer of more than 64 MiB is given up")
{
    static const char head[] = "$99999999\r\n";
    int peer;
    struct redis_stream *stream = open_stream(&peer);

    CU_ASSERT_EQUAL(send(peer, head, sizeof(head) - 1, MSG_NOSIGNAL),
                    (ssize_t)sizeof(head) - 1);
    CU_ASSERT_TRUE(feed(stream, peer, REPLY_MAX - sizeof(head)));
    CU_ASSERT_FALSE(feed(stream, peer, 2 * sizeof(head)));
    CU_ASSERT_STRING_EQUAL(redis_stream_error(stream), "too large an answer");
    redis_stream_free(stream);
    (void)close(peer);
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

    CU_ASSERT_EQUAL(send(peer, said, sizeof(said) - 1, MSG_NOSIGNAL),
                    (ssize_t)sizeof(said) - 1);
    (void)close(peer);
    CU_ASSERT_TRUE(redis_stream_write(stream, bytes_of("x"), &waits));
    CU_ASSERT_FALSE(waits);
    CU_ASSERT_TRUE(redis_stream_read(stream));
    CU_ASSERT_TRUE(redis_stream_next(stream, &reply));
    CU_ASSERT_PTR_NOT_NULL_FATAL(reply);
    CU_ASSERT_EQUAL(reply->type, REDIS_REPLY_ERROR);
    freeReplyObject(reply);
    CU_ASSERT_FALSE(redis_stream_write(stream, bytes_of("x"), &waits));
    CU_ASSERT_FALSE(redis_stream_read(stream));
    redis_stream_free(stream);
}

/* A name goes into the SNI, which has room for 255 bytes of it. */
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

/* Without TLS nothing is written, and with it nothing that could be read. */
TEST_CASES(tls, struct tls_case, tls_rows)
{
    static const char secret[] = "AUTH secret";
    static const unsigned char handshake = 22; /* RFC 8446, section 5.1 */
    char host[300] = "", got[4096] = "";
    struct redis_url config = {.host = host, .tls = true};
    struct redis_stream *stream = redis_stream_new(&config);
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
