/*
 * The health of one server: when to connect, when to trust a connection, and
 * the breaker. It implements S20 of docs/protocol.md for one server; store.c
 * decides which read goes where.
 *
 * The breaker opens after config.attempts failures in a row; when failures last
 * as long as a request may; when the deadline of a required read passes without
 * a connection; or at once when the server refuses the handshake. While it is
 * open no read waits, and connections are tried in the background. A handshake,
 * which ends with a real read, closes it. If reads or writes were lost on a
 * connection whose handshake had succeeded, another read must succeed first, as
 * a trial: a request's read or, if there is none, one of the node's own.
 *
 *      +-------- failed, ended, excused ---------+-------------+
 *      v                   |                     |             |
 *   WAITING --due--> CONNECTING --ready-------> UP <-proved- SUSPECT
 *      |                |    \                                 ^
 *      | given up       |     +---------- unproved ------------+
 *      |                | given up
 *      v                v
 *   DOWN_WAITING -due-> DOWN_CONNECTING --ready--> UP
 *      ^    ^           |    \
 *      |    +- failed --+     +-- unproved --> DOWN_TRIAL --proved--> UP
 *      |                                           |
 *      +----------------- failed ------------------+
 *
 *      tripped: from CONNECTING, UP and SUSPECT to DOWN_WAITING
 *      excused: also from DOWN_CONNECTING and DOWN_TRIAL to WAITING
 *
 * An idle connection is checked with a PING, so that a frozen server is noticed
 * before a request is sent to it.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/param.h>

#include "store/node.h"

/* A host name of 253 characters, and words around it. */
#define REASON_SIZE 320

/* A connection that lasted this long does not count as flapping. */
#define STEADY_MS 1000

/* After this long without a read of a request the node sends its own trial. */
#define TRIAL_WAIT_MS 500

/* A connection that has been idle for this long is checked (S20.6). */
#define CHECK_WAIT_MS 1000

/* The backoff before the 2nd, 3rd, ... attempt in a row; then the last one. */
static const int64_t backoffs_ms[] = {10, 100, 250, 500};
#define BACKOFFS (sizeof(backoffs_ms) / sizeof(backoffs_ms[0]))

enum state {
    WAITING = 0, /* no connection; the next attempt is due soon */
    CONNECTING,
    UP,
    SUSPECT,      /* connected, after requests were lost: one read is a trial */
    DOWN_WAITING, /* these three: as above, with the breaker open */
    DOWN_CONNECTING,
    DOWN_TRIAL, /* as SUSPECT */
    STATES
};

enum event {
    DUE = 0,  /* the backoff before the next attempt is over */
    READY,    /* a connection is up */
    UNPROVED, /* the same, but requests were lost on the last one */
    PROVED,   /* a read was answered */
    ENDED,    /* the connection ended, with nothing pending */
    EXCUSED,  /* a reply ended the connection, but the server is healthy */
    FAILED,   /* the attempt failed, or the connection ended with requests */
    TRIPPED,  /* the same, and the breaker opens */
    GIVEN_UP, /* connecting has taken too long */
    EVENTS
};

enum action {
    GO = 1,          /* to the next state; without it the event is ignored */
    TRUST = 2,       /* forget earlier failures */
    OPEN = 4,        /* begin to connect */
    REPORT_DOWN = 8, /* an outage begins */
    REPORT_UP = 16,  /* it ends */
    LOSE_SENT = 32,  /* these three: enum store_loss */
    LOSE_WAITED = 64,
    LOSE_AGAIN = 128,
};

struct move {
    enum state next;
    unsigned actions;
};

