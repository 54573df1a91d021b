/*
 * Polls the sentinels. Their published messages are no substitute: they may be
 * lost, and come a second later than the answer of the sentinel that leads a
 * failover. It implements S21.2 of docs/protocol.md.
 */
#include <ev.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/number.h"
#include "base/units.h"
#include "redis/conn.h"
#include "store/sentinels.h"

/* So that a new master is followed within half a second on a busy machine. */
#define POLL_MS 250

/* An unreachable sentinel that is not in the URL is dropped when no other one
 * has named it for this long. */
#define FORGET_MS 10000

/* Ten times the reply about 16 sentinels. */
#define REPLY_BYTES_MAX ((size_t)1 << 20)

#define PORT_MAX 65535
#define ID_SIZE  64 /* a run id has 40 digits */
#define COMMANDS 4  /* of a poll */

struct sentinel {
    struct sentinels *all;
    struct redis_url url;
    char host[ELECTION_HOST_SIZE];
    bool is_of_url;
    struct redis_conn *conn;
    bool is_up, has_spoken, has_vote;
    size_t waiting;      /* replies to come */
    struct master vote;  /* of the last complete poll */
    struct master draft; /* of the current poll */
    char id[ID_SIZE];    /* empty: not known yet */
    int64_t named_ms;    /* when another sentinel last named it */
    char error[REDIS_ERROR_WORDS];
};

struct sentinels {
    struct ev_loop *loop;
    const struct redis_url *url;
    int64_t connect_ms, answer_ms;
    struct sentinel *item[SENTINELS_MAX];
    size_t count;
    bool has_news;
    ev_timer timer;
};

static bool
text_is(const redisReply *reply, const char *text)
{
    return reply->type == REDIS_REPLY_STRING && strcmp(reply->str, text) == 0;
}

/* The value of a name in a list [name, value...]; NULL if there is none. */
static const char *
value_of(const redisReply *list, const char *name)
{
    if (list->type != REDIS_REPLY_ARRAY)
        return NULL;
    for (size_t i = 0; i + 1 < list->elements; i += 2)
        if (text_is(list->element[i], name) &&
            list->element[i + 1]->type == REDIS_REPLY_STRING)
            return list->element[i + 1]->str;
    return NULL;
}

/* Returns false if this is no address. */
static bool
take_place(const char *host, const char *port, char ret_host[], int *ret_port)
{
    int64_t number;

    if (host == NULL || port == NULL || *host == '\0' ||
        strlen(host) >= ELECTION_HOST_SIZE ||
        !number_parse(port, 1, PORT_MAX, &number))
        return false;
    (void)snprintf(ret_host, ELECTION_HOST_SIZE, "%s", host);
    *ret_port = (int)number;
    return true;
}

static void
note_error(struct sentinel *sentinel, const char *words)
{
    (void)snprintf(sentinel->error, sizeof(sentinel->error), "%s", words);
}

/* The list of sentinels. */

static struct sentinel *
find_place(const struct sentinels *all, const char *host, int port)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->item[i]->url.port == port &&
            strcmp(all->item[i]->host, host) == 0)
            return all->item[i];
    return NULL;
}

static struct sentinel *
find_id(const struct sentinels *all, const char *id)
{
    for (size_t i = 0; i < all->count; i++)
        if (*id != '\0' && strcmp(all->item[i]->id, id) == 0)
            return all->item[i];
    return NULL;
}

static void on_up(void *arg);
static void on_down(void *arg, enum redis_fault fault, const char *words);

static void
forget(struct sentinel *sentinel)
{
    if (sentinel == NULL)
        return;
    redis_conn_free(sentinel->conn);
    free(sentinel);
}

/* Returns NULL if there is no room or memory for it. */
static struct sentinel *
add(struct sentinels *all, const char *host, int port)
{
    struct sentinel *sentinel = calloc(1, sizeof(*sentinel));
    const struct redis_conn_config config = {
        .server = sentinel != NULL ? &sentinel->url : NULL,
        .wants_sentinel = true,
        .connect_limit_ms = all->connect_ms,
        .answer_limit_ms = all->answer_ms,
        .reply_bytes_max = REPLY_BYTES_MAX,
        .up = on_up,
        .down = on_down,
        .arg = sentinel,
    };

    if (sentinel == NULL || all->count == SENTINELS_MAX) {
        free(sentinel);
        return NULL;
    }
    sentinel->all = all;
    (void)snprintf(sentinel->host, sizeof(sentinel->host), "%s", host);
    sentinel->url = (struct redis_url){
        .host = sentinel->host,
        .port = port,
        .tls = all->url->tls,
        .username = all->url->sentinel_username,
        .password = all->url->sentinel_password,
    };
    sentinel->conn = redis_conn_new(all->loop, &config);
    if (sentinel->conn == NULL) {
        free(sentinel);
        return NULL;
    }
    all->item[all->count++] = sentinel;
    return sentinel;
}

