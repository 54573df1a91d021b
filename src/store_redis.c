/*
 * The link to one Redis: connecting within time limits, the checked handshake,
 * commands and what their replies mean. It implements "Store" of
 * docs/protocol.md below the decisions, which are store.c's.
 *
 * hiredis is used as a non-blocking context on a socket of our own. Its
 * callback layer (async.c) is left out on purpose: 0.14 aborts the process
 * when a reply comes that nobody asked for, pairs replies with the wrong
 * commands once an allocation failed, and looks names up blocking. Here the
 * commands under way are a ring, and a reply belongs to the oldest; anything
 * that does not fit ends the connection.
 */
#include <assert.h>
#include <errno.h>
#include <ev.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifdef HAVE_HIREDIS_SSL
#include <hiredis/hiredis_ssl.h>
#include <openssl/ssl.h>
#endif

#include "buf.h"
#include "resolver.h"
#include "store_link.h"
#include "store_redis.h"

/*
 * Keys of one MGET or EXISTS. Redis answers a command in one go, so this
 * bounds how long others wait for it: about half a millisecond.
 */
#define CHUNK_KEYS 512

/* Larger replies than a chunk's, or so many bytes, are not meant for us. */
#define REPLY_ELEMENTS_MAX CHUNK_KEYS
#define REPLY_BYTES_MAX    ((size_t)64 << 20)

/* Room for "*N\r\n$4\r\nMGET\r\n" or SET's options; for "$N\r\n" and "\r\n". */
#define COMMAND_ROOM 96
#define KEY_ROOM     32

#define RING_FIRST 64 /* commands; a power of 2, as all sizes of the ring */

/* Enough for a host name of 253 characters and words around it. */
#define WORDS_SIZE 320

/* A peer that vanished is noticed while idle: 15 + 3 x 5 seconds. */
#define KEEPALIVE_IDLE_S     15
#define KEEPALIVE_INTERVAL_S 5
#define KEEPALIVE_PROBES     3

#define MS_PER_S  1000
#define NS_PER_MS 1000000

/* A key that may be absent: only whether and how it is answered matters. */
static const struct bytes probe_key = {"i:0", 3};

enum command_kind {
    COMMAND_AUTH = 0,
    COMMAND_SELECT,
    COMMAND_PROBE,
    COMMAND_GET,
    COMMAND_MGET,
    COMMAND_EXISTS,
    COMMAND_TYPE,
    COMMAND_SET,
    COMMAND__MAX
};

/* One command under way; of a read, with its keys [first, first + count). */
struct command {
    enum command_kind kind;
    int64_t sent_ms;
    struct store_fetch *fetch;
    size_t first, count;
};

/* Replies that the values of a fetch point into. */
struct kept {
    size_t count;
    redisReply *replies[];
};

enum phase {
    PHASE_CLOSED = 0,
    PHASE_RESOLVING,
    PHASE_CONNECTING,
    PHASE_HANDSHAKE,
    PHASE_READY
};

struct redis_link {
    struct store_link base;
    struct ev_loop *loop;
    const struct config_redis *config;
    int64_t connect_timeout_ms;
    int64_t command_timeout_ms;

    enum phase phase;
    struct resolver *resolver;
    struct resolver_addresses addresses;
    size_t tried;     /* addresses of this attempt */
    size_t first_try; /* moves on with each attempt that failed */
    int fd;           /* while connecting; then the context's */
    redisContext *context;
    redisReplyObjectFunctions *library_functions; /* the context's own */
    redisReplyObjectFunctions reply_functions;    /* bounded */
    ev_io readable, writable;
    ev_timer limit; /* of the phase */

    struct buf out; /* formatted since the last flush */
    struct command *ring;
    size_t ring_size, ring_head, ring_count;
#ifdef HAVE_HIREDIS_SSL
    SSL_CTX *tls; /* NULL: plain */
    SSL *session; /* the context's */
#endif
};

/*
 * What errors say, by how they begin. Never more of them than this: the rest
 * of an error may quote what was sent.
 */
