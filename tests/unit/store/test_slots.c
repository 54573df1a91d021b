/*
 * The map of a Redis Cluster: slots of keys, answers to CLUSTER SLOTS of all
 * versions, redirections. Source: Redis Cluster specification; the expected
 * slots are from CLUSTER KEYSLOT of a real server.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/slots.h"
#include "support/cases.h"

#define SOURCE "10.0.0.9"

#define BYTES(text)                                                            \
    {                                                                          \
        text, sizeof(text) - 1                                                 \
    }

struct key_case {
    const char *name;
    struct bytes key;
    unsigned want;
};

static const struct key_case key_rows[] = {
    {"the specification's example", BYTES("123456789"), 12739},
    {"a word", BYTES("foo"), 12182},
    {"another word", BYTES("bar"), 5061},
    {"an id", BYTES("i:1"), 2518},
    {"a negative id", BYTES("i:-5"), 16013},
    {"empty", BYTES(""), 0},
    {"a tag", BYTES("{user1000}.following"), 3443},
    {"what the tag says", BYTES("user1000"), 3443},
    {"an empty tag: the whole", BYTES("foo{}{bar}"), 8363},
    {"a tag that begins with a bracket", BYTES("foo{{bar}}zap"), 4015},
    {"the first of two tags", BYTES("foo{bar}{zap}"), 5061},
    {"a bracket that is never closed: the whole", BYTES("{bar"), 4015},
    {"closed before it is opened", BYTES("a}b{c"), 13587},
    {"an empty tag at the start", BYTES("{}x"), 10595},
};

TEST_CASES(key, struct key_case, key_rows)
{
    CU_ASSERT_EQUAL(slots_of_key(c->key), c->want);
}

static redisReply *
reply_of(const char *text)
{
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;

    CU_ASSERT_PTR_NOT_NULL_FATAL(reader);
    CU_ASSERT_EQUAL(redisReaderFeed(reader, text, strlen(text)), REDIS_OK);
    CU_ASSERT_EQUAL(redisReaderGetReply(reader, &reply), REDIS_OK);
    redisReaderFree(reader);
    CU_ASSERT_PTR_NOT_NULL_FATAL(reply);
    return reply;
}

struct answer_case {
    const char *name, *reply;
    enum slots_error want;
    unsigned slot;
    const char *owner; /* "host port" of that slot; NULL: none */
    size_t servers;
};

#define ROW(first, last, count) "*" #count "\r\n:" #first "\r\n:" #last "\r\n"
#define HOST(text, length)      "$" #length "\r\n" text "\r\n"
#define SERVER2(text, length)   "*2\r\n" HOST(text, length) ":7001\r\n"
#define REPLICA2                "*2\r\n" HOST("10.0.0.2", 8) ":7002\r\n"
#define ID                      "$2\r\nid\r\n"
#define ENDPOINT(host, more)    "*4\r\n" host ":7001\r\n" ID more
#define IP                      "*2\r\n$2\r\nip\r\n" HOST("10.0.0.7", 8)

