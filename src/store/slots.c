/*
 * The map of a Redis Cluster: which server has which of the 16,384 slots. It
 * implements S22.3, S22.5 and S22.6 of docs/protocol.md as far as they concern
 * the map and redirections.
 */
#include <assert.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "store/slots.h"

#define PORT_MAX    65535
#define ROOM_FIRST  8
#define SLOT_DIGITS 6 /* with a NUL */

/* A row of CLUSTER SLOTS is [first, last, master, replica...], a server
 * [endpoint, port, id, [name, value...]]. */
enum { ROW_FIRST = 0, ROW_LAST, ROW_MASTER };
enum { SERVER_ENDPOINT = 0, SERVER_PORT, SERVER_ID, SERVER_MORE };
#define SERVER_FIELDS_MIN 2 /* Redis 3.0 reports no more */

/*
 * CRC-16/XMODEM (polynomial 0x1021), as the specification requires; one entry
 * for each value of a byte. A table, because the key of each cached score, of
 * 68 bytes, is hashed.
 */
static const uint16_t crc_table[256] = {
    0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7, 0x8108,
    0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef, 0x1231, 0x0210,
    0x3273, 0x2252, 0x52b5, 0x4294, 0x72f7, 0x62d6, 0x9339, 0x8318, 0xb37b,
    0xa35a, 0xd3bd, 0xc39c, 0xf3ff, 0xe3de, 0x2462, 0x3443, 0x0420, 0x1401,
    0x64e6, 0x74c7, 0x44a4, 0x5485, 0xa56a, 0xb54b, 0x8528, 0x9509, 0xe5ee,
    0xf5cf, 0xc5ac, 0xd58d, 0x3653, 0x2672, 0x1611, 0x0630, 0x76d7, 0x66f6,
    0x5695, 0x46b4, 0xb75b, 0xa77a, 0x9719, 0x8738, 0xf7df, 0xe7fe, 0xd79d,
    0xc7bc, 0x48c4, 0x58e5, 0x6886, 0x78a7, 0x0840, 0x1861, 0x2802, 0x3823,
    0xc9cc, 0xd9ed, 0xe98e, 0xf9af, 0x8948, 0x9969, 0xa90a, 0xb92b, 0x5af5,
    0x4ad4, 0x7ab7, 0x6a96, 0x1a71, 0x0a50, 0x3a33, 0x2a12, 0xdbfd, 0xcbdc,
    0xfbbf, 0xeb9e, 0x9b79, 0x8b58, 0xbb3b, 0xab1a, 0x6ca6, 0x7c87, 0x4ce4,
    0x5cc5, 0x2c22, 0x3c03, 0x0c60, 0x1c41, 0xedae, 0xfd8f, 0xcdec, 0xddcd,
    0xad2a, 0xbd0b, 0x8d68, 0x9d49, 0x7e97, 0x6eb6, 0x5ed5, 0x4ef4, 0x3e13,
    0x2e32, 0x1e51, 0x0e70, 0xff9f, 0xefbe, 0xdfdd, 0xcffc, 0xbf1b, 0xaf3a,
    0x9f59, 0x8f78, 0x9188, 0x81a9, 0xb1ca, 0xa1eb, 0xd10c, 0xc12d, 0xf14e,
    0xe16f, 0x1080, 0x00a1, 0x30c2, 0x20e3, 0x5004, 0x4025, 0x7046, 0x6067,
    0x83b9, 0x9398, 0xa3fb, 0xb3da, 0xc33d, 0xd31c, 0xe37f, 0xf35e, 0x02b1,
    0x1290, 0x22f3, 0x32d2, 0x4235, 0x5214, 0x6277, 0x7256, 0xb5ea, 0xa5cb,
    0x95a8, 0x8589, 0xf56e, 0xe54f, 0xd52c, 0xc50d, 0x34e2, 0x24c3, 0x14a0,
    0x0481, 0x7466, 0x6447, 0x5424, 0x4405, 0xa7db, 0xb7fa, 0x8799, 0x97b8,
    0xe75f, 0xf77e, 0xc71d, 0xd73c, 0x26d3, 0x36f2, 0x0691, 0x16b0, 0x6657,
    0x7676, 0x4615, 0x5634, 0xd94c, 0xc96d, 0xf90e, 0xe92f, 0x99c8, 0x89e9,
    0xb98a, 0xa9ab, 0x5844, 0x4865, 0x7806, 0x6827, 0x18c0, 0x08e1, 0x3882,
    0x28a3, 0xcb7d, 0xdb5c, 0xeb3f, 0xfb1e, 0x8bf9, 0x9bd8, 0xabbb, 0xbb9a,
    0x4a75, 0x5a54, 0x6a37, 0x7a16, 0x0af1, 0x1ad0, 0x2ab3, 0x3a92, 0xfd2e,
    0xed0f, 0xdd6c, 0xcd4d, 0xbdaa, 0xad8b, 0x9de8, 0x8dc9, 0x7c26, 0x6c07,
    0x5c64, 0x4c45, 0x3ca2, 0x2c83, 0x1ce0, 0x0cc1, 0xef1f, 0xff3e, 0xcf5d,
    0xdf7c, 0xaf9b, 0xbfba, 0x8fd9, 0x9ff8, 0x6e17, 0x7e36, 0x4e55, 0x5e74,
    0x2e93, 0x3eb2, 0x0ed1, 0x1ef0};

