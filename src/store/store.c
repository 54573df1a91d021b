/*
 * The store's decisions: which read is sent, parked, sent again or given up,
 * when a connection is built anew, and the breaker. It implements "Store" of
 * docs/protocol.md. Pure: no clock, no loop, no Redis; a link (store_link.h)
 * does the work and reports what happened, and every change of state takes
 * place in store_turn().
 *
 * The breaker is closed while things go well. It opens after so many failures
 * in a row, when they last as long as a request may, when a read that matters
 * runs out of time with no connection, or at once when the server refuses the
 * handshake. Until it is closed again nobody waits; connections are tried on
 * the side. A handshake, which ends with a real read, closes it, unless
 * requests were lost on connections that had shaken hands before: then another
 * read has to succeed first, as a trial: a request's, whose asker does not
 * wait for it, or, when none comes, one of our own.
 *
 * A connection on which nothing goes on is asked now and then whether anybody
 * is there, so that a server that froze is noticed before requests meet it.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "store/link.h"
#include "store/store.h"

/* Enough for a host name of 253 characters and words around it. */
#define REASON_SIZE 320

/* A connection that held this long is no sign of a flapping server. */
#define STEADY_MS 1000

/* With no request to serve as the trial, we ask for something ourselves. */
#define TRIAL_WAIT_MS 500
static const struct bytes trial_key = {"i:0", 3}; /* it may be absent */

/* A connection that has been idle for as long is checked. */
#define CHECK_WAIT_MS 1000

/*
 * After an answer was too large, or may have been, required reads of several
 * keys learn the sizes first for so long: so that it happens once, however
 * often somebody asks. One key's answer is always bounded.
 */
#define GUARD_MS 5000

/* A measured read of so many bytes would have been too large an answer. */
#define GUARD_BYTES ((size_t)1 << 20)

/* Before the 2nd, 3rd, ... connection in a row; the last one goes on. */
static const int64_t pauses_ms[] = {10, 100, 250, 500};
#define PAUSES (sizeof(pauses_ms) / sizeof(pauses_ms[0]))

enum link_state { LINK_CLOSED = 0, LINK_OPENING, LINK_READY };
enum link_news { NEWS_NONE = 0, NEWS_UP, NEWS_DOWN };
enum breaker { BREAKER_CLOSED = 0, BREAKER_OPEN, BREAKER_TRIAL };
enum read_state { READ_FRESH = 0, READ_PARKED, READ_SENT, READ__STATES };

/* Reads that a server may answer or refuse one by one. */
enum read_kind {
    READ_KIND_ONE = 0,
    READ_KIND_MANY,
    READ_KIND_CACHE,
    READ_KINDS
};

static const struct {
    enum store_event refused, good;
} kind_events[READ_KINDS] = {
    [READ_KIND_ONE] = {STORE_EVENT_REFUSED, STORE_EVENT_READ_OK},
    [READ_KIND_MANY] = {STORE_EVENT_MANY_REFUSED, STORE_EVENT_MANY_OK},
    [READ_KIND_CACHE] = {STORE_EVENT_CACHE_REFUSED, STORE_EVENT_CACHE_OK},
};

/* The fetch comes first: the link hands it back, and it stands for this. */
struct read {
    struct store_fetch fetch;
    TAILQ_ENTRY(read) in_state;
    TAILQ_ENTRY(read) in_deadlines; /* unless abandoned */
    enum read_state state;
    enum store_need need;
    bool is_own;    /* our own trial, abandoned from the start */
    bool is_resent; /* its fetch has been used before */
    int losses;     /* connections and sends that failed it */
    int64_t deadline_ms;
    store_done_fn *done;
    void *arg;
    struct store_value values[];
};

TAILQ_HEAD(read_queue, read);

struct store {
    struct store_config config;
    struct store_link *link;

    int64_t now_ms; /* of the last turn */
    int64_t guard_until_ms;

    struct read_queue by_state[READ__STATES];
    struct read_queue deadlines[2]; /* by need: each almost sorted as it is */
    size_t pending;
    size_t writes_sent; /* and not yet answered */
    bool check_sent;    /* likewise */

    enum link_state link_state;
    enum link_news news;
    enum redis_fault fault; /* of NEWS_DOWN */
    int64_t open_at_ms;     /* LINK_CLOSED: when to try again */
    int64_t ready_at_ms;    /* LINK_READY: since when */
    int64_t busy_at_ms;     /* the last turn that was not idle */
    size_t opened;          /* connections begun since one proved good */

