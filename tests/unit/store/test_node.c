/*
 * The states of a node: what each event does in each state, with a fake link,
 * and a clock that is a number. The limits are 3 attempts, and 800 ms of
 * failing.
 */
#include <stdio.h>
#include <string.h>

#include "store/node.h"
#include "support/cases.h"
#include "support/link_fake.h"

#define TRACE_SIZE 256

#define DEADLINE_MS 800
#define LATER_MS    600 /* more than any backoff */

static struct {
    struct store_link base; /* must be first */
    struct store_node *node;
    struct store_fetch *trial;
    struct store_fetch fetch; /* the read that the test sends */
    int64_t now_ms;
    char trace[TRACE_SIZE];
} fake;

static void
trace(const char *word)
{
    const size_t length = strlen(fake.trace);

    (void)snprintf(fake.trace + length, sizeof(fake.trace) - length, "%s%s",
                   length > 0 ? " " : "", word);
}

static void
fake_open(struct store_link *link)
{
    (void)link;
    trace("open");
}

static bool
fake_read(struct store_link *link, struct store_fetch *fetch)
{
    (void)link;
    if (fetch != &fake.fetch)
        fake.trial = fetch;
    return true;
}

static const struct store_link_ops fake_ops = {
    .open = fake_open,
    .read = fake_read,
    .write = link_fake_write,
    .check = link_fake_check,
    .flush = link_fake_do_nothing,
    .free = link_fake_do_nothing,
};

static void
on_event(void *arg, enum store_event event, const char *server,
         const char *detail)
{
    (void)server;
    (void)arg;
    (void)detail;
    if (event == STORE_EVENT_DOWN)
        trace("DOWN");
    else if (event == STORE_EVENT_UP)
        trace("UP");
    else if (event == STORE_EVENT_WRITE_FAILED)
        trace("write");
    else if (event == STORE_EVENT_WRITE_DROPPED)
        trace("dropped");
}

static void
on_answered(void *arg, struct store_fetch *fetch, enum store_status status,
            const char *refusal)
{
    (void)arg;
    (void)refusal;
    CU_ASSERT_PTR_EQUAL(fetch, &fake.fetch);
    CU_ASSERT_EQUAL(status, STORE_OK);
}

static void
on_lost(void *arg, struct store_node *node, enum store_loss loss,
        enum redis_fault fault, const char *reason, struct store_fetch *blamed)
{
    static const char *const words[STORE_LOSS__MAX] = {
        [STORE_LOSS_SENT] = "sent",
        [STORE_LOSS_WAITED] = "waited",
        [STORE_LOSS_AGAIN] = "again",
        [STORE_LOSS_MOVED] = "moved",
    };

    (void)arg;
    (void)fault;
    CU_ASSERT_PTR_EQUAL(node, fake.node);
    CU_ASSERT_PTR_NULL(blamed);
    if (loss != STORE_LOSS_MOVED)
        CU_ASSERT_STRING_EQUAL(reason, "so");
    trace(words[loss]);
}

static const struct store_node_owner owner = {on_event, on_answered, on_lost};

static void
turn(int64_t wait_ms)
{
    fake.now_ms += wait_ms;
    store_node_settle(fake.node, fake.now_ms);
    store_node_advance(fake.node, fake.now_ms);
    store_node_flush(fake.node, fake.now_ms);
}

static void
go_down(enum redis_fault fault)
{
    store_link_down(&fake.base, fault, "so");
    store_node_settle(fake.node, fake.now_ms);
}

static void
send_read(void)
{
    fake.fetch = (struct store_fetch){.count = 1};
    CU_ASSERT(store_node_read(fake.node, &fake.fetch));
}

/* Functions that lead into each state, by way of those before. */

static void
be_waiting(void)
{
    go_down(REDIS_FAULT_BROKEN);
}

static void
be_connecting(void)
{
    turn(0);
}

static void
be_up(void)
{
    be_connecting();
    store_link_up(&fake.base);
    store_node_settle(fake.node, fake.now_ms);
}

/* A read has been lost. */
static void
be_suspect(void)
{
    be_up();
    send_read();
    go_down(REDIS_FAULT_BROKEN);
    turn(LATER_MS);
    store_link_up(&fake.base);
    store_node_settle(fake.node, fake.now_ms);
}

