/*
 * A scripted web server, for the tests of FastCGI.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "fcgi_peer.h"

#define HEADER_LENGTH   8
#define BEGIN_LENGTH    8
#define PADDING_MAX     255
#define SHORT_LENGTH    127 /* of a name or value, in one byte */
#define SEND_LIMIT_S    5
#define LARGEST_RECORD  (HEADER_LENGTH + FCGI_PEER_RECORD_MAX + PADDING_MAX)
#define NUMBER_TEXT_MAX 32

void
fcgi_peer_record(struct buffer *out, int type, int id, const void *content,
                 size_t length, size_t padding)
{
    static const char zeros[PADDING_MAX];
    const unsigned char header[HEADER_LENGTH] = {
        1, /* version */
        (unsigned char)type,
        (unsigned char)(id >> 8),
        (unsigned char)(id & 0xff),
        (unsigned char)(length >> 8),
        (unsigned char)(length & 0xff),
        (unsigned char)padding,
    };

    buffer_add(out, header, sizeof(header));
    buffer_add(out, content, length);
    buffer_add(out, zeros, padding);
}

void
fcgi_peer_begin(struct buffer *out, int id, int role, int flags)
{
    const unsigned char content[BEGIN_LENGTH] = {
        (unsigned char)(role >> 8),
        (unsigned char)(role & 0xff),
        (unsigned char)flags,
    };

    fcgi_peer_record(out, FCGI_PEER_BEGIN, id, content, sizeof(content), 0);
}

static void
put_length(struct buffer *content, size_t length)
{
    const unsigned char bytes[] = {
        (unsigned char)(length >> 24 | 0x80), (unsigned char)(length >> 16),
        (unsigned char)(length >> 8), (unsigned char)length};

    if (length <= SHORT_LENGTH)
        buffer_add(content, &bytes[3], 1);
    else
        buffer_add(content, bytes, sizeof(bytes));
}

void
fcgi_peer_pair(struct buffer *content, const char *name, const char *value)
{
    put_length(content, strlen(name));
    put_length(content, strlen(value));
    buffer_add_text(content, name);
    buffer_add_text(content, value);
}

void
fcgi_peer_params(struct buffer *content,
                 const struct fcgi_peer_exchange *exchange)
{
    char number[NUMBER_TEXT_MAX];
    const char *length = exchange->content_length;

    if (length == NULL) {
        (void)snprintf(number, sizeof(number), "%zu", exchange->body_length);
        length = number;
    }
    fcgi_peer_pair(content, "REQUEST_METHOD",
                   exchange->verb != NULL ? exchange->verb : "POST");
    fcgi_peer_pair(content, "DOCUMENT_URI",
                   exchange->path != NULL ? exchange->path : "/method");
    if (exchange->listener != NULL)
        fcgi_peer_pair(content, "SCORING_LISTENER", exchange->listener);
    if (length[0] != '\0')
        fcgi_peer_pair(content, "CONTENT_LENGTH", length);
    fcgi_peer_pair(content, "REQUEST_ID",
                   exchange->id != NULL ? exchange->id : "peer-1");
}

void
fcgi_peer_head(struct buffer *out, const struct fcgi_peer_exchange *exchange)
{
    struct buffer content = {0};

    fcgi_peer_begin(out, 1, FCGI_PEER_RESPONDER,
                    exchange->is_last ? 0 : FCGI_PEER_KEEP);
    fcgi_peer_params(&content, exchange);
    fcgi_peer_record(out, FCGI_PEER_PARAMS, 1, content.data, content.length,
                     exchange->padding);
    fcgi_peer_record(out, FCGI_PEER_PARAMS, 1, "", 0, 0);
    buffer_free(&content);
}

void
fcgi_peer_body(struct buffer *out, const struct fcgi_peer_exchange *exchange)
{
    size_t record =
        exchange->record != 0 ? exchange->record : FCGI_PEER_RECORD_MAX;

    for (size_t at = 0; at < exchange->body_length; at += record) {
        size_t rest = exchange->body_length - at;

        fcgi_peer_record(out, FCGI_PEER_STDIN, 1, exchange->body + at,
                         rest < record ? rest : record, exchange->padding);
    }
    fcgi_peer_record(out, FCGI_PEER_STDIN, 1, "", 0, 0);
}

void
fcgi_peer_whole(struct buffer *out, const struct fcgi_peer_exchange *exchange)
{
    fcgi_peer_head(out, exchange);
    fcgi_peer_body(out, exchange);
}

