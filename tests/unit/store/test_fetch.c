/*
 * The commands of a required read of a Cluster, with fake servers that answer
 * them as Redis does: how many round trips it takes, how many bytes are pending
 * and kept meanwhile, and what it answers. A key is a number; its server is the
 * number modulo the count of servers, and the value begins with the key.
 * Source: docs/protocol.md, S18.3, S22.3.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis/command.h"
#include "store/fetch.h"
#include "store/reads.h"
#include "support/cases.h"
#include "support/link_fake.h"

#define SERVERS_MAX 3
#define KEYS_MAX    10000
#define KEY_SIZE    24 /* the digits of any size_t */
#define KIB         ((size_t)1024)
#define MIB         ((size_t)1 << 20)
#define BYTES_MAX   (16 * MIB)
#define DEADLINE_MS 800

struct fetch_case {
    const char *name;
    size_t servers, count; /* of keys */
    size_t absent;         /* so many of them, the first ones */
    size_t bytes;          /* of each other value */
    enum store_status want;
    size_t trips;      /* 0: not checked */
    size_t flight_max; /* bytes that all servers may be sending */
    size_t kept_max;   /* bytes of replies that are kept */
    bool is_denied;    /* the servers refuse GETRANGE */
    size_t lose_after; /* replies; then the first connection ends */
};

/* What one command of the queue of a server is answered with. */
struct due {
    size_t key;
    size_t bytes; /* of the value, as far as it is requested */
    bool is_refused;
};

struct server {
    struct store_link base; /* first: a link begins with it */
    struct redis_commands commands;
    redisReader *reader;
    struct due due[KEYS_MAX];
    size_t first, count;
};

static struct {
    struct store_route route; /* first: a route begins with it */
    const struct fetch_case *row;
    struct server servers[SERVERS_MAX];
    struct store_node *nodes[SERVERS_MAX];
    struct store *store;
    struct bytes keys[KEYS_MAX];
    char texts[KEYS_MAX][KEY_SIZE];
    size_t flight, flight_most, kept, kept_most, trips, replies;
    int answers;
    enum store_status status;
    size_t strings, absent, large; /* values of the answer */
} bench;

/* Servers. */

static size_t
number_of(const char *text)
{
    return (size_t)strtoul(text, NULL, 10);
}

/* GET key, or GETRANGE key 0 end. */
static void
add_due(struct server *server, const redisReply *command)
{
    const struct fetch_case *row = bench.row;
    struct due *due = &server->due[server->first + server->count++];
    const bool is_range = command->elements == 4;

    CU_ASSERT_FATAL(server->first + server->count <= KEYS_MAX);
    CU_ASSERT_FATAL(is_range || command->elements == 2);
    *due = (struct due){.key = number_of(command->element[1]->str),
                        .is_refused = is_range && row->is_denied};
    if (due->key >= row->absent && !due->is_refused)
        due->bytes = row->bytes;
    if (is_range) {
        const size_t end = number_of(command->element[3]->str);

        due->bytes = due->bytes > end + 1 ? end + 1 : due->bytes;
    }
    bench.flight += due->bytes;
    if (bench.flight > bench.flight_most)
        bench.flight_most = bench.flight;
}

static void
server_flush(struct store_link *link)
{
    struct server *server = (struct server *)link;
    struct buf *out = &server->commands.out;
    void *command = NULL;

    if (out->length == 0)
        return;
    if (server->count == 0)
        server->first = 0;
    (void)redisReaderFeed(server->reader, out->data, out->length);
    buf_clear(out);
    while (redisReaderGetReply(server->reader, &command) == REDIS_OK &&
           command != NULL) {
        add_due(server, command);
        freeReplyObject(command);
    }
}

static void
server_open(struct store_link *link)
{
    store_link_up(link);
}

static const struct store_link_ops link_ops = {
    .open = server_open,
    .read = redis_fetch_send,
    .write = link_fake_write,
    .check = link_fake_check,
    .flush = server_flush,
    .free = link_fake_do_nothing,
};