static void
be_down_waiting(void)
{
    be_connecting();
    go_down(REDIS_FAULT_HANDSHAKE);
}

static void
be_down_connecting(void)
{
    be_down_waiting();
    turn(LATER_MS);
}

static void
be_down_trial(void)
{
    be_suspect();
    send_read();
    go_down(REDIS_FAULT_HANDSHAKE);
    turn(LATER_MS);
    store_link_up(&fake.base);
    store_node_settle(fake.node, fake.now_ms);
}

/* Connecting, after reads were lost. */
static void
be_connecting_again(void)
{
    be_up();
    send_read();
    go_down(REDIS_FAULT_BROKEN);
    turn(LATER_MS);
}

static void
be_down_connecting_again(void)
{
    be_suspect();
    send_read();
    go_down(REDIS_FAULT_HANDSHAKE);
    turn(LATER_MS);
}

static void
be_due_waiting(void)
{
    be_connecting();
    be_waiting();
}

/* Events. */

static void
due(void)
{
    turn(LATER_MS);
}

static void
ready(void)
{
    store_link_up(&fake.base);
    store_node_settle(fake.node, fake.now_ms);
}

static void
proved(void)
{
    send_read();
    store_link_reply(&fake.base, &fake.fetch, STORE_OK, NULL);
}

static void
ended(void)
{
    go_down(REDIS_FAULT_BROKEN);
}

static void
excused(void)
{
    go_down(REDIS_FAULT_LARGE);
}

/* With something under way. */
static void
failed(void)
{
    if (store_node_is_usable(fake.node))
        send_read();
    go_down(REDIS_FAULT_BROKEN);
}

static void
hopeless(void)
{
    if (store_node_is_usable(fake.node))
        send_read();
    go_down(REDIS_FAULT_HANDSHAKE);
}

static void
no_master(void)
{
    go_down(REDIS_FAULT_ROLE);
}

static void
given_up(void)
{
    store_node_give_up(fake.node);
}

static void
lost_write(void)
{
    CU_ASSERT(store_node_write(fake.node, bytes_of("k"), bytes_of("v"), 1));
    go_down(REDIS_FAULT_BROKEN);
}

/* Without a read of a request, the node sends its own trial. */
static void
own_trial(void)
{
    turn(LATER_MS);
    CU_ASSERT_PTR_NOT_NULL_FATAL(fake.trial);
    store_link_reply(&fake.base, fake.trial, STORE_OK, NULL);
}

/* The reply to the node's own trial is too large: no read is blamed. */
static void
own_trial_blamed(void)
{
    turn(LATER_MS);
    fake.base.blamed = fake.trial;
    go_down(REDIS_FAULT_LARGE);
}

/* Reads were lost on the connection before this one. */
static void
failing_for_long(void)
{
    turn(DEADLINE_MS);
}

struct node_case {
    const char *name;
    void (*state)(void), (*event)(void);
    const char *want, *trace;
};