static const struct {
    const char *start, *words;
} error_words[] = {
    {"WRONGPASS", "the password was refused (WRONGPASS)"},
    {"NOAUTH", "a password is needed (NOAUTH)"},
    {"NOPERM", "the user lacks a permission (NOPERM)"},
    {"LOADING", "the server answered LOADING"},
    {"MASTERDOWN", "the server answered MASTERDOWN"},
    {"BUSY", "the server answered BUSY"},
    {"READONLY", "the server answered READONLY"},
    {"OOM", "the server is out of memory (OOM)"},
    {"MISCONF", "the server cannot save its data (MISCONF)"},
    {"CLUSTERDOWN", "the server answered CLUSTERDOWN"},
    {"MOVED", "the server is part of a cluster (MOVED)"},
    {"ERR invalid password", "the password was refused"},
    {"ERR AUTH ", "a password was given, but the server has none"},
    {"ERR Client sent AUTH", "a password was given, but the server has none"},
    {"ERR DB index", "the database number was refused"},
    {"ERR invalid DB index", "the database number was refused"},
    {"ERR max number of clients", "the server has too many clients"},
};

static struct redis_link *
link_of(struct store_link *base)
{
    return (struct redis_link *)base;
}

static int64_t
clock_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / NS_PER_MS;
}

/* Ending a connection. */

static void
fetch_release(struct store_fetch *fetch)
{
    struct kept *kept = fetch->kept;

    if (kept == NULL)
        return;
    for (size_t i = 0; i < kept->count; i++)
        freeReplyObject(kept->replies[i]);
    free(kept);
    fetch->kept = NULL;
}

static void
link_close(struct store_link *base)
{
    struct redis_link *link = link_of(base);

    link->phase = PHASE_CLOSED;
    resolver_cancel(link->resolver);
    ev_io_stop(link->loop, &link->readable);
    ev_io_stop(link->loop, &link->writable);
    ev_timer_stop(link->loop, &link->limit);
    redisFree(link->context); /* and the socket with it */
    link->context = NULL;
#ifdef HAVE_HIREDIS_SSL
    link->session = NULL; /* it went with the context */
#endif
    if (link->fd >= 0)
        (void)close(link->fd);
    link->fd = -1;
    buf_clear(&link->out);
    for (; link->ring_count > 0; link->ring_count--) {
        struct command *command =
            &link->ring[link->ring_head++ & (link->ring_size - 1)];

        if (command->fetch != NULL)
            fetch_release(command->fetch);
    }
    link->ring_head = 0;
}

/* Closes the connection and tells why. */
static void __attribute__((format(printf, 3, 4)))
fail(struct redis_link *link, enum store_fault fault, const char *format, ...)
{
    char words[WORDS_SIZE];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    if (link->phase != PHASE_READY)
        link->first_try++;
    link_close(&link->base);
    store_link_down(link->base.store, fault, words);
}

static void
fail_errno(struct redis_link *link, int error)
{
    if (error == ECONNREFUSED)
        fail(link, STORE_FAULT_CONNECTION, "connection refused");
    else
        fail(link, STORE_FAULT_CONNECTION, "connection failed: %s",
             strerror(error));
}

static bool
error_starts(const redisReply *reply, const char *start)
{
    return strncmp(reply->str, start, strlen(start)) == 0;
}

static const char *
error_text(const redisReply *reply)
{
    for (size_t i = 0; i < sizeof(error_words) / sizeof(error_words[0]); i++)
        if (error_starts(reply, error_words[i].start))
            return error_words[i].words;
    return "the server answered with an error";
}

/* Commands. */

/*
 * Makes room for so many more commands and bytes, so that adding them cannot
 * fail half-way.
 */
static bool
make_room(struct redis_link *link, size_t commands, size_t bytes)
{
    size_t size = link->ring_size;
    struct command *ring;

    if (!buf_reserve(&link->out, bytes)) {
        link->out.failed = false; /* what is in there stays good */
        return false;
    }
    while (size < link->ring_count + commands)
        size *= 2;
    if (size == link->ring_size)
        return true;
    ring = calloc(size, sizeof(*ring));
    if (ring == NULL)
        return false;
    for (size_t i = 0; i < link->ring_count; i++)
        ring[i] = link->ring[(link->ring_head + i) & (link->ring_size - 1)];
    free(link->ring);
    link->ring = ring;
    link->ring_size = size;
    link->ring_head = 0;
    return true;
}

static void
add_length(struct buf *out, char type, size_t length)
{
    buf_add(out, &type, 1);
    buf_add_int(out, (long long)length);
    buf_add(out, "\r\n", 2);
}