static redisReply *
reply_new(const struct due *due)
{
    static const char refusal[] = "NOPERM no";
    const size_t length = due->is_refused ? sizeof(refusal) - 1 : due->bytes;
    const char *text = due->is_refused ? refusal : bench.texts[due->key];
    redisReply *reply = calloc(1, sizeof(*reply));

    CU_ASSERT_PTR_NOT_NULL_FATAL(reply);
    reply->type = due->is_refused ? REDIS_REPLY_ERROR : REDIS_REPLY_STRING;
    reply->len = length;
    reply->str = malloc(length + KEY_SIZE);
    CU_ASSERT_PTR_NOT_NULL_FATAL(reply->str);
    (void)snprintf(reply->str, length + 1, "%s", text);
    return reply;
}

static void
server_lose(struct server *server)
{
    struct redis_command command;
    redisReply *none = NULL;

    buf_clear(&server->commands.out);
    while (redis_commands_take(&server->commands, &command))
        (void)command.done(command.arg, &command, &none);
    for (; server->count > 0; server->count--)
        bench.flight -= server->due[server->first++].bytes;
    store_link_down(&server->base, REDIS_FAULT_BROKEN, "gone");
}

static void
server_answer(struct server *server)
{
    const struct due *due = &server->due[server->first++];
    struct redis_command command;
    redisReply *reply = reply_new(due);

    server->count--;
    bench.flight -= due->bytes;
    CU_ASSERT_FATAL(redis_commands_take(&server->commands, &command));
    CU_ASSERT_TRUE(command.done(command.arg, &command, &reply));
    if (reply == NULL)
        bench.kept += due->bytes;
    else
        freeReplyObject(reply);
    if (bench.kept > bench.kept_most)
        bench.kept_most = bench.kept;
    if (++bench.replies == bench.row->lose_after) {
        bench.kept = 0; /* of the only server */
        server_lose(server);
    }
}

/* One round trip: all servers answer what they have received. */
static void
take_trip(void)
{
    size_t counts[SERVERS_MAX];

    for (size_t i = 0; i < bench.row->servers; i++)
        counts[i] = bench.servers[i].count;
    for (size_t i = 0; i < bench.row->servers; i++) {
        struct server *server = &bench.servers[i];

        for (; counts[i] > 0 && server->count > 0; counts[i]--) {
            server_answer(server);
            server_flush(&server->base);
        }
    }
    bench.trips++;
}

/* The route. */

static struct store_node *
route_node_of(struct store_route *route, struct bytes key)
{
    return route->nodes[number_of(key.at) % route->count];
}

static struct store_node *
route_follow(struct store_route *route, struct store_node *from,
             struct bytes redirection, bool *ret_is_asking)
{
    (void)route;
    (void)from;
    (void)redirection;
    *ret_is_asking = false;
    return NULL;
}

static const struct store_route_ops route_ops = {
    .own = link_fake_own,
    .node_of = route_node_of,
    .follow = route_follow,
    .free = link_fake_free,
};

static void
bench_start(const struct fetch_case *row)
{
    const struct store_config config = {.attempts = 3,
                                        .connect_timeout_ms = 200,
                                        .command_timeout_ms = 300,
                                        .deadline_ms = DEADLINE_MS,
                                        .answer_bytes_max = BYTES_MAX,
                                        .probe_key = bytes_of("")};

    memset(&bench, 0, sizeof(bench));
    bench.row = row;
    bench.route = (struct store_route){
        .ops = &route_ops, .nodes = bench.nodes, .count = row->servers};
    for (size_t i = 0; i < row->servers; i++) {
        struct server *server = &bench.servers[i];

        CU_ASSERT_FATAL(redis_commands_init(&server->commands));
        server->reader = redisReaderCreate();
        CU_ASSERT_PTR_NOT_NULL_FATAL(server->reader);
        server->base.ops = &link_ops;
        server->base.commands = &server->commands;
        server->base.is_single = true;
        bench.nodes[i] = store_node_new(&config, &server->base);
        CU_ASSERT_PTR_NOT_NULL_FATAL(bench.nodes[i]);
    }
    bench.store = store_new(&config, &bench.route);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bench.store);
    (void)store_turn(bench.store, 0);
    (void)store_turn(bench.store, 0);
}

