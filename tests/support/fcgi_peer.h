#ifndef FCGI_PEER_H
#define FCGI_PEER_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

/*
 * A scripted web server: makes valid and invalid FastCGI records, and sends
 * them to a unix socket. Source: FastCGI specification 1.0, sections 3 and 8.
 */

enum fcgi_peer_type {
    FCGI_PEER_BEGIN = 1,
    FCGI_PEER_ABORT,
    FCGI_PEER_END,
    FCGI_PEER_PARAMS,
    FCGI_PEER_STDIN,
    FCGI_PEER_STDOUT,
    FCGI_PEER_STDERR,
    FCGI_PEER_DATA,
    FCGI_PEER_GET_VALUES
};

#define FCGI_PEER_RESPONDER  1
#define FCGI_PEER_KEEP       1 /* in the flags of BEGIN */
#define FCGI_PEER_RECORD_MAX 65535

/* One record; its padding is zeros. */
void fcgi_peer_record(struct buffer *out, int type, int id, const void *content,
                      size_t length, size_t padding);
void fcgi_peer_begin(struct buffer *out, int id, int role, int flags);

/* A pair in the content of PARAMS. */
void fcgi_peer_pair(struct buffer *content, const char *name,
                    const char *value);

/* A request; a member that is not set is as nginx sends it. */
struct fcgi_peer_exchange {
    const char *verb;     /* NULL: POST */
    const char *path;     /* NULL: /method */
    const char *listener; /* NULL: none is sent */
    const char *body;
    size_t body_length;
    const char *content_length; /* NULL: of the body; "": none is sent */
    const char *id;             /* of the request; NULL: "peer-1" */
    size_t record;  /* bytes of the body in each record; 0: the most */
    size_t padding; /* of each record but those that end a stream */
    bool is_last;   /* asks the service to close the connection */
};

/* The pairs of an exchange, without their record. */
void fcgi_peer_params(struct buffer *content,
                      const struct fcgi_peer_exchange *exchange);

/* BEGIN and PARAMS with their end; the body with its end; both. */
void fcgi_peer_head(struct buffer *out,
                    const struct fcgi_peer_exchange *exchange);
void fcgi_peer_body(struct buffer *out,
                    const struct fcgi_peer_exchange *exchange);
void fcgi_peer_whole(struct buffer *out,
                     const struct fcgi_peer_exchange *exchange);

/* The whole of an exchange with this body, which it frees. */
void fcgi_peer_request(struct buffer *out, char *body);

/* A connection, or -1. */
int fcgi_peer_connect(const char *path);

/* Sends all bytes; returns false if the service does not take them in 5 s. */
bool fcgi_peer_send(int fd, const struct buffer *bytes);

enum fcgi_peer_end {
    FCGI_PEER_ANSWERED = 0,
    FCGI_PEER_CLOSED, /* before the end of an answer */
    FCGI_PEER_SILENT, /* at the limit */
    FCGI_PEER_WRONG   /* records that are no answer */
};

struct fcgi_peer_answer {
    int status; /* of the header "Status" */
    struct buffer text;
};

/*
 * Reads one answer.
 *
 * ret_answer   set when it is complete: header lines, an empty line, the body;
 *              the caller frees it.
 */
enum fcgi_peer_end fcgi_peer_read(int fd, int limit_ms,
                                  struct fcgi_peer_answer *ret_answer);
void fcgi_peer_answer_free(struct fcgi_peer_answer *answer);

/* The body of an answer; "" without one; lent. */
const char *fcgi_peer_answer_body(const struct fcgi_peer_answer *answer);

/* Reads one answer, and returns its status; 0: closed, -1: none or invalid. */
int fcgi_peer_status(int fd, int limit_ms);

/* Whether the service closes the connection within the limit, and sends
 * nothing. */
bool fcgi_peer_is_closed(int fd, int limit_ms);

#endif