static void
add_argument(struct buf *out, struct bytes argument)
{
    add_length(out, '$', argument.length);
    buf_add_bytes(out, argument);
    buf_add(out, "\r\n", 2);
}

/*
 * Begins a command; its arguments follow. The protocol's framing is written
 * here because hiredis wants arrays of pointers and of lengths, and takes 1.4
 * (100 keys) to 2 times (one key) as long even when it has them.
 */
static void
add_command(struct redis_link *link, const struct command *command,
            const char *name, size_t arguments)
{
    size_t at = link->ring_head + link->ring_count++;

    assert(link->ring_count <= link->ring_size);
    link->ring[at & (link->ring_size - 1)] = *command;
    add_length(&link->out, '*', arguments + 1);
    add_argument(&link->out, bytes_of(name));
}

static size_t
chunk_end(size_t first, size_t count)
{
    return count - first > CHUNK_KEYS ? first + CHUNK_KEYS : count;
}

static void
add_get(struct redis_link *link, struct store_fetch *fetch, int64_t now_ms)
{
    const struct command command = {
        .kind = COMMAND_GET, .sent_ms = now_ms, .fetch = fetch, .count = 1};

    add_command(link, &command, "GET", 1);
    add_argument(&link->out, fetch->keys[0]);
    fetch->waiting++;
}

static void
add_mget(struct redis_link *link, struct store_fetch *fetch, size_t first,
         size_t end, int64_t now_ms)
{
    const struct command command = {.kind = COMMAND_MGET,
                                    .sent_ms = now_ms,
                                    .fetch = fetch,
                                    .first = first,
                                    .count = end - first};

    add_command(link, &command, "MGET", command.count);
    for (size_t i = first; i < end; i++)
        add_argument(&link->out, fetch->keys[i]);
    fetch->waiting++;
}

/*
 * One key is a GET, which tells a wrong type by itself; more are chunks of
 * MGET, all under way at once.
 */
static bool
link_read(struct store_link *base, struct store_fetch *fetch, int64_t now_ms)
{
    struct redis_link *link = link_of(base);
    size_t chunks = (fetch->count - 1) / CHUNK_KEYS + 1;
    size_t bytes = chunks * COMMAND_ROOM + fetch->count * KEY_ROOM;
    struct kept *kept;

    for (size_t i = 0; i < fetch->count; i++)
        bytes += fetch->keys[i].length;
    if (!make_room(link, chunks, bytes))
        return false;
    if (fetch->count == 1) {
        add_get(link, fetch, now_ms);
        return true;
    }
    kept = calloc(1, sizeof(*kept) + chunks * sizeof(kept->replies[0]));
    if (kept == NULL)
        return false;
    fetch->kept = kept;
    for (size_t first = 0; first < fetch->count; first += CHUNK_KEYS)
        add_mget(link, fetch, first, chunk_end(first, fetch->count), now_ms);
    return true;
}

static bool
link_write(struct store_link *base, struct bytes key, struct bytes value,
           int64_t ttl_s, int64_t now_ms)
{
    const struct command command = {.kind = COMMAND_SET, .sent_ms = now_ms};
    struct redis_link *link = link_of(base);
    char ttl[24]; /* the digits of any int64_t */

    if (!make_room(link, 1, COMMAND_ROOM + key.length + value.length + 64))
        return false;
    (void)snprintf(ttl, sizeof(ttl), "%lld", (long long)ttl_s);
    add_command(link, &command, "SET", 4);
    add_argument(&link->out, key);
    add_argument(&link->out, value);
    add_argument(&link->out, bytes_of("EX"));
    add_argument(&link->out, bytes_of(ttl));
    return true;
}

static int64_t
link_oldest_ms(const struct store_link *base)
{
    const struct redis_link *link = (const struct redis_link *)base;

    if (link->ring_count == 0)
        return INT64_MAX;
    return link->ring[link->ring_head & (link->ring_size - 1)].sent_ms;
}

/* While TLS shakes hands, being writable says nothing. */
static bool
tls_waits(const struct redis_link *link)
{
#ifdef HAVE_HIREDIS_SSL
    return link->session != NULL && !SSL_is_init_finished(link->session);
#else
    (void)link;
    return false;
#endif
}

/*
 * Hands what was formatted to the kernel at once; only what it does not take
 * waits for the socket to become writable, so the loop's set of descriptors
 * stays as it is.
 */
