/*
 * The masters of a Redis Cluster, for the command line. Implements S22.8 of
 * docs/protocol.md.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/session.h"
#include "cli/shards.h"
#include "store/slots.h"

struct shard {
    struct redis_url url;
    struct session *session;
};

struct shards {
    const struct redis_url *server; /* of shards_new() */
    int64_t limit_ms;
    struct slots *slots; /* the map of a Cluster; NULL: one server */
    size_t *by_number;   /* server of slots -> index of items */
    struct shard *items;
    size_t count;
    const char *error; /* NULL: see the errors of the sessions */
    char words[400];   /* holds an error about the map */
};

/* The map of slots. */

struct question {
    const char *host; /* the host that is asked */
    bool is_over;
    enum slots_error error;
    struct slots *answer;
    char refusal[REDIS_ERROR_WORDS];
};

static bool
on_map(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct question *question = arg;

    (void)command;
    question->is_over = true;
    if (*reply == NULL)
        return true;
    if ((*reply)->type == REDIS_REPLY_ERROR)
        redis_error_words((*reply)->str, question->refusal);
    else
        question->error = slots_read(*reply, question->host, &question->answer);
    return true;
}

static bool
ask_map(struct session *session, struct question *question)
{
    const struct redis_command command = {.done = on_map, .arg = question};
    const struct bytes argument = bytes_of("SLOTS");
    struct redis_commands *commands;

    if (!session_open(session))
        return false;
    commands = session_commands(session, 1, argument.length);
    if (commands == NULL)
        return false;
    redis_commands_add(commands, &command, "CLUSTER", 1);
    redis_commands_add_argument(commands, argument);
    while (!question->is_over)
        if (!session_turn(session))
            return false;
    if (question->refusal[0] != '\0')
        return session_fail(session, question->refusal);
    return question->answer != NULL ||
           session_fail(session, slots_error_text(question->error));
}

static struct redis_url
url_of(const struct shards *shards, const char *host, int port)
{
    struct redis_url url = *shards->server;

    url.kind = REDIS_URL_SINGLE;
    url.host_count = 0;
    url.host = host;
    url.port = port;
    return url;
}

/* Gets the map from one host. Returns NULL, with the error set, on failure. */
static struct slots *
map_of_host(struct shards *shards, const struct redis_url_host *host)
{
    const struct redis_url url = url_of(shards, host->host, host->port);
    struct question question = {.host = host->host, .error = SLOTS_SHAPE};
    struct session *session = session_new_node(&url, shards->limit_ms);
    struct buf address = {0};

    if (session == NULL) {
        shards->error = "out of memory";
        return NULL;
    }
    if (!ask_map(session, &question)) {
        redis_url_print_address(&url, &address);
        (void)snprintf(shards->words, sizeof(shards->words), "%.*s: %s",
                       (int)address.length,
                       address.data != NULL ? address.data : "",
                       session_error(session));
        shards->error = shards->words;
    }
    session_free(session);
    buf_free(&address);
    return question.answer;
}

static struct slots *
find_map(struct shards *shards)
{
    struct slots *slots = NULL;

    for (size_t i = 0; i < shards->server->host_count && slots == NULL; i++)
        slots = map_of_host(shards, &shards->server->hosts[i]);
    if (slots != NULL)
        shards->error = NULL;
    return slots;
}

/* Sessions. */

static bool
open_shard(struct shards *shards, struct shard *shard)
{
    shard->session = shards->slots != NULL
                         ? session_new_node(&shard->url, shards->limit_ms)
                         : session_new(shards->server, shards->limit_ms);
    if (shard->session != NULL)
        return session_open(shard->session);
    shards->error = "out of memory";
    return false;
}

static bool
has_all_slots(const struct slots *slots)
{
    for (unsigned slot = 0; slot < SLOTS_COUNT; slot++)
        if (slots_owner(slots, slot) < 0)
            return false;
    return true;
}

static bool
list_masters(struct shards *shards)
{
    const size_t count = slots_server_count(shards->slots);

    shards->by_number = calloc(count, sizeof(shards->by_number[0]));
    shards->items = calloc(count, sizeof(shards->items[0]));
    if (shards->by_number == NULL || shards->items == NULL) {
        shards->error = "out of memory";
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const struct slots_server *server = slots_server(shards->slots, i);

        if (!slots_is_master(shards->slots, i))
            continue;
        shards->by_number[i] = shards->count;
        shards->items[shards->count++].url =
            url_of(shards, server->host, server->port);
    }
    return true;
}

static bool
find_masters(struct shards *shards)
{
    shards->slots = find_map(shards);
    if (shards->slots == NULL)
        return false;
    if (!has_all_slots(shards->slots)) {
        shards->error = "some slots of the cluster have no server";
        return false;
    }
    return list_masters(shards);
}

static bool
take_one_server(struct shards *shards)
{
    shards->items = calloc(1, sizeof(shards->items[0]));
    shards->count = shards->items != NULL;
    if (shards->items == NULL)
        shards->error = "out of memory";
    return shards->items != NULL;
}

static bool
find_servers(struct shards *shards)
{
    return shards->server->kind == REDIS_URL_CLUSTER ? find_masters(shards)
                                                     : take_one_server(shards);
}

bool
shards_open(struct shards *shards)
{
    bool is_good = find_servers(shards);

    for (size_t i = 0; i < shards->count && is_good; i++)
        is_good = open_shard(shards, &shards->items[i]);
    return is_good;
}

struct session *
shards_open_for(struct shards *shards, struct bytes key)
{
    struct shard *shard;

    if (!find_servers(shards))
        return NULL;
    shard = &shards->items[shards_find(shards, key)];
    return open_shard(shards, shard) ? shard->session : NULL;
}

size_t
shards_count(const struct shards *shards)
{
    return shards->count;
}

struct session *
shards_session(struct shards *shards, size_t number)
{
    return shards->items[number].session;
}

size_t
shards_find(const struct shards *shards, struct bytes key)
{
    if (shards->slots == NULL)
        return 0;
    return shards->by_number[slots_owner(shards->slots, slots_of_key(key))];
}

bool
shards_check_moved(struct shards *shards, bool *ret_have_moved)
{
    struct slots *slots = NULL;

    if (shards->slots != NULL) {
        slots = find_map(shards);
        if (slots == NULL)
            return false;
    }
    *ret_have_moved =
        slots != NULL && !slots_have_same_owners(slots, shards->slots);
    slots_free(slots);
    return true;
}

const char *
shards_error(const struct shards *shards)
{
    if (shards->error != NULL)
        return shards->error;
    for (size_t i = 0; i < shards->count; i++) {
        const struct session *session = shards->items[i].session;

        if (session != NULL && session_error(session)[0] != '\0')
            return session_error(session);
    }
    return "";
}

/* Making and freeing. */

struct shards *
shards_new(const struct redis_url *server, int64_t limit_ms)
{
    struct shards *shards = calloc(1, sizeof(*shards));

    if (shards == NULL)
        return NULL;
    shards->server = server;
    shards->limit_ms = limit_ms;
    return shards;
}

void
shards_free(struct shards *shards)
{
    if (shards == NULL)
        return;
    for (size_t i = 0; i < shards->count; i++)
        session_free(shards->items[i].session);
    slots_free(shards->slots);
    free(shards->by_number);
    free(shards->items);
    free(shards);
}