    enum breaker breaker;
    bool proof_needed; /* a handshake is not enough to be trusted */
    int failures;      /* in a row */
    int64_t failing_since_ms;
    char reason[REASON_SIZE]; /* of the last failure */
};

static const char *const status_texts[STORE__MAX] = {
    [STORE_OK] = "ok",
    [STORE_DOWN] = "the store is down",
    [STORE_TIMEOUT] = "the store did not answer in time",
    [STORE_REFUSED] = "the store answered with an error",
    [STORE_LARGE] = "the values are too large for one read",
    [STORE_MEMORY] = "out of memory",
};

const char *
store_status_text(enum store_status status)
{
    assert(status < STORE__MAX);
    return status_texts[status];
}

struct store *
store_new(const struct store_config *config, struct store_link *link)
{
    struct store *store = calloc(1, sizeof(*store));

    if (store == NULL) {
        link->ops->free(link);
        return NULL;
    }
    store->config = *config;
    store->link = link;
    link->store = store;
    for (size_t i = 0; i < READ__STATES; i++)
        TAILQ_INIT(&store->by_state[i]);
    TAILQ_INIT(&store->deadlines[STORE_MUST]);
    TAILQ_INIT(&store->deadlines[STORE_CACHE]);
    return store;
}

static void
tell(const struct store *store, enum store_event event, const char *detail)
{
    if (store->config.event != NULL)
        store->config.event(store->config.event_arg, event, detail);
}

static bool
link_usable(const struct store *store)
{
    return store->link_state == LINK_READY && store->news == NEWS_NONE;
}

static bool
is_under_way(const struct store *store)
{
    return !TAILQ_EMPTY(&store->by_state[READ_SENT]) ||
           store->writes_sent > 0 || store->check_sent;
}

/* Reads. */

static void
read_move(struct store *store, struct read *read, enum read_state state)
{
    TAILQ_REMOVE(&store->by_state[read->state], read, in_state);
    read->state = state;
    TAILQ_INSERT_TAIL(&store->by_state[state], read, in_state);
}

static void
read_delete(struct store *store, struct read *read)
{
    TAILQ_REMOVE(&store->by_state[read->state], read, in_state);
    free(read);
}

/*
 * Tells the asker. A read that was sent stays, abandoned, for the link to
 * find when the answer comes; any other is gone.
 */
static void
read_finish(struct store *store, struct read *read, enum store_status status)
{
    TAILQ_REMOVE(&store->deadlines[read->need], read, in_deadlines);
    store->pending--;
    read->fetch.is_abandoned = true;
    read->done(read->arg, status, status == STORE_OK ? read->values : NULL);
    if (read->state != READ_SENT)
        read_delete(store, read);
}

bool
store_read(struct store *store, const struct bytes *keys, size_t count,
           enum store_need need, int64_t now_ms, int64_t deadline_ms,
           store_done_fn *done, void *arg)
{
    struct read_queue *deadlines = &store->deadlines[need];
    int64_t limit_ms = now_ms + store->config.command_timeout_ms;
    struct read *read, *before;

    assert(count > 0);
    if (count > (SIZE_MAX - sizeof(*read)) / sizeof(read->values[0]))
        return false;
    read = calloc(1, sizeof(*read) + count * sizeof(read->values[0]));
    if (read == NULL)
        return false;
    read->fetch.keys = keys;
    read->fetch.count = count;
    read->fetch.values = read->values;
    read->fetch.bytes_max = store->config.answer_bytes_max;
    read->need = need;
    read->deadline_ms = deadline_ms;
    if (need == STORE_CACHE && limit_ms < deadline_ms)
        read->deadline_ms = limit_ms;
    read->done = done;
    read->arg = arg;
    TAILQ_INSERT_TAIL(&store->by_state[READ_FRESH], read, in_state);

    before = TAILQ_LAST(deadlines, read_queue);
    while (before != NULL && before->deadline_ms > read->deadline_ms)
        before = TAILQ_PREV(before, read_queue, in_deadlines);
    if (before == NULL)
        TAILQ_INSERT_HEAD(deadlines, read, in_deadlines);
    else
        TAILQ_INSERT_AFTER(deadlines, before, read, in_deadlines);
    store->pending++;
    return true;
}

size_t
store_pending(const struct store *store)
{
    return store->pending;
}