static void
link_flush(struct store_link *base)
{
    struct redis_link *link = link_of(base);
    int empty = 0;

    if (link->context == NULL)
        return;
    if (link->out.length > 0 &&
        redisAppendFormattedCommand(link->context, link->out.data,
                                    link->out.length) != REDIS_OK) {
        fail(link, STORE_FAULT_CONNECTION, "out of memory");
        return;
    }
    buf_clear(&link->out);
    if (redisBufferWrite(link->context, &empty) != REDIS_OK)
        fail(link, STORE_FAULT_CONNECTION, "the connection broke");
    else if (!empty && !tls_waits(link))
        ev_io_start(link->loop, &link->writable);
    else
        ev_io_stop(link->loop, &link->writable);
}

/*
 * Replies. Each of these says whether the reply fits its command at all; one
 * that takes the reply over sets it to NULL.
 */
typedef bool reply_fn(struct redis_link *link, const struct command *command,
                      redisReply **reply);

static void
fetch_refuse(struct store_fetch *fetch, const redisReply *reply)
{
    fetch->status = STORE_REFUSED;
    fetch->refusal = error_text(reply);
}

/* One reply of the fetch has been dealt with; the last one answers it. */
static void
fetch_settle(struct redis_link *link, struct store_fetch *fetch)
{
    struct store_fetch ending;

    if (--fetch->waiting > 0)
        return;
    ending = *fetch;
    store_link_reply(link->base.store, fetch, ending.status, ending.refusal);
    fetch_release(&ending);
}

static bool
on_get(struct redis_link *link, const struct command *command,
       redisReply **reply)
{
    struct store_fetch *fetch = command->fetch;
    struct store_value *value = &fetch->values[0];

    switch ((*reply)->type) {
    case REDIS_REPLY_STRING:
        value->kind = STORE_STRING;
        value->data = (struct bytes){(*reply)->str, (*reply)->len};
        break;
    case REDIS_REPLY_NIL:
        break;
    case REDIS_REPLY_ERROR:
        if (error_starts(*reply, "WRONGTYPE"))
            value->kind = STORE_WRONG_TYPE;
        else
            fetch_refuse(fetch, *reply);
        break;
    default:
        return false;
    }
    fetch_settle(link, fetch);
    return true;
}

/*
 * MGET answers nil both for a key that is absent and for one of another type.
 * EXISTS over the nil keys of the chunk tells whether there are any of these.
 */
static void
ask_exists(struct redis_link *link, const struct command *mget, size_t absent)
{
    struct store_fetch *fetch = mget->fetch;
    size_t end = mget->first + mget->count;
    size_t bytes = COMMAND_ROOM + absent * KEY_ROOM;
    struct command exists = *mget;

    for (size_t i = mget->first; i < end; i++)
        bytes += fetch->keys[i].length;
    if (!make_room(link, 1, bytes)) {
        fetch->status = STORE_MEMORY;
        return;
    }
    exists.kind = COMMAND_EXISTS;
    exists.sent_ms = clock_ms();
    add_command(link, &exists, "EXISTS", absent);
    for (size_t i = mget->first; i < end; i++)
        if (fetch->values[i].kind == STORE_ABSENT)
            add_argument(&link->out, fetch->keys[i]);
    fetch->waiting++;
}

/* Keeps the reply, which the values point into. */
static void
take_chunk(struct redis_link *link, const struct command *command,
           redisReply **reply)
{
    struct store_fetch *fetch = command->fetch;
    struct kept *kept = fetch->kept;
    size_t absent = 0;

    for (size_t i = 0; i < command->count; i++) {
        const redisReply *element = (*reply)->element[i];
        struct store_value *value = &fetch->values[command->first + i];

        if (element->type == REDIS_REPLY_NIL) {
            absent++;
            continue;
        }
        value->kind = STORE_STRING;
        value->data = (struct bytes){element->str, element->len};
    }
    kept->replies[kept->count++] = *reply;
    *reply = NULL;
    if (absent > 0)
        ask_exists(link, command, absent);
}