static const struct move moves[STATES][EVENTS] =
    {
        [WAITING] =
            {
                [DUE] = {CONNECTING, GO | OPEN},
                [GIVEN_UP] = {DOWN_WAITING, GO | REPORT_DOWN},
            },
        [CONNECTING] =
            {
                [READY] = {UP, GO | TRUST},
                [UNPROVED] = {SUSPECT, GO},
                [EXCUSED] = {WAITING, GO | TRUST | LOSE_AGAIN},
                [FAILED] = {WAITING, GO | LOSE_WAITED},
                [TRIPPED] = {DOWN_WAITING, GO | REPORT_DOWN | LOSE_WAITED},
                [GIVEN_UP] = {DOWN_CONNECTING, GO | REPORT_DOWN},
            },
        [UP] =
            {
                [ENDED] = {WAITING, GO | LOSE_SENT},
                [EXCUSED] = {WAITING, GO | TRUST | LOSE_AGAIN},
                [FAILED] = {WAITING, GO | LOSE_SENT},
                [TRIPPED] = {DOWN_WAITING, GO | REPORT_DOWN | LOSE_SENT},
            },
        [SUSPECT] =
            {
                [PROVED] = {UP, GO | TRUST},
                [ENDED] = {WAITING, GO | LOSE_SENT},
                [EXCUSED] = {WAITING, GO | TRUST | LOSE_AGAIN},
                [FAILED] = {WAITING, GO | LOSE_SENT},
                [TRIPPED] = {DOWN_WAITING, GO | REPORT_DOWN | LOSE_SENT},
            },
        [DOWN_WAITING] =
            {
                [DUE] = {DOWN_CONNECTING, GO | OPEN},
            },
        [DOWN_CONNECTING] =
            {
                [READY] = {UP, GO | TRUST | REPORT_UP},
                [UNPROVED] = {DOWN_TRIAL, GO},
                [EXCUSED] = {WAITING, GO | TRUST | REPORT_UP | LOSE_AGAIN},
                [FAILED] = {DOWN_WAITING, GO | LOSE_WAITED},
                [TRIPPED] = {DOWN_WAITING, GO | LOSE_WAITED},
            },
        [DOWN_TRIAL] =
            {
                [PROVED] = {UP, GO | TRUST | REPORT_UP},
                [EXCUSED] = {WAITING, GO | TRUST | REPORT_UP | LOSE_AGAIN},
                [FAILED] = {DOWN_WAITING, GO | LOSE_SENT},
                [TRIPPED] = {DOWN_WAITING, GO | LOSE_SENT},
            },
};

static const struct {
    const char *name;
    bool is_connected;
} states[STATES] = {
    [WAITING] = {"waiting", false},
    [CONNECTING] = {"connecting", false},
    [UP] = {"up", true},
    [SUSPECT] = {"suspect", true},
    [DOWN_WAITING] = {"down, waiting", false},
    [DOWN_CONNECTING] = {"down, connecting", false},
    [DOWN_TRIAL] = {"down, on trial", true},
};

enum news { NEWS_NONE = 0, NEWS_UP, NEWS_DOWN };

struct store_node {
    struct store_config config;
    struct store_link *link;
    const struct store_node_owner *owner;
    void *arg;
    const char *address; /* NULL: the server of the URL */

    enum state state;
    enum news news;           /* from the link; applied in the next turn */
    enum redis_fault fault;   /* why the last connection ended */
    char reason[REASON_SIZE]; /* of the last failure */

    size_t reads_sent, writes_sent; /* and not answered yet */
    bool check_sent;                /* likewise */

    int64_t open_at_ms;  /* without a connection: when to try again */
    int64_t ready_at_ms; /* with a connection: when it came up */
    int64_t busy_at_ms;  /* the last turn with anything pending */
    size_t opened; /* connection attempts since a connection proved good */

    bool needs_proof; /* a successful handshake does not suffice */
    int failures;     /* in a row */
    int64_t failing_since_ms;

    struct store_fetch trial; /* the node's own */
    struct store_value trial_value;
};

static void
report(const struct store_node *node, enum store_event event,
       const char *detail)
{
    node->owner->event(node->arg, event, node->address, detail);
}

bool
store_node_is_usable(const struct store_node *node)
{
    return states[node->state].is_connected && node->news == NEWS_NONE;
}

enum redis_role
store_node_role(const struct store_node *node)
{
    return node->link->role;
}