bool
store_is_up(const struct store *store)
{
    return link_usable(store) && store->breaker == BREAKER_CLOSED;
}

/* Writes. */

static void
write_failed(struct store *store, const char *detail)
{
    tell(store, STORE_EVENT_WRITE_FAILED, detail);
}

void
store_write(struct store *store, struct bytes key, struct bytes value,
            int64_t ttl_s)
{
    struct store_link *link = store->link;

    if (store->breaker != BREAKER_CLOSED || !link_usable(store))
        write_failed(store, "no connection");
    else if (!link->ops->write(link, key, value, ttl_s))
        write_failed(store, store_status_text(STORE_MEMORY));
    else
        store->writes_sent++;
}

void
store_link_wrote(struct store *store, const char *error)
{
    assert(store->writes_sent > 0);
    store->writes_sent--;
    if (error != NULL) {
        write_failed(store, error);
        return;
    }
    tell(store, STORE_EVENT_WROTE, NULL);
}

/* The breaker. */

static void
breaker_open(struct store *store)
{
    bool news = store->breaker == BREAKER_CLOSED;

    store->breaker = BREAKER_OPEN;
    if (news)
        tell(store, STORE_EVENT_DOWN,
             store->reason[0] != '\0' ? store->reason
                                      : "no connection in time");
}

static void
breaker_close(struct store *store)
{
    bool news = store->breaker != BREAKER_CLOSED;

    store->breaker = BREAKER_CLOSED;
    store->failures = 0;
    store->proof_needed = false;
    store->reason[0] = '\0';
    if (news)
        tell(store, STORE_EVENT_UP, NULL);
}

static void
count_failure(struct store *store, int64_t now_ms)
{
    if (store->failures++ == 0)
        store->failing_since_ms = now_ms;
}

static void
judge_failures(struct store *store)
{
    if (store->failures >= store->config.attempts ||
        store->fault == REDIS_FAULT_HANDSHAKE ||
        store->breaker != BREAKER_CLOSED)
        breaker_open(store);
}

/* Nothing is under way that could prove a suspected connection good. */
static bool
proof_is_idle(const struct store *store)
{
    return store->proof_needed && link_usable(store) && !is_under_way(store);
}

/* False, with nothing sent, only without memory. */
static bool
send_own_trial(struct store *store)
{
    struct read *read = calloc(1, sizeof(*read) + sizeof(read->values[0]));

    if (read == NULL)
        return false;
    read->fetch.keys = &trial_key;
    read->fetch.count = 1;
    read->fetch.bytes_max = store->config.answer_bytes_max;
    read->fetch.values = read->values;
    read->fetch.is_guarded = true;
    read->fetch.is_abandoned = true;
    read->is_own = true;
    read->need = STORE_CACHE;
    read->state = READ_SENT;
    if (!store->link->ops->read(store->link, &read->fetch)) {
        free(read);
        return false;
    }
    TAILQ_INSERT_TAIL(&store->by_state[READ_SENT], read, in_state);
    return true;
}

/* When an idle connection is to be checked; INT64_MAX: not now. */
static int64_t
check_due_ms(const struct store *store)
{
    return link_usable(store) && !is_under_way(store)
               ? store->busy_at_ms + CHECK_WAIT_MS
               : INT64_MAX;
}

static void
check_idle(struct store *store, int64_t now_ms)
{
    bool due = now_ms >= check_due_ms(store);

    if (due)
        store->check_sent = store->link->ops->check(store->link);
    if (due || is_under_way(store) || !link_usable(store))
        store->busy_at_ms = now_ms;
}

void
store_link_checked(struct store *store)
{
    assert(store->check_sent);
    store->check_sent = false;
}

/* Failing for as long as a request may take leaves no hope for the next. */
static void
check_breaker(struct store *store, int64_t now_ms)
{
    if (store->breaker == BREAKER_CLOSED && store->failures > 0 &&
        !link_usable(store) &&
        now_ms - store->failing_since_ms >= store->config.deadline_ms)
        breaker_open(store);
    if (proof_is_idle(store) && now_ms - store->ready_at_ms >= TRIAL_WAIT_MS &&
        !send_own_trial(store))
        breaker_close(store); /* the handshake's read has to do */
}

/* What the link reports. */

void
store_link_up(struct store *store)
{
    store->news = NEWS_UP;
}

void
store_link_down(struct store *store, enum redis_fault fault, const char *reason)
{
    store->news = NEWS_DOWN;
    store->fault = fault;
    (void)snprintf(store->reason, sizeof(store->reason), "%s", reason);
}