static bool
on_mget(struct redis_link *link, const struct command *command,
        redisReply **reply)
{
    struct store_fetch *fetch = command->fetch;

    if ((*reply)->type == REDIS_REPLY_ERROR) {
        fetch_refuse(fetch, *reply);
        fetch_settle(link, fetch);
        return true;
    }
    if ((*reply)->type != REDIS_REPLY_ARRAY ||
        (*reply)->elements != command->count)
        return false;
    for (size_t i = 0; i < command->count; i++) {
        int type = (*reply)->element[i]->type;

        if (type != REDIS_REPLY_STRING && type != REDIS_REPLY_NIL)
            return false;
    }
    if (!fetch->abandoned)
        take_chunk(link, command, reply);
    fetch_settle(link, fetch);
    return true;
}

/* Some of the chunk's nil keys do exist; their types tell which. */
static void
ask_types(struct redis_link *link, const struct command *exists)
{
    struct store_fetch *fetch = exists->fetch;
    size_t end = exists->first + exists->count;
    size_t bytes = exists->count * (COMMAND_ROOM + KEY_ROOM);

    for (size_t i = exists->first; i < end; i++)
        bytes += fetch->keys[i].length;
    if (!make_room(link, exists->count, bytes)) {
        fetch->status = STORE_MEMORY;
        return;
    }
    for (size_t i = exists->first; i < end; i++) {
        const struct command type = {.kind = COMMAND_TYPE,
                                     .sent_ms = clock_ms(),
                                     .fetch = fetch,
                                     .first = i,
                                     .count = 1};

        if (fetch->values[i].kind != STORE_ABSENT)
            continue;
        add_command(link, &type, "TYPE", 1);
        add_argument(&link->out, fetch->keys[i]);
        fetch->waiting++;
    }
}

static bool
on_exists(struct redis_link *link, const struct command *command,
          redisReply **reply)
{
    struct store_fetch *fetch = command->fetch;

    if ((*reply)->type == REDIS_REPLY_ERROR)
        fetch_refuse(fetch, *reply);
    else if ((*reply)->type != REDIS_REPLY_INTEGER)
        return false;
    else if ((*reply)->integer > 0 && !fetch->abandoned)
        ask_types(link, command);
    fetch_settle(link, fetch);
    return true;
}

/* A string has appeared since: it was absent when it was read. */
static bool
on_type(struct redis_link *link, const struct command *command,
        redisReply **reply)
{
    struct store_fetch *fetch = command->fetch;

    if ((*reply)->type == REDIS_REPLY_ERROR)
        fetch_refuse(fetch, *reply);
    else if ((*reply)->type != REDIS_REPLY_STATUS)
        return false;
    else if (strcmp((*reply)->str, "none") != 0 &&
             strcmp((*reply)->str, "string") != 0)
        fetch->values[command->first].kind = STORE_WRONG_TYPE;
    fetch_settle(link, fetch);
    return true;
}

static bool
on_set(struct redis_link *link, const struct command *command,
       redisReply **reply)
{
    (void)command;
    if ((*reply)->type == REDIS_REPLY_ERROR)
        store_link_wrote(link->base.store, error_text(*reply));
    else if ((*reply)->type == REDIS_REPLY_STATUS)
        store_link_wrote(link->base.store, NULL);
    else
        return false;
    return true;
}

/* AUTH and SELECT. */
static bool
on_agreed(struct redis_link *link, const struct command *command,
          redisReply **reply)
{
    (void)command;
    if ((*reply)->type == REDIS_REPLY_ERROR)
        fail(link, STORE_FAULT_REFUSED, "%s", error_text(*reply));
    else if ((*reply)->type != REDIS_REPLY_STATUS)
        return false;
    return true;
}

/* A user who may not read this one key has a server that is alive. */
static bool
on_probe(struct redis_link *link, const struct command *command,
         redisReply **reply)
{
    bool error = (*reply)->type == REDIS_REPLY_ERROR;

    (void)command;
    if (error && !error_starts(*reply, "NOPERM")) {
        fail(link, STORE_FAULT_REFUSED, "%s", error_text(*reply));
        return true;
    }
    if (!error && (*reply)->type != REDIS_REPLY_INTEGER)
        return false;
    link->phase = PHASE_READY;
    ev_timer_stop(link->loop, &link->limit);
    store_link_up(link->base.store);
    return true;
}

