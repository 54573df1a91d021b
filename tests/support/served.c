/*
 * Connections served step by step, over pairs of sockets.
 */
#include <ev.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "fcgi/fcgi.h"
#include "link_fake.h"
#include "scoring/model.h"
#include "served.h"
#include "store/route.h"
#include "store/single.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"
#include "token.h"

/* Longer than any machine is delayed: no time limit ends here. */
#define LIMIT_MS 600000

static struct served_link *
of_base(const struct store_link *base)
{
    return (struct served_link *)base;
}

static void
link_open(struct store_link *base)
{
    if (of_base(base)->status == STORE_DOWN)
        store_link_down(base, REDIS_FAULT_BROKEN, "as told");
    else
        store_link_up(base);
}

static void
link_free(struct store_link *base)
{
    of_base(base)->read_count = 0;
}

static bool
link_read(struct store_link *base, struct store_fetch *fetch)
{
    struct served_link *link = of_base(base);

    if (link->read_count == SERVED_READS_MAX)
        return false;
    link->reads[link->read_count++] = fetch;
    return true;
}

static bool
link_write(struct store_link *base, struct bytes key, struct bytes value,
           int64_t ttl_s)
{
    (void)base;
    (void)key;
    (void)value;
    (void)ttl_s;
    return false; /* which is no concern of the request */
}

static bool
link_check(struct store_link *base)
{
    (void)base;
    return false;
}

static const struct store_link_ops ops = {
    .open = link_open,
    .read = link_read,
    .write = link_write,
    .check = link_check,
    .flush = link_fake_do_nothing,
    .free = link_free,
};

static void
on_emptied(void *arg)
{
    (void)arg;
}

static bool
start_store(struct served *served)
{
    static const struct store_config config = {.attempts = 1,
                                               .connect_timeout_ms = LIMIT_MS,
                                               .command_timeout_ms = LIMIT_MS,
                                               .deadline_ms = LIMIT_MS,
                                               .probe_key = {"i:0", 3}};
    struct store_route *route;

    served->link.base.ops = &ops;
    route = store_single_new(&config, &served->link.base);
    if (route != NULL)
        served->shared.store = store_new(&config, route);
    return served->shared.store != NULL;
}

/* Loads the defaults, so that new settings have theirs, too. */
static bool
load_settings(struct served *served)
{
    char *const environment[] = {NULL};
    struct buf errors = {0};

    served->settings = config_load(environment, CONFIG_OF_SERVICE, &errors);
    buf_free(&errors);
    if (served->settings == NULL)
        return false;
    served->config = *served->settings;
    served->config.max_body_bytes = SERVED_BODY_MAX;
    served->config.store_deadline_ms = LIMIT_MS;
    served->config.cache_ttl_s = 1;
    return true;
}

bool
served_start(struct served *served, struct bytes value)
{
    struct conn_shared *shared = &served->shared;

    *served = (struct served){
        .shared = {.config = &served->config, .emptied = on_emptied},
        .api_config = {.secrets = TOKEN_SECRETS,
                       .model = &model_published,
                       .client_ids_max = SERVED_IDS_MAX,
                       .clients_max = SERVED_IDS_MAX,
                       .body_max_bytes = SERVED_BODY_MAX},
        .link = {.value = value},
    };
    TAILQ_INIT(&shared->conns);
    TAILQ_INIT(&shared->gathering);
    (void)signal(SIGPIPE, SIG_IGN);
    shared->loop = ev_loop_new(EVFLAG_AUTO);
    shared->log = log_open(&(struct log_plan){.file = "/dev/null"});
    shared->metrics = metrics_new();
    shared->api = api_new(&served->api_config);
    if (load_settings(served) && fcgi_init() && start_store(served) &&
        shared->loop != NULL && shared->log != NULL &&
        shared->metrics != NULL && shared->api != NULL)
        return true;
    served_stop(served);
    return false;
}

void
served_stop(struct served *served)
{
    struct conn_shared *shared = &served->shared;

    store_free(shared->store);
    conn_close_all(shared);
    api_free(shared->api);
    config_free(served->settings);
    metrics_free(shared->metrics);
    log_close(shared->log);
    if (shared->loop != NULL)
        ev_loop_destroy(shared->loop);
}

int
served_connect(struct served *served)
{
    int fd[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                   fd) != 0)
        return -1;
    if (conn_open(&served->shared, fd[0]))
        return fd[1];
    (void)close(fd[1]);
    return -1;
}

static void
answer_reads(struct served *served)
{
    struct served_link *link = &served->link;

    while (link->read_count > 0 && !link->holds) {
        struct store_fetch *fetch = link->reads[--link->read_count];

        for (size_t i = 0; i < fetch->count; i++)
            fetch->values[i] = (struct store_value){STORE_STRING, link->value};
        store_link_reply(&link->base, fetch, link->status,
                         link->status == STORE_OK ? NULL : "as told");
    }
}

void
served_turn(struct served *served)
{
    (void)ev_run(served->shared.loop, EVRUN_NOWAIT);
    do {
        (void)store_turn(served->shared.store, clock_mono_ms());
        answer_reads(served);
    } while (store_pending(served->shared.store) > 0 && !served->link.holds);
    log_flush(served->shared.log);
}