struct entry {
    struct slots_server server;
    bool is_master;
};

struct slots {
    size_t count, room;
    struct entry *entries;
    uint16_t owners[SLOTS_COUNT]; /* a server's number plus 1; 0: none */
};
_Static_assert(SLOTS_SERVERS_MAX < UINT16_MAX, "a number plus 1 fits uint16_t");

/* The bytes of host names, and of IPv4 and IPv6 addresses. */
static const char host_bytes[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-:%";

static const char *const error_texts[SLOTS__MAX] = {
    [SLOTS_OK] = "ok",
    [SLOTS_SHAPE] = "not an answer to CLUSTER SLOTS",
    [SLOTS_EMPTY] = "no slot has a server",
    [SLOTS_MANY] = "too many servers",
    [SLOTS_MEMORY] = "out of memory",
};

const char *
slots_error_text(enum slots_error error)
{
    assert(error < SLOTS__MAX);
    return error_texts[error];
}

/* Slots of keys. */

static unsigned
crc16(struct bytes text)
{
    uint16_t crc = 0;

    for (size_t i = 0; i < text.length; i++)
        crc = (uint16_t)(crc << 8) ^
              crc_table[(crc >> 8) ^ (unsigned char)text.at[i]];
    return crc;
}

static struct bytes
hashed_part(struct bytes key)
{
    const char *open = memchr(key.at, '{', key.length), *close;
    struct bytes tag;

    if (open == NULL)
        return key;
    tag.at = open + 1;
    tag.length = key.length - (size_t)(tag.at - key.at);
    close = memchr(tag.at, '}', tag.length);
    if (close == NULL || close == tag.at)
        return key;
    tag.length = (size_t)(close - tag.at);
    return tag;
}

unsigned
slots_of_key(struct bytes key)
{
    if (key.length == 0)
        return 0;
    return crc16(hashed_part(key)) % SLOTS_COUNT;
}

/* Servers. */

bool
slots_is_same_address(const struct slots_server *a,
                      const struct slots_server *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

static bool
is_same_server(const struct slots_server *a, const struct slots_server *b)
{
    return a->id[0] != '\0' && b->id[0] != '\0' ? strcmp(a->id, b->id) == 0
                                                : slots_is_same_address(a, b);
}

/* Returns false if this is no host: it must not get into the log. */
static bool
set_host(struct slots_server *server, struct bytes host)
{
    if (host.length == 0 || host.length >= sizeof(server->host))
        return false;
    memcpy(server->host, host.at, host.length);
    server->host[host.length] = '\0';
    return strspn(server->host, host_bytes) == host.length;
}

static bool
is_unknown(struct bytes endpoint)
{
    return endpoint.length == 0 || bytes_equal(endpoint, bytes_of("?"));
}

/* The number of a server, which is added if it is new; -1 if there is no room
 * or memory for it. */
static int
server_number(struct slots *slots, const struct slots_server *server)
{
    for (size_t i = 0; i < slots->count; i++)
        if (slots_is_same_address(&slots->entries[i].server, server))
            return (int)i;
    if (slots->count == SLOTS_SERVERS_MAX)
        return -1;
    if (slots->count == slots->room) {
        size_t room = slots->room == 0 ? ROOM_FIRST : 2 * slots->room;
        struct entry *entries =
            realloc(slots->entries, room * sizeof(entries[0]));

        if (entries == NULL)
            return -1;
        slots->entries = entries;
        slots->room = room;
    }
    slots->entries[slots->count] = (struct entry){.server = *server};
    return (int)slots->count++;
}

size_t
slots_server_count(const struct slots *slots)
{
    return slots->count;
}

const struct slots_server *
slots_server(const struct slots *slots, size_t number)
{
    assert(number < slots->count);
    return &slots->entries[number].server;
}

bool
slots_is_master(const struct slots *slots, size_t number)
{
    assert(number < slots->count);
    return slots->entries[number].is_master;
}

int
slots_owner(const struct slots *slots, unsigned slot)
{
    assert(slot < SLOTS_COUNT);
    return (int)slots->owners[slot] - 1;
}

bool
slots_set_owner(struct slots *slots, unsigned slot,
                const struct slots_server *server)
{
    int number = server_number(slots, server);

    assert(slot < SLOTS_COUNT);
    if (number < 0)
        return false;
    slots->entries[number].is_master = true;
    slots->owners[slot] = (uint16_t)(number + 1);
    return true;
}

bool
slots_share_server(const struct slots *a, const struct slots *b)
{
    for (size_t i = 0; i < a->count; i++)
        for (size_t j = 0; j < b->count; j++)
            if (is_same_server(&a->entries[i].server, &b->entries[j].server))
                return true;
    return false;
}

bool
slots_have_same_owners(const struct slots *a, const struct slots *b)
{
    for (unsigned slot = 0; slot < SLOTS_COUNT; slot++) {
        const int in_a = slots_owner(a, slot), in_b = slots_owner(b, slot);

        if ((in_a < 0) != (in_b < 0) ||
            (in_a >= 0 && !is_same_server(&a->entries[in_a].server,
                                          &b->entries[in_b].server)))
            return false;
    }
    return true;
}

/* The answer to CLUSTER SLOTS. */

static bool
is_integer(const redisReply *reply, long long min, long long max)
{
    return reply->type == REDIS_REPLY_INTEGER && reply->integer >= min &&
           reply->integer <= max;
}

/* Redis 7 reports the address of a server without an endpoint as "ip". */
static struct bytes
address_beside(const redisReply *row)
{
    const redisReply *more =
        row->elements > SERVER_MORE ? row->element[SERVER_MORE] : NULL;

    if (more == NULL || more->type != REDIS_REPLY_ARRAY)
        return (struct bytes){"", 0};
    for (size_t i = 0; i + 1 < more->elements; i += 2) {
        const redisReply *name = more->element[i],
                         *value = more->element[i + 1];

        if (name->type == REDIS_REPLY_STRING &&
            value->type == REDIS_REPLY_STRING && strcmp(name->str, "ip") == 0)
            return (struct bytes){value->str, (size_t)value->len};
    }
    return (struct bytes){"", 0};
}

static void
read_id(const redisReply *row, struct slots_server *server)
{
    const redisReply *id =
        row->elements > SERVER_ID ? row->element[SERVER_ID] : NULL;

    server->id[0] = '\0';
    if (id != NULL && id->type == REDIS_REPLY_STRING &&
        (size_t)id->len < sizeof(server->id))
        (void)snprintf(server->id, sizeof(server->id), "%s", id->str);
}

static bool
read_server(const redisReply *row, const char *source,
            struct slots_server *ret_server)
{
    const redisReply *endpoint;
    struct bytes host = {"", 0};

    if (row->type != REDIS_REPLY_ARRAY || row->elements < SERVER_FIELDS_MIN ||
        !is_integer(row->element[SERVER_PORT], 1, PORT_MAX))
        return false;
    endpoint = row->element[SERVER_ENDPOINT];
    if (endpoint->type == REDIS_REPLY_STRING)
        host = (struct bytes){endpoint->str, (size_t)endpoint->len};
    else if (endpoint->type != REDIS_REPLY_NIL)
        return false;
    if (is_unknown(host) && endpoint->type == REDIS_REPLY_STRING)
        host = address_beside(row);
    if (is_unknown(host))
        host = bytes_of(source);
    ret_server->port = (int)row->element[SERVER_PORT]->integer;
    read_id(row, ret_server);
    return set_host(ret_server, host);
}

static enum slots_error
read_row(struct slots *slots, const redisReply *row, const char *source)
{
    if (row->type != REDIS_REPLY_ARRAY || row->elements <= ROW_MASTER ||
        !is_integer(row->element[ROW_FIRST], 0, SLOTS_COUNT - 1) ||
        !is_integer(row->element[ROW_LAST], row->element[ROW_FIRST]->integer,
                    SLOTS_COUNT - 1))
        return SLOTS_SHAPE;
    for (size_t i = ROW_MASTER; i < row->elements; i++) {
        struct slots_server server;
        int number;

        if (!read_server(row->element[i], source, &server))
            return SLOTS_SHAPE;
        number = server_number(slots, &server);
        if (number < 0)
            return slots->count == SLOTS_SERVERS_MAX ? SLOTS_MANY
                                                     : SLOTS_MEMORY;
        if (i > ROW_MASTER)
            continue;
        slots->entries[number].is_master = true;
        for (long long slot = row->element[ROW_FIRST]->integer;
             slot <= row->element[ROW_LAST]->integer; slot++)
            slots->owners[slot] = (uint16_t)(number + 1);
    }
    return SLOTS_OK;
}

enum slots_error
slots_read(const redisReply *reply, const char *source,
           struct slots **ret_slots)
{
    enum slots_error error = SLOTS_OK;
    struct slots *slots;

    if (reply->type != REDIS_REPLY_ARRAY)
        return SLOTS_SHAPE;
    if (reply->elements == 0)
        return SLOTS_EMPTY;
    slots = calloc(1, sizeof(*slots));
    if (slots == NULL)
        return SLOTS_MEMORY;
    for (size_t i = 0; i < reply->elements && error == SLOTS_OK; i++)
        error = read_row(slots, reply->element[i], source);
    if (error != SLOTS_OK) {
        slots_free(slots);
        return error;
    }
    *ret_slots = slots;
    return SLOTS_OK;
}

void
slots_free(struct slots *slots)
{
    if (slots == NULL)
        return;
    free(slots->entries);
    free(slots);
}

/* Redirections: "MOVED 3999 127.0.0.1:6381", also with IPv6 "::1:6381". */

static const struct {
    const char *code;
    enum slots_redirection redirection;
} redirections[] = {
    {"MOVED ", SLOTS_REDIRECTION_MOVED},
    {"ASK ", SLOTS_REDIRECTION_ASK},
};

#define REDIRECTIONS (sizeof(redirections) / sizeof(redirections[0]))

static bool
read_target(const char *text, const char *source, unsigned *ret_slot,
            struct slots_server *ret_server)
{
    const char *space = strchr(text, ' '), *colon = strrchr(text, ':');
    char digits[SLOT_DIGITS];
    int64_t slot, port;
    struct bytes host;

    if (space == NULL || colon == NULL || colon < space ||
        (size_t)(space - text) >= sizeof(digits))
        return false;
    (void)snprintf(digits, sizeof(digits), "%.*s", (int)(space - text), text);
    host = (struct bytes){space + 1, (size_t)(colon - space - 1)};
    if (is_unknown(host))
        host = bytes_of(source);
    if (!number_parse(digits, 0, SLOTS_COUNT - 1, &slot) ||
        !number_parse(colon + 1, 1, PORT_MAX, &port) ||
        !set_host(ret_server, host))
        return false;
    *ret_slot = (unsigned)slot;
    ret_server->port = (int)port;
    ret_server->id[0] = '\0';
    return true;
}

enum slots_redirection
slots_redirection(const char *error, const char *source, unsigned *ret_slot,
                  struct slots_server *ret_server)
{
    for (size_t i = 0; i < REDIRECTIONS; i++) {
        size_t length = strlen(redirections[i].code);
        struct slots_server server;
        unsigned slot = 0;

        if (strncmp(error, redirections[i].code, length) != 0 ||
            !read_target(error + length, source, &slot, &server))
            continue;
        *ret_slot = slot;
        *ret_server = server;
        return redirections[i].redirection;
    }
    return SLOTS_REDIRECTION_NONE;
}