static void
bench_end(void)
{
    store_free(bench.store);
    for (size_t i = 0; i < bench.row->servers; i++) {
        redis_commands_free(&bench.servers[i].commands);
        redisReaderFree(bench.servers[i].reader);
    }
}

static void
on_done(void *arg, enum store_status status, const struct store_value *values)
{
    (void)arg;
    bench.answers++;
    bench.status = status;
    bench.kept = 0; /* released after this */
    for (size_t i = 0; values != NULL && i < bench.row->count; i++) {
        const struct bytes data = values[i].data;

        bench.strings += values[i].kind == STORE_STRING;
        bench.absent += values[i].kind == STORE_ABSENT;
        bench.large += values[i].kind == STORE_LARGE_VALUE;
        if (values[i].kind != STORE_STRING)
            continue;
        CU_ASSERT_EQUAL(data.length, bench.row->bytes);
        CU_ASSERT_EQUAL(number_of(data.at), i);
    }
}

/* Reads all keys, with a turn after each trip, until nothing is pending. */
static void
ask(void)
{
    const int before = bench.answers;
    bool is_busy = true;
    int64_t now_ms = 0;

    for (size_t i = 0; i < bench.row->count; i++) {
        (void)snprintf(bench.texts[i], KEY_SIZE, "%zu", i);
        bench.keys[i] = bytes_of(bench.texts[i]);
    }
    bench.strings = bench.absent = bench.large = bench.trips = 0;
    CU_ASSERT_FATAL(store_read(bench.store, bench.keys, bench.row->count,
                               STORE_MUST, 0, DEADLINE_MS, on_done, NULL));
    (void)store_turn(bench.store, 0);
    while (is_busy || (bench.answers == before && now_ms < DEADLINE_MS)) {
        take_trip();
        (void)store_turn(bench.store, ++now_ms);
        is_busy = false;
        for (size_t i = 0; i < bench.row->servers; i++)
            is_busy = is_busy || bench.servers[i].count > 0;
    }
    CU_ASSERT_EQUAL(bench.answers, before + 1);
}

#define SMALL 100

/*
 * In the first pass 256 keys are pending, in the next ones 32, 4 and 1. A value
 * that is longer than the range arrives with one byte more.
 */