static const struct answer_case answer_rows[] = {
    {"Redis 3: address and port",
     "*1\r\n" ROW(0, 16383, 3) SERVER2("10.0.0.1", 8), SLOTS_OK, 16383,
     "10.0.0.1 7001", 1},
    {"with a replica",
     "*1\r\n" ROW(0, 16383, 4) SERVER2("10.0.0.1", 8) REPLICA2, SLOTS_OK, 0,
     "10.0.0.1 7001", 2},
    {"Redis 4: and an id",
     "*1\r\n" ROW(0, 99, 3) "*3\r\n" HOST("10.0.0.1", 8) ":7001\r\n" ID,
     SLOTS_OK, 99, "10.0.0.1 7001", 1},
    {"a slot behind the last row",
     "*1\r\n" ROW(0, 99, 3) SERVER2("10.0.0.1", 8), SLOTS_OK, 100, NULL, 1},
    {"Redis 7: a name",
     "*1\r\n" ROW(5, 5, 3) ENDPOINT(HOST("r.example", 9), IP), SLOTS_OK, 5,
     "r.example 7001", 1},
    {"an unknown name: its address",
     "*1\r\n" ROW(5, 5, 3) ENDPOINT(HOST("?", 1), IP), SLOTS_OK, 5,
     "10.0.0.7 7001", 1},
    {"an unknown name without address: who answered",
     "*1\r\n" ROW(5, 5, 3) ENDPOINT(HOST("?", 1), "*0\r\n"), SLOTS_OK, 5,
     SOURCE " 7001", 1},
    {"an empty endpoint", "*1\r\n" ROW(5, 5, 3) SERVER2("", 0), SLOTS_OK, 5,
     SOURCE " 7001", 1},
    {"NULL: who answered, whatever stands beside",
     "*1\r\n" ROW(5, 5, 3) ENDPOINT("$-1\r\n", IP), SLOTS_OK, 5, SOURCE " 7001",
     1},
    {"IPv6", "*1\r\n" ROW(0, 0, 3) SERVER2("fd00::1", 7), SLOTS_OK, 0,
     "fd00::1 7001", 1},
    {"nothing", "*0\r\n", SLOTS_EMPTY, 0, NULL, 0},
    {"no array", "+OK\r\n", SLOTS_SHAPE, 0, NULL, 0},
    {"a row that is none", "*1\r\n:5\r\n", SLOTS_SHAPE, 0, NULL, 0},
    {"a row without a master", "*1\r\n" ROW(0, 5, 2), SLOTS_SHAPE, 0, NULL, 0},
    {"a slot too many", "*1\r\n" ROW(0, 16384, 3) SERVER2("10.0.0.1", 8),
     SLOTS_SHAPE, 0, NULL, 0},
    {"backwards", "*1\r\n" ROW(5, 4, 3) SERVER2("10.0.0.1", 8), SLOTS_SHAPE, 0,
     NULL, 0},
    {"below the first slot", "*1\r\n" ROW(-1, 4, 3) SERVER2("10.0.0.1", 8),
     SLOTS_SHAPE, 0, NULL, 0},
    {"port 0", "*1\r\n" ROW(0, 4, 3) "*2\r\n" HOST("10.0.0.1", 8) ":0\r\n",
     SLOTS_SHAPE, 0, NULL, 0},
    {"port 65536",
     "*1\r\n" ROW(0, 4, 3) "*2\r\n" HOST("10.0.0.1", 8) ":65536\r\n",
     SLOTS_SHAPE, 0, NULL, 0},
    {"no port", "*1\r\n" ROW(0, 4, 3) "*1\r\n" HOST("10.0.0.1", 8), SLOTS_SHAPE,
     0, NULL, 0},
    {"a number for a host", "*1\r\n" ROW(0, 4, 3) "*2\r\n:5\r\n:7001\r\n",
     SLOTS_SHAPE, 0, NULL, 0},
    {"a quote in a host", "*1\r\n" ROW(0, 4, 3) SERVER2("a\"b", 3), SLOTS_SHAPE,
     0, NULL, 0},
    {"a line end in a host", "*1\r\n" ROW(0, 4, 3) SERVER2("a\nb", 3),
     SLOTS_SHAPE, 0, NULL, 0},
    {"a lone question mark", "*1\r\n" ROW(0, 4, 3) SERVER2("?", 1), SLOTS_OK, 0,
     SOURCE " 7001", 1},
};

TEST_CASES(answer, struct answer_case, answer_rows)
{
    redisReply *reply = reply_of(c->reply);
    struct slots *slots = NULL;

    CU_ASSERT_EQUAL(slots_read(reply, SOURCE, &slots), c->want);
    if (c->want != SLOTS_OK) {
        CU_ASSERT_PTR_NULL(slots);
    } else {
        int owner = slots_owner(slots, c->slot);
        char text[SLOTS_HOST_SIZE + 8] = "";

        CU_ASSERT_EQUAL(slots_server_count(slots), c->servers);
        CU_ASSERT_EQUAL(owner >= 0, c->owner != NULL);
        if (owner >= 0) {
            const struct slots_server *server =
                slots_server(slots, (size_t)owner);

            (void)snprintf(text, sizeof(text), "%s %d", server->host,
                           server->port);
            CU_ASSERT_TRUE(slots_is_master(slots, (size_t)owner));
            CU_ASSERT_STRING_EQUAL(text, c->owner);
        }
    }
    slots_free(slots);
    freeReplyObject(reply);
}

/* Each slot has its own row, of two servers in turn. */
TEST_SINGLE(rows, "16,384 rows")
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct slots *slots = NULL;
    redisReply *reply;

    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    (void)fprintf(out, "*%d\r\n", SLOTS_COUNT);
    for (int i = 0; i < SLOTS_COUNT; i++)
        (void)fprintf(out,
                      "*3\r\n:%d\r\n:%d\r\n*2\r\n$8\r\n10.0.0.%d\r\n:7001\r\n",
                      i, i, 1 + i % 2);
    CU_ASSERT_EQUAL(fclose(out), 0);
    reply = reply_of(text);
    CU_ASSERT_EQUAL_FATAL(slots_read(reply, SOURCE, &slots), SLOTS_OK);
    CU_ASSERT_EQUAL(slots_server_count(slots), 2);
    for (unsigned i = 0; i < SLOTS_COUNT; i++)
        CU_ASSERT_EQUAL(slots_owner(slots, i), (int)(i % 2));
    slots_free(slots);
    freeReplyObject(reply);
    free(text);
}

struct redirection_case {
    const char *name, *error;
    enum slots_redirection want;
    unsigned slot;
    const char *host;
    int port;
};

