/*
 * The decisions of the store: for any behaviour of the link each read is
 * answered once, at its deadline at the latest, and the store works again soon
 * after the link does. The input is pairs of bytes: an event, and its parameter
 * (a time, a read, a result).
 */
#include "fuzz.h"
#include "store/route.h"
#include "store/single.h"
#include "store/store.h"

#define READS_MAX     64
#define COMMANDS_MAX  256
#define DEADLINE_MS   800
#define STEP_MS       7
#define RECOVERY_MS   2000 /* the breaker closes within 2 s */
#define MAX_WAIT_STEP 8    /* milliseconds for each unit of a byte */

enum event {
    EVENT_TURN = 0,
    EVENT_READ,
    EVENT_CACHE_READ,
    EVENT_WRITE,
    EVENT_UP,
    EVENT_DOWN,
    EVENT_REFUSE,
    EVENT_REPLY,
    EVENT_ERROR,
    EVENT_MEMORY, /* the link runs out of memory, or has it again */
    EVENT_BREAK,  /* the next flush finds the connection broken */
    EVENT__MAX
};

enum link_phase { LINK_CLOSED = 0, LINK_OPENING, LINK_READY };

struct asked {
    bool is_pending;
    int64_t deadline_ms;
    enum store_status status; /* valid when it is not pending */
};

/* With a NULL fetch: a write, or a check. */
struct command {
    struct store_fetch *fetch;
    bool is_check;
};

static struct {
    struct store_link base; /* first: a link begins with it */
    struct store *store;
    enum link_phase phase;
    bool no_memory, breaks;
    struct command commands[COMMANDS_MAX];
    size_t command_count;
    struct asked asked[READS_MAX];
    size_t asked_count, pending;
    int64_t now_ms;
} world;

static const struct bytes key = {"key", 3};
static const struct bytes trial = {"i:0", 3};

static void
link_open(struct store_link *link)
{
    (void)link;
    FUZZ_CHECK(world.phase == LINK_CLOSED);
    world.phase = LINK_OPENING;
}

static bool
send_command(struct command command)
{
    FUZZ_CHECK(world.phase == LINK_READY);
    if (world.no_memory || world.command_count == COMMANDS_MAX)
        return false;
    world.commands[world.command_count++] = command;
    return true;
}

static bool
link_read(struct store_link *link, struct store_fetch *fetch)
{
    (void)link;
    /* An abandoned fetch is the node's own trial. */
    FUZZ_CHECK(bytes_equal(fetch->keys[0], fetch->is_abandoned ? trial : key));
    return send_command((struct command){fetch, false});
}

static bool
link_write(struct store_link *link, struct bytes written, struct bytes value,
           int64_t ttl_s)
{
    (void)link;
    (void)written;
    (void)value;
    (void)ttl_s;
    return send_command((struct command){NULL, false});
}

/* Only an idle connection is checked. */
static bool
link_check(struct store_link *link)
{
    (void)link;
    FUZZ_CHECK(world.command_count == 0);
    return send_command((struct command){NULL, true});
}

static void
fail(enum redis_fault fault)
{
    if (world.phase == LINK_CLOSED)
        return;
    world.phase = LINK_CLOSED;
    world.command_count = 0;
    store_link_down(&world.base, fault, "fuzz");
}

static void
link_flush(struct store_link *link)
{
    (void)link;
    if (world.breaks)
        fail(REDIS_FAULT_BROKEN);
    world.breaks = false;
}

static void
link_free(struct store_link *link)
{
    (void)link;
}

static const struct store_link_ops ops = {
    .open = link_open,
    .read = link_read,
    .write = link_write,
    .check = link_check,
    .flush = link_flush,
    .free = link_free,
};

static void
on_done(void *arg, enum store_status status, const struct store_value *values)
{
    struct asked *asked = arg;

    FUZZ_CHECK(asked->is_pending);
    FUZZ_CHECK((status == STORE_OK) == (values != NULL));
    FUZZ_CHECK(values == NULL || bytes_equal(values[0].data, key));
    asked->is_pending = false;
    asked->status = status;
    world.pending--;
}

/* Begins a read in the place of one that is done; NULL if there is none. */
static struct asked *
ask(enum store_need need, int64_t limit_ms)
{
    for (size_t i = 0; i < READS_MAX; i++) {
        struct asked *asked = &world.asked[i];

        if (asked->is_pending)
            continue;
        *asked = (struct asked){true, world.now_ms + limit_ms, STORE__MAX};
        world.pending++;
        FUZZ_CHECK(store_read(world.store, &key, 1, need, world.now_ms,
                              asked->deadline_ms, on_done, asked));
        return asked;
    }
    return NULL;
}