/*
 * A server may refuse some commands, or keys, and go on to answer others. So
 * each kind of read speaks for itself.
 */
static void
tell_how(const struct store *store, const struct read *read,
         enum store_status status, const char *refusal)
{
    const size_t kind = read->need == STORE_CACHE ? READ_KIND_CACHE
                        : read->fetch.count > 1   ? READ_KIND_MANY
                                                  : READ_KIND_ONE;

    if (status == STORE_REFUSED)
        tell(store, kind_events[kind].refused, refusal);
    else if (status == STORE_OK)
        tell(store, kind_events[kind].good, NULL);
}

/* An error is an answer too: the connection is good. */
void
store_link_reply(struct store *store, struct store_fetch *fetch,
                 enum store_status status, const char *refusal)
{
    struct read *read = (struct read *)fetch;

    assert(read->state == READ_SENT);
    store->opened = 0;
    breaker_close(store);
    if (!read->is_own)
        tell_how(store, read, status, refusal);
    if (fetch->is_guarded && fetch->count > 1 &&
        (status == STORE_LARGE || fetch->has_large_value ||
         fetch->bytes > GUARD_BYTES))
        store->guard_until_ms = store->now_ms + GUARD_MS;
    if (!fetch->is_abandoned)
        read_finish(store, read, status);
    read_delete(store, read);
}

static void
settle_up(struct store *store, int64_t now_ms)
{
    store->link_state = LINK_READY;
    store->ready_at_ms = now_ms;
    store->busy_at_ms = now_ms;
    tell(store, STORE_EVENT_CONNECTED, NULL);
    if (!store->proof_needed)
        breaker_close(store);
    else if (store->breaker == BREAKER_OPEN)
        store->breaker = BREAKER_TRIAL;
}

/* A failed send, or a failed connection that a parked read waited for. */
static void
read_lose(struct store *store, struct read *read)
{
    bool again = !read->fetch.is_abandoned && read->need == STORE_MUST &&
                 ++read->losses < store->config.attempts &&
                 store->breaker == BREAKER_CLOSED;

    if (again && read->state == READ_SENT) {
        read_move(store, read, READ_PARKED);
        tell(store, STORE_EVENT_RETRY, store->reason);
    } else if (!again && read->state == READ_SENT) {
        if (!read->fetch.is_abandoned)
            read_finish(store, read, STORE_DOWN);
        read_delete(store, read);
    } else if (!again) {
        read_finish(store, read, STORE_DOWN);
    }
}

static void
lose_parked(struct store *store)
{
    struct read *next;

    for (struct read *read = TAILQ_FIRST(&store->by_state[READ_PARKED]);
         read != NULL; read = next) {
        next = TAILQ_NEXT(read, in_state);
        read_lose(store, read);
    }
}

static void
lose_sent(struct store *store)
{
    struct read *read;

    while ((read = TAILQ_FIRST(&store->by_state[READ_SENT])) != NULL)
        read_lose(store, read);
    for (; store->writes_sent > 0; store->writes_sent--)
        write_failed(store, store->reason);
    store->check_sent = false;
}

/* The last connection ended by an answer, and not for a fault of the server. */
static bool
is_blame(const struct store *store)
{
    return store->fault == REDIS_FAULT_LARGE ||
           store->fault == REDIS_FAULT_SLOW;
}

/* A server is silent, too, while it makes a very large answer. */
static bool
is_suspect(const struct store *store)
{
    const struct read *read;

    TAILQ_FOREACH (read, &store->by_state[READ_SENT], in_state) {
        if (read->need == STORE_MUST && !read->fetch.is_guarded)
            return store->fault == REDIS_FAULT_TIMEOUT;
    }
    return false;
}

/*
 * The read whose answer was too large or too slow: it is sent again, and
 * measured, or else it fails alone.
 */
static void
read_blame(struct store *store, struct read *read)
{
    const bool is_large = store->fault == REDIS_FAULT_LARGE;
    enum store_status status = is_large ? STORE_LARGE : STORE_TIMEOUT;

    if (read->fetch.is_abandoned)
        return;
    if (read->need == STORE_MUST && !read->fetch.is_guarded) {
        read_move(store, read, READ_PARKED);
        return;
    }
    if (is_large && read->fetch.count == 1) {
        read->values[0].kind = STORE_LARGE_VALUE;
        status = STORE_OK;
    }
    read_finish(store, read, status);
}