bool
store_node_is_down(const struct store_node *node)
{
    return node->state >= DOWN_WAITING;
}

static bool
has_pending(const struct store_node *node)
{
    return node->reads_sent > 0 || node->writes_sent > 0 || node->check_sent;
}

/* Changing state. */

static void
lose(struct store_node *node, enum store_loss loss)
{
    struct store_fetch *blamed = node->link->blamed;

    if (blamed == &node->trial)
        blamed = NULL;
    node->link->blamed = NULL;
    node->reads_sent = 0;
    node->check_sent = false;
    node->owner->lost(node->arg, node, loss, node->fault, node->reason, blamed);
    for (; node->writes_sent > 0; node->writes_sent--)
        report(node, STORE_EVENT_WRITE_FAILED, node->reason);
}

static void
trust(struct store_node *node)
{
    node->failures = 0;
    node->needs_proof = false;
}

static void
step(struct store_node *node, enum event event)
{
    const struct move *move = &moves[node->state][event];
    const unsigned actions = move->actions;

    if (!(actions & GO))
        return;
    node->state = move->next;
    if (actions & TRUST)
        trust(node);
    if (actions & REPORT_DOWN)
        report(node, STORE_EVENT_DOWN,
               node->reason[0] != '\0' ? node->reason
                                       : "no connection in time");
    if (actions & REPORT_UP)
        report(node, STORE_EVENT_UP, NULL);
    if (actions & LOSE_SENT)
        lose(node, STORE_LOSS_SENT);
    if (actions & LOSE_WAITED)
        lose(node, STORE_LOSS_WAITED);
    if (actions & LOSE_AGAIN)
        lose(node, STORE_LOSS_AGAIN);
    if (actions & TRUST)
        node->reason[0] = '\0';
    if (actions & OPEN)
        node->link->ops->open(node->link);
}

void
store_node_give_up(struct store_node *node)
{
    if (!store_node_is_usable(node) && !redis_fault_is_excused(node->fault))
        step(node, GIVEN_UP);
}

/* What the link reports. */

void
store_link_up(struct store_link *link)
{
    link->node->news = NEWS_UP;
}

void
store_link_down(struct store_link *link, enum redis_fault fault,
                const char *reason)
{
    struct store_node *node = link->node;

    node->news = NEWS_DOWN;
    node->fault = fault;
    (void)snprintf(node->reason, sizeof(node->reason), "%s", reason);
}

void
store_link_reply(struct store_link *link, struct store_fetch *fetch,
                 enum store_status status, const char *refusal)
{
    struct store_node *node = link->node;

    assert(node->reads_sent > 0);
    node->reads_sent--;
    /* An error is an answer, too: the connection is good. */
    node->opened = 0;
    if (node->state != UP)
        step(node, PROVED);
    if (fetch != &node->trial)
        node->owner->answered(node->arg, fetch, status, refusal);
}

void
store_link_wrote(struct store_link *link, const char *error)
{
    struct store_node *node = link->node;

    assert(node->writes_sent > 0);
    node->writes_sent--;
    report(node, error != NULL ? STORE_EVENT_WRITE_FAILED : STORE_EVENT_WROTE,
           error);
}

void
store_link_checked(struct store_link *link)
{
    assert(link->node->check_sent);
    link->node->check_sent = false;
}

/* News of the connection. */

static void
settle_up(struct store_node *node, int64_t now_ms)
{
    node->ready_at_ms = node->busy_at_ms = now_ms;
    report(node, STORE_EVENT_CONNECTED, NULL);
    step(node, node->needs_proof ? UNPROVED : READY);
}

/* Grows with failures, and with connections that did not prove good. */
static int64_t
backoff_ms(const struct store_node *node)
{
    size_t step = (size_t)node->failures;

    if (step < node->opened)
        step = node->opened;
    if (step > BACKOFFS)
        step = BACKOFFS;
    return backoffs_ms[step > 0 ? step - 1 : 0];
}

