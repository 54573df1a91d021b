/*
 * Scripted sentinels: what they are asked and when, what is taken from their
 * answers, valid or not, and which of them become known, and stay.
 */
#include <ev.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "store/sentinels.h"
#include "support/calls.h"
#include "support/cases.h"
#include "support/clock.h"
#include "support/ports.h"
#include "support/script.h"

/* The answers to HELLO 2 and PING. */
#define HELLO "*4\r\n+mode\r\n+sentinel\r\n+role\r\n+master\r\n+PONG\r\n"

#define PAIR(name, value) "$" name "\r\n$" value "\r\n"
#define EPOCH_NAME        "12\r\nconfig-epoch"
#define EPOCH(value)      "*2\r\n" PAIR(EPOCH_NAME, value)
#define EPOCH_7           EPOCH("1\r\n7")
#define PLACE(host, port) "*2\r\n" PAIR(host, port)
#define A_PLACE           PLACE("9\r\n127.0.0.9", "4\r\n6379")
#define NOBODY            "*-1\r\n" /* the master's name is unknown */
#define EMPTY             "*0\r\n"
#define ID                "$2\r\nme\r\n"

/* An item of SENTINELS. */
#define OTHER(host, port, id)                                                  \
    "*6\r\n" PAIR("2\r\nip", host) PAIR("4\r\nport", port)                     \
        PAIR("5\r\nrunid", id)
#define AT_9 OTHER("9\r\n127.0.0.9", "1\r\n1", "2\r\nit")

#define FORGET_MS 10000 /* as in sentinels.c */

#define NOPERM  "-NOPERM this user has no permissions\r\n"
#define DENIED  "the user lacks a permission (NOPERM)"
#define SILENCE "no sentinel has answered"

struct saying_case {
    const char *name, *master, *address, *others;
    const char *vote; /* host, port and epoch; "": no master is named */
    size_t known;     /* sentinels afterwards */
    const char *reason;
};

