/*
 * One scripted sentinel: what is taken from its answers, valid or not, and
 * which other sentinels become known.
 */
#include <ev.h>
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
