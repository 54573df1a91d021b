/*
 * Reads the records of one FastCGI answer. The format is that of the FastCGI
 * specification 1.0, sections 3.3, 5 and 8.
 */
#include <stdint.h>
#include <string.h>

#include "fcgi_reply.h"

#define FCGI_VERSION    1
#define FCGI_REQUEST_ID 1 /* the only one on its connection */

#define HEADER_LENGTH 8
#define END_LENGTH    8 /* of the content of END_REQUEST */

enum record_type { RECORD_END = 3, RECORD_STDOUT = 6, RECORD_STDERR = 7 };

/* A record that has arrived completely. */
struct record {
    uint8_t type;
    struct bytes content;
};

/* Takes the first record from the bytes, if it has arrived completely. */
static enum fcgi_reply_verdict
take_record(struct bytes *left, struct record *ret_record)
{
    const uint8_t *header = (const uint8_t *)left->at;
    size_t content, whole;

    if (left->length < HEADER_LENGTH)
        return FCGI_REPLY_MORE;
    if (header[0] != FCGI_VERSION || header[2] != 0 ||
        header[3] != FCGI_REQUEST_ID)
        return FCGI_REPLY_BAD;
    content = (size_t)header[4] << 8 | header[5];
    whole = HEADER_LENGTH + content + header[6];
    if (left->length < whole)
        return FCGI_REPLY_MORE;
    *ret_record = (struct record){
        .type = header[1],
        .content = {left->at + HEADER_LENGTH, content},
    };
    left->at += whole;
    left->length -= whole;
    return FCGI_REPLY_COMPLETE;
}

/* Both the protocol's status and the application's must be 0. */
static enum fcgi_reply_verdict
end_verdict(struct bytes content)
{
    static const char good[5]; /* application status, protocol status */

    return content.length == END_LENGTH &&
                   memcmp(content.at, good, sizeof(good)) == 0
               ? FCGI_REPLY_COMPLETE
               : FCGI_REPLY_BAD;
}

enum fcgi_reply_verdict
fcgi_reply_take(struct bytes received, struct buf *answer)
{
    struct buf content = {0};
    struct record record;
    enum fcgi_reply_verdict verdict;

    while ((verdict = take_record(&received, &record)) == FCGI_REPLY_COMPLETE) {
        if (record.type == RECORD_STDOUT) {
            buf_add_bytes(&content, record.content);
        } else if (record.type == RECORD_END) {
            verdict = end_verdict(record.content);
            break;
        } else if (record.type != RECORD_STDERR) {
            verdict = FCGI_REPLY_BAD;
            break;
        }
    }
    if (verdict == FCGI_REPLY_COMPLETE)
        buf_add_bytes(answer, buf_bytes(&content));
    answer->failed |= content.failed;
    buf_free(&content);
    return verdict;
}
