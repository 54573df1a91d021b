#ifndef HTTP_H
#define HTTP_H

#include <stdbool.h>
#include <stddef.h>

/* A client with one kept connection to a loopback port. */
struct http;

struct http_request {
    const char *verb;           /* NULL: POST */
    const char *path;           /* NULL: /method; sent as it is */
    const char *body;           /* NULL: no body */
    size_t body_length;         /* 0: as a C string */
    bool is_chunked;            /* without a Content-Length */
    bool is_http1;              /* HTTP/1.1, whatever else is offered */
    const char *const *headers; /* "Name: value", NULL at the end; or NULL */
};

/* status 0: no answer; the body is then the reason. */
struct http_answer {
    int status;
    char *headers; /* status line and header lines */
    char *body;
    size_t body_length;
    double seconds; /* of http_send(), without the time that lost.h measures */
};

/* NULL if memory runs out. */
struct http *http_open(int port);

/*
 * The same to a host as in a URL; over HTTPS if ca_file, borrowed, is given: a
 * PEM file of the trusted authorities.
 */
struct http *http_open_at(const char *host, int port, const char *ca_file);
void http_close(struct http *http);

/* The answer's texts are never NULL; end with http_answer_free(). */
struct http_answer http_send(struct http *http,
                             const struct http_request *request);

/* POST to /method. */
struct http_answer http_post(struct http *http, const char *body);

/*
 * Sends bytes over a new connection, and reads until the peer closes it, for at
 * most limit_ms.
 */
struct http_answer http_raw(int port, const void *data, size_t length,
                            int limit_ms);

/* The same from an address of the loopback, "127.0.0.2"; NULL: any. */
struct http_answer http_raw_from(const char *address, int port,
                                 const void *data, size_t length, int limit_ms);

/* The same, but closes its half of the connection after sending. */
struct http_answer http_raw_half(int port, const void *data, size_t length,
                                 int limit_ms);

/*
 * Copies the value of a header, without spaces around it; returns false if
 * there is no such header, or if it does not fit.
 */
bool http_header(const struct http_answer *answer, const char *name,
                 char *value, size_t value_size);

void http_answer_free(struct http_answer *answer);

#endif
