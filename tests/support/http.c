/*
 * The HTTP client of the integration tests: libcurl for well-formed requests,
 * plain sockets for others.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buffer.h"
#include "clock.h"
#include "http.h"
#include "lost.h"
#include "ports.h"

#define HTTP_LIMIT_MS  5000L /* far more than any answer takes */
#define HTTP_URL_MAX   (64 * 1024)
#define HTTP_READ_STEP 4096

struct http {
    CURL *curl;
    const char *host, *ca_file;
    int port;
};

struct http *
http_open(int port)
{
    return http_open_at("127.0.0.1", port, NULL);
}

struct http *
http_open_at(const char *host, int port, const char *ca_file)
{
    struct http *http = calloc(1, sizeof(*http));

    if (http == NULL)
        return NULL;
    http->host = host;
    http->ca_file = ca_file;
    http->port = port;
    http->curl = curl_easy_init();
    if (http->curl == NULL) {
        free(http);
        return NULL;
    }
    return http;
}

void
http_close(struct http *http)
{
    if (http == NULL)
        return;
    curl_easy_cleanup(http->curl);
    free(http);
}

static size_t
take(char *data, size_t size, size_t count, void *arg)
{
    buffer_add(arg, data, size * count);
    return size * count;
}

/* What is left of a body that is sent in chunks. */
struct source {
    const char *at;
    size_t left;
};

static size_t
give(char *data, size_t size, size_t count, void *arg)
{
    struct source *source = arg;
    size_t length = size * count < source->left ? size * count : source->left;

    memcpy(data, source->at, length);
    source->at += length;
    source->left -= length;
    return length;
}

static void
set_body(CURL *curl, const struct http_request *request, struct source *source)
{
    if (request->is_chunked) {
        (void)curl_easy_setopt(curl, CURLOPT_POST, 1L);
        (void)curl_easy_setopt(curl, CURLOPT_READFUNCTION, give);
        (void)curl_easy_setopt(curl, CURLOPT_READDATA, source);
    } else if (request->body != NULL) {
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                               (curl_off_t)source->left);
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
    }
}

/* Without the Expect and Content-Type that libcurl adds by itself. */
static struct curl_slist *
header_list(const struct http_request *request)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");

    list = curl_slist_append(list, "Content-Type: application/json");
    if (request->is_chunked)
        list = curl_slist_append(list, "Transfer-Encoding: chunked");
    for (size_t i = 0; request->headers != NULL && request->headers[i]; i++)
        list = curl_slist_append(list, request->headers[i]);
    return list;
}

static void
set_up(struct http *http, const struct http_request *request,
       struct source *source, struct curl_slist *headers)
{
    CURL *curl = http->curl;
    const char *verb = request->verb != NULL ? request->verb : "POST";
    char url[HTTP_URL_MAX];

    (void)snprintf(url, sizeof(url), "%s://%s:%d%s",
                   http->ca_file != NULL ? "https" : "http", http->host,
                   http->port,
                   request->path != NULL ? request->path : "/method");
    curl_easy_reset(curl);
    if (http->ca_file != NULL)
        (void)curl_easy_setopt(curl, CURLOPT_CAINFO, http->ca_file);
    if (request->is_http1)
        (void)curl_easy_setopt(curl, CURLOPT_HTTP_VERSION,
                               CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, HTTP_LIMIT_MS);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    set_body(curl, request, source);
    (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, verb);
    if (strcmp(verb, "HEAD") == 0)
        (void)curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
}

/* Texts that could not be received are "". */
static struct http_answer
finish(struct buffer *headers, struct buffer *body, int status, int64_t start)
{
    struct http_answer answer = {.status = status,
                                 .seconds = (double)(clock_us() - start) / 1e6};

    answer.body_length = body->length;
    answer.headers = buffer_take(headers);
    answer.body = buffer_take(body);
    return answer;
}

/*
 * Reading the state of all processes takes a while, so it is shared by the
 * requests of some milliseconds, and left out for an answer that is faster than
 * any promise. What is lost in the last END_AGE_US counts as the answer's.
 */
#define LOOK_AGE_US 20000
#define END_AGE_US  5000
#define QUICK_US    30000

static _Thread_local struct lost looked;
static _Thread_local int64_t looked_us;

static void
look(void)
{
    if (looked_us == 0 || clock_us() - looked_us >= LOOK_AGE_US)
        looked_us = lost_look_shared(&looked, LOOK_AGE_US);
}

