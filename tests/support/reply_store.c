/*
 * A store on a scripted Redis.
 */
#include <ev.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_redis.h"
#include "support/clock.h"
#include "support/reply_server.h"
#include "support/reply_store.h"
#include "support/steps.h"

#define TURN_S .005

/* The replies to a handshake. */
static const char *const greetings[REDIS_URL_KIND__MAX] = {
    [REDIS_URL_SINGLE] = STEPS_MASTER ":0\r\n",
    [REDIS_URL_CLUSTER] = "*4\r\n$4\r\nmode\r\n$7\r\ncluster\r\n"
                          "$4\r\nrole\r\n$6\r\nmaster\r\n+PONG\r\n",
};

static void
on_time(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)timer;
    (void)events;
}

bool
reply_store_open(struct reply_store *replies, const struct store_config *config,
                 enum redis_url_kind kind, const void *bytes, size_t length)
{
    static char said[REPLY_SERVER_BYTES_MAX];
    static struct redis_url place;
    struct reply_server *server = reply_server_start();
    const size_t before = strlen(greetings[kind]);

    if (server == NULL || length > sizeof(said) - before)
        abort();
    memcpy(said, greetings[kind], before);
    memcpy(said + before, bytes, length);
    reply_server_set(server, said, before + length);
    place = reply_server_place(server);
    place.kind = kind;
    place.hosts[0] = (struct redis_url_host){"localhost", 1}; /* not used */
    place.host_count = 1;
    *replies = (struct reply_store){.loop = ev_loop_new(EVFLAG_AUTO)};
    if (replies->loop != NULL)
        replies->store = store_redis_new(replies->loop, &place, config);
    if (replies->store != NULL)
        return true;
    reply_store_close(replies);
    return false;
}

void
reply_store_turn(struct reply_store *replies)
{
    ev_timer timer;

    (void)store_turn(replies->store, clock_ms());
    ev_timer_init(&timer, on_time, TURN_S, 0.);
    ev_timer_start(replies->loop, &timer);
    (void)ev_run(replies->loop, EVRUN_ONCE);
    ev_timer_stop(replies->loop, &timer);
}

void
reply_store_close(struct reply_store *replies)
{
    store_free(replies->store);
    if (replies->loop != NULL)
        ev_loop_destroy(replies->loop);
    *replies = (struct reply_store){.loop = NULL};
}