void
fcgi_peer_request(struct buffer *out, char *body)
{
    const struct fcgi_peer_exchange exchange = {.body = body,
                                                .body_length = strlen(body)};

    fcgi_peer_whole(out, &exchange);
    free(body);
}

int
fcgi_peer_connect(const char *path)
{
    const struct timeval limit = {.tv_sec = SEND_LIMIT_S};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

bool
fcgi_peer_send(int fd, const struct buffer *bytes)
{
    size_t done = 0;

    while (done < bytes->length) {
        ssize_t sent =
            send(fd, bytes->data + done, bytes->length - done, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        done += (size_t)sent;
    }
    return true;
}

/* Reads exactly this many bytes, or returns why not. What has arrived is read
 * even if no time is left. */
static enum fcgi_peer_end
read_exactly(int fd, int64_t end_ms, unsigned char *bytes, size_t length)
{
    size_t done = 0;

    while (done < length) {
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        int64_t left_ms = end_ms - clock_ms();
        ssize_t got;

        if (poll(&waiting, 1, left_ms > 0 ? (int)left_ms : 0) <= 0)
            return FCGI_PEER_SILENT;
        got = recv(fd, bytes + done, length - done, 0);
        if (got <= 0)
            return FCGI_PEER_CLOSED;
        done += (size_t)got;
    }
    return FCGI_PEER_ANSWERED;
}

/* Reads one record, with its content at the beginning of bytes. */
static enum fcgi_peer_end
read_record(int fd, int64_t end_ms, unsigned char bytes[LARGEST_RECORD],
            int *ret_type, size_t *ret_length)
{
    unsigned char header[HEADER_LENGTH];
    size_t length;
    enum fcgi_peer_end end = read_exactly(fd, end_ms, header, sizeof(header));

    if (end != FCGI_PEER_ANSWERED)
        return end;
    if (header[0] != 1 || header[2] != 0 || header[3] != 1)
        return FCGI_PEER_WRONG;
    length = (size_t)(header[4] << 8 | header[5]);
    end = read_exactly(fd, end_ms, bytes, length + header[6]);
    if (end != FCGI_PEER_ANSWERED)
        return end;
    *ret_type = header[1];
    *ret_length = length;
    return FCGI_PEER_ANSWERED;
}

/* Application status 0, protocol status "complete". */
static bool
is_good_end(const unsigned char *content, size_t length)
{
    static const unsigned char want[5] = {0};

    return length == 8 && memcmp(content, want, sizeof(want)) == 0;
}

enum fcgi_peer_end
fcgi_peer_read(int fd, int limit_ms, struct fcgi_peer_answer *ret_answer)
{
    static _Thread_local unsigned char bytes[LARGEST_RECORD];
    int64_t end_ms = clock_ms() + limit_ms;
    struct buffer text = {0};
    enum fcgi_peer_end end;
    size_t length = 0;
    int type = 0;

    while ((end = read_record(fd, end_ms, bytes, &type, &length)) ==
               FCGI_PEER_ANSWERED &&
           type == FCGI_PEER_STDOUT)
        buffer_add(&text, bytes, length);
    if (end == FCGI_PEER_ANSWERED &&
        (type != FCGI_PEER_END || !is_good_end(bytes, length) ||
         strncmp(buffer_text(&text), "Status: ", 8) != 0))
        end = FCGI_PEER_WRONG;
    if (end != FCGI_PEER_ANSWERED) {
        buffer_free(&text);
        return end;
    }
    ret_answer->status = atoi(text.data + 8);
    ret_answer->text = text;
    return FCGI_PEER_ANSWERED;
}

void
fcgi_peer_answer_free(struct fcgi_peer_answer *answer)
{
    buffer_free(&answer->text);
}

const char *
fcgi_peer_answer_body(const struct fcgi_peer_answer *answer)
{
    const char *end = strstr(buffer_text(&answer->text), "\r\n\r\n");

    return end != NULL ? end + 4 : "";
}

int
fcgi_peer_status(int fd, int limit_ms)
{
    struct fcgi_peer_answer answer = {0};
    enum fcgi_peer_end end = fcgi_peer_read(fd, limit_ms, &answer);

    fcgi_peer_answer_free(&answer);
    if (end == FCGI_PEER_CLOSED)
        return 0;
    return end == FCGI_PEER_ANSWERED ? answer.status : -1;
}

bool
fcgi_peer_is_closed(int fd, int limit_ms)
{
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    char byte;

    return poll(&waiting, 1, limit_ms) == 1 && recv(fd, &byte, 1, 0) <= 0;
}