/* Adds a sentinel that another one has named; the next poll asks it. */
static void
take_named(struct sentinels *all, const redisReply *named)
{
    const char *id = value_of(named, "runid");
    char host[ELECTION_HOST_SIZE];
    struct sentinel *sentinel;
    int port;

    if (!take_place(value_of(named, "ip"), value_of(named, "port"), host,
                    &port))
        return;
    sentinel = find_place(all, host, port);
    if (sentinel == NULL && id != NULL)
        sentinel = find_id(all, id);
    if (sentinel == NULL)
        sentinel = add(all, host, port);
    if (sentinel == NULL)
        return;
    sentinel->named_ms = clock_mono_ms();
    if (sentinel->id[0] == '\0' && id != NULL)
        (void)snprintf(sentinel->id, sizeof(sentinel->id), "%s", id);
}

/* Whether this is a second address of a listed sentinel, or an unreachable one
 * that no other names any more. Those of the URL always stay. */
static bool
is_superfluous(const struct sentinel *sentinel)
{
    const struct sentinel *same = find_id(sentinel->all, sentinel->id);

    if (sentinel->is_of_url)
        return false;
    if (same != NULL && same != sentinel)
        return true;
    return !sentinel->is_up && clock_mono_ms() - sentinel->named_ms > FORGET_MS;
}

/* Answers. */

static bool
answered(struct sentinel *sentinel, redisReply *reply)
{
    sentinel->waiting--;
    if (reply == NULL)
        return false;
    if (reply->type == REDIS_REPLY_ERROR) {
        char words[REDIS_ERROR_WORDS];

        redis_error_words(reply->str, words);
        note_error(sentinel, words);
    }
    return true;
}

/* On an error, such as a missing right or an unknown name of the master, the
 * epoch is 0. */
static bool
on_master(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct sentinel *sentinel = arg;
    const char *epoch;

    (void)command;
    sentinel->draft = (struct master){.epoch = 0};
    sentinel->error[0] = '\0';
    if (!answered(sentinel, *reply))
        return true;
    epoch = value_of(*reply, "config-epoch");
    if (epoch != NULL)
        (void)number_parse(epoch, 0, INT64_MAX, &sentinel->draft.epoch);
    return true;
}

/*
 * Unlike the answer to MASTER, this one names the new master as soon as it has
 * been promoted, while replicas are still being reconfigured.
 */
static bool
on_address(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct sentinel *sentinel = arg;
    struct master *draft = &sentinel->draft;

    (void)command;
    if (!answered(sentinel, *reply))
        return true;
    if ((*reply)->type != REDIS_REPLY_ARRAY || (*reply)->elements != 2 ||
        !take_place((*reply)->element[0]->str, (*reply)->element[1]->str,
                    draft->host, &draft->port))
        draft->host[0] = '\0';
    return true;
}

static bool
on_others(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct sentinel *sentinel = arg;

    (void)command;
    if (!answered(sentinel, *reply))
        return true;
    if ((*reply)->type == REDIS_REPLY_ARRAY)
        for (size_t i = 0; i < (*reply)->elements; i++)
            take_named(sentinel->all, (*reply)->element[i]);
    sentinel->vote = sentinel->draft;
    sentinel->has_vote = sentinel->vote.host[0] != '\0';
    sentinel->has_spoken = true;
    sentinel->all->has_news = true;
    return true;
}

static bool
on_id(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct sentinel *sentinel = arg;

    (void)command;
    sentinel->waiting--;
    if (*reply != NULL && (*reply)->type == REDIS_REPLY_STRING)
        (void)snprintf(sentinel->id, sizeof(sentinel->id), "%s", (*reply)->str);
    return true;
}

/* Questions. */

static const struct question {
    const char *word;
    redis_reply_fn *done;
    bool has_name; /* the master's */
} questions[COMMANDS] = {
    {"MASTER", on_master, true},
    {"GET-MASTER-ADDR-BY-NAME", on_address, true},
    {"SENTINELS", on_others, true},
    {"MYID", on_id, false},
};