static double
without_lost(double seconds)
{
    const int64_t us = (int64_t)(seconds * 1e6);
    struct lost now;
    int64_t left_us;

    if (us < QUICK_US)
        return seconds;
    (void)lost_look_shared(&now, END_AGE_US);
    left_us = us - lost_between_us(&looked, &now);
    return left_us > 0 ? (double)left_us / 1e6 : 0;
}

struct http_answer
http_send(struct http *http, const struct http_request *request)
{
    struct buffer headers = {0}, body = {0};
    struct source source = {request->body, request->body_length};
    struct curl_slist *list = header_list(request);
    struct http_answer answer;
    int64_t start;
    long status = 0;
    CURLcode result;

    if (source.left == 0 && request->body != NULL)
        source.left = strlen(request->body);
    set_up(http, request, &source, list);
    (void)curl_easy_setopt(http->curl, CURLOPT_WRITEFUNCTION, take);
    (void)curl_easy_setopt(http->curl, CURLOPT_WRITEDATA, &body);
    (void)curl_easy_setopt(http->curl, CURLOPT_HEADERFUNCTION, take);
    (void)curl_easy_setopt(http->curl, CURLOPT_HEADERDATA, &headers);
    look();
    start = clock_us();
    result = curl_easy_perform(http->curl);
    if (result == CURLE_OK)
        (void)curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &status);
    else
        buffer_add_text(&body, curl_easy_strerror(result));
    answer = finish(&headers, &body, (int)status, start);
    answer.seconds = without_lost(answer.seconds);
    curl_slist_free_all(list);
    return answer;
}

struct http_answer
http_post(struct http *http, const char *body)
{
    const struct http_request request = {.body = body};

    return http_send(http, &request);
}

static void
exchange(int fd, const char *data, size_t length, bool is_half,
         struct buffer *all)
{
    char step[HTTP_READ_STEP];
    ssize_t got;

    while (length > 0) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);

        if (sent <= 0)
            break;
        data += sent;
        length -= (size_t)sent;
    }
    if (is_half)
        (void)shutdown(fd, SHUT_WR);
    while ((got = recv(fd, step, sizeof(step), 0)) > 0)
        buffer_add(all, step, (size_t)got);
}

/* fd: a connection, which this closes; or -1. */
static struct http_answer
raw(int fd, const void *data, size_t length, bool is_half)
{
    struct buffer all = {0}, headers = {0}, body = {0};
    int64_t start = clock_us();
    int status = 0;
    const char *text, *end;

    if (fd >= 0) {
        exchange(fd, data, length, is_half, &all);
        (void)close(fd);
    }
    text = buffer_text(&all);
    end = strstr(text, "\r\n\r\n");
    if (end != NULL && sscanf(text, "HTTP/1.%*1[01] %d", &status) == 1) {
        buffer_add(&headers, text, (size_t)(end - text) + 2);
        buffer_add_text(&body, end + 4);
    } else {
        buffer_add_text(&body, text);
    }
    buffer_free(&all);
    return finish(&headers, &body, status, start);
}

struct http_answer
http_raw_from(const char *address, int port, const void *data, size_t length,
              int limit_ms)
{
    return raw(ports_connect_from(address, port, limit_ms), data, length,
               false);
}

struct http_answer
http_raw_half(int port, const void *data, size_t length, int limit_ms)
{
    return raw(ports_connect(port, limit_ms), data, length, true);
}

struct http_answer
http_raw(int port, const void *data, size_t length, int limit_ms)
{
    return http_raw_from(NULL, port, data, length, limit_ms);
}

bool
http_header(const struct http_answer *answer, const char *name, char *value,
            size_t value_size)
{
    size_t name_length = strlen(name);
    const char *line = answer->headers;

    while (line != NULL && *line != '\0') {
        const char *end = strpbrk(line, "\r\n");

        if (end == NULL)
            end = line + strlen(line);
        if (strncasecmp(line, name, name_length) == 0 &&
            line[name_length] == ':') {
            line += name_length + 1;
            line += strspn(line, " ");
            if ((size_t)(end - line) >= value_size)
                return false;
            (void)snprintf(value, value_size, "%.*s", (int)(end - line), line);
            return true;
        }
        line = end + strspn(end, "\r\n");
    }
    return false;
}

void
http_answer_free(struct http_answer *answer)
{
    free(answer->headers);
    free(answer->body);
    *answer = (struct http_answer){0};
}