static const struct saying_case saying_rows[] = {
    {"a master and its epoch", EPOCH_7, A_PLACE, EMPTY,
     "127.0.0.9:6379 epoch 7", 1, SILENCE},
    {"a master by its name", EPOCH_7, PLACE("4\r\ndb-1", "5\r\n65535"), EMPTY,
     "db-1:65535 epoch 7", 1, SILENCE},
    {"the epoch behind other members",
     "*4\r\n" PAIR("4\r\nname", "1\r\na") PAIR(EPOCH_NAME, "1\r\n7"), A_PLACE,
     EMPTY, "127.0.0.9:6379 epoch 7", 1, SILENCE},
    {"an epoch of 0", EPOCH("1\r\n0"), A_PLACE, EMPTY, "127.0.0.9:6379 epoch 0",
     1, SILENCE},
    {"an epoch that is no number", EPOCH("1\r\nx"), A_PLACE, EMPTY,
     "127.0.0.9:6379 epoch 0", 1, SILENCE},
    {"an epoch below 0", EPOCH("2\r\n-1"), A_PLACE, EMPTY,
     "127.0.0.9:6379 epoch 0", 1, SILENCE},
    {"the largest epoch", EPOCH("19\r\n9223372036854775807"), A_PLACE, EMPTY,
     "127.0.0.9:6379 epoch 9223372036854775807", 1, SILENCE},
    {"an epoch over the largest", EPOCH("19\r\n9223372036854775808"), A_PLACE,
     EMPTY, "127.0.0.9:6379 epoch 0", 1, SILENCE},
    {"no epoch", EMPTY, A_PLACE, EMPTY, "127.0.0.9:6379 epoch 0", 1, SILENCE},
    {"an epoch without its value", "*1\r\n$" EPOCH_NAME "\r\n", A_PLACE, EMPTY,
     "127.0.0.9:6379 epoch 0", 1, SILENCE},
    {"an epoch of another type", "*2\r\n$" EPOCH_NAME "\r\n:7\r\n", A_PLACE,
     EMPTY, "127.0.0.9:6379 epoch 0", 1, SILENCE},
    {"MASTER is a number", ":1\r\n", A_PLACE, EMPTY, "127.0.0.9:6379 epoch 0",
     1, SILENCE},
    {"MASTER is refused", NOPERM, A_PLACE, EMPTY, "127.0.0.9:6379 epoch 0", 1,
     DENIED},

    {"nobody", EPOCH_7, NOBODY, EMPTY, "", 1, SILENCE},
    {"an address of one element", EPOCH_7, "*1\r\n$1\r\na\r\n", EMPTY, "", 1,
     SILENCE},
    {"an address of three", EPOCH_7, "*3\r\n+a\r\n+1\r\n+2\r\n", EMPTY, "", 1,
     SILENCE},
    {"an address of numbers", EPOCH_7, "*2\r\n:1\r\n:2\r\n", EMPTY, "", 1,
     SILENCE},
    {"an address of lists", EPOCH_7, "*2\r\n*0\r\n*0\r\n", EMPTY, "", 1,
     SILENCE},
    {"an address of nothing", EPOCH_7, "*2\r\n$-1\r\n$-1\r\n", EMPTY, "", 1,
     SILENCE},
    {"an empty host", EPOCH_7, PLACE("0\r\n", "4\r\n6379"), EMPTY, "", 1,
     SILENCE},
    {"port 0", EPOCH_7, PLACE("1\r\na", "1\r\n0"), EMPTY, "", 1, SILENCE},
    {"port 1", EPOCH_7, PLACE("1\r\na", "1\r\n1"), EMPTY, "a:1 epoch 7", 1,
     SILENCE},
    {"port 65536", EPOCH_7, PLACE("1\r\na", "5\r\n65536"), EMPTY, "", 1,
     SILENCE},
    {"the address is refused", EPOCH_7, NOPERM, EMPTY, "", 1, DENIED},

    {"another sentinel", EPOCH_7, A_PLACE, "*1\r\n" AT_9,
     "127.0.0.9:6379 epoch 7", 2, SILENCE},
    {"the same one twice", EPOCH_7, A_PLACE, "*2\r\n" AT_9 AT_9,
     "127.0.0.9:6379 epoch 7", 2, SILENCE},
    {"one under two addresses", EPOCH_7, A_PLACE,
     "*2\r\n" AT_9 OTHER("9\r\n127.0.0.8", "1\r\n1", "2\r\nit"),
     "127.0.0.9:6379 epoch 7", 2, SILENCE},
    {"two sentinels", EPOCH_7, A_PLACE,
     "*2\r\n" AT_9 OTHER("9\r\n127.0.0.8", "1\r\n1", "2\r\nhe"),
     "127.0.0.9:6379 epoch 7", 3, SILENCE},
    {"a sentinel without an address", EPOCH_7, A_PLACE,
     "*1\r\n*2\r\n" PAIR("5\r\nrunid", "2\r\nit"), "127.0.0.9:6379 epoch 7", 1,
     SILENCE},
    {"a sentinel at port 0", EPOCH_7, A_PLACE,
     "*1\r\n" OTHER("9\r\n127.0.0.9", "1\r\n0", "2\r\nit"),
     "127.0.0.9:6379 epoch 7", 1, SILENCE},
    {"a sentinel that is a number", EPOCH_7, A_PLACE, "*1\r\n:1\r\n",
     "127.0.0.9:6379 epoch 7", 1, SILENCE},
    {"sentinels that are no list", EPOCH_7, A_PLACE, "+OK\r\n",
     "127.0.0.9:6379 epoch 7", 1, SILENCE},
    {"sentinels are refused", EPOCH_7, A_PLACE, NOPERM,
     "127.0.0.9:6379 epoch 7", 1, DENIED},
};

struct rig {
    struct ev_loop *loop;
    struct script_peer peer;
    struct redis_url url;
    struct sentinels *sentinels;
};

static void
rig_start(struct rig *rig, const struct script *script)
{
    const int port = ports_free();

    rig->loop = ev_loop_new(EVFLAG_AUTO);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rig->loop);
    script_start(&rig->peer, rig->loop, port, script);
    rig->url = (struct redis_url){
        .hosts = {{"127.0.0.1", port}}, .host_count = 1, .master = "mymaster"};
    rig->sentinels = sentinels_new(rig->loop, &rig->url, CLOCK_PATIENCE_MS,
                                   CLOCK_PATIENCE_MS);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rig->sentinels);
}