static reply_fn *const reply_fns[COMMAND__MAX] = {
    [COMMAND_AUTH] = on_agreed, [COMMAND_SELECT] = on_agreed,
    [COMMAND_PROBE] = on_probe, [COMMAND_GET] = on_get,
    [COMMAND_MGET] = on_mget,   [COMMAND_EXISTS] = on_exists,
    [COMMAND_TYPE] = on_type,   [COMMAND_SET] = on_set,
};

/* Gives a reply to the oldest command under way. */
static void
take_reply(struct redis_link *link, redisReply *reply)
{
    struct command command;
    bool fits;

    if (link->ring_count == 0) {
        freeReplyObject(reply);
        fail(link, STORE_FAULT_CONNECTION, "an answer that nobody asked for");
        return;
    }
    command = link->ring[link->ring_head++ & (link->ring_size - 1)];
    link->ring_count--;
    fits = reply_fns[command.kind](link, &command, &reply);
    freeReplyObject(reply);
    if (fits)
        return;
    if (command.fetch != NULL)
        fetch_release(command.fetch);
    fail(link, STORE_FAULT_CONNECTION, "an answer of the wrong kind");
}

/* Why reading failed; hiredis knows nothing of certificates. */
static const char *
broken_text(const struct redis_link *link)
{
#ifdef HAVE_HIREDIS_SSL
    if (tls_waits(link))
        return X509_verify_cert_error_string(
            SSL_get_verify_result(link->session));
#endif
    return link->context->errstr;
}

static void
on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct redis_link *link = watcher->data;
    redisContext *context = link->context;
    void *reply = NULL;

    (void)loop;
    (void)events;
    if (redisBufferRead(context) != REDIS_OK) {
        fail(link, STORE_FAULT_CONNECTION, "%s: %s",
             tls_waits(link) ? "TLS failed" : "the connection broke",
             broken_text(link));
        return;
    }
    while (link->context != NULL) {
        if (redisGetReplyFromReader(context, &reply) != REDIS_OK) {
            fail(link, STORE_FAULT_CONNECTION, "not an answer of Redis");
            return;
        }
        if (reply == NULL)
            break;
        take_reply(link, reply);
    }
    if (link->context != NULL && context->reader->len > REPLY_BYTES_MAX)
        fail(link, STORE_FAULT_CONNECTION, "too large an answer");
    else if (link->phase == PHASE_HANDSHAKE)
        link_flush(&link->base); /* TLS may have waited for the peer */
}

/* Building a connection. */

static void
start_limit(struct redis_link *link, int64_t limit_ms)
{
    ev_now_update(link->loop);
    ev_timer_stop(link->loop, &link->limit);
    ev_timer_set(&link->limit, (ev_tstamp)limit_ms / MS_PER_S, 0.);
    ev_timer_start(link->loop, &link->limit);
}

static void
on_limit(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct redis_link *link = watcher->data;

    (void)loop;
    (void)events;
    if (link->phase == PHASE_CONNECTING)
        fail(link, STORE_FAULT_CONNECTION, "no connection within %lld ms",
             (long long)link->connect_timeout_ms);
    else
        fail(link, STORE_FAULT_CONNECTION, "no answer within %lld ms",
             (long long)link->command_timeout_ms);
}

#if HIREDIS_MAJOR >= 1
typedef size_t reply_elements;
#else
typedef int reply_elements;
#endif

/* hiredis would believe any number and allocate for it. */
static void *
create_array(const redisReadTask *task, reply_elements elements)
{
    const struct redis_link *link = task->privdata;

    if ((size_t)elements > REPLY_ELEMENTS_MAX)
        return NULL;
    return link->library_functions->createArray(task, elements);
}

/* A context on the connected socket, which it then owns. */
static bool
make_context(struct redis_link *link)
{
    redisContext *context = redisConnectFd(link->fd);

    if (context == NULL)
        return false;
    link->fd = -1;
    link->context = context;
    context->flags &= ~REDIS_BLOCK;
    link->library_functions = context->reader->fn;
    link->reply_functions = *context->reader->fn;
    link->reply_functions.createArray = create_array;
    context->reader->fn = &link->reply_functions;
    context->reader->privdata = link;
    return true;
}

