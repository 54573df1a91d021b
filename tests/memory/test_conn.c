/*
 * FastCGI exchanges with every allocation failing in turn: the request at hand
 * gets its answer, a 500, or a closed connection; nothing leaks; and the next
 * one is answered.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/buffer.h"
#include "support/cases.h"
#include "support/fcgi_peer.h"
#include "support/fcgi_reply.h"
#include "support/memory.h"
#include "support/served.h"
#include "support/token.h"

#define REQUEST(method, arguments)                                             \
    "{\"account\": \"horns&hoofs\", \"login\": \"h&f\", \"token\": "           \
    "\"" TOKEN_KNOWN "\", \"method\": \"" method                               \
    "\", \"arguments\": " arguments "}"

#define VALUE_LENGTH 4000 /* of the value of every key */
#define ANSWER_MAX   (1024 * 1024)
#define WHOLE_SLACK  64 /* bytes */
#define IDLE_TURNS   4  /* turns after which nothing more can happen */

struct exchange_case {
    const char *name;
    const char *body;
    size_t first; /* bytes that arrive before the others; 0: all at once */
    int status;
    size_t length_min; /* of the answer's body */
};

static const struct exchange_case exchange_rows[] = {
    {"score",
     REQUEST("online_score", "{\"phone\": \"79175002040\", \"email\": \"@\"}"),
     0, 200, 0},
    {"score of a request in two pieces",
     REQUEST("online_score", "{\"phone\": \"79175002040\", \"email\": \"@\"}"),
     50, 200, 0},
    {"interests", REQUEST("clients_interests", "{\"client_ids\": [1]}"), 0, 200,
     VALUE_LENGTH},
    /* more than fits into a small answer */
    {"interests of many",
     REQUEST("clients_interests",
             "{\"client_ids\": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, "
             "15, 16, 17, 18, 19, 20]}"),
     200, 200, (size_t)20 * VALUE_LENGTH},
    {"broken text", "{", 0, 400, 0},
    {"empty", "", 0, 400, 0},
};

/* Answers to GET have no envelope: they are complete, or a 500. */
struct told_case {
    const char *name, *path, *listener;
    const char *end; /* of the answer */
};

static const struct told_case told_rows[] = {
    {"health", "/healthz", NULL, "\"}"},
    {"the metrics", "/metrics", "metrics", "\n"},
};

static struct served served;
static struct buffer request; /* the bytes of the row's exchange */
static char received[ANSWER_MAX];

/* Reads until nothing more arrives; returns how many bytes arrived. */
static size_t
receive(int fd)
{
    size_t length = 0;

    for (int idle = 0; idle < IDLE_TURNS; idle++) {
        ssize_t got;

        served_turn(&served);
        got = recv(fd, received + length, sizeof(received) - length,
                   MSG_DONTWAIT);
        if (got <= 0)
            continue;
        length += (size_t)got;
        idle = 0;
    }
    return length;
}

static void
check_answer(struct bytes bytes, const struct exchange_case *c, bool has_failed)
{
    struct buf text = {0};
    int status = 0;
    const char *body;

    if (bytes.length == 0) {
        CU_ASSERT_TRUE(has_failed);
        return;
    }
    CU_ASSERT_EQUAL(fcgi_reply_take(bytes, &text), FCGI_REPLY_COMPLETE);
    buf_add(&text, "", 1);
    CU_ASSERT_EQUAL(sscanf(text.data, "Status: %d", &status), 1);
    CU_ASSERT(status == c->status || (has_failed && status == 500));
    body = strstr(text.data, "\r\n\r\n{\"code\": ");
    CU_ASSERT_PTR_NOT_NULL(body);
    CU_ASSERT(status != c->status || body == NULL ||
              strlen(body) > c->length_min);
    buf_free(&text);
}

static void
exchange(const struct exchange_case *c)
{
    int fd = served_connect(&served);
    size_t first = c->first != 0 ? c->first : request.length;
    size_t length = 0;
    bool has_failed;

    if (fd != -1) {
        (void)send(fd, request.data, first, MSG_NOSIGNAL);
        served_turn(&served);
        if (first < request.length)
            (void)send(fd, request.data + first, request.length - first,
                       MSG_NOSIGNAL);
        length = receive(fd);
        (void)close(fd);
        served_turn(&served);
    }
    has_failed = memory_stop();
    served_turn(&served);
    CU_ASSERT(fd != -1 || has_failed);
    CU_ASSERT_EQUAL(conn_count(&served.shared), 0);
    check_answer((struct bytes){received, length}, c, has_failed);
}

static void
exchange_twice(const void *row)
{
    exchange(row);
    exchange(row); /* with no failure */
}

TEST_CASES(exchange, struct exchange_case, exchange_rows)
{
    const struct fcgi_peer_exchange peer = {.body = c->body,
                                            .body_length = strlen(c->body)};
    char value[VALUE_LENGTH + 1];

    (void)snprintf(value, sizeof(value), "[\"%*s\"]", VALUE_LENGTH - 4, "");
    fcgi_peer_whole(&request, &peer);
    CU_ASSERT_TRUE_FATAL(served_start(&served, bytes_of(value)));
    memory_fail_each(exchange_twice, c);
    served_stop(&served);
    buffer_free(&request);
}

static size_t
    whole; /* bytes of the answer without a failure; 0: not known yet */

static void
get(const void *row)
{
    const struct told_case *c = row;
    int fd = served_connect(&served);
    struct buf text = {0};
    size_t length = 0;
    bool has_failed;

    if (fd != -1) {
        (void)send(fd, request.data, request.length, MSG_NOSIGNAL);
        length = receive(fd);
        (void)close(fd);
        served_turn(&served);
    }
    has_failed = memory_stop();
    served_turn(&served);
    if (length == 0) {
        CU_ASSERT_TRUE(has_failed);
        return;
    }
    CU_ASSERT_EQUAL(fcgi_reply_take((struct bytes){received, length}, &text),
                    FCGI_REPLY_COMPLETE);
    buf_add(&text, "", 1);
    if (strncmp(text.data, "Status: 500 ", 12) == 0) {
        CU_ASSERT_TRUE(has_failed);
    } else {
        const char *end = text.data + text.length - 1 - strlen(c->end);

        CU_ASSERT_EQUAL(strncmp(text.data, "Status: 200 ", 12), 0);
        CU_ASSERT_STRING_EQUAL(end, c->end);
        if (whole == 0)
            whole = text.length;
        /* Counts have more digits as they grow. */
        CU_ASSERT(text.length + WHOLE_SLACK >= whole);
    }
    buf_free(&text);
}

TEST_CASES(told, struct told_case, told_rows)
{
    const struct fcgi_peer_exchange peer = {
        .verb = "GET", .path = c->path, .listener = c->listener};

    fcgi_peer_whole(&request, &peer);
    CU_ASSERT_TRUE_FATAL(served_start(&served, bytes_of("")));
    whole = 0;
    get(c);
    CU_ASSERT(whole > 0);
    memory_fail_each(get, c);
    served_stop(&served);
    buffer_free(&request);
}