/*
 * An answer has ended the connection, and the server is well. All others that
 * shared the connection are sent again, before the one that is blamed.
 */
static void
settle_blame(struct store *store, int64_t now_ms)
{
    struct read *blamed = (struct read *)store->link->blamed, *read;

    store->link->blamed = NULL;
    store->link_state = LINK_CLOSED;
    store->opened = 0;
    store->open_at_ms = now_ms;
    store->guard_until_ms = now_ms + GUARD_MS;
    for (; store->writes_sent > 0; store->writes_sent--)
        write_failed(store, store->reason);
    store->check_sent = false;
    breaker_close(store);
    while ((read = TAILQ_FIRST(&store->by_state[READ_SENT])) != NULL &&
           (read != blamed || TAILQ_NEXT(read, in_state) != NULL)) {
        if (read == blamed) {
            TAILQ_REMOVE(&store->by_state[READ_SENT], read, in_state);
            TAILQ_INSERT_TAIL(&store->by_state[READ_SENT], read, in_state);
        } else if (read->fetch.is_abandoned) {
            read_delete(store, read);
        } else {
            read_move(store, read, READ_PARKED);
        }
    }
    if (read == NULL)
        return;
    read_blame(store, read);
    if (read->state == READ_SENT)
        read_delete(store, read);
}

/* Grows with failures, and with connections that none ever proved good. */
static int64_t
pause_ms(const struct store *store)
{
    size_t pause = (size_t)store->failures;

    if (pause < store->opened)
        pause = store->opened;
    if (pause > PAUSES)
        pause = PAUSES;
    return pauses_ms[pause > 0 ? pause - 1 : 0];
}

/*
 * The connection is gone. That is a failure unless it had been good and
 * nothing was under way on it, as when a server restarts or closes what has
 * been idle.
 */
static void
settle_down(struct store *store, int64_t now_ms)
{
    bool was_ready = store->link_state == LINK_READY;
    bool lost = is_under_way(store);
    bool is_failure = !was_ready || lost || store->breaker != BREAKER_CLOSED;

    store->link_state = LINK_CLOSED;
    if (!was_ready)
        tell(store,
             (enum store_event)(STORE_EVENT_CONNECT_FAILED + (int)store->fault),
             store->reason);
    if (was_ready && now_ms - store->ready_at_ms >= STEADY_MS)
        store->opened = 0;
    if (was_ready && lost)
        store->proof_needed = true;
    if (was_ready && is_suspect(store))
        store->guard_until_ms = now_ms + GUARD_MS;
    if (is_failure)
        count_failure(store, now_ms);
    store->open_at_ms = now_ms + pause_ms(store);
    if (is_failure)
        judge_failures(store);
    if (was_ready)
        lose_sent(store);
    else
        lose_parked(store);
}

static void
settle_news(struct store *store, int64_t now_ms)
{
    enum link_news news = store->news;

    store->news = NEWS_NONE;
    switch (news) {
    case NEWS_NONE:
        break;
    case NEWS_UP:
        settle_up(store, now_ms);
        break;
    case NEWS_DOWN:
        if (is_blame(store))
            settle_blame(store, now_ms);
        else
            settle_down(store, now_ms);
        break;
    }
}

/* The turn. */

static void
expire_reads(struct store *store, enum store_need need, int64_t now_ms)
{
    struct read_queue *deadlines = &store->deadlines[need];
    struct read *read;

    while ((read = TAILQ_FIRST(deadlines)) != NULL &&
           read->deadline_ms <= now_ms) {
        if (need == STORE_MUST && !link_usable(store) && !is_blame(store))
            breaker_open(store);
        read_finish(store, read, STORE_TIMEOUT);
    }
}

static void
open_if_due(struct store *store, int64_t now_ms)
{
    if (store->link_state != LINK_CLOSED || now_ms < store->open_at_ms)
        return;
    store->link_state = LINK_OPENING;
    store->opened++;
    store->link->ops->open(store->link);
}

static bool
read_send(struct store *store, struct read *read)
{
    struct store_fetch *fetch = &read->fetch;

    if (read->is_resent) {
        *fetch =
            (struct store_fetch){.keys = fetch->keys,
                                 .count = fetch->count,
                                 .values = fetch->values,
                                 .bytes_max = store->config.answer_bytes_max};
        memset(read->values, 0, fetch->count * sizeof(read->values[0]));
    }
    read->is_resent = true;
    fetch->is_guarded =
        read->need == STORE_MUST &&
        (fetch->count == 1 || store->now_ms < store->guard_until_ms);
    if (!store->link->ops->read(store->link, fetch)) {
        read_finish(store, read, STORE_MEMORY);
        return false;
    }
    read_move(store, read, READ_SENT);
    return true;
}