/* Whatever of it the settings ask for travels at once; each is checked. */
static bool
add_handshake(struct redis_link *link)
{
    const struct config_redis *config = link->config;
    size_t bytes = 3 * (COMMAND_ROOM + 2 * KEY_ROOM);
    char database[16]; /* the digits of any int */

    bytes += config->username != NULL ? strlen(config->username) : 0;
    bytes += config->password != NULL ? strlen(config->password) : 0;
    if (!make_room(link, 3, bytes))
        return false;
    if (config->password != NULL) {
        add_command(link, &(struct command){.kind = COMMAND_AUTH}, "AUTH",
                    config->username != NULL ? 2 : 1);
        if (config->username != NULL)
            add_argument(&link->out, bytes_of(config->username));
        add_argument(&link->out, bytes_of(config->password));
    }
    if (config->database != 0) {
        (void)snprintf(database, sizeof(database), "%d", config->database);
        add_command(link, &(struct command){.kind = COMMAND_SELECT}, "SELECT",
                    1);
        add_argument(&link->out, bytes_of(database));
    }
    add_command(link, &(struct command){.kind = COMMAND_PROBE}, "EXISTS", 1);
    add_argument(&link->out, probe_key);
    return true;
}

#ifdef HAVE_HIREDIS_SSL
/* Certificate and host name are verified; hiredis alone checks no name. */
static bool
start_tls(struct redis_link *link)
{
    const char *host = link->config->host;
    X509_VERIFY_PARAM *param;
    SSL *session;

    if (link->tls == NULL)
        return true;
    session = SSL_new(link->tls);
    if (session == NULL)
        return false;
    /* A certificate names an address or a host; names go into the SNI too. */
    param = SSL_get0_param(session);
    if ((X509_VERIFY_PARAM_set1_ip_asc(param, host) != 1 &&
         (SSL_set1_host(session, host) != 1 ||
          SSL_set_tlsext_host_name(session, host) != 1)) ||
        redisInitiateSSL(link->context, session) != REDIS_OK) {
        SSL_free(session);
        return false;
    }
    link->session = session;
    return true;
}
#else
static bool
start_tls(struct redis_link *link)
{
    (void)link;
    return true;
}
#endif

static void
begin_handshake(struct redis_link *link)
{
    link->phase = PHASE_HANDSHAKE;
    ev_io_stop(link->loop, &link->writable);
    if (!make_context(link) || !add_handshake(link)) {
        fail(link, STORE_FAULT_CONNECTION, "out of memory");
        return;
    }
    if (!start_tls(link)) {
        fail(link, STORE_FAULT_CONNECTION, "TLS failed: %s",
             link->context->errstr);
        return;
    }
    start_limit(link, link->command_timeout_ms);
    ev_io_start(link->loop, &link->readable);
    link_flush(&link->base);
}

static socklen_t
address_length(const struct sockaddr_storage *address)
{
    switch (address->ss_family) {
    case AF_INET:
        return sizeof(struct sockaddr_in);
    case AF_INET6:
        return sizeof(struct sockaddr_in6);
    default:
        return sizeof(struct sockaddr_un);
    }
}

/* Settings that fail cost speed, not correctness. */
static void
tune_tcp(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES},
    };

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        (void)setsockopt(fd, options[i].level, options[i].name,
                         &options[i].value, sizeof(options[i].value));
}

/* Returns 0 once connected, EINPROGRESS, or what is wrong. */
static int
connect_to(struct redis_link *link, const struct sockaddr_storage *address)
{
    int fd = socket(address->ss_family,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return errno;
    link->fd = fd;
    if (address->ss_family != AF_UNIX)
        tune_tcp(fd);
    ev_io_set(&link->readable, fd, EV_READ);
    ev_io_set(&link->writable, fd, EV_WRITE);
    if (connect(fd, (const struct sockaddr *)address,
                address_length(address)) == 0)
        return 0;
    return errno;
}

/*
 * Goes on to the next address, if there is one, after one that failed with
 * this error. One time limit is for all of them, so an attempt begins where
 * the last one ended.
 */
static void
connect_next(struct redis_link *link, int error)
{
    const struct resolver_addresses *addresses = &link->addresses;

    while (link->tried < addresses->count) {
        size_t at = (link->first_try + link->tried++) % addresses->count;

        if (link->fd >= 0)
            (void)close(link->fd);
        link->fd = -1;
        error = connect_to(link, &addresses->item[at]);
        if (error == 0) {
            begin_handshake(link);
            return;
        }
        if (error == EINPROGRESS) {
            ev_io_start(link->loop, &link->writable);
            return;
        }
    }
    fail_errno(link, error);
}

static void
begin_connecting(struct redis_link *link)
{
    link->phase = PHASE_CONNECTING;
    link->tried = 0;
    start_limit(link, link->connect_timeout_ms);
    connect_next(link, 0);
}

static void
on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct redis_link *link = watcher->data;
    int error = 0;
    socklen_t length = sizeof(error);

    (void)events;
    if (link->phase != PHASE_CONNECTING) {
        link_flush(&link->base);
        return;
    }
    ev_io_stop(loop, watcher);
    if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        error = errno;
    if (error == 0)
        begin_handshake(link);
    else
        connect_next(link, error);
}