static const struct fetch_case fetch_rows[] = {
    {"one value of 1 MiB", 1, 1, 0, MIB, STORE_OK, 1, MIB, MIB, false, 0},
    {"one, of a byte more", 1, 1, 0, MIB + 1, STORE_OK, 1, MIB + 1, 0, false,
     0},
    {"10 small values", 1, 10, 0, SMALL, STORE_OK, 1, 10 * SMALL, 10 * SMALL,
     false, 0},
    {"10 of three servers", 3, 10, 0, SMALL, STORE_OK, 1, 10 * SMALL,
     10 * SMALL, false, 0},
    {"none of 10 is there", 1, 10, 10, SMALL, STORE_OK, 1, 0, 0, false, 0},
    {"256 values of 4 KiB", 1, 256, 0, 4 * KIB, STORE_OK, 1, MIB, MIB, false,
     0},
    {"257 of them", 1, 257, 0, 4 * KIB, STORE_OK, 2, MIB, 257 * 4 * KIB, false,
     0},
    {"two of 4 KiB and a byte", 1, 2, 0, 4 * KIB + 1, STORE_OK, 2, 8 * KIB + 2,
     8 * KIB + 2, false, 0},
    {"32 of 32 KiB", 1, 32, 0, 32 * KIB, STORE_OK, 2, MIB, MIB, false, 0},
    {"33 of 32 KiB", 1, 33, 0, 32 * KIB, STORE_OK, 3, MIB, 33 * 32 * KIB, false,
     0},
    {"two of 32 KiB and a byte", 1, 2, 0, 32 * KIB + 1, STORE_OK, 3,
     64 * KIB + 2, 64 * KIB + 2, false, 0},
    {"four of 256 KiB", 1, 4, 0, 256 * KIB, STORE_OK, 3, MIB, MIB, false, 0},
    {"two of 256 KiB and a byte", 1, 2, 0, 256 * KIB + 1, STORE_OK, 5,
     512 * KIB + 2, 512 * KIB + 2, false, 0},
    {"16 of 1 MiB", 1, 16, 0, MIB, STORE_OK, 0, MIB + 4, BYTES_MAX, false, 0},
    {"17 of 1 MiB", 1, 17, 0, MIB, STORE_LARGE, 0, MIB + 4, BYTES_MAX, false,
     0},
    {"two of more than 1 MiB", 1, 2, 0, MIB + 1, STORE_OK, 4, MIB + 1, 0, false,
     0},
    {"128 of 1 MiB", 1, 128, 0, MIB, STORE_LARGE, 0, MIB + 256, 0, false, 0},
    {"10,000, the first ones absent", 1, 10000, 32, MIB, STORE_LARGE, 0,
     MIB + 256, 0, false, 0},
    {"10,000, 1,000 absent", 1, 10000, 1000, MIB, STORE_LARGE, 0, MIB + 256, 0,
     false, 0},
    {"10,000 of three servers", 3, 10000, 1000, MIB, STORE_LARGE, 0,
     3 * (MIB + 256), 0, false, 0},
    {"16 of 1 MiB, of three servers", 3, 16, 0, MIB, STORE_OK, 0, 3 * MIB + 12,
     BYTES_MAX, false, 0},
    {"17 of three servers", 3, 17, 0, MIB, STORE_LARGE, 0, 3 * MIB + 12,
     BYTES_MAX, false, 0},
    {"48 of three servers", 3, 48, 0, MIB, STORE_LARGE, 0, 3 * MIB + 12,
     BYTES_MAX, false, 0},
    {"16 of 1 MiB, and the connection is lost", 1, 16, 0, MIB, STORE_OK, 0,
     MIB + 4, BYTES_MAX, false, 56},
    {"17, and it is lost", 1, 17, 0, MIB, STORE_LARGE, 0, MIB + 4, BYTES_MAX,
     false, 56},
    {"10 small values without ranges", 1, 10, 0, SMALL, STORE_OK, 2, 10 * SMALL,
     10 * SMALL, true, 0},
    {"16 of 1 MiB without ranges", 1, 16, 0, MIB, STORE_OK, 2, BYTES_MAX,
     BYTES_MAX, true, 0},
    {"two of more than 1 MiB without ranges", 1, 2, 0, MIB + 1, STORE_OK, 2,
     2 * MIB + 2, 0, true, 0},
    {"17 without ranges", 1, 17, 0, MIB, STORE_LARGE, 3, BYTES_MAX, BYTES_MAX,
     true, 0},
    {"10,000 without ranges", 1, 10000, 32, MIB, STORE_LARGE, 0, BYTES_MAX,
     BYTES_MAX, true, 0},
};

TEST_CASES(fetch, struct fetch_case, fetch_rows)
{
    bench_start(c);
    ask();
    CU_ASSERT_EQUAL(bench.status, c->want);
    if (c->trips > 0)
        CU_ASSERT_EQUAL(bench.trips, c->trips);
    CU_ASSERT_TRUE(bench.flight_most <= c->flight_max);
    CU_ASSERT_TRUE(bench.kept_most <= c->kept_max);
    if (c->want == STORE_OK && c->bytes <= MIB) {
        CU_ASSERT_EQUAL(bench.strings, c->count - c->absent);
        CU_ASSERT_EQUAL(bench.absent, c->absent);
    } else if (c->want == STORE_OK) {
        CU_ASSERT_EQUAL(bench.large, 1);
    }
    bench_end();
}

/* Once a connection has refused a range, its next read begins without. */
TEST_SINGLE(denied, "ranges are requested once on a connection")
{
    static const struct fetch_case row = {"", 1, 17, 0,    SMALL, STORE_OK,
                                          0,  0, 0,  true, 0};

    bench_start(&row);
    ask();
    CU_ASSERT_EQUAL(bench.trips, 3);
    CU_ASSERT_EQUAL(bench.replies, 2 * row.count);
    ask();
    CU_ASSERT_EQUAL(bench.trips, 2);
    CU_ASSERT_EQUAL(bench.replies, 3 * row.count);
    CU_ASSERT_EQUAL(bench.strings, row.count);
    bench_end();
}