static const struct redirection_case redirection_rows[] = {
    {"moved", "MOVED 3999 127.0.0.1:6381", SLOTS_REDIRECTION_MOVED, 3999,
     "127.0.0.1", 6381},
    {"ask", "ASK 0 127.0.0.1:1", SLOTS_REDIRECTION_ASK, 0, "127.0.0.1", 1},
    {"a name", "MOVED 16383 r.example:65535", SLOTS_REDIRECTION_MOVED, 16383,
     "r.example", 65535},
    {"IPv6", "MOVED 1 fd00::1:6381", SLOTS_REDIRECTION_MOVED, 1, "fd00::1",
     6381},
    {"an empty endpoint", "MOVED 1 :6381", SLOTS_REDIRECTION_MOVED, 1, SOURCE,
     6381},
    {"an unknown one", "MOVED 1 ?:6381", SLOTS_REDIRECTION_MOVED, 1, SOURCE,
     6381},
    {"a slot too many", "MOVED 16384 h:1", SLOTS_REDIRECTION_NONE, 0, "", 0},
    {"a slot of many digits", "MOVED 100000000000 h:1", SLOTS_REDIRECTION_NONE,
     0, "", 0},
    {"a negative slot", "MOVED -1 h:1", SLOTS_REDIRECTION_NONE, 0, "", 0},
    {"no slot", "MOVED  h:1", SLOTS_REDIRECTION_NONE, 0, "", 0},
    {"port 0", "MOVED 1 h:0", SLOTS_REDIRECTION_NONE, 0, "", 0},
    {"port 65536", "MOVED 1 h:65536", SLOTS_REDIRECTION_NONE, 0, "", 0},
    {"a quote in the host", "MOVED 1 a\"b:1", SLOTS_REDIRECTION_NONE, 0, "", 0},
    {"no port", "MOVED 1 h", SLOTS_REDIRECTION_NONE, 0, "", 0},
    {"nothing", "MOVED", SLOTS_REDIRECTION_NONE, 0, "", 0},
    {"another error", "CLUSTERDOWN Hash slot not served",
     SLOTS_REDIRECTION_NONE, 0, "", 0},
    {"a longer word", "MOVEDX 1 h:1", SLOTS_REDIRECTION_NONE, 0, "", 0},
};

TEST_CASES(redirection, struct redirection_case, redirection_rows)
{
    struct slots_server server = {.port = 0};
    unsigned slot = 0;

    CU_ASSERT_EQUAL(slots_redirection(c->error, SOURCE, &slot, &server),
                    c->want);
    CU_ASSERT_EQUAL(slot, c->slot);
    CU_ASSERT_STRING_EQUAL(server.host, c->host);
    CU_ASSERT_EQUAL(server.port, c->port);
}

struct share_case {
    const char *name, *a, *b;
    bool want;
};

#define ONE(host, length, id)                                                  \
    "*1\r\n" ROW(0, 16383, 3) "*3\r\n" HOST(host, length) ":7001\r\n" id
#define ID_A "$1\r\na\r\n"
#define ID_B "$1\r\nb\r\n"

static const struct share_case share_rows[] = {
    {"the same", ONE("h", 1, ID_A), ONE("h", 1, ID_A), true},
    {"a server that has moved", ONE("h", 1, ID_A), ONE("g", 1, ID_A), true},
    {"an address of another's", ONE("h", 1, ID_A), ONE("h", 1, ID_B), false},
    {"nothing", ONE("h", 1, ID_A), ONE("g", 1, ID_B), false},
    {"without ids, the address counts", "*1\r\n" ROW(0, 1, 3) SERVER2("h", 1),
     ONE("h", 1, ID_B), true},
};

TEST_CASES(share, struct share_case, share_rows)
{
    redisReply *a_reply = reply_of(c->a), *b_reply = reply_of(c->b);
    struct slots *a = NULL, *b = NULL;

    CU_ASSERT_EQUAL_FATAL(slots_read(a_reply, SOURCE, &a), SLOTS_OK);
    CU_ASSERT_EQUAL_FATAL(slots_read(b_reply, SOURCE, &b), SLOTS_OK);
    CU_ASSERT_EQUAL(slots_share_server(a, b), c->want);
    CU_ASSERT_EQUAL(slots_share_server(b, a), c->want);
    slots_free(a);
    slots_free(b);
    freeReplyObject(a_reply);
    freeReplyObject(b_reply);
}

TEST_SINGLE(owner, "is set by a redirection")
{
    redisReply *reply = reply_of(ONE("h", 1, ID_A));
    struct slots_server server = {.host = "g", .port = 7002};
    struct slots *slots = NULL;

    CU_ASSERT_EQUAL_FATAL(slots_read(reply, SOURCE, &slots), SLOTS_OK);
    CU_ASSERT_TRUE(slots_set_owner(slots, 7, &server));
    CU_ASSERT_EQUAL(slots_owner(slots, 6), 0);
    CU_ASSERT_EQUAL(slots_owner(slots, 7), 1);
    CU_ASSERT_STRING_EQUAL(slots_server(slots, 1)->host, "g");
    slots_free(slots);
    freeReplyObject(reply);
}