static void
on_resolved(void *arg, const struct resolver_addresses *found, bool in_time)
{
    struct redis_link *link = arg;

    if (found->count == 0) {
        fail(link, STORE_FAULT_CONNECTION, "host name %s does not resolve%s",
             link->config->host, in_time ? "" : " in time");
        return;
    }
    link->addresses = *found;
    begin_connecting(link);
}

static void
link_open(struct store_link *base)
{
    struct redis_link *link = link_of(base);
    const struct config_redis *config = link->config;

    if (config->unix_path != NULL) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        if (strlen(config->unix_path) >= sizeof(address.sun_path)) {
            fail(link, STORE_FAULT_CONNECTION, "the socket's path is too long");
            return;
        }
        memcpy(address.sun_path, config->unix_path, strlen(config->unix_path));
        memcpy(&link->addresses.item[0], &address, sizeof(address));
        link->addresses.count = 1;
        begin_connecting(link);
    } else if (resolver_known(config->host, config->port, &link->addresses)) {
        begin_connecting(link);
    } else {
        link->phase = PHASE_RESOLVING;
        resolver_start(link->resolver, config->host, config->port);
    }
}

/* Making and freeing. */

static void
link_free(struct store_link *base)
{
    struct redis_link *link = link_of(base);

    if (link->resolver != NULL)
        link_close(base);
    resolver_free(link->resolver);
    buf_free(&link->out);
    free(link->ring);
#ifdef HAVE_HIREDIS_SSL
    SSL_CTX_free(link->tls);
#endif
    free(link);
}

static const struct store_link_ops link_ops = {
    .open = link_open,
    .close = link_close,
    .read = link_read,
    .write = link_write,
    .flush = link_flush,
    .oldest_ms = link_oldest_ms,
    .free = link_free,
};

static void
watch_init(struct redis_link *link)
{
    ev_io_init(&link->readable, on_readable, -1, EV_READ);
    ev_io_init(&link->writable, on_writable, -1, EV_WRITE);
    ev_timer_init(&link->limit, on_limit, 0., 0.);
    link->readable.data = link;
    link->writable.data = link;
    link->limit.data = link;
}

bool
store_redis_has_tls(void)
{
#ifdef HAVE_HIREDIS_SSL
    return true;
#else
    return false;
#endif
}

/* Trusts what the system trusts. */
static bool
make_tls(struct redis_link *link)
{
    if (!link->config->tls)
        return true;
#ifdef HAVE_HIREDIS_SSL
    link->tls = SSL_CTX_new(TLS_client_method());
    if (link->tls == NULL)
        return false;
    SSL_CTX_set_verify(link->tls, SSL_VERIFY_PEER, NULL);
    return SSL_CTX_set_default_verify_paths(link->tls) == 1;
#else
    return false;
#endif
}

struct store *
store_redis_new(struct ev_loop *loop, const struct config_redis *redis,
                const struct store_config *config)
{
    struct redis_link *link = calloc(1, sizeof(*link));

    if (link == NULL)
        return NULL;
    link->base.ops = &link_ops;
    link->loop = loop;
    link->config = redis;
    link->connect_timeout_ms = config->connect_timeout_ms;
    link->command_timeout_ms = config->command_timeout_ms;
    link->fd = -1;
    link->ring_size = RING_FIRST;
    link->ring = calloc(RING_FIRST, sizeof(*link->ring));
    link->resolver = resolver_new(loop, on_resolved, link);
    watch_init(link);
    if (link->ring == NULL || link->resolver == NULL || !make_tls(link)) {
        link_free(&link->base);
        return NULL;
    }
    return store_new(config, &link->base);
}