/* Nothing is sent while replies are pending: their time limit is running. */
static void
ask(struct sentinel *sentinel)
{
    struct redis_commands *commands = redis_conn_commands(sentinel->conn);
    const struct bytes name = bytes_of(sentinel->all->url->master);

    if (!sentinel->is_up || sentinel->waiting > 0 ||
        !redis_commands_reserve(
            commands, COMMANDS,
            COMMANDS *
                (REDIS_COMMAND_ROOM + 2 * REDIS_ARGUMENT_ROOM + name.length)))
        return;
    for (size_t i = 0; i < COMMANDS; i++) {
        const struct question *question = &questions[i];
        const struct redis_command command = {.done = question->done,
                                              .arg = sentinel};

        redis_commands_add(commands, &command, "SENTINEL",
                           question->has_name ? 2 : 1);
        redis_commands_add_argument(commands, bytes_of(question->word));
        if (question->has_name)
            redis_commands_add_argument(commands, name);
        sentinel->waiting++;
    }
    redis_conn_flush(sentinel->conn);
}

static void
on_up(void *arg)
{
    struct sentinel *sentinel = arg;

    sentinel->is_up = true;
    sentinel->error[0] = '\0';
    /* Poll at once, but not from within this callback. */
    ev_feed_event(sentinel->all->loop, &sentinel->all->timer, EV_TIMER);
}

static void
on_down(void *arg, enum redis_fault fault, const char *words)
{
    struct sentinel *sentinel = arg;

    (void)fault;
    sentinel->is_up = sentinel->has_vote = false;
    sentinel->has_spoken = true;
    sentinel->waiting = 0;
    sentinel->all->has_news = true;
    note_error(sentinel, words);
}

static void
on_time(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct sentinels *all = timer->data;

    (void)loop;
    (void)events;
    for (size_t i = all->count; i-- > 0;) {
        if (!is_superfluous(all->item[i]))
            continue;
        forget(all->item[i]);
        all->item[i] = all->item[--all->count];
    }
    for (size_t i = 0; i < all->count; i++) {
        redis_conn_open(all->item[i]->conn);
        ask(all->item[i]);
    }
}

/* Results. */

bool
sentinels_take_news(struct sentinels *all)
{
    const bool has_news = all->has_news;

    all->has_news = false;
    return has_news;
}

size_t
sentinels_votes(const struct sentinels *all,
                struct master ret_votes[SENTINELS_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < all->count; i++)
        if (all->item[i]->has_vote)
            ret_votes[count++] = all->item[i]->vote;
    return count;
}

size_t
sentinels_known(const struct sentinels *all)
{
    return all->count;
}

size_t
sentinels_reachable(const struct sentinels *all)
{
    size_t count = 0;

    for (size_t i = 0; i < all->count; i++)
        count += all->item[i]->is_up;
    return count;
}

bool
sentinels_have_spoken(const struct sentinels *all)
{
    for (size_t i = 0; i < all->count; i++)
        if (!all->item[i]->has_spoken)
            return false;
    return true;
}

/* The first error that is known: the others are usually the same. */
void
sentinels_put_reason(const struct sentinels *all, struct buf *out)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct sentinel *sentinel = all->item[i];

        if (sentinel->error[0] == '\0')
            continue;
        buf_add_text(out, "sentinel ");
        redis_url_print_address(&sentinel->url, out);
        buf_printf(out, ": %s", sentinel->error);
        return;
    }
    buf_add_text(out, "no sentinel has answered");
}

/* Making and freeing. */

struct sentinels *
sentinels_new(struct ev_loop *loop, const struct redis_url *url,
              int64_t connect_ms, int64_t answer_ms)
{
    struct sentinels *all = calloc(1, sizeof(*all));

    if (all == NULL)
        return NULL;
    *all = (struct sentinels){.loop = loop,
                              .url = url,
                              .connect_ms = connect_ms,
                              .answer_ms = answer_ms};
    ev_timer_init(&all->timer, on_time, 0., POLL_MS * S_PER_MS);
    all->timer.data = all;
    for (size_t i = 0; i < url->host_count; i++) {
        struct sentinel *sentinel;

        if (find_place(all, url->hosts[i].host, url->hosts[i].port) != NULL)
            continue;
        sentinel = add(all, url->hosts[i].host, url->hosts[i].port);
        if (sentinel == NULL) {
            sentinels_free(all);
            return NULL;
        }
        sentinel->is_of_url = true;
    }
    ev_timer_start(loop, &all->timer);
    return all;
}

void
sentinels_free(struct sentinels *all)
{
    if (all == NULL)
        return;
    ev_timer_stop(all->loop, &all->timer);
    for (size_t i = 0; i < all->count; i++)
        forget(all->item[i]);
    free(all);
}