static const struct node_case node_rows[] = {
    {"waiting, due", be_due_waiting, due, "connecting", "open"},
    {"waiting, given up", be_due_waiting, given_up, "down, waiting", "DOWN"},
    {"waiting, failing for long", be_due_waiting, failing_for_long,
     "down, connecting", "DOWN open"},

    {"connecting, due", be_connecting, due, "connecting", ""},
    {"connecting, ready", be_connecting, ready, "up", ""},
    {"connecting, ready, unproved", be_connecting_again, ready, "suspect", ""},
    {"connecting, excused", be_connecting, excused, "waiting", "again"},
    {"connecting, failed", be_connecting, failed, "waiting", "waited"},
    {"connecting, hopeless", be_connecting, hopeless, "down, waiting",
     "DOWN waited"},
    {"connecting, and it is not the master", be_connecting, no_master,
     "down, waiting", "DOWN waited"},
    {"connecting, given up", be_connecting, given_up, "down, connecting",
     "DOWN"},

    {"up, due", be_up, due, "up", ""},
    {"up, proved", be_up, proved, "up", ""},
    {"up, ended", be_up, ended, "waiting", "sent"},
    {"up, excused", be_up, excused, "waiting", "again"},
    {"up, failed", be_up, failed, "waiting", "sent"},
    {"up, a write is lost", be_up, lost_write, "waiting", "sent write"},
    {"up, hopeless", be_up, hopeless, "down, waiting", "DOWN sent"},
    {"up, and it is the master no more", be_up, no_master, "waiting", "sent"},
    {"up, given up", be_up, given_up, "up", ""},

    {"suspect, due: a trial of its own", be_suspect, own_trial, "up", ""},
    {"suspect, its own trial too large", be_suspect, own_trial_blamed,
     "waiting", "again"},
    {"suspect, proved", be_suspect, proved, "up", ""},
    {"suspect, ended", be_suspect, ended, "waiting", "sent"},
    {"suspect, excused", be_suspect, excused, "waiting", "again"},
    {"suspect, failed", be_suspect, failed, "waiting", "sent"},
    {"suspect, hopeless", be_suspect, hopeless, "down, waiting", "DOWN sent"},
    {"suspect, given up", be_suspect, given_up, "suspect", ""},

    {"down and waiting, due", be_down_waiting, due, "down, connecting", "open"},
    {"down and waiting, given up", be_down_waiting, given_up, "down, waiting",
     ""},

    {"down and connecting, due", be_down_connecting, due, "down, connecting",
     ""},
    {"down and connecting, ready", be_down_connecting, ready, "up", "UP"},
    {"down and connecting, ready, unproved", be_down_connecting_again, ready,
     "down, on trial", ""},
    {"down and connecting, excused", be_down_connecting, excused, "waiting",
     "UP again"},
    {"down and connecting, failed", be_down_connecting, failed, "down, waiting",
     "waited"},
    {"down and connecting, hopeless", be_down_connecting, hopeless,
     "down, waiting", "waited"},
    {"down and connecting, given up", be_down_connecting, given_up,
     "down, connecting", ""},

    {"down and on trial, due: a trial of its own", be_down_trial, own_trial,
     "up", "UP"},
    {"down and on trial, proved", be_down_trial, proved, "up", "UP"},
    {"down and on trial, ended", be_down_trial, ended, "down, waiting", "sent"},
    {"down and on trial, excused", be_down_trial, excused, "waiting",
     "UP again"},
    {"down and on trial, failed", be_down_trial, failed, "down, waiting",
     "sent"},
    {"down and on trial, hopeless", be_down_trial, hopeless, "down, waiting",
     "sent"},
    {"down and on trial, given up", be_down_trial, given_up, "down, on trial",
     ""},
};

static void
start(void (*state)(void))
{
    static const struct store_config config = {
        .attempts = 3, .deadline_ms = DEADLINE_MS, .probe_key = {"i:0", 3}};

    memset(&fake, 0, sizeof(fake));
    fake.base.ops = &fake_ops;
    fake.node = store_node_new(&config, &fake.base);
    CU_ASSERT_PTR_NOT_NULL_FATAL(fake.node);
    store_node_set_owner(fake.node, &owner, NULL);
    state();
    fake.trace[0] = '\0';
}

TEST_CASES(node, struct node_case, node_rows)
{
    start(c->state);
    c->event();
    CU_ASSERT_STRING_EQUAL(store_node_state(fake.node), c->want);
    CU_ASSERT_STRING_EQUAL(fake.trace, c->trace);
    store_node_free(fake.node);
}

struct retire_case {
    const char *name;
    void (*state)(void);
    int writes;
    const char *trace;
};

/* A server that is no longer used is not a fault: its writes do not fail. */
static const struct retire_case retire_rows[] = {
    {"up", be_up, 0, "moved"},
    {"up, with writes pending", be_up, 2, "dropped dropped moved"},
    {"down, with a write pending", be_down_trial, 1, "dropped UP moved"},
};

TEST_CASES(retire, struct retire_case, retire_rows)
{
    start(c->state);
    for (int i = 0; i < c->writes; i++)
        CU_ASSERT(store_node_write(fake.node, bytes_of("k"), bytes_of("v"), 1));
    store_node_retire(fake.node);
    CU_ASSERT_STRING_EQUAL(fake.trace, c->trace);
}
