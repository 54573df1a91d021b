/*
 * Writes the records of one FastCGI request and reads those of its answer.
 * Implements the web server's side of "Topology" of docs/protocol.md, for the
 * health check; the format is that of the FastCGI specification 1.0, sections
 * 3.3, 3.4, 5 and 8.
 */
#include <assert.h>
#include <stdint.h>

#include "fcgi/client.h"

#define FCGI_VERSION    1
#define FCGI_REQUEST_ID 1 /* the only one on its connection */
#define FCGI_RESPONDER  1

#define HEADER_LENGTH 8
#define END_LENGTH    8 /* of the content of END_REQUEST */

enum record_type {
    RECORD_BEGIN = 1,
    RECORD_END = 3,
    RECORD_PARAMS = 4,
    RECORD_STDIN = 5,
    RECORD_STDOUT = 6,
    RECORD_STDERR = 7
};

/* A record that has been received whole. */
struct record {
    uint8_t type;
    struct bytes content;
};

static void
put_record(struct buf *out, enum record_type type, struct bytes content)
{
    const uint8_t header[HEADER_LENGTH] = {
        FCGI_VERSION,
        (uint8_t)type,
        0,
        FCGI_REQUEST_ID,
        (uint8_t)(content.length >> 8),
        (uint8_t)content.length,
    };

    assert(content.length <= UINT16_MAX);
    buf_add(out, header, sizeof(header));
    buf_add_bytes(out, content);
}

/* Each pair in a record of its own, which the specification allows. */
static void
put_param(struct buf *out, const struct fcgi_client_param *param)
{
    const struct bytes name = bytes_of(param->name);
    const struct bytes value = bytes_of(param->value);
    char pair[2 + 2 * FCGI_CLIENT_TEXT_MAX];

    assert(name.length <= FCGI_CLIENT_TEXT_MAX);
    assert(value.length <= FCGI_CLIENT_TEXT_MAX);
    pair[0] = (char)name.length;
    pair[1] = (char)value.length;
    memcpy(pair + 2, name.at, name.length);
    memcpy(pair + 2 + name.length, value.at, value.length);
    put_record(out, RECORD_PARAMS,
               (struct bytes){pair, 2 + name.length + value.length});
}

void
fcgi_client_put(struct buf *out, const struct fcgi_client_param *params,
                size_t count, struct bytes body)
{
    static const char begin[8] = {0, FCGI_RESPONDER}; /* flags 0: then close */
    static const struct bytes end = {"", 0};

    assert(body.length <= FCGI_CLIENT_TEXT_MAX);
    put_record(out, RECORD_BEGIN, (struct bytes){begin, sizeof(begin)});
    for (size_t i = 0; i < count; i++)
        put_param(out, &params[i]);
    put_record(out, RECORD_PARAMS, end);
    if (body.length > 0)
        put_record(out, RECORD_STDIN, body);
    put_record(out, RECORD_STDIN, end);
}

/* Takes one record off the front of what is left, if it is there whole. */
static enum fcgi_client_verdict
take_record(struct bytes *left, struct record *ret_record)
{
    const uint8_t *header = (const uint8_t *)left->at;
    size_t content, whole;

    if (left->length < HEADER_LENGTH)
        return FCGI_CLIENT_MORE;
    if (header[0] != FCGI_VERSION || header[2] != 0 ||
        header[3] != FCGI_REQUEST_ID)
        return FCGI_CLIENT_BAD;
    content = (size_t)header[4] << 8 | header[5];
    whole = HEADER_LENGTH + content + header[6];
    if (left->length < whole)
        return FCGI_CLIENT_MORE;
    *ret_record = (struct record){
        .type = header[1],
        .content = {left->at + HEADER_LENGTH, content},
    };
    left->at += whole;
    left->length -= whole;
    return FCGI_CLIENT_COMPLETE;
}

/* Both the protocol's status and the application's must be 0. */
static enum fcgi_client_verdict
end_verdict(struct bytes content)
{
    static const char good[5]; /* application status, protocol status */

    return content.length == END_LENGTH &&
                   memcmp(content.at, good, sizeof(good)) == 0
               ? FCGI_CLIENT_COMPLETE
               : FCGI_CLIENT_BAD;
}

enum fcgi_client_verdict
fcgi_client_take(struct bytes received, struct buf *answer)
{
    struct buf content = {0};
    struct record record;
    enum fcgi_client_verdict verdict;

    while ((verdict = take_record(&received, &record)) ==
           FCGI_CLIENT_COMPLETE) {
        if (record.type == RECORD_STDOUT) {
            buf_add_bytes(&content, record.content);
        } else if (record.type == RECORD_END) {
            verdict = end_verdict(record.content);
            break;
        } else if (record.type != RECORD_STDERR) {
            verdict = FCGI_CLIENT_BAD;
            break;
        }
    }
    if (verdict == FCGI_CLIENT_COMPLETE)
        buf_add_bytes(answer, buf_bytes(&content));
    answer->failed |= content.failed;
    buf_free(&content);
    return verdict;
}