/* Until the time that store_turn() returns, nothing may become overdue. */
static void
turn(int64_t wait_ms)
{
    int64_t next_ms;

    world.now_ms += wait_ms;
    next_ms = store_turn(world.store, world.now_ms);
    FUZZ_CHECK(next_ms >= -1);
    FUZZ_CHECK(store_pending(world.store) == world.pending);
    for (size_t i = 0; i < READS_MAX; i++) {
        const struct asked *asked = &world.asked[i];

        if (!asked->is_pending)
            continue;
        FUZZ_CHECK(next_ms == 0 || asked->deadline_ms > world.now_ms);
        FUZZ_CHECK(next_ms != -1 &&
                   world.now_ms + next_ms <= asked->deadline_ms);
    }
}

/* Answers one command; in any order, although a real link keeps the order. */
static void
reply(unsigned which, enum store_status status)
{
    struct command command;
    size_t at;

    if (world.command_count == 0)
        return;
    at = which % world.command_count;
    command = world.commands[at];
    world.command_count--;
    memmove(&world.commands[at], &world.commands[at + 1],
            (world.command_count - at) * sizeof(world.commands[0]));
    if (command.is_check) {
        store_link_checked(&world.base);
        return;
    }
    if (command.fetch == NULL) {
        store_link_wrote(&world.base, status == STORE_OK ? NULL : "no");
        return;
    }
    if (status == STORE_OK)
        command.fetch->values[0] = (struct store_value){STORE_STRING, key};
    store_link_reply(&world.base, command.fetch, status,
                     status == STORE_OK ? NULL : "no");
}

static void
rise(void)
{
    if (world.phase != LINK_OPENING)
        return;
    world.phase = LINK_READY;
    store_link_up(&world.base);
}

static void
happen(enum event event, unsigned how)
{
    switch (event) {
    case EVENT_TURN:
        turn((int64_t)how * (how % MAX_WAIT_STEP));
        break;
    case EVENT_READ:
        (void)ask(STORE_MUST, (int64_t)how * MAX_WAIT_STEP);
        break;
    case EVENT_CACHE_READ:
        (void)ask(STORE_CACHE, (int64_t)how * MAX_WAIT_STEP);
        break;
    case EVENT_WRITE:
        store_write(world.store, key, key, 1);
        break;
    case EVENT_UP:
        rise();
        break;
    case EVENT_DOWN:
        fail(REDIS_FAULT_BROKEN);
        break;
    case EVENT_REFUSE:
        fail(REDIS_FAULT_HANDSHAKE);
        break;
    case EVENT_REPLY:
        reply(how, STORE_OK);
        break;
    case EVENT_ERROR:
        reply(how, STORE_REFUSED);
        break;
    case EVENT_MEMORY:
        world.no_memory = !world.no_memory;
        break;
    case EVENT_BREAK:
        world.breaks = true;
        break;
    case EVENT__MAX:
        break;
    }
}

static void
turn_well(int64_t wait_ms)
{
    turn(wait_ms);
    rise();
    while (world.command_count > 0)
        reply(0, STORE_OK);
}

/*
 * From now on the link works, and soon so must the store, even without a
 * request: a cache read then finds the breaker closed.
 */
static void
check_recovery(void)
{
    int64_t since_ms = world.now_ms;
    struct asked *asked;

    world.no_memory = world.breaks = false;
    while (world.now_ms - since_ms < RECOVERY_MS)
        turn_well(STEP_MS);
    asked = ask(STORE_CACHE, DEADLINE_MS);
    turn_well(1);
    FUZZ_CHECK(asked != NULL && !asked->is_pending);
    FUZZ_CHECK(asked->status == STORE_OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct store_config config = {.attempts = 3,
                                               .connect_timeout_ms = 200,
                                               .command_timeout_ms = 300,
                                               .deadline_ms = DEADLINE_MS,
                                               .probe_key = {"i:0", 3}};
    struct fuzz_input input = {data, size};
    struct store_route *route;

    memset(&world, 0, sizeof(world));
    world.base.ops = &ops;
    route = store_single_new(&config, &world.base);
    FUZZ_CHECK(route != NULL);
    world.store = store_new(&config, route);
    FUZZ_CHECK(world.store != NULL);
    while (input.left > 0) {
        enum event event = fuzz_byte(&input) % EVENT__MAX;

        happen(event, fuzz_byte(&input));
    }
    check_recovery();
    (void)ask(STORE_MUST, DEADLINE_MS);
    (void)ask(STORE_CACHE, DEADLINE_MS);
    store_free(world.store);
    FUZZ_CHECK(world.pending == 0);
    return 0;
}