/*
 * A connection under suspicion gets one read, as a trial; a cache read's asker
 * does not wait for it, nor does anybody while the breaker is not closed.
 */
static void
dispatch_trial(struct store *store, struct read *read)
{
    bool waits = read->need == STORE_MUST && store->breaker == BREAKER_CLOSED;

    if (proof_is_idle(store) && !read_send(store, read))
        return;
    if (!waits)
        read_finish(store, read, STORE_DOWN);
    else if (read->state == READ_FRESH)
        read_move(store, read, READ_PARKED);
}

static void
dispatch_closed(struct store *store, struct read *read)
{
    if (link_usable(store) && store->proof_needed)
        dispatch_trial(store, read);
    else if (link_usable(store))
        (void)read_send(store, read);
    else if (read->need == STORE_CACHE && store->failures > 0)
        read_finish(store, read, STORE_DOWN);
    else if (read->state == READ_FRESH)
        read_move(store, read, READ_PARKED);
}

static void
dispatch_read(struct store *store, struct read *read)
{
    switch (store->breaker) {
    case BREAKER_CLOSED:
        dispatch_closed(store, read);
        break;
    case BREAKER_TRIAL:
        dispatch_trial(store, read);
        break;
    case BREAKER_OPEN:
        read_finish(store, read, STORE_DOWN);
        break;
    }
}

static void
dispatch(struct store *store, enum read_state state)
{
    struct read *next;

    for (struct read *read = TAILQ_FIRST(&store->by_state[state]); read != NULL;
         read = next) {
        next = TAILQ_NEXT(read, in_state);
        dispatch_read(store, read);
    }
}

static int64_t
sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* When something is due of itself; INT64_MAX: never. */
static int64_t
next_due_ms(const struct store *store)
{
    int64_t due = INT64_MAX;

    for (size_t need = 0; need < 2; need++) {
        const struct read *read = TAILQ_FIRST(&store->deadlines[need]);

        if (read != NULL)
            due = sooner(due, read->deadline_ms);
    }
    if (store->link_state == LINK_CLOSED)
        due = sooner(due, store->open_at_ms);
    if (store->breaker == BREAKER_CLOSED && store->failures > 0 &&
        !link_usable(store))
        due = sooner(due, store->failing_since_ms + store->config.deadline_ms);
    if (proof_is_idle(store))
        due = sooner(due, store->ready_at_ms + TRIAL_WAIT_MS);
    return sooner(due, check_due_ms(store));
}

int64_t
store_turn(struct store *store, int64_t now_ms)
{
    int64_t due;

    store->now_ms = now_ms;
    settle_news(store, now_ms);
    expire_reads(store, STORE_MUST, now_ms);
    expire_reads(store, STORE_CACHE, now_ms);
    check_breaker(store, now_ms);
    open_if_due(store, now_ms);
    if (link_usable(store) || store->breaker != BREAKER_CLOSED)
        dispatch(store, READ_PARKED);
    dispatch(store, READ_FRESH);
    check_idle(store, now_ms);
    if (link_usable(store))
        store->link->ops->flush(store->link);

    if (store->news != NEWS_NONE || !TAILQ_EMPTY(&store->by_state[READ_FRESH]))
        return 0;
    due = next_due_ms(store);
    if (due == INT64_MAX)
        return -1;
    return due > now_ms ? due - now_ms : 0;
}

int64_t
store_next_try_ms(const struct store *store, int64_t now_ms)
{
    return store->link_state == LINK_CLOSED && store->open_at_ms > now_ms
               ? store->open_at_ms - now_ms
               : 0;
}

void
store_free(struct store *store)
{
    if (store == NULL)
        return;
    store->link_state = LINK_CLOSED;
    store->link->ops->free(store->link);
    for (size_t state = READ__STATES; state-- > 0;) {
        struct read *read;

        while ((read = TAILQ_FIRST(&store->by_state[state])) != NULL) {
            if (!read->fetch.is_abandoned)
                read_finish(store, read, STORE_DOWN);
            if (state == READ_SENT)
                read_delete(store, read);
        }
    }
    free(store);
}