static void
count_failure(struct store_node *node, int64_t now_ms)
{
    if (node->failures++ == 0)
        node->failing_since_ms = now_ms;
}

/*
 * Whether the server would refuse the next connection, too. A server that is no
 * longer the master may have a successor at the same address.
 */
static bool
is_refused(const struct store_node *node, bool was_connected)
{
    return node->fault == REDIS_FAULT_HANDSHAKE ||
           (node->fault == REDIS_FAULT_ROLE && !was_connected);
}

/*
 * The connection ended, or could not be made. If it was up and nothing was
 * pending, this is no failure: a server restarts, or closes idle connections.
 */
static void
settle_down(struct store_node *node, int64_t now_ms)
{
    const bool was_connected = states[node->state].is_connected,
               lost = has_pending(node);
    const bool is_failure = !was_connected || lost || store_node_is_down(node);
    enum event event = ENDED;

    if (!was_connected)
        report(
            node,
            (enum store_event)(STORE_EVENT_CONNECT_FAILED + (int)node->fault),
            node->reason);
    else if (now_ms - node->ready_at_ms >= STEADY_MS)
        node->opened = 0;
    if (was_connected && lost)
        node->needs_proof = true;
    if (is_failure) {
        count_failure(node, now_ms);
        event = node->failures >= node->config.attempts ||
                        is_refused(node, was_connected)
                    ? TRIPPED
                    : FAILED;
    }
    node->open_at_ms = now_ms + backoff_ms(node);
    step(node, event);
}

static void
settle_excused(struct store_node *node, int64_t now_ms)
{
    node->opened = 0;
    node->open_at_ms = now_ms;
    step(node, EXCUSED);
}

void
store_node_settle(struct store_node *node, int64_t now_ms)
{
    const enum news news = node->news;

    if (news == NEWS_NONE)
        return;
    node->news = NEWS_NONE;
    if (news == NEWS_UP)
        settle_up(node, now_ms);
    else if (news == NEWS_DOWN && redis_fault_is_excused(node->fault))
        settle_excused(node, now_ms);
    else if (news == NEWS_DOWN)
        settle_down(node, now_ms);
}

/* What is due. */

/* Whether a connection must be proved, and nothing pending can do so. */
static bool
wants_trial(const struct store_node *node)
{
    return (node->state == SUSPECT || node->state == DOWN_TRIAL) &&
           store_node_is_usable(node) && !has_pending(node);
}

static bool
is_failing(const struct store_node *node)
{
    return (node->state == WAITING || node->state == CONNECTING) &&
           node->failures > 0;
}

/* If memory runs out, the read of the handshake suffices as proof. */
static void
send_trial(struct store_node *node)
{
    node->trial_value = (struct store_value){.kind = STORE_ABSENT};
    node->trial =
        (struct store_fetch){.keys = &node->config.probe_key,
                             .count = 1,
                             .values = &node->trial_value,
                             .bytes_max = node->config.answer_bytes_max,
                             .is_guarded = true,
                             .is_abandoned = true};
    if (!store_node_read(node, &node->trial))
        step(node, PROVED);
}

/* If the server has failed for as long as a request may take, the next request
 * would wait in vain. */
void
store_node_advance(struct store_node *node, int64_t now_ms)
{
    if (node->state == UP)
        return;
    if (is_failing(node) &&
        now_ms - node->failing_since_ms >= node->config.deadline_ms)
        step(node, GIVEN_UP);
    if (wants_trial(node) && now_ms - node->ready_at_ms >= TRIAL_WAIT_MS)
        send_trial(node);
    if ((node->state == WAITING || node->state == DOWN_WAITING) &&
        now_ms >= node->open_at_ms) {
        node->opened++;
        step(node, DUE);
    }
}

