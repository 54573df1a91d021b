/*
 * `scoring interests get`, `set` and `delete`, for one client. Implements S19.9
 * of docs/protocol.md.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <sysexits.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/scan.h"
#include "cli/session.h"
#include "cli/shards.h"
#include "cli/writer.h"
#include "redis/error.h"
#include "scoring/interests.h"

/* One client, and the server that has its key. */
struct client {
    const struct interests_plan *plan;
    const struct redis_url *redis;
    struct report report;
    char room[INTERESTS_KEY_MAX];
    struct bytes key;
    struct shards *shards;
    struct session *session;
    bool is_answered;
    int status;
};

/* Sends the commands. Returns false if the session has failed. */
typedef bool work_fn(struct client *client);

static int
fail(struct client *client)
{
    const bool has_moved =
        client->session != NULL && session_has_moved(client->session);

    report_store(&client->report, client->redis, shards_error(client->shards),
                 "");
    return report_status(has_moved ? EX_TEMPFAIL : EX_UNAVAILABLE);
}

static int
run(const struct interests_plan *plan, const struct redis_url *redis,
    work_fn *work)
{
    struct client client = {.plan = plan, .redis = redis};

    client.key = interests_key(plan->client_id, client.room);
    client.shards = shards_new(redis, plan->limit_ms);
    if (client.shards == NULL) {
        report_say(&client.report, "out of memory");
        return EX_OSERR;
    }
    client.session = shards_open_for(client.shards, client.key);
    if (client.session == NULL || !work(&client))
        client.status = fail(&client);
    shards_free(client.shards);
    return client.status;
}

static int
refuse_value(struct client *client, const char *words)
{
    report_key(&client->report, client->key, words);
    return EX_DATAERR;
}

static int
print_value(struct client *client, struct bytes value)
{
    struct buf line = {0};
    enum interests_line_error error;

    if (value.length > SCAN_VALUE_MAX)
        return refuse_value(client, INTERESTS_TOO_LARGE);
    error = interests_line_print(client->plan->client_id, value, &line);
    if (error == INTERESTS_LINE_OK)
        return command_print_text(&line);
    buf_free(&line);
    return refuse_value(client, interests_line_error_text(error));
}

static void
note_absence(struct client *client)
{
    report_say(&client->report,
               "note: the store has no interests of client %lld",
               (long long)client->plan->client_id);
}

static bool
on_value(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct client *client = arg;

    (void)command;
    client->is_answered = *reply != NULL;
    if (*reply == NULL)
        return true;
    switch ((*reply)->type) {
    case REDIS_REPLY_NIL:
        note_absence(client);
        client->status = print_value(client, bytes_of(INTERESTS_NONE));
        return true;
    case REDIS_REPLY_STRING:
        client->status = print_value(
            client, (struct bytes){(*reply)->str, (size_t)(*reply)->len});
        return true;
    case REDIS_REPLY_ERROR:
        if (redis_error_is((*reply)->str, "WRONGTYPE"))
            client->status = refuse_value(client, INTERESTS_OTHER_TYPE);
        else
            (void)session_refuse(client->session, *reply);
        return true;
    default:
        return false;
    }
}

/* Requests something of the key. Returns false if the session has failed. */
static bool
ask(struct client *client, const char *name, redis_reply_fn *done)
{
    const struct redis_command command = {.done = done, .arg = client};
    const struct bytes key = client->key;
    struct redis_commands *commands =
        session_commands(client->session, 1, key.length);

    if (commands == NULL)
        return false;
    redis_commands_add(commands, &command, name, 1);
    redis_commands_add_argument(commands, key);
    return true;
}

/* STRLEN, so that a large value is not sent. GET reports all other faults. */
static bool
on_length(void *arg, const struct redis_command *command, redisReply **reply)
{
    struct client *client = arg;

    (void)command;
    if (*reply == NULL)
        return true;
    if ((*reply)->type == REDIS_REPLY_INTEGER &&
        (*reply)->integer > (int64_t)SCAN_VALUE_MAX) {
        client->is_answered = true;
        client->status = refuse_value(client, INTERESTS_TOO_LARGE);
        return true;
    }
    (void)ask(client, "GET", on_value);
    return true;
}

static bool
get(struct client *client)
{
    if (!ask(client, "STRLEN", on_length))
        return false;
    while (!client->is_answered)
        if (!session_turn(client->session))
            return false;
    return session_error(client->session)[0] == '\0';
}

/* Like import, waits for the confirmation of a replica, if there is one. */
static bool
write_with(struct client *client, enum writer_command command,
           struct bytes value, int64_t *ret_deleted)
{
    struct writer *writer = writer_new(client->session, command);
    bool is_good;

    if (writer == NULL)
        return session_fail(client->session, "out of memory");
    is_good = writer_ask_replicas(writer, client->plan->limit_ms / 2) &&
              writer_add(writer, client->key, value) && writer_finish(writer);
    *ret_deleted = writer_deleted(writer);
    writer_free(writer);
    return is_good;
}

static bool
set(struct client *client)
{
    int64_t none = 0;

    return write_with(client, WRITER_SET, client->plan->interests, &none);
}

static bool delete (struct client *client)
{
    int64_t deleted = 0;

    if (!write_with(client, WRITER_DEL, bytes_of(""), &deleted))
        return false;
    if (deleted == 0)
        note_absence(client);
    return true;
}

int
interests_get(const struct interests_plan *plan, const struct redis_url *redis)
{
    return run(plan, redis, get);
}

int
interests_set(const struct interests_plan *plan, const struct redis_url *redis)
{
    return run(plan, redis, set);
}

int
interests_delete(const struct interests_plan *plan,
                 const struct redis_url *redis)
{
    return run(plan, redis, delete);
}