static void
rig_end(struct rig *rig)
{
    sentinels_free(rig->sentinels);
    script_end(&rig->peer);
    ev_loop_destroy(rig->loop);
}

static bool
is_told(void *arg)
{
    const struct rig *rig = arg;

    (void)ev_run(rig->loop, EVRUN_ONCE); /* until the next poll at most */
    return sentinels_take_news(rig->sentinels);
}

static void
check_vote(const struct master *vote, const char *want)
{
    struct buf text = {0};

    buf_printf(&text, "%s:%d epoch %lld", vote->host, vote->port,
               (long long)vote->epoch);
    buf_add(&text, "", 1);
    CU_ASSERT_STRING_EQUAL(text.data, want);
    buf_free(&text);
}

TEST_CASES(saying, struct saying_case, saying_rows)
{
    struct master votes[SENTINELS_MAX];
    struct buf answers = {0}, reason = {0};
    struct rig rig;

    buf_printf(&answers, "%s%s%s" ID, c->master, c->address, c->others);
    buf_add(&answers, "", 1); /* the NUL */
    rig_start(&rig, &(struct script){.answers = {HELLO, answers.data}});
    CU_ASSERT_TRUE_FATAL(clock_wait(is_told, &rig, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL_FATAL(sentinels_votes(rig.sentinels, votes),
                          c->vote[0] != '\0');
    if (c->vote[0] != '\0')
        check_vote(&votes[0], c->vote);
    CU_ASSERT_EQUAL(sentinels_known(rig.sentinels), c->known);
    CU_ASSERT_EQUAL(sentinels_reachable(rig.sentinels), 1);
    sentinels_put_reason(rig.sentinels, &reason);
    buf_add(&reason, "", 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(reason.data, c->reason));
    rig_end(&rig);
    buf_free(&reason);
    buf_free(&answers);
}

static bool
is_alone(void *arg)
{
    const struct rig *rig = arg;

    (void)ev_run(rig->loop, EVRUN_ONCE);
    return sentinels_known(rig->sentinels) == 1;
}

TEST_SINGLE(forgotten, "two that nobody names any more are dropped")
{
    const char answers[] = EPOCH_7 A_PLACE
        "*2\r\n" AT_9 OTHER("9\r\n127.0.0.8", "1\r\n1", "2\r\nhe") ID;
    struct rig rig;

    rig_start(&rig, &(struct script){.answers = {HELLO, answers}});
    CU_ASSERT_TRUE_FATAL(clock_wait(is_told, &rig, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(sentinels_known(rig.sentinels), 3);
    calls_pass_ms(FORGET_MS + 1);
    CU_ASSERT_TRUE(clock_wait(is_alone, &rig, CLOCK_PATIENCE_MS));
    rig_end(&rig);
}

TEST_SINGLE(hang_up, "one that hangs up has no vote, and has spoken")
{
    struct master votes[SENTINELS_MAX];
    struct rig rig;

    rig_start(&rig, &(struct script){.answers = {HELLO}, .closed = 1});
    CU_ASSERT_TRUE_FATAL(clock_wait(is_told, &rig, CLOCK_PATIENCE_MS));
    CU_ASSERT_TRUE(sentinels_have_spoken(rig.sentinels));
    CU_ASSERT_FALSE(sentinels_take_news(rig.sentinels));
    CU_ASSERT_EQUAL(sentinels_votes(rig.sentinels, votes), 0);
    CU_ASSERT_EQUAL(sentinels_reachable(rig.sentinels), 0);
    CU_ASSERT_EQUAL(sentinels_known(rig.sentinels), 1);
    rig_end(&rig);
}

/* A sentinel that answers every poll, and keeps what it was sent. */
#define TEXT_SIZE 1024
#define POLL_MS   250
#define TURNS     20   /* of the loop, in which something may not happen */
#define TURNS_MAX 5000 /* in which it must, each of more than a millisecond */

struct asked {
    struct script_peer peer;
    const char *greeting; /* the answer to the handshake */
    const char *answers;  /* to a poll */
    const char *later;    /* to each poll but the first; NULL: the same */
    int polls;
    char sent[TEXT_SIZE]; /* the first two pieces */
};

static void
take_question(struct script_connection *connection, const char *piece,
              size_t length)
{
    struct asked *asked = connection->peer->data;
    const size_t so_far = strlen(asked->sent);
    const char *answer = asked->greeting;

    if (connection->pieces < 2)
        (void)snprintf(asked->sent + so_far, TEXT_SIZE - so_far, "%.*s",
                       (int)length, piece);
    if (connection->pieces++ > 0)
        answer = asked->polls++ > 0 && asked->later != NULL ? asked->later
                                                            : asked->answers;
    script_send(connection, answer, strlen(answer));
}

static const struct script_ops asked_ops = {.got = take_question};

/* The sentinels of a URL, on a clock that stands still. */
struct watch {
    struct ev_loop *loop;
    struct redis_url url;
    struct sentinels *sentinels;
    int told; /* answers and failures */
};

static void
watch_start(struct watch *watch)
{
    calls_stop_clock();
    *watch = (struct watch){.loop = ev_loop_new(EVFLAG_AUTO)};
    CU_ASSERT_PTR_NOT_NULL_FATAL(watch->loop);
    watch->url.master = "mymaster";
}

/* Another host of the URL. Without an `asked` nobody listens there. */
static int
watch_add(struct watch *watch, const char *host, struct asked *asked)
{
    const int port = ports_free();

    if (asked != NULL)
        script_serve(&asked->peer, watch->loop,
                     ports_listen_at(port, &(int){0}), &asked_ops, asked);
    watch->url.hosts[watch->url.host_count++] =
        (struct redis_url_host){host, port};
    return port;
}

static void
watch_ask(struct watch *watch)
{
    watch->sentinels = sentinels_new(watch->loop, &watch->url,
                                     CLOCK_PATIENCE_MS, CLOCK_PATIENCE_MS);
    CU_ASSERT_PTR_NOT_NULL_FATAL(watch->sentinels);
    calls_pass_ms(1); /* a timer is due when its time is over */
}

static void
watch_end(struct watch *watch)
{
    if (watch->sentinels != NULL)
        sentinels_free(watch->sentinels);
    ev_loop_destroy(watch->loop);
    calls_let_clock_go();
}

static void
watch_turn(struct watch *watch)
{
    (void)ev_run(watch->loop, EVRUN_NOWAIT);
    watch->told += sentinels_take_news(watch->sentinels);
    clock_sleep_ms(1);
}

/* Whether there are so many answers and failures, at this time of the clock. */
static bool
is_told_of(struct watch *watch, int told)
{
    for (int i = 0; i < TURNS_MAX && watch->told < told &&
                    sentinels_known(watch->sentinels) > 0;
         i++)
        watch_turn(watch);
    return watch->told >= told;
}

/* Passes a time, and handles what there is then. */
static void
watch_pass(struct watch *watch, int64_t ms)
{
    calls_pass_ms(ms);
    for (int i = 0; i < TURNS; i++)
        watch_turn(watch);
}

#define STRING(length, text)  "$" #length "\r\n" text "\r\n"
#define QUESTION(count, word) "*" #count "\r\n" STRING(8, "SENTINEL") word
#define MYMASTER              STRING(8, "mymaster")
#define PING                  "*1\r\n" STRING(4, "PING")
#define HELLO_2               "*2\r\n" STRING(5, "HELLO") STRING(1, "2")
#define QUESTIONS                                                              \
    QUESTION(3, STRING(6, "MASTER"))                                           \
    MYMASTER QUESTION(3, STRING(23, "GET-MASTER-ADDR-BY-NAME"))                \
        MYMASTER QUESTION(3, STRING(9, "SENTINELS"))                           \
            MYMASTER QUESTION(2, STRING(4, "MYID"))
#define QUIET EPOCH_7 A_PLACE EMPTY ID

struct login_case {
    const char *name, *username, *password;
    const char *greeting, *sent; /* before the questions */
};

static const struct login_case login_rows[] = {
    {"none", NULL, NULL, HELLO, HELLO_2 PING},
    {"a password", NULL, "s3cret", "+OK\r\n" HELLO,
     "*2\r\n" STRING(4, "AUTH") STRING(6, "s3cret") HELLO_2 PING},
    {"a user", "watcher", "s3cret", "+OK\r\n" HELLO,
     "*3\r\n" STRING(4, "AUTH") STRING(7, "watcher") STRING(6, "s3cret")
         HELLO_2 PING},
};

/* User, password and database of the URL are those of Redis: S21.1. */
TEST_CASES(login, struct login_case, login_rows)
{
    struct asked asked = {.greeting = c->greeting, .answers = QUIET};
    char want[TEXT_SIZE];
    struct watch watch;

    watch_start(&watch);
    watch.url.username = "them";
    watch.url.password = "theirs";
    watch.url.database = 7;
    watch.url.sentinel_username = c->username;
    watch.url.sentinel_password = c->password;
    (void)watch_add(&watch, "127.0.0.1", &asked);
    watch_ask(&watch);
    CU_ASSERT_TRUE_FATAL(is_told_of(&watch, 1));
    (void)snprintf(want, sizeof(want), "%s%s", c->sent, QUESTIONS);
    CU_ASSERT_STRING_EQUAL(asked.sent, want);
    script_end(&asked.peer);
    watch_end(&watch);
}

#define TLS_HANDSHAKE 0x16 /* the first byte of TLS */

/* A build without TLS refuses to ask. */
TEST_SINGLE(tls, "with rediss+sentinel:// sentinels, too, are asked over TLS")
{
    struct asked asked = {.greeting = ""};
    struct watch watch;

    watch_start(&watch);
    watch.url.tls = true;
    (void)watch_add(&watch, "127.0.0.1", &asked);
    watch.sentinels = sentinels_new(watch.loop, &watch.url, CLOCK_PATIENCE_MS,
                                    CLOCK_PATIENCE_MS);
    if (watch.sentinels != NULL) {
        calls_pass_ms(1);
        for (int i = 0; i < TURNS_MAX && asked.sent[0] == '\0'; i++)
            watch_turn(&watch);
        CU_ASSERT_EQUAL(asked.sent[0], TLS_HANDSHAKE);
    }
    script_end(&asked.peer);
    watch_end(&watch);
}

TEST_SINGLE(interval, "it is asked each 250 ms, over one connection")
{
    struct asked asked = {.greeting = HELLO, .answers = QUIET};
    struct watch watch;

    watch_start(&watch);
    (void)watch_add(&watch, "127.0.0.1", &asked);
    watch_ask(&watch);
    CU_ASSERT_TRUE_FATAL(is_told_of(&watch, 1));
    for (int i = 1; i < 5; i++) {
        watch_pass(&watch, POLL_MS - (i == 1 ? 2 : 3)); /* 1 ms too early */
        CU_ASSERT_EQUAL(asked.polls, i);
        calls_pass_ms(3);
        CU_ASSERT_TRUE_FATAL(is_told_of(&watch, i + 1));
    }
    CU_ASSERT_EQUAL(asked.peer.count, 1);
    script_end(&asked.peer);
    watch_end(&watch);
}

TEST_SINGLE(gone, "one that is gone has no vote any more")
{
    struct asked asked = {.greeting = HELLO, .answers = QUIET};
    struct master votes[SENTINELS_MAX];
    struct watch watch;

    watch_start(&watch);
    (void)watch_add(&watch, "127.0.0.1", &asked);
    watch_ask(&watch);
    CU_ASSERT_TRUE_FATAL(is_told_of(&watch, 1));
    CU_ASSERT_EQUAL(sentinels_votes(watch.sentinels, votes), 1);
    script_end(&asked.peer);
    CU_ASSERT_TRUE_FATAL(is_told_of(&watch, watch.told + 1));
    CU_ASSERT_EQUAL(sentinels_votes(watch.sentinels, votes), 0);
    CU_ASSERT_EQUAL(sentinels_reachable(watch.sentinels), 0);
    watch_end(&watch);
}

TEST_SINGLE(most, "of many that are named 16 are asked")
{
    struct asked asked = {.greeting = HELLO};
    struct buf answers = {0};
    struct watch watch;

    watch_start(&watch);
    buf_add_text(&answers, EPOCH_7 A_PLACE "*20\r\n");
    for (int i = 10; i < 30; i++)
        buf_printf(&answers,
                   "*6\r\n" PAIR("2\r\nip", "9\r\n127.0.0.9")
                       PAIR("4\r\nport", "2\r\n%d")
                           PAIR("5\r\nrunid", "2\r\n%d"),
                   i, i);
    buf_add_text(&answers, ID);
    buf_add(&answers, "", 1);
    asked.answers = answers.data;
    (void)watch_add(&watch, "127.0.0.1", &asked);
    watch_ask(&watch);
    CU_ASSERT_TRUE_FATAL(is_told_of(&watch, 1));
    CU_ASSERT_EQUAL(sentinels_known(watch.sentinels), 16);
    script_end(&asked.peer);
    watch_end(&watch);
    buf_free(&answers);
}

/* Those of the URL, though nobody names them. */
TEST_SINGLE(absent, "one of the URL stays, however long it is away")
{
    struct watch watch;

    watch_start(&watch);
    (void)watch_add(&watch, "127.0.0.1", NULL);
    watch_ask(&watch);
    CU_ASSERT_TRUE_FATAL(is_told_of(&watch, 1));
    for (int i = 2; i < 5; i++) {
        calls_pass_ms(FORGET_MS + 1);
        CU_ASSERT_TRUE_FATAL(is_told_of(&watch, i));
        CU_ASSERT_EQUAL(sentinels_known(watch.sentinels), 1);
    }
    CU_ASSERT_EQUAL(sentinels_reachable(watch.sentinels), 0);
    watch_end(&watch);
}

TEST_SINGLE(same, "two hosts of the URL stay, though they are one sentinel")
{
    struct asked asked = {.greeting = HELLO, .answers = QUIET};
    struct watch watch;
    int port;

    watch_start(&watch);
    port = watch_add(&watch, "127.0.0.1", &asked);
    watch.url.hosts[watch.url.host_count++] =
        (struct redis_url_host){"localhost", port};
    watch_ask(&watch);
    while (asked.polls < 2 && is_told_of(&watch, watch.told + 1))
        continue;
    for (int i = 0; i < 4; i++)
        watch_pass(&watch, POLL_MS + 1);
    CU_ASSERT_EQUAL(sentinels_known(watch.sentinels), 2);
    CU_ASSERT_EQUAL(asked.peer.count, 2);
    script_end(&asked.peer);
    watch_end(&watch);
}

/* One that another has named once. */
TEST_SINGLE(named, "one that answers stays, though nobody names it any more")
{
    struct asked other = {.greeting = HELLO,
                          .answers = EPOCH_7 A_PLACE EMPTY "$2\r\nit\r\n"};
    struct asked asked = {.greeting = HELLO, .later = QUIET};
    struct redis_url_host *host;
    char answers[TEXT_SIZE];
    struct watch watch;

    watch_start(&watch);
    (void)watch_add(&watch, "127.0.0.1", &asked);
    (void)watch_add(&watch, "127.0.0.1", &other);
    host = &watch.url.hosts[--watch.url.host_count];
    (void)snprintf(answers, sizeof(answers),
                   EPOCH_7 A_PLACE
                   "*1\r\n" OTHER("9\r\n127.0.0.1", "%zu\r\n%d", "2\r\nit") ID,
                   host->port < 10000 ? (size_t)4 : (size_t)5, host->port);
    asked.answers = answers;
    watch_ask(&watch);
    CU_ASSERT_TRUE_FATAL(is_told_of(&watch, 1));
    CU_ASSERT_EQUAL(sentinels_known(watch.sentinels), 2);
    calls_pass_ms(POLL_MS + 1);
    while (other.polls < 1 && is_told_of(&watch, watch.told + 1))
        continue;
    watch_pass(&watch, FORGET_MS + 1);
    CU_ASSERT_EQUAL(sentinels_known(watch.sentinels), 2);
    CU_ASSERT_EQUAL(sentinels_reachable(watch.sentinels), 2);
    script_end(&asked.peer);
    script_end(&other.peer);
    watch_end(&watch);
}