void
store_node_flush(struct store_node *node, int64_t now_ms)
{
    if (!store_node_is_usable(node)) {
        node->busy_at_ms = now_ms;
        return;
    }
    if (has_pending(node)) {
        node->busy_at_ms = now_ms;
    } else if (now_ms - node->busy_at_ms >= CHECK_WAIT_MS) {
        node->check_sent = node->link->ops->check(node->link);
        node->busy_at_ms = now_ms;
    }
    node->link->ops->flush(node->link);
}

int64_t
store_node_due_ms(const struct store_node *node)
{
    int64_t due_ms = INT64_MAX;

    if (node->news != NEWS_NONE)
        return INT64_MIN;
    if (states[node->state].is_connected &&
        !has_pending(node)) /* idle: check it then */
        due_ms = node->busy_at_ms + CHECK_WAIT_MS;
    if (node->state == UP)
        return due_ms;
    if (node->state == WAITING || node->state == DOWN_WAITING)
        due_ms = MIN(due_ms, node->open_at_ms);
    if (is_failing(node))
        due_ms = MIN(due_ms, node->failing_since_ms + node->config.deadline_ms);
    if (wants_trial(node))
        due_ms = MIN(due_ms, node->ready_at_ms + TRIAL_WAIT_MS);
    return due_ms;
}

int64_t
store_node_next_try_ms(const struct store_node *node, int64_t now_ms)
{
    return (node->state == WAITING || node->state == DOWN_WAITING) &&
                   node->open_at_ms > now_ms
               ? node->open_at_ms - now_ms
               : 0;
}

/* Reads and writes. */

unsigned
store_node_way(const struct store_node *node)
{
    if (node->state == UP && node->news == NEWS_NONE)
        return STORE_WAY_SEND | STORE_WAY_WAIT | STORE_WAY_WAIT_CACHE;
    if (node->state == DOWN_TRIAL && wants_trial(node))
        return STORE_WAY_SEND;
    if (store_node_is_down(node))
        return 0;
    if (store_node_is_usable(node))
        return wants_trial(node) ? STORE_WAY_SEND | STORE_WAY_WAIT
                                 : STORE_WAY_WAIT;
    return node->failures > 0 ? STORE_WAY_WAIT
                              : STORE_WAY_WAIT | STORE_WAY_WAIT_CACHE;
}

bool
store_node_read(struct store_node *node, struct store_fetch *fetch)
{
    const bool is_sent = node->link->ops->read(node->link, fetch);

    node->reads_sent += is_sent;
    return is_sent;
}

bool
store_node_write(struct store_node *node, struct bytes key, struct bytes value,
                 int64_t ttl_s)
{
    const bool is_sent = node->link->ops->write(node->link, key, value, ttl_s);

    node->writes_sent += is_sent;
    return is_sent;
}

const char *
store_node_state(const struct store_node *node)
{
    return states[node->state].name;
}

/* Making and freeing. */

struct store_node *
store_node_new(const struct store_config *config, struct store_link *link)
{
    struct store_node *node = calloc(1, sizeof(*node));

    if (node == NULL) {
        link->ops->free(link);
        return NULL;
    }
    node->config = *config;
    node->link = link;
    link->node = node;
    return node;
}

void
store_node_set_address(struct store_node *node, const char *address)
{
    node->address = address;
}

void
store_node_set_owner(struct store_node *node,
                     const struct store_node_owner *owner, void *arg)
{
    node->owner = owner;
    node->arg = arg;
}

/*
 * The link is freed first: afterwards nothing refers to a fetch. An outage of
 * the server ends with its node: nothing else could report its end.
 */
void
store_node_retire(struct store_node *node)
{
    node->link->ops->free(node->link);
    for (; node->writes_sent > 0; node->writes_sent--)
        report(node, STORE_EVENT_WRITE_DROPPED, NULL);
    if (store_node_is_down(node))
        report(node, STORE_EVENT_UP, NULL);
    node->owner->lost(node->arg, node, STORE_LOSS_MOVED, node->fault,
                      node->reason, NULL);
    free(node);
}

void
store_node_free(struct store_node *node)
{
    if (node == NULL)
        return;
    node->link->ops->free(node->link);
    free(node);
}
