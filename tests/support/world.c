/*
 * A store with real connections, without the rest of the service: its loop,
 * turns, events, and reads with their results.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "clock.h"
#include "world.h"

static void
on_event(void *arg, enum store_event event, const char *server,
         const char *detail)
{
    struct world *world = arg;

    (void)server;

    world->events[event]++;
    ev_break(world->loop, EVBREAK_ONE); /* the test checks its condition */
    if (event == STORE_EVENT_DOWN)
        (void)snprintf(world->down, sizeof(world->down), "%s", detail);
    if (event == STORE_EVENT_REFUSED || event == STORE_EVENT_MANY_REFUSED ||
        event == STORE_EVENT_CACHE_REFUSED)
        (void)snprintf(world->refused, sizeof(world->refused), "%s", detail);
    if (event == STORE_EVENT_WRITE_FAILED)
        (void)snprintf(world->lost, sizeof(world->lost), "%s", detail);
}

static void
on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)timer;
    (void)events;
}

static void
on_prepare(struct ev_loop *loop, ev_prepare *prepare, int events)
{
    struct world *world = prepare->data;
    int64_t next_ms = store_turn(world->store, clock_ms());

    (void)events;
    ev_now_update(loop);
    ev_timer_stop(loop, &world->timer);
    if (next_ms < 0)
        return;
    ev_timer_set(&world->timer, (ev_tstamp)next_ms / 1000., 0.);
    ev_timer_start(loop, &world->timer);
}

void
world_start(struct world *world, const struct redis_url *redis)
{
    const struct store_config config = {.attempts = WORLD_ATTEMPTS,
                                        .connect_timeout_ms = WORLD_CONNECT_MS,
                                        .command_timeout_ms = WORLD_COMMAND_MS,
                                        .deadline_ms = WORLD_DEADLINE_MS,
                                        .answer_bytes_max = WORLD_BYTES_MAX,
                                        .probe_key = bytes_of("i:0"),
                                        .event = on_event,
                                        .event_arg = world};

    *world = (struct world){.loop = ev_loop_new(EVFLAG_AUTO)};
    world->store = store_redis_new(world->loop, redis, &config);
    CU_ASSERT_PTR_NOT_NULL_FATAL(world->store);
    ev_prepare_init(&world->prepare, on_prepare);
    ev_timer_init(&world->timer, on_timer, 0., 0.);
    ev_timer_init(&world->patience, on_timer, 0., 0.);
    world->prepare.data = world;
    ev_prepare_start(world->loop, &world->prepare);
}

void
world_end(struct world *world)
{
    store_free(world->store);
    ev_loop_destroy(world->loop);
}

bool
world_run_until(struct world *world, const int *number, int wanted,
                int64_t limit_ms)
{
    int64_t end_ms = clock_ms() + limit_ms;

    while (*number < wanted && clock_ms() < end_ms) {
        ev_now_update(world->loop);
        ev_timer_stop(world->loop, &world->patience);
        ev_timer_set(&world->patience, (ev_tstamp)(end_ms - clock_ms()) / 1000.,
                     0.);
        ev_timer_start(world->loop, &world->patience);
        ev_run(world->loop, EVRUN_ONCE);
    }
    ev_timer_stop(world->loop, &world->patience);
    return *number >= wanted;
}

void
world_run_for(struct world *world, int64_t limit_ms)
{
    const int never = 0;

    (void)world_run_until(world, &never, 1, limit_ms);
}

static void
on_done(void *arg, enum store_status status, const struct store_value *values)
{
    struct answer *answer = arg;

    ev_break(answer->world->loop, EVBREAK_ONE);
    answer->done++;
    answer->status = status;
    answer->took_ms =
        clock_ms() - answer->asked_ms - lost_since_us(&answer->lost) / 1000;
    for (size_t i = 0; status == STORE_OK && i < answer->count; i++)
        answer->kinds[i] = values[i].kind;
    if (status == STORE_OK && values[0].kind == STORE_STRING &&
        values[0].data.length < sizeof(answer->first)) {
        answer->first_length = values[0].data.length;
        memcpy(answer->first, values[0].data.at, values[0].data.length);
    }
}

void
world_ask(struct world *world, struct answer *answer, enum store_need need,
          int64_t limit_ms)
{
    answer->world = world;
    answer->done = 0;
    answer->first_length = 0;
    lost_look(&answer->lost);
    answer->asked_ms = clock_ms();
    CU_ASSERT(store_read(world->store, answer->keys, answer->count, need,
                         answer->asked_ms, answer->asked_ms + limit_ms, on_done,
                         answer));
}

void
world_await(struct world *world, struct answer *answer)
{
    CU_ASSERT(world_run_until(world, &answer->done, 1, CLOCK_PATIENCE_MS));
    CU_ASSERT_EQUAL(answer->done, 1);
}

enum store_status
world_get(struct world *world, struct answer *answer, enum store_need need,
          const char *key)
{
    answer->keys[0] = bytes_of(key);
    answer->count = 1;
    world_ask(world, answer, need, WORLD_DEADLINE_MS);
    world_await(world, answer);
    return answer->status;
}

bool
answer_is(const struct answer *answer, struct bytes want)
{
    return bytes_equal((struct bytes){answer->first, answer->first_length},
                       want);
}
